//! How long the time at the start of a text is; what it says is no matter here.
//!
//! The forms are those that `SYSLOGTIMESTAMP` and `TIMESTAMP_ISO8601` of the grok library match,
//! with the same ranges, so that a text is a time here when it is one for the rules.

#![forbid(unsafe_code)]

/// The length of `Nov 22 10:00:00`, with an optional fraction and an optional year before or
/// behind the hour. Month names may be long, and English, German or anything between.
pub(super) fn bsd(text: &[u8]) -> Option<usize> {
    if let Some(length) = usual(text) {
        return Some(length);
    }
    let name = text.iter().take(10).position(|byte| *byte == b' ')?;
    if !is_month(text.get(..name)?) {
        return None;
    }
    let mut at = name;
    while text.get(at) == Some(&b' ') {
        at += 1;
    }
    at += ranged(text, at, 1..=2, 1..=31)?;
    at = expect(text, at, b' ')?;
    if let Some(length) = year(text, at)
        && text.get(at + length) == Some(&b' ')
    {
        at += length + 1;
    }
    at = clock(text, at)?;
    // A year behind the hour, as `ctime` writes it.
    if text.get(at) == Some(&b' ')
        && let Some(length) = year(text, at + 1)
        && text.get(at + 1 + length) == Some(&b' ')
    {
        at += 1 + length;
    }
    Some(at)
}

/// The length of `Nov 22 10:00:00 ` without its last space: what nearly all senders write, seen by
/// position. `None` says only that the text is not exactly that.
pub(super) fn usual(text: &[u8]) -> Option<usize> {
    let [a, b, c, b' ', d1, d2, b' ', h1, h2, b':', m1, m2, b':', s1, s2, b' ', next, ..] = text
    else {
        return None;
    };
    let number = |tens: u8, ones: u8| {
        (tens.is_ascii_digit() && ones.is_ascii_digit()).then(|| (tens - b'0') * 10 + ones - b'0')
    };
    let day = number(if *d1 == b' ' { b'0' } else { *d1 }, *d2)?;
    let fits = is_month(&[*a, *b, *c])
        && (1..=31).contains(&day)
        && number(*h1, *h2)? <= 23
        && number(*m1, *m2)? <= 59
        && number(*s1, *s2)? <= 60
        // A year may follow.
        && !next.is_ascii_digit();
    fits.then_some(15)
}

/// The time of the last line that began with a usual one: those of one second begin alike.
#[derive(Debug, Default)]
pub(in crate::parse) struct LastTime(Option<[u8; 16]>);

impl LastTime {
    /// Whether the text begins with a time as [`usual`] finds it.
    #[inline]
    pub(super) fn is_usual(&mut self, text: &[u8]) -> bool {
        let Some((time, [next, ..])) = text.split_first_chunk() else { return false };
        if self.0.as_ref() == Some(time) && !next.is_ascii_digit() {
            return true;
        }
        let is_usual = usual(text).is_some();
        if is_usual {
            self.0 = Some(*time);
        }
        is_usual
    }
}

/// The length of an ISO 8601 time such as `2026-11-22T10:00:00.123+01:00`; zone, seconds and
/// colons may be missing, and a space may stand for the `T`.
pub(super) fn iso(text: &[u8]) -> Option<usize> {
    let mut at = text.iter().take(5).take_while(|byte| byte.is_ascii_digit()).count();
    if !matches!(at, 2 | 4) || text.get(at) != Some(&b'-') {
        return None;
    }
    at += 1;
    at += ranged(text, at, 1..=2, 1..=12)?;
    at = expect(text, at, b'-')?;
    at += ranged(text, at, 1..=2, 1..=31)?;
    if !matches!(text.get(at), Some(b'T' | b' ')) {
        return None;
    }
    at += 1;
    at += ranged(text, at, 1..=2, 0..=23)?;
    at += usize::from(text.get(at) == Some(&b':'));
    at += ranged(text, at, 2..=2, 0..=59)?;
    let colon = usize::from(text.get(at) == Some(&b':'));
    if let Some(length) = ranged(text, at + colon, 1..=2, 0..=60) {
        at += colon + length;
        at += fraction(text, at);
    }
    Some(at + zone(text, at))
}

