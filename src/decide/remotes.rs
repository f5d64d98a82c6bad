//! Other hosts whose decisions are carried out here: what each asks for, and what becomes of it.
//!
//! Like a list, a remote is refused where friends are, and what it takes back goes to whoever else
//! asked. Must hold: what is in force for remotes is what they ask for, friends and what operators
//! freed aside; one that is silent loses nothing before its time; none takes away what another one,
//! a list, a scenario or an operator asks for.
//!
//! What each asks for is in memory, and in the ledger as far as it is in force or stands behind
//! something else. After a start that is believed until the remote has said all that it asks for.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use ipnet::IpNet;

use super::lists::{DROPPED, LOOKED_AT};
use super::{Dropped, Judge, Taken};
use crate::decision::{Action, Decision, Origin, RemoteReason, Target, is_of_remote};
use crate::ledger::{Cause, Claim, Leaving, Withdrawn};
use crate::value::Time;

/// What a remote tells apart: a prefix, and how it wrote it where that is not the usual way.
pub type RemoteKey = (IpNet, Box<str>);

/// What a remote asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// For whom.
    pub key: RemoteKey,
    /// Until when.
    pub until: Time,
    /// A [`RemoteReason`].
    pub reason: Arc<str>,
}

/// A part of what a remote said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// What it does not ask for any more; carried out first.
    pub gone: Vec<RemoteKey>,
    /// What it asks for now, in place of what it asked for of the same key.
    pub wanted: Vec<Wanted>,
}

/// Ends that are so near to each other are the same: they come as spans of whole seconds from a
/// moment that nobody knows exactly. Without it two hosts that follow each other would prolong each
/// other's bans by a little for ever.
const SLACK: i64 = 5_000_000_000;
/// Steps of a decision that are looked at for what an operator freed.
const STEPS: u32 = 64;

/// Those that are followed.
#[derive(Default)]
pub(super) struct Remotes {
    by_name: BTreeMap<String, Remote>,
}

#[derive(Default)]
struct Remote {
    asked: BTreeMap<RemoteKey, Asked>,
    /// Grows whenever it begins to say all that it asks for.
    round: u64,
    /// Whether it said all since the start.
    is_whole: bool,
}

struct Asked {
    until: Time,
    reason: Arc<str>,
    round: u64,
}

impl Remote {
    /// What is asked for of exactly `net`.
    fn of(&self, net: IpNet) -> impl Iterator<Item = &Asked> {
        let from = (net, Box::from(""));
        self.asked.range(from..).take_while(move |((on, _), _)| *on == net).map(|(_, asked)| asked)
    }

    /// What is asked for of `net` and of all that lies around it, and of what.
    fn around(&self, net: IpNet) -> impl Iterator<Item = (IpNet, &Asked)> {
        let wider = (0..=net.prefix_len()).filter_map(move |length| {
            IpNet::new(net.addr(), length).ok().map(|wider| wider.trunc())
        });
        wider.flat_map(|wider| self.of(wider).map(move |asked| (wider, asked)))
    }

    fn forget_what_is_over(&mut self, now: Time) {
        self.asked.retain(|_, asked| asked.until > now);
    }
}

impl Remotes {
    /// Whether a claim that the disk knows stands: of remotes that said all, memory knows better.
    fn stands(&self, claim: &Claim) -> bool {
        if claim.origin != Origin::Remote {
            return true;
        }
        let read = RemoteReason::read(&claim.reason);
        read.and_then(|read| self.by_name.get(read.remote)).is_some_and(|remote| !remote.is_whole)
    }

    fn is_known(&self, reason: &str) -> bool {
        RemoteReason::read(reason).is_some_and(|read| self.by_name.contains_key(read.remote))
    }
}

impl Judge {
    /// These are followed from now on, and no others.
    pub fn follow_remotes(&mut self, names: &[String]) {
        self.remotes.by_name.retain(|name, _| names.contains(name));
        for name in names {
            self.remotes.by_name.entry(name.clone()).or_default();
        }
    }

    /// For how many a remote asks.
    #[must_use]
    pub fn asked_by_remote(&self, remote: &str) -> usize {
        self.remotes.by_name.get(remote).map_or(0, |remote| remote.asked.len())
    }

    /// A remote begins to say all that it asks for.
    pub fn remote_begins(&mut self, remote: &str) {
        if let Some(remote) = self.remotes.by_name.get_mut(remote) {
            remote.round += 1;
        }
    }

