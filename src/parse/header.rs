//! The decoded header in place of the first stage.
//!
//! When the loaded rules bring no `s00` stage, the header that [`syslog`] decodes fills the fields
//! that such rules customarily fill. [`syslog`] says which, and where they differ.

use super::field::Field;
use super::syslog::{self, Clock, Format};
use crate::event::Event;
use crate::value::{Names, Section};

/// The fields that a header fills.
#[derive(Debug)]
pub(super) struct HeaderFields {
    timestamp: Field,
    timestamp8601: Field,
    program: Field,
    pid: Field,
    message: Field,
    facility: Field,
    priority: Field,
    logsource: Field,
    syslog_priority: Field,
    syslog_version: Field,
    seq_id: Field,
    machine: Field,
    path: Field,
    kind: Field,
}

/// Decimal texts of facilities and severities.
const NUMBERS: [&str; 24] = [
    "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16",
    "17", "18", "19", "20", "21", "22", "23",
];

impl HeaderFields {
    pub(super) fn new(names: &mut Names) -> Self {
        let mut parsed = |name| Field::intern(names, Section::Parsed, name);
        Self {
            timestamp: parsed("timestamp"),
            timestamp8601: parsed("timestamp8601"),
            program: parsed("program"),
            pid: parsed("pid"),
            message: parsed("message"),
            facility: parsed("facility"),
            priority: parsed("priority"),
            logsource: parsed("logsource"),
            syslog_priority: parsed("syslog_priority"),
            syslog_version: parsed("syslog_version"),
            seq_id: parsed("seq_id"),
            machine: Field::intern(names, Section::Meta, "machine"),
            path: Field::intern(names, Section::Meta, "datasource_path"),
            kind: Field::intern(names, Section::Meta, "datasource_type"),
        }
    }

    /// All of them.
    pub(super) fn all(&self) -> impl Iterator<Item = &Field> {
        [
            &self.timestamp,
            &self.timestamp8601,
            &self.program,
            &self.pid,
            &self.message,
            &self.facility,
            &self.priority,
            &self.logsource,
            &self.syslog_priority,
            &self.syslog_version,
            &self.seq_id,
            &self.machine,
            &self.path,
            &self.kind,
        ]
        .into_iter()
    }

    /// Fills the fields from the header of a syslog line; gives whether there is one.
    pub(super) fn fill_syslog<'a>(&self, event: &Event<'a>) -> bool {
        let header = syslog::decode(event.raw.get());
        if !header.is_syslog() {
            return false;
        }
        let time_if = |clock| if header.clock == clock { header.timestamp } else { "" };
        self.timestamp.set(event, time_if(Clock::Bsd));
        self.timestamp8601.set(event, time_if(Clock::Iso));
        self.program.set(event, header.program);
        self.pid.set(event, header.pid);
        // rsyslog's template for RFC 5424 puts a space of its own before the one that programs'
        // messages begin with there; rules that look at the beginning must not trip over it.
        let message = header.first_line();
        let message = match header.format {
            Format::Rfc5424 => message.strip_prefix(' ').unwrap_or(message),
            _ => message,
        };
        self.message.set(event, message);
        let number_if_inline = |number: Option<u8>| {
            let number = number.filter(|_| header.is_inline());
            number.and_then(|number| NUMBERS.get(usize::from(number))).copied().unwrap_or_default()
        };
        self.facility.set(event, number_if_inline(header.facility));
        self.priority.set(event, number_if_inline(header.severity));
        self.logsource.set(event, "syslog");
        if header.format == Format::Rfc5424 {
            self.syslog_priority.set(event, header.priority);
            self.syslog_version.set(event, header.version);
            self.seq_id.set(event, header.sequence_id());
        }
        set_unless_empty(&self.machine, event, header.host);
        if matches!(header.clock, Clock::Bsd | Clock::Iso) {
            event.str_time.set(header.timestamp);
        }
        self.fill_source(event);
        true
    }

    /// Fills the fields of a line of another kind: the kind stands for the program.
    pub(super) fn fill_other<'a>(&self, event: &Event<'a>, kind: &'a str) {
        set_unless_empty(&self.message, event, event.raw.get());
        set_unless_empty(&self.program, event, kind);
        self.fill_source(event);
    }

    fn fill_source(&self, event: &Event<'_>) {
        set_unless_empty(&self.path, event, event.source.get());
        set_unless_empty(&self.kind, event, event.module.get());
    }
}

fn set_unless_empty<'a>(field: &Field, event: &Event<'a>, text: &'a str) {
    if !text.is_empty() {
        field.set(event, text);
    }
}
