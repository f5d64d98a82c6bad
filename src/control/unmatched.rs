//! Recent lines that the rules made nothing of.

use serde::{Deserialize, Serialize};

/// Which lines to name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recent {
    /// Those of this program; of every program when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// Those that were parsed and that no scenario counted, rather than those that were not parsed.
    #[serde(default)]
    pub uncounted: bool,
    /// At most so many of a program, and of what the daemon keeps; one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// A program with lines that the rules made nothing of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Unmatched {
    /// The label of the lines.
    pub label: String,
    /// The program that wrote them; `other` for those beyond the number that is told apart.
    pub program: String,
    /// How many such lines there were since the daemon started.
    pub count: u64,
    /// When the newest that is kept was received, RFC 3339.
    pub newest_at: String,
    /// How many are kept.
    pub kept: usize,
    /// Of those the newest, oldest first.
    pub lines: Vec<ReceivedLine>,
}

/// A line as it was received.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReceivedLine {
    /// When, RFC 3339.
    pub received_at: String,
    /// The name of the source that it came from.
    pub source: String,
    /// The label that the source gives its lines.
    pub source_label: String,
    /// What it says; hostile.
    pub text: String,
    /// Whether it was longer.
    pub cut: bool,
}
