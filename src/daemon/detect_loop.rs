//! The loop around the detector: pours in, overflows out, the clock in between.
//!
//! Postoverflow rules run here, before an overflow leaves: what they allowlist goes no further,
//! and what is to be poured again is poured by the owner of the buckets.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use tokio::sync::mpsc::Sender;

use super::current::Current;
use super::decide_loop::Matter;
use crate::detect::{Detector, Pour};
use crate::event::Overflow;
use crate::metrics::{ByScenario, Metrics, set_total};
use crate::rules::Postoverflows;
use crate::system::clock;
use crate::value::Time;

/// What the workers tell the owner of the buckets.
#[derive(Debug)]
pub(super) enum Work {
    /// Events that scenarios took, by the rules of a generation.
    Pours(u64, Vec<Pour>),
    /// Other rules from now on.
    Rules(Arc<Current>),
}

/// How often buckets whose time is over are looked for.
const TICK: Duration = Duration::from_millis(250);
/// How often the counters are shown.
const COUNT: Duration = Duration::from_secs(1);

/// The loop and what it owns.
pub(super) struct DetectLoop {
    pub(super) current: Arc<Current>,
    pub(super) detector: Detector,
    pub(super) matters: Sender<Matter>,
    /// Matters that wait in the next queue.
    pub(super) waiting: Arc<AtomicU64>,
    /// Work that waits in this queue.
    pub(super) queued: Arc<AtomicU64>,
    pub(super) metrics: Metrics,
}

impl DetectLoop {
    /// Runs until no worker is left.
    pub(super) fn run(mut self, work: &Receiver<Work>) {
        let mut overflows = Vec::new();
        let mut postoverflows = self.current.ruleset.postoverflows();
        let mut next_tick = clock::instant() + TICK;
        let mut next_count = clock::instant() + COUNT;
        loop {
            let at = match work.recv_timeout(next_tick - clock::instant().min(next_tick)) {
                Ok(Work::Pours(generation, pours)) => {
                    self.queued.fetch_sub(1, Ordering::Relaxed);
                    self.pour(generation, pours, &mut overflows, &mut postoverflows);
                    None
                }
                Ok(Work::Rules(current)) => {
                    self.queued.fetch_sub(1, Ordering::Relaxed);
                    let scenarios = Arc::clone(current.ruleset.scenarios());
                    self.detector.replace(scenarios, current.ruleset.world());
                    postoverflows = current.ruleset.postoverflows();
                    self.current = current;
                    None
                }
                Err(RecvTimeoutError::Timeout) => Some(clock::now()),
                Err(RecvTimeoutError::Disconnected) => break,
            };
            if at.is_some() || clock::instant() >= next_tick {
                next_tick = clock::instant() + TICK;
                let now = clock::now();
                self.detector.tick(now, &mut overflows);
                self.pass_on(now, now, &mut overflows, &mut postoverflows);
            }
            if clock::instant() >= next_count {
                next_count = clock::instant() + COUNT;
                self.count();
            }
        }
        self.count();
    }

    fn pour(
        &mut self,
        generation: u64,
        pours: Vec<Pour>,
        overflows: &mut Vec<Overflow>,
        postoverflows: &mut Postoverflows,
    ) {
        // Numbers of scenarios have a meaning within one generation only. The few pours that were
        // under way while rules were replaced are given up.
        if generation != self.current.generation {
            return;
        }
        for pour in pours {
            let (received_at, now) = (pour.at, clock::now());
            self.detector.pour(pour, now, overflows);
            self.pass_on(received_at, now, overflows, postoverflows);
        }
    }

    /// Sends overflows on, with what comes of those that are poured again.
    fn pass_on(
        &mut self,
        received_at: Time,
        now: Time,
        overflows: &mut Vec<Overflow>,
        postoverflows: &mut Postoverflows,
    ) {
        let rules = &self.current.ruleset;
        postoverflows.settle(rules, &mut self.detector, overflows, now, None);
        for overflow in overflows.drain(..) {
            self.waiting.fetch_add(1, Ordering::Relaxed);
            // The judge is there until this loop ends; a full queue makes the workers wait.
            let matter = Matter::Overflow(Box::new(overflow), received_at);
            if self.matters.blocking_send(matter).is_err() {
                self.waiting.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }

    fn count(&self) {
        for (scenario, counts) in self.detector.counts() {
            if counts.poured == 0 {
                continue;
            }
            let labels = ByScenario { scenario: scenario.name.to_string() };
            set_total(&self.metrics.poured.get_or_create(&labels), counts.poured);
            set_total(&self.metrics.overflowed.get_or_create(&labels), counts.overflowed);
        }
        let tracked = i64::try_from(self.detector.n_tracked()).unwrap_or(i64::MAX);
        self.metrics.buckets.set(tracked);
        set_total(&self.metrics.evicted, self.detector.total().evicted);
    }
}
