use std::path::Path;

use crate::diagnostic::{Severity, UserFile};
use crate::rules::{Folder, Kind, Piece, Request, compile, shipped};
use crate::value::Time;

/// What is said of these files: severity, code, and the text that is pointed at.
fn told(files: &[(&str, &str)]) -> Vec<String> {
    let mut folder = Folder::default();
    for (path, text) in files {
        let file = UserFile::new(Path::new(path), (*text).to_owned());
        let mut parts = path.split('/');
        let kind = match (parts.next(), parts.next()) {
            (Some("parsers"), Some(stage)) => Kind::Parser(stage.to_owned()),
            (Some("postoverflows"), Some(stage)) => Kind::Postoverflow(stage.to_owned()),
            (Some("patterns"), _) => Kind::Patterns,
            (Some("collections"), _) => {
                folder.collections.push(file);
                continue;
            }
            _ => Kind::Scenario,
        };
        folder.pieces.push(Piece { kind, file });
    }
    let request = Request { lints: true, ..Request::default() };
    let (_, told) = compile::compile(vec![folder], request, None, Time::from_seconds(0), vec![]);
    let told = told.iter().map(|told| {
        let severity = match told.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        };
        let text = &told.file.as_ref().unwrap().text[told.span.clone()];
        format!("{severity} {} {text}", told.code)
    });
    told.collect()
}

/// What is said of a parser with this pattern, whose `ip` is the address; but for open ends.
#[track_caller]
fn check_pattern(pattern: &str, expected: Option<&str>) {
    let parser = format!(
        "name: t\nonsuccess: next_stage\ngrok: {{apply_on: message, pattern: '{pattern}'}}\n\
         statics: [{{meta: source_ip, expression: evt.Parsed.ip}}]\n"
    );
    let mut told = told(&[("parsers/s01-parse/t.yaml", &parser)]);
    told.retain(|each| !each.contains("open-"));
    let expected: Vec<_> = expected.into_iter().collect();
    assert_eq!(told, expected, "{pattern}");
}

#[test]
fn words_that_may_hold_an_address_are_found() {
    let check = check_pattern;
    let user = Some("warning forged-address %{DATA:user}");
    // The first address is taken, and the user comes before it.
    check("Failed password for %{DATA:user} from %{IP:ip}", user);
    check("^Failed password for %{DATA:user} from %{IP:ip} port %{INT}", user);
    // The last is taken, and nothing of the client follows it.
    check("Failed password for %{GREEDYDATA:user} from %{IP:ip}", None);
    check("^Failed password for %{GREEDYDATA:user} from %{IP:ip} port %{INT}$", None);
    // Anchored at the end, so the first that fits is the last.
    check("^Failed password for %{DATA:user} from %{IP:ip}$", None);
    // A name without a space cannot hold the rest of the line, unless that has none either.
    check("^Failed password for %{NOTSPACE:user} from %{IP:ip}", None);
    check("^bad login %{NOTSPACE:user},%{IP:ip}", None);
    check(r"^bad login \S+?,%{IP:ip}", Some(r"note forged-address '^bad login \S+?,%{IP:ip}'"));
    check(r"^bad login (\w|[.])+?,%{IP:ip}", None);
    check("^login for <[^>]*?> from %{IP:ip}", None);
    // The last is taken, and the client's words follow it.
    let why = Some("warning forged-address %{GREEDYDATA:reason}");
    check("^Failed %{GREEDYDATA:user} from %{IP:ip}: %{GREEDYDATA:reason}$", why);
    check("^Failed %{NOTSPACE:user} from %{IP:ip}: %{GREEDYDATA:reason}$", None);
    check("^%{IP:ip} - %{DATA:user} %{GREEDYDATA:request}$", None);
    // Nobody knows whose words these are.
    let level = Some("note forged-address %{DATA:level}");
    check(r"^\[%{DATA:level}\] login from %{IP:ip}", level);
    check("^%{TIMESTAMP_ISO8601:time} login from %{IP:ip}", None);
    // Zones of addresses are the system's.
    check("^to %{IP:server} from %{IP:ip}$", None);
    // A comma ends the words, and a copy of the line needs one.
    check(r"^auth\(%{GREEDYDATA:user},%{IP:ip}\): [^,]*$", None);
}

