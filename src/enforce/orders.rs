//! The queue into the enforcer, and the bell that wakes it.
//!
//! The queue has an end. A sender never waits: what does not fit comes back, and the sender sends a
//! `Replace` once there is room.

#![forbid(unsafe_code)]

use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::time::Instant;

use crate::ledger::Change;

/// What goes through the queue.
#[derive(Debug)]
pub(super) enum Order {
    /// A change, and when that happened which led to it.
    Change(Change, Option<Instant>),
    /// Compare with the backend now.
    Reconcile,
    /// Leave; what the backend holds stays.
    Stop,
}

/// The sending end; clones send into the same queue.
#[derive(Clone, Debug)]
pub struct Orders {
    queue: SyncSender<Order>,
    bell: Arc<UnixStream>,
}

/// The receiving end, for one enforcer.
#[derive(Debug)]
pub struct Inbox {
    queue: Receiver<Order>,
    bell: UnixStream,
}

/// A change that was not sent.
#[derive(Debug, thiserror::Error)]
pub enum Unsent {
    /// The queue is full.
    #[error("the queue of the enforcer is full")]
    Full(Change),
    /// There is no enforcer any more.
    #[error("the enforcer has stopped")]
    Stopped(Change),
}

/// A queue for so many changes.
///
/// # Errors
/// When the system has no socket left for the bell.
pub fn queue(capacity: usize) -> io::Result<(Orders, Inbox)> {
    let (sender, receiver) = sync_channel(capacity);
    let (ring, bell) = UnixStream::pair()?;
    ring.set_nonblocking(true)?;
    bell.set_nonblocking(true)?;
    Ok((Orders { queue: sender, bell: Arc::new(ring) }, Inbox { queue: receiver, bell }))
}

impl Orders {
    /// Sends a change, without waiting. The metric `receive_to_kernel` counts from `since`: the
    /// receipt of the line that led to the change.
    ///
    /// # Errors
    /// [`Unsent`] with the change.
    pub fn send(&self, change: Change, since: Option<Instant>) -> Result<(), Unsent> {
        let given_back = |order| match order {
            Order::Change(change, _) => change,
            Order::Reconcile | Order::Stop => unreachable!("a change was sent"),
        };
        match self.queue.try_send(Order::Change(change, since)) {
            Ok(()) => {
                self.ring();
                Ok(())
            }
            Err(TrySendError::Full(order)) => Err(Unsent::Full(given_back(order))),
            Err(TrySendError::Disconnected(order)) => Err(Unsent::Stopped(given_back(order))),
        }
    }

    /// Has the backend compared with what is wanted now. A full queue swallows it: the timer comes
    /// anyway.
    pub fn reconcile(&self) {
        let _ = self.queue.try_send(Order::Reconcile);
        self.ring();
    }

    /// Ends the enforcer behind all that was sent before; waits while the queue is full. What the
    /// backend holds stays.
    pub fn stop(&self) {
        let _ = self.queue.send(Order::Stop);
        self.ring();
    }

    fn ring(&self) {
        // A bell that is full of rings is heard as well.
        let _ = (&*self.bell).write(&[1]);
    }
}

impl Inbox {
    /// Everything that waits; `Err` when nobody can send any more.
    pub(super) fn take(&self) -> Result<Vec<Order>, Vec<Order>> {
        // The bell first: an order sent after it was silenced rings again.
        let mut rings = [0; 256];
        while matches!((&self.bell).read(&mut rings), Ok(count) if count > 0) {}
        let mut orders = Vec::new();
        loop {
            match self.queue.try_recv() {
                Ok(order) => orders.push(order),
                Err(TryRecvError::Empty) => return Ok(orders),
                Err(TryRecvError::Disconnected) => return Err(orders),
            }
        }
    }
}

impl AsFd for Inbox {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_comes_back() {
        let (orders, inbox) = queue(1).unwrap();
        let change = Change::Unban(vec![]);
        orders.send(change.clone(), None).unwrap();
        assert!(
            matches!(orders.send(change.clone(), None), Err(Unsent::Full(back)) if back == change)
        );
        assert_eq!(inbox.take().unwrap().len(), 1);
        assert_eq!(inbox.take().unwrap().len(), 0);
        drop(inbox);
        assert!(
            matches!(orders.send(change.clone(), None), Err(Unsent::Stopped(back)) if back == change)
        );
    }

    #[test]
    fn the_last_sender_is_noticed_with_what_it_sent() {
        let (orders, inbox) = queue(4).unwrap();
        orders.send(Change::Replace(vec![]), None).unwrap();
        drop(orders);
        assert_eq!(inbox.take().unwrap_err().len(), 1);
    }
}
