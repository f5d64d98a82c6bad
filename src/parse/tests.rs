//! Whole rules, from YAML to the event that comes out.

use std::path::Path;

use super::grok::Library;
use super::*;
use crate::diagnostic::{Diagnostic, UserFile};
use crate::event::{
    Alert, Event, Kind, Line, Mode, Overflow, OverflowView, Snapshot, Source, SourceId,
};
use crate::expr::World;
use crate::value::{Arena, Names, Section, Time};
use crate::yaml;

/// Rules of one universe, loaded from texts.
struct Rules {
    names: Names,
    stages: Stages,
    diagnostics: Vec<Diagnostic>,
}

/// What became of one line.
struct Result {
    outcome: Outcome,
    event: Snapshot,
    names: Names,
    /// `node+` and `node-` for every top-level node that was tried.
    record: String,
    reason: String,
    faults: u64,
}

impl Rules {
    fn load(files: &[(&str, &str)]) -> Self {
        let (mut names, mut library) = (Names::new(), Library::base());
        let (mut nodes, mut diagnostics) = (Vec::new(), Vec::new());
        for (stage, text) in files {
            let file = UserFile::new(Path::new("rules.yaml"), (*text).to_owned());
            let (documents, found) = yaml::load(&file);
            diagnostics.extend(found);
            for document in &documents {
                let (spec, found) = spec::load(document, &file, stage);
                diagnostics.extend(found);
                let Some(spec) = spec else { continue };
                let (node, found) = spec::compile(&spec, &mut names, &mut library);
                diagnostics.extend(found);
                nodes.extend(node);
            }
        }
        Self { names, stages: Stages::new(nodes), diagnostics }
    }

    fn sound(files: &[(&str, &str)]) -> Self {
        let rules = Self::load(files);
        let errors: Vec<_> = rules.diagnostics.iter().filter(|each| each.is_error()).collect();
        assert!(errors.is_empty(), "{errors:#?}");
        rules
    }

    /// Takes a line through the stages, with somebody listening and without: both must agree.
    fn run(&self, line: &str, prepare: impl Fn(&Event<'_>)) -> Result {
        let (arena, world, mut scratch) = (Arena::new(), World::default(), Scratch::new());
        let new = || {
            let event =
                Event::new(&arena, &self.names, Kind::Log, Mode::Replay, Time::from_seconds(1));
            event.raw.set(arena.alloc_str(line));
            prepare(event);
            event
        };
        let (event, silent) = (new(), new());
        let mut record = String::new();
        let outcome = self.stages.run(
            event,
            &world,
            &mut scratch,
            Some(&mut |fact| {
                if let Fact::Node { node, success, .. } = fact {
                    record += node;
                    record += if success { "+ " } else { "- " };
                }
            }),
        );
        let faults = scratch.take_counts(&mut |_, _| {});
        assert_eq!(self.stages.run(silent, &world, &mut scratch, None), outcome);
        for section in [Section::Parsed, Section::Meta, Section::Enriched] {
            let fields = |event: &Event<'_>| {
                let mut found = Vec::new();
                event.each_field(section, &mut |n, t| found.push((n.to_owned(), t.to_owned())));
                found
            };
            assert_eq!(fields(event), fields(silent));
        }
        Result {
            outcome,
            record: record.trim_end().to_owned(),
            reason: event.allowlist_reason.get().to_owned(),
            event: Snapshot::of(event),
            names: self.names.clone(),
            faults,
        }
    }

    fn line(&self, line: &str) -> Result {
        self.run(line, |_| {})
    }
}

impl Result {
    fn get(&self, section: Section, name: &str) -> Option<&str> {
        self.event.get(self.names.find(section, name)?)
    }

    fn parsed(&self, name: &str) -> Option<&str> {
        self.get(Section::Parsed, name)
    }

    fn meta(&self, name: &str) -> Option<&str> {
        self.get(Section::Meta, name)
    }
}

fn stopped(stage: usize, reason: Reason) -> Outcome {
    Outcome::Unparsed { stage, reason }
}

const HEADER: &str = "
name: header
filter: evt.Line.Labels.type == 'syslog'
onsuccess: next_stage
nodes:
  - grok: {pattern: '^<%{INT:pri}>%{WORD:program}: %{GREEDYDATA:message}', apply_on: Line.Raw}
  - grok: {pattern: '^%{WORD:program}; %{GREEDYDATA:message}', apply_on: Line.Raw}
statics:
  - meta: machine
    value: here
