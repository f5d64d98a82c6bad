//! Cases hold rules to what they say, and say where they do not.

use std::path::Path;

use super::*;
use crate::diagnostic::{Diagnostic, UserFile};
use crate::rules::{self, Folder, Kind, Piece, Ruleset};
use crate::value::Time;

const PARSERS: &str = "\
name: t/parse
description: d
onsuccess: next_stage
filter: evt.Parsed.program == 'guard' || evt.Line.Labels.type == 'raw'
grok: {apply_on: message, pattern: '^bad %{NOTSPACE:source_ip}'}
statics: [{meta: source_ip, expression: evt.Parsed.source_ip}]
";

const AFTER: &str = "\
name: t/dates
description: d
filter: evt.StrTime != ''
statics:
- {method: ParseDate, expression: evt.StrTime}
- {target: evt.MarshaledTime, expression: evt.Enriched.MarshaledTime}
---
name: t/friends
description: d
whitelist: {reason: friends, ip: [192.0.2.99]}
";

const SCENARIOS: &str = "\
type: leaky
name: t/bf
description: d
filter: evt.Meta.source_ip != ''
groupby: evt.Meta.source_ip
capacity: 2
leakspeed: 10s
blackhole: 1m
labels: {remediation: true}
---
type: trigger
name: t/seen
description: d
filter: evt.Meta.source_ip == '192.0.2.50'
groupby: evt.Meta.source_ip
labels: {remediation: false}
";

const POSTOVERFLOW: &str = "\
name: t/mercy
description: d
whitelist: {reason: mercy, ip: [192.0.2.98]}
";

#[track_caller]
fn ruleset() -> Ruleset {
    let piece = |kind, text: &str| Piece {
        kind,
        file: UserFile::new(Path::new("rules.yaml"), text.to_owned()),
    };
    let pieces = vec![
        piece(Kind::Parser("s01-parse".to_owned()), PARSERS),
        piece(Kind::Parser("s02-enrich".to_owned()), AFTER),
        piece(Kind::Scenario, SCENARIOS),
        piece(Kind::Postoverflow("s00".to_owned()), POSTOVERFLOW),
    ];
    let folder = Folder { pieces, ..Folder::default() };
    let (rules, diagnostics) = rules::from_folders(vec![folder], Time::from_seconds(0));
    assert!(!diagnostics.iter().any(Diagnostic::is_error), "{diagnostics:#?}");
    rules
}

fn read(text: &str) -> (Cases, Vec<&'static str>) {
    let (cases, diagnostics) = load(&UserFile::new(Path::new("cases.yaml"), text.to_owned()));
    (cases, diagnostics.iter().map(|mistake| mistake.code).collect())
}

/// What is not as the one case in `text` says, in a line each.
#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let (cases, codes) = read(text);
    assert_eq!(codes, Vec::<&str>::new(), "{text}");
    let rules = ruleset();
    let lines = cases.lines.iter().flat_map(|case| case.run(&rules));
    let attacks = cases.attacks.iter().flat_map(|case| case.run(&rules));
    let found: Vec<_> = lines
        .chain(attacks)
        .map(|miss| format!("{}: {} != {}", miss.what, miss.expected, miss.found))
        .collect();
    assert_eq!(found, expected, "{text}");
}

#[test]
fn lines() {
    let line = |case: &str| format!("lines: [{{{case}}}]");
    check(&line("message: 'guard: bad 192.0.2.1', meta: {source_ip: 192.0.2.1}"), &[]);
    check(&line("message: 'guard[7]: bad 192.0.2.1', parsed: {pid: '7', program: guard}"), &[]);
    check(&line("message: 'other: bad 192.0.2.1', outcome: unparsed"), &[]);
    check(&line("message: 'guard: bad 192.0.2.99', outcome: allowlisted"), &[]);
    check(&line("line: 'bad x', label: raw, outcome: parsed"), &[]);
    check(
        &line("line: 'bad x', label: other, outcome: parsed"),
        &["outcome: `parsed` != `unparsed`"],
    );
    check(
        &line("line: '2026-01-01T00:00:00Z h guard: bad x', meta: {source_ip: y, z: ''}"),
        &["meta.source_ip: `y` != `x`", "meta.z: `` != nothing"],
    );
    // Fields alone want the line parsed too.
    check(
        &line("message: 'other: bad', parsed: {program: other}"),
        &["outcome: `parsed` != `unparsed`"],
    );
}

