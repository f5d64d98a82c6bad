//! `weir demo`: see it work, on this machine, now.

/// Attack a daemon of its own and show what it does
///
/// Starts a daemon on private ports, as root in a network namespace of its own, sends it an attack
/// over IPv4 and IPv6 through real sockets, and shows the bans as the kernel holds them. Nothing of
/// this host is changed. Without root the bans are shown, and not carried out.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  weir demo
  weir demo --keep     leave the daemon running to look around, until Ctrl-C")]
pub struct Demo {
    /// Do not stop the daemon at the end
    #[arg(long)]
    pub keep: bool,
}
