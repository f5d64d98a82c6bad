//! What is written down of decisions: begun, prolonged, ended, cut into pieces, taken back.

use std::collections::BTreeSet;

use super::history::{Claim, NewStep, Page};
use super::{
    Ban, Cause, Change, Ending, Kept, Ledger, Record, Recorded, Split, Withdrawn, ban, disk,
};
use crate::decision::{Action, Decision, Origin, Target};
use crate::value::Time;

/// Steps in the life of a decision that are no end.
const BEGUN: &str = "begun";
const EXTENDED: &str = "extended";
const HELD: &str = "held";
const PIECE: &str = "piece";
const LISTED: &str = "listed";
const LEFT: &str = "left";

/// Whom the kernel is to be told of.
#[derive(Default)]
struct Told {
    banned: BTreeSet<Target>,
    unbanned: Vec<Target>,
}

impl Ledger {
    /// Writes decisions down, all in one transaction.
    ///
    /// A target has one decision at a time: it lasts until the later of the ends, and a ban replaces
    /// an observation and never the other way round.
    pub fn record(&mut self, records: Vec<Record>, now: Time) -> Recorded {
        let mut told = Told::default();
        let kept =
            records.into_iter().map(|record| self.take(record, BEGUN, now, &mut told)).collect();
        self.save(now);
        let (bans, unbans) = self.changes(told, now);
        Recorded { kept, changes: unbans.into_iter().chain(bans).collect() }
    }

    /// Ends the decisions on these targets; a target without one is passed over.
    pub fn end(&mut self, targets: &[Target], cause: Cause, now: Time) -> Ending {
        let decisions: Vec<Decision> =
            targets.iter().filter_map(|target| self.finish(*target, cause, now)).collect();
        self.save(now);
        let change = unban(&decisions);
        Ending { decisions, change }
    }

    /// Ends decisions, each for its cause, and begins others on what is left of them, in one
    /// transaction. The kernel is told of the new ones first, so that nobody goes free in between
    /// who is in one of them.
    pub fn split(&mut self, ends: &[(Target, Cause)], pieces: Vec<Record>, now: Time) -> Split {
        let mut told = Told::default();
        let finish = |(target, cause): &(Target, Cause)| {
            self.finish(*target, *cause, now).map(|decision| (decision, *cause))
        };
        let ended: Vec<(Decision, Cause)> = ends.iter().filter_map(finish).collect();
        let on: Vec<Target> = pieces.iter().map(|piece| piece.target).collect();
        for piece in pieces {
            self.take(piece, PIECE, now, &mut told);
        }
        let bans = ended.iter().filter(|(decision, _)| decision.action == Action::Ban);
        told.unbanned.extend(bans.map(|(decision, _)| decision.target));
        self.save(now);
        let (bans, unbans) = self.changes(told, now);
        let begun = on.iter().filter_map(|target| self.active.get(*target)).cloned().collect();
        Split { ended, begun, changes: bans.into_iter().chain(unbans).collect() }
    }

