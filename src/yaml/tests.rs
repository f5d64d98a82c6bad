//! Trees, places and mistakes, each a line of data.

use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::diagnostic::{Diagnostic, UserFile};

fn file(text: &str) -> Arc<UserFile> {
    UserFile::new(Path::new("x.yaml"), text.to_owned())
}

/// The tree as one line: quoted texts in `"…"`, plain ones bare.
fn show(node: &Node) -> String {
    match &node.kind {
        Kind::Scalar { text, style: Style::Plain } => text.clone(),
        Kind::Scalar { text, .. } => format!("{text:?}"),
        Kind::Sequence(items) => {
            format!("[{}]", items.iter().map(show).collect::<Vec<_>>().join(", "))
        }
        Kind::Mapping(entries) => {
            let entries =
                entries.iter().map(|(key, value)| format!("{}: {}", key.text, show(value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
    }
}

fn summary(diagnostics: &[Diagnostic]) -> Vec<String> {
    let place = |d: &Diagnostic| d.file.as_ref().map_or((0, 0), |file| file.place(d.span.start));
    diagnostics.iter().map(|d| format!("{}:{} {}", place(d).0, place(d).1, d.message)).collect()
}

#[track_caller]
fn check(text: &str, trees: &[&str], mistakes: &[&str]) {
    let (documents, diagnostics) = load(&file(text));
    assert_eq!(documents.iter().map(show).collect::<Vec<_>>(), trees, "{text}");
    assert_eq!(summary(&diagnostics), mistakes, "{text}");
}

#[test]
fn documents() {
    check("", &[], &[]);
    check("---\n---\n", &[], &[]);
    check("# only a remark\n", &[], &[]);
    check("a: 1\nb: [x, 'y']\n", &["{a: 1, b: [x, \"y\"]}"], &[]);
    check("a: 1\n---\nb: 2\n---\n", &["{a: 1}", "{b: 2}"], &[]);
    check("\u{feff}a: 1\r\nb: |\r\n  x\r\n  y\r\n", &["{a: 1, b: \"x\\ny\\n\"}"], &[]);
    check("a: |\n  x", &["{a: \"x\"}"], &[]);
    check("a:\nb: ~\n", &["{a: ~, b: ~}"], &[]);
    check("a: !!str 12\n", &["{a: \"12\"}"], &[]);
    check("- - 1\n  - 2\n- {}\n", &["[[1, 2], {}]"], &[]);
}

#[test]
fn anchors_and_merges() {
    check("a: &x [1, 2]\nb: *x\n", &["{a: [1, 2], b: [1, 2]}"], &[]);
    check(
        "a: &x {k: 1, l: 2}\nb:\n  <<: *x\n  k: 3\n",
        &["{a: {k: 1, l: 2}, b: {k: 3, l: 2}}"],
        &[],
    );
    check("b:\n  <<: [{k: 1}, {k: 2, m: 3}]\n  '<<': 4\n", &["{b: {<<: 4, k: 1, m: 3}}"], &[]);
    check("&k a: 1\nb: *k\n", &["{a: 1, b: a}"], &[]);
    check(
        "<<: 1\na: 2\n",
        &["{a: 2}"],
        &["1:5 expected a mapping or a list of mappings after `<<`, found a number"],
    );
}

#[test]
fn mistakes() {
    check("a: 1\nb: 2\na: 3\n", &["{a: 1, b: 2}"], &["3:1 the key `a` is given twice"]);
    check("[a, b]: 1\nc: 2\n", &["{c: 2}"], &["1:2 expected text as a key, found a list"]);
    check("a: &x [*x]\n", &[], &["1:8 an alias cannot stand inside of what it stands for"]);
    check("a: !exec x\n", &[], &["1:10 the tag `!exec` means nothing here"]);
    check(
        "a: 1\n---\nb: [1\n---\nc: 3\n",
        &["{a: 1}", "{c: 3}"],
        &["3:4 this is not YAML: unclosed bracket '['"],
    );
    check("a: *nobody\n", &[], &["1:4 this is not YAML: while parsing node, found unknown anchor"]);
}

#[test]
fn bombs_are_refused() {
    let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let alias = format!("*a{}", level - 1);
        laughs += &format!("a{level}: &a{level} [{}]\n", [alias.as_str(); 9].join(", "));
    }
    let (documents, diagnostics) = load(&file(&laughs));
    assert!(documents.is_empty());
    assert!(diagnostics[0].message.starts_with("aliases expand to more than"), "{diagnostics:?}");

    let mut deep = "a0: &a0 [x]\n".to_owned();
    for level in 1..200 {
        deep += &format!("a{level}: &a{level} [*a{}]\n", level - 1);
    }
    let (documents, diagnostics) = load(&file(&deep));
    assert!(documents.is_empty());
    assert!(diagnostics[0].message.starts_with("collections are nested"), "{diagnostics:?}");

    let (documents, diagnostics) = load(&file(&"[".repeat(100_000)));
    assert!(documents.is_empty());
    assert_eq!(diagnostics.len(), 1);
    let twice = "a: 1\n".repeat(10_000);
    assert_eq!(load(&file(&twice)).1.len(), 100);
}

/// Every character of the scalar at key `a` is found in the file: `file[locate(i)]` is what the
/// text has at `i`, or begins the escape it was written as.
#[track_caller]
fn check_places(text: &str, known: usize) {
    let file = file(text);
    let (documents, diagnostics) = load(&file);
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    let node = documents[0].get("a").expect("the test's document has the key");
    let Kind::Scalar { text: value, .. } = &node.kind else { panic!("a scalar") };
    assert_eq!((0..value.len()).take_while(|at| node.locate(*at).is_some()).count(), known);
    for (at, made) in value.char_indices().filter(|(_, c)| !c.is_whitespace()) {
        let Some(place) = node.locate(at) else { continue };
        let written = text[place..].chars().next().expect("inside of the file");
        assert!(node.span.contains(&place), "{at}");
        assert!(written == made || written == '\\', "{at}: {made:?} is not at {written:?}");
    }
}

#[test]
fn places() {
    check_places("a: hello\n", 5);
    check_places("a: 'it''s it'\n", 7);
    check_places("a: \"x == \\\"é\\\" && y\"\n", 14);
    check_places("a: \"\\u00e9\\ud83d\\ude00\\x41 z\"\n", 9);
    check_places("a: |\n  one\n   two\n\n  three\n", 16);
    check_places("a: |-\r\n  one\r\n  two\r\n", 7);
    check_places("a: >\n  one\n  two\n\n  three\n", 14);
    check_places("a: one\n  two\n\n  three\nb: 1\n", 13);
    check_places("a: \"one\n  two\"\n", 7);
    check_places("a: \"one\\\n  two\"\n", 4);
    check_places("b: &x !!str text\na: *x\n", 4);
}

#[test]
fn spans_cover_the_source() {
    let text = "a: 'one'\nb:\n  - x\n  - {k: v}\nc: |\n  lit\nd: 5\n";
    let (documents, _) = load(&file(text));
    let source = |key: &str| {
        let node = documents[0].get(key).expect("present");
        &text[node.span.clone()]
    };
    assert_eq!(source("a"), "'one'");
    assert_eq!(source("b"), "- x\n  - {k: v}");
    assert_eq!(source("c").trim_end(), "lit");
    assert_eq!(source("d"), "5");
}

#[test]
fn fields() {
    let text = "name: x\ncount: 12\non: yes\nwords: one\nmany: [1, b]\nrate: 0.5\nempty:\n\
                nmae: y\nbad: [1]\nmode: fats\nsmall: -1\nmap: {a: 1, b: true}\n";
    let file = file(text);
    let (documents, _) = load(&file);
    let mut diagnostics = Vec::new();
    let mut fields =
        Fields::of(&documents[0], &file, "a thing", &mut diagnostics).expect("a mapping");
    assert_eq!(fields.required_text("name").map(|t| t.value), Some("x"));
    assert_eq!(fields.integer("count", 0..=20).map(|n| n.value), Some(12));
    assert_eq!(fields.bool("on").map(|b| b.value), Some(true));
    let values =
        |list: Vec<Spanned<&'static str>>| list.into_iter().map(|t| t.value).collect::<Vec<_>>();
    let _ = values;
    assert_eq!(fields.text_list("words").iter().map(|t| t.value).collect::<Vec<_>>(), ["one"]);
    assert_eq!(fields.text_list("many").iter().map(|t| t.value).collect::<Vec<_>>(), ["1", "b"]);
    assert_eq!(fields.float("rate").map(|n| n.value), Some(0.5));
    assert_eq!(fields.required_text("empty"), None);
    assert_eq!(fields.required_text("gone"), None);
    assert_eq!(fields.text("bad"), None);
    assert_eq!(fields.choice("mode", &[("fast", 1), ("slow", 2)]), None);
    assert_eq!(fields.integer("small", 0..=i64::MAX), None);
    assert_eq!(fields.text_map("map").len(), 2);
    fields.finish();
    assert_eq!(
        summary(&diagnostics),
        [
            "7:1 a thing needs the key `empty`",
            "1:1 a thing needs the key `gone`",
            "9:7 expected text for `bad`, found a list",
            "10:7 `fats` is no value of `mode`",
            "11:8 `small` must be at least 0, found -1",
            "8:1 a thing has no key `nmae`",
        ]
    );
    assert_eq!(diagnostics[3].help.as_deref(), Some("did you mean `fast`?"));
    assert_eq!(diagnostics[5].help.as_deref(), Some("did you mean `name`?"));
    assert!(
        Fields::of(
            &documents[0].entries().expect("mapping")[0].1,
            &file,
            "a thing",
            &mut diagnostics
        )
        .is_none()
    );
}

proptest! {
    #[test]
    fn any_text_is_a_value_or_a_mistake(text in "[-\\[\\]{}:,&*!|>'\"%@`#?~<a-c \n\r\t\u{feff}é\\\\]{0,120}") {
        let file = file(&text);
        let (documents, diagnostics) = load(&file);
        for document in &documents {
            walk(document, &text);
        }
        for mistake in diagnostics {
            prop_assert!(text.get(mistake.span.clone()).is_some(), "{mistake:?}");
        }
    }
}

fn walk(node: &Node, text: &str) {
    assert!(text.get(node.span.clone()).is_some(), "{node:?} of {text:?}");
    match &node.kind {
        Kind::Scalar { text: value, .. } => {
            for at in 0..=value.len() {
                assert!(node.locate(at).is_none_or(|at| at <= text.len()));
            }
        }
        Kind::Sequence(items) => items.iter().for_each(|item| walk(item, text)),
        Kind::Mapping(entries) => entries.iter().for_each(|(key, value)| {
            assert!(text.get(key.span.clone()).is_some());
            walk(value, text);
        }),
    }
}
