//! An alert as machines read it. Pure.
//!
//! One that was pushed has what was kept of it; a decision that is its own alert has what is known
//! of what led to it.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::pushed::{Entry, PushedEvent, PushedSource};
use crate::decision::Origin;
use crate::lapi::decision::{Nested, nested, scenario, scope, uuid, value};
use crate::ledger::{AlertOrigin, Followed, FollowedAlert, StoredAlert};
use crate::value::{Time, duration_text};

/// Whose alerts those are that no machine pushed.
const OURS: &str = "weir";

/// What alerts are told from each other by.
pub(super) struct Facts<'a> {
    pub(super) scope: Cow<'a, str>,
    pub(super) value: Cow<'a, str>,
    pub(super) scenario: &'a str,
    pub(super) kind: &'a str,
    pub(super) simulated: bool,
    created_at: Time,
    start_at: Option<Time>,
    story: Option<&'a str>,
}

impl Facts<'_> {
    /// The first event.
    pub(super) fn start_at(&self) -> Time {
        self.start_at.unwrap_or_else(|| {
            let story = self.story.and_then(Story::read).unwrap_or_default();
            Time::from_rfc3339(&story.first_at).unwrap_or(self.created_at)
        })
    }
}

/// What an alert says of itself.
pub(super) fn facts(alert: &FollowedAlert) -> Facts<'_> {
    match (&alert.origin, alert.decisions.first()) {
        (AlertOrigin::Pushed(pushed), _) => Facts {
            scope: Cow::Borrowed(&pushed.scope),
            value: Cow::Borrowed(&pushed.value),
            scenario: &pushed.scenario,
            kind: kind_of(pushed),
            simulated: pushed.simulated,
            created_at: pushed.created_at,
            start_at: Some(pushed.start_at),
            story: None,
        },
        (AlertOrigin::Own { story, .. }, Some(decision)) => Facts {
            scope: Cow::Borrowed(scope(decision)),
            value: value(decision),
            scenario: scenario(decision),
            kind: own_kind(decision),
            simulated: decision.is_observed(),
            created_at: decision.created_at,
            start_at: None,
            story: story.as_deref(),
        },
        (AlertOrigin::Own { .. }, None) => Facts {
            scope: Cow::Borrowed(""),
            value: Cow::Borrowed(""),
            scenario: "",
            kind: "",
            simulated: false,
            created_at: Time::from_seconds(0),
            start_at: Some(Time::from_seconds(0)),
            story: None,
        },
    }
}

/// Early programs do not say of what kind their alerts are.
fn kind_of(pushed: &StoredAlert) -> &str {
    if pushed.kind.is_empty() { "crowdsec" } else { &pushed.kind }
}

fn own_kind(decision: &Followed) -> &'static str {
    match decision.origin {
        Origin::Scenario => "crowdsec",
        Origin::Manual => "cscli",
        // Whose they are is not ours to say again: as those that come in large numbers.
        Origin::List | Origin::Remote => "capi",
    }
}

/// What was kept of a pushed alert beside what the ledger looks at.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Body {
    scenario_hash: String,
    scenario_version: String,
    message: String,
    events_count: i64,
    capacity: i64,
    leakspeed: String,
    remediation: bool,
    source: PushedSource,
    events: Vec<PushedEvent>,
    meta: Vec<Entry>,
    labels: Vec<String>,
}

