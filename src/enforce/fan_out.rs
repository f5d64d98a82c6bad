//! Hands each change to every enforcer.
//!
//! There is one enforcer for each backend, with a queue of its own, so that one that is slow or
//! fails keeps no other from its work. What does not fit a queue is not lost: that one is owed all
//! that is in force, and gets it with [`FanOut::pay`] as soon as there is room.

#![forbid(unsafe_code)]

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::backend::Hit;
use super::orders::{Inbox, Orders, Unanswered, Unsent, queue};
use crate::ledger::Change;

/// The sending ends of the queues of all enforcers. Clones send into the same queues.
#[derive(Clone, Debug)]
pub struct FanOut {
    each: Vec<One>,
    /// What one queue has room for.
    capacity: usize,
    /// Times that a change did not fit.
    full: Arc<AtomicU64>,
}

#[derive(Clone, Debug)]
struct One {
    /// The backend's word.
    name: &'static str,
    orders: Orders,
    /// A change did not fit: whatever is sent before all that is in force would be of no use.
    is_owed: Arc<AtomicBool>,
}

impl One {
    /// Says whether the enforcer still runs.
    fn send(&self, change: Change, since: Option<Instant>, full: &AtomicU64) -> bool {
        match self.orders.send(change, since) {
            Ok(()) => true,
            Err(Unsent::Full(_)) => {
                full.fetch_add(1, Ordering::Relaxed);
                self.is_owed.store(true, Ordering::Relaxed);
                true
            }
            Err(Unsent::Stopped(_)) => false,
        }
    }
}

/// What the enforcer of the named backend answered.
pub type Answer<T> = (&'static str, Result<T, Unanswered>);

/// An enforcer that should run has stopped; the others have got the change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an enforcer has stopped")]
pub struct Stopped;

impl FanOut {
    /// Queues for the enforcers of these backends, each for so many changes.
    ///
    /// # Errors
    /// When the system has no socket left.
    pub fn new(backends: &[&'static str], capacity: usize) -> io::Result<(Self, Vec<Inbox>)> {
        let (mut each, mut inboxes) = (Vec::new(), Vec::new());
        for name in backends {
            let (orders, inbox) = queue(capacity)?;
            each.push(One { name, orders, is_owed: Arc::default() });
            inboxes.push(inbox);
        }
        Ok((Self { each, capacity, full: Arc::default() }, inboxes))
    }

    /// Sends a change to all, without waiting; see [`Orders::send`]. Those that are owed all that
    /// is in force are passed over.
    ///
    /// # Errors
    /// When an enforcer does not run any more.
    pub fn send(&self, change: &Change, since: Option<Instant>) -> Result<(), Stopped> {
        let owed = |one: &&One| one.is_owed.load(Ordering::Relaxed);
        let mut all_run = true;
        for one in self.each.iter().filter(|one| !owed(one)) {
            all_run &= one.send(change.clone(), since, &self.full);
        }
        if all_run { Ok(()) } else { Err(Stopped) }
    }

    /// Whether one is owed all that is in force.
    #[must_use]
    pub fn is_owing(&self) -> bool {
        self.each.iter().any(|one| one.is_owed.load(Ordering::Relaxed))
    }

    /// Sends all that is in force to those that are owed it. What finds no room stays owed.
    pub fn pay(&self, all: &[Change]) {
        for one in self.each.iter().filter(|one| one.is_owed.swap(false, Ordering::Relaxed)) {
            for change in all {
                if !one.send(change.clone(), None, &self.full)
                    || one.is_owed.load(Ordering::Relaxed)
                {
                    break;
                }
            }
        }
    }

    /// What waits in the longest queue, what each has room for, and how often a change did not fit.
    #[must_use]
    pub fn load(&self) -> (usize, usize, u64) {
        let waiting = self.each.iter().map(|one| one.orders.waiting()).max().unwrap_or(0);
        (waiting, self.capacity, self.full.load(Ordering::Relaxed))
    }

    /// Has every backend compared with what is wanted now.
    pub fn reconcile(&self) {
        for one in &self.each {
            one.orders.reconcile();
        }
    }

    /// Which elements of each backend hold this address now; see [`Orders::look_up`]. Each is waited
    /// for at most so long.
    #[must_use]
    pub fn look_up(&self, address: IpAddr, patience: Duration) -> Vec<Answer<Vec<Hit>>> {
        self.each.iter().map(|one| (one.name, one.orders.look_up(address, patience))).collect()
    }

    /// Empties each backend, or undoes that; see [`Orders::flush`]. Each is waited for at most so
    /// long.
    #[must_use]
    pub fn flush(&self, is_undone: bool, patience: Duration) -> Vec<Answer<()>> {
        self.each.iter().map(|one| (one.name, one.orders.flush(is_undone, patience))).collect()
    }

    /// Ends all enforcers behind what was sent before; waits while their queues are full. What the
    /// backends hold stays.
    pub fn stop(&self) {
        for one in &self.each {
            one.orders.stop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::orders::Order;
    use super::*;

    /// How many changes wait, and whether one of them replaces all.
    fn taken(inbox: &Inbox) -> (usize, bool) {
        let orders = inbox.take().unwrap();
        let is_replace = |order: &Order| matches!(order, Order::Change(Change::Replace(_), _));
        (orders.len(), orders.iter().any(is_replace))
    }

    #[test]
    fn one_that_is_behind_is_owed_all_and_the_others_go_on() {
        let (fan_out, inboxes) = FanOut::new(&["one", "other"], 3).unwrap();
        let ban = Change::Ban(vec![]);
        for _ in 0..3 {
            fan_out.send(&ban, None).unwrap();
        }
        assert_eq!(taken(&inboxes[0]), (3, false));
        for _ in 0..2 {
            fan_out.send(&ban, None).unwrap();
        }
        assert!(fan_out.is_owing());
        assert_eq!(taken(&inboxes[0]), (2, false));
        let all = [Change::Friends(vec![]), Change::Replace(vec![])];
        fan_out.pay(&all);
        assert!(fan_out.is_owing(), "there is no room yet");
        assert_eq!(fan_out.load(), (3, 3, 2), "of the queue of the other");
        assert_eq!(taken(&inboxes[0]), (0, false), "it is owed nothing");
        assert_eq!(taken(&inboxes[1]), (3, false));
        fan_out.send(&ban, None).unwrap();
        fan_out.pay(&all);
        assert!(!fan_out.is_owing());
        assert_eq!(taken(&inboxes[1]), (2, true), "what came before all is passed over");
        assert_eq!(taken(&inboxes[0]), (1, false));
    }

    #[test]
    fn each_answers_for_itself() {
        let (fan_out, mut inboxes) = FanOut::new(&["one", "other"], 3).unwrap();
        drop(inboxes.remove(0));
        let moment = Duration::from_millis(1);
        let expected = [("one", Err(Unanswered::Stopped)), ("other", Err(Unanswered::Busy))];
        assert_eq!(fan_out.flush(false, moment), expected);
        assert_eq!(fan_out.look_up(IpAddr::from([192, 0, 2, 1]), moment).len(), 2);
    }

    #[test]
    fn one_that_has_stopped_keeps_no_other_from_its_work() {
        let (fan_out, mut inboxes) = FanOut::new(&["one", "other"], 3).unwrap();
        drop(inboxes.remove(0));
        assert_eq!(fan_out.send(&Change::Ban(vec![]), None), Err(Stopped));
        assert_eq!(taken(&inboxes[0]), (1, false));
        fan_out.pay(&[Change::Replace(vec![])]);
        assert!(!fan_out.is_owing());
    }
}
