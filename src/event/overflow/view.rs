//! An overflow lent to expressions: `evt.Overflow`, its alerts, its sources.
//!
//! Field names are those that rules are written with. The value and the scope of a source live in
//! cells, because a postoverflow rule may rewrite them; the source of an alert and the entry of
//! `Sources` it stands for are one object, so a rewrite shows in both. The owned [`Overflow`] is
//! changed afterwards, by [`Overflow::apply`].

mod shapes;

use std::cell::{Cell, OnceCell};

use super::{Alert, AlertEvent, Overflow, Source};
use crate::value::{Arena, Fault, Map, Object, Shape, Type, Value, duration_text};

pub use shapes::{ALERT, ALERT_EVENT, META, OVERFLOW, SOURCE};

/// What a postoverflow rule may write in an overflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OverflowField {
    /// `evt.Overflow.Alert.Source.Value`.
    SourceValue,
    /// `evt.Overflow.Alert.Source.Scope`.
    SourceScope,
}

impl OverflowField {
    /// The field that `path` names, without the leading `evt.Overflow.`.
    #[must_use]
    pub fn at(path: &str) -> Option<Self> {
        match path {
            "Alert.Source.Value" => Some(Self::SourceValue),
            "Alert.Source.Scope" => Some(Self::SourceScope),
            _ => None,
        }
    }
}

/// What rules rewrote in an overflow, to be brought into the owned one by [`Overflow::apply`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rewrite {
    /// Whether a rule allowlisted it.
    pub allowlisted: bool,
    /// Scope and value of the first source, when a rule wrote either.
    pub source: Option<(String, String)>,
}

/// An overflow lent to expressions.
pub struct View<'a> {
    state: &'a State<'a>,
}

struct State<'a> {
    arena: &'a Arena,
    overflow: &'a Overflow,
    allowlisted: Cell<bool>,
    rewritten: Cell<bool>,
    sources: &'a [SourceView<'a>],
    alerts: OnceCell<&'a [Value<'a>]>,
    events: OnceCell<&'a [Value<'a>]>,
}

/// One source; the same object in `Sources` and in the alert that names it.
struct SourceView<'a> {
    arena: &'a Arena,
    source: &'a Source,
    scope: Cell<&'a str>,
    value: Cell<&'a str>,
}

/// The alert as it stands for one of the sources.
struct AlertView<'a> {
    state: &'a State<'a>,
    alert: &'a Alert,
    source: &'a SourceView<'a>,
}

struct AlertEventView<'a> {
    arena: &'a Arena,
    event: &'a AlertEvent,
}

struct MetaView<'a> {
    key: &'a str,
    value: &'a str,
}

struct SourceMap<'a> {
    state: &'a State<'a>,
}

