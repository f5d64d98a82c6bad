//! A look at a field for bytes without which a program gives false: of each text that the field
//! must contain one of, the byte that logs have least.

use memchr::arch::all::packedpair::Pair;
use memchr::{memchr, memchr2, memchr3};

use crate::expr::needs::{Hint, Need};
use crate::value::Slot;

/// One of these bytes must be in the field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Guard {
    pub(super) slot: Slot,
    /// One, two or three bytes; the last stands for those that are missing.
    bytes: [u8; 3],
}

impl Guard {
    /// The guard of a program with these needs, if one of them can be seen by so few bytes.
    pub(super) fn of(needs: &[Need]) -> Option<Self> {
        needs.iter().find_map(Self::of_need)
    }

    fn of_need(need: &Need) -> Option<Self> {
        let (slot, _) = need.any.first()?;
        let mut bytes = Vec::new();
        for (other, hint) in &need.any {
            match hint {
                Hint::Contains(text) if other == slot => bytes.push(rarest(text.as_bytes())?),
                _ => return None,
            }
        }
        bytes.sort_unstable();
        bytes.dedup();
        let bytes = match *bytes {
            [a] => [a; 3],
            [a, b] => [a, b, b],
            [a, b, c] => [a, b, c],
            _ => return None,
        };
        Some(Self { slot: *slot, bytes })
    }

    /// Whether the text has one of the bytes.
    pub(super) fn holds(&self, text: &str) -> bool {
        let [a, b, c] = self.bytes;
        let bytes = text.as_bytes();
        let found = match (a == b, b == c) {
            (true, _) => memchr(a, bytes),
            (false, true) => memchr2(a, b, bytes),
            (false, false) => memchr3(a, b, c, bytes),
        };
        found.is_some()
    }
}

/// The byte of a text that is met least; `None` for an empty text.
fn rarest(text: &[u8]) -> Option<u8> {
    let at = Pair::new(text).map_or(0, |pair| usize::from(pair.index1()));
    text.get(at).copied()
}
