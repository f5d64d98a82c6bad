//! Whole tests of a small hub, from `config.yaml` to the report.

use super::SCENARIOS as SCENARIOS_FILE;
use super::*;

/// A hub with one parser of each stage, two scenarios and a postoverflow rule.
struct Bench {
    folder: tempfile::TempDir,
}

const HEADER: &str = "\
name: me/header
description: d
onsuccess: next_stage
grok: {apply_on: Line.Raw, pattern: '^%{TIMESTAMP_ISO8601:stamp} %{SMALL:word} %{GREEDYDATA:message}$'}
pattern_syntax: {SMALL: '%{LITTLE}+'}
statics:
- {target: evt.StrTime, expression: evt.Parsed.stamp}
- {meta: datasource_path, expression: evt.Line.Src}
- {meta: kind, expression: evt.Line.Labels.type + evt.Line.Labels.more + evt.Line.Module}
";

const PARSE: &str = "\
name: me/parse
description: d
onsuccess: next_stage
filter: evt.Parsed.word == 'bad'
grok: {apply_on: message, pattern: '^from %{IP:source_ip}'}
statics: [{meta: source_ip, expression: evt.Parsed.source_ip}]
";

const DATES: &str = "\
name: me/dates
description: d
statics:
- {method: ParseDate, expression: evt.StrTime}
- {target: evt.MarshaledTime, expression: evt.Enriched.MarshaledTime}
";

