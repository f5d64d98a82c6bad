//! `weir listen`: what do the senders really send?
//!
//! The sources are those of the daemon, opened and read by its own code; what follows in the daemon
//! (rules, ledger, kernel) is not there. A sender that is told when its lines are done is told so
//! once they are written.

mod show;

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};

use super::{Exit, Failed, Global, Output, arguments, asking, output};
use crate::control::Client;
use crate::daemon::{self, Listening};
use crate::diagnostic::similar;
use crate::event::Batch;
use crate::intake::spec::{self, Limits, SOCKET_MODE, Source, Trust};
use crate::settings::Settings;
use crate::system::clock;
use crate::value::Zones;

/// Show the lines that arrive, and do nothing about them
///
/// Opens the sources of the configuration, or those given here, and prints each line: no rule looks
/// at it, nobody is banned, nothing is recorded. A sender counts lines that were printed as
/// delivered, so the daemon, which may not run on the same sources meanwhile, will not see them.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  weir listen                                  the sources of the configuration
  weir listen tcp                              of them, only the one called `tcp`
  weir listen --udp 0.0.0.0:514                what does that router send?
  weir listen --output json --count 1 | jq .   all that is known of one line
  weir listen --quiet-after 5s > sample.log    until nothing has come for five seconds

In what is written for people, line breaks and control characters are shown as escapes, and long
lines are cut; `--output json` has every byte: `raw`, or `raw_base64` where it is not UTF-8.")]
pub struct Listen {
    /// Of the configured sources, only those of these names
    #[arg(value_name = "NAME", conflicts_with_all = ["udp", "tcp", "relp", "unix", "unix_stream"])]
    pub names: Vec<String>,
    /// Listen to UDP here instead of what is configured; may be repeated, as the next four
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub udp: Vec<SocketAddr>,
    /// Listen to TCP here
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub tcp: Vec<SocketAddr>,
    /// Listen to RELP here
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub relp: Vec<SocketAddr>,
    /// Listen to a Unix datagram socket here
    #[arg(long, value_name = "PATH")]
    pub unix: Vec<PathBuf>,
    /// Listen to a Unix stream socket here
    #[arg(long, value_name = "PATH")]
    pub unix_stream: Vec<PathBuf>,
    /// End after so many lines; with fewer, the exit code is 1
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
    /// End when nothing has come for so long
    #[arg(long, value_name = "SPAN", value_parser = arguments::duration)]
    pub quiet_after: Option<Duration>,
    /// The form of the lines, and of the summary that goes to standard error at the end
    #[arg(long, value_name = "FORM", default_value = "human")]
    pub output: Output,
}

/// How long connections may take to hand over what they have received when we are to end.
const PATIENCE: Duration = Duration::from_secs(5);

impl Listen {
    pub(super) fn run(self, global: &Global) -> anyhow::Result<Exit> {
        let (mut settings, _) = asking::settings(global)?;
        self.choose(&mut settings)?;
        let folders = daemon::folders::choose(&settings)?;
        let settings = settings.place(&folders);
        super::run::log_to_stderr(settings.log);
        super::run::make_room(&settings);
        let mut listening = Listening::start(&settings, daemon::runtime()?)
            .map_err(|error| explain_taken(error, &settings.control))?;
        let sources = listening.sources();
        let runtime = listening.runtime();
        let (printed, rest) = runtime.block_on(self.print(&settings, &mut listening))?;
        match rest {
            Rest::None => {}
            Rest::Waits => listening.abandon(),
        }
        output::remark(&show::summary(&sources, self.output));
        match self.count {
            Some(count) if printed < count => Ok(Exit::Failure),
            _ => Ok(Exit::Success),
        }
    }

    /// Leaves in the settings the sources that are to be listened to.
    fn choose(&self, settings: &mut Settings) -> anyhow::Result<()> {
        let given = self.given()?;
        if !given.is_empty() {
            settings.sources = given;
        }
        if let Some(unknown) = self
            .names
            .iter()
            .find(|name| settings.sources.iter().all(|source| source.name != **name))
        {
            let known = settings.sources.iter().map(|source| source.name.as_str());
            let advice = match similar(unknown, known.clone()) {
                Some(name) => format!("did you mean `{name}`?"),
                None => format!("there are: {}", known.collect::<Vec<_>>().join(", ")),
            };
            let message = format!("no source is called `{unknown}`; {advice}");
            return Err(Failed::new(Exit::Usage, message).into());
        }
        if !self.names.is_empty() {
            settings.sources.retain(|source| self.names.contains(&source.name));
        }
        Ok(())
    }

