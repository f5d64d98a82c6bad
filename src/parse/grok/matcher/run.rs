//! The search itself: steps forward, and back to the last choice where they fail.
//!
//! A step costs a few instructions more than what it compares; so the state of a search is kept
//! where a loop can keep it, and what is known of the text is not looked for twice.

use std::ops::ControlFlow;

use regex_syntax::hir::Look;

use super::address::{self, Found};
use super::bytes::Set;
use super::{Follow, Group, Matcher, Memory, NONE, Next, Repeat, Search, Slot, Start, Step, Until};

/// A choice that can be made otherwise, or what must be undone on the way back to one.
#[derive(Clone, Copy, Debug)]
pub(super) enum Frame {
    /// The branches of a fork that were not tried.
    Fork { step: Next, at: u32, left: u8 },
    /// A slot had another place.
    Slot { slot: Slot, place: u32 },
    /// A run may end in `low..high` too.
    Greedy { step: Next, low: u32, high: u32 },
    /// A run may go on from `at`, up to `end`.
    Lazy { step: Next, at: u32, end: u32 },
    /// An address may end earlier.
    Address,
}

/// The steps that a search may take: so many, and so many for each byte of the text.
const STEPS: u32 = 256;
const STEPS_PER_BYTE: u32 = 16;

/// How far a literal is looked for byte by byte, before it is worth to prepare for more.
const NEAR: usize = 8;

impl Matcher {
    /// Searches `text`, which must be all ASCII if the matcher was made for that.
    pub(in super::super) fn search(&self, text: &[u8], memory: &mut Memory) -> Search {
        let Ok(length) = u32::try_from(text.len()) else { return Search::Unsure };
        if !self.are_sure {
            memory.slots.clear();
        }
        memory.slots.resize(self.n_slots + 1, NONE);
        let mut walk = Walk {
            matcher: self,
            text,
            frames: &mut memory.frames,
            slots: &mut memory.slots,
            left: length.saturating_mul(STEPS_PER_BYTE).saturating_add(STEPS),
            line: None,
        };
        let mut at = 0;
        while let Some(start) = self.next_start(text, at) {
            match walk.attempt(start + self.skip) {
                Search::Nothing if self.are_sure => {}
                Search::Nothing => walk.slots.fill(NONE),
                other => return other,
            }
            at = match self.start {
                Start::Only => return Search::Nothing,
                Start::Run(set) => walk.end_of_run(set, start, u32::MAX),
                Start::Behind(set) => walk.end_of_run(set, start, u32::MAX) + 1,
                _ => start + 1,
            };
        }
        Search::Nothing
    }

    /// The first place from `at` on where a match can begin.
    fn next_start(&self, text: &[u8], at: usize) -> Option<usize> {
        let rest = text.get(at..)?;
        let found = match &self.start {
            Start::Only | Start::Everywhere | Start::Behind(_) => Some(0),
            // Most texts begin with what is looked for, if they hold it at all.
            Start::Literal(each) if each.0.is_at(text, at) => Some(0),
            Start::Literal(each) => each.1.find(rest),
            Start::Byte(byte) => memchr::memchr(*byte, rest),
            Start::In(set) | Start::Run(set) => {
                rest.iter().position(|byte| self.holds(*set, *byte))
            }
        };
        found.map(|found| at + found)
    }

    #[inline]
    fn holds(&self, set: Set, byte: u8) -> bool {
        match set {
            Set::AllBut(but) => byte != but,
            Set::Table { table, mask } => {
                self.tables[usize::from(table)][usize::from(byte)] & mask != 0
            }
        }
    }
}

/// A search on its way through a text.
struct Walk<'r> {
    matcher: &'r Matcher,
    text: &'r [u8],
    frames: &'r mut Vec<Frame>,
    slots: &'r mut [u32],
    /// How many steps may still be taken.
    left: u32,
    /// From which place to which there is no newline; behind it there is one, or the end.
    line: Option<(usize, usize)>,
}

