//! What the judge counts.

use std::collections::BTreeMap;

use super::sentence::MERGED;
use crate::decision::{Action, Decision, Family, Origin};

/// The number of scenarios that are counted by name; scenarios beyond it are `other`.
const MOST_SCENARIOS: usize = 2_000;

/// The words for what does not become a decision.
pub const REFUSALS: [&str; 7] =
    ["allowlisted", "guarded", "too_wide", "rule", "no_profile", "not_an_address", "no_source"];

/// The words for what keeps bans from being carried out as they are asked for.
pub const LIMITS: [&str; 3] = ["source", "spoofable", "brake"];

/// What decisions are counted by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByDecision {
    /// The scenario's name, `manual`, `list` or `remote`.
    pub scenario: String,
    /// Who asked for it.
    pub origin: Origin,
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
    /// Bans that last longer because of those before them.
    pub escalated: u64,
    /// Bans that became wider than the address that overflowed.
    pub widened: u64,
    /// Prefixes that took the place of banned neighbours.
    pub merged: u64,
    /// Bans that were shortened or not carried out, by the word for what kept them from it.
    pub limited: BTreeMap<&'static str, u64>,
    /// Decisions that ended, by the name of the cause.
    pub ended: BTreeMap<&'static str, u64>,
}

impl Statistics {
    pub(super) fn began(&mut self, decision: &Decision) {
        let name = match decision.origin {
            Origin::Manual => "manual",
            Origin::List => "list",
            Origin::Remote => "remote",
            // The reason of each tells how many it stands for.
            Origin::Scenario if decision.reason.starts_with(MERGED) => MERGED.trim_end(),
            Origin::Scenario => &decision.reason,
        };
        let key = |scenario: &str| ByDecision {
            scenario: scenario.to_owned(),
            origin: decision.origin,
            family: decision.target.family(),
            action: decision.action,
        };
        let known =
            self.decisions.len() < MOST_SCENARIOS || self.decisions.contains_key(&key(name));
        *self.decisions.entry(key(if known { name } else { "other" })).or_default() += 1;
    }

    /// Counts decisions of lists or remotes that began.
    pub(super) fn followed(&mut self, origin: Origin, family: Family, action: Action, count: u64) {
        if count > 0 {
            let scenario = origin.name().to_owned();
            let by = ByDecision { scenario, origin, family, action };
            *self.decisions.entry(by).or_default() += count;
        }
    }

    pub(super) fn refuse(&mut self, reason: &'static str) {
        *self.refused.entry(reason).or_default() += 1;
    }

    pub(super) fn limit(&mut self, by: &'static str) {
        *self.limited.entry(by).or_default() += 1;
    }

    pub(super) fn end(&mut self, cause: &'static str, count: usize) {
        if count > 0 {
            *self.ended.entry(cause).or_default() += count as u64;
        }
    }
}
