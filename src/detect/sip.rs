//! `SipHash`, of 64 or 128 bits, over one text.
//!
//! The standard library has it with 64 bits only, and fed piece by piece. A bucket's key needs 128:
//! here they come out of one run over the text, as the authors of `SipHash` have it, at half the
//! price of two runs. One round for each word and three at the end, as in the standard library.
//!
//! Must hold: the result is that of the published algorithm; nobody can make two texts collide
//! without the key.

use std::hash::{BuildHasher, RandomState};

/// A secret.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key([u64; 2]);

/// The state of the hash, with `C` rounds for a word and `D` at the end.
struct State<const C: usize, const D: usize>([u64; 4]);

impl Key {
    /// A fresh random one.
    pub(super) fn random() -> Self {
        let random = RandomState::new();
        Self([random.hash_one(0_u8), random.hash_one(1_u8)])
    }

    /// The hash of a text.
    pub(super) fn hash(self, text: &[u8]) -> u64 {
        State::<1, 3>::new(self).absorb(text).finish()
    }

    /// A hash of twice the width, in which no part of the other can be seen.
    pub(super) fn wide(self, text: &[u8]) -> [u64; 2] {
        State::<1, 3>::new(self).widened().absorb(text).finish_wide()
    }
}

impl<const C: usize, const D: usize> State<C, D> {
    #[inline]
    fn new(Key([first, second]): Key) -> Self {
        Self([
            first ^ 0x736f_6d65_7073_6575,
            second ^ 0x646f_7261_6e64_6f6d,
            first ^ 0x6c79_6765_6e65_7261,
            second ^ 0x7465_6462_7974_6573,
        ])
    }

    #[inline]
    fn widened(mut self) -> Self {
        self.0[1] ^= 0xee;
        self
    }

    #[inline]
    fn absorb(mut self, text: &[u8]) -> Self {
        let (words, rest) = text.as_chunks::<8>();
        for word in words {
            self.take(u64::from_le_bytes(*word));
        }
        let last = match (rest, text.last_chunk::<8>()) {
            ([], _) => 0,
            // The last eight bytes, without those that were taken before.
            (rest, Some(last)) => u64::from_le_bytes(*last) >> (64 - 8 * rest.len()),
            (rest, None) => rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
        };
        self.take((text.len() as u64) << 56 | last);
        self
    }

    #[inline]
    fn take(&mut self, word: u64) {
        self.0[3] ^= word;
        self.rounds::<C>();
        self.0[0] ^= word;
    }

    #[inline]
    fn rounds<const N: usize>(&mut self) {
        let [mut a, mut b, mut c, mut d] = self.0;
        for _ in 0..N {
            a = a.wrapping_add(b);
            b = b.rotate_left(13) ^ a;
            a = a.rotate_left(32);
            c = c.wrapping_add(d);
            d = d.rotate_left(16) ^ c;
            a = a.wrapping_add(d);
            d = d.rotate_left(21) ^ a;
            c = c.wrapping_add(b);
            b = b.rotate_left(17) ^ c;
            c = c.rotate_left(32);
        }
        self.0 = [a, b, c, d];
    }

    #[inline]
    fn finish(mut self) -> u64 {
        self.0[2] ^= 0xff;
        self.end()
    }

    #[inline]
    fn finish_wide(mut self) -> [u64; 2] {
        self.0[2] ^= 0xee;
        let first = self.end();
        self.0[1] ^= 0xdd;
        [first, self.end()]
    }

    #[inline]
    fn end(&mut self) -> u64 {
        self.rounds::<D>();
        let [a, b, c, d] = self.0;
        a ^ b ^ c ^ d
    }
}

#[cfg(test)]
mod tests {
    use std::hash::{DefaultHasher, Hasher};

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The standard library's hasher has a key of zeroes.
        #[test]
        fn equals_the_standard_library(text in prop::collection::vec(any::<u8>(), 0..40)) {
            let mut hasher = DefaultHasher::new();
            hasher.write(&text);
            prop_assert_eq!(Key([0, 0]).hash(&text), hasher.finish());
        }

        #[test]
        fn every_byte_and_the_length_count(
            text in prop::collection::vec(any::<u8>(), 1..40),
            at: prop::sample::Index,
            bit in 0..8,
        ) {
            let key = Key([1, 2]);
            let mut other = text.clone();
            other[at.index(text.len())] ^= 1_u8 << bit;
            prop_assert_ne!(key.wide(&text), key.wide(&other));
            prop_assert_ne!(key.wide(&text), key.wide(&text[1..]));
        }
    }

    /// The first of the vectors that were published with the algorithm: the key and the texts are
    /// 00 01 02 ..., with two rounds for each word and four at the end.
    #[test]
    fn equals_what_was_published() {
        let key = Key([0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908]);
        let text: Vec<u8> = (0..15).collect();
        let narrow = |length| State::<2, 4>::new(key).absorb(&text[..length]).finish();
        assert_eq!(narrow(0), 0x726f_db47_dd0e_0e31);
        assert_eq!(narrow(15), 0xa129_ca61_49be_45e5);
        let wide = |length| State::<2, 4>::new(key).widened().absorb(&text[..length]).finish_wide();
        assert_eq!(wide(0), [0xe6a8_25ba_047f_81a3, 0x9302_55c7_1472_f66d]);
        assert_eq!(wide(1), [0x44af_996b_d8c1_87da, 0x45fc_229b_1159_7634]);
    }

    #[test]
    fn keys_differ() {
        let (first, second) = (Key::random(), Key::random());
        assert_ne!(first.wide(b"a"), second.wide(b"a"));
        assert_ne!(first.hash(b"a"), second.hash(b"a"));
    }
}
