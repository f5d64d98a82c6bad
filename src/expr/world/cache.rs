//! A bounded memory of texts, each for a limited time.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::value::Time;

/// Which entry goes when a cache is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// The one whose last use lies furthest back.
    #[default]
    Lru,
    /// The one used least often.
    Lfu,
}

impl Strategy {
    /// The strategy that a rule names: `LRU`, `LFU`, or `ARC`, which goes as `LRU`. `None` for any
    /// other name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "" | "LRU" | "ARC" => Some(Self::Lru),
            "LFU" => Some(Self::Lfu),
            _ => None,
        }
    }
}

/// A map from text to `V` with a greatest size and a time to live.
///
/// Invariant: `order` holds exactly the ranks of `entries`, so the first of it goes next.
#[derive(Debug)]
pub struct Cache<V> {
    size: usize,
    ttl: i64,
    strategy: Strategy,
    entries: HashMap<Arc<str>, Entry<V>>,
    order: BTreeMap<Rank, Arc<str>>,
    uses: u64,
}

/// How often an entry was used (always 0 when only the last use counts), and when.
type Rank = (u64, u64);

#[derive(Debug)]
struct Entry<V> {
    value: V,
    set_at: Time,
    rank: Rank,
}

impl<V> Cache<V> {
    /// An empty cache of at most `size` entries that live `ttl` nanoseconds; a `ttl` of 0 or less
    /// means for ever.
    #[must_use]
    pub fn new(size: usize, ttl: i64, strategy: Strategy) -> Self {
        Self { size, ttl, strategy, entries: HashMap::new(), order: BTreeMap::new(), uses: 0 }
    }

    /// The value set for `key`, unless it has aged out or had to go.
    pub fn get(&mut self, key: &str, now: Time) -> Option<&V> {
        if self.ttl > 0
            && let Some(entry) = self.entries.get(key)
            && now.since(entry.set_at) >= self.ttl
        {
            self.order.remove(&entry.rank);
            self.entries.remove(key);
        }
        let entry = self.entries.get_mut(key)?;
        self.uses += 1;
        let count = match self.strategy {
            Strategy::Lru => 0,
            Strategy::Lfu => entry.rank.0 + 1,
        };
        if let Some(name) = self.order.remove(&entry.rank) {
            entry.rank = (count, self.uses);
            self.order.insert(entry.rank, name);
        }
        Some(&entry.value)
    }

    /// Sets the value of `key` from `now` on; another entry goes when there is no room.
    pub fn set(&mut self, key: &str, value: V, now: Time) {
        if self.size == 0 {
            return;
        }
        self.uses += 1;
        let rank = (0, self.uses);
        let name: Arc<str> = match self.entries.get(key) {
            Some(old) => {
                let old = old.rank;
                self.order.remove(&old).unwrap_or_else(|| key.into())
            }
            None => {
                if self.entries.len() >= self.size
                    && let Some((_, oldest)) = self.order.pop_first()
                {
                    self.entries.remove(&oldest);
                }
                key.into()
            }
        };
        self.order.insert(rank, Arc::clone(&name));
        self.entries.insert(name, Entry { value, set_at: now, rank });
    }

    /// The number of entries, those that have aged out but were not asked for included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Cache, Strategy, Time};

    fn at(seconds: i64) -> Time {
        Time::from_seconds(seconds)
    }

    #[test]
    fn the_one_unused_longest_goes() {
        let mut cache = Cache::new(2, 0, Strategy::Lru);
        cache.set("a", 1, at(0));
        cache.set("b", 2, at(0));
        assert_eq!(cache.get("a", at(0)), Some(&1));
        cache.set("c", 3, at(0));
        assert_eq!(cache.get("b", at(0)), None);
        assert_eq!(cache.get("a", at(0)), Some(&1));
    }

    #[test]
    fn the_one_used_least_goes() {
        let mut cache = Cache::new(2, 0, Strategy::Lfu);
        cache.set("a", 1, at(0));
        cache.set("b", 2, at(0));
        for _ in 0..3 {
            cache.get("a", at(0));
        }
        cache.get("b", at(0));
        cache.set("c", 3, at(0));
        assert_eq!(cache.get("b", at(0)), None);
        assert_eq!(cache.get("a", at(0)), Some(&1));
    }

    #[test]
    fn entries_age_from_when_they_were_set() {
        let mut cache = Cache::new(2, 5_000_000_000, Strategy::Lru);
        cache.set("a", 1, at(10));
        assert_eq!(cache.get("a", at(14)), Some(&1));
        assert_eq!(cache.get("a", at(15)), None);
        assert!(cache.is_empty());
        cache.set("a", 1, at(20));
        cache.set("a", 2, at(23));
        assert_eq!(cache.get("a", at(27)), Some(&2));
    }

    proptest! {
        #[test]
        fn never_more_than_its_size(
            size in 0usize..5,
            steps in proptest::collection::vec((0u8..3, "[a-h]", 0i64..20), 0..200),
            lfu: bool,
        ) {
            let strategy = if lfu { Strategy::Lfu } else { Strategy::Lru };
            let mut cache = Cache::new(size, 3_000_000_000, strategy);
            for (step, key, seconds) in steps {
                if step == 0 {
                    cache.set(&key, seconds, at(seconds));
                } else {
                    cache.get(&key, at(seconds));
                }
                prop_assert!(cache.len() <= size);
                prop_assert_eq!(cache.order.len(), cache.entries.len());
            }
        }
    }
}
