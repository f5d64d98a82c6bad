//! Lines of a source of datagrams on their way into the queue, and those that it has no room for.
//!
//! Batches are bounded in bytes, so a queue that is bounded in batches is too.

#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::net::IpAddr;

use super::{Closed, LineSender, Statistics};
use crate::event::{Batch, Origin, SourceId};
use crate::value::Time;

/// Lines of a batch at most, and bytes from which it is closed.
const LINES: usize = 1024;
const BYTES: usize = 128 * 1024;
/// Lines and bytes that wait at most: as much as comes in a sixth of a second at 200,000 lines a
/// second.
const MOST_LINES: usize = 32 * 1024;
const MOST_BYTES: usize = 8 << 20;
/// Lines of one batch arrived within this many nanoseconds, so that its time is that of each.
const SPAN: i64 = 5_000_000;

/// Whom a line is from.
#[derive(Clone, Copy, Debug)]
pub(super) enum From {
    /// A sender on the network; none when the kernel does not say.
    Network(Option<IpAddr>),
    /// A local process of this user.
    User(u32),
}

/// Batches that wait for room in the queue, oldest first.
#[derive(Debug)]
pub(super) struct Waiting {
    source: SourceId,
    batches: VecDeque<Batch>,
    lines: usize,
    bytes: usize,
}

impl Waiting {
    /// Nothing waits.
    pub(super) fn new(source: SourceId) -> Self {
        Self { source, batches: VecDeque::new(), lines: 0, bytes: 0 }
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// How many lines wait.
    pub(super) fn len(&self) -> usize {
        self.lines
    }

    /// To be called before so many lines with so many bytes, which arrived now.
    pub(super) fn expect(&mut self, lines: usize, bytes: usize, now: Time) {
        let is_open = self.batches.back().is_some_and(|last| {
            last.len() < LINES && last.size() < BYTES && now.since(last.received_at).abs() < SPAN
        });
        if !is_open {
            // One that nothing came into.
            if self.batches.back().is_some_and(Batch::is_empty) {
                self.batches.pop_back();
            }
            let mut batch = Batch::new(self.source, now);
            batch.reserve(lines, bytes.min(BYTES));
            self.batches.push_back(batch);
        }
    }

    /// Takes a line, unless too many wait.
    pub(super) fn push(&mut self, line: &[u8], cut: bool, from: From) -> bool {
        if self.lines >= MOST_LINES || self.bytes + line.len() > MOST_BYTES {
            return false;
        }
        let Some(mut batch) = self.batches.back_mut() else { return false };
        if batch.size() > 0 && batch.size() + line.len() > BYTES {
            let next = Batch::new(self.source, batch.received_at);
            self.batches.push_back(next);
            let Some(last) = self.batches.back_mut() else { return false };
            batch = last;
        }
        match from {
            From::Network(sender) => batch.push(line, cut, sender),
            From::User(user) => {
                batch.push_from(line, cut, &Origin { user: Some(user), ..Origin::default() });
            }
        }
        self.lines += 1;
        self.bytes += line.len();
        true
    }

    /// Puts as much into the queue as there is room for.
    pub(super) fn hand_over(
        &mut self,
        queue: &LineSender,
        statistics: &Statistics,
    ) -> Result<(), Closed> {
        while let Some(batch) = self.batches.pop_front() {
            let (lines, bytes) = (batch.len(), batch.size());
            if let Some(back) = queue.offer(batch, statistics)? {
                self.batches.push_front(back);
                break;
            }
            self.lines -= lines;
            self.bytes -= bytes;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::mpsc;

    fn at(millis: i64) -> Time {
        Time::from_nanos(millis * 1_000_000)
    }

    #[test]
    fn what_finds_no_room_waits_in_order_and_in_few_batches() {
        let (sender, mut queue) = mpsc::channel(1);
        let (sender, statistics) = (LineSender::new(sender), Statistics::default());
        let mut waiting = Waiting::new(SourceId(3));
        for n in 0..6_i64 {
            waiting.expect(1, 1, at(n));
            assert!(waiting.push(n.to_string().as_bytes(), false, From::Network(None)));
            waiting.hand_over(&sender, &statistics).expect("the queue is open");
        }
        assert_eq!((waiting.len(), waiting.batches.len()), (5, 1), "one is in the queue");
        waiting.expect(1, 1, at(7));
        assert!(waiting.push(b"late", false, From::Network(None)));
        assert_eq!(waiting.batches.len(), 2, "its time is another");
        let mut found = Vec::new();
        while let Ok(batch) = queue.try_recv() {
            assert_eq!(batch.source, SourceId(3));
            found
                .extend(batch.lines().map(|line| String::from_utf8_lossy(line.bytes).into_owned()));
            waiting.hand_over(&sender, &statistics).expect("the queue is open");
        }
        assert_eq!(found, ["0", "1", "2", "3", "4", "5", "late"]);
        assert!(waiting.is_empty() && (waiting.len(), waiting.bytes) == (0, 0));
        assert_eq!((statistics.lines(), statistics.bytes()), (7, 10));
    }

    #[test]
    fn batches_and_what_waits_are_bounded() {
        let (sender, mut queue) = mpsc::channel(1);
        let (sender, statistics) = (LineSender::new(sender), Statistics::default());
        let mut waiting = Waiting::new(SourceId(0));
        let line = vec![b'x'; 60_000];
        let mut taken = 0;
        for _ in 0..1000 {
            waiting.expect(1, line.len(), at(0));
            taken += usize::from(waiting.push(&line, false, From::Network(None)));
        }
        assert_eq!(taken, MOST_BYTES / line.len());
        waiting.hand_over(&sender, &statistics).expect("the queue is open");
        assert_eq!(queue.try_recv().expect("a batch").size(), 120_000);
        let mut waiting = Waiting::new(SourceId(0));
        let mut taken = 0;
        for n in 0..2 * MOST_LINES {
            waiting.expect(1, 1, at(n as i64 / 1000));
            taken += usize::from(waiting.push(b"x", false, From::Network(None)));
        }
        assert_eq!(taken, MOST_LINES);
        assert!(waiting.batches.len() <= MOST_LINES / LINES + 8, "{}", waiting.batches.len());
    }
}
