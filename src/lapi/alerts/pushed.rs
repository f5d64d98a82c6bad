//! What a machine pushes: decoded, checked, bounded. Pure.
//!
//! Hostile: whoever has a machine's password may send anything. Lists end somewhere, texts are cut,
//! and of one alert no more is kept than [`MOST_TOLD`] bytes of its events.

use std::collections::VecDeque;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeSeed, Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

use crate::decision::usual_scope;
use crate::value::{Time, parse_duration_with_days};

/// Alerts of one request.
const MOST_ALERTS: usize = 5_000;
/// Decisions of all alerts of one request.
const MOST_DECISIONS: usize = 50_000;
/// Events that are kept of an alert: the newest.
const MOST_EVENTS: usize = 100;
/// Entries that are kept of an event, or of what an alert says beside its events.
const MOST_ENTRIES: usize = 64;
/// Bytes that are kept of the events of an alert.
const MOST_TOLD: usize = 16 * 1024;
/// Bytes that are kept of a name, and of a sentence.
const LONGEST_NAME: usize = 255;
const LONGEST_TEXT: usize = 1_024;

/// An alert.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Pushed {
    /// The scenario's name, or why somebody asked for it.
    pub scenario: String,
    /// Which version of it, in two ways.
    pub scenario_hash: String,
    /// See there.
    pub scenario_version: String,
    /// One sentence about what happened.
    pub message: String,
    /// How many events led to it.
    pub events_count: i32,
    /// The bucket's size.
    pub capacity: i32,
    /// How fast it leaks, as the machine writes it.
    pub leakspeed: String,
    /// The first event; `None` where that is not understood.
    #[serde(skip)]
    pub start_at: Option<Time>,
    /// The last event.
    #[serde(skip)]
    pub stop_at: Option<Time>,
    /// Whether nobody is to be banned for it.
    #[serde(skip)]
    pub simulated: bool,
    /// Whether it is to be answered with something.
    pub remediation: bool,
    /// What kind of program made it.
    #[serde(skip)]
    pub kind: String,
    /// Whom it blames.
    pub source: PushedSource,
    /// The newest events, oldest first.
    pub events: Vec<PushedEvent>,
    /// What else there is to say.
    pub meta: Vec<Entry>,
    /// Words of its own.
    pub labels: Vec<String>,
    /// What somebody on the machine asked for.
    #[serde(skip)]
    pub decisions: Vec<PushedDecision>,
}

/// Whom an alert blames.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PushedSource {
    /// What the value is: `Ip`, `Range`, or anything.
    pub scope: String,
    /// Whom.
    pub value: String,
    /// The address.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub ip: String,
    /// Its network.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub range: String,
    /// The number of its autonomous system.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub as_number: String,
    /// Its name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub as_name: String,
    /// The country.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub cn: String,
    /// Degrees north.
    #[serde(skip_serializing_if = "is_zero")]
    pub latitude: f32,
    /// Degrees east.
    #[serde(skip_serializing_if = "is_zero")]
    pub longitude: f32,
}

/// An event of an alert.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PushedEvent {
    /// When it happened, as the machine writes it.
    pub timestamp: String,
    /// What it says.
    pub meta: Vec<Entry>,
}

/// A name and a text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Entry {
    /// The name.
    pub key: String,
    /// The text.
    pub value: String,
}

/// What somebody on the machine asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushedDecision {
    /// What is to be done: `ban`, or something that bouncers know.
    pub kind: String,
    /// What the value is.
    pub scope: String,
    /// Whom.
    pub value: String,
    /// Why.
    pub scenario: String,
    /// For how many nanoseconds from the alert's last event on.
    pub duration: i64,
}

/// Why a body is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unfit {
    /// It cannot be read.
    #[error("expected a list of alerts: {0}")]
    Undecodable(String),
    /// Something is missing, or makes no sense.
    #[error("alert {number}: {why}")]
    Alert {
        /// Which, from 1.
        number: usize,
        /// What.
        why: String,
    },
}

fn is_zero(number: &f32) -> bool {
    *number == 0.0
}

/// Reads a body.
///
/// # Errors
/// [`Unfit`]; then nothing of it is taken.
pub(crate) fn read(body: &[u8]) -> Result<Vec<Pushed>, Unfit> {
    let mut taking = Taking::default();
    let mut decoder = serde_json::Deserializer::from_slice(body);
    let read = (&mut taking).deserialize(&mut decoder).and_then(|()| decoder.end());
    match (taking.unfit, read) {
        (Some(unfit), _) => Err(unfit),
        (None, Err(error)) => Err(Unfit::Undecodable(error.to_string())),
        (None, Ok(())) => Ok(taking.taken),
    }
}

