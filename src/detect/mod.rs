//! From events to overflows: scenarios, and the buckets that they pour events into.
//!
//! A worker asks [`Scenarios::select`] which scenarios take an event; the one [`Detector`] owns
//! all buckets, pours, and tells of those that overflow. Both are plain calls: no clock, no task,
//! no disk. What is done about an overflow is not known here.

#![forbid(unsafe_code)]

mod ahead;
mod alert;
mod blackhole;
mod bucket;
mod context;
mod counts;
mod detector;
mod expression;
mod kept;
mod key;
mod lent;
mod limiter;
mod limits;
mod lookup;
mod neighbours;
mod pace;
mod pour;
mod request;
mod scenario;
mod selector;
mod sight;
mod sip;
pub mod spec;
mod table;
mod view;

pub use ahead::{Ahead, Hint};
pub use context::Contexts;
pub use counts::Counts;
pub use detector::Detector;
pub use key::{BucketKey, Seed};
pub use limiter::Leak;
pub use limits::Limits;
pub use pour::{Kept, Pour, Verdict};
pub use scenario::{Bayesian, Kind, MOST_KEPT, Scenario, ScenarioId, Scope};
pub use selector::{Scenarios, Scratch, Selected};

#[cfg(test)]
mod tests;
