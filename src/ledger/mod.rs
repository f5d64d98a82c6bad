//! The ledger: decisions on disk. What it holds is the truth; the kernel is a cache of it.
//!
//! Only this module makes a [`Change`], as the value of a committed state, so nothing reaches the
//! kernel that is not on disk. The one exception is a disk that cannot be written: the decision
//! then holds in memory and in the kernel, counts as unsaved, and is written as soon as the disk
//! takes it, because an attacker must not go free for want of disk space.
//!
//! Time is a parameter. The ledger does not know why a decision was made and has no task.

#![forbid(unsafe_code)]

mod active;
mod change;
mod checkpoint;
mod disk;
mod history;
mod open;
mod past;
mod schema;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use ipnet::IpNet;

use crate::decision::{Action, Allowlist, Decision, Origin, Refusal, Target};
use crate::value::Time;

use active::Active;
use disk::Disk;
use history::Page;

pub use active::Counts;
pub use change::{Ban, Change};
pub use checkpoint::Checkpoint;
pub use history::{Cause, Ended, Step};
pub use open::{Damage, Opened};
pub use past::Past;

/// Why the ledger cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be made, opened or moved.
    #[error("cannot use the ledger `{}`: {source}", path.display())]
    File {
        /// The ledger's file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The database does not work.
    #[error("cannot use the ledger `{}`: {source}", path.display())]
    Database {
        /// The ledger's file.
        path: PathBuf,
        /// What the database says.
        source: rusqlite::Error,
    },
    /// A later Weir wrote it.
    #[error(
        "the ledger `{}` was written by a newer Weir (schema {found}, this one knows {}): \
         start that one, or move the file away",
        path.display(), schema::VERSION
    )]
    Newer {
        /// The ledger's file.
        path: PathBuf,
        /// Its schema.
        found: i64,
    },
    /// It belongs to another program.
    #[error(
        "`{}` is a database of another program: name another file for the ledger",
        path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// A question could not be answered from disk, or something beside decisions not be written.
    #[error("cannot read or write the ledger: {0}")]
    Read(#[from] rusqlite::Error),
}

/// How much the ledger keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// For how many nanoseconds ended decisions are kept.
    pub keep_ended: i64,
    /// The greatest number of active decisions; beyond it the one that ends first makes room.
    pub capacity: usize,
}

impl Default for Options {
    /// A week of ended decisions, a million active ones.
    fn default() -> Self {
        Self { keep_ended: 7 * 86_400 * 1_000_000_000, capacity: 1_000_000 }
    }
}

/// A decision to be written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Who.
    pub target: Target,
    /// Ban or observe.
    pub action: Action,
    /// Who asks for it.
    pub origin: Origin,
    /// The scenario's name, or the operator's words.
    pub reason: String,
    /// When it ends.
    pub until: Time,
    /// How many events made it.
    pub events: u64,
}

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kept {
    /// A decision began.
    Begun,
    /// The target's decision got a new end, or an observed one is banned now.
    Extended,
    /// The target's decision is as long and as strict already; the events were added.
    Held,
}

/// What became of several records, and what the kernel is to be told in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    /// For each record: the number of its decision, and what became of it.
    pub kept: Vec<(u64, Kept)>,
    /// At most one unban (of those that made room) and one ban.
    pub changes: Vec<Change>,
}

/// Decisions that ended, and what the kernel is to be told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ending {
    /// They are over.
    pub decisions: Vec<Decision>,
    /// `None` when none of them was a ban.
    pub change: Option<Change>,
}

/// Whether what the ledger knows is on disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// How many decisions are in memory in a newer state than on disk.
    pub unsaved: usize,
    /// How many writes failed since the start.
    pub failures: u64,
    /// How many decisions made room for others since the start.
    pub evicted: u64,
    /// What the last failed write said, until one succeeds.
    pub trouble: Option<String>,
}

/// How long the ledger waits after a failed write, so that a blocked disk does not block the
/// decisions as well.
const PAUSE: i64 = 1_000_000_000;

/// How often ended decisions are forgotten, and how many at a time.
const PRUNE_EVERY: i64 = 60 * 1_000_000_000;
const PRUNE_AT_ONCE: u32 = 2_000;

/// The number of unsaved decisions above which those that began and ended unwritten are dropped.
const MOST_UNSAVED: usize = 100_000;

/// The decisions: all active ones in memory, everything on disk.
pub struct Ledger {
    disk: Disk,
    active: Active,
    options: Options,
    next_id: u64,
    /// By number: what is newer than on disk.
    unsaved: BTreeMap<u64, Page>,
    failed_at: Option<Time>,
    pruned_at: Time,
    health: Health,
}

