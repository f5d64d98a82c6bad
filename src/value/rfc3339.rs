//! Instants as RFC 3339 text, the form in which rules and alerts pass them on.

use super::Time;

const SECOND: i64 = 1_000_000_000;
const DAY: i64 = 86_400;

/// A day of the proleptic Gregorian calendar and the second within it.
struct Civil {
    year: i64,
    month: i64,
    day: i64,
    second: i64,
}

impl Time {
    /// RFC 3339 with as many digits of the fraction as are not zero, and the offset it was written
    /// with (`Z` when that is zero).
    #[must_use]
    pub fn rfc3339(self) -> String {
        let mut text = self.date_and_time('T');
        if self.offset == 0 {
            text.push('Z');
        } else {
            let (sign, hours, minutes) = offset_parts(self.offset);
            text.push_str(&format!("{sign}{hours:02}:{minutes:02}"));
        }
        text
    }

    /// As the message of an alert shows it: `2026-01-27 11:02:49.5 +0000 UTC`.
    #[must_use]
    pub fn plain(self) -> String {
        let text = self.date_and_time(' ');
        let (sign, hours, minutes) = offset_parts(self.offset);
        let offset = format!("{sign}{hours:02}{minutes:02}");
        let zone = if self.offset == 0 { "UTC" } else { offset.as_str() };
        format!("{text} {offset} {zone}")
    }

    /// The instant that an RFC 3339 text names; the offset is kept. `None` when it is no such
    /// text, or lies outside the years 1677 to 2262.
    #[must_use]
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        let mut rest = text.as_bytes();
        let year = number(&mut rest, 4)?;
        let month = byte(&mut rest, b"-").and_then(|_| number(&mut rest, 2))?;
        let day = byte(&mut rest, b"-").and_then(|_| number(&mut rest, 2))?;
        let hour = byte(&mut rest, b"T").and_then(|_| number(&mut rest, 2))?;
        let minute = byte(&mut rest, b":").and_then(|_| number(&mut rest, 2))?;
        let second = byte(&mut rest, b":").and_then(|_| number(&mut rest, 2))?;
        let fraction = match byte(&mut rest, b".,") {
            Some(_) => fraction(&mut rest)?,
            None => 0,
        };
        let offset = match byte(&mut rest, b"Z+-")? {
            b'Z' => 0,
            sign => {
                let hours = number(&mut rest, 2).filter(|hours| *hours <= 24)?;
                let minutes = byte(&mut rest, b":").and_then(|_| number(&mut rest, 2))?;
                let east = (hours * 60 + minutes) * 60;
                if sign == b'-' { -east } else { east }
            }
        };
        let in_range = rest.is_empty()
            && (1..=12).contains(&month)
            && (1..=days_of(year, month)).contains(&day)
            && hour < 24
            && minute < 60
            && second < 60;
        if !in_range {
            return None;
        }
        let seconds = days_from_civil(year, month, day) * DAY + (hour * 60 + minute) * 60 + second;
        let nanos = (seconds - offset).checked_mul(SECOND)?.checked_add(fraction)?;
        Some(Self { nanos, offset: i32::try_from(offset).ok()? })
    }

    fn date_and_time(self, between: char) -> String {
        let local = self.nanos.div_euclid(SECOND) + i64::from(self.offset);
        let fraction = self.nanos.rem_euclid(SECOND);
        let Civil { year, month, day, second } = civil(local);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        let mut text =
            format!("{year:04}-{month:02}-{day:02}{between}{hour:02}:{minute:02}:{second:02}");
        if fraction != 0 {
            let digits = format!(".{fraction:09}");
            text.push_str(digits.trim_end_matches('0'));
        }
        text
    }
}

fn offset_parts(offset: i32) -> (char, i32, i32) {
    let minutes = offset.abs() / 60;
    (if offset < 0 { '-' } else { '+' }, minutes / 60, minutes % 60)
}

