//! The loop around the detector: pours in, overflows out, the clock in between.
//!
//! Postoverflow rules run here, before an overflow leaves: what they allowlist goes no further,
//! and what is to be poured again is poured by the owner of the buckets.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use tokio::sync::mpsc::Sender;

use super::Depths;
use super::canary::Canaries;
use super::counters::OfScenarios;
use super::current::Current;
use super::decide_loop::Matter;
use crate::detect::{Ahead, Detector, Kept, Limits, Pour};
use crate::event::{Overflow, Receipt};
use crate::metrics::{ByQueue, ByReason, Metrics};
use crate::rules::Postoverflows;
use crate::system::clock;
use crate::value::Time;

/// What the workers tell the owner of the buckets.
#[derive(Debug)]
pub(super) enum Work {
    /// Events that scenarios took, by the rules of a generation, and the receipt for their lines.
    Pours(u64, Vec<Pour>, Option<Receipt>),
    /// Other rules from now on.
    Rules(Arc<Current>),
}

/// How often buckets whose time is over are looked for.
const TICK: Duration = Duration::from_millis(250);
/// How often the counters are shown.
const COUNT: Duration = Duration::from_secs(1);

/// The loop and what it owns.
pub(super) struct DetectLoop {
    current: Arc<Current>,
    detector: Detector,
    matters: Sender<Matter>,
    /// Matters that wait in the next queue.
    waiting: Arc<AtomicU64>,
    /// Work that waits in this queue.
    queued: Arc<AtomicU64>,
    metrics: Metrics,
    counters: OfScenarios,
    /// What became of the scenarios of the generation before.
    kept: Kept,
    /// Test lines that are under way.
    canaries: Arc<Canaries>,
}

impl DetectLoop {
    /// A loop with no buckets yet.
    pub(super) fn new(
        current: Arc<Current>,
        limits: Limits,
        matters: Sender<Matter>,
        depths: &Depths,
        metrics: Metrics,
    ) -> Self {
        let ruleset = &current.ruleset;
        let scenarios = Arc::clone(ruleset.scenarios());
        let counters = OfScenarios::new(&metrics, &scenarios);
        let detector = Detector::new(scenarios, limits, ruleset.world());
        let (waiting, queued) = (Arc::clone(&depths.matters), Arc::clone(&depths.work));
        let (kept, canaries) = (Kept::default(), Arc::default());
        Self { current, detector, matters, waiting, queued, metrics, counters, kept, canaries }
    }

    /// The same, for these test lines.
    pub(super) fn with_canaries(self, canaries: Arc<Canaries>) -> Self {
        Self { canaries, ..self }
    }

    /// Runs until no worker is left.
    pub(super) fn run(mut self, work: &Receiver<Work>) {
        let mut overflows = Vec::new();
        let mut postoverflows = self.current.ruleset.postoverflows();
        let mut next_tick = clock::instant() + TICK;
        let mut next_count = clock::instant() + COUNT;
        loop {
            let at = match work.recv_timeout(next_tick - clock::instant().min(next_tick)) {
                Ok(Work::Pours(generation, pours, receipt)) => {
                    self.queued.fetch_sub(1, Ordering::Relaxed);
                    self.pour(
                        generation,
                        pours,
                        receipt.as_ref(),
                        &mut overflows,
                        &mut postoverflows,
                    );
                    None
                }
                Ok(Work::Rules(current)) => {
                    self.queued.fetch_sub(1, Ordering::Relaxed);
                    postoverflows = current.ruleset.postoverflows();
                    self.adopt(current);
                    None
                }
                Err(RecvTimeoutError::Timeout) => Some(clock::now()),
                Err(RecvTimeoutError::Disconnected) => break,
            };
            if at.is_some() || clock::instant() >= next_tick {
                next_tick = clock::instant() + TICK;
                let now = clock::now();
                self.detector.tick(now, &mut overflows);
                self.pass_on(now, None, now, &mut overflows, &mut postoverflows);
            }
            if clock::instant() >= next_count {
                next_count = clock::instant() + COUNT;
                self.count();
            }
        }
        self.count();
    }

    /// Goes on with other rules. What was counted by the old ones is shown before.
    fn adopt(&mut self, current: Arc<Current>) {
        self.count();
        let scenarios = Arc::clone(current.ruleset.scenarios());
        self.kept = self.detector.replace(scenarios, current.ruleset.world());
        let counts = self.detector.counts().map(|(_, counts)| counts);
        self.counters.replace(&self.metrics, current.ruleset.scenarios(), counts);
        self.current = current;
    }

    fn pour(
        &mut self,
        generation: u64,
        pours: Vec<Pour>,
        receipt: Option<&Receipt>,
        overflows: &mut Vec<Overflow>,
        postoverflows: &mut Postoverflows,
    ) {
        // Numbers of scenarios have a meaning within one generation only. The few pours that were
        // under way while rules were replaced get the new ones.
        let age = self.current.generation.checked_sub(generation);
        let mut pours = pours.into_iter();
        let mut ahead = Ahead::default();
        let now = clock::now();
        loop {
            let hint = ahead.look(&self.detector, pours.as_slice());
            let Some(mut pour) = pours.next() else { break };
            let is_known = match age {
                Some(0) => true,
                Some(1) => self.kept.renumber(&mut pour),
                _ => false,
            };
            if !is_known {
                let reason = ByReason { reason: "reload" };
                self.metrics.pours_dropped.get_or_create(&reason).inc();
                continue;
            }
            let received_at = pour.at();
            self.detector.pour_near(pour, hint, now, overflows);
            if !overflows.is_empty() {
                self.pass_on(received_at, receipt, now, overflows, postoverflows);
            }
        }
    }

