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

mod told;

use std::sync::Arc;

use self::told::newest;
use super::ahead::Hint;
use super::blackhole::Blackhole;
use super::bucket::Bucket;
use super::counts::Counts;
use super::limits::Limits;
use super::pour::{Kept, Pour};
use super::scenario::{Kind, Scenario, ScenarioId};
use super::selector::{Scenarios, Scratch, Selected};
use super::table::{Place, Table, Worth};
use crate::event::{self, Mode, Overflow};
use crate::expr::World;
use crate::value::{Arena, Time};

/// How many places are looked at for buckets that are too old, for each that is made in a replay:
/// enough to end them sooner than they are made.
const SWEPT: usize = 2;

/// How many are looked at in a row: what they hold is far from the processor's caches, and when
/// nothing between waits for it, much of it arrives at once.
const IN_A_ROW: usize = 32;

/// How far the lines of a log may be out of order, in nanoseconds, without a bucket being missed
/// that one of them would have found.
const JITTER: i64 = 60_000_000_000;

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
    /// Places that are to be looked at for buckets that are too old.
    to_sweep: usize,
    counts: Vec<Counts>,
    /// How many scenarios have buckets.
    n_active: u64,
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
            to_sweep: 0,
            counts: vec![Counts::default(); n],
            n_active: 0,
            limits,
            world,
            arena: Arena::new(),
        };
        Self { scenarios, state }
    }

    /// Looks up the buckets of these pours.
    pub(super) fn touch(&self, pours: &[Pour], hints: &mut Vec<Hint>) {
        let table = &self.state.table;
        hints.extend(pours.iter().map(|pour| Hint(table.find(pour.key))));
        let found = hints.iter().filter_map(|hint| hint.0);
        let touched = found.fold(0, |sum: u64, place| sum ^ table.get(place).total());
        std::hint::black_box(touched);
    }

    /// Pours one event. Overflows are appended to `overflows`: usually none or one; two when an
    /// event finds a timed bucket whose time was over, and makes the next one overflow.
    pub fn pour(&mut self, pour: Pour, now: Time, overflows: &mut Vec<Overflow>) {
        self.pour_near(pour, Hint::default(), now, overflows);
    }

    /// The same for a pour whose bucket was looked up before.
    #[inline]
    pub fn pour_near(&mut self, pour: Pour, hint: Hint, now: Time, overflows: &mut Vec<Overflow>) {
        self.state.world.set_now(now);
        self.state.pour(&self.scenarios, pour, hint, now, overflows);
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
            self.state.pour(&self.scenarios, pour, Hint::default(), now, overflows);
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
        state.n_active = state.counts.iter().map(|counts| u64::from(counts.tracked > 0)).sum();
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

/// Whether the bucket had ended before this event came.
#[inline]
fn is_over(scenario: &Scenario, bucket: &Bucket, pour: &Pour) -> bool {
    match bucket.mode {
        Mode::Live => bucket.ends_at(scenario) <= pour.at().nanos,
        Mode::Replay => pour.written_at().is_some_and(|at| bucket.is_stale(scenario, at)),
    }
}

impl State {
    fn pour(
        &mut self,
        scenarios: &Scenarios,
        pour: Pour,
        Hint(hint): Hint,
        now: Time,
        overflows: &mut Vec<Overflow>,
    ) {
        let known = hint.filter(|place| self.table.holds(*place, pour.key));
        let mut found = known.or_else(|| self.table.find(pour.key));
        let (mut owner, mut mode) = (pour.scenario, pour.event.mode);
        if let Some(place) = found {
            let bucket = self.table.get(place);
            if is_over(scenarios.get(bucket.scenario), bucket, &pour) {
                self.end(scenarios, place, overflows);
                found = None;
            } else {
                // The bucket goes by the rules of the scenario that made it and by the time it was
                // made with, whoever pours.
                (owner, mode) = (bucket.scenario, bucket.mode);
            }
        }
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
            None => self.make(scenarios, &pour, scenario, mode, at.unwrap_or(now)),
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
        let by_condition =
            scenario.condition.is_some() && self.condition_holds(scenarios, place, pour.group);
        let by_evidence = matches!(scenario.kind, Kind::Bayesian(_))
            && self.evidence_suffices(scenarios, place, pour.group);
        if poured.overflows || by_condition || by_evidence {
            let bucket = self.take_out(place);
            let group = newest(&bucket, pour.group);
            self.overflow(scenarios, &bucket, group, at, overflows);
        }
    }

    /// Makes a bucket, and room for it.
    fn make(
        &mut self,
        scenarios: &Scenarios,
        pour: &Pour,
        scenario: &Scenario,
        mode: Mode,
        at: Time,
    ) -> Place {
        while self.table.len() >= self.limits.buckets.max(1) {
            // What counts is the share among those that have any: a scenario that floods has all
            // the room that no other wants.
            let share = self.table.len() as u64 / self.n_active.max(1);
            let worth = |bucket: &Bucket| Worth {
                within_share: self.counts[bucket.scenario.index()].tracked <= share,
                level: bucket.level(scenarios.get(bucket.scenario), at.nanos),
            };
            let Some(victim) = self.table.least(worth) else { break };
            let victim = self.take_out(victim);
            self.counts[victim.scenario.index()].evicted += 1;
        }
        if mode == Mode::Replay {
            self.to_sweep += SWEPT;
            if self.to_sweep >= IN_A_ROW {
                self.to_sweep = 0;
                self.sweep(scenarios, at.plus(-JITTER));
            }
        }
        let owner = pour.scenario;
        // Only a timed bucket asks for the group.
        let group = if scenario.is_timed { pour.group() } else { "" };
        let bucket = Bucket::new(pour.key, owner, scenario, mode, group);
        let ends_at = (mode == Mode::Live).then(|| at.nanos.saturating_add(scenario.lifetime));
        let tracked = &mut self.counts[owner.index()].tracked;
        self.n_active += u64::from(*tracked == 0);
        *tracked += 1;
        self.table.insert(bucket, ends_at)
    }

    /// Ends some of the replayed buckets that an event at `at` would find too old. No clock ends
    /// them, and of most sources of a long log no other event comes.
    fn sweep(&mut self, scenarios: &Scenarios, at: Time) {
        let mut stale = [None; IN_A_ROW];
        let mut touched = 0;
        // No place twice.
        for found in stale.iter_mut().take(self.table.n_places()) {
            let Some(place) = self.table.turn() else { continue };
            let bucket = self.table.get(place);
            let scenario = scenarios.get(bucket.scenario);
            if bucket.mode == Mode::Replay && bucket.is_stale(scenario, at) {
                touched ^= bucket.queue().touch() ^ self.table.touch(bucket.key);
                *found = Some(place);
            }
        }
        std::hint::black_box(touched);
        for place in stale.into_iter().flatten() {
            let bucket = self.take_out(place);
            self.counts[bucket.scenario.index()].underflowed += 1;
        }
    }

    fn take_out(&mut self, place: Place) -> Bucket {
        let bucket = self.table.remove(place);
        self.n_kept -= bucket.queue().len();
        let tracked = &mut self.counts[bucket.scenario.index()].tracked;
        *tracked -= 1;
        self.n_active -= u64::from(*tracked == 0);
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
}