    /// A remote said this; it may ask for so many at most.
    pub fn remote_says(&mut self, name: &str, said: Said, most: usize, now: Time) -> Taken {
        let mut taken = Taken::default();
        let Some(remote) = self.remotes.by_name.get_mut(name) else { return taken };
        for key in &said.gone {
            remote.asked.remove(key);
        }
        if remote.asked.len() + said.wanted.len() > most {
            remote.forget_what_is_over(now);
        }
        let mut wanted = Vec::with_capacity(said.wanted.len());
        for Wanted { key, until, reason } in said.wanted {
            if remote.asked.len() >= most && !remote.asked.contains_key(&key) {
                taken.no_room += 1;
                continue;
            }
            let round = remote.round;
            let asked = Asked { until, reason: Arc::clone(&reason), round };
            let before = remote.asked.insert(key.clone(), asked);
            let is_new = before.is_none_or(|before| !is_near(before.until, until));
            wanted.push((key.0, (until, reason, is_new)));
        }
        let mut loose: Vec<Target> = Vec::new();
        for (net, _) in &said.gone {
            let inside = self.ledger.inside(*net).filter(|known| is_of(known, name));
            loose.extend(self.unasked(name, inside));
        }
        taken.changes.extend(self.let_go(name, &loose, now).changes);
        let mut records = Vec::with_capacity(wanted.len());
        let mut shorter = Vec::new();
        for (target, (until, reason, is_new)) in
            self.admit_listed(wanted.into_iter(), &mut taken, now)
        {
            match self.ledger.get(target).filter(|known| known.until > now) {
                None if self.was_freed_of(target, name, until) => taken.freed += 1,
                None => records.push((target, until, reason.to_string())),
                Some(known) => {
                    let is_stricter =
                        known.action == Action::Observe && self.followed_action() == Action::Ban;
                    let is_longer = until > known.until && !is_near(until, known.until);
                    if is_stricter || is_longer {
                        records.push((target, until, reason.to_string()));
                    } else if !is_of(known, name) && is_new {
                        // It stands behind what there is, for the time when that is taken back.
                        records.push((target, until.min(known.until), reason.to_string()));
                    } else {
                        taken.held += 1;
                        if is_of(known, name) && is_shorter(until, known.until) {
                            shorter.push(target);
                        }
                    }
                }
            }
        }
        self.write_followed(Origin::Remote, records, &mut taken, now);
        let shorter = shorter.into_iter().filter_map(|target| self.ledger.get(target));
        let shorter = self.unasked(name, shorter);
        taken.changes.extend(self.let_go(name, &shorter, now).changes);
        taken
    }

    /// A remote has said all that it asks for: the rest goes, some of it behind `after`.
    pub fn remote_ends(&mut self, name: &str, after: Option<IpNet>, now: Time) -> Dropped {
        if let Some(remote) = self.remotes.by_name.get_mut(name)
            && after.is_none()
        {
            let round = remote.round;
            remote.asked.retain(|_, asked| asked.round == round && asked.until > now);
            remote.is_whole = true;
        }
        let (found, next) = self
            .look_through(after, now, |known| is_of(known, name) && !self.is_asked(name, known));
        let withdrawn = self.let_go(name, &found, now);
        dropped(withdrawn, next)
    }

    /// What remotes asked for that are not followed any more goes, some of it behind `after`.
    pub fn drop_strangers(&mut self, after: Option<IpNet>, now: Time) -> Dropped {
        let is_strange = |known: &Decision, remotes: &Remotes| {
            known.origin == Origin::Remote && !remotes.is_known(&known.reason)
        };
        let (found, next) = self.look_through(after, now, |known| is_strange(known, &self.remotes));
        let claims = self.claims_of_remotes(&found, now);
        let remotes = &self.remotes;
        let leaving = Leaving {
            is_theirs: Box::new(|known| is_strange(known, remotes)),
            stands: Box::new(|claim| remotes.stands(claim)),
            others: Box::new(|target| claims.get(&target).cloned().unwrap_or_default()),
        };
        let withdrawn = self.ledger.withdraw(&found, &leaving, now);
        self.statistics.end(Cause::Removed.name(), withdrawn.ended.len());
        dropped(withdrawn, next)
    }

    /// Whoever else asks for something when a list leaves.
    pub(super) fn list_leaves(&mut self, list: &str, targets: &[Target], now: Time) -> Withdrawn {
        let claims = self.claims_of_remotes(targets, now);
        let (remotes, leaving) = (&self.remotes, Leaving::list(list));
        let leaving = Leaving {
            stands: Box::new(|claim| {
                (claim.origin != Origin::List || claim.reason != list) && remotes.stands(claim)
            }),
            others: Box::new(|target| claims.get(&target).cloned().unwrap_or_default()),
            ..leaving
        };
        self.ledger.withdraw(targets, &leaving, now)
    }

