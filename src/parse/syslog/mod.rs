//! The syslog header: who logged what and when, decoded natively in one pass.
//!
//! [`decode`] takes any text and finds as much of a header as there is: RFC 3164 and what passes
//! for it, RFC 5424, ISO 8601 times in an RFC 3164 frame, no priority, no time, no host, no tag.
//! It never fails, never allocates, and every text in a [`Header`] is a piece of the line.
//!
//! # Which fields the rules see
//!
//! Rule folders expect the fields of the customary `syslog-logs` parser, whose groks match lines
//! without a priority (`SYSLOGLINE`) and RFC 5424 lines. A header gives them so:
//!
//! | field | from the header | set when |
//! |---|---|---|
//! | `Parsed.timestamp` | `timestamp` if `clock` is `Bsd`, else `""` | always |
//! | `Parsed.timestamp8601` | `timestamp` if `clock` is `Iso`, else `""` | always |
//! | `Parsed.program`, `Parsed.pid` | `program`, `pid` | always |
//! | `Parsed.message` | [`Header::first_line`]: `.*` of a grok ends at a line feed | always |
//! | `Parsed.facility`, `Parsed.priority` | `facility`, `severity` in decimal if [`Header::is_inline`], else `""` | always |
//! | `Parsed.logsource` | the constant `syslog` (a static overwrites the host) | always |
//! | `Parsed.syslog_priority`, `Parsed.syslog_version` | `priority`, `version` | `format` is `Rfc5424` |
//! | `Parsed.seq_id` | [`Header::sequence_id`] | `format` is `Rfc5424` |
//! | `Meta.machine` | `host` | not empty |
//! | `StrTime` | `timestamp` | `clock` is `Bsd` or `Iso`, and it is not empty |
//! | `Meta.datasource_path`, `Meta.datasource_type` | `Line.Src`, `Line.Module` | not empty |
//!
//! The parser succeeds, and the event goes to the next stage, when [`Header::is_syslog`]. Where
//! those groks match, the fields are the same, but for these cases in which more is understood:
//!
//! * a tag with a pid and no colon (`sshd[42] text`), and a pid that is not a positive number
//!   (`cron[abc]: text`), have a program;
//! * a tag is one also when the line ends behind its colon;
//! * a year behind the time (`Nov 22 10:00:00 2026 host`) is no host, and `last message repeated`
//!   without a host has none;
//! * an IPv6 host keeps its zone (`fe80::1%eth0`) and not the rest of the line, and a word that
//!   the grok pieces together from two hosts (`g::`) is none;
//! * the absent program of an RFC 5424 line is empty, not `-`, and its message loses its BOM.
//!
//! This module knows no rules, no events, no clock.

#![forbid(unsafe_code)]

mod rfc3164;
mod rfc5424;
mod time;

pub(super) use rfc3164::Usual;
pub(super) use time::LastTime;

use crate::value::Arena;

/// What kind of header a line has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// No header was recognised; the message is the whole line.
    Bare,
    /// A priority, but no time (RFC 3164 §4.3.2 and §4.3.3).
    Timeless,
    /// RFC 3164 and its many variants, with a time of any kind.
    Rfc3164,
    /// RFC 5424.
    Rfc5424,
}

/// How the time of a header is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// There is no time.
    None,
    /// `Nov 22 10:00:00`, perhaps with a year and a fraction.
    Bsd,
    /// ISO 8601, as in RFC 5424 and RFC 3339.
    Iso,
    /// Seconds since 1970, perhaps with a fraction.
    Epoch,
}

/// A decoded header. Absent texts are empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// What kind of header it is.
    pub format: Format,
    /// How the time is written.
    pub clock: Clock,
    /// The facility, 0 to 23.
    pub facility: Option<u8>,
    /// The severity, 0 (emergency) to 7 (debug).
    pub severity: Option<u8>,
    /// The digits between `<` and `>` as written, also when they make no valid priority.
    pub priority: &'a str,
    /// The version of an RFC 5424 header.
    pub version: &'a str,
    /// The time as written.
    pub timestamp: &'a str,
    /// The host.
    pub host: &'a str,
    /// The tag without pid and colon; APP-NAME in RFC 5424.
    pub program: &'a str,
    /// What stands in brackets behind the tag; PROCID in RFC 5424.
    pub pid: &'a str,
    /// MSGID of RFC 5424.
    pub message_id: &'a str,
    /// STRUCTURED-DATA of RFC 5424 as written, with its brackets and escapes.
    pub structured_data: &'a str,
    /// All that follows.
    pub message: &'a str,
}

impl<'a> Header<'a> {
    /// Whether a time was recognised, which is what makes a line syslog for the rules, or a
    /// priority.
    #[must_use]
    pub fn is_syslog(&self) -> bool {
        self.format != Format::Bare
    }

    /// Whether facility and severity were written behind the time (`<3.6>`), not as a priority.
    #[must_use]
    pub fn is_inline(&self) -> bool {
        self.priority.is_empty() && self.facility.is_some()
    }

