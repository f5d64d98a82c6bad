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
mod bigrams;
mod build;
mod bytes;
mod run;
#[cfg(test)]
mod tests;

use memchr::memmem::Finder;
use regex_syntax::hir::{Hir, Look};

pub(super) use bigrams::Bigrams;
use bytes::{Set, Table};

/// A step by its number.
type Next = u32;

/// A pattern made ready to be searched for.
#[derive(Debug)]
pub(super) struct Matcher {
    steps: Box<[Step]>,
    first: Next,
    tables: Box<[Table]>,
    forks: Box<[Table]>,
    start: Start,
    needs: Bigrams,
    n_slots: usize,
}

/// What a search needs to remember; used again by the next one.
#[derive(Debug, Default)]
pub(super) struct Memory {
    frames: Vec<run::Frame>,
    /// Begin and end of each group, or [`NONE`].
    pub(super) slots: Vec<u32>,
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

#[derive(Debug)]
enum Step {
    /// The end of the pattern.
    Found,
    Jump(Next),
    Byte(u8, Next),
    Literal(Box<[u8]>, Next),
    One(Set, Next),
    Greedy(Repeat),
    Lazy(Repeat),
    /// Remembers the place in a slot.
    Save(u32, Next),
    Look(Look, Next),
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
        next: Next,
    },
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

/// What stands behind a run where the rest of the pattern can match.
#[derive(Clone, Copy, Debug)]
enum Follow {
    /// Nothing that the run itself can hold: only its whole length will do.
    Other,
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
            Self::Other | Self::Is(_) => false,
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
    Literal(Box<Finder<'static>>),
    /// Where this byte is found.
    Byte(u8),
    /// Where a byte of the set is found.
    In(Set),
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

    /// The pairs of bytes that every match holds.
    pub(super) fn needs(&self) -> &Bigrams {
        &self.needs
    }
}
