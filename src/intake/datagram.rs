//! Receives datagrams, UDP (RFC 5426) or Unix, on a thread of its own: one message to a datagram.
//!
//! A plain blocking thread costs half of what an event loop costs per datagram. It never waits
//! for the parsers: when their queue is full the newest lines are dropped and counted, so that
//! neither the kernel's buffer overflows unseen nor local programs block on their log socket.

#![forbid(unsafe_code)]

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::framing::trimmed;
use super::recvmmsg::{self, Receiver};
use super::spec::Source;
use super::stream::may_send;
use super::{LineSender, Reason, Statistics};
use crate::event::{Batch, SourceId};
use crate::system::clock;

/// How soon an idle thread sees that it is to stop.
const STOP_LATENCY: Duration = Duration::from_millis(200);
/// How long to wait after an error that the kernel should never give.
const PAUSE: Duration = Duration::from_millis(100);
/// Receive calls made for what is still in the socket when we are to stop, so that a flood
/// cannot keep us.
const DRAIN_CALLS: usize = 4096;

/// Sets the options of a socket that datagrams are to be received from.
pub(super) fn prepare(source: &Source, socket: &OwnedFd) -> io::Result<()> {
    let wanted = source.limits.receive_buffer;
    let granted = recvmmsg::set_receive_buffer(socket.as_fd(), wanted)?;
    if granted < wanted {
        tracing::warn!(
            source = source.name,
            wanted,
            granted,
            "the kernel grants a smaller receive buffer than wanted and may drop datagrams in a \
             burst; raise `net.core.rmem_max`"
        );
    }
    let socket_ref = socket2::SockRef::from(socket);
    socket_ref.set_nonblocking(false)?;
    socket_ref.set_read_timeout(Some(STOP_LATENCY))?;
    // Only UDP sockets report; the option is harmless on others.
    recvmmsg::report_overflows(socket.as_fd())
}

/// The loop of one datagram socket and what it owns.
pub(super) struct Datagrams {
    pub(super) source: Source,
    pub(super) id: SourceId,
    pub(super) socket: OwnedFd,
    pub(super) statistics: Arc<Statistics>,
    pub(super) queue: LineSender,
    pub(super) stop: CancellationToken,
}

impl Datagrams {
    /// Receives until told to stop or until nobody takes lines any more.
    pub(super) fn run(self) {
        // One byte more than the longest message, so that a longer one shows.
        let mut receiver = Receiver::new(self.source.limits.message + 1);
        let mut overflows = 0;
        let mut drained = 0;
        loop {
            let stopping = self.stop.is_cancelled();
            match receiver.receive(self.socket.as_fd(), !stopping) {
                Ok(_) => {
                    let batch = self.batch(&receiver, &mut overflows);
                    if self.queue.offer(batch, &self.statistics).is_err() {
                        return;
                    }
                    drained += usize::from(stopping);
                    if drained >= DRAIN_CALLS {
                        return;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if stopping {
                        return;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    if stopping {
                        return;
                    }
                    tracing::warn!(source = self.source.name, %error, "cannot receive");
                    std::thread::sleep(PAUSE);
                }
            }
        }
    }

    fn batch(&self, receiver: &Receiver, overflows: &mut u32) -> Batch {
        let limit = self.source.limits.message;
        let mut batch = Batch::new(self.id, clock::now());
        for datagram in receiver.datagrams() {
            if let Some(count) = datagram.overflows {
                let new = u64::from(count.wrapping_sub(*overflows));
                self.statistics.count_dropped(Reason::ReceiveBufferFull, new);
                *overflows = count;
            }
            if !self.may_send(datagram.sender) {
                self.statistics.count_dropped(Reason::SenderNotAllowed, 1);
                continue;
            }
            let bytes = trimmed(datagram.bytes);
            let cut = datagram.truncated || bytes.len() > limit;
            if cut {
                self.statistics.count_dropped(Reason::Oversize, 1);
            }
            let bytes = bytes.get(..limit).unwrap_or(bytes);
            if !bytes.is_empty() {
                batch.push(bytes, cut, datagram.sender);
            }
        }
        batch
    }

    fn may_send(&self, sender: Option<IpAddr>) -> bool {
        may_send(&self.source.senders, sender)
    }
}
