//! The overflow of a bucket: who did what, how often, between when.

mod key;
mod view;

use std::sync::{Arc, OnceLock};

use super::{Event, Kind, Mode, Snapshot, Trust};
use crate::value::{Arena, Names, Section, Time};

pub use key::ShownKey;
pub use view::{ALERT, ALERT_EVENT, META, OVERFLOW, OverflowField, Rewrite, SOURCE, View};

/// Somebody who made a bucket overflow.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Source {
    /// `Ip`, `Range`, or a name of the scenario's own (`Country`, `AS`, ...).
    pub scope: String,
    /// What is to be banned: an address, a prefix, or any other text.
    pub value: String,
    /// The address as the log had it; empty for scopes other than `Ip` and `Range`.
    pub ip: String,
    /// The network of the address, if enrichment found one.
    pub range: String,
    /// The name of the autonomous system.
    pub as_name: String,
    /// The number of the autonomous system.
    pub as_number: String,
    /// The ISO code of the country.
    pub country: String,
    /// Degrees north; 0 when unknown.
    pub latitude: f32,
    /// Degrees east; 0 when unknown.
    pub longitude: f32,
}

/// One event as an alert keeps it.
///
/// Of most overflows nobody asks more than who did it: what the event says is written out when it
/// is first asked for.
#[derive(Clone, Debug)]
pub struct AlertEvent {
    event: Option<(Arc<Snapshot>, Arc<Names>)>,
    told: OnceLock<Told>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Told {
    meta: Vec<(String, String)>,
    timestamp: String,
}

/// What a scenario says of one overflow.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert {
    /// The scenario's name.
    pub scenario: Arc<str>,
    /// One sentence for people.
    pub message: String,
    /// The bucket's capacity; 0 for a trigger, -1 for no limit.
    pub capacity: i64,
    /// The time in which one event leaks away, in nanoseconds.
    pub leakspeed: i64,
    /// How many events were poured.
    pub events_count: i64,
    /// The first event.
    pub start_at: Time,
    /// The overflow.
    pub stop_at: Time,
    /// The last events, oldest first.
    pub events: Vec<AlertEvent>,
    /// The context that the rules ask for.
    pub meta: Vec<(String, String)>,
    /// Whether the scenario only simulates.
    pub simulated: bool,
    /// Whether the scenario asks for a remedy (`labels.remediation: true`).
    pub remediation: bool,
    /// How easily its sources are forged, as the rule says (`labels.spoofable`): 0 to 3.
    pub spoofable: u8,
    /// The machine that reported it; `None` when it was seen here.
    pub machine: Option<Arc<str>>,
}

/// The overflow of a bucket.
#[derive(Clone, Debug, PartialEq)]
pub struct Overflow {
    /// The bucket's key.
    pub key: ShownKey,
    /// Who did it, by the value that the bucket was grouped on.
    pub sources: Vec<(String, Source)>,
    /// What happened; the same for all sources. `None` when no source could be made out.
    pub alert: Option<Alert>,
    /// Whether a postoverflow rule allowlisted it.
    pub allowlisted: bool,
    /// Whether it is poured into the scenarios again.
    pub reprocess: bool,
    /// The most that may follow from the lines that made it.
    pub trust: Trust,
}

impl AlertEvent {
    /// An event of this `Meta`, sorted by key, and this time, RFC 3339.
    #[must_use]
    pub fn new(meta: Vec<(String, String)>, timestamp: String) -> Self {
        Self { event: None, told: Told { meta, timestamp }.into() }
    }

    /// The event that a bucket kept. `names` must be those that it was made with.
    #[must_use]
    pub fn of(event: Arc<Snapshot>, names: Arc<Names>) -> Self {
        Self { event: Some((event, names)), told: OnceLock::new() }
    }

    /// The event's `Meta`, sorted by key.
    #[must_use]
    pub fn meta(&self) -> &[(String, String)] {
        &self.told().meta
    }

    /// When it happened, RFC 3339.
    #[must_use]
    pub fn timestamp(&self) -> &str {
        &self.told().timestamp
    }

    /// The line as it was received, as much as was kept of it, and whether it was longer; of an
    /// overflow its message. Empty where nothing was kept.
    #[must_use]
    pub fn line(&self) -> (&str, bool) {
        let Some((event, _)) = &self.event else { return ("", false) };
        match event.overflow().and_then(|overflow| overflow.alert.as_ref()) {
            Some(alert) => (&alert.message, false),
            None => event.line(),
        }
    }

    /// When the line arrived, where that is known.
    #[must_use]
    pub fn received_at(&self) -> Option<Time> {
        self.event.as_ref().map(|(event, _)| event.received_at)
    }

    /// The text of `key`, or `None` when the event had no such field.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        // Not all is written out for the sake of one text.
        if let (None, Some((event, names))) = (self.told.get(), &self.event) {
            return event.get_named(names, Section::Meta, key);
        }
        self.meta().iter().find(|(known, _)| known == key).map(|(_, text)| text.as_str())
    }

    fn told(&self) -> &Told {
        self.told.get_or_init(|| {
            let (event, names) = self.event.as_ref().expect("what was not kept was given");
            let mut meta = Vec::new();
            event.each_field(names, Section::Meta, &mut |key, text| {
                meta.push((key.to_owned(), text.to_owned()));
            });
            meta.sort_unstable();
            let timestamp = match event.marshaled_time() {
                "" => event.time.rfc3339(),
                written => written.to_owned(),
            };
            Told { meta, timestamp }
        })
    }
}

impl PartialEq for AlertEvent {
    fn eq(&self, other: &Self) -> bool {
        self.told() == other.told()
    }
}

/// The event of an overflow, as postoverflow rules and, if it is poured again, scenarios see it:
/// no text fields, live, dated by the overflow.
pub fn of_overflow<'a>(
    arena: &'a Arena,
    names: &'a Names,
    overflow: &'a Overflow,
    now: Time,
) -> &'a Event<'a> {
    let event = Event::new(arena, names, Kind::Overflow, Mode::Live, now);
    event.overflow.set(Some(View::new(arena, overflow)));
    event.trust.set(overflow.trust);
    if let Some(alert) = &overflow.alert {
        event.marshaled_time.set(arena.alloc_str(&alert.stop_at.rfc3339()));
    }
    event
}

impl Overflow {
    /// No sources and no alert.
    #[must_use]
    pub fn none() -> Self {
        Self {
            key: ShownKey::default(),
            sources: Vec::new(),
            alert: None,
            allowlisted: false,
            reprocess: false,
            trust: Trust::FULL,
        }
    }

    /// Brings in what rules wrote while it was lent to them. The keys of the sources stay.
    pub fn apply(&mut self, rewrite: Rewrite) {
        self.allowlisted = rewrite.allowlisted;
        if let (Some((scope, value)), Some((_, source))) =
            (rewrite.source, self.sources.first_mut())
        {
            source.scope = scope;
            source.value = value;
        }
    }
}
