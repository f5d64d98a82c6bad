//! Lines that a sender sends again after its connection broke, told from new ones. Pure.
//!
//! A sender keeps each line until it has read our answer. When a session breaks, it opens another
//! and sends first, in order, whatever was not answered: a tail of what we received, then what we
//! never saw. So of every session the last lines are remembered by their hashes, and the first
//! lines of the next session of the same address are compared with them. If they equal a tail
//! whole, up to its very end, they are replays: answered, counted and not delivered. What was
//! never answered must be part of such a tail, which rules out most matches by chance.
//!
//! In doubt a line is delivered: lines are held back only while they may yet turn out to be
//! replays, and a tail that is not matched to its end was none. A session that still seems to be
//! connected, since networks break without a word, needs at least two lines to match. If its
//! answers are not all sent, it is over from then on: what it has not read yet comes again here.
//!
//! All is bounded: lines of a session, sessions of a sender, sessions in all, and time.

#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Lines of a session that are remembered, and lines that may wait for their answers.
pub const WINDOW: usize = 512;
/// Sessions that ended, of one sender and in all, and for how long they are remembered.
const MOST_OF_SENDER: usize = 8;
const MOST: usize = 1024;
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// The last lines of a session, each with a mark of its caller's.
#[derive(Debug)]
pub struct Memory<M> {
    lines: VecDeque<(u64, M)>,
    /// The number of the first line that is remembered.
    first: u64,
    /// Of the last lines so many were not answered.
    unanswered: usize,
    is_superseded: bool,
    ended_at: Option<Instant>,
}

impl<M> Default for Memory<M> {
    fn default() -> Self {
        let lines = VecDeque::new();
        Self { lines, first: 0, unanswered: 0, is_superseded: false, ended_at: None }
    }
}

/// A memory that its session writes and others read.
#[derive(Debug)]
pub struct Shared<M>(Arc<Mutex<Memory<M>>>);

impl<M> Clone for Shared<M> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<M> Shared<M> {
    fn lock(&self) -> MutexGuard<'_, Memory<M>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers lines that are about to be delivered, and says whether they may be: not when
    /// another session has taken this one's place.
    #[must_use]
    pub fn push(&self, lines: impl IntoIterator<Item = (u64, M)>) -> bool {
        let mut memory = self.lock();
        if memory.is_superseded {
            return false;
        }
        for line in lines {
            memory.lines.push_back(line);
            memory.unanswered += 1;
        }
        while memory.lines.len() > WINDOW {
            memory.lines.pop_front();
            memory.first += 1;
        }
        true
    }

    /// So many more lines were answered.
    pub fn answered(&self, lines: usize) {
        let mut memory = self.lock();
        memory.unanswered = memory.unanswered.saturating_sub(lines);
    }

    /// Whether another session has taken this one's place.
    #[must_use]
    pub fn is_superseded(&self) -> bool {
        self.lock().is_superseded
    }
}

impl<M> Memory<M> {
    fn end(&self) -> u64 {
        self.first + self.lines.len() as u64
    }

    fn get(&self, number: u64) -> Option<&(u64, M)> {
        let at = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.lines.get(at)
    }
}

/// What is to be done about a line.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict<M> {
    /// It and all that was held back are new.
    Fresh,
    /// It may be a replay.
    Held,
    /// It and all that was held back are replays; their marks, in order.
    Replayed(Vec<M>),
}

/// Compares the first lines of a session with the ends of earlier ones.
#[derive(Debug)]
pub struct Replay<M> {
    before: Vec<Shared<M>>,
    candidates: Vec<Candidate>,
    has_begun: bool,
}

/// A stretch of an earlier session that equals all lines so far.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    memory: usize,
    from: u64,
    next: u64,
}