impl<'a> View<'a> {
    /// `overflow`, lent for as long as `arena` lives.
    #[must_use]
    pub fn new(arena: &'a Arena, overflow: &'a Overflow) -> &'a Self {
        let sources: Vec<_> =
            overflow.sources.iter().map(|(_, source)| SourceView::new(arena, source)).collect();
        let state = arena.alloc(State {
            arena,
            overflow,
            allowlisted: Cell::new(overflow.allowlisted),
            rewritten: Cell::new(false),
            sources: arena.alloc_slice_fill_iter(sources),
            alerts: OnceCell::new(),
            events: OnceCell::new(),
        });
        arena.alloc(Self { state })
    }

    /// What `evt.Overflow` is on a log event: no sources and no alert.
    #[must_use]
    pub fn none(arena: &'a Arena) -> &'a Self {
        Self::new(arena, arena.alloc(Overflow::none()))
    }

    /// The overflow as it was when it was lent.
    #[must_use]
    pub fn overflow(&self) -> &'a Overflow {
        self.state.overflow
    }

    /// `evt.Overflow.Whitelisted`.
    #[must_use]
    pub fn allowlisted(&self) -> bool {
        self.state.allowlisted.get()
    }

    /// Marks it as allowlisted.
    pub fn allow(&self) {
        self.state.allowlisted.set(true);
    }

    /// Writes a field; false when there is no source to write to.
    pub fn set(&self, field: OverflowField, text: &'a str) -> bool {
        let Some(source) = self.state.first() else { return false };
        match field {
            OverflowField::SourceValue => source.value.set(text),
            OverflowField::SourceScope => source.scope.set(text),
        }
        self.state.rewritten.set(true);
        true
    }

    /// What rules wrote since the overflow was lent.
    #[must_use]
    pub fn rewrite(&self) -> Rewrite {
        let source = self.state.first().filter(|_| self.state.rewritten.get());
        Rewrite {
            allowlisted: self.allowlisted(),
            source: source.map(|source| (source.scope.get().into(), source.value.get().into())),
        }
    }

    /// The keys of `Sources`, in the order in which they were found.
    pub fn source_keys(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.state.overflow.sources.iter().map(|(key, _)| key.as_str())
    }

    /// `evt.GetMeta(key)` of an overflow event: the first text of that key among the alert's
    /// events that is not empty, else `""`.
    #[must_use]
    pub fn meta(&self, key: &str) -> &'a str {
        let events = self.state.alert().map_or(&[][..], |alert| &alert.events);
        let mut texts = events.iter().filter_map(|event| event.get(key));
        texts.find(|text| !text.is_empty()).unwrap_or_default()
    }
}

impl<'a> State<'a> {
    /// The alert; without a source there is none to speak of.
    fn alert(&self) -> Option<&'a Alert> {
        self.overflow.alert.as_ref().filter(|_| !self.sources.is_empty())
    }

    /// The source that `Alert.Source` is.
    fn first(&self) -> Option<&'a SourceView<'a>> {
        self.alert().and(self.sources.first())
    }

    fn alerts(&'a self) -> &'a [Value<'a>] {
        self.alerts.get_or_init(|| {
            let Some(alert) = self.alert() else { return &[] };
            list(self.arena, self.sources, |source| {
                Value::Object(self.arena.alloc(AlertView { state: self, alert, source }))
            })
        })
    }

    fn events(&'a self, alert: &'a Alert) -> &'a [Value<'a>] {
        self.events.get_or_init(|| {
            list(self.arena, &alert.events, |event| {
                Value::Object(self.arena.alloc(AlertEventView { arena: self.arena, event }))
            })
        })
    }
}

impl<'a> Object<'a> for View<'a> {
    fn shape(&self) -> &'static Shape {
        &OVERFLOW
    }

    fn field(&self, index: usize) -> Value<'a> {
        match index {
            shapes::ALERT_AT => self.state.alerts().first().copied().unwrap_or(Value::Nil),
            _ => OVERFLOW.fields.get(index).map_or(Value::Nil, |(name, _)| self.named(name)),
        }
    }

    fn named(&self, name: &str) -> Value<'a> {
        let state = self.state;
        match name {
            "Mapkey" => Value::Text(state.overflow.key.as_str()),
            "BucketId" => Value::Text(""),
            "Whitelisted" => Value::Bool(state.allowlisted.get()),
            "Reprocess" => Value::Bool(state.overflow.reprocess),
            "Sources" => Value::Map(state.arena.alloc(SourceMap { state })),
            "Alert" => state.alerts().first().copied().unwrap_or(Value::Nil),
            "APIAlerts" => Value::List(state.alerts()),
            _ => Value::Nil,
        }
    }

    fn call_named(
        &self,
        name: &str,
        arguments: &[Value<'a>],
        arena: &'a Arena,
    ) -> Result<Value<'a>, Fault> {
        match name {
            "GetSources" => {
                let keys = &self.state.overflow.sources;
                Ok(Value::List(list(arena, keys, |(key, _)| Value::Text(key))))
            }
            _ => Err(OVERFLOW.misfit(name, arguments)),
        }
    }
}

