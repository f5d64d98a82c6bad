//! From a parsed pattern to the steps of a search.
//!
//! Steps are made from the end of the pattern to its beginning, so that each is made when it is
//! known what follows it, and which bytes that can begin with.

use memchr::memmem::Finder;
use regex_syntax::hir::{Capture, Class, Hir, HirKind, Look, Repetition};

use super::bigrams::Bigrams;
use super::bytes::{Bytes, Table, Tables};
use super::{Follow, Matcher, Next, Repeat, Start, Step, address};
use crate::parse::grok::address as pattern;

/// The most steps that a pattern may take. Those that need more are left to the automata.
const MOST_STEPS: usize = 4096;

/// Branches of one fork: as many as a byte has bits.
const BRANCHES: usize = 8;

/// Makes the matcher for a pattern whose groups are those to be captured, up to `last`; `None` for
/// one that holds something that steps cannot do, or takes too many of them. With `is_ascii`, no
/// other text will be searched.
pub(super) fn build(hir: &Hir, last: usize, is_ascii: bool) -> Option<Matcher> {
    let mut builder = Builder { is_ascii, ..Builder::default() };
    let end = builder.push(Step::Found, Bytes::ALL)?;
    let first = builder.steps_for(hir, end)?;
    let start = builder.start(first)?;
    Some(Matcher {
        first,
        start,
        needs: needs(hir),
        steps: builder.steps.into(),
        tables: builder.tables.finish(),
        forks: builder.forks.into(),
        n_slots: 2 * last,
    })
}

#[derive(Default)]
struct Builder {
    is_ascii: bool,
    steps: Vec<Step>,
    /// For each step, what a text must begin with where it stands.
    firsts: Vec<Bytes>,
    tables: Tables,
    forks: Vec<Table>,
}

impl Builder {
    fn push(&mut self, step: Step, first: Bytes) -> Option<Next> {
        if self.steps.len() >= MOST_STEPS {
            return None;
        }
        self.steps.push(step);
        self.firsts.push(first);
        u32::try_from(self.steps.len() - 1).ok()
    }

    fn first(&self, next: Next) -> Bytes {
        self.firsts[next as usize]
    }

    /// The steps for `hir` before those at `next`. The parser bounds the depth.
    fn steps_for(&mut self, hir: &Hir, next: Next) -> Option<Next> {
        if pattern::is_address(hir) {
            return self.address(next);
        }
        match hir.kind() {
            HirKind::Empty => Some(next),
            HirKind::Literal(literal) => {
                let first = literal.0.first().copied()?;
                let bytes = Bytes::one(first);
                let step = match &*literal.0 {
                    [byte] => Step::Byte(*byte, next),
                    bytes => Step::Literal(bytes.into(), next),
                };
                self.push(step, bytes)
            }
            HirKind::Class(class) => {
                let bytes = self.bytes_of(class)?;
                let set = self.tables.set(&bytes)?;
                self.push(Step::One(set, next), bytes)
            }
            HirKind::Look(look) => self.look(*look, next),
            HirKind::Capture(Capture { index, sub, .. }) => {
                let slot = index.checked_sub(1)?.checked_mul(2)?;
                let first = self.first(next);
                let close = self.push(Step::Save(slot + 1, next), first)?;
                let inner = self.steps_for(sub, close)?;
                let first = self.first(inner);
                self.push(Step::Save(slot, inner), first)
            }
            HirKind::Concat(subs) => {
                subs.iter().rev().try_fold(next, |next, sub| self.steps_for(sub, next))
            }
            HirKind::Alternation(subs) => {
                let mut branches = Vec::with_capacity(subs.len());
                let mut rest = &subs[..];
                while let [sub, after @ ..] = rest {
                    // The two halves of an address stand side by side among other branches.
                    if let [_, after @ ..] = after
                        && pattern::are_address(&rest[..2])
                    {
                        branches.push(self.address(next)?);
                        rest = after;
                        continue;
                    }
                    branches.push(self.steps_for(sub, next)?);
                    rest = after;
                }
                self.fork(&branches)
            }
            HirKind::Repetition(repetition) => self.repetition(repetition, next),
        }
    }