impl<M: Clone> Replay<M> {
    /// What is to be done about the next line.
    pub fn offer(&mut self, hash: u64) -> Verdict<M> {
        if self.is_over() {
            return Verdict::Fresh;
        }
        if self.has_begun {
            self.candidates.retain_mut(|candidate| {
                let memory = self.before[candidate.memory].lock();
                let fits = memory.get(candidate.next).is_some_and(|line| line.0 == hash);
                candidate.next += 1;
                fits
            });
        } else {
            self.has_begun = true;
            self.begin(hash);
        }
        // The shortest that fits: what is between it and a longer one may be new.
        let shortest = self.candidates.iter().rev().find_map(|candidate| {
            let mut memory = self.before[candidate.memory].lock();
            if candidate.next != memory.end() {
                return None;
            }
            memory.is_superseded = memory.ended_at.is_some() || memory.unanswered > 0;
            let from = usize::try_from(candidate.from - memory.first).ok()?;
            let marks = memory.lines.iter().skip(from).map(|line| line.1.clone()).collect();
            memory.first = candidate.next;
            memory.lines.clear();
            Some(marks)
        });
        if let Some(marks) = shortest {
            self.give_up();
            return Verdict::Replayed(marks);
        }
        if self.candidates.is_empty() {
            self.give_up();
            return Verdict::Fresh;
        }
        Verdict::Held
    }

    /// Finds where earlier sessions hold the first line.
    fn begin(&mut self, hash: u64) {
        for (index, shared) in self.before.iter().enumerate() {
            let memory = shared.lock();
            let least = if memory.ended_at.is_some() { 1 } else { 2 };
            let length = memory.lines.len();
            let Some(last) = length.checked_sub(memory.unanswered.max(least)) else { continue };
            let fitting = memory.lines.iter().take(last + 1).enumerate();
            let fitting = fitting.filter(|(_, line)| line.0 == hash);
            self.candidates.extend(fitting.map(|(at, _)| {
                let from = memory.first + at as u64;
                Candidate { memory: index, from, next: from + 1 }
            }));
        }
    }
}

impl<M> Replay<M> {
    /// Nothing can be a replay any more: what was held back is new.
    pub fn give_up(&mut self) {
        self.before = Vec::new();
        self.candidates = Vec::new();
    }

    /// Whether nothing can be a replay any more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.before.is_empty()
    }
}

/// The sessions of one source.
#[derive(Debug)]
pub struct Sessions<M> {
    /// Keyed, so that nobody can write lines of equal hashes.
    hasher: RandomState,
    /// In the order they began.
    all: Mutex<Vec<(IpAddr, Shared<M>)>>,
}

impl<M> Default for Sessions<M> {
    fn default() -> Self {
        Self { hasher: RandomState::new(), all: Mutex::default() }
    }
}

impl<M> Sessions<M> {
    /// A session begins: its memory, and what its first lines are to be compared with.
    pub fn begin(&self, sender: IpAddr, now: Instant) -> (Shared<M>, Replay<M>) {
        let own = Shared(Arc::default());
        let mut all = self.lock();
        forget(&mut all, sender, now);
        let before: Vec<_> =
            all.iter().filter(|(of, _)| *of == sender).map(|(_, one)| one.clone()).collect();
        all.push((sender, own.clone()));
        (own, Replay { before, candidates: Vec::new(), has_begun: false })
    }

    /// A session ended: in good order, or so that its sender may send lines again.
    pub fn end(&self, own: &Shared<M>, in_order: bool, now: Instant) {
        let mut memory = own.lock();
        memory.ended_at = Some(now);
        let is_done = in_order || memory.lines.is_empty();
        memory.lines.shrink_to_fit();
        drop(memory);
        if is_done {
            self.lock().retain(|(_, one)| !Arc::ptr_eq(&one.0, &own.0));
        }
    }

    /// The hash of a line.
    #[must_use]
    pub fn hash(&self, line: &[u8]) -> u64 {
        self.hasher.hash_one(line)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(IpAddr, Shared<M>)>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets sessions that ended long ago or were taken over, and the oldest of too many.
fn forget<M>(all: &mut Vec<(IpAddr, Shared<M>)>, sender: IpAddr, now: Instant) {
    all.retain(|(_, one)| {
        let memory = one.lock();
        memory.ended_at.is_none_or(|end| {
            now.saturating_duration_since(end) < LONGEST && !memory.lines.is_empty()
        })
    });
    let mut kept = [(MOST_OF_SENDER, true), (MOST, false)];
    for (most, is_of_sender) in &mut kept {
        let counts = |of: &IpAddr, one: &Shared<M>| {
            (!*is_of_sender || *of == sender) && one.lock().ended_at.is_some()
        };
        let mut excess = all.iter().filter(|(of, one)| counts(of, one)).count();
        excess = (excess + 1).saturating_sub(*most);
        all.retain(|(of, one)| {
            let goes = excess > 0 && counts(of, one);
            excess -= usize::from(goes);
            !goes
        });
    }
}

#[cfg(test)]
mod tests;
