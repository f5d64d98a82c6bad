//! What commands write, and in what form.

use std::io::Write;

use clap::ValueEnum;

use super::Exit;
use crate::diagnostic::{self, Diagnostic, printable};
use crate::intake::file::Form;

/// For whom the result is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people
    #[default]
    Human,
    /// For programs
    Json,
}

/// What a file of logs holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// What its beginning looks like
    #[default]
    Auto,
    /// Lines
    Lines,
    /// Entries of the journal, as `journalctl -o export` writes them
    Export,
    /// Entries of the journal, as `journalctl -o json` writes them
    Json,
}

impl From<Format> for Form {
    fn from(format: Format) -> Self {
        match format {
            Format::Auto => Self::Auto,
            Format::Lines => Self::Lines,
            Format::Export => Self::Export,
            Format::Json => Self::Json,
        }
    }
}

/// Writes a whole result to standard output. A reader that went away (`| head`) is no failure.
///
/// # Errors
/// When standard output cannot be written to.
pub fn complete(text: &str) -> anyhow::Result<()> {
    let mut out = anstream::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(anyhow::Error::new(error).context("cannot write to standard output"))
        }
        _ => Ok(()),
    }
}

/// Writes to standard error; where that fails nobody is left to tell.
pub(super) fn remark(text: &str) {
    let _ = anstream::stderr().lock().write_all(text.as_bytes());
}

/// The error and its causes on one line.
pub(super) fn complain(error: &anyhow::Error) {
    remark(&format!("weir: {}\n", printable(&format!("{error:#}"), 2000)));
}

/// Shows diagnostics and their number on standard error, and says how to end.
pub(super) fn show(diagnostics: &[Diagnostic]) -> Exit {
    // The stream drops the colours where there is no terminal.
    remark(&diagnostic::render(diagnostics, true));
    if diagnostics.iter().any(Diagnostic::is_error) { Exit::Configuration } else { Exit::Success }
}

/// A table with these heads, without lines, as wide as it needs to be.
pub(super) fn table(heads: &[&str]) -> comfy_table::Table {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(heads.to_vec());
    table
}
