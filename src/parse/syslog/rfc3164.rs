//! The header of RFC 3164 behind its priority, as senders write it rather than as it is written
//! there: any kind of time, and any of time, host and tag missing.

#![forbid(unsafe_code)]

use std::net::{IpAddr, Ipv6Addr};

use super::{Clock, Format, Header, LastTime, rfc5424, split, split_space, time};

/// The program of lines that the kernel's own log carries without a tag.
pub(super) const KERNEL: &str = "kernel";

/// What `Nov 22 10:00:00 host program[pid]: message` says; nothing of it is empty but perhaps the
/// pid and the message.
pub(in crate::parse) struct Usual<'a> {
    pub(in crate::parse) timestamp: &'a str,
    pub(in crate::parse) host: &'a str,
    pub(in crate::parse) program: &'a str,
    pub(in crate::parse) pid: &'a str,
    pub(in crate::parse) message: &'a str,
}

/// Decodes `text`, which is all that follows the priority, if there is one.
pub(super) fn decode<'a>(header: &mut Header<'a>, text: &'a str) {
    match usual(text, &mut LastTime::default()) {
        Some(usual) => {
            header.format = Format::Rfc3164;
            header.clock = Clock::Bsd;
            header.timestamp = usual.timestamp;
            header.host = usual.host;
            header.program = usual.program;
            header.pid = usual.pid;
            header.message = usual.message;
        }
        None => unusual(header, text),
    }
}

/// A header as nearly all senders write it, in one go.
pub(super) fn usual<'a>(text: &'a str, last: &mut LastTime) -> Option<Usual<'a>> {
    const TIME: usize = 16;
    let bytes = text.as_bytes();
    if !last.is_usual(bytes) {
        return None;
    }
    let name = bytes.iter().skip(TIME);
    let name = name.take_while(|byte| CLASSES[usize::from(**byte)] & (HOST | TAG) == HOST | TAG);
    let end = TIME + name.count();
    let host = text.get(TIME..end)?;
    // Words that may not be a host at all are looked at more closely.
    let is_plain = bytes.get(end) == Some(&b' ')
        && (1..=LONGEST_HOST).contains(&host.len())
        && bytes.get(end - 1) != Some(&b':')
        && !matches!(&bytes[TIME..end], b"-" | b"last");
    if !is_plain {
        return None;
    }
    let Tag { program, pid, message } = Tag::of(text.get(end + 1..)?).ok()?;
    Some(Usual { timestamp: text.get(..TIME - 1)?, host, program, pid, message })
}

fn unusual<'a>(header: &mut Header<'a>, text: &'a str) {
    let has_priority = header.format == Format::Timeless;
    if let Some((clock, timestamp, rest)) = split_time(text, has_priority) {
        header.format = Format::Rfc3164;
        header.clock = clock;
        header.timestamp = timestamp;
        behind_time(header, rest, has_priority);
    } else if !(has_priority && cisco(header, text)) {
        timeless(header, text, has_priority);
    }
}

/// A time at the start, and what follows it and one space.
fn split_time(text: &str, has_priority: bool) -> Option<(Clock, &str, &str)> {
    let bytes = text.as_bytes();
    let (clock, length) = match bytes.first()? {
        b'A'..=b'Z' => (Clock::Bsd, time::bsd(bytes)?),
        b'0'..=b'9' => match time::iso(bytes) {
            Some(length) => (Clock::Iso, length),
            None if has_priority => match time::epoch(bytes) {
                Some(length) => (Clock::Epoch, length),
                None => return split_versioned_epoch(text),
            },
            None => return None,
        },
        _ => return None,
    };
    let (timestamp, rest) = split(text, length);
    let rest = match rest.as_bytes().first() {
        None => rest,
        Some(b' ') => split(rest, 1).1,
        // `Nov 22 2026 10:00:00: %ASA-…`: kept for `behind_time`.
        Some(b':') if rest.starts_with(": ") => rest,
        Some(_) => return None,
    };
    Some((clock, timestamp, rest))
}

/// `1 1700000000.123456789 host …`, as Meraki writes it.
fn split_versioned_epoch(text: &str) -> Option<(Clock, &str, &str)> {
    let text = text.strip_prefix("1 ")?;
    let (timestamp, rest) = split(text, time::epoch(text.as_bytes())?);
    Some((Clock::Epoch, timestamp, rest.strip_prefix(' ')?))
}

/// Host, tag and message.
fn behind_time<'a>(header: &mut Header<'a>, rest: &'a str, has_priority: bool) {
    if let Some(rest) = rest.strip_prefix(": ") {
        return hostless(header, rest);
    }
    let rest = inline_priority(header, rest);
    let rest = rest.trim_start_matches(' ');
    let run = match Tag::of(rest) {
        Ok(tag) => match host_of(tag.token(rest)) {
            Some(host) => {
                header.host = host;
                return tag_and_message(header, split_space(rest).1);
            }
            None if is_plausible(tag.program) => return tag.into(header),
            None => {
                header.message = rest;
                return;
            }
        },
        Err(run) => run,
    };
    let (host, behind) = match rest.as_bytes().get(run) {
        Some(b' ') => (split(rest, run).0, split(rest, run + 1).1),
        _ => split_space(rest),
    };
    // One word alone is a message, and this one comes without a host from some senders.
    let is_host = host.len() < rest.len() && is_host(host);
    if !is_host || rest.starts_with("last message repeated ") {
        header.message = rest;
        return;
    }
    header.host = if host == "-" { "" } else { host };
    match Tag::of(behind) {
        Ok(tag) => tag.into(header),
        Err(_) => {
            let versionless = has_priority && header.clock == Clock::Iso;
            if !(versionless && rfc5424::decode_without_version(header, behind)) {
                header.message = behind;
            }
        }
    }
}

