//! `weir unban`: an end to bans before their time.

use ipnet::IpNet;

use super::arguments;

/// Take bans back
///
/// Ends the ban of exactly this address or prefix, whoever made it; the command ends when the
/// kernel has let go. Exits with 1 when there is none. What the offender did so far is forgotten.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  weir unban 203.0.113.9
  weir unban 2001:db8:7::/64
  weir unban --all")]
pub struct Unban {
    /// Whom
    #[arg(value_name = "ADDRESS", value_parser = arguments::net, required_unless_present = "all")]
    pub target: Option<IpNet>,
    /// All who are banned
    #[arg(long, conflicts_with = "target")]
    pub all: bool,
}
