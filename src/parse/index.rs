//! Which nodes of a stage can match an event at all, found without evaluating their filters.
//!
//! Most filters demand that some field has one of a few values (`evt.Parsed.program == 'sshd'`).
//! The nodes of a stage are listed under the values they demand of the few fields that are asked
//! for most; a node without such a demand is always a candidate.
//!
//! Invariant: the candidates are given in load order, and no node whose filter would pass, or
//! would change anything when evaluated, is left out, also when an earlier node of the same stage
//! changes one of those fields.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::node::Node;
use crate::event::Event;
use crate::value::Slot;

/// How many fields nodes are listed by.
const N_KEYS: usize = 4;

/// What a filter demands: the field has one of these values. A field that was never set has the
/// value `""`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Demand {
    pub(super) slot: Slot,
    pub(super) values: Vec<Box<str>>,
}

/// The nodes of a stage by what they demand.
#[derive(Debug)]
pub(super) struct Index {
    always: Vec<usize>,
    keys: Vec<Key>,
}

#[derive(Debug)]
struct Key {
    slot: Slot,
    nodes: HashMap<Box<str>, Vec<usize>, BuildHasherDefault<Fnv>>,
}

/// Walks through the candidates for one event.
pub(super) struct Candidates<'i, 'a> {
    index: &'i Index,
    /// The first node that was not looked at yet.
    from: usize,
    always: &'i [usize],
    keyed: [(&'i [usize], &'a str); N_KEYS],
}

impl Index {
    pub(super) fn of(nodes: &[Node]) -> Self {
        Self::from_demands(
            nodes.iter().map(|node| node.filter.as_ref().map(|f| f.demands()).unwrap_or_default()),
        )
    }

    fn from_demands(nodes: impl Iterator<Item = Vec<Demand>>) -> Self {
        let demands: Vec<_> = nodes.collect();
        let mut popular: Vec<(Slot, usize)> = Vec::new();
        for demand in demands.iter().flatten() {
            match popular.iter_mut().find(|(slot, _)| *slot == demand.slot) {
                Some((_, n)) => *n += 1,
                None => popular.push((demand.slot, 1)),
            }
        }
        popular.sort_by_key(|(slot, n)| (std::cmp::Reverse(*n), *slot));
        let mut keys: Vec<Key> = popular
            .iter()
            .take(N_KEYS)
            .map(|(slot, _)| Key { slot: *slot, nodes: HashMap::default() })
            .collect();
        let mut always = Vec::new();
        for (number, demands) in demands.iter().enumerate() {
            let listed = keys.iter_mut().find_map(|key| {
                demands.iter().find(|demand| demand.slot == key.slot).map(|demand| (key, demand))
            });
            let Some((key, demand)) = listed else {
                always.push(number);
                continue;
            };
            for value in &demand.values {
                let nodes = key.nodes.entry(value.clone()).or_default();
                if nodes.last() != Some(&number) {
                    nodes.push(number);
                }
            }
        }
        Self { always, keys }
    }

    /// The candidates for an event.
    pub(super) fn candidates<'a>(&self, event: &Event<'a>) -> Candidates<'_, 'a> {
        let mut keyed: [(&[usize], &str); N_KEYS] = [(&[], ""); N_KEYS];
        for (key, place) in self.keys.iter().zip(&mut keyed) {
            let value = event.get(key.slot).unwrap_or_default();
            *place = (key.list(value), value);
        }
        Candidates { index: self, from: 0, always: &self.always, keyed }
    }
}

impl Key {
    fn list(&self, value: &str) -> &[usize] {
        self.nodes.get(value).map(Vec::as_slice).unwrap_or_default()
    }
}

impl<'a> Candidates<'_, 'a> {
    /// The next candidate, for the event as it is now.
    pub(super) fn next(&mut self, event: &Event<'a>) -> Option<usize> {
        let mut best = first_from(&mut self.always, self.from);
        for (key, (list, value)) in self.index.keys.iter().zip(&mut self.keyed) {
            let now = event.get(key.slot).unwrap_or_default();
            if !std::ptr::eq(now, *value) && now != *value {
                (*list, *value) = (key.list(now), now);
            }
            best = match (best, first_from(list, self.from)) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
        }
        self.from = best? + 1;
        best
    }
}

/// Drops what lies before `from` off an ascending list, and gives the first number left.
fn first_from(list: &mut &[usize], from: usize) -> Option<usize> {
    while let [first, rest @ ..] = list {
        if *first >= from {
            return Some(*first);
        }
        *list = rest;
    }
    None
}

/// FNV-1a: quick for the short words that programs are named by. The words in the table come from
/// rules, so a hostile line cannot make them collide.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::{Kind, Mode};
    use crate::value::{Arena, Names, Section, Time};

    fn demand(slot: Slot, values: &[&str]) -> Demand {
        Demand { slot, values: values.iter().map(|value| (*value).into()).collect() }
    }

    #[test]
    fn a_field_that_changes_on_the_way_changes_the_candidates() {
        let (arena, mut names) = (Arena::new(), Names::new());
        let program = names.intern(Section::Parsed, "program").unwrap();
        let index = Index::from_demands(
            [
                vec![demand(program, &["a", "b"])],
                vec![],
                vec![demand(program, &["c"])],
                vec![demand(program, &["a"])],
                vec![demand(program, &["", "c"])],
            ]
            .into_iter(),
        );
        let event = Event::new(&arena, &names, Kind::Log, Mode::Live, Time::from_seconds(0));
        let run = |change_at: Option<usize>| {
            let mut candidates = index.candidates(event);
            let mut found = Vec::new();
            while let Some(number) = candidates.next(event) {
                found.push(number);
                if change_at == Some(number) {
                    event.set(program, "c");
                }
            }
            found
        };
        assert_eq!(run(None), [1, 4]);
        event.set(program, "a");
        assert_eq!(run(None), [0, 1, 3]);
        assert_eq!(run(Some(1)), [0, 1, 2, 4]);
    }

    proptest! {
        #[test]
        fn exactly_those_are_left_out_that_cannot_match(
            nodes in prop::collection::vec(
                prop::collection::vec((0_u16..6, prop::collection::vec(0_usize..3, 1..3)), 0..3),
                0..12,
            ),
            values in prop::collection::vec(0_usize..3, 6),
        ) {
            let words = ["", "x", "y"];
            let (arena, mut names) = (Arena::new(), Names::new());
            for slot in 0..6 {
                names.intern(Section::Parsed, &slot.to_string()).unwrap();
            }
            let event = Event::new(&arena, &names, Kind::Log, Mode::Live, Time::from_seconds(0));
            for (slot, word) in (0_u16..).zip(&values) {
                event.set(Slot(slot), words[*word]);
            }
            let nodes: Vec<Vec<Demand>> = nodes.iter().map(|demands| {
                demands.iter().map(|(slot, values)| {
                    let values: Vec<_> = values.iter().map(|word| words[*word]).collect();
                    demand(Slot(*slot), &values)
                }).collect()
            }).collect();
            let index = Index::from_demands(nodes.iter().cloned());
            let mut candidates = index.candidates(event);
            let mut found = Vec::new();
            while let Some(number) = candidates.next(event) {
                found.push(number);
            }
            prop_assert!(found.is_sorted());
            for (number, demands) in nodes.iter().enumerate() {
                let can = demands.iter().all(|demand| {
                    let now = event.get(demand.slot).unwrap_or_default();
                    demand.values.iter().any(|value| **value == *now)
                });
                prop_assert!(found.contains(&number) || !can);
            }
        }
    }
}
