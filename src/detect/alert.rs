//! What an overflow says: who did it, and what happened.

use std::sync::Arc;

use super::bucket::Bucket;
use super::context::{Collector, Contexts};
use super::expression::{Expression, Variables};
use super::scenario::{Scenario, Scope};
use crate::event::{Alert, AlertEvent, Event, Kind, Snapshot, Source};
use crate::expr::World;
use crate::value::{Arena, Fault, Names, Section, Slot, Time, duration_text, parse_address};

/// The fields of an event that say who it is about.
#[derive(Clone, Copy, Debug)]
pub(super) struct SourceFields {
    ip: Option<Slot>,
    range: Option<Slot>,
    as_number: Option<Slot>,
    asn_number: Option<Slot>,
    as_name: Option<Slot>,
    country: Option<Slot>,
    latitude: Option<Slot>,
    longitude: Option<Slot>,
}

impl SourceFields {
    /// Their names, which must be interned before an event is made.
    pub(super) const NAMES: [(Section, &'static str); 8] = [
        (Section::Meta, "source_ip"),
        (Section::Meta, "SourceRange"),
        (Section::Enriched, "ASNumber"),
        (Section::Enriched, "ASNNumber"),
        (Section::Enriched, "ASNOrg"),
        (Section::Enriched, "IsoCode"),
        (Section::Enriched, "Latitude"),
        (Section::Enriched, "Longitude"),
    ];

    /// Who the event is about.
    pub(super) fn ip(self) -> Option<Slot> {
        self.ip
    }

    /// Their slots. A name that no rule mentions has none, and no event has such a field by slot.
    pub(super) fn find(names: &Names) -> Self {
        let [ip, range, as_number, asn_number, as_name, country, latitude, longitude] =
            Self::NAMES.map(|(section, name)| names.find(section, name));
        Self { ip, range, as_number, asn_number, as_name, country, latitude, longitude }
    }
}

/// What alerts are made with.
#[derive(Clone, Copy)]
pub(super) struct Desk<'a> {
    pub(super) arena: &'a Arena,
    pub(super) names: &'a Arc<Names>,
    pub(super) world: &'a World,
    pub(super) fields: SourceFields,
    pub(super) contexts: &'a Contexts,
}

/// What an overflow says.
pub(super) struct Made {
    /// By their keys.
    pub(super) sources: Vec<(String, Source)>,
    pub(super) alert: Alert,
}

/// Makes the alert of a bucket that overflowed at `overflowed_at`; `None` when nobody is to blame.
///
/// # Errors
/// A fault when an event does not say who it is about.
pub(super) fn make<'a>(
    desk: Desk<'a>,
    scenario: &'a Scenario,
    bucket: &'a Bucket,
    overflowed_at: Time,
) -> Result<Option<Made>, Fault> {
    let mut sources = Vec::new();
    let mut events = Vec::with_capacity(bucket.queue().len());
    let mut collector = Collector::new(desk.contexts);
    let mut kept = bucket.queue().iter();
    let who = |event: Option<&'a Arc<Snapshot>>| event.and_then(|event| who(desk, scenario, event));
    let mut next = kept.next();
    let mut who_is_next = who(next);
    while let Some(event) = next {
        let who_it_is = who_is_next;
        next = kept.next();
        who_is_next = who(next);
        events.push(AlertEvent::of(Arc::clone(event), Arc::clone(desk.names)));
        match event.kind {
            // The source of the next event will be the same: that one counts.
            Kind::Log if who_it_is.is_some() && who_it_is == who_is_next => {}
            Kind::Log => collect(&mut sources, of_log(desk, scenario, event)?),
            Kind::Overflow => {
                for source in of_overflow(desk, scenario, event)? {
                    collect(&mut sources, source);
                }
            }
        }
        if !desk.contexts.is_empty() {
            collector.look(desk, event.lend(desk.arena, desk.names));
        }
    }
    if sources.is_empty() {
        return Ok(None);
    }
    let first = bucket.first().unwrap_or(overflowed_at);
    let last = bucket.last().unwrap_or(overflowed_at);
    let blamed = match sources.as_slice() {
        [(key, _)] => key.clone(),
        several => format!("{} sources", several.len()),
    };
    let message = [
        scenario.scope.name(),
        " ",
        &blamed,
        " performed '",
        &scenario.name,
        "' (",
        &bucket.total().to_string(),
        " events over ",
        &duration_text(overflowed_at.since(first)),
        ") at ",
        &last.plain(),
    ]
    .concat();
    let alert = Alert {
        scenario: scenario.name.clone(),
        message,
        capacity: scenario.capacity,
        leakspeed: scenario.leakspeed,
        events_count: i64::try_from(bucket.total()).unwrap_or(i64::MAX),
        start_at: first,
        stop_at: overflowed_at,
        events,
        meta: collector.finish(),
        simulated: scenario.simulated,
        remediation: scenario.remediation,
        spoofable: scenario.spoofable,
        machine: None,
    };
    Ok(Some(Made { sources, alert }))
}

