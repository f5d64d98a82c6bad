//! Decisions that only bouncers carry out, as rows: the `target` is an [`Other`]'s key, which no
//! prefix is, and the `action` its type.

use rusqlite::{Row, params};

use super::{Disk, count, named, to_integer, unknown};
use crate::decision::{Origin, Other};
use crate::ledger::Cause;
use crate::ledger::others::{NewOther, StoredOther};
use crate::value::Time;

/// What tells them from bans: a prefix has one slash, a key two. Written as the index
/// `decisions_others` has it, which is used by that.
pub(in crate::ledger) const IS_OTHER: &str = "target GLOB '*/*/*'";

/// What is to be written of one.
#[derive(Debug)]
pub(in crate::ledger) enum Deed {
    Begin(StoredOther),
    /// It lasts longer, for another reason.
    Extend(StoredOther),
    End(u64, Cause),
}

impl Disk {
    /// Writes all of it in one transaction.
    pub(in crate::ledger) fn write_others(
        &mut self,
        deeds: &[Deed],
        now: Time,
    ) -> rusqlite::Result<()> {
        let version = self.next_version(now);
        let transaction = self.connection.transaction()?;
        for deed in deeds {
            match deed {
                Deed::Begin(StoredOther { id, created_at, new }) => transaction
                    .prepare_cached(
                        "INSERT INTO decisions
                         (id, target, action, origin, reason, created_at, until, events, version)
                         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?8)",
                    )?
                    .execute(params![
                        to_integer(*id),
                        new.other.key(),
                        new.other.kind(),
                        new.origin.name(),
                        new.reason,
                        created_at.nanos,
                        new.until.nanos,
                        version,
                    ])?,
                Deed::Extend(StoredOther { id, new, .. }) => transaction
                    .prepare_cached(
                        "UPDATE decisions SET origin = ?2, reason = ?3, until = ?4, version = ?5
                         WHERE id = ?1",
                    )?
                    .execute(params![
                        to_integer(*id),
                        new.origin.name(),
                        new.reason,
                        new.until.nanos,
                        version,
                    ])?,
                Deed::End(id, cause) => transaction
                    .prepare_cached(
                        "UPDATE decisions SET ended_at = ?2, cause = ?3, version = ?4
                         WHERE id = ?1 AND ended_at IS NULL",
                    )?
                    .execute(params![to_integer(*id), now.nanos, cause.name(), version])?,
            };
        }
        transaction.commit()?;
        self.version = version;
        Ok(())
    }

    /// Those that have not ended; of each that cannot be understood its number and why.
    ///
    /// # Errors
    /// Those of the database; what was read before the error has been handed over.
    pub(in crate::ledger) fn read_others(
        &self,
        each: &mut dyn FnMut(Result<StoredOther, (u64, String)>),
    ) -> rusqlite::Result<()> {
        // Not by an index, as of bans: this may be a damaged database.
        let mut statement = self.connection.prepare(&format!(
            "SELECT id, target, origin, reason, created_at, until FROM decisions NOT INDEXED
             WHERE ended_at IS NULL AND {IS_OTHER} ORDER BY id"
        ))?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let id = count(row, 0)?;
            each(stored(row).map_err(|error| (id, error.to_string())));
        }
        Ok(())
    }

    /// Those of these numbers that have not ended and can be understood.
    pub(in crate::ledger) fn others(&self, numbers: &[u64]) -> rusqlite::Result<Vec<StoredOther>> {
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT id, target, origin, reason, created_at, until FROM decisions
             WHERE id = ?1 AND ended_at IS NULL AND {IS_OTHER}"
        ))?;
        let mut found = Vec::new();
        for id in numbers {
            let mut rows = statement.query([to_integer(*id)])?;
            if let Some(row) = rows.next()? {
                found.extend(stored(row).ok());
            }
        }
        Ok(found)
    }
}

fn stored(row: &Row<'_>) -> rusqlite::Result<StoredOther> {
    let key = row.get_ref(1)?.as_str()?;
    let other = Other::of_key(key)
        .ok_or_else(|| unknown(1, format!("`{}` is no decision", key.escape_debug())))?;
    Ok(StoredOther {
        id: count(row, 0)?,
        created_at: Time::from_nanos(row.get(4)?),
        new: NewOther {
            other,
            origin: named(row, 2, Origin::named)?,
            reason: row.get(3)?,
            until: Time::from_nanos(row.get(5)?),
        },
    })
}
