//! Lines as container runtimes of Kubernetes write them to files:
//! `2026-11-22T10:00:00.123456789Z stdout F message`.
//!
//! The time is in RFC 3339, the stream `stdout` or `stderr`, and the tag `F` for a whole line or
//! `P` for a part of one that was too long for the runtime.

use crate::parse::syslog;

/// What such a line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::parse) struct Cri<'a> {
    pub(in crate::parse) timestamp: &'a str,
    pub(in crate::parse) message: &'a str,
}

/// Takes a line apart, if it is such a one.
pub(in crate::parse) fn decode(line: &str) -> Option<Cri<'_>> {
    let (timestamp, rest) = line.split_once(' ')?;
    if !syslog::is_iso_time(timestamp) {
        return None;
    }
    let (stream, rest) = rest.split_once(' ')?;
    if !matches!(stream, "stdout" | "stderr") {
        return None;
    }
    // An empty message has no space before it with some runtimes. Tags may grow in number.
    let (tags, message) = rest.split_once(' ').unwrap_or((rest, ""));
    let is_tagged = matches!(tags.split(':').next(), Some("F" | "P"));
    is_tagged.then_some(Cri { timestamp, message })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: Option<(&str, &str)>) {
        let found = decode(line).map(|cri| (cri.timestamp, cri.message));
        assert_eq!(found, expected, "{line}");
    }

    #[test]
    fn lines() {
        let time = "2026-11-22T10:00:00.123456789Z";
        check("2026-11-22T10:00:00.123456789Z stdout F a b", Some((time, "a b")));
        check("2026-11-22T10:00:00.123456789Z stderr P a", Some((time, "a")));
        check("2026-11-22T10:00:00.123456789Z stdout F:x  a", Some((time, " a")));
        check("2026-11-22T10:00:00.123456789Z stdout F", Some((time, "")));
        check("2026-11-22T10:00:00.123456789Z stdin F a", None);
        check("2026-11-22T10:00:00.123456789Z stdout X a", None);
        check("2026-11-22 stdout F a", None);
        check("a stdout F b", None);
        check("", None);
    }
}