fn byte(rest: &mut &[u8], wanted: &[u8]) -> Option<u8> {
    let (first, after) = rest.split_first()?;
    wanted.contains(first).then(|| {
        *rest = after;
        *first
    })
}

fn number(rest: &mut &[u8], digits: usize) -> Option<i64> {
    let (head, after) = rest.split_at_checked(digits)?;
    *rest = after;
    head.iter().try_fold(0, |sum, digit| {
        digit.is_ascii_digit().then(|| sum * 10 + i64::from(digit - b'0'))
    })
}

/// At least one digit; those beyond the ninth are read and say nothing.
fn fraction(rest: &mut &[u8]) -> Option<i64> {
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (head, after) = rest.split_at_checked(digits).filter(|_| digits > 0)?;
    *rest = after;
    let padded = head.iter().copied().chain(std::iter::repeat(b'0')).take(9);
    Some(padded.fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0')))
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days since 1970-01-01. Years begin in March here, so that a leap day is the last of its year.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, year) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    era * 146_097 + year * 365 + year / 4 - year / 100 + day_of_year - 719_468
}

fn civil(seconds: i64) -> Civil {
    let days = seconds.div_euclid(DAY) + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    Civil { year: era * 400 + year + carry, month, day, second: seconds.rem_euclid(DAY) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(text: &str, nanos: i64, plain: &str) {
        let time = Time::from_rfc3339(text).expect(text);
        assert_eq!(time.nanos, nanos, "{text}");
        assert_eq!(time.rfc3339(), text);
        assert_eq!(time.plain(), plain);
    }

    #[test]
    fn reads_and_writes() {
        check("1970-01-01T00:00:00Z", 0, "1970-01-01 00:00:00 +0000 UTC");
        check("1969-12-31T23:59:59.5Z", -SECOND / 2, "1969-12-31 23:59:59.5 +0000 UTC");
        check("2000-02-29T12:00:00Z", 951_825_600 * SECOND, "2000-02-29 12:00:00 +0000 UTC");
        check(
            "2022-02-16T12:31:49.000000001+02:00",
            1_645_007_509 * SECOND + 1,
            "2022-02-16 12:31:49.000000001 +0200 +0200",
        );
        check(
            "2006-01-02T15:04:05-07:30",
            1_136_241_245 * SECOND,
            "2006-01-02 15:04:05 -0730 -0730",
        );
    }

    #[test]
    fn refuses() {
        for text in [
            "",
            "2022-02-16",
            "2022-02-16T12:31:49",
            "2022-02-16 12:31:49Z",
            "2022-02-30T12:31:49Z",
            "2023-02-29T12:31:49Z",
            "2022-13-01T12:31:49Z",
            "2022-02-16T24:00:00Z",
            "2022-02-16T12:31:49.Z",
            "2022-02-16T12:31:49+0200",
            "2022-02-16T12:31:49Zz",
            "0000-01-01T00:00:00Z",
            "9999-01-01T00:00:00Z",
        ] {
            assert!(Time::from_rfc3339(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_long_fraction_is_cut() {
        let time = Time::from_rfc3339("1970-01-01T00:00:00.1234567899Z").unwrap();
        assert_eq!(time.nanos, 123_456_789);
    }

    proptest! {
        #[test]
        fn every_instant_comes_back(nanos: i64, quarter in -56i32..=56) {
            let offset = quarter * 900;
            let time = Time { nanos, offset };
            // Text at the very ends of the range may name a local year outside of it.
            prop_assume!(nanos.checked_add(i64::from(offset) * SECOND).is_some());
            let back = Time::from_rfc3339(&time.rfc3339()).unwrap();
            prop_assert_eq!((back.nanos, back.offset), (nanos, offset));
        }

        #[test]
        fn hostile_text_is_only_refused(text in "\\PC{0,40}") {
            let _ = Time::from_rfc3339(&text);
        }
    }
}
