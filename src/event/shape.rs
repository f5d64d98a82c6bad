//! `evt`: the fields and methods that an event shows to expressions.
//!
//! Names and types are those that rules are written with. Everything of an overflow is shown by
//! [`View`]; requests to web applications are not looked at by this program, so `evt.Appsec` is
//! always empty, but rules that ask for it must load.

use std::net::IpAddr;

use super::{Event, Kind, Mode, OVERFLOW, OverflowView as View};
use crate::value::{
    Arena, Entries, Fault, Map, Method, Names, Object, Section, Shape, Slot, Type, Value,
    parse_address,
};

/// `evt`.
pub static EVENT: Shape = Shape {
    name: "event",
    fields: &[
        ("Type", Type::Int),
        ("ExpectMode", Type::Int),
        ("Whitelisted", Type::Bool),
        ("WhitelistReason", Type::Text),
        ("Stage", Type::Text),
        ("Line", Type::Object(&LINE)),
        ("Parsed", Type::Fields(Section::Parsed)),
        ("Enriched", Type::Fields(Section::Enriched)),
        ("Unmarshaled", Type::Map(&Type::Unknown)),
        ("Meta", Type::Fields(Section::Meta)),
        ("Overflow", Type::Object(&OVERFLOW)),
        ("Time", Type::Time),
        ("StrTime", Type::Text),
        ("StrTimeFormat", Type::Text),
        ("MarshaledTime", Type::Text),
        ("Process", Type::Bool),
        ("Appsec", Type::Object(&APPSEC)),
    ],
    methods: &[
        method("GetType", &[], Type::Text),
        method("GetMeta", &[Type::Text], Type::Text),
        method("SetMeta", &[Type::Text, Type::Text], Type::Bool),
        method("SetParsed", &[Type::Text, Type::Text], Type::Bool),
        method("ParseIPSources", &[], TEXTS),
    ],
};

/// The place of `Time` in [`EVENT`].
pub const TIME: usize = 11;

/// The places of others that are asked for often.
const OVERFLOW_AT: usize = 10;
const STR_TIME: usize = 12;
const MARSHALED_TIME: usize = 14;

/// `evt.Line`.
pub static LINE: Shape = Shape {
    name: "line",
    fields: &[
        ("Raw", Type::Text),
        ("Src", Type::Text),
        ("Time", Type::Time),
        ("Labels", Type::Fields(Section::Label)),
        ("Process", Type::Bool),
        ("Module", Type::Text),
    ],
    methods: &[],
};

/// `evt.Appsec`.
pub static APPSEC: Shape = Shape {
    name: "appsec",
    fields: &[
        ("HasInBandMatches", Type::Bool),
        ("HasOutBandMatches", Type::Bool),
        ("Vars", Type::Map(&Type::Text)),
        ("HookVars", Type::Map(&Type::Text)),
        ("MatchedRules", RULES),
    ],
    methods: &[
        method("GetVar", &[Type::Text], Type::Text),
        method("GetName", &[], Type::Text),
        method("GetURI", &[], Type::Text),
        method("GetHash", &[], Type::Text),
        method("GetVersion", &[], Type::Text),
        method("GetMethod", &[], Type::Text),
        method("GetHighestSeverity", &[], Type::Text),
        method("GetNames", &[], TEXTS),
        method("GetRuleIDs", &[], Type::List(&Type::Int)),
        method("Kinds", &[], TEXTS),
        method("GetMatchedZones", &[], TEXTS),
        method("ByID", &[Type::Int], RULES),
        method("ByKind", &[Type::Text], RULES),
        method("ByTag", &[Type::Text], RULES),
        method("ByTags", &[TEXTS], RULES),
        method("ByTagRx", &[Type::Text], RULES),
        method("ByDisruptiveness", &[Type::Bool], RULES),
        method("BySeverity", &[Type::Text], RULES),
        method("ByAccuracy", &[Type::Text], RULES),
    ],
};

const TEXTS: Type = Type::List(&Type::Text);
const RULES: Type = Type::List(&Type::Map(&Type::Unknown));

const fn method(name: &'static str, arguments: &'static [Type], result: Type) -> Method {
    Method { name, arguments, result }
}

