//! A comparison of what a backend has with what is wanted, in small steps.
//!
//! Listing 100,000 elements takes a few hundred milliseconds, and bans must not wait for it. So
//! edits go on meanwhile, and the list is no picture of one moment: nothing is concluded from it
//! about an element that was edited since it began, nor about a range that overlaps one. A list that
//! is read while something changes may also miss an element, which is why differences are asked
//! after once more, one by one, before they are believed.
//!
//! Pure: whom to ask is a parameter, and so is the time.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;

use super::backend::{Error, Precision};
use super::edited::Edited;
use super::element::{Edit, Element, Held};
use super::reconcile;
use super::wanted::Wanted;
use crate::value::Time;

/// Differences that are asked after. When there are more, somebody emptied a set, and asking would
/// only take its time.
const MOST_RECHECKED: usize = 1000;

/// Answers which of some elements there are now, or `None` when that cannot be told.
pub(super) type Recheck<'a> = &'a mut dyn FnMut(&[Element]) -> Result<Option<Vec<Held>>, Error>;

/// A comparison under way: first it hears what there is, then it compares.
#[derive(Debug)]
pub(super) struct Comparison {
    held: BTreeMap<Element, Option<Time>>,
    edited: Edited,
    /// Where comparing goes on.
    next: Element,
    rechecked: usize,
    precision: Option<Precision>,
}

/// What a step of comparing found. The differences are among the wanted edits already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// Differences that no order explains.
    pub(super) drift: usize,
    /// Whether it was the last one.
    pub(super) is_last: bool,
}

impl Comparison {
    /// A comparison in which ends count that exactly, or not at all.
    pub(super) fn new(precision: Option<Precision>) -> Self {
        Self {
            held: BTreeMap::new(),
            edited: Edited::default(),
            next: Element::LOWEST,
            rechecked: 0,
            precision,
        }
    }

    /// Takes in what was listed.
    pub(super) fn hear(&mut self, held: impl IntoIterator<Item = Held>) {
        self.held.extend(held.into_iter().map(|held| (held.element, held.until)));
    }

    /// These edits were carried out.
    pub(super) fn note(&mut self, edits: &[Edit]) {
        for edit in edits {
            self.edited.add(edit.element());
        }
    }

