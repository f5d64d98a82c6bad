//! Alerts as others read them: those that machines pushed, and decisions that are their own alerts,
//! the newest first, a page at a time.
//!
//! Read beside the owner, as decisions are ([`Feed`]). What can be asked of an index, or leaves out
//! most rows, is asked of the database; whoever reads looks at the rest.

use ipnet::IpNet;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params_from_iter};

use super::Error;
use super::alerts::{StoredAlert, integer};
use super::feed::{COLUMNS, Feed, Followed, followed};
use crate::value::Time;

/// Decisions of one alert that are read.
const MOST_DECISIONS: u32 = 50_000;

/// An alert, and the decisions that came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FollowedAlert {
    /// Where it came from.
    pub origin: AlertOrigin,
    /// By number.
    pub decisions: Vec<Followed>,
}

/// Where an alert came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AlertOrigin {
    /// A machine pushed it.
    Pushed(StoredAlert),
    /// It is its decision.
    Own {
        /// How many events made the decision.
        events: u64,
        /// What led to it, as text that the ledger does not look into.
        story: Option<String>,
    },
}

/// Which alerts are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AlertsWanted {
    /// Whether those without a decision (false) or with one that holds then (true) are wanted.
    pub active: Option<(bool, Time)>,
    /// Not those of lists.
    pub without_lists: bool,
    /// Those of now and before alone, where they are decisions about one of these prefixes.
    pub around: Option<IpNet>,
    /// Not those that were made before.
    pub created_since: Option<Time>,
    /// Not those that were made after.
    pub created_until: Option<Time>,
}

impl FollowedAlert {
    /// Its number.
    #[must_use]
    pub fn id(&self) -> u64 {
        match (&self.origin, self.decisions.first()) {
            (AlertOrigin::Pushed(alert), _) => alert.id,
            (AlertOrigin::Own { .. }, Some(decision)) => decision.id,
            (AlertOrigin::Own { .. }, None) => 0,
        }
    }
}

impl Feed {
    /// Up to `limit` alerts whose numbers are below `from`, the greatest first; or above it, the
    /// smallest first, if `ascending`.
    ///
    /// # Errors
    /// [`Error::Read`] when the disk cannot be read.
    pub fn alerts(
        &self,
        wanted: &AlertsWanted,
        from: u64,
        ascending: bool,
        limit: u32,
    ) -> Result<Vec<FollowedAlert>, Error> {
        let [(pushed, pushed_values), (own, own_values)] =
            questions(wanted, from, ascending, limit);
        self.with(|connection| {
            let mut statement = connection.prepare_cached(&pushed)?;
            let rows = statement.query_map(params_from_iter(pushed_values), stored)?;
            let rows: Vec<StoredAlert> = rows.collect::<Result<_, _>>()?;
            let mut found = Vec::with_capacity(rows.len());
            for alert in rows {
                found.push(whole(connection, alert)?);
            }
            if let Some((false, _)) = wanted.active {
                // Each of the others has its decision.
                return Ok(found);
            }
            let mut statement = connection.prepare_cached(&own)?;
            let rows = statement.query_map(params_from_iter(own_values), own_alert)?;
            for alert in rows.filter_map(Result::transpose) {
                found.push(alert?);
            }
            found.sort_unstable_by_key(|alert| match ascending {
                true => alert.id(),
                false => u64::MAX - alert.id(),
            });
            found.truncate(limit as usize);
            Ok(found)
        })
    }

    /// The alert of this number.
    ///
    /// # Errors
    /// [`Error::Read`] when the disk cannot be read.
    pub fn alert(&self, id: u64) -> Result<Option<FollowedAlert>, Error> {
        self.with(|connection| {
            let question = format!("SELECT {OF_ALERTS} FROM alerts WHERE id = ?1");
            let mut statement = connection.prepare_cached(&question)?;
            if let Some(alert) = statement.query_row([integer(id)], stored).optional()? {
                return whole(connection, alert).map(Some);
            }
            let question = format!("SELECT {COLUMNS}, {OF_OWN} WHERE id = ?1 AND {IS_OWN}");
            let mut statement = connection.prepare_cached(&question)?;
            Ok(statement.query_row([integer(id)], own_alert).optional()?.flatten())
        })
    }

    /// Whether there is a decision of this number, in force or over.
    ///
    /// # Errors
    /// [`Error::Read`] when the disk cannot be read.
    pub fn has_decision(&self, id: u64) -> Result<bool, Error> {
        self.with(|connection| {
            connection
                .prepare_cached("SELECT 1 FROM decisions WHERE id = ?1")?
                .exists([integer(id)])
        })
    }
}

const OF_ALERTS: &str = "id, machine, created_at, start_at, stop_at, scenario, scope, value, kind, \
                         simulated, body";
