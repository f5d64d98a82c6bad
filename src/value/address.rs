//! Addresses out of text: IPv4, and IPv6 in groups, by hand; IPv6 that ends in dotted decimal by
//! the standard library. Each thread remembers what it read last.

use std::cell::Cell;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The longest address: six groups and dotted decimal.
const LONGEST: usize = 45;

/// A text and the address that it is, if it is one.
struct Last {
    /// The first and the last eight bytes of a text of 8 to 16, which are all of it.
    ends: Cell<(u64, u64)>,
    length: Cell<usize>,
    text: Cell<[u8; LONGEST]>,
    address: Cell<Option<IpAddr>>,
}

thread_local! {
    /// What was read last: parsers, allowlists and enrichment ask for the address of a line in
    /// turn, and each would read the same text again.
    static LAST: Last = const {
        Last {
            ends: Cell::new((0, 0)),
            length: Cell::new(0),
            text: Cell::new([0; LONGEST]),
            address: Cell::new(None),
        }
    };
}

/// The address that `text` is, as `text.parse()` finds it: in the forms of RFC 5952 and RFC 6943
/// §3.1.1 (strict dotted decimal), without a zone.
#[must_use]
pub fn parse_address(text: &str) -> Option<IpAddr> {
    let bytes = text.as_bytes();
    LAST.with(|last| {
        let is_same = bytes.len() == last.length.get()
            && match ends(bytes) {
                // Nearly all addresses are so short, and compared by two numbers.
                Some(ends) if bytes.len() <= 16 => ends == last.ends.get(),
                _ => last.text.get().get(..bytes.len()) == Some(bytes),
            };
        if is_same { last.address.get() } else { last.read(bytes) }
    })
}

/// The first and the last eight bytes.
#[inline]
fn ends(bytes: &[u8]) -> Option<(u64, u64)> {
    let (first, last) = (bytes.first_chunk()?, bytes.last_chunk()?);
    Some((u64::from_le_bytes(*first), u64::from_le_bytes(*last)))
}

impl Last {
    #[inline(never)]
    fn read(&self, bytes: &[u8]) -> Option<IpAddr> {
        let mut text = [0; LONGEST];
        text.get_mut(..bytes.len())?.copy_from_slice(bytes);
        let address = read(bytes);
        self.text.set(text);
        self.length.set(bytes.len());
        self.ends.set(ends(bytes).unwrap_or_default());
        self.address.set(address);
        address
    }
}

/// The same without looking back.
fn read(bytes: &[u8]) -> Option<IpAddr> {
    if let Some(address) = dotted(bytes) {
        return Some(IpAddr::V4(address));
    }
    match groups(bytes) {
        Some(address) => Some(IpAddr::V6(address)),
        None if bytes.contains(&b'.') => {
            std::str::from_utf8(bytes).ok()?.parse::<Ipv6Addr>().ok().map(IpAddr::V6)
        }
        None => None,
    }
}

/// Eight groups of one to four hexadecimal digits with colons between, or fewer with one `::`.
fn groups(text: &[u8]) -> Option<Ipv6Addr> {
    let mut groups = [0_u16; 8];
    let (mut n, mut value, mut digits) = (0, 0_u16, 0);
    // How many groups stand before the `::`.
    let mut gap = None;
    let mut rest = text;
    if let [b':', b':', after @ ..] = rest {
        (gap, rest) = (Some(0), after);
    }
    while let [byte, after @ ..] = rest {
        rest = after;
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            b'A'..=b'F' => byte - b'A' + 10,
            b':' if digits > 0 => {
                *groups.get_mut(n)? = value;
                (n, value, digits) = (n + 1, 0, 0);
                match rest {
                    [b':', after @ ..] if gap.is_none() => (gap, rest) = (Some(n), after),
                    // A colon at the end stands before nothing.
                    [] => return None,
                    _ => {}
                }
                continue;
            }
            _ => return None,
        };
        if digits == 4 {
            return None;
        }
        value = value << 4 | u16::from(digit);
        digits += 1;
    }
    if digits > 0 {
        *groups.get_mut(n)? = value;
        n += 1;
    }
    match gap {
        None => (n == 8).then_some(())?,
        // The gap stands for one group at least.
        Some(_) if n == 8 => return None,
        Some(before) => {
            groups.copy_within(before..n, 8 - (n - before));
            groups[before..8 - (n - before)].fill(0);
        }
    }
    Some(Ipv6Addr::from(groups))
}

/// Four numbers from 0 to 255, without leading zeros, with dots between.
fn dotted(text: &[u8]) -> Option<Ipv4Addr> {
    let (a, rest) = number(text)?;
    let (b, rest) = number(rest.strip_prefix(b".")?)?;
    let (c, rest) = number(rest.strip_prefix(b".")?)?;
    let (d, rest) = number(rest.strip_prefix(b".")?)?;
    rest.is_empty().then(|| Ipv4Addr::new(a, b, c, d))
}

/// The number that a text begins with, and what is behind it.
#[inline]
fn number(text: &[u8]) -> Option<(u8, &[u8])> {
    let digit = |byte: u8| Some(byte.wrapping_sub(b'0')).filter(|digit| *digit < 10);
    let (first, rest) = text.split_first()?;
    let first = digit(*first)?;
    let Some((second, after)) = rest.split_first().and_then(|(b, r)| Some((digit(*b)?, r))) else {
        return Some((first, rest));
    };
    if first == 0 {
        return None;
    }
    let two = first * 10 + second;
    match after.split_first().and_then(|(b, r)| Some((digit(*b)?, r))) {
        None => Some((two, after)),
        // A fourth digit is no dot and no end.
        Some((third, after)) => Some((two.checked_mul(10)?.checked_add(third)?, after)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn is_what_the_standard_library_reads(
            text in "([0-9a-f]{0,5}:{1,2}){0,9}[0-9a-f]{0,5}|([0-9]{1,4}\\.){2,4}[0-9]{0,4}|[0-9a-f:.]{0,20}|([0-9a-f]{0,4}:){1,8}[0-9.]{0,15}|\\PC{0,8}",
        ) {
            prop_assert_eq!(parse_address(&text), text.parse().ok(), "{}", text);
        }

        /// Whatever was asked before.
        #[test]
        fn does_not_depend_on_what_was_read_before(
            texts in prop::collection::vec("1\\.2\\.3\\.[0-9]{0,3}|:{0,2}[0-9]{0,2}|.{44,48}", 0..20),
        ) {
            for text in texts {
                prop_assert_eq!(parse_address(&text), text.parse().ok(), "{}", text);
            }
        }

        #[test]
        fn comes_back(address: IpAddr) {
            prop_assert_eq!(parse_address(&address.to_string()), Some(address));
        }
    }

    #[test]
    fn edges() {
        for text in [
            "",
            ".",
            "1.2.3",
            "1.2.3.",
            "1.2.3.4.",
            "1.2.3.256",
            "1.2.3.04",
            "0.0.0.0",
            "255.255.255.255",
            "1.2.3.4 ",
            "+1.2.3.4",
            "::1",
            "::ffff:1.2.3.4",
            "1::2%eth0",
        ] {
            assert_eq!(parse_address(text), text.parse().ok(), "{text}");
        }
    }
}
