//! Decisions that operators end before their time: those that they name, and holes in those that
//! lie around what they name.
//!
//! Freeing one address is no reason to free its neighbours: a prefix around it ends, and decisions
//! on what is left of it begin, as long and for the same reason. Narrower decisions inside a prefix
//! stay unless they are asked for.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;

use super::Judge;
use super::judge::tell_ended;
use crate::decision::{Decision, Origin, Target, without_all};
use crate::ledger::{Cause, Change, Record};
use crate::value::Time;

/// Whose decisions are to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Those of these addresses and prefixes.
    These {
        /// Whom to free.
        nets: Vec<IpNet>,
        /// Whether narrower decisions inside them end, too.
        inside: bool,
    },
    /// Those of these numbers.
    Numbered(Vec<u64>),
    /// Those that fit.
    Fitting(Fitting),
}

/// Which decisions are to end; what is `None` does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fitting {
    /// Those of this scenario, by its whole name or the part behind the last `/`.
    pub scenario: Option<String>,
    /// Those that began then or later.
    pub since: Option<Time>,
    /// Those of this origin.
    pub origin: Option<Origin>,
}

impl Fitting {
    fn fits(&self, decision: &Decision) -> bool {
        self.fits_all(decision.origin, &decision.reason, decision.created_at)
    }

    /// Whether a decision of which this is known is meant.
    pub(super) fn fits_all(&self, by: Origin, reason: &str, created_at: Time) -> bool {
        let is_named = |name: &String| {
            let short = reason.rsplit('/').next();
            by == Origin::Scenario && (reason == *name || short == Some(name.as_str()))
        };
        self.scenario.as_ref().is_none_or(is_named)
            && self.since.is_none_or(|since| created_at >= since)
            && self.origin.is_none_or(|origin| origin == by)
    }
}

/// What became, or would become, of the wish to end decisions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unbanned {
    /// Decisions that end.
    pub decisions: Vec<Decision>,
    /// Decisions that end because a hole is cut into them, and what is left of each.
    pub split: Vec<(Decision, Vec<IpNet>)>,
    /// What is in no decision.
    pub missing: Vec<IpNet>,
    /// Decisions on narrower prefixes that still hold for a part of what was to be free, and how
    /// many there are; of each prefix the first are named.
    pub still: Vec<(IpNet, Decision)>,
    /// How many fit beside those that are named here; asking again ends them.
    pub remaining: usize,
    /// What the kernel is to be told, in this order.
    pub changes: Vec<Change>,
}

/// What is to be freed would be cut out of so many prefixes, or so often, that too much is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "more than {MOST_PIECES} prefixes would be left of those that are banned: name fewer addresses \
     at once"
)]
pub struct TooManyPieces;

/// The greatest number of prefixes that are left of what is cut in one request.
const MOST_PIECES: usize = 4_096;
/// How many decisions end at once of those that fit; a few milliseconds.
pub(super) const MOST_AT_ONCE: usize = 1_000;
/// How many decisions are named that still hold for one prefix.
const MOST_STILL: usize = 10;

/// What is to be done.
#[derive(Default)]
struct Plan {
    whole: BTreeSet<Target>,
    /// What is left of prefixes with holes.
    cut: BTreeMap<Target, Vec<IpNet>>,
    unbanned: Unbanned,
}

impl Judge {
    /// What [`Judge::unban`] would do.
    ///
    /// # Errors
    /// [`TooManyPieces`].
    pub fn would_unban(&self, whose: &Whose, now: Time) -> Result<Unbanned, TooManyPieces> {
        let mut plan = self.plan(whose, now)?;
        let decision = |target: &Target| self.ledger.get(*target).cloned();
        plan.unbanned.decisions = plan.whole.iter().filter_map(decision).collect();
        plan.unbanned.split = plan
            .cut
            .into_iter()
            .filter_map(|(target, rest)| Some((decision(&target)?, rest)))
            .collect();
        Ok(plan.unbanned)
    }

    /// Ends decisions, or cuts holes into them, in one transaction.
    ///
    /// # Errors
    /// [`TooManyPieces`]; nothing has changed then.
    pub fn unban(&mut self, whose: &Whose, now: Time) -> Result<Unbanned, TooManyPieces> {
        let Plan { whole, cut, unbanned } = self.plan(whose, now)?;
        let done = self.cut(whole, cut, now);
        // Whoever is freed by hand did nothing: the next ban is as if this one had never been.
        for decision in done.decisions.iter().filter(|one| one.origin == Origin::Scenario) {
            self.offences.forgive(decision.target.net());
        }
        if let Whose::These { nets, .. } = whose {
            nets.iter().for_each(|net| self.offences.forgive(*net));
        }
        Ok(Unbanned {
            missing: unbanned.missing,
            still: unbanned.still,
            remaining: unbanned.remaining,
            ..done
        })
    }

    /// Ends decisions that hold and fit, as many as end at once, and says how many ended, whether
    /// there are more, and what the kernel is to be told.
    pub fn end_fitting(
        &mut self,
        fits: &dyn Fn(&Decision) -> bool,
        now: Time,
    ) -> (Vec<Decision>, bool, Vec<Change>) {
        let fit = self.ledger.active(now).filter(|decision| fits(decision));
        let mut targets: Vec<Target> =
            fit.take(MOST_AT_ONCE + 1).map(|decision| decision.target).collect();
        let has_more = targets.len() > MOST_AT_ONCE;
        targets.truncate(MOST_AT_ONCE);
        let done = self.cut(targets.into_iter().collect(), BTreeMap::new(), now);
        for decision in done.decisions.iter().filter(|one| one.origin == Origin::Scenario) {
            self.offences.forgive(decision.target.net());
        }
        (done.decisions, has_more, done.changes)
    }

