//! The one owner of the backend: a loop that tells it what is wanted and heals it.
//!
//! Changes that wait in the queue together are carried out together. Whenever it is not sure what
//! the backend has (at the start, after a failure, when somebody else touched our table, on the
//! timer) it compares and repairs. Failures never end the loop.

#![forbid(unsafe_code)]

use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use super::backend::{Backend, Error};
use super::element::Edit;
use super::netlink;
use super::orders::{Inbox, Order};
use super::reconcile;
use super::status::{Condition, Status};
use super::wanted::Wanted;
use crate::decision::Family;
use crate::metrics::{ByFamily, Metrics, set_total};
use crate::system::clock;

/// Ends of bans that differ by less are equal, in nanoseconds: the kernel counts in ticks, and
/// reading takes a moment.
const TOLERANCE: i64 = 500_000_000;
/// How long foreign changes may pile up before they are repaired together.
const BREATH: Duration = Duration::from_millis(100);
/// The pause after the first of several failures; each further one doubles it.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// When a repair is looked at again: until then drift is shown as it was found.
const AFTERMATH: Duration = Duration::from_secs(1);
/// Latencies that wait for a success. More are not measured.
const MOST_UNMEASURED: usize = 10_000;

/// How often to do what nothing calls for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Compare the backend with what is wanted.
    pub reconcile: Duration,
    /// Read what was dropped, and forget what is over.
    pub count: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { reconcile: Duration::from_secs(30), count: Duration::from_secs(5) }
    }
}

/// Why the backend is compared with what is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Cause {
    Routine,
    Failure,
    Foreign,
}

/// What a comparison found, and put right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Finding {
    /// The table was not as it had been made.
    is_mended: bool,
    /// Elements were not as they had been told.
    is_drifted: bool,
}

/// Owns a backend, and a copy of what is wanted.
#[derive(Debug)]
pub struct Enforcer<B> {
    backend: B,
    inbox: Inbox,
    pace: Pace,
    metrics: Metrics,
    status: Status,
    wanted: Wanted,
    /// Whether all of the ledger's bans are known. Before, what the backend has is left alone.
    is_complete: bool,
    /// Whether the table was made once.
    is_prepared: bool,
    /// The repair to come, and why.
    repair: Option<(Instant, Cause)>,
    repaired_at: Option<Instant>,
    next_reconcile: Instant,
    next_count: Instant,
    pause: Duration,
    unmeasured: Vec<Instant>,
}

impl<B: Backend> Enforcer<B> {
    /// An enforcer that takes its orders from `inbox`.
    #[must_use]
    pub fn new(backend: B, inbox: Inbox, pace: Pace, metrics: Metrics, status: Status) -> Self {
        let now = clock::instant();
        Self {
            backend,
            inbox,
            pace,
            metrics,
            status,
            wanted: Wanted::default(),
            is_complete: false,
            is_prepared: false,
            repair: Some((now, Cause::Routine)),
            repaired_at: None,
            next_reconcile: now + pace.reconcile,
            next_count: now + pace.count,
            pause: FIRST_PAUSE,
            unmeasured: Vec::new(),
        }
    }

    /// Runs until told to stop or until nobody can send orders any more; gives the backend back,
    /// which still holds all bans.
    pub fn run(mut self) -> B {
        loop {
            let (orders, is_last) = match self.inbox.take() {
                Ok(orders) => (orders, false),
                Err(orders) => (orders, true),
            };
            let is_stop = self.accept(orders) || is_last;
            self.listen();
            self.step();
            if is_stop {
                return self.backend;
            }
            self.sleep();
        }
    }

    /// Takes orders in; says whether one of them is to stop.
    fn accept(&mut self, orders: Vec<Order>) -> bool {
        let mut is_stop = false;
        for order in orders {
            match order {
                Order::Change(change, since) => {
                    if let crate::ledger::Change::Replace(_) = change {
                        self.is_complete = true;
                        self.repair_at(clock::instant(), Cause::Routine);
                    }
                    self.wanted.change(&change);
                    if self.unmeasured.len() < MOST_UNMEASURED {
                        self.unmeasured.extend(since);
                    }
                }
                Order::Reconcile => self.repair_at(clock::instant(), Cause::Routine),
                Order::Stop => is_stop = true,
            }
        }
        is_stop
    }

    fn listen(&mut self) {
        let is_disturbed = self.backend.disturbed().unwrap_or_else(|error| {
            self.note(&error);
            true
        });
        if is_disturbed {
            // The first one is repaired at once; those of a fight with another program take turns.
            let now = clock::instant();
            let at = self.repaired_at.map_or(now, |repaired| now.max(repaired + BREATH));
            self.repair_at(at, Cause::Foreign);
        }
    }

    /// Sees to it that a repair comes at that time or earlier. After a failure the pause holds.
    fn repair_at(&mut self, at: Instant, cause: Cause) {
        self.repair = Some(match self.repair {
            Some((earlier, Cause::Failure)) => (earlier, Cause::Failure),
            Some((earlier, other)) => (earlier.min(at), other.max(cause)),
            None => (at, cause),
        });
    }

    fn step(&mut self) {
        let now = clock::instant();
        if self.next_reconcile <= now {
            self.repair_at(now, Cause::Routine);
        }
        match self.repair {
            Some((at, cause)) if at <= now => self.mend(cause),
            None if self.wanted.is_touched() => self.carry_out(),
            // Changes wait for a repair that is about to come: it carries them out, too.
            Some(_) | None => {}
        }
        if self.next_count <= now {
            self.next_count = now + self.pace.count;
            self.wanted.expire(clock::now());
            self.count();
            self.tell_elements();
        }
    }

