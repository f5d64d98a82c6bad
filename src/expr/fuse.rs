//! Many literal tests of one field, decided together.
//!
//! Detection rules are chains of hundreds of `evt.Parsed.x contains '...' || ...`. Such tests
//! cannot fail and write nothing, so within a run of them the order does not matter: they are
//! sorted by field, the field is read once, and its substrings are searched for in one pass. So
//! are `IpInRange(evt.Meta.x, '...') || ...`: one address, looked for in all ranges at once.

use std::collections::HashSet;

use ipnet::IpNet;

use super::functions::address;
use super::node::{Clause, Literal, Node, Set, Test};
use super::search::Parts;
use crate::value::{Ranges, Slot};

/// Fewer tests of one field than this are left as they are.
const FEWEST: usize = 3;

/// The clauses of a `||` in an order that gives the same result sooner.
pub(super) struct Plan {
    pub(super) steps: Box<[Step]>,
}

/// One step of a plan: true when the whole is true.
pub(super) enum Step {
    /// The clause of this number.
    Clause(usize),
    Group(Group),
    /// Whether the address in a field is in one of these ranges.
    Ranges(Slot, Ranges),
}

/// Tests of one field.
pub(super) struct Group {
    pub(super) slot: Slot,
    equal: Set,
    starts: Box<[Box<str>]>,
    ends: Box<[Box<str>]>,
    contains: Parts,
}

impl Group {
    /// Whether one of the tests holds for `text`.
    pub(super) fn matches(&self, text: &str) -> bool {
        self.equal.contains(text)
            || self.starts.iter().any(|start| text.starts_with(&**start))
            || self.ends.iter().any(|end| text.ends_with(&**end))
            || self.contains.any_in(text)
    }
}

/// Whether a text is an address in one of the ranges.
pub(super) fn in_ranges(ranges: &Ranges, text: &str) -> bool {
    address::address(text).is_some_and(|address| ranges.contain(address))
}

/// The plan for the clauses of a `||`, if it is worth one.
pub(super) fn plan(clauses: &[Clause]) -> Option<Plan> {
    let mut steps = Vec::new();
    let mut has_groups = false;
    let mut rest = 0..0;
    while rest.end < clauses.len() {
        let start = rest.end;
        let length = clauses[start..].iter().take_while(|clause| clause.harmless).count();
        rest = start..start + length.max(1);
        has_groups |= sort(clauses, rest.clone(), &mut steps);
    }
    has_groups.then(|| Plan { steps: steps.into() })
}

/// Adds the steps for a run of clauses whose order does not matter.
fn sort(clauses: &[Clause], run: std::ops::Range<usize>, steps: &mut Vec<Step>) -> bool {
    let in_run = |index: &usize| &clauses[*index];
    let tests = by_slot(run.clone(), |index| groupable(in_run(index)).map(|(slot, _)| slot));
    let ranges = by_slot(run.clone(), |index| in_range(in_run(index)).map(|(slot, _)| slot));
    let mut grouped: HashSet<usize> = HashSet::new();
    for (slot, members) in tests.iter().filter(|(_, members)| members.len() >= FEWEST) {
        let tests = members.iter().filter_map(|index| groupable(in_run(index)));
        let Some(group) = group(*slot, tests.map(|(_, test)| test)) else { continue };
        steps.push(Step::Group(group));
        grouped.extend(members);
    }
    for (slot, members) in ranges.iter().filter(|(_, members)| members.len() > 1) {
        let ranges = members.iter().filter_map(|index| in_range(in_run(index)));
        steps.push(Step::Ranges(*slot, Ranges::new(ranges.map(|(_, range)| range))));
        grouped.extend(members);
    }
    steps.extend(run.filter(|index| !grouped.contains(index)).map(Step::Clause));
    !grouped.is_empty()
}

/// The clauses of a run by the fields that they are about.
fn by_slot(
    run: std::ops::Range<usize>,
    slot_of: impl Fn(&usize) -> Option<Slot>,
) -> Vec<(Slot, Vec<usize>)> {
    let mut by_slot: Vec<(Slot, Vec<usize>)> = Vec::new();
    for index in run {
        let Some(slot) = slot_of(&index) else { continue };
        match by_slot.iter_mut().find(|(known, _)| *known == slot) {
            Some((_, members)) => members.push(index),
            None => by_slot.push((slot, vec![index])),
        }
    }
    by_slot
}

/// The field and the range of an `IpInRange` that cannot fail.
fn in_range(clause: &Clause) -> Option<(Slot, IpNet)> {
    match &clause.node {
        Node::Call(call) if clause.harmless => match (&*call.arguments, &call.known) {
            ([Node::Slot(slot), _], Literal::Range(range)) => Some((*slot, *range)),
            _ => None,
        },
        _ => None,
    }
}

fn groupable(clause: &Clause) -> Option<(Slot, &Test)> {
    match &clause.node {
        Node::SlotTest(slot, false, test) if clause.harmless => match &**test {
            Test::Matches(_) | Test::Among(_) => None,
            test => Some((*slot, test)),
        },
        _ => None,
    }
}

fn group<'t>(slot: Slot, tests: impl Iterator<Item = &'t Test>) -> Option<Group> {
    let (mut equal, mut starts, mut ends, mut contains) = (vec![], vec![], vec![], vec![]);
    for test in tests {
        match test {
            Test::Is(text) => equal.push(text.clone()),
            Test::In(set) => equal.extend(set.texts().iter().cloned()),
            Test::StartsWith(text) => starts.push(text.clone()),
            Test::EndsWith(text) => ends.push(text.clone()),
            Test::Contains(text, _) => contains.push(text.clone()),
            Test::Among(_) | Test::Matches(_) => return None,
        }
    }
    let contains = Parts::new(contains.into());
    let (starts, ends) = (starts.into(), ends.into());
    Some(Group { slot, equal: Set::new(equal), starts, ends, contains })
}
