//! The quick way to search for a pattern: steps, tried in the order that the pattern prefers.
//!
//! Patterns of log lines are mostly fixed text, runs of one kind of character, and a few branches
//! that differ in their first byte. For those, an automaton that follows all ways at once and keeps
//! track of every group does far too much: here a run is one scan, a branch is one look into a
//! table, and what can only fail is not begun.
//!
//! Invariants: what is found, and where its groups are, is what the pattern's regular expression
//! finds by the leftmost-first rule; property tests hold the two against each other. Hostile: a
//! text can be made for which trying ways one after the other takes for ever, so the number of
//! steps is bounded by the length of the text; beyond it the answer is [`Search::Unsure`], and the
//! automata, which take linear time, must say.

mod address;
mod build;
mod bytes;
mod literal;
mod place;
mod run;
mod start;
#[cfg(test)]
mod tests;

use memchr::memmem::Finder;
use regex_syntax::hir::{Hir, Look};

use bytes::{Set, Table};
use literal::{Literal, Word};

/// A step by its number.
type Next = u32;

/// A pattern made ready to be searched for.
#[derive(Debug)]
pub(super) struct Matcher {
    steps: Box<[Step]>,
    /// The step that a match begins with, and how much of the text was found before it.
    first: Next,
    skip: usize,
    tables: Box<[Table]>,
    forks: Box<[Table]>,
    start: Start,
    n_slots: usize,
    /// Whether each match fills all slots.
    are_sure: bool,
}

/// What a search needs to remember; used again by the next one.
#[derive(Debug, Default)]
pub(super) struct Memory {
    frames: Vec<run::Frame>,
    /// The places of each group, and one behind them for those that nobody asks for.
    slots: Vec<u32>,
}

impl Memory {
    /// Begin and end of each group, or [`NONE`].
    pub(super) fn slots(&self) -> &[u32] {
        self.slots.split_last().map_or(&[], |(_, slots)| slots)
    }
}

/// The place of a group that took no part.
pub(super) const NONE: u32 = u32::MAX;

/// What a search came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Search {
    /// A match; its groups are in [`Memory::slots`].
    Found,
    /// There is none.
    Nothing,
    /// It would take too long to tell, or the pattern of addresses must be asked.
    Unsure,
}

/// A slot by its number.
type Slot = u16;

#[derive(Debug)]
enum Step {
    /// The end of the pattern.
    Found,
    Jump(Next),
    Byte(u8, Next),
    Word(Word, Next),
    Literal(Box<Literal>, Next),
    One(Set, Next),
    /// The whole run of a set.
    Run(Run),
    Greedy(Repeat),
    Lazy(Repeat),
    /// As few bytes of a set as possible up to a literal, and the literal.
    Until(Box<Until>),
    /// As many as possible.
    Since(Box<Until>),
    /// Remembers the place in a slot. When it is `sure`, no match goes round it, and what the slot
    /// held before need not be remembered.
    Save {
        slot: Slot,
        is_sure: bool,
        next: Next,
    },
    Look(Look, Next),
    /// One way if this byte comes next, else the other.
    If {
        byte: u8,
        yes: Next,
        no: Next,
    },
    /// The first branch that matches with all that follows. The table tells, for each byte, which
    /// of them can begin with it.
    Fork {
        table: u16,
        at_end: u8,
        branches: Box<[Next]>,
    },
    /// An address; with `is_last`, what follows can only match behind its whole length.
    Address {
        is_last: bool,
        group: Group,
        next: Next,
    },
}

/// The slots for the begin and the end of what a step matches.
#[derive(Clone, Copy, Debug)]
struct Group {
    open: Slot,
    close: Slot,
}

/// Bytes of one set, as many as there are.
#[derive(Clone, Copy, Debug)]
struct Run {
    set: Set,
    min: u32,
    max: u32,
    group: Group,
    next: Next,
}

/// Bytes of one set, as many as possible or as few.
#[derive(Clone, Copy, Debug)]
struct Repeat {
    set: Set,
    min: u32,
    max: u32,
    follow: Follow,
    next: Next,
}

/// Bytes of one set, and a literal behind them that begins with one of them.
#[derive(Debug)]
struct Until {
    set: Set,
    min: u32,
    max: u32,
    /// The slots of the bytes without the literal.
    group: Group,
    literal: Literal,
    finder: Finder<'static>,
    next: Next,
}

/// What stands behind a run where the rest of the pattern can match.
#[derive(Clone, Copy, Debug)]
enum Follow {
    /// This byte.
    Is(u8),
    /// One of these bytes, or, if so, the end of the text.
    In(Set, bool),
    /// Anything, or the end.
    Any,
}

impl Follow {
    /// Whether the end of the text is among it.
    fn fits_end(self) -> bool {
        match self {
            Self::Is(_) => false,
            Self::In(_, end) => end,
            Self::Any => true,
        }
    }
}

/// Where a match can begin.
#[derive(Debug)]
enum Start {
    /// At the beginning of the text only.
    Only,
    /// Where this text is found.
    Literal(Box<(Literal, Finder<'static>)>),
    /// Where this byte is found.
    Byte(u8),
    /// Where a byte of the set is found.
    In(Set),
    /// With the first byte of a run of the set.
    Run(Set),
    /// At the beginning, and then behind each run of the set.
    Behind(Set),
    Everywhere,
}

impl Matcher {
    /// The matcher for a lean pattern with groups up to `last`; `None` when it needs the automata.
    /// With `is_ascii`, only texts that are all ASCII will be searched.
    pub(super) fn new(hir: &Hir, last: usize, is_ascii: bool) -> Option<Self> {
        build::build(hir, last, is_ascii)
    }
}