    /// Sends overflows on, with what comes of those that are poured again.
    fn pass_on(
        &mut self,
        received_at: Time,
        receipt: Option<&Receipt>,
        now: Time,
        overflows: &mut Vec<Overflow>,
        postoverflows: &mut Postoverflows,
    ) {
        let rules = &self.current.ruleset;
        postoverflows.settle(rules, &mut self.detector, overflows, now, None);
        for mut overflow in overflows.drain(..) {
            if !self.canaries.admit(&mut overflow) {
                let reason = ByReason { reason: "not_announced" };
                self.metrics.overflows_dropped.get_or_create(&reason).inc();
                continue;
            }
            self.waiting.fetch_add(1, Ordering::Relaxed);
            // Never waits: a disk that is slow must not stop the lines. The judge is there until
            // this loop ends.
            let matter = Matter::Overflow(Box::new(overflow), received_at, receipt.cloned());
            if self.matters.try_send(matter).is_err() {
                self.waiting.fetch_sub(1, Ordering::Relaxed);
                let reason = ByReason { reason: "queue_full" };
                self.metrics.overflows_dropped.get_or_create(&reason).inc();
                self.metrics.queue_full.get_or_create(&ByQueue { queue: "overflows" }).inc();
            }
        }
    }

    /// Adds what was counted since the last time to the metrics.
    fn count(&mut self) {
        self.counters.add(self.detector.counts().map(|(_, counts)| counts));
        let tracked = i64::try_from(self.detector.n_tracked()).unwrap_or(i64::MAX);
        self.metrics.buckets.set(tracked);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::detect;
    use crate::event::{Event, Kind, Mode};
    use crate::metrics::ByScenario;
    use crate::rules::{self, Request};
    use crate::settings::Settings;
    use crate::value::{Arena, Section};

    /// Two scenarios of one name, and a third.
    fn rules(folder: &Path, capacity: u32, before: Option<&Current>) -> Arc<Current> {
        let scenario = |name: &str, filter: &str, capacity: u32| {
            format!(
                "type: leaky\nname: {name}\ndescription: d\nfilter: evt.Meta.log_type == {filter}\n\
                 groupby: evt.Meta.source_ip\ncapacity: {capacity}\nleakspeed: 1m\n---\n"
            )
        };
        // The first one is another after a reload, so the others get other numbers.
        let first = before.map_or_else(String::new, |_| scenario("new", "'x'", 9));
        let text = first
            + &scenario("same", "'x'", 1)
            + &scenario("same", "'x' && true", 1)
            + &scenario("other", "'x'", capacity);
        std::fs::create_dir_all(folder.join("scenarios")).expect("made");
        std::fs::write(folder.join("scenarios/all.yaml"), text).expect("written");
        let request = Request { folders: vec![folder.to_owned()], ..Request::default() };
        let before_rules = before.map(|before| &*before.ruleset);
        let (ruleset, mistakes) = rules::load(request, before_rules, Time::from_seconds(0));
        assert!(mistakes.is_empty(), "{mistakes:?}");
        let generation = before.map_or(1, |before| before.generation + 1);
        let settings = Settings::default();
        Arc::new(Current::new(generation, Arc::new(ruleset), &settings, None, &Metrics::default()))
    }

    fn pours(current: &Current) -> Vec<Pour> {
        let (arena, world) = (Arena::new(), current.ruleset.world());
        let names = current.ruleset.names();
        let event = Event::new(&arena, names, Kind::Log, Mode::Live, clock::now());
        event.set_named(Section::Meta, "log_type", "x");
        event.set_named(Section::Meta, "source_ip", "192.0.2.1");
        let (mut pours, mut scratch) = (Vec::new(), detect::Scratch::default());
        current.ruleset.scenarios().select(&mut scratch, event, &world, &mut pours);
        pours
    }

    #[test]
    fn pours_and_counts_go_on_over_a_reload() {
        let folder = tempfile::tempdir().expect("a folder");
        let old = rules(folder.path(), 5, None);
        let new = rules(folder.path(), 7, Some(&old));
        let (matters, mut overflowed) = tokio::sync::mpsc::channel(16);
        let (metrics, depths) = (Metrics::default(), Depths::default());
        let limits = Limits::default();
        let mut detecting =
            DetectLoop::new(Arc::clone(&old), limits, matters, &depths, metrics.clone());
        let mut after = old.ruleset.postoverflows();
        let mut none = Vec::new();
        detecting.pour(1, pours(&old), None, &mut none, &mut after);
        detecting.adopt(Arc::clone(&new));
        // Made by the rules before: `other` has changed, so its pour is of no use.
        detecting.pour(1, pours(&old), None, &mut none, &mut after);
        detecting.pour(2, pours(&new), None, &mut none, &mut after);
        detecting.pour(0, pours(&old), None, &mut none, &mut after);
        detecting.count();
        let poured = |name: &str| {
            let by = ByScenario { scenario: name.to_owned() };
            metrics.poured.get_or_create(&by).get()
        };
        let held = |name: &str| {
            let by = ByScenario { scenario: name.to_owned() };
            metrics.buckets_held.get_or_create(&by).get()
        };
        assert_eq!([held("same"), held("other"), held("new")], [2, 1, 1]);
        assert_eq!(metrics.buckets.get(), 4);
        assert_eq!([poured("same"), poured("other"), poured("new")], [6, 2, 1]);
        assert_eq!(metrics.overflows.get(), 2, "the second event of both buckets of one name");
        let dropped = metrics.pours_dropped.get_or_create(&ByReason { reason: "reload" }).get();
        assert_eq!(dropped, 1 + 3);
        let mut n_overflows = 0;
        while overflowed.try_recv().is_ok() {
            n_overflows += 1;
        }
        assert_eq!(n_overflows, 2);
    }
}
