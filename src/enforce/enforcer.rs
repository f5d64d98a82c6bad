//! The one owner of the backend: a loop that tells it what is wanted and heals it.
//!
//! Changes that wait in the queue together are carried out together. Whenever it is not sure what
//! the backend has (at the start, after a failure, when somebody else touched our table, on the
//! timer) it compares and repairs, in steps of a few milliseconds between which orders are carried
//! out (see [`mending`]). Failures never end the loop.

#![forbid(unsafe_code)]

mod mending;

use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use ipnet::IpNet;

use super::backend::{Backend, Error};
use super::comparison::Comparison;
use super::netlink;
use super::orders::{Inbox, Order};
use super::status::{Condition, Status};
use super::wanted::Wanted;
use crate::decision::Family;
use crate::ledger::Change;
use crate::metrics::{OfBackend, set_total};
use crate::system::clock;

/// How long foreign changes may pile up before they are repaired together.
const BREATH: Duration = Duration::from_millis(100);
/// The pause after the first of several failures; each further one doubles it.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
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

/// A comparison under way, or the repairs that it led to.
#[derive(Debug)]
struct Mending {
    cause: Cause,
    /// The table was not as it had been made.
    is_mended: bool,
    /// How far the comparison is; gone when it is done.
    comparison: Option<Comparison>,
    /// Whether the backend has told all that there is.
    is_listed: bool,
    /// Elements that were not as they had been told.
    drift: usize,
    /// How often it was begun anew because somebody interfered.
    restarts: u32,
}

/// Owns a backend, and a copy of what is wanted.
#[derive(Debug)]
pub struct Enforcer<B> {
    backend: B,
    inbox: Inbox,
    pace: Pace,
    metrics: OfBackend,
    status: Status,
    wanted: Wanted,
    friends: Vec<IpNet>,
    /// Whether the backend was told who the friends are.
    is_befriended: bool,
    /// Whether all of the ledger's bans are known. Before, what the backend has is left alone.
    is_complete: bool,
    /// Whether the backend has what it was told, as far as is known. Before the first comparison
    /// it may hold what another process told it.
    is_sure: bool,
    /// Whether the table was made once.
    is_prepared: bool,
    /// Whether an operator emptied the backend; nothing is done until that is undone.
    is_flushed: bool,
    /// The repair to come, and why.
    repair: Option<(Instant, Cause)>,
    /// The repair under way.
    mending: Option<Mending>,
    repaired_at: Option<Instant>,
    next_reconcile: Instant,
    next_count: Instant,
    pause: Duration,
    unmeasured: Vec<Instant>,
}

