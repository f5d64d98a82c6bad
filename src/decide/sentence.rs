//! From what the profiles say of an overflow to what is written down: about whom, for how long, and
//! whether it is carried out.
//!
//! Must hold: what comes of lines that are not believed, and of scenarios that are only tried out,
//! changes nothing about the decisions of others.

use std::collections::BTreeSet;

use ipnet::IpNet;

use super::levels::{Levels, common};
use super::profile::is_bannable;
use super::{Escalated, Judge, Limited, Observe, Outcome, Sentence, Story, Verdict, Widened};
use crate::decision::{
    Action, Decision, Entry, EntryOrigin, Origin, Refusal, Target, parse_logged,
};
use crate::event::{Alert, Overflow, Trust};
use crate::ledger::{Kept, Record};
use crate::value::Time;

/// What is the same for all sources of an overflow.
#[derive(Clone, Copy)]
struct Charge<'a> {
    alert: &'a Alert,
    /// The most that may follow, and the word for what says so.
    trust: Trust,
    limited_by: &'static str,
    is_observed: bool,
    /// Whether it counts for later decisions, and by those before it.
    counts: bool,
    /// The network whose addresses overflowed the bucket together.
    proven: Option<(IpNet, usize)>,
    now: Time,
}

/// Who is banned, and how many offended there.
#[derive(Clone, Copy)]
struct Chosen {
    target: Target,
    offenders: usize,
}

/// Decisions in one network that are looked at to tell whether one is under way.
const MOST_RUNNING: usize = 4096;

impl Judge {
    /// Puts the outcomes and records of an overflow at the end of the lists; the number of a
    /// decision and what became of it are not known before it is written.
    pub(super) fn sentence(
        &mut self,
        overflow: &Overflow,
        alert: &Alert,
        verdicts: &[Verdict<'_>],
        now: Time,
        outcomes: &mut Vec<Outcome>,
        records: &mut Vec<Record>,
    ) {
        let measures = &self.policy.measures;
        let by_rule = measures.spoofable[usize::from(alert.spoofable.min(3))];
        let is_observed = alert.simulated || self.policy.observe.covers(&alert.scenario);
        let is_trial = self.policy.observe == Observe::Everything;
        let trust = overflow.trust.min(by_rule);
        let mut charge = Charge {
            alert,
            trust,
            limited_by: if overflow.trust <= by_rule { "source" } else { "spoofable" },
            is_observed,
            counts: trust.is_full() && !alert.simulated && (!is_observed || is_trial),
            proven: None,
            now,
        };
        let is_meant = |verdict: &&Verdict<'_>| {
            verdict.sentences.iter().any(|one| is_trial || one.action == Action::Ban)
        };
        let blamed: BTreeSet<IpNet> =
            verdicts.iter().filter(is_meant).filter_map(|verdict| address(verdict)).collect();
        charge.proven = measures.count.and_then(|length| common(blamed.iter().copied(), length));
        if charge.counts {
            // All of them first: together they may be a reason to ban their network.
            for net in blamed {
                if self.admit(net, now).is_ok() {
                    self.offences.offend(net, now.nanos);
                }
            }
        }
        let mut made = BTreeSet::new();
        for verdict in verdicts {
            if verdict.sentences.is_empty() {
                outcomes.push(Outcome::NoProfile);
            }
            for (number, sentence) in verdict.sentences.iter().enumerate() {
                let mut is_first = |target| made.insert((target, number));
                match self.weigh(charge, verdict, sentence, &mut is_first) {
                    Ok(None) => {}
                    Ok(Some(record)) => {
                        let (target, action) = (record.target, record.action);
                        outcomes.push(Outcome::Decided { id: 0, target, action, kept: Kept::Held });
                        records.push(record);
                    }
                    Err(outcome) => outcomes.push(outcome),
                }
            }
        }
    }

