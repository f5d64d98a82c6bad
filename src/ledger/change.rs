//! What the kernel is to be told after the ledger was written.

use ipnet::IpNet;

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
    /// These are all friends: what comes from them is let through, whatever the sets hold. They may
    /// lie in one another.
    Friends(Vec<IpNet>),
}

/// A target and the end of its ban.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ban {
    /// Who.
    pub target: Target,
    /// Until when.
    pub until: Time,
}
