//! How far long work has come, on the terminal of who waits for it.
//!
//! Shown on standard error while that is a terminal, and gone without a trace at the end. The work
//! adds to one number; a thread of its own looks at it four times a second, so the work costs nothing
//! more than the addition. What takes less than a second shows nothing.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::figures::{as_float, bytes, grouped, rate};
use super::{asking, grid};
use crate::system::{clock, terminal};

/// How often it is drawn.
const BEAT: Duration = Duration::from_millis(250);
/// How long nothing is shown.
const QUIET: Duration = Duration::from_millis(700);
/// To the beginning of the line, and clear it.
const CLEAR: &str = "\r\u{1b}[K";
/// How wide a bar is, at most.
const BAR: usize = 30;

/// What the numbers count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// Bytes of a file.
    Bytes,
    /// Things of this name, in the plural.
    Things(&'static str),
}

/// Work that goes on. It is over when this is dropped.
pub(super) struct Progress {
    done: Arc<AtomicU64>,
    /// Whether a line stands on the terminal now.
    is_drawn: Arc<Mutex<bool>>,
    drawing: Option<(SyncSender<()>, JoinHandle<()>)>,
}

impl Progress {
    /// Work of `total` units, of an unknown number when 0. Not shown when `is_wanted` is false or
    /// standard error is no terminal.
    pub(super) fn begin(what: &str, unit: Unit, total: u64, is_wanted: bool) -> Self {
        let done = Arc::new(AtomicU64::new(0));
        let is_drawn = Arc::new(Mutex::new(false));
        let is_shown = is_wanted && std::io::stderr().is_terminal();
        let drawing = is_shown.then(|| {
            let (what, done, is_drawn) =
                (what.to_owned(), Arc::clone(&done), Arc::clone(&is_drawn));
            draw(what, unit, total, done, is_drawn)
        });
        Self { done, is_drawn, drawing: drawing.flatten() }
    }

    /// The number that the work adds to.
    pub(super) fn counter(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.done)
    }

    /// So much more is done.
    pub(super) fn add(&self, count: u64) {
        self.done.fetch_add(count, Ordering::Relaxed);
    }

    /// Writes something else while nothing of this stands in its way.
    pub(super) fn aside<T>(&self, write: impl FnOnce() -> T) -> T {
        let mut is_drawn = self.is_drawn.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::take(&mut *is_drawn) {
            show(CLEAR);
        }
        write()
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((stop, drawing)) = self.drawing.take() {
            drop(stop);
            // A thread that panics ends the process.
            let _ = drawing.join();
        }
    }
}

/// Draws until the other end of the channel is gone. Without a thread nothing is shown.
fn draw(
    what: String,
    unit: Unit,
    total: u64,
    done: Arc<AtomicU64>,
    is_drawn: Arc<Mutex<bool>>,
) -> Option<(SyncSender<()>, JoinHandle<()>)> {
    let (stop, stopped) = sync_channel::<()>(0);
    let begun = clock::instant();
    let drawing = std::thread::Builder::new().name("weir-progress".to_owned()).spawn(move || {
        while stopped.recv_timeout(BEAT) == Err(RecvTimeoutError::Timeout) {
            let passed = begun.elapsed();
            if passed < QUIET {
                continue;
            }
            let width = terminal::error_width().unwrap_or(80);
            let line = line(&what, unit, done.load(Ordering::Relaxed), total, passed, width);
            let mut is_drawn = is_drawn.lock().unwrap_or_else(PoisonError::into_inner);
            show(&format!("\r{line}\u{1b}[K"));
            *is_drawn = true;
        }
        if *is_drawn.lock().unwrap_or_else(PoisonError::into_inner) {
            show(CLEAR);
        }
    });
    drawing.ok().map(|drawing| (stop, drawing))
}

/// Past the stream that takes colours away: these codes are none. Where it fails nobody sees it.
fn show(line: &str) {
    let _ = std::io::stderr().lock().write_all(line.as_bytes());
}

/// What is shown: `auth.log  [#####     ]  12.3 MB of 24.6 MB, 1.2 MB/s, 10s left`.
fn line(what: &str, unit: Unit, done: u64, total: u64, passed: Duration, width: usize) -> String {
    let count = |count| match unit {
        Unit::Bytes => bytes(count),
        Unit::Things(_) => grouped(count),
    };
    let speed = as_float(done) / passed.as_secs_f64().max(1e-3);
    let speed = match unit {
        Unit::Bytes => format!("{}/s", bytes(to_whole(speed))),
        Unit::Things(_) => format!("{}/s", rate(speed)),
    };
    let things = match unit {
        Unit::Bytes => String::new(),
        Unit::Things(name) => format!(" {name}"),
    };
    // A file that grows while it is read has no end that is known.
    if total == 0 || done > total {
        let text = format!("{what}  {}{things}, {speed}", count(done));
        return grid::clipped(&text, width.saturating_sub(1));
    }
    let left = match done {
        0 => String::new(),
        _ => {
            let seconds = as_float(total - done) * passed.as_secs_f64() / as_float(done);
            format!(", {} left", asking::span(to_whole(seconds.ceil())))
        }
    };
    let text = format!("{} of {}{things}, {speed}{left}", count(done), count(total));
    let around = what.chars().count() + text.chars().count() + "  []  ".len() + 1;
    let room = width.saturating_sub(around).min(BAR);
    let line = if room >= 5 {
        let full =
            usize::try_from(u128::from(done) * room as u128 / u128::from(total)).unwrap_or(0);
        format!("{what}  [{}{}]  {text}", "#".repeat(full), " ".repeat(room - full.min(room)))
    } else {
        format!("{what}  {text}")
    };
    grid::clipped(&line, width.saturating_sub(1))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
fn to_whole(number: f64) -> u64 {
    number as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(unit: Unit, done: u64, total: u64, width: usize, expected: &str) {
        let line = line("auth.log", unit, done, total, Duration::from_secs(10), width);
        assert_eq!(line, expected);
        assert!(line.chars().count() < width, "{line}");
    }

    #[test]
    fn what_is_shown_fits() {
        let entries = Unit::Things("entries");
        check(
            Unit::Bytes,
            12_000_000,
            24_000_000,
            100,
            "auth.log  [###############               ]  12.0 MB of 24.0 MB, 1.2 MB/s, 10s left",
        );
        check(
            entries,
            10_000,
            40_000,
            80,
            "auth.log  [#####                 ]  10,000 of 40,000 entries, 1,000/s, 30s left",
        );
        check(entries, 10_000, 40_000, 60, "auth.log  10,000 of 40,000 entries, 1,000/s, 30s left");
        check(entries, 10_000, 40_000, 30, "auth.log  10,000 of 40,000 e…");
        check(
            entries,
            0,
            40_000,
            60,
            "auth.log  [                     ]  0 of 40,000 entries, 0/s",
        );
        check(entries, 10_000, 0, 60, "auth.log  10,000 entries, 1,000/s");
        check(Unit::Bytes, 7, 3, 60, "auth.log  7 B, 0 B/s");
    }

    #[test]
    fn without_a_terminal_nothing_is_drawn() {
        let progress = Progress::begin("x", Unit::Bytes, 7, false);
        progress.add(3);
        progress.counter().fetch_add(1, Ordering::Relaxed);
        assert_eq!((progress.done.load(Ordering::Relaxed), progress.drawing.is_none()), (4, true));
    }
}