    /// Takes back what the list of this name asked for. A decision of the list's goes back to what
    /// somebody else asked for of the same target, if that lasts longer than now; else it ends.
    pub fn withdraw(&mut self, targets: &[Target], list: &str, now: Time) -> Withdrawn {
        // What others asked for is looked for on disk.
        self.save(now);
        let mut told = Told::default();
        let mut withdrawn = Withdrawn::default();
        for target in targets {
            let is_the_lists = |known: &&Decision| {
                known.origin == Origin::List && known.reason == list && known.until > now
            };
            let Some(known) = self.active.get(*target).filter(is_the_lists).cloned() else {
                continue;
            };
            match self.best_claim(known.id, list, now) {
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

    /// What somebody other than the list asks for: a ban rather than an observation, the longest.
    fn best_claim(&self, decision: u64, list: &str, now: Time) -> Option<Claim> {
        let claims = self.disk.claims(decision, now).unwrap_or_else(|error| {
            tracing::warn!(%error, "cannot read who else asked for a ban");
            Vec::new()
        });
        let others = claims.into_iter();
        let others = others.filter(|claim| claim.origin != Origin::List || claim.reason != list);
        others.max_by_key(|claim| (claim.action == Action::Ban, claim.until))
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

    /// Takes one record in; `what` is what the first step of a decision is called.
    fn take(
        &mut self,
        record: Record,
        what: &'static str,
        now: Time,
        told: &mut Told,
    ) -> (u64, Kept) {
        let target = record.target;
        let known = self.active.get(target).filter(|known| known.until > now).cloned();
        let (id, kept) = match known {
            Some(known) => self.merge(known, record, now),
            None => {
                // Its time was up, only nobody looked yet.
                self.finish(target, Cause::Expired, now);
                if self.active.len() >= self.options.capacity {
                    self.make_room(now, told);
                }
                (self.begin(record, what, now), Kept::Begun)
            }
        };
        if kept != Kept::Held {
            told.banned.insert(target);
        }
        (id, kept)
    }

    /// What the kernel is to be told: bans, unbans.
    fn changes(&self, told: Told, now: Time) -> (Option<Change>, Option<Change>) {
        let Told { banned, mut unbanned } = told;
        unbanned.retain(|target| {
            self.active.get(*target).is_none_or(|known| known.action == Action::Observe)
        });
        let decisions = banned.into_iter().filter_map(|target| self.active.get(target));
        let bans: Vec<Ban> = decisions.filter_map(|decision| ban(decision, now)).collect();
        let bans = (!bans.is_empty()).then_some(Change::Ban(bans));
        (bans, (!unbanned.is_empty()).then_some(Change::Unban(unbanned)))
    }

    fn begin(&mut self, record: Record, what: &'static str, now: Time) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        let Record { target, action, origin, reason, until, events, story } = record;
        let decision =
            Decision { id, target, action, origin, reason, created_at: now, until, events };
        // Of a list nothing is known that the decision does not say: there are many of these.
        if origin == Origin::List && story.is_none() {
            self.note(&decision, true, []);
        } else {
            let step = NewStep { story, ..step_of(&decision, what, events, now) };
            self.note(&decision, true, [step]);
        }
        self.active.insert(decision);
        id
    }

    fn merge(&mut self, mut known: Decision, record: Record, now: Time) -> (u64, Kept) {
        let id = known.id;
        let is_stricter = record.action == Action::Ban && known.action == Action::Observe;
        let is_longer = record.action == known.action && record.until > known.until;
        let kept = if is_stricter || is_longer { Kept::Extended } else { Kept::Held };
        let is_same = known.origin == record.origin && known.reason == record.reason;
        let is_list = record.origin == Origin::List;
        if is_list && is_same && kept == Kept::Held {
            return (id, kept);
        }
        known.events = known.events.saturating_add(record.events);
        let Record { target: _, action, origin, reason, until, events, story } = record;
        let what = if kept == Kept::Extended { EXTENDED } else { HELD };
        let step = NewStep { at: now, what, action, origin, reason, until, events, story };
        // A list that goes on asking for the same leaves no trace of it; what it asked for so far
        // must be known once somebody else asks for more.
        let listed = (kept == Kept::Extended && known.origin == Origin::List && !is_same)
            .then(|| NewStep { at: known.created_at, ..step_of(&known, LISTED, 0, now) });
        if kept == Kept::Extended {
            known.action = action;
            known.origin = origin;
            known.reason.clone_from(&step.reason);
            known.until = until;
        }
        match is_list && is_same {
            true => self.note(&known, false, []),
            false => self.note(&known, false, listed.into_iter().chain([step])),
        }
        self.active.insert(known);
        (id, kept)
    }

    fn make_room(&mut self, now: Time, told: &mut Told) {
        let Some(first) = self.active.first_to_end() else { return };
        told.banned.remove(&first);
        if let Some(decision) = self.finish(first, Cause::Evicted, now)
            && decision.action == Action::Ban
        {
            told.unbanned.push(first);
        }
        self.health.evicted += 1;
    }

    pub(super) fn finish(&mut self, target: Target, cause: Cause, now: Time) -> Option<Decision> {
        let decision = self.active.remove(target)?;
        let step = step_of(&decision, cause.name(), 0, now);
        self.note(&decision, false, [step]);
        if let Some(page) = self.unsaved.get_mut(&decision.id) {
            page.ended = Some((now, cause));
        }
        Some(decision)
    }

    /// Puts a decision's state and new steps among what is to be written.
    pub(super) fn note(
        &mut self,
        decision: &Decision,
        is_new: bool,
        steps: impl IntoIterator<Item = NewStep>,
    ) {
        use std::collections::btree_map::Entry;
        let page = match self.unsaved.entry(decision.id) {
            Entry::Occupied(known) => {
                let page = known.into_mut();
                page.decision.clone_from(decision);
                page
            }
            Entry::Vacant(free) => free.insert(Page {
                decision: decision.clone(),
                ended: None,
                steps: Vec::new(),
                is_on_disk: !is_new,
            }),
        };
        for step in steps {
            if page.steps.len() >= disk::KEPT_STEPS {
                page.steps.remove(1);
            }
            page.steps.push(step);
        }
    }

    /// What was read from a damaged ledger, written into a new one.
    pub(super) fn note_again(&mut self, decision: &Decision, now: Time) {
        let step = step_of(decision, BEGUN, decision.events, now);
        self.note(decision, true, [step]);
    }
}

/// A step that leads to the decision as it is.
fn step_of(decision: &Decision, what: &'static str, events: u64, now: Time) -> NewStep {
    NewStep {
        at: now,
        what,
        action: decision.action,
        origin: decision.origin,
        reason: decision.reason.clone(),
        until: decision.until,
        events,
        story: None,
    }
}

fn is_ban(decision: &&Decision) -> bool {
    decision.action == Action::Ban
}

/// What the kernel is to be told of decisions that ended.
fn unban(ended: &[Decision]) -> Option<Change> {
    let bans: Vec<Target> = ended.iter().filter(is_ban).map(|decision| decision.target).collect();
    (!bans.is_empty()).then_some(Change::Unban(bans))
}
