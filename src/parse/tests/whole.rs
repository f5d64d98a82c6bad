//! Observers, counters, memory, and the parser as a whole.

use std::sync::Arc;

use super::*;
use crate::expr::world::Facts;

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
                Fact::Classified { place, program } => format!("classified {place} {program}"),
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
    let parser = Parser::new(rules.stages);
    let (arena, world, mut scratch) = (Arena::new(), World::default(), Scratch::new());
    let line = Line::new(b"a\xff\x00b", Time::from_seconds(5), SourceId(0));
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
    let parser = Parser::new(rules.stages);
    let (arena, world, mut scratch) = (Arena::new(), World::default(), Scratch::new());
    let line = Line::new(line.as_bytes(), Time::from_seconds(5), SourceId(0));
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
    // What receivers write to files has no priority before the time, and such rules expect none.
    let raw = |line: &str| parse(Rules::sound(&[("s00-raw", RAW)]), "syslog", line).1;
    let check = |line: &str, seen: &str| {
        assert!(raw(line).contains(&("raw".to_owned(), seen.to_owned())), "{line}");
    };
    check("<5>Nov 22 10:00:00 h a: b", "Nov 22 10:00:00 h a: b");
    check("<5> 2026-11-22T10:00:00Z h a: b", "2026-11-22T10:00:00Z h a: b");
    check("<5>1 2026-11-22T10:00:00Z h a - - - b", "<5>1 2026-11-22T10:00:00Z h a - - - b");
    check("<5>a: b", "<5>a: b");
}

const RAW: &str = "
name: raw
onsuccess: next_stage
statics: [{parsed: raw, expression: evt.Line.Raw}]
";

#[test]
fn a_stash_keeps_texts_for_later_lines() {
    let rules = Rules::sound(&[(
        "s",
        "
name: a
nodes:
  - grok: {pattern: 'pid=%{INT:pid} name=%{WORD:name}', apply_on: Line.Raw}
    stash: [{name: names, key: evt.Parsed.pid, value: evt.Parsed.name, ttl: 1m}]
  - grok: {pattern: 'never%{INT:x}', apply_on: Line.Raw}
    stash: [{name: names, key: \"'never'\", value: \"'x'\", ttl: 1m}]
  - statics: [{meta: name, expression: \"GetFromStash('names', evt.Parsed.pid)\"}]
",
    )]);
    let mut facts = Facts::default();
    let mut declared = Vec::new();
    for (_, node) in rules.stages.nodes() {
        node.each_stash(&mut |stash| {
            declared.push((stash.name.to_string(), stash.size, stash.ttl));
            facts.stashes.declare(&stash.name, stash.size, stash.ttl, stash.strategy);
        });
    }
    assert_eq!(declared, vec![("names".to_owned(), 100, 60_000_000_000); 2]);
    let world = World::new(Arc::new(facts));
    let (arena, mut scratch) = (Arena::new(), Scratch::new());
    let mut name_of = |line: &'static str, pid: &'static str| {
        let event = Event::new(&arena, &rules.names, Kind::Log, Mode::Live, Time::from_seconds(0));
        event.raw.set(line);
        event.set_named(Section::Parsed, "pid", pid);
        rules.stages.run(event, &world, &mut scratch, None);
        event.get_named(Section::Meta, "name")
    };
    assert_eq!(name_of("pid=7 name=sshd", ""), Some("sshd"));
    assert_eq!(name_of("later", "7"), Some("sshd"));
    assert_eq!(name_of("later", "8"), None);
    assert_eq!(name_of("later", "never"), None);
}