    /// What one sentence comes to; nothing when it is about a network, and not the first.
    fn weigh(
        &mut self,
        charge: Charge<'_>,
        verdict: &Verdict<'_>,
        sentence: &Sentence,
        is_first: &mut dyn FnMut(Target) -> bool,
    ) -> Result<Option<Record>, Outcome> {
        let Charge { alert, now, .. } = charge;
        let sentence_action = if charge.is_observed { Action::Observe } else { sentence.action };
        let mut action = sentence_action;
        let scope = sentence.scope.as_deref().unwrap_or(&verdict.source.scope);
        let net = is_bannable(scope).then(|| parse_logged(&verdict.source.value)).flatten();
        let net = net.ok_or_else(|| Outcome::NotAnAddress {
            scope: scope.to_owned(),
            value: verdict.source.value.clone(),
        })?;
        let Chosen { target, offenders } = match self.choose(net, charge) {
            Ok(chosen) => chosen,
            Err(refusal) => {
                if action == Action::Ban && is_of_guard(&refusal) {
                    self.press(net, now);
                }
                return Err(Outcome::Refused(refusal));
            }
        };
        let is_wider = target.net() != net;
        if !is_first(target) && is_wider {
            return Ok(None);
        }
        let (mut duration, escalation) = match sentence.may_grow && charge.counts {
            true => self.escalate(target, sentence.duration, now),
            false => (sentence.duration, None),
        };
        let mut limited = None;
        if let Some(longest) = charge.trust.longest()
            && action == Action::Ban
            && longest < duration
        {
            self.statistics.limit(charge.limited_by);
            limited = Some(limit(charge.limited_by, longest));
            match longest {
                0 => action = Action::Observe,
                _ => duration = longest,
            }
        }
        let is_new = self
            .ledger
            .get(target)
            .is_none_or(|known| known.until <= now || known.action == Action::Observe);
        if action == Action::Ban && is_new && self.press(target.net(), now) {
            action = Action::Observe;
            self.statistics.limit(BRAKE);
            limited = Some(limit(BRAKE, 0));
            self.note_braked(target.net());
        }
        if is_wider {
            self.statistics.widened += 1;
            tracing::debug!(%target, offenders, scenario = &*alert.scenario, "a network offends");
        }
        match &limited {
            Some(limited) => self.note_limited(target.net(), &limited.by),
            None => drop(self.limits.remove(&target.net())),
        }
        if charge.counts && action == sentence_action {
            self.counting.insert(target);
        }
        self.statistics.escalated += u64::from(escalation.is_some());
        let widened = is_wider.then(|| Widened {
            net: target.to_string(),
            why: format!("{offenders} in it offended lately"),
        });
        let story = Story::of(alert, verdict.profile);
        let story = Story { escalation, level: widened, limited, ..story };
        Ok(Some(Record {
            target,
            action,
            origin: Origin::Scenario,
            reason: alert.scenario.as_ref().to_owned(),
            until: now.plus(duration),
            events: u64::try_from(alert.events_count).unwrap_or(0),
            story: Some(story.text()),
        }))
    }

    /// The widest that passes and may be banned. Where a friend stands against it, what is narrower
    /// is: that somebody behaves well in a network sets nobody else in it free.
    fn choose(&mut self, net: IpNet, charge: Charge<'_>) -> Result<Chosen, Refusal> {
        let now = charge.now;
        if net.prefix_len() != net.max_prefix_len() {
            return self.admit(net, now).map(|target| Chosen { target, offenders: 1 });
        }
        let none = Levels::default();
        let levels = if charge.counts { &self.policy.measures.levels } else { &none };
        let found = levels.candidates(net.addr(), charge.proven, &self.offences, now.nanos);
        let mut refused = None;
        for candidate in found {
            match self.admit(candidate.net, now) {
                Ok(target) => {
                    if let Some(refusal) = refused
                        && let Some(unsaid) = self.refusals.may(now)
                    {
                        tracing::info!(%refusal, instead = %target, unsaid, "not banned");
                    }
                    return Ok(Chosen { target, offenders: candidate.offenders });
                }
                Err(refusal) => refused = Some(refusal),
            }
        }
        Err(refused.expect("the address itself is always asked for"))
    }

    /// Makes a target of a prefix that is neither a friend nor guarded.
    ///
    /// # Errors
    /// A [`Refusal`] that names who stands against it.
    pub fn admit(&self, net: IpNet, now: Time) -> Result<Target, Refusal> {
        let target = self.policy.allowlist.admit(net)?;
        match self.guard_of(target.net(), now) {
            Some(entry) => Err(Refusal::Allowlisted { net: target.net(), entry }),
            None => Ok(target),
        }
    }

    /// The login or connection that stands against a ban of `net`.
    #[must_use]
    pub fn guard_of(&self, net: IpNet, now: Time) -> Option<Entry> {
        self.guard.against(net, self.policy.measures.guard.as_ref()?, now)
    }

