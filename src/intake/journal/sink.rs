//! From entries to batches in the queue, whoever read them.
//!
//! A batch arrived when the journal received its entries, so that what was written while Weir was
//! away is no burst for scenarios. Weir's own lines are passed over: what it says of a ban must not
//! lead to another one. They are known by fields that the journal sets and nobody else can.

#![forbid(unsafe_code)]

use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use tokio::runtime::Handle;

use super::bookmark::Bookmark;
use super::entry::{Entry, Field};
use crate::event::{Batch, CANARY, Origin, Receipt, SourceId};
use crate::intake::{Closed, LineSender, Reason, Statistics};
use crate::system::clock;

/// Lines and bytes of a batch at most.
const LINES: usize = 512;
const BYTES: usize = 128 * 1024;
/// Entries of one batch were received within this many nanoseconds.
const SPAN: i64 = 1_000_000_000;

/// Takes entries and sends lines.
pub(super) struct Sink {
    id: SourceId,
    statistics: Arc<Statistics>,
    queue: LineSender,
    runtime: Handle,
    bookmark: Arc<Bookmark>,
    own: Own,
    batch: Batch,
    line: Vec<u8>,
    origin: Origin,
}

impl Sink {
    pub(super) fn new(
        id: SourceId,
        statistics: Arc<Statistics>,
        queue: LineSender,
        runtime: Handle,
        bookmark: Arc<Bookmark>,
    ) -> Self {
        let batch = Batch::new(id, clock::now());
        let (own, line, origin) = (Own::find(), Vec::new(), Origin::default());
        Self { id, statistics, queue, runtime, bookmark, own, batch, line, origin }
    }

    /// How far was read.
    pub(super) fn bookmark(&self) -> &Bookmark {
        &self.bookmark
    }

    /// Takes an entry; waits while the queue is full.
    ///
    /// # Errors
    /// When nobody takes lines any more.
    pub(super) fn take(&mut self, entry: &Entry) -> Result<(), Closed> {
        // Without a text it is no line: nothing to count.
        if !entry.is_line() {
            return Ok(());
        }
        if self.own.wrote(entry) {
            self.statistics.count_dropped(Reason::Own, 1);
            return Ok(());
        }
        let now = clock::now();
        let at = entry.received_at().map_or(now, |at| at.min(now));
        if self.batch.is_empty() {
            self.batch.received_at = at;
        } else if at.since(self.batch.received_at).abs() >= SPAN {
            self.send(None)?;
            self.batch.received_at = at;
        }
        let cut = entry.write_line(&mut self.line);
        if cut {
            self.statistics.count_cut();
        }
        entry.tell_origin(&mut self.origin);
        self.batch.push_from(&self.line, cut, &self.origin);
        Ok(())
    }

    /// Counts an entry that could not be read.
    pub(super) fn lose(&self, error: &std::io::Error) {
        tracing::debug!(%error, "an entry of the journal cannot be read");
        self.statistics.count_dropped(Reason::Unreadable, 1);
    }

    /// Forgets what was taken and not sent.
    pub(super) fn clear(&mut self) {
        self.batch.clear(clock::now());
    }

    /// Whether the batch is large enough.
    pub(super) fn is_full(&self) -> bool {
        self.batch.len() >= LINES || self.batch.size() >= BYTES
    }

    /// Sends what was taken; all up to this cursor was read.
    ///
    /// # Errors
    /// When nobody takes lines any more.
    pub(super) fn flush(&mut self, cursor: &str) -> Result<(), Closed> {
        self.send(Some(cursor))
    }

    fn send(&mut self, cursor: Option<&str>) -> Result<(), Closed> {
        let next = Batch::new(self.id, clock::now());
        let mut batch = std::mem::replace(&mut self.batch, next);
        let number = self.bookmark.begin(cursor);
        let bookmark = Arc::clone(&self.bookmark);
        batch.receipt = Some(Receipt::new(move || bookmark.half(number)));
        self.runtime.block_on(self.queue.send(batch, &self.statistics))?;
        self.bookmark.half(number);
        Ok(())
    }
}

/// What Weir's own entries have in common.
#[derive(Debug)]
struct Own {
    machine: Vec<u8>,
    program: Vec<u8>,
}

impl Own {
    /// Where it cannot be found, no entry is Weir's own.
    fn find() -> Self {
        let machine = std::fs::read("/etc/machine-id").unwrap_or_default().trim_ascii().to_vec();
        let program = std::fs::read_link("/proc/self/exe").unwrap_or_default();
        Self { machine, program: program.as_os_str().as_bytes().to_vec() }
    }

