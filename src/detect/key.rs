//! Which bucket an event falls into.
//!
//! Two events share a bucket exactly when the filter's text, the group value and the scenario's
//! name are equal. In memory the three are a keyed 128-bit hash; alerts show another one
//! ([`ShownKey`](crate::event::ShownKey)).

use std::hash::Hasher;
use std::num::NonZeroU64;

use super::sip::Key;

/// A bucket's key in memory.
///
/// Hostile: group values are chosen by attackers, so the hash is keyed (`SipHash` of 128 bits under
/// keys drawn at start); among a million buckets the odds of one accidental collision are below 1
/// in 10^20, and none can be made on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BucketKey([u64; 2]);

/// The hash of a group value: the part of a bucket's key that scenarios which group alike share.
#[derive(Clone, Copy, Debug, Default)]
pub struct GroupHash([u64; 2]);

/// Which bits of the second half of a key the partition moves. Buckets of one group value are poured
/// into together: in the part that says where the search for a bucket begins they differ by no more
/// than a few places, all in one line of the processor's cache.
const MOVES: u64 = 0xff00_0007_ffff_ffff;

/// The keys of the hashes: kept over a reload, so that buckets are found again.
#[derive(Clone, Debug)]
pub struct Seed {
    groups: Key,
    partitions: Key,
    values: Key,
}

/// What all buckets of one scenario name and filter have in common: a keyed hash of the two, that
/// moves the hashes of group values to places of their own.
#[derive(Clone, Copy, Debug)]
pub struct Partition([u64; 2]);

impl Seed {
    /// Fresh random keys.
    #[must_use]
    pub fn new() -> Self {
        Self { groups: Key::random(), partitions: Key::random(), values: Key::random() }
    }

    /// The hash of a value that a bucket has seen or not.
    #[must_use]
    pub fn distinct(&self, value: &str) -> NonZeroU64 {
        NonZeroU64::new(self.values.hash(value.as_bytes())).unwrap_or(NonZeroU64::MIN)
    }

    /// The partition of a scenario's name and filter text.
    #[must_use]
    pub fn partition(&self, name: &str, filter: &str) -> Partition {
        // Neither text can hold the byte 0xff, so no two pairs give the same bytes.
        let both = [name.as_bytes(), b"\xff", filter.as_bytes()].concat();
        let [first, second] = self.partitions.wide(&both);
        Partition([first, second & MOVES])
    }

    /// The hash of a group value.
    #[must_use]
    pub fn group(&self, group: &str) -> GroupHash {
        GroupHash(self.groups.wide(group.as_bytes()))
    }
}

impl Default for Seed {
    fn default() -> Self {
        Self::new()
    }
}

impl BucketKey {
    /// A part of the key, which is a keyed hash already.
    pub(super) fn tag(self) -> u32 {
        (self.0[1] >> 32) as u32
    }

    /// The key of a part of what the bucket stands for.
    #[must_use]
    pub(super) fn part(self, part: GroupHash) -> Self {
        Self([self.0[0] ^ part.0[0], self.0[1] ^ part.0[1]])
    }

    #[cfg(test)]
    pub(super) fn of_tag(tag: u32, rest: u32) -> Self {
        Self([u64::from(rest), u64::from(tag) << 32])
    }
}

impl Partition {
    /// The key of the bucket for this group value.
    #[must_use]
    pub fn key(self, group: GroupHash) -> BucketKey {
        BucketKey([self.0[0] ^ group.0[0], self.0[1] ^ group.0[1]])
    }
}

/// Hashes what is a keyed hash already, for a hash table: bucket keys, and values that were seen.
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

#[cfg(test)]
mod tests {
    use super::*;

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
