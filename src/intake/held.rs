//! Connections that outlive this process.
//!
//! Where a service manager keeps descriptors for us (sd_notify(3), `FDSTORE=1`), a connection is
//! given to it when it is accepted, and its bytes stay in the kernel until all that follows from
//! them is done: they are looked at, cut into messages, and taken from the socket when the receipt
//! for these messages comes back. Whatever ends this process, the next one finds the connection
//! and, in it, the first message that is not done with.
//!
//! What must hold:
//! * bytes are taken up to the end of a frame only, so that whoever comes next begins with one;
//! * where that cannot be, because a frame is longer than what the kernel holds or does not come
//!   to its end, the manager is told to forget the connection until the frame is over: half a
//!   frame is never taken for a whole one.

#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::unix::AsyncFd;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout, timeout_at};

use super::Closed;
use super::connection::{CROWDED_LIMIT, Connection, DRAIN_GRACE, DRAIN_LIMIT, End, QUIET, now};
use super::framing::Framer;
use super::{peek, recvmmsg};
use crate::event::Receipt;
use crate::system::notify;

/// Bytes of a connection that are looked at ahead of what is done with: well below what a socket
/// holds, so that the sender is never kept waiting for us to take some.
const AHEAD: usize = 64 * 1024;
/// For how long a frame may stand still before its beginning is taken from the socket: the kernel
/// may have no room for the rest. A hundred bytes that come one by one over a Unix socket are a
/// quarter of what it holds, and their sender is only woken below that.
const STALL: Duration = Duration::from_millis(200);
/// The receive buffer of a TCP connection: the few bytes of a frame that is not whole hold on to
/// the whole segment that they came in, which may be 64 KiB, twice that with its bookkeeping, and as
/// much as a buffer usually has; the sender would stand still until they are taken.
const RECEIVE_BUFFER: usize = 1 << 20;
/// When we are to stop: how long to wait for the receipts of what was sent on.
const LAST_WAIT: Duration = Duration::from_secs(2);

/// What the names of kept connections begin with.
const PREFIX: &str = "connection";

/// A connection and its name at the service manager.
pub(super) struct Held {
    socket: AsyncFd<OwnedFd>,
    name: String,
    is_stored: bool,
    /// [`STALL`].
    stall: Duration,
}

fn make_room(socket: &OwnedFd) {
    if socket2::SockRef::from(socket).domain().is_ok_and(|domain| domain != socket2::Domain::UNIX) {
        // With less it is slower now and then.
        let _ = recvmmsg::set_receive_buffer(socket.as_fd(), RECEIVE_BUFFER);
    }
}

/// The source whose connection a descriptor with this name is; none if it is no connection.
#[must_use]
pub fn source_of(name: &str) -> Option<&str> {
    let mut parts = name.rsplitn(3, '-');
    let (_number, _process, rest) = (parts.next()?, parts.next()?, parts.next()?);
    rest.strip_prefix(PREFIX)?.strip_prefix('-')
}

impl Held {
    /// Gives a new connection to the service manager.
    ///
    /// # Errors
    /// When the runtime cannot watch it.
    pub(super) fn store(socket: OwnedFd, source: &str) -> io::Result<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}-{source}-{}-{number}", std::process::id());
        make_room(&socket);
        let socket = peek::watch(socket)?;
        let mut held = Self { socket, name, is_stored: false, stall: STALL };
        held.keep();
        Ok(held)
    }

    /// Goes on with one that the service manager kept.
    ///
    /// # Errors
    /// When the runtime cannot watch it; the manager forgets it then.
    pub(super) fn adopt(socket: OwnedFd, name: String) -> io::Result<Self> {
        match peek::watch(socket) {
            Ok(socket) => Ok(Self { socket, name, is_stored: true, stall: STALL }),
            Err(error) => {
                notify::forget(&name);
                Err(error)
            }
        }
    }

    fn keep(&mut self) {
        if !self.is_stored {
            notify::store(&self.name, self.socket.get_ref().as_fd());
            self.is_stored = true;
        }
    }

    fn forget(&mut self) {
        if self.is_stored {
            notify::forget(&self.name);
            self.is_stored = false;
        }
    }
}

