//! What is written about decisions.

use rusqlite::{ErrorCode, Transaction, params};

use super::{Disk, KEPT_STEPS, KEPT_STORIES, to_integer};
use crate::ledger::Cause;
use crate::ledger::history::Page;
use crate::value::Time;

impl Disk {
    /// Writes all pages in one transaction: all of them or none.
    pub(in crate::ledger) fn write<'p>(
        &mut self,
        pages: impl Iterator<Item = &'p Page>,
        now: Time,
    ) -> rusqlite::Result<()> {
        let version = self.next_version(now);
        let transaction = self.connection.transaction()?;
        for page in pages {
            if page.is_on_disk {
                update(&transaction, page, version)?;
            } else {
                insert(&transaction, page, version)?;
            }
            if !page.steps.is_empty() {
                add_steps(&transaction, page)?;
            }
        }
        transaction.commit()?;
        self.version = version;
        Ok(())
    }

    /// The version of what is written next. It follows the clock, so that it grows even when the
    /// latest decision was forgotten, and never falls back when the clock does.
    pub(super) fn next_version(&self, now: Time) -> i64 {
        self.version.saturating_add(1).max(now.nanos)
    }

    /// Ends decisions that are on disk only.
    pub(in crate::ledger) fn end(
        &mut self,
        ended: &[(u64, Cause)],
        now: Time,
    ) -> rusqlite::Result<()> {
        let version = self.next_version(now);
        let transaction = self.connection.transaction()?;
        {
            let mut end = transaction.prepare(
                "UPDATE decisions SET ended_at = ?2, cause = ?3, version = ?4
                 WHERE id = ?1 AND ended_at IS NULL",
            )?;
            let mut step = transaction.prepare(
                "INSERT INTO steps (decision, at, what, action, origin, reason, until, events)
                 SELECT id, ?2, ?3, action, origin, reason, until, events
                 FROM decisions WHERE id = ?1",
            )?;
            for (id, cause) in ended {
                end.execute(params![to_integer(*id), now.nanos, cause.name(), version])?;
                step.execute(params![to_integer(*id), now.nanos, cause.name()])?;
            }
        }
        transaction.commit()?;
        self.version = version;
        Ok(())
    }

    /// Forgets up to `limit` decisions that ended before `before`, the oldest first.
    pub(in crate::ledger) fn prune(&self, before: Time, limit: u32) -> rusqlite::Result<usize> {
        self.connection
            .prepare_cached(
                "DELETE FROM decisions WHERE id IN
                 (SELECT id FROM decisions WHERE ended_at < ?1 ORDER BY ended_at LIMIT ?2)",
            )?
            .execute(params![before.nanos, limit])
    }

    /// Forgets the ended decisions on this target for this reason, and its refusals of this scenario;
    /// gives how many decisions went.
    pub(in crate::ledger) fn forget_tests(
        &self,
        target: &str,
        scenario: &str,
    ) -> rusqlite::Result<usize> {
        self.connection.execute(
            "DELETE FROM refusals WHERE target = ?1 AND scenario = ?2",
            [target, scenario],
        )?;
        self.connection.execute(
            "DELETE FROM decisions WHERE target = ?1 AND reason = ?2 AND ended_at IS NOT NULL",
            [target, scenario],
        )
    }

    /// Forgets stories, the oldest first, until the newest `most` are left; at most `limit`.
    pub(in crate::ledger) fn prune_stories(
        &self,
        most: u64,
        limit: u32,
    ) -> rusqlite::Result<usize> {
        self.prune_old("stories", most, limit)
    }

    /// The same of refusals.
    pub(in crate::ledger) fn prune_refusals(
        &self,
        most: u64,
        limit: u32,
    ) -> rusqlite::Result<usize> {
        self.prune_old("refusals", most, limit)
    }

    /// The numbers of rows grow, so those that are too old are the lowest.
    fn prune_old(&self, table: &str, most: u64, limit: u32) -> rusqlite::Result<usize> {
        self.connection
            .prepare_cached(&format!(
                "DELETE FROM {table} WHERE id IN
                 (SELECT id FROM {table} WHERE id <= (SELECT max(id) FROM {table}) - ?1
                  ORDER BY id LIMIT ?2)"
            ))?
            .execute(params![to_integer(most), limit])
    }
}