impl<'a> Event<'a> {
    /// The event as expressions see it.
    #[must_use]
    pub fn object(&'a self) -> &'a dyn Object<'a> {
        let handle: &'a &'a Event<'a> = self.arena().alloc(self);
        handle
    }

    /// The overflow of this event; one without sources and alert for a log event.
    pub fn overflow_view(&'a self) -> &'a View<'a> {
        self.overflow.get().unwrap_or_else(|| {
            let none = View::none(self.arena());
            self.overflow.set(Some(none));
            none
        })
    }

    /// Calls `each` with every address that this event is about: `Meta.source_ip` of a log line,
    /// the sources of an overflow, as far as they are addresses.
    pub fn each_address(&'a self, mut each: impl FnMut(&'a str, IpAddr)) {
        let mut give = |text: &'a str| {
            if let Some(address) = parse_address(text) {
                each(text, address);
            }
        };
        match self.kind {
            Kind::Log => {
                if let Some(text) = self.get(Names::SOURCE_IP) {
                    give(text);
                }
            }
            Kind::Overflow => self.overflow_view().source_keys().for_each(give),
        }
    }

    fn meta(&'a self, key: &str) -> &'a str {
        match self.kind {
            Kind::Log => self.get_named(Section::Meta, key).unwrap_or_default(),
            Kind::Overflow => self.overflow_view().meta(key),
        }
    }
}

impl<'a> Object<'a> for &'a Event<'a> {
    fn shape(&self) -> &'static Shape {
        &EVENT
    }

    fn named(&self, name: &str) -> Value<'a> {
        match name {
            "Type" => Value::Int(match self.kind {
                Kind::Log => 0,
                Kind::Overflow => 1,
            }),
            "ExpectMode" => Value::Int(match self.mode {
                Mode::Live => 0,
                Mode::Replay => 1,
            }),
            "Whitelisted" => Value::Bool(self.allowlisted.get()),
            "WhitelistReason" => Value::Text(self.allowlist_reason.get()),
            "Stage" => Value::Text(self.stage.get()),
            "Line" => Value::Object(self.arena().alloc(LineObject(self))),
            "Parsed" => Value::Map(self.section(Section::Parsed)),
            "Enriched" => Value::Map(self.section(Section::Enriched)),
            "Unmarshaled" => Value::Map(self.unmarshaled()),
            "Meta" => Value::Map(self.section(Section::Meta)),
            "Overflow" => Value::Object(self.overflow_view()),
            "Time" => Value::Time(self.time.get()),
            "StrTime" => Value::Text(self.str_time.get()),
            "StrTimeFormat" => Value::Text(self.str_time_format.get()),
            "MarshaledTime" => Value::Text(self.marshaled_time.get()),
            "Process" => Value::Bool(self.processed.get()),
            "Appsec" => Value::Object(self.arena().alloc(Appsec(self.arena()))),
            _ => Value::Nil,
        }
    }

    #[inline]
    fn field(&self, index: usize) -> Value<'a> {
        // These are asked for in every line, or of every event that a bucket keeps: they need not
        // be looked for by their names.
        match index {
            STR_TIME => Value::Text(self.str_time.get()),
            MARSHALED_TIME => Value::Text(self.marshaled_time.get()),
            TIME => Value::Time(self.time.get()),
            OVERFLOW_AT => Value::Object(self.overflow_view()),
            _ => EVENT.fields.get(index).map_or(Value::Nil, |(name, _)| self.named(name)),
        }
    }

    fn text(&self, slot: Slot) -> Option<&'a str> {
        Some(self.get(slot).unwrap_or_default())
    }

    fn call_named(
        &self,
        name: &str,
        arguments: &[Value<'a>],
        arena: &'a Arena,
    ) -> Result<Value<'a>, Fault> {
        match (name, arguments) {
            ("GetType", []) => Ok(Value::Text(self.kind.word())),
            ("GetMeta", [Value::Text(key)]) => Ok(Value::Text(self.meta(key))),
            ("SetMeta", [Value::Text(key), Value::Text(text)]) => {
                self.set_named(Section::Meta, key, text);
                Ok(Value::Bool(true))
            }
            ("SetParsed", [Value::Text(key), Value::Text(text)]) => {
                self.set_named(Section::Parsed, key, text);
                Ok(Value::Bool(true))
            }
            ("ParseIPSources", []) => {
                let mut found = bumpalo::collections::Vec::new_in(arena);
                self.each_address(|text, _| found.push(Value::Text(text)));
                Ok(Value::List(found.into_bump_slice()))
            }
            _ => Err(EVENT.misfit(name, arguments)),
        }
    }
}

