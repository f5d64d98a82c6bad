//! The database file: opened, read and written, one transaction at a time.
//!
//! Nothing here decides anything: pages come in and go out as they are.

mod others;
mod past;
mod write;

use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, Row, params};

use super::history::Ended;
use super::schema::{self, Found};
use super::{Cause, Error};
use crate::decision::{Action, Origin, parse_net};
use crate::value::Time;

pub(super) use others::{Deed, IS_OTHER};

/// How long a write waits for another program that holds the database, such as a backup.
pub(super) const BUSY: Duration = Duration::from_millis(500);

/// How many steps of one decision are kept: the first one and the latest.
pub(super) const KEPT_STEPS: usize = 32;

/// How many stories of one decision are kept: the first one and the latest.
pub(super) const KEPT_STORIES: usize = 4;

pub(super) struct Disk {
    connection: Connection,
    /// Of the last transaction that wrote decisions.
    version: i64,
}

/// A decision as the disk has it: not admitted yet.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) id: u64,
    pub(super) target: String,
    pub(super) action: Action,
    pub(super) origin: Origin,
    pub(super) reason: String,
    pub(super) created_at: Time,
    pub(super) until: Time,
    pub(super) events: u64,
}

/// Why a database could not be opened.
pub(super) enum Obstacle {
    /// Its content is broken: worth setting aside.
    Damaged(String),
    /// Anything else, which a new file would not mend.
    Other(Error),
}

impl Disk {
    /// Opens the database, making it when it is not there, readable by its owner only.
    pub(super) fn open(path: &Path) -> Result<Self, Obstacle> {
        let file = |source| Obstacle::Other(Error::File { path: path.to_owned(), source });
        let opened = std::fs::OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(file)?;
        opened.set_permissions(std::fs::Permissions::from_mode(0o600)).map_err(file)?;
        drop(opened);
        let classify = |source: rusqlite::Error| {
            if is_damage(&source) {
                Obstacle::Damaged(source.to_string())
            } else {
                Obstacle::Other(Error::Database { path: path.to_owned(), source })
            }
        };
        let mut connection = Connection::open_with_flags(
            path,
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )
        .map_err(classify)?;
        prepare(&connection).map_err(classify)?;
        match schema::migrate(&mut connection).map_err(classify)? {
            Found::Ours => {}
            Found::Foreign => {
                return Err(Obstacle::Other(Error::Foreign { path: path.to_owned() }));
            }
            Found::Newer(found) => {
                return Err(Obstacle::Other(Error::Newer { path: path.to_owned(), found }));
            }
        }
        let verdict: String = connection
            .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
            .map_err(classify)?;
        if verdict != "ok" {
            return Err(Obstacle::Damaged(verdict));
        }
        let version = version(&connection).map_err(classify)?;
        Ok(Self { connection, version })
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(super) fn connection_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// Opens a damaged database for whatever can still be read of it.
    pub(super) fn open_damaged(path: &Path) -> rusqlite::Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Ok(Self { connection: Connection::open_with_flags(path, flags)?, version: 0 })
    }