/// Writes a decision of which nothing is on disk.
fn insert(transaction: &Transaction<'_>, page: &Page, version: i64) -> rusqlite::Result<()> {
    let decision = &page.decision;
    let target = decision.target.net().to_string();
    let mut insert = transaction.prepare_cached(
        "INSERT INTO decisions VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?;
    let mut write = || {
        insert.execute(params![
            to_integer(decision.id),
            target,
            decision.action.name(),
            decision.origin.name(),
            decision.reason,
            decision.created_at.nanos,
            decision.until.nanos,
            to_integer(decision.events),
            page.ended.map(|(at, _)| at.nanos),
            page.ended.map(|(_, cause)| cause.name()),
            version,
        ])
    };
    match write() {
        // One on the same target that ended while the disk could not be written: its end is missing.
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
            transaction
                .prepare_cached(
                    "UPDATE decisions SET ended_at = until, cause = ?2, version = ?3
                     WHERE target = ?1 AND ended_at IS NULL",
                )?
                .execute(params![target, Cause::Expired.name(), version])?;
            write().map(drop)
        }
        done => done.map(drop),
    }
}

/// Writes the newer state of a decision. More events alone are no news to those who follow.
fn update(transaction: &Transaction<'_>, page: &Page, version: i64) -> rusqlite::Result<()> {
    let decision = &page.decision;
    let mut update = transaction.prepare_cached(
        "UPDATE decisions SET action = ?2, origin = ?3, reason = ?4, until = ?5, events = ?6,
                              ended_at = ?7, cause = ?8,
                              version = iif(until = ?5 AND action = ?2 AND origin = ?3
                                            AND reason = ?4 AND ended_at IS ?7, version, ?9)
         WHERE id = ?1",
    )?;
    update
        .execute(params![
            to_integer(decision.id),
            decision.action.name(),
            decision.origin.name(),
            decision.reason,
            decision.until.nanos,
            to_integer(decision.events),
            page.ended.map(|(at, _)| at.nanos),
            page.ended.map(|(_, cause)| cause.name()),
            version,
        ])
        .map(drop)
}

/// Writes new steps with their stories, and lets go of those that are too many.
fn add_steps(transaction: &Transaction<'_>, page: &Page) -> rusqlite::Result<()> {
    let id = to_integer(page.decision.id);
    let mut step = transaction.prepare_cached(
        "INSERT INTO steps (decision, at, what, action, origin, reason, until, events)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    let mut story = transaction.prepare_cached(
        "INSERT INTO stories (decision, at, what, story) VALUES (?1, ?2, ?3, ?4)",
    )?;
    let mut tells = false;
    for new in &page.steps {
        step.execute(params![
            id,
            new.at.nanos,
            new.what,
            new.action.name(),
            new.origin.name(),
            new.reason,
            new.until.nanos,
            to_integer(new.events),
        ])?;
        if let Some(text) = &new.story {
            story.execute(params![id, new.at.nanos, new.what, &**text])?;
            tells = true;
        }
    }
    if page.is_on_disk {
        cut(transaction, "steps", id, KEPT_STEPS)?;
        if tells {
            cut(transaction, "stories", id, KEPT_STORIES)?;
        }
    }
    Ok(())
}

/// Leaves the first row of a decision, and the latest; `most` together.
fn cut(transaction: &Transaction<'_>, table: &str, id: i64, most: usize) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(&format!(
            "DELETE FROM {table} WHERE decision = ?1
             AND id <= (SELECT id FROM {table} WHERE decision = ?1
                        ORDER BY id DESC LIMIT 1 OFFSET ?2)
             AND id > (SELECT min(id) FROM {table} WHERE decision = ?1)"
        ))?
        .execute(params![id, most as i64 - 1])
        .map(drop)
}
