//! Messages out of a byte stream: RFC 6587 octet counting and line feeds, told apart per frame.
//!
//! A number at the start of a frame is believed to be an octet count only when a space and a
//! syslog priority (`<34>`) follow it. Messages that merely begin with a digit, such as a bare
//! ISO time, are lines.
//!
//! What must hold:
//! * the frames depend on the bytes alone, never on how they were chopped into reads;
//! * the buffer holds at most one message of the longest length plus a few KiB;
//! * no byte of a counted frame is ever taken for the start of another one, so that text inside a
//!   message cannot forge a message;
//! * a frame that is not known to be whole is dropped rather than shown: half an address in it
//!   would be another address.
//!
//! After a count that proves wrong, everything is discarded up to the next line feed or the next
//! believable count.

#![forbid(unsafe_code)]

mod fuzz;
mod lines;

use super::Reason;
use super::buffer::Buffer;

#[doc(hidden)]
pub use fuzz::fuzz_framing;

/// Cuts a byte stream into messages.
#[derive(Debug)]
pub struct Framer {
    buffer: Buffer,
    /// So many bytes of what waits were searched already.
    searched: usize,
    state: State,
    limit: usize,
    counts: bool,
    /// So many bytes have arrived.
    arrived: u64,
    /// Where among them the frame begins that parts of were consumed.
    frame: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before a frame of either kind.
    Start,
    /// Before a frame, right behind a counted one: only a count or a priority may follow.
    BehindCounted,
    /// Inside a line.
    Line,
    /// Behind the limit of a line that is too long.
    RestOfLine,
    /// Before the so many bytes of a counted frame.
    Counted(usize),
    /// Behind the limit of a counted frame, so many bytes before its end.
    RestOfCounted(usize),
    /// Somewhere in garbage.
    Lost,
}

impl State {
    /// Whether nothing of the present frame was consumed.
    const fn is_between(self) -> bool {
        matches!(self, Self::Start | Self::BehindCounted | Self::Line)
    }
}

/// What a stream holds next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framed<'b> {
    /// A message without its framing and without CR, LF and NUL at its end; never empty.
    Message {
        /// The message.
        bytes: &'b [u8],
        /// Whether it was longer than the limit and is cut.
        cut: bool,
    },
    /// Bytes were discarded.
    Dropped(Reason),
}

/// The most digits that a count is believed with.
const COUNT_DIGITS: usize = 8;
/// The most digits that are looked at for a count.
const COUNT_DIGITS_READ: usize = 20;
/// A message may be this much longer than the limit, if what is too long is stripped at its end.
const TRAILER: usize = 2;
/// Room in the buffer beside the longest message.
const SLACK: usize = 4096;

/// A frame by its place in the buffer: from, to, and whether it is cut.
pub(super) enum Place {
    Message(usize, usize, bool),
    Dropped(Reason),
}

/// One step of the machine.
enum Step {
    Again,
    Starved,
    Found(Place),
}

