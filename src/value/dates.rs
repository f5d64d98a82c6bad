//! Reading dates whose layout nobody told: sixteen layouts in order, then Unix seconds.
//!
//! The shape of the text rules out nearly all layouts before any is tried; a property test holds
//! this against trying all of them.

use std::sync::LazyLock;

use super::layout::{self, Layout};
use super::{Civil, Time, Zone, local};

/// The layouts, in the order in which they are tried.
const LAYOUTS: [&str; 16] = [
    "2006-01-02T15:04:05Z07:00",
    "02/Jan/2006:15:04:05 -0700",
    "Mon Jan 2 15:04:05 2006",
    "02-Jan-2006 15:04:05 europe/paris",
    "01/02/2006 15:04:05",
    "2006-01-02 15:04:05.999999999 -0700 MST",
    "Jan  2 15:04:05",
    "Mon Jan 02 15:04:05.000000 2006",
    "2006-01-02T15:04:05Z07:00",
    "2006/01/02",
    "2006/01/02 15:04",
    "2006-01-02",
    "2006-01-02 15:04",
    "2006/01/02 15:04:05",
    "2006-01-02 15:04:05",
    "2006-01-02T15:04:05",
];

static COMPILED: LazyLock<[Layout; 16]> = LazyLock::new(|| LAYOUTS.map(Layout::new));

/// The time that `text` tells: by `hint_layout` if it is not empty and fits, else by the first
/// of the known layouts that fits, else as Unix seconds (shown at the local offset). `None` when
/// nothing fits, when the text is empty, and outside the years 1677 to 2262.
///
/// A date without a zone is one of `zone`, or of UTC where nothing is known. A date without a year
/// is of the last year in which it lies no more than a day ahead where the zone is known; else of
/// the year of `now` in UTC, but for the days around New Year.
#[must_use]
pub fn parse_date(text: &str, hint_layout: &str, now: Time, zone: Option<&Zone>) -> Option<Time> {
    if text.is_empty() {
        return None;
    }
    let reading = Reading { now, zone };
    if !hint_layout.is_empty()
        && let Some(time) = reading.time(layout::parse(hint_layout, text))
    {
        return Some(time);
    }
    by_shape(text, reading).or_else(|| parse_unix(text))
}

/// By what dates are read that do not say all.
#[derive(Clone, Copy)]
struct Reading<'z> {
    now: Time,
    zone: Option<&'z Zone>,
}

impl Reading<'_> {
    fn time(self, stamp: Option<layout::Stamp<'_>>) -> Option<Time> {
        let stamp = stamp?;
        match self.zone {
            Some(zone) if !stamp.has_zone() => self.time_in(stamp.civil, zone),
            _ => self.of_year(stamp.civil.year == 0, |year| stamp.time_in(year)),
        }
    }

    fn time_in(self, civil: Civil, zone: &Zone) -> Option<Time> {
        match civil.year {
            0 => zone.moment_of_some_year(civil, self.now),
            _ => zone.moment(civil, self.now),
        }
    }

    /// The time in the year of now; in the year beside it where the one is over, or about to begin,
    /// and the date of the other end.
    fn of_year(self, is_yearless: bool, time: impl Fn(i64) -> Option<Time>) -> Option<Time> {
        const NEARLY_A_YEAR: i64 = 363 * 86_400 * 1_000_000_000;
        let year = Time { offset: 0, ..self.now }.civil().year;
        let found = time(year)?;
        match found.since(self.now) {
            ahead if is_yearless && ahead > NEARLY_A_YEAR => time(year - 1),
            ahead if is_yearless && ahead < -NEARLY_A_YEAR => time(year + 1),
            _ => Some(found),
        }
    }
}

