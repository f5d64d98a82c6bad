//! `weir test`: do the rules still do what their cases say?

mod cases;
mod hub;

use std::path::PathBuf;

use super::{Exit, Output};
use crate::hubtest::Options;
use crate::system::clock;
use crate::value::{Time, keep_utc};

/// Run the cases that come with rules
///
/// A rule folder has its cases in `tests/`. Each case is run by itself, on the rules of its
/// folder; what differs from what it says is shown. Without a folder these are the rules that
/// come with Weir. Times are in UTC, whatever the zone of this machine. Exits with 1 when a case
/// fails.
///
/// With `--hub`, runs tests in the hub's format instead: folders with a `config.yaml`, a log, and
/// assertions. Each loads only the rules that it names.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  weir test                      the rules that come with Weir
  weir test ./rules              the rules of a folder
  weir test ./rules --case ssh   only the cases whose name contains `ssh`
  weir test --hub ./hub          all tests of a hub
  weir test --hub ./hub ssh-bf   one of them")]
pub struct Test {
    /// The rule folders; with `--hub`, the names of tests
    #[arg(value_name = "DIR")]
    pub folders: Vec<PathBuf>,
    /// Run only cases whose name contains this; may be repeated
    #[arg(long = "case", value_name = "TEXT", conflicts_with = "hub")]
    pub cases: Vec<String>,
    /// Run no case when a rule file is wrong; else it is left out. Tests of a hub always do
    #[arg(long)]
    pub strict: bool,
    /// Run the tests of a hub in this folder
    #[arg(long, value_name = "DIR")]
    pub hub: Option<PathBuf>,
    /// Let the lines of a hub's tests arrive at this time: dates without a year are of its year
    #[arg(long, value_name = "DATE", requires = "hub", value_parser = date)]
    pub now: Option<Time>,
    /// Write the assertions of tests of a hub that have none
    #[arg(long, requires = "hub")]
    pub update: bool,
    /// The form of the answer
    #[arg(long, value_name = "FORM", default_value = "human")]
    pub output: Output,
}

impl Test {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        if let Some(root) = &self.hub {
            let options = Options { now: self.now.unwrap_or_else(clock::now), update: self.update };
            let names = self.folders.iter().map(|name| name.to_string_lossy().into_owned());
            return hub::run(root, &names.collect::<Vec<_>>(), options, self.output);
        }
        keep_utc();
        cases::run(&self.folders, &self.cases, self.strict, clock::now(), self.output)
    }
}

/// `2026-06-01` or `2026-06-01T12:00:00Z`.
fn date(text: &str) -> Result<Time, String> {
    Time::from_rfc3339(text)
        .or_else(|| Time::from_rfc3339(&format!("{text}T00:00:00Z")))
        .ok_or_else(|| "expected a date such as `2026-06-01`".to_owned())
}
