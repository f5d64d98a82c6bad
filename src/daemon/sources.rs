//! Sources opened, and sources running.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::certificates::Certificate;
use super::report::Counted;
use crate::event::{Batch, SourceId};
use crate::intake::journal::bookmark::Bookmark;
use crate::intake::spec::{Listen, Source};
use crate::intake::tls::Tls;
use crate::intake::{self, IntakeError, LineSender, Opened, Statistics};
use crate::settings::Settings;
use crate::system::activation::{self, Inherited};
use crate::system::notify;

/// How long connections may take to notice that the daemon stops.
const PATIENCE: Duration = Duration::from_secs(5);
/// When a source that could not be opened is tried again, at first and at most.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// A source of the configuration, open or not.
pub(super) enum Slot {
    /// It is open.
    Open(Opened),
    /// It could not be opened; it is tried again.
    Failed(Failed),
}

/// What is needed to try again.
pub(super) struct Failed {
    source: Source,
    id: SourceId,
    statistics: Arc<Statistics>,
    /// Its socket, if the service manager holds it.
    socket: Option<OwnedFd>,
}

impl Failed {
    /// Opens it, with a copy of its socket where there is one: what the service manager holds
    /// cannot be bound a second time.
    fn open(&self) -> Result<Opened, IntakeError> {
        let statistics = Arc::clone(&self.statistics);
        match self.socket.as_ref().and_then(|socket| socket.try_clone().ok()) {
            Some(socket) => Opened::from_fd_counting(&self.source, self.id, socket, statistics),
            None => Opened::open_counting(&self.source, self.id, statistics),
        }
    }
}

/// Opens all sources. A socket that the service manager holds already is taken over. One that
/// cannot be opened does not keep the others from their work.
///
/// # Errors
/// When none can be opened: which, why, and what to do.
pub(super) fn open(settings: &Settings) -> anyhow::Result<Vec<Slot>> {
    let mut inherited = activation::take();
    let mut slots = Vec::with_capacity(settings.sources.len());
    let mut first_error = None;
    for (index, source) in settings.sources.iter().enumerate() {
        let id = SourceId(u16::try_from(index).context("there are too many sources")?);
        let found = inherited.iter().position(|socket| is_for(socket, source));
        let socket = found.map(|at| inherited.swap_remove(at).socket);
        let (source, statistics) = (source.clone(), Arc::default());
        let closed = Failed { source, id, statistics, socket };
        slots.push(match closed.open() {
            Ok(opened) => Slot::Open(opened),
            Err(error) => {
                tracing::error!(source = closed.source.name, "{error}; it is tried again");
                closed.statistics.set_trouble(Some(error.to_string()));
                first_error.get_or_insert(error);
                Slot::Failed(closed)
            }
        });
    }
    if let Some(error) = first_error
        && !slots.iter().any(|slot| matches!(slot, Slot::Open(_)))
    {
        return Err(error.into());
    }
    for Inherited { name, socket } in inherited {
        let Some(source) = intake::source_of(&name) else {
            tracing::warn!(name, "a socket of the service manager fits no source");
            continue;
        };
        let slot = slots.iter_mut().find_map(|slot| match slot {
            Slot::Open(opened) if opened.source().name == source && opened.is_stream() => {
                Some(opened)
            }
            _ => None,
        });
        match slot {
            Some(opened) => opened.adopt(socket, name),
            None => {
                tracing::warn!(source, "a connection from before the restart has no source");
                notify::forget(&name);
            }
        }
    }
    Ok(slots)
}

/// How far the sources have come that go on where they were: by their names, so that they find
/// their places again.
pub(super) fn bookmarks(slots: &[Slot]) -> Vec<(String, Arc<Bookmark>)> {
    let opened = slots.iter().filter_map(|slot| match slot {
        Slot::Open(opened) => Some(opened),
        Slot::Failed(..) => None,
    });
    opened
        .filter_map(|opened| Some((opened.source().name.clone(), Arc::clone(opened.bookmark()?))))
        .collect()
}