    /// The sources of the command line, called by their kinds.
    fn given(&self) -> anyhow::Result<Vec<Source>> {
        let mut places: Vec<spec::Listen> = Vec::new();
        places.extend(self.udp.iter().copied().map(spec::Listen::Udp));
        places.extend(self.tcp.iter().copied().map(spec::Listen::Tcp));
        places.extend(self.relp.iter().copied().map(spec::Listen::Relp));
        // Seen from here, not from the folder of the daemon's sockets.
        let absolute = |path: &PathBuf| {
            std::path::absolute(path).with_context(|| format!("no path: `{}`", path.display()))
        };
        for path in &self.unix {
            let path = absolute(path)?;
            places.push(spec::Listen::UnixDatagram { path, mode: SOCKET_MODE });
        }
        for path in &self.unix_stream {
            let path = absolute(path)?;
            places.push(spec::Listen::UnixStream { path, mode: SOCKET_MODE });
        }
        let mut sources: Vec<Source> = Vec::with_capacity(places.len());
        for listen in places {
            let kind = listen.kind();
            let before = sources.iter().filter(|source| source.listen.kind() == kind).count();
            let name = match before {
                0 => kind.to_owned(),
                _ => format!("{kind}-{}", before + 1),
            };
            let label = "syslog".to_owned();
            let limits = Limits::default();
            let senders = Vec::new();
            let silent_after = None;
            let (users, tls, zones) = (Vec::new(), None, Zones::default());
            sources.push(Source {
                name,
                label,
                listen,
                tls,
                senders,
                users,
                limits,
                bans: Trust::FULL,
                silent_after,
                zones,
            });
        }
        Ok(sources)
    }

    /// Prints what comes until it is enough; gives how many lines were printed, and whether more
    /// may wait.
    async fn print(
        &self,
        settings: &Settings,
        listening: &mut Listening,
    ) -> anyhow::Result<(u64, Rest)> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut printed = 0;
        let mut text = String::new();
        loop {
            let quiet = async {
                match self.quiet_after {
                    Some(span) => tokio::time::sleep(span).await,
                    None => std::future::pending().await,
                }
            };
            let batch = tokio::select! {
                biased;
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                batch = listening.next() => batch,
                () = quiet => break,
            };
            let Some(batch) = batch else { return Ok((printed, Rest::None)) };
            if !self.print_batch(settings, batch, &mut printed, &mut text)? {
                return Ok((printed, Rest::Waits));
            }
        }
        listening.stop();
        let until = clock::instant() + PATIENCE;
        loop {
            let left = until.saturating_duration_since(clock::instant());
            let Ok(batch) = tokio::time::timeout(left, listening.next()).await else {
                return Ok((printed, Rest::Waits));
            };
            let Some(batch) = batch else { return Ok((printed, Rest::None)) };
            if !self.print_batch(settings, batch, &mut printed, &mut text)? {
                return Ok((printed, Rest::Waits));
            }
        }
    }

    /// Prints lines, as many as are wanted; gives whether more are.
    fn print_batch(
        &self,
        settings: &Settings,
        batch: Batch,
        printed: &mut u64,
        text: &mut String,
    ) -> anyhow::Result<bool> {
        let wanted = self.count.map_or(u64::MAX, |count| count - *printed);
        let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
        text.clear();
        for line in batch.lines().take(wanted) {
            show::line(line, settings, self.output, text);
        }
        let is_read = write(text)?;
        *printed += batch.len().min(wanted) as u64;
        if !is_read || batch.len() > wanted {
            // A receipt is given when it is dropped, and this one was not earned.
            std::mem::forget(batch);
            return Ok(false);
        }
        Ok(self.count != Some(*printed))
    }
}

/// What has been received and not been printed.
enum Rest {
    /// Nothing.
    None,
    /// Perhaps something.
    Waits,
}

/// Writes and flushes; gives whether somebody reads it still.
fn write(text: &str) -> anyhow::Result<bool> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(anyhow::Error::new(error).context("cannot write to standard output")),
    }
}

/// Says that it is the daemon that holds a socket, if so.
fn explain_taken(error: anyhow::Error, control: &Path) -> anyhow::Error {
    let is_taken = error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|error| error.kind() == std::io::ErrorKind::AddrInUse);
    if is_taken && Client::open(control).is_ok() {
        return error.context(Failed::new(
            Exit::Failure,
            "the daemon runs and holds what is to be listened to: stop it meanwhile (`systemctl \
             stop weir`), or listen elsewhere, such as `--udp 127.0.0.1:5515`",
        ));
    }
    error
}