impl<'a> Object<'a> for AlertView<'a> {
    fn shape(&self) -> &'static Shape {
        &ALERT
    }

    fn field(&self, index: usize) -> Value<'a> {
        match index {
            shapes::SOURCE_AT => Value::Object(self.source),
            _ => ALERT.fields.get(index).map_or(Value::Nil, |(name, _)| self.named(name)),
        }
    }

    fn named(&self, name: &str) -> Value<'a> {
        let (alert, arena) = (self.alert, self.state.arena);
        match name {
            "Capacity" => Value::Int(alert.capacity),
            "EventsCount" => Value::Int(alert.events_count),
            "ID" => Value::Int(0),
            "Kind" => Value::Text("crowdsec"),
            "Decisions" | "Labels" => Value::List(&[]),
            "Events" => Value::List(self.state.events(alert)),
            "Leakspeed" => Value::Text(arena.alloc_str(&duration_text(alert.leakspeed))),
            "Message" => Value::Text(&alert.message),
            "Scenario" => Value::Text(&alert.scenario),
            "StartAt" => Value::Text(arena.alloc_str(&alert.start_at.rfc3339())),
            "StopAt" => Value::Text(arena.alloc_str(&alert.stop_at.rfc3339())),
            "Meta" => Value::List(metas(arena, &alert.meta)),
            "Remediation" => Value::Bool(alert.remediation),
            "Simulated" => Value::Bool(alert.simulated),
            "Source" => Value::Object(self.source),
            // Identities that only a central server would give.
            "CreatedAt" | "MachineID" | "UUID" | "ScenarioHash" | "ScenarioVersion" => {
                Value::Text("")
            }
            _ => Value::Nil,
        }
    }

    fn call_named(
        &self,
        name: &str,
        arguments: &[Value<'a>],
        _: &'a Arena,
    ) -> Result<Value<'a>, Fault> {
        match name {
            "GetScope" => Ok(Value::Text(self.source.scope.get())),
            "GetValue" => Ok(Value::Text(self.source.value.get())),
            "GetScenario" => Ok(Value::Text(&self.alert.scenario)),
            "GetEventsCount" => Ok(Value::Int(self.alert.events_count)),
            "GetMeta" => {
                Ok(Value::Text(find(&self.alert.meta, key_of(arguments)?).unwrap_or_default()))
            }
            _ => Err(ALERT.misfit(name, arguments)),
        }
    }
}

impl<'a> Object<'a> for AlertEventView<'a> {
    fn shape(&self) -> &'static Shape {
        &ALERT_EVENT
    }

    fn named(&self, name: &str) -> Value<'a> {
        match name {
            "Meta" => Value::List(metas(self.arena, self.event.meta())),
            "Timestamp" => Value::Text(self.event.timestamp()),
            _ => Value::Nil,
        }
    }

    fn call_named(
        &self,
        name: &str,
        arguments: &[Value<'a>],
        _: &'a Arena,
    ) -> Result<Value<'a>, Fault> {
        match name {
            "GetMeta" => Ok(Value::Text(self.event.get(key_of(arguments)?).unwrap_or_default())),
            _ => Err(ALERT_EVENT.misfit(name, arguments)),
        }
    }
}

impl<'a> SourceView<'a> {
    fn new(arena: &'a Arena, source: &'a Source) -> Self {
        Self { arena, source, scope: Cell::new(&source.scope), value: Cell::new(&source.value) }
    }
}

