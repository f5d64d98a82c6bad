//! The judge: the one owner of the ledger.

use std::collections::HashSet;

use ipnet::IpNet;

use super::profile::is_bannable;
use super::{Profiles, Sentence, Statistics, Verdict};
use crate::decision::{Action, Allowlist, Decision, Origin, Refusal, Target, parse_logged};
use crate::event::{Alert, Overflow};
use crate::expr::World;
use crate::ledger::{Cause, Change, Counts, Health, Kept, Ledger, Record};
use crate::value::Time;

/// Whose decisions are recorded and not carried out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Observe {
    /// Nobody's.
    #[default]
    Nothing,
    /// All, those of operators too.
    Everything,
    /// Those of these scenarios.
    Scenarios(HashSet<String>),
}

impl Observe {
    fn covers(&self, scenario: &str) -> bool {
        match self {
            Observe::Nothing => false,
            Observe::Everything => true,
            Observe::Scenarios(names) => names.contains(scenario),
        }
    }
}

/// What the judge goes by; a reload brings another one.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Who is never banned.
    pub allowlist: Allowlist,
    /// What is answered with what.
    pub profiles: Profiles,
    /// Whose decisions are not carried out.
    pub observe: Observe,
    /// For how many nanoseconds an operator bans who does not say; above 0.
    pub duration: i64,
}

/// What became of one source of an overflow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// There is a decision.
    Decided {
        /// The decision's number.
        id: u64,
        /// Who.
        target: Target,
        /// Ban or observe, as asked for; see [`Kept::Held`].
        action: Action,
        /// New, prolonged, or left as it was.
        kept: Kept,
    },
    /// A friend, or too many addresses at once.
    Refused(Refusal),
    /// A postoverflow rule allowlisted it.
    Allowlisted,
    /// No profile answers this alert with a decision.
    NoProfile,
    /// What the scope names is no address: only addresses and prefixes can be banned.
    NotAnAddress {
        /// The scope.
        scope: String,
        /// What was to be banned.
        value: String,
    },
    /// No source could be made out.
    NoSource,
}

impl Outcome {
    /// Whether the kernel is told of it, if it is a ban: a decision that is new or longer.
    #[must_use]
    pub const fn is_news(&self) -> bool {
        matches!(self, Outcome::Decided { kept: Kept::Begun | Kept::Extended, .. })
    }

    /// The word used in metrics for what did not become a decision.
    #[must_use]
    pub const fn refusal(&self) -> Option<&'static str> {
        match self {
            Outcome::Decided { .. } => None,
            Outcome::Refused(refusal) => Some(reason(refusal)),
            Outcome::Allowlisted => Some("rule"),
            Outcome::NoProfile => Some("no_profile"),
            Outcome::NotAnAddress { .. } => Some("not_an_address"),
            Outcome::NoSource => Some("no_source"),
        }
    }
}

pub(super) const fn reason(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Allowlisted { .. } => "allowlisted",
        Refusal::TooWide { .. } => "too_wide",
    }
}

/// What became of an overflow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decided {
    /// For each source and sentence.
    pub outcomes: Vec<Outcome>,
    /// What the kernel is to be told, in this order.
    pub changes: Vec<Change>,
}

/// Decides on overflows and on what operators ask for, and keeps the ledger.
pub struct Judge {
    pub(super) policy: Policy,
    pub(super) ledger: Ledger,
    pub(super) statistics: Statistics,
    refusals: Sparingly,
    faults: Sparingly,
}

impl Judge {
    /// A judge with this policy. The ledger was opened with the policy's allowlist.
    #[must_use]
    pub fn new(policy: Policy, ledger: Ledger) -> Self {
        Self {
            policy,
            ledger,
            statistics: Statistics::default(),
            refusals: Sparingly::default(),
            faults: Sparingly::default(),
        }
    }

    /// Decides on an overflow; what becomes of it is in the ledger when this returns. `world` is
    /// what the expressions of profiles may ask for, told the time.
    pub fn decide(&mut self, overflow: &Overflow, world: &World, now: Time) -> Decided {
        let (mut outcomes, changes) = self.decide_together(&[overflow], world, now);
        Decided { outcomes: outcomes.pop().unwrap_or_default(), changes }
    }

