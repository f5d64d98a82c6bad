//! The same documents read by another implementation (a port of libyaml) give the same trees.

use std::path::{Path, PathBuf};

use serde::Deserialize as _;
use yaml_serde::{Deserializer, Value};

use super::{Kind, Node, Plain, load};
use crate::diagnostic::UserFile;

/// The other implementation's documents, those without content left out as ours are.
fn other(text: &str) -> Result<Vec<Value>, yaml_serde::Error> {
    let mut documents = Vec::new();
    for document in Deserializer::from_str(text) {
        let mut value = Value::deserialize(document)?;
        value.apply_merge()?;
        if !value.is_null() {
            documents.push(value);
        }
    }
    Ok(documents)
}

/// Where the two trees differ, if they do.
fn difference(ours: &Node, theirs: &Value, path: &str) -> Option<String> {
    let differ = || Some(format!("{path}: {ours:?} is not {theirs:?}"));
    match (&ours.kind, theirs) {
        (Kind::Sequence(a), Value::Sequence(b)) if a.len() == b.len() => a
            .iter()
            .zip(b)
            .enumerate()
            .find_map(|(at, (a, b))| difference(a, b, &format!("{path}[{at}]"))),
        (Kind::Mapping(a), Value::Mapping(b)) if a.len() == b.len() => {
            a.iter().find_map(|(key, value)| {
                let theirs = b.iter().find(|(known, _)| words(known) == key.text);
                match theirs {
                    Some((_, theirs)) => difference(value, theirs, &format!("{path}.{}", key.text)),
                    None => Some(format!("{path}.{} is ours alone", key.text)),
                }
            })
        }
        (Kind::Scalar { .. }, _) => match (ours.plain()?, theirs) {
            (Plain::Null, Value::Null) => None,
            (Plain::Bool(a), Value::Bool(b)) if a == *b => None,
            (Plain::Integer(a), Value::Number(b)) if b.as_i64() == Some(a) => None,
            (Plain::Float(a), Value::Number(b)) if b.as_f64() == Some(a) => None,
            (Plain::Text(a), Value::String(b)) if a == b => None,
            // YAML 1.2 has these as text; 1.1, and we, do not.
            (Plain::Bool(_) | Plain::Integer(_), Value::String(b)) if ours.text() == Some(b) => {
                None
            }
            (Plain::Integer(_), Value::Number(_)) if ours.text()?.starts_with('0') => None,
            _ => differ(),
        },
        _ => differ(),
    }
}

fn words(key: &Value) -> String {
    match key {
        Value::String(text) => text.clone(),
        Value::Bool(truth) => truth.to_string(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    }
}

#[track_caller]
fn check(text: &str) {
    let file = UserFile::new(Path::new("x.yaml"), text.to_owned());
    let (ours, mistakes) = load(&file);
    match other(text) {
        Ok(theirs) => {
            assert!(mistakes.is_empty(), "{text}\n{mistakes:?}");
            assert_eq!(ours.len(), theirs.len(), "{text}");
            let differences: Vec<_> =
                ours.iter().zip(&theirs).filter_map(|(a, b)| difference(a, b, "")).collect();
            assert!(differences.is_empty(), "{text}\n{differences:#?}");
        }
        Err(error) => assert!(!mistakes.is_empty(), "only they refuse {text}: {error}"),
    }
}

#[test]
fn documents() {
    check("a: 1\nb: [true, null, 1.5, x, 'y', \"z\\n\\u00e9\"]\n");
    check("- a\n-\n- - b\n  - c\n- d: e\n  f: g\n");
    check("a: |\n  x\n   y\n\n  z\n\nb: >-\n  x\n  y\n\n  z\nc: |+\n  x\n\n");
    check("a: |2\n    x\n  y\n");
    check("a: |\n  no line end");
    check("a: >\n  folded\n  no line end");
    check("a: >\n  one\n    two\n  three\n");
    check("a: one\n  two\n\n  three\nb: 'it''s\n  x'\n");
    check("a: \"x\\\n  y\"\n");
    check("base: &b {k: 1, l: 2}\nx:\n  <<: *b\n  k: 3\n");
    check("a: &l [1]\nb: *l\nc: {d: *l}\n");
    check("{a: b, c: [d, {e: f}], \"g\": }\n");
    check("? a\n: b\n");
    check("%YAML 1.1\n---\na: 1\n...\n---\nb: 2\n");
    check("a: yes\nb: 0755\nc: 0x10\nd: 1_000\ne: .inf\nf: -0\n");
    check("a: http://x:80/ # remark\nb: x#y\nc: 'a: b'\n");
    check("key with blanks: v\n'quoted key': v\n");
    check("a: [1, 2\n");
    check("a: 'x\n");
    check("a: b: c\n");
    check("a: {b\n");
    check("- a\nb: c\n");
    check("a: *nobody\n");
    check("a: @x\n");
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

#[test]
fn rules_written_by_others() {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/hub");
    let hub = std::env::var_os("WEIR_HUB").map_or(beside, PathBuf::from);
    let mut files = Vec::new();
    yaml_files(&hub, &mut files);
    for path in files {
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        check(&text);
    }
}
