//! What was told at each look, and what follows from looking twice: the rates of programs and
//! scenarios, which the daemon does not keep.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use serde_json::{Value, json};

use crate::cli::{asking, status};
use crate::control::{
    BucketRow, Client, ClientError, Coverage, Covering, FailureKind, Listing, Reply, Request, Row,
    Status, Tables,
};
use crate::value::Time;

/// Rates are those of the last so long, as far as there were looks.
const SPAN: Duration = Duration::from_secs(10);
/// Looks that are remembered at most.
const MOST: usize = 101;
/// Bans that are asked for.
const LATEST: usize = 20;

/// All that the daemon told at one look.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    pub(super) status: Status,
    pub(super) coverage: Vec<Coverage>,
    /// Of these the buckets and the queues.
    pub(super) tables: Tables,
    /// The newest bans, the newest first.
    pub(super) latest: Vec<Row>,
}

impl Snapshot {
    /// Asks for all of it.
    ///
    /// # Errors
    /// When the daemon does not answer.
    pub(super) fn ask(client: &mut Client) -> anyhow::Result<Self> {
        let status = match client.ask(&Request::Status).map_err(asking::failed)? {
            Reply::Status(status) => *status,
            other => return Err(asking::strange(&other)),
        };
        let coverage = match client.ask(&Request::Coverage(Covering::default())) {
            Ok(Reply::Coverage { programs }) => programs,
            other => unknown(other)?,
        };
        let tables = status::tables(client, &["buckets", "queues"])?;
        let listing = Listing { newest: true, limit: Some(LATEST), ..Listing::default() };
        let latest = match client.ask(&Request::List(listing)) {
            Ok(Reply::Listed { decisions, .. }) => decisions,
            other => unknown(other)?,
        };
        Ok(Self { status, coverage, tables, latest })
    }
}

/// Nothing, where the daemon is older than the question, or too busy to answer it.
fn unknown<T: Default>(answer: Result<Reply, ClientError>) -> anyhow::Result<T> {
    match answer {
        Ok(other) => Err(asking::strange(&other)),
        Err(ClientError::Failed(failure))
            if matches!(failure.kind, FailureKind::Usage | FailureKind::Unavailable) =>
        {
            Ok(T::default())
        }
        Err(error) => Err(asking::failed(error)),
    }
}

/// The looks of the last seconds.
#[derive(Debug, Default)]
pub(super) struct Watch {
    looks: VecDeque<Look>,
}

/// What was counted at a look.
#[derive(Debug)]
struct Look {
    at: Duration,
    /// Lines by label and program.
    programs: HashMap<(String, String), u64>,
    /// Events by scenario.
    scenarios: HashMap<String, u64>,
}

impl Watch {
    /// Remembers a look; `at` is a span since anything that stays the same.
    pub(super) fn see(&mut self, at: Duration, snapshot: &Snapshot) {
        let programs = snapshot
            .coverage
            .iter()
            .map(|program| ((program.label.clone(), program.program.clone()), program.lines()));
        let scenarios =
            snapshot.tables.buckets.iter().map(|row| (row.scenario.clone(), row.poured));
        let look = Look { at, programs: programs.collect(), scenarios: scenarios.collect() };
        while self.looks.len() >= MOST
            || self.looks.get(1).is_some_and(|second| at.saturating_sub(second.at) >= SPAN)
        {
            self.looks.pop_front();
        }
        self.looks.push_back(look);
    }

    /// Lines of a program in a second; none before the second look.
    pub(super) fn lines(&self, program: &Coverage) -> Option<f64> {
        let key = (program.label.clone(), program.program.clone());
        self.rate(program.lines(), |look| look.programs.get(&key).copied())
    }

    /// Events poured in a second.
    pub(super) fn poured(&self, row: &BucketRow) -> Option<f64> {
        self.rate(row.poured, |look| look.scenarios.get(&row.scenario).copied())
    }

    /// What was not there at the first look began at zero.
    fn rate(&self, now: u64, before: impl Fn(&Look) -> Option<u64>) -> Option<f64> {
        let (first, last) = (self.looks.front()?, self.looks.back()?);
        let span = last.at.saturating_sub(first.at);
        if span.is_zero() {
            return None;
        }
        let count = now.saturating_sub(before(first).unwrap_or(0));
        Some(crate::cli::figures::as_float(count) / span.as_secs_f64())
    }

    /// All of it as one object.
    ///
    /// # Errors
    /// When what was told cannot be written as JSON.
    pub(super) fn json(&self, snapshot: &Snapshot, now: Time) -> anyhow::Result<Value> {
        let with = |mut row: Value, rate: Option<f64>| {
            row["per_second"] = rate.map_or(Value::Null, |rate| json!((rate * 1e3).round() / 1e3));
            row
        };
        let mut programs = Vec::new();
        for program in &snapshot.coverage {
            programs.push(with(serde_json::to_value(program)?, self.lines(program)));
        }
        let mut scenarios = Vec::new();
        for row in snapshot.tables.buckets.iter().filter(|row| row.poured > 0) {
            scenarios.push(with(serde_json::to_value(row)?, self.poured(row)));
        }
        Ok(json!({
            "at": now.rfc3339(),
            "status": snapshot.status,
            "programs": programs,
            "scenarios": scenarios,
            "queues": snapshot.tables.queues,
            "latest": snapshot.latest,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(lines: u64) -> Snapshot {
        let coverage = |program: &str, parsed| Coverage {
            program: program.to_owned(),
            label: "syslog".to_owned(),
            parsed,
            ..Coverage::default()
        };
        let bucket = BucketRow { scenario: "bf".into(), poured: lines / 2, ..BucketRow::default() };
        Snapshot {
            coverage: vec![coverage("sshd", lines), coverage("cron", 7)],
            tables: Tables { buckets: vec![bucket], ..Tables::default() },
            ..Snapshot::default()
        }
    }

    #[track_caller]
    fn check(looks: &[(u64, u64)], lines: Option<f64>, poured: Option<f64>) {
        let mut watch = Watch::default();
        let mut last = Snapshot::default();
        for &(second, lines) in looks {
            last = snapshot(lines);
            watch.see(Duration::from_secs(second), &last);
        }
        assert_eq!(watch.lines(&last.coverage[0]), lines);
        assert_eq!(watch.poured(&last.tables.buckets[0]), poured);
        assert!(watch.looks.len() <= MOST);
    }

    #[test]
    fn rates_are_those_between_looks() {
        check(&[(1, 5)], None, None);
        check(&[(1, 5), (2, 25)], Some(20.0), Some(10.0));
        check(&[(1, 5), (1, 5)], None, None);
        // A daemon that began anew counts nothing twice.
        check(&[(1, 500), (2, 10)], Some(0.0), Some(0.0));
        // Of a minute the last ten seconds.
        let steady: Vec<(u64, u64)> = (0..60).map(|n| (n, n * n * 2)).collect();
        check(&steady, Some((59.0 * 59.0 - 49.0 * 49.0) * 2.0 / 10.0), Some(108.0));
    }

    #[test]
    fn json_has_all_of_it() {
        let mut watch = Watch::default();
        watch.see(Duration::from_secs(1), &snapshot(0));
        watch.see(Duration::from_secs(3), &snapshot(10));
        let json = watch.json(&snapshot(10), Time::from_seconds(0)).expect("json");
        assert_eq!(json["at"], "1970-01-01T00:00:00Z");
        assert_eq!(json["programs"][0]["per_second"], 5.0);
        assert_eq!(json["scenarios"][0]["per_second"], 2.5);
        assert_eq!(json["status"]["version"], "");
    }
}
