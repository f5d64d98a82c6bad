//! Alerts that machines pushed, kept beside the decisions that came of them.
//!
//! A decision that was made here is its own alert, of the same number; one that a pushed alert began
//! is not (table `reported`), nor is one whose alert somebody deleted. Alerts and decisions draw
//! their numbers from the same count, so neither is ever taken for the other.
//!
//! The ledger does not look into an alert's body. Nothing here makes a change: what an alert leads
//! to was decided before it is kept.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::{Error, Ledger};
use crate::value::Time;

/// Alerts that are kept, the newest.
const MOST_ALERTS: u64 = 20_000;

/// An alert that a machine pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAlert {
    /// Its number.
    pub id: u64,
    /// The machine's name.
    pub machine: String,
    /// When it was pushed.
    pub created_at: Time,
    /// The first of its events.
    pub start_at: Time,
    /// The last of them.
    pub stop_at: Time,
    /// The scenario's name, or why somebody asked for it.
    pub scenario: String,
    /// What its source's value is: `Ip`, `Range`, or anything.
    pub scope: String,
    /// Whom it blames.
    pub value: String,
    /// What kind of program made it.
    pub kind: String,
    /// Whether nobody was to be banned for it.
    pub simulated: bool,
    /// The rest, as text that the ledger does not look into.
    pub body: String,
}

/// What is to be ended before an alert is forgotten.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Behind {
    /// Decisions that no other alert stands for.
    pub decisions: Vec<u64>,
    /// How many of the alerts exist.
    pub n_found: usize,
}

impl Ledger {
    /// The next number, for an alert. To be taken before what the alert leads to is decided: by
    /// that, decisions that it began are told from those that were there.
    pub fn next_number(&mut self) -> u64 {
        let number = self.next_id;
        self.next_id += 1;
        number
    }

    /// Keeps alerts, each with the numbers of its decisions, all in one transaction. A decision
    /// that the disk does not have is left out.
    ///
    /// # Errors
    /// [`Error::Read`] when the disk does not take it; nothing is kept then.
    pub fn keep_alerts(&mut self, alerts: &[(StoredAlert, Vec<u64>)]) -> Result<(), Error> {
        let transaction = self.disk.connection_mut().transaction()?;
        for (alert, decisions) in alerts {
            keep(&transaction, alert, decisions)?;
        }
        if let Some(last) = alerts.iter().map(|(alert, _)| integer(alert.id)).max() {
            // Their numbers must not be given to decisions after a restart, nor when they are gone.
            transaction.execute(
                "INSERT INTO sqlite_sequence (name, seq) SELECT 'decisions', 0
                 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'decisions')",
                [],
            )?;
            transaction.execute(
                "UPDATE sqlite_sequence SET seq = max(seq, ?1) WHERE name = 'decisions'",
                [last],
            )?;
        }
        Ok(transaction.commit()?)
    }

    /// What stands behind these alerts and nothing else.
    ///
    /// # Errors
    /// [`Error::Read`] when the disk cannot be read.
    pub fn behind_alerts(&self, alerts: &[u64]) -> Result<Behind, Error> {
        let connection = self.disk.connection();
        let mut behind = Behind::default();
        for id in alerts.iter().copied() {
            if is_own(connection, id)? {
                behind.n_found += 1;
                let mut others = connection
                    .prepare_cached("SELECT alert FROM alert_decisions WHERE decision = ?1")?;
                let others = others.query_map([integer(id)], |row| row.get::<_, i64>(0))?;
                let others: Vec<i64> = others.collect::<Result<_, _>>()?;
                if others.iter().all(|other| alerts.iter().any(|id| integer(*id) == *other)) {
                    behind.decisions.push(id);
                }
            } else if is_pushed(connection, id)? {
                behind.n_found += 1;
                behind.decisions.extend(alone(connection, id, alerts)?);
            }
        }
        Ok(behind)
    }

    /// Forgets these alerts, in one transaction, and gives how many there were. Decisions that were
    /// their own alerts stay, and are none any more.
    ///
    /// # Errors
    /// [`Error::Read`] when the disk does not take it; nothing is forgotten then.
    pub fn forget_alerts(&mut self, alerts: &[u64]) -> Result<usize, Error> {
        let transaction = self.disk.connection_mut().transaction()?;
        let mut count = 0;
        for id in alerts {
            if is_own(&transaction, *id)? {
                count += transaction
                    .prepare_cached("INSERT OR IGNORE INTO reported VALUES (?1)")?
                    .execute([integer(*id)])?;
            } else {
                count += transaction
                    .prepare_cached("DELETE FROM alerts WHERE id = ?1")?
                    .execute([integer(*id)])?;
            }
        }
        transaction.commit()?;
        Ok(count)
    }

    /// Forgets alerts that are older than `before`, or too many; at most `limit`. What they began
    /// and still holds is its own alert from then on: whoever lists decisions must see it.
    pub(super) fn prune_alerts(&mut self, before: Time, limit: u32) -> rusqlite::Result<usize> {
        let transaction = self.disk.connection_mut().transaction()?;
        let beyond: i64 = transaction
            .prepare_cached("SELECT id FROM alerts ORDER BY id DESC LIMIT 1 OFFSET ?1")?
            .query_row([integer(MOST_ALERTS)], |row| row.get(0))
            .optional()?
            .unwrap_or(0);
        let old = too_old(&transaction, before, beyond, limit)?;
        for id in &old {
            transaction
                .prepare_cached(
                    "DELETE FROM reported WHERE decision IN
                     (SELECT decision FROM alert_decisions AS held
                      JOIN decisions ON decisions.id = held.decision
                      WHERE held.alert = ?1 AND decisions.ended_at IS NULL
                      AND NOT EXISTS (SELECT 1 FROM alert_decisions AS other
                                      WHERE other.decision = held.decision
                                      AND other.alert > ?1))",
                )?
                .execute([id])?;
            transaction.prepare_cached("DELETE FROM alerts WHERE id = ?1")?.execute([id])?;
        }
        transaction.commit()?;
        Ok(old.len())
    }
}

