//! Weir stands in the log stream of a Linux server and bars those who misbehave.
//!
//! The modules are listed in the order in which a log line meets them:
//!
//! ```text
//!  intake ──► parse ──► detect ──► decide ──► ledger ──► enforce
//!  receive    header    buckets    profile    on disk    netlink
//!  frame      stages    overflow   allowlist  first      sets
//! ```
//!
//! No arrow points backwards. Everything inside a box is a plain synchronous call on a plain
//! struct; the loops that feed the boxes stand together in [`daemon`]. ARCHITECTURE.md has the
//! diagram with its queues, the invariants, and what each part must not know.

pub mod cli;
pub mod control;
pub mod daemon;
pub mod decide;
pub mod decision;
pub mod detect;
pub mod diagnostic;
pub mod discover;
pub mod enforce;
pub mod event;
pub mod explain;
pub mod expr;
pub mod hubtest;
pub mod intake;
pub mod lapi;
pub mod ledger;
pub mod lists;
pub mod metrics;
pub mod parse;
pub mod remote;
pub mod rules;
pub mod settings;
pub mod system;
pub mod value;
pub mod yaml;
