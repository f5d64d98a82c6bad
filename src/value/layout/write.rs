//! Writing a time by a layout.

use super::piece::{Field, Piece, Pieces, ZoneWidth};
use super::{MONTHS, WEEKDAYS};
use crate::value::Time;

/// Writes `time`, at its own offset, by `layout`.
#[must_use]
pub fn format_time(layout: &str, time: Time) -> String {
    let mut out: Vec<u8> = Vec::with_capacity(layout.len() + 10);
    for piece in Pieces::of(layout) {
        match piece {
            Piece::Literal(literal) => out.extend_from_slice(literal),
            Piece::Field(field) => out.extend_from_slice(text(field, time).as_bytes()),
        }
    }
    // Literals are cut out of the layout at ASCII characters, so they are whole.
    String::from_utf8_lossy(&out).into_owned()
}

fn text(field: Field, time: Time) -> String {
    let civil = time.civil();
    let month = MONTHS[usize::from(civil.month - 1) % 12];
    let weekday = WEEKDAYS[usize::from(civil.weekday()) % 7];
    match field {
        Field::Year => format!("{:04}", civil.year),
        Field::ShortYear => format!("{:02}", civil.year % 100),
        Field::MonthName { long: true } => month.to_owned(),
        Field::MonthName { long: false } => month[..3].to_owned(),
        Field::Month { padded } => number(civil.month, padded),
        Field::Weekday { long: true } => weekday.to_owned(),
        Field::Weekday { long: false } => weekday[..3].to_owned(),
        Field::Day { space: true, .. } => format!("{:2}", civil.day),
        Field::Day { padded, .. } => number(civil.day, padded),
        Field::YearDay { space: true } => format!("{:3}", civil.year_day()),
        Field::YearDay { space: false } => format!("{:03}", civil.year_day()),
        Field::Hour => number(civil.hour, true),
        Field::Hour12 { padded } => {
            number(if civil.hour.is_multiple_of(12) { 12 } else { civil.hour % 12 }, padded)
        }
        Field::Minute { padded } => number(civil.minute, padded),
        Field::Second { padded } => number(civil.second, padded),
        Field::FractionExact(places) => format!(".{}", fraction(civil.nanos, places)),
        Field::FractionAny(places) => {
            let digits = fraction(civil.nanos, places);
            let digits = digits.trim_end_matches('0');
            if digits.is_empty() { String::new() } else { format!(".{digits}") }
        }
        Field::Noon { upper } => match (civil.hour >= 12, upper) {
            (true, true) => "PM".to_owned(),
            (false, true) => "AM".to_owned(),
            (true, false) => "pm".to_owned(),
            (false, false) => "am".to_owned(),
        },
        Field::Zone { z: true, .. } if time.offset == 0 => "Z".to_owned(),
        Field::Zone { colon, width, .. } => offset(time.offset, colon, width),
        Field::ZoneName if time.offset == 0 => "UTC".to_owned(),
        // A zone without a name goes by its offset.
        Field::ZoneName => offset(time.offset, false, ZoneWidth::Minutes),
    }
}

fn number(number: u8, padded: bool) -> String {
    if padded { format!("{number:02}") } else { number.to_string() }
}

fn fraction(nanos: u32, places: u8) -> String {
    let mut digits = format!("{nanos:09}");
    let places = usize::from(places);
    if places < digits.len() {
        digits.truncate(places);
    }
    // A layout may ask for more digits than there are.
    while digits.len() < places {
        digits.push('0');
    }
    digits
}

fn offset(seconds: i32, colon: bool, width: ZoneWidth) -> String {
    let sign = if seconds < 0 { '-' } else { '+' };
    let size = seconds.unsigned_abs();
    let (hours, minutes, seconds) = (size / 3600, size / 60 % 60, size % 60);
    let colon = if colon { ":" } else { "" };
    match width {
        ZoneWidth::Hours => format!("{sign}{hours:02}"),
        ZoneWidth::Minutes => format!("{sign}{hours:02}{colon}{minutes:02}"),
        ZoneWidth::Seconds => format!("{sign}{hours:02}{colon}{minutes:02}{colon}{seconds:02}"),
    }
}
