//! Opening the ledger: what is on disk becomes active again, or is said to be lost.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::disk::{Disk, Obstacle, Stored, is_damage};
use super::{Active, Cause, Error, Health, Ledger, Options, Others, StoredOther};
use crate::decision::{Allowlist, Decision, Other, Refusal, parse_net};
use crate::value::Time;

/// What was found when the ledger was opened.
#[derive(Debug, Default)]
pub struct Opened {
    /// How many decisions hold.
    pub active: usize,
    /// How many ended while nobody looked.
    pub expired: usize,
    /// Those that the allowlist does not allow any more, which ended therefore.
    pub refused: Vec<Refusal>,
    /// Those for bouncers of which the same is true.
    pub others_refused: Vec<Other>,
    /// Those that could not be understood, and why.
    pub unreadable: Vec<String>,
    /// Set when the database was broken and a new one was begun.
    pub damage: Option<Damage>,
}

/// A broken database.
#[derive(Debug, PartialEq, Eq)]
pub struct Damage {
    /// What is broken.
    pub why: String,
    /// Where the broken file is now.
    pub set_aside: PathBuf,
    /// Whether all of its active decisions could be read.
    pub is_complete: bool,
}

/// What was read of the disk, before it is admitted.
#[derive(Default)]
struct Found {
    rows: Vec<Result<Stored, (u64, String)>>,
    others: Vec<Result<StoredOther, (u64, String)>>,
    last_id: Option<u64>,
    damage: Option<Damage>,
}

/// How often expired decisions are ended before the ledger is used; the others end later, nobody
/// sees them.
const MOST_EXPIRED: usize = 16;

impl Ledger {
    /// Opens the ledger, making it when it is not there. What it holds is admitted by the
    /// allowlist again; a damaged database is set aside, a new one is begun, and what could be
    /// read of the old one is in it.
    ///
    /// # Errors
    /// An [`Error`] when the file cannot be used as it is and a new one would not help, or when
    /// it belongs to a newer Weir or to another program.
    pub fn open(
        path: &Path,
        options: Options,
        allowlist: &Allowlist,
        now: Time,
    ) -> Result<(Self, Opened), Error> {
        let (disk, found) = read(path, now)?;
        let mut ledger = Self {
            disk,
            active: Active::default(),
            others: Others::default(),
            options,
            next_id: 1,
            unsaved: std::collections::BTreeMap::new(),
            failed_at: None,
            pruned_at: None,
            n_ended: 0,
            refusals: Vec::new(),
            health: Health::default(),
        };
        let mut opened = Opened { damage: found.damage, ..Opened::default() };
        let mut last_id = found.last_id.unwrap_or(0);
        let mut ended = Vec::new();
        for row in found.rows {
            let id = match &row {
                Ok(stored) => stored.id,
                Err((id, _)) => *id,
            };
            last_id = last_id.max(id);
            if let Some(cause) = ledger.take_in(row, allowlist, now, &mut opened) {
                ended.push((id, cause));
            }
        }
        let mut others = Vec::new();
        for row in found.others {
            match row {
                Ok(stored) => {
                    last_id = last_id.max(stored.id);
                    others.push(stored);
                }
                Err((id, why)) => {
                    last_id = last_id.max(id);
                    opened.unreadable.push(format!("decision {id}: {why}"));
                    ended.push((id, Cause::Unreadable));
                }
            }
        }
        if opened.damage.is_some() && found.last_id.is_none() {
            // Numbers must not be given twice; nobody has made a decision per second since 1970.
            last_id = last_id.max(u64::try_from(now.seconds()).unwrap_or(0));
        }
        ledger.next_id = last_id.saturating_add(1);
        if opened.damage.is_none()
            && !ended.is_empty()
            && let Err(error) = ledger.disk.end(&ended, now)
        {
            // Not a reason to stand still: they hold nowhere, and the next start ends them again.
            tracing::warn!(%error, "cannot write the ends of decisions into the ledger");
        }
        ledger.n_ended = ledger.disk.n_ended()?;
        ledger.save(now);
        let admits = |net| allowlist.admit(net).is_ok();
        opened.others_refused = ledger.take_in_others(others, opened.damage.is_some(), admits, now);
        opened.expired = ledger.active.due(now).count();
        for _ in 0..MOST_EXPIRED {
            if ledger.expire(now).decisions.is_empty() {
                break;
            }
        }
        opened.active = ledger.active.len();
        opened.tell();
        Ok((ledger, opened))
    }

