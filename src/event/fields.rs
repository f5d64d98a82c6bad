//! The fields of one event: a few dozen texts, each found by its slot at once.
//!
//! Looking for a field is what rules do most. A byte for every slot that the loaded rules know
//! says where its text is, so that neither the number of fields nor that of rules matters; events
//! with more fields than a byte can count are searched for the rest.

use std::cell::Cell;

use bumpalo::collections::Vec as ArenaVec;

use crate::value::{Arena, Slot};

/// The place of a slot that was never set.
const NOWHERE: u8 = 0;
/// The field is behind those that a byte can tell.
const BEYOND: u8 = u8::MAX;

/// Slots and texts, in the order in which they were first set.
pub(super) struct Fields<'a> {
    /// For each slot its place, counted from one.
    places: &'a [Cell<u8>],
    list: ArenaVec<'a, (Slot, &'a str)>,
    /// How often a field was set.
    n_sets: u32,
}

impl<'a> Fields<'a> {
    /// No fields yet, of `n_slots` that there are names for.
    pub(super) fn new(arena: &'a Arena, n_slots: usize) -> Self {
        let places = arena.alloc_slice_fill_copy(n_slots, NOWHERE);
        Self {
            places: Cell::from_mut(places).as_slice_of_cells(),
            list: ArenaVec::with_capacity_in(32, arena),
            n_sets: 0,
        }
    }

    #[inline]
    pub(super) fn get(&self, slot: Slot) -> Option<&'a str> {
        let place = self.places.get(usize::from(slot.0)).map(Cell::get);
        match place {
            Some(NOWHERE) => None,
            Some(place) if place != BEYOND => Some(self.list.get(usize::from(place) - 1)?.1),
            _ => self.beyond(slot).and_then(|at| self.list.get(at)).map(|(_, text)| *text),
        }
    }

    #[inline]
    pub(super) fn set(&mut self, slot: Slot, text: &'a str) {
        self.n_sets = self.n_sets.wrapping_add(1);
        let place = self.places.get(usize::from(slot.0)).map(Cell::get);
        let known = match place {
            Some(NOWHERE) => None,
            Some(place) if place != BEYOND => Some(usize::from(place) - 1),
            _ => self.beyond(slot),
        };
        match known.and_then(|at| self.list.get_mut(at)) {
            Some(known) => known.1 = text,
            None => self.push(slot, text),
        }
    }

    /// How often a field was set.
    pub(super) fn n_sets(&self) -> u32 {
        self.n_sets
    }

    fn push(&mut self, slot: Slot, text: &'a str) {
        self.list.push((slot, text));
        if let Some(place) = self.places.get(usize::from(slot.0)) {
            place.set(u8::try_from(self.list.len()).unwrap_or(BEYOND));
        }
    }

    /// The place in the list of a slot that no byte tells.
    #[cold]
    fn beyond(&self, slot: Slot) -> Option<usize> {
        self.list.iter().position(|(known, _)| *known == slot)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Slot, &'a str)> {
        self.list.iter().copied()
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
            n_slots in 0_usize..400,
        ) {
            let arena = Arena::new();
            let mut fields = Fields::new(&arena, n_slots);
            let (mut model, mut order) = (BTreeMap::new(), Vec::new());
            for (slot, text) in &sets {
                fields.set(Slot(*slot), text);
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
