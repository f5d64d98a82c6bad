//! `weir reload`: configuration and rules anew.

use super::{Exit, Global, asking, complete};
use crate::control::{Reply, Request};

/// Make the running daemon read its configuration and rules again
///
/// All is read and checked first. With one mistake nothing changes, the mistakes are shown and the
/// command exits with 78. Bans, and what offenders did so far, stay.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  weir reload
  weir check && weir reload      the same, with warnings shown")]
pub struct Reload {}

impl Reload {
    #[expect(clippy::unused_self, reason = "every command runs in the same way")]
    pub(super) fn run(self, global: &Global) -> anyhow::Result<Exit> {
        // The daemon's view of its file counts, not the caller's: a file that is wrong is shown
        // by the daemon's answer, so the socket is looked for without reading mistakes aloud.
        match asking::ask_leniently(global, &Request::Reload)? {
            Reply::Reloaded { notes } => {
                let mut text = "reloaded\n".to_owned();
                for note in notes {
                    text.push_str(&format!("  {note}\n"));
                }
                complete(&text)?;
                Ok(Exit::Success)
            }
            other => Err(asking::strange(&other)),
        }
    }
}
