//! `weir flush`: the kernel emptied on purpose.

use super::{Exit, Failed, Global, asking, complete, output};
use crate::control::{ClientError, Reply, Request};
use crate::daemon;

/// Take all bans out of the kernel, on purpose
///
/// The emergency exit: removes what Weir has in the kernel, sets and rules. A running daemon goes on
/// deciding and recording, and enforces nothing until `weir flush --undo` or its next start; its
/// status and readiness say so. Bans stay in the ledger. Without a running daemon the kernel is
/// emptied by this command, which needs the right to do so. To free somebody use `weir unban`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  weir flush           nobody is kept out any more
  weir flush --undo    everybody who is banned is kept out again")]
pub struct Flush {
    /// Enforce again what is in the ledger
    #[arg(long)]
    pub undo: bool,
}

impl Flush {
    pub(super) fn run(self, global: &Global) -> anyhow::Result<Exit> {
        let mut client = match asking::client_leniently(global)? {
            (_, Ok(client)) => client,
            (settings, Err(ClientError::NotRunning { .. })) if !self.undo => {
                return without_daemon(&settings);
            }
            (_, Err(error)) => return Err(asking::failed(error)),
        };
        match client.ask(&Request::Flush { undo: self.undo }).map_err(asking::failed)? {
            Reply::Flushed { backends } => {
                let mut exit = Exit::Success;
                for flushed in &backends {
                    let name = &flushed.backend;
                    if let Some(trouble) = &flushed.trouble {
                        output::remark(&format!("weir: {name}: not done: {trouble}\n"));
                        exit = Exit::Failure;
                    } else if self.undo {
                        complete(&format!("{name}: enforcing again\n"))?;
                    } else {
                        complete(&format!(
                            "{name}: emptied; nothing is enforced until `weir flush --undo` or the \
                             next start of the daemon\n"
                        ))?;
                    }
                }
                Ok(exit)
            }
            other => Err(asking::strange(&other)),
        }
    }
}

fn without_daemon(settings: &crate::settings::Settings) -> anyhow::Result<Exit> {
    for (backend, emptied) in daemon::empty(&settings.enforce) {
        match emptied {
            Ok(()) => complete(&format!(
                "{backend}: emptied; no daemon runs, the next one enforces again\n"
            ))?,
            Err(error) => {
                let exit = match error {
                    crate::enforce::Error::NotPermitted => Exit::Permission,
                    _ => Exit::Failure,
                };
                return Err(Failed::new(exit, format!("{backend}: not emptied: {error}")).into());
            }
        }
    }
    Ok(Exit::Success)
}