const SCENARIOS: &str = "\
type: leaky
name: me/bf
description: d
filter: evt.Meta.source_ip != '' && not any(File('friends.txt'), {# == evt.Meta.source_ip})
groupby: evt.Meta.source_ip
capacity: 1
leakspeed: 1m
reprocess: true
data: [{dest_file: friends.txt, type: string}, {dest_file: absent.txt, type: string}]
labels: {remediation: true}
---
type: trigger
name: me/again
description: d
filter: evt.GetType() == 'overflow' && evt.Overflow.Alert.Scenario == 'me/bf'
groupby: evt.Overflow.Alert.Source.Value
labels: {remediation: false}
";

const RANGE: &str = "\
name: me/range
description: d
filter: evt.Overflow.Alert.GetScope() == 'Ip' && evt.Overflow.Alert.Scenario == 'me/bf'
onsuccess: next_stage
statics: [{target: evt.Overflow.Alert.Source.Scope, value: Range}]
";

const CONFIG: &str = "\
parsers: [me/header, me/parse, ./tests/one/parsers/s02-enrich/me/dates.yml]
scenarios: [me/rules]
postoverflows: [me/range]
log_file: one.log
log_type: mine
labels: {more: ' and '}
";

const LOG: &str = "\
2026-01-01T12:00:00Z bad from 192.0.2.7\r

2026-01-01T12:00:01Z bad from 192.0.2.7
2026-01-01T12:00:01Z good from 192.0.2.8
2026-01-01T12:05:00Z bad from 192.0.2.9
2026-01-01T12:07:01Z bad from 192.0.2.9
2026-01-01T12:08:00Z bad from 192.0.2.10
2026-01-01T12:08:00Z bad from 192.0.2.10
";

const PARSER_ASSERTS: &str = r#"
len(results) == 5
len(results["s00-raw"]["me/header"]) == 7
results["s00-raw"]["me/header"][0].Evt.Parsed["message"] == "from 192.0.2.7"
results["s00-raw"]["me/header"][0].Evt.Meta["datasource_path"] == "one.log"
results["s00-raw"]["me/header"][0].Evt.Meta["kind"] == "mine and file"
results["s00-raw"]["me/header"][0].Evt.Stage == "s01-parse"
results["s01-parse"]["me/parse"][2].Success == false
len(results["s02-enrich"]["me/dates"]) == 6
len(results["s00-enrich"]["me/range"]) == 1
results["s00-enrich"]["me/range"][0].Success == true
results["s00-enrich"]["me/range"][0].Evt.Overflow.Alert.GetScenario() == "me/bf"
results["s00-enrich"]["me/range"][0].Evt.Overflow.Sources["192.0.2.7"].GetScope() == "Range"
results["s00-enrich"]["me/range"][0].Evt.GetType() == "overflow"
"#;

const SCENARIO_ASSERTS: &str = r#"
len(results) == 1
results[0].Overflow.Alert.GetScenario() == "me/bf"
results[0].Overflow.Sources["192.0.2.7"].GetScope() == "Range"
results[0].Overflow.Alert.GetEventsCount() == 2
basename(results[0].Overflow.Alert.Events[1].GetMeta("datasource_path")) == "one.log"
"#;

impl Bench {
    fn new() -> Self {
        let bench = Self { folder: tempfile::tempdir().unwrap() };
        for (path, text) in [
            ("patterns/mine", "LITTLE [a-z]\n"),
            ("patterns/LICENSE.txt", "no pattern"),
            ("data/friends.txt", "# friends\n192.0.2.10\n"),
            ("parsers/s00-raw/me/header.yaml", HEADER),
            ("parsers/s01-parse/me/parse.yaml", PARSE),
            ("tests/one/parsers/s02-enrich/me/dates.yml", DATES),
            ("scenarios/me/rules.yaml", SCENARIOS),
            ("postoverflows/s00-enrich/me/range.yaml", RANGE),
            ("tests/one/config.yaml", CONFIG),
            ("tests/one/one.log", LOG),
            ("tests/one/parser.assert", PARSER_ASSERTS),
            ("tests/one/scenario.assert", SCENARIO_ASSERTS),
        ] {
            bench.write(path, text);
        }
        bench
    }

    fn with(path: &str, text: &str) -> Self {
        let bench = Self::new();
        bench.write(path, text);
        bench
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn run(&self, update: bool) -> Report {
        let hub = Hub::open(self.folder.path()).unwrap();
        assert_eq!(hub.names(), Ok(vec!["one".to_owned()]));
        let now = Time::from_rfc3339("2026-06-01T00:00:00Z").unwrap();
        hub.run("one", Options { now, update })
    }

    /// What keeps the test from passing, in a line each.
    #[track_caller]
    fn check(&self, expected: &[&str]) {
        let report = self.run(false);
        let failures = report.failures.iter().map(|(file, failure)| match &failure.why {
            Why::False { expected, found } => {
                format!("{file}:{}: {expected} != {found}", failure.line)
            }
            Why::Broken(why) => format!("{file}:{}: {why}", failure.line),
        });
        let root = self.folder.path().display().to_string();
        let troubles = report.troubles.iter().map(|trouble| trouble.replace(&root, "hub"));
        let found: Vec<_> = troubles.chain(failures).collect();
        assert_eq!(found, expected);
        assert_eq!(report.has_passed(), expected.is_empty());
    }
}

#[test]
fn a_test_passes() {
    // The overflow of the second address has leaked away, the third is a friend, and a source
    // whose scope is rewritten to a network is not an `Ip` any more when it is poured again.
    Bench::new().check(&[]);
}

#[test]
fn a_false_line_fails_it_whatever_its_form() {
    let bench = Bench::with(
        "tests/one/scenario.assert",
        "\"192.0.2.8\" in results[0].Overflow.GetSources()\nresults[1].Overflow.Whitelisted\nlen(results)\n",
    );
    bench.check(&[
        r#"scenario.assert:1: "192.0.2.8" != ["192.0.2.7"]"#,
        "scenario.assert:2: index 1 is outside of 1 elements",
        "scenario.assert:3: expected true or false, found int",
    ]);
}

#[test]
fn overrides_come_first() {
    let bench = Bench::with(
        "tests/one/config.yaml",
        &format!("{CONFIG}override_statics: [{{target: evt.Line.Module, value: ' other'}}]\n"),
    );
    bench.write(
        "tests/one/parser.assert",
        r#"results["s00-raw"]["overrides"][0].Success == true
results["s00-raw"]["me/header"][0].Evt.Meta["kind"] == "mine and  other""#,
    );
    bench.check(&[]);
}

#[test]
fn what_is_missing_is_told() {
    let config =
        |from: &str, to: &str| Bench::with("tests/one/config.yaml", &CONFIG.replace(from, to));
    config("one.log", "two.log")
        .check(&["log file `hub/tests/one/two.log`: No such file or directory (os error 2)"]);
    Bench::with("tests/one/one.log", "").check(&["log file `hub/tests/one/one.log`: it is empty"]);
    config("me/rules", "you/rules").check(&["no scenarios `you/rules` in the hub or in the test"]);
    let report =
        Bench::with("scenarios/me/rules.yaml", &SCENARIOS.replace("leakspeed", "leekspeed"));
    let troubles = report.run(false).troubles.join("\n");
    assert!(troubles.contains("scenarios/me/rules.yaml:7:1: "), "{troubles}");
    let bench = Bench::with("tests/one/one.log", "\r\n\n");
    bench.write("tests/one/scenario.assert", "len(results) == 1");
    bench.check(&[
        "no line came to any parser: is one for its type listed?",
        "scenario.assert:1: 1 != 0",
    ]);
}

#[test]
fn lines_that_end_in_the_first_stage_can_be_asserted() {
    let bench = Bench::with("tests/one/one.log", "nothing\n");
    bench.write("tests/one/scenario.assert", "len(results) == 0");
    bench.write(
        "tests/one/parser.assert",
        "len(results) == 2\nresults['s00-raw']['me/header'][0].Success == false\n\
         len(results['s01-parse']['me/parse']) == 0",
    );
    bench.check(&[]);
}

#[test]
fn of_two_files_of_one_name_the_first_counts() {
    let bench = Bench::with("scenarios/you/rules.yaml", &SCENARIOS.replace("me/", "you/"));
    let both = |list| CONFIG.replace("scenarios: [me/rules]", list);
    bench.write("tests/one/config.yaml", &both("scenarios: [me/rules, you/rules]"));
    bench.check(&[]);
    bench.write("tests/one/config.yaml", &both("scenarios: [you/rules, me/rules, you/rules]"));
    let report = bench.run(false);
    assert!(report.troubles.is_empty(), "{:?}", report.troubles);
    let is_name = |(file, failure): &(&str, Failure)| *file == SCENARIOS_FILE && failure.line == 3;
    assert!(report.failures.iter().any(is_name), "{:?}", report.failures);
}

#[test]
fn a_test_without_assertions_gets_some_only_when_asked() {
    let bench = Bench::with("tests/one/parser.assert", "\n");
    bench.check(&["there is no `parser.assert`: write one, or use `--update`"]);
    let report = bench.run(true);
    assert!(!report.has_passed() && report.troubles.is_empty() && report.failures.is_empty());
    assert_eq!(report.written, [bench.folder.path().join("tests/one/parser.assert")]);
    bench.check(&[]);
    assert!(bench.run(true).written.is_empty());
}

#[test]
fn a_wrong_pattern_is_told() {
    let report = Bench::with("patterns/other", "A a\nB %{NOBODY}\n").run(false);
    let troubles = report.troubles.join("\n");
    assert!(troubles.contains("patterns/other:2:"), "{troubles}");
}
