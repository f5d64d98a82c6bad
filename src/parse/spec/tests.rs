//! Mistakes in rule files, each shown with its place.

use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::parse::grok::Library;
use crate::value::Names;
use crate::yaml;

/// Loads and compiles all documents; gives `code: text it points at: message` for each mistake.
fn mistakes(text: &str) -> Vec<String> {
    let file = UserFile::new(Path::new("rule.yaml"), text.to_owned());
    let (documents, mut found) = yaml::load(&file);
    let (mut names, mut library) = (Names::new(), Library::base());
    for document in &documents {
        let (spec, more) = load(document, &file, "s01-parse");
        found.extend(more);
        if let Some(spec) = spec {
            let (node, more) = compile(&spec, &mut names, &mut library);
            assert_eq!(node.is_none(), more.iter().any(Diagnostic::is_error));
            found.extend(more);
        }
    }
    found
        .iter()
        .map(|each| {
            let at = text.get(each.span.clone()).unwrap_or("<outside>");
            format!("{}: {at}: {}", each.code, each.message)
        })
        .collect()
}

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    assert_eq!(mistakes(text), expected, "{text}");
}

/// A rule that is right but for `part`.
#[track_caller]
fn check_part(part: &str, expected: &[&str]) {
    check(&format!("name: a\nstatics: [{{meta: m, value: v}}]\n{part}"), expected);
}

#[test]
fn a_rule_with_every_key_is_right() {
    check(
        "
format: 2.0
name: author/rule
description: all of it
author: somebody
references: [x]
debug: false
profiling: yes
stage: ignored
onsuccess: next_stage
filter: evt.Line.Labels.type == 'x'
pattern_syntax: {ONE: '%{INT:n}'}
grok:
  name: ONE
  apply_on: message
  statics: [{enriched: e, value: v}]
stash:
  - {name: s, key: evt.Parsed.a, value: evt.Parsed.b, ttl: 1m, size: 10, strategy: LFU}
nodes:
  - filter: evt.Meta.a == 'b'
    statics: [{meta: m, value: v}]
statics:
  - {method: ParseDate, expression: evt.StrTime}
whitelist: {reason: r, ip: ['::1'], cidr: [10.0.0.0/8], expression: [evt.Meta.a == 'b']}
data:
  - {source_url: 'https://example.org/x', dest_file: x.txt, type: string}
",
        &[],
    );
}

#[test]
fn documents_that_are_no_rules_are_skipped() {
    let skipped = "skipped: a document without `name`, `description` and `author` is no rule";
    check("filter: x", &[&format!("no-rule: filter: {skipped}")]);
    let later = "skipped: only the formats from `1.0` to `3.0` are understood";
    check("name: a\nformat: 4.0", &[&format!("later-format: 4.0: {later}")]);
    check("name: a\nformat: 3.1", &[&format!("later-format: 3.1: {later}")]);
    check("name: a\nformat: '0.9'", &[&format!("later-format: '0.9': {later}")]);
    check_part("format: 3", &[]);
    check_part("format: 3.0.0", &[]);
    check_part("format: two", &["wrong-value: two: `format` must be a version such as `2.0`"]);
    check("- a", &["wrong-type: a: expected a mapping that describes a parser rule, found a list"]);
}

#[test]
fn a_rule_must_do_something() {
    let message = "a rule needs one of `grok`, `nodes`, `statics` and entries in `whitelist`";
    check("name: a", &[&format!("empty-rule: name: {message}")]);
    check("name: a\nnodes: []", &[&format!("empty-rule: name: {message}")]);
    check("name: a\nnodes:\n  - name: b", &[&format!("empty-rule: name: {message}")]);
    check("name: a\nwhitelist: {reason: r}", &[&format!("empty-rule: name: {message}")]);
    check("name: a\nwhitelist: {reason: r, ip: []}", &[&format!("empty-rule: name: {message}")]);
    check("name: a\nwhitelist: {reason: r, expression: evt.Meta.a == 'b'}", &[]);
}

