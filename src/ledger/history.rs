//! What happened to decisions: how they began, were extended, and ended.

use ipnet::IpNet;

use crate::decision::{Action, Decision, Origin};
use crate::value::Time;

/// Why a decision ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// Its time was up.
    Expired,
    /// Somebody ended it.
    Unbanned,
    /// Its target is on the allowlist now.
    Allowlisted,
    /// The ledger was full, and it was the one to end first.
    Evicted,
    /// It could not be read back from disk.
    Unreadable,
}

impl Cause {
    const ALL: [Self; 5] =
        [Self::Expired, Self::Unbanned, Self::Allowlisted, Self::Evicted, Self::Unreadable];

    /// The word used in the ledger, metrics, messages and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Cause::Expired => "expired",
            Cause::Unbanned => "unbanned",
            Cause::Allowlisted => "allowlisted",
            Cause::Evicted => "evicted",
            Cause::Unreadable => "unreadable",
        }
    }

    /// The cause of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| cause.name() == name)
    }
}

/// A decision that is over.
///
/// It has a prefix and no target: what was banned once may be a friend today.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The decision's number.
    pub id: u64,
    /// Who it was about.
    pub net: IpNet,
    /// Ban or observe.
    pub action: Action,
    /// Who asked for it.
    pub origin: Origin,
    /// The scenario's name, or the operator's words.
    pub reason: String,
    /// When it was first decided.
    pub created_at: Time,
    /// When it should have ended.
    pub until: Time,
    /// How many events made it.
    pub events: u64,
    /// When it ended.
    pub ended_at: Time,
    /// Why it ended.
    pub cause: Cause,
}

/// One step in the life of a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The decision's number.
    pub decision: u64,
    /// When it happened.
    pub at: Time,
    /// `begun`, `extended`, `held`, or the name of a [`Cause`].
    pub what: String,
    /// Who asked for it.
    pub origin: Origin,
    /// The scenario's name, or the operator's words.
    pub reason: String,
    /// The end of the decision from then on.
    pub until: Time,
    /// How many events made this step.
    pub events: u64,
}

/// A decision and what is not on disk of it yet.
pub(super) struct Page {
    pub(super) decision: Decision,
    pub(super) ended: Option<(Time, Cause)>,
    pub(super) steps: Vec<Step>,
    /// Whether an earlier state of it was written.
    pub(super) is_on_disk: bool,
}
