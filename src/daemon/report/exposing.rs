//! Brings those metrics up to date that are read from somewhere when they are scraped.
//!
//! Nobody is waited for: all of it is numbers that others keep, and three files that are asked for
//! their size.

use std::sync::atomic::Ordering;

use super::Report;
use crate::daemon::counters::PROGRAMS;
use crate::enforce::Condition;
use crate::metrics::{ByList, ByQueue, ByState, set_total};

/// All that is about no source.
pub(super) fn expose(report: &Report) {
    let metrics = &report.metrics;
    metrics.enforcing.set(i64::from(report.is_enforcing()));
    for (backend, status) in &report.enforce {
        let is_in_sync = status.condition() == Condition::InSync;
        metrics.enforce.of(backend).in_sync.set(i64::from(is_in_sync));
    }
    metrics.ready.set(i64::from(report.readiness().problems.is_empty()));
    for (state, count) in PROGRAMS.into_iter().zip(report.samples.lines().programs()) {
        metrics.programs.get_or_create(&ByState { state }).set(number(count));
    }
    queues(report);
    lists(report);
    let size = ["", "-wal", "-shm"].iter().map(|ending| {
        let mut path = report.ledger.clone().into_os_string();
        path.push(ending);
        std::fs::metadata(path).map_or(0, |file| file.len())
    });
    metrics.ledger_size.set(i64::try_from(size.sum::<u64>()).unwrap_or(i64::MAX));
}

fn queues(report: &Report) {
    let lines = report.lines.upgrade();
    let (capacity, free) = lines.map_or((0, 0), |lines| (lines.max_capacity(), lines.capacity()));
    let (changes, room, full) = report.orders.load();
    let depth = |depth: &std::sync::atomic::AtomicU64| {
        usize::try_from(depth.load(Ordering::Relaxed)).unwrap_or(usize::MAX)
    };
    let depths = &report.depths;
    let queues = [
        ("lines", capacity - free, capacity),
        ("pours", depth(&depths.work), capacity),
        ("overflows", depth(&depths.matters), crate::daemon::MATTERS),
        ("changes", changes, room),
    ];
    let metrics = &report.metrics;
    for (queue, length, capacity) in queues {
        let by = ByQueue { queue };
        metrics.queue_length.get_or_create(&by).set(number(length));
        metrics.queue_capacity.get_or_create(&by).set(number(capacity));
    }
    let of_lines = report.sources.iter().map(|source| source.statistics.full()).sum();
    for (queue, total) in [("lines", of_lines), ("changes", full)] {
        set_total(&metrics.queue_full.get_or_create(&ByQueue { queue }), total);
    }
}

/// Lists come and go while the daemon runs.
fn lists(report: &Report) {
    let metrics = &report.metrics;
    metrics.list_entries.clear();
    metrics.list_up.clear();
    for list in report.shared.lists().status() {
        let by = ByList { list: list.name };
        let entries = i64::try_from(list.entries).unwrap_or(i64::MAX);
        metrics.list_entries.get_or_create(&by).set(entries);
        metrics.list_up.get_or_create(&by).set(i64::from(list.trouble.is_none()));
    }
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
