//! Conditions about the pace of events, answered from the times in a bucket.
//!
//! Invariant: the answer is that of the condition as an expression, which stays the one that is
//! explained; tests/horizon.rs holds one against the other.

use super::expression::{Expression, Subject, Variables};
use super::kept::Queue;
use super::lent::Lent;
use crate::expr::{self, World};
use crate::value::{Arena, Names};

/// A condition about the pace of events.
#[derive(Debug)]
pub(super) struct Pace {
    asked: expr::Pace,
    /// Which events count; it cannot fail.
    matching: Option<Expression>,
}

impl Pace {
    /// `matching` is the predicate that `asked` speaks of, if it does.
    pub(super) fn new(asked: expr::Pace, matching: Option<Expression>) -> Self {
        Self { asked, matching }
    }

    /// Whether it holds for the events of a bucket.
    pub(super) fn holds(&self, queue: &Queue, arena: &Arena, names: &Names, world: &World) -> bool {
        let mut times = expr::Times::default();
        let mut variables = Variables::of_bucket(arena, world);
        for event in queue.iter().rev() {
            if !self.asked.wants_more(&times) {
                break;
            }
            let counts = self.matching.as_ref().is_none_or(|matching| {
                variables.subject = Subject::Lent(Lent::new(arena, names, event));
                matching.truth(&variables).unwrap_or(false)
            });
            if counts {
                times.push(event.time);
            }
        }
        self.asked.holds(&times)
    }
}
