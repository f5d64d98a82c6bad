//! Sources opened, and sources running.
//!
//! Opening needs privileges (ports below 1024, large receive buffers, directories of root) and
//! happens before they are dropped; running needs none. Sockets may also come from the service
//! manager, so that nothing is lost while Weir restarts.

#![forbid(unsafe_code)]

use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::sync::Arc;

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::datagram::{self, Datagrams};
use super::journal::Following;
use super::journal::bookmark::Bookmark;
use super::rate::Rates;
use super::spec::{Journal, Listen, Source};
use super::stream::{Acceptor, Streams};
use super::tls::Tls;
use super::unix::{self, SocketFile, Users};
use super::{IntakeError, LineSender, Statistics};
use crate::event::SourceId;
use crate::system::{clock, notify};

/// Connections that the kernel holds until we accept them.
const BACKLOG: i32 = 1024;

/// A source whose socket is open and that nobody reads yet.
#[derive(Debug)]
pub struct Opened {
    source: Source,
    id: SourceId,
    socket: Listening,
    /// Removed when the source stops; none for a socket that was passed to us.
    file: Option<SocketFile>,
    tls: Option<Arc<Tls>>,
    users: Users,
    statistics: Arc<Statistics>,
    /// Connections that the service manager kept for us, and their names there.
    kept: Vec<(OwnedFd, String)>,
}

#[derive(Debug)]
enum Listening {
    Datagrams(OwnedFd),
    Tcp(TcpListener),
    Unix(UnixListener),
    /// A journal, which is opened when it is read.
    Journal(Journal, Arc<Bookmark>),
}

impl Opened {
    /// Opens the socket that a source describes.
    ///
    /// # Errors
    /// When the kernel refuses: the port is in use or needs privileges, the path is taken.
    pub fn open(source: &Source, id: SourceId) -> Result<Self, IntakeError> {
        Self::open_counting(source, id, Arc::default())
    }

    /// The same for a source whose counters are there already, because it could not be opened
    /// before.
    ///
    /// # Errors
    /// Those of [`Self::open`].
    pub fn open_counting(
        source: &Source,
        id: SourceId,
        statistics: Arc<Statistics>,
    ) -> Result<Self, IntakeError> {
        let (socket, file) = bind(source).map_err(|error| IntakeError::listen(source, error))?;
        Self::new(source, id, socket, file, statistics)
    }

    /// Takes a socket that is open already, as the service manager passes it.
    ///
    /// # Errors
    /// When the socket is not of the kind that the source describes, or does not listen.
    pub fn from_fd(source: &Source, id: SourceId, socket: OwnedFd) -> Result<Self, IntakeError> {
        Self::from_fd_counting(source, id, socket, Arc::default())
    }

    /// The same for a source whose counters are there already.
    ///
    /// # Errors
    /// Those of [`Self::from_fd`].
    pub fn from_fd_counting(
        source: &Source,
        id: SourceId,
        socket: OwnedFd,
        statistics: Arc<Statistics>,
    ) -> Result<Self, IntakeError> {
        let wanted = match &source.listen {
            Listen::Udp(_) | Listen::UnixDatagram { .. } => Type::DGRAM,
            Listen::Tcp(_) | Listen::Relp(_) | Listen::UnixStream { .. } => Type::STREAM,
            Listen::Journal(_) => return Err(IntakeError::inherited(source)),
        };
        let is_unix =
            matches!(source.listen, Listen::UnixDatagram { .. } | Listen::UnixStream { .. });
        let socket_ref = SockRef::from(&socket);
        let fits = || {
            let is_kind = socket_ref.r#type()? == wanted;
            let is_family = (socket_ref.domain()? == Domain::UNIX) == is_unix;
            let is_ready = socket_ref.is_listener()? == (wanted == Type::STREAM);
            io::Result::Ok(is_kind && is_family && is_ready)
        };
        if !fits().unwrap_or(false) {
            return Err(IntakeError::inherited(source));
        }
        let socket = match &source.listen {
            Listen::Udp(_) | Listen::UnixDatagram { .. } => Listening::Datagrams(socket),
            Listen::Tcp(_) | Listen::Relp(_) => Listening::Tcp(socket.into()),
            Listen::UnixStream { .. } => Listening::Unix(socket.into()),
            Listen::Journal(_) => return Err(IntakeError::inherited(source)),
        };
        Self::new(source, id, socket, None, statistics)
    }

    fn new(
        source: &Source,
        id: SourceId,
        socket: Listening,
        file: Option<SocketFile>,
        statistics: Arc<Statistics>,
    ) -> Result<Self, IntakeError> {
        let prepared = match &socket {
            Listening::Datagrams(socket) => datagram::prepare(source, socket),
            Listening::Tcp(socket) => socket.set_nonblocking(true),
            Listening::Unix(socket) => socket.set_nonblocking(true),
            Listening::Journal(..) => Ok(()),
        };
        prepared.map_err(|error| IntakeError::listen(source, error))?;
        let tls = source.tls.as_ref().map(Tls::open).transpose();
        let tls = tls.map_err(|error| IntakeError::Tls { name: source.name.clone(), error })?;
        let users = Users::find(&source.users)
            .map_err(|user| IntakeError::User { name: source.name.clone(), user })?;
        let (source, tls) = (source.clone(), tls.map(Arc::new));
        Ok(Self { source, id, socket, file, tls, users, statistics, kept: Vec::new() })
    }

