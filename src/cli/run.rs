//! `weir run`: the daemon.

use std::io::IsTerminal as _;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::level_filters::LevelFilter;

use super::{Exit, Failed, Global, output};
use crate::daemon::{self, Daemon, Plan};
use crate::intake::spec::Listen;
use crate::settings;
use crate::system::{descriptors, memory, notify};

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
  weir run --strict                 all rules or none; `rules: { strict: true }` says the same

Needs CAP_NET_ADMIN to ban; without it, it says so and only observes.")]
pub struct Run {
    /// Decide, record and count, but drop nothing, whatever the configuration says
    #[arg(long)]
    pub observe: bool,
    /// Do not start, nor take a reload, when a rule file is wrong; else it is left out
    #[arg(long)]
    pub strict: bool,
}

impl Run {
    pub(super) fn run(self, global: &Global) -> anyhow::Result<Exit> {
        // It works with huge pages too, only larger.
        let _ = memory::without_huge_pages();
        let path = settings::find(global.config.as_deref());
        let (settings, diagnostics) = settings::load(path.as_deref());
        let exit = output::show(&diagnostics);
        if exit != Exit::Success {
            let message = "not started: the configuration is wrong";
            return Err(Failed::new(exit, message).into());
        }
        log_to_stderr(settings.log);
        make_room(&settings);
        let folders = daemon::folders::choose(&settings)?;
        let Self { observe, strict } = self;
        let plan = Plan { config: path, settings, folders, observe, strict };
        let runtime = daemon::runtime()?;
        // Before anybody can see that the daemon is up, and send it one.
        let signals = Signals::take(&runtime)?;
        let daemon = Daemon::start(plan, runtime)?;
        serve(&daemon, signals);
        notify::stopping();
        tracing::info!("stopping: what was received is carried out");
        daemon.stop();
        Ok(Exit::Success)
    }
}

/// Tells the service manager that all is up, and does what signals ask for until one says stop.
fn serve(daemon: &Daemon, mut signals: Signals) {
    daemon.runtime().block_on(async {
        let beat = notify::watchdog().unwrap_or(Duration::from_secs(3600));
        let mut watchdog = tokio::time::interval(beat);
        notify::ready("takes lines");
        tracing::info!(version = env!("CARGO_PKG_VERSION"), "ready");
        loop {
            tokio::select! {
                _ = signals.terminate.recv() => return,
                _ = signals.interrupt.recv() => return,
                _ = signals.hang_up.recv() => {
                    // Files are read and rules compiled: the signals can wait.
                    if let Err(mistakes) = tokio::task::block_in_place(|| daemon.reload()) {
                        output::remark(&mistakes);
                    }
                }
                _ = watchdog.tick() => notify::alive(),
            }
        }
    });
}

/// The signals that the daemon listens to.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    /// From now on they do not end the process any more.
    fn take(runtime: &Runtime) -> anyhow::Result<Self> {
        let _guard = runtime.enter();
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }
}

/// Descriptors that are needed beside those of connections: sockets, the ledger, pages and calls.
const OTHER_DESCRIPTORS: u64 = 256;

/// Sees to it that all connections that sources may have can be open at the same time.
pub(super) fn make_room(settings: &settings::Settings) {
    let limit = match descriptors::raise_limit() {
        Ok(limit) => limit,
        Err(error) => {
            tracing::warn!(%error, "cannot raise the limit of open files");
            return;
        }
    };
    let needed = settings.sources.iter().map(|source| match source.listen {
        Listen::Tcp(_) | Listen::Relp(_) | Listen::UnixStream { .. } => {
            source.limits.connections as u64
        }
        _ => 0,
    });
    let needed = needed.fold(OTHER_DESCRIPTORS, u64::saturating_add);
    if needed > limit {
        tracing::warn!(
            needed,
            limit,
            "fewer files may be open than the sources may have connections: raise `LimitNOFILE=` of \
             the unit, or lower `connections`"
        );
    }
}

/// Logs go to standard error: the journal, under systemd.
pub(super) fn log_to_stderr(log: settings::Log) {
    let level = match log {
        settings::Log::Error => LevelFilter::ERROR,
        settings::Log::Warning => LevelFilter::WARN,
        settings::Log::Info => LevelFilter::INFO,
        settings::Log::Debug => LevelFilter::DEBUG,
        settings::Log::Trace => LevelFilter::TRACE,
    };
    // Only one logger can be there; a second call, as in tests, changes nothing.
    let _ = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .try_init();
}
