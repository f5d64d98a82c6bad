//! The whole lines that have arrived of a file, found in one go: they are most of what a log is
//! made of. Lines that are too long, and what is not whole yet, are left to the steps of
//! [`Framer`], which find the same lines one by one.

use std::ops::Range;

use super::{Framer, State, is_trailer, trimmed};

/// Finds whole lines that lie one behind the other.
pub(in crate::intake) struct WholeLines<'b> {
    bytes: &'b [u8],
    feeds: memchr::Memchr<'b>,
    /// What was searched for line feeds before begins here.
    offset: usize,
    /// Where the next line begins.
    next: usize,
    limit: usize,
}

impl Framer {
    /// The whole lines that come next, by their places in the bytes that have not been consumed,
    /// up to one that is longer than the limit. Empty where frames may be counted.
    pub(in crate::intake) fn whole_lines(&self) -> (&[u8], WholeLines<'_>) {
        let is_ready = !self.counts && matches!(self.state, State::Start | State::Line);
        let end = if is_ready { self.buffer.end } else { self.buffer.start };
        let bytes = self.buffer.bytes.get(self.buffer.start..end).unwrap_or_default();
        let offset = self.searched.min(bytes.len());
        let feeds = memchr::memchr_iter(b'\n', &bytes[offset..]);
        (bytes, WholeLines { bytes, feeds, offset, next: 0, limit: self.limit })
    }

    /// Consumes so many bytes, which end with a whole line.
    pub(in crate::intake) fn consume_lines(&mut self, count: usize) {
        if count > 0 {
            self.go(count.min(self.buffer.end - self.buffer.start), State::Start);
        }
    }
}

impl WholeLines<'_> {
    /// How many bytes the lines that were found are, with all that was between them.
    pub(in crate::intake) fn consumed(&self) -> usize {
        self.next
    }
}

impl Iterator for WholeLines<'_> {
    type Item = Range<usize>;

    #[inline]
    fn next(&mut self) -> Option<Range<usize>> {
        loop {
            let end = self.offset + self.feeds.next()?;
            let start = self.next;
            let line = self.bytes.get(start..end)?;
            if line.len() > self.limit {
                // No more is found: the next line feed is that of another line.
                self.feeds = memchr::memchr_iter(b'\n', &[]);
                return None;
            }
            self.next = end + 1;
            let (Some(first), Some(last)) = (line.first(), line.last()) else { continue };
            if !is_trailer(*first) && !is_trailer(*last) {
                return Some(start..end);
            }
            let skipped = line.iter().take_while(|byte| is_trailer(**byte)).count();
            let line = trimmed(&line[skipped..]);
            if !line.is_empty() {
                return Some(start + skipped..start + skipped + line.len());
            }
        }
    }
}
