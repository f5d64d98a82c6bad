//! Friends that are in no configuration file, kept with the decisions they stand against.

use rusqlite::params;

use super::disk::Disk;
use super::{Error, Ledger};
use crate::value::Time;

/// A friend as the ledger keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredFriend {
    /// An address, a prefix or a host name, as the owner wrote it.
    pub net: String,
    /// Whose it is: the word of the owner's choice. Each owner has one entry for a `net`.
    pub origin: String,
    /// Why, for people.
    pub comment: String,
    /// When it ends; `None` is never.
    pub until: Option<Time>,
}

impl Ledger {
    /// All friends that are kept.
    ///
    /// # Errors
    /// [`Error::Read`] when the disk cannot be read.
    pub fn friends(&self) -> Result<Vec<StoredFriend>, Error> {
        Ok(self.disk.friends()?)
    }

    /// Makes `friends` the only ones of this origin.
    ///
    /// # Errors
    /// [`Error::Read`] when the disk cannot be written; nothing has changed there then.
    pub fn keep_friends(
        &mut self,
        origin: &str,
        friends: &[StoredFriend],
        now: Time,
    ) -> Result<(), Error> {
        Ok(self.disk.keep_friends(origin, friends, now)?)
    }
}

impl Disk {
    fn friends(&self) -> rusqlite::Result<Vec<StoredFriend>> {
        let mut statement = self.connection().prepare_cached(
            "SELECT net, origin, comment, until FROM friends ORDER BY created_at, net",
        )?;
        let rows = statement.query_map([], |row| {
            let until: Option<i64> = row.get(3)?;
            Ok(StoredFriend {
                net: row.get(0)?,
                origin: row.get(1)?,
                comment: row.get(2)?,
                until: until.map(Time::from_nanos),
            })
        })?;
        rows.collect()
    }

    fn keep_friends(
        &mut self,
        origin: &str,
        friends: &[StoredFriend],
        now: Time,
    ) -> rusqlite::Result<()> {
        let transaction = self.connection_mut().transaction()?;
        transaction.execute("DELETE FROM friends WHERE origin = ?1", [origin])?;
        {
            let mut put = transaction
                .prepare_cached("INSERT OR REPLACE INTO friends VALUES (?1, ?2, ?3, ?4, ?5)")?;
            for friend in friends {
                let until = friend.until.map(|until| until.nanos);
                put.execute(params![friend.net, origin, friend.comment, now.nanos, until])?;
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
    fn friends_outlive_the_process_by_origin() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        let at = Time::from_seconds;
        let open =
            || Ledger::open(&path, Options::default(), &Allowlist::default(), at(0)).unwrap().0;
        let friend = |net: &str, origin: &str, until| StoredFriend {
            net: net.to_owned(),
            origin: origin.to_owned(),
            comment: "home".to_owned(),
            until,
        };
        let (a, b) = (friend("192.0.2.1", "x", None), friend("home.example", "x", Some(at(9))));
        let c = friend("192.0.2.1", "y", None);
        let mut ledger = open();
        ledger.keep_friends("x", &[a.clone(), b.clone()], at(1)).unwrap();
        ledger.keep_friends("y", std::slice::from_ref(&c), at(2)).unwrap();
        drop(ledger);
        let mut ledger = open();
        assert_eq!(ledger.friends().unwrap(), [a, b.clone(), c.clone()]);
        ledger.keep_friends("x", std::slice::from_ref(&b), at(3)).unwrap();
        assert_eq!(ledger.friends().unwrap(), [c, b]);
    }
}
