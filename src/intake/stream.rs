//! Accepts connections, TCP or Unix, and gives each a task.
//!
//! Connections are limited. When all places are taken, the oldest connection that has not sent a
//! single message makes room for the new one, so that a crowd of mute connections cannot lock
//! out those who have something to say; when there is none, the new one is refused.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ipnet::IpNet;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::connection::{Connection, DRAIN_GRACE};
use super::spec::Source;
use super::tls::Tls;
use super::{LineSender, Refusal, Statistics};
use crate::event::SourceId;

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// When a peer that says nothing is asked whether it still lives.
const KEEPALIVE: Duration = Duration::from_secs(300);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(60);

/// A socket that connections are accepted from.
pub(super) enum Acceptor {
    /// TCP.
    Tcp(TcpListener),
    /// A Unix stream socket.
    Unix(UnixListener),
}

/// An accepted connection.
enum Stream {
    Tcp(TcpStream, IpAddr),
    Unix(UnixStream),
}

impl Acceptor {
    async fn accept(&self) -> io::Result<Stream> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                Ok(Stream::Tcp(stream, peer.ip().to_canonical()))
            }
            Self::Unix(listener) => Ok(Stream::Unix(listener.accept().await?.0)),
        }
    }
}

/// The loop of one listening socket and what it owns.
pub(super) struct Streams {
    pub(super) source: Source,
    pub(super) id: SourceId,
    pub(super) acceptor: Acceptor,
    pub(super) tls: Option<Arc<Tls>>,
    pub(super) statistics: Arc<Statistics>,
    pub(super) queue: LineSender,
    pub(super) stop: CancellationToken,
}

impl Streams {
    /// Accepts until told to stop; then takes the connections that wait, and ends when all
    /// connections have.
    pub(super) async fn run(self) {
        let mut tasks = JoinSet::new();
        let mute = Arc::new(Mute::default());
        let mut pause = FIRST_PAUSE;
        loop {
            let accepted = tokio::select! {
                biased;
                () = self.stop.cancelled() => break,
                Some(_) = tasks.join_next(), if !tasks.is_empty() => continue,
                accepted = self.acceptor.accept() => accepted,
            };
            match accepted {
                Ok(stream) => {
                    pause = FIRST_PAUSE;
                    self.admit(stream, &mut tasks, &mute);
                }
                Err(error) if concerns_one_connection(&error) => {}
                // Out of descriptors or memory: they come back as connections end.
                Err(error) => {
                    self.statistics.count_accept_error();
                    tracing::warn!(source = self.source.name, %error, "cannot accept connections");
                    let _ = timeout(pause, self.stop.cancelled()).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
        for _ in 0..self.source.limits.connections {
            let Ok(Ok(stream)) = timeout(DRAIN_GRACE, self.acceptor.accept()).await else { break };
            self.admit(stream, &mut tasks, &mute);
        }
        drop(self.acceptor);
        while tasks.join_next().await.is_some() {}
    }

    fn admit(&self, stream: Stream, tasks: &mut JoinSet<()>, mute: &Arc<Mute>) {
        let sender = match &stream {
            Stream::Tcp(_, sender) => Some(*sender),
            Stream::Unix(_) => None,
        };
        if !may_send(&self.source.senders, sender) {
            self.statistics.count_refused(Refusal::SenderNotAllowed);
            return;
        }
        while tasks.try_join_next().is_some() {}
        if tasks.len() >= self.source.limits.connections {
            self.statistics.count_refused(Refusal::TooManyConnections);
            if !mute.close_oldest() {
                return;
            }
        }
        let place = mute.enter();
        let connection = Connection {
            name: self.source.name.clone(),
            id: self.id,
            sender,
            limits: self.source.limits.clone(),
            statistics: Arc::clone(&self.statistics),
            queue: self.queue.clone(),
            stop: self.stop.clone(),
            place,
        };
        match stream {
            Stream::Tcp(stream, _) => {
                let keepalive = socket2::TcpKeepalive::new()
                    .with_time(KEEPALIVE)
                    .with_interval(KEEPALIVE_INTERVAL);
                // A socket that refuses is no worse than one without.
                let _ = socket2::SockRef::from(&stream).set_tcp_keepalive(&keepalive);
                tasks.spawn(connection.serve(stream, self.tls.clone()));
            }
            Stream::Unix(stream) => {
                tasks.spawn(connection.serve(stream, None));
            }
        }
    }
}

/// The connections that have not sent a message yet.
#[derive(Default)]
struct Mute {
    waiting: Mutex<Waiting>,
}

/// Connections by the number of their arrival, so that the oldest comes first.
#[derive(Default)]
struct Waiting {
    arrivals: u64,
    places: BTreeMap<u64, CancellationToken>,
}

impl Mute {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(self: &Arc<Self>) -> Place {
        let close = CancellationToken::new();
        let mut waiting = self.lock();
        waiting.arrivals += 1;
        let number = waiting.arrivals;
        waiting.places.insert(number, close.clone());
        Place { mute: Arc::clone(self), number, close, spoke: false }
    }

    fn close_oldest(&self) -> bool {
        let oldest = self.lock().places.pop_first();
        oldest.is_some_and(|(_, close)| {
            close.cancel();
            true
        })
    }
}

/// The place of a connection among those that have not sent a message yet.
pub(super) struct Place {
    mute: Arc<Mute>,
    number: u64,
    /// Cancelled when the connection has to make room.
    pub(super) close: CancellationToken,
    spoke: bool,
}

impl Place {
    /// The connection has sent a message: it keeps its place.
    pub(super) fn spoke(&mut self) {
        if !self.spoke {
            self.spoke = true;
            self.mute.lock().places.remove(&self.number);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.spoke();
    }
}

/// Whether the permitted senders include this one. Unix sockets have no sender address.
pub(super) fn may_send(permitted: &[IpNet], sender: Option<IpAddr>) -> bool {
    permitted.is_empty()
        || sender.is_none_or(|sender| permitted.iter().any(|net| net.contains(&sender)))
}

/// Errors of accept(2) that the connection brought along and that are gone with it.
fn concerns_one_connection(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(
            libc::ECONNABORTED
                | libc::EINTR
                | libc::EPERM
                | libc::EPROTO
                | libc::ENOPROTOOPT
                | libc::ENETDOWN
                | libc::ENETUNREACH
                | libc::EHOSTDOWN
                | libc::EHOSTUNREACH
                | libc::ENONET
                | libc::EOPNOTSUPP
        )
    )
}