/// Whether a passed socket is bound to what the source listens on.
fn is_for(socket: &Inherited, source: &Source) -> bool {
    let bound = socket2::SockRef::from(&socket.socket);
    let (Ok(at), Ok(kind)) = (bound.local_addr(), bound.r#type()) else { return false };
    let is_stream = kind == socket2::Type::STREAM;
    match &source.listen {
        Listen::Udp(address) => !is_stream && at.as_socket() == Some(*address),
        Listen::Tcp(address) | Listen::Relp(address) => {
            is_stream && at.as_socket() == Some(*address)
        }
        Listen::UnixDatagram { path, .. } => !is_stream && at.as_pathname() == Some(path),
        Listen::UnixStream { path, .. } => is_stream && at.as_pathname() == Some(path),
        Listen::Journal(_) => false,
    }
}

/// Running sources.
pub(super) struct Running {
    tasks: TaskTracker,
    counters: Vec<Counted>,
}

impl Running {
    pub(super) fn spawn(
        slots: Vec<Slot>,
        lines: &mpsc::Sender<Batch>,
        stop: &CancellationToken,
    ) -> anyhow::Result<Self> {
        let tasks = TaskTracker::new();
        let mut counters = Vec::with_capacity(slots.len());
        for slot in slots {
            let queue = LineSender::new(lines.clone());
            match slot {
                Slot::Open(source) => {
                    let at = place(source.source(), source.address());
                    tracing::info!(source = source.source().name, at, "listening");
                    let counted = counted(source.source(), source.id(), source.statistics(), at);
                    certify(&counted.certificate, source.tls().cloned());
                    counters.push(counted);
                    source.spawn(&tasks, queue, stop.clone())?;
                }
                Slot::Failed(closed) => {
                    let Failed { source, id, statistics, .. } = &closed;
                    let counted = counted(source, *id, statistics, place(source, None));
                    let certificate = Arc::clone(&counted.certificate);
                    counters.push(counted);
                    let (opening, stop) = (tasks.clone(), stop.clone());
                    tasks.spawn(async move {
                        open_later(closed, certificate, &opening, queue, stop).await;
                    });
                }
            }
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

/// Where a source listens, in words.
fn place(source: &Source, address: Option<SocketAddr>) -> String {
    match (&source.listen, address) {
        (Listen::Udp(typed) | Listen::Tcp(typed) | Listen::Relp(typed), bound) => {
            let secure = if source.tls.is_some() { " with TLS" } else { "" };
            format!("{} {}{secure}", source.listen.kind(), bound.unwrap_or(*typed))
        }
        (Listen::UnixDatagram { path, .. }, _) => format!("unix {}", path.display()),
        (Listen::UnixStream { path, .. }, _) => format!("unix_stream {}", path.display()),
        (Listen::Journal(journal), _) => match &journal.folder {
            Some(folder) => format!("journal {}", folder.display()),
            None => "journal system".to_owned(),
        },
    }
}

fn counted(source: &Source, id: SourceId, statistics: &Arc<Statistics>, at: String) -> Counted {
    Counted {
        name: source.name.clone(),
        label: source.label.clone(),
        at,
        certificate: Certificate::default(),
        statistics: Arc::clone(statistics),
        id,
        silent_after: source.silent_after,
    }
}

/// Notes the certificate of a source that is open, if it has one.
fn certify(certificate: &Certificate, tls: Option<Arc<Tls>>) {
    if let Some(tls) = tls {
        certificate.set(tls).expect("a source is opened once");
    }
}

/// Tries to open a source until that works, and starts it.
async fn open_later(
    closed: Failed,
    certificate: Certificate,
    tasks: &TaskTracker,
    queue: LineSender,
    stop: CancellationToken,
) {
    let mut pause = FIRST_PAUSE;
    while tokio::time::timeout(pause, stop.cancelled()).await.is_err() {
        pause = (pause * 2).min(LONGEST_PAUSE);
        let opened = closed.open().and_then(|opened| {
            let tls = opened.tls().cloned();
            opened.spawn(tasks, queue.clone(), stop.clone()).map(|()| tls)
        });
        match opened {
            Ok(tls) => {
                certify(&certificate, tls);
                closed.statistics.set_trouble(None);
                tracing::info!(source = closed.source.name, "listening at last");
                return;
            }
            Err(error) => closed.statistics.set_trouble(Some(error.to_string())),
        }
    }
}
