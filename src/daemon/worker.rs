//! A worker: lines in, pours out. There are several; they share nothing but the queues.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc::Receiver;

use super::counting::{Counting, Ending};
use super::current::{Current, Shared};
use super::detect_loop::Work;
use super::senders::{Senders, Tally};
use super::skew::{Measuring, Skews};
use super::unmatched::Lack;
use crate::detect;
use crate::event::Batch;
use crate::parse::{Outcome, Parsed, Scratch};
use crate::rules::Ruleset;
use crate::system::clock;
use crate::value::{Arena, Names};

/// The loop and what it owns.
pub(super) struct Worker {
    pub(super) lines: Arc<Mutex<Receiver<Batch>>>,
    pub(super) shared: Arc<Shared>,
    pub(super) work: SyncSender<Work>,
    /// Work that waits in the next queue.
    pub(super) queued: Arc<AtomicU64>,
    pub(super) counting: Counting,
    pub(super) senders: Arc<Senders>,
    pub(super) measuring: Measuring,
    pub(super) skews: Arc<Skews>,
}

impl Worker {
    /// Runs until no source can send lines any more.
    pub(super) fn run(mut self) {
        let mut arena = Arena::with_capacity(64 * 1024);
        let mut current = self.shared.get();
        let mut parsing = Scratch::new();
        let mut selecting = detect::Scratch::default();
        let mut world = current.ruleset.world();
        let mut tally = Tally::default();
        while let Some(mut batch) = self.next() {
            let now_current = self.shared.get();
            if now_current.generation != current.generation {
                current = now_current;
                parsing = Scratch::new();
                selecting = detect::Scratch::default();
                world = current.ruleset.world();
            }
            world.set_now(clock::now());
            let receipt = batch.receipt.take();
            let mut pours = Vec::new();
            let mut n_skewed = 0;
            let rules: &Ruleset = &current.ruleset;
            // Only a reload that needs a restart knows more sources than there are.
            let mut lines = batch.lines().filter_map(|line| {
                let source = current.sources.get(usize::from(line.source.0))?;
                Some((line, source))
            });
            loop {
                let some = rules.parse_some(&mut lines, &arena, &world, &mut parsing);
                if some.is_empty() {
                    break;
                }
                for Parsed { line, event, outcome } in some {
                    let ending = match outcome {
                        Outcome::Parsed if is_friend(&current, event) => Ending::Allowlisted,
                        Outcome::Parsed => {
                            let scenarios = rules.scenarios();
                            let selected =
                                scenarios.select(&mut selecting, event, &world, &mut pours);
                            match selected.n_poured {
                                0 => Ending::Lacking(Lack::Uncounted),
                                _ => Ending::Counted,
                            }
                        }
                        Outcome::Allowlisted => Ending::Allowlisted,
                        Outcome::Unparsed { .. } => Ending::Lacking(Lack::Unparsed),
                    };
                    let label = event.get(Names::LABEL).unwrap_or_default();
                    let program = event.get(Names::PROGRAM).unwrap_or_default();
                    self.counting.count(label, program, ending, &line);
                    tally.count(&line);
                    self.measuring.look(&line, event.dates.get());
                    n_skewed += u64::from(event.skewed.get());
                }
                arena.reset();
            }
            self.counting.flush(batch.source);
            self.senders.add(&mut tally);
            self.skews.add(&mut self.measuring);
            self.skews.count(batch.source, n_skewed);
            if !pours.is_empty() {
                self.queued.fetch_add(1, Ordering::Relaxed);
                // The detector is there until the last worker ends; a full queue makes this
                // worker wait, and behind it the sources.
                if self.work.send(Work::Pours(current.generation, pours, receipt)).is_err() {
                    return;
                }
            }
        }
    }
}

impl Worker {
    /// The next batch. One worker waits for it, the others for that one: whoever is free takes it.
    fn next(&self) -> Option<Batch> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv()
    }
}

/// Whether the event speaks of a friend.
fn is_friend<'a>(current: &Current, event: &'a crate::event::Event<'a>) -> bool {
    let mut found = false;
    event.each_address(|_, address| found |= current.allowlist.find(address).is_some());
    found
}
