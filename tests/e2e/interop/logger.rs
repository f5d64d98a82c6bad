//! logger(1) of util-linux, in each of its ways.

use std::io::Write;
use std::process::Stdio;
use std::time::Instant;

use super::listening::Listening;
use super::{Carries, LINES, check, each_row, message};
use crate::network::possible;

struct Row {
    name: &'static str,
    arguments: &'static [&'static str],
    /// Whether it sends to the Unix socket.
    unix: bool,
}

/// It reads lines.
const CARRIES: Carries = Carries { line_feeds: false, longest: 60_000 };
const PLACE: [&str; 4] = ["--server", "127.0.0.1", "--port", "5514"];

const ROWS: &[Row] = &[
    Row { name: "logger UDP", arguments: &["--udp"], unix: false },
    Row { name: "logger UDP, RFC 3164", arguments: &["--udp", "--rfc3164"], unix: false },
    Row { name: "logger TCP, line feeds", arguments: &["--tcp"], unix: false },
    Row { name: "logger TCP, octet counts", arguments: &["--tcp", "--octet-count"], unix: false },
    Row { name: "logger Unix datagrams", arguments: &["--udp"], unix: true },
    Row { name: "logger Unix stream", arguments: &["--tcp"], unix: true },
];

#[test]
fn logger_delivers_each_line_once() {
    if !possible(&["ip", "logger"]) {
        return;
    }
    each_row(ROWS, |network, folder, row| {
        let at = folder.display();
        let sources = if row.unix {
            format!("sources: [{{ unix: {at}/datagrams }}, {{ unix_stream: {at}/stream }}]")
        } else {
            String::new()
        };
        let listening = Listening::start(network, folder, &sources);
        let begun = Instant::now();
        let mut logger = network.on_host("logger");
        logger.args(["--tag", "sshd", "--priority", "auth.info", "--size", "65000"]);
        logger.args(row.arguments);
        if row.unix {
            let name = if row.arguments == ["--udp"] { "datagrams" } else { "stream" };
            logger.arg("--socket").arg(folder.join(name));
        } else {
            logger.args(PLACE);
        }
        let mut logger = logger.stdin(Stdio::piped()).spawn().unwrap();
        let lines: String =
            (0..LINES).flat_map(|number| [message(number, CARRIES), "\n".to_owned()]).collect();
        logger.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
        assert!(logger.wait().unwrap().success(), "{}", row.name);
        check(row.name, listening, begun, CARRIES);
    });
}