/// What the source of an event is told from those of others by, if that can be seen without making
/// it.
fn who<'e>(
    desk: Desk<'_>,
    scenario: &Scenario,
    event: &'e Snapshot,
) -> Option<[Option<&'e str>; 2]> {
    let field = |slot: Option<Slot>| slot.and_then(|slot| event.get(slot));
    let can_be_seen = matches!(scenario.scope, Scope::Ip) && event.kind == Kind::Log;
    can_be_seen.then(|| [field(desk.fields.ip), field(desk.fields.range)])
}

/// A later event about the same source knows it better: its enrichment wins.
fn collect(sources: &mut Vec<(String, Source)>, source: Source) {
    match sources.iter_mut().find(|(key, _)| *key == source.value) {
        Some((_, known)) => *known = source,
        None => sources.push((source.value.clone(), source)),
    }
}

fn of_log<'a>(
    desk: Desk<'a>,
    scenario: &'a Scenario,
    event: &'a Snapshot,
) -> Result<Source, Fault> {
    let fields = desk.fields;
    let evaluate = |expression| text_of(desk, expression, event.lend(desk.arena, desk.names));
    let text = |slot: Option<Slot>| slot.and_then(|slot| event.get(slot)).unwrap_or_default();
    let scope = scenario.scope.name().to_owned();
    let expression = match &scenario.scope {
        Scope::Other { value, .. } => {
            return Ok(Source { scope, value: evaluate(value)?, ..Source::default() });
        }
        Scope::Ip => None,
        Scope::Range(expression) => expression.as_ref(),
    };
    let ip = text(fields.ip);
    if parse_address(ip).is_none() {
        return Err(Fault::new(format!("`Meta.source_ip` is no address: `{}`", shortened(ip))));
    }
    let range = match text(fields.range) {
        "" => String::new(),
        range => network(range)?,
    };
    let as_number = match text(fields.as_number) {
        "" => text(fields.asn_number),
        number => number,
    };
    let value = match (&scenario.scope, expression) {
        (Scope::Ip, _) => ip.to_owned(),
        (_, None) => range.clone(),
        (_, Some(expression)) => evaluate(expression)?,
    };
    Ok(Source {
        scope,
        value,
        ip: ip.to_owned(),
        range,
        as_name: text(fields.as_name).to_owned(),
        as_number: as_number.to_owned(),
        country: text(fields.country).to_owned(),
        latitude: text(fields.latitude).parse().unwrap_or(0.0),
        longitude: text(fields.longitude).parse().unwrap_or(0.0),
    })
}

/// The sources of an overflow that is poured again: those of the scenario's own scope, and of a
/// single address its network, if the scenario is about networks.
fn of_overflow<'a>(
    desk: Desk<'a>,
    scenario: &'a Scenario,
    event: &'a Snapshot,
) -> Result<Vec<Source>, Fault> {
    let event = event.lend(desk.arena, desk.names);
    let Some(view) = event.overflow.get() else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for (_, source) in &view.overflow().sources {
        if source.scope == scenario.scope.name() {
            found.push(source.clone());
            continue;
        }
        let (Scope::Range(expression), "Ip") = (&scenario.scope, source.scope.as_str()) else {
            continue;
        };
        let value = match expression {
            None => source.range.clone(),
            Some(expression) => text_of(desk, expression, event)?,
        };
        if !value.is_empty() {
            let scope = scenario.scope.name().to_owned();
            found.push(Source { scope, value, ip: String::new(), ..source.clone() });
        }
    }
    Ok(found)
}

/// What an expression gives for an event; nothing when it is no text.
fn text_of<'a>(
    desk: Desk<'a>,
    expression: &'a Expression,
    event: &'a Event<'a>,
) -> Result<String, Fault> {
    let value = expression.value(&Variables::of_event(event, desk.world))?;
    Ok(value.as_text().unwrap_or_default().to_owned())
}

/// A network in its canonical form, host bits cleared.
fn network(text: &str) -> Result<String, Fault> {
    match text.parse::<ipnet::IpNet>() {
        Ok(network) => Ok(network.trunc().to_string()),
        Err(_) => {
            Err(Fault::new(format!("`Meta.SourceRange` is no network: `{}`", shortened(text))))
        }
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(64).flat_map(char::escape_default).collect()
}
