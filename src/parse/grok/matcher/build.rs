//! From a parsed pattern to the steps of a search.
//!
//! Steps are made from the end of the pattern to its beginning, so that each is made when it is
//! known what follows it, and which bytes that can begin with.

use memchr::memmem::Finder;
use regex_syntax::hir::{Capture, Class, Hir, HirKind, Look, Repetition};

use super::bytes::{Bytes, Table, Tables};
use super::literal::{Literal, Word};
use super::place::Place;
use super::{Follow, Group, Matcher, Next, Repeat, Run, Slot, Start, Step, Until, address, start};
use crate::parse::grok::address as pattern;

/// The most steps that a pattern may take. Those that need more are left to the automata.
const MOST_STEPS: usize = 4096;

/// The step that every match ends with.
const END: Next = 0;

/// Branches of one fork: as many as a byte has bits.
const BRANCHES: usize = 8;

/// Makes the matcher for a pattern whose groups are those to be captured, up to `last`; `None` for
/// one that holds something that steps cannot do, or takes too many of them. With `is_ascii`, no
/// other text will be searched.
pub(super) fn build(hir: &Hir, last: usize, is_ascii: bool) -> Option<Matcher> {
    let nowhere = Slot::try_from(last.checked_mul(2)?).ok()?;
    let mut builder = Builder { is_ascii, nowhere, ..Builder::default() };
    builder.push(Step::Found, Bytes::ALL)?;
    let first = builder.steps_for(hir, END, &Place::ALL)?;
    let start = start::of(&builder.steps, first, builder.first(first), &mut builder.tables)?;
    // A literal that was found need not be looked at again.
    let (first, skip) = match &builder.steps[first as usize] {
        Step::Word(word, next) if matches!(start, Start::Literal(_)) => (*next, word.length()),
        Step::Literal(literal, next) => (*next, literal.length()),
        Step::Byte(_, next) => (*next, 1),
        _ => (first, 0),
    };
    Some(Matcher {
        first,
        skip,
        start,
        steps: builder.steps.into(),
        tables: builder.tables.finish(),
        forks: builder.forks.into(),
        n_slots: 2 * last,
        are_sure: builder.n_sure == last,
    })
}

#[derive(Default)]
struct Builder {
    is_ascii: bool,
    /// The slot of places that nobody asks for.
    nowhere: Slot,
    /// How many groups take part in every match.
    n_sure: usize,
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

