//! What goes back to whoever else asked for it, when a list or a remote does not ask any more.
//!
//! A target has one decision, and whoever asked for less than it says stands behind it: on disk as
//! a step, or where the caller knows it from. Must hold: nobody goes free whom somebody still asks
//! for, and nobody stays for somebody who does not ask any more.

use super::history::Claim;
use super::record::{Told, is_ban, step_of};
use super::{Cause, Ledger, Withdrawn};
use crate::decision::{Action, Decision, Origin, Target};
use crate::value::Time;

/// What the step is called by which a decision goes back.
const LEFT: &str = "left";

/// Who does not ask any more, and what others do.
pub struct Leaving<'a> {
    /// Whether a decision is theirs who leave.
    pub is_theirs: Box<dyn Fn(&Decision) -> bool + 'a>,
    /// Whether what was asked for once, by somebody whom the disk names, still is.
    pub stands: Box<dyn Fn(&Claim) -> bool + 'a>,
    /// What is asked for besides that.
    pub others: Box<dyn Fn(Target) -> Vec<Claim> + 'a>,
}

impl<'a> Leaving<'a> {
    /// The list of this name; of others all stands that the disk knows.
    #[must_use]
    pub fn list(list: &'a str) -> Self {
        Self {
            is_theirs: Box::new(move |known| known.origin == Origin::List && known.reason == list),
            stands: Box::new(move |claim| claim.origin != Origin::List || claim.reason != list),
            others: Box::new(|_| Vec::new()),
        }
    }
}

impl Ledger {
    /// Takes back what somebody asked for. A decision of theirs goes back to what somebody else
    /// asked for of the same target, if that lasts longer than now; else it ends.
    pub fn withdraw(&mut self, targets: &[Target], leaving: &Leaving<'_>, now: Time) -> Withdrawn {
        // What others asked for is looked for on disk.
        self.save(now);
        let mut told = Told::default();
        let mut withdrawn = Withdrawn::default();
        for target in targets {
            let is_theirs = |known: &&Decision| known.until > now && (leaving.is_theirs)(known);
            let Some(known) = self.active.get(*target).filter(is_theirs).cloned() else {
                continue;
            };
            match self.best_claim(&known, leaving, now) {
                Some(claim) => {
                    self.fall_back(known, claim, now, &mut told);
                    withdrawn.left += 1;
                }
                None => {
                    let ended = self.finish(*target, Cause::Removed, now);
                    told.unbanned.extend(ended.iter().filter(is_ban).map(|ended| ended.target));
                    withdrawn.ended.extend(ended);
                }
            }
        }
        self.save(now);
        let (bans, unbans) = self.changes(told, now);
        withdrawn.changes = bans.into_iter().chain(unbans).collect();
        withdrawn
    }

    /// What somebody else asks for: a ban rather than an observation, the longest.
    fn best_claim(&self, known: &Decision, leaving: &Leaving<'_>, now: Time) -> Option<Claim> {
        let claims = self.disk.claims(known.id, now).unwrap_or_else(|error| {
            tracing::warn!(%error, "cannot read who else asked for a ban");
            Vec::new()
        });
        let claims = claims.into_iter().filter(|claim| (leaving.stands)(claim));
        let others = (leaving.others)(known.target).into_iter().filter(|claim| claim.until > now);
        claims.chain(others).max_by_key(|claim| (claim.action == Action::Ban, claim.until))
    }

    fn fall_back(&mut self, mut known: Decision, claim: Claim, now: Time, told: &mut Told) {
        let was_ban = known.action == Action::Ban;
        let Claim { action, origin, reason, until } = claim;
        (known.action, known.origin, known.reason, known.until) = (action, origin, reason, until);
        match action {
            Action::Ban => {
                told.banned.insert(known.target);
            }
            Action::Observe if was_ban => told.unbanned.push(known.target),
            Action::Observe => {}
        }
        let step = step_of(&known, LEFT, 0, now);
        self.note(&known, false, [step]);
        self.active.insert(known);
    }
}