#[test]
fn empty_text_is_as_good_as_none() {
    check(
        "
name: a
filter: ''
onsuccess: \"\"
grok: {name: '', pattern: '%{WORD:w}', apply_on: '', expression: evt.Line.Raw}
statics: [{meta: '', parsed: p, value: '', expression: evt.Parsed.w}]
data: [{source_url: '', dest_file: a.mmdb, type: ''}]
",
        &[],
    );
    let skipped = "skipped: a document without `name`, `description` and `author` is no rule";
    check("name: ''\nauthor: ''\nfilter: x", &[&format!("no-rule: name: {skipped}")]);
    check(
        "name: a\nstatics: [{meta: m, value: ''}]",
        &["missing-key: meta: a static needs `value` or `expression`"],
    );
    check_part(
        "grok: {pattern: '', apply_on: x}",
        &["missing-key: pattern: a grok needs `pattern` or `name`"],
    );
}

#[test]
fn unknown_keys_and_wrong_types() {
    let found = mistakes("name: a\nfiltre: x\nstatics: [{meta: m, value: v, kind: x}]");
    assert!(found[0].starts_with("unknown-key: filtre: a parser rule has no key `filtre`"));
    assert!(found[1].starts_with("unknown-key: kind: a static has no key `kind`"));
    check_part("onsuccess: next", &["wrong-value: next: `next` is no value of `onsuccess`"]);
    check_part("onsuccess: continue", &[]);
    check_part(
        "pattern_syntax: {A: [x]}",
        &["wrong-type: x: expected a pattern for `A`, found a list"],
    );
}

#[test]
fn groks_need_a_pattern_and_a_text() {
    check_part("grok: {apply_on: x}", &["missing-key: apply_on: a grok needs `pattern` or `name`"]);
    check_part(
        "grok: {pattern: '%{INT:n}'}",
        &["missing-key: pattern: a grok needs `apply_on` or `expression`"],
    );
    check_part("grok: {name: NOPE, apply_on: x}", &["pattern: NOPE: unknown pattern `NOPE`"]);
    check_part(
        "grok: {pattern: 'a %{NOPE:x} b', apply_on: x}",
        &["pattern: %{NOPE:x}: unknown pattern `NOPE`"],
    );
    check_part(
        "grok:\n  apply_on: x\n  pattern: |\n    a (%{INT:n} b",
        &["pattern: (: unclosed group"],
    );
    check_part(
        "grok: {pattern: '%{INT:n:int} %{INT:m}', apply_on: x}",
        &[
            "no-reference: %{INT:n:int}: `%{INT:n:int}` is no reference to a pattern and stands for \
           itself",
        ],
    );
    check_part("pattern_syntax:\n  A: '%{B}'\n  B: x", &["pattern: %{B}: unknown pattern `B`"]);
}

#[test]
fn statics_need_a_target_and_a_text() {
    let statics = |text: &str, expected: &[&str]| {
        check(&format!("name: a\nstatics: [{{{text}}}]"), expected);
    };
    statics("meta: m", &["missing-key: meta: a static needs `value` or `expression`"]);
    statics(
        "value: v",
        &["missing-key: value: a static needs one of `meta`, `parsed`, `target` and `method`"],
    );
    statics(
        "enriched: e, value: v",
        &["missing-key: enriched: `enriched` alone is only allowed in the statics of a grok"],
    );
    statics("method: ParseDate", &["missing-key: method: a static needs `value` or `expression`"]);
    statics(
        "method: parsedate, value: v",
        &["unknown-method: parsedate: unknown method `parsedate`: this static has no effect"],
    );
    statics(
        "target: source_ip, value: v",
        &[
            "unknown-target: source_ip: `source_ip` is no text of an event: this static has no effect",
        ],
    );
    statics(
        "meta: m, expression: evt.Meta.a == 'b'",
        &[
            "not-text: evt.Meta.a == 'b': a static stores text, and this is true or false: it drops \
           every line it is tried on",
        ],
    );
}

