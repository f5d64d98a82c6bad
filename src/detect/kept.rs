//! What a bucket keeps: its last events, and the values it has seen.
//!
//! Most buckets see one event and end: that one needs no memory of its own.

use std::collections::{HashSet, VecDeque};
use std::hash::BuildHasherDefault;
use std::sync::Arc;

use super::key::KeyHash;
use crate::event::Snapshot;

/// Events, oldest first.
#[derive(Debug, Default)]
pub(super) enum Queue {
    #[default]
    Empty,
    One(Arc<Snapshot>),
    #[expect(clippy::box_collection, reason = "most buckets never have one, and it is four words")]
    Many(Box<VecDeque<Arc<Snapshot>>>),
}

impl Queue {
    #[inline]
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Empty => 0,
            Self::One(_) => 1,
            Self::Many(events) => events.len(),
        }
    }

    #[inline]
    pub(super) fn push(&mut self, event: Arc<Snapshot>) {
        match self {
            Self::Empty => *self = Self::One(event),
            Self::Many(events) => events.push_back(event),
            Self::One(_) => self.push_second(event),
        }
    }

    fn push_second(&mut self, event: Arc<Snapshot>) {
        let mut events = VecDeque::with_capacity(4);
        if let Self::One(first) = std::mem::take(self) {
            events.push_back(first);
        }
        events.push_back(event);
        *self = Self::Many(Box::new(events));
    }

    pub(super) fn drop_first(&mut self) {
        match self {
            Self::Many(events) => drop(events.pop_front()),
            _ => *self = Self::Empty,
        }
    }

    pub(super) fn last(&self) -> Option<&Snapshot> {
        match self {
            Self::Empty => None,
            Self::One(event) => Some(event),
            Self::Many(events) => events.back().map(|event| &**event),
        }
    }

    /// Looks at what is needed to drop it.
    #[inline]
    pub(super) fn touch(&self) -> usize {
        match self {
            Self::Empty => 0,
            Self::One(event) => Arc::strong_count(event),
            Self::Many(events) => events.len(),
        }
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Arc<Snapshot>> {
        let (one, many) = match self {
            Self::Empty => (None, None),
            Self::One(event) => (Some(event), None),
            Self::Many(events) => (None, Some(events)),
        };
        one.into_iter().chain(many.into_iter().flat_map(|events| events.iter()))
    }
}

/// How many values are kept without a table of their own.
const FEW: usize = 7;

/// Hashes of values that were seen.
#[derive(Debug)]
pub(super) enum Seen {
    Few { n: u8, values: [u64; FEW] },
    Many(HashSet<u64, BuildHasherDefault<KeyHash>>),
}

impl Default for Seen {
    fn default() -> Self {
        Self::Few { n: 0, values: [0; FEW] }
    }
}

impl Seen {
    /// Whether `value` is among them; if not, it is added, unless there are `most`.
    pub(super) fn has(&mut self, value: u64, most: usize) -> bool {
        match self {
            Self::Few { n, values } => {
                let known = usize::from(*n);
                if values.iter().take(known).any(|seen| *seen == value) {
                    return true;
                }
                if known >= most {
                    return false;
                }
                match values.get_mut(known) {
                    Some(free) => {
                        *free = value;
                        *n += 1;
                    }
                    None => {
                        let all = values.iter().copied().chain([value]).collect();
                        *self = Self::Many(all);
                    }
                }
                false
            }
            Self::Many(values) if values.len() >= most => values.contains(&value),
            Self::Many(values) => !values.insert(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn seen_is_a_bounded_set(values in prop::collection::vec(0_u64..30, 0..60), most in 1_usize..25) {
            let (mut seen, mut model) = (Seen::default(), HashSet::new());
            for value in values {
                let known = model.contains(&value);
                if model.len() < most {
                    model.insert(value);
                }
                prop_assert_eq!(seen.has(value, most), known);
            }
        }
    }
}
