//! What must hold of the fields of an event for a program to matter, as far as it can be tested
//! without evaluating anything. It is wider than [`super::requirements`], which says what a rule
//! asks for in words that people can read: a need may be about several fields, and may hold
//! although the condition that it stands for does not.
//!
//! Invariant: when a need does not hold for an event, evaluating the program on it gives false: not
//! true, not a fault, and nothing was written. When the needs are exact and all hold, it gives true,
//! and writes nothing.
//!
//! The induction is that of [`super::requirements`], with these steps beside:
//! * A test of a field, or of what a function that cannot fail makes of it, needs whatever follows
//!   from the test for the field's own text: `Upper(x) == 'SSH'` that `x` is `ssh` but for the case
//!   of letters, `x matches '^abc'` that it begins so, `Upper(x) contains 'ABCD'` that it has a
//!   byte, `x != ''` too.
//! * `a || b`: when one need of *each* operand does not hold, each gives false in turn, nothing
//!   written, whatever fields they are about.
//! * `if a { b } else { false }`: the needs of `a`, for when one of them does not hold the value is
//!   the last; and, when `a` is harmless, those of `b`.

use super::node::{CallNode, Node, Operation, Test};
use crate::value::Slot;

/// What must hold of the text of a field; one that was never set counts as the empty text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Hint {
    /// It is this text.
    Equals(Box<str>),
    /// It begins with this text.
    StartsWith(Box<str>),
    /// It ends with this text.
    EndsWith(Box<str>),
    /// But for the case of letters it is this text.
    Resembles(Box<str>),
    /// But for the case of letters it begins with this text.
    BeginsLike(Box<str>),
    /// This text occurs in it.
    Contains(Box<str>),
    /// It has at least so many bytes.
    AtLeast(usize),
}

/// All that must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Needs {
    pub(super) all: Vec<Need>,
    /// Whether that is enough.
    pub(super) exact: bool,
}

/// Fields and hints, of which one at least must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Need {
    pub(super) any: Vec<(Slot, Hint)>,
}

impl Hint {
    /// Whether it holds for a text.
    pub(super) fn holds(&self, text: &str) -> bool {
        match self {
            Self::Equals(wanted) => **wanted == *text,
            Self::StartsWith(wanted) => text.starts_with(&**wanted),
            Self::EndsWith(wanted) => text.ends_with(&**wanted),
            // Beyond ASCII letters change their length with their case.
            Self::Resembles(wanted) => text.eq_ignore_ascii_case(wanted) || !text.is_ascii(),
            Self::BeginsLike(wanted) => {
                let start = text.as_bytes().get(..wanted.len());
                start.is_some_and(|start| start.eq_ignore_ascii_case(wanted.as_bytes()))
                    || !text.is_ascii()
            }
            Self::Contains(wanted) => text.contains(&**wanted),
            Self::AtLeast(length) => text.len() >= *length,
        }
    }

    /// How little it leaves: the less, the better.
    pub(super) fn rank(&self) -> u8 {
        match self {
            Self::Equals(text) if !text.is_empty() => 0,
            Self::Resembles(_) | Self::StartsWith(_) | Self::BeginsLike(_) => 1,
            Self::EndsWith(_) => 2,
            // Most fields are not set in most events.
            Self::Contains(_) | Self::AtLeast(_) => 3,
            Self::Equals(_) => 4,
        }
    }
}

impl Need {
    /// The rank of the hint that leaves the most.
    pub(super) fn rank(&self) -> u8 {
        self.any.iter().map(|(_, hint)| hint.rank()).max().unwrap_or(u8::MAX)
    }

    fn is_about(&self, slot: Slot) -> bool {
        self.any.iter().all(|(own, _)| *own == slot)
    }
}

/// The needs of a compiled expression.
pub(super) fn of(node: &Node) -> Needs {
    let mut all = Vec::new();
    let exact = collect(node, &mut all);
    Needs { all, exact }
}

