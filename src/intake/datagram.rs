//! Receives datagrams, UDP (RFC 5426) or Unix, on a thread of its own: one message to a datagram.
//!
//! A plain blocking thread costs half of what an event loop costs per datagram. While many come it
//! lets them gather for a moment in the kernel's buffer: being woken for each costs more than
//! receiving it, most of all the one who sends. It never waits for the parsers: when their queue is
//! full it keeps lines back, and when those are too many the newest are dropped and counted, so
//! that neither the kernel's buffer overflows unseen nor local programs block on their log socket.

#![forbid(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::framing::trimmed;
use super::rate::Rates;
use super::recvmmsg::{self, Datagram, Receiver};
use super::spec::{Listen, Source};
use super::stream::may_send;
use super::unix::Users;
use super::waiting::{From, Waiting};
use super::{Closed, LineSender, Reason, Statistics};
use crate::event::SourceId;
use crate::system::clock;

/// How soon an idle thread sees that it is to stop.
const STOP_LATENCY: Duration = Duration::from_millis(200);
/// How long to wait after an error that the kernel should never give.
const PAUSE: Duration = Duration::from_millis(100);
/// Receive calls made for what is still in the socket when we are to stop, so that a flood
/// cannot keep us.
const DRAIN_CALLS: usize = 4096;
/// For how long datagrams gather while many come. The kernel's buffer has room for a hundred times
/// as long.
const BREATH: Duration = Duration::from_micros(500);
/// Datagrams in a second from which they are let gather.
const MANY: u32 = 5_000;
/// How often it is looked whether many come, and what the kernel has dropped.
const WINDOW: Duration = Duration::from_millis(10);
/// When we are to stop: how long to wait for the parsers to make room.
const LAST_WAIT: Duration = Duration::from_secs(2);

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
    if matches!(source.listen, Listen::UnixDatagram { .. }) {
        recvmmsg::want_credentials(socket.as_fd())?;
    }
    socket_ref.set_nonblocking(false)?;
    socket_ref.set_read_timeout(Some(STOP_LATENCY))
}

/// The loop of one datagram socket and what it owns.
pub(super) struct Datagrams {
    pub(super) source: Source,
    pub(super) id: SourceId,
    pub(super) socket: OwnedFd,
    pub(super) statistics: Arc<Statistics>,
    pub(super) queue: LineSender,
    pub(super) rates: Option<Rates>,
    /// Who may send over a Unix socket.
    pub(super) users: Users,
    pub(super) stop: CancellationToken,
}

impl Datagrams {
    /// Receives until told to stop or until nobody takes lines any more.
    pub(super) fn run(self) {
        // Closed: nobody wants what is left.
        let _ = self.receive();
    }

    fn receive(&self) -> Result<(), Closed> {
        // One byte more than the longest message, so that a longer one shows.
        let mut receiver = Receiver::new(self.source.limits.message + 1);
        let mut waiting = Waiting::new(self.id);
        let mut pace = Pace::new();
        let mut drained = 0;
        loop {
            let stopping = self.stop.is_cancelled();
            // With lines kept back, the queue is to be looked at again soon.
            let wait = !stopping && waiting.is_empty();
            let received = receiver.receive(self.socket.as_fd(), wait);
            match received {
                Ok(_) => self.take(&receiver, &mut waiting),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    if !stopping {
                        tracing::warn!(source = self.source.name, %error, "cannot receive");
                        std::thread::sleep(PAUSE);
                    }
                }
            }
            waiting.hand_over(&self.queue, &self.statistics)?;
            let count = receiver.count();
            if pace.count(count) || count == 0 {
                self.count_dropped(&mut pace);
            }
            if stopping {
                drained += 1;
                if count == 0 || drained >= DRAIN_CALLS {
                    return self.hand_over_rest(waiting);
                }
            } else if !receiver.is_full() && (pace.is_busy() || !waiting.is_empty()) {
                std::thread::sleep(BREATH);
            }
        }
    }

    fn take(&self, receiver: &Receiver, waiting: &mut Waiting) {
        let limit = self.source.limits.message;
        waiting.expect(receiver.count(), receiver.size(), clock::now());
        let now = clock::instant();
        for datagram in receiver.datagrams() {
            if !self.may_send(&datagram) {
                self.statistics.count_dropped(Reason::SenderNotAllowed, 1);
                continue;
            }
            let bytes = trimmed(datagram.bytes);
            if bytes.is_empty() {
                continue;
            }
            if self.rates.as_ref().is_some_and(|rates| !rates.admits(datagram.sender, now)) {
                self.statistics.count_dropped(Reason::RateLimited, 1);
                continue;
            }
            let cut = datagram.truncated || bytes.len() > limit;
            if cut {
                self.statistics.count_cut();
            }
            let bytes = bytes.get(..limit).unwrap_or(bytes);
            let from = datagram.user.map_or(From::Network(datagram.sender), From::User);
            if !waiting.push(bytes, cut, from) {
                self.statistics.count_dropped(Reason::QueueFull, 1);
            }
        }
    }

    /// Counts what the kernel has dropped since the last time.
    fn count_dropped(&self, pace: &mut Pace) {
        let Some(dropped) = recvmmsg::dropped(self.socket.as_fd()) else { return };
        let new = dropped.wrapping_sub(pace.dropped);
        self.statistics.count_dropped(Reason::ReceiveBufferFull, u64::from(new));
        pace.dropped = dropped;
    }

    /// Waits a while for room in the queue; what finds none is dropped.
    fn hand_over_rest(&self, mut waiting: Waiting) -> Result<(), Closed> {
        let until = clock::instant() + LAST_WAIT;
        while !waiting.is_empty() && clock::instant() < until {
            std::thread::sleep(BREATH);
            waiting.hand_over(&self.queue, &self.statistics)?;
        }
        self.statistics.count_dropped(Reason::QueueFull, waiting.len() as u64);
        Ok(())
    }

    fn may_send(&self, datagram: &Datagram<'_>) -> bool {
        may_send(&self.source.senders, datagram.sender) && self.users.permit(datagram.user)
    }
}

/// How many datagrams come.
struct Pace {
    begun: Instant,
    seen: u32,
    is_busy: bool,
    /// What the kernel had dropped when it was asked last.
    dropped: u32,
}

impl Pace {
    fn new() -> Self {
        Self { begun: clock::instant(), seen: 0, is_busy: false, dropped: 0 }
    }

    /// Counts datagrams; whether a window has ended.
    fn count(&mut self, received: usize) -> bool {
        self.seen = self.seen.saturating_add(u32::try_from(received).unwrap_or(u32::MAX));
        let elapsed = self.begun.elapsed();
        if elapsed < WINDOW {
            return false;
        }
        self.is_busy = f64::from(self.seen) > elapsed.as_secs_f64() * f64::from(MANY);
        self.seen = 0;
        self.begun += elapsed;
        true
    }

    fn is_busy(&self) -> bool {
        self.is_busy
    }
}
