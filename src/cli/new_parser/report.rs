//! What proposed rules make of the lines that they were made of.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::cli::discover::client;
use crate::diagnostic::printable;
use crate::discover::{Checked, Draft, Learned, Subject, address_of, tokens, trimmed};

/// Lines and reasons are cut to so many characters, and so many lines are shown.
const LONGEST: usize = 160;
const SHOWN: usize = 10;

/// What the rules make of the lines.
pub(super) struct Report {
    lines: usize,
    beyond: u64,
    /// Lines with an address in them.
    addressed: usize,
    /// Lines with one of which the words say that it is the client's.
    named: usize,
    /// Of those the ones from which the rules take it.
    right: usize,
    /// Lines that the rules take.
    taken: usize,
    unplaced: u64,
    templates: usize,
    nodes: Vec<Value>,
    /// Lines with an address that the rules do not take: a few of them, and all in number.
    left: Vec<(String, String)>,
    n_left: usize,
    passed: usize,
    failed: Vec<String>,
    diagnostics: Vec<String>,
}

impl Report {
    /// Runs all lines through the rules.
    pub(super) fn new(
        subject: &Subject,
        learned: &Learned,
        checked: &Checked,
        lines: &[(String, String)],
        beyond: u64,
    ) -> Self {
        let nodes = learned.nodes.iter().map(|node| {
            json!({
                "log_type": format!("{}_{}", subject.service(), node.what.name()),
                "pattern": node.pattern,
                "lines": node.count,
            })
        });
        let mut report = Self {
            lines: lines.len(),
            beyond,
            addressed: 0,
            named: 0,
            right: 0,
            taken: 0,
            unplaced: learned.unplaced,
            templates: learned.templates.len(),
            nodes: nodes.collect(),
            left: Vec::new(),
            n_left: 0,
            passed: checked.passed,
            failed: checked.failed.iter().map(|(name, _)| name.clone()).collect(),
            diagnostics: checked.diagnostics.iter().map(|found| found.message.clone()).collect(),
        };
        let label = subject.label.as_deref().unwrap_or("syslog");
        for (line, message) in lines {
            let found = client(&checked.ruleset, label, line);
            report.taken += usize::from(found.is_some());
            let has_address =
                tokens(trimmed(message)).iter().any(|token| token.address().is_some());
            report.addressed += usize::from(has_address);
            // What the line's pattern takes is right where the template's own place says the same.
            let wanted = learned.look(message).and_then(|(_, address)| address);
            report.named += usize::from(wanted.is_some());
            let taken = found.as_deref().and_then(address_of);
            report.right += usize::from(wanted.is_some() && taken == wanted);
            if has_address && found.is_none() {
                report.n_left += 1;
                if report.left.len() < SHOWN {
                    report.left.push((line.clone(), why(learned, message)));
                }
            }
        }
        report
    }

    /// A few lines for people.
    pub(super) fn human(&self, folder: Option<&Path>, draft: &Draft) -> String {
        let mut text = String::new();
        let mut say = |line: std::fmt::Arguments<'_>| {
            writeln!(text, "{line}").expect("writing to a string cannot fail");
        };
        let Self { lines, addressed, taken, right, .. } = self;
        say(format_args!(
            "{lines} lines in {} templates; {addressed} name an address",
            self.templates
        ));
        say(format_args!(
            "{taken} lines are taken by {} patterns, {right} of them with the client's address",
            self.nodes.len()
        ));
        if self.beyond > 0 {
            say(format_args!("{} more lines were not looked at", self.beyond));
        }
        if self.unplaced > 0 {
            say(format_args!("{} lines are unlike all others and found no place", self.unplaced));
        }
        if self.n_left > 0 {
            say(format_args!("{} lines with an address are not taken, such as:", self.n_left));
        }
        for (line, why) in &self.left {
            say(format_args!("  {}", printable(line, LONGEST)));
            say(format_args!("    {}", printable(why, 2 * LONGEST)));
        }
        if !draft.files.iter().any(|(path, _)| path.starts_with("scenarios/")) {
            say(format_args!(
                "no line with a client's address tells of a failure, so no scenario counts anything"
            ));
        }
        if self.failed.is_empty() && self.diagnostics.is_empty() {
            say(format_args!("the rules load without a doubt, and {} cases pass", self.passed));
        } else {
            say(format_args!("the rules are not fit for use, and nothing is written:"));
        }
        for failed in self.failed.iter().chain(&self.diagnostics) {
            say(format_args!("  {}", printable(failed, LONGEST)));
        }
        match folder {
            Some(folder) if self.failed.is_empty() && self.diagnostics.is_empty() => {
                for (path, _) in &draft.files {
                    say(format_args!("wrote {}", folder.join(path).display()));
                }
                say(format_args!("read them, then: weir reload"));
            }
            Some(_) => {}
            None => say(format_args!("`--out DIR` writes them into a rules folder")),
        }
        text
    }

    /// The same for programs, with the files.
    pub(super) fn json(&self, draft: &Draft) -> Value {
        let files = draft.files.iter().map(|(path, text)| json!({ "path": path, "text": text }));
        let left = self.left.iter().map(|(line, why)| json!({ "line": line, "why": why }));
        json!({
            "lines": self.lines,
            "lines_not_looked_at": self.beyond,
            "lines_with_an_address": self.addressed,
            "lines_taken": self.taken,
            "lines_with_the_client": self.right,
            "templates": self.templates,
            "patterns": self.nodes,
            "lines_left": self.n_left,
            "left": left.collect::<Vec<_>>(),
            "cases_passed": self.passed,
            "cases_failed": self.failed,
            "diagnostics": self.diagnostics,
            "files": files.collect::<Vec<_>>(),
        })
    }
}

/// Why no pattern takes a message.
fn why(learned: &Learned, message: &str) -> String {
    let found = tokens(trimmed(message));
    let is_of = |place: usize| {
        let template = learned.templates.get(place);
        template.is_some_and(|template| template.parts.len() == found.len())
    };
    let mut left = learned.left.iter().filter(|left| is_of(left.template));
    left.next().map_or_else(
        || "nothing in it says whose address that is".to_owned(),
        |left| left.why.clone(),
    )
}
