//! What is decided for show is shown as such.

use std::process::Command;

const PARSER: &str = "\
name: me/all
description: d
filter: evt.Parsed.program == 'sshd'
grok: {apply_on: message, pattern: 'Failed .* from %{IP:source_ip} '}
statics:
  - {meta: source_ip, expression: evt.Parsed.source_ip}
  - {method: ParseDate, expression: evt.StrTime}
  - {target: evt.MarshaledTime, expression: evt.Enriched.MarshaledTime}
";

const SCENARIO: &str = "\
type: trigger
name: me/once
description: d
filter: evt.Meta.source_ip != ''
groupby: evt.Meta.source_ip
labels: {remediation: true}
";

const LINE: &str =
    "2026-01-01T12:00:00Z h sshd[1]: Failed password for root from 203.0.113.9 port 1 ssh2\n";

#[track_caller]
fn replayed(simulation: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    for (path, text) in [
        ("parsers/s01-parse/all.yaml", PARSER),
        ("scenarios/once.yaml", SCENARIO),
        ("simulation.yaml", simulation),
        ("auth.log", LINE),
    ] {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }
    let output = Command::new(env!("CARGO_BIN_EXE_weir"))
        .arg("replay")
        .arg("--rules")
        .arg(folder.path())
        .arg(folder.path().join("auth.log"))
        .output()
        .expect("the program runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn a_replay_says_what_is_only_simulated() {
    let seen = replayed("simulation: true");
    assert!(seen.contains("203.0.113.9") && seen.contains("me/once (simulated)"), "{seen}");
    let seen = replayed("simulation: true\nexclusions: [me/once]");
    assert!(seen.contains("203.0.113.9") && !seen.contains("simulated"), "{seen}");
}