/// Tries the layouts that a text of this shape can match.
fn by_shape(text: &str, reading: Reading<'_>) -> Option<Time> {
    if let Some(time) = syslog_stamp(text.as_bytes(), reading) {
        return Some(time);
    }
    let candidates: &[usize] = match text.as_bytes() {
        [b'A'..=b'Z' | b'a'..=b'z', ..] => &[2, 6, 7],
        [_, _, _, _, b'-', _, _, b'-', _, _, after @ ..] => match after {
            [] => &[11],
            [b'T', ..] => {
                if let Some(time) = Time::from_rfc3339(text) {
                    return Some(time);
                }
                &[15]
            }
            [b' ', ..] => &[5, 12, 14],
            _ => &[],
        },
        [_, _, _, _, b'/', _, _, b'/', ..] => &[9, 10, 13],
        [_, _, b'/', b'0'..=b'9', ..] => &[4],
        [_, _, b'/', ..] => &[1],
        [_, _, b'-', ..] => &[3],
        _ => &[],
    };
    candidates.iter().find_map(|index| reading.time(COMPILED[*index].parse(text)))
}

/// `Jan  2 15:04:05` and `Jan 12 15:04:05`, the stamp of nearly all lines, read by position.
/// `None` says only that the text is not exactly that.
fn syslog_stamp(text: &[u8], reading: Reading<'_>) -> Option<Time> {
    let [m1, m2, m3, b' ', d1, d2, b' ', h1, h2, b':', n1, n2, b':', s1, s2] = text else {
        return None;
    };
    let month = match [m1 | 0x20, m2 | 0x20, m3 | 0x20] {
        [b'j', b'a', b'n'] => 1,
        [b'f', b'e', b'b'] => 2,
        [b'm', b'a', b'r'] => 3,
        [b'a', b'p', b'r'] => 4,
        [b'm', b'a', b'y'] => 5,
        [b'j', b'u', b'n'] => 6,
        [b'j', b'u', b'l'] => 7,
        [b'a', b'u', b'g'] => 8,
        [b's', b'e', b'p'] => 9,
        [b'o', b'c', b't'] => 10,
        [b'n', b'o', b'v'] => 11,
        [b'd', b'e', b'c'] => 12,
        _ => return None,
    };
    if ![m1, m2, m3].iter().all(|byte| byte.is_ascii_alphabetic()) {
        return None;
    }
    let two = |tens: &u8, ones: &u8| {
        (tens.is_ascii_digit() && ones.is_ascii_digit()).then(|| (tens - b'0') * 10 + (ones - b'0'))
    };
    let day = two(if *d1 == b' ' { &b'0' } else { d1 }, d2)?;
    let (hour, minute, second) = (two(h1, h2)?, two(n1, n2)?, two(s1, s2)?);
    // Without its year the date is checked as one of a leap year.
    if day == 0
        || day > super::civil::days_in_month(0, month)
        || hour > 23
        || minute > 59
        || second > 59
    {
        return None;
    }
    let civil = Civil { year: 0, month, day, hour, minute, second, nanos: 0 };
    match reading.zone {
        Some(zone) => reading.time_in(civil, zone),
        None => reading.of_year(true, |year| Civil { year, ..civil }.at_offset(0)),
    }
}