    /// Lets go of what a remote does not ask for, or not for as long. What it does ask for counts
    /// with what others do.
    fn let_go(&mut self, name: &str, targets: &[Target], now: Time) -> Withdrawn {
        if targets.is_empty() {
            return Withdrawn::default();
        }
        let claims = self.claims_of_remotes(targets, now);
        let remotes = &self.remotes;
        let is_own =
            |claim: &Claim| claim.origin == Origin::Remote && is_of_remote(&claim.reason, name);
        let leaving = Leaving {
            is_theirs: Box::new(|known| is_of(known, name)),
            stands: Box::new(|claim| !is_own(claim) && remotes.stands(claim)),
            others: Box::new(|target| claims.get(&target).cloned().unwrap_or_default()),
        };
        let withdrawn = self.ledger.withdraw(targets, &leaving, now);
        self.statistics.end(Cause::Removed.name(), withdrawn.ended.len());
        withdrawn
    }

    /// What remotes ask for of these, by what is in memory.
    fn claims_of_remotes(&self, targets: &[Target], now: Time) -> HashMap<Target, Vec<Claim>> {
        let action = self.followed_action();
        let mut claims: HashMap<Target, Vec<Claim>> = HashMap::new();
        for target in targets {
            let net = target.net();
            let around = self.remotes.by_name.values().flat_map(|remote| remote.around(net));
            for (on, asked) in around {
                if asked.until > now && (on == net || !self.is_whole(on)) {
                    claims.entry(*target).or_default().push(Claim {
                        action,
                        origin: Origin::Remote,
                        reason: asked.reason.to_string(),
                        until: asked.until,
                    });
                }
            }
        }
        claims
    }

    /// Those of a remote's decisions for which it does not ask as they are.
    fn unasked<'d>(&self, name: &str, known: impl Iterator<Item = &'d Decision>) -> Vec<Target> {
        known.filter(|known| !self.is_asked(name, known)).map(|known| known.target).collect()
    }

    /// Whether the remote asks for a decision as it is, by itself or as a piece of a prefix that is
    /// not in force as a whole.
    fn is_asked(&self, name: &str, known: &Decision) -> bool {
        let net = known.target.net();
        let Some(remote) = self.remotes.by_name.get(name) else { return false };
        remote
            .around(net)
            .filter(|(_, asked)| !is_shorter(asked.until, known.until))
            .any(|(on, _)| on == net || !self.is_whole(on))
    }

    /// Whether a prefix is in force as a whole: then no decisions on what is in it are needed.
    fn is_whole(&self, net: IpNet) -> bool {
        self.policy.allowlist.admit(net).is_ok_and(|target| self.ledger.get(target).is_some())
    }

    /// Some of the decisions behind `after` that fit, and where to go on.
    fn look_through(
        &self,
        after: Option<IpNet>,
        now: Time,
        fits: impl Fn(&Decision) -> bool,
    ) -> (Vec<Target>, Option<IpNet>) {
        let (mut found, mut next) = (Vec::new(), None);
        for (number, known) in self.ledger.active_after(after, now).enumerate() {
            if number >= LOOKED_AT || found.len() >= DROPPED {
                return (found, next);
            }
            next = Some(known.target.net());
            if fits(known) {
                found.push(known.target);
            }
        }
        (found, None)
    }

    /// Whether an operator took back the very decision that the remote still asks for.
    fn was_freed_of(&self, target: Target, remote: &str, until: Time) -> bool {
        let last = self.ledger.ended_of(target.net(), 1).unwrap_or_default();
        let Some(last) = last.first() else { return false };
        if !matches!(last.cause, Cause::Unbanned | Cause::Split) {
            return false;
        }
        let is_it = |origin, reason: &str, ends: Time| {
            origin == Origin::Remote && is_of_remote(reason, remote) && is_near(ends, until)
        };
        if is_it(last.origin, &last.reason, last.until) {
            return true;
        }
        let steps = self.ledger.history(target.net(), STEPS).unwrap_or_default();
        let mut steps = steps.iter().filter(|step| step.decision == last.id);
        steps.any(|step| is_it(step.origin, &step.reason, step.until))
    }
}

fn dropped(withdrawn: Withdrawn, next: Option<IpNet>) -> Dropped {
    let Withdrawn { ended, left, changes } = withdrawn;
    Dropped { ended: ended.len(), left, next, changes }
}

fn is_of(decision: &Decision, remote: &str) -> bool {
    decision.origin == Origin::Remote && is_of_remote(&decision.reason, remote)
}

fn is_near(one: Time, other: Time) -> bool {
    one.since(other).abs() <= SLACK
}

fn is_shorter(asked: Time, known: Time) -> bool {
    asked < known && !is_near(asked, known)
}

#[cfg(test)]
mod tests;
