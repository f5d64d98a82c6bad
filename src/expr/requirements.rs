//! What must hold of an event for a program to matter, in words that people can read: what is wrong
//! with a filter is told by them. What rules are dispatched by is wider, see [`super::needs`].
//!
//! Invariant: when a requirement does not hold for an event, evaluating the program on it gives
//! false: not true, not a fault, and nothing was written.
//!
//! By induction over the tree, `of(node)` being a list of requirements with this property:
//! * A literal test of a field is itself the requirement: it reads one field and compares.
//! * `a && b && c`: let `r` be of `b`, and not hold. When everything before `b` is harmless (cannot
//!   fail, writes nothing, gives a bool), then evaluation either ends before `b`, with false and
//!   nothing written, or reaches `b`, which gives false. So the requirements of the clauses up to
//!   and including the first one that is not harmless are requirements of the whole.
//! * `a || b`: when one requirement of *each* operand does not hold, then each gives false in turn,
//!   nothing written. So for each field that every operand has a requirement for, "one of all
//!   their tests" is a requirement of the whole.
//! * `let x = a; b`: as for `&&`, when the statements are harmless, those of `b`.
//! * Everything else (`not`, `?:`, calls, tests that `not` negates) gives none.

use super::node::{Node, Test};
use crate::value::Slot;

/// A test of one field; a field that was never set counts as the empty text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Wanted {
    /// The field is this text.
    Equals(Box<str>),
    /// The field begins with this text.
    StartsWith(Box<str>),
    /// The field ends with this text.
    EndsWith(Box<str>),
    /// This text occurs in the field.
    Contains(Box<str>),
}

/// One field for which at least one test must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// The field.
    pub slot: Slot,
    /// The tests; sorted, without repetition, never empty.
    pub any: Box<[Wanted]>,
}

/// What must hold for a program to give true, to fail, or to write anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requirements {
    /// All of these must hold. A field may occur more than once.
    pub all: Vec<Requirement>,
}

impl Wanted {
    /// Whether it holds for the text of a field.
    #[must_use]
    pub fn holds(&self, text: &str) -> bool {
        match self {
            Wanted::Equals(wanted) => **wanted == *text,
            Wanted::StartsWith(wanted) => text.starts_with(&**wanted),
            Wanted::EndsWith(wanted) => text.ends_with(&**wanted),
            Wanted::Contains(wanted) => text.contains(&**wanted),
        }
    }
}

impl Requirement {
    /// Whether one of its tests holds for the text of the field.
    #[must_use]
    pub fn holds(&self, text: &str) -> bool {
        self.any.iter().any(|wanted| wanted.holds(text))
    }

    /// The texts that the field must be one of; `None` when a test is not of equality.
    #[must_use]
    pub fn equals(&self) -> Option<Vec<&str>> {
        self.any
            .iter()
            .map(|wanted| match wanted {
                Wanted::Equals(text) => Some(&**text),
                _ => None,
            })
            .collect()
    }
}

impl Requirements {
    /// Whether all hold; `field` gives the text of a field, or `None` when it was never set.
    pub fn hold<'f>(&self, mut field: impl FnMut(Slot) -> Option<&'f str>) -> bool {
        self.all
            .iter()
            .all(|requirement| requirement.holds(field(requirement.slot).unwrap_or_default()))
    }

    /// The texts that this field must be one of, if a requirement says so: the fewest, if
    /// several do.
    #[must_use]
    pub fn equals(&self, slot: Slot) -> Option<Vec<&str>> {
        self.all
            .iter()
            .filter(|requirement| requirement.slot == slot)
            .filter_map(Requirement::equals)
            .min_by_key(Vec::len)
    }
}

/// The requirements of a compiled expression.
pub(super) fn of(node: &Node) -> Requirements {
    let mut all = Vec::new();
    collect(node, &mut all);
    Requirements { all }
}

fn collect(node: &Node, all: &mut Vec<Requirement>) {
    match node {
        Node::SlotTest(slot, false, test) => {
            if let Some(any) = wanted(test) {
                all.push(Requirement { slot: *slot, any });
            }
        }
        Node::All(clauses) => {
            for clause in clauses {
                collect(&clause.node, all);
                if !clause.harmless {
                    break;
                }
            }
        }
        Node::Any(any) => {
            let mut branches = any.clauses.iter().map(|clause| {
                let mut branch = Vec::new();
                collect(&clause.node, &mut branch);
                branch
            });
            let Some(mut common) = branches.next() else { return };
            for branch in branches {
                // Of several requirements for one field, the first is as good as any.
                common.retain_mut(|requirement| {
                    let Some(other) = branch.iter().find(|other| other.slot == requirement.slot)
                    else {
                        return false;
                    };
                    let mut any = std::mem::take(&mut requirement.any).into_vec();
                    any.extend(other.any.iter().cloned());
                    requirement.any = any.into();
                    true
                });
                if common.is_empty() {
                    return;
                }
            }
            for requirement in &mut common {
                let mut any = std::mem::take(&mut requirement.any).into_vec();
                any.sort_unstable();
                any.dedup();
                requirement.any = any.into();
            }
            all.append(&mut common);
        }
        Node::Block(block) if block.harmless => collect(&block.value.node, all),
        _ => {}
    }
}

fn wanted(test: &Test) -> Option<Box<[Wanted]>> {
    Some(match test {
        Test::Is(text) => [Wanted::Equals(text.clone())].into(),
        Test::In(set) => set.texts().iter().cloned().map(Wanted::Equals).collect(),
        Test::Among(items) => {
            // A field is text: the other items of the list are equal to no field.
            let texts = items.iter().filter_map(|item| match item {
                Node::Text(text) => Some(Wanted::Equals(text.clone())),
                _ => None,
            });
            let mut any: Vec<Wanted> = texts.collect();
            if any.is_empty() {
                return None;
            }
            any.sort_unstable();
            any.dedup();
            any.into()
        }
        Test::Contains(text, _) => [Wanted::Contains(text.clone())].into(),
        Test::StartsWith(text) => [Wanted::StartsWith(text.clone())].into(),
        Test::EndsWith(text) => [Wanted::EndsWith(text.clone())].into(),
        Test::Matches(_) => return None,
    })
}
