//! The fields of one event: a few dozen texts, each found by its slot at once.
//!
//! Looking for a field is what rules do most. A byte for every slot that the loaded rules know
//! says where its text is, so that neither the number of fields nor that of rules matters; events
//! with more fields than a byte can count are searched for the rest.

use bumpalo::collections::Vec as ArenaVec;

use crate::value::{Arena, Slot};

/// The place of a slot that was never set.
const NOWHERE: u8 = 0;
/// The field is behind those that a byte can tell.
const BEYOND: u8 = u8::MAX;

/// Slots and texts, in the order in which they were first set.
pub(super) struct Fields<'a> {
    /// For each slot its place, counted from one.
    places: &'a mut [u8],
    list: ArenaVec<'a, (Slot, &'a str)>,
    /// How often a field was set.
    n_sets: u32,
    /// How often one that had been set before was.
    n_resets: u32,
}

/// What fields had been set at some time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Moment {
    n_fields: usize,
    n_sets: u32,
    n_resets: u32,
}

/// Some of the slots that a constant number was given to, and where their texts are when they are the
/// first that are set, in this order.
#[derive(Debug)]
pub struct Order<const N: usize> {
    slots: [Slot; N],
    n_slots: u32,
    /// Places of the slots from 0 on, a byte each.
    places: u128,
    /// 1, and all bits, in the bytes of the slots.
    ones: u128,
    all: u128,
}

impl<const N: usize> Order<N> {
    /// Sets of these slots, which are distinct and below 16.
    ///
    /// # Panics
    /// When they are not.
    #[must_use]
    pub const fn new(slots: [Slot; N]) -> Self {
        let (mut places, mut ones, mut n_slots) = (0, 0_u128, 0);
        while (n_slots as usize) < N {
            let byte = 8 * slots[n_slots as usize].0;
            assert!(ones >> byte & 1 == 0, "the slots are distinct");
            ones |= 1 << byte;
            n_slots += 1;
            places |= (n_slots as u128) << byte;
        }
        Self { slots, n_slots, places, ones, all: ones * 0xff }
    }
}

impl<'a> Fields<'a> {
    /// No fields yet, of `n_slots` that there are names for.
    pub(super) fn new(arena: &'a Arena, n_slots: usize) -> Self {
        Self {
            places: arena.alloc_slice_fill_copy(n_slots, NOWHERE),
            list: ArenaVec::with_capacity_in(32, arena),
            n_sets: 0,
            n_resets: 0,
        }
    }

