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
    /// A hole was cut into its prefix: decisions on the rest took its place.
    Split,
    /// Its list does not name it any more.
    Removed,
}

impl Cause {
    /// All causes.
    pub const ALL: [Self; 7] = [
        Self::Expired,
        Self::Unbanned,
        Self::Allowlisted,
        Self::Evicted,
        Self::Unreadable,
        Self::Split,
        Self::Removed,
    ];

    /// The word used in the ledger, metrics, messages and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Cause::Expired => "expired",
            Cause::Unbanned => "unbanned",
            Cause::Allowlisted => "allowlisted",
            Cause::Evicted => "evicted",
            Cause::Unreadable => "unreadable",
            Cause::Split => "split",
            Cause::Removed => "removed",
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
    /// `begun`, `extended`, `held` (what was asked for was not more than there was), `piece` (it is
    /// a part of a wider one that was split), `listed` (what a list had asked for until then),
    /// `left` (what there was beside a list that does not ask any more), or the name of a [`Cause`].
    pub what: String,
    /// What was asked for.
    pub action: Action,
    /// Who asked for it.
    pub origin: Origin,
    /// The scenario's name, or the operator's words.
    pub reason: String,
    /// Until when it was asked for.
    pub until: Time,
    /// How many events made this step.
    pub events: u64,
}

/// What led to a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// When.
    pub at: Time,
    /// The step, as in [`Step::what`].
    pub what: String,
    /// The text that came with the record.
    pub story: String,
}

/// A ban that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Who was not banned.
    pub net: IpNet,
    /// When.
    pub at: Time,
    /// Why not, in one word.
    pub reason: String,
    /// The scenario that asked for it.
    pub scenario: String,
    /// What led to it, as text that the ledger does not look into.
    pub story: Option<Box<str>>,
}

/// What somebody asks for of a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Ban or observe.
    pub action: Action,
    /// Who asks for it.
    pub origin: Origin,
    /// The scenario's name, the operator's words, or who is followed.
    pub reason: String,
    /// Until when.
    pub until: Time,
}

/// A decision and what is not on disk of it yet.
pub(super) struct Page {
    pub(super) decision: Decision,
    pub(super) ended: Option<(Time, Cause)>,
    pub(super) steps: Vec<NewStep>,
    /// Whether an earlier state of it was written.
    pub(super) is_on_disk: bool,
}

/// A step that is to be written.
pub(super) struct NewStep {
    pub(super) at: Time,
    pub(super) what: &'static str,
    pub(super) action: Action,
    pub(super) origin: Origin,
    pub(super) reason: String,
    pub(super) until: Time,
    pub(super) events: u64,
    pub(super) story: Option<Box<str>>,
}
