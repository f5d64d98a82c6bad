//! YAML documents as trees of nodes, each with its place in the file.
//!
//! [`load`] reads a file's documents; [`Fields`] takes a mapping apart and reports every key that
//! has the wrong type or that nobody asked for. Scalars keep the text that was written: whether
//! `yes` is a truth value or the word is decided where it is used (YAML 1.1 has it both ways, and
//! rules written for it must go on to work).
//!
//! Invariant: a tree is at most [`MAX_DEPTH`] deep and, aliases expanded, not much larger than its
//! file, so code that walks one may recurse. Nothing here knows what the keys mean.

#![forbid(unsafe_code)]

mod fields;
mod load;
mod node;
mod places;
mod scalar;

#[cfg(test)]
mod oracle;
#[cfg(test)]
mod tests;

pub use fields::{Fields, Spanned};
pub use load::{MAX_DEPTH, load};
pub use node::{Key, Kind, Node, Style};
pub use scalar::Plain;
