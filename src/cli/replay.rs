//! `weir replay`: what would have been banned, by a log of the past?

use std::path::PathBuf;

use super::Output;

/// Show what a log of the past would have led to
///
/// Reads the lines by the clock of their own timestamps and shows the decisions that would have
/// been made. Nothing is listened to, recorded or banned, so it may run anywhere, as anybody.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  weir replay /var/log/auth.log
  weir replay --rules ./rules /var/log/auth.log     try other rules first
  journalctl -o short-iso -u ssh | weir replay -    from another program
  weir replay --label nginx access.log              lines without a syslog header")]
pub struct Replay {
    /// The logs; `-` is standard input
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
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
