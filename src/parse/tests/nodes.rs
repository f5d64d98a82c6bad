//! Stages, nodes and their children: who runs, who succeeds, who moves the event.

use super::*;

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
