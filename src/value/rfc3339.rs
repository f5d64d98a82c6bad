//! Times as RFC 3339 text: up to nine fractional digits, trailing zeros removed, `Z` for UTC.

use super::civil::days_in_month;
use super::{Arena, Civil, Time, layout};

/// The length of the longest text: `2006-01-02T15:04:05.999999999+07:00`.
pub const RFC3339_MAX: usize = 35;

/// The same form as a reference-time layout.
pub const RFC3339_LAYOUT: &str = "2006-01-02T15:04:05Z07:00";

/// The form of [`Time::plain`] as a reference-time layout.
const PLAIN_LAYOUT: &str = "2006-01-02 15:04:05.999999999 -0700 MST";

impl Time {
    /// This time as RFC 3339 text, at its own offset.
    #[must_use]
    pub fn rfc3339(self) -> String {
        self.write_rfc3339(&mut [0; RFC3339_MAX]).to_owned()
    }

    /// This time as RFC 3339 text, at its own offset, in an arena.
    #[must_use]
    pub fn rfc3339_in(self, arena: &Arena) -> &str {
        arena.alloc_str(self.write_rfc3339(&mut [0; RFC3339_MAX]))
    }

    /// This time as RFC 3339 text, at its own offset, written to the front of `buffer`.
    #[must_use]
    pub fn write_rfc3339(self, buffer: &mut [u8; RFC3339_MAX]) -> &str {
        let civil = self.civil();
        // Invariant: a `Time` lies in the years 1677 to 2262, so four digits hold the year.
        let year = u32::try_from(civil.year).unwrap_or_default();
        digits(&mut buffer[0..4], year);
        buffer[4] = b'-';
        digits(&mut buffer[5..7], civil.month.into());
        buffer[7] = b'-';
        digits(&mut buffer[8..10], civil.day.into());
        buffer[10] = b'T';
        digits(&mut buffer[11..13], civil.hour.into());
        buffer[13] = b':';
        digits(&mut buffer[14..16], civil.minute.into());
        buffer[16] = b':';
        digits(&mut buffer[17..19], civil.second.into());
        let mut end = 19;
        if civil.nanos != 0 {
            buffer[19] = b'.';
            digits(&mut buffer[20..29], civil.nanos);
            end = 29;
            while buffer[end - 1] == b'0' {
                end -= 1;
            }
        }
        if self.offset == 0 {
            buffer[end] = b'Z';
            end += 1;
        } else {
            buffer[end] = if self.offset < 0 { b'-' } else { b'+' };
            let minutes = self.offset.unsigned_abs() / 60;
            digits(&mut buffer[end + 1..end + 3], minutes / 60);
            buffer[end + 3] = b':';
            digits(&mut buffer[end + 4..end + 6], minutes % 60);
            end += 6;
        }
        std::str::from_utf8(&buffer[..end]).expect("digits and punctuation are ASCII")
    }

    /// As the message of an alert shows it: `2026-01-27 11:02:49.5 +0000 UTC`.
    #[must_use]
    pub fn plain(self) -> String {
        let mut buffer = [0; RFC3339_MAX];
        // Nearly all times are in UTC: then only a few characters differ.
        match self.write_rfc3339(&mut buffer).strip_suffix('Z').and_then(|utc| utc.split_once('T'))
        {
            Some((date, clock)) => [date, " ", clock, " +0000 UTC"].concat(),
            None => layout::format_time(PLAIN_LAYOUT, self),
        }
    }

    /// Reads RFC 3339 text. Like the layout, it also takes an hour of one digit and a comma
    /// before the fraction. `None` for anything else and for years outside 1677 to 2262.
    #[must_use]
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        match parse_common(text.as_bytes()) {
            Some(time) => Some(time),
            None => layout::parse(RFC3339_LAYOUT, text)?.time(),
        }
    }
}

/// Writes `number` with leading zeros; higher digits are lost.
fn digits(field: &mut [u8], mut number: u32) {
    for digit in field.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).expect("one digit");
        number /= 10;
    }
}

/// The common form, without detours; `None` says only that it is not the common form.
fn parse_common(text: &[u8]) -> Option<Time> {
    let (fixed, rest) = text.split_first_chunk::<19>()?;
    if fixed[4] != b'-'
        || fixed[7] != b'-'
        || fixed[10] != b'T'
        || fixed[13] != b':'
        || fixed[16] != b':'
    {
        return None;
    }
    let civil = Civil {
        year: i64::from(pair(fixed, 0)?) * 100 + i64::from(pair(fixed, 2)?),
        month: pair(fixed, 5)?,
        day: pair(fixed, 8)?,
        hour: pair(fixed, 11)?,
        minute: pair(fixed, 14)?,
        second: pair(fixed, 17)?,
        nanos: 0,
    };
    if civil.day == 0
        || civil.day > days_in_month(civil.year, civil.month)
        || civil.hour > 23
        || civil.minute > 59
        || civil.second > 59
    {
        return None;
    }
    let (nanos, rest) = match rest {
        [b'.', digits @ ..] => fraction(digits)?,
        _ => (0, rest),
    };
    let offset = match rest {
        b"Z" => 0,
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let hours = pair(&[*h1, *h2], 0)?;
            let minutes = pair(&[*m1, *m2], 0)?;
            if hours > 24 || minutes > 60 {
                return None;
            }
            let seconds = i32::from(hours) * 3600 + i32::from(minutes) * 60;
            if *sign == b'-' { -seconds } else { seconds }
        }
        _ => return None,
    };
    Civil { nanos, ..civil }.at_offset(offset)
}

