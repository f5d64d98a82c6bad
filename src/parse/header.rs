//! The decoded header in place of the first stage.
//!
//! When the loaded rules bring no `s00` stage, the header that [`syslog`] decodes fills the fields
//! that such rules customarily fill. [`syslog`] says which, and where they differ.

use super::classify::decode_cri;
use super::syslog::{self, Clock, Format, LastTime, Usual};
use crate::event::{Event, Order};
use crate::value::{Names, Slot};

/// Those that every header fills.
const ALWAYS: [Slot; 8] = [
    Names::TIMESTAMP,
    Names::TIMESTAMP_8601,
    Names::PROGRAM,
    Names::PID,
    Names::MESSAGE,
    Names::FACILITY,
    Names::PRIORITY,
    Names::LOGSOURCE,
];

/// Those that depend on where a line comes from.
const ORIGIN: [Slot; 3] = [Names::MACHINE, Names::SOURCE_PATH, Names::SOURCE_TYPE];

/// Those that RFC 5424 has beside.
const OF_RFC5424: [Slot; 3] = [Names::SYSLOG_PRIORITY, Names::SYSLOG_VERSION, Names::SEQUENCE_ID];

/// The fields that a header fills.
pub const FIELDS: [Slot; 14] = joined(joined::<8, 3, 11>(ALWAYS, OF_RFC5424), ORIGIN);

static ALWAYS_AT_ONCE: Order<8> = Order::new(ALWAYS);

/// What the usual header fills, mostly.
static USUAL_AT_ONCE: Order<11> = Order::new(joined(ALWAYS, ORIGIN));

/// `first` and then `rest`, which are `N` together.
const fn joined<const A: usize, const B: usize, const N: usize>(
    first: [Slot; A],
    rest: [Slot; B],
) -> [Slot; N] {
    assert!(A + B == N, "the lengths add up");
    let (mut all, mut at) = ([Names::TIMESTAMP; N], 0);
    while at < N {
        all[at] = if at < A { first[at] } else { rest[at - A] };
        at += 1;
    }
    all
}

/// What [`Names::LOGSOURCE`] is.
const LOGSOURCE: &str = "syslog";

/// Decimal texts of facilities and severities.
const NUMBERS: [&str; 24] = [
    "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16",
    "17", "18", "19", "20", "21", "22", "23",
];

/// Fills the fields from the header of a syslog line; gives whether there is one. `is_single` says
/// that the line is known to hold no line feed.
pub(super) fn fill_syslog(event: &Event<'_>, is_single: bool, last: &mut LastTime) -> bool {
    match syslog::usual(event.raw.get(), last) {
        Some(header) => {
            fill_usual(event, header, is_single);
            true
        }
        None => fill_any(event),
    }
}

/// What [`fill_any`] does of a header that is as usual.
fn fill_usual<'a>(event: &Event<'a>, header: Usual<'a>, is_single: bool) {
    let message = if is_single { header.message } else { syslog::first_line(header.message) };
    event.str_time.set(header.timestamp);
    let Usual { timestamp, host, program, pid, .. } = header;
    let (source, module) = (event.source.get(), event.module.get());
    if source.is_empty() || module.is_empty() {
        let texts = [timestamp, "", program, pid, message, "", "", LOGSOURCE];
        event.set_all(&ALWAYS_AT_ONCE, texts);
        event.set(Names::MACHINE, host);
        return fill_source(event);
    }
    event.set_all(
        &USUAL_AT_ONCE,
        [timestamp, "", program, pid, message, "", "", LOGSOURCE, host, source, module],
    );
}

fn fill_any(event: &Event<'_>) -> bool {
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
    event.set_all(
        &ALWAYS_AT_ONCE,
        [
            time_if(Clock::Bsd),
            time_if(Clock::Iso),
            header.program,
            header.pid,
            message,
            number_if_inline(header.facility),
            number_if_inline(header.severity),
            LOGSOURCE,
        ],
    );
    if header.format == Format::Rfc5424 {
        event.set(Names::SYSLOG_PRIORITY, header.priority);
        event.set(Names::SYSLOG_VERSION, header.version);
        event.set(Names::SEQUENCE_ID, header.sequence_id());
    }
    if matches!(header.clock, Clock::Bsd | Clock::Iso) {
        event.str_time.set(header.timestamp);
    }
    set_unless_empty(event, Names::MACHINE, header.host);
    fill_source(event);
    true
}

/// The label of lines from the log files of a Kubernetes node, in rule folders.
const CRI: &str = "containerd";

/// Fills the fields of a line of another kind: the kind stands for the program.
pub(super) fn fill_other<'a>(event: &Event<'a>, kind: &'a str) {
    let raw = event.raw.get();
    let cri = if kind == CRI { decode_cri(raw) } else { None };
    if let Some(cri) = cri {
        event.str_time.set(cri.timestamp);
    }
    set_unless_empty(event, Names::MESSAGE, cri.map_or(raw, |cri| cri.message));
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::{Kind, Mode};
    use crate::value::{Arena, Section, Time};

    fn filled(line: &str, source: &str, module: &str, fill: fn(&Event<'_>) -> bool) -> String {
        let (arena, names) = (Arena::new(), Names::new());
        let (line, source, module) =
            (arena.alloc_str(line), arena.alloc_str(source), arena.alloc_str(module));
        let event = Event::new(&arena, &names, Kind::Log, Mode::Replay, Time::from_seconds(0));
        event.raw.set(line);
        event.source.set(source);
        event.module.set(module);
        let mut found = format!("{} {}", fill(event), event.str_time.get());
        for section in [Section::Parsed, Section::Meta] {
            event.each_field(section, &mut |name, text| found += &format!(", {name}: {text:?}"));
        }
        found
    }

    fn check(line: &str, source: &str, module: &str) {
        let slowly = filled(line, source, module, fill_any);
        let quickly = |event: &Event<'_>| {
            let is_single = !event.raw.get().contains('\n');
            let mut last = LastTime::default();
            // The second time by what is remembered of the first.
            let _ = syslog::usual(event.raw.get(), &mut last);
            fill_syslog(event, is_single, &mut last)
        };
        assert_eq!(filled(line, source, module, quickly), slowly, "{line:?}");
        let unknown = |event: &Event<'_>| fill_syslog(event, false, &mut LastTime::default());
        assert_eq!(filled(line, source, module, unknown), slowly, "{line:?}");
    }

    proptest! {
        #[test]
        fn the_usual_header_fills_what_any_does(
            priority in "(<[0-9]{1,4}> {0,2})?",
            time in "Nov [ 23][0-9] [0-3]0:00:0[0-9] |Okt  1 00:00:60 |2026-11-22T10:00:00Z |",
            host in "[a-z0-9:.]{0,4}|last|-|2026|<3.6>",
            tag in " {0,2}[a-z(/]{0,5}(\\[[0-9a-z]{0,3}\\]?)?:?",
            rest in " {0,2}[a-z\u{e9}\n ]{0,9}",
            source in "|file",
            module in "|file",
        ) {
            check(&format!("{priority}{time}{host}{tag}{rest}"), &source, &module);
        }
    }
}
