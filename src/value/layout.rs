//! Time layouts written as a reference time (`2006-01-02 15:04:05 -0700 MST`): reading a text by a
//! layout, and writing a time by one.
//!
//! The rules are those of Go's `time` package, because rules name layouts in its notation. A
//! layout comes from a rule, the text from a log line; both are taken as bytes and neither can
//! make this panic.

use super::civil::{MONTHS, WEEKDAYS, days_in_month, is_leap};
use super::local::local_abbreviation;
use super::rfc3339::fraction;
use super::{Civil, Time};

mod piece;
mod write;

use piece::{Field, Piece, Pieces, ZoneWidth};
pub use write::format_time;

/// What a text said by a layout; parts that the layout does not name are those of the first
/// moment of the year 0, in UTC.
#[derive(Clone, Copy, Debug)]
pub struct Stamp<'t> {
    /// What the clock showed. The day is right for the month and year.
    pub civil: Civil,
    zone: Zone<'t>,
}

/// Where a text names its zone more than once, the variant further down wins.
#[derive(Clone, Copy, Debug)]
enum Zone<'t> {
    /// No zone: UTC.
    None,
    /// An abbreviation, such as `CET` or `GMT+3`.
    Name(&'t [u8]),
    /// Seconds east of UTC.
    Offset(i32),
    /// `Z` or `UTC`.
    Utc,
}

impl Stamp<'_> {
    /// The instant; `None` when its year lies outside 1677 to 2262, as the year 0 of a text
    /// without a year does.
    #[must_use]
    pub fn time(self) -> Option<Time> {
        let name = match self.zone {
            Zone::None | Zone::Utc => return self.civil.at_offset(0),
            Zone::Offset(offset) => return self.civil.at_offset(offset),
            Zone::Name(name) => name,
        };
        // Abbreviations that local clocks do not show mean nothing.
        if let Ok(text) = std::str::from_utf8(name)
            && let Some(offset) = local_abbreviation(text, self.civil.seconds())
        {
            return self.civil.at_offset(offset);
        }
        // `GMT+3` changes how the time is shown, not which instant it is.
        let hours = name.strip_prefix(b"GMT").and_then(signed_hours).map_or(0, |(hours, _)| hours);
        self.civil.at_offset(0).map(|time| Time { offset: hours * 3600, ..time })
    }

    /// Whether the text said in which zone it is.
    #[must_use]
    pub fn has_zone(self) -> bool {
        !matches!(self.zone, Zone::None)
    }

    /// The instant, in `year` when the text had no year. 29 February of a year without one is
    /// 1 March.
    #[must_use]
    pub fn time_in(mut self, year: i64) -> Option<Time> {
        if self.civil.year == 0 {
            self.civil.year = year;
        }
        self.time()
    }
}

/// A layout taken apart once, for layouts that are used again and again.
#[derive(Debug)]
pub struct Layout {
    pieces: Vec<Piece<'static>>,
}

impl Layout {
    /// Takes `layout` apart.
    #[must_use]
    pub fn new(layout: &'static str) -> Self {
        Self { pieces: Pieces::of(layout).collect() }
    }

    /// As [`parse`].
    #[must_use]
    pub fn parse<'t>(&self, text: &'t str) -> Option<Stamp<'t>> {
        read(self.pieces.iter().copied(), text.as_bytes())
    }
}

/// Reads the whole of `text` by `layout`.
#[must_use]
pub fn parse<'t>(layout: &str, text: &'t str) -> Option<Stamp<'t>> {
    read(Pieces::of(layout), text.as_bytes())
}

/// The parts as they are collected.
struct Parts<'t> {
    year: i64,
    month: Option<u8>,
    day: Option<u8>,
    year_day: Option<u16>,
    hour: u8,
    minute: u8,
    second: u8,
    nanos: u32,
    noon: Option<Noon>,
    zone: Zone<'t>,
}

#[derive(Clone, Copy, PartialEq)]
enum Noon {
    Before,
    After,
}

