//! The rules that come with the program, in the program.

use std::path::Path;

use super::folder::{Folder, Kind, Piece};
use crate::diagnostic::UserFile;

/// A file of `rules/`: what it holds, its path there, its text.
macro_rules! files {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../../rules/", $path)))),*]
    };
}

/// Every rule file, in load order. A test holds the list to the folder.
const RULES: &[(&str, &str)] = files![
    "parsers/s01-parse/dovecot.yaml",
    "parsers/s01-parse/postfix.yaml",
    "parsers/s01-parse/sshd.yaml",
    "parsers/s02-enrich/dates.yaml",
    "scenarios/dovecot.yaml",
    "scenarios/postfix.yaml",
    "scenarios/ssh.yaml",
];

/// Every file of cases.
const CASES: &[(&str, &str)] = files!["tests/dovecot.yaml", "tests/postfix.yaml", "tests/ssh.yaml"];

/// The rules that come with the program.
#[must_use]
pub fn shipped() -> Folder {
    let pieces = RULES.iter().map(|(path, text)| {
        let mut parts = path.split('/');
        let kind = match (parts.next(), parts.next()) {
            (Some("parsers"), Some(stage)) => Kind::Parser(stage.to_owned()),
            (Some("postoverflows"), Some(stage)) => Kind::Postoverflow(stage.to_owned()),
            (Some("patterns"), _) => Kind::Patterns,
            _ => Kind::Scenario,
        };
        Piece { kind, file: UserFile::new(&shown(path), (*text).to_owned()) }
    });
    Folder { pieces: pieces.collect(), ..Folder::default() }
}

/// The cases of the rules that come with the program.
#[must_use]
pub fn shipped_cases() -> Vec<std::sync::Arc<UserFile>> {
    CASES.iter().map(|(path, text)| UserFile::new(&shown(path), (*text).to_owned())).collect()
}

fn shown(path: &str) -> std::path::PathBuf {
    Path::new("rules").join(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(folder: &Path, found: &mut Vec<String>, root: &Path) {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                walk(&path, found, root);
            } else {
                found.push(path.strip_prefix(root).unwrap().display().to_string());
            }
        }
    }

    #[test]
    fn every_file_of_the_folder_is_in_the_program() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules");
        let mut found = Vec::new();
        walk(&root, &mut found, &root);
        found.sort();
        let mut listed: Vec<_> = RULES.iter().chain(CASES).map(|(path, _)| *path).collect();
        assert!(RULES.is_sorted(), "rules are listed in load order");
        listed.sort_unstable();
        assert_eq!(found, listed);
    }
}
