//! An event and the facts from outside, as an expression of a rule sees them.

use crate::event::{EVENT, Event};
use crate::expr::{Scope, World};
use crate::value::{Arena, Object, Section, Slot, Type, Value};

/// The variables that an expression over one event may use.
pub static VARIABLES: &[(&str, Type)] = &[("evt", Type::Object(&EVENT))];

/// The [`Scope`] of expressions compiled with [`VARIABLES`].
#[derive(Clone, Copy)]
pub struct EventScope<'a> {
    event: &'a Event<'a>,
    object: &'a dyn Object<'a>,
    world: &'a World,
}

impl<'a> EventScope<'a> {
    /// Looks at `event`.
    #[must_use]
    pub fn new(event: &'a Event<'a>, world: &'a World) -> Self {
        Self { event, object: event.object(), world }
    }

    /// The event.
    #[must_use]
    pub fn event(&self) -> &'a Event<'a> {
        self.event
    }
}

impl<'a> Scope<'a> for EventScope<'a> {
    fn arena(&self) -> &'a Arena {
        self.event.arena()
    }

    fn variable(&self, _: usize) -> Value<'a> {
        Value::Object(self.object)
    }

    fn field(&self, slot: Slot) -> Option<&'a str> {
        self.event.get(slot)
    }

    fn section(&self, section: Section) -> Value<'a> {
        Value::Map(self.event.section(section))
    }

    fn world(&self) -> &'a World {
        self.world
    }
}
