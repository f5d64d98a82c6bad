//! How the enforcer makes the backend hold what is wanted: orders first, in parts, and comparing
//! and repairing between them.
//!
//! What a comparison finds becomes edits like those of orders, so that whatever comes later about
//! an element meets them in one place. While it is not known what the backend has (before the first
//! comparison), single addresses are written in a way that is right whatever there is, and ranges,
//! which the kernel refuses when they overlap others, wait.

#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

use super::{BREATH, Cause, Enforcer, FIRST_PAUSE, LONGEST_PAUSE, Mending};
use crate::enforce::backend::{Backend, Error};
use crate::enforce::comparison::{Comparison, Step};
use crate::enforce::element::Edit;
use crate::enforce::status::Condition;
use crate::system::clock;

/// Single addresses that are edited at a time, which takes about 3 ms.
const PART: usize = 2_000;
/// When a repair is looked at again: until then drift is shown as it was found.
const AFTERMATH: Duration = Duration::from_secs(1);
/// How often a comparison begins anew because somebody changes something meanwhile.
const RESTARTS: u32 = 3;

impl<B: Backend> Enforcer<B> {
    /// Goes on making the backend hold what is wanted, for a few milliseconds.
    pub(super) fn mend(&mut self, now: Instant) {
        if let Some((at, cause)) = self.repair
            && at <= now
        {
            self.begin(cause);
        }
        if self.is_prepared && !self.is_befriended && self.repair.is_none() {
            self.befriend();
        }
        if self.may_carry_out() {
            self.carry_out();
        }
        self.compare();
        self.settle();
    }

    /// Whether there is something to do at once.
    pub(super) fn is_busy(&self) -> bool {
        self.mending.as_ref().is_some_and(|mending| mending.comparison.is_some())
            || self.may_carry_out()
    }

    /// Whether edits can be carried out now. Those that wait for a repair which is about to come
    /// would fail.
    fn may_carry_out(&self) -> bool {
        let is_healthy = match self.repair {
            None | Some((_, Cause::Routine)) => true,
            Some((_, Cause::Failure)) => false,
            // In a fight what was found is carried out all the same.
            Some((_, Cause::Foreign)) => self.is_fighting(),
        };
        let is_there = match self.takes_ranges() {
            true => self.wanted.is_touched(),
            false => self.wanted.is_host_touched(),
        };
        self.is_prepared && is_healthy && is_there
    }

    /// Whether somebody changes our table faster than it can be compared.
    fn is_fighting(&self) -> bool {
        self.mending.as_ref().is_some_and(|mending| mending.restarts >= RESTARTS)
    }

    fn takes_ranges(&self) -> bool {
        let is_comparing =
            self.mending.as_ref().is_some_and(|m| m.is_listed && m.comparison.is_some());
        self.is_sure && !is_comparing
    }

    /// Sees that the table is as it must be, and begins to compare.
    fn begin(&mut self, cause: Cause) {
        if self.is_fighting() && cause == Cause::Foreign {
            // First what is under way, then the next one.
            return;
        }
        let restarts = self.mending.as_ref().map_or(0, |mending| mending.restarts + 1);
        self.repair = None;
        let before = self.mending.take();
        let is_changed = match self.prepare() {
            Ok(is_changed) => is_changed,
            Err(error) => return self.fail(&error),
        };
        // The first time, what is missing is nobody's doing.
        let is_mended = std::mem::replace(&mut self.is_prepared, true) && is_changed;
        if !self.is_complete {
            return;
        }
        if let Err(error) = self.backend.begin_list() {
            return self.fail(&error);
        }
        let precision = self.backend.expires().then(|| self.backend.precision());
        self.mending = Some(Mending {
            cause: before.as_ref().map_or(cause, |before| before.cause.max(cause)),
            is_mended: is_mended || before.as_ref().is_some_and(|before| before.is_mended),
            comparison: Some(Comparison::new(precision)),
            is_listed: false,
            drift: 0,
            restarts,
        });
    }

    fn prepare(&mut self) -> Result<bool, Error> {
        let is_mended = self.backend.prepare()?;
        let is_known = self.is_befriended;
        let is_befriended = self.backend.befriend(&self.friends)?;
        self.is_befriended = true;
        // What our own news changes is nobody else's doing.
        Ok(is_mended || (is_known && is_befriended))
    }

    fn befriend(&mut self) {
        match self.backend.befriend(&self.friends) {
            Ok(_) => self.is_befriended = true,
            Err(error) => {
                self.note(&error);
                self.repair_at(clock::instant(), Cause::Routine);
            }
        }
    }

