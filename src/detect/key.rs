//! Which bucket an event falls into.
//!
//! Two events share a bucket exactly when the filter's text, the group value and the scenario's
//! name are equal. In memory the three are a keyed 128-bit hash; the 40 digits that alerts show
//! are made only when a bucket overflows.

use std::hash::{BuildHasher, Hasher, RandomState};

/// A bucket's key in memory.
///
/// Hostile: group values are chosen by attackers, so the hash is keyed (two `SipHash` of 64 bits
/// under keys drawn at start); among a million buckets the odds of one accidental collision are
/// below 1 in 10^26, and none can be made on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BucketKey([u64; 2]);

/// The hash of a group value: the part of a bucket's key that scenarios which group alike share.
#[derive(Clone, Copy, Debug)]
pub struct GroupHash([u64; 2]);

/// The keys of the hashes: kept over a reload, so that buckets are found again.
#[derive(Clone, Debug)]
pub struct Seed {
    first: RandomState,
    second: RandomState,
}

/// What all buckets of one scenario name and filter have in common: a keyed hash of the two, that
/// moves the hashes of group values to places of their own.
#[derive(Clone, Copy, Debug)]
pub struct Partition([u64; 2]);

impl Seed {
    /// Fresh random keys.
    #[must_use]
    pub fn new() -> Self {
        Self { first: RandomState::new(), second: RandomState::new() }
    }

    /// The hash of a value that a bucket has seen or not.
    #[must_use]
    pub fn distinct(&self, value: &str) -> u64 {
        self.first.hash_one(value)
    }

    /// The partition of a scenario's name and filter text.
    #[must_use]
    pub fn partition(&self, name: &str, filter: &str) -> Partition {
        let hash = |state: &RandomState| {
            let mut hasher = state.build_hasher();
            // Neither text can hold the byte 0xff, so no two pairs feed the same bytes.
            for text in [name, filter] {
                hasher.write(text.as_bytes());
                hasher.write_u8(0xff);
            }
            hasher.finish()
        };
        Partition([hash(&self.first), hash(&self.second)])
    }

    /// The hash of a group value.
    #[must_use]
    pub fn group(&self, group: &str) -> GroupHash {
        let hash = |state: &RandomState| {
            let mut hasher = state.build_hasher();
            hasher.write(group.as_bytes());
            hasher.finish()
        };
        GroupHash([hash(&self.first), hash(&self.second)])
    }
}

impl Default for Seed {
    fn default() -> Self {
        Self::new()
    }
}

impl Partition {
    /// The key of the bucket for this group value.
    #[must_use]
    pub fn key(self, group: GroupHash) -> BucketKey {
        BucketKey([self.0[0] ^ group.0[0], self.0[1] ^ group.0[1]])
    }
}

/// Hashes bucket keys for a hash table: a key is a keyed hash already.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct KeyHash(u64);

impl Hasher for KeyHash {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // Two halves arrive as bytes, behind their number.
        if let Some((_, half)) = bytes.split_last_chunk::<8>() {
            self.0 = u64::from_ne_bytes(*half);
        }
    }

    fn write_u64(&mut self, half: u64) {
        self.0 = half;
    }
}

/// The key that alerts show: SHA-1, in hexadecimal, of the filter's text, the group value and the
/// scenario's name with a zero byte between.
#[must_use]
pub fn shown_key(filter: &str, group: &str, name: &str) -> String {
    let mut message = Vec::with_capacity(filter.len() + group.len() + name.len() + 2);
    message.extend_from_slice(filter.as_bytes());
    message.push(0);
    message.extend_from_slice(group.as_bytes());
    message.push(0);
    message.extend_from_slice(name.as_bytes());
    let mut shown = String::with_capacity(40);
    for byte in sha1(&message) {
        for digit in [byte >> 4, byte & 15] {
            shown.push(char::from(DIGITS[usize::from(digit)]));
        }
    }
    shown
}

const DIGITS: [u8; 16] = *b"0123456789abcdef";