/// The numbers of alerts that are older than `before`, or not above `beyond`.
fn too_old(
    connection: &Connection,
    before: Time,
    beyond: i64,
    limit: u32,
) -> rusqlite::Result<Vec<i64>> {
    let mut statement = connection.prepare_cached(
        "SELECT id FROM (SELECT id FROM alerts WHERE id <= ?2
                         UNION SELECT id FROM alerts WHERE created_at < ?1)
         ORDER BY id LIMIT ?3",
    )?;
    let rows = statement.query_map(params![before.nanos, beyond, limit], |row| row.get(0))?;
    rows.collect()
}

fn keep(
    transaction: &Transaction<'_>,
    alert: &StoredAlert,
    decisions: &[u64],
) -> rusqlite::Result<()> {
    let id = integer(alert.id);
    transaction
        .prepare_cached("INSERT INTO alerts VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)")?
        .execute(params![
            id,
            alert.machine,
            alert.created_at.nanos,
            alert.start_at.nanos,
            alert.stop_at.nanos,
            alert.scenario,
            alert.scope,
            alert.value,
            alert.kind,
            alert.simulated,
            alert.body,
        ])?;
    let mut link = transaction.prepare_cached(
        "INSERT OR IGNORE INTO alert_decisions SELECT ?1, id FROM decisions WHERE id = ?2",
    )?;
    let mut report = transaction.prepare_cached(
        "INSERT OR IGNORE INTO reported SELECT id FROM decisions WHERE id = ?2 AND id > ?1",
    )?;
    for decision in decisions {
        link.execute([id, integer(*decision)])?;
        report.execute([id, integer(*decision)])?;
    }
    Ok(())
}

/// Whether this is a decision that is its own alert.
fn is_own(connection: &Connection, id: u64) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(
            "SELECT 1 FROM decisions WHERE id = ?1
             AND NOT EXISTS (SELECT 1 FROM reported WHERE decision = ?1)",
        )?
        .exists([integer(id)])
}

fn is_pushed(connection: &Connection, id: u64) -> rusqlite::Result<bool> {
    connection.prepare_cached("SELECT 1 FROM alerts WHERE id = ?1")?.exists([integer(id)])
}

/// The decisions of a pushed alert that are not alerts of their own, and that no alert stands for
/// but `alerts`.
fn alone(connection: &Connection, id: u64, alerts: &[u64]) -> rusqlite::Result<Vec<u64>> {
    // With `IN` the database would go through all that were reported, for each alert.
    let mut held = connection.prepare_cached(
        "SELECT decision FROM alert_decisions AS held WHERE alert = ?1
         AND EXISTS (SELECT 1 FROM reported WHERE reported.decision = held.decision)",
    )?;
    let mut others =
        connection.prepare_cached("SELECT alert FROM alert_decisions WHERE decision = ?1")?;
    let mut found = Vec::new();
    let held = held.query_map([integer(id)], |row| row.get::<_, i64>(0))?;
    for decision in held.collect::<Result<Vec<_>, _>>()? {
        let others = others.query_map([decision], |row| row.get::<_, i64>(0))?;
        let others: Vec<i64> = others.collect::<Result<_, _>>()?;
        if others.iter().all(|other| alerts.iter().any(|id| integer(*id) == *other)) {
            found.extend(u64::try_from(decision));
        }
    }
    Ok(found)
}

/// SQLite's integers are signed.
pub(super) fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
