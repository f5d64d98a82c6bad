//! Whether a bucket overflows for another reason than being full, and what is told of it.

use std::sync::Arc;

use super::State;
use crate::detect::alert::{self, Desk, Made};
use crate::detect::bucket::Bucket;
use crate::detect::counts::Counts;
use crate::detect::key::BucketKey;
use crate::detect::scenario::{Bayesian, Kind, Scenario, ScenarioId};
use crate::detect::selector::Scenarios;
use crate::detect::sight::Sight;
use crate::detect::table::Place;
use crate::event::{Overflow, Piece, ShownKey, Trust};
use crate::value::{Fault, Time};

impl State {
    pub(super) fn condition_holds(
        &mut self,
        scenarios: &Scenarios,
        place: Place,
        group: Piece,
    ) -> bool {
        let bucket = self.table.get(place);
        let scenario = scenarios.get(bucket.scenario);
        let Some(condition) = &scenario.condition else { return false };
        if bucket.queue().len() < scenario.least {
            return false;
        }
        let horizon = scenario.horizon.as_ref();
        if let Some(horizon) = horizon
            && let Some(pace) = &horizon.pace
        {
            let names = scenarios.names();
            let holds = horizon.has_pace(pace, bucket.queue(), &self.arena, names, &self.world);
            self.arena.reset();
            return holds;
        }
        let group = newest(bucket, group);
        let sight = Sight { scenarios, scenario, bucket, group, overflowed_at: None, horizon };
        let holds = sight.truth(condition, &self.arena, &self.world, None);
        let owner = bucket.scenario;
        self.arena.reset();
        settle(holds, &mut self.counts[owner.index()]).unwrap_or(false)
    }

    pub(super) fn evidence_suffices(
        &mut self,
        scenarios: &Scenarios,
        place: Place,
        group: Piece,
    ) -> bool {
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
    pub(super) fn overflow(
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
        let key = scenarios.silenced(bucket, group, &self.arena);
        self.arena.reset();
        if self.is_silent(owner, scenario.blackhole, key, at.nanos) {
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
                key: ShownKey::new(
                    Arc::clone(&scenario.filter_text),
                    group,
                    Arc::clone(&scenario.name),
                ),
                sources,
                alert: Some(alert),
                allowlisted: false,
                reprocess: scenario.reprocess,
                trust: bucket.queue().last().map_or(Trust::FULL, |event| event.trust),
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
pub(super) fn newest(bucket: &Bucket, piece: Piece) -> &str {
    bucket.queue().last().map_or("", |event| event.piece(piece))
}

fn settle(truth: Result<bool, Fault>, counts: &mut Counts) -> Option<bool> {
    if truth.is_err() {
        counts.faults += 1;
    }
    truth.ok()
}
