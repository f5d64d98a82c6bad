//! The ledger: decisions on disk. What it holds is the truth; the kernel is a cache of it.
//!
//! Only this module makes a [`Change`], as the value of a committed state, so nothing reaches the
//! kernel that is not on disk. It does not know why a ban exists, and has no task of its own.

#![forbid(unsafe_code)]

use crate::decision::Target;
use crate::value::Time;

/// What the kernel is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// These are banned until then; one that is banned already gets the new end.
    Ban(Vec<Ban>),
    /// These are not banned any more.
    Unban(Vec<Target>),
    /// Exactly these are banned; whatever else the sets hold goes.
    Replace(Vec<Ban>),
}

/// A target and the end of its ban.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ban {
    /// Who.
    pub target: Target,
    /// Until when.
    pub until: Time,
}
