//! Which scenarios an event could interest at all, found without evaluating their filters.
//!
//! Most filters begin with a demand such as `evt.Meta.log_type == 'ssh_failed-auth'`. Scenarios
//! are listed under the texts that one field must have, so an event meets those of its own kind,
//! however many others are loaded.
//!
//! Invariant: a scenario that is left out is one whose filter would be false.

use std::collections::HashMap;

use crate::value::Slot;

/// A demand that an event must meet for a filter to be true: a field is one of these texts. A
/// missing field is the text `""`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Demand {
    pub(super) slot: Slot,
    pub(super) texts: Vec<Box<str>>,
}

/// Scenarios by the texts that one of an event's fields must have.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// Those that any event may interest.
    always: Vec<u32>,
    by_field: Vec<(Slot, ByText)>,
    n_words: usize,
}

type ByText = HashMap<Box<str>, Vec<u32>>;

/// A set of scenarios, one bit each.
#[derive(Clone, Debug, Default)]
pub(super) struct Candidates {
    words: Vec<u64>,
}

impl Index {
    /// An index of scenarios by the demands of each, in load order.
    pub(super) fn new(demands: &[Vec<Demand>]) -> Self {
        // A field that many ask about is looked up once for all of them.
        let mut popularity: HashMap<Slot, usize> = HashMap::new();
        for demand in demands.iter().flatten() {
            *popularity.entry(demand.slot).or_default() += 1;
        }
        let mut index = Self { n_words: demands.len().div_ceil(64), ..Self::default() };
        for (id, demands) in demands.iter().enumerate() {
            let id = u32::try_from(id).expect("far fewer than 2^32 scenarios are loaded");
            let best = demands.iter().max_by_key(|demand| {
                (popularity.get(&demand.slot), std::cmp::Reverse(demand.slot))
            });
            let Some(best) = best else {
                index.always.push(id);
                continue;
            };
            let by_text = match index.by_field.iter_mut().position(|(slot, _)| *slot == best.slot) {
                Some(at) => &mut index.by_field[at].1,
                None => {
                    index.by_field.push((best.slot, ByText::new()));
                    &mut index.by_field.last_mut().expect("it was pushed").1
                }
            };
            for text in &best.texts {
                let ids = by_text.entry(text.clone()).or_default();
                if ids.last() != Some(&id) {
                    ids.push(id);
                }
            }
        }
        index
    }

    /// Collects the scenarios that an event with these fields could interest.
    pub(super) fn collect<'f>(
        &self,
        field: impl Fn(Slot) -> Option<&'f str>,
        found: &mut Candidates,
    ) {
        found.words.clear();
        found.words.resize(self.n_words, 0);
        let mut add = |ids: &[u32]| {
            for id in ids {
                if let Some(word) = found.words.get_mut(*id as usize / 64) {
                    *word |= 1 << (id % 64);
                }
            }
        };
        add(&self.always);
        for (slot, by_text) in &self.by_field {
            if let Some(ids) = by_text.get(field(*slot).unwrap_or_default()) {
                add(ids);
            }
        }
    }

    /// How many scenarios are looked at for every event.
    pub(super) fn n_always(&self) -> usize {
        self.always.len()
    }
}

impl Candidates {
    /// The first scenario at or after `from`, in load order.
    pub(super) fn next(&self, from: u32) -> Option<u32> {
        let mut at = from as usize / 64;
        let mut word = self.words.get(at)? & (u64::MAX << (from % 64));
        loop {
            if word != 0 {
                return u32::try_from(at * 64).ok().map(|base| base + word.trailing_zeros());
            }
            at += 1;
            word = *self.words.get(at)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn demand(slot: u16, texts: &[&str]) -> Demand {
        Demand { slot: Slot(slot), texts: texts.iter().map(|text| (*text).into()).collect() }
    }

    fn candidates(index: &Index, fields: &[(u16, &'static str)]) -> Vec<u32> {
        let mut found = Candidates::default();
        let field = |slot: Slot| fields.iter().find(|(at, _)| *at == slot.0).map(|(_, text)| *text);
        index.collect(field, &mut found);
        let mut all = Vec::new();
        let mut from = 0;
        while let Some(id) = found.next(from) {
            all.push(id);
            from = id + 1;
        }
        all
    }

    #[track_caller]
    fn check(demands: &[Vec<Demand>], fields: &[(u16, &'static str)], expected: &[u32]) {
        assert_eq!(candidates(&Index::new(demands), fields), expected);
    }

    #[test]
    fn finds_those_whose_demand_is_met() {
        let demands = [
            vec![demand(0, &["ssh"])],
            vec![],
            vec![demand(0, &["ssh", "ftp"]), demand(1, &["x"])],
            vec![demand(0, &["ftp", "ftp"])],
            vec![demand(2, &[""])],
        ];
        check(&demands, &[(0, "ssh")], &[0, 1, 2, 4]);
        check(&demands, &[(0, "ftp"), (2, "set")], &[1, 2, 3]);
        check(&demands, &[], &[1, 4]);
        check(&[], &[], &[]);
        assert_eq!(Index::new(&demands).n_always(), 1);
    }

    #[test]
    fn keeps_load_order_beyond_one_word() {
        let demands: Vec<_> =
            (0..200).map(|n| if n % 3 == 0 { vec![demand(0, &["a"])] } else { vec![] }).collect();
        check(&demands, &[(0, "a")], &(0..200).collect::<Vec<_>>());
        let rest: Vec<_> = (0..200).filter(|n| n % 3 != 0).collect();
        check(&demands, &[(0, "b")], &rest);
    }

    proptest! {
        #[test]
        fn never_loses_one_whose_demands_are_all_met(
            demands in prop::collection::vec(
                prop::collection::vec(
                    (0u16..4, prop::collection::vec(0usize..4, 1..3)), 0..3),
                0..150),
            fields in prop::collection::vec((0u16..4, 0usize..4), 0..4),
        ) {
            const TEXTS: [&str; 4] = ["", "a", "b", "c"];
            let demands: Vec<Vec<Demand>> = demands
                .into_iter()
                .map(|all| {
                    all.into_iter()
                        .map(|(slot, texts)| {
                            demand(slot, &texts.iter().map(|at| TEXTS[*at]).collect::<Vec<_>>())
                        })
                        .collect()
                })
                .collect();
            let fields: Vec<_> = fields.into_iter().map(|(slot, at)| (slot, TEXTS[at])).collect();
            let found = candidates(&Index::new(&demands), &fields);
            prop_assert!(found.is_sorted());
            for (id, demands) in demands.iter().enumerate() {
                let met = demands.iter().all(|demand| {
                    let field = fields.iter().find(|(slot, _)| *slot == demand.slot.0);
                    demand.texts.iter().any(|text| &**text == field.map_or("", |(_, text)| text))
                });
                let is_found = found.contains(&u32::try_from(id).unwrap());
                prop_assert!(!met || is_found);
            }
        }
    }
}