fn read<'l, 't>(
    mut pieces: impl Iterator<Item = Piece<'l>> + Clone,
    text: &'t [u8],
) -> Option<Stamp<'t>> {
    let mut parts = Parts {
        year: 0,
        month: None,
        day: None,
        year_day: None,
        hour: 0,
        minute: 0,
        second: 0,
        nanos: 0,
        noon: None,
        zone: Zone::None,
    };
    let mut rest = text;
    while let Some(piece) = pieces.next() {
        rest = match piece {
            Piece::Literal(literal) => skip(literal, rest)?,
            Piece::Field(field) => {
                let after = parts.read(field, rest)?;
                // A fraction behind the seconds is taken even where the layout has none.
                if matches!(field, Field::Second { .. })
                    && let [b'.' | b',', digits @ ..] = after
                    && digits.first().is_some_and(u8::is_ascii_digit)
                    && !next_is_fraction(pieces.clone())
                {
                    let (nanos, after) = fraction(digits)?;
                    parts.nanos = nanos;
                    after
                } else {
                    after
                }
            }
        };
    }
    if rest.is_empty() { parts.stamp() } else { None }
}

fn next_is_fraction<'l>(mut pieces: impl Iterator<Item = Piece<'l>>) -> bool {
    let next = pieces.find_map(|piece| match piece {
        Piece::Field(field) => Some(field),
        Piece::Literal(_) => None,
    });
    matches!(next, Some(Field::FractionExact(_) | Field::FractionAny(_)))
}

/// Skips `literal`; a run of spaces matches any run of spaces, and the end of the text.
fn skip<'t>(mut literal: &[u8], mut text: &'t [u8]) -> Option<&'t [u8]> {
    while let Some((&first, more)) = literal.split_first() {
        if first == b' ' {
            if text.first().is_some_and(|byte| *byte != b' ') {
                return None;
            }
            literal = without_spaces(literal);
            text = without_spaces(text);
            continue;
        }
        let (&found, after) = text.split_first()?;
        if found != first {
            return None;
        }
        (literal, text) = (more, after);
    }
    Some(text)
}

fn without_spaces(mut text: &[u8]) -> &[u8] {
    while let [b' ', rest @ ..] = text {
        text = rest;
    }
    text
}