impl Ledger {
    /// Writes decisions down, all in one transaction.
    ///
    /// A target has one decision at a time: it lasts until the later of the ends, and a ban replaces
    /// an observation and never the other way round.
    pub fn record(&mut self, records: Vec<Record>, now: Time) -> Recorded {
        let mut recorded = Recorded::default();
        let mut banned = BTreeSet::new();
        let mut unbanned = Vec::new();
        for record in records {
            let target = record.target;
            let known = self.active.get(target).filter(|known| known.until > now).cloned();
            let (id, kept) = match known {
                Some(known) => self.merge(known, record, now),
                None => {
                    // Its time was up, only nobody looked yet.
                    self.finish(target, Cause::Expired, now);
                    if self.active.len() >= self.options.capacity {
                        self.make_room(now, &mut banned, &mut unbanned);
                    }
                    (self.begin(record, now), Kept::Begun)
                }
            };
            recorded.kept.push((id, kept));
            if kept != Kept::Held {
                banned.insert(target);
            }
        }
        self.save(now);
        unbanned.retain(|target| self.active.get(*target).is_none());
        if !unbanned.is_empty() {
            recorded.changes.push(Change::Unban(unbanned));
        }
        let bans: Vec<Ban> = banned
            .into_iter()
            .filter_map(|target| self.active.get(target))
            .filter_map(|decision| ban(decision, now))
            .collect();
        if !bans.is_empty() {
            recorded.changes.push(Change::Ban(bans));
        }
        recorded
    }

    /// Ends the decisions on these targets; a target without one is passed over.
    pub fn end(&mut self, targets: &[Target], cause: Cause, now: Time) -> Ending {
        let decisions: Vec<Decision> =
            targets.iter().filter_map(|target| self.finish(*target, cause, now)).collect();
        self.save(now);
        let bans: Vec<Target> = decisions
            .iter()
            .filter(|decision| decision.action == Action::Ban)
            .map(|decision| decision.target)
            .collect();
        Ending { decisions, change: (!bans.is_empty()).then_some(Change::Unban(bans)) }
    }

    /// Ends what is due, retries what could not be written, and forgets what ended long ago. To be
    /// called about once a second.
    pub fn expire(&mut self, now: Time) -> Ending {
        let due: Vec<Target> = self.active.due(now).collect();
        let ending = self.end(&due, Cause::Expired, now);
        self.prune(now);
        ending
    }

    /// Ends the decisions that a changed allowlist does not allow, and says which entry stands
    /// against each.
    pub fn admit_again(&mut self, allowlist: &Allowlist, now: Time) -> (Ending, Vec<Refusal>) {
        let (targets, refusals): (Vec<Target>, Vec<Refusal>) = self
            .active
            .iter()
            .filter_map(|decision| {
                let refusal = allowlist.admit(decision.target.net()).err()?;
                Some((decision.target, refusal))
            })
            .unzip();
        (self.end(&targets, Cause::Allowlisted, now), refusals)
    }

    /// All bans that hold at `now`: what the kernel is to have, no more and no less.
    #[must_use]
    pub fn replace(&self, now: Time) -> Change {
        Change::Replace(self.active.iter().filter_map(|decision| ban(decision, now)).collect())
    }

    /// The decisions that hold at `now`, by target.
    pub fn active(&self, now: Time) -> impl Iterator<Item = &Decision> {
        self.active.iter().filter(move |decision| decision.until > now)
    }

    /// The decision on exactly this target.
    #[must_use]
    pub fn get(&self, target: Target) -> Option<&Decision> {
        self.active.get(target)
    }

    /// The decisions on `net` itself and on what lies in it.
    pub fn inside(&self, net: IpNet) -> impl Iterator<Item = &Decision> {
        self.active.inside(net)
    }

    /// The decisions on prefixes that contain `net` and are wider than it, the narrowest first.
    pub fn around(&self, net: IpNet) -> impl Iterator<Item = &Decision> {
        self.active.around(net)
    }

