//! Makes events out of lines: header, stages of rules, enrichment.
//!
//! [`Parser::parse`] takes one line to one event and says what became of it. Rules are compiled
//! when they are loaded ([`spec`]); a worker brings its [`Scratch`], and nothing is allocated for a
//! line but in its arena. Nothing here knows a clock, a socket, or what a ban is.

#![forbid(unsafe_code)]

mod allow;
mod classify;
mod enrich;
mod expression;
mod field;
pub(crate) mod fuzz;
mod glance;
pub mod grok;
mod header;
#[cfg(test)]
mod hub;
mod index;
mod node;
mod observe;
mod parser;
mod probes;
mod run;
mod scope;
pub mod spec;
mod stage;
mod stash;
mod statics;
pub mod syslog;
#[cfg(test)]
mod tests;

pub use classify::{Class, ClassRule, Classes, Template, TemplateError, Wrapping, classify};
pub use field::Field;
#[doc(hidden)]
pub use fuzz::fuzz_expression;
pub use node::Node;
pub use observe::{Fact, Observer};
pub use parser::{LineSource, Parsed, Parser};
pub use run::{Count, Scratch};
pub use scope::{EventScope, VARIABLES};
pub use stage::{Outcome, Reason, Stages};
pub use stash::Stash;
