//! `weir explain`: which rules took a line, what they made of it, and where the others stopped.

use std::path::PathBuf;

use super::Output;

/// Show what the rules make of lines, and why
///
/// For each line: how its header was read, which parsers took it and what fields they set, which
/// scenarios it was poured into, and, where no parser took it, how far the nearest one came.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  weir explain line.txt
  echo 'Nov  3 10:00:00 host sshd[7]: Invalid user x from 192.0.2.7 port 9' | weir explain -
  weir explain --rules ./rules line.txt     try other rules first")]
pub struct Explain {
    /// A file with lines; `-` is standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Load the rules of this folder instead of those the configuration names; may be repeated
    #[arg(long, value_name = "DIR")]
    pub rules: Vec<PathBuf>,
    /// The label that the lines carry
    #[arg(long, default_value = "syslog")]
    pub label: String,
    /// The form of the answer
    #[arg(long, value_name = "FORM", default_value = "human")]
    pub output: Output,
}