---
name: other
filter: evt.Line.Labels.type == 'file'
onsuccess: next_stage
statics:
  - parsed: message
    expression: evt.Parsed.none
  - parsed: program
    expression: evt.Line.Labels.type
";

fn syslog(event: &Event<'_>) {
    event.set_named(Section::Label, "type", "syslog");
}

// E1.
#[test]
fn the_first_document_that_moves_the_event_on_ends_the_stage() {
    let rules = Rules::sound(&[("s00-raw", HEADER)]);
    let result = rules.run("<5>sshd: hello", syslog);
    assert_eq!(result.record, "header+");
    assert_eq!(result.outcome, Outcome::Parsed);
    assert_eq!(result.parsed("message"), Some("hello"));
    assert_eq!(result.meta("machine"), Some("here"));

    let result = rules.run("su; hello", syslog);
    assert_eq!((&*result.record, result.parsed("program")), ("header+", Some("su")));
    // Nothing was captured by the first child.
    assert_eq!(result.parsed("pri"), None);

    let result = rules.run("x", |event| event.set_named(Section::Label, "type", "file"));
    assert_eq!((&*result.record, result.parsed("program")), ("header- other+", Some("file")));

    let result = rules.run("x", |_| {});
    assert_eq!(result.outcome, stopped(0, Reason::NoRule));
    assert_eq!(result.record, "header- other-");
    assert!(!result.event.processed);
}

// E2.
#[test]
fn a_grok_that_fails_leaves_nothing() {
    let rules = Rules::sound(&[(
        "s01-parse",
        "
name: one
grok: {pattern: 'a%{INT:n}', apply_on: Line.Raw, statics: [{meta: g, value: '1'}]}
statics: [{meta: s, value: '1'}]
---
name: two
grok: {pattern: 'b%{INT:n}', apply_on: Line.Raw}
statics: [{meta: s, value: '2'}]
",
    )]);
    let result = rules.line("b5");
    assert_eq!(result.record, "one- two+");
    assert_eq!((result.meta("g"), result.meta("s")), (None, Some("2")));
    let result = rules.line("c");
    assert_eq!(result.outcome, stopped(0, Reason::NoRule));
    assert_eq!(result.parsed("n"), None);
}

/// A node with a grok (`G`, `-` none), `next_stage`, and children that succeed (`T`) or fail.
fn node(grok: Option<bool>, next_stage: bool, children: &str) -> String {
    use std::fmt::Write;

    let mut text = "name: n\n".to_owned();
    if next_stage {
        text += "onsuccess: next_stage\n";
    }
    if let Some(found) = grok {
        let pattern = if found { "%{WORD:w}" } else { "nothing %{WORD:w}" };
        writeln!(text, "grok: {{pattern: '{pattern}', apply_on: Line.Raw}}").unwrap();
    }
    if !children.is_empty() {
        text += "nodes:\n";
    }
    for (number, child) in children.chars().enumerate() {
        let filter = if child == 'T' { "true" } else { "false" };
        writeln!(text, "  - {{filter: {filter}, statics: [{{meta: c{number}, value: x}}]}}")
            .unwrap();
    }
    text + "statics: [{meta: done, value: x}]\n"
}

// E3, E4 and the table of what children make of their parent.
#[test]
fn children_make_their_parent_succeed_or_fail() {
    #[track_caller]
    fn check(grok: Option<bool>, next_stage: bool, children: &str, success: bool, ran: &str) {
        let rules = Rules::sound(&[("s", &node(grok, next_stage, children))]);
        let result = rules.line("line");
        assert_eq!(result.record, if success { "n+" } else { "n-" });
        assert_eq!(result.meta("done").is_some(), success);
        let happened: String = (0..children.len())
            .map(|n| if result.meta(&format!("c{n}")).is_some() { 'T' } else { '.' })
            .collect();
        assert_eq!(happened, ran);
    }
    check(None, true, "FTT", true, ".T.");
    check(None, true, "FF", false, "..");
    check(None, false, "TF", false, "T.");
    check(None, false, "FT", true, ".T");
    check(Some(true), false, "FF", true, "..");
    check(Some(true), false, "TF", true, "T.");
    check(Some(true), false, "TT", true, "TT");
    check(Some(false), false, "FT", true, ".T");
    check(Some(false), false, "TF", false, "T.");
    check(Some(false), false, "", false, "");
    check(Some(false), true, "TT", true, "T.");
    check(Some(true), false, "", true, "");
    check(None, false, "", true, "");
}

