//! The next step for a program that no rule covers: tried before it is told.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{Program, client};
use crate::daemon;
use crate::diagnostic::{self, UserFile, printable};
use crate::event::{Line, Mode, SourceId};
use crate::expr::Wanted;
use crate::parse::syslog;
use crate::rules::{self, Outside, Request, Ruleset};
use crate::settings::{self, Settings};
use crate::system::clock;
use crate::value::Names;

/// Names of programs that are tried at most: those that rules ask for.
const NAMES: usize = 2000;

/// Folders below a hub's are not searched deeper.
const DEEPEST: usize = 8;

/// Rules that are not in use.
pub(super) struct Hub {
    pub(super) folder: PathBuf,
    pub(super) rules: Ruleset,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Only the program's name is off: the configuration that mends it, and how many of the lines
    /// that were tried are taken then.
    Classify {
        /// The name that rules know.
        program: String,
        /// The YAML.
        yaml: String,
        /// Lines that are taken with it, of those that were tried.
        taken: (usize, usize),
    },
    /// A rule takes the lines that is not in use.
    Copy {
        /// The rule.
        rule: String,
        /// Its file.
        path: Option<PathBuf>,
        /// The name of the program by which it takes them, where that is another, and the YAML.
        classify: Option<(String, String)>,
        /// Lines that it takes, of those that were tried.
        taken: (usize, usize),
    },
    /// A rule must be written.
    NewParser {
        /// The call that proposes one.
        command: String,
    },
    /// No line names an address.
    Nobody,
}

impl Hub {
    /// Loads all rules of a folder. Files with mistakes are left out: they are not in use.
    pub(super) fn load(folder: &Path) -> anyhow::Result<Self> {
        anyhow::ensure!(folder.is_dir(), "there is no folder `{}`", folder.display());
        let request = Request { folders: vec![folder.to_owned()], ..Request::default() };
        let (rules, _) = rules::load(request, None, clock::now());
        anyhow::ensure!(
            !rules.stages().is_empty(),
            "`{}` holds no parsers: expected `parsers/<stage>/*.yaml` in it",
            folder.display()
        );
        Ok(Self { folder: folder.to_owned(), rules })
    }

    /// The parser that takes a line, and the file that it is written in.
    fn rule(&self, label: &str, line: &str) -> Option<(String, Option<PathBuf>)> {
        let source = self.rules.source("discover", "file", label, Mode::Replay);
        let nobody = crate::decision::Allowlist::default();
        let line = Line::new(line.as_bytes(), clock::now(), SourceId(0));
        let account = crate::explain::account(&self.rules, &nobody, &source, line, clock::now());
        let took = |rule: &&crate::explain::Rule| rule.step.success && rule.stage.contains("s01");
        let rule = account.rules.iter().find(took)?.step.name.clone();
        let path = file_of(&self.folder.join("parsers"), &rule, DEEPEST);
        Some((rule, path))
    }
}

/// The next step for a program.
pub(super) fn step(
    program: &Program,
    rules: &Ruleset,
    settings: &Settings,
    folders: &[PathBuf],
    hubs: &[Hub],
    from: Option<&Path>,
) -> Next {
    if program.naming() == 0 {
        return Next::Nobody;
    }
    let lines: Vec<&str> = program.examples().collect();
    // A program of which rules take some lines is known by its name already.
    if program.covered == 0
        && let Some((name, _)) = renamed(rules, &program.label, &lines)
    {
        let yaml = classify(&program.program, &name);
        let taken = tried(&yaml, settings, folders, &program.label, &lines);
        if taken > 0 {
            return Next::Classify { program: name, yaml, taken: (taken, lines.len()) };
        }
    }
    for hub in hubs {
        let taken = lines.iter().filter(|line| takes(&hub.rules, &program.label, line)).count();
        let as_is = (taken > 0).then(|| (lines.clone(), program.label.clone(), taken, None));
        let found = as_is.map(|(lines, label, taken, name)| {
            let lines: Vec<String> = lines.into_iter().map(str::to_owned).collect();
            (lines, label, taken, name)
        });
        let found = found.or_else(|| {
            let (name, taken) = renamed(&hub.rules, &program.label, &lines)?;
            let (lines, label) = as_program(&program.label, &lines, &name);
            Some((lines, label, taken, Some(name)))
        });
        let Some((as_tried, label, taken, name)) = found else { continue };
        let line = as_tried.iter().find(|line| takes(&hub.rules, &label, line));
        let Some((rule, path)) = line.and_then(|line| hub.rule(&label, line)) else { continue };
        let classify = name.map(|name| {
            let yaml = classify(&program.program, &name);
            (name, yaml)
        });
        return Next::Copy { rule, path, classify, taken: (taken, lines.len()) };
    }
    Next::NewParser { command: command(program, from) }
}

/// The call of `weir new-parser`.
fn command(program: &Program, from: Option<&Path>) -> String {
    let from = match from {
        Some(path) => word(&path.to_string_lossy()),
        None => "FILE".to_owned(),
    };
    let is_bare = program.label != "syslog" && !program.label.is_empty();
    let has_header = !program.program.is_empty() && !is_bare;
    if has_header {
        format!("weir new-parser --from {from} --program {}", word(&program.program))
    } else {
        let label = if is_bare { word(&program.label) } else { "LABEL".to_owned() };
        format!("weir new-parser --from {from} --type {label}")
    }
}

