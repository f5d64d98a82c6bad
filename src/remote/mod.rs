//! Weir as a client of a local API: of CrowdSec's, or of another Weir's.
//!
//! [`Pull`] reads what the other side says of its decisions, as it arrives, from any bytes;
//! [`Client`] asks for it, each answer bounded in bytes and time. Whether anybody may be banned is
//! not known here, nor what became of it.

#![forbid(unsafe_code)]

mod alert;
mod client;
mod entry;
mod failure;
mod fuzz;
mod machine;
mod pace;
mod pull;
mod secrets;
mod stream;
mod tls;

pub use alert::Alert;
pub use client::{Answer, Client};
pub use entry::{Key, SKIPPED};
pub use failure::Failure;
#[doc(hidden)]
pub use fuzz::fuzz_pull;
pub use machine::Session;
pub use pace::Pace;
pub use pull::{Heard, Pull, path};
pub use secrets::read as read_secret;