#[test]
fn statics_of_a_failed_grok_do_not_run_though_its_children_do() {
    let rules = Rules::sound(&[(
        "s",
        "
name: n
grok: {pattern: 'x%{INT:a}', apply_on: Line.Raw, statics: [{meta: grok, value: x}]}
nodes:
  - grok: {pattern: 'y%{INT:a}', apply_on: Line.Raw}
  - grok: {pattern: 'z%{INT:a}', apply_on: Line.Raw, statics: [{meta: z, value: x}]}
statics: [{meta: node, expression: evt.Parsed.a}]
",
    )]);
    let result = rules.line("z7");
    assert_eq!((result.meta("grok"), result.meta("z")), (None, Some("x")));
    assert_eq!((result.meta("node"), &*result.record), (Some("7"), "n+"));
}

// E5.
#[test]
fn the_stage_ends_when_a_child_has_moved_the_event() {
    let first = "
name: parent
nodes:
  - {filter: 'true', statics: [{meta: a, value: x}]}
  - {filter: 'true', onsuccess: next_stage, statics: [{meta: b, value: x}]}
statics: [{meta: c, value: x}]
---
name: never
statics: [{meta: never, value: x}]
";
    let second = "name: last\nstatics: [{meta: d, value: x}]";
    let rules = Rules::sound(&[("s01", first), ("s02", second)]);
    let result = rules.line("line");
    assert_eq!(result.record, "parent+ last+");
    assert_eq!((result.meta("c"), result.meta("never")), (Some("x"), None));
    assert_eq!(result.outcome, Outcome::Parsed);

    // Also when the parent fails: the event has moved, but no node of the stage has succeeded.
    let failing = first.replace(
        "statics: [{meta: b, value: x}]}",
        "statics: [{meta: b, value: x}]}\n  - {filter: 'false', statics: [{meta: e, value: x}]}",
    );
    let rules = Rules::sound(&[("s01", &failing), ("s02", second)]);
    let result = rules.line("line");
    assert_eq!(result.record, "parent-");
    assert_eq!(result.outcome, stopped(0, Reason::NoRule));
}

#[test]
fn a_child_and_its_parent_move_the_event_twice() {
    let both = "
name: both
onsuccess: next_stage
nodes:
  - {filter: 'true', onsuccess: next_stage, statics: [{meta: a, value: x}]}
";
    let plain = |name: &str| {
        format!("name: {name}\nonsuccess: next_stage\nstatics: [{{meta: m, value: x}}]")
    };
    let rules = Rules::sound(&[("s1", both), ("s2", &plain("two")), ("s3", &plain("three"))]);
    assert_eq!(rules.line("x").record, "both+ three+");
    let rules = Rules::sound(&[("s1", both), ("s2", &plain("two"))]);
    assert_eq!(rules.line("x").record, "both+ two+");
}

#[test]
fn an_event_that_no_node_moves_on_is_not_parsed() {
    let stay = "name: stay\nstatics: [{meta: a, value: x}]";
    let rules = Rules::sound(&[("s1", stay), ("s2", stay)]);
    let result = rules.line("x");
    assert_eq!(result.record, "stay+");
    assert_eq!(result.outcome, stopped(0, Reason::NotMovedOn));
    assert_eq!(rules.stages.stage_name(0), Some("s1"));
}

#[test]
fn the_last_stage_needs_a_success_too() {
    let go = "name: go\nonsuccess: next_stage\nstatics: [{meta: a, value: x}]";
    let no = "name: no\nfilter: 'false'\nstatics: [{meta: a, value: x}]";
    let rules = Rules::sound(&[("s2", no), ("s1", go)]);
    assert_eq!(rules.line("x").outcome, stopped(1, Reason::NoRule));
    // A node that moves on ends the node loop even in the last stage.
    let rules = Rules::sound(&[("s1", go), ("s1", no)]);
    let result = rules.line("x");
    assert_eq!((&*result.record, result.outcome), ("go+", Outcome::Parsed));
}

#[test]
fn without_rules_everything_is_parsed() {
    assert_eq!(Rules::sound(&[]).line("x").outcome, Outcome::Parsed);
}