/// `evt.Line`.
struct LineObject<'a>(&'a Event<'a>);

impl<'a> Object<'a> for LineObject<'a> {
    fn shape(&self) -> &'static Shape {
        &LINE
    }

    fn named(&self, name: &str) -> Value<'a> {
        match name {
            "Raw" => Value::Text(self.0.raw.get()),
            "Src" => Value::Text(self.0.source.get()),
            "Time" => Value::Time(self.0.received_at),
            "Labels" => Value::Map(self.0.section(Section::Label)),
            "Process" => Value::Bool(true),
            "Module" => Value::Text(self.0.module.get()),
            _ => Value::Nil,
        }
    }
}

/// `evt.Appsec` of an event that no rule of that kind has seen.
struct Appsec<'a>(&'a Arena);

impl<'a> Object<'a> for Appsec<'a> {
    fn shape(&self) -> &'static Shape {
        &APPSEC
    }

    fn named(&self, name: &str) -> Value<'a> {
        APPSEC.field(name).map_or(Value::Nil, |(_, kind)| self.nothing(kind))
    }

    fn call_named(
        &self,
        name: &str,
        arguments: &[Value<'a>],
        _: &'a Arena,
    ) -> Result<Value<'a>, Fault> {
        match APPSEC.method(name) {
            Some((_, method)) => Ok(self.nothing(method.result)),
            None => Err(APPSEC.misfit(name, arguments)),
        }
    }
}

impl<'a> Appsec<'a> {
    fn nothing(&self, kind: Type) -> Value<'a> {
        match kind {
            Type::Bool => Value::Bool(false),
            Type::Text => Value::Text(""),
            Type::List(_) => Value::List(&[]),
            Type::Map(element) => {
                let map: &'a dyn Map<'a> = self.0.alloc(Entries::new(self.0, *element));
                Value::Map(map)
            }
            _ => Value::Nil,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Overflow, Source};
    use crate::value::{Names, Time};

