//! The rules that did not take a line but came close, and why they did not, in a sentence.

use super::seen::{Step, missed};
use super::{Account, Ending};
use crate::diagnostic::printable;

/// Texts are cut to this many bytes.
const LONGEST: usize = 300;
/// So many rules that came close are named.
const MOST: usize = 3;
/// A rule whose filter wanted something less alike than this is not named.
const ALIKE: f64 = 0.3;
/// Of the texts that a filter wants so many are named.
const WANTED: usize = 8;

/// A rule that did not take a line, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nearest {
    /// The parser's or the scenario's name.
    pub rule: String,
    /// The stage of a parser; `scenario` for a scenario.
    pub stage: String,
    /// Why it did not take the line: lower case, no full stop. What the line says in it is
    /// printable.
    pub sentence: String,
}

impl Account {
    /// The parsers that did not take the line but came close, the closest first. Only those of
    /// stages where no rule took it.
    #[must_use]
    pub fn near_rules(&self) -> Vec<Nearest> {
        let is_taken =
            |stage: &str| self.rules.iter().any(|rule| rule.stage == stage && rule.step.success);
        let near = self.rules.iter().filter(|rule| !is_taken(&rule.stage));
        let mut near: Vec<_> = near.filter(|rule| rule.step.closeness() >= ALIKE).collect();
        near.sort_by(|a, b| b.step.closeness().total_cmp(&a.step.closeness()));
        near.truncate(MOST);
        let named = near.into_iter().map(|rule| Nearest {
            rule: rule.step.name.clone(),
            stage: rule.stage.clone(),
            sentence: why(&rule.step),
        });
        named.collect()
    }

    /// The rule that is to be looked at first by whoever asks why nobody took the line: a parser
    /// of a line that was not parsed, a scenario of one that no scenario took.
    #[must_use]
    pub fn nearest(&self) -> Option<Nearest> {
        match self.ending {
            Ending::Unparsed => self.near_rules().into_iter().next(),
            Ending::Parsed if self.poured.is_empty() => {
                self.near_scenarios.first().map(|scenario| Nearest {
                    rule: scenario.name.clone(),
                    stage: "scenario".to_owned(),
                    sentence: scenario.why(),
                })
            }
            Ending::Parsed | Ending::Allowlisted => None,
        }
    }
}

/// Why a rule did not take the line, in a sentence.
fn why(step: &Step) -> String {
    if let Some(filter) = &step.filter
        && !filter.passed
    {
        let Some((test, _)) = filter.trace.as_ref().and_then(missed) else {
            return format!("its filter is false: {}", printable(&filter.source, LONGEST));
        };
        let found = test.found.as_deref().unwrap_or("");
        let wanted: Vec<String> =
            test.wanted.iter().take(WANTED).map(|wanted| format!("\"{wanted}\"")).collect();
        let more = if test.wanted.len() > wanted.len() { ", ..." } else { "" };
        let verb = match (test.operator, test.wanted.len()) {
            ("==", _) => "wants",
            ("in", 1) => "wants",
            ("in", _) => "wants one of",
            ("contains", _) => "wants it to contain",
            ("startsWith", _) => "wants it to start with",
            ("endsWith", _) => "wants it to end with",
            (_, _) => "wants it to match",
        };
        let not = if test.negated { "not " } else { "" };
        return format!(
            "{} is \"{}\", this filter {not}{verb} {}{more}",
            test.name,
            printable(found, LONGEST),
            printable(&wanted.join(", "), LONGEST)
        );
    }
    if let Some(grok) = step.furthest() {
        return match (&grok.progress, &grok.text) {
            (Some(progress), _) => format!("its filter holds; {progress}"),
            (None, None) => {
                "its filter holds; the field that its pattern looks at is not set".to_owned()
            }
            (None, Some(_)) => "its filter holds; its pattern captures nothing".to_owned(),
        };
    }
    if let Some(fault) = step.faults.first() {
        return format!("it failed: {fault}");
    }
    if step.entered() {
        return "its filter holds, but nothing in it succeeded".to_owned();
    }
    "its filter is false".to_owned()
}
