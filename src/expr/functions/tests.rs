//! What the tests of all functions share, and what holds for every function.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::expr::purity::is_total;
use crate::expr::world::{DataFile, Facts, Files, World};
use crate::value::{Entries, Object, Time};

/// Values from a list in JSON with single quotes; whole numbers are integers, `nil` is null.
pub(super) fn values<'a>(arena: &'a Arena, list: &str) -> &'a [Value<'a>] {
    match value(arena, &serde_json::from_str(&json(list)).expect("a list as JSON")) {
        Value::List(items) => items,
        other => panic!("{other:?} is no list"),
    }
}

fn json(text: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix("\\'") {
            out.push('\'');
            rest = after;
            continue;
        }
        if let Some(after) = rest.strip_prefix("\\\\") {
            out.push_str("\\\\");
            rest = after;
            continue;
        }
        if !inside && let Some(after) = rest.strip_prefix("nil") {
            out.push_str("null");
            rest = after;
            continue;
        }
        match c {
            '\'' => {
                inside = !inside;
                out.push('"');
            }
            '\u{1}' => out.push_str("\\u0001"),
            _ => out.push(c),
        }
        rest = &rest[c.len_utf8()..];
    }
    out
}

fn value<'a>(arena: &'a Arena, from: &serde_json::Value) -> Value<'a> {
    match from {
        serde_json::Value::Null => Value::Nil,
        serde_json::Value::Bool(truth) => Value::Bool(*truth),
        serde_json::Value::Number(number) => match number.as_i64() {
            Some(number) => Value::Int(number),
            None => Value::Float(number.as_f64().expect("a float")),
        },
        serde_json::Value::String(text) => Value::Text(arena.alloc_str(text)),
        serde_json::Value::Array(items) => {
            let items: Vec<Value<'a>> = items.iter().map(|item| value(arena, item)).collect();
            Value::List(arena.alloc_slice_copy(&items))
        }
        serde_json::Value::Object(entries) => {
            let map = Entries::new(arena, Type::Unknown);
            for (key, item) in entries {
                map.set(arena.alloc_str(key), value(arena, item));
            }
            Value::Map(arena.alloc(map))
        }
    }
}

pub(super) fn call_in<'a>(
    world: &'a World,
    arena: &'a Arena,
    name: &str,
    arguments: &[Value<'a>],
) -> Result<Value<'a>, Fault> {
    let function = find(name).unwrap_or_else(|| panic!("there is no `{name}`"));
    (function.code)(Call { arena, world }, arguments)
}

/// Calls a function in a world without any facts.
pub(super) fn call_with<'a>(
    arena: &'a Arena,
    name: &str,
    arguments: &[Value<'a>],
) -> Result<Value<'a>, Fault> {
    call_in(arena.alloc(World::default()), arena, name, arguments)
}

#[track_caller]
pub(super) fn check(name: &str, arguments: &str, expected: &str) {
    let arena = Arena::new();
    let expected = value(&arena, &serde_json::from_str(&json(expected)).expect("JSON"));
    let arguments = values(&arena, arguments);
    match call_with(&arena, name, arguments) {
        Ok(found) => {
            assert_eq!(format!("{found:?}"), format!("{expected:?}"), "{name} {arguments:?}")
        }
        Err(fault) => panic!("{name} {arguments:?}: {fault}"),
    }
}

pub(super) fn fault(name: &str, arguments: &str) -> String {
    let arena = Arena::new();
    match call_with(&arena, name, values(&arena, arguments)) {
        Ok(found) => panic!("{name}: expected a fault, found {found:?}"),
        Err(fault) => fault.message,
    }
}

#[track_caller]
pub(super) fn faults(name: &str, arguments: &str, expected: &str) {
    assert_eq!(fault(name, arguments), expected, "{name} {arguments}");
}

#[test]
fn names_are_sorted_and_found() {
    let names: Vec<&str> = names().collect();
    assert!(names.len() >= 139, "{}", names.len());
    assert!(names.is_sorted());
    assert!(names.windows(2).all(|pair| pair[0] != pair[1]));
    for name in &names {
        assert_eq!(find(name).map(|function| function.name), Some(*name));
    }
    assert!(find("LOWER").is_none());
    assert!(find("").is_none());
}

#[test]
fn predicates_are_not_functions() {
    for name in ["all", "any", "filter", "map", "count", "sum", "groupBy", "sortBy", "reduce"] {
        assert!(find(name).is_none(), "{name}");
    }
}

/// An object with one field, as events and alerts are objects.
struct Thing;

static THING: crate::value::Shape =
    crate::value::Shape { name: "thing", fields: &[("Name", Type::Text)], methods: &[] };

impl<'a> Object<'a> for Thing {
    fn shape(&self) -> &'static crate::value::Shape {
        &THING
    }
    fn named(&self, _: &str) -> Value<'a> {
        Value::Text("name")
    }
}

/// Something that a value is made of in an arena.
#[derive(Clone, Debug)]
enum Seed {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Seed>),
    Map(Vec<(String, Seed)>),
    Time(i64),
    Duration(i64),
    Thing,
}