    /// Brings new changes to the backend, and repairs.
    fn carry_out(&mut self) {
        let mut edits = self.wanted.take_edits(clock::now(), PART, self.takes_ranges());
        if !self.is_sure {
            for edit in &mut edits {
                if let Edit::Add(element, until) = *edit {
                    *edit = Edit::Update(element, until);
                }
            }
        }
        match self.backend.apply(&edits) {
            Ok(transactions) => {
                self.metrics.batches.inc_by(transactions);
                if let Some(comparison) = self.mending.as_mut().and_then(|m| m.comparison.as_mut())
                {
                    comparison.note(&edits);
                }
                if !self.wanted.has_recent() {
                    self.measure();
                }
                self.tell_elements();
            }
            Err(error) => {
                self.note(&error);
                // Repairs that were found a moment ago cannot be done one by one.
                if self.mending.as_ref().is_some_and(|mending| mending.comparison.is_none()) {
                    return self.rebuild();
                }
                // The first repair follows at once.
                self.mending = None;
                self.repair_at(clock::instant(), Cause::Routine);
            }
        }
    }

    /// Goes on listing, or comparing.
    fn compare(&mut self) {
        let Some(mending) = &mut self.mending else { return };
        let Some(comparison) = &mut mending.comparison else { return };
        if !mending.is_listed {
            let mut held = Vec::new();
            match self.backend.list_some(&mut held) {
                Ok(is_last) => {
                    comparison.hear(held);
                    mending.is_listed = is_last;
                }
                Err(error @ Error::Torn { .. }) => {
                    self.note(&error);
                    self.rebuild();
                }
                Err(error) => self.fail(&error),
            }
            return;
        }
        let mut recheck = |elements: &[_]| self.backend.recheck(elements);
        match comparison.step(&mut self.wanted, clock::now(), PART, &mut recheck) {
            Ok(Step { drift, is_last }) => {
                // Before the first comparison differences are no drift.
                let drift = if self.is_sure { drift } else { 0 };
                mending.drift += drift;
                self.metrics.drifted.inc_by(drift as u64);
                if is_last {
                    mending.comparison = None;
                    self.is_sure = true;
                    let drift = mending.drift;
                    self.metrics.drift.set(i64::try_from(drift).unwrap_or(i64::MAX));
                    if drift > 0 {
                        self.status.set(Condition::Drifted(drift));
                    }
                }
            }
            Err(error) => self.fail(&error),
        }
    }

    /// Ends a repair when all of it is carried out, and plans the next one.
    fn settle(&mut self) {
        if self.wanted.is_touched() {
            return;
        }
        let Some(mending) = self.mending.take_if(|mending| mending.comparison.is_none()) else {
            return;
        };
        let now = clock::instant();
        self.repaired_at = Some(now);
        self.next_reconcile = now + self.pace.reconcile;
        self.pause = FIRST_PAUSE;
        self.metrics.reconciles.inc();
        self.metrics.compared_at.set(clock::now().seconds());
        let is_drifted = mending.drift > 0;
        if mending.is_mended || (is_drifted && mending.cause == Cause::Foreign) {
            self.metrics.foreign_changes.inc();
            tracing::warn!(
                backend = self.backend.name(),
                elements = mending.drift,
                "another program changed what enforces bans; it is repaired"
            );
        }
        if is_drifted {
            self.next_reconcile = now + self.pace.reconcile.min(AFTERMATH);
        }
        // What piled up in the meantime takes its turn.
        if let Some((at, Cause::Foreign)) = &mut self.repair {
            *at = (*at).max(now + BREATH);
        }
        self.measure();
        self.count();
        self.status.set(Condition::InSync);
        self.tell_elements();
    }

    /// Writes all that is wanted anew, at once.
    fn rebuild(&mut self) {
        let now = clock::now();
        self.wanted.forget_all_edits();
        let rebuilt = self.backend.rebuild(&mut self.wanted.elements(now));
        match rebuilt {
            Ok(()) => {
                self.metrics.batches.inc();
                self.is_sure = true;
                if let Some(mending) = &mut self.mending {
                    mending.comparison = None;
                    mending.drift = mending.drift.max(1);
                }
            }
            Err(error) => self.fail(&error),
        }
    }

    /// Gives the repair up, to be tried again after a pause.
    fn fail(&mut self, error: &Error) {
        self.note(error);
        self.mending = None;
        self.repair = Some((clock::instant() + self.pause, Cause::Failure));
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }
}
