//! Patterns put together of parts against the same patterns parsed as a whole.

use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::super::expand::Wanted;
use super::super::pattern::{Grok, parse};
use super::super::patterns::BASE;
use super::super::{Library, lean};
use super::texts;
use crate::expr::weight;

/// Compiles a pattern of which a part may be made, and holds it against the whole. Tells whether
/// there was a part.
fn compare(library: &Library, pattern: &str) -> bool {
    let Ok(expansion) = library.expand(pattern, Wanted::Text) else { return false };
    let Some(part) = library.part(pattern, &expansion) else { return false };
    let weight = part.weight;
    let grok = Grok::of_part(0, pattern, &expansion, part);
    let Some(grok) = grok else { return false };
    let (_, _, hir) = parse(pattern, &expansion).expect("a part is made of patterns only");
    assert_eq!(grok.tree().as_ref(), Some(&hir), "{pattern}");
    assert!(weight * 8 >= weight::weight(&hir, &|_| None), "{pattern}");
    // A class that characters of several parts become is the only other way to be beyond ASCII.
    if grok.needs_are_of_ascii() {
        assert!(!lean::is_ascii_only(&hir), "{pattern}");
    }
    let whole: Vec<_> = texts(&hir).into_iter().flatten().collect();
    for need in grok.needs() {
        let is_in = |text: &[u8]| text.windows(need.len()).any(|piece| *piece == **need);
        assert!(whole.iter().any(|text| is_in(text)), "{pattern}: {need:?} not in {whole:?}");
    }
    true
}

#[test]
fn base_patterns_are_put_together() {
    let library = Library::base();
    for (name, pattern) in BASE {
        assert!(compare(&library, pattern), "{name}");
        assert!(
            compare(&library, &format!("<%{{{name}:x}}> %{{{name}:y}}?(%{{{name}}})")),
            "{name}"
        );
    }
}

/// All patterns of real rules.
#[test]
fn patterns_of_a_hub_are_put_together() {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/hub");
    let hub = std::env::var_os("WEIR_HUB").map_or(beside, PathBuf::from);
    let Ok(files) = std::fs::read_dir(hub.join("patterns")) else { return };
    let mut library = Library::base();
    let mut patterns = Vec::new();
    for file in files.flatten() {
        let text = std::fs::read_to_string(file.path()).unwrap();
        for line in text.lines() {
            let Some((name, pattern)) = line.split_once(' ') else { continue };
            if library.add(name, pattern).is_ok() {
                patterns.push(pattern.to_owned());
            }
        }
    }
    let together = patterns.iter().filter(|pattern| compare(&library, pattern)).count();
    assert!(together * 100 > patterns.len() * 98, "{together} of {}", patterns.len());
}

/// Texts that say something else within another pattern than they do by themselves.
#[test]
fn what_reaches_beyond_itself_is_no_part() {
    for (inner, outer) in [
        ("a)|(b", "%{X:x}"),
        ("[a", "%{X:x}]"),
        ("[[:a", "%{X:x}[:alpha:]]"),
        ("[[:a]", "%{X:x}[[:alpha:]]"),
        (r"\Qa.", r"%{X:x}b.\E"),
        ("(?x)a # b", "%{X:x}"),
        ("(?x: a)", "%{X:x}"),
        ("(?<n>a)", "%{X:x}%{X}"),
        ("a", "(?i)%{X:x}"),
        ("a", "(?i:b%{X:x})"),
        ("a", "b%{X:x}{0}"),
        ("a", "[b%{X:x}]"),
        ("a", r"\%{X:x}"),
        ("a", r"\Q%{X:x}\E"),
        ("\u{10fffd}", "%{X:x}"),
        ("a", "\u{10fffd}%{X:x}"),
    ] {
        let mut library = Library::base();
        library.add("X", inner).unwrap();
        assert!(!compare(&library, outer), "{inner} in {outer}");
    }
    for (inner, outer) in [
        ("(?i)a", "b%{X:x}"),
        ("(?i:a)[[:alpha:]]", r"(?s:.)%{X:x}\Qb\E"),
        ("", "a%{X:x}{2}|%{X}"),
        ("^", "%{X:x}{3,5}a%{X}*"),
        (r"\b", "(%{X:x}|a)+"),
        ("b", "a%{X}c%{X:x}d"),
        ("a|b", "%{X}|c|%{X:x}"),
        ("[aé]", "x%{X}y%{X:x}"),
        ("é", "%{X}|a|%{X:x}"),
    ] {
        let mut library = Library::base();
        library.add("X", inner).unwrap();
        assert!(compare(&library, outer), "{inner} in {outer}");
    }
}

#[test]
fn long_rows_of_patterns_are_parsed_as_a_whole() {
    let mut library = Library::base();
    library.add("A0", "a").unwrap();
    for n in 1..2000 {
        library.add(&format!("A{n}"), &format!("%{{A{}}}", n - 1)).unwrap();
    }
    assert!(compare(&library, "%{A40:x}"));
    assert!(!compare(&library, "%{A1999:x}"));
    assert!(library.compile("%{A1999:x}").is_err(), "nested too deep");
    assert!(library.compile("%{A100:x}").is_ok());
}

/// Patterns that refer to those in front of them.
fn patterns() -> impl Strategy<Value = Vec<String>> {
    let piece = prop::sample::select(vec![
        "a",
        "b",
        "ab",
        "é",
        "[aé]",
        "[a-c]",
        "[^a]",
        ".",
        r"\d",
        r"\w+",
        r"\b",
        "^",
        "$",
        "(?:",
        "(",
        ")",
        "|",
        "?",
        "*",
        "+?",
        "{2}",
        "{0}",
        "{,3}",
        "(?i)",
        "(?i:",
        "(?s:.)",
        "[",
        "]",
        "[[:alpha:]",
        "[:",
        ":]",
        r"\Q",
        r"\E",
        "(?P<n>",
        "(?<n>",
        "(?x)",
        "#",
        " ",
        r"\",
        r"\x{41}",
        r"\101",
        "%{INT}",
        "%{0}",
        "%{0}",
        "%{0:x}",
        "%{1}",
        "%{1:y}",
        "%{1:x}",
        "%{2:x}",
        "%{2}",
    ]);
    let pattern = prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat());
    prop::collection::vec(pattern, 1..5)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn parts_say_what_the_whole_does(patterns in patterns()) {
        let mut library = Library::base();
        for (n, pattern) in patterns.iter().enumerate() {
            compare(&library, pattern);
            let _ = library.add(&n.to_string(), pattern);
        }
    }
}
