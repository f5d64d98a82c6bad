//! What is done about an overflow: profiles say it, the judge checks it and writes it down.
//!
//! [`Profiles::verdicts`] is pure and serves replays as well; [`Judge`] owns the ledger and is the
//! only one to change it, for overflows and for operators alike. Time is a parameter. Nothing here
//! knows how a ban is enforced.

#![forbid(unsafe_code)]

mod judge;
mod manual;
mod past;
mod profile;
mod spec;
mod statistics;

pub use judge::{Decided, Judge, Observe, Outcome, Policy};
pub use manual::{Banned, Query, Unbanned};
pub use profile::{Filter, OnFault, Profile, Profiles, Sentence, Verdict};
pub use spec::load;
pub use statistics::{ByDecision, Statistics};