/// Adds the needs of a node; gives whether it is true when all of those hold.
fn collect(node: &Node, all: &mut Vec<Need>) -> bool {
    match node {
        Node::SlotTest(slot, negated, test) => {
            add(Subject { slot: *slot, change: Change::None }, *negated, test, all)
        }
        Node::Operation(left, operation) => match (subject(left), &**operation) {
            (Some(subject), Operation::Test(negated, test)) => add(subject, *negated, test, all),
            _ => false,
        },
        Node::Not(clause) => match &clause.node {
            Node::SlotTest(slot, negated, test) => {
                add(Subject { slot: *slot, change: Change::None }, !negated, test, all)
            }
            Node::Not(inner) => collect(&inner.node, all),
            _ => false,
        },
        Node::All(clauses) => {
            let mut exact = true;
            for clause in clauses {
                exact &= collect(&clause.node, all);
                if !clause.harmless {
                    return false;
                }
            }
            exact
        }
        Node::Any(any) => {
            let branches = any.clauses.iter().map(|clause| of(&clause.node));
            alternatives(&branches.collect::<Vec<_>>(), all)
        }
        Node::Choice(arms, otherwise) => {
            if let ([(condition, Some(then))], Node::Bool(false)) = (&**arms, &**otherwise) {
                collect(&condition.node, all);
                if condition.harmless {
                    collect(then, all);
                }
            }
            false
        }
        Node::Block(block) if block.harmless => {
            collect(&block.value.node, all);
            false
        }
        _ => false,
    }
}

/// Adds what alternatives with these needs need; gives whether one is true when that holds.
fn alternatives(branches: &[Needs], all: &mut Vec<Need>) -> bool {
    let Some((first, rest)) = branches.split_first() else { return false };
    let before = all.len();
    // A need about one field is looked up with the others about it.
    for need in &first.all {
        let Some((slot, _)) = need.any.first().filter(|(slot, _)| need.is_about(*slot)) else {
            continue;
        };
        let same = |branch: &Needs| branch.all.iter().find(|need| need.is_about(*slot)).cloned();
        let others: Option<Vec<Need>> = rest.iter().map(same).collect();
        if let Some(others) = others {
            let any = std::iter::once(need).chain(&others).flat_map(|need| need.any.clone());
            all.push(Need { any: any.collect() });
        }
    }
    if all.len() == before {
        let best = branches.iter().map(|branch| branch.all.iter().min_by_key(|need| need.rank()));
        if let Some(best) = best.collect::<Option<Vec<_>>>() {
            all.push(Need { any: best.into_iter().flat_map(|need| need.any.clone()).collect() });
        }
    }
    // Where each has but one need, they are joined in one, and the one that holds is enough.
    branches.iter().all(|branch| branch.exact && branch.all.len() == 1)
}

/// What is tested: a field, or what a function makes of it.
#[derive(Clone, Copy)]
struct Subject {
    slot: Slot,
    change: Change,
}

/// What becomes of a field before it is tested. The empty text stays empty whatever it is.
#[derive(Clone, Copy)]
enum Change {
    None,
    /// Letters become capital, or small: each one letter.
    Case,
    /// It does not become longer.
    Shorter,
    /// Several of these.
    Several,
}

/// Functions whose result is not longer than their one argument.
const SHORTENING: &[&str] = &["PathUnescape", "QueryUnescape", "TrimSpace"];

fn subject(node: &Node) -> Option<Subject> {
    match node {
        Node::Slot(slot) => Some(Subject { slot: *slot, change: Change::None }),
        Node::Call(call) if call.total => {
            let CallNode { function, arguments, .. } = &**call;
            let [argument] = &**arguments else { return None };
            let inner = subject(argument)?;
            let own = match function.name {
                "Upper" | "upper" | "Lower" | "lower" => Change::Case,
                name if SHORTENING.contains(&name) => Change::Shorter,
                _ => return None,
            };
            let change = match (inner.change, own) {
                (Change::None, own) => own,
                (Change::Shorter, Change::Shorter) => Change::Shorter,
                _ => Change::Several,
            };
            Some(Subject { change, ..inner })
        }
        _ => None,
    }
}

