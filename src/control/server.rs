//! The control socket: requests in, calls to those who answer, replies out.
//!
//! Hostile: whoever can open the socket may send anything. Requests are bounded in size,
//! connections in number, and each has its time; what is not a request is answered as a failure.

use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::access::{Owner, Peer};
use super::message::{FailureKind, LONGEST_REQUEST, Reply, Request};
use crate::system::peer;

/// A request on its way to the one who answers it.
#[derive(Debug)]
pub struct Call {
    /// What is asked.
    pub request: Request,
    /// Where the answer goes; the asker may be gone.
    pub reply: oneshot::Sender<Reply>,
}

/// The queues of those who answer. A full one makes the asker wait, and then go.
#[derive(Clone, Debug)]
pub struct Calls {
    /// Of the judge's loop: requests for which [`Request::is_for_judge`] holds.
    pub judge: mpsc::Sender<Call>,
    /// Of the daemon: the other ones.
    pub daemon: mpsc::Sender<Call>,
}

/// Why the socket could not be made.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Somebody answers there.
    #[error("another daemon is listening on the control socket `{}`", path.display())]
    InUse {
        /// Where.
        path: PathBuf,
    },
    /// Something else is there.
    #[error("`{}` is there and is no socket: name another control socket", path.display())]
    NotASocket {
        /// Where.
        path: PathBuf,
    },
    /// The system does not allow it.
    #[error("cannot make the control socket `{}`: {source}", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}

/// Connections served at the same time; further ones wait in the socket's backlog.
const MOST_CONNECTIONS: usize = 16;
/// How long a connection may take for a request or for reading an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the daemon may take for an answer. A reload with many rules takes seconds.
const ANSWER: Duration = Duration::from_secs(60);

/// The control socket.
#[derive(Debug)]
pub struct Server {
    listener: std::os::unix::net::UnixListener,
    path: PathBuf,
    owner: Owner,
}

