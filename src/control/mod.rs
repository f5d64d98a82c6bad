//! How operators and monitoring reach a running daemon: a Unix socket for commands, HTTP for pages.
//!
//! A [`Request`] becomes a [`Call`], a value with a place for its answer, and is put into a queue of
//! the part that answers: the judge ([`answer`]) or the daemon. Nothing here changes anything
//! itself, and HTTP only shows.

#![forbid(unsafe_code)]

mod access;
mod answer;
mod client;
pub mod http;
mod message;
mod server;
mod status;
mod unmatched;

pub use answer::{Answer, answer};
pub use client::{Client, ClientError};
pub use message::{
    Failure, FailureKind, Friend, LONGEST_REQUEST, Listing, PAGE, Refused, Reply, Request, Row,
    Still,
};
pub use server::{Call, Calls, OpenError, Server};
pub use status::{
    ActiveStatus, EnforceStatus, LedgerStatus, LinesStatus, RulesStatus, SenderStatus,
    SourceStatus, Status,
};
pub use unmatched::{ReceivedLine, Recent, Unmatched};
