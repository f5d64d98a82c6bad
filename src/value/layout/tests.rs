use proptest::prelude::*;

use super::*;

#[track_caller]
fn check(layout: &str, text: &str, expected: Option<&str>) {
    let time = parse(layout, text).and_then(|stamp| stamp.time_in(2024));
    assert_eq!(time.map(Time::rfc3339).as_deref(), expected, "{text:?} by {layout:?}");
}

#[test]
fn layouts_of_rules() {
    check(
        "2006 X 2 zz 15X04X05 oneone Jan",
        "2011 X 17 zz 08X17X43 oneone Dec",
        Some("2011-12-17T08:17:43Z"),
    );
    check(
        "02/Jan/2006:15:04:05 -0700",
        "02/Jan/2006:15:04:05 -0700",
        Some("2006-01-02T15:04:05-07:00"),
    );
    check(
        "2006-01-02 15:04:05.000-0700",
        "2024-01-02 15:04:05.678+0100",
        Some("2024-01-02T15:04:05.678+01:00"),
    );
    check("2006-01-02 15:04:05.000-0700", "2024-01-02 15:04:05.67+0100", None);
    check("060102 15:04:05", "240310  1:02:03", Some("2024-03-10T01:02:03Z"));
    check("0102 15:04:05", "0310 01:02:03", Some("2024-03-10T01:02:03Z"));
    check("01/02/2006, 3:04:05 PM", "03/10/2024, 1:02:03 PM", Some("2024-03-10T13:02:03Z"));
    check("01/02/2006, 3:04:05 PM", "03/10/2024, 12:02:03 AM", Some("2024-03-10T00:02:03Z"));
    check("01/02/2006, 3:04:05 PM", "03/10/2024, 13:02:03 PM", None);
    check("01/02/2006, 3:04:05 PM", "03/10/2024, 1:02:03 pm", None);
    check(
        "2006-01-02 15:04:05,999999999",
        "2024-01-02 15:04:05,12",
        Some("2024-01-02T15:04:05.12Z"),
    );
    check("2006-01-02 15:04:05,999999999", "2024-01-02 15:04:05", Some("2024-01-02T15:04:05Z"));
    check("2006-01-02T15:04:05.999Z", "2024-01-02T15:04:05.123Z", Some("2024-01-02T15:04:05.123Z"));
    check("Mon Jan _2 15:04:05 2006", "Tue Mar  5 01:02:03 2024", Some("2024-03-05T01:02:03Z"));
}

#[test]
fn spaces() {
    check("Jan  2 15:04:05", "Mar 5 01:02:03", Some("2024-03-05T01:02:03Z"));
    check("Jan  2 15:04:05", "Mar    5   01:02:03", Some("2024-03-05T01:02:03Z"));
    check("Jan  2 15:04:05", "Mar5 01:02:03", None);
    check("2006 ", "2024", Some("2024-01-01T00:00:00Z"));
    check("2006", "2024 ", None);
    check(" 2006", "2024", None);
    check("_2 Jan 2006", " 7 Feb 2024", Some("2024-02-07T00:00:00Z"));
    check("_2 Jan 2006", "  7 Feb 2024", None);
}

#[test]
fn numbers() {
    check("2006-1-2", "2024-12-31", Some("2024-12-31T00:00:00Z"));
    check("2006-01-02", "2024-1-2", None);
    check("2006-01-02", "2024-13-02", None);
    check("2006-01-02", "2024-00-02", None);
    check("2006-01-02", "2023-02-29", None);
    check("2006-01-02", "2024-02-29", Some("2024-02-29T00:00:00Z"));
    check("2006-01-02", "2024-04-31", None);
    check("2006-01-02", "2024-04-00", None);
    check("06", "69", Some("1969-01-01T00:00:00Z"));
    check("06", "68", Some("2068-01-01T00:00:00Z"));
    check("15:4:5", "9:3:7", Some("2024-01-01T09:03:07Z"));
    check("15:04:05", "9:3:07", None);
    check("15:04:05", "24:00:00", None);
    check("15:04:05", "23:60:00", None);
    check("15:04:05", "23:59:60", None);
    check("2006 002", "2024 366", Some("2024-12-31T00:00:00Z"));
    check("2006 002", "2023 366", None);
    check("2006 002", "2023 060", Some("2023-03-01T00:00:00Z"));
    check("2006 __2", "2024  60", Some("2024-02-29T00:00:00Z"));
    check("2006 Jan 002", "2023 Feb 060", None);
}

#[test]
fn names() {
    check("January 2, 2006", "march 5, 2024", Some("2024-03-05T00:00:00Z"));
    check("Jan 2, 2006", "MAR 5, 2024", Some("2024-03-05T00:00:00Z"));
    check("Jan 2, 2006", "March 5, 2024", None);
    check("Monday 2 Jan 2006", "sunday 5 mar 2024", Some("2024-03-05T00:00:00Z"));
    check("Janet 2006", "Janet 2024", Some("2024-01-01T00:00:00Z"));
    check("Month 2006", "Month 2024", Some("2024-01-01T00:00:00Z"));
}