    /// How long a ban of `target` lasts whose profile says `base`. While a decision on its network
    /// is under way, it is as when that began: the offence is the same.
    fn escalate(&self, target: Target, base: i64, now: Time) -> (i64, Option<Escalated>) {
        let measures = &self.policy.measures;
        let Some(escalation) = &measures.escalation else { return (base, None) };
        let net = subject(target.net(), measures.count);
        let is_trial = self.policy.observe == Observe::Everything;
        let inside = self.ledger.inside(net).take(MOST_RUNNING);
        let running = inside.chain(self.ledger.around(net)).filter(|decision| {
            decision.origin == Origin::Scenario
                && decision.until > now
                && (is_trial || decision.action == Action::Ban)
        });
        let as_of = running.map(|decision| decision.created_at).min().unwrap_or(now);
        let past = self.offences.bans(net, as_of.nanos);
        let luck = self.luck(target, as_of);
        let (duration, escalated) = escalation.apply(base, &past, as_of.nanos, luck);
        (duration, (escalated.offences > 0).then_some(escalated))
    }

    /// From -1 to 1: the same for the same target and time, and nobody else can tell it.
    #[expect(clippy::cast_precision_loss, reason = "randomness")]
    fn luck(&self, target: Target, at: Time) -> f64 {
        use std::hash::BuildHasher;
        let drawn = self.luck.hash_one((target, at.nanos)) >> 11;
        drawn as f64 / (1_u64 << 52) as f64 - 1.0
    }

    /// Writes down that bans began that count, once they have.
    pub(super) fn note_begun(&mut self, target: Target, kept: Kept, now: Time) {
        if self.counting.remove(&target) && kept == Kept::Begun {
            self.offences.ban(target.net(), now.nanos);
        }
    }
}

impl Judge {
    /// What takes the place of neighbours that are nearly all banned, now that these decisions were
    /// written down.
    pub(super) fn merge(&mut self, kept: &[(u64, Kept)], now: Time) -> Vec<Record> {
        let Some(merge) = self.policy.measures.merge else { return Vec::new() };
        let begun: BTreeSet<u64> =
            kept.iter().filter(|(_, what)| *what == Kept::Begun).map(|(id, _)| *id).collect();
        let is_banned = |decision: &&Decision| {
            decision.origin == Origin::Scenario
                && decision.action == Action::Ban
                && decision.until > now
        };
        let fresh: Vec<Decision> = match begun.is_empty() {
            true => Vec::new(),
            false => {
                self.ledger.active(now).filter(|one| begun.contains(&one.id)).cloned().collect()
            }
        };
        let mut records: Vec<Record> = Vec::new();
        for decision in fresh.iter().filter(is_banned) {
            let net = decision.target.net();
            if records.iter().any(|record| record.target.net().contains(&net)) {
                continue;
            }
            let inside = |around| {
                let banned = self.ledger.inside(around).filter(is_banned);
                banned.map(|decision| decision.target.net()).take(MOST_RUNNING)
            };
            let found = merge.around(net, inside);
            let admitted = found
                .iter()
                .find_map(|merged| Some((self.admit(merged.net, now).ok()?, merged.members)));
            if let Some((target, members)) = admitted {
                self.statistics.merged += 1;
                tracing::info!(%target, members, "neighbours that are banned become one prefix");
                records.push(Record {
                    target,
                    action: Action::Ban,
                    origin: Origin::Scenario,
                    reason: format!("{MERGED}{members} bans: {}", decision.reason),
                    until: decision.until,
                    events: decision.events,
                    story: None,
                });
            }
        }
        records
    }
}

/// How the reason of a prefix begins that stands for several bans.
pub(super) const MERGED: &str = "merged ";

/// The word for the brake among what keeps bans from being carried out.
const BRAKE: &str = "brake";

fn limit(by: &str, nanos: i64) -> Limited {
    Limited { by: by.to_owned(), seconds: u64::try_from(nanos / 1_000_000_000).unwrap_or(0) }
}

/// Whose past bans count for a ban of `net`: those of its whole network, where that is counted as
/// one.
#[must_use]
pub fn subject(net: IpNet, count: Option<u8>) -> IpNet {
    match (net, count) {
        (IpNet::V6(_), Some(length)) if net.prefix_len() > length => {
            IpNet::new(net.addr(), length).map_or(net, |around| around.trunc())
        }
        _ => net,
    }
}

/// The address that a verdict is about, if it is about one.
fn address(verdict: &Verdict<'_>) -> Option<IpNet> {
    let source = verdict.source;
    let net = is_bannable(&source.scope).then(|| parse_logged(&source.value)).flatten()?;
    (net.prefix_len() == net.max_prefix_len()).then_some(net)
}

/// Whether it is the guard that stands against a ban.
#[must_use]
pub fn is_of_guard(refusal: &Refusal) -> bool {
    let Refusal::Allowlisted { entry, .. } = refusal else { return false };
    matches!(entry.origin, EntryOrigin::Login | EntryOrigin::Connection)
}

#[cfg(test)]
mod tests;
