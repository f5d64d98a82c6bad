//! The one owner of all buckets.
//!
//! ```text
//!            find or make            pour               overflow
//!   Pour ──► bucket by key ──► distinct, cancel ──► leak ──► condition ──► filter, blackhole ──► Overflow
//!                ▲                                                            alert
//!   tick ──► those whose time is over
//! ```
//!
//! Buckets leak when they are touched. A live bucket goes by the arrival of its lines and ends by
//! itself; a replayed one goes by the times in the log and ends when a later event finds it too
//! old. Nothing here reads a clock, and nothing grows beyond the [`Limits`].

use std::sync::Arc;

use super::alert::{self, Desk, Made};
use super::blackhole::Blackhole;
use super::bucket::Bucket;
use super::counts::Counts;
use super::key::{BucketKey, shown_key};
use super::limits::Limits;
use super::pour::{Kept, Pour};
use super::scenario::{Bayesian, Kind, Scenario, ScenarioId};
use super::selector::{Scenarios, Scratch, Selected};
use super::sight::Sight;
use super::table::{Place, Table};
use crate::event::{self, Mode, Overflow, Piece};
use crate::expr::World;
use crate::value::{Arena, Fault, Time};

/// All buckets of all scenarios.
#[derive(Debug)]
pub struct Detector {
    scenarios: Arc<Scenarios>,
    state: State,
}

#[derive(Debug)]
struct State {
    table: Table,
    blackholes: Vec<Blackhole>,
    n_silences: usize,
    n_kept: usize,
    counts: Vec<Counts>,
    limits: Limits,
    world: World,
    arena: Arena,
}

impl Detector {
    /// No buckets yet.
    #[must_use]
    pub fn new(scenarios: Arc<Scenarios>, limits: Limits, world: World) -> Self {
        let n = scenarios.len();
        let state = State {
            table: Table::default(),
            blackholes: std::iter::repeat_with(Blackhole::default).take(n).collect(),
            n_silences: 0,
            n_kept: 0,
            counts: vec![Counts::default(); n],
            limits,
            world,
            arena: Arena::new(),
        };
        Self { scenarios, state }
    }

    /// Looks up the buckets of these pours.
    pub(super) fn touch(&self, pours: &[Pour]) {
        let found = pours.iter().filter_map(|pour| self.state.table.find(pour.key));
        let touched = found.fold(0, |sum: u64, place| sum ^ self.state.table.get(place).total());
        std::hint::black_box(touched);
    }

    /// Pours one event. Overflows are appended to `overflows`: usually none or one; two when an
    /// event finds a timed bucket whose time was over, and makes the next one overflow.
    pub fn pour(&mut self, pour: Pour, now: Time, overflows: &mut Vec<Overflow>) {
        self.state.world.set_now(now);
        self.state.pour(&self.scenarios, pour, now, overflows);
    }

    /// Pours an overflow that its scenario wants poured again, after the postoverflow rules have
    /// seen it. The buckets it makes are live ones, also in a replay. What overflows by it is not
    /// poured once more.
    pub fn reprocess(
        &mut self,
        overflow: &Arc<Overflow>,
        now: Time,
        overflows: &mut Vec<Overflow>,
    ) -> Selected {
        self.state.world.set_now(now);
        let mut pours = Vec::new();
        let arena = Arena::new();
        let event = event::of_overflow(&arena, self.scenarios.names(), overflow, now);
        let mut scratch = Scratch::default();
        let selected = self.scenarios.select_overflow(
            &mut scratch,
            event,
            overflow,
            &self.state.world,
            &mut pours,
        );
        let before = overflows.len();
        for pour in pours {
            self.state.pour(&self.scenarios, pour, now, overflows);
        }
        // Two scenarios that take each other's overflows, or one that takes its own, would
        // otherwise go on for ever about a single line.
        for overflow in overflows.iter_mut().skip(before) {
            overflow.reprocess = false;
        }
        selected
    }

    /// Ends the live buckets whose time is over at `now`: a timed one overflows, any other goes
    /// silently. A replay never calls this: its time is that of the log.
    pub fn tick(&mut self, now: Time, overflows: &mut Vec<Overflow>) {
        self.state.world.set_now(now);
        let scenarios = &*self.scenarios;
        let ends_at = |bucket: &Bucket| bucket.ends_at(scenarios.get(bucket.scenario));
        for _ in 0..self.state.limits.ends_per_tick {
            let Some(place) = self.state.table.next_due(now.nanos, ends_at) else { break };
            self.state.end(scenarios, place, overflows);
        }
        for hole in &mut self.state.blackholes {
            let before = hole.len();
            hole.expire(now.nanos);
            self.state.n_silences -= before - hole.len();
        }
    }

