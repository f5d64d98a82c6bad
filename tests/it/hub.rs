//! Rule tests of a hub, where one is at hand: all must pass.

use std::path::{Path, PathBuf};
use std::process::Command;

use weir::hubtest::{Hub, Options};
use weir::value::Time;

/// The folder of a rules hub, if there is one.
pub(super) fn hub() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/hub");
    let hub = std::env::var_os("WEIR_HUB").map_or(beside, PathBuf::from);
    hub.join("tests").is_dir().then_some(hub)
}

/// The log of a test of a hub.
pub(super) struct Log {
    /// The name of the test.
    pub(super) test: String,
    /// The label of its lines.
    pub(super) label: String,
    bytes: Vec<u8>,
}

impl Log {
    /// Its lines, but for empty ones.
    pub(super) fn lines(&self) -> impl Iterator<Item = &[u8]> {
        let lines = self.bytes.split(|byte| *byte == b'\n');
        lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line)).filter(|line| !line.is_empty())
    }
}

/// The logs of all tests of a hub, by name.
pub(super) fn logs(hub: &Path) -> Vec<Log> {
    let folders = std::fs::read_dir(hub.join("tests")).expect("tests").flatten();
    let log = |folder: &Path| {
        let config = std::fs::read_to_string(folder.join("config.yaml")).ok()?;
        let get = |key: &str| {
            let value = config.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
            value.map(|value| value.trim().trim_matches(['"', '\'']).to_owned())
        };
        let bytes = std::fs::read(folder.join(get("log_file")?)).ok()?;
        let test = folder.file_name()?.to_string_lossy().into_owned();
        Some(Log { test, label: get("log_type")?, bytes })
    };
    let mut logs: Vec<_> = folders.filter_map(|folder| log(&folder.path())).collect();
    logs.sort_by(|a, b| a.test.cmp(&b.test));
    assert!(!logs.is_empty(), "no logs");
    logs
}

#[test]
fn every_test_of_the_hub_passes() {
    let Some(hub) = hub() else { return };
    let hub = Hub::open(&hub).expect("a hub");
    // Some expect the year of the day they were written in dates that have none.
    let now = Time::from_rfc3339("2026-06-01T00:00:00Z").expect("a time");
    let names = hub.names().expect("names of tests");
    assert!(!names.is_empty());
    let reports = names.iter().map(|name| hub.run(name, Options { now, update: false }));
    let failed: Vec<_> = reports.filter(|report| !report.has_passed()).collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

/// The assertions of a hub were written in UTC: they must not depend on the zone of the machine.
#[test]
fn tests_of_a_hub_keep_utc() {
    let hub = tempfile::tempdir().expect("a folder");
    for (path, text) in [
        (
            "parsers/s00-raw/me/dates.yaml",
            "name: me/dates\ndescription: d\nstatics: [{method: ParseDate, expression: evt.Line.Raw}]\n",
        ),
        ("tests/one/config.yaml", "parsers: [me/dates]\nlog_file: one.log\nlog_type: syslog\n"),
        ("tests/one/one.log", "1700000000\n"),
        (
            "tests/one/parser.assert",
            "results[\"s00-raw\"][\"me/dates\"][0].Evt.Enriched[\"MarshaledTime\"] == \
             \"2023-11-14T22:13:20Z\"\n",
        ),
    ] {
        let path = hub.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }
    let output = Command::new(env!("CARGO_BIN_EXE_weir"))
        .env("TZ", "America/New_York")
        .args(["test", "--hub"])
        .arg(hub.path())
        .output()
        .expect("the program runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