    fn event<'a>(arena: &'a Arena, names: &'a Names, kind: Kind) -> &'a Event<'a> {
        Event::new(arena, names, kind, Mode::Replay, Time::from_seconds(60))
    }

    fn field<'a>(event: &'a Event<'a>, path: &str) -> Value<'a> {
        path.split('.').fold(Value::Object(event.object()), |value, name| match value {
            Value::Object(object) => object.field(object.shape().field(name).unwrap().0),
            Value::Map(map) => map.get(name).unwrap_or(Value::Nil),
            other => panic!("{name} of {other:?}"),
        })
    }

    fn call<'a>(event: &'a Event<'a>, name: &str, arguments: &[&'a str]) -> String {
        let (index, _) = EVENT.method(name).unwrap();
        let arguments: Vec<_> = arguments.iter().map(|text| Value::Text(text)).collect();
        format!("{:?}", event.object().call(index, &arguments, event.arena()).unwrap())
    }

    #[test]
    fn every_field_has_a_value_of_its_type() {
        let (arena, names) = (Arena::new(), Names::new());
        let event = event(&arena, &names, Kind::Log);
        let mut objects = vec![Value::Object(event.object())];
        while let Some(Value::Object(object)) = objects.pop() {
            for (index, (name, kind)) in object.shape().fields.iter().enumerate() {
                // An alert that is not there is nil; so is everything within.
                let value = object.field(index);
                let fits = match kind {
                    Type::Bool => matches!(value, Value::Bool(_)),
                    Type::Int => matches!(value, Value::Int(_)),
                    Type::Text => matches!(value, Value::Text(_)),
                    Type::Time => matches!(value, Value::Time(_)),
                    Type::List(_) => matches!(value, Value::List(_)),
                    Type::Map(_) | Type::Fields(_) => matches!(value, Value::Map(_)),
                    Type::Object(_) => matches!(value, Value::Object(_) | Value::Nil),
                    _ => false,
                };
                assert!(fits, "{}.{name} is {value:?}", object.shape().name);
                objects.extend(matches!(value, Value::Object(_)).then_some(value));
            }
        }
    }

    #[test]
    fn fields_have_the_places_of_their_names() {
        assert_eq!(EVENT.fields[OVERFLOW_AT].0, "Overflow");
        assert_eq!(EVENT.fields[TIME].0, "Time");
        assert_eq!(EVENT.fields[STR_TIME].0, "StrTime");
        assert_eq!(EVENT.fields[MARSHALED_TIME].0, "MarshaledTime");
        let (arena, names) = (Arena::new(), Names::new());
        let event = event(&arena, &names, Kind::Log);
        event.str_time.set("Nov 22");
        event.marshaled_time.set("2026");
        assert_eq!(format!("{:?}", field(event, "StrTime")), "\"Nov 22\"");
        assert_eq!(format!("{:?}", field(event, "MarshaledTime")), "\"2026\"");
    }

    #[test]
    fn fields_show_what_the_event_holds() {
        let (arena, names) = (Arena::new(), Names::new());
        let event = event(&arena, &names, Kind::Log);
        event.raw.set("line");
        event.stage.set("s01");
        event.set_named(Section::Label, "type", "syslog");
        event.set_named(Section::Meta, "service", "ssh");
        event.allowlisted.set(true);
        let shown = |path| format!("{:?}", field(event, path));
        assert_eq!(shown("Line.Raw"), "\"line\"");
        assert_eq!(shown("Line.Labels.type"), "\"syslog\"");
        assert_eq!(shown("Meta.service"), "\"ssh\"");
        assert_eq!(shown("Stage"), "\"s01\"");
        assert_eq!(shown("Whitelisted"), "true");
        assert_eq!(shown("ExpectMode"), "1");
        assert_eq!(shown("Type"), "0");
        assert_eq!(shown("Overflow.Whitelisted"), "false");
    }

    #[test]
    fn methods_read_and_write() {
        let (arena, names) = (Arena::new(), Names::new());
        let event = event(&arena, &names, Kind::Log);
        assert_eq!(call(event, "GetMeta", &["source_ip"]), "\"\"");
        assert_eq!(call(event, "ParseIPSources", &[]), "[]");
        assert_eq!(call(event, "SetMeta", &["source_ip", "::1"]), "true");
        assert_eq!(call(event, "SetParsed", &["a", "b"]), "true");
        assert_eq!(call(event, "GetMeta", &["source_ip"]), "\"::1\"");
        assert_eq!(call(event, "ParseIPSources", &[]), "[\"::1\"]");
        assert_eq!(call(event, "GetType", &[]), "\"log\"");
        assert_eq!(event.get_named(Section::Parsed, "a"), Some("b"));
        let (index, _) = EVENT.method("GetMeta").unwrap();
        let fault = event.object().call(index, &[Value::Nil], &arena).unwrap_err();
        assert_eq!(fault.message, "`event.GetMeta` does not take (nil)");
    }

    #[test]
    fn an_overflow_event_speaks_of_its_overflow() {
        let (arena, names) = (Arena::new(), Names::new());
        let mut overflow = Overflow::none();
        overflow.sources.push(("1.2.3.4".to_owned(), Source::default()));
        overflow.sources.push(("DE".to_owned(), Source::default()));
        let event = event(&arena, &names, Kind::Overflow);
        event.overflow.set(Some(View::new(&arena, &overflow)));
        assert_eq!(call(event, "GetType", &[]), "\"overflow\"");
        assert_eq!(call(event, "ParseIPSources", &[]), "[\"1.2.3.4\"]");
    }

    #[test]
    fn web_application_rules_find_nothing() {
        let (arena, names) = (Arena::new(), Names::new());
        let event = event(&arena, &names, Kind::Log);
        let Value::Object(appsec) = field(event, "Appsec") else { panic!("no object") };
        for (index, method) in APPSEC.methods.iter().enumerate() {
            let result = appsec.call(index, &[], &arena).unwrap();
            assert!(matches!(result, Value::Text("") | Value::List([])), "{}", method.name);
        }
        assert_eq!(format!("{:?}", field(event, "Appsec.HasInBandMatches")), "false");
    }
}
