//! Real senders, each by the file in `contrib/` that users copy: every line arrives once, as it was.
//!
//! Each row of the tables below is a network namespace with the sender and `weir listen` in it, so
//! the files need no other address; only paths are put elsewhere. A sender is given [`LINES`] lines
//! by the test, passes them on, and what `weir listen --output json` shows is compared with them.

pub(crate) mod certificates;
pub(crate) mod contrib;
mod files;
mod journald;
pub(crate) mod listening;
mod logger;
mod outage;
pub(crate) mod rsyslog;
mod syslog_ng;

use std::collections::HashSet;
use std::path::Path;
use std::time::Instant;

use crate::network::Network;
use listening::Listening;

/// Lines that each sender is given.
const LINES: usize = 10_000;
/// Among them, those as long as the sender and the way allow.
const LONG: usize = 20;

/// What a sender can carry.
#[derive(Clone, Copy)]
struct Carries {
    /// Whether a message may hold line feeds.
    line_feeds: bool,
    /// The longest message in bytes.
    longest: usize,
}

/// The message of this number: it begins with it, so that it can be told apart from all others.
fn message(number: usize, carries: Carries) -> String {
    let text = match number % 8 {
        0 => "Failed password for root from 192.0.2.7 port 4711 ssh2",
        1 => "gr\u{fc}\u{df}e an \u{4e16}\u{754c} \u{1f980}, r\u{e9}sum\u{e9}",
        2 => r#"said "no", 'never' and `perhaps` to \u{201c}him\u{201d}"#,
        3 => r"C:\new\table\0 \\ \' \] ending in \",
        4 => "100% %s %n %d $HOST ${MSG} @cim: {\"a\": [1]} <34>1 - - - ]",
        5 if carries.line_feeds => {
            "first line\n<38>Nov 22 10:00:00 host sshd[1]: second\n\n  fourth"
        }
        5 => "one line\twith a tab",
        6 => "= a = b [x@1 y=\"z\"] #012 #011",
        _ => "x",
    };
    let mut message = format!("n={number:05} {text}");
    if number % (LINES / LONG) == 7 {
        let filler = "y\u{e9}".repeat((carries.longest - message.len()) / 3);
        message.push_str(&filler);
    }
    message
}

/// An RFC 5424 message as a program would give it to its syslog daemon.
fn rfc5424(message: &str) -> String {
    format!("<38>1 2026-11-22T10:00:00.123456Z host.example sshd 811 - - {message}")
}

/// Frames with octet counts (RFC 6587), so that the sender gets each message whole.
fn counted_frames(carries: Carries) -> Vec<u8> {
    let mut frames = Vec::new();
    for number in 0..LINES {
        let frame = rfc5424(&message(number, carries));
        frames.extend_from_slice(format!("{} {frame}", frame.len()).as_bytes());
    }
    frames
}

/// Waits for the lines and compares them with what was sent; prints how fast they came.
#[track_caller]
fn check(row: &str, listening: Listening, begun: Instant, carries: Carries) {
    listening.wait_for(LINES);
    let took = begun.elapsed().as_secs_f64();
    let (lines, summary, said) = listening.end();
    let bytes: usize = lines.iter().filter_map(|line| Some(line["raw"].as_str()?.len())).sum();
    println!(
        "{row}: {} lines in {took:.2} s ({:.0} lines/s, {:.1} MB)",
        lines.len(),
        LINES as f64 / took,
        bytes as f64 / 1e6,
    );
    let mut seen = HashSet::new();
    for line in &lines {
        let shown = line["message"].as_str().unwrap();
        let number = shown.strip_prefix("n=").and_then(|rest| rest.get(..5)?.parse().ok());
        let number: usize = number.unwrap_or_else(|| panic!("{row}: a line never sent: {line}"));
        assert_eq!(shown, message(number, carries), "{row}: the text is intact");
        assert_eq!(line["program"], "sshd", "{row}: {line}");
        assert_eq!(line["facility"], "auth", "{row}: {line}");
        assert_eq!(line["cut"], false, "{row}");
        assert!(seen.insert(number), "{row}: line {number} came twice");
    }
    assert_eq!(lines.len(), LINES, "{row}: all have come\n{said}");
    let source = &summary["sources"][0];
    assert_eq!(source["dropped"], serde_json::json!({}), "{row}: {summary}");
}

/// Rows of one sender: each in namespaces of its own.
fn each_row<R>(rows: &[R], mut test: impl FnMut(&Network, &Path, &R)) {
    for row in rows {
        let network = Network::new();
        let folder = tempfile::tempdir().unwrap();
        test(&network, folder.path(), row);
    }
}