/// Takes one alert after the other, so that no more than one of them is in memory as it was written.
#[derive(Default)]
struct Taking {
    taken: Vec<Pushed>,
    n_decisions: usize,
    unfit: Option<Unfit>,
}

impl<'de> DeserializeSeed<'de> for &mut Taking {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &mut Taking {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of alerts")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut alerts: A) -> Result<(), A::Error> {
        use serde::de::Error as _;
        while let Some(typed) = alerts.next_element::<Typed>()? {
            let number = self.taken.len() + 1;
            let most = MOST_DECISIONS - self.n_decisions;
            let taken = match number > MOST_ALERTS {
                true => Err(format!("expected at most {MOST_ALERTS} alerts at once")),
                false => typed.check(most),
            };
            match taken {
                Ok(taken) => {
                    self.n_decisions += taken.decisions.len();
                    self.taken.push(taken);
                }
                Err(why) => {
                    self.unfit = Some(Unfit::Alert { number, why });
                    return Err(A::Error::custom("it is not taken"));
                }
            }
        }
        Ok(())
    }
}

/// A list of which the last `N` entries are kept.
#[derive(Debug)]
struct Last<T, const N: usize> {
    kept: VecDeque<T>,
    count: usize,
}

impl<T, const N: usize> Default for Last<T, N> {
    fn default() -> Self {
        Self { kept: VecDeque::new(), count: 0 }
    }
}

impl<'de, T: Deserialize<'de>, const N: usize> Deserialize<'de> for Last<T, N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keeping<T, const N: usize>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>, const N: usize> Visitor<'de> for Keeping<T, N> {
            type Value = Last<T, N>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut last = Last::default();
                while let Some(entry) = list.next_element()? {
                    if last.kept.len() == N {
                        last.kept.pop_front();
                    }
                    last.kept.push_back(entry);
                    last.count += 1;
                }
                Ok(last)
            }
        }
        deserializer.deserialize_seq(Keeping(PhantomData))
    }
}

/// An alert as it is written: what is missing is found when it is checked.
#[derive(Deserialize)]
struct Typed {
    scenario: Option<String>,
    scenario_hash: Option<String>,
    scenario_version: Option<String>,
    message: Option<String>,
    events_count: Option<i32>,
    start_at: Option<String>,
    stop_at: Option<String>,
    capacity: Option<i32>,
    leakspeed: Option<String>,
    simulated: Option<bool>,
    events: Option<Last<Option<TypedEvent>, MOST_EVENTS>>,
    source: Option<TypedSource>,
    remediation: Option<bool>,
    kind: Option<String>,
    meta: Option<Last<Option<TypedEntry>, MOST_ENTRIES>>,
    labels: Option<Last<Option<String>, MOST_ENTRIES>>,
    // One more than there may be, so that it shows.
    decisions: Option<Last<Option<TypedDecision>, { MOST_DECISIONS + 1 }>>,
}

#[derive(Deserialize)]
struct TypedEvent {
    timestamp: Option<String>,
    meta: Option<Last<Option<TypedEntry>, MOST_ENTRIES>>,
}

#[derive(Deserialize)]
struct TypedEntry {
    key: Option<String>,
    value: Option<String>,
}

#[derive(Deserialize)]
struct TypedSource {
    scope: Option<String>,
    value: Option<String>,
    ip: Option<String>,
    range: Option<String>,
    as_number: Option<String>,
    as_name: Option<String>,
    cn: Option<String>,
    latitude: Option<f32>,
    longitude: Option<f32>,
}

#[derive(Deserialize)]
struct TypedDecision {
    #[serde(rename = "type")]
    kind: Option<String>,
    scope: Option<String>,
    value: Option<String>,
    duration: Option<String>,
    scenario: Option<String>,
    origin: Option<String>,
}

