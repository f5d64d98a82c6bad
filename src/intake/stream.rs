//! Accepts connections, TCP or Unix, and gives each a task.
//!
//! Connections are limited; [`Places`] says who has to make room when there are too many.

#![forbid(unsafe_code)]

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::connection::{Connection, DRAIN_GRACE};
use super::held::Held;
use super::rate::Rates;
use super::relp::serve::Relp;
use super::spec::Source;
use super::tls::Tls;
use super::unix::Users;
use super::{LineSender, Refusal, Statistics};
use crate::event::SourceId;
use crate::system::places::{Entry, Place, Places};
use crate::system::{notify, peer};

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

impl Stream {
    /// The user at the other end of a Unix socket.
    fn user(&self) -> Option<u32> {
        match self {
            Self::Tcp(..) => None,
            Self::Unix(stream) => peer::user(stream.as_fd()).ok(),
        }
    }

    fn into_fd(self) -> io::Result<OwnedFd> {
        Ok(match self {
            Self::Tcp(stream, _) => stream.into_std()?.into(),
            Self::Unix(stream) => stream.into_std()?.into(),
        })
    }
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
    /// There when RELP is spoken, else both framings of RFC 6587 are.
    pub(super) relp: Option<Arc<Relp>>,
    pub(super) statistics: Arc<Statistics>,
    pub(super) queue: LineSender,
    pub(super) rates: Option<Arc<Rates>>,
    /// Who may send over a Unix socket.
    pub(super) users: Users,
    pub(super) stop: CancellationToken,
    /// Connections that the service manager kept for us, and their names there.
    pub(super) kept: Vec<(OwnedFd, String)>,
    /// Whether a service manager keeps connections.
    pub(super) holds: bool,
}

impl Streams {
    /// Accepts until told to stop; then takes the connections that wait, and ends when all
    /// connections have.
    pub(super) async fn run(mut self) {
        let mut tasks = JoinSet::new();
        let places = Places::new(self.source.limits.connections);
        for (socket, name) in std::mem::take(&mut self.kept) {
            self.go_on(socket, name, &mut tasks, &places);
        }
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
                    self.admit(stream, &mut tasks, &places);
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
            self.admit(stream, &mut tasks, &places);
        }
        drop(self.acceptor);
        while tasks.join_next().await.is_some() {}
    }

    fn admit(&self, stream: Stream, tasks: &mut JoinSet<()>, places: &Arc<Places>) {
        let sender = match &stream {
            Stream::Tcp(_, sender) => Some(*sender),
            Stream::Unix(_) => None,
        };
        let user = stream.user();
        while tasks.try_join_next().is_some() {}
        let Some(place) = self.place(sender, user, places) else { return };
        let mut connection = self.connection(sender, user, place);
        if let Stream::Tcp(stream, _) = &stream {
            let keepalive =
                socket2::TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE_INTERVAL);
            // A socket that refuses is no worse than one without.
            let _ = socket2::SockRef::from(stream).set_tcp_keepalive(&keepalive);
            // RELP senders stand still until they are answered, and an answer that waits to be
            // joined by more waits for theirs.
            let _ = stream.set_nodelay(true);
            if self.relp.is_some() {
                connection.socket = stream.as_fd().try_clone_to_owned().ok();
            }
        }
        if self.holds {
            match stream.into_fd().and_then(|socket| Held::store(socket, &self.source.name)) {
                Ok(held) => {
                    tasks.spawn(connection.run_held(held));
                }
                Err(error) => {
                    tracing::warn!(source = self.source.name, %error, "a connection is lost");
                }
            }
            return;
        }
        match stream {
            Stream::Tcp(stream, _) => tasks.spawn(connection.serve(stream, self.tls.clone())),
            Stream::Unix(stream) => tasks.spawn(connection.serve(stream, None)),
        };
    }

    /// Goes on with a connection that the service manager kept.
    fn go_on(&self, socket: OwnedFd, name: String, tasks: &mut JoinSet<()>, places: &Arc<Places>) {
        let peer = socket2::SockRef::from(&socket).peer_addr();
        let sender = match peer.as_ref().map(|peer| (peer.as_socket(), peer.is_unix())) {
            Ok((Some(address), _)) => Some(address.ip().to_canonical()),
            Ok((None, true)) => None,
            // It has been closed meanwhile.
            _ => return notify::forget(&name),
        };
        let user = sender.is_none().then(|| peer::user(socket.as_fd()).ok()).flatten();
        let Some(place) = self.place(sender, user, places) else { return notify::forget(&name) };
        match Held::adopt(socket, name) {
            Ok(held) => {
                tasks.spawn(self.connection(sender, user, place).run_held(held));
            }
            Err(error) => {
                tracing::warn!(source = self.source.name, %error, "a kept connection is lost");
            }
        }
    }

    /// A place for a connection of this sender, if it gets one.
    fn place(
        &self,
        sender: Option<IpAddr>,
        user: Option<u32>,
        places: &Arc<Places>,
    ) -> Option<Place> {
        let refused = |refusal| self.statistics.count_refused(refusal);
        if !may_send(&self.source.senders, sender) || !self.users.permit(user) {
            refused(Refusal::SenderNotAllowed);
            return None;
        }
        match places.enter(sender) {
            Entry::Free(place) => Some(place),
            Entry::InsteadOf(place) => {
                refused(Refusal::TooManyConnections);
                Some(place)
            }
            Entry::Refused => {
                refused(Refusal::TooManyConnections);
                None
            }
        }
    }

    fn connection(&self, sender: Option<IpAddr>, user: Option<u32>, place: Place) -> Connection {
        Connection {
            name: self.source.name.clone(),
            id: self.id,
            sender,
            user,
            limits: self.source.limits.clone(),
            statistics: Arc::clone(&self.statistics),
            queue: self.queue.clone(),
            rates: self.rates.clone(),
            stop: self.stop.clone(),
            place,
            relp: self.relp.clone(),
            socket: None,
        }
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