    /// Takes back the decision on exactly `net` that this scenario made, as if it had never been:
    /// what tests led to. Other decisions stay as they are.
    pub fn undo(&mut self, net: IpNet, scenario: &str, now: Time) -> Option<Change> {
        let held = self.ledger.inside(net).next().filter(|held| {
            held.target.net() == net && held.origin == Origin::Scenario && held.reason == scenario
        });
        let target = held.map(|held| held.target);
        let ending = target.map(|target| self.ledger.end(&[target], Cause::Unbanned, now));
        let ended = ending.as_ref().map_or(&[][..], |ending| &ending.decisions);
        tell_ended(ended, Cause::Unbanned);
        self.statistics.end(Cause::Unbanned.name(), ended.len());
        self.offences.forgive(net);
        self.forget_limit(net);
        if let Err(error) = self.ledger.forget_tests(net, scenario) {
            tracing::warn!(%error, "a test leaves a trace in the ledger");
        }
        ending.and_then(|ending| ending.change)
    }

    /// Cuts holes into the decisions on prefixes around these; those on exactly these and inside
    /// them are left alone. A prefix of which too much would be left ends whole.
    pub fn leave_out(&mut self, holes: &[IpNet], now: Time) -> Unbanned {
        let mut around: BTreeMap<Target, Vec<IpNet>> = BTreeMap::new();
        for hole in holes {
            for decision in self.ledger.around(*hole).filter(|held| held.until > now) {
                around.entry(decision.target).or_default().push(*hole);
            }
        }
        let cut = around.into_iter().map(|(target, holes)| {
            (target, without_all(target.net(), &holes, MOST_PIECES).unwrap_or_default())
        });
        self.cut(BTreeSet::new(), cut.collect(), now)
    }

    /// Ends decisions, some of them to begin others on what is left.
    fn cut(
        &mut self,
        whole: BTreeSet<Target>,
        cut: BTreeMap<Target, Vec<IpNet>>,
        now: Time,
    ) -> Unbanned {
        let mut pieces = Vec::new();
        for (target, rest) in &cut {
            let Some(decision) = self.ledger.get(*target) else { continue };
            for net in rest {
                // Of a prefix that was allowed every part is, but for friends that came since.
                let Ok(rest) = self.policy.allowlist.admit_rest(*net, MOST_PIECES) else {
                    continue;
                };
                pieces.extend(rest.targets.into_iter().map(|target| Record {
                    target,
                    action: decision.action,
                    origin: decision.origin,
                    reason: decision.reason.clone(),
                    until: decision.until,
                    events: 0,
                    story: None,
                }));
            }
        }
        let whole = whole.into_iter().map(|target| (target, Cause::Unbanned));
        let ends: Vec<_> = whole.chain(cut.keys().map(|target| (*target, Cause::Split))).collect();
        let split = self.ledger.split(&ends, pieces, now);
        let mut done = Unbanned { changes: split.changes, ..Unbanned::default() };
        for (decision, cause) in split.ended {
            tell_ended(std::slice::from_ref(&decision), cause);
            self.statistics.end(cause.name(), 1);
            match cause {
                Cause::Split => {
                    let rest = cut.get(&decision.target).cloned().unwrap_or_default();
                    done.split.push((decision, rest));
                }
                _ => done.decisions.push(decision),
            }
        }
        done
    }

    fn plan(&self, whose: &Whose, now: Time) -> Result<Plan, TooManyPieces> {
        match whose {
            Whose::These { nets, inside } => self.plan_these(nets, *inside, now),
            Whose::Numbered(numbers) => {
                let of_these = |held: &&Decision| numbers.contains(&held.id);
                let held = self.ledger.active(now).filter(of_these).map(|held| held.target);
                Ok(Plan { whole: held.collect(), ..Plan::default() })
            }
            Whose::Fitting(fitting) => {
                let fit = self.ledger.active(now).filter(|decision| fitting.fits(decision));
                let mut plan = Plan::default();
                for decision in fit {
                    if plan.whole.len() < MOST_AT_ONCE {
                        plan.whole.insert(decision.target);
                    } else {
                        plan.unbanned.remaining += 1;
                    }
                }
                Ok(plan)
            }
        }
    }

    fn plan_these(&self, nets: &[IpNet], inside: bool, now: Time) -> Result<Plan, TooManyPieces> {
        let mut plan = Plan::default();
        let mut holes: BTreeMap<Target, Vec<IpNet>> = BTreeMap::new();
        for net in nets {
            let mut is_found = false;
            for decision in self.ledger.around(*net).filter(|held| held.until > now) {
                holes.entry(decision.target).or_default().push(*net);
                is_found = true;
            }
            let mut n_still = 0;
            for decision in self.ledger.inside(*net).filter(|held| held.until > now) {
                if inside || decision.target.net() == *net {
                    plan.whole.insert(decision.target);
                    is_found = true;
                } else if n_still < MOST_STILL {
                    n_still += 1;
                    plan.unbanned.still.push((*net, decision.clone()));
                }
            }
            if !is_found {
                plan.unbanned.missing.push(*net);
            }
        }
        let whole = &plan.whole;
        plan.unbanned.still.retain(|(_, decision)| !whole.contains(&decision.target));
        let mut room = MOST_PIECES;
        // A prefix that ends as a whole needs no hole.
        for (target, holes) in holes.into_iter().filter(|(target, _)| !whole.contains(target)) {
            let rest = without_all(target.net(), &holes, room).ok_or(TooManyPieces)?;
            room -= rest.len();
            plan.cut.insert(target, rest);
        }
        Ok(plan)
    }
}

#[cfg(test)]
pub(super) mod tests;