    fn wrote(&self, entry: &Entry) -> bool {
        !self.program.is_empty()
            && entry.get(Field::Program) == self.program
            && !self.machine.is_empty()
            && entry.get(Field::Machine) == self.machine
            // A test line is sent by the same program, and is to come through.
            && entry.get(Field::Identifier) != CANARY.as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use tokio::runtime::Runtime;
    use tokio::sync::mpsc;

    use super::*;
    use crate::value::Time;

    struct Place {
        sink: Sink,
        queue: mpsc::Receiver<Batch>,
        _runtime: Runtime,
    }

    fn place() -> Place {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let (sender, queue) = mpsc::channel(8);
        let (statistics, bookmark) = (Arc::default(), Arc::default());
        let sender = LineSender::new(sender);
        let handle = runtime.handle().clone();
        let mut sink = Sink::new(SourceId(3), statistics, sender, handle, bookmark);
        sink.own = Own { machine: b"m".to_vec(), program: b"/usr/bin/weir".to_vec() };
        Place { sink, queue, _runtime: runtime }
    }

    fn entry(fields: &[(&str, &str)]) -> Entry {
        let mut entry = Entry::new(1000);
        for (name, text) in fields {
            entry.set(name.as_bytes(), text.as_bytes());
        }
        entry
    }

    #[test]
    fn own_lines_are_known_by_what_nobody_can_say_of_himself() {
        let Place { mut sink, mut queue, .. } = place();
        let own = [("_EXE", "/usr/bin/weir"), ("_MACHINE_ID", "m"), ("MESSAGE", "banned")];
        sink.take(&entry(&own)).expect("taken");
        let others: [&[(&str, &str)]; 4] = [
            &[("SYSLOG_IDENTIFIER", "weir"), ("_COMM", "weir"), ("MESSAGE", "1")],
            &[("_EXE", "/usr/bin/weir"), ("_MACHINE_ID", "other"), ("MESSAGE", "2")],
            &[("_EXE", "/usr/bin/other"), ("_MACHINE_ID", "m"), ("MESSAGE", "3")],
            &[
                ("_EXE", "/usr/bin/weir"),
                ("_MACHINE_ID", "m"),
                ("SYSLOG_IDENTIFIER", CANARY),
                ("MESSAGE", "4"),
            ],
        ];
        for other in others {
            sink.take(&entry(other)).expect("taken");
        }
        sink.take(&entry(&[("_EXE", "/usr/bin/other")])).expect("no line");
        sink.flush("c").expect("sent");
        let batch = queue.try_recv().expect("a batch");
        assert_eq!((batch.len(), batch.source), (4, SourceId(3)));
        assert_eq!(sink.statistics.dropped(Reason::Own), 1);
        assert_eq!(sink.statistics.lines(), 4);
    }

    #[test]
    fn a_batch_has_the_time_and_the_origins_of_its_entries() {
        let Place { mut sink, mut queue, .. } = place();
        for (at, unit) in [("1000000", "a"), ("1500000", "b"), ("9000000", "b")] {
            let fields = [("__REALTIME_TIMESTAMP", at), ("_SYSTEMD_UNIT", unit), ("MESSAGE", unit)];
            sink.take(&entry(&fields)).expect("taken");
        }
        sink.flush("c").expect("sent");
        let first = queue.try_recv().expect("a batch");
        assert_eq!(first.received_at, Time::from_seconds(1));
        let units: Vec<_> =
            first.lines().map(|line| line.origin.map(|origin| &*origin.unit)).collect();
        assert_eq!(units, [Some("a"), Some("b")]);
        let second = queue.try_recv().expect("a batch");
        assert_eq!(second.received_at, Time::from_seconds(9));
        drop(second);
        assert!(sink.bookmark.unsaved().is_none(), "the first one is under way");
        drop(first);
        assert_eq!(sink.bookmark.unsaved().as_deref(), Some("c"));
        // An entry of the future arrived now.
        let future = [("__REALTIME_TIMESTAMP", "9000000000000000"), ("MESSAGE", "x")];
        sink.take(&entry(&future)).expect("taken");
        sink.flush("d").expect("sent");
        assert!(queue.try_recv().expect("a batch").received_at <= clock::now());
    }

    #[test]
    fn what_nobody_takes_is_not_done() {
        let Place { mut sink, queue, .. } = place();
        drop(queue);
        sink.take(&entry(&[("MESSAGE", "x")])).expect("taken");
        assert!(sink.flush("c").is_err());
        assert!(sink.bookmark.unsaved().is_none());
        // And with nothing to send, reading went on all the same.
        let Place { mut sink, .. } = place();
        sink.flush("d").expect("nothing to send");
        assert_eq!(sink.bookmark.unsaved().as_deref(), Some("d"));
    }
}
