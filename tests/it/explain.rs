//! `weir explain` on the mistakes that people make: the sentence that they need is there, word for
//! word. `WEIR_UPDATE_GOLDEN=1` writes the golden files anew.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/explain");

/// Lines of a first screen.
const SCREEN: usize = 24;

#[track_caller]
fn check(name: &str, arguments: &[&str], line: &str, sentence: &str) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_weir"))
        .current_dir(FOLDER)
        .arg("explain")
        .args(arguments)
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut input = child.stdin.take().expect("piped");
    writeln!(input, "{line}").expect("written");
    drop(input);
    let output = child.wait_with_output().expect("ended");
    assert!(output.status.success());
    let seen = String::from_utf8(output.stdout).expect("UTF-8");
    let screen: Vec<&str> = seen.lines().take(SCREEN).collect();
    assert!(screen.join("\n").contains(sentence), "wanted: {sentence}\nseen:\n{seen}");
    let golden = Path::new(FOLDER).join(name).with_extension("txt");
    if std::env::var_os("WEIR_UPDATE_GOLDEN").is_some() {
        return std::fs::write(golden, seen).expect("written");
    }
    let wanted = std::fs::read_to_string(golden).unwrap_or_default();
    assert_eq!(seen, wanted, "{name}");
}

const FAILED: &str = "Failed password for root from 203.0.113.7 port 40112 ssh2";

#[test]
fn a_program_that_was_renamed() {
    let line = format!("2026-11-22T10:00:00Z mail1 sshd-worker[811]: {FAILED}");
    let sentence = r#"weir/sshd (s01-parse): program is "sshd-worker", this filter wants one of"#;
    check("program-renamed", &[], &line, sentence);
}

#[test]
fn a_program_that_is_known_by_another_name() {
    let line = format!("2026-11-22T10:00:00Z mail1 sshd-auth[811]: {FAILED}");
    let sentence = r#"by shipped classify.yaml:9; received as program "sshd-auth""#;
    check("classified", &[], &line, sentence);
    check("classified-json", &["--output", "json"], &line, r#""received_program":"sshd-auth""#);
}

#[test]
fn a_container_without_a_name() {
    let line = format!("2026-11-22T10:00:00Z node1 5790672ab6a0[811]: {FAILED}");
    check("nameless", &[], &line, "the program is the number of a container");
}

#[test]
fn a_label_that_is_wrong() {
    let line = format!("2026-11-22T10:00:00Z mail1 sshd[811]: {FAILED}");
    let sentence = r#"the line has a syslog header (program "sshd"), but its label is "ssh""#;
    check("label-wrong", &["--type", "ssh"], &line, sentence);
}

#[test]
fn a_filter_with_a_typo() {
    let line = format!("2026-11-22T10:00:00Z mail1 sshd[811]: {FAILED}");
    let sentence = r#"test/typo (s01-parse): program is "sshd", this filter wants "shhd""#;
    check("filter-typo", &["--rules", "rules"], &line, sentence);
}

#[test]
fn a_time_in_another_format() {
    let line = r#"203.0.113.7 [2026-11-22T10:00:00Z] "GET /""#;
    let sentence = "then wants `%{HTTPDATE:timestamp}` and finds `2026-11-22T10:00:00Z]";
    check("time-format", &["--rules", "rules", "--type", "web"], line, sentence);
}

#[test]
fn a_pattern_that_stops_half_way() {
    let line = "2026-11-22T10:00:00Z mail1 sshd[811]: Failed password for root by 203.0.113.7";
    check("half-way", &[], line, "its filter holds; its pattern matches up to");
}

#[test]
fn an_address_that_is_a_friend() {
    let line = format!(
        "2026-11-22T10:00:00Z mail1 sshd[811]: {}",
        FAILED.replace("203.0.113.7", "10.0.0.7")
    );
    let sentence = "allowlisted: 10.0.0.7 is on the allowlist: 10.0.0.0/8 (private)";
    check("private", &[], &line, sentence);
}

const DENIED: &str = "2026-11-22T10:00:00Z web1 shop[9]: POST /login from 203.0.113.7: denied";

#[test]
fn an_event_that_no_scenario_counts() {
    let sentence = r#"test/shop-login (scenario): its filter holds but for `Upper(evt.Parsed.verb) == 'PUT'`: Upper(evt.Parsed.verb) is "POST""#;
    check("scenario-near", &["--rules", "near"], DENIED, sentence);
}

#[test]
fn an_event_that_no_scenario_counts_for_programs() {
    let sentence = r#""operands":{"evt.Parsed.path":"\"/login\""},"clauses_that_hold":1"#;
    check("scenario-near-json", &["--rules", "near", "--output", "json"], DENIED, sentence);
}

#[test]
fn an_event_that_one_scenario_counts_and_another_nearly() {
    let line = DENIED.replace("POST /login", "PUT /x");
    let sentence = "outcome    parsed; poured into test/shop-login";
    check("scenario-reached", &["--rules", "near"], &line, sentence);
}