#[test]
fn attacks() {
    let attack = |from: &str, more: &str, claims: &str| {
        format!(
            "attacks: [{{name: n, steps: [{{message: 'guard: bad {from}', {more}}}], {claims}}}]"
        )
    };
    let bf = "overflows: {t/bf: 1}, bans: [192.0.2.1]";
    check(&attack("192.0.2.1", "times: 3", bf), &[]);
    check(&attack("192.0.2.1", "times: 3, every: 0s", bf), &[]);
    check(&attack("192.0.2.1", "times: 2", "overflows: {}, bans: []"), &[]);
    check(&attack("192.0.2.1", "times: 100, every: 10s", "bans: []"), &[]);
    // Silent for a minute after each overflow, so six in 20 seconds are told once.
    check(&attack("192.0.2.1", "times: 6, every: 4s", "overflows: {t/bf: 1}"), &[]);
    check(
        &attack("192.0.2.1", "times: 2", bf),
        &["overflows: t/bf: 1 != none", "bans: 192.0.2.1 != nobody"],
    );
    check(&attack("192.0.2.99", "times: 9", "overflows: {}, bans: []"), &[]);
    // A rule for overflows had mercy.
    check(&attack("192.0.2.98", "times: 3", "overflows: {t/bf: 1}, bans: []"), &[]);
    // No remedy is asked for.
    check(&attack("192.0.2.50", "times: 1", "overflows: {t/seen: 1}, bans: []"), &[]);
    check(
        &attack("192.0.2.50", "times: 3, every: 0s", "overflows: {t/seen: 3}, bans: []"),
        &["overflows: t/seen: 3 != t/bf: 1, t/seen: 3", "bans: nobody != 192.0.2.50"],
    );
}

#[test]
fn cases_see_nothing_of_each_other() {
    let one = "{name: n, steps: [{message: 'guard: bad 192.0.2.1', times: 2}], bans: []}";
    check(&format!("attacks: [{one}, {one}, {one}]"), &[]);
}

#[test]
fn cases_that_cannot_be_read_are_told() {
    let codes = |text: &str| read(text).1;
    assert_eq!(codes("lines: [{message: a, line: b, outcome: parsed}]"), ["case-line"]);
    assert_eq!(codes("lines: [{message: a}]"), ["case-checks-nothing"]);
    assert_eq!(codes("attacks: [{name: n, steps: [{message: a}]}]"), ["case-checks-nothing"]);
    assert_eq!(codes("attacks: [{name: n, bans: []}]"), ["case-no-steps"]);
    assert_eq!(
        codes("attacks: [{name: n, steps: [{message: a}], overflows: {x: many}}]"),
        ["case-count"]
    );
}

/// The rules that come with the program do what their cases say.
#[test]
fn shipped_rules_pass_their_cases() {
    let request = rules::Request { shipped: true, ..rules::Request::default() };
    let (rules, diagnostics) = rules::load(request, None, Time::from_seconds(0));
    assert!(!diagnostics.iter().any(Diagnostic::is_error), "{diagnostics:#?}");
    let mut n_cases = 0;
    for file in rules::shipped_cases() {
        let (cases, diagnostics) = load(&file);
        assert!(diagnostics.is_empty(), "{diagnostics:#?}");
        n_cases += cases.lines.len() + cases.attacks.len();
        for case in &cases.lines {
            assert_eq!(case.run(&rules), [], "{:?}", case.written);
        }
        for case in &cases.attacks {
            assert_eq!(case.run(&rules), [], "{}", case.name);
        }
    }
    assert!(n_cases > 50, "{n_cases}");
}
