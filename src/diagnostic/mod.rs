//! A mistake in a user's file: what was expected, what was found, where, and what to do.
//!
//! Checks collect diagnostics and go on, so that a user sees all mistakes at once. Nothing here
//! knows a file format.

#![forbid(unsafe_code)]

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

mod printable;
mod read;
mod render;
mod similar;

pub use printable::printable;
pub use read::{LONGEST_FILE, read};
pub use render::{MOST_SHOWN, render, sort, summary, to_json};
pub use similar::similar;

/// A file that a user wrote, with its text, so that a mistake can be shown in place.
#[derive(Clone, Debug)]
pub struct UserFile {
    /// Its path, as shown.
    pub path: PathBuf,
    /// Its whole text.
    pub text: String,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Works, and could be better.
    Note,
    /// Works, but is probably not what was meant.
    Warning,
    /// Cannot be used.
    Error,
}

/// One mistake.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// A short stable name of the kind of mistake, such as `unknown-key`.
    pub code: &'static str,
    /// What is wrong: lower case, no full stop, backticks around names.
    pub message: String,
    /// The file it is in; `None` when it is not in a file.
    pub file: Option<Arc<UserFile>>,
    /// The bytes of the file that are wrong.
    pub span: Range<usize>,
    /// A few words under the caret; may be empty.
    pub label: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error at a place of a file.
    #[must_use]
    pub fn error(
        file: &Arc<UserFile>,
        span: Range<usize>,
        code: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self {
            severity: Severity::Error,
            code,
            message: message.into(),
            file: Some(Arc::clone(file)),
            span,
            label: String::new(),
            help: None,
        }
    }

    /// The same as a warning.
    #[must_use]
    pub fn warning(self) -> Self {
        Self { severity: Severity::Warning, ..self }
    }

    /// The same as a note.
    #[must_use]
    pub fn note(self) -> Self {
        Self { severity: Severity::Note, ..self }
    }

    /// With a few words under the caret.
    #[must_use]
    pub fn with_label(self, label: impl Into<String>) -> Self {
        Self { label: label.into(), ..self }
    }

    /// With advice.
    #[must_use]
    pub fn with_help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// Whether it makes the file unusable.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl UserFile {
    /// A file's path and text, shared by everything that points into it.
    #[must_use]
    pub fn new(path: &Path, text: String) -> Arc<Self> {
        Arc::new(Self { path: path.to_owned(), text })
    }

    /// Line and column, both from 1, of a byte of the file; columns count characters.
    #[must_use]
    pub fn place(&self, at: usize) -> (usize, usize) {
        let before = &self.text.as_bytes()[..at.min(self.text.len())];
        let line_start = before.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        let line = before.iter().filter(|b| **b == b'\n').count() + 1;
        let column = String::from_utf8_lossy(&before[line_start..]).chars().count() + 1;
        (line, column)
    }
}
