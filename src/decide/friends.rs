//! The allowlist as the judge keeps it: one list, put together from parts that change on their own.
//!
//! What the configuration and the host give, what names stand for and what operators entered is one
//! [`Allowlist`] in the judge's policy: every ban is asked of it. A ban that a new friend is in
//! ends. Nothing here looks anything up; that is the daemon's doing.

use std::collections::HashSet;

use ipnet::IpNet;

use super::Judge;
use super::judge::tell_ended;
use crate::decision::{Allowlist, Decision, Entry, EntryOrigin, Named, parse_host, parse_net};
use crate::ledger::{Cause, Change, StoredFriend};
use crate::value::Time;

/// A friend as an operator names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// An address or a prefix.
    Net(IpNet),
    /// Whatever a host name stands for.
    Name(String),
}

impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Subject::Net(net) if net.prefix_len() == net.max_prefix_len() => net.addr().fmt(f),
            Subject::Net(net) => net.fmt(f),
            Subject::Name(name) => f.write_str(name),
        }
    }
}

/// The parts of the allowlist.
#[derive(Debug, Default)]
pub(super) struct Parts {
    settings: Vec<Entry>,
    host: Vec<Entry>,
    /// What names stand for, as last told.
    named: Vec<Entry>,
    operators: Vec<Entry>,
    /// Names that operators entered.
    names: Vec<Named>,
    /// Grows with every change of the whole.
    version: u64,
}

/// What became of a wish to make friends, or to have them no more.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Befriended {
    /// The friends that were entered, or taken away.
    pub subjects: Vec<Subject>,
    /// Those that were to be taken away and are none of an operator's; with the entry that holds
    /// them nevertheless.
    pub missing: Vec<(Subject, Option<Entry>)>,
    /// Bans that ended because of it.
    pub unbanned: Vec<Decision>,
    /// Why it will not outlive the process, if it will not.
    pub unsaved: Option<String>,
    /// What the kernel is to be told, in this order.
    pub changes: Vec<Change>,
}

/// The most entries of operators: an allowlist, no database.
pub const MOST_FRIENDS: usize = 4_096;

impl Parts {
    fn whole(&self, now: Time) -> Vec<Entry> {
        let parts = [&self.settings, &self.host, &self.named, &self.operators];
        let holds = |entry: &&Entry| entry.until.is_none_or(|until| until > now);
        parts.into_iter().flatten().filter(holds).cloned().collect()
    }

    /// Takes over what the configuration and the host say now.
    pub(super) fn set_policy(&mut self, entries: &[Entry]) {
        let is_host = |entry: &Entry| entry.origin == EntryOrigin::Host;
        let (host, settings) = entries.iter().cloned().partition(is_host);
        (self.host, self.settings) = (host, settings);
    }

    fn stored(&self) -> Vec<StoredFriend> {
        let entries = self
            .operators
            .iter()
            .map(|entry| (Subject::Net(entry.net).to_string(), entry.comment.clone(), entry.until));
        let names = self.names.iter().map(|n| (n.name.clone(), n.comment.clone(), n.until));
        let origin = EntryOrigin::Operator.name();
        let stored =
            |(net, comment, until)| StoredFriend { net, origin: origin.to_owned(), comment, until };
        entries.chain(names).map(stored).collect()
    }

    fn enter(&mut self, subject: &Subject, comment: &str, until: Option<Time>) {
        let comment = comment.to_owned();
        self.remove(subject);
        match subject {
            Subject::Net(net) => self.operators.push(Entry {
                net: *net,
                origin: EntryOrigin::Operator,
                comment,
                until,
            }),
            Subject::Name(name) => {
                self.names.push(Named { name: name.clone(), comment, until });
            }
        }
    }

    /// Whether it was there.
    fn remove(&mut self, subject: &Subject) -> bool {
        let before = self.operators.len() + self.names.len();
        match subject {
            Subject::Net(net) => self.operators.retain(|entry| entry.net != *net),
            Subject::Name(name) => self.names.retain(|named| named.name != *name),
        }
        self.operators.len() + self.names.len() < before
    }

