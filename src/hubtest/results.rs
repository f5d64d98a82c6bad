//! `results`: what assertions of a hub test speak of.
//!
//! For parsers it is stage → node → list of `{Idx, Evt, Success}`; for scenarios a list of
//! overflow events. A stage or node that was never tried is an empty list, not an error.

use std::collections::BTreeMap;

use crate::event::{EVENT, Event, Kind, Mode, Overflow, OverflowView, Snapshot};
use crate::value::{Arena, Map, Names, Object, Shape, Time, Type, Value};

/// One node, tried on one event.
pub(super) static RECORD: Shape = Shape {
    name: "record",
    fields: &[("Idx", Type::Int), ("Evt", Type::Object(&EVENT)), ("Success", Type::Bool)],
    methods: &[],
};

const RECORDS: Type = Type::List(&Type::Object(&RECORD));
const NODES: Type = Type::Map(&RECORDS);

/// The variable of assertions about parsers.
pub(super) static PARSER_VARIABLES: [(&str, Type); 1] = [("results", Type::Map(&NODES))];
/// The variable of assertions about scenarios.
pub(super) static SCENARIO_VARIABLES: [(&str, Type); 1] =
    [("results", Type::List(&Type::Object(&EVENT)))];

/// A node that was tried on an event, and the event after it.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) success: bool,
    pub(super) event: Snapshot,
}

/// All records of a run.
#[derive(Debug, Default)]
pub(super) struct Records {
    stages: BTreeMap<String, Vec<(String, Vec<Record>)>>,
}

impl Records {
    pub(super) fn push(&mut self, stage: &str, node: &str, record: Record) {
        if !self.stages.contains_key(stage) {
            self.stages.insert(stage.to_owned(), Vec::new());
        }
        let nodes = self.stages.get_mut(stage).expect("inserted above");
        match nodes.iter_mut().find(|(name, _)| name == node) {
            Some((_, records)) => records.push(record),
            None => nodes.push((node.to_owned(), vec![record])),
        }
    }

    /// In how many stages a node was tried.
    pub(super) fn n_stages(&self) -> usize {
        self.stages.len()
    }

    /// Stages and their nodes, both sorted by name.
    pub(super) fn stages(&self) -> impl Iterator<Item = (&str, Vec<(&str, &[Record])>)> {
        self.stages.iter().map(|(stage, nodes)| {
            let nodes = nodes.iter().map(|(name, records)| (name.as_str(), records.as_slice()));
            let mut nodes: Vec<_> = nodes.collect();
            nodes.sort_unstable_by_key(|(name, _)| *name);
            (stage.as_str(), nodes)
        })
    }

    /// The records as the value of `results`.
    pub(super) fn lend<'a>(&'a self, arena: &'a Arena, names: &'a Names) -> Value<'a> {
        let mut stages: Vec<(&'a str, Value<'a>)> = Vec::new();
        for (stage, nodes) in &self.stages {
            let mut lists = Vec::with_capacity(nodes.len());
            for (rank, (node, records)) in nodes.iter().enumerate() {
                let index = i64::try_from(rank + 1).unwrap_or(i64::MAX);
                let objects = records.iter().map(|record| {
                    let event = record.event.lend(arena, names).object();
                    let success = record.success;
                    let shown: &'a RecordObject<'a> =
                        arena.alloc(RecordObject { index, event, success });
                    Value::Object(shown)
                });
                lists.push((node.as_str(), Value::List(arena.alloc_slice_fill_iter(objects))));
            }
            stages.push((stage, level(arena, lists, RECORDS)));
        }
        // The reference always has this one.
        stages.push(("success", level(arena, vec![("", Value::List(&[]))], RECORDS)));
        level(arena, stages, NODES)
    }
}

/// Overflows, in the order of the format, as the value of `results`.
pub(super) fn lend_overflows<'a>(
    overflows: &'a [Overflow],
    arena: &'a Arena,
    names: &'a Names,
) -> Value<'a> {
    let events = overflows.iter().map(|overflow| {
        let event = Event::new(arena, names, Kind::Overflow, Mode::Live, Time::from_nanos(0));
        event.overflow.set(Some(OverflowView::new(arena, overflow)));
        Value::Object(event.object())
    });
    Value::List(arena.alloc_slice_fill_iter(events))
}

struct RecordObject<'a> {
    index: i64,
    event: &'a dyn Object<'a>,
    success: bool,
}

impl<'a> Object<'a> for RecordObject<'a> {
    fn shape(&self) -> &'static Shape {
        &RECORD
    }

    fn named(&self, name: &str) -> Value<'a> {
        match name {
            "Idx" => Value::Int(self.index),
            "Evt" => Value::Object(self.event),
            "Success" => Value::Bool(self.success),
            _ => Value::Nil,
        }
    }
}

fn level<'a>(arena: &'a Arena, entries: Vec<(&'a str, Value<'a>)>, element: Type) -> Value<'a> {
    Value::Map(arena.alloc(Level { arena, entries: arena.alloc_slice_copy(&entries), element }))
}

/// A map in which what is missing is empty.
struct Level<'a> {
    arena: &'a Arena,
    entries: &'a [(&'a str, Value<'a>)],
    element: Type,
}

impl<'a> Map<'a> for Level<'a> {
    fn element(&self) -> Type {
        self.element
    }

    fn get(&self, key: &str) -> Option<Value<'a>> {
        self.entries.iter().find(|(known, _)| *known == key).map(|(_, value)| *value)
    }

    fn missing(&self) -> Value<'a> {
        match self.element {
            Type::Map(_) => level(self.arena, Vec::new(), RECORDS),
            _ => Value::List(&[]),
        }
    }

    fn set(&self, _: &'a str, _: Value<'a>) -> bool {
        false
    }

    fn each(&self, each: &mut dyn FnMut(&'a str, Value<'a>)) {
        for (key, value) in self.entries {
            each(key, *value);
        }
    }

    fn len(&self) -> usize {
        self.entries.len()
    }
}
