use std::path::Path;
use std::sync::Arc;

use crate::detect::Scenarios;
use crate::diagnostic::{Diagnostic, Severity, UserFile};
use crate::event::{Line, Mode, SourceId};
use crate::expr::world::sample;
use crate::parse::{Outcome, Parsed, Scratch};
use crate::rules::{Folder, Kind, Piece, Request, Ruleset, from_folders, load, shipped};
use crate::value::{Arena, Section, Time};

const NOW: Time = Time::from_seconds(0);

const PARSER: &str = "name: t/parser
filter: evt.Line.Labels.type == 'syslog'
onsuccess: next_stage
statics:
  - meta: log_type
    value: x
";

const SCENARIO: &str = "type: leaky
name: t/bf
description: d
filter: evt.Meta.log_type == 'x'
capacity: 5
leakspeed: 10s
";

/// A rules folder with these files.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

fn loaded(folders: &[&Path], before: Option<&Ruleset>) -> (Ruleset, Vec<Diagnostic>) {
    let folders = folders.iter().map(|folder| (*folder).to_owned()).collect();
    load(Request { folders, ..Request::default() }, before, NOW)
}

/// Numbers of parser rules, scenarios, postoverflow rules and rejected files, and the messages.
#[track_caller]
fn check(files: &[(&str, &str)], counts: [usize; 4], expected: &[&str]) {
    let folder = folder(files);
    let (rules, told) = loaded(&[folder.path()], None);
    let found = rules.counts();
    let found = [found.parsers, found.scenarios, found.postoverflows, found.rejected];
    let messages: Vec<_> = told.iter().map(|told| told.message.as_str()).collect();
    assert_eq!((found, messages.as_slice()), (counts, expected));
}

fn names(scenarios: &Scenarios) -> Vec<&str> {
    scenarios.iter().map(|scenario| &*scenario.name).collect()
}

#[test]
fn a_folder_becomes_a_ruleset() {
    let files = [
        ("parsers/s01-parse/a.yaml", PARSER),
        ("parsers/s02-enrich/someone/b.yaml", &PARSER.replace("onsuccess: next_stage\n", "")),
        ("postoverflows/s01-allow/c.yml", &PARSER.replace("meta: log_type", "meta: y")),
        ("scenarios/d.yaml", &format!("{SCENARIO}---\n{}", SCENARIO.replace("bf", "other"))),
    ];
    check(&files, [2, 2, 1, 0], &[]);
}

#[test]
fn a_broken_file_is_left_out_whole_and_the_others_go_on() {
    let broken = format!("{SCENARIO}---\n{}", SCENARIO.replace("leaky", "leeky"));
    let files = [
        ("scenarios/a.yaml", broken.as_str()),
        ("scenarios/b.yaml", SCENARIO),
        ("scenarios/c.yaml", ": ["),
        ("parsers/s01-parse/a.yaml", &PARSER.replace("evt.Line", "evt.Lime")),
        ("parsers/s01-parse/b.yaml", PARSER),
    ];
    let folder = folder(&files);
    let (rules, told) = loaded(&[folder.path()], None);
    let counts = rules.counts();
    assert_eq!((counts.parsers, counts.scenarios, counts.rejected), (1, 1, 3));
    let files: Vec<_> = told
        .iter()
        .map(|told| {
            let path = &told.file.as_ref().unwrap().path;
            path.strip_prefix(folder.path()).unwrap().display().to_string()
        })
        .collect();
    assert_eq!(files, ["parsers/s01-parse/a.yaml", "scenarios/a.yaml", "scenarios/c.yaml"]);
}

#[test]
fn patterns_are_known_to_all_rules_of_a_folder() {
    let parser = "name: t/grok
grok:
  pattern: '%{ANSWER:answer}'
  apply_on: Line.Raw
";
    check(
        &[("parsers/s01-parse/a.yaml", parser), ("patterns/own", "ANSWER yes|no\n")],
        [1, 0, 0, 0],
        &[],
    );
    let folder = folder(&[("parsers/s01-parse/a.yaml", parser)]);
    let (rules, told) = loaded(&[folder.path()], None);
    assert_eq!(rules.counts().parsers, 0);
    assert!(told[0].is_error() && told[0].message.contains("ANSWER"));
}