    /// Goes on with other scenarios, and the facts that go with them. A bucket stays if its
    /// scenario is among them unchanged; the new ones must be made with the seed, and with names
    /// that extend those, of the old ones. Pours that were made before go by what this gives.
    pub fn replace(&mut self, scenarios: Arc<Scenarios>, world: World) -> Kept {
        self.state.world = world;
        let kept = self
            .scenarios
            .iter()
            .map(|old| {
                let at = scenarios.iter().position(|new| new.fingerprint == old.fingerprint)?;
                u32::try_from(at).ok().map(ScenarioId)
            })
            .collect();
        let kept = Kept(kept);
        let state = &mut self.state;
        for place in state.table.places() {
            match kept.get(state.table.get(place).scenario) {
                Some(id) => state.table.get_mut(place).scenario = id,
                None => {
                    state.take_out(place);
                }
            }
        }
        let mut blackholes: Vec<_> =
            std::iter::repeat_with(Blackhole::default).take(scenarios.len()).collect();
        let mut counts = vec![Counts::default(); scenarios.len()];
        for (old, new) in kept.0.iter().enumerate() {
            if let Some(new) = new {
                blackholes[new.index()] = std::mem::take(&mut state.blackholes[old]);
                counts[new.index()] = state.counts[old];
            }
        }
        state.n_silences = blackholes.iter().map(Blackhole::len).sum();
        (state.blackholes, state.counts) = (blackholes, counts);
        self.scenarios = scenarios;
        kept
    }

    /// The scenarios.
    #[must_use]
    pub fn scenarios(&self) -> &Arc<Scenarios> {
        &self.scenarios
    }

    /// How many buckets there are.
    #[must_use]
    pub fn n_tracked(&self) -> usize {
        self.state.table.len()
    }

    /// How many events they keep.
    #[must_use]
    pub fn n_kept(&self) -> usize {
        self.state.n_kept
    }

    /// How many entries the order of ends has.
    #[cfg(test)]
    pub(super) fn n_ends(&self) -> usize {
        self.state.table.n_ends()
    }

    /// How many overflows are remembered so that they are not told again.
    #[must_use]
    pub fn n_silences(&self) -> usize {
        self.state.n_silences
    }

    /// Each scenario with what happened to its buckets.
    pub fn counts(&self) -> impl Iterator<Item = (&Scenario, &Counts)> {
        self.scenarios.iter().zip(&self.state.counts)
    }

    /// What happened to all buckets.
    #[must_use]
    pub fn total(&self) -> Counts {
        self.state.counts.iter().fold(Counts::default(), |sum, counts| sum.plus(*counts))
    }
}

impl State {
    fn pour(
        &mut self,
        scenarios: &Scenarios,
        pour: Pour,
        now: Time,
        overflows: &mut Vec<Overflow>,
    ) {
        let mut found = self.table.find(pour.key);
        if let Some(place) = found
            && self.is_over(scenarios, place, &pour)
        {
            self.end(scenarios, place, overflows);
            found = None;
        }
        // The bucket goes by the rules of the scenario that made it and by the time it was made
        // with, whoever pours.
        let (owner, mode) = match found {
            Some(place) => {
                let bucket = self.table.get(place);
                (bucket.scenario, bucket.mode)
            }
            None => (pour.scenario, pour.event.mode),
        };
        let scenario = scenarios.get(owner);
        let at = match mode {
            Mode::Live => Some(pour.at()),
            Mode::Replay => pour.written_at(),
        };
        if matches!(scenario.kind, Kind::Trigger) {
            let at = at.unwrap_or(now);
            let mut bucket = Bucket::new(pour.key, owner, scenario, mode, pour.group());
            self.counts[owner.index()].poured += 1;
            bucket.pour(scenario, pour.event, at, true);
            let group = newest(&bucket, pour.group);
            return self.overflow(scenarios, &bucket, group, at, overflows);
        }
        let verdict = pour.verdict_of(owner);
        if found.is_none() && verdict.cancels {
            self.counts[owner.index()].cancelled += 1;
            return;
        }
        let place = match found {
            Some(place) => place,
            None => self.make(scenarios, &pour, owner, mode, at.unwrap_or(now)),
        };
        let bucket = self.table.get_mut(place);
        let counts = &mut self.counts[owner.index()];
        if verdict.distinct.is_some_and(|value| bucket.has_seen(value)) {
            counts.repeated += 1;
            return;
        }
        if verdict.cancels {
            counts.cancelled += 1;
            self.take_out(place);
            return;
        }
        let Some(at) = at else {
            counts.undated += 1;
            return;
        };
        counts.poured += 1;
        let may_grow = self.n_kept < self.limits.events;
        let poured = bucket.pour(scenario, pour.event, at, may_grow);
        self.n_kept += usize::from(poured.grows);
        // Both are evaluated even after an overflow: a condition may write into the event.
        let by_condition = self.condition_holds(scenarios, place, pour.group);
        let by_evidence = self.evidence_suffices(scenarios, place, pour.group);
        if poured.overflows || by_condition || by_evidence {
            let bucket = self.take_out(place);
            let group = newest(&bucket, pour.group);
            self.overflow(scenarios, &bucket, group, at, overflows);
        }
    }

