//! Spans of time as text: `1h30m`, `1.5h`, `-300ms`, and with days `2d3h`.

use super::Arena;

/// The units, by the text that follows a number, in nanoseconds.
const UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

const DAY: u64 = 86_400_000_000_000;

/// Reads a sequence of decimal numbers with units (`ns us µs ms s m h`), with an optional sign;
/// `0` needs no unit. Nanoseconds, or `None` when malformed or beyond 292 years.
#[must_use]
pub fn parse_duration(text: &str) -> Option<i64> {
    parse(text, false)
}

/// As [`parse_duration`], with the further unit `d` for days of 24 hours.
#[must_use]
pub fn parse_duration_with_days(text: &str) -> Option<i64> {
    parse(text, true)
}

fn parse(text: &str, days: bool) -> Option<i64> {
    let (negative, mut rest) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let (part, after) = term(rest, days)?;
        total = total.checked_add(part)?;
        // One more than the greatest positive value is the least negative one.
        if total > 1 << 63 {
            return None;
        }
        rest = after;
    }
    if negative { Some(0i64.wrapping_sub_unsigned(total)) } else { i64::try_from(total).ok() }
}

/// One number with its unit, and what follows.
fn term(text: &str, days: bool) -> Option<(u64, &str)> {
    let whole = text.find(|c: char| !c.is_ascii_digit())?;
    let (integer, mut rest) = text.split_at(whole);
    let mut fraction = "";
    if let Some(after) = rest.strip_prefix('.') {
        let end = after.find(|c: char| !c.is_ascii_digit())?;
        (fraction, rest) = after.split_at(end);
    }
    if integer.is_empty() && fraction.is_empty() {
        return None;
    }
    let name_end = rest.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(rest.len());
    let (name, rest) = rest.split_at(name_end);
    let unit = match name {
        "d" if days => DAY,
        _ => UNITS.iter().find(|(known, _)| *known == name)?.1,
    };
    let integer: u64 = if integer.is_empty() { 0 } else { integer.parse().ok()? };
    let mut nanos = integer.checked_mul(unit)?;
    if !fraction.is_empty() {
        nanos = nanos.checked_add(part_of(fraction, unit))?;
    }
    Some((nanos, rest))
}

/// The decimal fraction `0.digits` of `unit`, rounded down. Digits beyond the eighteenth are
/// below a nanosecond in any unit.
fn part_of(digits: &str, unit: u64) -> u64 {
    let (numerator, denominator) =
        digits.bytes().take(18).fold((0u128, 1u128), |(sum, scale), digit| {
            (sum * 10 + u128::from(digit - b'0'), scale * 10)
        });
    u64::try_from(numerator * u128::from(unit) / denominator).expect("less than one unit")
}

/// The longest text is `-2562047h47m16.854775808s`.
const LONGEST: usize = 32;

/// A span as text: `1h0m0s`, `10m0s`, `1.5s`, `300ms`, `0s`.
#[must_use]
pub fn duration_text(nanos: i64) -> String {
    write(nanos, &mut [0; LONGEST]).to_owned()
}

/// As [`duration_text`], in an arena.
#[must_use]
pub fn duration_text_in(nanos: i64, arena: &Arena) -> &str {
    arena.alloc_str(write(nanos, &mut [0; LONGEST]))
}

/// Writes to the end of `buffer`, from the unit back to the sign.
fn write(nanos: i64, buffer: &mut [u8; LONGEST]) -> &str {
    if nanos == 0 {
        return "0s";
    }
    let size = nanos.unsigned_abs();
    let mut tail = Tail { buffer, start: LONGEST };
    if size < 1_000_000_000 {
        let (unit, places) = match size {
            0..1_000 => ("ns", 0),
            1_000..1_000_000 => ("µs", 3),
            _ => ("ms", 6),
        };
        tail.text(unit);
        let whole = tail.fraction(size, places);
        tail.number(whole);
    } else {
        tail.text("s");
        let seconds = tail.fraction(size, 9);
        tail.number(seconds % 60);
        if seconds >= 60 {
            tail.text("m");
            tail.number(seconds / 60 % 60);
        }
        if seconds >= 3600 {
            tail.text("h");
            tail.number(seconds / 3600);
        }
    }
    if nanos < 0 {
        tail.text("-");
    }
    let start = tail.start;
    std::str::from_utf8(&buffer[start..]).expect("only digits and units were written")
}