    /// The steps for `hir`, which stands at `place`, before those at `next`. The parser bounds the
    /// depth.
    fn steps_for(&mut self, hir: &Hir, next: Next, place: &Place<'_>) -> Option<Next> {
        if pattern::is_address(hir) {
            return self.address(next);
        }
        match hir.kind() {
            HirKind::Empty => Some(next),
            HirKind::Literal(literal) => self.literal(&literal.0, next),
            HirKind::Class(class) => {
                let bytes = self.bytes_of(class)?;
                let set = self.tables.set(&bytes)?;
                self.push(Step::One(set, next), bytes)
            }
            HirKind::Look(look) => self.look(*look, next, place),
            HirKind::Capture(Capture { index, sub, .. }) => {
                let slot = Slot::try_from(index.checked_sub(1)?.checked_mul(2)?).ok()?;
                let is_sure = place.is_sure;
                self.n_sure += usize::from(is_sure);
                let first = self.first(next);
                let close = self.push(Step::Save { slot: slot + 1, is_sure, next }, first)?;
                let inner = self.steps_for(sub, close, place)?;
                if is_sure && self.opens(inner, slot) {
                    return Some(inner);
                }
                let first = self.first(inner);
                self.push(Step::Save { slot, is_sure, next: inner }, first)
            }
            HirKind::Concat(subs) => self.sequence(subs, next, place),
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
                    branches.push(self.steps_for(sub, next, &place.branch())?);
                    rest = after;
                }
                self.fork(&branches)
            }
            HirKind::Repetition(repetition) => self.repetition(repetition, next, place),
        }
    }

    fn literal(&mut self, text: &[u8], next: Next) -> Option<Next> {
        let first = Bytes::one(text.first().copied()?);
        let step = match text {
            [byte] => Step::Byte(*byte, next),
            text if text.len() <= Word::LONGEST => Step::Word(Word::of(text), next),
            text => Step::Literal(Box::new(Literal::new(text)), next),
        };
        self.push(step, first)
    }

    /// One part behind the other.
    fn sequence(&mut self, subs: &[Hir], mut next: Next, place: &Place<'_>) -> Option<Next> {
        let mut end = subs.len();
        while let Some(at) = end.checked_sub(1) {
            let before = &subs[..at];
            next = match subs[at].kind() {
                // Behind a whole run of word bytes a word ends, and nowhere within it.
                HirKind::Look(Look::WordAscii)
                    if let Some(run) = before.last().and_then(|sub| self.word_run(sub)) =>
                {
                    end = at - 1;
                    self.whole_run(&Bytes::word(), run.min, u32::MAX, next)?
                }
                HirKind::Class(_) => {
                    let stretch = before.iter().rev().map_while(|sub| self.rough_byte(sub));
                    let start = at - stretch.count();
                    let bytes: Vec<_> =
                        subs[start..end].iter().filter_map(|sub| self.rough_byte(sub)).collect();
                    // None of its own was no rough byte.
                    if start < at && bytes.len() == end - start {
                        end = start;
                        self.words(&bytes, next)?
                    } else {
                        end = at;
                        self.steps_for(&subs[at], next, &place.behind(before))?
                    }
                }
                _ => {
                    end = at;
                    self.steps_for(&subs[at], next, &place.behind(before))?
                }
            };
        }
        Some(next)
    }

    /// The repetition, if it takes as many word bytes as it can, or as few as reach a boundary.
    fn word_run<'h>(&self, hir: &'h Hir) -> Option<&'h Repetition> {
        match hir.kind() {
            HirKind::Repetition(run @ Repetition { min: 1.., max: None, sub, .. })
                if self.byte_set(sub) == Some(Bytes::word()) =>
            {
                Some(run)
            }
            _ => None,
        }
    }

    /// A byte and which of its bits count, if that is all that `hir` says.
    fn rough_byte(&self, hir: &Hir) -> Option<(u8, u8)> {
        let bytes = self.byte_set(hir)?;
        let mut each = bytes.each();
        match (each.next()?, each.next(), each.next()) {
            (byte, None, _) => Some((byte, u8::MAX)),
            (byte, Some(other), None) if (byte ^ other).is_power_of_two() => {
                Some((byte, !(byte ^ other)))
            }
            _ => None,
        }
    }

    /// A text of which some bits do not count.
    fn words(&mut self, bytes: &[(u8, u8)], next: Next) -> Option<Next> {
        bytes.chunks(Word::LONGEST).rev().try_fold(next, |next, chunk| {
            let (byte, mask) = chunk.first()?;
            let first = Bytes::of((0..=255).filter(|b| b & mask == byte & mask).map(|b| (b, b)));
            self.push(Step::Word(Word::new(chunk.iter().copied()), next), first)
        })
    }

    /// Has the step remember where it begins, if it can, which nothing else leads to.
    fn opens(&mut self, step: Next, slot: Slot) -> bool {
        let nowhere = self.nowhere;
        let group = match &mut self.steps[step as usize] {
            Step::Run(run) => &mut run.group,
            Step::Until(until) | Step::Since(until) => &mut until.group,
            Step::Address { group, .. } => group,
            _ => return false,
        };
        let is_free = group.open == nowhere;
        if is_free {
            group.open = slot;
        }
        is_free
    }

    /// What follows, and the slot that it would be remembered in where it begins.
    fn closes(&self, next: Next) -> (Slot, Next) {
        match &self.steps[next as usize] {
            Step::Save { slot, is_sure: true, next } => (*slot, *next),
            _ => (self.nowhere, next),
        }
    }

    fn address(&mut self, next: Next) -> Option<Next> {
        let parts = Bytes::of((0..=255).filter(|b| address::is_part(*b)).map(|b| (b, b)));
        let is_last = !self.first(next).meets(&parts);
        let (close, next) = self.closes(next);
        let group = Group { open: self.nowhere, close };
        self.push(Step::Address { is_last, group, next }, address_first())
    }

    fn look(&mut self, look: Look, next: Next, place: &Place<'_>) -> Option<Next> {
        let after = self.first(next);
        let first = match look {
            Look::Start => after,
            Look::WordAscii | Look::WordAsciiNegate => {
                let word = Bytes::word();
                let before = place.before(&|hir| self.byte_set(hir));
                let is_boundary = look == Look::WordAscii;
                // What must come next, where that is told by what came before.
                let first = if before.is_within(&word) {
                    if is_boundary { after.without(&word) } else { after.and(&word) }
                } else if !before.meets(&word) {
                    if is_boundary { after.and(&word) } else { after.without(&word) }
                } else {
                    return self.push(Step::Look(look, next), after);
                };
                if first == after {
                    return Some(next);
                }
                first
            }
            Look::End => Bytes::END,
            Look::StartLF | Look::EndLF => Bytes::ALL,
            _ => return None,
        };
        self.push(Step::Look(look, next), first)
    }

    fn repetition(
        &mut self,
        repetition: &Repetition,
        next: Next,
        place: &Place<'_>,
    ) -> Option<Next> {
        let Repetition { min, max, greedy, sub } = repetition;
        if let Some(bytes) = self.byte_set(sub) {
            return self.run(&bytes, *min, *max, *greedy, next);
        }
        let place = &place.repeated(sub);
        let mut next = match max {
            // What can match nothing would be repeated for ever.
            None if sub.properties().minimum_len().is_none_or(|length| length == 0) => return None,
            None => {
                // The fork comes before its own body; what it begins with must be known by then.
                let first = self.first_of(sub, Bytes::ALL)? | self.first(next);
                let again = self.push(Step::Found, first)?;
                let body = self.steps_for(sub, again, place)?;
                let fork = self.fork(&if *greedy { [body, next] } else { [next, body] })?;
                self.steps[again as usize] = Step::Jump(fork);
                again
            }
            Some(max) => {
                let mut rest = next;
                for _ in *min..*max {
                    let body = self.steps_for(sub, rest, place)?;
                    rest = self.fork(&if *greedy { [body, next] } else { [next, body] })?;
                }
                rest
            }
        };
        for _ in 0..*min {
            next = self.steps_for(sub, next, place)?;
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
        let max = max.unwrap_or(u32::MAX);
        if !after.meets(bytes) {
            return self.whole_run(bytes, min, max, next);
        }
        if self.is_certain(next) {
            // Whatever is tried first will do.
            return match greedy {
                true => self.whole_run(bytes, min, max, next),
                false if min == 0 => Some(next),
                false => self.whole_run(bytes, min, min, next),
            };
        }
        let set = self.tables.set(bytes)?;
        let first = if min == 0 { *bytes | after } else { *bytes };
        let (close, behind) = self.closes(next);
        let literal = match &self.steps[behind as usize] {
            Step::Byte(byte, next) => Some((Literal::new(&[*byte]), *next)),
            Step::Word(word, next) => word.exact().map(|text| (Literal::new(&text), *next)),
            Step::Literal(literal, next) => Some(((**literal).clone(), *next)),
            _ => None,
        };
        if let Some((literal, next)) = literal {
            let group = Group { open: self.nowhere, close };
            let finder = Finder::new(&literal.text()).into_owned();
            let until = Box::new(Until { set, min, max, group, literal, finder, next });
            return self.push(if greedy { Step::Since(until) } else { Step::Until(until) }, first);
        }
        let follow = match after.single() {
            Some(byte) => Follow::Is(byte),
            None if after == Bytes::ALL => Follow::Any,
            None => Follow::In(self.tables.set(&after)?, after.end),
        };
        let repeat = Repeat { set, min, max, follow, next };
        self.push(if greedy { Step::Greedy(repeat) } else { Step::Lazy(repeat) }, first)
    }

    /// As many bytes of one set as there are, and no fewer.
    fn whole_run(&mut self, bytes: &Bytes, min: u32, max: u32, next: Next) -> Option<Next> {
        let set = self.tables.set(bytes)?;
        let first = if min == 0 { *bytes | self.first(next) } else { *bytes };
        let (close, next) = self.closes(next);
        let group = Group { open: self.nowhere, close };
        self.push(Step::Run(Run { set, min, max, group, next }), first)
    }

    /// Whether the end of the pattern is reached from there in any text.
    fn is_certain(&self, mut next: Next) -> bool {
        while let Step::Save { next: after, .. } = &self.steps[next as usize] {
            next = *after;
        }
        next == END
    }

    /// The first of these ways that leads to the end of the pattern.
    fn fork(&mut self, branches: &[Next]) -> Option<Next> {
        if let [only] = branches {
            return Some(*only);
        }
        if let [yes, no] = *branches {
            // One byte tells which of two ways it is, whichever is preferred.
            let (this, that) = (self.first(yes), self.first(no));
            let choice = match (this.single(), that.single()) {
                (Some(byte), _) if !that.contains(byte) => Some((byte, yes, no)),
                (_, Some(byte)) if !this.contains(byte) => Some((byte, no, yes)),
                _ => None,
            };
            if let Some((byte, yes, no)) = choice {
                return self.push(Step::If { byte, yes, no }, this | that);
            }
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
}

/// What an address begins with.
fn address_first() -> Bytes {
    Bytes::of([(b'0', b':'), (b'A', b'F'), (b'a', b'f')].into_iter())
}