    /// Whether the bucket had ended before this event came.
    fn is_over(&self, scenarios: &Scenarios, place: Place, pour: &Pour) -> bool {
        let bucket = self.table.get(place);
        let scenario = scenarios.get(bucket.scenario);
        match bucket.mode {
            Mode::Live => bucket.ends_at(scenario) <= pour.at().nanos,
            Mode::Replay => pour.written_at().is_some_and(|at| bucket.is_stale(scenario, at)),
        }
    }

    /// Makes a bucket, and room for it.
    fn make(
        &mut self,
        scenarios: &Scenarios,
        pour: &Pour,
        owner: ScenarioId,
        mode: Mode,
        at: Time,
    ) -> Place {
        while self.table.len() >= self.limits.buckets.max(1) {
            let level = |bucket: &Bucket| bucket.level(scenarios.get(bucket.scenario), at.nanos);
            let Some(victim) = self.table.least(level) else { break };
            let victim = self.take_out(victim);
            self.counts[victim.scenario.index()].evicted += 1;
        }
        let scenario = scenarios.get(owner);
        let bucket = Bucket::new(pour.key, owner, scenario, mode, pour.group());
        let ends_at = (mode == Mode::Live).then(|| at.nanos.saturating_add(scenario.lifetime));
        self.counts[owner.index()].tracked += 1;
        self.table.insert(bucket, ends_at)
    }

    fn take_out(&mut self, place: Place) -> Bucket {
        let bucket = self.table.remove(place);
        self.n_kept -= bucket.queue().len();
        self.counts[bucket.scenario.index()].tracked -= 1;
        bucket
    }

    /// Ends a bucket whose time is over.
    fn end(&mut self, scenarios: &Scenarios, place: Place, overflows: &mut Vec<Overflow>) {
        let bucket = self.take_out(place);
        let scenario = scenarios.get(bucket.scenario);
        // Only the clock makes a timed bucket overflow; in a replay it has none.
        if scenario.is_timed && bucket.mode == Mode::Live {
            let at = Time::from_nanos(bucket.ends_at(scenario));
            return self.overflow(scenarios, &bucket, bucket.group(), at, overflows);
        }
        self.counts[bucket.scenario.index()].underflowed += 1;
    }

    fn condition_holds(&mut self, scenarios: &Scenarios, place: Place, group: Piece) -> bool {
        let bucket = self.table.get(place);
        let scenario = scenarios.get(bucket.scenario);
        let Some(condition) = &scenario.condition else { return false };
        let group = newest(bucket, group);
        let horizon = scenario.horizon.as_ref();
        let sight = Sight { scenarios, scenario, bucket, group, overflowed_at: None, horizon };
        let holds = sight.truth(condition, &self.arena, &self.world, None);
        let owner = bucket.scenario;
        self.arena.reset();
        settle(holds, &mut self.counts[owner.index()]).unwrap_or(false)
    }

