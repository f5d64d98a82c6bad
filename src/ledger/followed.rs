//! Which lists were followed when the process ended: one that is gone by the next start ends then.

use rusqlite::params;

use super::{Error, Ledger};
use crate::value::Time;

/// What their marks begin with.
const MARK: &str = "list:";

impl Ledger {
    /// The names of the lists that are followed.
    ///
    /// # Errors
    /// [`Error::Read`] when the disk cannot be read.
    pub fn followed(&self) -> Result<Vec<String>, Error> {
        let mut statement = self.disk.connection().prepare_cached(
            "SELECT substr(name, 6) FROM marks WHERE substr(name, 1, 5) = ?1 ORDER BY name",
        )?;
        let names = statement.query_map([MARK], |row| row.get(0))?;
        Ok(names.collect::<rusqlite::Result<_>>()?)
    }

    /// Notes that a list is followed, or not any more.
    ///
    /// # Errors
    /// [`Error::Read`] when the disk cannot be written.
    pub fn set_followed(&mut self, list: &str, is: bool, now: Time) -> Result<(), Error> {
        let name = format!("{MARK}{list}");
        let connection = self.disk.connection();
        if is {
            let mut statement = connection.prepare_cached(
                "INSERT OR REPLACE INTO marks (name, value, saved_at) VALUES (?1, '', ?2)",
            )?;
            statement.execute(params![name, now.nanos])?;
        } else {
            connection.prepare_cached("DELETE FROM marks WHERE name = ?1")?.execute([name])?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::Allowlist;
    use crate::ledger::Options;

    #[test]
    fn lists_are_remembered() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        let now = Time::from_seconds(1);
        let open =
            || Ledger::open(&path, Options::default(), &Allowlist::default(), now).unwrap().0;
        let mut ledger = open();
        for list in ["b", "a", "a"] {
            ledger.set_followed(list, true, now).unwrap();
        }
        drop(ledger);
        let mut ledger = open();
        assert_eq!(ledger.followed().unwrap(), ["a", "b"]);
        ledger.set_followed("a", false, now).unwrap();
        assert_eq!(ledger.followed().unwrap(), ["b"]);
    }
}
