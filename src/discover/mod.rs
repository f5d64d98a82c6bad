//! What lines of an unknown program say: templates, the parts that matter, and rules for them.
//!
//! [`Miner`] finds the templates that messages fall into; [`Roles`] tells which of their parts is
//! the client's address; [`learn()`] makes patterns that no client can deceive; [`Draft`] writes
//! the files of a rule folder: a parser, scenarios and cases. Whether they do what they should is
//! found out by loading and running them ([`Draft::check`]), as an operator would.
//!
//! Everything here is bounded and deterministic, and made of hostile text: nothing that a line
//! holds may come into a rule but escaped. Knows no files, no sockets, no clock.

#![forbid(unsafe_code)]

mod cases;
mod draft;
mod fold;
mod learn;
mod miner;
mod pattern;
mod roles;
mod scenarios;
mod template;
#[cfg(test)]
mod tests;
mod token;
mod tricks;
mod words;

pub use draft::{Checked, Draft, Subject};
pub use learn::{Learned, Left, Node, What, learn};
pub use miner::{Limits, Miner};
pub use pattern::{Extent, Syntax, grok};
pub use roles::{Roles, known_users};
pub use template::{Hole, Part, Template};
pub use token::{Clock, Kind, Token, address_of, tokens, trimmed};
pub use words::Outcome;