    /// Compares about `most` further elements, when all was heard, and has `wanted` correct what
    /// differs.
    ///
    /// # Errors
    /// What asking says.
    pub(super) fn step(
        &mut self,
        wanted: &mut Wanted,
        now: Time,
        most: usize,
        recheck: Recheck<'_>,
    ) -> Result<Step, Error> {
        let from = self.next;
        let ends = [
            wanted.elements_from(from, now).nth(most).map(|(element, _)| element),
            self.held.range(from..).nth(most).map(|(element, _)| *element),
        ];
        let end = ends.into_iter().flatten().min();
        let is_inside = |element: &Element| end.is_none_or(|end| *element < end);
        let is_open = |element: &Element| !self.edited.touches(*element);
        // What was asked for and not carried out yet is no drift.
        let fresh = wanted.forget_edits(from, end, is_open);
        let held = self.held.range(from..).map(|(element, until)| (*element, *until));
        let held = held.take_while(|(element, _)| is_inside(element));
        let held = held.filter(|(element, _)| is_open(element));
        let held = held.map(|(element, until)| Held { element, until });
        let here = wanted.elements_from(from, now).take_while(|(element, _)| is_inside(element));
        let here = here.filter(|(element, _)| is_open(element));
        let mut edits = reconcile::diff(here, held, now, self.precision);
        // What was forgotten may be there although the list missed it.
        let mut elements = fresh.clone();
        elements.extend(edits.iter().map(|edit| edit.element()));
        elements.sort_unstable();
        elements.dedup();
        self.rechecked = self.rechecked.saturating_add(elements.len());
        if !elements.is_empty()
            && self.rechecked <= MOST_RECHECKED
            && let Some(held) = recheck(&elements)?
        {
            let again = elements.iter();
            let again = again.filter_map(|element| Some((*element, wanted.until(*element)?)));
            let again = again.filter(|(_, until)| *until > now);
            edits = reconcile::diff(again, held, now, self.precision);
        }
        let is_fresh = |edit: &&Edit| fresh.binary_search(&edit.element()).is_ok();
        let drift = edits.len() - edits.iter().filter(is_fresh).count();
        wanted.correct(&edits);
        match end {
            Some(end) => self.next = end,
            None => self.held.clear(),
        }
        Ok(Step { drift, is_last: end.is_none() })
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::super::backend::Shape;
    use super::*;
    use crate::decision::{Allowlist, Target};
    use crate::ledger::{Ban, Change};

    const NOW: Time = Time::from_seconds(0);
    const EXACT: Precision = Precision {
        tolerance: std::time::Duration::ZERO,
        longest: std::time::Duration::from_secs(1_000_000_000),
    };

    /// Something that happens while a comparison is under way.
    #[derive(Clone, Copy, Debug)]
    enum Event {
        /// An order: a ban until then, or the end of one.
        Order(Target, Option<i64>),
        /// Edits are carried out, so many single addresses at most.
        CarryOut(usize),
        /// So many elements are listed; an element is missed when the list is a bad one.
        List(usize, bool),
        /// So many elements are compared.
        Compare(usize),
    }

    fn target() -> impl Strategy<Value = Target> {
        (0..32_u8, 27..=32_u8).prop_map(|(low, length)| {
            let net = ipnet::Ipv4Net::new([10, 0, 0, low].into(), length).unwrap().trunc();
            Allowlist::default().admit(net.into()).unwrap()
        })
    }

    fn event() -> impl Strategy<Value = Event> {
        prop_oneof![
            3 => (target(), prop::option::of(1..20_i64)).prop_map(|(t, until)| Event::Order(t, until)),
            2 => (0..4_usize).prop_map(Event::CarryOut),
            3 => (1..5_usize, any::<bool>()).prop_map(|(n, is_bad)| Event::List(n, is_bad)),
            3 => (0..4_usize).prop_map(Event::Compare),
        ]
    }

    fn order((target, until): (Target, Option<i64>)) -> Change {
        match until {
            Some(until) => Change::Ban(vec![Ban { target, until: Time::from_seconds(until) }]),
            None => Change::Unban(vec![target]),
        }
    }

    /// A kernel that refuses what makes no sense, and a listing of it.
    #[derive(Default)]
    struct Kernel {
        elements: BTreeMap<Element, Time>,
        listed_to: Option<Element>,
        is_listed: bool,
    }

    impl Kernel {
        fn apply(&mut self, edits: &[Edit]) -> Result<(), String> {
            for edit in edits {
                let before = match *edit {
                    Edit::Update(element, _) | Edit::Remove(element) => {
                        self.elements.remove(&element)
                    }
                    Edit::Add(..) => continue,
                };
                before.ok_or(format!("{edit:?} of what is not there"))?;
            }
            for edit in edits {
                let (Edit::Add(element, until) | Edit::Update(element, until)) = *edit else {
                    continue;
                };
                if self.elements.insert(element, until).is_some() {
                    return Err(format!("{edit:?} of what is there"));
                }
            }
            let ranges = self.elements.keys().filter(|e| matches!(e, Element::Range(..)));
            let ranges: Vec<_> = ranges.collect();
            match ranges.windows(2).all(|pair| pair[0].last() < pair[1].first()) {
                true => Ok(()),
                false => Err(format!("{ranges:?} overlap")),
            }
        }

        fn list(&mut self, most: usize) -> Vec<Held> {
            let all =
                self.elements.iter().filter(|(e, _)| self.listed_to.is_none_or(|to| **e > to));
            let some: Vec<_> = all.map(|(e, until)| (*e, *until)).take(most).collect();
            self.is_listed = some.len() < most;
            self.listed_to = some.last().map(|(e, _)| *e).or(self.listed_to);
            let held = some.into_iter();
            held.map(|(element, until)| Held { element, until: Some(until) }).collect()
        }

        fn recheck(&self, elements: &[Element]) -> Vec<Held> {
            let held = |element: &Element| {
                let until = Some(*self.elements.get(element)?);
                Some(Held { element: *element, until })
            };
            elements.iter().filter_map(held).collect()
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]
        /// Whatever is ordered and carried out while the list is read: no edit of the comparison is
        /// wrong, none is missing, and without a stranger there are none.
        #[test]
        fn edits_during_a_listing_never_make_wrong_ones(
            before in vec((target(), 1..20_i64), 0..8),
            strange in vec((0..40_u8, 0..6_u8, prop::option::of(1..20_i64)), 0..5),
            events in vec(event(), 0..40),
        ) {
            let mut wanted = Wanted::new(Shape::Ranges, true);
            let mut kernel = Kernel::default();
            for (target, until) in before {
                wanted.change(&order((target, Some(until))));
            }
            kernel.apply(&wanted.take_edits(NOW, 1000, true)).unwrap();
            // A stranger was there before the comparison.
            let mut is_strange = false;
            for (low, more, until) in strange {
                let address = |low: u8| IpAddr::from([10, 0, 0, low]);
                let element = match more {
                    0 => Element::Host(address(low)),
                    more => Element::Range(address(low), address(low + more)),
                };
                let overlaps = |e: &Element| matches!(e, Element::Range(..))
                    && e.first() <= element.last() && element.first() <= e.last();
                if more > 0 {
                    kernel.elements.retain(|e, _| !overlaps(e));
                }
                match until {
                    Some(until) => kernel.elements.insert(element, Time::from_seconds(until)),
                    None => kernel.elements.remove(&element),
                };
                is_strange = true;
            }
            let mut comparison = Comparison::new(Some(EXACT));
            let (mut drift, mut is_compared) = (0, false);
            let end = [Event::List(1000, false), Event::Compare(1000), Event::CarryOut(1000)];
            for event in events.into_iter().chain(end) {
                match event {
                    Event::Order(target, until) => wanted.change(&order((target, until))),
                    Event::CarryOut(most) => {
                        let is_comparing = kernel.is_listed && !is_compared;
                        let edits = wanted.take_edits(NOW, most, !is_comparing);
                        // Before a stranger's deeds are known the kernel may refuse; the loop then
                        // begins anew.
                        if let Err(error) = kernel.apply(&edits) {
                            prop_assert!(is_strange && !is_compared, "{}", error);
                            return Ok(());
                        }
                        comparison.note(&edits);
                    }
                    Event::List(most, is_bad) => {
                        if !kernel.is_listed {
                            let mut held = kernel.list(most);
                            // A stranger's element that is missed is found the next time.
                            let wanted = |held: &Held| wanted.until(held.element).is_some();
                            if let Some(missed) = held.iter().position(wanted).filter(|_| is_bad) {
                                held.remove(missed);
                            }
                            comparison.hear(held);
                        }
                    }
                    Event::Compare(most) => {
                        if kernel.is_listed && !is_compared {
                            let mut recheck = |e: &[Element]| Ok(Some(kernel.recheck(e)));
                            let step = comparison.step(&mut wanted, NOW, most, &mut recheck).unwrap();
                            drift += step.drift;
                            is_compared = step.is_last;
                        }
                    }
                }
            }
            prop_assert!(is_compared && !wanted.is_touched());
            prop_assert!(is_strange || drift == 0, "{} differences of nobody's making", drift);
            let held: Vec<_> = kernel.elements.into_iter().collect();
            prop_assert_eq!(held, wanted.elements(NOW).collect::<Vec<_>>());
        }
    }
}
