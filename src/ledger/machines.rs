//! The machines that may push alerts over the API, kept with what they led to.

use rusqlite::params;

use super::disk::Disk;
use super::{Error, Ledger};
use crate::value::Time;

/// A machine as the ledger keeps it; it does not look into the texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredMachine {
    /// Its name.
    pub name: String,
    /// What is kept of its password; empty where it has none.
    pub password: String,
    /// Whether an operator said that it may push.
    pub is_validated: bool,
    /// From where it came last.
    pub address: Option<String>,
    /// What it says it is, with its version.
    pub version: String,
    /// When it was made known.
    pub created_at: Time,
    /// When it was there last.
    pub last_seen: Option<Time>,
    /// When it pushed last.
    pub last_push: Option<Time>,
}

impl Ledger {
    /// All machines that are kept.
    ///
    /// # Errors
    /// [`Error::Read`] when the disk cannot be read.
    pub fn machines(&self) -> Result<Vec<StoredMachine>, Error> {
        Ok(self.disk.machines()?)
    }

    /// Keeps these as they are now, and no more those of the names that are `gone`.
    ///
    /// # Errors
    /// [`Error::Read`] when the disk cannot be written; nothing has changed there then.
    pub fn keep_machines(
        &mut self,
        machines: &[StoredMachine],
        gone: &[String],
    ) -> Result<(), Error> {
        Ok(self.disk.keep_machines(machines, gone)?)
    }
}

impl Disk {
    fn machines(&self) -> rusqlite::Result<Vec<StoredMachine>> {
        let mut statement = self.connection().prepare_cached(
            "SELECT name, password, is_validated, address, version, created_at, last_seen, last_push
             FROM machines ORDER BY name",
        )?;
        let rows = statement.query_map([], |row| {
            let time = |at: Option<i64>| at.map(Time::from_nanos);
            Ok(StoredMachine {
                name: row.get(0)?,
                password: row.get(1)?,
                is_validated: row.get(2)?,
                address: row.get(3)?,
                version: row.get(4)?,
                created_at: Time::from_nanos(row.get(5)?),
                last_seen: time(row.get(6)?),
                last_push: time(row.get(7)?),
            })
        })?;
        rows.collect()
    }

    fn keep_machines(
        &mut self,
        machines: &[StoredMachine],
        gone: &[String],
    ) -> rusqlite::Result<()> {
        let transaction = self.connection_mut().transaction()?;
        {
            let mut take = transaction.prepare_cached("DELETE FROM machines WHERE name = ?1")?;
            for name in gone {
                take.execute([name])?;
            }
            let mut put = transaction.prepare_cached(
                "INSERT OR REPLACE INTO machines VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?;
            for machine in machines {
                put.execute(params![
                    machine.name,
                    machine.password,
                    machine.is_validated,
                    machine.address,
                    machine.version,
                    machine.created_at.nanos,
                    machine.last_seen.map(|at| at.nanos),
                    machine.last_push.map(|at| at.nanos),
                ])?;
            }
        }
        transaction.commit()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::Allowlist;
    use crate::ledger::Options;

    #[test]
    fn machines_outlive_the_process() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        let at = Time::from_seconds;
        let open =
            || Ledger::open(&path, Options::default(), &Allowlist::default(), at(0)).unwrap().0;
        let machine = |name: &str, is_validated| StoredMachine {
            name: name.to_owned(),
            password: "hash".to_owned(),
            is_validated,
            address: Some("2001:db8::1".to_owned()),
            version: "crowdsec/1".to_owned(),
            created_at: at(1),
            last_seen: Some(at(2)),
            last_push: None,
        };
        let mut ledger = open();
        ledger.keep_machines(&[machine("b", false), machine("a", true)], &[]).unwrap();
        drop(ledger);
        let mut ledger = open();
        assert_eq!(ledger.machines().unwrap(), [machine("a", true), machine("b", false)]);
        ledger.keep_machines(&[machine("b", true)], &["a".to_owned()]).unwrap();
        assert_eq!(ledger.machines().unwrap(), [machine("b", true)]);
    }
}
