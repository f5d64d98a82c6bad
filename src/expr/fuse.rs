//! Many literal tests of one field, decided together.
//!
//! Detection rules are chains of hundreds of `evt.Parsed.x contains '...' || ...`. Such tests
//! cannot fail and write nothing, so within a run of them the order does not matter: they are
//! sorted by field, the field is read once, and its substrings are searched for in one pass.

use aho_corasick::AhoCorasick;
use memchr::memmem::Finder;

use super::node::{Clause, Node, Set, Test};
use crate::value::Slot;

/// Fewer tests of one field than this are left as they are.
const FEWEST: usize = 3;

/// From this many substrings on, one pass for all is faster than a pass for each.
const MANY: usize = 4;

/// The clauses of a `||` in an order that gives the same result sooner.
pub(super) struct Plan {
    pub(super) steps: Box<[Step]>,
}

/// One step of a plan: true when the whole is true.
pub(super) enum Step {
    /// The clause of this number.
    Clause(usize),
    Group(Group),
}

/// Tests of one field.
pub(super) struct Group {
    pub(super) slot: Slot,
    equal: Set,
    starts: Box<[Box<str>]>,
    ends: Box<[Box<str>]>,
    contains: Contains,
}

enum Contains {
    Few(Box<[Finder<'static>]>),
    Many(AhoCorasick),
}

impl Group {
    /// Whether one of the tests holds for `text`.
    pub(super) fn matches(&self, text: &str) -> bool {
        let bytes = text.as_bytes();
        self.equal.contains(text)
            || self.starts.iter().any(|start| text.starts_with(&**start))
            || self.ends.iter().any(|end| text.ends_with(&**end))
            || match &self.contains {
                Contains::Few(finders) => finders.iter().any(|f| f.find(bytes).is_some()),
                Contains::Many(searcher) => searcher.is_match(bytes),
            }
    }
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
    let mut by_slot: Vec<(Slot, Vec<usize>)> = Vec::new();
    for index in run.clone() {
        if let Some((slot, _)) = groupable(&clauses[index]) {
            match by_slot.iter_mut().find(|(known, _)| *known == slot) {
                Some((_, members)) => members.push(index),
                None => by_slot.push((slot, vec![index])),
            }
        }
    }
    by_slot.retain(|(_, members)| members.len() >= FEWEST);
    for (slot, members) in &by_slot {
        let tests = members.iter().filter_map(|index| groupable(&clauses[*index]));
        let Some(group) = group(*slot, tests.map(|(_, test)| test)) else { return false };
        steps.push(Step::Group(group));
    }
    let grouped: std::collections::HashSet<usize> =
        by_slot.iter().flat_map(|(_, members)| members.iter().copied()).collect();
    steps.extend(run.filter(|index| !grouped.contains(index)).map(Step::Clause));
    !by_slot.is_empty()
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
    let contains = if contains.len() < MANY {
        let finders = contains.iter().map(|text| Finder::new(text.as_bytes()).into_owned());
        Contains::Few(finders.collect())
    } else {
        // Too many or too long texts: then the clauses do it one by one.
        Contains::Many(AhoCorasick::new(contains.iter().map(|text| text.as_bytes())).ok()?)
    };
    let (starts, ends) = (starts.into(), ends.into());
    Some(Group { slot, equal: Set::new(equal), starts, ends, contains })
}
