//! Alerts as machines push them and ask for them.

mod filter;
mod listing;
mod pushed;
mod shown;

pub(super) use filter::AlertFilter;
pub(super) use listing::AlertListing;
pub use pushed::{Pushed, PushedDecision, PushedEvent, PushedSource};
pub(super) use pushed::{Unfit, read};
pub(super) use shown::write;
