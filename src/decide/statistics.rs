//! What the judge counts.

use std::collections::BTreeMap;

use crate::decision::{Action, Decision, Family, Origin};

/// The number of scenarios that are counted by name; scenarios beyond it are `other`.
const MOST_SCENARIOS: usize = 2_000;

/// What decisions are counted by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByDecision {
    /// The scenario's name, or `manual`.
    pub scenario: String,
    /// The family of the target.
    pub family: Family,
    /// Ban or observe.
    pub action: Action,
}

/// Totals since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Decisions that began, or turned from an observation into a ban.
    pub decisions: BTreeMap<ByDecision, u64>,
    /// Decisions that were prolonged.
    pub extended: u64,
    /// Overflows of targets whose decision lasted long enough already.
    pub held: u64,
    /// Overflows and requests that did not become a decision, by the name of the reason.
    pub refused: BTreeMap<&'static str, u64>,
    /// Expressions of profiles that could not be evaluated.
    pub faults: u64,
    /// Decisions that ended, by the name of the cause.
    pub ended: BTreeMap<&'static str, u64>,
}

impl Statistics {
    pub(super) fn began(&mut self, decision: &Decision) {
        let name = match decision.origin {
            Origin::Manual => "manual",
            Origin::Scenario => &decision.reason,
        };
        let key = |scenario: &str| ByDecision {
            scenario: scenario.to_owned(),
            family: decision.target.family(),
            action: decision.action,
        };
        let known =
            self.decisions.len() < MOST_SCENARIOS || self.decisions.contains_key(&key(name));
        *self.decisions.entry(key(if known { name } else { "other" })).or_default() += 1;
    }

    pub(super) fn refuse(&mut self, reason: &'static str) {
        *self.refused.entry(reason).or_default() += 1;
    }

    pub(super) fn end(&mut self, cause: &'static str, count: usize) {
        if count > 0 {
            *self.ended.entry(cause).or_default() += count as u64;
        }
    }
}