/// `<3.6> ` behind the time: facility and severity as some daemons write them to files.
fn inline_priority<'a>(header: &mut Header<'a>, rest: &'a str) -> &'a str {
    let inner = || {
        let (inner, behind) = rest.strip_prefix('<')?.split_once("> ")?;
        let (facility, severity) = inner.split_once('.')?;
        let facility: u8 = facility.parse().ok().filter(|n| *n <= 23)?;
        let severity: u8 = severity.parse().ok().filter(|n| *n <= 7)?;
        Some((facility, severity, behind))
    };
    if !rest.starts_with('<') {
        return rest;
    }
    let Some((facility, severity, behind)) = inner() else { return rest };
    header.facility.get_or_insert(facility);
    header.severity.get_or_insert(severity);
    behind
}

/// What IOS and NX-OS write: a sequence number, a host, a mark before the time that says whether
/// the clock is right, a zone behind it. Changes nothing when it is something else.
fn cisco<'a>(header: &mut Header<'a>, text: &'a str) -> bool {
    let digits = text.bytes().take(11).take_while(|byte| byte.is_ascii_digit()).count();
    let (sequence, behind) = split(text, digits);
    let rest = match behind.strip_prefix(": ") {
        Some(rest) if digits <= 10 => rest,
        _ if sequence.is_empty() => text,
        _ => return false,
    };
    let (host, rest) = match rest.split_once(": ") {
        Some((host, behind)) if is_host(host) && cisco_time(behind).is_some() => (host, behind),
        _ => ("", rest),
    };
    if let Some((timestamp, behind)) = cisco_time(rest) {
        header.format = Format::Rfc3164;
        header.clock = Clock::Bsd;
        header.timestamp = timestamp;
        header.host = host;
        hostless(header, behind);
        return true;
    }
    let is_cisco = rest.len() < text.len() && rest.starts_with('%');
    if is_cisco {
        hostless(header, rest);
    }
    is_cisco
}

/// `*Nov 22 10:00:00.123 UTC: ` or `2026 Nov 22 10:00:00 UTC: `, and what follows.
fn cisco_time(text: &str) -> Option<(&str, &str)> {
    let text = text.strip_prefix(['*', '.']).unwrap_or(text);
    let bytes = text.as_bytes();
    let year = time::year(bytes, 0).filter(|length| bytes.get(*length) == Some(&b' '));
    let start = year.map_or(0, |length| length + 1);
    let length = start + time::bsd(bytes.get(start..)?)?;
    let (timestamp, behind) = split(text, length);
    let (zone, rest) = behind.split_once(": ")?;
    let zone = zone.strip_prefix(' ').unwrap_or(zone);
    (zone.len() <= 6 && zone.bytes().all(|b| b.is_ascii_alphabetic())).then_some((timestamp, rest))
}

/// Neither a time nor a Cisco line.
fn timeless<'a>(header: &mut Header<'a>, text: &'a str, has_priority: bool) {
    if !has_priority {
        return;
    }
    match Tag::of(text) {
        Ok(tag) if is_plausible(tag.program) => return tag.into(header),
        Ok(_) => {}
        // Without a time, a first word is a host only before a tag that cannot be prose.
        Err(run) => {
            if text.as_bytes().get(run) == Some(&b' ')
                && is_host(split(text, run).0)
                && let Ok(tag) = Tag::of(split(text, run + 1).1)
                && !tag.pid.is_empty()
                && is_plausible(tag.program)
            {
                header.host = split(text, run).0;
                return tag.into(header);
            }
        }
    }
    if header.facility == Some(0) && text.starts_with('[') {
        header.program = KERNEL;
    }
}

/// A tag, if there is one that cannot be prose, and the message.
fn hostless<'a>(header: &mut Header<'a>, rest: &'a str) {
    match Tag::of(rest) {
        Ok(tag) if is_plausible(tag.program) => tag.into(header),
        _ => header.message = rest,
    }
}

/// A tag, if there is one, and the message.
fn tag_and_message<'a>(header: &mut Header<'a>, rest: &'a str) {
    match Tag::of(rest) {
        Ok(tag) => tag.into(header),
        Err(_) => header.message = rest,
    }
}

/// `program[pid]: message`.
struct Tag<'a> {
    program: &'a str,
    pid: &'a str,
    message: &'a str,
}

