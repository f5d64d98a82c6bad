//! All buckets, found by key; the live ones ordered by when they may end.
//!
//! A live bucket has one entry in a heap. Pouring does not touch it: when the entry comes up, the
//! true end is computed, and the entry goes back if that is later. So a poured event costs no
//! ordering, and there is no timer per bucket.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use super::bucket::Bucket;
use super::key::BucketKey;
use super::lookup::Lookup;

/// How many buckets are looked at to find one to evict.
const SAMPLE: usize = 16;

/// Buckets in numbered places.
#[derive(Debug, Default)]
pub(super) struct Table {
    index: Lookup,
    places: Vec<Option<Bucket>>,
    free: Vec<u32>,
    /// When to look at which place, and which bucket was there then.
    ends: BinaryHeap<Reverse<(i64, u32, u32)>>,
    stamp: u32,
    hand: usize,
    turned: usize,
}

/// How much a bucket would be missed.
///
/// Hostile: a flood of invented addresses makes buckets with one event each. Those are what the
/// flood evicts: first among the buckets of the scenarios that it floods, and of those one that is
/// filling up stays.
#[derive(Clone, Copy, Debug)]
pub(super) struct Worth {
    /// Whether its scenario has no more than its share of all buckets.
    pub(super) within_share: bool,
    /// How much would be lost.
    pub(super) level: f64,
}

impl Worth {
    fn order(&self, other: &Self) -> Ordering {
        self.within_share.cmp(&other.within_share).then(self.level.total_cmp(&other.level))
    }
}

/// A place of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place(u32);

impl Table {
    /// The number of buckets.
    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    /// Where the bucket of `key` is.
    #[inline]
    pub(super) fn find(&self, key: BucketKey) -> Option<Place> {
        let is_there = |place: u32| self.holds(Place(place), key);
        self.index.find(key, is_there).map(Place)
    }

    /// Whether the bucket of `key` is at a place that was given out once.
    #[inline]
    pub(super) fn holds(&self, place: Place, key: BucketKey) -> bool {
        let bucket = self.places.get(place.0 as usize).and_then(Option::as_ref);
        bucket.is_some_and(|bucket| bucket.key == key)
    }

    /// Looks at what is needed to remove a bucket.
    #[inline]
    pub(super) fn touch(&self, key: BucketKey) -> usize {
        self.index.touch(key)
    }

    /// How many places there are, used or not.
    #[inline]
    pub(super) fn n_places(&self) -> usize {
        self.places.len()
    }

    /// The next place, round and round, if it is used.
    #[inline]
    pub(super) fn turn(&mut self) -> Option<Place> {
        self.turned = if self.turned + 1 < self.places.len() { self.turned + 1 } else { 0 };
        let used = self.places.get(self.turned).is_some_and(Option::is_some);
        used.then(|| u32::try_from(self.turned).ok().map(Place)).flatten()
    }

    /// The bucket at a place.
    #[inline]
    pub(super) fn get(&self, place: Place) -> &Bucket {
        self.places[place.0 as usize].as_ref().expect("a place is only given out while it is used")
    }

    /// The bucket at a place, to be changed.
    #[inline]
    pub(super) fn get_mut(&mut self, place: Place) -> &mut Bucket {
        self.places[place.0 as usize].as_mut().expect("a place is only given out while it is used")
    }

    /// Puts a bucket in a free place. With `ends_at`, it comes up in [`Table::next_due`].
    pub(super) fn insert(&mut self, mut bucket: Bucket, ends_at: Option<i64>) -> Place {
        self.stamp = self.stamp.wrapping_add(1);
        bucket.stamp = self.stamp;
        let key = bucket.key;
        let place = match self.free.pop() {
            Some(place) => {
                self.places[place as usize] = Some(bucket);
                place
            }
            None => {
                self.places.push(Some(bucket));
                u32::try_from(self.places.len() - 1).expect("the cap is far below 2^32 buckets")
            }
        };
        self.index.insert(key, place);
        if let Some(ends_at) = ends_at {
            self.drop_stale_ends();
            self.ends.push(Reverse((ends_at, place, self.stamp)));
        }
        Place(place)
    }

    /// Takes a bucket out.
    pub(super) fn remove(&mut self, place: Place) -> Bucket {
        let bucket = self.places[place.0 as usize]
            .take()
            .expect("a place is only given out while it is used");
        self.index.remove(bucket.key, place.0);
        self.free.push(place.0);
        bucket
    }

    /// A bucket whose end, as `ends_at` computes it, is not after `now`.
    pub(super) fn next_due(&mut self, now: i64, ends_at: impl Fn(&Bucket) -> i64) -> Option<Place> {
        while let Some(&Reverse((due, place, stamp))) = self.ends.peek()
            && due <= now
        {
            self.ends.pop();
            let Some(bucket) = Self::at(&self.places, place, stamp) else { continue };
            let end = ends_at(bucket);
            if end <= now {
                return Some(Place(place));
            }
            self.ends.push(Reverse((end, place, stamp)));
        }
        None
    }

    /// The bucket that is missed least among the next few places: the lowest of `worth`, the one
    /// that is idle for longest among equals. `None` when there is none.
    pub(super) fn least(&mut self, worth: impl Fn(&Bucket) -> Worth) -> Option<Place> {
        let mut best: Option<(Worth, Option<i64>, u32)> = None;
        let mut looked = 0;
        for _ in 0..self.places.len() {
            self.hand = (self.hand + 1) % self.places.len();
            let Some(bucket) = &self.places[self.hand] else { continue };
            let place = u32::try_from(self.hand).expect("the cap is far below 2^32 buckets");
            let found = (worth(bucket), bucket.last().map(|last| last.nanos), place);
            let is_less =
                |best: &(Worth, _, _)| found.0.order(&best.0).then(found.1.cmp(&best.1)).is_lt();
            if best.as_ref().is_none_or(is_less) {
                best = Some(found);
            }
            looked += 1;
            if looked == SAMPLE {
                break;
            }
        }
        best.map(|(_, _, place)| Place(place))
    }

    /// All places in use.
    pub(super) fn places(&self) -> Vec<Place> {
        let numbered = (0_u32..).zip(&self.places);
        numbered.filter(|(_, bucket)| bucket.is_some()).map(|(place, _)| Place(place)).collect()
    }

    /// Entries of buckets that ended early would otherwise pile up until their time.
    fn drop_stale_ends(&mut self) {
        if self.ends.len() > 2 * self.index.len() + 64 {
            let places = &self.places;
            self.ends
                .retain(|Reverse((_, place, stamp))| Self::at(places, *place, *stamp).is_some());
        }
    }

    fn at(places: &[Option<Bucket>], place: u32, stamp: u32) -> Option<&Bucket> {
        let bucket = places.get(place as usize)?.as_ref()?;
        (bucket.stamp == stamp).then_some(bucket)
    }

    #[cfg(test)]
    pub(super) fn n_ends(&self) -> usize {
        self.ends.len()
    }
}