    /// Decides on several overflows in one transaction: the outcomes of each, and what the kernel
    /// is to be told. The profiles see the decisions on none of them, so they should not have
    /// anybody in common.
    pub fn decide_together(
        &mut self,
        overflows: &[&Overflow],
        world: &World,
        now: Time,
    ) -> (Vec<Vec<Outcome>>, Vec<Change>) {
        let mut all = Vec::with_capacity(overflows.len());
        let mut records = Vec::new();
        for overflow in overflows {
            all.push(self.judge(overflow, world, now, &mut records));
        }
        let (kept, changes) = self.write(records, now);
        let mut kept = kept.into_iter();
        for outcome in all.iter_mut().flatten() {
            if let Outcome::Decided { id, kept: became, .. } = outcome
                && let Some((number, what)) = kept.next()
            {
                (*id, *became) = (number, what);
            }
        }
        (all, changes)
    }

    /// What is to become of an overflow; what is to be written goes to the end of `records`.
    fn judge(
        &mut self,
        overflow: &Overflow,
        world: &World,
        now: Time,
        records: &mut Vec<Record>,
    ) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        match &overflow.alert {
            _ if overflow.allowlisted => outcomes.push(Outcome::Allowlisted),
            Some(alert) if !overflow.sources.is_empty() => {
                for verdict in self.policy.profiles.verdicts(overflow, world) {
                    self.statistics.faults += verdict.faults.len() as u64;
                    for why in &verdict.faults {
                        if let Some(unsaid) = self.faults.may_speak(now) {
                            tracing::warn!(why, unsaid, "an expression could not be evaluated");
                        }
                    }
                    self.policy.sentence(alert, &verdict, now, &mut outcomes, records);
                }
            }
            _ => outcomes.push(Outcome::NoSource),
        }
        for outcome in &outcomes {
            let Some(reason) = outcome.refusal() else { continue };
            self.statistics.refuse(reason);
            if let Outcome::Refused(refusal) = outcome
                && let Some(unsaid) = self.refusals.may_speak(now)
            {
                let scenario = overflow.alert.as_ref().map(|alert| &*alert.scenario);
                tracing::info!(%refusal, scenario, unsaid, "not banned");
            }
        }
        outcomes
    }

    /// Does what time asks for: ends what is due, and writes again what could not be written. To be
    /// called about once a second.
    pub fn tick(&mut self, now: Time) -> Option<Change> {
        let ending = self.ledger.expire(now);
        self.statistics.end(Cause::Expired.name(), ending.decisions.len());
        tell_ended(&ending.decisions, Cause::Expired);
        ending.change
    }

    /// Goes by another policy from now on. Bans that its allowlist forbids end; those that its
    /// profiles would not make stay to their end.
    pub fn adopt(&mut self, policy: Policy, now: Time) -> Option<Change> {
        let (ending, refusals) = self.ledger.admit_again(&policy.allowlist, now);
        self.policy = policy;
        self.statistics.end(Cause::Allowlisted.name(), ending.decisions.len());
        for refusal in refusals {
            tracing::info!(%refusal, "unbanned");
        }
        ending.change
    }

    /// All bans that hold at `now`: what the kernel is to have, no more and no less.
    #[must_use]
    pub fn replace(&self, now: Time) -> Change {
        self.ledger.replace(now)
    }

    /// The ledger, to be read.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The ledger, for what is kept in it beside decisions.
    pub fn ledger_mut(&mut self) -> &mut Ledger {
        &mut self.ledger
    }

    /// The ledger, to be kept otherwise.
    pub fn set_options(&mut self, options: crate::ledger::Options) {
        self.ledger.set_options(options);
    }

    /// The policy.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// What was counted.
    #[must_use]
    pub fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    /// How many decisions are in force.
    #[must_use]
    pub fn active(&self) -> Counts {
        self.ledger.counts()
    }

    /// Whether they are on disk.
    #[must_use]
    pub fn health(&self) -> Health {
        self.ledger.health()
    }

    /// Writes records down, counts them and tells of them.
    pub(super) fn write(
        &mut self,
        records: Vec<Record>,
        now: Time,
    ) -> (Vec<(u64, Kept)>, Vec<Change>) {
        if records.is_empty() {
            return (Vec::new(), Vec::new());
        }
        let targets: Vec<_> = records
            .iter()
            .map(|record| (record.target, self.ledger.get(record.target).map(|d| d.action)))
            .collect();
        let recorded = self.ledger.record(records, now);
        for ((_, kept), (target, before)) in recorded.kept.iter().zip(targets) {
            match kept {
                Kept::Held => self.statistics.held += 1,
                Kept::Begun | Kept::Extended => {
                    let Some(decision) = self.ledger.get(target) else { continue };
                    if *kept == Kept::Begun
                        || before.is_some_and(|before| before != decision.action)
                    {
                        self.statistics.began(decision);
                        tell_began(decision, now);
                    } else {
                        self.statistics.extended += 1;
                        tracing::debug!(%target, reason = decision.reason, "prolonged");
                    }
                }
            }
        }
        (recorded.kept, recorded.changes)
    }
}