impl<'a> Object<'a> for SourceView<'a> {
    fn shape(&self) -> &'static Shape {
        &SOURCE
    }

    fn field(&self, index: usize) -> Value<'a> {
        match index {
            shapes::IP_AT => Value::Text(&self.source.ip),
            _ => SOURCE.fields.get(index).map_or(Value::Nil, |(name, _)| self.named(name)),
        }
    }

    fn named(&self, name: &str) -> Value<'a> {
        let source = self.source;
        match name {
            "AsName" => Value::Text(&source.as_name),
            "AsNumber" => Value::Text(&source.as_number),
            "Cn" => Value::Text(&source.country),
            "IP" => Value::Text(&source.ip),
            "Range" => Value::Text(&source.range),
            "Latitude" => Value::Float(f64::from(source.latitude)),
            "Longitude" => Value::Float(f64::from(source.longitude)),
            "Scope" => Value::Text(self.scope.get()),
            "Value" => Value::Text(self.value.get()),
            _ => Value::Nil,
        }
    }

    fn call_named(
        &self,
        name: &str,
        arguments: &[Value<'a>],
        _: &'a Arena,
    ) -> Result<Value<'a>, Fault> {
        match name {
            "GetScope" => Ok(Value::Text(self.scope.get())),
            "GetValue" => Ok(Value::Text(self.value.get())),
            "GetAsNumberName" => {
                let number = Some(self.source.as_number.as_str()).filter(|number| *number != "0");
                let parts = [number, Some(self.source.as_name.as_str())];
                let parts = parts.into_iter().flatten().filter(|part| !part.is_empty());
                let joined = parts.collect::<Vec<_>>().join(" ");
                Ok(Value::Text(self.arena.alloc_str(&joined)))
            }
            _ => Err(SOURCE.misfit(name, arguments)),
        }
    }
}

impl<'a> Object<'a> for MetaView<'a> {
    fn shape(&self) -> &'static Shape {
        &META
    }

    fn named(&self, name: &str) -> Value<'a> {
        match name {
            "Key" => Value::Text(self.key),
            "Value" => Value::Text(self.value),
            _ => Value::Nil,
        }
    }
}

impl<'a> Map<'a> for SourceMap<'a> {
    fn element(&self) -> Type {
        Type::Object(&SOURCE)
    }

    fn get(&self, key: &str) -> Option<Value<'a>> {
        let state = self.state;
        let index = state.overflow.sources.iter().position(|(known, _)| known == key)?;
        state.sources.get(index).map(|source| -> Value<'a> { Value::Object(source) })
    }

    /// A source that says nothing: `Sources["nobody"].IP` is `""`, not a fault.
    fn missing(&self) -> Value<'a> {
        let arena = self.state.arena;
        Value::Object(arena.alloc(SourceView::new(arena, arena.alloc(Source::default()))))
    }

    fn set(&self, _: &'a str, _: Value<'a>) -> bool {
        false
    }

    fn each(&self, each: &mut dyn FnMut(&'a str, Value<'a>)) {
        for ((key, _), source) in self.state.overflow.sources.iter().zip(self.state.sources) {
            each(key, Value::Object(source));
        }
    }
}

fn list<'a, T>(
    arena: &'a Arena,
    items: &'a [T],
    show: impl FnMut(&'a T) -> Value<'a>,
) -> &'a [Value<'a>] {
    // Collected first: showing an item allocates in the same arena.
    let shown: Vec<_> = items.iter().map(show).collect();
    arena.alloc_slice_copy(&shown)
}

fn metas<'a>(arena: &'a Arena, entries: &'a [(String, String)]) -> &'a [Value<'a>] {
    list(arena, entries, |(key, value)| Value::Object(arena.alloc(MetaView { key, value })))
}

fn find<'a>(entries: &'a [(String, String)], key: &str) -> Option<&'a str> {
    entries.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str())
}

fn key_of<'a>(arguments: &[Value<'a>]) -> Result<&'a str, Fault> {
    let found = arguments.first().copied().unwrap_or(Value::Nil);
    found.as_text().ok_or_else(|| Fault::new(format!("expected a string, found {}", found.kind())))
}

#[cfg(test)]
mod tests;
