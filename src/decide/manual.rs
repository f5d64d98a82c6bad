//! What operators ask of the judge: ban, list.

use ipnet::IpNet;

use super::judge::reason;
use super::{Judge, Observe, Outcome, Story};
use crate::decision::{Action, Decision, Origin, Refusal, Target};
use crate::event::Alert;
use crate::ledger::{Change, Record};
use crate::value::Time;

/// Decisions that keep the story of the alert that they came with.
const TELLING: usize = 100;

/// What became of an operator's bans.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Banned {
    /// The decisions on the targets, as they are now.
    pub decisions: Vec<Decision>,
    /// What was not allowed.
    pub refused: Vec<Refusal>,
    /// What the kernel is to be told, in this order.
    pub changes: Vec<Change>,
}

/// A ban that somebody on another machine asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Whom to ban.
    pub net: IpNet,
    /// Until when.
    pub until: Time,
    /// Why.
    pub why: String,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// The number of the decision on exactly its target.
    Kept(u64),
    /// It was not allowed.
    Refused(Refusal),
    /// Its time was up before it was asked for.
    Over,
}

/// Which decisions to list; what is `None` does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Those on this prefix, in it, or around it.
    pub net: Option<IpNet>,
    /// Those of this action.
    pub action: Option<Action>,
    /// Those of this origin.
    pub origin: Option<Origin>,
    /// Those whose reason contains this text.
    pub reason: Option<String>,
    /// Those with a greater number.
    pub after: u64,
    /// Those with a smaller number.
    pub before: Option<u64>,
    /// Whether the newest come first.
    pub newest: bool,
}

impl Query {
    fn fits(&self, decision: &Decision) -> bool {
        let net = decision.target.net();
        decision.id > self.after
            && self.before.is_none_or(|before| decision.id < before)
            && self.net.is_none_or(|wanted| wanted.contains(&net) || net.contains(&wanted))
            && self.action.is_none_or(|action| action == decision.action)
            && self.origin.is_none_or(|origin| origin == decision.origin)
            && self.reason.as_ref().is_none_or(|text| decision.reason.contains(text.as_str()))
    }
}

impl Judge {
    /// Bans prefixes for `duration` nanoseconds from `now`, or for as long as the policy says, all
    /// in one transaction. A ban that is there lasts until the later of the two ends.
    pub fn ban(&mut self, nets: &[IpNet], duration: Option<i64>, why: &str, now: Time) -> Banned {
        self.ban_guarded(nets, duration, why, false, now)
    }

    /// The same, also of those whom nothing but the guard stands for if the operator `insists`.
    pub fn ban_guarded(
        &mut self,
        nets: &[IpNet],
        duration: Option<i64>,
        why: &str,
        insists: bool,
        now: Time,
    ) -> Banned {
        let until = now.plus(duration.unwrap_or(self.policy.duration));
        let is_observed = self.policy.observe == Observe::Everything;
        let action = if is_observed { Action::Observe } else { Action::Ban };
        let mut banned = Banned::default();
        let mut records = Vec::new();
        for net in nets {
            let admitted = match insists {
                true => self.policy.allowlist.admit(*net),
                false => self.admit(*net, now),
            };
            match admitted {
                Ok(target) => records.push(Record {
                    target,
                    action,
                    origin: Origin::Manual,
                    reason: why.to_owned(),
                    until,
                    events: 0,
                    story: None,
                }),
                Err(refusal) => {
                    self.statistics.refuse(reason(&refusal));
                    banned.refused.push(refusal);
                }
            }
        }
        let targets: Vec<Target> = records.iter().map(|record| record.target).collect();
        (_, banned.changes) = self.write(records, now);
        banned.decisions =
            targets.iter().filter_map(|target| self.ledger.get(*target)).cloned().collect();
        banned
    }

    /// Bans as [`Judge::ban`] does, each until its own end, all in one transaction; what becomes of
    /// each, and what the kernel is to be told. `alert` is what they came with.
    pub fn ban_each(
        &mut self,
        asked: Vec<Asked>,
        alert: &Alert,
        now: Time,
    ) -> (Vec<Done>, Vec<Change>) {
        let is_observed = self.policy.observe == Observe::Everything || alert.simulated;
        let action = if is_observed { Action::Observe } else { Action::Ban };
        let story = Story::of(alert, None).text();
        let (mut done, mut records) = (Vec::with_capacity(asked.len()), Vec::new());
        for Asked { net, until, why } in asked {
            if until <= now {
                done.push(Done::Over);
                continue;
            }
            match self.admit(net, now) {
                Ok(target) => {
                    done.push(Done::Kept(0));
                    // Thousands may come with one alert: the first ones tell it.
                    let story = (records.len() < TELLING).then(|| story.clone());
                    let (origin, events) = (Origin::Manual, 0);
                    records.push(Record {
                        target,
                        action,
                        origin,
                        reason: why,
                        until,
                        events,
                        story,
                    });
                }
                Err(refusal) => {
                    self.statistics.refuse(reason(&refusal));
                    self.note_refused(&refusal, alert, now);
                    if let Some(unsaid) = self.refusals.may(now) {
                        let (why, machine) = (&*alert.scenario, alert.machine.as_deref());
                        tracing::warn!(%refusal, why, machine, unsaid, "not banned");
                    }
                    done.push(Done::Refused(refusal));
                }
            }
        }
        let (kept, changes) = self.write(records, now);
        let mut kept = kept.into_iter();
        for one in &mut done {
            if let Done::Kept(number) = one
                && let Some((id, _)) = kept.next()
            {
                *number = id;
            }
        }
        (done, changes)
    }

    /// Counts a ban that somebody on another machine asked for, of what is no address.
    pub fn note_no_address(&mut self) {
        let (scope, value) = (String::new(), String::new());
        let reason = Outcome::NotAnAddress { scope, value }.refusal();
        self.statistics.refuse(reason.unwrap_or_default());
    }

    /// The first `limit` decisions that hold at `now` and fit, by number or from the newest on, and
    /// how many fit.
    #[must_use]
    pub fn list(&self, query: &Query, limit: usize, now: Time) -> (Vec<&Decision>, usize) {
        let mut fit: Vec<&Decision> =
            self.ledger.active(now).filter(|decision| query.fits(decision)).collect();
        let total = fit.len();
        let place = |decision: &&Decision| match query.newest {
            true => u64::MAX - decision.id,
            false => decision.id,
        };
        if limit < total {
            fit.select_nth_unstable_by_key(limit, place);
            fit.truncate(limit);
        }
        fit.sort_unstable_by_key(place);
        (fit, total)
    }
}
