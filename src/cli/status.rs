//! `weir status`: is it working?

use super::Output;

/// Show what is received, understood and banned, and whether the kernel is in step
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  weir status
  weir status --output json

Exits with 69 when no daemon runs.")]
pub struct Status {
    /// The form of the answer
    #[arg(long, value_name = "FORM", default_value = "human")]
    pub output: Output,
}
