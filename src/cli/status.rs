//! `weir status`: is it working?

mod advice;
pub(super) mod page;

use super::{Exit, Global, Output, asking, complete, grid};
use crate::control::{
    Client, ClientError, Coverage, Covering, FailureKind, Reply, Request, Tables, Tabling,
};
use crate::system::{clock, terminal};

/// Show what is received, understood and banned, and whether the kernel is in step
///
/// One screen, problems first: what keeps Weir from its work and what to do about it; what each
/// source receives; which programs the rules make nothing of, and which rule is nearest; how many
/// are banned, how fast, and by which scenarios; what the kernel holds and drops. `weir top` shows
/// the same as it goes on.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  weir status
  weir status --output json | jq .problems
  weir status >/dev/null || echo 'look at it'

Exits with 0 when all is well, with 1 when there are problems, with 69 when no daemon runs.")]
pub struct Status {
    /// The form of the answer
    #[arg(long, value_name = "FORM", default_value = "human")]
    pub output: Output,
}

impl Status {
    pub(super) fn run(self, global: &Global) -> anyhow::Result<Exit> {
        let mut client = asking::client(global)?;
        let status = match client.ask(&Request::Status).map_err(asking::failed)? {
            Reply::Status(status) => status,
            other => return Err(asking::strange(&other)),
        };
        let coverage = coverage(&mut client)?;
        match self.output {
            Output::Json => {
                let mut all = serde_json::to_value(&*status)?;
                all["coverage"] = serde_json::to_value(&coverage)?;
                complete(&format!("{all:#}\n"))?;
            }
            Output::Human => {
                let tables = tables(&mut client, &["buckets", "active"])?;
                let width = terminal::size().map_or(grid::ANY_WIDTH, |(columns, _)| columns);
                let seen = page::Seen {
                    status: &status,
                    coverage: &coverage,
                    tables: &tables,
                    now: clock::now(),
                };
                complete(&seen.page(width))?;
            }
        }
        Ok(if status.problems.is_empty() { Exit::Success } else { Exit::Failure })
    }
}

/// What the rules make of the lines of each program, with examples where they may be seen. Nothing
/// where the daemon is older than the question.
///
/// # Errors
/// When the daemon does not answer.
pub(super) fn coverage(client: &mut Client) -> anyhow::Result<Vec<Coverage>> {
    for examples in [true, false] {
        match client.ask(&Request::Coverage(Covering { examples })) {
            Ok(Reply::Coverage { programs }) => return Ok(programs),
            Ok(other) => return Err(asking::strange(&other)),
            Err(error) if error.kind() == FailureKind::Permission => {}
            Err(error) => return unknown(error),
        }
    }
    Ok(Vec::new())
}

/// Some of the tables; empty ones where the daemon is older than the question.
///
/// # Errors
/// When the daemon does not answer.
pub(super) fn tables(client: &mut Client, names: &[&str]) -> anyhow::Result<Tables> {
    let tables = names.iter().map(|name| (*name).to_owned()).collect();
    match client.ask(&Request::Tables(Tabling { tables })) {
        Ok(Reply::Tables(tables)) => Ok(*tables),
        Ok(other) => Err(asking::strange(&other)),
        Err(error) => unknown(error),
    }
}

/// Nothing, when the daemon said that it does not know what was asked.
fn unknown<T: Default>(error: ClientError) -> anyhow::Result<T> {
    match &error {
        ClientError::Failed(failure) if failure.kind == FailureKind::Usage => Ok(T::default()),
        _ => Err(asking::failed(error)),
    }
}
