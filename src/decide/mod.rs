//! What is done about an overflow: profiles say it, the judge checks it and writes it down.
//!
//! [`Profiles::verdicts`] is pure and serves replays as well; [`Judge`] owns the ledger and is the
//! only one to change it, for overflows and for operators alike. Time is a parameter. Nothing here
//! knows how a ban is enforced.

#![forbid(unsafe_code)]

mod brake;
mod escalation;
mod friends;
mod guard;
mod judge;
mod levels;
mod lists;
mod manual;
mod measures;
mod merge;
mod offences;
mod others;
mod past;
mod profile;
mod recover;
mod remotes;
mod sentence;
mod spec;
mod statistics;
mod story;
mod unban;
mod watch;

pub use brake::{BrakeRules, Pulled};
pub use escalation::Escalation;
pub use friends::{Befriended, MOST_FRIENDS, Subject};
pub use guard::{Guard, GuardRules};
pub use judge::{Decided, Judge, Observe, Outcome, Policy};
pub use levels::{Candidate, Level, Levels, common};
pub use lists::{Dropped, Listed, Taken};
pub use manual::{Asked, Banned, Done, Query};
pub use measures::Measures;
pub use merge::{Merge, Merged};
pub use offences::Offences;
pub use profile::{Filter, OnFault, Profile, Profiles, Sentence, Verdict};
pub use remotes::{RemoteKey, Said, Wanted};
pub use sentence::{is_of_guard, subject};
pub use spec::load;
pub use statistics::{ByDecision, LIMITS, REFUSALS, Statistics};
pub use story::{Bucket, Escalated, Limited, Story, StoryLine, Widened};
pub use unban::{Fitting, TooManyPieces, Unbanned, Whose};
pub use watch::{BrakeState, Released};
