//! Cases: what rules must make of lines, written beside the rules.
//!
//! A file of cases has `lines`, each with the fields it must lead to, and `attacks`, lines
//! repeated in time with the overflows and bans they must lead to. [`load`] reads a file,
//! [`LineCase::run`] and [`Attack::run`] hold one case against a ruleset. Each runs by itself:
//! nothing that one case leaves behind is seen by another. Friends play no part: who is on the
//! operator's allowlist is not a matter of the rules.

mod run;
mod spec;
#[cfg(test)]
mod tests;

pub use run::Mismatch;
pub use spec::{Attack, Cases, LineCase, Outcome, Step, Written, load};
