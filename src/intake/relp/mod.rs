//! RELP, the Reliable Event Logging Protocol of rsyslog, plain or over TLS.
//!
//! Each line is a transaction: it is answered when its batch's receipt runs, that is when all that
//! follows from it is done, so that a sender holds each line until it cannot be lost any more.
//! Answers go in the order of the transactions. What must hold: at most [`WINDOW`] lines are read
//! ahead of their answers; a line whose answer was lost is counted as a replay when it comes again,
//! not delivered; a line that was not answered may always come again.
//!
//! Frames, sessions and replays are pure; `serve` joins them to a socket.

#![forbid(unsafe_code)]

pub mod frame;
mod fuzz;
pub mod replay;
pub(super) mod serve;
pub mod session;

#[doc(hidden)]
pub use fuzz::fuzz_relp;
pub use replay::WINDOW;
