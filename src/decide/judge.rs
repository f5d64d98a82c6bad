//! The judge: the one owner of the ledger.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::RandomState;
use std::time::Duration;

use ipnet::IpNet;

use super::brake::Brake;
use super::friends::Parts;
use super::remotes::Remotes;
use super::watch::OFFENDERS;
use super::{Guard, Measures, Offences, Profiles, Statistics};
use crate::decision::{Action, Allowlist, Decision, EntryOrigin, Refusal, Target};
use crate::event::Overflow;
use crate::expr::World;
use crate::ledger::{Cause, Change, Counts, Health, Kept, Ledger, Record};
use crate::value::{Seldom, Time};

/// Of refusals and faults one each is told in this time: whoever sends from a friend's address could
/// otherwise fill the log.
const PAUSE: Duration = Duration::from_secs(1);

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
    pub(super) fn covers(&self, scenario: &str) -> bool {
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
    /// How far a ban goes.
    pub measures: Measures,
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
        Refusal::Allowlisted { entry, .. } => match entry.origin {
            EntryOrigin::Login | EntryOrigin::Connection => "guarded",
            _ => "allowlisted",
        },
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
    pub(super) friends: Parts,
    pub(super) offences: Offences,
    pub(super) guard: Guard,
    /// Logins that are not on disk yet.
    pub(super) new_logins: BTreeMap<IpNet, Time>,
    pub(super) brake: Brake,
    /// Other hosts that are followed.
    pub(super) remotes: Remotes,
    /// What the brake kept from being carried out.
    pub(super) braked: BTreeSet<IpNet>,
    pub(super) unsaved_brake: bool,
    /// What keeps decisions from being carried out, by whom they are about.
    pub(super) limits: BTreeMap<IpNet, Box<str>>,
    /// When refusals were last written down, by whom they were about.
    pub(super) refused: BTreeMap<IpNet, i64>,
    /// Targets of records that are not written yet and that count as offences when they begin.
    pub(super) counting: BTreeSet<Target>,
    /// Drawn at the start, for whatever nobody else may know.
    pub(super) luck: RandomState,
    pub(super) refusals: Seldom,
    pub(super) faults: Seldom,
}

impl Judge {
    /// A judge with this policy. The ledger was opened with the policy's allowlist.
    #[must_use]
    pub fn new(policy: Policy, ledger: Ledger) -> Self {
        let mut friends = Parts::default();
        friends.set_policy(policy.allowlist.entries());
        Self {
            policy,
            friends,
            ledger,
            statistics: Statistics::default(),
            offences: Offences::new(OFFENDERS),
            guard: Guard::default(),
            new_logins: BTreeMap::new(),
            brake: Brake::default(),
            remotes: Remotes::default(),
            braked: BTreeSet::new(),
            unsaved_brake: false,
            limits: BTreeMap::new(),
            refused: BTreeMap::new(),
            counting: BTreeSet::new(),
            luck: RandomState::new(),
            refusals: Seldom::once_in(PAUSE),
            faults: Seldom::once_in(PAUSE),
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
                let profiles = self.policy.profiles.clone();
                let verdicts = profiles.verdicts(overflow, world);
                for verdict in &verdicts {
                    self.statistics.faults += verdict.faults.len() as u64;
                    for why in &verdict.faults {
                        if let Some(unsaid) = self.faults.may(now) {
                            tracing::warn!(why, unsaid, "an expression could not be evaluated");
                        }
                    }
                }
                self.sentence(overflow, alert, &verdicts, now, &mut outcomes, records);
            }
            _ => outcomes.push(Outcome::NoSource),
        }
        for outcome in &outcomes {
            let Some(reason) = outcome.refusal() else { continue };
            self.statistics.refuse(reason);
            if let (Outcome::Refused(refusal), Some(alert)) = (outcome, &overflow.alert) {
                self.note_refused(refusal, alert, now);
            }
            if let Outcome::Refused(refusal) = outcome
                && let Some(unsaid) = self.refusals.may(now)
            {
                let scenario = overflow.alert.as_ref().map(|alert| &*alert.scenario);
                tracing::info!(%refusal, scenario, unsaid, "not banned");
            }
        }
        outcomes
    }

    /// Does what time asks for: ends what is due, and writes again what could not be written. To be
    /// called about once a second.
    pub fn tick(&mut self, now: Time) -> Vec<Change> {
        let ending = self.ledger.expire(now);
        self.statistics.end(Cause::Expired.name(), ending.decisions.len());
        tell_ended(&ending.decisions, Cause::Expired);
        self.watch(now);
        ending.change.into_iter().chain(self.expire_friends(now)).collect()
    }

    /// Whether there is more to do at `now` than a tick does at once.
    #[must_use]
    pub fn has_more(&self, now: Time) -> bool {
        self.ledger.has_more(now)
    }

    /// Goes by another policy from now on. Bans that its allowlist forbids end; those that its
    /// profiles would not make stay to their end.
    pub fn adopt(&mut self, policy: Policy, now: Time) -> Vec<Change> {
        self.friends.set_policy(policy.allowlist.entries());
        let allowlist = std::mem::take(&mut self.policy.allowlist);
        self.policy = Policy { allowlist, ..policy };
        self.settle_friends(now).1
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
            self.note_begun(target, *kept, now);
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
        let mut changes = recorded.changes;
        let merged = self.merge(&recorded.kept, now);
        if !merged.is_empty() {
            changes.extend(self.ledger.record(merged, now).changes);
        }
        (recorded.kept, changes)
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

#[cfg(test)]
pub(super) mod tests;