const OF_OWN: &str = "events, (SELECT story FROM stories WHERE decision = decisions.id \
                      ORDER BY stories.id LIMIT 1) FROM decisions";
const IS_OWN: &str = "NOT EXISTS (SELECT 1 FROM reported WHERE decision = decisions.id)";

/// A question in SQL, and the values that belong into it.
type Question = (String, Vec<Value>);

/// The questions for pushed alerts, and for decisions that are their own.
fn questions(wanted: &AlertsWanted, from: u64, ascending: bool, limit: u32) -> [Question; 2] {
    let (behind, order) = if ascending { (">", "ASC") } else { ("<", "DESC") };
    let mut own = vec![format!("id {behind} ?"), IS_OWN.to_owned()];
    let mut pushed = vec![format!("id {behind} ?")];
    let mut own_values = vec![Value::Integer(integer(from))];
    let mut pushed_values = own_values.clone();
    let mut both = |test: &str, at: Time| {
        pushed.push(test.to_owned());
        own.push(test.to_owned());
        pushed_values.push(Value::Integer(at.nanos));
        own_values.push(Value::Integer(at.nanos));
    };
    if let Some(since) = wanted.created_since {
        both("created_at >= ?", since);
    }
    if let Some(until) = wanted.created_until {
        both("created_at <= ?", until);
    }
    match wanted.active {
        None => {}
        Some((true, now)) => {
            own.push("ended_at IS NULL AND until > ?".to_owned());
            own_values.push(Value::Integer(now.nanos));
            pushed.push(
                "EXISTS (SELECT 1 FROM alert_decisions JOIN decisions ON decisions.id = decision
                         WHERE alert = alerts.id AND ended_at IS NULL AND until > ?)"
                    .to_owned(),
            );
            pushed_values.push(Value::Integer(now.nanos));
        }
        Some((false, _)) => pushed
            .push("NOT EXISTS (SELECT 1 FROM alert_decisions WHERE alert = alerts.id)".to_owned()),
    }
    if wanted.without_lists {
        own.push("origin <> 'list'".to_owned());
    }
    if let Some(net) = wanted.around {
        let wider = (0..=net.prefix_len()).filter_map(|length| IpNet::new(net.addr(), length).ok());
        let wider: Vec<Value> = wider.map(|net| Value::Text(net.trunc().to_string())).collect();
        own.push(format!("target IN ({})", vec!["?"; wider.len()].join(", ")));
        own_values.extend(wider);
    }
    let pushed = format!(
        "SELECT {OF_ALERTS} FROM alerts WHERE {} ORDER BY id {order} LIMIT {limit}",
        pushed.join(" AND ")
    );
    let own = format!(
        "SELECT {COLUMNS}, {OF_OWN} WHERE {} ORDER BY id {order} LIMIT {limit}",
        own.join(" AND ")
    );
    [(pushed, pushed_values), (own, own_values)]
}

fn stored(row: &Row<'_>) -> rusqlite::Result<StoredAlert> {
    Ok(StoredAlert {
        id: u64::try_from(row.get::<_, i64>(0)?).unwrap_or(0),
        machine: row.get(1)?,
        created_at: Time::from_nanos(row.get(2)?),
        start_at: Time::from_nanos(row.get(3)?),
        stop_at: Time::from_nanos(row.get(4)?),
        scenario: row.get(5)?,
        scope: row.get(6)?,
        value: row.get(7)?,
        kind: row.get(8)?,
        simulated: row.get(9)?,
        body: row.get(10)?,
    })
}

/// A pushed alert with its decisions.
fn whole(connection: &Connection, alert: StoredAlert) -> rusqlite::Result<FollowedAlert> {
    let question = format!(
        "SELECT {COLUMNS} FROM decisions WHERE id IN
         (SELECT decision FROM alert_decisions WHERE alert = ?1) ORDER BY id LIMIT {MOST_DECISIONS}"
    );
    let mut statement = connection.prepare_cached(&question)?;
    let rows = statement.query_map([integer(alert.id)], followed)?;
    let decisions = rows.filter_map(Result::transpose).collect::<Result<_, _>>()?;
    Ok(FollowedAlert { origin: AlertOrigin::Pushed(alert), decisions })
}

/// A decision that is its own alert; `None` when this program does not know such decisions.
fn own_alert(row: &Row<'_>) -> rusqlite::Result<Option<FollowedAlert>> {
    let Some(decision) = followed(row)? else { return Ok(None) };
    let events = u64::try_from(row.get::<_, i64>("events")?).unwrap_or(0);
    let story = row.get::<_, Option<String>>(row.as_ref().column_count() - 1)?;
    let origin = AlertOrigin::Own { events, story };
    Ok(Some(FollowedAlert { origin, decisions: vec![decision] }))
}
