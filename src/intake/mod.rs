//! Where lines come in: sockets and files, their framing, their limits, their counters.
//!
//! Everything received is hostile: each message, buffer, connection and wait has a bound, and
//! whatever is dropped has a [`Reason`] or a [`Refusal`] and is counted. A source is opened while we still have
//! privileges ([`Opened::open`]) and started later ([`Opened::spawn`]); its lines go in batches
//! into the queue to the parsers ([`LineSender`]). Nothing here knows what a line means.

mod buffer;
mod connection;
mod datagram;
mod error;
pub mod file;
pub mod framing;
mod held;
pub mod journal;
mod listener;
mod peek;
mod queue;
mod rate;
mod recvmmsg;
pub mod relp;
pub mod spec;
mod statistics;
mod stream;
pub mod tls;
mod unix;
mod waiting;

pub use error::IntakeError;
pub use held::source_of;
pub use listener::Opened;
pub use queue::{Closed, LineSender};
pub use statistics::{Reason, Refusal, Statistics};

#[cfg(test)]
pub(crate) mod tests;