impl Policy {
    /// Puts a verdict's outcomes and records at the end of the lists; the number of a decision and
    /// what became of it are not known before it is written.
    fn sentence(
        &self,
        alert: &Alert,
        verdict: &Verdict<'_>,
        now: Time,
        outcomes: &mut Vec<Outcome>,
        records: &mut Vec<Record>,
    ) {
        if verdict.sentences.is_empty() {
            outcomes.push(Outcome::NoProfile);
        }
        for sentence in &verdict.sentences {
            let target = match self.target(sentence, verdict) {
                Ok(target) => target,
                Err(outcome) => {
                    outcomes.push(outcome);
                    continue;
                }
            };
            let is_observed = alert.simulated || self.observe.covers(&alert.scenario);
            let action = if is_observed { Action::Observe } else { sentence.action };
            records.push(Record {
                target,
                action,
                origin: Origin::Scenario,
                reason: alert.scenario.as_ref().to_owned(),
                until: now.plus(sentence.duration),
                events: u64::try_from(alert.events_count).unwrap_or(0),
            });
            outcomes.push(Outcome::Decided { id: 0, target, action, kept: Kept::Held });
        }
    }

    fn target(&self, sentence: &Sentence, verdict: &Verdict<'_>) -> Result<Target, Outcome> {
        let source = verdict.source;
        let scope = sentence.scope.as_deref().unwrap_or(&source.scope);
        let net = is_bannable(scope).then(|| parse_logged(&source.value)).flatten();
        let not_an_address =
            || Outcome::NotAnAddress { scope: scope.to_owned(), value: source.value.clone() };
        self.allowlist.admit(net.ok_or_else(not_an_address)?).map_err(Outcome::Refused)
    }

    /// What an operator's ban of this prefix is: a target, and whether it is carried out.
    pub(super) fn manual(&self, net: IpNet) -> Result<(Target, Action), Refusal> {
        let target = self.allowlist.admit(net)?;
        let is_observed = self.observe == Observe::Everything;
        Ok((target, if is_observed { Action::Observe } else { Action::Ban }))
    }
}

fn tell_began(decision: &Decision, now: Time) {
    let Decision { id, target, reason, events, .. } = decision;
    let seconds = decision.until.since(now) / 1_000_000_000;
    match decision.action {
        Action::Ban => tracing::info!(%target, reason, seconds, events, id, "banned"),
        Action::Observe => tracing::info!(%target, reason, seconds, events, id, "would ban"),
    }
}

/// How many endings are told one by one.
const TOLD: usize = 32;

pub(super) fn tell_ended(decisions: &[Decision], cause: Cause) {
    for decision in decisions.iter().take(TOLD) {
        let Decision { id, target, reason, .. } = decision;
        match decision.action {
            Action::Ban => tracing::info!(%target, reason, cause = cause.name(), id, "unbanned"),
            Action::Observe => {
                tracing::debug!(%target, reason, cause = cause.name(), id, "observed");
            }
        }
    }
    if let Some(more) = decisions.len().checked_sub(TOLD).filter(|more| *more > 0) {
        tracing::info!(more, cause = cause.name(), "unbanned");
    }
}

/// Lets one message a second through.
///
/// Hostile: whoever sends from a friend's address could otherwise fill the log.
#[derive(Default)]
struct Sparingly {
    spoke_at: Option<Time>,
    unsaid: u64,
}

impl Sparingly {
    /// Whether a message may be written now, and how many were not written before it.
    fn may_speak(&mut self, now: Time) -> Option<u64> {
        const PAUSE: i64 = 1_000_000_000;
        if self.spoke_at.is_some_and(|at| now.since(at).abs() < PAUSE) {
            self.unsaid += 1;
            return None;
        }
        self.spoke_at = Some(now);
        Some(std::mem::take(&mut self.unsaid))
    }
}

#[cfg(test)]
mod tests;
