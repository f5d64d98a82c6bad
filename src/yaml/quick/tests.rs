//! Documents read line by line against the same documents parsed.

use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::super::load::parse;
use super::super::{Kind, Node};
use super::read;
use crate::diagnostic::UserFile;

#[track_caller]
fn same(quick: &Node, parsed: &Node, text: &str) {
    assert_eq!(quick.span, parsed.span, "{quick:?}\n{parsed:?}\n{text}");
    match (&quick.kind, &parsed.kind) {
        (Kind::Scalar { text: a, style: b }, Kind::Scalar { text: c, style: d }) => {
            assert_eq!((a, b), (c, d), "{text}");
            for at in 0..a.len() + 2 {
                assert_eq!(quick.locate(at), parsed.locate(at), "{a:?} at {at}\n{text}");
            }
        }
        (Kind::Sequence(a), Kind::Sequence(b)) => {
            assert_eq!(a.len(), b.len(), "{text}");
            a.iter().zip(b).for_each(|(a, b)| same(a, b, text));
        }
        (Kind::Mapping(a), Kind::Mapping(b)) => {
            assert_eq!(a.len(), b.len(), "{text}");
            for ((key, value), (other, other_value)) in a.iter().zip(b) {
                assert_eq!(key, other, "{text}");
                same(value, other_value, text);
            }
        }
        _ => panic!("{quick:?} is not {parsed:?}\n{text}"),
    }
}

/// Whether a text is read line by line; if so, as it is parsed.
#[track_caller]
fn compare(text: &str) -> bool {
    let Some(quick) = read(text) else { return false };
    let (parsed, mistakes) = parse(&UserFile::new(Path::new("x.yaml"), text.to_owned()));
    assert!(mistakes.is_empty(), "{text}\n{mistakes:?}");
    assert_eq!(quick.len(), parsed.len(), "{text}");
    quick.iter().zip(&parsed).for_each(|(a, b)| same(a, b, text));
    true
}

#[test]
fn plain_documents_are_read() {
    for text in [
        "",
        "\n# remark\n---\n---\n",
        "a: 1\nb: x y  # remark\n\n---\na: 'it''s' # remark\n",
        "a:\n  - b\n  - c: 1\n    d:\n    - \"x\\\\.y\\n\"\n    - e\nf: g",
        "a:   # remark\n- b\n# remark\n\n-   c:  d\n    e: f\nh: |\n  x\n    y\n\n  z  \n\n\ni: |-\n  x\n\n",
        "a: |\n  # no remark\n  b: c\n # remark at the margin\n",
        "a:\n    b: x:y #z\n    c: a#b\n",
        "a.b-c_d: 'x'   \ne : y\nf :\n  g  : |\n   h\n",
    ] {
        assert!(compare(text) || text.contains("margin"), "{text}");
    }
}

#[test]
fn anything_else_is_parsed() {
    for text in [
        "a: [b]",
        "a: {b: c}",
        "a: &b c",
        "a: *b",
        "a: !b c",
        "a: b\n  c\n",
        "a:\n",
        "a: \"b\n  c\"",
        "a: b: c",
        "a: b:\n",
        "a: 'b' c",
        "a: 'b'#c",
        "a:\tb",
        "a: \u{e9}",
        "a: b\r\n",
        "  a: b",
        "a: >\n  b\n",
        "a: |2\n   b\n",
        "a: |\n\n  b\n",
        "a: |\n  b",
        "a: |\nb: c\n",
        "- - a\n",
        "-\n  a\n",
        "a: b\na: c\n",
        "<<: a\n",
        "? a\n",
        "'a': b\n",
        "a: @b\n",
        "a\n",
        "--- a\n",
        "...\n",
        "%YAML 1.2\n---\na: b\n",
        "a: \"\\x41\"",
        "a:\n  b: c\n d: e\n",
        "a:b\n",
        "a: b\n- c\n",
        "a:\n - b\n- c\n",
        "- a\nb: c\n",
        "a:\n- b: c\n  - d\n",
        "a: |\n   b\n  c\n",
        "a: |\n  b\n   \n  c\n",
        "a: - b\n",
        "\"a\n",
        "a: 'b\n",
    ] {
        assert!(read(text).is_none(), "{text}");
    }
}

fn yaml_files(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            yaml_files(&path, found);
        } else if path.extension().is_some_and(|e| e == "yaml" || e == "yml") {
            found.push(path);
        }
    }
}