    #[inline]
    pub(super) fn get(&self, slot: Slot) -> Option<&'a str> {
        match self.places.get(usize::from(slot.0)).copied() {
            Some(NOWHERE) => None,
            Some(place) if place != BEYOND => Some(self.list.get(usize::from(place) - 1)?.1),
            _ => self.beyond(slot).and_then(|at| self.list.get(at)).map(|(_, text)| *text),
        }
    }

    #[inline]
    pub(super) fn set(&mut self, slot: Slot, text: &'a str) {
        self.n_sets = self.n_sets.wrapping_add(1);
        match self.places.get_mut(usize::from(slot.0)) {
            Some(place) if *place == NOWHERE => {
                self.list.push((slot, text));
                *place = u8::try_from(self.list.len()).unwrap_or(BEYOND);
            }
            Some(place) if *place != BEYOND => {
                let known = self.list.get_mut(usize::from(*place) - 1);
                known.expect("a place is that of a field").1 = text;
                self.n_resets = self.n_resets.wrapping_add(1);
            }
            _ => self.set_beyond(slot, text),
        }
    }

    #[cold]
    fn set_beyond(&mut self, slot: Slot, text: &'a str) {
        match self.beyond(slot).and_then(|at| self.list.get_mut(at)) {
            Some(known) => {
                known.1 = text;
                self.n_resets = self.n_resets.wrapping_add(1);
            }
            None => self.list.push((slot, text)),
        }
    }

    /// Sets several fields in their order. Mostly they are new: their places are then written at
    /// once.
    #[inline]
    pub(super) fn set_all<const N: usize>(&mut self, order: &Order<N>, texts: [&'a str; N]) {
        let n_before = self.list.len();
        let places = self.places.first_chunk_mut().filter(|_| n_before + N < usize::from(BEYOND));
        if let Some(places) = places
            && u128::from_le_bytes(*places) & order.all == 0
        {
            let before = order.ones * n_before as u128;
            *places = (u128::from_le_bytes(*places) | (order.places + before)).to_le_bytes();
            for (slot, text) in order.slots.iter().zip(&texts) {
                self.list.push((*slot, text));
            }
            self.n_sets = self.n_sets.wrapping_add(order.n_slots);
        } else {
            std::iter::zip(order.slots, texts).for_each(|(slot, text)| self.set(slot, text));
        }
    }

    #[inline]
    pub(super) fn now(&self) -> Moment {
        Moment { n_fields: self.list.len(), n_sets: self.n_sets, n_resets: self.n_resets }
    }

    /// Whether one of the fields that matter may have another text than at some time before: it is
    /// new, or fields have been set again.
    #[inline]
    pub(super) fn may_differ(&self, then: Moment, matters: impl Fn(Slot) -> bool) -> bool {
        if self.n_sets == then.n_sets {
            return false;
        }
        let new = self.list.get(then.n_fields..).unwrap_or_default();
        self.n_resets != then.n_resets || new.iter().any(|(new, _)| matters(*new))
    }

    /// The place in the list of a slot that no byte tells.
    #[cold]
    fn beyond(&self, slot: Slot) -> Option<usize> {
        self.list.iter().position(|(known, _)| *known == slot)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Slot, &'a str)> {
        self.as_slice().iter().copied()
    }

    pub(super) fn as_slice(&self) -> &[(Slot, &'a str)] {
        &self.list
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn are_a_map_that_keeps_the_order_of_first_setting(
            sets in prop::collection::vec((0_u16..400, "[a-c]{0,2}"), 0..600),
            before in prop_oneof![0_usize..4, 0_usize..600],
            at_once in 0_usize..3,
            n_slots in 0_usize..400,
        ) {
            const ORDER: Order<4> = Order::new([Slot(3), Slot(15), Slot(0), Slot(7)]);
            const TEXTS: [&str; 4] = ["d", "e", "f", "g"];
            let arena = Arena::new();
            let mut fields = Fields::new(&arena, n_slots);
            let (mut model, mut order) = (BTreeMap::new(), Vec::new());
            let all: Vec<_> = sets.iter().map(|(slot, text)| (Slot(*slot), &**text)).collect();
            // Some before, some behind, perhaps twice.
            let (first, left) = all.split_at(before.min(all.len()));
            first.iter().for_each(|(slot, text)| fields.set(*slot, text));
            let mut expected = first.to_vec();
            for _ in 0..at_once {
                fields.set_all(&ORDER, TEXTS);
                expected.extend(std::iter::zip(ORDER.slots, TEXTS));
            }
            expected.extend(left);
            let (then, known) = (fields.now(), fields.iter().collect::<BTreeMap<_, _>>());
            left.iter().for_each(|(slot, text)| fields.set(*slot, text));
            for slot in (0..400).map(Slot) {
                let differs = known.get(&slot).copied() != fields.get(slot);
                prop_assert!(fields.may_differ(then, |asked| asked == slot) || !differs);
            }
            prop_assert_eq!(fields.n_sets as usize, expected.len());
            for (Slot(slot), text) in &expected {
                if model.insert(*slot, &**text).is_none() {
                    order.push(*slot);
                }
            }
            for slot in 0..400 {
                prop_assert_eq!(fields.get(Slot(slot)), model.get(&slot).copied());
            }
            let found: Vec<_> = fields.iter().collect();
            let expected: Vec<_> = order.iter().map(|slot| (Slot(*slot), model[slot])).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
