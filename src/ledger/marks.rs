//! What else outlives the process: small marks, who logged in, and when bans began.

use ipnet::IpNet;
use rusqlite::{OptionalExtension, params};

use super::disk::Disk;
use super::{Error, Ledger};
use crate::decision::{Action, EntryOrigin, parse_net};
use crate::value::Time;

/// That a scenario's decision began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Begun {
    /// About whom.
    pub net: IpNet,
    /// When.
    pub at: Time,
    /// What it was at its end, or is now.
    pub action: Action,
}

impl Ledger {
    /// The mark of this name.
    ///
    /// # Errors
    /// [`Error::Read`] when the disk cannot be read.
    pub fn mark(&self, name: &str) -> Result<Option<String>, Error> {
        Ok(self.disk.mark(name)?)
    }

    /// Sets the mark of this name, or takes it away.
    ///
    /// # Errors
    /// [`Error::Read`] when the disk cannot be written; the mark is as before then.
    pub fn set_mark(&mut self, name: &str, value: Option<&str>, now: Time) -> Result<(), Error> {
        Ok(self.disk.set_mark(name, value, now)?)
    }

    /// Who logged in at `since` or later, and when, the earliest first; the latest `limit` of them.
    ///
    /// # Errors
    /// [`Error::Read`] when the disk cannot be read.
    pub fn logins(&self, since: Time, limit: u32) -> Result<Vec<(IpNet, Time)>, Error> {
        Ok(self.disk.logins(since, limit)?)
    }

    /// Writes down who logged in and for how long that guards them, and forgets logins before
    /// `before`.
    ///
    /// # Errors
    /// [`Error::Read`] when the disk cannot be written; nothing is written then.
    pub fn save_logins(
        &mut self,
        logins: &[(IpNet, Time, Time)],
        before: Time,
    ) -> Result<(), Error> {
        Ok(self.disk.save_logins(logins, before)?)
    }

    /// The decisions of scenarios that began at `since` or later, the latest first, but for those
    /// that an operator or the allowlist ended: they were mistakes.
    ///
    /// # Errors
    /// [`Error::Read`] when the disk cannot be read.
    pub fn begun_since(&self, since: Time, limit: u32) -> Result<Vec<Begun>, Error> {
        Ok(self.disk.begun_since(since, limit)?)
    }
}

impl Disk {
    fn mark(&self, name: &str) -> rusqlite::Result<Option<String>> {
        self.connection()
            .query_row("SELECT value FROM marks WHERE name = ?1", [name], |row| row.get(0))
            .optional()
    }

    fn set_mark(&self, name: &str, value: Option<&str>, now: Time) -> rusqlite::Result<()> {
        match value {
            None => self.connection().execute("DELETE FROM marks WHERE name = ?1", [name]),
            Some(value) => self.connection().execute(
                "INSERT INTO marks (name, value, saved_at) VALUES (?1, ?2, ?3)
                 ON CONFLICT (name) DO UPDATE SET value = ?2, saved_at = ?3",
                params![name, value, now.nanos],
            ),
        }
        .map(drop)
    }

    fn logins(&self, since: Time, limit: u32) -> rusqlite::Result<Vec<(IpNet, Time)>> {
        let mut statement = self.connection().prepare(
            "SELECT net, created_at FROM friends WHERE origin = ?1 AND created_at >= ?2
             ORDER BY created_at DESC LIMIT ?3",
        )?;
        let mut rows = statement.query(params![EntryOrigin::Login.name(), since.nanos, limit])?;
        let mut logins = Vec::new();
        while let Some(row) = rows.next()? {
            // What cannot be read guards nobody.
            if let Ok(net) = parse_net(row.get_ref(0)?.as_str()?) {
                logins.push((net, Time::from_nanos(row.get(1)?)));
            }
        }
        logins.reverse();
        Ok(logins)
    }

    fn save_logins(
        &mut self,
        logins: &[(IpNet, Time, Time)],
        before: Time,
    ) -> rusqlite::Result<()> {
        let transaction = self.connection_mut().transaction()?;
        {
            let mut save = transaction.prepare_cached(
                "INSERT INTO friends (net, origin, comment, created_at, until)
                 VALUES (?1, ?2, 'logged in', ?3, ?4)
                 ON CONFLICT (net, origin) DO UPDATE SET created_at = ?3, until = ?4",
            )?;
            let origin = EntryOrigin::Login.name();
            for (net, at, until) in logins {
                save.execute(params![net.to_string(), origin, at.nanos, until.nanos])?;
            }
            transaction
                .prepare_cached("DELETE FROM friends WHERE origin = ?1 AND created_at < ?2")?
                .execute(params![origin, before.nanos])?;
        }
        transaction.commit()
    }

