//! An event that a bucket keeps, as expressions see it.
//!
//! Conditions look at a field or two of many events. Those are read where the bucket has them; the
//! event itself is only taken out of its snapshot for whatever else is asked, or written.
//!
//! Invariant: once it is taken out, everything is read from it, since it may have been written to.

use std::cell::OnceCell;

use crate::event::{EVENT, Event, Snapshot, TIME};
use crate::value::{Arena, Fault, Map, Names, Object, Section, Shape, Slot, Type, Value};

/// An event, lent by a bucket.
pub(super) struct Lent<'a> {
    snapshot: &'a Snapshot,
    arena: &'a Arena,
    names: &'a Names,
    event: OnceCell<&'a Event<'a>>,
}

impl<'a> Lent<'a> {
    pub(super) fn new(arena: &'a Arena, names: &'a Names, snapshot: &'a Snapshot) -> &'a Self {
        arena.alloc(Self { snapshot, arena, names, event: OnceCell::new() })
    }

    /// The whole event.
    pub(super) fn event(&self) -> &'a Event<'a> {
        self.event.get_or_init(|| self.snapshot.lend(self.arena, self.names))
    }

    /// The text of a field, or `None` when it was never set.
    pub(super) fn get(&self, slot: Slot) -> Option<&'a str> {
        match self.event.get() {
            Some(event) => event.get(slot),
            None => self.snapshot.get(slot),
        }
    }

    /// A section, as a map that may be written to.
    pub(super) fn section(&'a self, section: Section) -> &'a dyn Map<'a> {
        match self.event.get() {
            Some(event) => event.section(section),
            None => self.arena.alloc(LentSection { lent: self, section }),
        }
    }

    fn object(&self) -> &'a dyn Object<'a> {
        self.event().object()
    }
}

impl<'a> Object<'a> for &'a Lent<'a> {
    fn shape(&self) -> &'static Shape {
        &EVENT
    }

    fn named(&self, name: &str) -> Value<'a> {
        match name {
            "Parsed" => Value::Map(self.section(Section::Parsed)),
            "Enriched" => Value::Map(self.section(Section::Enriched)),
            "Meta" => Value::Map(self.section(Section::Meta)),
            "Time" if self.event.get().is_none() => Value::Time(self.snapshot.time),
            _ => self.object().named(name),
        }
    }

    fn field(&self, index: usize) -> Value<'a> {
        match index {
            TIME if self.event.get().is_none() => Value::Time(self.snapshot.time),
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
        self.object().call_named(name, arguments, arena)
    }
}

/// One section of a lent event.
struct LentSection<'a> {
    lent: &'a Lent<'a>,
    section: Section,
}

impl<'a> LentSection<'a> {
    fn of_event(&self) -> &'a dyn Map<'a> {
        self.lent.event().section(self.section)
    }
}

impl<'a> Map<'a> for LentSection<'a> {
    fn element(&self) -> Type {
        Type::Text
    }

    fn get(&self, key: &str) -> Option<Value<'a>> {
        match self.lent.names.find(self.section, key) {
            Some(slot) => self.lent.get(slot).map(Value::Text),
            // Fields that no rule mentions are few, and looked for in the event.
            None => self.of_event().get(key),
        }
    }

    fn set(&self, key: &'a str, value: Value<'a>) -> bool {
        self.of_event().set(key, value)
    }

    fn each(&self, each: &mut dyn FnMut(&'a str, Value<'a>)) {
        self.of_event().each(each);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Kind, Mode};
    use crate::value::Time;

    fn field<'a>(object: &dyn Object<'a>, name: &str) -> Value<'a> {
        let (index, _) = object.shape().field(name).unwrap();
        object.field(index)
    }

    /// Asked in any order, a lent event answers as the event itself does.
    #[test]
    fn answers_as_the_event_does() {
        let (arena, mut names) = (Arena::new(), Names::new());
        let slot = names.intern(Section::Meta, "a").unwrap();
        let event = Event::new(&arena, &names, Kind::Log, Mode::Replay, Time::from_seconds(7));
        event.set(slot, "x");
        event.set_named(Section::Parsed, "unknown", "y");
        event.raw.set("line");
        let snapshot = Snapshot::of(event);
        let show = |object: &dyn Object<'_>, path: [&str; 2]| match field(object, path[0]) {
            Value::Map(map) => format!("{:?}", map.get(path[1])),
            Value::Object(object) => format!("{:?}", field(object, path[1])),
            other => format!("{other:?}"),
        };
        let paths =
            [["Meta", "a"], ["Meta", "b"], ["Parsed", "unknown"], ["Time", ""], ["Line", "Raw"]];
        for first in paths {
            let lent: &dyn Object<'_> = arena.alloc(Lent::new(&arena, &names, &snapshot));
            for path in [first].into_iter().chain(paths) {
                assert_eq!(show(lent, path), show(event.object(), path), "{path:?}");
            }
        }
    }

    #[test]
    fn what_is_written_is_read_again_whoever_asked_before() {
        let (arena, mut names) = (Arena::new(), Names::new());
        let slot = names.intern(Section::Meta, "a").unwrap();
        let event = Event::new(&arena, &names, Kind::Log, Mode::Live, Time::from_seconds(7));
        event.set(slot, "x");
        let snapshot = Snapshot::of(event);
        let lent = Lent::new(&arena, &names, &snapshot);
        let before = lent.section(Section::Meta);
        assert_eq!(lent.get(slot), Some("x"));
        let arguments = [Value::Text("a"), Value::Text("z")];
        lent.call_named("SetMeta", &arguments, &arena).unwrap();
        assert_eq!(lent.get(slot), Some("z"));
        assert_eq!(format!("{:?}", before.get("a")), "Some(\"z\")");
        assert!(before.set("a", Value::Text("w")));
        assert_eq!(lent.get(slot), Some("w"));
        assert_eq!(snapshot.get(slot), Some("x"));
    }
}
