//! How operators and monitoring reach a running daemon: a Unix socket for commands, HTTP for pages.
//!
//! A [`Request`] becomes a [`Call`], a value with a place for its answer, and is put into a queue of
//! the part that answers: the judge ([`answer`]) or the daemon. Nothing here changes anything
//! itself, and HTTP only shows.

#![forbid(unsafe_code)]

mod access;
mod allow;
mod answer;
mod bouncers;
mod brake;
mod canary;
mod client;
mod coverage;
pub mod http;
mod import;
mod machines;
mod message;
mod others;
mod rates;
mod server;
mod status;
mod tables;
mod unban;
mod unmatched;
mod why;

pub use answer::{Answer, answer};
pub use bouncers::{AskedOfBouncers, BouncerRow, ToldOfBouncers};
pub use brake::{Braked, Braking};
pub use canary::{CANARY_SCENARIO, CanaryAsked, CanarySeen, is_for_documentation};
pub use client::{Client, ClientError};
pub use coverage::{Coverage, Covering, NearestRule};
pub use import::{Export, Import, ImportEntry, Imported, LeftOut};
pub use machines::{AskedOfMachines, MachineRow, ToldOfMachines};
pub use message::{
    Failure, FailureKind, Flushed, Friend, LONGEST_REQUEST, Listing, NotByHand, PAGE, Refused,
    Reply, Request, Row,
};
pub use others::{ListingOthers, OtherRow};
pub use rates::{PerMinute, PerSecond, Rates, SourceRates};
pub use server::{Call, Calls, OpenError, Server};
pub use status::{
    ActiveStatus, BackendStatus, EnforceStatus, LedgerStatus, LinesStatus, ListStatus,
    RemoteStatus, RulesStatus, SenderStatus, SourceStatus, Status,
};
pub use tables::{
    AcquisitionRow, ActiveRow, AlertRow, BucketRow, DecisionRow, EnforcementRow, OutcomeRow,
    ParserRow, ProgramRow, QueueRow, Tables, Tabling,
};
pub use unban::{Cut, Freed, Still, Unbanning};
pub use unmatched::{ReceivedLine, Recent, Unmatched};
pub use why::{Account, ElementRow, InKernel, PastDecision, RefusedBan, StepRow, ToldRow, Why};
