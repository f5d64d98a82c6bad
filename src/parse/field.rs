//! One text field of an event, found once when rules are loaded.

use crate::event::Event;
use crate::value::{Names, Section, Slot};

/// A field of an event by slot; by name when the slots were used up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    /// By slot.
    Slot(Slot),
    /// By name.
    Named(Section, Box<str>),
}

impl Field {
    /// The field `name` of a section.
    pub fn intern(names: &mut Names, section: Section, name: &str) -> Self {
        match names.intern(section, name) {
            Some(slot) => Self::Slot(slot),
            None => Self::Named(section, name.into()),
        }
    }

    /// Its slot, if it has one.
    #[must_use]
    pub fn slot(&self) -> Option<Slot> {
        match self {
            Self::Slot(slot) => Some(*slot),
            Self::Named(..) => None,
        }
    }

    /// Its text in `event`, or `None` when it was never set.
    #[inline]
    #[must_use]
    pub fn get<'a>(&self, event: &Event<'a>) -> Option<&'a str> {
        match self {
            Self::Slot(slot) => event.get(*slot),
            Self::Named(section, name) => event.get_named(*section, name),
        }
    }

    /// Sets its text in `event`.
    #[inline]
    pub fn set<'a>(&self, event: &Event<'a>, text: &'a str) {
        match self {
            Self::Slot(slot) => event.set(*slot, text),
            Self::Named(section, name) => event.set_named(*section, name, text),
        }
    }
}