/// A buffer filled from its end.
struct Tail<'b> {
    buffer: &'b mut [u8; LONGEST],
    start: usize,
}

impl Tail<'_> {
    fn text(&mut self, text: &str) {
        let end = self.start;
        self.start -= text.len();
        self.buffer[self.start..end].copy_from_slice(text.as_bytes());
    }

    fn byte(&mut self, byte: u8) {
        self.start -= 1;
        self.buffer[self.start] = byte;
    }

    fn digit(&mut self, number: u64) {
        self.byte(b'0' + u8::try_from(number % 10).expect("one digit"));
    }

    fn number(&mut self, mut number: u64) {
        loop {
            self.digit(number);
            number /= 10;
            if number == 0 {
                return;
            }
        }
    }

    /// Writes the last `places` digits of `number` behind a point, without trailing zeros and not
    /// at all when they are all zeros; returns the digits before them.
    fn fraction(&mut self, mut number: u64, places: u32) -> u64 {
        let mut seen = false;
        for _ in 0..places {
            seen |= !number.is_multiple_of(10);
            if seen {
                self.digit(number);
            }
            number /= 10;
        }
        if seen {
            self.byte(b'.');
        }
        number
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: i64 = 1_000_000_000;

    #[track_caller]
    fn check(text: &str, expected: Option<i64>) {
        assert_eq!(parse_duration(text), expected, "{text}");
    }

    #[track_caller]
    fn shows(nanos: i64, expected: &str) {
        assert_eq!(duration_text(nanos), expected);
    }

    #[test]
    fn reading() {
        check("1h30m", Some(5400 * SECOND));
        check("1.5h", Some(5400 * SECOND));
        check("0", Some(0));
        check("+0", Some(0));
        check("-1.5s", Some(-1_500_000_000));
        check("300ms", Some(300_000_000));
        check("1µs2us3ns", Some(3003));
        check(".5s", Some(500_000_000));
        check("1.s", Some(SECOND));
        check("0.3333333333333333333h", Some(1_199_999_999_999));
        check("+1us", Some(1_000));
        check("1sm", None);
        check("--1s", None);
        check("99999999999999999999s", None);
        check("9223372036854775807ns", Some(i64::MAX));
        check("-9223372036854775808ns", Some(i64::MIN));
        check("9223372036854775808ns", None);
        check("2562047h47m16.854775807s", Some(i64::MAX));
        check("99999999h", None);
        check("", None);
        check("-", None);
        check("1", None);
        check(".s", None);
        check("1d", None);
        check("1x", None);
        check(" 1s", None);
        check("1s ", None);
        check("1.5.5s", None);
        check("é", None);
    }

    #[test]
    fn days() {
        assert_eq!(parse_duration_with_days("2d3h"), Some(51 * 3600 * SECOND));
        assert_eq!(parse_duration_with_days("1.5d"), Some(36 * 3600 * SECOND));
        assert_eq!(parse_duration_with_days("4h"), Some(4 * 3600 * SECOND));
        assert_eq!(parse_duration_with_days("2w"), None);
    }

    #[test]
    fn showing() {
        shows(0, "0s");
        shows(1, "1ns");
        shows(1_100, "1.1µs");
        shows(300_000_000, "300ms");
        shows(1_500_000_000, "1.5s");
        shows(10 * SECOND, "10s");
        shows(600 * SECOND, "10m0s");
        shows(3600 * SECOND, "1h0m0s");
        shows(-5400 * SECOND, "-1h30m0s");
        shows(i64::MIN, "-2562047h47m16.854775808s");
        shows(i64::MAX, "2562047h47m16.854775807s");
    }

    proptest! {
        #[test]
        fn there_and_back(nanos: i64) {
            prop_assert_eq!(parse_duration(&duration_text(nanos)), Some(nanos));
        }

        #[test]
        fn any_text(text in "[-+0-9.a-zµ ]{0,24}") {
            let _ = parse_duration_with_days(&text);
        }
    }
}
