//! The files of a rule folder for a program that no rule knew: parser, scenarios, cases.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use super::learn::{Learned, Node, What};
use super::pattern::captures;
use super::token::{tokens, trimmed};
use super::{cases, scenarios};
use crate::diagnostic::{self, Diagnostic, UserFile, printable};
use crate::rules::cases::Mismatch;
use crate::rules::{self, Folder, Kind, Piece, Ruleset};
use crate::value::{Time, parse_date};

/// Messages that are shown in comments are cut to so many characters.
const EXAMPLE: usize = 120;

/// Whose lines they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The names of the program; the first stands for it.
    pub programs: Vec<String>,
    /// The label of lines without a syslog header, which stands for the program.
    pub label: Option<String>,
    /// Where the lines are from, in words.
    pub from: String,
    /// How many there are.
    pub lines: usize,
}

impl Subject {
    /// The name of the rules: the program's, in letters, digits, `-` and `_`.
    #[must_use]
    pub fn service(&self) -> String {
        let name = self.programs.first().map_or("", String::as_str);
        let mut service = String::new();
        for c in name.to_lowercase().chars().take(40) {
            let is_plain = c.is_ascii_alphanumeric() || c == '_';
            match (is_plain, service.ends_with('-')) {
                (true, _) => service.push(c),
                (false, false) => service.push('-'),
                (false, true) => {}
            }
        }
        let service = service.trim_matches('-').to_owned();
        if service.is_empty() { "program".to_owned() } else { service }
    }

    /// The beginning of the names of its patterns.
    #[must_use]
    pub fn prefix(&self) -> String {
        format!("LOCAL_{}", self.service().to_uppercase().replace('-', "_"))
    }

    /// The `log_type` of messages.
    pub(super) fn log_type(&self, what: What) -> String {
        format!("{}_{}", self.service(), what.name())
    }
}

/// The files, as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Each with its path in the folder.
    pub files: Vec<(String, String)>,
}

/// What came of a draft when it was loaded and its cases were run.
#[derive(Debug)]
pub struct Checked {
    /// The rules.
    pub ruleset: Ruleset,
    /// All that may be said against them.
    pub diagnostics: Vec<Diagnostic>,
    /// How many cases passed.
    pub passed: usize,
    /// Those that did not, by name.
    pub failed: Vec<(String, Vec<Mismatch>)>,
}

impl Draft {
    /// The files for what was learned; `now` helps to read dates.
    #[must_use]
    pub fn new(subject: &Subject, learned: &Learned, now: Time) -> Self {
        let service = subject.service();
        let parser = (format!("parsers/s01-parse/{service}.yaml"), parser(subject, learned, now));
        let mut files = vec![parser];
        let scenarios = scenarios::text(subject, learned);
        if !scenarios.is_empty() {
            files.push((format!("scenarios/{service}.yaml"), scenarios));
        }
        // Which outcome a forged line has is asked of the rules themselves.
        let (ruleset, _) = rules::check_folders(vec![folder(&files)], now);
        let cases = cases::text(subject, learned, &ruleset);
        files.push((format!("tests/{service}.yaml"), cases));
        Self { files }
    }

    /// Loads the rules with all lints, and runs the cases.
    #[must_use]
    pub fn check(&self, now: Time) -> Checked {
        let (ruleset, mut diagnostics) = rules::check_folders(vec![folder(&self.files)], now);
        let (mut passed, mut failed) = (0, Vec::new());
        for (path, text) in self.files.iter().filter(|(path, _)| path.starts_with("tests/")) {
            let file = UserFile::new(Path::new(path), text.clone());
            let (cases, mut found) = rules::cases::load(&file);
            diagnostics.append(&mut found);
            for case in &cases.lines {
                let name = match &case.written {
                    rules::cases::Written::Message(text) | rules::cases::Written::Line(text) => {
                        text
                    }
                };
                match case.run(&ruleset) {
                    wrong if wrong.is_empty() => passed += 1,
                    wrong => failed.push((name.clone(), wrong)),
                }
            }
            for case in &cases.attacks {
                match case.run(&ruleset) {
                    wrong if wrong.is_empty() => passed += 1,
                    wrong => failed.push((case.name.clone(), wrong)),
                }
            }
        }
        diagnostic::sort(&mut diagnostics);
        Checked { ruleset, diagnostics, passed, failed }
    }
}

