//! Sources opened, and sources running.

use std::sync::Arc;

use anyhow::Context as _;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::report::Counted;
use crate::event::{Batch, SourceId};
use crate::intake::spec::{Listen, Source};
use crate::intake::{LineSender, Opened};
use crate::settings::Settings;
use crate::system::activation::{self, Inherited};

/// How long connections may take to notice that the daemon stops.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(5);

/// Opens all sources. A socket that the service manager holds already is taken over.
///
/// # Errors
/// When one cannot be opened: which, why, and what to do.
pub(super) fn open(settings: &Settings) -> anyhow::Result<Vec<Opened>> {
    let mut inherited = activation::take();
    let mut opened = Vec::with_capacity(settings.sources.len());
    for (index, source) in settings.sources.iter().enumerate() {
        let id = SourceId(u16::try_from(index).context("there are too many sources")?);
        let found = inherited.iter().position(|socket| is_for(socket, source));
        opened.push(match found {
            Some(at) => Opened::from_fd(source, id, inherited.swap_remove(at).socket)?,
            None => Opened::open(source, id)?,
        });
    }
    for socket in inherited {
        tracing::warn!(name = socket.name, "a socket of the service manager fits no source");
    }
    Ok(opened)
}

/// Whether a passed socket is bound to what the source listens on.
fn is_for(socket: &Inherited, source: &Source) -> bool {
    let bound = socket2::SockRef::from(&socket.socket);
    let (Ok(at), Ok(kind)) = (bound.local_addr(), bound.r#type()) else { return false };
    let is_stream = kind == socket2::Type::STREAM;
    match &source.listen {
        Listen::Udp(address) => !is_stream && at.as_socket() == Some(*address),
        Listen::Tcp(address) => is_stream && at.as_socket() == Some(*address),
        Listen::UnixDatagram { path, .. } => !is_stream && at.as_pathname() == Some(path),
        Listen::UnixStream { path, .. } => is_stream && at.as_pathname() == Some(path),
    }
}

/// Running sources.
pub(super) struct Running {
    tasks: TaskTracker,
    counters: Vec<Counted>,
}

impl Running {
    pub(super) fn spawn(
        opened: Vec<Opened>,
        lines: &mpsc::Sender<Batch>,
        stop: &CancellationToken,
    ) -> anyhow::Result<Self> {
        let tasks = TaskTracker::new();
        let mut counters = Vec::with_capacity(opened.len());
        for source in opened {
            let at = match (&source.source().listen, source.address()) {
                (Listen::Udp(_), Some(address)) => format!("udp {address}"),
                (Listen::Tcp(_), Some(address)) => format!("tcp {address}"),
                (Listen::UnixDatagram { path, .. }, _) => format!("unix {}", path.display()),
                (Listen::UnixStream { path, .. }, _) => format!("unix_stream {}", path.display()),
                (listen, None) => listen.kind().to_owned(),
            };
            tracing::info!(source = source.source().name, at, "listening");
            counters.push(Counted {
                name: source.source().name.clone(),
                label: source.source().label.clone(),
                at,
                statistics: Arc::clone(source.statistics()),
            });
            source.spawn(&tasks, LineSender::new(lines.clone()), stop.clone())?;
        }
        tasks.close();
        Ok(Self { tasks, counters })
    }

    pub(super) fn counters(&self) -> Vec<Counted> {
        self.counters.clone()
    }

    /// Waits until every source has handed over what it received.
    pub(super) fn join(&self, runtime: &Runtime) {
        let done = async { tokio::time::timeout(PATIENCE, self.tasks.wait()).await };
        if runtime.block_on(done).is_err() {
            tracing::warn!("some connections did not end in time");
        }
    }
}
