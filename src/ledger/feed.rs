//! The decisions as others follow them: what is new and what ended since they asked last.
//!
//! Read on connections of its own, a page at a time, so that a slow reader holds up neither the
//! owner nor the database. Whoever follows remembers a version: the number of the last transaction
//! whose decisions it has. Versions come from one writer, in the order of its commits, so nothing
//! that is committed later hides behind one that was given out.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ipnet::IpNet;
use rusqlite::{Connection, OpenFlags, Row, params};

use super::{Error, disk};
use crate::decision::{Action, Origin, Other, parse_net};
use crate::value::Time;

/// What is read of a decision.
pub(super) const COLUMNS: &str =
    "id, target, action, origin, reason, created_at, until, ended_at, version";

/// Connections that are kept open for the next one who asks.
const SPARE: usize = 4;

/// What a decision says, and about whom. It has a prefix and no target: who may be banned was
/// settled when it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// This prefix is banned here, or observed.
    Net(IpNet, Action),
    /// Only bouncers carry it out.
    Other(Other),
}

/// A decision, in force or over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Followed {
    /// The decision's number.
    pub id: u64,
    /// What, and about whom.
    pub subject: Subject,
    /// Who asked for it.
    pub origin: Origin,
    /// The scenario's name, the operator's words, or the list's name.
    pub reason: String,
    /// When it was first decided.
    pub created_at: Time,
    /// When it ends, or was to end.
    pub until: Time,
    /// When it was over; `None` while it is in force.
    pub ended_at: Option<Time>,
    /// The transaction that wrote it last.
    pub version: i64,
}

/// Which decisions are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Those in force, whether or not their time is up.
    Active,
    /// Those that are over and have no successor on the same prefix.
    Ended,
    /// Those that did not end and ban nobody: they are only observed, or their time is up then.
    Idle(Time),
}

/// Where reading goes on: the version and the number of the last decision that was read.
pub type Place = (i64, u64);

/// A way to read the ledger beside its owner, for many at once.
#[derive(Debug)]
pub struct Feed {
    path: PathBuf,
    spare: Mutex<Vec<Connection>>,
}