#[test]
fn several_folders_are_loaded_in_their_order() {
    let first = folder(&[("scenarios/z.yaml", &SCENARIO.replace("bf", "first"))]);
    let second = folder(&[("scenarios/a.yaml", &SCENARIO.replace("bf", "second"))]);
    let (rules, told) = loaded(&[first.path(), second.path()], None);
    assert!(told.is_empty(), "{told:?}");
    assert_eq!(names(rules.scenarios()), ["t/first", "t/second"]);
}

#[test]
fn a_missing_data_file_is_a_warning_and_one_outside_is_never_read() {
    let with = |file: &str| format!("{SCENARIO}data:\n  - dest_file: {file}\n    type: string\n");
    let folder = folder(&[
        ("scenarios/a.yaml", &with("there.txt")),
        ("scenarios/b.yaml", &with("missing.txt").replace("t/bf", "t/b")),
        ("scenarios/c.yaml", &with("../outside.txt").replace("t/bf", "t/c")),
        ("data/there.txt", "one\ntwo\n"),
        ("outside.txt", "secret\n"),
    ]);
    let (rules, told) = loaded(&[folder.path()], None);
    assert_eq!((rules.counts().scenarios, rules.counts().rejected), (3, 0));
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told.iter().all(|told| !told.is_error()));
    let world = rules.world();
    let files = &world.facts().files;
    assert!(files.get("there.txt").is_some());
    assert!(files.get("missing.txt").is_none() && files.get("../outside.txt").is_none());
}

#[test]
fn a_reload_keeps_numbers_and_keys() {
    let first = folder(&[("scenarios/a.yaml", SCENARIO)]);
    let second = folder(&[
        ("parsers/s01-parse/a.yaml", &PARSER.replace("meta: log_type", "meta: other")),
        ("scenarios/a.yaml", SCENARIO),
    ]);
    let (before, _) = loaded(&[first.path()], None);
    let (after, told) = loaded(&[second.path()], Some(&before));
    assert!(told.is_empty(), "{told:?}");
    for name in ["log_type", "source_ip"] {
        let slot = before.names().find(Section::Meta, name);
        assert!(slot.is_some());
        assert_eq!(after.names().find(Section::Meta, name), slot, "{name}");
    }
    let key = |rules: &Ruleset| {
        let seed = rules.scenarios().seed();
        seed.partition("n", "f").key(seed.group("g"))
    };
    assert_eq!(key(&before), key(&after));
}

#[test]
fn what_is_shipped_has_no_mistakes() {
    let (rules, told) = from_folders(vec![shipped()], NOW);
    assert!(told.is_empty(), "{told:?}");
    let counts = rules.counts();
    assert!(counts.parsers > 0 && counts.scenarios > 0 && counts.rejected == 0);
    assert_eq!(rules.warm(2), [""; 0]);
}

#[test]
fn a_whole_collection_loads() {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/hub");
    let hub = std::env::var_os("WEIR_HUB").map_or(beside, Into::into);
    if !hub.join("scenarios").is_dir() {
        return;
    }
    let request = Request { folders: vec![hub], lints: true, ..Request::default() };
    let (rules, told) = load(request, None, NOW);
    let errors: Vec<_> = told.iter().filter(|told| told.is_error()).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    // Doubts are for what is doubtful: not for a tenth of the rules.
    let warnings = told.iter().filter(|told| told.severity == Severity::Warning).count();
    assert!(warnings < 100, "{warnings}");
    assert!(rules.counts().scenarios > 800 && rules.counts().parsers > 150);
    assert!(Arc::ptr_eq(rules.names(), rules.scenarios().names()));
}