#[test]
fn an_address_is_followed_through_fields_and_children() {
    let parser = "name: t
onsuccess: next_stage
nodes:
  - grok:
      apply_on: message
      pattern: '^login of %{DATA:user} at %{IPORHOST:peer}'
    statics:
      - parsed: client
        expression: Lower(evt.Parsed.peer)
statics:
  - meta: source_ip
    expression: \"evt.Parsed.client != '' ? evt.Parsed.client : evt.Parsed.other\"
";
    let found = told(&[("parsers/s01-parse/t.yaml", parser)]);
    assert_eq!(found, ["warning forged-address %{DATA:user}"]);
    let other = parser.replace("meta: source_ip", "meta: target_ip");
    assert_eq!(told(&[("parsers/s01-parse/t.yaml", &other)]), [""; 0]);
}

#[test]
fn open_ends_are_noted_where_they_matter() {
    let check = |pattern: &str, expected: &[&str]| {
        let parser = format!(
            "name: t\nonsuccess: next_stage\ngrok: {{apply_on: message, pattern: '{pattern}'}}\n\
             statics: [{{meta: source_ip, expression: evt.Parsed.ip}}]\n"
        );
        let found = told(&[("parsers/s01-parse/t.yaml", &parser)]);
        let expected: Vec<_> =
            expected.iter().map(|code| format!("note {code} '{pattern}'")).collect();
        assert_eq!(found, expected, "{pattern}");
    };
    check("login from %{IP:ip}", &["open-start"]);
    check("^login from %{IP:ip}", &[]);
    check("(?:^x|y) from %{IP:ip}", &["open-start"]);
    check("^login of %{GREEDYDATA:user} from %{IP:ip}", &["open-end"]);
    check("^login of %{GREEDYDATA:user} from %{IP:ip}$", &[]);
    check("login of %{NOTSPACE:user}", &[]);
}