    fn begun_since(&self, since: Time, limit: u32) -> rusqlite::Result<Vec<Begun>> {
        // What was left of a prefix when a part of it was freed has no events, and is no offence.
        let mut statement = self.connection().prepare(
            "SELECT target, created_at, action FROM decisions
             WHERE origin = 'scenario' AND created_at >= ?1 AND events > 0
             AND (cause IS NULL OR cause NOT IN ('unbanned', 'allowlisted'))
             ORDER BY created_at DESC LIMIT ?2",
        )?;
        let mut rows = statement.query(params![since.nanos, limit])?;
        let mut begun = Vec::new();
        while let Some(row) = rows.next()? {
            let net = parse_net(row.get_ref(0)?.as_str()?).ok();
            let action = Action::named(row.get_ref(2)?.as_str()?);
            if let (Some(net), Some(action)) = (net, action) {
                begun.push(Begun { net, at: Time::from_nanos(row.get(1)?), action });
            }
        }
        Ok(begun)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::{Allowlist, Origin};
    use crate::ledger::{Cause, Options, Record};

    fn at(seconds: i64) -> Time {
        Time::from_seconds(1_700_000_000 + seconds)
    }

    fn net(text: &str) -> IpNet {
        parse_net(text).unwrap()
    }

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn open(&self) -> Ledger {
            let path = self.0.path().join("ledger.db");
            Ledger::open(&path, Options::default(), &Allowlist::default(), at(0)).unwrap().0
        }
    }

    #[test]
    fn marks_outlive_the_process() {
        let folder = Folder(tempfile::tempdir().unwrap());
        let mut ledger = folder.open();
        assert_eq!(ledger.mark("brake").unwrap(), None);
        ledger.set_mark("brake", Some("on"), at(1)).unwrap();
        ledger.set_mark("brake", Some("on since then"), at(2)).unwrap();
        drop(ledger);
        let mut ledger = folder.open();
        assert_eq!(ledger.mark("brake").unwrap().as_deref(), Some("on since then"));
        ledger.set_mark("brake", None, at(3)).unwrap();
        assert_eq!(ledger.mark("brake").unwrap(), None);
    }

    #[test]
    fn logins_outlive_the_process_until_they_are_old() {
        let folder = Folder(tempfile::tempdir().unwrap());
        let mut ledger = folder.open();
        let login = |who, seconds| (net(who), at(seconds), at(seconds + 100));
        ledger.save_logins(&[login("203.0.113.7", 1), login("2001:db8::7", 2)], at(-9)).unwrap();
        ledger.save_logins(&[login("203.0.113.7", 3)], at(-9)).unwrap();
        drop(ledger);
        let mut ledger = folder.open();
        let both = vec![(net("2001:db8::7"), at(2)), (net("203.0.113.7"), at(3))];
        assert_eq!(ledger.logins(at(0), 9).unwrap(), both);
        assert_eq!(ledger.logins(at(3), 9).unwrap(), both[1..]);
        assert_eq!(ledger.logins(at(0), 1).unwrap(), both[1..]);
        ledger.save_logins(&[], at(3)).unwrap();
        assert_eq!(ledger.logins(at(0), 9).unwrap(), both[1..]);
    }

    #[test]
    fn beginnings_are_remembered_but_for_mistakes() {
        let folder = Folder(tempfile::tempdir().unwrap());
        let mut ledger = folder.open();
        let mut ban = |who: &str, origin, events, now: i64| {
            let target = Allowlist::default().admit(net(who)).unwrap();
            let record = Record {
                target,
                action: Action::Ban,
                origin,
                reason: "x".to_owned(),
                until: at(now + 10),
                events,
                story: None,
            };
            ledger.record(vec![record], at(now));
            target
        };
        ban("203.0.113.1", Origin::Scenario, 5, 1);
        ban("203.0.113.2", Origin::Manual, 5, 2);
        ban("203.0.113.3", Origin::Scenario, 0, 3);
        let mistake = ban("203.0.113.4", Origin::Scenario, 5, 4);
        ban("2001:db8::/64", Origin::Scenario, 5, 5);
        ledger.end(&[mistake], Cause::Unbanned, at(6));
        ledger.expire(at(50));
        let begun = |since, limit| -> Vec<(String, i64)> {
            let found = ledger.begun_since(at(since), limit).unwrap();
            found
                .iter()
                .map(|one| (one.net.to_string(), one.at.since(at(0)) / 1_000_000_000))
                .collect()
        };
        let (old, new) = (("203.0.113.1/32".to_owned(), 1), ("2001:db8::/64".to_owned(), 5));
        assert_eq!(begun(0, 9), [new.clone(), old]);
        assert_eq!(begun(2, 9), std::slice::from_ref(&new));
        assert_eq!(begun(0, 1), [new]);
    }
}