/// What is known of the bytes of a connection, all counted from its beginning.
struct Reader {
    eye: Eye,
    /// So many were taken from the socket.
    taken: u64,
    /// The ends of what was sent on, oldest first, and their receipts.
    sent: VecDeque<(u64, oneshot::Receiver<()>)>,
}

/// What looks at bytes.
struct Eye {
    framer: Framer,
    /// So many were looked at.
    seen: u64,
    space: Vec<u8>,
}

/// What a look at a socket showed.
enum Looked {
    /// So many bytes that were not seen before.
    Bytes(usize),
    /// The peer has closed it, and everything was seen.
    End,
}

impl Connection {
    /// Reads until the connection ends or we are to stop. In the latter case it stays open for
    /// whoever comes after us.
    pub(super) async fn run_held(mut self, mut held: Held) {
        self.statistics.count_opened();
        let eye = Eye { framer: Framer::new(self.limits.message), seen: 0, space: Vec::new() };
        let mut reader = Reader { eye, taken: 0, sent: VecDeque::new() };
        let end = self.read_held(&mut held, &mut reader).await;
        let stays = matches!(end, End::Stop | End::NoQueue);
        let settled = async {
            while !reader.sent.is_empty() {
                oldest(&mut reader.sent).await;
                if reader.settle(&mut held).is_err() {
                    return;
                }
            }
        };
        if timeout(LAST_WAIT, settled).await.is_err() {
            tracing::debug!("a connection ends before all that was read of it is done");
        }
        if !stays || !held.is_stored {
            held.forget();
            self.finish(reader.eye.framer, matches!(end, End::Closed)).await;
        }
        self.statistics.count_closed();
    }

    async fn read_held(&mut self, held: &mut Held, reader: &mut Reader) -> End {
        let mut begun: Option<Instant> = None;
        // When it has to end, what has arrived already is still read.
        let mut last_call: Option<Instant> = None;
        let mut last = End::Stop;
        loop {
            let patience = match last_call {
                Some(_) => DRAIN_GRACE,
                None if reader.eye.framer.is_inside() && reader.ahead() > 0 => held.stall,
                None => QUIET,
            };
            let frame_end = begun.map(|begun| begun + self.limits.frame_timeout);
            let until = frame_end.map_or(now() + patience, |end| end.min(now() + patience));
            let (ahead, has_room) = (reader.ahead(), reader.has_room());
            let looked = tokio::select! {
                biased;
                () = self.stop.cancelled(), if last_call.is_none() => {
                    last_call = Some(now() + DRAIN_LIMIT);
                    continue;
                }
                () = self.place.close.cancelled(), if last_call.is_none() => {
                    last_call = Some(now() + CROWDED_LIMIT);
                    last = End::Crowded;
                    continue;
                }
                () = oldest(&mut reader.sent), if !reader.sent.is_empty() => {
                    if reader.settle(held).is_err() {
                        return End::Broken;
                    }
                    continue;
                }
                looked = timeout_at(until, reader.eye.look(&held.socket, ahead)), if has_room => looked,
            };
            match looked {
                Ok(Ok(Looked::Bytes(count))) => reader.eye.filled(count),
                Ok(Ok(Looked::End)) => return End::Closed,
                Ok(Err(_)) => return End::Broken,
                Err(_) if last_call.is_some() => return last,
                Err(_) if frame_end.is_some_and(|end| now() >= end) => return End::Broken,
                Err(_) => {
                    if reader.let_go(held).is_err() {
                        return End::Broken;
                    }
                    continue;
                }
            }
            let frames = match self.deliver_held(reader).await {
                Ok(frames) => frames,
                Err(Closed) => return End::NoQueue,
            };
            self.keep_to_rate(frames).await;
            if last_call.is_some_and(|until| now() >= until) {
                return last;
            }
            begun = match begun {
                _ if !reader.eye.framer.is_inside() => None,
                Some(begun) if frames == 0 => Some(begun),
                _ => Some(now()),
            };
            if reader.ahead() >= AHEAD && reader.let_go(held).is_err() {
                return End::Broken;
            }
        }
    }

