//! The table of what users of other programs suffer, against the tests that there are.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder of the project") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
}

/// The names of all functions that are tests.
fn tests() -> BTreeSet<String> {
    let mut paths = Vec::new();
    for folder in ["src", "tests"] {
        sources(&Path::new(ROOT).join(folder), &mut paths);
    }
    let mut names = BTreeSet::new();
    for path in paths {
        let text = std::fs::read_to_string(path).expect("a readable source");
        let mut is_test = false;
        for line in text.lines().map(str::trim) {
            match line.trim_start_matches("async ").strip_prefix("fn ") {
                Some(rest) if is_test => {
                    names.extend(rest.split('(').next().map(str::to_owned));
                    is_test = false;
                }
                _ => {
                    let marked = line == "#[test]" || line.starts_with("#[tokio::test");
                    is_test = marked || (is_test && line.starts_with("#["));
                }
            }
        }
    }
    names
}

#[test]
fn every_finding_names_tests_that_there_are() {
    let table = std::fs::read_to_string(Path::new(ROOT).join("tests/findings.md")).unwrap();
    let known = tests();
    let rows =
        table.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| finding"));
    let mut count = 0;
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [_, here, named] = cells[..] else { panic!("three cells: {row}") };
        assert!(!here.is_empty(), "{row}");
        let names: Vec<&str> = named.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "a row without a test says why: {row}");
        for name in names {
            assert!(known.contains(name), "there is no test `{name}`: {row}");
            count += 1;
        }
    }
    assert!(count > 40, "the table was read: {count}");
}
