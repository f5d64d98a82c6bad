//! `weir reload`: configuration and rules anew.

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
