//! IP addresses by hand: what the base patterns `IPV6` and `IPV4`, tried in this order, match first
//! at a place, as far as that can be told at a glance.
//!
//! What is claimed, and held by a property test against the patterns themselves:
//!
//! * [`Found::Sure`]: the first way in which the patterns match ends there. Every other way ends
//!   earlier, before a byte that addresses are made of.
//! * [`Found::Nothing`]: the patterns match nothing at this place.
//!
//! IPv4: neither pattern's IPv6 half matches a text that begins with digits and a dot. The first
//! three numbers are held by their dots; the fourth is taken as long as it can be, and here it is
//! followed by no digit. Numbers with leading zeros or above 255 are left to the patterns.
//!
//! IPv6 without a dotted tail: the branch of the pattern that has as many groups before `::` as the
//! text is the first that can match at all, and it takes the groups behind as far as they go.

/// What was found at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// An address that ends before this place.
    Sure(usize),
    /// No address.
    Nothing,
    /// The patterns must say.
    Unsure,
}

/// Whether addresses are made of this byte.
pub(super) fn is_part(byte: u8) -> bool {
    byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.')
}

/// Looks at the address that begins at `at`.
#[inline]
pub(super) fn find(text: &[u8], at: usize) -> Found {
    match plain_v4(text, at) {
        Some(end) => Found::Sure(end),
        None => find_any(text, at),
    }
}

/// The end of an IPv4 address of the usual form: four numbers up to 255 without leading zeros, and
/// no digit behind them.
#[inline]
fn plain_v4(text: &[u8], at: usize) -> Option<usize> {
    let digit = |place: usize| {
        let digit = text.get(place)?.wrapping_sub(b'0');
        (digit < 10).then_some(u32::from(digit))
    };
    let mut place = at;
    for number in 0..4 {
        let mut value = digit(place)?;
        place += 1;
        // A number that begins with a zero ends with it.
        while let Some(next) = digit(place) {
            if value == 0 {
                return None;
            }
            value = value * 10 + next;
            place += 1;
            if value > 255 {
                return None;
            }
        }
        if number < 3 {
            if text.get(place) != Some(&b'.') {
                return None;
            }
            place += 1;
        }
    }
    Some(place)
}

/// Looks at an address of any form.
#[inline(never)]
fn find_any(text: &[u8], at: usize) -> Found {
    let rest = text.get(at..).unwrap_or_default();
    // The longest text of an address has 45 bytes.
    let length = rest.iter().take(LONGEST).take_while(|byte| is_part(**byte)).count();
    let run = &rest[..length];
    match run.iter().position(|byte| !byte.is_ascii_hexdigit()) {
        // Without a colon or a dot it is none.
        None => Found::Nothing,
        Some(first) if run[first] == b'.' => v4(run, at),
        Some(_) if length == LONGEST || rest.get(length) == Some(&b'%') => Found::Unsure,
        Some(_) if is_v6(run) => Found::Sure(at + length),
        Some(_) => Found::Unsure,
    }
}

/// How much of a text is looked at.
const LONGEST: usize = 48;

/// The IPv4 address that a run, which stands at `at` and is no IPv6 address, begins with.
fn v4(run: &[u8], at: usize) -> Found {
    let mut place = 0;
    for number in 0..4 {
        let start = place;
        let mut value = 0_u16;
        while let Some(digit @ b'0'..=b'9') = run.get(place).copied() {
            if place - start == 3 {
                // Of more than three digits the pattern may take the first ones, but not before
                // a dot.
                return if number < 3 { Found::Nothing } else { Found::Unsure };
            }
            value = value * 10 + u16::from(digit - b'0');
            place += 1;
        }
        if place == start || (number < 3 && run.get(place) != Some(&b'.')) {
            return Found::Nothing;
        }
        if value > 255 || (place - start > 1 && run[start] == b'0') {
            return Found::Unsure;
        }
        place += usize::from(number < 3);
    }
    Found::Sure(at + place)
}

/// Whether a run is an IPv6 address without a dotted tail: groups of one to four digits, eight of
/// them, or fewer with one `::` that stands for at least one.
fn is_v6(run: &[u8]) -> bool {
    let (mut groups, mut digits, mut gaps) = (0, 0, 0);
    let mut previous = 0;
    for (at, byte) in run.iter().enumerate() {
        match byte {
            b':' if previous == b':' => gaps += 1,
            b':' if at == 0 && run.get(1) != Some(&b':') => return false,
            b':' => digits = 0,
            b'.' => return false,
            _ => {
                groups += u32::from(digits == 0);
                digits += 1;
                if digits > 4 {
                    return false;
                }
            }
        }
        previous = *byte;
    }
    let ends_open = previous == b':' && !run.ends_with(b"::");
    match gaps {
        0 => groups == 8 && !ends_open,
        1 => groups <= 7 && !ends_open,
        _ => false,
    }
}
