//! Moves what was committed from the write-ahead log into the database, off the path of decisions.
//!
//! A checkpoint waits for the disk, 3 to 6 ms where it was measured. By itself SQLite makes one
//! within the commit that finds the log long, so a ban would wait for it. A second connection does
//! it in its own time instead; a passive checkpoint holds no writer up.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::{Error, disk};

/// The second connection, for a thread of its own.
#[derive(Debug)]
pub struct Checkpoint {
    connection: Connection,
}

impl Checkpoint {
    /// Opens the database of a ledger that is open.
    ///
    /// # Errors
    /// [`Error::Database`] when it cannot be opened.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let opened = Connection::open_with_flags(path, flags).and_then(|connection| {
            connection.busy_timeout(disk::BUSY)?;
            Ok(Self { connection })
        });
        opened.map_err(|source| Error::Database { path: path.to_owned(), source })
    }

    /// Moves what nobody is reading; gives the number of pages that were in the log, and of those
    /// that are in the database now.
    ///
    /// # Errors
    /// [`Error::Read`] when the disk does not do its part. Nothing is lost then: the log has it.
    pub fn run(&self) -> Result<(i64, i64), Error> {
        let counts = self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
            Ok((row.get(1)?, row.get(2)?))
        })?;
        Ok(counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::{Action, Allowlist, Origin, parse_net};
    use crate::ledger::{Ledger, Options, Record};
    use crate::value::Time;

    #[test]
    fn what_is_in_the_log_goes_into_the_database_and_nothing_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        let allowlist = Allowlist::default();
        let now = Time::from_seconds(1_700_000_000);
        let open = || Ledger::open(&path, Options::default(), &allowlist, now).unwrap().0;
        let mut ledger = open();
        let checkpoint = Checkpoint::open(&path).unwrap();
        for n in 0..1_000_u32 {
            let net = parse_net(&format!("203.0.{}.{}", n / 250, n % 250)).unwrap();
            ledger.record(
                vec![Record {
                    target: allowlist.admit(net).unwrap(),
                    action: Action::Ban,
                    origin: Origin::Scenario,
                    reason: "x".to_owned(),
                    until: now.plus(1_000_000_000_000),
                    events: 1,
                    story: None,
                }],
                now,
            );
        }
        let (logged, moved) = checkpoint.run().unwrap();
        assert!(logged > 1_000, "no commit made a checkpoint of its own: {logged}");
        assert_eq!(moved, logged);
        drop(ledger);
        assert_eq!(open().active(now).count(), 1_000);
    }
}
