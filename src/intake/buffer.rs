//! The bytes of a stream that have arrived and are not consumed, in a buffer that grows with what
//! the stream has to say and never beyond a bound. Pure.

#![forbid(unsafe_code)]

/// The buffer of a stream that says little, and that of one that says much.
pub(super) const SMALL: usize = 1024;
pub(super) const LARGE: usize = 64 * 1024;

/// What is waiting lies in `bytes[start..end]`.
#[derive(Debug)]
pub(super) struct Buffer {
    pub(super) bytes: Vec<u8>,
    pub(super) start: usize,
    pub(super) end: usize,
    /// The last read filled all the space there was.
    busy: bool,
    least: usize,
    most: usize,
}

impl Buffer {
    /// An empty one, of at most `most` bytes. That of a file, which says much, is large at once.
    pub(super) fn new(most: usize, is_file: bool) -> Self {
        let least = if is_file { LARGE } else { SMALL };
        Self { bytes: Vec::new(), start: 0, end: 0, busy: is_file, least, most }
    }

    /// Where the next bytes are to be written; never empty while less than the bound waits.
    /// [`Self::filled`] must follow.
    pub(super) fn space(&mut self) -> &mut [u8] {
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        } else if self.end == self.bytes.len() && self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        let full = self.end == self.bytes.len();
        if (full || (self.busy && self.bytes.len() < LARGE)) && self.bytes.len() < self.most {
            let wanted = (self.bytes.len() * 2).max(self.least).min(self.most);
            self.bytes.reserve_exact(wanted - self.bytes.len());
            self.bytes.resize(wanted, 0);
        }
        &mut self.bytes[self.end..]
    }

    /// `count` bytes were written into [`Self::space`]; gives how many there was space for.
    pub(super) fn filled(&mut self, count: usize) -> usize {
        let space = self.bytes.len() - self.end;
        let count = count.min(space);
        self.end += count;
        self.busy = count == space;
        count
    }

    /// Gives back memory that a quiet stream does not need.
    pub(super) fn shrink(&mut self) {
        if self.start == self.end && self.bytes.len() > SMALL {
            self.bytes = Vec::new();
            self.start = 0;
            self.end = 0;
        }
        self.busy = false;
    }
}
