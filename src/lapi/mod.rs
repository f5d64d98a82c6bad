//! The API that bouncers of CrowdSec speak: whom to keep out, asked by programs that enforce it
//! elsewhere.
//!
//! The ledger is the only truth: answers are read from it beside its owner, and nothing here
//! changes a decision. What comes in is hostile until a key was shown, and bounded after it.

#![forbid(unsafe_code)]

mod bouncers;
mod decision;
mod keys;
mod listing;
mod query;
mod server;
mod stream;

pub use bouncers::{Bouncer, Bouncers, Unfit};
pub use keys::{Key, KeyHash, NoEntropy};
pub use server::{Api, Peer};
