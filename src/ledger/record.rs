//! What is written down of decisions: begun, prolonged, ended, cut into pieces, taken back.

use std::collections::BTreeSet;

use super::history::{NewStep, Page};
use super::{Ban, Cause, Change, Ending, Kept, Ledger, Record, Recorded, Split, ban, disk};
use crate::decision::{Action, Decision, Origin, Target};
use crate::value::Time;

/// Steps in the life of a decision that are no end.
const BEGUN: &str = "begun";
const EXTENDED: &str = "extended";
const HELD: &str = "held";
const PIECE: &str = "piece";
const LISTED: &str = "listed";

/// Whom the kernel is to be told of.
#[derive(Default)]
pub(super) struct Told {
    pub(super) banned: BTreeSet<Target>,
    pub(super) unbanned: Vec<Target>,
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
    pub(super) fn changes(&self, told: Told, now: Time) -> (Option<Change>, Option<Change>) {
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
        // Of these nothing is known that the decision does not say: there are many.
        if is_followed(origin) && story.is_none() {
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
        let is_followed_one = is_followed(record.origin);
        if is_followed_one && is_same && kept == Kept::Held {
            return (id, kept);
        }
        known.events = known.events.saturating_add(record.events);
        let Record { target: _, action, origin, reason, until, events, story } = record;
        let what = if kept == Kept::Extended { EXTENDED } else { HELD };
        let step = NewStep { at: now, what, action, origin, reason, until, events, story };
        // A list or remote that goes on asking for the same leaves no trace of it; what it asked for
        // so far must be known once somebody else asks for more.
        let listed = (kept == Kept::Extended && is_followed(known.origin) && !is_same)
            .then(|| NewStep { at: known.created_at, ..step_of(&known, LISTED, 0, now) });
        if kept == Kept::Extended {
            known.action = action;
            known.origin = origin;
            known.reason.clone_from(&step.reason);
            known.until = until;
        }
        match is_followed_one && is_same {
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

/// Whether these go on asking for as long as they want a ban.
fn is_followed(origin: Origin) -> bool {
    matches!(origin, Origin::List | Origin::Remote)
}

/// A step that leads to the decision as it is.
pub(super) fn step_of(decision: &Decision, what: &'static str, events: u64, now: Time) -> NewStep {
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

pub(super) fn is_ban(decision: &&Decision) -> bool {
    decision.action == Action::Ban
}

/// What the kernel is to be told of decisions that ended.
fn unban(ended: &[Decision]) -> Option<Change> {
    let bans: Vec<Target> = ended.iter().filter(is_ban).map(|decision| decision.target).collect();
    (!bans.is_empty()).then_some(Change::Unban(bans))
}