    /// How many decisions are active, by family and action.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.active.counts()
    }

    /// Whether what the ledger knows is on disk.
    #[must_use]
    pub fn health(&self) -> Health {
        Health { unsaved: self.unsaved.len(), ..self.health.clone() }
    }

    /// Keeps more or less from now on.
    pub fn set_options(&mut self, options: Options) {
        self.options = options;
    }

    /// Up to `limit` decisions that ended at `since` or later, the earliest end first.
    ///
    /// # Errors
    /// [`Error::Read`] when the disk cannot be read.
    pub fn ended_since(&self, since: Time, limit: u32) -> Result<Vec<Ended>, Error> {
        Ok(self.disk.ended_since(since, limit)?)
    }

    /// The last `limit` steps of the decisions on exactly `net`, oldest first.
    ///
    /// # Errors
    /// [`Error::Read`] when the disk cannot be read.
    pub fn history(&self, net: IpNet, limit: u32) -> Result<Vec<Step>, Error> {
        Ok(self.disk.history(&net.to_string(), limit)?)
    }

    /// How far the source of this name had come in what it reads.
    ///
    /// # Errors
    /// [`Error::Read`] when the disk cannot be read.
    pub fn place(&self, source: &str) -> Result<Option<String>, Error> {
        Ok(self.disk.place(source)?)
    }

    /// Writes down how far a source has come.
    ///
    /// # Errors
    /// [`Error::Read`] when the disk cannot be written; nothing is remembered then.
    pub fn save_place(&mut self, source: &str, cursor: &str, now: Time) -> Result<(), Error> {
        Ok(self.disk.save_place(source, cursor, now)?)
    }

    fn begin(&mut self, record: Record, now: Time) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        let Record { target, action, origin, reason, until, events } = record;
        let decision =
            Decision { id, target, action, origin, reason, created_at: now, until, events };
        self.note(&decision, "begun", decision.origin, &decision.reason, events, now);
        self.active.insert(decision);
        id
    }

    fn merge(&mut self, mut known: Decision, record: Record, now: Time) -> (u64, Kept) {
        let Record { target: _, action, origin, reason, until, events } = record;
        known.events = known.events.saturating_add(events);
        let is_stricter = action == Action::Ban && known.action == Action::Observe;
        let is_longer = action == known.action && until > known.until;
        let kept = if is_stricter || is_longer { Kept::Extended } else { Kept::Held };
        if kept == Kept::Extended {
            known.action = action;
            known.origin = origin;
            known.reason.clone_from(&reason);
            known.until = until;
        }
        let what = if kept == Kept::Extended { "extended" } else { "held" };
        self.note(&known, what, origin, &reason, events, now);
        let id = known.id;
        self.active.insert(known);
        (id, kept)
    }

    fn make_room(&mut self, now: Time, banned: &mut BTreeSet<Target>, unbanned: &mut Vec<Target>) {
        let Some(first) = self.active.first_to_end() else { return };
        banned.remove(&first);
        if let Some(decision) = self.finish(first, Cause::Evicted, now)
            && decision.action == Action::Ban
        {
            unbanned.push(first);
        }
        self.health.evicted += 1;
    }

    fn finish(&mut self, target: Target, cause: Cause, now: Time) -> Option<Decision> {
        let decision = self.active.remove(target)?;
        self.note(&decision, cause.name(), decision.origin, &decision.reason, 0, now);
        if let Some(page) = self.unsaved.get_mut(&decision.id) {
            page.ended = Some((now, cause));
        }
        Some(decision)
    }

    /// Puts the decision's new state and one step among what is to be written.
    fn note(
        &mut self,
        decision: &Decision,
        what: &str,
        origin: Origin,
        reason: &str,
        events: u64,
        now: Time,
    ) {
        let page = self.unsaved.entry(decision.id).or_insert_with(|| Page {
            decision: decision.clone(),
            ended: None,
            steps: Vec::new(),
            is_on_disk: what != "begun",
        });
        page.decision.clone_from(decision);
        if page.steps.len() >= disk::KEPT_STEPS {
            page.steps.remove(1);
        }
        page.steps.push(Step {
            decision: decision.id,
            at: now,
            what: what.to_owned(),
            origin,
            reason: reason.to_owned(),
            until: decision.until,
            events,
        });
    }

    /// Writes what is unsaved, unless a write failed a moment ago.
    fn save(&mut self, now: Time) {
        if self.unsaved.is_empty() || self.failed_at.is_some_and(|at| now.since(at).abs() < PAUSE) {
            return;
        }
        match self.disk.write(self.unsaved.values()) {
            Ok(()) => {
                self.unsaved.clear();
                self.failed_at = None;
                if self.health.trouble.take().is_some() {
                    tracing::info!("the ledger is on disk again");
                }
            }
            Err(error) => {
                let error = error.to_string();
                if self.health.trouble.is_none() {
                    tracing::error!(%error, "cannot write the ledger; decisions hold in memory");
                }
                self.health.failures += 1;
                self.health.trouble = Some(error);
                self.failed_at = Some(now);
                self.shed();
            }
        }
    }

    /// Drops what began and ended unwritten when there is too much of it. What is left is bounded
    /// by the active decisions, here and on disk.
    fn shed(&mut self) {
        if self.unsaved.len() > MOST_UNSAVED {
            self.unsaved.retain(|_, page| page.ended.is_none() || page.is_on_disk);
        }
    }

    fn prune(&mut self, now: Time) {
        if now.since(self.pruned_at).abs() < PRUNE_EVERY {
            return;
        }
        match self.disk.prune(now.plus(-self.options.keep_ended), PRUNE_AT_ONCE) {
            // As long as there is much to forget, it goes on at the next call.
            Ok(count) if count == PRUNE_AT_ONCE as usize => {}
            Ok(_) => self.pruned_at = now,
            Err(error) => {
                tracing::warn!(%error, "cannot forget ended decisions");
                self.pruned_at = now;
            }
        }
    }
}

fn ban(decision: &Decision, now: Time) -> Option<Ban> {
    (decision.action == Action::Ban && decision.until > now)
        .then_some(Ban { target: decision.target, until: decision.until })
}