impl Typed {
    fn check(self, most_decisions: usize) -> Result<Pushed, String> {
        let name =
            |text: Option<String>, field| needed(text, field).map(|text| cut(text, LONGEST_NAME));
        let at =
            |text: Option<String>, field| needed(text, field).map(|text| Time::from_rfc3339(&text));
        let source = needed(self.source, "source")?;
        let scope = needed(source.scope, "source.scope")?;
        let other = |text: Option<String>| cut(text.unwrap_or_default(), LONGEST_NAME);
        let decisions = self.decisions.unwrap_or_default();
        if decisions.count > most_decisions {
            return Err(format!("expected at most {MOST_DECISIONS} decisions at once"));
        }
        let decisions = decisions.kept.into_iter().map(|decision| match decision {
            Some(decision) => decision.check(),
            None => Err("expected decisions, found null".to_owned()),
        });
        Ok(Pushed {
            scenario: name(self.scenario, "scenario")?,
            scenario_hash: name(self.scenario_hash, "scenario_hash")?,
            scenario_version: name(self.scenario_version, "scenario_version")?,
            message: cut(needed(self.message, "message")?, LONGEST_TEXT),
            events_count: needed(self.events_count, "events_count")?,
            capacity: needed(self.capacity, "capacity")?,
            leakspeed: name(self.leakspeed, "leakspeed")?,
            start_at: at(self.start_at, "start_at")?,
            stop_at: at(self.stop_at, "stop_at")?,
            simulated: needed(self.simulated, "simulated")?,
            remediation: self.remediation.unwrap_or(false),
            kind: other(self.kind),
            source: PushedSource {
                scope: cut(usual_scope(&scope).to_owned(), LONGEST_NAME),
                value: name(source.value, "source.value")?,
                ip: other(source.ip),
                range: other(source.range),
                as_number: other(source.as_number),
                as_name: other(source.as_name),
                cn: other(source.cn),
                latitude: source.latitude.unwrap_or(0.0),
                longitude: source.longitude.unwrap_or(0.0),
            },
            events: events(needed(self.events, "events")?),
            meta: entries(self.meta),
            labels: {
                let labels = self.labels.unwrap_or_default().kept.into_iter();
                labels.flatten().map(|label| cut(label, LONGEST_NAME)).collect()
            },
            decisions: decisions.collect::<Result<_, _>>()?,
        })
    }
}

impl TypedDecision {
    fn check(self) -> Result<PushedDecision, String> {
        let name =
            |text: Option<String>, field| needed(text, field).map(|text| cut(text, LONGEST_NAME));
        let duration = needed(self.duration, "duration of a decision")?;
        needed(self.origin, "origin of a decision")?;
        let nanos = parse_duration_with_days(&duration).ok_or_else(|| {
            let found = cut(duration, 40);
            format!("expected a duration such as `4h` or `7d`, found `{}`", found.escape_debug())
        })?;
        let scope = name(self.scope, "scope of a decision")?;
        Ok(PushedDecision {
            kind: name(self.kind, "type of a decision")?,
            scope: usual_scope(&scope).to_owned(),
            value: name(self.value, "value of a decision")?,
            scenario: name(self.scenario, "scenario of a decision")?,
            duration: nanos,
        })
    }
}

fn needed<T>(found: Option<T>, field: &str) -> Result<T, String> {
    found.ok_or_else(|| format!("expected `{field}`, found nothing"))
}

/// The newest events that are not too much together.
fn events(typed: Last<Option<TypedEvent>, MOST_EVENTS>) -> Vec<PushedEvent> {
    let mut room = MOST_TOLD;
    let mut kept = Vec::new();
    for event in typed.kept.into_iter().rev().flatten() {
        let event = PushedEvent {
            timestamp: cut(event.timestamp.unwrap_or_default(), LONGEST_NAME),
            meta: entries(event.meta),
        };
        let texts = event.meta.iter().map(|entry| entry.key.len() + entry.value.len() + 24);
        let size = event.timestamp.len() + 32 + texts.sum::<usize>();
        let Some(left) = room.checked_sub(size) else { break };
        room = left;
        kept.push(event);
    }
    kept.reverse();
    kept
}

fn entries(typed: Option<Last<Option<TypedEntry>, MOST_ENTRIES>>) -> Vec<Entry> {
    let typed = typed.unwrap_or_default().kept.into_iter().flatten();
    let mut room = MOST_TOLD;
    let entries = typed.map(|entry| Entry {
        key: cut(entry.key.unwrap_or_default(), LONGEST_NAME),
        value: cut(entry.value.unwrap_or_default(), LONGEST_TEXT),
    });
    let fits = |entry: &Entry| {
        room = room.saturating_sub(entry.key.len() + entry.value.len() + 24);
        room > 0
    };
    entries.take_while(fits).collect()
}

fn cut(mut text: String, longest: usize) -> String {
    text.truncate(text.floor_char_boundary(longest.min(text.len())));
    text
}

#[cfg(test)]
mod tests;