/// SHA-1 (FIPS 180-4 §6.1). The digest only names a bucket, nothing rests on its strength, so
/// these lines stand in for a dependency.
fn sha1(message: &[u8]) -> [u8; 20] {
    let mut padded = message.to_vec();
    padded.push(0x80);
    padded.resize(padded.len().next_multiple_of(64), 0);
    if padded.len() - message.len() < 9 {
        padded.resize(padded.len() + 64, 0);
    }
    let bits = (message.len() as u64).wrapping_mul(8).to_be_bytes();
    let length = padded.len() - 8;
    padded[length..].copy_from_slice(&bits);

    let mut state = [0x6745_2301u32, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];
    for block in padded.chunks_exact(64) {
        let mut words = [0u32; 80];
        for (word, bytes) in words.iter_mut().zip(block.chunks_exact(4)) {
            *word = bytes.iter().fold(0, |word, byte| word << 8 | u32::from(*byte));
        }
        for at in 16..80 {
            let mixed = words[at - 3] ^ words[at - 8] ^ words[at - 14] ^ words[at - 16];
            words[at] = mixed.rotate_left(1);
        }
        let [mut a, mut b, mut c, mut d, mut e] = state;
        for (round, word) in words.iter().enumerate() {
            let (f, constant) = match round / 20 {
                0 => ((b & c) | (!b & d), 0x5a82_7999),
                1 => (b ^ c ^ d, 0x6ed9_eba1),
                2 => ((b & c) | (b & d) | (c & d), 0x8f1b_bcdc),
                _ => (b ^ c ^ d, 0xca62_c1d6),
            };
            let next = a.rotate_left(5).wrapping_add(f).wrapping_add(e);
            let next = next.wrapping_add(constant).wrapping_add(*word);
            (e, d, c, b, a) = (d, c, b.rotate_left(30), a, next);
        }
        for (sum, part) in state.iter_mut().zip([a, b, c, d, e]) {
            *sum = sum.wrapping_add(part);
        }
    }
    let mut digest = [0; 20];
    for (bytes, word) in digest.chunks_exact_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    digest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(message: &[u8], expected: &str) {
        let digest: String = sha1(message).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(digest, expected);
    }

    #[test]
    fn sha1_of_known_messages() {
        check(b"", "da39a3ee5e6b4b0d3255bfef95601890afd80709");
        check(b"abc", "a9993e364706816aba3e25717850c26c9cd0d89d");
        check(
            b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "84983e441c3bd26ebaae4aa1f95129e5e54670f1",
        );
        check(&[b'a'; 1_000], "291e9a6c66994949b57ba5e650361e98fc36b1ba");
    }

    #[test]
    fn sha1_pads_at_every_length() {
        let digests: std::collections::HashSet<_> = (0..200).map(|n| sha1(&vec![0; n])).collect();
        assert_eq!(digests.len(), 200);
    }

    #[test]
    fn shown_key_has_forty_digits() {
        let key = shown_key("evt.Meta.x == 'y'", "192.0.2.1", "a/b");
        assert_eq!(key.len(), 40);
        assert_ne!(key, shown_key("evt.Meta.x == 'y'", "192.0.2.2", "a/b"));
    }

    #[test]
    fn keys_are_equal_exactly_when_all_three_are() {
        let seed = Seed::new();
        let key = |name, filter, group| seed.partition(name, filter).key(seed.group(group));
        assert_eq!(key("n", "f", "g"), key("n", "f", "g"));
        assert_eq!(key("n", "f", "g"), seed.clone().partition("n", "f").key(seed.group("g")));
        for other in [("m", "f", "g"), ("n", "e", "g"), ("n", "f", "h"), ("nf", "", "g")] {
            assert_ne!(key("n", "f", "g"), key(other.0, other.1, other.2));
        }
        let other = Seed::new();
        assert_ne!(key("n", "f", "g"), other.partition("n", "f").key(other.group("g")));
    }
}