impl Framer {
    /// For a stream of syslog messages of at most `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self::of(limit, true)
    }

    /// For a file: lines only, no counts.
    #[must_use]
    pub fn lines(limit: usize) -> Self {
        Self::of(limit, false)
    }

    fn of(limit: usize, counts: bool) -> Self {
        let limit = limit.max(1);
        Self {
            buffer: Buffer::new(limit.saturating_add(SLACK), !counts),
            searched: 0,
            state: State::Start,
            limit,
            counts,
            arrived: 0,
            frame: 0,
        }
    }

    /// Where the next bytes are to be written; never empty once [`Self::next_frame`] has given
    /// `None`. [`Self::filled`] must follow.
    pub fn space(&mut self) -> &mut [u8] {
        self.buffer.space()
    }

    /// `count` bytes were written into [`Self::space`].
    pub fn filled(&mut self, count: usize) {
        self.arrived += self.buffer.filled(count) as u64;
    }

    /// Takes as many of `bytes` as there is space for, and says how many.
    pub fn push(&mut self, bytes: &[u8]) -> usize {
        let space = self.space();
        let count = space.len().min(bytes.len());
        space[..count].copy_from_slice(&bytes[..count]);
        self.filled(count);
        count
    }

    /// The next message or loss; `None` when more bytes are needed.
    pub fn next_frame(&mut self) -> Option<Framed<'_>> {
        Some(match self.locate()? {
            Place::Message(from, to, cut) => Framed::Message { bytes: self.bytes(from, to), cut },
            Place::Dropped(reason) => Framed::Dropped(reason),
        })
    }

    /// Where the next frame is, for callers that cannot hold on to it yet.
    pub(super) fn locate(&mut self) -> Option<Place> {
        loop {
            match self.step() {
                Step::Again => {}
                Step::Starved => return None,
                Step::Found(place) => return Some(place),
            }
        }
    }

    /// The bytes of the message that was located last.
    pub(super) fn bytes(&self, from: usize, to: usize) -> &[u8] {
        self.buffer.bytes.get(from..to).unwrap_or_default()
    }

    /// What is left when the stream has ended and [`Self::next_frame`] gave `None`. A line without
    /// its line feed counts as a message only when the sender closed the stream in good order.
    pub fn finish(&mut self, in_order: bool) -> Option<Framed<'_>> {
        let (from, to) = (self.buffer.start, self.buffer.end);
        let state = std::mem::replace(&mut self.state, State::Start);
        self.buffer.start = self.buffer.end;
        self.searched = 0;
        let bytes = trimmed(&self.buffer.bytes[from..to]);
        match state {
            State::RestOfLine | State::RestOfCounted(_) | State::Lost => None,
            State::Start | State::Line if bytes.is_empty() => None,
            State::BehindCounted if bytes.is_empty() => None,
            State::Start | State::Line if in_order => {
                let cut = bytes.len() > self.limit;
                // What is left of a cut message must not end in trailers either.
                let bytes = trimmed(&bytes[..bytes.len().min(self.limit)]);
                Some(Framed::Message { bytes, cut })
            }
            _ => Some(Framed::Dropped(Reason::Incomplete)),
        }
    }

    /// Whether the stream stands inside a frame, given that [`Self::next_frame`] gave `None`.
    #[must_use]
    pub fn is_inside(&self) -> bool {
        self.buffer.start != self.buffer.end
            || !matches!(self.state, State::Start | State::BehindCounted)
    }

    /// Up to which byte of all that arrived the stream is cut into frames: what follows is the
    /// beginning of one that is not whole.
    #[must_use]
    pub fn boundary(&self) -> u64 {
        if self.state.is_between() { self.position() } else { self.frame }
    }

    /// What was not consumed begins behind so many bytes.
    fn position(&self) -> u64 {
        self.arrived - (self.buffer.end - self.buffer.start) as u64
    }

    /// Gives back memory that a quiet stream does not need.
    pub fn shrink(&mut self) {
        self.buffer.shrink();
    }

    /// The bytes of memory held.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.buffer.bytes.capacity()
    }

    fn step(&mut self) -> Step {
        match self.state {
            State::Start | State::BehindCounted => self.step_start(),
            State::Line => self.step_line(),
            State::Counted(count) => self.step_counted(count),
            State::RestOfLine => {
                match memchr::memchr(b'\n', &self.buffer.bytes[self.buffer.start..self.buffer.end])
                {
                    Some(at) => self.go(at + 1, State::Start),
                    None => self.starve(),
                }
            }
            State::RestOfCounted(left) => {
                let count = left.min(self.buffer.end - self.buffer.start);
                if count == left {
                    self.go(count, State::BehindCounted)
                } else {
                    self.go(count, State::RestOfCounted(left - count));
                    Step::Starved
                }
            }
            State::Lost => self.step_lost(),
        }
    }

    fn step_start(&mut self) -> Step {
        let bytes = &self.buffer.bytes[self.buffer.start..self.buffer.end];
        let Some(skipped) = bytes.iter().position(|byte| !is_trailer(*byte)) else {
            return self.starve();
        };
        self.buffer.start += skipped;
        let bytes = &self.buffer.bytes[self.buffer.start..self.buffer.end];
        if !self.counts {
            return self.go(0, State::Line);
        }
        match Head::of(bytes) {
            Head::Short => Step::Starved,
            Head::Counted { header, count } => self.go(header, State::Counted(count)),
            Head::Lie { header } => {
                self.go(header, State::Start);
                Step::Found(Place::Dropped(Reason::BadFrame))
            }
            Head::Text if self.state == State::Start => self.go(0, State::Line),
            Head::Text => match priority(bytes) {
                Priority::Short => Step::Starved,
                Priority::Length(_) => self.go(0, State::Line),
                Priority::None => {
                    self.go(0, State::Lost);
                    Step::Found(Place::Dropped(Reason::BadFrame))
                }
            },
        }
    }

    fn step_line(&mut self) -> Step {
        let (start, limit) = (self.buffer.start, self.limit);
        let window = (self.buffer.end - start).min(limit + TRAILER + 1);
        let from = self.searched.min(window);
        match memchr::memchr(b'\n', &self.buffer.bytes[start + from..start + window]) {
            Some(at) => {
                let length = from + at;
                self.go(length + 1, State::Start);
                self.message(start, length)
            }
            None if window > limit + TRAILER => {
                self.go(window, State::RestOfLine);
                let length = trimmed(&self.buffer.bytes[start..start + limit]).len();
                Step::Found(Place::Message(start, start + length, true))
            }
            None => {
                self.searched = window;
                Step::Starved
            }
        }
    }

    fn step_counted(&mut self, count: usize) -> Step {
        let (start, limit) = (self.buffer.start, self.limit);
        let arrived = self.buffer.end - start;
        if count <= limit + TRAILER {
            if arrived < count {
                return Step::Starved;
            }
            self.go(count, State::BehindCounted);
            return self.message(start, count);
        }
        if arrived < limit {
            return Step::Starved;
        }
        self.go(limit, State::RestOfCounted(count - limit));
        let length = trimmed(&self.buffer.bytes[start..start + limit]).len();
        Step::Found(Place::Message(start, start + length, true))
    }

    /// Looks for a line feed, or for digits, a space and a priority.
    fn step_lost(&mut self) -> Step {
        let bytes = &self.buffer.bytes[self.buffer.start..self.buffer.end];
        let mut at = self.searched;
        loop {
            let Some(found) = memchr::memchr2(b'\n', b'<', &bytes[at..]) else {
                at = bytes.len();
                break;
            };
            let mark = at + found;
            if bytes[mark] == b'\n' {
                return self.go(mark + 1, State::Start);
            }
            let digits = digits_before(&bytes[..mark]);
            match priority(&bytes[mark..]) {
                Priority::Length(_) if digits > 0 => {
                    return self.go(mark - 1 - digits, State::Start);
                }
                Priority::Short => {
                    at = mark;
                    break;
                }
                Priority::Length(_) | Priority::None => at = mark + 1,
            }
        }
        // What is searched is kept only as far as a count can reach back from here.
        let discarded = at.saturating_sub(COUNT_DIGITS + 2);
        self.buffer.start += discarded;
        self.searched = at - discarded;
        Step::Starved
    }

    /// A message that ends where its frame ends.
    fn message(&self, start: usize, length: usize) -> Step {
        let length = trimmed(&self.buffer.bytes[start..start + length]).len();
        match length {
            0 => Step::Again,
            _ => {
                let kept = trimmed(&self.buffer.bytes[start..start + length.min(self.limit)]).len();
                Step::Found(Place::Message(start, start + kept, length > self.limit))
            }
        }
    }

    fn go(&mut self, consumed: usize, state: State) -> Step {
        if self.state.is_between() && !state.is_between() {
            self.frame = self.position();
        }
        self.buffer.start += consumed;
        self.searched = 0;
        self.state = state;
        Step::Again
    }

    /// All there is is consumed.
    fn starve(&mut self) -> Step {
        self.buffer.start = self.buffer.end;
        Step::Starved
    }
}