/// The rule files as a folder; cases are none of them.
fn folder(files: &[(String, String)]) -> Folder {
    let pieces = files.iter().filter_map(|(path, text)| {
        let mut parts = path.split('/');
        let kind = match (parts.next(), parts.next()) {
            (Some("parsers"), Some(stage)) => Kind::Parser(stage.to_owned()),
            (Some("scenarios"), _) => Kind::Scenario,
            _ => return None,
        };
        Some(Piece { kind, file: UserFile::new(Path::new(path), text.clone()) })
    });
    Folder { pieces: pieces.collect(), ..Folder::default() }
}

fn parser(subject: &Subject, learned: &Learned, now: Time) -> String {
    let service = subject.service();
    let mut text = String::new();
    let _ = writeln!(
        text,
        "# Made by `weir new-parser` of {} lines of {}.\n\
         #\n\
         # Look at: whether the lines that are shown mean what their `log_type` says, and whether\n\
         # the address in them is the client's. Every pattern is anchored at both ends, and was tried\n\
         # with names that look like the rest of the line.",
        subject.lines,
        comment(&subject.from)
    );
    if !learned.left.is_empty() {
        let _ = writeln!(text, "#\n# Not taken, though an address is in it:");
    }
    for left in learned.left.iter().take(10) {
        if let Some(template) = learned.templates.get(left.template) {
            let shown = template.examples.first().map_or("", |example| &**example);
            let _ = writeln!(text, "#   {} ({})", comment(shown), comment(&left.why));
        }
    }
    let programs: Vec<String> = subject.programs.iter().map(|name| quoted(name)).collect();
    let filter = match &*programs {
        [program] => format!("evt.Parsed.program == {program}"),
        programs => format!("evt.Parsed.program in [{}]", programs.join(", ")),
    };
    let _ = writeln!(
        text,
        "name: local/{service}\n\
         description: {}\n\
         filter: {}\n\
         onsuccess: next_stage",
        scalar(&format!("Lines of {}", printable(&subject.programs.join(", "), EXAMPLE))),
        scalar(&filter)
    );
    let syntax = learned.syntax();
    if !syntax.is_empty() {
        text.push_str("pattern_syntax:\n");
    }
    for (name, pattern) in syntax {
        let _ = writeln!(text, "  {name}: {}", scalar(&pattern));
    }
    text.push_str("nodes:\n");
    for node in &learned.nodes {
        node_text(&mut text, subject, learned, node);
    }
    let _ = writeln!(text, "statics:\n  - meta: service\n    value: {}", scalar(&service));
    let has = |capture: &str| {
        let wanted = format!(":{capture}}}");
        learned.nodes.iter().any(|node| node.pattern.contains(&wanted))
    };
    let metas = [
        captures::CLIENT,
        captures::USER,
        captures::STATUS,
        captures::METHOD,
        captures::REQUEST,
        captures::REQUEST_LINE,
    ];
    for name in metas.into_iter().filter(|name| has(name)) {
        let _ = writeln!(text, "  - meta: {name}\n    expression: evt.Parsed.{name}");
    }
    if subject.label.is_some() && has(captures::TIME) && dates(learned, now) {
        let time = captures::TIME;
        let _ = writeln!(text, "  - target: evt.StrTime\n    expression: evt.Parsed.{time}");
    }
    text.push_str(
        "  # When it was: the rules that come with Weir read the time as well, but without them, as in\n\
         \x20 # `weir test`, nobody else does.\n\
         \x20 - method: ParseDate\n    expression: evt.StrTime\n\
         \x20 - target: evt.MarshaledTime\n    expression: evt.Enriched.MarshaledTime\n",
    );
    text
}