    /// Hands every decision on a target that has not ended to `each`, in the order of their numbers; of one
    /// that cannot be understood, its number and why.
    ///
    /// # Errors
    /// Those of the database; what was read before the error has been handed over.
    pub(super) fn read_active(
        &self,
        each: &mut dyn FnMut(Result<Stored, (u64, String)>),
    ) -> rusqlite::Result<()> {
        // Not by an index: of a damaged database the table may be whole and the index not.
        let mut statement = self.connection.prepare(&format!(
            "SELECT id, target, action, origin, reason, created_at, until, events
             FROM decisions NOT INDEXED WHERE ended_at IS NULL AND NOT {IS_OTHER} ORDER BY id"
        ))?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let id = count(row, 0)?;
            each(stored(row).map_err(|error| (id, error.to_string())));
        }
        Ok(())
    }

    /// How far a source had come.
    pub(super) fn place(&self, source: &str) -> rusqlite::Result<Option<String>> {
        self.connection
            .query_row("SELECT cursor FROM places WHERE source = ?1", [source], |row| row.get(0))
            .optional()
    }

    /// Writes down how far a source has come.
    pub(super) fn save_place(
        &mut self,
        source: &str,
        cursor: &str,
        now: Time,
    ) -> rusqlite::Result<()> {
        let mut save = self.connection.prepare_cached(
            "INSERT INTO places (source, cursor, saved_at) VALUES (?1, ?2, ?3)
             ON CONFLICT (source) DO UPDATE SET cursor = ?2, saved_at = ?3",
        )?;
        save.execute(params![source, cursor, now.nanos]).map(drop)
    }

    /// The highest number ever given to a decision.
    pub(super) fn last_id(&self) -> rusqlite::Result<u64> {
        self.connection.query_row(
            "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'decisions'",
            [],
            |row| count(row, 0),
        )
    }

    /// Lets the file grow to `pages` pages and no further, as a full disk would.
    #[cfg(test)]
    pub(super) fn limit(&self, pages: u32) {
        let _: i64 = self
            .connection
            .query_row(&format!("PRAGMA max_page_count = {pages}"), [], |row| row.get(0))
            .expect("the limit can be set");
    }
}

/// Pages of the write-ahead log that are too many.
const LONGEST_LOG: u32 = 16_384;

fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY)?;
    // With WAL and NORMAL a commit outlives the process; what was committed since the last
    // checkpoint may go with the power. A sync per ban would cost an attacked host more than that.
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    // `Checkpoint` makes the checkpoints. Where nobody runs it, a commit does once the log has
    // grown to this many pages of 4 KiB.
    connection.pragma_update_and_check(None, "wal_autocheckpoint", LONGEST_LOG, |_| Ok(()))?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update_and_check(None, "journal_size_limit", 16 << 20, |_| Ok(()))
}

/// The highest version of a decision.
pub(super) fn version(connection: &Connection) -> rusqlite::Result<i64> {
    let mut highest = 0;
    for half in ["ended_at IS NULL", "ended_at IS NOT NULL"] {
        let question = format!("SELECT coalesce(max(version), 0) FROM decisions WHERE {half}");
        let found: i64 = connection.prepare_cached(&question)?.query_row([], |row| row.get(0))?;
        highest = highest.max(found);
    }
    Ok(highest)
}

pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt))
}

/// SQLite's integers are signed.
fn to_integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn count(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let number: i64 = row.get(column)?;
    u64::try_from(number).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, number))
}

fn stored(row: &Row<'_>) -> rusqlite::Result<Stored> {
    Ok(Stored {
        id: count(row, 0)?,
        target: row.get(1)?,
        action: named(row, 2, Action::named)?,
        origin: named(row, 3, Origin::named)?,
        reason: row.get(4)?,
        created_at: Time::from_nanos(row.get(5)?),
        until: Time::from_nanos(row.get(6)?),
        events: count(row, 7)?,
    })
}

fn ended(row: &Row<'_>) -> rusqlite::Result<Ended> {
    let stored = stored(row)?;
    let net = parse_net(&stored.target).map_err(|error| unknown(1, error.to_string()))?;
    Ok(Ended {
        id: stored.id,
        net,
        action: stored.action,
        origin: stored.origin,
        reason: stored.reason,
        created_at: stored.created_at,
        until: stored.until,
        events: stored.events,
        ended_at: Time::from_nanos(row.get(8)?),
        cause: named(row, 9, Cause::named)?,
    })
}

fn named<T>(row: &Row<'_>, column: usize, of: fn(&str) -> Option<T>) -> rusqlite::Result<T> {
    let name = row.get_ref(column)?.as_str()?;
    of(name).ok_or_else(|| unknown(column, format!("unknown word `{name}`")))
}

fn unknown(column: usize, message: String) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, message.into())
}
