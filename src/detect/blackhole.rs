//! After an overflow, the same bucket of the same scenario stays silent for a while.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::hash::BuildHasherDefault;

use super::key::{BucketKey, KeyHash};

/// The silent buckets of one scenario.
///
/// Invariant: `until` and `order` hold the same pairs.
#[derive(Debug, Default)]
pub(super) struct Blackhole {
    until: HashMap<BucketKey, i64, BuildHasherDefault<KeyHash>>,
    order: BinaryHeap<Reverse<(i64, BucketKey)>>,
}

impl Blackhole {
    /// Whether an overflow of `key` at `at` is to be discarded; if not, those from now to
    /// `at + period` will be. A discarded overflow does not make the silence longer.
    pub(super) fn swallows(&mut self, key: BucketKey, at: i64, period: i64) -> bool {
        self.expire(at);
        if self.until.contains_key(&key) {
            return true;
        }
        let until = at.saturating_add(period);
        if until > at {
            self.until.insert(key, until);
            self.order.push(Reverse((until, key)));
        }
        false
    }

    /// Forgets what ended at `at` or before.
    pub(super) fn expire(&mut self, at: i64) {
        while self.order.peek().is_some_and(|Reverse((until, _))| *until <= at) {
            self.forget_first();
        }
    }

    /// Forgets the silence that would end first.
    pub(super) fn forget_first(&mut self) {
        if let Some(Reverse((_, key))) = self.order.pop() {
            self.until.remove(&key);
        }
    }

    /// How many buckets are silent.
    pub(super) fn len(&self) -> usize {
        self.until.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::key::Seed;

    #[test]
    fn swallows_until_the_end_and_does_not_extend() {
        let seed = Seed::new();
        let partition = seed.partition("n", "f");
        let (a, b) = (partition.key(seed.group("a")), partition.key(seed.group("b")));
        let mut hole = Blackhole::default();
        assert!(!hole.swallows(a, 100, 10));
        assert!(hole.swallows(a, 105, 10));
        assert!(hole.swallows(a, 109, 10));
        assert!(!hole.swallows(b, 109, 10));
        // Exactly at the end it is over; the discarded overflow at 109 did not extend it.
        assert!(!hole.swallows(a, 110, 10));
        assert!(hole.swallows(a, 119, 10));
        assert_eq!(hole.len(), 1, "the silence of b ended at 119");
    }

    #[test]
    fn a_check_at_a_later_time_ends_silences_for_good() {
        let seed = Seed::new();
        let partition = seed.partition("n", "f");
        let mut hole = Blackhole::default();
        assert!(!hole.swallows(partition.key(seed.group("a")), 100, 10));
        assert!(!hole.swallows(partition.key(seed.group("b")), 500, 10));
        assert!(!hole.swallows(partition.key(seed.group("a")), 105, 10));
    }

    #[test]
    fn a_period_of_nothing_leaves_nothing() {
        let key = Seed::new().partition("n", "f").key(Seed::new().group("a"));
        let mut hole = Blackhole::default();
        assert!(!hole.swallows(key, 100, 0));
        assert!(!hole.swallows(key, 100, 0));
        assert_eq!(hole.len(), 0);
    }
}
