//! A rules folder on disk: which files it has, in which order, as text.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::diagnostic::{self, Diagnostic, UserFile};

/// What a rule file holds, by the folder it is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Parser rules of a stage.
    Parser(String),
    /// Postoverflow rules of a stage.
    Postoverflow(String),
    /// Scenarios.
    Scenario,
    /// Named patterns.
    Patterns,
    /// Which scenarios decide for show.
    Simulation,
    /// What alerts say beside their events: of a hub's item, or bare.
    Context {
        /// Whether there is nothing else in the file.
        is_bare: bool,
    },
}

/// A rule file.
#[derive(Clone, Debug)]
pub struct Piece {
    /// What it holds.
    pub kind: Kind,
    /// The file.
    pub file: Arc<UserFile>,
}

/// The files of a rules folder.
#[derive(Clone, Debug, Default)]
pub struct Folder {
    /// The rule files, in load order: by stage, then by path, byte by byte.
    pub pieces: Vec<Piece>,
    /// Files that list rules by name. They hold none.
    pub collections: Vec<Arc<UserFile>>,
    /// Where data files are, if anywhere.
    pub data: Option<PathBuf>,
    /// Files that could not be read.
    pub unreadable: usize,
    /// Whether its rules are left out of the [counts](super::Counts).
    pub uncounted: bool,
}

/// Folders are not searched deeper than this: a link that leads back up would never end.
const DEEPEST: usize = 8;

/// Reads a rules folder, with its collections if they are wanted. What cannot be read is reported and left out.
#[must_use]
pub(super) fn read(
    path: &Path,
    with_collections: bool,
    diagnostics: &mut Vec<Diagnostic>,
) -> Folder {
    let mut folder = Folder::default();
    if !path.is_dir() {
        diagnostics.push(nowhere(format!("there is no rules folder `{}`", path.display())));
        folder.unreadable += 1;
        return folder;
    }
    let mut found: Vec<(Kind, PathBuf)> = Vec::new();
    for (below, is_parser) in [("parsers", true), ("postoverflows", false)] {
        for stage in folders(&path.join(below)) {
            let name = stage.file_name().map(|name| name.to_string_lossy().into_owned());
            let name = name.unwrap_or_default();
            let kind = if is_parser { Kind::Parser(name) } else { Kind::Postoverflow(name) };
            let rules = files(&stage, is_rule);
            found.extend(rules.into_iter().map(|file| (kind.clone(), file)));
        }
    }
    let scenarios = files(&path.join("scenarios"), is_rule);
    found.extend(scenarios.into_iter().map(|file| (Kind::Scenario, file)));
    // A pattern file has no dot in its name: copies of editors and packages do.
    let patterns = files(&path.join("patterns"), |name| !name.contains('.'));
    found.extend(patterns.into_iter().map(|file| (Kind::Patterns, file)));
    let contexts = files(&path.join("contexts"), is_rule);
    found.extend(contexts.into_iter().map(|file| (Kind::Context { is_bare: false }, file)));
    let own = files(&path.join("console"), |name| name == "context.yaml");
    found.extend(own.into_iter().map(|file| (Kind::Context { is_bare: true }, file)));
    let simulation = ["simulation.yaml", "simulation.yml"].map(|name| path.join(name));
    let simulation = simulation.into_iter().filter(|file| file.is_file());
    found.extend(simulation.map(|file| (Kind::Simulation, file)));
    for (kind, file) in found {
        match diagnostic::read(&file) {
            Ok(file) => folder.pieces.push(Piece { kind, file }),
            Err(mistake) => {
                diagnostics.push(*mistake);
                folder.unreadable += 1;
            }
        }
    }
    if with_collections {
        for file in files(&path.join("collections"), is_rule) {
            match diagnostic::read(&file) {
                Ok(file) => folder.collections.push(file),
                Err(mistake) => diagnostics.push(mistake.warning()),
            }
        }
    }
    folder.data = Some(path.join("data")).filter(|data| data.is_dir());
    if folder.pieces.is_empty() && folder.unreadable == 0 {
        let message = format!(
            "the rules folder `{}` has no rules: expected `parsers/<stage>/*.yaml` or \
             `scenarios/*.yaml` in it",
            path.display()
        );
        diagnostics.push(nowhere(message).warning());
    }
    folder
}

/// A mistake that is in no file.
fn nowhere(message: String) -> Diagnostic {
    Diagnostic {
        severity: diagnostic::Severity::Error,
        code: "rules-folder",
        message,
        file: None,
        span: 0..0,
        label: String::new(),
        help: None,
    }
}

fn is_rule(name: &str) -> bool {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending);
    matches!(ending, Some("yaml" | "yml")) && !name.starts_with('.')
}

/// The folders in a folder, sorted.
fn folders(path: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(path) else { return Vec::new() };
    let mut found: Vec<_> =
        entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    found.sort();
    found
}

/// The files in a folder and below it that are wanted, sorted by their whole path.
fn files(path: &Path, wanted: fn(&str) -> bool) -> Vec<PathBuf> {
    let mut found = Vec::new();
    walk(path, wanted, DEEPEST, &mut found);
    // By bytes, not by components: `a-b/` comes before `a/`.
    found.sort_by(|a, b| a.as_os_str().cmp(b.as_os_str()));
    found
}

fn walk(path: &Path, wanted: fn(&str) -> bool, deeper: usize, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(path) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            if deeper > 0 {
                walk(&path, wanted, deeper - 1, found);
            }
        } else if path.file_name().is_some_and(|name| wanted(&name.to_string_lossy())) {
            found.push(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, path: &str) {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "name: x\n").unwrap();
    }

    #[test]
    fn both_layouts_are_read_in_order() {
        let folder = tempfile::tempdir().unwrap();
        for path in [
            "parsers/s01-parse/someone/b.yaml",
            "parsers/s01-parse/a.yml",
            "parsers/s00-raw/z.yaml",
            "parsers/s01-parse/a.yaml.bak",
            "parsers/s01-parse/notes.txt",
            "postoverflows/s00-enrich/x.yaml",
            "scenarios/someone/s.yaml",
            "scenarios/.hidden.yaml",
            "patterns/ssh",
            "patterns/ssh.orig",
            "collections/someone/c.yaml",
            "data/list.txt",
        ] {
            write(folder.path(), path);
        }
        let mut diagnostics = Vec::new();
        let read = read(folder.path(), true, &mut diagnostics);
        assert!(diagnostics.is_empty(), "{diagnostics:?}");
        let names: Vec<_> = read
            .pieces
            .iter()
            .map(|piece| {
                let path = piece.file.path.strip_prefix(folder.path()).unwrap();
                path.display().to_string()
            })
            .collect();
        assert_eq!(
            names,
            [
                "parsers/s00-raw/z.yaml",
                "parsers/s01-parse/a.yml",
                "parsers/s01-parse/someone/b.yaml",
                "postoverflows/s00-enrich/x.yaml",
                "scenarios/someone/s.yaml",
                "patterns/ssh",
            ]
        );
        assert_eq!(read.collections.len(), 1);
        assert_eq!(read.data, Some(folder.path().join("data")));
    }

    #[test]
    fn no_folder_and_an_empty_one_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let mut diagnostics = Vec::new();
        let _ = read(&folder.path().join("nothing"), false, &mut diagnostics);
        assert!(diagnostics[0].is_error());
        let _ = read(folder.path(), false, &mut diagnostics);
        assert!(!diagnostics[1].is_error() && diagnostics[1].message.contains("no rules"));
    }
}
