//! The allowlist of a rule (`whitelist:` in its file): events about friends are not poured.

use super::expression::Expression;
use super::observe::Fact;
use super::run::Run;
use crate::event::Kind;
use crate::value::{Fault, Ranges, Value};

/// Addresses, networks and conditions.
#[derive(Debug, Default)]
pub(super) struct Allowlist {
    pub(super) reason: Box<str>,
    pub(super) networks: Ranges,
    pub(super) conditions: Vec<Expression>,
}

impl Allowlist {
    /// Whether it has no entry at all.
    pub(super) fn is_empty(&self) -> bool {
        self.networks.is_empty() && self.conditions.is_empty()
    }

    /// Whether the event is on the list. If it is, and was on no other before, it is marked so.
    pub(super) fn check<'a>(&'a self, run: &mut Run<'_, 'a>) -> bool {
        let listed = self.has_address(run) || self.has_condition(run);
        run.note(Fact::Allowlist { reason: &self.reason, listed });
        let event = run.event();
        // The first reason stays.
        if listed && !event.allowlisted.get() {
            event.allowlisted.set(true);
            event.allowlist_reason.set(&self.reason);
            if event.kind == Kind::Overflow {
                event.overflow_view().allow();
            }
        }
        listed
    }

    fn has_address(&self, run: &Run<'_, '_>) -> bool {
        if self.networks.is_empty() {
            return false;
        }
        let mut found = false;
        run.event().each_address(|_, address| found |= self.networks.contain(address));
        found
    }

    fn has_condition<'a>(&'a self, run: &mut Run<'_, 'a>) -> bool {
        for condition in &self.conditions {
            match run.evaluate(condition) {
                Some(Value::Bool(true)) => return true,
                Some(Value::Bool(false)) => {}
                Some(other) => run.fault(condition, &not_bool(other)),
                // A condition that fails ends the list: what follows may rely on it.
                None => return false,
            }
        }
        false
    }
}

/// The fault of a condition that is neither true nor false.
fn not_bool(value: Value<'_>) -> Fault {
    Fault::new(format!("a condition must be true or false, found {}", value.kind()))
}