impl Feed {
    /// Opens the database of a ledger that is open.
    ///
    /// # Errors
    /// [`Error::Database`] when it cannot be opened.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let feed = Self { path: path.to_owned(), spare: Mutex::default() };
        let connection = feed.connect()?;
        feed.give_back(connection);
        Ok(feed)
    }

    /// The version that whoever has read everything has.
    ///
    /// # Errors
    /// [`Error::Read`] when the disk cannot be read.
    pub fn version(&self) -> Result<i64, Error> {
        self.with(disk::version)
    }

    /// Up to `limit` decisions written behind `place` and up to the version `to`, by version and
    /// number.
    ///
    /// # Errors
    /// [`Error::Read`] when the disk cannot be read.
    pub fn page(
        &self,
        which: Which,
        place: Place,
        to: i64,
        limit: u32,
    ) -> Result<Vec<Followed>, Error> {
        let in_force = |more: &str| {
            format!(
                "SELECT {COLUMNS} FROM decisions WHERE ended_at IS NULL {more}
                 AND (version, id) > (?1, ?2) AND version <= ?3 ORDER BY version, id LIMIT ?4"
            )
        };
        let question = match which {
            Which::Active => in_force(""),
            Which::Idle(at) => {
                in_force(&format!("AND (action = 'observe' OR until <= {})", at.nanos))
            }
            // A later one on the same prefix has a higher number.
            Which::Ended => format!(
                "SELECT {COLUMNS} FROM decisions AS ended WHERE ended_at IS NOT NULL
                 AND (version, id) > (?1, ?2) AND version <= ?3
                 AND NOT EXISTS (SELECT 1 FROM decisions AS other
                                 WHERE other.target = ended.target AND other.id > ended.id)
                 ORDER BY version, id LIMIT ?4"
            ),
        };
        self.with(|connection| {
            let (version, id) = (place.0, i64::try_from(place.1).unwrap_or(i64::MAX));
            let mut statement = connection.prepare_cached(&question)?;
            let rows = statement.query_map(params![version, id, to, limit], followed)?;
            // What cannot be read was told when the ledger was opened.
            rows.filter_map(Result::transpose).collect()
        })
    }

    /// Up to `limit` decisions that did not end, with greater numbers than `after`, by number.
    ///
    /// # Errors
    /// [`Error::Read`] when the disk cannot be read.
    pub fn active_by_number(&self, after: u64, limit: u32) -> Result<Vec<Followed>, Error> {
        let question = format!(
            "SELECT {COLUMNS} FROM decisions
             WHERE ended_at IS NULL AND id > ?1 ORDER BY id LIMIT ?2"
        );
        self.with(|connection| {
            let after = i64::try_from(after).unwrap_or(i64::MAX);
            let mut statement = connection.prepare_cached(&question)?;
            let rows = statement.query_map(params![after, limit], followed)?;
            rows.filter_map(Result::transpose).collect()
        })
    }

    /// The decisions that did not end on `net` and on the prefixes that hold it, those that only
    /// bouncers carry out among them, by number.
    ///
    /// # Errors
    /// [`Error::Read`] when the disk cannot be read.
    pub fn active_around(&self, net: IpNet) -> Result<Vec<Followed>, Error> {
        let question =
            format!("SELECT {COLUMNS} FROM decisions WHERE target = ?1 AND ended_at IS NULL");
        let others = format!(
            "SELECT {COLUMNS} FROM decisions WHERE ended_at IS NULL AND {}
             AND substr(target, instr(target, '/') + 1) = ?1",
            disk::IS_OTHER
        );
        let mut found = self.with(|connection| {
            let mut on_targets = connection.prepare_cached(&question)?;
            let mut on_others = connection.prepare_cached(&others)?;
            let mut found = Vec::new();
            let wider =
                (0..=net.prefix_len()).filter_map(|length| IpNet::new(net.addr(), length).ok());
            for wider in wider {
                let wider = wider.trunc();
                let asked = [
                    (&mut on_targets, wider.to_string()),
                    (&mut on_others, Other::subject_of(wider)),
                ];
                for (statement, key) in asked {
                    let rows = statement.query_map([key], followed)?;
                    for row in rows.filter_map(Result::transpose) {
                        found.push(row?);
                    }
                }
            }
            Ok(found)
        })?;
        found.sort_unstable_by_key(|decision| decision.id);
        Ok(found)
    }

    /// The decisions that did not end and that are about this [`Other::subject`], of all types, by
    /// number.
    ///
    /// # Errors
    /// [`Error::Read`] when the disk cannot be read.
    pub fn active_about(&self, subject: &str) -> Result<Vec<Followed>, Error> {
        let question = format!(
            "SELECT {COLUMNS} FROM decisions WHERE ended_at IS NULL AND {}
             AND substr(target, instr(target, '/') + 1) = ?1 ORDER BY id",
            disk::IS_OTHER
        );
        self.with(|connection| {
            let mut statement = connection.prepare_cached(&question)?;
            let rows = statement.query_map([subject], followed)?;
            rows.filter_map(Result::transpose).collect()
        })
    }

    pub(super) fn with<T>(
        &self,
        ask: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, Error> {
        let spare = self.spare().pop();
        let connection = match spare {
            Some(connection) => connection,
            None => self.connect()?,
        };
        let answer = ask(&connection)?;
        self.give_back(connection);
        Ok(answer)
    }

    fn connect(&self) -> Result<Connection, Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let opened = Connection::open_with_flags(&self.path, flags).and_then(|connection| {
            connection.busy_timeout(disk::BUSY)?;
            Ok(connection)
        });
        opened.map_err(|source| Error::Database { path: self.path.clone(), source })
    }

    fn give_back(&self, connection: Connection) {
        let mut spare = self.spare();
        if spare.len() < SPARE {
            spare.push(connection);
        }
    }

    fn spare(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Followed {
    /// The prefix that it is about, if it is about one.
    #[must_use]
    pub fn net(&self) -> Option<IpNet> {
        match &self.subject {
            Subject::Net(net, _) => Some(*net),
            Subject::Other(other) => other.net(),
        }
    }

    /// Whether it is only observed.
    #[must_use]
    pub fn is_observed(&self) -> bool {
        matches!(self.subject, Subject::Net(_, Action::Observe))
    }

    /// The place behind it.
    #[must_use]
    pub fn place(&self) -> Place {
        (self.version, self.id)
    }
}

/// A row; `None` when it is of no decision that this program knows.
pub(super) fn followed(row: &Row<'_>) -> rusqlite::Result<Option<Followed>> {
    let target = row.get_ref(1)?.as_str()?;
    let (action, origin) = (row.get_ref(2)?.as_str()?, row.get_ref(3)?.as_str()?);
    let subject = match (parse_net(target), Action::named(action)) {
        (Ok(net), Some(action)) => Some(Subject::Net(net, action)),
        (Ok(_), None) => None,
        (Err(_), _) => Other::of_key(target).map(Subject::Other),
    };
    let (Some(subject), Some(origin)) = (subject, Origin::named(origin)) else { return Ok(None) };
    Ok(Some(Followed {
        id: u64::try_from(row.get::<_, i64>(0)?).unwrap_or(0),
        subject,
        origin,
        reason: row.get(4)?,
        created_at: Time::from_nanos(row.get(5)?),
        until: Time::from_nanos(row.get(6)?),
        ended_at: row.get::<_, Option<i64>>(7)?.map(Time::from_nanos),
        version: row.get(8)?,
    }))
}