#[test]
fn fractions() {
    check("15:04:05 2006", "01:02:03.5 2024", Some("2024-01-01T01:02:03.5Z"));
    check("15:04:05 2006", "01:02:03. 2024", None);
    check("15:04:05.000000 2006", "01:02:03.123456 2024", Some("2024-01-01T01:02:03.123456Z"));
    check("15:04:05.000000 2006", "01:02:03.1234567 2024", None);
    check("15:04:05.000000 2006", "01:02:03 2024", None);
    check("15:04:05.999 2006", "01:02:03.1234567 2024", Some("2024-01-01T01:02:03.1234567Z"));
    check("15:04:05,000", "01:02:03.123", Some("2024-01-01T01:02:03.123Z"));
}

#[test]
fn zones() {
    check("15:04 -0700", "01:02 +2500", None);
    check("15:04 -0700", "01:02 +2400", Some("2024-01-01T01:02:00+24:00"));
    check("15:04 -0700", "01:02 0100", None);
    check("15:04 -07", "01:02 -03", Some("2024-01-01T01:02:00-03:00"));
    check("15:04 -07:00", "01:02 +05:30", Some("2024-01-01T01:02:00+05:30"));
    check("15:04 -07:00", "01:02 Z", None);
    check("15:04 Z07:00", "01:02 Z", Some("2024-01-01T01:02:00Z"));
    check("15:04 Z0700", "01:02 +0100", Some("2024-01-01T01:02:00+01:00"));
    check("15:04 -07:00:00", "01:02 +01:00:00", Some("2024-01-01T01:02:00+01:00"));
    check("15:04 MST", "01:02 UTC", Some("2024-01-01T01:02:00Z"));
    check("15:04 MST", "01:02 XYZ", Some("2024-01-01T01:02:00Z"));
    check("15:04 MST", "01:02 XYZT", Some("2024-01-01T01:02:00Z"));
    check("15:04 MST", "01:02 XYZA", None);
    check("15:04 MST", "01:02 XY", None);
    check("15:04 MST", "01:02 ABCDET", None);
    check("15:04 MST", "01:02 +03", Some("2024-01-01T01:02:00Z"));
    check("15:04 MST", "01:02 +24", None);
    check("15:04 MST", "01:02 GMT+3", Some("2024-01-01T04:02:00+03:00"));
    check("15:04 -0700 MST", "01:02 +0200 CEST", Some("2024-01-01T01:02:00+02:00"));
    check("15:04 -0700 MST", "01:02 +0200 UTC", Some("2024-01-01T01:02:00Z"));
}

#[test]
fn a_missing_year_is_the_one_given() {
    let stamp = parse("Jan  2", "Feb 29").expect("the year 0 is a leap year");
    assert_eq!(stamp.time_in(2023).map(Time::rfc3339).as_deref(), Some("2023-03-01T00:00:00Z"));
    assert_eq!(stamp.time_in(2024).map(Time::rfc3339).as_deref(), Some("2024-02-29T00:00:00Z"));
    assert_eq!(stamp.time(), None);
}

#[test]
fn writing() {
    let time = Time::from_rfc3339("2024-03-05T14:02:03.120-07:00").expect("well-formed");
    let check = |layout, expected: &str| assert_eq!(format_time(layout, time), expected);
    check(
        "Monday Mon January Jan 1 01 2 02 _2 2006 06",
        "Tuesday Tue March Mar 3 03 5 05  5 2024 24",
    );
    check("15:04:05 3:4:5 03 PM pm", "14:02:03 2:2:3 02 PM pm");
    check(".000 .999999 ,00000000000", ".120 .12 .12000000000");
    check("002 __2", "065  65");
    check("-0700 -07:00 -07 Z07:00 MST -07:00:00", "-0700 -07:00 -07 -07:00 -0700 -07:00:00");
    check("é", "é");
    assert_eq!(format_time("Z07:00 MST -0700", Time::from_seconds(0)), "Z UTC +0000");
}

proptest! {
    #[test]
    fn what_is_written_is_read(nanos: i64, minutes in -900i32..900) {
        let time = Time { nanos, offset: minutes * 60 };
        for layout in [
            "2006-01-02T15:04:05.000000000-0700",
            "Mon, _2 January 2006 03:04:05.999999999 PM Z07:00",
            "2006 002 15h4m5s.000000000 -07:00",
        ] {
            let text = format_time(layout, time);
            let back = parse(layout, &text).and_then(Stamp::time);
            prop_assert_eq!(back, Some(time), "{} by {}", text, layout);
        }
    }

    #[test]
    fn any_text_by_any_layout(
        layout in "(2006|01|Jan|_2|002|15|04|05|[.,]0{1,3}|[.,]9{1,3}|PM|MST|-0700|Z07:00|[ :/é]){0,9}",
        text in ".{0,40}",
        time: i64,
    ) {
        let _ = parse(&layout, &text).and_then(|stamp| stamp.time_in(2023));
        let _ = format_time(&layout, Time::from_nanos(time));
    }
}
