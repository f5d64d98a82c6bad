//! The header of RFC 5424 behind its priority.

#![forbid(unsafe_code)]

use super::{Clock, Format, Header, split, split_space, time};

/// Decodes `rest` into the header and says so, or changes nothing when it is another format.
pub(super) fn decode<'a>(header: &mut Header<'a>, rest: &'a str) -> bool {
    // Of versions, only 1 exists (§6.2.2).
    let digits = match rest.as_bytes() {
        [b'1'..=b'9', b' ', ..] => 1,
        [b'1'..=b'9', b'0'..=b'9', b' ', ..] => 2,
        _ => return false,
    };
    let (version, text) = (split(rest, digits).0, split(rest, digits + 1).1);
    let bytes = text.as_bytes();
    let (clock, length) = match bytes.first() {
        Some(b'-') => (Clock::None, 1),
        Some(b'0'..=b'9') => match time::iso(bytes) {
            Some(length) => (Clock::Iso, length),
            None => return false,
        },
        Some(_) => match time::bsd(bytes) {
            Some(length) => (Clock::Bsd, length),
            None => return false,
        },
        None => return false,
    };
    if !matches!(bytes.get(length), Some(b' ') | None) {
        return false;
    }
    let (timestamp, text) = split(text, length);
    let (host, text) = split_space(text.strip_prefix(' ').unwrap_or(text));
    header.format = Format::Rfc5424;
    header.version = version;
    header.clock = clock;
    header.timestamp = if clock == Clock::None { "" } else { timestamp };
    header.host = value(host);
    fields(header, text);
    true
}

/// Decodes the fields behind the host when they can hardly be anything else: a pid or `-`, and
/// structured data or `-` where they belong. Some senders leave out the version.
pub(super) fn decode_without_version<'a>(header: &mut Header<'a>, rest: &'a str) -> bool {
    let (_, text) = split_space(rest);
    let (pid, text) = split_space(text);
    let (_, text) = split_space(text);
    let is_pid = pid == "-" || (!pid.is_empty() && pid.bytes().all(|b| b.is_ascii_digit()));
    if !is_pid || structured_data(text).is_none() {
        return false;
    }
    fields(header, rest);
    true
}

/// APP-NAME, PROCID, MSGID, STRUCTURED-DATA and MSG.
fn fields<'a>(header: &mut Header<'a>, rest: &'a str) {
    let (program, rest) = split_space(rest);
    let (pid, rest) = split_space(rest);
    let (message_id, rest) = split_space(rest);
    header.program = value(program);
    header.pid = value(pid);
    header.message_id = value(message_id);
    // Hostile: structured data without an end is left in the message.
    let (data, message) = match structured_data(rest) {
        Some(length) => split(rest, length),
        None => ("", rest),
    };
    header.structured_data = value(data);
    let message = message.strip_prefix(' ').unwrap_or(message);
    header.message = message.strip_prefix('\u{feff}').unwrap_or(message);
}

/// NILVALUE is no value.
fn value(text: &str) -> &str {
    if text == "-" { "" } else { text }
}

/// The length of structured data (§6.3) or of `-`, if it ends and a space or nothing follows.
fn structured_data(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 0;
    if bytes.first() == Some(&b'-') {
        at = 1;
    }
    while at != 1 && bytes.get(at) == Some(&b'[') {
        at += element(bytes.get(at..)?)?;
    }
    (at > 0 && matches!(bytes.get(at), Some(b' ') | None)).then_some(at)
}

/// The length of one element: up to the bracket that is neither quoted nor escaped.
fn element(bytes: &[u8]) -> Option<usize> {
    let mut at = 1;
    let mut quoted = false;
    loop {
        at += memchr::memchr3(b'"', b'\\', b']', bytes.get(at..)?)?;
        match bytes[at] {
            b'"' => quoted = !quoted,
            b'\\' if quoted => at += 1,
            b']' if !quoted => return Some(at + 1),
            _ => {}
        }
        at += 1;
    }
}