/// What is said about the data file `name` with this content, if anything.
#[track_caller]
fn check_data(name: &str, kind: &str, content: Option<&[u8]>, expected: Option<&str>) {
    let data = tempfile::tempdir().unwrap();
    if let Some(content) = content {
        std::fs::write(data.path().join(name), content).unwrap();
    }
    let rule = format!(
        "name: n\ndescription: d\nstatics: [{{meta: a, value: b}}]\n\
         data: [{{dest_file: {name}, source_url: https://example.org{kind}}}]\n"
    );
    let file = UserFile::new(Path::new("rule.yaml"), rule);
    let pieces = vec![Piece { kind: Kind::Parser("s01".to_owned()), file }];
    let folder = Folder { pieces, data: Some(data.path().to_owned()), ..Folder::default() };
    let (rules, diagnostics) = from_folders(vec![folder], NOW);
    assert_eq!(rules.counts().parsers, 1, "a data file keeps no rule from being loaded");
    let found: Vec<_> = diagnostics.iter().map(|mistake| mistake.message.as_str()).collect();
    assert_eq!(found.len(), usize::from(expected.is_some()), "{found:?}");
    if let Some(expected) = expected {
        assert!(found[0].contains(expected) && !diagnostics[0].is_error(), "{found:?}");
    }
}

#[test]
fn data_files_that_are_of_no_use_are_told() {
    let strings = ", type: string";
    check_data("a.txt", strings, Some(b"one\n"), None);
    check_data("a.txt", strings, None, Some("`a.txt` is missing"));
    check_data("a.txt", strings, Some(b"\xff\n"), Some("not UTF-8"));
    check_data("a.txt", ", type: regexp", Some(b"(\n"), Some("cannot be used"));
    check_data("a.bin", "", Some(b"\xff"), None);
    check_data("places.mmdb", "", None, Some("`places.mmdb` is missing"));
    check_data("places.mmdb", "", Some(b"no database"), Some("`places.mmdb` cannot be used"));
}

/// The scenarios that decide for show, and what is said.
#[track_caller]
fn check_simulation(text: &str, simulated: &[&str], expected: &[&str]) {
    let folder = folder(&[
        ("scenarios/a.yaml", SCENARIO),
        ("scenarios/b.yaml", &SCENARIO.replace("bf", "other")),
        ("simulation.yaml", text),
    ]);
    let (rules, told) = loaded(&[folder.path()], None);
    let found: Vec<_> = rules.scenarios().iter().filter(|each| each.simulated).collect();
    let found: Vec<_> = found.iter().map(|scenario| &*scenario.name).collect();
    let messages: Vec<_> = told.iter().map(|told| told.message.as_str()).collect();
    assert_eq!((found.as_slice(), messages.as_slice()), (simulated, expected), "{text}");
    assert_eq!(rules.counts().simulated, simulated.len());
}

#[test]
fn scenarios_may_decide_for_show() {
    check_simulation("simulation: off", &[], &[]);
    check_simulation("simulation: true", &["t/bf", "t/other"], &[]);
    check_simulation("simulation: on\nexclusions: [t/bf]", &["t/other"], &[]);
    check_simulation("exclusions:\n  - t/bf", &["t/bf"], &[]);
    check_simulation("", &[], &[]);
    let nobody = "there is no scenario `t/bff` in this folder";
    check_simulation("exclusions: [t/bff, t/other]", &["t/other"], &[nobody]);
    let unknown = "the simulation has no key `exclude`";
    check_simulation("simulation: true\nexclude: [t/bf]", &[], &[unknown]);
}

#[test]
fn a_simulation_is_of_its_own_folder() {
    let first = folder(&[("scenarios/a.yaml", SCENARIO), ("simulation.yaml", "simulation: true")]);
    let second = folder(&[("scenarios/a.yaml", &SCENARIO.replace("bf", "second"))]);
    let (rules, told) = loaded(&[first.path(), second.path()], None);
    assert!(told.is_empty(), "{told:?}");
    let simulated: Vec<_> = rules.scenarios().iter().map(|scenario| scenario.simulated).collect();
    assert_eq!(simulated, [true, false]);
}

