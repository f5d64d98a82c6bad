//! Messages that the kernel carries out one after the other, each for itself.
//!
//! rtnetlink knows no transactions: one that is refused keeps those behind it from nothing. Only
//! the last one is acknowledged when it succeeds, and each one that is refused.

#![forbid(unsafe_code)]

use super::message::{self, ACK, REQUEST, Writer};
use super::{Error, Socket};

/// A series of messages.
#[derive(Debug)]
pub(crate) struct Series {
    writer: Writer,
    first: u32,
    next: u32,
    last: Option<usize>,
}

impl Series {
    /// An empty one whose messages are numbered from `first`.
    pub(crate) fn new(first: u32) -> Self {
        Self { writer: Writer::default(), first, next: first, last: None }
    }

    /// Adds a message.
    pub(crate) fn push(&mut self, kind: u16, flags: u16, fill: impl FnOnce(&mut Writer)) {
        self.last = Some(self.writer.message(kind, REQUEST | flags, self.next, fill));
        self.next = self.next.wrapping_add(1);
    }

    /// Whether there is nothing to do.
    pub(crate) fn is_empty(&self) -> bool {
        self.last.is_none()
    }

    /// How many messages there are.
    pub(crate) fn len(&self) -> u32 {
        self.next.wrapping_sub(self.first)
    }

    /// All that was written.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.writer.bytes()
    }

    /// Has the last message acknowledged; gives its number.
    pub(crate) fn finish(&mut self) -> u32 {
        if let Some(last) = self.last {
            self.writer.add_flags(last, ACK);
        }
        self.next.wrapping_sub(1)
    }

    /// Whether a message of this number is in it.
    pub(crate) fn covers(&self, sequence: u32) -> bool {
        sequence.wrapping_sub(self.first) < self.len()
    }

    /// The number of the first message behind it.
    pub(crate) fn next(&self) -> u32 {
        self.next
    }
}

impl Socket {
    /// Sends a series and waits until all of it was tried. Refusals with one of the errnos
    /// `harmless` are none.
    ///
    /// # Errors
    /// The first other refusal; the rest of the series may be done. [`Error::Overrun`] and
    /// [`Error::Silent`] leave it open.
    pub(in crate::enforce) fn carry_out(
        &mut self,
        mut series: Series,
        harmless: &[i32],
    ) -> Result<(), Error> {
        if series.is_empty() {
            return Ok(());
        }
        let last = series.finish();
        self.sequence = series.next();
        self.send(series.bytes())?;
        let mut is_over = false;
        let mut refusal = None;
        while !is_over {
            self.receive(true, &mut |message| {
                if message.kind != message::ERROR || !series.covers(message.sequence) {
                    return;
                }
                let Some(answer) = message.verdict() else { return };
                is_over |= message.sequence == last;
                if answer.errno != 0 && !harmless.contains(&answer.errno) {
                    let words = answer.words;
                    refusal.get_or_insert(Error::Refused { errno: answer.errno, words });
                }
            })?;
        }
        refusal.map_or(Ok(()), Err)
    }
}
