//! Looks into the ledger beside its owner: how often, and until when.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use ipnet::IpNet;
use rusqlite::{Connection, OpenFlags, params};

use super::{Error, disk};
use crate::value::Time;

/// A second connection to the database, for reading, that many may share. It sees what the owner
/// has committed.
#[derive(Debug)]
pub struct Past {
    connection: Mutex<Connection>,
}

impl Past {
    /// Opens the database of a ledger that is open.
    ///
    /// # Errors
    /// [`Error::Database`] when it cannot be opened.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let opened = Connection::open_with_flags(path, flags).and_then(|connection| {
            connection.busy_timeout(disk::BUSY)?;
            Ok(Self { connection: Mutex::new(connection) })
        });
        opened.map_err(|source| Error::Database { path: path.to_owned(), source })
    }

    /// How many decisions on something that contains `net` began at `since` or later, as far as
    /// they are not forgotten.
    ///
    /// # Errors
    /// [`Error::Read`] when the disk cannot be read.
    pub fn count(&self, net: IpNet, since: Option<Time>) -> Result<u64, Error> {
        let since = since.map_or(i64::MIN, |since| since.nanos);
        let mut total = 0;
        self.around(
            net,
            "SELECT count(*) FROM decisions WHERE target = ?1 AND created_at >= ?2",
            since,
            &mut |count| total += u64::try_from(count).unwrap_or(0),
        )?;
        Ok(total)
    }

    /// When each decision in force at `now` on something that contains `net` ends, the narrowest
    /// first.
    ///
    /// # Errors
    /// [`Error::Read`] when the disk cannot be read.
    pub fn active(&self, net: IpNet, now: Time) -> Result<Vec<Time>, Error> {
        let mut ends = Vec::new();
        self.around(
            net,
            "SELECT until FROM decisions WHERE target = ?1 AND until > ?2 AND ended_at IS NULL",
            now.nanos,
            &mut |until| ends.push(Time::from_nanos(until)),
        )?;
        Ok(ends)
    }

    /// Asks the same of `net` and of every prefix that contains it: 129 look-ups at most, where a
    /// search by range would need a column and an index of its own.
    fn around(
        &self,
        net: IpNet,
        question: &str,
        time: i64,
        each: &mut dyn FnMut(i64),
    ) -> Result<(), Error> {
        // A panic while reading leaves nothing half done.
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let mut statement = connection.prepare_cached(question)?;
        let lengths = (0..=net.prefix_len()).rev();
        for wider in lengths.filter_map(|length| IpNet::new(net.addr(), length).ok()) {
            let mut rows = statement.query(params![wider.trunc().to_string(), time])?;
            while let Some(row) = rows.next()? {
                each(row.get(0)?);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::{Action, Allowlist, Origin, parse_net};
    use crate::ledger::{Cause, Ledger, Options, Record};

    fn at(seconds: i64) -> Time {
        Time::from_seconds(seconds)
    }

    #[test]
    fn sees_what_the_owner_committed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        let allowlist = Allowlist::default();
        let mut ledger = Ledger::open(&path, Options::default(), &allowlist, at(0)).unwrap().0;
        let past = Past::open(&path).unwrap();
        let net = |text: &str| parse_net(text).unwrap();
        let mut ban = |text: &str, now: i64| {
            let target = allowlist.admit(net(text)).unwrap();
            let record = Record {
                target,
                action: Action::Ban,
                origin: Origin::Scenario,
                reason: String::new(),
                until: at(now + 100),
                events: 1,
                story: None,
            };
            ledger.record(vec![record], at(now));
            target
        };
        assert_eq!(past.count(net("203.0.113.7"), None).unwrap(), 0);
        let first = ban("203.0.113.7", 10);
        ban("203.0.113.0/24", 20);
        ban("203.0.113.8", 30);
        ban("2001:db8::/48", 40);
        let count = |text: &str, since: Option<i64>| past.count(net(text), since.map(at)).unwrap();
        assert_eq!(count("203.0.113.7", None), 2);
        assert_eq!(count("203.0.113.7", Some(11)), 1);
        assert_eq!(count("203.0.113.0/25", None), 1);
        assert_eq!(count("203.0.0.0/16", None), 0);
        assert_eq!(count("2001:db8::7", None), 1);
        let ends = |now| past.active(net("203.0.113.7"), at(now)).unwrap();
        assert_eq!(ends(50), [at(110), at(120)]);
        assert_eq!(ends(115), [at(120)]);
        ledger.end(&[first], Cause::Unbanned, at(60));
        assert_eq!(ends(61), [at(120)]);
        assert_eq!(count("203.0.113.7", None), 2, "what ended counts");
    }

    #[test]
    fn there_is_no_past_without_a_ledger() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Past::open(&folder.path().join("ledger.db")).is_err());
    }
}