    fn address(&mut self, next: Next) -> Option<Next> {
        let parts = Bytes::of((0..=255).filter(|b| address::is_part(*b)).map(|b| (b, b)));
        let is_last = !self.first(next).meets(&parts);
        self.push(Step::Address { is_last, next }, address_first())
    }

    fn look(&mut self, look: Look, next: Next) -> Option<Next> {
        let first = match look {
            Look::Start | Look::WordAscii | Look::WordAsciiNegate => self.first(next),
            Look::End => Bytes::END,
            Look::StartLF | Look::EndLF => Bytes::ALL,
            _ => return None,
        };
        self.push(Step::Look(look, next), first)
    }

    fn repetition(&mut self, repetition: &Repetition, next: Next) -> Option<Next> {
        let Repetition { min, max, greedy, sub } = repetition;
        if let Some(bytes) = self.byte_set(sub) {
            return self.run(&bytes, *min, *max, *greedy, next);
        }
        let mut next = match max {
            // What can match nothing would be repeated for ever.
            None if sub.properties().minimum_len().is_none_or(|length| length == 0) => return None,
            None => {
                // The fork comes before its own body; what it begins with must be known by then.
                let first = self.first_of(sub, Bytes::ALL)? | self.first(next);
                let place = self.push(Step::Found, first)?;
                let body = self.steps_for(sub, place)?;
                let again = self.fork(&if *greedy { [body, next] } else { [next, body] })?;
                self.steps[place as usize] = Step::Jump(again);
                place
            }
            Some(max) => {
                let mut rest = next;
                for _ in *min..*max {
                    let body = self.steps_for(sub, rest)?;
                    rest = self.fork(&if *greedy { [body, next] } else { [next, body] })?;
                }
                rest
            }
        };
        for _ in 0..*min {
            next = self.steps_for(sub, next)?;
        }
        Some(next)
    }

    /// What a text must begin with to match `hir` and go on with `after`.
    fn first_of(&self, hir: &Hir, after: Bytes) -> Option<Bytes> {
        if pattern::is_address(hir) {
            return Some(address_first());
        }
        Some(match hir.kind() {
            HirKind::Empty | HirKind::Look(_) => after,
            HirKind::Literal(literal) => {
                let first = literal.0.first().copied()?;
                Bytes::one(first)
            }
            HirKind::Class(class) => self.bytes_of(class)?,
            HirKind::Capture(capture) => self.first_of(&capture.sub, after)?,
            HirKind::Repetition(repetition) => {
                let first = self.first_of(&repetition.sub, after)?;
                if repetition.min == 0 { first | after } else { first }
            }
            HirKind::Concat(subs) => {
                subs.iter().rev().try_fold(after, |after, sub| self.first_of(sub, after))?
            }
            HirKind::Alternation(subs) => {
                let mut first = Bytes::default();
                for sub in subs {
                    first = first | self.first_of(sub, after)?;
                }
                first
            }
        })
    }

    /// The bytes of a class; `None` when it holds more than ASCII.
    fn bytes_of(&self, class: &Class) -> Option<Bytes> {
        let ranges: Option<Vec<(u8, u8)>> = match class {
            Class::Unicode(class) => {
                let byte = |c: char| u8::try_from(c).ok().filter(u8::is_ascii);
                let ranges = class.ranges().iter();
                ranges.map(|range| Some((byte(range.start())?, byte(range.end())?))).collect()
            }
            Class::Bytes(class) => {
                Some(class.ranges().iter().map(|range| (range.start(), range.end())).collect())
            }
        };
        let bytes = Bytes::of(ranges?.into_iter());
        // Of a text that is all ASCII the other half makes no difference, and a set without a
        // single byte is the quickest to search.
        let high = Bytes::of(std::iter::once((0x80, 0xff)));
        Some(if self.is_ascii && bytes.len() == 127 && !bytes.meets(&high) {
            bytes | high
        } else {
            bytes
        })
    }

