//! A layout taken apart into literal text and fields.

/// How much of an offset is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ZoneWidth {
    Hours,
    Minutes,
    Seconds,
}

/// A place of a layout that stands for a part of the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    /// `2006`
    Year,
    /// `06`
    ShortYear,
    /// `Jan`, `January`
    MonthName { long: bool },
    /// `1`, `01`
    Month { padded: bool },
    /// `Mon`, `Monday`
    Weekday { long: bool },
    /// `2`, `02`, `_2`
    Day { padded: bool, space: bool },
    /// `002`, `__2`
    YearDay { space: bool },
    /// `15`
    Hour,
    /// `3`, `03`
    Hour12 { padded: bool },
    /// `4`, `04`
    Minute { padded: bool },
    /// `5`, `05`
    Second { padded: bool },
    /// `.000`, `,000`: as many digits as zeros
    FractionExact(u8),
    /// `.999`, `,999`: any number of digits; written with trailing zeros removed
    FractionAny(u8),
    /// `PM`, `pm`
    Noon { upper: bool },
    /// `-07:00`, `Z0700` and their kin
    Zone { z: bool, colon: bool, width: ZoneWidth },
    /// `MST`
    ZoneName,
}

/// A stretch of a layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece<'l> {
    /// Text that stands for itself.
    Literal(&'l [u8]),
    /// A part of the time.
    Field(Field),
}

/// The pieces of a layout, one after the other.
#[derive(Clone, Debug)]
pub(super) struct Pieces<'l> {
    rest: &'l [u8],
}

impl<'l> Pieces<'l> {
    pub(super) fn of(layout: &'l str) -> Self {
        Self { rest: layout.as_bytes() }
    }
}

impl<'l> Iterator for Pieces<'l> {
    type Item = Piece<'l>;

    fn next(&mut self) -> Option<Piece<'l>> {
        let mut at = 0;
        while let Some(tail) = self.rest.get(at..).filter(|tail| !tail.is_empty()) {
            if let Some((field, length)) = field(tail) {
                if at > 0 {
                    break;
                }
                self.rest = tail.get(length..).unwrap_or_default();
                return Some(Piece::Field(field));
            }
            at += 1;
        }
        if at == 0 {
            return None;
        }
        let (literal, rest) = self.rest.split_at(at);
        self.rest = rest;
        Some(Piece::Literal(literal))
    }
}

/// The field that the layout begins with here, and its length.
fn field(layout: &[u8]) -> Option<(Field, usize)> {
    let named = |long: &[u8], short: &[u8]| {
        // `Month` is a word, not `Mon` with a tail.
        let after = layout.strip_prefix(short)?;
        if layout.starts_with(long) {
            Some(true)
        } else {
            (!after.first().is_some_and(u8::is_ascii_lowercase)).then_some(false)
        }
    };
    let found = match layout {
        [b'J', ..] => {
            let long = named(b"January", b"Jan")?;
            (Field::MonthName { long }, if long { 7 } else { 3 })
        }
        [b'M', b'S', b'T', ..] => (Field::ZoneName, 3),
        [b'M', ..] => {
            let long = named(b"Monday", b"Mon")?;
            (Field::Weekday { long }, if long { 6 } else { 3 })
        }
        [b'0', b'0', b'2', ..] => (Field::YearDay { space: false }, 3),
        [b'0', b'1', ..] => (Field::Month { padded: true }, 2),
        [b'0', b'2', ..] => (Field::Day { padded: true, space: false }, 2),
        [b'0', b'3', ..] => (Field::Hour12 { padded: true }, 2),
        [b'0', b'4', ..] => (Field::Minute { padded: true }, 2),
        [b'0', b'5', ..] => (Field::Second { padded: true }, 2),
        [b'0', b'6', ..] => (Field::ShortYear, 2),
        [b'1', b'5', ..] => (Field::Hour, 2),
        [b'1', ..] => (Field::Month { padded: false }, 1),
        [b'2', b'0', b'0', b'6', ..] => (Field::Year, 4),
        [b'2', ..] => (Field::Day { padded: false, space: false }, 1),
        [b'_', b'2', b'0', b'0', b'6', ..] => return None,
        [b'_', b'2', ..] => (Field::Day { padded: false, space: true }, 2),
        [b'_', b'_', b'2', ..] => (Field::YearDay { space: true }, 3),
        [b'3', ..] => (Field::Hour12 { padded: false }, 1),
        [b'4', ..] => (Field::Minute { padded: false }, 1),
        [b'5', ..] => (Field::Second { padded: false }, 1),
        [b'P', b'M', ..] => (Field::Noon { upper: true }, 2),
        [b'p', b'm', ..] => (Field::Noon { upper: false }, 2),
        [b'-' | b'Z', ..] => return zone(layout),
        [b'.' | b',', digit @ (b'0' | b'9'), ..] => {
            let places = layout.iter().skip(1).take_while(|byte| *byte == digit).count();
            if layout.get(1 + places).is_some_and(u8::is_ascii_digit) {
                return None;
            }
            let count = u8::try_from(places).ok()?;
            let field = match digit {
                b'0' => Field::FractionExact(count),
                _ => Field::FractionAny(count),
            };
            (field, 1 + places)
        }
        _ => return None,
    };
    Some(found)
}

/// `-07`, `-0700`, `-07:00`, `-070000`, `-07:00:00`, each also with `Z` for the sign.
fn zone(layout: &[u8]) -> Option<(Field, usize)> {
    let z = layout.first() == Some(&b'Z');
    let tail = layout.get(1..)?;
    let forms: [(&[u8], bool, ZoneWidth); 5] = [
        (b"070000", false, ZoneWidth::Seconds),
        (b"07:00:00", true, ZoneWidth::Seconds),
        (b"0700", false, ZoneWidth::Minutes),
        (b"07:00", true, ZoneWidth::Minutes),
        (b"07", false, ZoneWidth::Hours),
    ];
    let (text, colon, width) = forms.into_iter().find(|(text, ..)| tail.starts_with(text))?;
    Some((Field::Zone { z, colon, width }, 1 + text.len()))
}
