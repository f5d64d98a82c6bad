//! Values that outlive the event they came from.

use super::{Arena, Entries, Map, Time, Type, Value};

/// A value that owns what it holds, for events kept in buckets and in test results.
#[derive(Clone, Debug, PartialEq)]
pub enum Owned {
    /// No value.
    Nil,
    /// A truth value.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A float.
    Float(f64),
    /// Text.
    Text(Box<str>),
    /// A list.
    List(Vec<Owned>),
    /// A map whose values may be anything.
    Map(Vec<(Box<str>, Owned)>),
    /// A map from text to text: a missing key gives `""`.
    TextMap(Vec<(Box<str>, Box<str>)>),
    /// An instant.
    Time(Time),
    /// A span of time in nanoseconds.
    Duration(i64),
}

impl Owned {
    /// Copies a value out of its arena. Objects are not copied: they become nil.
    #[must_use]
    pub fn from_value(value: Value<'_>) -> Self {
        match value {
            Value::Nil | Value::Object(_) => Owned::Nil,
            Value::Bool(truth) => Owned::Bool(truth),
            Value::Int(number) => Owned::Int(number),
            Value::Float(number) => Owned::Float(number),
            Value::Text(text) => Owned::Text(text.into()),
            Value::List(items) => {
                Owned::List(items.iter().copied().map(Self::from_value).collect())
            }
            Value::Map(map) => Self::from_map(map),
            Value::Time(time) => Owned::Time(time),
            Value::Duration(nanos) => Owned::Duration(nanos),
        }
    }

    fn from_map(map: &dyn Map<'_>) -> Self {
        if matches!(map.element(), Type::Text) {
            let mut entries = Vec::with_capacity(map.len());
            map.each(&mut |key, value| {
                entries.push((key.into(), value.as_text().unwrap_or_default().into()));
            });
            return Owned::TextMap(entries);
        }
        let mut entries = Vec::with_capacity(map.len());
        map.each(&mut |key, value| entries.push((key.into(), Self::from_value(value))));
        Owned::Map(entries)
    }

    /// Lends this value to expressions; lists and maps are rebuilt in the arena, texts are not.
    #[must_use]
    pub fn lend<'a>(&'a self, arena: &'a Arena) -> Value<'a> {
        match self {
            Owned::Nil => Value::Nil,
            Owned::Bool(truth) => Value::Bool(*truth),
            Owned::Int(number) => Value::Int(*number),
            Owned::Float(number) => Value::Float(*number),
            Owned::Text(text) => Value::Text(text),
            Owned::List(items) => {
                Value::List(arena.alloc_slice_fill_iter(items.iter().map(|item| item.lend(arena))))
            }
            Owned::Map(entries) => {
                let map = arena.alloc(Entries::new(arena, Type::Unknown));
                for (key, value) in entries {
                    map.set(key, value.lend(arena));
                }
                Value::Map(map)
            }
            Owned::TextMap(entries) => {
                let map = arena.alloc(Entries::new(arena, Type::Text));
                for (key, value) in entries {
                    map.set(key, Value::Text(value));
                }
                Value::Map(map)
            }
            Owned::Time(time) => Value::Time(*time),
            Owned::Duration(nanos) => Value::Duration(*nanos),
        }
    }
}
