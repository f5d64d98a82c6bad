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
    texts: Vec<Box<str>>,
    /// Apart, because they are asked for more often than the names.
    sections: Vec<Section>,
    slots: [HashMap<Box<str>, Slot>; 4],
}

impl Names {
    /// The slot of `evt.Meta.source_ip`.
    pub const SOURCE_IP: Slot = Slot(0);
    /// The slot of `evt.Line.Labels.type`.
    pub const LABEL: Slot = Slot(1);
    /// The slot of `evt.Parsed.program`.
    pub const PROGRAM: Slot = Slot(2);
    /// The slot of `evt.Parsed.message`.
    pub const MESSAGE: Slot = Slot(3);
    /// The slot of `evt.Parsed.timestamp`.
    pub const TIMESTAMP: Slot = Slot(4);
    /// The slot of `evt.Parsed.timestamp8601`.
    pub const TIMESTAMP_8601: Slot = Slot(5);
    /// The slot of `evt.Parsed.pid`.
    pub const PID: Slot = Slot(6);
    /// The slot of `evt.Parsed.facility`.
    pub const FACILITY: Slot = Slot(7);
    /// The slot of `evt.Parsed.priority`.
    pub const PRIORITY: Slot = Slot(8);
    /// The slot of `evt.Parsed.logsource`.
    pub const LOGSOURCE: Slot = Slot(9);
    /// The slot of `evt.Parsed.syslog_priority`.
    pub const SYSLOG_PRIORITY: Slot = Slot(10);
    /// The slot of `evt.Parsed.syslog_version`.
    pub const SYSLOG_VERSION: Slot = Slot(11);
    /// The slot of `evt.Parsed.seq_id`.
    pub const SEQUENCE_ID: Slot = Slot(12);
    /// The slot of `evt.Meta.machine`.
    pub const MACHINE: Slot = Slot(13);
    /// The slot of `evt.Meta.datasource_path`.
    pub const SOURCE_PATH: Slot = Slot(14);
    /// The slot of `evt.Meta.datasource_type`.
    pub const SOURCE_TYPE: Slot = Slot(15);

    /// Those that have a constant slot, because the program itself asks for them, or fills them, for
    /// every line.
    const FIXED: [(Slot, Section, &'static str); 16] = [
        (Self::SOURCE_IP, Section::Meta, "source_ip"),
        (Self::LABEL, Section::Label, "type"),
        (Self::PROGRAM, Section::Parsed, "program"),
        (Self::MESSAGE, Section::Parsed, "message"),
        (Self::TIMESTAMP, Section::Parsed, "timestamp"),
        (Self::TIMESTAMP_8601, Section::Parsed, "timestamp8601"),
        (Self::PID, Section::Parsed, "pid"),
        (Self::FACILITY, Section::Parsed, "facility"),
        (Self::PRIORITY, Section::Parsed, "priority"),
        (Self::LOGSOURCE, Section::Parsed, "logsource"),
        (Self::SYSLOG_PRIORITY, Section::Parsed, "syslog_priority"),
        (Self::SYSLOG_VERSION, Section::Parsed, "syslog_version"),
        (Self::SEQUENCE_ID, Section::Parsed, "seq_id"),
        (Self::MACHINE, Section::Meta, "machine"),
        (Self::SOURCE_PATH, Section::Meta, "datasource_path"),
        (Self::SOURCE_TYPE, Section::Meta, "datasource_type"),
    ];

    /// No names yet but those that have a constant slot.
    #[must_use]
    pub fn new() -> Self {
        let mut names = Self { texts: Vec::new(), sections: Vec::new(), slots: Default::default() };
        for (_, section, name) in Self::FIXED {
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
        let slot = Slot(u16::try_from(self.texts.len()).ok()?);
        self.texts.push(name.into());
        self.sections.push(section);
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
        self.texts.len()
    }

    /// Never: some names have constant slots.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// The sections of all slots, in their order.
    #[must_use]
    pub fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// The section and name of a slot.
    #[must_use]
    pub fn name(&self, slot: Slot) -> Option<(Section, &str)> {
        let at = usize::from(slot.0);
        Some((*self.sections.get(at)?, self.texts.get(at)?))
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
        for (slot, section, name) in Names::FIXED {
            assert_eq!(names.find(section, name), Some(slot), "{name}");
        }
    }
}