impl Walk<'_> {
    /// Tries to match from `start` on.
    fn attempt(&mut self, start: usize) -> Search {
        let Matcher { steps, forks, .. } = self.matcher;
        let text = self.text;
        self.frames.clear();
        let mut at = start;
        let mut next = self.matcher.first;
        loop {
            let Some(left) = self.left.checked_sub(1) else { return Search::Unsure };
            self.left = left;
            match &steps[next as usize] {
                Step::Found => return Search::Found,
                Step::Jump(to) => {
                    next = *to;
                    continue;
                }
                Step::Byte(byte, to) => {
                    if text.get(at) == Some(byte) {
                        (next, at) = (*to, at + 1);
                        continue;
                    }
                }
                Step::Word(word, to) => {
                    if word.is_at(text, at) {
                        (next, at) = (*to, at + word.length());
                        continue;
                    }
                }
                Step::Literal(literal, to) => {
                    if literal.is_at(text, at) {
                        (next, at) = (*to, at + literal.length());
                        continue;
                    }
                }
                Step::One(set, to) => {
                    if text.get(at).is_some_and(|byte| self.matcher.holds(*set, *byte)) {
                        (next, at) = (*to, at + 1);
                        continue;
                    }
                }
                Step::Run(run) => {
                    let end = self.end_of_run(run.set, at, run.max);
                    if end - at >= run.min as usize {
                        self.save(run.group, at, end);
                        (next, at) = (run.next, end);
                        continue;
                    }
                }
                Step::Save { slot, is_sure, next: to } => {
                    let slot = *slot;
                    let place = std::mem::replace(&mut self.slots[usize::from(slot)], narrow(at));
                    if !is_sure && !self.frames.is_empty() {
                        self.frames.push(Frame::Slot { slot, place });
                    }
                    next = *to;
                    continue;
                }
                Step::Look(look, to) => {
                    if looks(*look, text, at) {
                        next = *to;
                        continue;
                    }
                }
                Step::If { byte, yes, no } => {
                    next = if text.get(at) == Some(byte) { *yes } else { *no };
                    continue;
                }
                Step::Fork { table, at_end, branches } => {
                    let can = match text.get(at) {
                        Some(byte) => forks[usize::from(*table)][usize::from(*byte)],
                        None => *at_end,
                    };
                    if let Some(branch) = self.take_branch(next, branches, at, can) {
                        next = branch;
                        continue;
                    }
                }
                Step::Greedy(repeat) => {
                    let end = self.end_of_run(repeat.set, at, repeat.max);
                    let low = at + repeat.min as usize;
                    if low <= end
                        && let Some(place) = self.shorten(next, repeat, low, end + 1)
                    {
                        (next, at) = (repeat.next, place);
                        continue;
                    }
                }
                Step::Lazy(repeat) => {
                    let end = self.end_of_run(repeat.set, at, repeat.max);
                    let low = at + repeat.min as usize;
                    if low <= end
                        && let Some(place) = self.lengthen(next, repeat, low, end)
                    {
                        (next, at) = (repeat.next, place);
                        continue;
                    }
                }
                Step::Until(until) => {
                    self.slots[usize::from(until.group.open)] = narrow(at);
                    let end = self.end_of_run(until.set, at, until.max);
                    let low = at + until.min as usize;
                    if let Some(place) = self.first_literal(next, until, low, end) {
                        (next, at) = (until.next, place);
                        continue;
                    }
                }
                Step::Since(until) => {
                    self.slots[usize::from(until.group.open)] = narrow(at);
                    let end = self.end_of_run(until.set, at, until.max);
                    let low = at + until.min as usize;
                    if let Some(place) = self.last_literal(next, until, low, end + 1) {
                        (next, at) = (until.next, place);
                        continue;
                    }
                }
                Step::Address { is_last, group, next: to } => match address::find(text, at) {
                    Found::Sure(end) => {
                        if !is_last {
                            self.frames.push(Frame::Address);
                        }
                        self.save(*group, at, end);
                        (next, at) = (*to, end);
                        continue;
                    }
                    Found::Nothing => {}
                    Found::Unsure => return Search::Unsure,
                },
            }
            match self.back() {
                ControlFlow::Continue(place) => (next, at) = place,
                ControlFlow::Break(search) => return search,
            }
        }
    }

    /// Back to the last choice that is left, if there is one.
    #[inline(never)]
    fn back(&mut self) -> ControlFlow<Search, (Next, usize)> {
        let steps = &self.matcher.steps;
        while self.left > 0
            && let Some(frame) = self.frames.pop()
        {
            let found = match frame {
                Frame::Slot { slot, place } => {
                    self.slots[usize::from(slot)] = place;
                    None
                }
                Frame::Fork { step, at, left } => match &steps[step as usize] {
                    Step::Fork { branches, .. } => {
                        let at = at as usize;
                        self.take_branch(step, branches, at, left).map(|branch| (branch, at))
                    }
                    _ => None,
                },
                Frame::Greedy { step, low, high } => {
                    let (low, high) = (low as usize, high as usize);
                    match &steps[step as usize] {
                        Step::Greedy(repeat) => {
                            self.shorten(step, repeat, low, high).map(|place| (repeat.next, place))
                        }
                        Step::Since(until) => self
                            .last_literal(step, until, low, high)
                            .map(|place| (until.next, place)),
                        _ => None,
                    }
                }
                Frame::Lazy { step, at, end } => {
                    let (at, end) = (at as usize, end as usize);
                    match &steps[step as usize] {
                        Step::Lazy(repeat) => {
                            self.lengthen(step, repeat, at, end).map(|place| (repeat.next, place))
                        }
                        Step::Until(until) => self
                            .first_literal(step, until, at, end)
                            .map(|place| (until.next, place)),
                        _ => None,
                    }
                }
                // Only the pattern of addresses can tell.
                Frame::Address => return ControlFlow::Break(Search::Unsure),
            };
            if let Some(place) = found {
                return ControlFlow::Continue(place);
            }
        }
        ControlFlow::Break(if self.left == 0 { Search::Unsure } else { Search::Nothing })
    }

    #[inline]
    fn save(&mut self, group: Group, start: usize, end: usize) {
        self.slots[usize::from(group.open)] = narrow(start);
        self.slots[usize::from(group.close)] = narrow(end);
    }

    /// Takes note of work that no step tells of.
    #[inline]
    fn charge(&mut self, n_bytes: usize) {
        self.left = self.left.saturating_sub(narrow(n_bytes / 16));
    }

    /// The end of the run of a set that begins at `at`, of `most` bytes at most.
    #[inline]
    fn end_of_run(&mut self, set: Set, at: usize, most: u32) -> usize {
        let limit = self.text.len().min(at.saturating_add(most as usize));
        let rest = self.text.get(at..limit).unwrap_or_default();
        let length = match set {
            Set::AllBut(b'\n') => return self.end_of_line(at).min(limit),
            Set::AllBut(but) => memchr::memchr(but, rest),
            Set::Table { table, mask } => {
                let table = &self.matcher.tables[usize::from(table)];
                rest.iter().position(|byte| table[usize::from(*byte)] & mask == 0)
            }
        };
        let length = length.unwrap_or(rest.len());
        self.charge(length);
        at + length
    }

    /// The place of the first newline from `at` on, or the end.
    #[inline]
    fn end_of_line(&mut self, at: usize) -> usize {
        match self.line {
            Some((start, end)) if start <= at && at <= end => end,
            _ => self.next_line(at),
        }
    }

    #[inline(never)]
    fn next_line(&mut self, at: usize) -> usize {
        let rest = self.text.get(at..).unwrap_or_default();
        let length = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        self.charge(length);
        self.line = Some((at, at + length));
        at + length
    }

    /// Takes the first of the branches that `can` tells of, and remembers the others.
    #[inline]
    fn take_branch(&mut self, step: Next, branches: &[Next], at: usize, can: u8) -> Option<Next> {
        let branch = branches.get(can.trailing_zeros() as usize)?;
        let left = can & can.wrapping_sub(1);
        if left != 0 {
            self.frames.push(Frame::Fork { step, at: narrow(at), left });
        }
        Some(*branch)
    }

    /// The last place in `low..high` where what follows a run can begin.
    fn shorten(&mut self, step: Next, repeat: &Repeat, low: usize, high: usize) -> Option<usize> {
        let within = self.text.get(low..high.min(self.text.len()))?;
        let end_fits = high > self.text.len() && repeat.follow.fits_end();
        let place = match repeat.follow {
            _ if end_fits => self.text.len(),
            Follow::Is(byte) => low + memchr::memrchr(byte, within)?,
            Follow::In(set, _) => {
                low + within.iter().rposition(|byte| self.matcher.holds(set, *byte))?
            }
            Follow::Any => low + within.len().checked_sub(1)?,
        };
        if place > low {
            self.frames.push(Frame::Greedy { step, low: narrow(low), high: narrow(place) });
        }
        Some(place)
    }

    /// The first place in `at..=end` where what follows a run can begin.
    fn lengthen(&mut self, step: Next, repeat: &Repeat, at: usize, end: usize) -> Option<usize> {
        let within = self.text.get(at..(end + 1).min(self.text.len()))?;
        let found = match repeat.follow {
            Follow::Is(byte) => memchr::memchr(byte, within),
            Follow::In(set, _) => within.iter().position(|byte| self.matcher.holds(set, *byte)),
            Follow::Any => (!within.is_empty()).then_some(0),
        };
        let place = match found {
            Some(found) => at + found,
            None if end == self.text.len() && repeat.follow.fits_end() => end,
            None => return None,
        };
        if place < end {
            self.frames.push(Frame::Lazy { step, at: narrow(place + 1), end: narrow(end) });
        }
        Some(place)
    }

    /// The first place in `at..=end` where the literal stands.
    fn first_literal(&mut self, step: Next, until: &Until, at: usize, end: usize) -> Option<usize> {
        if at > end {
            return None;
        }
        let literal = &until.literal;
        let near = if literal.length() == 1 { at } else { at.saturating_add(NEAR).min(end + 1) };
        let mut place = at;
        while place < near && !literal.is_at(self.text, place) {
            place += 1;
        }
        if place >= near {
            let last = (end + literal.length()).min(self.text.len());
            let within = self.text.get(place..last)?;
            let found = match literal.length() {
                1 => memchr::memchr(literal.byte(), within),
                _ => until.finder.find(within),
            };
            self.charge(found.unwrap_or(within.len()));
            place += found?;
        }
        if place < end {
            self.frames.push(Frame::Lazy { step, at: narrow(place + 1), end: narrow(end) });
        }
        self.slots[usize::from(until.group.close)] = narrow(place);
        Some(place + literal.length())
    }

    /// The last place in `low..high` where the literal stands.
    fn last_literal(
        &mut self,
        step: Next,
        until: &Until,
        low: usize,
        high: usize,
    ) -> Option<usize> {
        let literal = &until.literal;
        let mut high = high.min(self.text.len());
        let place = loop {
            let within = self.text.get(low..high)?;
            let place = low + memchr::memrchr(literal.byte(), within)?;
            self.left = self.left.saturating_sub(1);
            self.charge(high - place + literal.length());
            if literal.is_at(self.text, place) {
                break place;
            }
            if self.left == 0 {
                return None;
            }
            high = place;
        };
        if place > low {
            self.frames.push(Frame::Greedy { step, low: narrow(low), high: narrow(place) });
        }
        self.slots[usize::from(until.group.close)] = narrow(place);
        Some(place + literal.length())
    }
}

fn looks(look: Look, text: &[u8], at: usize) -> bool {
    let is_word = |at: Option<usize>| {
        at.and_then(|at| text.get(at))
            .is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
    };
    let is_boundary = || is_word(at.checked_sub(1)) != is_word(Some(at));
    match look {
        Look::Start => at == 0,
        Look::End => at == text.len(),
        Look::StartLF => at == 0 || text.get(at - 1) == Some(&b'\n'),
        Look::EndLF => text.get(at).is_none_or(|byte| *byte == b'\n'),
        Look::WordAscii => is_boundary(),
        Look::WordAsciiNegate => !is_boundary(),
        // Others are never made into steps.
        _ => false,
    }
}

/// A place as it is kept: texts of 4 GiB are not searched.
#[expect(clippy::cast_possible_truncation, reason = "the length was checked")]
fn narrow(place: usize) -> u32 {
    place as u32
}
