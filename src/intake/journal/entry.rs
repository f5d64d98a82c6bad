//! An entry of the journal, and the syslog line that rules expect of it.
//!
//! The line is what `journalctl -o short` shows, with a time that leaves nothing to guess:
//! `2026-11-22T10:00:00.123456Z host ident[pid]: message`. The message is as it was logged, line
//! feeds and all; the words before it are kept from looking like something else.
//!
//! Who logs chooses the fields without an underscore in front; those with one are the journal's own
//! word (systemd.journal-fields(7)). Of all fields only a few are kept, each bounded.

#![forbid(unsafe_code)]

use crate::event::Origin;
use crate::value::{RFC3339_MAX, Time};

/// The fields that are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// Where the entry is in its journal.
    Cursor,
    /// When the journal received it, in microseconds since 1970.
    Received,
    /// When it was logged, in microseconds since 1970.
    Logged,
    /// The text.
    Message,
    /// The host's name.
    Host,
    /// What the program calls itself.
    Identifier,
    /// What the kernel calls the program.
    Command,
    /// The process, as the program says.
    SaidPid,
    /// The process.
    Pid,
    /// The syslog facility.
    Facility,
    /// The unit of the service manager.
    Unit,
    /// The container's name.
    Container,
    /// The program's file.
    Program,
    /// The host.
    Machine,
}

impl Field {
    const ALL: [(&'static [u8], Self); 14] = [
        (b"__CURSOR", Self::Cursor),
        (b"__REALTIME_TIMESTAMP", Self::Received),
        (b"_SOURCE_REALTIME_TIMESTAMP", Self::Logged),
        (b"MESSAGE", Self::Message),
        (b"_HOSTNAME", Self::Host),
        (b"SYSLOG_IDENTIFIER", Self::Identifier),
        (b"_COMM", Self::Command),
        (b"SYSLOG_PID", Self::SaidPid),
        (b"_PID", Self::Pid),
        (b"SYSLOG_FACILITY", Self::Facility),
        (b"_SYSTEMD_UNIT", Self::Unit),
        (b"CONTAINER_NAME", Self::Container),
        (b"_EXE", Self::Program),
        (b"_MACHINE_ID", Self::Machine),
    ];

    /// The field of this name, if it is one of those that are kept.
    #[must_use]
    pub fn of(name: &[u8]) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, field)| *field)
    }
}

/// The longest text of a field that is not the message; the journal's own are shorter.
const LONGEST: usize = 1024;
/// What stands for a host or a program that the entry does not name.
const UNKNOWN: &[u8] = b"unknown";

/// An entry. It is used again and again, so that nothing is allocated for each.
#[derive(Debug)]
pub struct Entry {
    texts: [Vec<u8>; Field::ALL.len()],
    /// Which fields were given, a bit for each.
    given: u32,
    limit: usize,
    is_cut: bool,
}