/// What is kept of what led to a decision, as far as alerts have room for it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Story {
    message: String,
    bucket: Bucket,
    first_at: String,
    last_at: String,
    machine: String,
    lines: Vec<Line>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Bucket {
    capacity: i64,
    leak_seconds: f64,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Line {
    at: String,
    text: String,
}

impl Story {
    fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

#[derive(Serialize)]
struct Shown<'a> {
    capacity: i64,
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    decisions: Option<Vec<Nested<'a>>>,
    events: Vec<PushedEvent>,
    events_count: i64,
    id: u64,
    kind: &'a str,
    labels: Option<Vec<String>>,
    leakspeed: String,
    machine_id: &'a str,
    message: String,
    meta: Vec<Entry>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    remediation: bool,
    scenario: &'a str,
    scenario_hash: String,
    scenario_version: String,
    simulated: bool,
    source: PushedSource,
    start_at: String,
    stop_at: String,
    uuid: String,
}

/// Writes an alert as it is at `now`.
pub(in crate::lapi) fn write(
    out: &mut Vec<u8>,
    alert: &FollowedAlert,
    with_decisions: bool,
    now: Time,
) {
    let shown = match (&alert.origin, alert.decisions.first()) {
        (AlertOrigin::Pushed(stored), _) => pushed(stored),
        (AlertOrigin::Own { events, story }, Some(decision)) => {
            own(decision, *events, story.as_deref())
        }
        // It is read with its decision.
        (AlertOrigin::Own { .. }, None) => return,
    };
    let decisions = alert.decisions.iter().map(|one| nested(one, shown.simulated, now));
    let decisions = with_decisions.then(|| decisions.collect());
    let shown = Shown { decisions, ..shown };
    serde_json::to_writer(out, &shown).expect("memory takes what is written, and keys are text");
}

fn pushed(stored: &StoredAlert) -> Shown<'_> {
    let body: Body = serde_json::from_str(&stored.body).unwrap_or_default();
    let events = body.events.into_iter();
    Shown {
        capacity: body.capacity,
        created_at: second(stored.created_at),
        decisions: None,
        events: events
            .map(|event| PushedEvent { timestamp: plain(event.timestamp), ..event })
            .collect(),
        events_count: body.events_count,
        id: stored.id,
        kind: kind_of(stored),
        labels: Some(body.labels).filter(|labels| !labels.is_empty()),
        leakspeed: body.leakspeed,
        machine_id: if stored.machine.is_empty() { "N/A" } else { &stored.machine },
        message: body.message,
        meta: body.meta,
        remediation: body.remediation,
        scenario: &stored.scenario,
        scenario_hash: body.scenario_hash,
        scenario_version: body.scenario_version,
        simulated: stored.simulated,
        source: body.source,
        start_at: second(stored.start_at),
        stop_at: second(stored.stop_at),
        uuid: uuid(stored.created_at, stored.id),
    }
}

fn own<'a>(decision: &'a Followed, events_count: u64, story: Option<&str>) -> Shown<'a> {
    let story = story.and_then(Story::read).unwrap_or_default();
    let at = |text: &str| Time::from_rfc3339(text).unwrap_or(decision.created_at);
    let (start_at, stop_at) = (at(&story.first_at), at(&story.last_at));
    let (scope, value) = (scope(decision), value(decision).into_owned());
    let only = |wanted: &str| if scope == wanted { value.clone() } else { String::new() };
    let message = match (&*story.message, decision.origin) {
        ("", Origin::Scenario) => format!("{scope} {value}: {}", decision.reason),
        ("", Origin::Manual) => decision.reason.clone(),
        ("", Origin::List) => format!("on the list {}", decision.reason),
        ("", Origin::Remote) => format!("banned by {}", decision.reason),
        (message, _) => message.to_owned(),
    };
    let event = |line: Line| PushedEvent {
        timestamp: plain(line.at),
        meta: vec![Entry { key: "line".to_owned(), value: line.text }],
    };
    let entry = |key: &str, value: String| Entry { key: key.to_owned(), value };
    let reported = (!story.machine.is_empty()).then(|| entry("machine", story.machine));
    Shown {
        capacity: story.bucket.capacity,
        created_at: second(decision.created_at),
        decisions: None,
        events: story.lines.into_iter().map(event).collect(),
        events_count: i64::try_from(events_count).unwrap_or(i64::MAX),
        id: decision.id,
        kind: own_kind(decision),
        labels: None,
        leakspeed: leakspeed(story.bucket.leak_seconds),
        machine_id: OURS,
        message,
        meta: reported.into_iter().collect(),
        remediation: true,
        scenario: scenario(decision),
        scenario_hash: String::new(),
        scenario_version: String::new(),
        simulated: decision.is_observed(),
        source: PushedSource {
            ip: only("Ip"),
            range: only("Range"),
            scope: scope.to_owned(),
            value: value.clone(),
            ..PushedSource::default()
        },
        start_at: second(start_at),
        stop_at: second(stop_at),
        uuid: uuid(decision.created_at, decision.id),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a cast beyond the range gives its end")]
fn leakspeed(seconds: f64) -> String {
    match (seconds * 1_000_000_000.0) as i64 {
        0 => "0".to_owned(),
        nanos => duration_text(nanos),
    }
}

/// An instant without its fraction.
fn second(at: Time) -> String {
    Time::from_seconds(at.seconds()).rfc3339()
}

/// An event's time as alerts show it; what is no time stays as it is.
fn plain(text: String) -> String {
    match Time::from_rfc3339(&text) {
        Some(at) => at.plain(),
        None => text,
    }
}

#[cfg(test)]
mod tests;