impl Server {
    /// Makes the socket, for the daemon's user and group only. One that a dead daemon left behind
    /// is replaced.
    ///
    /// # Errors
    /// An [`OpenError`] that says what is in the way.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let io = |source| OpenError::Io { path: path.to_owned(), source };
        match std::fs::symlink_metadata(path) {
            Ok(found) if !found.file_type().is_socket() => {
                return Err(OpenError::NotASocket { path: path.to_owned() });
            }
            Ok(_) if std::os::unix::net::UnixStream::connect(path).is_ok() => {
                return Err(OpenError::InUse { path: path.to_owned() });
            }
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(io(error)),
        }
        // Under another name first, so that nobody finds it before its mode is right.
        let mut fresh = path.as_os_str().to_owned();
        fresh.push(".new");
        let fresh = PathBuf::from(fresh);
        match std::fs::remove_file(&fresh) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(io(error)),
            _ => {}
        }
        let listener = std::os::unix::net::UnixListener::bind(&fresh).map_err(io)?;
        listener.set_nonblocking(true).map_err(io)?;
        std::fs::set_permissions(&fresh, std::fs::Permissions::from_mode(0o660)).map_err(io)?;
        std::fs::rename(&fresh, path).map_err(io)?;
        let own = peer::own();
        let owner = Owner { uid: own.uid, gid: own.gid };
        Ok(Self { listener, path: path.to_owned(), owner })
    }

    /// Serves until `stop` is cancelled, and removes the socket then.
    ///
    /// # Errors
    /// When the socket cannot be listened to.
    pub async fn run(self, calls: Calls, stop: CancellationToken) -> std::io::Result<()> {
        let Self { listener, path, owner } = self;
        let inode = std::fs::symlink_metadata(&path).map(|found| found.ino()).ok();
        let listener = UnixListener::from_std(listener)?;
        let seats = Arc::new(Semaphore::new(MOST_CONNECTIONS));
        let mut connections = JoinSet::new();
        loop {
            let accepted = async {
                let seat = Arc::clone(&seats).acquire_owned().await;
                let seat = seat.expect("the semaphore is never closed");
                (seat, listener.accept().await)
            };
            let (seat, accepted) = tokio::select! {
                () = stop.cancelled() => break,
                accepted = accepted => accepted,
                Some(_) = connections.join_next() => continue,
            };
            match accepted {
                Ok((stream, _)) => {
                    let calls = calls.clone();
                    connections.spawn(async move {
                        // Whoever hangs up or stalls has had their turn.
                        if let Ok(peer) = peer_of(&stream) {
                            let _ = converse(stream, owner.trusts(&peer), &calls).await;
                        }
                        drop(seat);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept on the control socket");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
        connections.shutdown().await;
        // A daemon that took our place meanwhile keeps its socket.
        if std::fs::symlink_metadata(&path).map(|found| found.ino()).ok() == inode {
            let _ = std::fs::remove_file(&path);
        }
        Ok(())
    }
}

fn peer_of(stream: &UnixStream) -> std::io::Result<Peer> {
    let credentials = stream.peer_cred()?;
    let mut gids = peer::groups(stream.as_fd())?;
    gids.push(credentials.gid());
    Ok(Peer { uid: credentials.uid(), gids })
}

/// Answers the requests of one connection, one after the other.
async fn converse(mut stream: UnixStream, is_trusted: bool, calls: &Calls) -> std::io::Result<()> {
    let (reading, mut writing) = stream.split();
    let mut reading = BufReader::new(reading);
    let mut line = Vec::new();
    loop {
        line.clear();
        let most = LONGEST_REQUEST as u64 + 1;
        let mut bounded = (&mut reading).take(most);
        let read = timeout(PATIENCE, bounded.read_until(b'\n', &mut line)).await??;
        if read == 0 {
            return Ok(());
        }
        let is_too_long = line.len() > LONGEST_REQUEST;
        let reply = if is_too_long {
            let message = format!("a request is at most {LONGEST_REQUEST} bytes long");
            Reply::failed(FailureKind::Usage, message)
        } else {
            match serde_json::from_slice::<Request>(&line) {
                Ok(request) if request.is_change() && !is_trusted => Reply::failed(
                    FailureKind::Permission,
                    "only root and the user and group of the daemon may change anything",
                ),
                Ok(request) if request.shows_lines() && !is_trusted => Reply::failed(
                    FailureKind::Permission,
                    "only root and the user and group of the daemon may read log lines",
                ),
                Ok(request) => ask(request, calls, PATIENCE, ANSWER).await,
                Err(error) => {
                    Reply::failed(FailureKind::Usage, format!("this is no request: {error}"))
                }
            }
        };
        let mut answer = serde_json::to_vec(&reply).map_err(std::io::Error::other)?;
        answer.push(b'\n');
        timeout(PATIENCE, writing.write_all(&answer)).await??;
        if is_too_long {
            return Ok(());
        }
    }
}

/// Asks whoever answers: waits so long for a place in their queue, and so long for the answer.
pub(super) async fn ask(
    request: Request,
    calls: &Calls,
    patience: Duration,
    most: Duration,
) -> Reply {
    if request == Request::Version {
        return Reply::Version { version: env!("CARGO_PKG_VERSION").to_owned() };
    }
    let queue = if request.is_for_judge() { &calls.judge } else { &calls.daemon };
    let (reply, answer) = oneshot::channel();
    let busy = || Reply::failed(FailureKind::Unavailable, "the daemon is too busy to answer");
    match timeout(patience, queue.send(Call { request, reply })).await {
        Ok(Ok(())) => {}
        Ok(Err(_)) => return Reply::failed(FailureKind::Unavailable, "the daemon is stopping"),
        Err(_) => return busy(),
    }
    match timeout(most, answer).await {
        Ok(Ok(reply)) => reply,
        Ok(Err(_)) => Reply::failed(FailureKind::Unavailable, "the daemon is stopping"),
        Err(_) => busy(),
    }
}

#[cfg(test)]
mod tests;