const PARSER: &str = "name: t/parser
filter: evt.Parsed.program == 'sshd'
onsuccess: next_stage
grok: {apply_on: message, pattern: '^%{WORD:verb} %{WORD:method}$'}
statics:
  - {meta: log_type, value: ssh_failed-auth}
  - {meta: service, expression: \"evt.Parsed.verb == 'a' ? 'ssh' : 'sftp'\"}
  - {meta: verb, expression: evt.Parsed.verb}
  - {method: GeoIpCity, expression: evt.Meta.source_ip}
  - {meta: computed, expression: \"evt.SetMeta('written', '1') ? 'x' : 'y'\"}
";

fn scenario(name: &str, filter: &str) -> String {
    format!("type: trigger\nname: {name}\ndescription: d\nfilter: {filter:?}\n")
}

#[track_caller]
fn check_filter(filter: &str, expected: &[&str]) {
    let scenario = scenario("t/s", filter);
    let found = told(&[("parsers/s01-parse/t.yaml", PARSER), ("scenarios/s.yaml", &scenario)]);
    assert_eq!(found, expected, "{filter}");
}

#[test]
fn filters_that_cannot_hold_are_found() {
    let check = check_filter;
    check("evt.Meta.log_type == 'ssh_failed-auth'", &[]);
    check("evt.Meta.log_type == 'ssh_faild-auth'", &["warning never-holds 'ssh_faild-auth'"]);
    check("evt.Meta.service == 'sftp' && evt.Parsed.x == ''", &[]);
    check("evt.Meta.service == 'ftp'", &["warning never-holds 'ftp'"]);
    check("evt.Meta.service in ['ftp', 'http']", &["warning never-holds 'ftp'"]);
    check("evt.Meta.service in ['ftp', 'ssh']", &["note never-set 'ftp'"]);
    check("evt.Meta.service == 'ftp' || evt.Meta.service == 'x'", &["warning never-holds 'ftp'"]);
    check("evt.Meta.service == 'ftp' || evt.Meta.verb == 'x'", &[]);
    check("evt.Meta.log_type startsWith 'ssh_'", &[]);
    check("evt.Meta.log_type startsWith 'http_'", &["warning never-holds 'http_'"]);
    check("evt.Meta.log_type endsWith '-auth'", &[]);
    check("evt.Meta.log_type contains 'web'", &["warning never-holds 'web'"]);
    check("evt.Meta.nobody == 'x'", &["warning never-holds 'x'"]);
    check("evt.Meta.nobody != 'x'", &[]);
    check("evt.Meta.nobody == ''", &[]);
    // Words of lines, headers, sources, data bases, and what methods write may be anything.
    check("evt.Parsed.method == 'x' && evt.Meta.verb == 'x'", &[]);
    check("evt.Parsed.program == 'x' && evt.Meta.machine == 'y'", &[]);
    check("evt.Line.Labels.type == 'x'", &[]);
    check("evt.Enriched.IsoCode == 'FR'", &[]);
    check("evt.Enriched.ASNumber == '1'", &["warning never-holds '1'"]);
    check("evt.Meta.written == '2'", &[]);
    let only = told(&[("scenarios/s.yaml", &scenario("t/s", "evt.Meta.x == 'y'"))]);
    assert_eq!(only, [""; 0], "without parsers nothing is known");
}

#[test]
fn children_that_contradict_their_parents_are_found() {
    let with = |child: &str| {
        // What a method writes could be anything.
        let parser = PARSER.lines().filter(|line| !line.contains("SetMeta")).collect::<Vec<_>>();
        let parser = parser.join("\n") + "\n";
        let parser = format!(
            "{parser}nodes:\n  - filter: {child:?}\n    statics: [{{meta: a, value: b}}]\n"
        );
        told(&[("parsers/s01-parse/t.yaml", &parser)])
    };
    assert_eq!(with("evt.Parsed.program == 'sshd'"), [""; 0]);
    assert_eq!(with("evt.Parsed.program == 'postfix'"), ["warning never-holds 'postfix'"]);
    assert_eq!(with("evt.Parsed.program startsWith 'ssh'"), [""; 0]);
    assert_eq!(with("evt.Parsed.verb == 'postfix'"), [""; 0]);
}

#[test]
fn rules_of_one_name_are_found() {
    let (a, b) = (scenario("t/a", "true"), scenario("t/b", "true"));
    let check = |files: &[(&str, &str)], expected: &[&str]| assert_eq!(told(files), expected);
    check(&[("scenarios/a.yaml", &a), ("scenarios/b.yaml", &b)], &[]);
    check(&[("scenarios/a.yaml", &a), ("scenarios/b.yaml", &a)], &["warning same-name t/a"]);
    let parser = PARSER.replace("t/parser", "t/a");
    check(&[("parsers/s01-parse/a.yaml", &parser), ("scenarios/a.yaml", &a)], &[]);
}

#[test]
fn collections_are_no_rules_and_are_held_to_what_is_there() {
    let a = scenario("t/a", "true");
    let check = |list: &str, expected: &[&str]| {
        let files = [
            ("scenarios/someone/file.yaml", a.as_str()),
            ("parsers/s01-parse/t.yaml", PARSER),
            ("collections/c.yaml", list),
        ];
        assert_eq!(told(&files), expected, "{list}");
    };
    check("name: c\nparsers: [t/parser]\nscenarios: [t/a, someone/file]\ncontexts: [x]\n", &[]);
    check(
        "scenarios: [t/b]\nparsers: [t/a]\n",
        &["warning no-such-rule t/b", "warning no-such-rule t/a"],
    );
    check("scenarios: {", &["warning yaml-syntax {"]);
}

#[test]
fn the_shipped_rules_raise_no_doubts() {
    let request = Request { lints: true, ..Request::default() };
    let (_, told) = compile::compile(vec![shipped()], request, None, Time::from_seconds(0), vec![]);
    let warned: Vec<_> = told.iter().filter(|told| told.severity > Severity::Note).collect();
    assert!(warned.is_empty(), "{warned:#?}");
}
