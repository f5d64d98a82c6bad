//! What a source counts: lines, bytes, connections, and what did not go on, by reason.
//!
//! The listeners count here without a lock; whoever exports the figures only reads. Every line
//! that was received either went into the queue or was dropped for one [`Reason`]; a connection
//! that was not served was so for one [`Refusal`]. Both sets are closed, so that a metric label
//! cannot grow with what strangers send.

#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use crate::value::Time;

/// Why a line did not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// An octet count that cannot be true, or bytes between frames that belong to none.
    BadFrame,
    /// A frame of which the end never came.
    Incomplete,
    /// A datagram came while the queue to the parsers was full.
    QueueFull,
    /// The kernel dropped a datagram because its receive buffer was full.
    ReceiveBufferFull,
    /// The sender is not in the list of permitted senders.
    SenderNotAllowed,
    /// The sender sends more lines a second than it may.
    RateLimited,
    /// Weir itself wrote it.
    Own,
    /// An entry of the journal that cannot be read, because its file is damaged.
    Unreadable,
    /// A sender sent again what it had not read the answer to.
    Replayed,
}

impl Reason {
    /// All reasons, in the order they are exported.
    pub const ALL: [Self; 9] = [
        Self::BadFrame,
        Self::Incomplete,
        Self::QueueFull,
        Self::ReceiveBufferFull,
        Self::SenderNotAllowed,
        Self::RateLimited,
        Self::Own,
        Self::Unreadable,
        Self::Replayed,
    ];

    /// The name of the reason in metrics and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::BadFrame => "bad_frame",
            Self::Incomplete => "incomplete",
            Self::QueueFull => "queue_full",
            Self::ReceiveBufferFull => "receive_buffer_full",
            Self::SenderNotAllowed => "sender_not_allowed",
            Self::RateLimited => "rate_limited",
            Self::Own => "own",
            Self::Unreadable => "unreadable",
            Self::Replayed => "replayed",
        }
    }
}

/// Why a connection was not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// It was refused, or another was closed in its favour, to stay in the limit.
    TooManyConnections,
    /// The peer is not in the list of permitted senders.
    SenderNotAllowed,
    /// The TLS handshake failed.
    TlsHandshake,
}

impl Refusal {
    /// All refusals, in the order they are exported.
    pub const ALL: [Self; 3] =
        [Self::TooManyConnections, Self::SenderNotAllowed, Self::TlsHandshake];

    /// The name of the refusal in metrics and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TooManyConnections => "too_many_connections",
            Self::SenderNotAllowed => "sender_not_allowed",
            Self::TlsHandshake => "tls_handshake",
        }
    }
}

/// The counters of one source.
#[derive(Debug, Default)]
pub struct Statistics {
    lines: AtomicU64,
    bytes: AtomicU64,
    accepted: AtomicU64,
    open: AtomicU64,
    accept_errors: AtomicU64,
    cut: AtomicU64,
    full: AtomicU64,
    dropped: [AtomicU64; Reason::ALL.len()],
    refused: [AtomicU64; Refusal::ALL.len()],
    /// Nanoseconds since 1970; 0 before the first line.
    last_line: AtomicI64,
    trouble: Mutex<Option<String>>,
}

impl Statistics {
    /// Lines that went into the queue.
    #[must_use]
    pub fn lines(&self) -> u64 {
        self.lines.load(Relaxed)
    }

    /// Bytes of these lines, framing not included.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    /// Connections accepted since the start.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Relaxed)
    }

    /// Connections open now.
    #[must_use]
    pub fn open(&self) -> u64 {
        self.open.load(Relaxed)
    }

    /// Times that the kernel could not give us a connection (out of descriptors or memory).
    #[must_use]
    pub fn accept_errors(&self) -> u64 {
        self.accept_errors.load(Relaxed)
    }

    /// Lines that were longer than the limit: their beginning went on, the rest did not.
    #[must_use]
    pub fn cut(&self) -> u64 {
        self.cut.load(Relaxed)
    }

    /// Times that a batch of lines found no room in the queue.
    #[must_use]
    pub fn full(&self) -> u64 {
        self.full.load(Relaxed)
    }

    /// Lines dropped for a reason.
    #[must_use]
    pub fn dropped(&self, reason: Reason) -> u64 {
        self.dropped[reason as usize].load(Relaxed)
    }

    /// Lines dropped for whatever reason.
    #[must_use]
    pub fn all_dropped(&self) -> u64 {
        Reason::ALL.into_iter().map(|reason| self.dropped(reason)).sum()
    }

    /// Connections refused for a reason.
    #[must_use]
    pub fn refused(&self, refusal: Refusal) -> u64 {
        self.refused[refusal as usize].load(Relaxed)
    }

    /// When the last line was received; none before the first.
    #[must_use]
    pub fn last_line(&self) -> Option<Time> {
        let nanos = self.last_line.load(Relaxed);
        (nanos != 0).then(|| Time::from_nanos(nanos))
    }

    /// What keeps the source from receiving, in words; none when all is well.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Says what keeps the source from receiving, or that nothing does.
    pub fn set_trouble(&self, trouble: Option<String>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    pub(crate) fn count_lines(&self, lines: usize, bytes: usize, received_at: Time) {
        self.last_line.store(received_at.nanos, Relaxed);
        self.lines.fetch_add(lines as u64, Relaxed);
        self.bytes.fetch_add(bytes as u64, Relaxed);
    }

    pub(crate) fn count_dropped(&self, reason: Reason, count: u64) {
        self.dropped[reason as usize].fetch_add(count, Relaxed);
    }

    pub(crate) fn count_cut(&self) {
        self.cut.fetch_add(1, Relaxed);
    }

    pub(crate) fn count_full(&self) {
        self.full.fetch_add(1, Relaxed);
    }

    pub(crate) fn count_refused(&self, refusal: Refusal) {
        self.refused[refusal as usize].fetch_add(1, Relaxed);
    }

    pub(crate) fn count_opened(&self) {
        self.accepted.fetch_add(1, Relaxed);
        self.open.fetch_add(1, Relaxed);
    }

    pub(crate) fn count_closed(&self) {
        self.open.fetch_sub(1, Relaxed);
    }

    pub(crate) fn count_accept_error(&self) {
        self.accept_errors.fetch_add(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_own_counter_and_name() {
        let statistics = Statistics::default();
        for (index, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, index, "`ALL` is in the order of the enum");
            statistics.count_dropped(reason, index as u64 + 1);
        }
        for (index, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(statistics.dropped(reason), index as u64 + 1, "{}", reason.name());
            let same = Reason::ALL.iter().filter(|other| other.name() == reason.name());
            assert_eq!(same.count(), 1, "{}", reason.name());
        }
        for (index, refusal) in Refusal::ALL.into_iter().enumerate() {
            assert_eq!(refusal as usize, index, "`ALL` is in the order of the enum");
            let same = Refusal::ALL.iter().filter(|other| other.name() == refusal.name());
            assert_eq!(same.count(), 1, "{}", refusal.name());
        }
    }
}