/// A message without CR, LF and NUL at its end.
#[must_use]
pub fn trimmed(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|byte| !is_trailer(*byte)).map_or(0, |last| last + 1);
    &bytes[..end]
}

fn is_trailer(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n' | 0)
}

/// How a frame begins.
#[derive(Debug, PartialEq, Eq)]
enum Head {
    /// Not enough bytes to tell.
    Short,
    /// Not with a count.
    Text,
    /// With a count.
    Counted { header: usize, count: usize },
    /// With a count that cannot be true: longer than any message, or shorter than its priority.
    Lie { header: usize },
}

impl Head {
    fn of(bytes: &[u8]) -> Self {
        let digits =
            bytes.iter().take(COUNT_DIGITS_READ + 1).take_while(|b| b.is_ascii_digit()).count();
        if digits == 0 || digits > COUNT_DIGITS_READ || bytes[0] == b'0' {
            return Self::Text;
        }
        let header = digits + 1;
        match bytes.get(digits) {
            None => return Self::Short,
            Some(b' ') => {}
            Some(_) => return Self::Text,
        }
        let shortest = match priority(&bytes[header..]) {
            Priority::Short => return Self::Short,
            Priority::None => return Self::Text,
            Priority::Length(length) => length,
        };
        let count = bytes[..digits]
            .iter()
            .fold(0_usize, |n, digit| n.saturating_mul(10).saturating_add((digit - b'0').into()));
        if digits > COUNT_DIGITS || count < shortest {
            return Self::Lie { header };
        }
        Self::Counted { header, count }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Priority {
    Short,
    None,
    Length(usize),
}

/// Whether `<`, one to three digits and `>` stand at the start.
fn priority(bytes: &[u8]) -> Priority {
    for (at, byte) in bytes.iter().take(5).enumerate() {
        match (at, byte) {
            (0, b'<') | (1..=3, b'0'..=b'9') => {}
            (2..=4, b'>') => return Priority::Length(at + 1),
            _ => return Priority::None,
        }
    }
    Priority::Short
}

/// The number of digits of a believable count right before a space at the end, or 0.
fn digits_before(bytes: &[u8]) -> usize {
    let Some((b' ', before)) = bytes.split_last() else { return 0 };
    let digits =
        before.iter().rev().take(COUNT_DIGITS + 1).take_while(|b| b.is_ascii_digit()).count();
    match before.get(before.len() - digits) {
        Some(b'1'..=b'9') if digits <= COUNT_DIGITS => digits,
        _ => 0,
    }
}

#[cfg(test)]
mod tests;