    /// The bytes that a pattern of exactly one byte matches.
    fn byte_set(&self, hir: &Hir) -> Option<Bytes> {
        match hir.kind() {
            HirKind::Class(class) => self.bytes_of(class),
            HirKind::Literal(literal) => match &*literal.0 {
                [byte] => Some(Bytes::one(*byte)),
                _ => None,
            },
            _ => None,
        }
    }

    /// Bytes of one set, repeated.
    fn run(
        &mut self,
        bytes: &Bytes,
        min: u32,
        max: Option<u32>,
        greedy: bool,
        next: Next,
    ) -> Option<Next> {
        let after = self.first(next);
        let follow = match after.single() {
            _ if !after.meets(bytes) => Follow::Other,
            Some(byte) => Follow::Is(byte),
            None if after == Bytes::ALL => Follow::Any,
            None => Follow::In(self.tables.set(&after)?, after.end),
        };
        let set = self.tables.set(bytes)?;
        let first = if min == 0 { *bytes | after } else { *bytes };
        let max = max.unwrap_or(u32::MAX);
        let repeat = Repeat { set, min, max, follow, next };
        self.push(if greedy { Step::Greedy(repeat) } else { Step::Lazy(repeat) }, first)
    }

    /// The first of these ways that leads to the end of the pattern.
    fn fork(&mut self, branches: &[Next]) -> Option<Next> {
        if let [only] = branches {
            return Some(*only);
        }
        if branches.len() > BRANCHES {
            let size = branches.len().div_ceil(BRANCHES).max(BRANCHES);
            let parts: Option<Vec<_>> = branches.chunks(size).map(|part| self.fork(part)).collect();
            return self.fork(&parts?);
        }
        let (mut table, mut at_end, mut first) = ([0; 256], 0, Bytes::default());
        for (bit, branch) in branches.iter().enumerate() {
            let bytes = self.first(*branch);
            first = first | bytes;
            at_end |= u8::from(bytes.end) << bit;
            for byte in bytes.each() {
                table[usize::from(byte)] |= 1 << bit;
            }
        }
        let known = self.forks.iter().position(|known| *known == table);
        let table = known.unwrap_or_else(|| {
            self.forks.push(table);
            self.forks.len() - 1
        });
        let table = u16::try_from(table).ok()?;
        self.push(Step::Fork { table, at_end, branches: branches.into() }, first)
    }

    /// How the places are found where the steps from `first` on may begin to match.
    fn start(&mut self, first: Next) -> Option<Start> {
        let mut at = first;
        while let Step::Save(_, next) = self.steps[at as usize] {
            at = next;
        }
        Some(match &self.steps[at as usize] {
            Step::Look(Look::Start, _) => Start::Only,
            Step::Literal(literal, _) => {
                Start::Literal(Box::new(Finder::new(literal).into_owned()))
            }
            Step::Byte(byte, _) => Start::Byte(*byte),
            // What the run can swallow is no other beginning: all that follows from there was
            // tried from the first.
            Step::Greedy(Repeat { set, max: u32::MAX, .. })
            | Step::Lazy(Repeat { set, max: u32::MAX, .. }) => Start::Behind(*set),
            _ => {
                let bytes = self.first(first);
                match bytes.end || bytes.len() == 256 {
                    true => Start::Everywhere,
                    false => Start::In(self.tables.set(&bytes)?),
                }
            }
        })
    }
}

/// What an address begins with.
fn address_first() -> Bytes {
    Bytes::of([(b'0', b':'), (b'A', b'F'), (b'a', b'f')].into_iter())
}

/// The pairs of bytes that every match holds, as far as the pattern says so plainly.
fn needs(hir: &Hir) -> Bigrams {
    match hir.kind() {
        HirKind::Literal(literal) => Bigrams::of(&literal.0),
        HirKind::Capture(capture) => needs(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min > 0 => needs(&repetition.sub),
        HirKind::Concat(subs) => subs.iter().map(needs).fold(Bigrams::default(), Bigrams::and),
        _ => Bigrams::default(),
    }
}