impl<B: Backend> Enforcer<B> {
    /// An enforcer that takes its orders from `inbox`.
    #[must_use]
    pub fn new(backend: B, inbox: Inbox, pace: Pace, metrics: OfBackend, status: Status) -> Self {
        let now = clock::instant();
        let wanted = Wanted::new(backend.shape(), backend.expires());
        Self {
            backend,
            inbox,
            pace,
            metrics,
            status,
            wanted,
            friends: Vec::new(),
            is_befriended: false,
            is_complete: false,
            is_sure: false,
            is_prepared: false,
            is_flushed: false,
            repair: Some((now, Cause::Routine)),
            mending: None,
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
                self.finish();
                return self.backend;
            }
            if !self.is_busy() && !self.backend.idle() {
                self.sleep();
            }
        }
    }

    /// Takes orders in; says whether one of them is to stop.
    fn accept(&mut self, orders: Vec<Order>) -> bool {
        let mut is_stop = false;
        for order in orders {
            match order {
                Order::Change(change, since) => {
                    self.change(change);
                    if self.unmeasured.len() < MOST_UNMEASURED {
                        self.unmeasured.extend(since);
                    }
                }
                Order::Reconcile => self.repair_at(clock::instant(), Cause::Routine),
                // Who asked may have gone away.
                Order::LookUp(address, reply) => {
                    let hits = self.backend.look_up(address).map_err(|error| error.to_string());
                    let _ = reply.send(hits);
                }
                Order::Flush { is_undone, done } => {
                    let flushed = if is_undone { self.resume() } else { self.flush() };
                    let _ = done.send(flushed.map_err(|error| error.to_string()));
                }
                Order::Stop => is_stop = true,
            }
        }
        is_stop
    }

    fn change(&mut self, change: Change) {
        match change {
            Change::Replace(_) => {
                self.wanted.change(&change);
                self.is_complete = true;
                self.is_sure = false;
                self.repair_at(clock::instant(), Cause::Routine);
            }
            Change::Ban(_) | Change::Unban(_) => self.wanted.change(&change),
            Change::Friends(friends) => {
                self.friends = friends;
                self.is_befriended = false;
            }
        }
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
        if self.is_flushed {
            self.wanted.expire(clock::now());
            self.wanted.forget_all_edits();
            self.unmeasured.clear();
            self.repair = None;
            return;
        }
        let now = clock::instant();
        if self.next_reconcile <= now && self.mending.is_none() {
            self.repair_at(now, Cause::Routine);
        }
        if !self.backend.expires() {
            self.wanted.expire(clock::now());
        }
        self.mend(now);
        if self.next_count <= now {
            self.next_count = now + self.pace.count;
            self.wanted.expire(clock::now());
            self.count();
            self.tell_elements();
        }
    }

    /// Carries out what was ordered before the end, as far as the backend takes it.
    fn finish(&mut self) {
        while !self.is_flushed && self.is_busy() {
            self.step();
        }
    }

    /// Empties the backend on purpose.
    fn flush(&mut self) -> Result<(), Error> {
        self.mending = None;
        if let Err(error) = self.backend.flush() {
            self.note(&error);
            self.repair_at(clock::instant(), Cause::Routine);
            return Err(error);
        }
        (self.is_flushed, self.is_prepared, self.is_befriended) = (true, false, false);
        self.status.set(Condition::Flushed);
        tracing::warn!(
            backend = self.backend.name(),
            "emptied on purpose: NOTHING IS ENFORCED until `weir flush --undo` or the next start"
        );
        Ok(())
    }

    /// Goes on after a flush, as after a start.
    fn resume(&mut self) -> Result<(), Error> {
        if std::mem::replace(&mut self.is_flushed, false) {
            self.is_sure = false;
            self.status.set(Condition::Starting);
            self.repair = Some((clock::instant(), Cause::Routine));
            tracing::info!(backend = self.backend.name(), "enforcing again");
        }
        Ok(())
    }

    fn note(&self, error: &Error) {
        self.metrics.errors.inc();
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
            self.metrics.elements(family.name()).set(count);
        }
    }

    fn count(&mut self) {
        match self.backend.dropped() {
            Ok(dropped) => {
                for family in [Family::V4, Family::V6] {
                    let counts = dropped.of(family);
                    set_total(&self.metrics.dropped_packets(family.name()), counts.packets);
                    set_total(&self.metrics.dropped_bytes(family.name()), counts.bytes);
                }
            }
            Err(error) => {
                self.note(&error);
                self.repair_at(clock::instant(), Cause::Routine);
            }
        }
    }

    /// When a ban is over that the backend would keep.
    fn next_end(&self) -> Option<Instant> {
        let soonest = self.wanted.soonest().filter(|_| !self.backend.expires())?;
        let left = u64::try_from(soonest.since(clock::now())).unwrap_or(0);
        clock::instant().checked_add(Duration::from_nanos(left))
    }

    /// Waits for orders, for a foreign change, or for the next thing to do.
    fn sleep(&mut self) {
        let mut until = self.next_reconcile.min(self.next_count);
        if self.is_flushed {
            until = clock::instant() + self.pace.count;
        }
        let repair = self.repair.map(|(at, _)| at);
        for at in [repair, self.next_end(), self.backend.look_again()].into_iter().flatten() {
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
