//! Groks and statics: what is written, and where to.

use super::*;

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