    /// The message up to its first line feed.
    #[must_use]
    pub fn first_line(&self) -> &'a str {
        first_line(self.message)
    }

    /// The number in `[meta sequenceId="…"]` when this is all the structured data, else empty.
    #[must_use]
    pub fn sequence_id(&self) -> &'a str {
        let inner = self.structured_data.strip_prefix("[meta sequenceId=\"");
        let inner = inner.and_then(|rest| rest.strip_suffix("\"]"));
        inner.filter(|text| !text.contains('"')).unwrap_or("")
    }

    fn bare(line: &'a str) -> Self {
        Self {
            format: Format::Bare,
            clock: Clock::None,
            facility: None,
            severity: None,
            priority: "",
            version: "",
            timestamp: "",
            host: "",
            program: "",
            pid: "",
            message_id: "",
            structured_data: "",
            message: line,
        }
    }
}

/// A text up to its first line feed.
pub(super) fn first_line(text: &str) -> &str {
    match memchr::memchr(b'\n', text.as_bytes()) {
        Some(at) => text.get(..at).unwrap_or(text),
        None => text,
    }
}

/// The greatest valid priority: facility 23, severity 7 (RFC 5424 §6.2.1).
const PRIORITY_MAX: u16 = 191;

/// Decodes the header of a line.
#[must_use]
pub fn decode(line: &str) -> Header<'_> {
    let line = line.strip_prefix('\u{feff}').unwrap_or(line);
    let mut header = Header::bare(line);
    let Some((digits, rest)) = split_priority(line) else {
        rfc3164::decode(&mut header, line);
        return header;
    };
    header.format = Format::Timeless;
    header.priority = digits;
    let number = digits.bytes().fold(0, |n, digit| n * 10 + u16::from(digit - b'0'));
    if number <= PRIORITY_MAX {
        header.facility = u8::try_from(number / 8).ok();
        header.severity = u8::try_from(number % 8).ok();
    }
    let rest = rest.trim_start_matches(' ');
    header.message = rest;
    if !rfc5424::decode(&mut header, rest) {
        rfc3164::decode(&mut header, rest);
    }
    header
}

/// The header of a line of the form `Nov 22 10:00:00 host program[pid]: message`, perhaps with a
/// priority before it. `None` says only that [`decode`] is to be asked.
pub(super) fn usual<'a>(line: &'a str, last: &mut LastTime) -> Option<Usual<'a>> {
    let text = match split_priority(line) {
        Some((_, rest)) => rest.trim_start_matches(' '),
        None => line,
    };
    rfc3164::usual(text, last)
}

/// Whether the text is a time in ISO 8601 and nothing else.
pub(super) fn is_iso_time(text: &str) -> bool {
    time::iso(text.as_bytes()) == Some(text.len())
}

/// The line without its priority where a time follows it, as programs that receive syslog write
/// it to files; rules that read headers themselves are made for such lines.
pub(super) fn without_priority(line: &str) -> &str {
    let Some((_, rest)) = split_priority(line) else { return line };
    let rest = rest.trim_start_matches(' ');
    let has_time = time::bsd(rest.as_bytes()).is_some() || time::iso(rest.as_bytes()).is_some();
    if has_time { rest } else { line }
}

/// The line as text: borrowed when it is valid UTF-8, else a copy in which each invalid sequence
/// is U+FFFD.
#[must_use]
pub fn utf8<'a>(bytes: &'a [u8], arena: &'a Arena) -> &'a str {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return text;
    }
    let mut text = bumpalo::collections::String::with_capacity_in(bytes.len() + 16, arena);
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            text.push(char::REPLACEMENT_CHARACTER);
        }
    }
    text.into_bump_str()
}

/// The body of a fuzz target: decodes any bytes and holds the header to what must be true.
pub fn fuzz_decode(bytes: &[u8]) {
    let arena = Arena::new();
    let line = utf8(bytes, &arena);
    let header = decode(line);
    let within =
        |part: &str| part.is_empty() || line.as_bytes().as_ptr_range().contains(&part.as_ptr());
    for part in [
        header.priority,
        header.version,
        header.timestamp,
        header.host,
        header.program,
        header.pid,
        header.message_id,
        header.structured_data,
    ] {
        assert!(within(part) || part == rfc3164::KERNEL, "a piece of the line");
    }
    assert!(within(header.message) && line.ends_with(header.message), "the rest of the line");
    assert!(header.facility.is_none_or(|facility| facility <= 23));
    assert!(header.severity.is_none_or(|severity| severity <= 7));
    assert_eq!(header.clock == Clock::None, header.timestamp.is_empty());
}

/// The digits of a priority and what follows it.
fn split_priority(line: &str) -> Option<(&str, &str)> {
    let bytes = line.as_bytes();
    if bytes.first() != Some(&b'<') {
        return None;
    }
    let digits = bytes.iter().skip(1).take(4).take_while(|byte| byte.is_ascii_digit()).count();
    if !(1..=3).contains(&digits) || bytes.get(1 + digits) != Some(&b'>') {
        return None;
    }
    Some((line.get(1..1 + digits)?, line.get(2 + digits..)?))
}

/// `text` in two at a byte that is the boundary of a character.
fn split(text: &str, at: usize) -> (&str, &str) {
    text.split_at_checked(at).unwrap_or((text, ""))
}

/// What precedes the first space, and what follows it.
fn split_space(text: &str) -> (&str, &str) {
    match memchr::memchr(b' ', text.as_bytes()) {
        Some(at) => (split(text, at).0, split(text, at + 1).1),
        None => (text, ""),
    }
}

#[cfg(test)]
mod oracles;
#[cfg(test)]
mod tests;
