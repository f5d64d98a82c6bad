//! Conditions about the pace of events, answered from the times in a bucket.
//!
//! Invariant: the answer is that of the condition as an expression, which stays the one that is
//! explained; tests/horizon.rs holds one against the other.

use super::expression::{Subject, Variables};
use super::kept::Queue;
use super::lent::Lent;
use super::scenario::Horizon;
use crate::expr::{Pace, Times, World};
use crate::value::{Arena, Names};

impl Horizon {
    /// Whether a condition that asks for nothing but this pace holds for the events of a bucket.
    pub(super) fn has_pace(
        &self,
        pace: &Pace,
        queue: &Queue,
        arena: &Arena,
        names: &Names,
        world: &World,
    ) -> bool {
        let mut times = Times::default();
        let mut variables = Variables::of_bucket(arena, world);
        for event in queue.iter().rev() {
            if !pace.wants_more(&times) {
                break;
            }
            // Only one predicate says which events count, if any does.
            let counts = self.matching.first().is_none_or(|(matching, _)| {
                variables.subject = Subject::Lent(Lent::new(arena, names, event));
                matching.truth(&variables).unwrap_or(false)
            });
            if counts {
                times.push(event.time);
            }
        }
        pace.holds(&times)
    }
}