/// Two digits at `at`.
fn pair(text: &[u8], at: usize) -> Option<u8> {
    let tens = text.get(at)?.wrapping_sub(b'0');
    let ones = text.get(at + 1)?.wrapping_sub(b'0');
    (tens <= 9 && ones <= 9).then(|| tens * 10 + ones)
}

/// The digits of a fraction of a second as nanoseconds, and what follows them. Digits after the
/// ninth are read and dropped.
pub(super) fn fraction(text: &[u8]) -> Option<(u32, &[u8])> {
    let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at(count);
    if digits.is_empty() {
        return None;
    }
    let mut nanos = 0;
    for place in 0..9 {
        nanos = nanos * 10 + digits.get(place).map_or(0, |digit| u32::from(digit - b'0'));
    }
    Some((nanos, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(Time::from_rfc3339(text).map(Time::rfc3339).as_deref(), expected, "{text}");
    }

    #[test]
    fn texts() {
        check("2019-10-12T07:20:50.52Z", Some("2019-10-12T07:20:50.52Z"));
        check("2022-02-16T12:31:49+02:00", Some("2022-02-16T12:31:49+02:00"));
        check("2022-02-16T12:31:49+00:00", Some("2022-02-16T12:31:49Z"));
        check("2022-02-16T12:31:49.100000000-07:30", Some("2022-02-16T12:31:49.1-07:30"));
        check("2022-02-16T12:31:49.1234567899Z", Some("2022-02-16T12:31:49.123456789Z"));
        check("2022-02-16T12:31:49,5Z", Some("2022-02-16T12:31:49.5Z"));
        check("2022-02-16T2:31:49Z", Some("2022-02-16T02:31:49Z"));
        check("1969-12-31T23:59:59.9Z", Some("1969-12-31T23:59:59.9Z"));
        check("2023-02-29T00:00:00Z", None);
        check("2023-02-28T24:00:00Z", None);
        check("2023-02-28T23:00:00", None);
        check("2023-02-28T23:00:00.Z", None);
        check("2023-02-28T23:00:00Z ", None);
        check("2023-02-28t23:00:00Z", None);
        check("9999-01-01T00:00:00Z", None);
        check("20é4-02-28T23:00:00Z", None);
        check("//24-02-28T23:00:00Z", None);
        check("", None);
    }

    #[track_caller]
    fn shows(text: &str, plain: &str) {
        assert_eq!(Time::from_rfc3339(text).expect(text).plain(), plain);
    }

    #[test]
    fn plain_texts() {
        shows("1970-01-01T00:00:00Z", "1970-01-01 00:00:00 +0000 UTC");
        shows("1969-12-31T23:59:59.5Z", "1969-12-31 23:59:59.5 +0000 UTC");
        shows("2022-02-16T12:31:49.000000001+02:00", "2022-02-16 12:31:49.000000001 +0200 +0200");
        shows("2006-01-02T15:04:05-07:30", "2006-01-02 15:04:05 -0730 -0730");
    }

    proptest! {
        #[test]
        fn every_instant_comes_back(nanos: i64, quarter in -56i32..=56) {
            let time = Time { nanos, offset: quarter * 900 };
            let back = Time::from_rfc3339(&time.rfc3339()).expect("written by ourselves");
            prop_assert_eq!((back.nanos, back.offset), (nanos, time.offset));
        }

        #[test]
        fn common_form_is_the_layout(time: i64, minutes in -1440i32..1440) {
            let time = Time { nanos: time, offset: minutes * 60 };
            let text = time.rfc3339();
            let slow = layout::parse(RFC3339_LAYOUT, &text).and_then(layout::Stamp::time);
            prop_assert_eq!(parse_common(text.as_bytes()), slow);
            prop_assert_eq!(slow.map(|t| t.offset), parse_common(text.as_bytes()).map(|t| t.offset));
        }

        #[test]
        fn plain_is_the_layout(nanos: i64, seconds in 0_i64..4_000_000_000, whole: bool, quarter in 0_i32..2) {
            let nanos = if whole { seconds * 1_000_000_000 } else { nanos };
            let time = Time { nanos, offset: quarter * 900 };
            prop_assert_eq!(time.plain(), layout::format_time(PLAIN_LAYOUT, time));
        }

        #[test]
        fn near_misses_agree(text in "(20[0-9]{2})-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9]([.,][0-9]{0,11})?(Z|[+-][0-2][0-9]:[0-6][0-9])?.?") {
            let slow = layout::parse(RFC3339_LAYOUT, &text).and_then(layout::Stamp::time);
            prop_assert_eq!(Time::from_rfc3339(&text), slow);
        }
    }
}