#[test]
fn expressions_point_into_the_yaml() {
    let found = mistakes("name: a\nfilter: evt.Nope == 'x'\nstatics: [{meta: m, value: v}]");
    assert!(found.len() == 1 && found[0].starts_with("expression: "), "{found:?}");
    check_part(
        "filter: evt.Meta.x",
        &[
            "never-true: evt.Meta.x: a condition must be true or false; this is never either, so it \
           always fails",
        ],
    );
}

#[test]
fn allowlists_and_stashes() {
    check_part(
        "whitelist: {ip: [1.2.3.4, 1.2.3.4.5], cidr: [10.0.0.0/33], expression: [[x]]}",
        &[
            "wrong-value: 1.2.3.4.5: expected an address, found `1.2.3.4.5`",
            "wrong-value: 10.0.0.0/33: expected a network such as `192.0.2.0/24`, found \
             `10.0.0.0/33`",
            "wrong-type: x: expected an expression, found a list",
        ],
    );
    check_part(
        "stash: [{name: s, key: evt.Meta.a, ttl: soon}]",
        &[
            "missing-key: name: a stash needs the key `value`",
            "wrong-value: soon: expected a duration such as `1m30s` for `ttl`, found `soon`",
        ],
    );
    check_part(
        "data: [{type: text}]",
        &[
            "missing-key: type: a data file needs the key `dest_file`",
            "wrong-value: text: `text` is no value of `type`",
        ],
    );
}

#[test]
fn all_mistakes_show_at_once() {
    let found = mistakes(
        "
name: a
filter: (
grok: {pattern: '(%{INT:n}', apply_on: x}
nodes:
  - grok: {pattern: '%{NOPE}', apply_on: x}
statics:
  - {meta: m, expression: ')'}
  - {value: v}
---
name: b
",
    );
    assert_eq!(found.len(), 6, "{found:#?}");
}

#[test]
fn what_a_rule_asks_of_the_data_folder() {
    let text = "
name: a
statics: [{meta: m, value: v}]
data:
  - {source_url: u, dest_file: a.mmdb}
  - {dest_file: b.txt, type: regexp, size: 20, ttl: 30s, strategy: LFU}
  - {dest_file: c.txt, type: regex, cache: false, size: 20}
";
    let file = UserFile::new(Path::new("rule.yaml"), text.to_owned());
    let (documents, _) = yaml::load(&file);
    let (spec, found) = load(&documents[0], &file, "s");
    assert!(found.is_empty(), "{found:?}");
    let spec = spec.unwrap();
    assert_eq!(spec.name(), "a");
    let file = |name: &str, kind: Option<&str>, url: Option<&str>, cache| DataSpec {
        file: name.into(),
        kind: kind.map(Into::into),
        url: url.map(Into::into),
        cache,
    };
    assert_eq!(
        spec.data(),
        [
            file("a.mmdb", None, Some("u"), None),
            file(
                "b.txt",
                Some("regexp"),
                None,
                Some((20, 30_000_000_000, crate::expr::world::Strategy::Lfu))
            ),
            file("c.txt", Some("regex"), None, None),
        ]
    );
}

proptest! {
    #[test]
    fn no_document_panics(text in "(name: a\\n)?([a-z_]{2,12}: *[\\[{'\"]?[a-z%{}:(.=| ]{0,12}[\\]}'\"]?\\n( *- )?){0,8}") {
        mistakes(&text);
    }

    #[test]
    fn no_value_panics(key in prop::sample::select(vec![
        "filter", "onsuccess", "grok", "nodes", "statics", "stash", "whitelist", "pattern_syntax",
        "data", "format",
    ]), value in "[\\[{]?[a-zA-Z%{}:(.,='| \\[\\]-]{0,24}") {
        mistakes(&format!("name: a\n{key}: {value}\n"));
    }
}
