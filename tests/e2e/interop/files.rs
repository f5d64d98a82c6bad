//! Log files of other programs, through those who tail files.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::listening::Listening;
use super::{contrib, rsyslog, syslog_ng};
use crate::network::{Network, possible};

/// Files below the folder of logs, the program that their lines are to have, and a line of each.
const FILES: [(&str, &str, &str); 5] = [
    (
        "nginx/access.log",
        "nginx",
        r#"192.0.2.7 - - [22/Nov/2026:10:00:00 +0000] "GET /a?b=\x22 HTTP/1.1" 404 153 "-" "curl/8""#,
    ),
    (
        "nginx/error.log",
        "nginx",
        r#"2026/11/22 10:00:00 [error] 7#7: *1 user "x": password mismatch, client: 192.0.2.7"#,
    ),
    (
        "apache2/access.log",
        "apache2",
        r#"192.0.2.7 - - [22/Nov/2026:10:00:00 +0000] "GET /gr%C3%BC\xc3 HTTP/1.0" 200 5 "-" "Mozilla""#,
    ),
    (
        "apache2/error.log",
        "apache2",
        "[Sun Nov 22 10:00:00.123456 2026] [core:error] [pid 7:tid 9] [client 192.0.2.7:4711] AH00126",
    ),
    (
        "mysql/error.log",
        "mysql",
        "2026-11-22T10:00:00.123456Z 7 [Note] Access denied for user 'root'@'192.0.2.7' (using password: YES)",
    ),
];

fn write(folder: &Path, suffix: &str) {
    for (file, _, line) in FILES {
        let path = folder.join("log").join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut file = std::fs::File::options().create(true).append(true).open(path).unwrap();
        writeln!(file, "{line}{suffix}").unwrap();
    }
}

/// Each line has its program, and is as it was.
#[track_caller]
fn check(lines: &[Value], suffix: &str) {
    let mut seen: Vec<(&str, &str)> = lines
        .iter()
        .map(|line| (line["program"].as_str().unwrap(), line["message"].as_str().unwrap()))
        .collect();
    seen.sort_unstable();
    let expected = FILES.map(|(_, program, line)| (program, format!("{line}{suffix}")));
    let mut expected: Vec<(&str, &str)> =
        expected.iter().map(|(program, line)| (*program, line.as_str())).collect();
    expected.sort_unstable();
    assert_eq!(seen, expected);
}

#[test]
fn rsyslog_tails_files() {
    if !possible(&["ip", "rsyslogd"]) {
        return;
    }
    let (network, folder) = (Network::new(), tempfile::tempdir().unwrap());
    let folder = folder.path();
    let forward = contrib::read("rsyslog/60-weir.conf", folder).text;
    let tail = contrib::read("rsyslog/70-weir-files.conf", folder).text;
    write(folder, " of last year");
    let listening = Listening::start(&network, folder, "");
    let _rsyslog = rsyslog::start(&network, folder, &[forward, tail]);
    // It begins at the ends of the files once it has seen them.
    std::thread::sleep(Duration::from_secs(1));
    write(folder, "");
    listening.wait_for(FILES.len());
    check(&listening.end().0, "");
}

#[test]
fn syslog_ng_tails_files() {
    if !possible(&["ip"]) {
        return;
    }
    let Some(program) = syslog_ng::Program::find() else { return };
    let (network, folder) = (Network::new(), tempfile::tempdir().unwrap());
    let folder = folder.path();
    let forward = contrib::read("syslog-ng/weir.conf", folder).text;
    let tail = contrib::read("syslog-ng/weir-files.conf", folder).text;
    write(folder, "");
    let listening = Listening::start(&network, folder, "");
    let _syslog_ng = syslog_ng::start(&program, &network, folder, &[forward, tail]);
    listening.wait_for(FILES.len());
    check(&listening.end().0, "");
}