    /// Makes a row an active decision, or says why it must end.
    fn take_in(
        &mut self,
        row: Result<Stored, (u64, String)>,
        allowlist: &Allowlist,
        now: Time,
        opened: &mut Opened,
    ) -> Option<Cause> {
        let read = row.and_then(|stored| match parse_net(&stored.target) {
            Ok(net) => Ok((stored, net)),
            Err(error) => Err((stored.id, error.to_string())),
        });
        let (stored, net) = match read {
            Ok(read) => read,
            Err((id, why)) => {
                opened.unreadable.push(format!("decision {id}: {why}"));
                return Some(Cause::Unreadable);
            }
        };
        let target = match allowlist.admit(net) {
            Ok(target) => target,
            Err(refusal) => {
                opened.refused.push(refusal);
                return Some(Cause::Allowlisted);
            }
        };
        if self.active.get(target).is_some_and(|known| known.until >= stored.until) {
            opened.unreadable.push(format!("decision {}: `{target}` has another", stored.id));
            return Some(Cause::Unreadable);
        }
        let decision = Decision {
            id: stored.id,
            target,
            action: stored.action,
            origin: stored.origin,
            reason: stored.reason,
            created_at: stored.created_at,
            until: stored.until,
            events: stored.events,
        };
        if opened.damage.is_some() {
            self.note_again(&decision, now);
        }
        self.active.insert(decision);
        None
    }
}

impl Opened {
    fn tell(&self) {
        if let Some(damage) = &self.damage {
            tracing::error!(
                why = damage.why,
                set_aside = %damage.set_aside.display(),
                recovered = self.active,
                complete = damage.is_complete,
                "the ledger was damaged and set aside; a new one was begun"
            );
        }
        for refusal in &self.refused {
            tracing::warn!(%refusal, "a ban ended because of the allowlist");
        }
        for other in &self.others_refused {
            let (kind, value) = (other.kind(), other.value());
            tracing::warn!(kind, value, "a decision for bouncers ended because of the allowlist");
        }
        for why in &self.unreadable {
            tracing::warn!(why, "a decision in the ledger could not be read");
        }
        tracing::info!(active = self.active, expired = self.expired, "the ledger is open");
    }
}

fn read(path: &Path, now: Time) -> Result<(Disk, Found), Error> {
    let why = match Disk::open(path) {
        Ok(disk) => {
            let mut found = Found::default();
            let rows = disk.read_active(&mut |row| found.rows.push(row));
            let rows = rows.and_then(|()| disk.read_others(&mut |row| found.others.push(row)));
            match rows.and_then(|()| disk.last_id()) {
                Ok(last_id) => {
                    found.last_id = Some(last_id);
                    return Ok((disk, found));
                }
                Err(error) if is_damage(&error) => error.to_string(),
                Err(source) => return Err(Error::Database { path: path.to_owned(), source }),
            }
        }
        Err(Obstacle::Damaged(why)) => why,
        Err(Obstacle::Other(error)) => return Err(error),
    };
    let set_aside = set_aside(path, now)?;
    let mut found = Found::default();
    let salvaged = Disk::open_damaged(&set_aside).and_then(|old| {
        found.last_id = old.last_id().ok();
        let rows = old.read_active(&mut |row| found.rows.push(row));
        old.read_others(&mut |row| found.others.push(row)).and(rows)
    });
    found.damage = Some(Damage { why, set_aside, is_complete: salvaged.is_ok() });
    match Disk::open(path) {
        Ok(disk) => Ok((disk, found)),
        Err(Obstacle::Other(error)) => Err(error),
        Err(Obstacle::Damaged(why)) => Err(Error::File {
            path: path.to_owned(),
            source: std::io::Error::other(format!("a new file is damaged as well: {why}")),
        }),
    }
}

/// Moves the database and its journal to a free name beside it.
fn set_aside(path: &Path, now: Time) -> Result<PathBuf, Error> {
    let beside = |suffix: &str| {
        let mut name = OsString::from(path);
        name.push(suffix);
        PathBuf::from(name)
    };
    let free = (0..u32::MAX)
        .map(|number| match number {
            0 => format!(".damaged-{}", now.seconds()),
            _ => format!(".damaged-{}-{number}", now.seconds()),
        })
        .find(|suffix| !beside(suffix).exists())
        .expect("no folder holds four billion damaged ledgers");
    for part in ["-wal", "-shm", ""] {
        let (from, to) = (beside(part), beside(&format!("{free}{part}")));
        match std::fs::rename(&from, to) {
            Err(error) if part.is_empty() || error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::File { path: from, source: error });
            }
            _ => {}
        }
    }
    Ok(beside(&free))
}
