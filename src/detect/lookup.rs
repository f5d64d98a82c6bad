//! Finds the place of a bucket by its key: eight bytes an entry, where a hash map takes three times
//! as many.
//!
//! Linear probing. What is removed leaves no gap: those behind it move up. So a table at the cap of
//! buckets, where for each new one another goes, never grows; a hash map would double then.

use super::key::BucketKey;

/// The least number of entries; always a power of two.
const LEAST: usize = 64;

/// How many of how many entries may be used: a search meets one or two others then. Most searches
/// are for a bucket that is not there, and end at the first gap.
const FULL: (usize, usize) = (5, 8);

/// Places by the hashes of the keys that are there.
#[derive(Debug, Default)]
pub(super) struct Lookup {
    entries: Vec<Entry>,
    used: usize,
}

/// Part of a key's hash, which says where the search begins, and the place, counted from 1; 0 for
/// none.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    tag: u32,
    place: u32,
}

impl Lookup {
    /// How many places there are.
    pub(super) fn len(&self) -> usize {
        self.used
    }

    /// The place of `key`; `is_there` says whether a place has it.
    #[inline]
    pub(super) fn find(&self, key: BucketKey, is_there: impl Fn(u32) -> bool) -> Option<u32> {
        let tag = key.tag();
        let entries = self.entries.as_slice();
        let mask = entries.len().wrapping_sub(1);
        let mut at = tag as usize & mask;
        loop {
            let entry = entries.get(at)?;
            let place = entry.place.checked_sub(1)?;
            if entry.tag == tag && is_there(place) {
                return Some(place);
            }
            at = (at + 1) & mask;
        }
    }

    /// Looks at where the search for `key` begins.
    #[inline]
    pub(super) fn touch(&self, key: BucketKey) -> usize {
        let at = key.tag() as usize & self.entries.len().wrapping_sub(1);
        self.entries.get(at).map_or(0, |entry| entry.place as usize)
    }

    /// Adds the place of `key`, which has none.
    pub(super) fn insert(&mut self, key: BucketKey, place: u32) {
        if (self.used + 1) * FULL.1 > self.entries.len() * FULL.0 {
            self.grow();
        }
        self.used += 1;
        self.put(Entry { tag: key.tag(), place: place + 1 });
    }

    /// Takes out the place of `key`.
    pub(super) fn remove(&mut self, key: BucketKey, place: u32) {
        let entries = self.entries.as_mut_slice();
        let mask = entries.len().wrapping_sub(1);
        let mut hole = key.tag() as usize & mask;
        loop {
            match entries.get(hole) {
                None | Some(Entry { place: 0, .. }) => return,
                Some(entry) if entry.place == place + 1 => break,
                Some(_) => hole = (hole + 1) & mask,
            }
        }
        self.used -= 1;
        let mut next = (hole + 1) & mask;
        while let Some(&entry) = entries.get(next)
            && entry.place != 0
        {
            // It moves up unless it would then stand before the place where its search begins.
            let from_home = next.wrapping_sub(entry.tag as usize) & mask;
            if from_home >= next.wrapping_sub(hole) & mask {
                entries[hole] = entry;
                hole = next;
            }
            next = (next + 1) & mask;
        }
        entries[hole] = Entry::default();
    }

    fn grow(&mut self) {
        let wider = vec![Entry::default(); (self.entries.len() * 2).max(LEAST)];
        let entries = std::mem::replace(&mut self.entries, wider);
        for entry in entries.into_iter().filter(|entry| entry.place != 0) {
            self.put(entry);
        }
    }

    /// Puts an entry into the first gap; there always is one.
    fn put(&mut self, entry: Entry) {
        let entries = self.entries.as_mut_slice();
        let mask = entries.len() - 1;
        let mut at = entry.tag as usize & mask;
        while entries[at].place != 0 {
            at = (at + 1) & mask;
        }
        entries[at] = entry;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Keys with few different tags, so that searches run into each other and over the end.
        #[test]
        fn equals_a_map(steps in prop::collection::vec((0_u32..120, any::<bool>()), 0..400)) {
            let key = |n: u32| {
                let tag = if n & 1 == 0 { u32::MAX - n % 5 } else { n / 2 };
                BucketKey::of_tag(tag, n)
            };
            let (mut lookup, mut model) = (Lookup::default(), HashMap::new());
            for (n, adds) in steps {
                let found = lookup.find(key(n), |place| place == n);
                prop_assert_eq!(found, model.get(&n).copied());
                match (adds, found) {
                    (true, None) => {
                        lookup.insert(key(n), n);
                        model.insert(n, n);
                    }
                    (false, Some(_)) => {
                        lookup.remove(key(n), n);
                        model.remove(&n);
                    }
                    _ => lookup.remove(key(n), n + 1000),
                }
                prop_assert_eq!(lookup.len(), model.len());
            }
            for n in 0..120 {
                let found = lookup.find(key(n), |place| place == n);
                prop_assert_eq!(found, model.get(&n).copied());
            }
        }
    }

    #[test]
    fn one_in_and_one_out_for_ever_takes_no_more_room() {
        let mut lookup = Lookup::default();
        let key = |n: u32| BucketKey::of_tag(n.wrapping_mul(0x9e37_79b9), n);
        for n in 0..1000 {
            lookup.insert(key(n), n);
        }
        let room = lookup.entries.len();
        for n in 1000..100_000 {
            lookup.remove(key(n - 1000), n - 1000);
            lookup.insert(key(n), n);
        }
        assert_eq!((lookup.len(), lookup.entries.len()), (1000, room));
    }
}
