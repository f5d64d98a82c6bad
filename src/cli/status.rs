//! `weir status`: is it working?

use super::{Exit, Global, Output, asking, complete};
use crate::control::{self, Reply, Request};

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

impl Status {
    pub(super) fn run(self, global: &Global) -> anyhow::Result<Exit> {
        match asking::ask(global, &Request::Status)? {
            Reply::Status(status) => {
                match self.output {
                    Output::Json => complete(&format!("{:#}\n", serde_json::to_value(&*status)?))?,
                    Output::Human => complete(&page(&status))?,
                }
                Ok(if status.problems.is_empty() { Exit::Success } else { Exit::Failure })
            }
            other => Err(asking::strange(&other)),
        }
    }
}

/// Clocks that are off by fewer seconds are right.
const SKEW: i64 = 5;
const NOT_AHEAD: i64 = -SKEW;

/// Senders of a source that are shown, so that it stays one screen.
const SENDERS: usize = 5;

/// All of it on one screen.
fn page(status: &control::Status) -> String {
    let mut text = format!(
        "weir {} runs since {} ({}), process {}\n",
        status.version,
        status.started_at,
        asking::span(status.uptime_seconds),
        status.pid
    );
    for problem in &status.problems {
        text.push_str(&format!("PROBLEM   {problem}\n"));
    }
    for remark in &status.remarks {
        text.push_str(&format!("note      {remark}\n"));
    }
    for source in &status.sources {
        text.push_str(&format!(
            "source    {}: {} lines, {} dropped, {} cut ({})\n",
            source.name, source.lines, source.dropped, source.cut, source.at
        ));
        for sender in source.senders.iter().take(SENDERS).filter(|_| source.n_senders > 1) {
            let silent = if sender.silent { ", silent" } else { "" };
            let skew = match sender.skew_seconds {
                Some(ahead @ SKEW..) => format!(", clock {ahead} s ahead"),
                Some(behind @ ..=NOT_AHEAD) => {
                    format!(", clock {} s behind", behind.unsigned_abs())
                }
                _ => String::new(),
            };
            text.push_str(&format!(
                "          from {}: {} lines, last {}{silent}{skew}\n",
                sender.address, sender.lines, sender.last_line
            ));
        }
        if source.n_senders > SENDERS as u64 {
            let more = source.n_senders - SENDERS as u64;
            text.push_str(&format!("          and from {more} more (--output json)\n"));
        }
    }
    let why = if status.lines.unparsed > 0 { " (why: weir explain --last)" } else { "" };
    text.push_str(&format!(
        "lines     {} parsed, {} unparsed{why}, {} about friends\n",
        status.lines.parsed, status.lines.unparsed, status.lines.allowlisted
    ));
    text.push_str(&format!(
        "rules     {} parsers, {} scenarios, {} postoverflows, {} files left out\n",
        status.rules.parsers,
        status.rules.scenarios,
        status.rules.postoverflows,
        status.rules.rejected
    ));
    text.push_str(&format!(
        "buckets   {} tracked, {} overflows\n",
        status.buckets, status.overflows
    ));
    let active: Vec<_> = status
        .active
        .iter()
        .filter(|active| active.count > 0)
        .map(|active| format!("{} {} ({})", active.count, active.family, active.action))
        .collect();
    let active = if active.is_empty() { "nobody".to_owned() } else { active.join(", ") };
    text.push_str(&format!("active    {active}\n"));
    text.push_str(&format!(
        "kernel    {}: {} elements, drift {}, {} packets dropped\n",
        status.enforce.backend,
        status.enforce.elements,
        status.enforce.drift,
        status.enforce.dropped_packets
    ));
    if let Some(trouble) = &status.enforce.trouble {
        text.push_str(&format!("          last trouble: {trouble}\n"));
    }
    text.push_str(&format!("ledger    {}\n", status.ledger.path));
    text
}