/// The whole seconds of a Unix time such as `1700000000.123`, at the local offset; `None` unless
/// they are a positive integer.
#[must_use]
pub fn parse_unix(text: &str) -> Option<Time> {
    let whole = text.split('.').next()?;
    let digits = whole.strip_prefix('+').unwrap_or(whole);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let seconds: i64 = digits.parse().ok()?;
    if seconds == 0 {
        return None;
    }
    let nanos = seconds.checked_mul(1_000_000_000)?;
    Some(Time { nanos, offset: local::local_offset(seconds) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn now() -> Time {
        Time::from_rfc3339("2023-07-01T00:00:00Z").expect("well-formed")
    }

    const HERE: Option<&Zone> = None;

    fn by_all(text: &str, zone: Option<&Zone>) -> Option<Time> {
        let reading = Reading { now: now(), zone };
        LAYOUTS.iter().find_map(|layout| reading.time(layout::parse(layout, text)))
    }

    fn by_one(text: &str, zone: Option<&Zone>) -> Option<Time> {
        by_shape(text, Reading { now: now(), zone })
    }

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        let time = parse_date(text, "", now(), HERE);
        assert_eq!(time.map(Time::rfc3339).as_deref(), expected, "{text}");
        assert_eq!(by_one(text, HERE), by_all(text, HERE), "{text}");
    }

    #[test]
    fn layouts() {
        check("2019-10-12T07:20:50.52Z", Some("2019-10-12T07:20:50.52Z"));
        check("2022-02-16T12:31:49+02:00", Some("2022-02-16T12:31:49+02:00"));
        check("02/Jan/2006:15:04:05 -0700", Some("2006-01-02T15:04:05-07:00"));
        check("Tue Mar  5 14:02:03 2024", Some("2024-03-05T14:02:03Z"));
        check("Tue Mar 05 14:02:03.123456 2024", Some("2024-03-05T14:02:03.123456Z"));
        check("05-Mar-2024 14:02:03 europe/paris", Some("2024-03-05T14:02:03Z"));
        check("03/05/2024 14:02:03", Some("2024-03-05T14:02:03Z"));
        check("2024-03-05 14:02:03.5 +0100 CET", Some("2024-03-05T14:02:03.5+01:00"));
        check("2024/03/05", Some("2024-03-05T00:00:00Z"));
        check("2024/03/05 14:02", Some("2024-03-05T14:02:00Z"));
        check("2024-03-05", Some("2024-03-05T00:00:00Z"));
        check("2024-03-05 14:02", Some("2024-03-05T14:02:00Z"));
        check("2024/03/05 14:02:03", Some("2024-03-05T14:02:03Z"));
        check("2024-03-05 14:02:03", Some("2024-03-05T14:02:03Z"));
        check("2024-03-05 14:02:03,999", Some("2024-03-05T14:02:03.999Z"));
        check("2024-11-26T20:13:32.123", Some("2024-11-26T20:13:32.123Z"));
    }

    #[test]
    fn syslog_stamps() {
        check("Mar  5 14:02:03", Some("2023-03-05T14:02:03Z"));
        check("Mar 5 14:02:03", Some("2023-03-05T14:02:03Z"));
        check("mar 15 14:02:03", Some("2023-03-15T14:02:03Z"));
        check("Mar 05 14:02:03.25", Some("2023-03-05T14:02:03.25Z"));
        check("Dec 31 23:59:59", Some("2023-12-31T23:59:59Z"));
        check("Feb 29 14:02:03", Some("2023-03-01T14:02:03Z"));
        check("Feb 30 14:02:03", None);
        check("Mar 00 14:02:03", None);
        check("Mar 05 24:02:03", None);
        check("Mrz  5 14:02:03", None);
        check("Mar   5 4:02:03", Some("2023-03-05T04:02:03Z"));
    }

    #[test]
    fn clocks_in_a_zone() {
        let berlin = Zone::named("Europe/Berlin").expect("a zone");
        let check = |text, expected: &str| {
            let time = parse_date(text, "", now(), Some(&berlin)).map(Time::rfc3339);
            assert_eq!(time.as_deref(), Some(expected), "{text}");
        };
        check("Mar  5 14:02:03", "2023-03-05T14:02:03+01:00");
        check("Jul  1 14:02:03", "2023-07-01T14:02:03+02:00");
        check("Aug  1 14:02:03", "2022-08-01T14:02:03+02:00");
        check("2024-03-05 14:02:03", "2024-03-05T14:02:03+01:00");
        check("2024-03-05T14:02:03.5", "2024-03-05T14:02:03.5+01:00");
        // Those that say their zone are right as they are.
        check("2024-03-05T14:02:03Z", "2024-03-05T14:02:03Z");
        check("02/Jan/2006:15:04:05 -0700", "2006-01-02T15:04:05-07:00");
        check("2024-03-05 14:02:03.5 +0100 UTC", "2024-03-05T14:02:03.5Z");
        let unix = parse_date("1700000000", "", now(), Some(&berlin)).map(Time::seconds);
        assert_eq!(unix, Some(1_700_000_000));
    }

    #[test]
    fn the_year_around_new_year() {
        let check = |text, now, expected: &str| {
            let now = Time::from_rfc3339(now).expect("well-formed");
            let time = parse_date(text, "", now, HERE).map(Time::rfc3339);
            assert_eq!(time.as_deref(), Some(expected), "{text}");
        };
        check("Dec 31 23:59:59", "2024-01-01T00:00:01Z", "2023-12-31T23:59:59Z");
        check("Dec 31 23:59:59.5", "2024-01-01T00:00:01Z", "2023-12-31T23:59:59.5Z");
        check("Jan  1 00:30:00", "2023-12-31T23:30:00Z", "2024-01-01T00:30:00Z");
        // Elsewhere in the year nothing is guessed.
        check("Dec 24 10:00:00", "2024-01-20T00:00:00Z", "2024-12-24T10:00:00Z");
        check("Jan 20 10:00:00", "2023-12-31T23:30:00Z", "2023-01-20T10:00:00Z");
    }

    #[test]
    fn unix_times() {
        let zone = |text: &str| parse_date(text, "", now(), HERE).map(Time::seconds);
        assert_eq!(zone("1700000000"), Some(1_700_000_000));
        assert_eq!(zone("1700000000.987"), Some(1_700_000_000));
        assert_eq!(zone("0"), None);
        assert_eq!(zone("-5"), None);
        assert_eq!(zone("17e8"), None);
        assert_eq!(zone("99999999999999999999"), None);
        assert_eq!(zone(""), None);
        assert_eq!(zone("."), None);
    }

    #[test]
    fn hints() {
        let check = |text, hint, expected: Option<&str>| {
            let time = parse_date(text, hint, now(), HERE).map(Time::rfc3339);
            assert_eq!(time.as_deref(), expected, "{text} by {hint}");
        };
        check("03/05/2024 14:02:03", "02/01/2006 15:04:05", Some("2024-05-03T14:02:03Z"));
        check("03/15/2024 14:02:03", "02/01/2006 15:04:05", Some("2024-03-15T14:02:03Z"));
        check("0305 14:02:03", "0102 15:04:05", Some("2023-03-05T14:02:03Z"));
        check("0001-01-01T00:00:00Z", "2006-01-02T15:04:05Z07:00", None);
    }

    proptest! {
        #[test]
        fn shapes_leave_nothing_out(text in prop_oneof![
            "(Mon|tue|WED)? ?(Jan|feb|Mar|MAY|dec) {0,3}[0-3]?[0-9] {0,2}[0-2]?[0-9]:[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,7})?( 20[0-9][0-9])?",
            "[0-9]{2}[/-]([01][0-9]|Jan|Feb)[/-]20[0-9]{2}[: ] ?[0-2]?[0-9]:[0-5][0-9]:[0-5][0-9]( -0700| europe/paris)?",
            "20[0-9]{2}[-/][01][0-9][-/][0-3][0-9]([T ] ?[0-2]?[0-9](:[0-5][0-9]){1,2}([.,][0-9]{1,10})?(Z| ?[+-][0-9]{2}:?[0-9]{2})?( UTC| CET)?)?",
            "[ 0-9A-Za-z/:.+-]{0,32}",
        ]) {
            let berlin = Zone::named("Europe/Berlin").expect("a zone");
            for zone in [None, Some(&berlin)] {
                let fast = by_one(&text, zone);
                let slow = by_all(&text, zone);
                prop_assert_eq!(fast, slow, "{}", text);
                prop_assert_eq!(fast.map(|time| time.offset), slow.map(|time| time.offset));
            }
        }

        #[test]
        fn any_text(text in ".{0,40}", hint in ".{0,20}") {
            let berlin = Zone::named("Europe/Berlin").expect("a zone");
            let _ = parse_date(&text, &hint, now(), None);
            let _ = parse_date(&text, &hint, now(), Some(&berlin));
        }
    }
}
