//! `weir test`: do the rules still do what their cases say?

use std::path::PathBuf;

use super::Output;

/// Run the cases that come with rules
///
/// A rule folder has its cases in `tests/`. Each case is run by itself, on the rules of its
/// folder; what differs from what it says is shown. Exits with 1 when a case fails.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  weir test                      the rules that the configuration names
  weir test ./rules              the rules of a folder
  weir test ./rules --case ssh   only the cases whose name contains `ssh`")]
pub struct Test {
    /// The rule folders; without any, those that the configuration names
    #[arg(value_name = "DIR")]
    pub folders: Vec<PathBuf>,
    /// Run only cases whose name contains this; may be repeated
    #[arg(long = "case", value_name = "TEXT")]
    pub cases: Vec<String>,
    /// The form of the answer
    #[arg(long, value_name = "FORM", default_value = "human")]
    pub output: Output,
}