impl<'t> Parts<'t> {
    /// Reads one field from the front of `text`; gives what follows.
    fn read(&mut self, field: Field, text: &'t [u8]) -> Option<&'t [u8]> {
        let rest;
        match field {
            Field::Year => {
                let (digits, after) = text.split_first_chunk::<4>()?;
                self.year = i64::from(number(digits)?);
                rest = after;
            }
            Field::ShortYear => {
                let (digits, after) = text.split_first_chunk::<2>()?;
                let year = i64::from(number(digits)?);
                self.year = if year >= 69 { 1900 + year } else { 2000 + year };
                rest = after;
            }
            Field::MonthName { long } => {
                let (index, after) = name(&MONTHS, long, text)?;
                self.month = Some(index + 1);
                rest = after;
            }
            Field::Month { padded } => {
                let (month, after) = two_digits(text, padded)?;
                if !(1..=12).contains(&month) {
                    return None;
                }
                self.month = Some(month);
                rest = after;
            }
            Field::Weekday { long } => rest = name(&WEEKDAYS, long, text)?.1,
            Field::Day { padded, space } => {
                let text = match text {
                    [b' ', after @ ..] if space => after,
                    _ => text,
                };
                let (day, after) = two_digits(text, padded)?;
                self.day = Some(day);
                rest = after;
            }
            Field::YearDay { space } => {
                let (day, after) = year_day(text, space)?;
                self.year_day = Some(day);
                rest = after;
            }
            Field::Hour => (self.hour, rest) = bounded(text, false, 23)?,
            Field::Hour12 { padded } => (self.hour, rest) = bounded(text, padded, 12)?,
            Field::Minute { padded } => (self.minute, rest) = bounded(text, padded, 59)?,
            Field::Second { padded } => (self.second, rest) = bounded(text, padded, 59)?,
            Field::FractionExact(places) => {
                let [b'.' | b',', digits @ ..] = text else { return None };
                let (digits, after) = digits.split_at_checked(usize::from(places))?;
                let (nanos, []) = fraction(digits)? else { return None };
                self.nanos = nanos;
                rest = after;
            }
            Field::FractionAny(_) => match text {
                [b'.' | b',', digits @ ..] if digits.first().is_some_and(u8::is_ascii_digit) => {
                    (self.nanos, rest) = fraction(digits)?;
                }
                _ => rest = text,
            },
            Field::Noon { upper } => {
                let (word, after) = text.split_first_chunk::<2>()?;
                self.noon = Some(match word {
                    b"AM" if upper => Noon::Before,
                    b"PM" if upper => Noon::After,
                    b"am" if !upper => Noon::Before,
                    b"pm" if !upper => Noon::After,
                    _ => return None,
                });
                rest = after;
            }
            Field::Zone { z, colon, width } => {
                if let (true, [b'Z', after @ ..]) = (z, text) {
                    self.zone = Zone::Utc;
                    return Some(after);
                }
                let (offset, after) = zone(text, colon, width)?;
                if !matches!(self.zone, Zone::Utc) {
                    self.zone = Zone::Offset(offset);
                }
                rest = after;
            }
            Field::ZoneName => {
                if let Some(after) = text.strip_prefix(b"UTC") {
                    self.zone = Zone::Utc;
                    return Some(after);
                }
                let (name, after) = text.split_at_checked(zone_name(text)?)?;
                if matches!(self.zone, Zone::None | Zone::Name(_)) {
                    self.zone = Zone::Name(name);
                }
                rest = after;
            }
        }
        Some(rest)
    }

    fn stamp(self) -> Option<Stamp<'t>> {
        let hour = match self.noon {
            Some(Noon::After) if self.hour < 12 => self.hour + 12,
            Some(Noon::Before) if self.hour == 12 => 0,
            _ => self.hour,
        };
        let (month, day) = match self.year_day {
            Some(of_year) => {
                let found = month_and_day(self.year, of_year)?;
                if self.month.is_some_and(|month| month != found.0)
                    || self.day.is_some_and(|day| day != found.1)
                {
                    return None;
                }
                found
            }
            None => (self.month.unwrap_or(1), self.day.unwrap_or(1)),
        };
        if day == 0 || day > days_in_month(self.year, month) {
            return None;
        }
        let civil = Civil {
            year: self.year,
            month,
            day,
            hour,
            minute: self.minute,
            second: self.second,
            nanos: self.nanos,
        };
        Some(Stamp { civil, zone: self.zone })
    }
}

/// The month and day of a day of the year.
fn month_and_day(year: i64, of_year: u16) -> Option<(u8, u8)> {
    if of_year == 0 || of_year > 365 + u16::from(is_leap(year)) {
        return None;
    }
    let mut left = of_year;
    for month in 1..=12 {
        let length = u16::from(days_in_month(year, month));
        if left <= length {
            return Some((month, u8::try_from(left).ok()?));
        }
        left -= length;
    }
    None
}

/// Digits only, at most four of them.
fn number(digits: &[u8]) -> Option<u16> {
    digits.iter().try_fold(0, |number: u16, digit| {
        digit.is_ascii_digit().then(|| number * 10 + u16::from(digit - b'0'))
    })
}

/// One or two digits; exactly two when `padded`.
fn two_digits(text: &[u8], padded: bool) -> Option<(u8, &[u8])> {
    match text {
        [tens @ b'0'..=b'9', ones @ b'0'..=b'9', rest @ ..] => {
            Some(((tens - b'0') * 10 + ones - b'0', rest))
        }
        [ones @ b'0'..=b'9', rest @ ..] if !padded => Some((ones - b'0', rest)),
        _ => None,
    }
}