/// Adds what a test, or its negation, needs; gives whether it holds when that does.
fn add(subject: Subject, negated: bool, test: &Test, all: &mut Vec<Need>) -> bool {
    let hints = if negated { denied(test) } else { asked(test, subject.change) };
    let Some(hints) = hints else { return false };
    all.push(Need { any: hints.into_iter().map(|hint| (subject.slot, hint)).collect() });
    let says_all = match test {
        Test::Is(_) => true,
        Test::In(set) => !negated || set.texts().len() == 1,
        Test::Among(_) | Test::StartsWith(_) | Test::EndsWith(_) => !negated,
        Test::Contains(..) | Test::Matches(_) => false,
    };
    says_all && matches!(subject.change, Change::None)
}

/// What follows from a test that does not hold.
fn denied(test: &Test) -> Option<Vec<Hint>> {
    let is_set = match test {
        Test::Is(text) => text.is_empty(),
        Test::In(set) => set.contains(""),
        Test::Among(items) => {
            items.iter().any(|item| matches!(item, Node::Text(t) if t.is_empty()))
        }
        _ => false,
    };
    is_set.then(|| vec![Hint::AtLeast(1)])
}

/// What follows from a test that holds.
fn asked(test: &Test, change: Change) -> Option<Vec<Hint>> {
    let hints: Vec<Hint> = match test {
        Test::Is(text) => vec![equal(text, change)],
        Test::In(set) => set.texts().iter().map(|text| equal(text, change)).collect(),
        // A field is text: the other items of the list are equal to no field.
        Test::Among(items) => items
            .iter()
            .filter_map(|item| match item {
                Node::Text(text) => Some(equal(text, change)),
                _ => None,
            })
            .collect(),
        Test::Contains(text, _) => vec![match change {
            Change::None => Hint::Contains(text.clone()),
            _ => length(text.len(), change),
        }],
        Test::StartsWith(text) => vec![match change {
            Change::None => Hint::StartsWith(text.clone()),
            Change::Case if text.is_ascii() => Hint::BeginsLike(text.clone()),
            _ => length(text.len(), change),
        }],
        Test::EndsWith(text) => vec![match change {
            Change::None => Hint::EndsWith(text.clone()),
            _ => length(text.len(), change),
        }],
        Test::Matches(pattern) => vec![match (pattern.start(), change) {
            ("", _) | (_, Change::Shorter | Change::Several | Change::Case) => {
                length(pattern.shortest(), change)
            }
            (start, Change::None) => Hint::StartsWith(start.into()),
        }],
    };
    let is_empty = |hint: &Hint| match hint {
        Hint::AtLeast(length) => *length == 0,
        Hint::StartsWith(text)
        | Hint::EndsWith(text)
        | Hint::BeginsLike(text)
        | Hint::Contains(text) => text.is_empty(),
        Hint::Equals(_) | Hint::Resembles(_) => false,
    };
    // One that always holds says nothing.
    (!hints.is_empty() && !hints.iter().any(is_empty)).then_some(hints)
}

fn equal(text: &str, change: Change) -> Hint {
    match change {
        Change::None => Hint::Equals(text.into()),
        Change::Case if text.is_ascii() && !text.is_empty() => Hint::Resembles(text.into()),
        _ => length(text.len(), change),
    }
}

/// How long a field must be for what becomes of it to have `length` bytes.
fn length(length: usize, change: Change) -> Hint {
    Hint::AtLeast(match change {
        Change::None | Change::Shorter => length,
        // A character has four bytes at most, and one at least.
        Change::Case | Change::Several => length.div_ceil(4),
    })
}