#[test]
fn contexts_are_loaded_and_their_mistakes_told() {
    let item = "name: t/context\ndescription: d\ncontext:\n  user: [evt.Meta.user, evt.Meta.user]\n  \
                path: [evt.Meta.http_path, req.URL.Path, match.uri]\n";
    let files = [
        ("contexts/t/base.yaml", item),
        ("contexts/t/wrong.yaml", "context: {user: [evt.Mata.user, [x]], more: evt.Meta.more}"),
        ("contexts/t/none.yaml", "name: t/none"),
        ("console/context.yaml", "user: [evt.Meta.target_user]\nagent: req.UserAgent()"),
        ("scenarios/a.yaml", SCENARIO),
    ];
    let folder = folder(&files);
    let (rules, told) = loaded(&[folder.path()], None);
    let counts = rules.counts();
    assert_eq!((counts.scenarios, counts.rejected), (1, 1));
    let messages: Vec<_> = told.iter().map(|told| told.message.as_str()).collect();
    let none = "there is no `context` in this document, so it has no effect";
    assert_eq!(messages.len(), 3, "{messages:?}");
    assert_eq!((messages[0], messages[2]), (none, "expected an expression, found a list"));
    assert!(messages[1].contains("Mata"), "{messages:?}");
}

const READER: &str = "\
name: t/reader
description: d
filter: evt.Line.Labels.type == 'x'
statics:
  - {meta: listed, expression: \"any(File('list.txt'), {# == evt.Line.Raw}) ? 'yes' : 'no'\"}
  - {meta: matched, expression: \"RegexpInFile(evt.Line.Raw, 'regexps.txt') ? 'yes' : 'no'\"}
  - {meta: tag, expression: \"LookupFile(evt.Line.Raw, 'map.json')\"}
  - {method: GeoIpASN, value: 192.0.2.1}
  - {meta: operator, expression: evt.Enriched.ASNOrg}
data:
  - {source_url: 'https://example.org/list.txt', dest_file: list.txt, type: string}
  - {source_url: 'https://example.org/r.txt', dest_file: regexps.txt, type: regexp, size: 10}
  - {dest_file: map.json, type: map}
  - {source_url: 'https://example.org/a.mmdb', dest_file: a.mmdb}
";

/// What a rule finds in its data files for a line.
fn read_by(rules: &Ruleset, line: &str) -> Vec<String> {
    let (arena, world, mut scratch) = (Arena::new(), rules.world(), Scratch::new());
    let source = rules.source("test", "test", "x", Mode::Live);
    let line = Line::new(line.as_bytes(), NOW, SourceId(0));
    let (event, _) = rules.parse(line, &source, &arena, &world, &mut scratch, None);
    let names = ["listed", "matched", "tag", "operator"];
    let found = names.map(|name| event.get_named(Section::Meta, name).unwrap_or_default());
    found.map(str::to_owned).into()
}

#[test]
fn rules_read_their_data_files_and_miss_them_loudly() {
    let operator = serde_json::json!({"autonomous_system_organization": "Example"});
    let database = sample::database("GeoLite2-ASN", &[("192.0.2.0/24", operator)]);
    let map = "{\"pattern\": \"/a\", \"tag\": \"A\", \"type\": \"contains\"}\n";
    let whole = folder(&[
        ("parsers/s01-parse/a.yaml", READER),
        ("data/list.txt", "# comment\r\none\r\n\r\ntwo /a\r\n"),
        ("data/regexps.txt", "^tw[o]\n"),
        ("data/map.json", map),
    ]);
    std::fs::write(whole.path().join("data/a.mmdb"), database).unwrap();
    let (rules, told) = loaded(&[whole.path()], None);
    assert!(told.is_empty(), "{told:?}");
    assert_eq!(read_by(&rules, "one"), ["yes", "no", "", "Example"]);
    assert_eq!(read_by(&rules, "two /a"), ["yes", "yes", "A", "Example"]);
    assert_eq!(read_by(&rules, "# comment"), ["no", "no", "", "Example"]);

    let bare =
        folder(&[("parsers/s01-parse/a.yaml", READER), ("parsers/s01-parse/b.yaml", READER)]);
    let (rules, told) = loaded(&[bare.path()], None);
    assert_eq!(read_by(&rules, "one"), ["no", "no", "", ""]);
    let told: Vec<_> = told.iter().map(|told| (told.severity, told.help.as_deref())).collect();
    let at = |file| {
        format!("put it into the folder `data`; it can be had at https://example.org/{file}")
    };
    let helps = [at("list.txt"), at("r.txt"), "put it into the folder `data`".into(), at("a.mmdb")];
    // Each is told once, and none is an error.
    let expected = helps.each_ref().map(|help| (Severity::Warning, Some(help.as_str())));
    assert_eq!(told, expected);

    // What the first folder does not have, a later one that asks for it may bring.
    let (rules, _) = loaded(&[bare.path(), whole.path()], None);
    assert_eq!(read_by(&rules, "two /a"), ["yes", "yes", "A", "Example"]);
}

const KEEPER: &str = "\
name: t/keeper
description: d
filter: evt.Line.Raw != 'x'
onsuccess: next_stage
stash:
  - {name: last, key: \"'line'\", value: evt.Line.Raw, ttl: 1m, size: 10}
statics:
  - {meta: line, expression: evt.Line.Raw}
  - {meta: source_ip, value: 192.0.2.1}
";

/// How many scenarios take each line of a batch, and how many lines are not parsed.
fn taken(scenario: &str, lines: &[&str]) -> (Vec<usize>, usize) {
    let folder = folder(&[("parsers/s01-parse/a.yaml", KEEPER), ("scenarios/a.yaml", scenario)]);
    let (rules, told) = loaded(&[folder.path()], None);
    assert!(told.is_empty(), "{told:?}");
    let (mut arena, world, mut scratch) = (Arena::new(), rules.world(), Scratch::new());
    let mut selecting = crate::detect::Scratch::default();
    let source = rules.source("test", "test", "x", Mode::Live);
    let lines = lines.iter().map(|line| Line::new(line.as_bytes(), NOW, SourceId(0)));
    let mut lines = lines.map(|line| (line, &source));
    let (mut taken, mut unparsed) = (Vec::new(), 0);
    loop {
        let some = rules.parse_some(&mut lines, &arena, &world, &mut scratch);
        if some.is_empty() {
            return (taken, unparsed);
        }
        for Parsed { event, outcome, .. } in some {
            if outcome == Outcome::Parsed {
                let mut pours = Vec::new();
                rules.scenarios().select(&mut selecting, event, &world, &mut pours);
                taken.push(pours.len());
            } else {
                unparsed += 1;
            }
        }
        arena.reset();
    }
}

#[test]
fn lines_taken_together_come_out_in_order() {
    let filter = "evt.Meta.log_type == 'x'";
    let scenario = SCENARIO.replace(filter, "evt.Meta.line startsWith 'a'");
    let lines: Vec<&str> = ["a1", "b", "x", "a2"].into_iter().cycle().take(41).collect();
    let (found, unparsed) = taken(&scenario, &lines);
    let parsed = lines.iter().filter(|line| **line != "x");
    let expected: Vec<usize> = parsed.map(|line| usize::from(line.starts_with('a'))).collect();
    assert_eq!((found, unparsed), (expected, 10));
}

#[test]
fn a_scenario_sees_a_stash_as_the_line_left_it() {
    let filter = "evt.Meta.log_type == 'x'";
    let asks = "GetFromStash('last', 'line') == evt.Meta.line";
    let (found, _) = taken(&SCENARIO.replace(filter, asks), &["a", "b", "c", "a"]);
    assert_eq!(found, [1; 4]);
}
