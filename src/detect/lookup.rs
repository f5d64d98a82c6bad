//! Finds the place of a bucket by its key: eight bytes an entry, where a hash map takes three times
//! as many.
//!
//! Linear probing. What is removed leaves no gap: those behind it move up. So a table at the cap of
//! buckets, where for each new one another goes, never grows; a hash map would double then.

use super::key::BucketKey;

/// The least number of entries; always a power of two.
const LEAST: usize = 64;

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
    pub(super) fn find(&self, key: BucketKey, is_there: impl Fn(u32) -> bool) -> Option<u32> {
        let tag = key.tag();
        let mut at = self.home(tag);
        loop {
            let entry = self.entries.get(at)?;
            let place = entry.place.checked_sub(1)?;
            if entry.tag == tag && is_there(place) {
                return Some(place);
            }
            at = self.after(at);
        }
    }

    /// Adds the place of `key`, which has none.
    pub(super) fn insert(&mut self, key: BucketKey, place: u32) {
        if (self.used + 1) * 4 > self.entries.len() * 3 {
            self.grow();
        }
        self.used += 1;
        self.put(Entry { tag: key.tag(), place: place + 1 });
    }

    /// Takes out the place of `key`.
    pub(super) fn remove(&mut self, key: BucketKey, place: u32) {
        let mut hole = self.home(key.tag());
        loop {
            match self.entries.get(hole) {
                None | Some(Entry { place: 0, .. }) => return,
                Some(entry) if entry.place == place + 1 => break,
                Some(_) => hole = self.after(hole),
            }
        }
        self.used -= 1;
        let mask = self.entries.len() - 1;
        let mut next = self.after(hole);
        while let Some(&entry) = self.entries.get(next)
            && entry.place != 0
        {
            // It moves up unless it would then stand before the place where its search begins.
            let from_home = next.wrapping_sub(self.home(entry.tag)) & mask;
            if from_home >= next.wrapping_sub(hole) & mask {
                self.entries[hole] = entry;
                hole = next;
            }
            next = self.after(next);
        }
        self.entries[hole] = Entry::default();
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
        let mut at = self.home(entry.tag);
        while self.entries[at].place != 0 {
            at = self.after(at);
        }
        self.entries[at] = entry;
    }

    fn home(&self, tag: u32) -> usize {
        tag as usize & self.entries.len().wrapping_sub(1)
    }

    fn after(&self, at: usize) -> usize {
        (at + 1) & (self.entries.len() - 1)
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
