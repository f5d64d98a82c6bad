//! What the rules make of the lines of each program.

use serde::{Deserialize, Serialize};

use super::ReceivedLine;

/// What is to be told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Covering {
    /// Whether an example is shown of what the rules made nothing of, and which rule is the nearest
    /// to it.
    #[serde(default)]
    pub examples: bool,
}

/// A program, and what became of its lines since the daemon started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Coverage {
    /// The label of the lines; hostile.
    pub label: String,
    /// The program that wrote them, empty where it has no name; `other` for those beyond the number
    /// that is told apart. Hostile.
    pub program: String,
    /// Lines that a rule understood.
    pub parsed: u64,
    /// Of the parsed those that no scenario took. That is as it should be for a line that says
    /// that all is well.
    pub uncounted: u64,
    /// Lines that no rule understood.
    pub unparsed: u64,
    /// Lines that a rule, or the allowlist, says are harmless.
    pub allowlisted: u64,
    /// The newest line that is kept of what was not parsed, or else of what no scenario took.
    pub example: Option<ReceivedLine>,
    /// The rule that is nearest to taking it.
    pub nearest: Option<NearestRule>,
}

/// A rule that did not take a line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NearestRule {
    /// Its name.
    pub rule: String,
    /// The stage of a parser; `scenario` for a scenario.
    pub stage: String,
    /// Why it did not: lower case, no full stop, printable.
    pub why: String,
}

impl Coverage {
    /// All lines.
    #[must_use]
    pub fn lines(&self) -> u64 {
        self.parsed + self.unparsed + self.allowlisted
    }
}
