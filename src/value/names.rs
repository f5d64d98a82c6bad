//! Field names become numbers when rules are loaded, so that a running rule compares numbers.

use std::collections::HashMap;

/// The four maps from text to text that an event has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Section {
    /// `evt.Parsed`: grok captures and parsed statics.
    Parsed,
    /// `evt.Enriched`: results of enrichment.
    Enriched,
    /// `evt.Meta`: normalised data, the only map that reaches a decision's history.
    Meta,
    /// `evt.Line.Labels`: what the source said of its lines.
    Label,
}

/// The number of one field of one section.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot(pub u16);

/// All field names that the loaded rules mention, by section.
///
/// Invariant: a slot, once given, keeps its meaning; names are only ever added.
#[derive(Debug, Clone)]
pub struct Names {
    by_slot: Vec<(Section, Box<str>)>,
    slots: [HashMap<Box<str>, Slot>; 4],
}

impl Names {
    /// The slot of `evt.Meta.source_ip`.
    pub const SOURCE_IP: Slot = Slot(0);
    /// The slot of `evt.Line.Labels.type`.
    pub const LABEL: Slot = Slot(1);
    /// The slot of `evt.Parsed.program`.
    pub const PROGRAM: Slot = Slot(2);

    /// Those that have a constant slot, because the program itself asks for them of every line.
    const FIXED: [(Section, &'static str); 3] =
        [(Section::Meta, "source_ip"), (Section::Label, "type"), (Section::Parsed, "program")];

    /// No names yet but those that have a constant slot.
    #[must_use]
    pub fn new() -> Self {
        let mut names = Self { by_slot: Vec::new(), slots: Default::default() };
        for (section, name) in Self::FIXED {
            names.intern(section, name);
        }
        names
    }

    /// The slot of a name, given now when it is met for the first time. `None` when all 65,536
    /// slots are taken: the field then lives by its name, which is slower but right.
    pub fn intern(&mut self, section: Section, name: &str) -> Option<Slot> {
        if let Some(slot) = self.find(section, name) {
            return Some(slot);
        }
        let slot = Slot(u16::try_from(self.by_slot.len()).ok()?);
        self.by_slot.push((section, name.into()));
        self.slots[section as usize].insert(name.into(), slot);
        Some(slot)
    }

    /// The slot of a name that was met before.
    #[must_use]
    pub fn find(&self, section: Section, name: &str) -> Option<Slot> {
        self.slots[section as usize].get(name).copied()
    }

    /// How many slots were given.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_slot.len()
    }

    /// Never: some names have constant slots.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_slot.is_empty()
    }

    /// The section of a slot.
    #[must_use]
    pub fn section(&self, slot: Slot) -> Option<Section> {
        self.by_slot.get(usize::from(slot.0)).map(|(section, _)| *section)
    }

    /// The section and name of a slot.
    #[must_use]
    pub fn name(&self, slot: Slot) -> Option<(Section, &str)> {
        self.by_slot.get(usize::from(slot.0)).map(|(section, name)| (*section, &**name))
    }
}

impl Default for Names {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constant_slots_are_those_of_their_names() {
        let names = Names::new();
        for (slot, (section, name)) in
            [Names::SOURCE_IP, Names::LABEL, Names::PROGRAM].iter().zip(Names::FIXED)
        {
            assert_eq!(names.find(section, name), Some(*slot));
        }
    }
}