impl Seed {
    fn grow<'a>(&self, arena: &'a Arena) -> Value<'a> {
        match self {
            Seed::Nil => Value::Nil,
            Seed::Bool(truth) => Value::Bool(*truth),
            Seed::Int(number) => Value::Int(*number),
            Seed::Float(number) => Value::Float(*number),
            Seed::Text(text) => Value::Text(arena.alloc_str(text)),
            Seed::List(items) => {
                let items: Vec<_> = items.iter().map(|item| item.grow(arena)).collect();
                Value::List(arena.alloc_slice_copy(&items))
            }
            Seed::Map(entries) => {
                let map = Entries::new(arena, Type::Unknown);
                for (key, item) in entries {
                    map.set(arena.alloc_str(key), item.grow(arena));
                }
                Value::Map(arena.alloc(map))
            }
            Seed::Time(nanos) => Value::Time(Time::from_nanos(*nanos)),
            Seed::Duration(nanos) => Value::Duration(*nanos),
            Seed::Thing => Value::Object(arena.alloc(Thing)),
        }
    }
}

fn texts_of_all_kinds() -> impl Strategy<Value = String> {
    prop_oneof![
        ".{0,12}",
        "[a-z0-9=\"\\\\ ,.&?%+;/<>\\[\\]{}:*é'-]{0,16}",
        Just("lines".to_owned()),
        Just("192.0.2.1".to_owned()),
        Just("2001:db8::/32".to_owned()),
        Just("{\"a\": [1, {\"b\": \"x\"}]}".to_owned()),
        Just("<a k='1'><b>x</b></a>".to_owned()),
        Just("/a/b[1]".to_owned()),
        Just("1h30m".to_owned()),
        Just("2024-02-29T01:02:03Z".to_owned()),
        Just("%5d %-8s %v %q".to_owned()),
    ]
}

fn seeds() -> impl Strategy<Value = Seed> {
    let simple = prop_oneof![
        Just(Seed::Nil),
        any::<bool>().prop_map(Seed::Bool),
        any::<i64>().prop_map(Seed::Int),
        (-3i64..70).prop_map(Seed::Int),
        any::<f64>().prop_map(Seed::Float),
        Just(Seed::Float(f64::NAN)),
        texts_of_all_kinds().prop_map(Seed::Text),
        any::<i64>().prop_map(Seed::Time),
        any::<i64>().prop_map(Seed::Duration),
        Just(Seed::Thing),
    ];
    simple.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Seed::List),
            proptest::collection::vec((texts_of_all_kinds(), inner), 0..4).prop_map(Seed::Map),
        ]
    })
}

fn fits<'a>(value: Value<'a>, kind: Type) -> bool {
    match kind {
        Type::Bool => matches!(value, Value::Bool(_)),
        Type::Int => matches!(value, Value::Int(_)),
        Type::Float => matches!(value, Value::Float(_)),
        Type::Text => matches!(value, Value::Text(_)),
        Type::Time => matches!(value, Value::Time(_)),
        Type::Duration => matches!(value, Value::Duration(_)),
        Type::List(_) => matches!(value, Value::List(_) | Value::Nil),
        Type::Map(_) => matches!(value, Value::Map(_) | Value::Nil),
        Type::Object(_) => matches!(value, Value::Object(_)),
        _ => true,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn no_arguments_make_a_function_panic(
        seeds in proptest::collection::vec(seeds(), 4),
        texts in proptest::collection::vec(texts_of_all_kinds(), 4),
    ) {
        let mut files = Files::default();
        files.add("lines", DataFile::parse("string", "a\nb").expect("lines"));
        let world = World::new(Arc::new(Facts { files, ..Facts::default() }));
        for name in names() {
            let arena = Arena::new();
            let function = find(name).expect("listed");
            let most = if function.rest.is_some() { 4 } else { function.required.len() + function.optional.len() };
            for count in function.required.len()..=most {
                let any: Vec<_> = seeds.iter().take(count).map(|seed| seed.grow(&arena)).collect();
                // Once with anything, once with texts where texts are wanted.
                let wanted = function.required.iter().chain(function.optional);
                let kinds = wanted.copied().chain(std::iter::repeat(function.rest.unwrap_or(Type::Unknown)));
                let fitting: Vec<_> = any.iter().zip(&texts).zip(kinds).map(|((any, text), kind)| match kind {
                    Type::Text => Value::Text(arena.alloc_str(text)),
                    _ => *any,
                }).collect();
                for arguments in [any, fitting] {
                    match call_in(&world, &arena, name, &arguments) {
                        Ok(found) => prop_assert!(fits(found, function.result), "{} gave {:?}", name, found),
                        Err(fault) => prop_assert!(
                            !(is_total(name) && arguments.iter().zip(function.required).all(|(value, kind)| fits(*value, *kind))),
                            "{}: {}", name, fault
                        ),
                    }
                }
            }
        }
    }
}
