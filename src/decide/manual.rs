//! What operators ask of the judge: ban, unban, list.

use ipnet::IpNet;

use super::Judge;
use super::judge::{reason, tell_ended};
use crate::decision::{Action, Decision, Origin, Refusal, Target};
use crate::ledger::{Cause, Change, Record};
use crate::value::Time;

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

/// What became of an operator's wish to end decisions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unbanned {
    /// The decisions that ended.
    pub decisions: Vec<Decision>,
    /// What had no decision of its own.
    pub missing: Vec<IpNet>,
    /// Decisions on wider and on narrower prefixes that still hold for what was to be free, or for
    /// a part of it.
    pub still: Vec<(IpNet, Decision)>,
    /// What the kernel is to be told.
    pub change: Option<Change>,
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
}

impl Query {
    fn fits(&self, decision: &Decision) -> bool {
        let net = decision.target.net();
        decision.id > self.after
            && self.net.is_none_or(|wanted| wanted.contains(&net) || net.contains(&wanted))
            && self.action.is_none_or(|action| action == decision.action)
            && self.origin.is_none_or(|origin| origin == decision.origin)
            && self.reason.as_ref().is_none_or(|text| decision.reason.contains(text.as_str()))
    }
}

/// How many decisions are named that still hold for one prefix.
const MOST_STILL: usize = 10;

impl Judge {
    /// Bans prefixes for `duration` nanoseconds from `now`, or for as long as the policy says, all
    /// in one transaction. A ban that is there lasts until the later of the two ends.
    pub fn ban(&mut self, nets: &[IpNet], duration: Option<i64>, why: &str, now: Time) -> Banned {
        let until = now.plus(duration.unwrap_or(self.policy.duration));
        let mut banned = Banned::default();
        let mut records = Vec::new();
        for net in nets {
            match self.policy.manual(*net) {
                Ok((target, action)) => records.push(Record {
                    target,
                    action,
                    origin: Origin::Manual,
                    reason: why.to_owned(),
                    until,
                    events: 0,
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

    /// Ends the decisions on exactly these prefixes. Those on wider and narrower ones stay, and are
    /// named: freeing one address is no reason to free its neighbours.
    pub fn unban(&mut self, nets: &[IpNet], now: Time) -> Unbanned {
        let mut targets: Vec<Target> = Vec::new();
        let mut missing = Vec::new();
        for net in nets {
            match self.ledger.inside(*net).next().filter(|held| held.target.net() == *net) {
                Some(decision) => targets.push(decision.target),
                None => missing.push(*net),
            }
        }
        let mut unbanned = Unbanned { missing, ..self.free(&targets, now) };
        for net in nets {
            let still = self.ledger.around(*net).chain(self.ledger.inside(*net));
            let still = still.filter(|decision| decision.until > now).take(MOST_STILL);
            unbanned.still.extend(still.map(|decision| (*net, decision.clone())));
        }
        unbanned
    }

    /// Ends all decisions.
    pub fn unban_all(&mut self, now: Time) -> Unbanned {
        let targets: Vec<Target> = self.ledger.active(now).map(|d| d.target).collect();
        self.free(&targets, now)
    }

    fn free(&mut self, targets: &[Target], now: Time) -> Unbanned {
        let ending = self.ledger.end(targets, Cause::Unbanned, now);
        self.statistics.end(Cause::Unbanned.name(), ending.decisions.len());
        tell_ended(&ending.decisions, Cause::Unbanned);
        Unbanned { decisions: ending.decisions, change: ending.change, ..Unbanned::default() }
    }

    /// The first `limit` decisions that hold at `now` and fit, by number, and how many fit.
    #[must_use]
    pub fn list(&self, query: &Query, limit: usize, now: Time) -> (Vec<&Decision>, usize) {
        let mut fit: Vec<&Decision> =
            self.ledger.active(now).filter(|decision| query.fits(decision)).collect();
        let total = fit.len();
        if limit < total {
            fit.select_nth_unstable_by_key(limit, |decision| decision.id);
            fit.truncate(limit);
        }
        fit.sort_unstable_by_key(|decision| decision.id);
        (fit, total)
    }
}