    fn evidence_suffices(&mut self, scenarios: &Scenarios, place: Place, group: Piece) -> bool {
        let owner = self.table.get(place).scenario;
        let scenario = scenarios.get(owner);
        let Kind::Bayesian(bayesian) = &scenario.kind else { return false };
        let mut evil = bayesian.prior;
        for (index, evidence) in bayesian.conditions.iter().enumerate() {
            let bucket = self.table.get(place);
            let holds = if bucket.is_settled(index) {
                Some(true)
            } else {
                let group = newest(bucket, group);
                let sight = Sight {
                    scenarios,
                    scenario,
                    bucket,
                    group,
                    overflowed_at: None,
                    horizon: None,
                };
                let holds = sight.truth(&evidence.condition, &self.arena, &self.world, None);
                self.arena.reset();
                settle(holds, &mut self.counts[owner.index()])
            };
            if holds == Some(true) && evidence.guillotine {
                self.table.get_mut(place).settle(index);
            }
            if let Some(holds) = holds {
                evil = Bayesian::weigh(evil, evidence, holds);
            }
        }
        evil > bayesian.threshold
    }

    /// Tells of a bucket that overflowed and is in the table no more.
    fn overflow(
        &mut self,
        scenarios: &Scenarios,
        bucket: &Bucket,
        group: &str,
        at: Time,
        overflows: &mut Vec<Overflow>,
    ) {
        let owner = bucket.scenario;
        let scenario = scenarios.get(owner);
        self.counts[owner.index()].overflowed += 1;
        let mut made = None;
        if let Some(filter) = &scenario.overflow_filter {
            let told = self.tell(scenarios, scenario, bucket, group, at);
            let sight = Sight {
                scenarios,
                scenario,
                bucket,
                group,
                overflowed_at: Some(at),
                horizon: None,
            };
            let signal = told.as_ref().map_or_else(Overflow::none, Overflow::clone);
            let keeps = sight.truth(filter, &self.arena, &self.world, Some(&signal));
            self.arena.reset();
            if settle(keeps, &mut self.counts[owner.index()]) == Some(false) {
                self.counts[owner.index()].filtered += 1;
                return;
            }
            made = Some(told);
        }
        if self.is_silent(owner, scenario.blackhole, bucket.key, at.nanos) {
            self.counts[owner.index()].blackholed += 1;
            return;
        }
        match made.unwrap_or_else(|| self.tell(scenarios, scenario, bucket, group, at)) {
            Some(overflow) => overflows.push(overflow),
            None => self.counts[owner.index()].unsourced += 1,
        }
    }

    /// Whether an overflow of this bucket was told of shortly before. If not, this one will be.
    fn is_silent(
        &mut self,
        owner: ScenarioId,
        period: Option<i64>,
        key: BucketKey,
        at: i64,
    ) -> bool {
        let Some(period) = period else { return false };
        let hole = &mut self.blackholes[owner.index()];
        let before = hole.len();
        let swallows = hole.swallows(key, at, period);
        self.n_silences = self.n_silences - before + hole.len();
        if self.n_silences > self.limits.silences {
            let before = hole.len();
            hole.forget_first();
            self.n_silences -= before - hole.len();
        }
        swallows
    }

    fn tell(
        &mut self,
        scenarios: &Scenarios,
        scenario: &Scenario,
        bucket: &Bucket,
        group: &str,
        at: Time,
    ) -> Option<Overflow> {
        let desk = Desk {
            arena: &self.arena,
            names: scenarios.names(),
            world: &self.world,
            fields: scenarios.fields,
            contexts: &scenarios.contexts,
        };
        let made = alert::make(desk, scenario, bucket, at);
        self.arena.reset();
        match made {
            Ok(Some(Made { sources, alert })) => Some(Overflow {
                key: shown_key(&scenario.filter_text, group, &scenario.name),
                sources,
                alert: Some(alert),
                allowlisted: false,
                reprocess: scenario.reprocess,
            }),
            Ok(None) => None,
            Err(fault) => {
                tracing::debug!(scenario = %scenario.name, "an overflow blames nobody: {fault}");
                None
            }
        }
    }
}

/// A piece of the event that was poured last.
fn newest(bucket: &Bucket, piece: Piece) -> &str {
    bucket.queue().last().map_or("", |event| event.piece(piece))
}

fn settle(truth: Result<bool, Fault>, counts: &mut Counts) -> Option<bool> {
    if truth.is_err() {
        counts.faults += 1;
    }
    truth.ok()
}
