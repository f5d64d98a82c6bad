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
mod alert_feed;
mod alerts;
mod bouncers;
mod change;
mod checkpoint;
mod claims;
mod disk;
mod feed;
mod followed;
mod friends;
mod history;
mod keep;
mod machines;
mod marks;
mod open;
mod others;
mod past;
mod record;
mod refusals;
mod schema;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;

use ipnet::IpNet;

use crate::decision::{Action, Decision, Origin, Target};
use crate::value::Time;

use active::Active;
use disk::Disk;
use history::Page;
use others::Others;

pub use active::Counts;
pub use alert_feed::{AlertOrigin, AlertsWanted, FollowedAlert};
pub use alerts::{Behind, StoredAlert};
pub use bouncers::StoredBouncer;
pub use change::{Ban, Change};
pub use checkpoint::Checkpoint;
pub use claims::Leaving;
pub use feed::{Feed, Followed, Place, Subject, Which};
pub use friends::StoredFriend;
pub use history::{Cause, Claim, Ended, Refused, Step, Told};
pub use machines::StoredMachine;
pub use marks::Begun;
pub use open::{Damage, Opened};
pub use others::{MOST_OTHERS, NewOther, StoredOther};
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
    /// More is asked for at once than is kept.
    #[error("expected at most {most} decisions for bouncers at once, found {found}")]
    TooMany {
        /// How many.
        found: usize,
        /// How many there may be.
        most: usize,
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
    /// How many ended decisions are kept at most; beyond it those go that ended first.
    pub most_ended: u64,
    /// The greatest number of active decisions; beyond it the one that ends first makes room.
    pub capacity: usize,
}

impl Default for Options {
    /// A week of ended decisions, half a million of them, and a million active ones.
    fn default() -> Self {
        let keep_ended = 7 * 86_400 * 1_000_000_000;
        Self { keep_ended, most_ended: 500_000, capacity: 1_000_000 }
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
    /// What led to it, as text that the ledger does not look into.
    pub story: Option<Box<str>>,
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

/// What became of prefixes that a hole was cut into.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Split {
    /// The decisions that ended, and why.
    pub ended: Vec<(Decision, Cause)>,
    /// Those on what is left.
    pub begun: Vec<Decision>,
    /// What the kernel is to be told, in this order: bans, then unbans.
    pub changes: Vec<Change>,
}

/// What became of what a list or a remote does not ask for any more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Withdrawn {
    /// The decisions that ended.
    pub ended: Vec<Decision>,
    /// How many went back to what somebody else had asked for.
    pub left: usize,
    /// What the kernel is to be told, in this order.
    pub changes: Vec<Change>,
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
    /// How many refusals were not written down since the start, of those that were told.
    pub unwritten_refusals: u64,
    /// What the last failed write said, until one succeeds.
    pub trouble: Option<String>,
}

/// How long the ledger waits after a failed write, so that a blocked disk does not block the
/// decisions as well.
const PAUSE: i64 = 1_000_000_000;

/// The number of unsaved decisions above which those that began and ended unwritten are dropped.
const MOST_UNSAVED: usize = 100_000;

/// The decisions: all active ones in memory, everything on disk.
pub struct Ledger {
    disk: Disk,
    active: Active,
    others: Others,
    options: Options,
    next_id: u64,
    /// By number: what is newer than on disk.
    unsaved: BTreeMap<u64, Page>,
    failed_at: Option<Time>,
    /// When there was nothing left to forget.
    pruned_at: Option<Time>,
    /// How many ended decisions are on disk.
    n_ended: u64,
    /// Those that wait to be written.
    refusals: Vec<Refused>,
    health: Health,
}

impl Ledger {
    /// All bans that hold at `now`: what the kernel is to have, no more and no less.
    #[must_use]
    pub fn replace(&self, now: Time) -> Change {
        Change::Replace(self.active.iter().filter_map(|decision| ban(decision, now)).collect())
    }

    /// The decisions that hold at `now`, by target.
    pub fn active(&self, now: Time) -> impl Iterator<Item = &Decision> {
        self.active.iter().filter(move |decision| decision.until > now)
    }

    /// The decisions that hold at `now` on targets behind this one, in their order; on all without
    /// one.
    pub fn active_after(&self, after: Option<IpNet>, now: Time) -> impl Iterator<Item = &Decision> {
        self.active.after(after).filter(move |decision| decision.until > now)
    }

    /// Whether so many more decisions leave room for those that scenarios may come to make.
    #[must_use]
    pub fn has_room(&self, more: usize) -> bool {
        self.active.len().saturating_add(more) <= self.options.capacity - self.options.capacity / 10
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

    /// The last `limit` decisions on exactly `net` that ended, the latest first.
    ///
    /// # Errors
    /// [`Error::Read`] when the disk cannot be read.
    pub fn ended_of(&self, net: IpNet, limit: u32) -> Result<Vec<Ended>, Error> {
        Ok(self.disk.ended_of(&net.to_string(), limit)?)
    }

    /// What led to the decision of this number, oldest first.
    ///
    /// # Errors
    /// [`Error::Read`] when the disk cannot be read.
    pub fn stories(&self, decision: u64) -> Result<Vec<Told>, Error> {
        Ok(self.disk.stories(decision)?)
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
}

fn ban(decision: &Decision, now: Time) -> Option<Ban> {
    (decision.action == Action::Ban && decision.until > now)
        .then_some(Ban { target: decision.target, until: decision.until })
}
