//! What is decided about whom: targets, decisions, and the allowlist that guards both.
//!
//! A [`Target`] is the only thing that can be banned, and [`Allowlist::admit`] is its only
//! constructor, so code that holds a target has passed the allowlist. Nothing here knows rules,
//! storage or netlink.

#![forbid(unsafe_code)]

mod allowlist;
mod defaults;
mod holes;
mod name;
mod net;
mod other;
mod remote;
mod target;

use crate::value::Time;

pub use allowlist::{Allowlist, Entry, Origin as EntryOrigin, Refusal};
pub use defaults::defaults;
pub use holes::{Rest, without, without_all};
pub use name::{Named, NotAName, parse_host};
pub use net::{NetError, parse_logged, parse_net};
pub use other::{NotOther, Other, scope_and_value, usual_scope};
pub use remote::{RemoteReason, is_of_remote};
pub use target::{Family, Target, canonical};

/// Who asked for a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Origin {
    /// A scenario overflowed.
    Scenario,
    /// An operator typed `weir ban`.
    Manual,
    /// A list that was imported or is followed; the reason is its name.
    List,
    /// Another host that is followed; the reason is a [`RemoteReason`].
    Remote,
}

impl Origin {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Scenario, Self::Manual, Self::List, Self::Remote];

    /// The word used in the ledger, metrics, messages and JSON: `scenario`, `manual`,
    /// `list` or `remote`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Origin::Scenario => "scenario",
            Origin::Manual => "manual",
            Origin::List => "list",
            Origin::Remote => "remote",
        }
    }

    /// The origin of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|origin| origin.name() == name)
    }
}

/// Whether a decision is carried out or only recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// Traffic is dropped in the kernel.
    Ban,
    /// Recorded, listed and counted; nothing is dropped.
    Observe,
}

impl Action {
    /// The word used in the ledger, metrics, messages and JSON: `ban` or `observe`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Action::Ban => "ban",
            Action::Observe => "observe",
        }
    }

    /// The action of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Ban, Self::Observe].into_iter().find(|action| action.name() == name)
    }
}

/// One active ban (or what would be one, in observe mode).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Stable number; a later decision has a higher one.
    pub id: u64,
    /// Who.
    pub target: Target,
    /// Ban or observe.
    pub action: Action,
    /// Who asked for it.
    pub origin: Origin,
    /// The scenario's name, the operator's words, or the list's name.
    pub reason: String,
    /// When it was first decided.
    pub created_at: Time,
    /// When it ends.
    pub until: Time,
    /// How many events made it.
    pub events: u64,
}