    /// Sends on all messages that are whole, with a receipt, and says how many frames there were.
    async fn deliver_held(&mut self, reader: &mut Reader) -> Result<usize, Closed> {
        let (mut batch, frames) = self.cut(&mut reader.eye.framer);
        let boundary = reader.eye.framer.boundary();
        if boundary > reader.sent.back().map_or(reader.taken, |(end, _)| *end) {
            let (told, receipt) = oneshot::channel();
            reader.sent.push_back((boundary, receipt));
            // Where there is no message, it is dropped at once: these bytes are done with.
            batch.receipt = Some(Receipt::new(move || {
                // Whoever waited for it may have gone.
                let _ = told.send(());
            }));
        }
        self.queue.send(batch, &self.statistics).await?;
        Ok(frames)
    }
}

impl Eye {
    /// Waits for bytes behind those `ahead` in the socket that were seen already, and puts them
    /// into the framer's space.
    async fn look(&mut self, socket: &AsyncFd<OwnedFd>, ahead: usize) -> io::Result<Looked> {
        loop {
            let mut ready = socket.readable().await?;
            let is_closed = ready.ready().is_read_closed();
            let looked = ready.try_io(|socket| {
                let space = self.framer.space();
                self.space.resize(ahead + space.len().min(AHEAD), 0);
                let waiting = peek::peek(socket.get_ref().as_fd(), &mut self.space)?;
                let new = self.space.get(ahead..waiting).unwrap_or_default();
                if new.is_empty() && !is_closed && waiting > 0 {
                    // The kernel's next word is waited for, not the present one again.
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                space[..new.len()].copy_from_slice(new);
                Ok(new.len())
            });
            return match looked {
                Ok(Ok(0)) => Ok(Looked::End),
                Ok(Ok(count)) => Ok(Looked::Bytes(count)),
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => continue,
                Ok(Err(error)) => Err(error),
                Err(_would_block) => continue,
            };
        }
    }

    fn filled(&mut self, count: usize) {
        self.framer.filled(count);
        self.seen += count as u64;
    }
}

/// Waits for the oldest receipt; [`Reader::settle`] must follow.
async fn oldest(sent: &mut VecDeque<(u64, oneshot::Receiver<()>)>) {
    if let Some((_, receipt)) = sent.front_mut() {
        // Dropped means the same as told: nobody has these lines any more.
        let _ = receipt.await;
    }
}

impl Reader {
    /// Bytes that were seen and are still in the socket.
    fn ahead(&self) -> usize {
        usize::try_from(self.eye.seen - self.taken).unwrap_or(usize::MAX)
    }

    /// Whether more may be looked at; else receipts are to be waited for.
    fn has_room(&self) -> bool {
        self.ahead() < AHEAD || self.sent.is_empty()
    }

    /// The oldest receipt is there: what it is for is taken from the socket.
    fn settle(&mut self, held: &mut Held) -> io::Result<()> {
        let Some((end, _)) = self.sent.pop_front() else { return Ok(()) };
        self.take_until(held, end)?;
        // The socket begins with a frame now, whatever was before.
        held.keep();
        Ok(())
    }

    /// Takes the beginning of a frame, which does not come to its end, from the socket.
    fn let_go(&mut self, held: &mut Held) -> io::Result<()> {
        if self.sent.is_empty() && self.ahead() > 0 {
            held.forget();
            self.take_until(held, self.eye.seen)?;
        }
        self.eye.space = Vec::new();
        self.eye.framer.shrink();
        Ok(())
    }

    fn take_until(&mut self, held: &Held, end: u64) -> io::Result<()> {
        let count = usize::try_from(end.saturating_sub(self.taken)).unwrap_or(usize::MAX);
        peek::discard(held.socket.get_ref().as_fd(), count)?;
        self.taken = self.taken.max(end);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