    /// Forgets what is over; says whether there was anything.
    fn expire(&mut self, now: Time) -> bool {
        let is_over = |until: Option<Time>| until.is_some_and(|until| until <= now);
        let count = |parts: &Self| {
            parts.settings.len() + parts.named.len() + parts.operators.len() + parts.names.len()
        };
        let before = count(self);
        for part in [&mut self.settings, &mut self.named, &mut self.operators] {
            part.retain(|entry| !is_over(entry.until));
        }
        self.names.retain(|named| !is_over(named.until));
        count(self) < before
    }
}

impl Judge {
    /// Takes up again what operators entered and what names stood for when the process ended.
    pub fn recall_friends(&mut self, now: Time) -> Vec<Change> {
        let stored = match self.ledger.friends() {
            Ok(stored) => stored,
            Err(error) => {
                tracing::error!(%error, "cannot read who was allowed by hand");
                Vec::new()
            }
        };
        let (operator, name) = (EntryOrigin::Operator, EntryOrigin::Name);
        for StoredFriend { net, origin, comment, until } in stored {
            let entry = |net, origin| Entry { net, origin, comment: comment.clone(), until };
            match (parse_net(&net), parse_host(&net)) {
                (Ok(net), _) if origin == operator.name() => {
                    self.friends.operators.push(entry(net, operator));
                }
                (Ok(net), _) if origin == name.name() => {
                    self.friends.named.push(entry(net, name));
                }
                (Err(_), Ok(name)) if origin == operator.name() => {
                    self.friends.names.push(Named { name, comment, until });
                }
                // Those are the guard's.
                _ if origin == EntryOrigin::Login.name() => {}
                _ => tracing::warn!(net, origin, "a friend in the ledger could not be read"),
            }
        }
        self.friends.expire(now);
        self.settle_friends(now).1
    }

    /// Enters friends, for as long as the daemon is told, or until `until`.
    ///
    /// # Errors
    /// A sentence, when there would be too many.
    pub fn befriend(
        &mut self,
        subjects: &[Subject],
        comment: &str,
        until: Option<Time>,
        now: Time,
    ) -> Result<Befriended, String> {
        let there = self.friends.operators.len() + self.friends.names.len();
        if there + subjects.len() > MOST_FRIENDS {
            return Err(format!(
                "expected at most {MOST_FRIENDS} entries made by hand, found {there} and {} more: \
                 write prefixes into the configuration",
                subjects.len()
            ));
        }
        for subject in subjects {
            self.friends.enter(subject, comment, until);
            tracing::info!(friend = %subject, comment, "allowed by hand");
        }
        let unsaved = self.save_operators(now);
        let (unbanned, changes) = self.settle_friends(now);
        let subjects = subjects.to_vec();
        Ok(Befriended { subjects, unbanned, unsaved, changes, ..Befriended::default() })
    }

    /// Takes friends away that operators entered.
    pub fn unfriend(&mut self, subjects: &[Subject], now: Time) -> Befriended {
        let (gone, others): (Vec<_>, Vec<_>) =
            subjects.iter().cloned().partition(|subject| self.friends.remove(subject));
        for subject in &gone {
            tracing::info!(friend = %subject, "not allowed by hand any more");
        }
        let unsaved = if gone.is_empty() { None } else { self.save_operators(now) };
        let (_, changes) = self.settle_friends(now);
        let missing = others.into_iter().map(|subject| {
            let entry = match &subject {
                Subject::Net(net) => self.policy.allowlist.find_all(*net).next().cloned(),
                Subject::Name(name) => {
                    let (name, comment) = (name.clone(), String::new());
                    let named = Named { name, comment, until: None };
                    self.friends.named.iter().find(|entry| named.has(entry)).cloned()
                }
            };
            (subject, entry)
        });
        let missing = missing.collect();
        Befriended { subjects: gone, missing, unsaved, changes, ..Befriended::default() }
    }

