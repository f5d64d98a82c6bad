//! `weir run`: the daemon.

/// Run the daemon
///
/// Listens to the configured sources, understands their lines by the loaded rules and bans
/// offenders, until it is told to stop (SIGTERM). SIGHUP reads configuration and rules anew; if
/// they are wrong, nothing changes. Bans stay in the kernel when the daemon stops, and run out
/// there by themselves.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  weir run                          with /etc/weir/weir.yaml, if there is one
  weir run --config ./weir.yaml     with another file
  weir run --observe                decide and count, drop nothing: a good first day

Needs CAP_NET_ADMIN to ban; without it, it says so and only observes.")]
pub struct Run {
    /// Decide, record and count, but drop nothing, whatever the configuration says
    #[arg(long)]
    pub observe: bool,
}