impl<'a> Tag<'a> {
    /// The tag at the start, or else how many bytes there could be in a tag.
    fn of(text: &'a str) -> Result<Self, usize> {
        let bytes = text.as_bytes();
        let run = bytes.iter().position(|byte| !is_tag_byte(*byte)).unwrap_or(bytes.len());
        match bytes.get(run) {
            Some(b' ') | None if run >= 2 && bytes[run - 1] == b':' => Ok(Self {
                program: split(text, run - 1).0,
                pid: "",
                message: split(text, run + 1).1,
            }),
            Some(b'[') if run > 0 => Self::with_pid(text, run).ok_or(run),
            _ => Err(run),
        }
    }

    fn with_pid(text: &'a str, run: usize) -> Option<Self> {
        const LONGEST_PID: usize = 64;
        let bytes = text.as_bytes();
        let inside = bytes.iter().skip(run + 1).take(LONGEST_PID);
        let length = inside.take_while(|byte| is_tag_byte(**byte)).count();
        let close = run + 1 + length;
        if length == 0 || bytes.get(close) != Some(&b']') {
            return None;
        }
        let pid = text.get(run + 1..close)?;
        let message = match (bytes.get(close + 1), bytes.get(close + 2)) {
            (Some(b':'), Some(b' ') | None) => split(text, close + 3).1,
            (Some(b' ') | None, _) if pid.bytes().all(|byte| byte.is_ascii_digit()) => {
                split(text, close + 2).1
            }
            _ => return None,
        };
        Some(Self { program: split(text, run).0, pid, message })
    }

    /// The tag with what belongs to it, as written in `text`, which begins with it.
    fn token(&self, text: &'a str) -> &'a str {
        if self.pid.is_empty() { split(text, self.program.len() + 1).0 } else { "" }
    }

    fn into(self, header: &mut Header<'a>) {
        header.program = self.program;
        header.pid = self.pid;
        header.message = self.message;
    }
}

/// The host in a word with a colon at its end: an address with a colon behind it, as relays write
/// it, or an IPv6 address that ends in `::`.
fn host_of(token: &str) -> Option<&str> {
    let inside = token.strip_suffix(':')?;
    if !inside.bytes().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b'.' | b':')) {
        return None;
    }
    if token.ends_with("::") && token.parse::<Ipv6Addr>().is_ok() {
        return Some(token);
    }
    inside.parse::<IpAddr>().is_ok().then_some(inside)
}

/// What a grok's `PROG` is made of: printable ASCII but brackets.
fn is_tag_byte(byte: u8) -> bool {
    CLASSES[usize::from(byte)] & TAG != 0
}

const TAG: u8 = 1;
const HOST: u8 = 2;

const LONGEST_HOST: usize = 255;

/// What each byte can be part of.
static CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0_u8;
    while byte < 0x7f {
        if matches!(byte, 0x21..=0x5a | 0x5c | 0x5e..=0x7e) {
            classes[byte as usize] |= TAG;
        }
        if byte.is_ascii_alphanumeric()
            || matches!(byte, b'.' | b'-' | b'_' | b':' | b'%' | b'/' | b'@' | b'+' | b'[' | b']')
        {
            classes[byte as usize] |= HOST;
        }
        byte += 1;
    }
    classes
};

/// Whether a tag without a host before it can be one: JSON and quoted text look like tags too.
fn is_plausible(program: &str) -> bool {
    matches!(
        program.as_bytes().first(),
        Some(
            b'a'..=b'z'
            | b'A'..=b'Z'
            | b'0'..=b'9'
            | b'/'
            | b'_'
            | b'('
            | b'%'
            | b'.'
            | b'-'
            | b'@',
        )
    )
}

/// Whether a word can be a host: a name, an address, a chain of relays, or `-`.
fn is_host(word: &str) -> bool {
    !word.is_empty()
        && word.len() <= LONGEST_HOST
        && word.bytes().all(|byte| CLASSES[usize::from(byte)] & HOST != 0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, priority: bool) -> bool {
        let header = || {
            let format = if priority { Format::Timeless } else { Format::Bare };
            Header { format, ..Header::bare(text) }
        };
        let (mut quick, mut slow) = (header(), header());
        decode(&mut quick, text);
        unusual(&mut slow, text);
        assert_eq!(quick, slow, "{text:?}");
        usual(text, &mut LastTime::default()).is_some()
    }

    #[test]
    fn usual_lines() {
        assert!(check("Nov 22 10:00:00 mail1 sshd[42]: text", false));
        assert!(check("Nov  2 10:00:00 fe80::1 dovecot: text", true));
        for text in
            ["last message repeated 2 times", "- sshd: x", "sshd[1]: x", "a b", "h: sshd: x"]
        {
            assert!(!check(&format!("Nov 22 10:00:00 {text}"), false), "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_quick_way_is_the_long_one(
            host in "[a-z0-9:.%/@+\\[\\]<-]{0,6}|last|-|last message repeated",
            between in " {0,2}",
            tag in "[a-z(/.-]{0,5}(\\[[0-9a-z]{0,3}\\]?)?:?",
            rest in " {0,2}\\PC{0,5}",
            priority: bool,
        ) {
            check(&format!("Nov 22 10:00:00 {host}{between}{tag}{rest}"), priority);
        }
    }
}