/// The length of seconds since 1970 with an optional fraction: ten digits, from 2001 on.
pub(super) fn epoch(text: &[u8]) -> Option<usize> {
    let digits = text.iter().take(11).take_while(|byte| byte.is_ascii_digit()).count();
    if digits != 10 {
        return None;
    }
    Some(digits + if text.get(digits) == Some(&b'.') { fraction(text, digits) } else { 0 })
}

/// The length of a year of four digits from 1970 to 2099, which no host is called.
pub(super) fn year(text: &[u8], at: usize) -> Option<usize> {
    match text.get(at..at + 4)? {
        [b'1', b'9', b'7'..=b'9', b'0'..=b'9'] | [b'2', b'0', b'0'..=b'9', b'0'..=b'9'] => Some(4),
        _ => None,
    }
}

/// The end of `10:00:00` with an optional fraction.
fn clock(text: &[u8], mut at: usize) -> Option<usize> {
    at += ranged(text, at, 1..=2, 0..=23)?;
    at = expect(text, at, b':')?;
    at += ranged(text, at, 2..=2, 0..=59)?;
    at = expect(text, at, b':')?;
    at += ranged(text, at, 1..=2, 0..=60)?;
    Some(at + fraction(text, at))
}

/// The length of a point, comma or colon and digits, or 0.
fn fraction(text: &[u8], at: usize) -> usize {
    if !matches!(text.get(at), Some(b'.' | b',' | b':')) {
        return 0;
    }
    match text.iter().skip(at + 1).take_while(|byte| byte.is_ascii_digit()).count() {
        0 => 0,
        digits => 1 + digits,
    }
}

/// The length of `Z`, `+01:00` or `+0100`, or 0.
fn zone(text: &[u8], at: usize) -> usize {
    match text.get(at) {
        Some(b'Z') => return 1,
        Some(b'+' | b'-') => {}
        _ => return 0,
    }
    let offset = || {
        let mut end = at + 1;
        end += ranged(text, end, 1..=2, 0..=23)?;
        end += usize::from(text.get(end) == Some(&b':'));
        end += ranged(text, end, 2..=2, 0..=59)?;
        Some(end - at)
    };
    offset().unwrap_or(0)
}

/// The number of digits at `at`, if there are so many and their value is in the range.
fn ranged(
    text: &[u8],
    at: usize,
    digits: std::ops::RangeInclusive<usize>,
    values: std::ops::RangeInclusive<u8>,
) -> Option<usize> {
    let first = text.get(at).filter(|byte| byte.is_ascii_digit())? - b'0';
    let (length, value) = match text.get(at + 1) {
        Some(second) if second.is_ascii_digit() => (2, first * 10 + (second - b'0')),
        _ => (1, first),
    };
    (digits.contains(&length) && values.contains(&value)).then_some(length)
}

fn expect(text: &[u8], at: usize, byte: u8) -> Option<usize> {
    (text.get(at) == Some(&byte)).then_some(at + 1)
}

/// Whether `name` is the name of a month as the grok library has it.
fn is_month(name: &[u8]) -> bool {
    match name {
        [a, b, c] => matches!(
            [*a, *b, *c],
            [b'J', b'a', b'n']
                | [b'F', b'e', b'b']
                | [b'M', b'a', b'r' | b'y' | b'i']
                | [b'M', b'r', b'z']
                | [b'A', b'p', b'r']
                | [b'J', b'u', b'n' | b'l']
                | [b'A', b'u', b'g']
                | [b'S', b'e', b'p']
                | [b'O', b'c' | b'k', b't']
                | [b'N', b'o', b'v']
                | [b'D', b'e', b'c' | b'z']
        ),
        _ => LONG_MONTHS.iter().any(|month| month.as_bytes() == name),
    }
}

const LONG_MONTHS: [&str; 27] = [
    "January",
    "Januar",
    "February",
    "Februar",
    "March",
    "Marz",
    "M\u{e4}r",
    "M\u{e4}rch",
    "M\u{e4}rz",
    "Mr",
    "Mrch",
    "April",
    "Ma",
    "June",
    "Juni",
    "July",
    "August",
    "September",
    "October",
    "Oktober",
    "Otober",
    "Ot",
    "November",
    "December",
    "Dezember",
    "Juli",
    "Mai",
];