fn bounded(text: &[u8], padded: bool, most: u8) -> Option<(u8, &[u8])> {
    two_digits(text, padded).filter(|(number, _)| *number <= most)
}

/// Three digits, or up to two leading spaces and at least one digit.
fn year_day(text: &[u8], space: bool) -> Option<(u16, &[u8])> {
    if !space {
        let (digits, rest) = text.split_first_chunk::<3>()?;
        return Some((number(digits)?, rest));
    }
    let spaces = text.iter().take(2).take_while(|byte| **byte == b' ').count();
    let text = text.get(spaces..)?;
    let count = text.iter().take(3).take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at_checked(count)?;
    if digits.is_empty() {
        return None;
    }
    Some((number(digits)?, rest))
}

/// The index of the name that the text begins with, in any case; three letters when not `long`.
fn name<'t>(names: &[&str], long: bool, text: &'t [u8]) -> Option<(u8, &'t [u8])> {
    for (index, name) in (0u8..).zip(names) {
        let name = if long { name.as_bytes() } else { name.as_bytes().get(..3)? };
        if let Some((found, rest)) = text.split_at_checked(name.len())
            && found.eq_ignore_ascii_case(name)
        {
            return Some((index, rest));
        }
    }
    None
}

/// `±hh`, `±hhmm`, `±hh:mm`, `±hhmmss` or `±hh:mm:ss`, in seconds.
fn zone(text: &[u8], colon: bool, width: ZoneWidth) -> Option<(i32, &[u8])> {
    let (sign, mut rest) = text.split_first()?;
    let parts = match width {
        ZoneWidth::Hours => 1,
        ZoneWidth::Minutes => 2,
        ZoneWidth::Seconds => 3,
    };
    let mut seconds = 0;
    for (part, (most, weight)) in
        [(24, 3600), (60, 60), (60, 1)].into_iter().enumerate().take(parts)
    {
        if colon && part > 0 {
            rest = rest.strip_prefix(b":")?;
        }
        let (value, after) = bounded(rest, true, most)?;
        seconds += i32::from(value) * weight;
        rest = after;
    }
    match sign {
        b'+' => Some((seconds, rest)),
        b'-' => Some((-seconds, rest)),
        _ => None,
    }
}

/// The length of the zone abbreviation that the text begins with: three capitals, four or five
/// that end in `T`, `GMT` with hours, a bare `+03`, and a few of their own shape.
fn zone_name(text: &[u8]) -> Option<usize> {
    if text.len() < 3 {
        return None;
    }
    if text.starts_with(b"ChST") || text.starts_with(b"MeST") || text.starts_with(b"WITA") {
        return Some(4);
    }
    if let Some(after) = text.strip_prefix(b"GMT") {
        return Some(3 + signed_hours(after).map_or(0, |(_, length)| length));
    }
    if matches!(text.first(), Some(b'+' | b'-')) {
        return signed_hours(text).map(|(_, length)| length);
    }
    let capitals = text.iter().take(6).take_while(|byte| byte.is_ascii_uppercase()).count();
    match capitals {
        3 => Some(3),
        4 | 5 if text.get(capitals - 1) == Some(&b'T') => Some(capitals),
        _ => None,
    }
}

/// A sign and an hour up to 23: its value and length.
fn signed_hours(text: &[u8]) -> Option<(i32, usize)> {
    let (sign, digits) = text.split_first()?;
    let count = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if count == 0 {
        return None;
    }
    // Leading zeros may be many; what counts is the value.
    let hours = digits.iter().take(count).fold(0i32, |hours, digit| {
        hours.saturating_mul(10).saturating_add(i32::from(digit - b'0'))
    });
    if hours > 23 {
        return None;
    }
    match sign {
        b'+' => Some((hours, 1 + count)),
        b'-' => Some((-hours, 1 + count)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