/// A word that a shell takes as it is.
fn word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+,".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    let shown = printable(text, 200).replace('\'', r"'\''");
    format!("'{shown}'")
}

/// The entry for `classify:`.
fn classify(program: &str, name: &str) -> String {
    let quoted = |text: &str| format!("'{}'", printable(text, 200).replace('\'', "''"));
    // In a pattern these are signs.
    let pattern: String =
        program.chars().map(|c| if "*?[]{}\\".contains(c) { '?' } else { c }).collect();
    format!(
        "classify:\n  - when: {{ program: {} }}\n    program: {}\n",
        quoted(&pattern),
        quoted(name)
    )
}

fn takes(rules: &Ruleset, label: &str, line: &str) -> bool {
    client(rules, label, line).is_some_and(|client| !client.is_empty())
}

/// The names that rules ask for as the program's.
fn names(rules: &Ruleset) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for requirement in rules.stages().requirements(Names::PROGRAM) {
        for wanted in &requirement.any {
            match wanted {
                Wanted::Equals(text) | Wanted::StartsWith(text) => {
                    names.insert(text.to_string());
                }
                Wanted::EndsWith(_) | Wanted::Contains(_) => {}
            }
        }
    }
    // A rule for `postfix/` wants a name behind it.
    let whole = names.iter().filter(|name| name.ends_with('/')).map(|name| format!("{name}x"));
    let whole: Vec<String> = whole.collect();
    names.extend(whole);
    names
}

/// The name by which rules take most of the lines, and how many of them.
fn renamed(rules: &Ruleset, label: &str, lines: &[&str]) -> Option<(String, usize)> {
    let names = names(rules);
    let counted = names.into_iter().take(NAMES).map(|name| {
        let (lines, label) = as_program(label, lines, &name);
        let taken = lines.iter().filter(|line| takes(rules, &label, line)).count();
        (name, taken)
    });
    let best = counted.fold(None, |best: Option<(String, usize)>, next| match best {
        Some(known) if known.1 >= next.1 => Some(known),
        _ => Some(next),
    });
    // One line of many that looks like another program's is no sign.
    best.filter(|(_, taken)| *taken > 0 && *taken * 3 >= lines.len())
}

/// The lines as if another program had written them, and their label.
fn as_program(label: &str, lines: &[&str], name: &str) -> (Vec<String>, String) {
    let is_bare = label != "syslog" && !label.is_empty();
    let renamed = |line: &&str| {
        let header = syslog::decode(line);
        match header.is_syslog() && !is_bare {
            true => {
                let message = super::message(&header);
                format!("Jan  1 00:00:00 host {name}[1]: {message}")
            }
            false => (*line).to_owned(),
        }
    };
    let label = if is_bare { name.to_owned() } else { "syslog".to_owned() };
    (lines.iter().map(renamed).collect(), label)
}

/// How many of the lines are taken with this in the configuration: loaded and run.
fn tried(
    yaml: &str,
    settings: &Settings,
    folders: &[PathBuf],
    label: &str,
    lines: &[&str],
) -> usize {
    let file = UserFile::new(Path::new("proposal.yaml"), yaml.to_owned());
    let (proposed, mistakes) = settings::from_files(&[file]);
    if mistakes.iter().any(diagnostic::Diagnostic::is_error) {
        return 0;
    }
    let mut settings = settings.clone();
    settings.classify = proposed.classify;
    if !folders.is_empty() {
        settings.rules.shipped = false;
        settings.rules.folders = folders.to_vec();
    }
    let request = daemon::request(&settings, Outside::default());
    let (rules, _) = rules::load(request, None, clock::now());
    let label = if label.is_empty() { "syslog" } else { label };
    lines.iter().filter(|line| takes(&rules, label, line)).count()
}

/// The file in a folder that defines a rule of this name.
fn file_of(folder: &Path, rule: &str, deeper: usize) -> Option<PathBuf> {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths.into_iter().find_map(|path| {
        if path.is_dir() {
            return if deeper > 0 { file_of(&path, rule, deeper - 1) } else { None };
        }
        let is_yaml = path.extension().is_some_and(|end| end == "yaml" || end == "yml");
        let text = diagnostic::read(&path).ok().filter(|_| is_yaml)?;
        let named = text.text.lines().filter_map(|line| line.strip_prefix("name:"));
        let mut named = named.map(|name| name.trim().trim_matches(['"', '\'']));
        named.any(|name| name == rule).then_some(path)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_safe_to_paste() {
        assert_eq!(word("vsftpd"), "vsftpd");
        assert_eq!(word("/var/log/a b.log"), "'/var/log/a b.log'");
        assert_eq!(word("$(reboot)"), "'$(reboot)'");
        assert_eq!(word("it's"), r"'it'\''s'");
        assert_eq!(word("a\u{1b}[2J"), r"'a\u{1b}[2J'");
    }

    #[test]
    fn an_entry_for_classify_loads() {
        for name in ["sshd-worker", "it's", "a*[b]{c}", "x: y # z"] {
            let file = UserFile::new(Path::new("x.yaml"), classify(name, "sshd"));
            let (_, mistakes) = settings::from_files(&[file]);
            assert!(mistakes.is_empty(), "{name}: {mistakes:?}");
        }
    }
}