fn node_text(text: &mut String, subject: &Subject, learned: &Learned, node: &Node) {
    let template = learned.templates.get(node.template);
    let example = template.and_then(|template| template.examples.first());
    let example = example.map_or(String::new(), |example| comment(example));
    let _ = match node.is_head {
        true => writeln!(text, "  # All else that begins as: {example}"),
        false if node.count == 1 => writeln!(text, "  # One line: {example}"),
        false => writeln!(text, "  # {} lines, such as: {example}", node.count),
    };
    let _ = writeln!(
        text,
        "  - grok:\n      \
         pattern: {}\n      \
         apply_on: message\n      \
         statics:\n        \
         - meta: log_type\n          \
         value: {}",
        scalar(&node.pattern),
        scalar(&subject.log_type(node.what))
    );
}

/// Whether all times of messages are dates that rules can read.
fn dates(learned: &Learned, now: Time) -> bool {
    let timed = learned.nodes.iter().filter_map(|node| Some((node, node.roles.time?)));
    let texts: BTreeSet<String> = timed
        .filter_map(|(node, at)| {
            let template = learned.templates.get(node.template)?;
            let found = tokens(trimmed(template.examples.first()?));
            found.get(at).map(|token| token.text.to_owned())
        })
        .collect();
    !texts.is_empty() && texts.iter().all(|text| parse_date(text, "", now, None).is_some())
}

/// A text in a comment: on one line, harmless.
pub(super) fn comment(text: &str) -> String {
    printable(text, EXAMPLE).into_owned()
}

/// A text in an expression.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted.push(' '),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// A text in YAML.
pub(super) fn scalar(text: &str) -> String {
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '/' | ' ' | '.');
    let starts = text.starts_with(|c: char| c.is_ascii_alphabetic());
    let is_special = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"]
        .contains(&text.to_lowercase().as_str());
    if starts && !text.ends_with(' ') && !is_special && text.chars().all(is_word) {
        return text.to_owned();
    }
    if printable(text, usize::MAX) == text && !text.contains('\u{85}') {
        return format!("'{}'", text.replace('\'', "''"));
    }
    // JSON's texts are YAML's, and its escapes leave no character that a terminal minds.
    let mut escaped = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => escaped.extend(['\\', c]),
            c if c.is_ascii() && !c.is_control() => escaped.push(c),
            c => {
                let _ = write!(escaped, "\\U{:08x}", u32::from(c));
            }
        }
    }
    escaped.push('"');
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(scalar(text), expected);
        let file = UserFile::new(Path::new("x.yaml"), format!("a: {expected}\n"));
        let (documents, mistakes) = crate::yaml::load(&file);
        assert!(mistakes.is_empty(), "{mistakes:?}");
        let entries = documents[0].entries().unwrap();
        assert_eq!(entries[0].1.text(), Some(text));
    }

    #[test]
    fn texts_are_written_so_that_they_are_read() {
        check("plain text", "plain text");
        check("it's", "'it''s'");
        check("yes", "'yes'");
        check("^\\[x\\]: #", "'^\\[x\\]: #'");
        check("\u{1b}[2J\"\\", "\"\\U0000001b[2J\\\"\\\\\"");
        check("", "''");
        check("7", "'7'");
    }

    #[test]
    fn a_service_is_named_after_its_program() {
        let subject = |name: &str| Subject {
            programs: vec![name.to_owned()],
            label: None,
            from: String::new(),
            lines: 0,
        };
        assert_eq!(subject("Shop_Front/web[1]").service(), "shop_front-web-1");
        assert_eq!(subject("../..").service(), "program");
        assert_eq!(subject("vs.ftpd").prefix(), "LOCAL_VS_FTPD");
    }
}