    /// Brings new changes to the backend.
    fn carry_out(&mut self) {
        let edits = self.wanted.take_edits(clock::now());
        match self.backend.apply(&edits) {
            Ok(transactions) => {
                self.metrics.batches.inc_by(transactions);
                self.measure();
                self.tell_elements();
            }
            Err(error) => {
                self.note(&error);
                // The first repair follows at once.
                self.repair_at(clock::instant(), Cause::Routine);
            }
        }
    }

    /// Compares, repairs, and plans the next time.
    fn mend(&mut self, cause: Cause) {
        self.repair = None;
        let outcome = self.reconcile();
        let now = clock::instant();
        self.repaired_at = Some(now);
        self.next_reconcile = now + self.pace.reconcile;
        match outcome {
            Ok(found) => {
                self.pause = FIRST_PAUSE;
                self.metrics.reconciles.inc();
                if found.is_mended || (found.is_drifted && cause == Cause::Foreign) {
                    self.metrics.foreign_changes.inc();
                    tracing::warn!(
                        backend = self.backend.name(),
                        elements = self.metrics.drift.get(),
                        "another program changed what enforces bans; it is repaired"
                    );
                }
                if found.is_drifted {
                    self.next_reconcile = now + self.pace.reconcile.min(AFTERMATH);
                }
                self.measure();
                self.count();
                if self.is_complete {
                    self.status.set(Condition::InSync);
                }
            }
            Err(error) => {
                self.note(&error);
                self.repair = Some((now + self.pause, Cause::Failure));
                self.pause = (self.pause * 2).min(LONGEST_PAUSE);
            }
        }
        self.tell_elements();
    }

    /// Makes the backend hold what is wanted; says what was found.
    fn reconcile(&mut self) -> Result<Finding, Error> {
        let is_changed = self.backend.prepare()?;
        // The first time, what is missing is nobody's doing.
        let is_mended = std::mem::replace(&mut self.is_prepared, true) && is_changed;
        if !self.is_complete {
            let edits = self.wanted.take_edits(clock::now());
            let transactions = self.backend.apply(&edits)?;
            self.metrics.batches.inc_by(transactions);
            return Ok(Finding { is_mended, is_drifted: false });
        }
        let held = match self.backend.list() {
            Ok(held) => held,
            Err(error @ Error::Torn { .. }) => {
                self.note(&error);
                self.rebuild()?;
                return Ok(Finding { is_mended, is_drifted: true });
            }
            Err(error) => return Err(error),
        };
        let now = clock::now();
        // What was asked for since the last time is no drift.
        let fresh: Vec<_> = self.wanted.take_edits(now).iter().map(|edit| edit.element()).collect();
        let edits = reconcile::diff(self.wanted.elements(now), &held, now, TOLERANCE);
        let is_fresh = |edit: &Edit| fresh.binary_search(&edit.element()).is_ok();
        let drift = edits.iter().filter(|edit| !is_fresh(edit)).count();
        self.metrics.drift.set(i64::try_from(drift).unwrap_or(i64::MAX));
        if drift > 0 {
            self.status.set(Condition::Drifted(drift));
        }
        match self.backend.apply(&edits) {
            Ok(transactions) => {
                self.metrics.batches.inc_by(transactions);
            }
            Err(error) => {
                self.note(&error);
                self.rebuild()?;
            }
        }
        Ok(Finding { is_mended, is_drifted: drift > 0 })
    }

    fn rebuild(&mut self) -> Result<(), Error> {
        let now = clock::now();
        self.wanted.forget_edits();
        self.backend.rebuild(&mut self.wanted.elements(now))?;
        self.metrics.batches.inc();
        Ok(())
    }

    fn note(&self, error: &Error) {
        self.metrics.enforce_errors.inc();
        self.status.set(Condition::Failed(error.to_string()));
        tracing::warn!(backend = self.backend.name(), %error, "enforcement failed and is tried again");
    }

    fn measure(&mut self) {
        let now = clock::instant();
        for since in self.unmeasured.drain(..) {
            let span = now.saturating_duration_since(since);
            self.metrics.receive_to_kernel.observe(span.as_secs_f64());
        }
    }

    fn tell_elements(&self) {
        for family in [Family::V4, Family::V6] {
            let count = i64::try_from(self.wanted.count(family)).unwrap_or(i64::MAX);
            let label = ByFamily { family: family.name() };
            self.metrics.elements.get_or_create(&label).set(count);
        }
    }

    fn count(&mut self) {
        match self.backend.dropped() {
            Ok(dropped) => {
                for family in [Family::V4, Family::V6] {
                    let label = ByFamily { family: family.name() };
                    let counts = dropped.of(family);
                    set_total(&self.metrics.dropped_packets.get_or_create(&label), counts.packets);
                    set_total(&self.metrics.dropped_bytes.get_or_create(&label), counts.bytes);
                }
            }
            Err(error) => {
                self.note(&error);
                self.repair_at(clock::instant(), Cause::Routine);
            }
        }
    }

    /// Waits for orders, for a foreign change, or for the next thing to do.
    fn sleep(&mut self) {
        let mut until = self.next_reconcile.min(self.next_count);
        if let Some((at, _)) = self.repair {
            until = until.min(at);
        }
        let timeout = until.saturating_duration_since(clock::instant());
        let bell = self.inbox.as_fd();
        let waited = match self.backend.watched() {
            Some(watched) => netlink::wait(&[bell, watched], timeout),
            None => netlink::wait(&[bell], timeout),
        };
        if let Err(source) = waited {
            self.note(&Error::Wait(source));
            // Without a way to wait the loop must not spin.
            std::thread::sleep(timeout.min(FIRST_PAUSE));
        }
    }
}

#[cfg(test)]
mod tests;