    /// Takes over the host's own addresses and gateways, as they are now.
    pub fn host_is(&mut self, entries: Vec<Entry>, now: Time) -> Vec<Change> {
        self.friends.host = entries;
        self.settle_friends(now).1
    }

    /// Takes over what all names stand for now, and keeps it for the next start.
    pub fn names_are(&mut self, entries: Vec<Entry>, now: Time) -> Vec<Change> {
        let origin = EntryOrigin::Name.name();
        let stored = |entry: &Entry| StoredFriend {
            net: Subject::Net(entry.net).to_string(),
            origin: origin.to_owned(),
            comment: entry.comment.clone(),
            until: entry.until,
        };
        let stored: Vec<_> = entries.iter().map(stored).collect();
        if let Err(error) = self.ledger.keep_friends(origin, &stored, now) {
            tracing::warn!(%error, "cannot keep what names stand for: they are asked at the next start");
        }
        self.friends.named = entries;
        self.settle_friends(now).1
    }

    /// Names that operators entered, for whoever looks them up.
    #[must_use]
    pub fn names_to_look_up(&self) -> &[Named] {
        &self.friends.names
    }

    /// What names stand for, as last told.
    #[must_use]
    pub fn named_friends(&self) -> &[Entry] {
        &self.friends.named
    }

    /// A number that grows when the allowlist changes.
    #[must_use]
    pub fn friends_version(&self) -> u64 {
        self.friends.version
    }

    /// Those whose lines are not counted.
    #[must_use]
    pub fn friends_of_lines(&self, now: Time) -> Allowlist {
        Allowlist::new(self.friends.whole(now))
    }

    /// All friends, for the kernel.
    #[must_use]
    pub fn friends_change(&self) -> Change {
        Change::Friends(self.policy.allowlist.entries().iter().map(|entry| entry.net).collect())
    }

    /// Lets friends go whose time is up.
    pub(super) fn expire_friends(&mut self, now: Time) -> Vec<Change> {
        if !self.friends.expire(now) {
            return Vec::new();
        }
        if let Some(error) = self.save_operators(now) {
            tracing::warn!(error, "cannot write down which friends are left");
        }
        self.settle_friends(now).1
    }

    /// Puts the parts together. Where that changes anything, bans that stand against new friends
    /// end, and the kernel is told.
    pub(super) fn settle_friends(&mut self, now: Time) -> (Vec<Decision>, Vec<Change>) {
        let entries = self.friends.whole(now);
        let before = self.policy.allowlist.entries();
        if entries == before {
            return (Vec::new(), Vec::new());
        }
        let known: HashSet<IpNet> = before.iter().map(|entry| entry.net).collect();
        let nets = entries.iter().map(|entry| entry.net);
        let fresh: Vec<IpNet> = nets.filter(|net| !known.contains(net)).collect();
        self.policy.allowlist = Allowlist::new(entries);
        self.friends.version += 1;
        // First the kernel lets them through, then the bans go: of wider ones the rest stays.
        let mut changes = vec![self.friends_change()];
        let cut = self.leave_out(&fresh, now);
        self.leave_out_others(&fresh, now);
        changes.extend(cut.changes);
        let against = fresh.iter().flat_map(|net| self.ledger.inside(*net));
        let against = against.map(|held| held.target);
        let mut targets: Vec<_> = against.collect();
        targets.sort_unstable();
        targets.dedup();
        let ending = self.ledger.end(&targets, Cause::Allowlisted, now);
        self.statistics.end(Cause::Allowlisted.name(), ending.decisions.len());
        tell_ended(&ending.decisions, Cause::Allowlisted);
        changes.extend(ending.change);
        let cut = cut.split.into_iter().map(|(decision, _)| decision);
        (cut.chain(ending.decisions).collect(), changes)
    }

    fn save_operators(&mut self, now: Time) -> Option<String> {
        let stored = self.friends.stored();
        let kept = self.ledger.keep_friends(EntryOrigin::Operator.name(), &stored, now);
        kept.err().map(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests;
