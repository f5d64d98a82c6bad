//! Where lines come in: sockets and files, their framing, their limits, their counters.
//!
//! Everything received is hostile: each message, buffer, connection and wait has a bound, and
//! whatever is dropped has a [`Reason`] and is counted. Nothing here knows what a line means.

pub mod framing;
pub mod spec;
mod statistics;

pub use statistics::{Reason, Statistics};
