//! A worker: lines in, pours out. There are several; they share nothing but the queues.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;

use tokio::sync::mpsc::Receiver;

use super::canary::is_canary;
use super::counting::{Counting, Ending};
use super::current::Shared;
use super::detect_loop::Work;
use super::guard::LoginTeller;
use super::senders::{Senders, Tally};
use super::skew::{Measuring, Skews};
use super::unmatched::Lack;
use crate::decision::Allowlist;
use crate::detect;
use crate::event::Batch;
use crate::metrics::{ByQueue, Latency, Metrics};
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
    pub(super) logins: LoginTeller,
    pub(super) waits: Waits,
}

/// What is told of waiting.
pub(super) struct Waits {
    /// From the receipt of lines until a worker takes them.
    lines: Latency,
    /// Times that pours found no room.
    pours: Counter,
}

impl Waits {
    pub(super) fn new(metrics: &Metrics) -> Self {
        let pours = metrics.queue_full.get_or_create_owned(&ByQueue { queue: "pours" });
        Self { lines: metrics.receive_to_parse.clone(), pours }
    }
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
            let friends = self.shared.friends();
            let now = clock::now();
            world.set_now(now);
            let waited = u64::try_from(now.since(batch.received_at)).unwrap_or(0);
            self.waits.lines.observe(Duration::from_nanos(waited).as_secs_f64());
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
                        Outcome::Parsed if is_friend(&friends, event) => Ending::Allowlisted,
                        Outcome::Parsed => {
                            self.logins.look(&current, event);
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
                    // A canary has our clock, and says nothing of its sender's.
                    if !is_canary(program) {
                        self.measuring.look(&line, event.dates.get());
                    }
                    n_skewed += u64::from(event.skewed.get());
                }
                arena.reset();
            }
            self.counting.flush(batch.source);
            current.parsers.add(&mut parsing);
            self.senders.add(&mut tally);
            self.skews.add(&mut self.measuring);
            self.skews.count(batch.source, n_skewed);
            if !pours.is_empty() {
                self.queued.fetch_add(1, Ordering::Relaxed);
                // The detector is there until the last worker ends; a full queue makes this
                // worker wait, and behind it the sources.
                let pours = Work::Pours(current.generation, pours, receipt);
                if !self.pass_on(pours) {
                    return;
                }
            }
        }
    }
}

impl Worker {
    /// Sends pours on; false when nobody takes any.
    fn pass_on(&self, pours: Work) -> bool {
        match self.work.try_send(pours) {
            Ok(()) => true,
            Err(TrySendError::Full(pours)) => {
                self.waits.pours.inc();
                self.work.send(pours).is_ok()
            }
            Err(TrySendError::Disconnected(_)) => false,
        }
    }

    /// The next batch. One worker waits for it, the others for that one: whoever is free takes it.
    fn next(&self) -> Option<Batch> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv()
    }
}

/// Whether the event speaks of a friend.
fn is_friend<'a>(friends: &Allowlist, event: &'a crate::event::Event<'a>) -> bool {
    let mut found = false;
    event.each_address(|_, address| found |= friends.find(address).is_some());
    found
}
