//! The decoded header in place of the first stage.
//!
//! When the loaded rules bring no `s00` stage, the header that [`syslog`] decodes fills the fields
//! that such rules customarily fill. [`syslog`] says which, and where they differ.

use super::syslog::{self, Clock, Format};
use crate::event::Event;
use crate::value::{Names, Slot};

/// The fields that a header fills.
pub const FIELDS: [Slot; 14] = [
    Names::TIMESTAMP,
    Names::TIMESTAMP_8601,
    Names::PROGRAM,
    Names::PID,
    Names::MESSAGE,
    Names::FACILITY,
    Names::PRIORITY,
    Names::LOGSOURCE,
    Names::SYSLOG_PRIORITY,
    Names::SYSLOG_VERSION,
    Names::SEQUENCE_ID,
    Names::MACHINE,
    Names::SOURCE_PATH,
    Names::SOURCE_TYPE,
];

/// Decimal texts of facilities and severities.
const NUMBERS: [&str; 24] = [
    "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16",
    "17", "18", "19", "20", "21", "22", "23",
];

/// Fills the fields from the header of a syslog line; gives whether there is one.
pub(super) fn fill_syslog(event: &Event<'_>) -> bool {
    let header = syslog::decode(event.raw.get());
    if !header.is_syslog() {
        return false;
    }
    let time_if = |clock| if header.clock == clock { header.timestamp } else { "" };
    // rsyslog's template for RFC 5424 puts a space of its own before the one that programs'
    // messages begin with there; rules that look at the beginning must not trip over it.
    let message = header.first_line();
    let message = match header.format {
        Format::Rfc5424 => message.strip_prefix(' ').unwrap_or(message),
        _ => message,
    };
    let number_if_inline = |number: Option<u8>| {
        let number = number.filter(|_| header.is_inline());
        number.and_then(|number| NUMBERS.get(usize::from(number))).copied().unwrap_or_default()
    };
    event.set_all([
        (Names::TIMESTAMP, time_if(Clock::Bsd)),
        (Names::TIMESTAMP_8601, time_if(Clock::Iso)),
        (Names::PROGRAM, header.program),
        (Names::PID, header.pid),
        (Names::MESSAGE, message),
        (Names::FACILITY, number_if_inline(header.facility)),
        (Names::PRIORITY, number_if_inline(header.severity)),
        (Names::LOGSOURCE, "syslog"),
    ]);
    if header.format == Format::Rfc5424 {
        event.set_all([
            (Names::SYSLOG_PRIORITY, header.priority),
            (Names::SYSLOG_VERSION, header.version),
            (Names::SEQUENCE_ID, header.sequence_id()),
        ]);
    }
    if matches!(header.clock, Clock::Bsd | Clock::Iso) {
        event.str_time.set(header.timestamp);
    }
    set_unless_empty(event, Names::MACHINE, header.host);
    fill_source(event);
    true
}

/// Fills the fields of a line of another kind: the kind stands for the program.
pub(super) fn fill_other<'a>(event: &Event<'a>, kind: &'a str) {
    set_unless_empty(event, Names::MESSAGE, event.raw.get());
    set_unless_empty(event, Names::PROGRAM, kind);
    fill_source(event);
}

fn fill_source(event: &Event<'_>) {
    set_unless_empty(event, Names::SOURCE_PATH, event.source.get());
    set_unless_empty(event, Names::SOURCE_TYPE, event.module.get());
}

fn set_unless_empty<'a>(event: &Event<'a>, slot: Slot, text: &'a str) {
    if !text.is_empty() {
        event.set(slot, text);
    }
}
