//! What a condition looks at: a bucket, its events, and when it has overflowed the alert.

use super::bucket::Bucket;
use super::expression::{Expression, Subject, Variables};
use super::lent::Lent;
use super::scenario::{Horizon, Scenario};
use super::selector::Scenarios;
use super::view::{LeakyView, QueueView};
use crate::event::{Overflow, OverflowView};
use crate::expr::World;
use crate::value::{Arena, Fault, Time, Value};

/// What a condition looks at.
pub(super) struct Sight<'s> {
    pub(super) scenarios: &'s Scenarios,
    pub(super) scenario: &'s Scenario,
    pub(super) bucket: &'s Bucket,
    pub(super) group: &'s str,
    pub(super) overflowed_at: Option<Time>,
    /// The events that the condition needs; `None` for all.
    pub(super) horizon: Option<&'s Horizon>,
}

impl Sight<'_> {
    /// The truth of a condition. Of an overflow, there is a `signal` but no event.
    pub(super) fn truth(
        &self,
        condition: &Expression,
        arena: &Arena,
        world: &World,
        signal: Option<&Overflow>,
    ) -> Result<bool, Fault> {
        let names = &**self.scenarios.names();
        let (queue, length) = (self.bucket.queue(), self.scenario.length);
        let queue = match self.horizon {
            Some(horizon) => QueueView::within(arena, names, world, queue, length, horizon),
            None => QueueView::new(arena, names, queue, length),
        };
        let leaky = arena.alloc(LeakyView {
            arena,
            scenario: self.scenario,
            bucket: self.bucket,
            group: self.group,
            overflowed_at: self.overflowed_at,
        });
        let last = self.bucket.queue().last().filter(|_| signal.is_none());
        let subject = last.map(|snapshot| Subject::Lent(Lent::new(arena, names, snapshot)));
        let subject = subject.unwrap_or_default();
        let signal =
            signal.map_or(Value::Nil, |signal| Value::Object(OverflowView::new(arena, signal)));
        let others = [Value::Object(queue), Value::Object(leaky), signal];
        condition.truth(&Variables { arena, world, subject, others })
    }
}
