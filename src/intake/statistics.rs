//! What a source counts: lines, bytes, connections, and drops by reason.
//!
//! The listeners count here without a lock; whoever exports the figures only reads. Every drop
//! has one [`Reason`], and the set of reasons is closed, so that a metric label cannot grow with
//! what strangers send.

#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Why bytes, a line or a connection did not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// A message longer than the limit: its beginning went on, the rest did not.
    Oversize,
    /// An octet count that cannot be true, or bytes between frames that belong to none.
    BadFrame,
    /// A frame of which the end never came.
    Incomplete,
    /// A datagram came while the queue to the parsers was full.
    QueueFull,
    /// The kernel dropped a datagram because its receive buffer was full.
    ReceiveBufferFull,
    /// A connection was refused, or closed without having said anything, to stay in the limit.
    TooManyConnections,
    /// The sender is not in the list of permitted senders.
    SenderNotAllowed,
}

impl Reason {
    /// All reasons, in the order they are exported.
    pub const ALL: [Self; 7] = [
        Self::Oversize,
        Self::BadFrame,
        Self::Incomplete,
        Self::QueueFull,
        Self::ReceiveBufferFull,
        Self::TooManyConnections,
        Self::SenderNotAllowed,
    ];

    /// The name of the reason in metrics and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Oversize => "oversize",
            Self::BadFrame => "bad_frame",
            Self::Incomplete => "incomplete",
            Self::QueueFull => "queue_full",
            Self::ReceiveBufferFull => "receive_buffer_full",
            Self::TooManyConnections => "too_many_connections",
            Self::SenderNotAllowed => "sender_not_allowed",
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
    dropped: [AtomicU64; Reason::ALL.len()],
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

    /// How much was dropped for a reason: lines, or connections for the reasons that concern
    /// connections.
    #[must_use]
    pub fn dropped(&self, reason: Reason) -> u64 {
        self.dropped[reason as usize].load(Relaxed)
    }

    pub(crate) fn count_lines(&self, lines: usize, bytes: usize) {
        self.lines.fetch_add(lines as u64, Relaxed);
        self.bytes.fetch_add(bytes as u64, Relaxed);
    }

    pub(crate) fn count_dropped(&self, reason: Reason, count: u64) {
        self.dropped[reason as usize].fetch_add(count, Relaxed);
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
    }
}
