//! What is asked about decisions that ended, and about how those that hold came to be.

use rusqlite::params;

use super::{Disk, IS_OTHER, count, ended, named};
use crate::decision::{Action, Origin};
use crate::ledger::history::{Claim, Ended, Refused, Step, Told};
use crate::ledger::refusals::net_of;
use crate::value::Time;

impl Disk {
    /// How many decisions have ended.
    pub(in crate::ledger) fn n_ended(&self) -> rusqlite::Result<u64> {
        self.connection.query_row(
            "SELECT count(*) FROM decisions WHERE ended_at IS NOT NULL",
            [],
            |row| count(row, 0),
        )
    }

    /// When the one ended that `n` others ended before, the oldest first.
    pub(in crate::ledger) fn nth_end(&self, n: u64) -> rusqlite::Result<Option<Time>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT ended_at FROM decisions WHERE ended_at IS NOT NULL
             ORDER BY ended_at LIMIT 1 OFFSET ?1",
        )?;
        let mut rows = statement.query([super::to_integer(n)])?;
        rows.next()?.map(|row| row.get(0).map(Time::from_nanos)).transpose()
    }

    /// The decisions on targets that ended at `since` or later, the earliest end first.
    pub(in crate::ledger) fn ended_since(
        &self,
        since: Time,
        limit: u32,
    ) -> rusqlite::Result<Vec<Ended>> {
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT id, target, action, origin, reason, created_at, until, events, ended_at, cause
             FROM decisions WHERE ended_at >= ?1 AND NOT {IS_OTHER}
             ORDER BY ended_at, id LIMIT ?2"
        ))?;
        let rows = statement.query_map(params![since.nanos, limit], ended)?;
        rows.collect()
    }

    /// The latest decisions on exactly this target that ended, the latest first.
    pub(in crate::ledger) fn ended_of(
        &self,
        target: &str,
        limit: u32,
    ) -> rusqlite::Result<Vec<Ended>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT id, target, action, origin, reason, created_at, until, events, ended_at, cause
             FROM decisions WHERE target = ?1 AND ended_at IS NOT NULL ORDER BY id DESC LIMIT ?2",
        )?;
        let rows = statement.query_map(params![target, limit], ended)?;
        rows.collect()
    }

    /// What happened to one target: the steps of its latest decisions, oldest first.
    pub(in crate::ledger) fn history(
        &self,
        target: &str,
        limit: u32,
    ) -> rusqlite::Result<Vec<Step>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT * FROM
             (SELECT decisions.id, at, what, steps.action, steps.origin, steps.reason, steps.until,
                     steps.events, steps.id AS number
              FROM steps JOIN decisions ON decisions.id = steps.decision
              WHERE target = ?1 ORDER BY number DESC LIMIT ?2)
             ORDER BY number",
        )?;
        let rows = statement.query_map(params![target, limit], |row| {
            Ok(Step {
                decision: count(row, 0)?,
                at: Time::from_nanos(row.get(1)?),
                what: row.get(2)?,
                action: named(row, 3, Action::named)?,
                origin: named(row, 4, Origin::named)?,
                reason: row.get(5)?,
                until: Time::from_nanos(row.get(6)?),
                events: count(row, 7)?,
            })
        })?;
        rows.collect()
    }

    /// What was asked for a decision's target until a time beyond `now`.
    pub(in crate::ledger) fn claims(
        &self,
        decision: u64,
        now: Time,
    ) -> rusqlite::Result<Vec<Claim>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT action, origin, reason, until FROM steps WHERE decision = ?1 AND until > ?2
             ORDER BY id",
        )?;
        let rows = statement.query_map(params![super::to_integer(decision), now.nanos], |row| {
            Ok(Claim {
                action: named(row, 0, Action::named)?,
                origin: named(row, 1, Origin::named)?,
                reason: row.get(2)?,
                until: Time::from_nanos(row.get(3)?),
            })
        })?;
        rows.collect()
    }

    /// The stories of a decision, oldest first.
    pub(in crate::ledger) fn stories(&self, decision: u64) -> rusqlite::Result<Vec<Told>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT at, what, story FROM stories WHERE decision = ?1 ORDER BY id",
        )?;
        let rows = statement.query_map([super::to_integer(decision)], |row| {
            Ok(Told { at: Time::from_nanos(row.get(0)?), what: row.get(1)?, story: row.get(2)? })
        })?;
        rows.collect()
    }

    /// Writes refusals down in one transaction.
    pub(in crate::ledger) fn save_refusals(
        &mut self,
        refusals: &[Refused],
    ) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        {
            let mut insert = transaction.prepare_cached(
                "INSERT INTO refusals (target, at, reason, scenario, story)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?;
            for refused in refusals {
                insert.execute(params![
                    refused.net.to_string(),
                    refused.at.nanos,
                    refused.reason,
                    refused.scenario,
                    refused.story.as_deref(),
                ])?;
            }
        }
        transaction.commit()
    }

    /// The latest refusals of exactly this target, the latest first.
    pub(in crate::ledger) fn refusals(
        &self,
        target: &str,
        limit: u32,
    ) -> rusqlite::Result<Vec<Refused>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT target, at, reason, scenario, story FROM refusals
             WHERE target = ?1 ORDER BY id DESC LIMIT ?2",
        )?;
        let rows = statement.query_map(params![target, limit], |row| {
            Ok(Refused {
                net: net_of(row.get_ref(0)?.as_str()?)?,
                at: Time::from_nanos(row.get(1)?),
                reason: row.get(2)?,
                scenario: row.get(3)?,
                story: row.get::<_, Option<String>>(4)?.map(Into::into),
            })
        })?;
        rows.collect()
    }
}
