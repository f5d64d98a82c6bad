//! The house against its plan: who may use whom, how long files are, what must not be in them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// What each part may use of the others. A row that must grow is a decision about the design.
const MAY_USE: &[(&str, &[&str])] = &[
    ("value", &[]),
    ("diagnostic", &[]),
    ("metrics", &[]),
    ("system", &["value"]),
    ("yaml", &["diagnostic"]),
    ("event", &["value"]),
    ("decision", &["value"]),
    ("expr", &["diagnostic", "value"]),
    ("intake", &["event", "metrics", "settings", "system", "value"]),
    // Of `intake` the plain data that says what to listen on, of `parse` that by which lines are
    // classified.
    ("settings", &["decision", "diagnostic", "intake", "parse", "value", "yaml"]),
    ("parse", &["diagnostic", "event", "expr", "value", "yaml"]),
    ("detect", &["diagnostic", "event", "expr", "value", "yaml"]),
    ("ledger", &["decision", "value"]),
    ("lists", &["decision", "value"]),
    ("lapi", &["decision", "ledger", "metrics", "value"]),
    // Of `settings` the plain data that says whom to ask, and where.
    ("remote", &["decision", "settings", "value"]),
    ("decide", &["decision", "diagnostic", "event", "expr", "ledger", "value", "yaml"]),
    ("enforce", &["decision", "ledger", "metrics", "settings", "system", "value"]),
    ("control", &["decide", "decision", "ledger", "metrics", "system", "value"]),
    ("rules", &["decide", "detect", "diagnostic", "event", "expr", "parse", "value", "yaml"]),
    ("explain", &["decision", "detect", "diagnostic", "event", "expr", "parse", "rules", "value"]),
    // Proposals are tried with the real engine.
    ("discover", &["diagnostic", "event", "parse", "rules", "value"]),
    (
        "hubtest",
        &[
            "decide",
            "detect",
            "diagnostic",
            "event",
            "expr",
            "parse",
            "rules",
            "system",
            "value",
            "yaml",
        ],
    ),
];

/// The parts where everything comes together.
const MAY_USE_ALL: &[&str] = &["cli", "daemon", "lib", "main"];

const LONGEST: usize = 500;

/// Files that may be longer, and why.
const LONGER: &[(&str, &str)] = &[];

/// Where code that the compiler cannot check is allowed.
const UNSAFE: &[&str] = &["system/", "intake/", "enforce/mod.rs", "enforce/netlink"];

/// A file of `src/`.
struct Source {
    /// Below `src/`.
    path: String,
    text: String,
    /// Compiled for tests only.
    test: bool,
}

impl Source {
    /// The folder or file right below `src/`.
    fn part(&self) -> &str {
        let first = self.path.split('/').next().unwrap_or_default();
        first.trim_end_matches(".rs")
    }

