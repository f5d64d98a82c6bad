//! One received line as text, and what was received altogether.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::json;

use crate::cli::{Output, output};
use crate::daemon::Listened;
use crate::diagnostic::printable;
use crate::event::Line;
use crate::intake::{Reason, Refusal};
use crate::parse::{
    self,
    syslog::{self, Format},
};
use crate::settings::Settings;
use crate::value::Time;

/// Characters of a message that are shown to people.
const MESSAGE: usize = 1000;
/// Characters of a program's name, of a host and of a process id that are shown to people.
const NAME: usize = 40;

/// The facilities by their numbers, in the words of syslog.conf(5) and RFC 5424, table 1.
const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv",
    "ftp", "ntp", "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4",
    "local5", "local6", "local7",
];
/// The severities by their numbers.
const SEVERITIES: [&str; 8] =
    ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];

/// All that is known of a line. What is not there is null.
#[derive(Serialize)]
struct Shown<'a> {
    received_at: String,
    #[serde(skip)]
    received: Time,
    source: &'a str,
    sender: Option<String>,
    label: String,
    header: &'static str,
    facility: Option<&'static str>,
    severity: Option<&'static str>,
    time: Option<&'a str>,
    host: Option<&'a str>,
    program: Option<&'a str>,
    /// What the rules will know the program by, where that is something else.
    #[serde(skip_serializing_if = "Option::is_none")]
    classified: Option<String>,
    pid: Option<&'a str>,
    /// The unit and the container, where the source knows them.
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    container: Option<&'a str>,
    /// The user of the local process that sent it, where the kernel says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<u32>,
    message: &'a str,
    /// Whether the source cut the line to its longest length.
    cut: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    raw: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    raw_base64: Option<String>,
}

/// Appends a line to `text`.
pub(super) fn line(line: Line<'_>, settings: &Settings, output: Output, text: &mut String) {
    let lossy = String::from_utf8_lossy(line.bytes);
    let shown = shown(line, &lossy, settings);
    match output {
        Output::Json => {
            text.push_str(&serde_json::to_string(&shown).expect("a line is plain data"));
            text.push('\n');
        }
        Output::Human => human(&shown, text),
    }
}

fn shown<'a>(line: Line<'a>, lossy: &'a str, settings: &'a Settings) -> Shown<'a> {
    let header = syslog::decode(lossy);
    let some = |text: &'a str| (!text.is_empty()).then_some(text);
    let source = settings.sources.get(usize::from(line.source.0));
    let name = source.map_or("", |source| &source.name);
    let class = parse::classify(&settings.classify, name, &header, &line);
    let (label, classified) = class.map_or((None, None), |class| (class.label, class.program));
    let label = label.map(String::from).or_else(|| source.map(|source| source.label.clone()));
    let raw = std::str::from_utf8(line.bytes).ok();
    Shown {
        received_at: line.received_at.rfc3339(),
        received: line.received_at,
        source: name,
        sender: line.sender.map(|sender| sender.to_string()),
        label: label.unwrap_or_default(),
        header: match header.format {
            Format::Bare => "none",
            Format::Timeless => "priority",
            Format::Rfc3164 => "rfc3164",
            Format::Rfc5424 => "rfc5424",
        },
        facility: header.facility.and_then(|n| FACILITIES.get(usize::from(n)).copied()),
        severity: header.severity.and_then(|n| SEVERITIES.get(usize::from(n)).copied()),
        time: some(header.timestamp),
        host: some(header.host),
        program: some(header.program),
        classified,
        pid: some(header.pid),
        unit: line.origin.and_then(|origin| some(&origin.unit)),
        container: line.origin.and_then(|origin| some(&origin.container)),
        user: line.origin.and_then(|origin| origin.user),
        message: header.message,
        cut: line.cut,
        raw,
        raw_base64: raw.is_none().then(|| STANDARD.encode(line.bytes)),
    }
}

/// `2026-11-22T10:00:00.123Z tcp 192.0.2.7 host auth.info sshd[811]: message`, with `-` for what is
/// not there, and ` as NAME` behind a program that the rules know by another name.
fn human(shown: &Shown<'_>, text: &mut String) {
    let name = |text: Option<&str>| printable(text.unwrap_or("-"), NAME).into_owned();
    let sender = shown.sender.as_deref().unwrap_or("-");
    // Always as wide, unlike RFC 3339 with all that is known.
    let second = Time::from_seconds(shown.received.seconds()).rfc3339();
    let millis = shown.received.nanos.rem_euclid(1_000_000_000) / 1_000_000;
    let _ = write!(text, "{}.{millis:03}Z ", second.trim_end_matches('Z'));
    let _ = write!(text, "{} {sender} {} ", shown.source, name(shown.host));
    match (shown.facility, shown.severity) {
        (None, None) => text.push('-'),
        (facility, severity) => {
            let _ = write!(text, "{}.{}", facility.unwrap_or("-"), severity.unwrap_or("-"));
        }
    }
    let _ = write!(text, " {}", name(shown.program));
    if let Some(pid) = shown.pid {
        let _ = write!(text, "[{}]", name(Some(pid)));
    }
    if let Some(classified) = &shown.classified {
        let _ = write!(text, " as {}", name(Some(classified)));
    }
    let _ = write!(text, ": {}", printable(shown.message, MESSAGE));
    if shown.cut {
        text.push_str(" [longer than the limit of its source]");
    }
    if shown.header == "none" {
        text.push_str(" [no syslog header]");
    }
    text.push('\n');
}

/// What each source received and dropped.
pub(super) fn summary(sources: &[Listened], form: Output) -> String {
    match form {
        Output::Human => summary_human(sources),
        Output::Json => summary_json(sources),
    }
}