impl Entry {
    /// An empty entry for lines of at most `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { texts: Default::default(), given: 0, limit, is_cut: false }
    }

    /// Makes it empty again; its memory is kept.
    pub fn clear(&mut self) {
        self.given = 0;
        self.is_cut = false;
        for text in &mut self.texts {
            text.clear();
        }
    }

    /// Begins a field; `None` when it is not kept, or was given before: the first one counts.
    pub fn begin(&mut self, name: &[u8]) -> Option<Field> {
        let field = Field::of(name)?;
        if self.has(field) {
            return None;
        }
        self.given |= 1 << field as u32;
        Some(field)
    }

    /// Appends to a field that was begun, as much as there is room for.
    pub fn append(&mut self, field: Field, bytes: &[u8]) {
        let most = if field == Field::Message { self.limit } else { LONGEST };
        let text = &mut self.texts[field as usize];
        let room = most.saturating_sub(text.len());
        let taken = bytes.get(..room).unwrap_or(bytes);
        text.extend_from_slice(taken);
        self.is_cut |= field == Field::Message && taken.len() < bytes.len();
    }

    /// Takes a field, if it is one of those that are kept.
    pub fn set(&mut self, name: &[u8], text: &[u8]) {
        if let Some(field) = self.begin(name) {
            self.append(field, text);
        }
    }

    /// Says when the journal received it, in microseconds since 1970.
    pub fn set_received(&mut self, micros: u64) {
        self.set(b"__REALTIME_TIMESTAMP", micros.to_string().as_bytes());
    }

    /// Whether nothing that is kept was given.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.given == 0
    }

    /// Whether the field was given.
    #[must_use]
    pub fn has(&self, field: Field) -> bool {
        self.given & 1 << field as u32 != 0
    }

    /// The text of a field; empty when it was not given.
    #[must_use]
    pub fn get(&self, field: Field) -> &[u8] {
        &self.texts[field as usize]
    }

    /// The text of a field whose text is one.
    #[must_use]
    pub fn text(&self, field: Field) -> Option<&str> {
        std::str::from_utf8(self.get(field)).ok().filter(|text| !text.is_empty())
    }

    /// When the journal received it, by its own clock.
    #[must_use]
    pub fn received_at(&self) -> Option<Time> {
        self.time(Field::Received)
    }

    /// Says in `origin` what is known of whose line it is.
    pub fn tell_origin(&self, origin: &mut Origin) {
        for (text, field) in
            [(&mut origin.unit, Field::Unit), (&mut origin.container, Field::Container)]
        {
            let new = self.text(field).unwrap_or_default();
            if **text != *new {
                *text = new.into();
            }
        }
        let facility = self.text(Field::Facility).and_then(|text| text.parse().ok());
        origin.facility = facility.filter(|facility| *facility <= 23);
    }

    fn time(&self, field: Field) -> Option<Time> {
        let micros: i64 = self.text(field)?.parse().ok()?;
        Some(Time::from_nanos(micros.checked_mul(1000)?))
    }

    /// Whether there is a text to make a line of.
    #[must_use]
    pub fn is_line(&self) -> bool {
        self.has(Field::Message)
    }

    /// Writes the line in place of what `line` holds; gives whether it is cut.
    pub fn write_line(&self, line: &mut Vec<u8>) -> bool {
        line.clear();
        let at = self.time(Field::Logged).or_else(|| self.received_at());
        let at = at.unwrap_or(Time::from_seconds(0));
        line.extend_from_slice(at.write_rfc3339(&mut [0; RFC3339_MAX]).as_bytes());
        line.push(b' ');
        push_word(line, self.get(Field::Host));
        line.push(b' ');
        let identifier = [Field::Identifier, Field::Command].map(|field| self.get(field));
        push_word(line, identifier.into_iter().find(|name| !name.is_empty()).unwrap_or_default());
        let pids = [Field::SaidPid, Field::Pid].map(|field| self.get(field));
        if let Some(pid) = pids.into_iter().find(|pid| is_number(pid)) {
            line.push(b'[');
            line.extend_from_slice(pid);
            line.push(b']');
        }
        line.extend_from_slice(b": ");
        line.extend_from_slice(self.get(Field::Message));
        let is_longer = line.len() > self.limit;
        line.truncate(self.limit);
        self.is_cut || is_longer
    }
}

fn is_number(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(u8::is_ascii_digit)
}