// E6.
#[test]
fn statics_of_an_allowlist_run_only_for_friends() {
    let rules = Rules::sound(&[(
        "s",
        "
name: friends
whitelist: {reason: friends, ip: [1.2.3.4, '::1'], cidr: [10.0.0.0/8]}
statics: [{meta: x, value: x}]
---
name: again
whitelist: {reason: again, expression: [\"evt.Meta.source_ip == '1.2.3.4'\"]}
",
    )]);
    let from = |address: &str| {
        rules.run("x", |event| {
            event.set_named(Section::Meta, "source_ip", event.arena().alloc_str(address));
        })
    };
    let result = from("5.6.7.8");
    assert_eq!(result.record, "friends+ again+");
    assert_eq!((result.outcome, result.meta("x")), (Outcome::Parsed, None));
    let result = from("1.2.3.4");
    assert_eq!((result.outcome, result.meta("x")), (Outcome::Allowlisted, Some("x")));
    // The first reason stays.
    assert_eq!((&*result.record, &*result.reason), ("friends+ again+", "friends"));
    assert_eq!(from("10.255.0.1").outcome, Outcome::Allowlisted);
    assert_eq!(from("0:0::1").outcome, Outcome::Allowlisted);
    // An IPv4 address in IPv6 clothes is another address.
    assert_eq!(from("::ffff:1.2.3.4").outcome, Outcome::Parsed);
    assert_eq!(from("::ffff:10.0.0.1").outcome, Outcome::Parsed);
    assert_eq!(from("no address").outcome, Outcome::Parsed);
    assert_eq!(from("").outcome, Outcome::Parsed);
}

#[test]
fn a_condition_that_fails_ends_the_list_of_conditions() {
    let run = |conditions: &str| {
        let text = format!("name: a\nwhitelist: {{reason: r, expression: [{conditions}]}}");
        let result = Rules::sound(&[("s", &text)]).line("x");
        assert_eq!(result.record, "a+");
        (result.outcome, result.faults)
    };
    assert_eq!(run("'true'"), (Outcome::Allowlisted, 0));
    assert_eq!(run("'false', 'true'"), (Outcome::Allowlisted, 0));
    assert_eq!(run("\"evt.Unmarshaled.a.b == 'x'\", 'true'"), (Outcome::Parsed, 1));
    assert_eq!(run("'5', 'true'"), (Outcome::Allowlisted, 1));
}

// E7.
#[test]
fn a_static_that_is_no_text_aborts_the_event() {
    #[track_caller]
    fn check(expression: &str, outcome: Outcome, record: &str) {
        let text = format!(
            "name: a\nstatics: [{{meta: x, expression: \"{expression}\"}}]\n---\nname: b\nstatics: \
             [{{meta: y, value: y}}]"
        );
        let result = Rules::sound(&[("s", &text)]).line("x");
        assert_eq!((result.outcome, &*result.record), (outcome, record));
    }
    check("evt.Meta.a == 'b'", stopped(0, Reason::Aborted), "");
    check("evt.Unmarshaled.a.b", Outcome::Parsed, "a+ b+");
    check("5", Outcome::Parsed, "a+ b+");
}

#[test]
fn a_static_in_a_child_aborts_too() {
    let text = "name: a\nnodes: [{statics: [{meta: x, expression: 'true'}]}]";
    assert_eq!(Rules::sound(&[("s", text)]).line("x").outcome, stopped(0, Reason::Aborted));
    let text = "
name: a
grok: {pattern: '%{WORD:w}', apply_on: Line.Raw, statics: [{meta: x, expression: 'true'}]}";
    assert_eq!(Rules::sound(&[("s", text)]).line("x").outcome, stopped(0, Reason::Aborted));
}

// E8.
#[test]
fn a_static_never_blanks_a_field() {
    let rules = Rules::sound(&[(
        "s",
        "
name: a
statics:
  - {meta: user, value: root}
  - {meta: user, expression: evt.Parsed.user}
  - {meta: number, expression: '403.0'}
  - {meta: both, value: value, expression: evt.Meta.user}
  - {meta: copy, value: '', expression: evt.Meta.user}
",
    )]);
    let result = rules.line("x");
    assert_eq!(result.meta("user"), Some("root"));
    assert_eq!(result.meta("number"), Some("403.000000"));
    assert_eq!(result.meta("both"), Some("value"));
    assert_eq!(result.meta("copy"), Some("root"));
}

// E9.
#[test]
fn a_pattern_without_captures_fails_and_its_children_run() {
    let rules = Rules::sound(&[(
        "s",
        "
name: a
onsuccess: next_stage
nodes:
  - grok: {pattern: 'Reason: one', apply_on: Line.Raw}
    nodes: [{grok: {pattern: '%{IP:ip}', apply_on: Line.Raw}}]
    statics: [{meta: kind, value: one}]
  - grok: {pattern: 'Reason: two', apply_on: Line.Raw}
    nodes: [{grok: {pattern: '%{IP:ip}', apply_on: Line.Raw}}]
    statics: [{meta: kind, value: two}]
",
    )]);
    let result = rules.line("1.2.3.4 Reason: two");
    assert_eq!((result.meta("kind"), result.parsed("ip")), (Some("one"), Some("1.2.3.4")));
    let codes: Vec<_> = rules.diagnostics.iter().map(|each| each.code).collect();
    assert_eq!(codes, ["captures-nothing", "captures-nothing"]);
}

#[test]
fn a_grok_is_applied_to_what_the_rule_says() {
    #[track_caller]
    fn check(grok: &str, found: Option<&str>) {
        let text = format!("name: a\ngrok: {{pattern: '^%{{DATA:x}}$', {grok}}}");
        let result = Rules::sound(&[("s", &text)])
            .run("line", |event| event.set_named(Section::Parsed, "empty", ""));
        assert_eq!(result.parsed("x"), found);
    }
    check("apply_on: Line.Raw", Some("line"));
    check("apply_on: absent", None);
    // A field that is empty is there.
    check("apply_on: empty", Some(""));
    check("expression: \"'text'\"", Some("text"));
    check("expression: '12'", Some("12"));
    check("expression: '1.5'", Some("1.500000"));
    check("expression: 'true'", Some(""));
    check("expression: evt.Unmarshaled.a.b", None);
    check("expression: \"'text'\", apply_on: Line.Raw", Some("line"));
}

#[test]
fn captures_that_took_no_part_blank_their_fields() {
    let rules = Rules::sound(&[(
        "s",
        "
name: a
nodes:
  - grok: {pattern: '%{INT:a}', apply_on: Line.Raw}
  - grok: {pattern: '%{INT:a}x|%{WORD:b}', apply_on: Line.Raw}
",
    )]);
    let result = rules.line("5 y");
    assert_eq!((result.parsed("a"), result.parsed("b")), (Some(""), Some("5")));
}

#[test]
fn statics_go_where_they_are_told() {
    let rules = Rules::sound(&[(
        "s",
        "
name: a
statics:
  - {target: evt.StrTime, value: t}
  - {target: StrTimeFormat, value: f}
  - {target: MarshaledTime, value: m}
  - {target: evt.Parsed.a.b, value: pa}
  - {target: evt.Meta.a, value: ma}
  - {target: evt.Enriched.a, value: ea}
  - {target: evt.Unmarshaled.a, value: ua}
  - {target: evt.Line.Labels.type, value: la}
  - {target: evt.Line.Module, value: module}
  - {target: source_ip, value: nowhere}
  - {target: evt.Line.Process, value: nowhere}
  - {parsed: method, method: nonesuch, value: x}
  - {meta: b, parsed: b, value: first}
grok: {pattern: '%{WORD:w}', apply_on: Line.Raw, statics: [{enriched: g, value: eg}, {value: x}]}
",
    )]);
    let (arena, world, mut scratch) = (Arena::new(), World::default(), Scratch::new());
    let event = Event::new(&arena, &rules.names, Kind::Log, Mode::Live, Time::from_seconds(0));
    event.raw.set("word");
    assert_eq!(rules.stages.run(event, &world, &mut scratch, None), Outcome::Parsed);
    let texts = [event.str_time.get(), event.str_time_format.get(), event.marshaled_time.get()];
    assert_eq!(texts, ["t", "f", "m"]);
    assert_eq!(event.module.get(), "module");
    assert_eq!(event.get_named(Section::Parsed, "a"), Some("pa"));
    assert_eq!(event.get_named(Section::Meta, "a"), Some("ma"));
    assert_eq!(event.get_named(Section::Enriched, "a"), Some("ea"));
    assert_eq!(event.get_named(Section::Enriched, "g"), Some("eg"));
    assert_eq!(event.get_named(Section::Label, "type"), Some("la"));
    assert_eq!(event.get_named(Section::Parsed, "b"), Some("first"));
    assert_eq!(event.get_named(Section::Meta, "b"), None);
    assert_eq!(event.get_named(Section::Parsed, "method"), None);
    assert_eq!(format!("{:?}", crate::value::Value::Map(event.unmarshaled())), "{\"a\": \"ua\"}");
    let codes: Vec<_> = rules.diagnostics.iter().map(|each| each.code).collect();
    assert_eq!(codes, ["missing-key", "unknown-target", "unknown-target", "unknown-method"]);
}

#[test]
fn dates_are_read_in_the_enriching_stage() {
    let rules = Rules::sound(&[(
        "s02-enrich",
        "
name: dates
filter: evt.StrTime == '2024-11-26T20:13:32.123'
statics:
  - {method: ParseDate, expression: evt.StrTime}
  - {target: MarshaledTime, expression: evt.Enriched.MarshaledTime}
  - {meta: timestamp, expression: evt.Enriched.MarshaledTime}
",
    )]);
    let result = rules.run("x", |event| event.str_time.set("2024-11-26T20:13:32.123"));
    assert_eq!(result.meta("timestamp"), Some("2024-11-26T20:13:32.123Z"));
    assert_eq!(result.event.time.rfc3339(), "2024-11-26T20:13:32.123Z");
}

#[test]
fn filters_of_children_see_what_their_siblings_did() {
    let rules = Rules::sound(&[(
        "s",
        "
name: a
nodes:
  - {statics: [{meta: kind, value: x}]}
  - {filter: \"evt.Meta.kind == 'x'\", statics: [{meta: seen, value: x}]}
",
    )]);
    assert_eq!(rules.line("x").meta("seen"), Some("x"));
}

#[test]
fn a_filter_that_fails_or_is_no_truth_value_is_false() {
    let run = |filter: &str| {
        let text = format!("name: a\nfilter: {filter}\nstatics: [{{meta: x, value: x}}]");
        let result = Rules::sound(&[("s", &text)]).line("x");
        (result.record, result.faults)
    };
    assert_eq!(run("'true'"), ("a+".to_owned(), 0));
    assert_eq!(run("evt.Unmarshaled.a.b == 'x'"), ("a-".to_owned(), 1));
    assert_eq!(run("evt.Meta.x"), ("a-".to_owned(), 1));
}

#[test]
fn the_first_definition_of_a_pattern_wins_across_rules() {
    let rules = Rules::sound(&[(
        "s",
        "
name: a
pattern_syntax: {KIND: one}
grok: {pattern: '%{KIND:a}', apply_on: Line.Raw}
---
name: b
pattern_syntax: {KIND: two, OTHER: '%{KIND}!'}
grok: {name: OTHER, apply_on: Line.Raw}
---
name: c
nodes: [{pattern_syntax: {LATE: 'x%{INT:n}'}, grok: {pattern: '%{LATE:c}', apply_on: Line.Raw}}]
",
    )]);
    // `OTHER` alone captures nothing.
    assert_eq!(rules.line("two! x4").record, "a- b- c+");
    assert_eq!(rules.line("x4").parsed("n"), Some("4"));
    let codes: Vec<_> = rules.diagnostics.iter().map(|each| each.code).collect();
    assert_eq!(codes, ["pattern-defined", "captures-nothing"]);
}

#[test]
fn an_overflow_goes_through_the_same_stages() {
    let rules = Rules::sound(&[
        (
            "s00-enrich",
            "
name: range
onsuccess: next_stage
statics:
  - {target: evt.Overflow.Alert.Source.Value, value: 192.0.2.0/24}
  - {target: evt.Overflow.Alert.Source.Scope, value: Range}
---
name: friends
whitelist: {reason: friends, cidr: [192.0.2.0/24]}
",
        ),
        ("s01-whitelist", "name: friends\nwhitelist: {reason: friends, cidr: [192.0.2.0/24]}"),
    ]);
    let mut overflow = Overflow::none();
    overflow.alert = Some(Alert {
        scenario: "test".into(),
        message: String::new(),
        capacity: 0,
        leakspeed: 0,
        events_count: 1,
        start_at: Time::from_seconds(0),
        stop_at: Time::from_seconds(0),
        events: Vec::new(),
        meta: Vec::new(),
        simulated: false,
        remediation: true,
    });
    let source = Source { value: "192.0.2.7".to_owned(), ..Source::default() };
    overflow.sources.push(("192.0.2.7".to_owned(), source));
    let (arena, world, mut scratch) = (Arena::new(), World::default(), Scratch::new());
    let event = Event::new(&arena, &rules.names, Kind::Overflow, Mode::Live, Time::from_seconds(0));
    let view = OverflowView::new(&arena, &overflow);
    event.overflow.set(Some(view));
    assert_eq!(rules.stages.run(event, &world, &mut scratch, None), Outcome::Allowlisted);
    let rewrite = view.rewrite();
    assert!(rewrite.allowlisted);
    assert_eq!(rewrite.source, Some(("Range".to_owned(), "192.0.2.0/24".to_owned())));
}

#[test]
fn facts_tell_every_step() {
    let rules = Rules::sound(&[(
        "s",
        "
name: a
filter: evt.Meta.m == ''
nodes:
  - grok: {pattern: '%{INT:n}', apply_on: Line.Raw, statics: [{meta: k, expression: evt.Parsed.n}]}
  - {whitelist: {reason: r, expression: ['false']}}
",
    )]);
    let (arena, world, mut scratch) = (Arena::new(), World::default(), Scratch::new());
    let event = Event::new(&arena, &rules.names, Kind::Log, Mode::Live, Time::from_seconds(0));
    event.raw.set("n 5");
    let mut told = Vec::new();
    rules.stages.run(
        event,
        &world,
        &mut scratch,
        Some(&mut |fact| {
            told.push(match fact {
                Fact::Enter { depth, node } => format!("{depth} enter {node}"),
                Fact::Filter { source, passed, .. } => format!("filter {source} {passed}"),
                Fact::Fault { source, fault } => format!("fault {source} {fault}"),
                Fact::Grok { grok, text, found } => {
                    format!("grok {} {text:?} {found}", grok.source())
                }
                Fact::Allowlist { reason, listed } => format!("allowlist {reason} {listed}"),
                Fact::Static { target, text } => format!("static {target} {text}"),
                Fact::Leave { depth, node, success } => format!("{depth} leave {node} {success}"),
                Fact::Node { stage, node, success, event } => {
                    format!("{stage} {node} {success} {}", event.raw.get())
                }
            });
        }),
    );
    assert_eq!(
        told,
        [
            "0 enter a",
            "filter evt.Meta.m == '' true",
            "1 enter child-a",
            "grok %{INT:n} Some(\"n 5\") true",
            "static evt.Meta.k 5",
            "1 leave child-a true",
            "1 enter child-a",
            "allowlist r false",
            "1 leave child-a true",
            "0 leave a true",
            "s a true n 5",
        ]
    );
}

#[test]
fn hits_and_successes_are_counted_by_node() {
    let rules = Rules::sound(&[
        ("s1", "name: a\nfilter: evt.Parsed.x == 'y'\nstatics: [{meta: x, value: x}]"),
        ("s1", "name: b\nonsuccess: next_stage\nstatics: [{meta: x, value: x}]"),
        ("s2", "name: c\ngrok: {pattern: 'n%{INT:n}', apply_on: Line.Raw}"),
    ]);
    let names: Vec<_> = rules.stages.nodes().map(|(stage, node)| (stage, node.name())).collect();
    assert_eq!(names, [("s1", "a"), ("s1", "b"), ("s2", "c")]);
    let (arena, world, mut scratch) = (Arena::new(), World::default(), Scratch::new());
    for line in ["n1", "x"] {
        let event = Event::new(&arena, &rules.names, Kind::Log, Mode::Live, Time::from_seconds(0));
        event.raw.set(line);
        rules.stages.run(event, &world, &mut scratch, None);
    }
    let mut counts = Vec::new();
    scratch.take_counts(&mut |node, count| counts.push((node, count.hits, count.successes)));
    assert_eq!(counts, [(1, 2, 2), (2, 2, 1)]);
    scratch.take_counts(&mut |_, _| panic!("taken already"));
}

#[test]
fn memory_of_other_stages_is_not_used() {
    let one = Rules::sound(&[("s", "name: a\ngrok: {pattern: 'a%{INT:n}', apply_on: Line.Raw}")]);
    let two = Rules::sound(&[(
        "s",
        "name: a\ngrok: {pattern: '%{IP:ip}%{WORD:w}|%{INT:n}', apply_on: Line.Raw}",
    )]);
    let (arena, world, mut scratch) = (Arena::new(), World::default(), Scratch::new());
    for rules in [&one, &two, &one] {
        let event = Event::new(&arena, &rules.names, Kind::Log, Mode::Live, Time::from_seconds(0));
        event.raw.set("a5");
        assert_eq!(rules.stages.run(event, &world, &mut scratch, None), Outcome::Parsed);
    }
}

#[test]
fn lines_of_any_bytes_are_parsed() {
    let mut rules = Rules::sound(&[(
        "s",
        "name: a\ngrok: {pattern: '^%{GREEDYDATA:all}$', apply_on: Line.Raw}",
    )]);
    let mut source = LineSource::new("in", "udp", Mode::Live);
    source.label(&mut rules.names, "type", "test");
    let parser = Parser::new(rules.stages, &mut rules.names);
    let (arena, world, mut scratch) = (Arena::new(), World::default(), Scratch::new());
    let line = Line {
        bytes: b"a\xff\x00b",
        received_at: Time::from_seconds(5),
        source: SourceId(0),
        cut: false,
        sender: None,
    };
    let (event, outcome) =
        parser.parse(line, &source, &arena, &rules.names, &world, &mut scratch, None);
    assert_eq!(outcome, Outcome::Parsed);
    assert_eq!(event.get_named(Section::Parsed, "all"), Some("a\u{fffd}\0b"));
    assert_eq!(event.get_named(Section::Label, "type"), Some("test"));
    assert_eq!((event.source.get(), event.module.get()), ("in", "udp"));
    assert_eq!(event.received_at, Time::from_seconds(5));
}

/// A line of a source of some kind, through rules without a stage for headers.
fn parse(rules: Rules, kind: &str, line: &str) -> (Outcome, Vec<(String, String)>, String) {
    let mut names = rules.names;
    let mut source = LineSource::new("in", "udp", Mode::Live);
    source.label(&mut names, "type", kind);
    let parser = Parser::new(rules.stages, &mut names);
    let (arena, world, mut scratch) = (Arena::new(), World::default(), Scratch::new());
    let line = Line {
        bytes: line.as_bytes(),
        received_at: Time::from_seconds(5),
        source: SourceId(0),
        cut: false,
        sender: None,
    };
    let (event, outcome) = parser.parse(line, &source, &arena, &names, &world, &mut scratch, None);
    let mut fields = Vec::new();
    for (section, prefix) in [(Section::Parsed, ""), (Section::Meta, "Meta.")] {
        event.each_field(section, &mut |n, t| fields.push((format!("{prefix}{n}"), t.to_owned())));
    }
    fields.sort();
    (outcome, fields, event.str_time.get().to_owned())
}

#[track_caller]
fn check_header(kind: &str, line: &str, time: &str, expected: &[(&str, &str)]) {
    let (outcome, fields, str_time) = parse(Rules::sound(&[]), kind, line);
    assert_eq!((outcome, &*str_time), (Outcome::Parsed, time));
    let expected: Vec<_> =
        expected.iter().map(|(n, t)| ((*n).to_owned(), (*t).to_owned())).collect();
    assert_eq!(fields, expected);
}

#[test]
fn the_decoded_header_stands_for_the_first_stage() {
    check_header(
        "syslog",
        "<38>Nov 22 10:00:00 web sshd[42]: hello",
        "Nov 22 10:00:00",
        &[
            ("Meta.datasource_path", "in"),
            ("Meta.datasource_type", "udp"),
            ("Meta.machine", "web"),
            ("facility", ""),
            ("logsource", "syslog"),
            ("message", "hello"),
            ("pid", "42"),
            ("priority", ""),
            ("program", "sshd"),
            ("timestamp", "Nov 22 10:00:00"),
            ("timestamp8601", ""),
        ],
    );
    let line = "<165>1 2003-10-11T22:14:15.003Z web app 7 - [meta sequenceId=\"9\"] hello";
    check_header(
        "syslog",
        line,
        "2003-10-11T22:14:15.003Z",
        &[
            ("Meta.datasource_path", "in"),
            ("Meta.datasource_type", "udp"),
            ("Meta.machine", "web"),
            ("facility", ""),
            ("logsource", "syslog"),
            ("message", "hello"),
            ("pid", "7"),
            ("priority", ""),
            ("program", "app"),
            ("seq_id", "9"),
            ("syslog_priority", "165"),
            ("syslog_version", "1"),
            ("timestamp", ""),
            ("timestamp8601", "2003-10-11T22:14:15.003Z"),
        ],
    );
    check_header(
        "nginx",
        "any line",
        "",
        &[
            ("Meta.datasource_path", "in"),
            ("Meta.datasource_type", "udp"),
            ("message", "any line"),
            ("program", "nginx"),
        ],
    );
    let (outcome, fields, _) = parse(Rules::sound(&[]), "syslog", "no header");
    assert_eq!((outcome, fields), (stopped(0, Reason::Header), vec![]));
}

#[test]
fn rules_with_a_first_stage_of_their_own_run_as_written() {
    let (outcome, fields, _) =
        parse(Rules::sound(&[("s00-raw", HEADER)]), "syslog", "<5>sshd: hello");
    assert_eq!(outcome, Outcome::Parsed);
    assert!(fields.contains(&("program".to_owned(), "sshd".to_owned())));
    assert!(!fields.iter().any(|(name, _)| name == "logsource"));
}