/// How many for which reason, without what never happened.
type Losses = Vec<(&'static str, u64)>;

/// Dropped lines and refused connections.
fn losses(source: &Listened) -> (Losses, Losses) {
    let counted = &source.statistics;
    let dropped = Reason::ALL.into_iter().map(|reason| (reason.name(), counted.dropped(reason)));
    let refused = Refusal::ALL.into_iter().map(|reason| (reason.name(), counted.refused(reason)));
    let happened = |(_, count): &(&str, u64)| *count > 0;
    (dropped.filter(happened).collect(), refused.filter(happened).collect())
}

fn summary_human(sources: &[Listened]) -> String {
    let heads = ["SOURCE", "AT", "LINES", "CUT", "DROPPED", "CONNECTIONS", "REFUSED"];
    let mut table = output::table(&heads);
    let listed = |losses: Losses| -> String {
        let losses: Vec<String> =
            losses.into_iter().map(|(reason, count)| format!("{reason} {count}")).collect();
        if losses.is_empty() { "0".to_owned() } else { losses.join(", ") }
    };
    for source in sources {
        let counted = &source.statistics;
        let (dropped, refused) = losses(source);
        table.add_row(vec![
            source.name.clone(),
            source.at.clone(),
            counted.lines().to_string(),
            counted.cut().to_string(),
            listed(dropped),
            counted.accepted().to_string(),
            listed(refused),
        ]);
    }
    format!("{table}\n")
}

fn summary_json(sources: &[Listened]) -> String {
    let by_reason = |losses: Losses| -> serde_json::Map<String, serde_json::Value> {
        losses.into_iter().map(|(reason, count)| (reason.to_owned(), count.into())).collect()
    };
    let sources: Vec<_> = sources
        .iter()
        .map(|source| {
            let counted = &source.statistics;
            let (dropped, refused) = losses(source);
            json!({
                "name": source.name,
                "at": source.at,
                "lines": counted.lines(),
                "bytes": counted.bytes(),
                "cut": counted.cut(),
                "dropped": by_reason(dropped),
                "connections": counted.accepted(),
                "refused": by_reason(refused),
            })
        })
        .collect();
    format!("{}\n", json!({ "sources": sources }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Batch, SourceId};

    const AT: i64 = 1_763_805_600_120_456_789;

    fn of(bytes: &[u8], cut: bool, output: Output) -> String {
        let mut batch = Batch::new(SourceId(0), Time::from_nanos(AT));
        batch.push(bytes, cut, Some("192.0.2.7".parse().expect("an address")));
        let (settings, mut text) = (Settings::default(), String::new());
        batch.lines().for_each(|line| super::line(line, &settings, output, &mut text));
        text
    }

    #[track_caller]
    fn check(bytes: &[u8], cut: bool, expected: &str) {
        let shown = of(bytes, cut, Output::Human);
        assert_eq!(shown, format!("2025-11-22T10:00:00.120Z udp 192.0.2.7 {expected}\n"));
    }

    #[test]
    fn for_people() {
        check(
            b"<38>Nov 22 10:00:00 host sshd[811]: Invalid user x",
            false,
            "host auth.info sshd[811]: Invalid user x",
        );
        check(
            b"<30>Nov 22 10:00:00 host docker/web/5790672ab6a0[9]: x",
            false,
            "host daemon.info docker/web/5790672ab6a0[9] as web: x",
        );
        check(
            "<165>1 2026-11-22T10:00:00Z h\u{e9} nginx - - - \u{feff}a\nb\tc".as_bytes(),
            false,
            "h\u{e9} local4.notice nginx: a\\nb\\tc",
        );
        check(
            b"Nov 22 10:00:00 host kernel: \x1b[31m\xff",
            true,
            "host - kernel: \\u{1b}[31m\u{fffd} [longer than the limit of its source]",
        );
        check(b"GET / HTTP/1.1", false, "- - -: GET / HTTP/1.1 [no syslog header]");
        check(b"<38>x", false, "- auth.info -: x");
    }

    #[test]
    fn long_messages_are_cut_for_people_only() {
        let line = [b"<38>Nov 22 10:00:00 host a: ".as_slice(), &[b'x'; 9000]].concat();
        let shown = of(&line, false, Output::Human);
        assert!(shown.len() < 1100 && shown.ends_with("x…\n"), "{shown}");
        let json: serde_json::Value =
            serde_json::from_str(&of(&line, false, Output::Json)).expect("JSON");
        assert_eq!(json["raw"].as_str().map(str::as_bytes), Some(&*line));
    }

    #[test]
    fn for_programs() {
        let shown = of(b"<38>Nov 22 10:00:00 host sshd[811]: \"x\"", false, Output::Json);
        assert_eq!(
            shown,
            "{\"received_at\":\"2025-11-22T10:00:00.120456789Z\",\"source\":\"udp\",\
             \"sender\":\"192.0.2.7\",\"label\":\"syslog\",\"header\":\"rfc3164\",\
             \"facility\":\"auth\",\"severity\":\"info\",\"time\":\"Nov 22 10:00:00\",\
             \"host\":\"host\",\"program\":\"sshd\",\"pid\":\"811\",\"message\":\"\\\"x\\\"\",\
             \"cut\":false,\"raw\":\"<38>Nov 22 10:00:00 host sshd[811]: \\\"x\\\"\"}\n"
        );
        let shown: serde_json::Value =
            serde_json::from_str(&of(b"a\xff\n", true, Output::Json)).expect("JSON");
        assert_eq!(shown["raw_base64"], "Yf8K");
        assert_eq!(shown["cut"], true);
        assert!(shown.get("raw").is_none() && shown["program"].is_null(), "{shown}");
    }
}
