//! Who follows the decisions over the API, kept with them: what each was told must outlive us as the
//! decisions do.

use rusqlite::params;

use super::disk::Disk;
use super::{Error, Ledger};
use crate::value::Time;

/// A bouncer as the ledger keeps it; it does not look into the texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredBouncer {
    /// Its name.
    pub name: String,
    /// What is kept of its key.
    pub key: String,
    /// From where it was used first.
    pub address: Option<String>,
    /// What it says it is.
    pub kind: String,
    /// Which version of that.
    pub version: String,
    /// When it was made known.
    pub created_at: Time,
    /// When it asked last.
    pub last_pull: Option<Time>,
    /// Up to which version of the ledger it was told, and the time before.
    pub told: [Option<i64>; 2],
}

impl Ledger {
    /// All bouncers that are kept.
    ///
    /// # Errors
    /// [`Error::Read`] when the disk cannot be read.
    pub fn bouncers(&self) -> Result<Vec<StoredBouncer>, Error> {
        Ok(self.disk.bouncers()?)
    }

    /// Keeps these as they are now, and no more those of the names that are `gone`.
    ///
    /// # Errors
    /// [`Error::Read`] when the disk cannot be written; nothing has changed there then.
    pub fn keep_bouncers(
        &mut self,
        bouncers: &[StoredBouncer],
        gone: &[String],
    ) -> Result<(), Error> {
        Ok(self.disk.keep_bouncers(bouncers, gone)?)
    }
}

impl Disk {
    fn bouncers(&self) -> rusqlite::Result<Vec<StoredBouncer>> {
        let mut statement = self.connection().prepare_cached(
            "SELECT name, key, address, kind, version, created_at, last_pull, told, told_before
             FROM bouncers ORDER BY name",
        )?;
        let rows = statement.query_map([], |row| {
            Ok(StoredBouncer {
                name: row.get(0)?,
                key: row.get(1)?,
                address: row.get(2)?,
                kind: row.get(3)?,
                version: row.get(4)?,
                created_at: Time::from_nanos(row.get(5)?),
                last_pull: row.get::<_, Option<i64>>(6)?.map(Time::from_nanos),
                told: [row.get(7)?, row.get(8)?],
            })
        })?;
        rows.collect()
    }

    fn keep_bouncers(
        &mut self,
        bouncers: &[StoredBouncer],
        gone: &[String],
    ) -> rusqlite::Result<()> {
        let transaction = self.connection_mut().transaction()?;
        {
            let mut take = transaction.prepare_cached("DELETE FROM bouncers WHERE name = ?1")?;
            for name in gone {
                take.execute([name])?;
            }
            let mut put = transaction.prepare_cached(
                "INSERT OR REPLACE INTO bouncers VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?;
            for bouncer in bouncers {
                put.execute(params![
                    bouncer.name,
                    bouncer.key,
                    bouncer.address,
                    bouncer.kind,
                    bouncer.version,
                    bouncer.created_at.nanos,
                    bouncer.last_pull.map(|at| at.nanos),
                    bouncer.told[0],
                    bouncer.told[1],
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
    fn bouncers_outlive_the_process() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        let at = Time::from_seconds;
        let open =
            || Ledger::open(&path, Options::default(), &Allowlist::default(), at(0)).unwrap().0;
        let bouncer = |name: &str, told| StoredBouncer {
            name: name.to_owned(),
            key: "hash".to_owned(),
            address: Some("2001:db8::1".to_owned()),
            kind: "fw".to_owned(),
            version: "1".to_owned(),
            created_at: at(1),
            last_pull: None,
            told: [told, None],
        };
        let mut ledger = open();
        ledger.keep_bouncers(&[bouncer("b", None), bouncer("a", Some(7))], &[]).unwrap();
        drop(ledger);
        let mut ledger = open();
        assert_eq!(ledger.bouncers().unwrap(), [bouncer("a", Some(7)), bouncer("b", None)]);
        ledger.keep_bouncers(&[bouncer("b", Some(9))], &["a".to_owned()]).unwrap();
        assert_eq!(ledger.bouncers().unwrap(), [bouncer("b", Some(9))]);
    }
}