    /// Goes on with a connection to this source that the service manager kept under this name.
    pub fn adopt(&mut self, connection: OwnedFd, name: String) {
        self.kept.push((connection, name));
    }

    /// What the source is.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Whether it accepts connections.
    #[must_use]
    pub fn is_stream(&self) -> bool {
        !matches!(self.socket, Listening::Datagrams(_))
    }

    /// Its number.
    #[must_use]
    pub fn id(&self) -> SourceId {
        self.id
    }

    /// Its counters, which go on counting when it runs.
    #[must_use]
    pub fn statistics(&self) -> &Arc<Statistics> {
        &self.statistics
    }

    /// Its certificate, which can be read again while it runs.
    #[must_use]
    pub fn tls(&self) -> Option<&Arc<Tls>> {
        self.tls.as_ref()
    }

    /// How far it has come, for a source that goes on where it was when Weir starts again.
    #[must_use]
    pub fn bookmark(&self) -> Option<&Arc<Bookmark>> {
        match &self.socket {
            Listening::Journal(_, bookmark) => Some(bookmark),
            _ => None,
        }
    }

    /// The address that the kernel has given it; `None` for what has none.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        let address = match &self.socket {
            Listening::Datagrams(socket) => SockRef::from(socket).local_addr(),
            Listening::Tcp(socket) => SockRef::from(socket).local_addr(),
            Listening::Unix(_) | Listening::Journal(..) => return None,
        };
        address.ok()?.as_socket()
    }

    /// Starts receiving into `queue`, in a task or thread that `tasks` tracks, until `stop`. Then
    /// what has arrived already is read and sent on, and the task ends. Must be called in a tokio
    /// runtime.
    ///
    /// # Errors
    /// When the kernel gives no thread, or the runtime cannot watch the socket.
    pub fn spawn(
        self,
        tasks: &TaskTracker,
        queue: LineSender,
        stop: CancellationToken,
    ) -> Result<(), IntakeError> {
        let Self { source, id, socket, file, tls, users, statistics, kept } = self;
        let failed = |error| IntakeError::start(&source, error);
        let acceptor = match socket {
            Listening::Datagrams(socket) => {
                let tracked = tasks.token();
                let rates = source.limits.rate.map(Rates::new);
                let name = format!("intake {}", source.name);
                let datagrams = Datagrams {
                    source: source.clone(),
                    id,
                    socket,
                    statistics,
                    queue,
                    rates,
                    users,
                    stop,
                };
                std::thread::Builder::new()
                    .name(name)
                    .spawn(move || {
                        datagrams.run();
                        drop(file);
                        drop(tracked);
                    })
                    .map_err(failed)?;
                return Ok(());
            }
            Listening::Journal(journal, bookmark) => {
                let tracked = tasks.token();
                let runtime = tokio::runtime::Handle::current();
                let following = Following {
                    name: source.name.clone(),
                    journal,
                    limit: source.limits.message,
                    statistics,
                    stop,
                    begun_at: clock::now(),
                };
                std::thread::Builder::new()
                    .name(format!("intake {}", source.name))
                    .spawn(move || {
                        following.run(id, queue, runtime, bookmark);
                        drop(tracked);
                    })
                    .map_err(failed)?;
                return Ok(());
            }
            Listening::Tcp(socket) => {
                Acceptor::Tcp(tokio::net::TcpListener::from_std(socket).map_err(failed)?)
            }
            Listening::Unix(socket) => {
                Acceptor::Unix(tokio::net::UnixListener::from_std(socket).map_err(failed)?)
            }
        };
        // What a TLS connection has agreed on ends with this process.
        let is_plain = matches!(source.listen, Listen::Tcp(_) | Listen::UnixStream { .. });
        let holds = is_plain && tls.is_none() && notify::has_manager();
        let relp = matches!(source.listen, Listen::Relp(_)).then(Arc::default);
        let rates = source.limits.rate.map(|rate| Arc::new(Rates::new(rate)));
        let streams = Streams {
            source,
            id,
            acceptor,
            tls,
            relp,
            statistics,
            queue,
            rates,
            users,
            stop,
            kept,
            holds,
        };
        tasks.spawn(async move {
            streams.run().await;
            drop(file);
        });
        Ok(())
    }
}

fn bind(source: &Source) -> io::Result<(Listening, Option<SocketFile>)> {
    Ok(match &source.listen {
        Listen::Journal(journal) => (Listening::Journal(journal.clone(), Arc::default()), None),
        Listen::Udp(address) => (Listening::Datagrams(udp(*address)?.into()), None),
        Listen::Tcp(address) | Listen::Relp(address) => (Listening::Tcp(tcp(*address)?), None),
        Listen::UnixDatagram { path, mode } => {
            let (socket, file) = unix::bind_datagram(path, *mode)?;
            (Listening::Datagrams(socket.into()), Some(file))
        }
        Listen::UnixStream { path, mode } => {
            let (socket, file) = unix::bind_stream(path, *mode)?;
            (Listening::Unix(socket), Some(file))
        }
    })
}

fn udp(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    both_families(&socket, address)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

fn tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    both_families(&socket, address)?;
    // Connections of an earlier run in TIME_WAIT must not keep us from the port.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// `[::]` means all addresses of both families, whatever `net.ipv6.bindv6only` says.
fn both_families(socket: &Socket, address: SocketAddr) -> io::Result<()> {
    if address.is_ipv6() { socket.set_only_v6(false) } else { Ok(()) }
}
