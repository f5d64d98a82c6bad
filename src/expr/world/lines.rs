//! The lines of a data file, and how rules ask for one of them.

use std::collections::HashSet;
use std::sync::OnceLock;

use crate::expr::functions::address;
use crate::expr::search::Parts;
use crate::value::Ranges;

/// The lines of a file of `type: string`. None is empty.
///
/// What they are sorted into for a quicker answer is made when it is first asked for.
#[derive(Debug)]
pub struct Lines {
    lines: Parts,
    /// Those that are ranges of addresses.
    ranges: OnceLock<Ranges>,
    set: OnceLock<HashSet<Box<str>>>,
}

/// What a text may be to a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::expr) enum Relation {
    /// It is the line.
    Equal,
    /// The line occurs in it.
    Contains,
    /// It begins with the line.
    StartsWith,
    /// It ends with the line.
    EndsWith,
    /// It is an address in the range that the line is, as `IpInRange` takes both.
    InRange,
}

impl Lines {
    pub(super) fn new(lines: Box<[Box<str>]>) -> Self {
        Self { lines: Parts::new(lines), ranges: OnceLock::new(), set: OnceLock::new() }
    }

    /// The lines.
    #[must_use]
    pub fn lines(&self) -> &[Box<str>] {
        self.lines.texts()
    }

    /// Whether `text` is that to any of the lines.
    pub(in crate::expr) fn any(&self, relation: Relation, text: &str) -> bool {
        let lines = || self.lines().iter();
        match relation {
            Relation::Equal => self.set.get_or_init(|| lines().cloned().collect()).contains(text),
            Relation::Contains => self.lines.any_in(text),
            Relation::StartsWith => lines().any(|line| text.starts_with(&**line)),
            Relation::EndsWith => lines().any(|line| text.ends_with(&**line)),
            Relation::InRange => {
                let Some(address) = address::address(text) else { return false };
                let read = || Ranges::new(lines().filter_map(|line| address::range(line)));
                self.ranges.get_or_init(read).contain(address)
            }
        }
    }
}
