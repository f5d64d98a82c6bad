//! How far a ban goes: for how long, how wide, and when it is not carried out.

use super::brake::BrakeRules;
use super::escalation::Escalation;
use super::guard::GuardRules;
use super::levels::Levels;
use super::merge::Merge;
use crate::event::Trust;

/// What the answer to an offence is measured by. The default is none of it: what a profile says is
/// done to the address that overflowed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measures {
    /// How bans grow; `None` for not at all.
    pub escalation: Option<Escalation>,
    /// How wide they become.
    pub levels: Levels,
    /// The length of the IPv6 prefixes that are counted as one, and banned as one when several of
    /// their addresses overflow together; `None` where each address counts for itself.
    pub count: Option<u8>,
    /// When neighbours become one prefix; `None` for never.
    pub merge: Option<Merge>,
    /// How long those are guarded who log in or are connected; `None` where nobody is.
    pub guard: Option<GuardRules>,
    /// When scenarios stop banning; `None` for never.
    pub brake: Option<BrakeRules>,
    /// What scenarios may do at most whose label `spoofable` is 0 to 3.
    pub spoofable: [Trust; 4],
}
