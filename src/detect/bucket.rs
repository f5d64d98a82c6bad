//! One bucket: what was poured into it and how full it is.
//!
//! There may be a million of these, so what most do not need lies behind one pointer.

use std::num::NonZeroU64;
use std::sync::Arc;

use super::kept::{Queue, Seen};
use super::key::BucketKey;
use super::limiter::Leak;
use super::scenario::{Kind, Scenario, ScenarioId};
use crate::event::{Mode, Snapshot};
use crate::value::Time;

/// The values that one bucket tells apart at most.
///
/// Hostile: a source that sends ever new values slowly enough never overflows, and the set lives
/// as long as the bucket.
const MOST_DISTINCT: usize = 4096;

/// A bucket.
#[derive(Debug)]
pub(super) struct Bucket {
    pub(super) key: BucketKey,
    /// What is left of the capacity at `last`.
    tokens: f64,
    first: i64,
    last: i64,
    first_offset: i32,
    last_offset: i32,
    total: u32,
    queue: Queue,
    first_seen: Option<NonZeroU64>,
    extra: Option<Box<Extra>>,
    /// The scenario that made it; its rules apply, whichever scenario pours.
    pub(super) scenario: ScenarioId,
    /// Which use of its place in the table this is.
    pub(super) stamp: u32,
    pub(super) mode: Mode,
}

/// What only some kinds of bucket have.
#[derive(Debug, Default)]
struct Extra {
    group: Box<str>,
    /// The values seen after the first.
    seen: Seen,
    settled: Vec<bool>,
}

impl Bucket {
    /// An empty bucket.
    #[inline]
    pub(super) fn new(
        key: BucketKey,
        id: ScenarioId,
        scenario: &Scenario,
        mode: Mode,
        group: &str,
    ) -> Self {
        // Only a timed bucket overflows when nobody pours, and must then know what it stands for.
        let extra =
            scenario.is_timed.then(|| Box::new(Extra { group: group.into(), ..Extra::default() }));
        let tokens = match &scenario.kind {
            Kind::Leaky(leak) => leak.capacity,
            _ => 0.0,
        };
        Self {
            key,
            tokens,
            first: 0,
            last: 0,
            first_offset: 0,
            last_offset: 0,
            total: 0,
            queue: Queue::default(),
            first_seen: None,
            extra,
            scenario: id,
            stamp: 0,
            mode,
        }
    }

    /// Whether `value` was seen before; if not, it is remembered.
    #[inline]
    pub(super) fn has_seen(&mut self, value: NonZeroU64) -> bool {
        match self.first_seen {
            None => {
                self.first_seen = Some(value);
                false
            }
            Some(first) if first == value => true,
            // Most buckets never see a second one.
            Some(_) => self.extra.get_or_insert_default().seen.has(value.get(), MOST_DISTINCT),
        }
    }

    /// Pours an event at `at`; whether the bucket overflows by it. Also returns by how much the
    /// number of kept events grew.
    #[inline]
    pub(super) fn pour(
        &mut self,
        scenario: &Scenario,
        event: Arc<Snapshot>,
        at: Time,
        may_grow: bool,
    ) -> Poured {
        let elapsed = if self.total == 0 { 0 } else { at.nanos.saturating_sub(self.last) };
        if self.total == 0 {
            (self.first, self.first_offset) = (at.nanos, at.offset);
        }
        self.total = self.total.saturating_add(1);
        (self.last, self.last_offset) = (at.nanos, at.offset);
        let overflows = match &scenario.kind {
            Kind::Trigger => true,
            Kind::Leaky(leak) => match leak.take(self.tokens, elapsed) {
                Some(left) => {
                    self.tokens = left;
                    false
                }
                None => true,
            },
            Kind::Counter | Kind::Conditional | Kind::Bayesian(_) => false,
        };
        let n_kept = self.queue.len();
        let grows = n_kept == 0 || (may_grow && n_kept < scenario.keeps);
        if !grows {
            self.queue.drop_first();
        }
        self.queue.push(event);
        Poured { overflows, grows }
    }

    /// The first time, if anything was poured.
    pub(super) fn first(&self) -> Option<Time> {
        (self.total > 0).then_some(Time { nanos: self.first, offset: self.first_offset })
    }

    /// The last time, if anything was poured.
    pub(super) fn last(&self) -> Option<Time> {
        (self.total > 0).then_some(Time { nanos: self.last, offset: self.last_offset })
    }

    /// How many events were poured.
    pub(super) fn total(&self) -> u64 {
        self.total.into()
    }

    /// The last events, oldest first.
    pub(super) fn queue(&self) -> &Queue {
        &self.queue
    }

    /// The value that the bucket stands for, where it was kept.
    pub(super) fn group(&self) -> &str {
        self.extra.as_ref().map_or("", |extra| &extra.group)
    }

    /// Whether the evidence at `index` was settled as true.
    pub(super) fn is_settled(&self, index: usize) -> bool {
        self.extra.as_ref().is_some_and(|extra| extra.settled.get(index) == Some(&true))
    }

    /// Settles the evidence at `index` as true.
    pub(super) fn settle(&mut self, index: usize) {
        let settled = &mut self.extra.get_or_insert_default().settled;
        if settled.len() <= index {
            settled.resize(index + 1, false);
        }
        if let Some(at) = settled.get_mut(index) {
            *at = true;
        }
    }

    /// When a live bucket ends: a timed one a fixed span after its first event, any other when that
    /// long nothing was poured.
    pub(super) fn ends_at(&self, scenario: &Scenario) -> i64 {
        let from = if scenario.is_timed { self.first } else { self.last };
        from.saturating_add(scenario.lifetime)
    }

    /// Whether a replayed event at `at` comes too late for this bucket.
    pub(super) fn is_stale(&self, scenario: &Scenario, at: Time) -> bool {
        self.total > 0 && at.nanos > self.last.saturating_add(scenario.lifetime)
    }

    /// How much would be lost if it were forgotten at `now`: events that have not leaked away, or
    /// what stands for them where nothing leaks.
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    pub(super) fn level(&self, scenario: &Scenario, now: i64) -> f64 {
        let idle = now.saturating_sub(self.last).max(0);
        match &scenario.kind {
            Kind::Leaky(leak) => level(*leak, self.tokens, idle),
            _ => {
                let left = scenario.lifetime.saturating_sub(idle).max(0);
                f64::from(self.total) * (left as f64 / scenario.lifetime.max(1) as f64)
            }
        }
    }
}

/// What pouring did.
#[derive(Clone, Copy, Debug)]
pub(super) struct Poured {
    pub(super) overflows: bool,
    /// Whether one more event is kept.
    pub(super) grows: bool,
}

fn level(leak: Leak, tokens: f64, idle: i64) -> f64 {
    leak.capacity - leak.refill(tokens, idle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_small() {
        assert!(size_of::<Bucket>() <= 96, "{}", size_of::<Bucket>());
        assert_eq!(size_of::<Option<Bucket>>(), size_of::<Bucket>());
    }
}