    /// The lines that are code of the program: no comments, no tests at the foot.
    fn code(&self) -> impl Iterator<Item = &str> {
        self.text
            .split("\n#[cfg(test)]\nmod tests {")
            .next()
            .unwrap_or_default()
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
    }
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let entries = std::fs::read_dir(folder).expect("a folder of the project");
    for path in entries.map(|entry| entry.expect("an entry").path()) {
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
}

fn sources() -> Vec<Source> {
    let root = Path::new(ROOT).join("src");
    let mut paths = Vec::new();
    files(&root, &mut paths);
    paths.sort();
    let mut sources: Vec<Source> = paths
        .into_iter()
        .map(|path| {
            let text = std::fs::read_to_string(&path).expect("a readable source");
            let below = path.strip_prefix(&root).expect("below the root");
            Source { path: below.to_string_lossy().into_owned(), text, test: false }
        })
        .collect();
    let mut tests = BTreeSet::new();
    for source in &sources {
        let folder = match source.path.strip_suffix("mod.rs") {
            Some(folder) => folder.to_owned(),
            None => format!("{}/", source.path.trim_end_matches(".rs")),
        };
        let mut lines = source.text.lines().peekable();
        while let Some(line) = lines.next() {
            let Some(next) = lines.peek().filter(|_| line == "#[cfg(test)]") else { continue };
            let name = next.trim_start_matches("pub(crate) ").strip_prefix("mod ");
            if let Some(name) = name.and_then(|rest| rest.strip_suffix(';')) {
                tests.insert(format!("{folder}{name}"));
            }
        }
    }
    for source in &mut sources {
        let path = source.path.trim_end_matches(".rs").trim_end_matches("/mod");
        source.test =
            tests.iter().any(|test| path == test || path.starts_with(&format!("{test}/")));
    }
    sources
}

/// The parts that a line names by `crate::`.
fn used(line: &str) -> Vec<String> {
    let mut parts = Vec::new();
    for (at, _) in line.match_indices("crate::") {
        let rest = &line[at + "crate::".len()..];
        let word = |text: &str| -> String {
            text.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
        };
        match rest.strip_prefix('{') {
            Some(list) => parts.extend(list.split(',').map(word)),
            None => parts.push(word(rest)),
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}

#[track_caller]
fn nothing(wrong: &[String]) {
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_part_uses_only_what_it_may() {
    let table: BTreeMap<&str, &[&str]> = MAY_USE.iter().copied().collect();
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| !source.test) {
        let part = source.part();
        if MAY_USE_ALL.contains(&part) {
            continue;
        }
        let Some(allowed) = table.get(part) else {
            wrong.push(format!("`{part}` has no row in the table"));
            continue;
        };
        for used in source.code().flat_map(used) {
            if used != part && !allowed.contains(&used.as_str()) {
                wrong.push(format!("{} uses `{used}`, which `{part}` may not", source.path));
            }
        }
    }
    nothing(&wrong);
}

#[test]
fn files_are_short_and_say_what_they_are() {
    let mut wrong = Vec::new();
    // Tables of cases may be as long as they want, and their name says what they are.
    for source in sources().iter().filter(|source| !source.test) {
        let lines = source.text.lines().count();
        let excused = LONGER.iter().any(|(path, _)| *path == source.path);
        if lines > LONGEST && !excused {
            wrong.push(format!("{} has {lines} lines, the limit is {LONGEST}", source.path));
        }
        if excused && lines <= LONGEST {
            wrong.push(format!("{} needs no exception any more", source.path));
        }
        if !source.text.starts_with("//! ") {
            wrong.push(format!("{} does not begin with what it is", source.path));
        }
    }
    nothing(&wrong);
}

#[test]
fn nothing_is_left_for_later() {
    let marks =
        ["TO\u{44}O", "FIX\u{4d}E", "XX\u{58}", "db\u{67}!", "todo\u{21}", "unimplemented\u{21}"];
    let mut paths = Vec::new();
    files(&Path::new(ROOT).join("src"), &mut paths);
    files(&Path::new(ROOT).join("tests"), &mut paths);
    let mut wrong = Vec::new();
    for path in paths {
        let text = std::fs::read_to_string(&path).expect("a readable source");
        for mark in marks {
            if text.contains(mark) {
                wrong.push(format!("{} has `{mark}`", path.display()));
            }
        }
    }
    nothing(&wrong);
}

#[test]
fn unchecked_code_is_where_it_must_be() {
    let sources = sources();
    let forbidding: BTreeSet<&str> = sources
        .iter()
        .filter(|source| source.text.contains("#![forbid(unsafe_code)]"))
        .map(|source| source.path.as_str())
        .collect();
    let mut wrong = Vec::new();
    for source in &sources {
        let allowed = UNSAFE.iter().any(|place| source.path.starts_with(place));
        let top = matches!(source.path.as_str(), "lib.rs" | "main.rs");
        // A lint level holds for the module and all below it.
        let mut above = source.path.as_str();
        let mut covered = forbidding.contains(above);
        while let Some((folder, _)) = above.rsplit_once('/') {
            covered |= forbidding.contains(format!("{folder}/mod.rs").as_str())
                || forbidding.contains(format!("{folder}.rs").as_str());
            above = folder;
        }
        let empty = source.code().all(|line| line.trim().is_empty());
        if !covered && !allowed && !top && !empty {
            wrong.push(format!("{} lacks `#![forbid(unsafe_code)]`", source.path));
        }
    }
    nothing(&wrong);
}

#[test]
fn nothing_is_a_drawer() {
    const DRAWERS: [&str; 8] =
        ["common", "util", "utils", "helper", "helpers", "misc", "manager", "handler"];
    const ENDINGS: [&str; 5] = ["Manager", "Handler", "Helper", "Util", "Utils"];
    let mut wrong = Vec::new();
    for source in sources() {
        if source.path.trim_end_matches(".rs").split('/').any(|name| DRAWERS.contains(&name)) {
            wrong.push(format!("{} is named like a drawer", source.path));
        }
        for line in source.code() {
            let words: Vec<&str> = line.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
            for pair in words.windows(2) {
                let [kind, name] = pair else { continue };
                let names_type = matches!(*kind, "struct" | "enum" | "trait" | "type");
                if names_type && ENDINGS.iter().any(|ending| name.ends_with(ending)) {
                    wrong.push(format!("{}: `{name}` says nothing", source.path));
                }
            }
        }
    }
    nothing(&wrong);
}

#[test]
fn each_dependency_has_its_reason() {
    let read = |name: &str| std::fs::read_to_string(Path::new(ROOT).join(name)).expect("readable");
    let (manifest, plan) = (read("Cargo.toml"), read("ARCHITECTURE.md"));
    let mut wrong = Vec::new();
    let mut within = false;
    for line in manifest.lines() {
        if let Some(section) = line.strip_prefix('[') {
            within = matches!(section, "dependencies]" | "dev-dependencies]");
            continue;
        }
        let Some((name, _)) = line.split_once('=').filter(|_| within) else { continue };
        let name = name.trim();
        if !name.starts_with('#') && !plan.contains(&format!("`{name}`")) {
            wrong.push(format!("ARCHITECTURE.md does not say why `{name}` is there"));
        }
    }
    nothing(&wrong);
}