/// Most rules of others are read line by line.
#[test]
fn rules_written_by_others() {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/hub");
    let hub = std::env::var_os("WEIR_HUB").map_or(beside, PathBuf::from);
    let mut files = Vec::new();
    for folder in ["parsers", "scenarios", "postoverflows"] {
        yaml_files(&hub.join(folder), &mut files);
    }
    let texts: Vec<_> =
        files.iter().filter_map(|path| std::fs::read_to_string(path).ok()).collect();
    let n_read = texts.iter().filter(|text| compare(text)).count();
    assert!(n_read * 10 >= texts.len() * 9, "{n_read} of {}", texts.len());
}

/// Lines such as rules are made of, and some that they should not be made of.
fn lines() -> impl Strategy<Value = String> {
    let line = prop::sample::select(vec![
        "a:",
        "b:",
        "c:",
        "d: x",
        "e: x y",
        "a: 'x'",
        "b: \"x\\\\d\"",
        "c: |",
        "d: |-",
        "- x",
        "- x",
        "- a: x",
        "- b:",
        "- |",
        "- 'it''s'",
        "-",
        "- - x",
        "-  c:  y",
        "# z",
        "",
        " ",
        "---",
        "...",
        "x",
        "x: y: z",
        "d: x # z",
        "d: 'x' # z",
        "d: 'x'# z",
        "e: x#z",
        "a: [x, 'y']",
        "e: ~",
        "f: x:y",
        "f: x:",
        "f: '",
        "f: \"x",
        "f: {",
        "f: &x y",
        "f: *x",
        "g: >",
        "g: -x",
        "g: - x",
        "'h': x",
        "h : x",
        "h: ''",
        "h: \"\"",
        "<<: x",
        "i: \"x\" y",
        "i: \"\\\"\" ",
        "j: x  ",
        "|",
        "? k",
        "%k",
        "k: x, y]",
        "- x: 'y': z",
        "- http://x/",
        "- x:y",
        "l: 'x''' #",
        "l: \"\\q\"",
    ]);
    let line = (0..5_usize, line).prop_map(|(n, line)| format!("{}{line}\n", " ".repeat(n)));
    let steady = prop::collection::vec(line, 0..9).prop_map(|lines| lines.concat());
    (steady, any::<bool>()).prop_map(|(text, is_cut)| match is_cut {
        true => text.trim_end_matches('\n').to_owned(),
        false => text,
    })
}

/// Documents by their indentation, so that more of them can be read.
fn documents() -> impl Strategy<Value = String> {
    let scalar = prop::sample::select(vec![
        " x",
        " x y # z",
        " 'x'",
        " \"x\\\\\"",
        " |\n@@  x\n@@\n@@   y",
        " |-\n@@  x \n\n",
        " x:y",
        " # z\n@@  x",
    ]);
    let leaf = scalar.prop_map(|scalar| format!("@{scalar}\n"));
    let tree = leaf.prop_recursive(4, 16, 4, |inner| {
        let name = prop::sample::select(vec!["a", "b", "c", "d-e", "f.g"]);
        let gap = prop::sample::select(vec!["", "", "\n", "# z\n", "@@# z\n"]);
        prop_oneof![
            prop::collection::vec((name, inner.clone(), gap), 1..4).prop_map(|entries| {
                let entry = |(name, value, gap): (&str, String, &str)| match value.strip_prefix('@')
                {
                    Some(scalar) if !value.starts_with("@@") => format!("@@{name}:{scalar}{gap}"),
                    _ => format!("@@{name}:\n{}{gap}", value.replace("@@", "@@  ")),
                };
                entries.into_iter().map(entry).collect::<String>()
            }),
            prop::collection::vec(inner, 1..4).prop_map(|items| {
                let item = |value: String| match value.strip_prefix('@') {
                    Some(scalar) if !value.starts_with("@@") => format!("@@-{scalar}"),
                    _ => format!(
                        "@@- {}",
                        value.replace("@@", "@@  ").trim_start_matches(['@', ' '])
                    ),
                };
                items.into_iter().map(item).collect::<String>()
            }),
        ]
    });
    tree.prop_map(|tree| tree.replace('@', ""))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn lines_are_read_as_they_are_parsed(text in lines()) {
        compare(&text);
    }

    #[test]
    fn documents_are_read_as_they_are_parsed(text in documents(), other in lines()) {
        compare(&text);
        compare(&format!("{text}---\n{text}{other}"));
    }
}
