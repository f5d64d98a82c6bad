//! `weir explain`: which rules took a line, what they made of it, and where the others stopped.

mod last;
mod show;

use std::path::{Path, PathBuf};

use super::output::Format;
use super::{Exit, Global, Output, arguments, complete, loading};
use crate::event::{Line, Mode, SourceId};
use crate::intake::{file, spec::Limits};
use crate::parse::LineSource;
use crate::system::clock;
use crate::value::{Zone, Zones};

use last::Received;

/// Show what the rules make of lines, and why
///
/// For each line: how its header was read, which parsers took it and what fields they set, and
/// which scenarios it was poured into. Where no parser took it: how far the nearest ones came.
/// Where no scenario did: those that one clause of their filter kept from it.
///
/// With `--last` the lines are recent ones that the running daemon made nothing of. It keeps a few
/// of each program; they are explained by the rules as they are on disk now.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  weir explain line.txt
  echo 'Nov  3 10:00:00 host sshd[7]: Invalid user x from 192.0.2.7 port 9' | weir explain -
  weir explain --rules ./rules line.txt     try other rules first
  weir explain --last                       whose lines does the daemon not understand?
  weir explain --last nginx -n 1            why not the newest one of nginx?
  weir explain --last --uncounted           lines that are parsed, but that no scenario counts")]
pub struct Explain {
    /// A file with lines; `-` is standard input
    #[arg(value_name = "FILE", required_unless_present = "last")]
    pub file: Option<PathBuf>,
    /// Explain recent lines of this program that the running daemon did not understand; without a
    /// program, name the programs that have any (`-` stands for lines without a program)
    #[arg(long, value_name = "PROGRAM", num_args = 0..=1, conflicts_with = "file")]
    pub last: Option<Option<String>>,
    /// So many of the last lines [default: 3]
    #[arg(short = 'n', long, value_name = "N", requires = "last", conflicts_with = "file")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    pub lines: Option<u16>,
    /// Of the last lines, those that were parsed and that no scenario counted
    #[arg(long, requires = "last", conflicts_with = "file")]
    pub uncounted: bool,
    /// Load the rules of this folder instead of those the configuration names; may be repeated
    #[arg(long, value_name = "DIR")]
    pub rules: Vec<PathBuf>,
    /// The label that the lines of the file carry
    #[arg(long = "type", value_name = "LABEL", alias = "label", default_value = "syslog")]
    #[arg(conflicts_with = "last")]
    pub label: String,
    /// What the file holds, where it cannot be seen
    #[arg(long, value_name = "FORMAT", default_value = "auto", conflicts_with = "last")]
    pub format: Format,
    /// Where the clock was that wrote times without a zone, such as `Europe/Berlin` or `+01:00`
    /// [default: UTC]
    #[arg(long, value_name = "ZONE", value_parser = arguments::zone, conflicts_with = "last")]
    pub zone: Option<Zone>,
    /// The form of the answer
    #[arg(long, value_name = "FORM", default_value = "human")]
    pub output: Output,
}

/// Lines that are read at once.
const LINES: usize = 64;

impl Explain {
    pub(super) fn run(self, global: &Global) -> anyhow::Result<Exit> {
        match (&self.last, &self.file) {
            (Some(program), _) => self.last(program.as_deref(), global),
            (None, Some(file)) => self.file(file, global),
            (None, None) => unreachable!("the command line demands one of them"),
        }
    }

    fn file(&self, path: &Path, global: &Global) -> anyhow::Result<Exit> {
        let loaded = loading::load(global, &self.rules, Some(false))?;
        let zones = Zones::new(self.zone.clone(), Vec::new());
        let source = loaded.ruleset.source("explain", "file", &self.label, Mode::Replay);
        let source = source.with_clocks(zones, None);
        let mut reader = file::open(path, Limits::default().message, self.format.into())?;
        while let Some(batch) = reader.next_batch(SourceId(0), clock::now(), LINES)? {
            for line in batch.lines() {
                complete(&explain(&loaded, &source, line, None, self.output))?;
            }
        }
        Ok(Exit::Success)
    }
}

/// One line, explained.
fn explain(
    loaded: &loading::Loaded,
    source: &LineSource,
    line: Line<'_>,
    received: Option<&Received>,
    output: Output,
) -> String {
    let account =
        crate::explain::account(&loaded.ruleset, &loaded.allowlist, source, line, clock::now());
    let shown = show::Shown { account: &account, received };
    match output {
        Output::Human => shown.human(&loaded.ruleset),
        Output::Json => format!("{}\n", shown.json()),
    }
}
