//! The body of a fuzz target: any expression, evaluated on events.

use super::scope::{EventScope, VARIABLES};
use crate::event::{Event, Kind, Mode};
use crate::expr::{Environment, Program, TraceOutcome, World, canonical, fuzz_form};
use crate::value::{Arena, Fault, Names, Section, Time, Type, Value};

/// The fields of one of the events that expressions are evaluated on; the other has none.
const FIELDS: [(Section, &str, &str); 8] = [
    (Section::Parsed, "program", "sshd"),
    (Section::Parsed, "message", "Failed password for root from 192.0.2.1 port 22"),
    (Section::Parsed, "json", r#"{"a": {"b": [1, "x", null]}, "c": true}"#),
    (Section::Parsed, "xml", "<a k='v'><b>x</b><b>y</b></a>"),
    (Section::Parsed, "pairs", r#"a=1 b="2 3" c="#),
    (Section::Parsed, "é", "äöü"),
    (Section::Meta, "source_ip", "192.0.2.1"),
    (Section::Enriched, "time", "2024-01-26T22:30:15Z"),
];

/// What is shorter than this is not cut when it is explained.
const SHOWN_WHOLE: usize = 200;

const NO_BOOL: &str = "fault: expected bool, found ";

/// Any text is an expression or has mistakes with places in it. What compiles gives a value of the
/// type that it promised, or a fault, which is none of types where all of them were known; explaining it and writing it in another way changes nothing;
/// and where its requirements do not hold it does nothing.
#[doc(hidden)]
pub fn fuzz_expression(data: &[u8]) {
    let text = &*String::from_utf8_lossy(data);
    fuzz_form(text);
    let mut names = Names::new();
    for (section, name, _) in FIELDS {
        let _ = names.intern(section, name);
    }
    let mut compile = |text: &str| {
        let names = &mut names;
        Program::new(text, &mut Environment { variables: VARIABLES, names, functions: &[] })
    };
    let program = match compile(text) {
        Ok(program) => program,
        Err(mistakes) => {
            assert!(!mistakes.is_empty());
            for mistake in mistakes {
                assert!(text.get(mistake.span.clone()).is_some(), "{text:?}: {mistake:?}");
                assert!(!mistake.message.is_empty());
            }
            return;
        }
    };
    let other = canonical(text).expect("it compiled, so it has a form");
    let other = match compile(&other) {
        Ok(other) => other,
        Err(mistakes) => panic!("{text:?} written as {other:?}: {mistakes:?}"),
    };
    let arena = Arena::new();
    let world = World::default();
    world.set_now(Time::from_seconds(1_706_308_215));
    for fields in [&[][..], &FIELDS[..]] {
        let event = || event(&arena, &names, fields);
        let (evaluated, explained, canonical) = (event(), event(), event());
        let scope = |event| EventScope::new(event, &world);
        let value = program.evaluate(&scope(evaluated));
        match &value {
            Ok(value) => {
                let promised = program.result();
                assert!(fits(*value, promised), "{text:?}: {value:?} is no {promised:?}");
            }
            Err(fault) if program.is_typed() => {
                assert!(!is_of_type(&fault.message), "{text:?} was checked: {fault}");
            }
            Err(_) => {}
        }
        let written = all_fields(evaluated);
        let shown = show(value);
        let trace = program.explain(&scope(explained));
        let outcome = match trace.outcome {
            TraceOutcome::True => "true".to_owned(),
            TraceOutcome::False => "false".to_owned(),
            TraceOutcome::Value(value) => value,
            TraceOutcome::Fault(message) => format!("fault: {message}"),
            TraceOutcome::Skipped => "skipped".to_owned(),
        };
        // Who asks is shown the value where others are told its kind.
        match shown.strip_prefix(NO_BOOL) {
            Some(_) => assert!(outcome.starts_with(NO_BOOL), "{text:?} explained: {outcome}"),
            None if shown.len() >= SHOWN_WHOLE => {}
            None => assert_eq!(shown, outcome, "{text:?} explained"),
        }
        assert_eq!(written, all_fields(explained), "{text:?} explained");
        assert_eq!(shown, show(other.evaluate(&scope(canonical))), "{text:?} in another form");
        assert_eq!(written, all_fields(canonical), "{text:?} in another form");
        let fresh = event();
        let hold = program.requirements().hold(|slot| fresh.get(slot));
        if !hold {
            assert_eq!(shown, "false", "{text:?} without what it requires");
            assert_eq!(written, all_fields(fresh), "{text:?} without what it requires");
        }
    }
}

fn event<'a>(
    arena: &'a Arena,
    names: &'a Names,
    fields: &[(Section, &'static str, &'static str)],
) -> &'a Event<'a> {
    let event =
        Event::new(arena, names, Kind::Log, Mode::Replay, Time::from_seconds(1_706_308_215));
    for (section, name, text) in fields {
        event.set_named(*section, name, text);
    }
    event
}

fn show(value: Result<Value<'_>, Fault>) -> String {
    match value {
        Ok(value) => format!("{value:?}"),
        Err(fault) => format!("fault: {}", fault.message),
    }
}

/// Whether a fault says that a value has a type that cannot be worked on.
fn is_of_type(message: &str) -> bool {
    const KINDS: [&str; 12] = [
        "nil", "bool", "int", "float", "string", "list", "map", "time", "duration", "event",
        "line", "overflow",
    ];
    let found = message.rsplit_once(", found ").is_some_and(|(_, kind)| KINDS.contains(&kind));
    let cannot = ["fetch", "index", "call", "take a slice", "look for", "sort", "work on"];
    found
        || cannot.iter().any(|what| message.contains(&format!("cannot {what}")))
        || message.contains("the bound of a slice")
        || message.contains("have no order")
}

/// Everything of an event that rules can write, as text.
pub(crate) fn all_fields(event: &Event<'_>) -> String {
    let mut all = format!("{} {:?}", event.stage.get(), Value::Map(event.unmarshaled()));
    for section in [Section::Parsed, Section::Meta, Section::Enriched, Section::Label] {
        event.each_field(section, &mut |name, text| all.push_str(&format!("\n{name}={text}")));
    }
    all
}

/// Whether a value is one of a type. A nil list or map is a list or map.
fn fits(value: Value<'_>, kind: Type) -> bool {
    match kind {
        Type::Unknown => true,
        Type::Nil => value.is_nil(),
        Type::Bool => matches!(value, Value::Bool(_)),
        Type::Int => matches!(value, Value::Int(_)),
        Type::Float => matches!(value, Value::Float(_)),
        Type::Text => matches!(value, Value::Text(_)),
        Type::Time => matches!(value, Value::Time(_)),
        Type::Duration => matches!(value, Value::Duration(_)),
        Type::List(element) => match value {
            Value::List(items) => items.iter().all(|item| fits(*item, *element)),
            other => other.is_nil(),
        },
        Type::Map(_) | Type::Fields(_) => matches!(value, Value::Map(_) | Value::Nil),
        Type::Object(shape) => match value {
            Value::Object(object) => std::ptr::eq(object.shape(), shape),
            _ => false,
        },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::fuzz_expression;
    use crate::expr::functions;

    /// Pieces that expressions on events are made of, in any order.
    fn piece() -> impl Strategy<Value = String> {
        let plain = prop::sample::select(vec![
            "evt.Parsed.program",
            "evt.Meta.source_ip",
            "evt.Parsed['é']",
            "evt.Unmarshaled",
            "evt.Time",
            "evt.Unmarshaled.a",
            "evt.GetMeta('x')",
            "evt.SetMeta('x', 'y')",
            "evt.Overflow",
            "evt",
            "evt.Line.Labels",
            ".",
            "?.",
            "[",
            "]",
            "[0]",
            "[1:]",
            "(",
            ")",
            "{",
            "}",
            "#",
            "#.a",
            "any(",
            "map(",
            "filter(",
            "'x'",
            "'sshd'",
            "''",
            "1",
            "-1",
            "1.5",
            "nil",
            "true",
            "&&",
            "||",
            "not",
            "==",
            "!=",
            "<",
            "in",
            "matches",
            "contains",
            "startsWith",
            "+",
            "-",
            "*",
            "/",
            "%",
            "**",
            "..",
            "??",
            "?",
            ":",
            ",",
            ";",
            "let x = ",
            "x",
            "['a', '']",
            "['a', nil]",
            "{a: 1}",
            "|",
            "$env",
        ]);
        let call = prop::sample::select(functions::names().collect::<Vec<_>>());
        prop_oneof![
            8 => plain.prop_map(str::to_owned),
            1 => call.clone().prop_map(|name| format!("{name}(")),
            2 => call.prop_map(|name| format!("{name}(evt.Parsed.json)")),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_bytes(data in prop::collection::vec(any::<u8>(), 0..60)) {
            fuzz_expression(&data);
        }

        #[test]
        fn any_pieces(pieces in prop::collection::vec(piece(), 0..14)) {
            fuzz_expression(pieces.join(" ").as_bytes());
        }

        #[test]
        fn any_call(
            name in prop::sample::select(functions::names().collect::<Vec<_>>()),
            arguments in prop::collection::vec(piece(), 0..4),
        ) {
            fuzz_expression(format!("{name}({})", arguments.join(", ")).as_bytes());
        }
    }
}
