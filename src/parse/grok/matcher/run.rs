//! The search itself: steps forward, and back to the last choice where they fail.

use regex_syntax::hir::Look;

use super::address::{self, Found};
use super::bytes::Set;
use super::{Follow, Matcher, Memory, NONE, Next, Repeat, Search, Start, Step};

/// A choice that can be made otherwise, or what must be undone on the way back to one.
#[derive(Clone, Copy, Debug)]
pub(super) enum Frame {
    /// The branches of a fork that were not tried.
    Fork { step: Next, at: u32, left: u8 },
    /// A slot had another place.
    Slot { slot: u32, place: u32 },
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

impl Matcher {
    /// Searches `text`, which must be all ASCII if the matcher was made for that.
    pub(in super::super) fn search(&self, text: &[u8], memory: &mut Memory) -> Search {
        let Ok(length) = u32::try_from(text.len()) else { return Search::Unsure };
        let mut left = length.saturating_mul(STEPS_PER_BYTE).saturating_add(STEPS);
        memory.slots.clear();
        memory.slots.resize(self.n_slots, NONE);
        let mut at = 0;
        while let Some(start) = self.next_start(text, at) {
            match self.attempt(text, start, memory, &mut left) {
                Search::Nothing => {}
                other => return other,
            }
            at = match self.start {
                Start::Only => return Search::Nothing,
                Start::Behind(set) => self.scan(set, text, start, usize::MAX) + 1,
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
            Start::Literal(finder) => finder.find(rest),
            Start::Byte(byte) => memchr::memchr(*byte, rest),
            Start::In(set) => rest.iter().position(|byte| self.holds(*set, *byte)),
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

    /// The end of the run of a set that begins at `at`, of `most` bytes at most.
    #[inline]
    fn scan(&self, set: Set, text: &[u8], at: usize, most: usize) -> usize {
        let rest = text.get(at..).unwrap_or_default();
        let rest = rest.get(..most).unwrap_or(rest);
        let length = match set {
            Set::AllBut(but) => memchr::memchr(but, rest),
            Set::Table { table, mask } => {
                let table = &self.tables[usize::from(table)];
                rest.iter().position(|byte| table[usize::from(*byte)] & mask == 0)
            }
        };
        at + length.unwrap_or(rest.len())
    }

    /// Tries to match from `start` on.
    fn attempt(&self, text: &[u8], start: usize, memory: &mut Memory, left: &mut u32) -> Search {
        let Memory { frames, slots } = memory;
        frames.clear();
        let mut at = start;
        let mut next = self.first;
        loop {
            if *left == 0 {
                return Search::Unsure;
            }
            *left -= 1;
            let forward = match &self.steps[next as usize] {
                Step::Found => return Search::Found,
                Step::Jump(to) => Some((*to, at)),
                Step::Byte(byte, to) => (text.get(at) == Some(byte)).then_some((*to, at + 1)),
                Step::Literal(literal, to) => text
                    .get(at..)
                    .is_some_and(|rest| rest.starts_with(literal))
                    .then_some((*to, at + literal.len())),
                Step::One(set, to) => text
                    .get(at)
                    .is_some_and(|byte| self.holds(*set, *byte))
                    .then_some((*to, at + 1)),
                Step::Save(slot, to) => {
                    let place = std::mem::replace(&mut slots[*slot as usize], narrow(at));
                    if !frames.is_empty() {
                        frames.push(Frame::Slot { slot: *slot, place });
                    }
                    Some((*to, at))
                }
                Step::Look(look, to) => looks(*look, text, at).then_some((*to, at)),
                Step::Fork { table, at_end, branches } => {
                    let can = match text.get(at) {
                        Some(byte) => self.forks[usize::from(*table)][usize::from(*byte)],
                        None => *at_end,
                    };
                    take_branch(frames, next, branches, at, can)
                }
                Step::Greedy(repeat) => {
                    let end = self.scan(repeat.set, text, at, repeat.max as usize);
                    *left = left.saturating_sub(narrow((end - at) / 16));
                    match at + repeat.min as usize {
                        low if low > end => None,
                        _ if matches!(repeat.follow, Follow::Other) => Some((repeat.next, end)),
                        low => self.shorten(frames, next, repeat, text, low, end + 1),
                    }
                }
                Step::Lazy(repeat) => {
                    let end = self.scan(repeat.set, text, at, repeat.max as usize);
                    *left = left.saturating_sub(narrow((end - at) / 16));
                    match at + repeat.min as usize {
                        low if low > end => None,
                        _ if matches!(repeat.follow, Follow::Other) => Some((repeat.next, end)),
                        low => self.lengthen(frames, next, repeat, text, low, end),
                    }
                }
                Step::Address { is_last, next: to } => match address::find(text, at) {
                    Found::Sure(end) => {
                        if !is_last {
                            frames.push(Frame::Address);
                        }
                        Some((*to, end))
                    }
                    Found::Nothing => None,
                    Found::Unsure => return Search::Unsure,
                },
            };
            match forward.or_else(|| self.back(frames, slots, text)) {
                Some(place) => (next, at) = place,
                None if frames.is_empty() => {
                    slots.fill(NONE);
                    return Search::Nothing;
                }
                None => return Search::Unsure,
            }
        }
    }

    /// Back to the last choice that is left. `None` when there is none, and also, with a frame
    /// left, when only the pattern of addresses can tell.
    fn back(
        &self,
        frames: &mut Vec<Frame>,
        slots: &mut [u32],
        text: &[u8],
    ) -> Option<(Next, usize)> {
        while let Some(frame) = frames.pop() {
            let found = match frame {
                Frame::Slot { slot, place } => {
                    slots[slot as usize] = place;
                    None
                }
                Frame::Fork { step, at, left } => match &self.steps[step as usize] {
                    Step::Fork { branches, .. } => {
                        take_branch(frames, step, branches, at as usize, left)
                    }
                    _ => None,
                },
                Frame::Greedy { step, low, high } => match &self.steps[step as usize] {
                    Step::Greedy(repeat) => {
                        self.shorten(frames, step, repeat, text, low as usize, high as usize)
                    }
                    _ => None,
                },
                Frame::Lazy { step, at, end } => match &self.steps[step as usize] {
                    Step::Lazy(repeat) => {
                        self.lengthen(frames, step, repeat, text, at as usize, end as usize)
                    }
                    _ => None,
                },
                Frame::Address => {
                    frames.push(frame);
                    return None;
                }
            };
            if found.is_some() {
                return found;
            }
        }
        None
    }

    /// The last place in `low..high` where what follows a run can begin.
    fn shorten(
        &self,
        frames: &mut Vec<Frame>,
        step: Next,
        repeat: &Repeat,
        text: &[u8],
        low: usize,
        high: usize,
    ) -> Option<(Next, usize)> {
        let within = text.get(low..high.min(text.len()))?;
        let end_fits = high > text.len() && repeat.follow.fits_end();
        let place = match repeat.follow {
            _ if end_fits => text.len(),
            Follow::Other => return None,
            Follow::Is(byte) => low + memchr::memrchr(byte, within)?,
            Follow::In(set, _) => low + within.iter().rposition(|byte| self.holds(set, *byte))?,
            Follow::Any => low + within.len().checked_sub(1)?,
        };
        if place > low {
            frames.push(Frame::Greedy { step, low: narrow(low), high: narrow(place) });
        }
        Some((repeat.next, place))
    }

    /// The first place in `at..=end` where what follows a run can begin.
    fn lengthen(
        &self,
        frames: &mut Vec<Frame>,
        step: Next,
        repeat: &Repeat,
        text: &[u8],
        at: usize,
        end: usize,
    ) -> Option<(Next, usize)> {
        let within = text.get(at..(end + 1).min(text.len()))?;
        let found = match repeat.follow {
            Follow::Other => None,
            Follow::Is(byte) => memchr::memchr(byte, within),
            Follow::In(set, _) => within.iter().position(|byte| self.holds(set, *byte)),
            Follow::Any => (!within.is_empty()).then_some(0),
        };
        let place = match found {
            Some(found) => at + found,
            None if end == text.len() && repeat.follow.fits_end() => end,
            None => return None,
        };
        if place < end {
            frames.push(Frame::Lazy { step, at: narrow(place + 1), end: narrow(end) });
        }
        Some((repeat.next, place))
    }
}

/// Takes the first of the branches that `can` tells of, and remembers the others.
#[inline]
fn take_branch(
    frames: &mut Vec<Frame>,
    step: Next,
    branches: &[Next],
    at: usize,
    can: u8,
) -> Option<(Next, usize)> {
    let branch = branches.get(can.trailing_zeros() as usize)?;
    let left = can & can.wrapping_sub(1);
    if left != 0 {
        frames.push(Frame::Fork { step, at: narrow(at), left });
    }
    Some((*branch, at))
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