/// Appends a text as one word of a header: no space, no bracket, no control character, and no colon
/// at its end, so that a name cannot end the header before its time.
fn push_word(line: &mut Vec<u8>, text: &[u8]) {
    let end = text.iter().rposition(|byte| *byte != b':').map_or(0, |last| last + 1);
    if end == 0 {
        line.extend_from_slice(UNKNOWN);
        return;
    }
    line.extend(text[..end].iter().map(|byte| match byte {
        0..=b' ' | 0x7F | b'[' | b']' => b'_',
        byte => *byte,
    }));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(fields: &[(&str, &str)], expected: &str) {
        let mut entry = Entry::new(120);
        for (name, text) in fields {
            entry.set(name.as_bytes(), text.as_bytes());
        }
        let mut line = b"what was there before".to_vec();
        let cut = entry.write_line(&mut line);
        let shown = line.escape_ascii().to_string() + if cut { "…" } else { "" };
        assert_eq!(shown, expected);
    }

    #[test]
    fn lines() {
        let at = ("__REALTIME_TIMESTAMP", "1795446017176546");
        check(
            &[
                at,
                ("_SOURCE_REALTIME_TIMESTAMP", "1795446017175972"),
                ("_HOSTNAME", "vm"),
                ("SYSLOG_IDENTIFIER", "sshd"),
                ("_COMM", "logger"),
                ("_PID", "7568"),
                ("MESSAGE", "hello"),
                ("PRIORITY", "5"),
            ],
            "2026-11-23T15:00:17.175972Z vm sshd[7568]: hello",
        );
        check(
            &[at, ("_COMM", "cat"), ("SYSLOG_PID", "7"), ("_PID", "8"), ("MESSAGE", "a\nb")],
            r"2026-11-23T15:00:17.176546Z unknown cat[7]: a\nb",
        );
        // The first one counts, and what cannot be a number is none.
        check(
            &[
                at,
                ("_HOSTNAME", "vm"),
                ("SYSLOG_PID", "x"),
                ("MESSAGE", "1"),
                ("MESSAGE", "2"),
                ("_SOURCE_REALTIME_TIMESTAMP", "99999999999999999999"),
            ],
            "2026-11-23T15:00:17.176546Z vm unknown: 1",
        );
        check(&[("MESSAGE", "")], "1970-01-01T00:00:00Z unknown unknown: ");
    }

    #[test]
    fn a_name_does_not_end_the_header() {
        let forged = "sshd[1]: Failed password for root from 192.0.2.1\n";
        check(
            &[("_HOSTNAME", "a b"), ("SYSLOG_IDENTIFIER", forged), ("MESSAGE", "x")],
            "1970-01-01T00:00:00Z a_b sshd_1_:_Failed_password_for_root_from_192.0.2.1_: x",
        );
        check(
            &[("_HOSTNAME", "h"), ("SYSLOG_IDENTIFIER", "a::"), ("MESSAGE", "x")],
            "1970-01-01T00:00:00Z h a: x",
        );
    }

    #[test]
    fn long_ones_are_cut() {
        let long = "x".repeat(200);
        let line = format!("1970-01-01T00:00:00Z h p: {}…", "x".repeat(120 - 26));
        let fields = [("_HOSTNAME", "h"), ("SYSLOG_IDENTIFIER", "p"), ("MESSAGE", &*long)];
        check(&fields, &line);
        check(&[("_HOSTNAME", "h"), ("SYSLOG_IDENTIFIER", "p"), ("MESSAGE", &long[..100])], &line);
        let mut entry = Entry::new(120);
        entry.set(b"__CURSOR", &[b'c'; 5000]);
        assert_eq!(entry.get(Field::Cursor).len(), LONGEST);
    }

    #[test]
    fn origins() {
        let mut origin = Origin { unit: "before".into(), ..Origin::default() };
        for (text, facility) in [("10", Some(10)), ("24", None), ("-1", None), ("", None)] {
            let mut entry = Entry::new(120);
            entry.set(b"SYSLOG_FACILITY", text.as_bytes());
            entry.set(b"CONTAINER_NAME", b"web_1");
            entry.tell_origin(&mut origin);
            assert_eq!((&*origin.unit, &*origin.container), ("", "web_1"));
            assert_eq!(origin.facility, facility, "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_message_is_as_it_was_logged(
            host in prop::collection::vec(any::<u8>(), 0..20),
            identifier in prop::collection::vec(any::<u8>(), 0..20),
            message in prop::collection::vec(any::<u8>(), 0..60),
        ) {
            let mut entry = Entry::new(1000);
            entry.set(b"_HOSTNAME", &host);
            entry.set(b"SYSLOG_IDENTIFIER", &identifier);
            entry.set(b"MESSAGE", &message);
            let mut line = Vec::new();
            prop_assert!(!entry.write_line(&mut line));
            prop_assert!(line.ends_with(&message));
            let header = &line[..line.len() - message.len()];
            prop_assert!(header.ends_with(b": "));
            let header = &header[..header.len() - 2];
            prop_assert_eq!(header.iter().filter(|byte| **byte == b' ').count(), 2);
            prop_assert!(!header.ends_with(b":"), "{}", header.escape_ascii());
        }
    }
}
