//! The queue into the enforcer, and the bell that wakes it.
//!
//! The queue has an end. Who sends a change never waits: what does not fit comes back, and the sender
//! sends a `Replace` once there is room. Who asks something waits as long as it says, and no longer.

#![forbid(unsafe_code)]

use std::io::{self, Read as _, Write as _};
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{
    Receiver, RecvTimeoutError, SyncSender, TryRecvError, TrySendError, sync_channel,
};
use std::time::{Duration, Instant};

use super::backend::Hit;
use crate::ledger::Change;

/// What goes through the queue.
#[derive(Debug)]
pub(super) enum Order {
    /// A change, and when that happened which led to it.
    Change(Change, Option<Instant>),
    /// Compare with the backend now.
    Reconcile,
    /// Tell which elements hold an address.
    LookUp(IpAddr, SyncSender<Result<Vec<Hit>, String>>),
    /// Remove everything from the backend and enforce no more; or, undone, go on.
    Flush { is_undone: bool, done: SyncSender<Result<(), String>> },
    /// Leave; what the backend holds stays.
    Stop,
}

/// The sending end; clones send into the same queue.
#[derive(Clone, Debug)]
pub struct Orders {
    queue: SyncSender<Order>,
    bell: Arc<UnixStream>,
    waiting: Arc<AtomicUsize>,
}

/// The receiving end, for one enforcer.
#[derive(Debug)]
pub struct Inbox {
    queue: Receiver<Order>,
    bell: UnixStream,
    waiting: Arc<AtomicUsize>,
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

/// Why nobody answered.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unanswered {
    /// The queue is full, or there was no answer in time.
    #[error("the enforcer is busy: try again")]
    Busy,
    /// There is no enforcer any more.
    #[error("the enforcer has stopped")]
    Stopped,
    /// The backend failed, for this reason.
    #[error("{0}")]
    Failed(String),
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
    let waiting = Arc::new(AtomicUsize::new(0));
    let orders = Orders { queue: sender, bell: Arc::new(ring), waiting: Arc::clone(&waiting) };
    Ok((orders, Inbox { queue: receiver, bell, waiting }))
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
            _ => unreachable!("a change was sent"),
        };
        match self.try_send(Order::Change(change, since)) {
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
        let _ = self.try_send(Order::Reconcile);
        self.ring();
    }

    /// Which elements of the backend hold this address now. Waits for the answer, at most so long.
    ///
    /// # Errors
    /// [`Unanswered`].
    pub fn look_up(&self, address: IpAddr, patience: Duration) -> Result<Vec<Hit>, Unanswered> {
        self.ask(|reply| Order::LookUp(address, reply), patience)
    }

    /// Removes everything from the backend, and has nothing enforced until that is undone or the
    /// daemon starts again. Bans stay in the ledger. Waits until it is done, at most so long.
    ///
    /// # Errors
    /// [`Unanswered`]; without an answer in time it may be done later.
    pub fn flush(&self, is_undone: bool, patience: Duration) -> Result<(), Unanswered> {
        self.ask(|done| Order::Flush { is_undone, done }, patience)
    }

    fn ask<T>(
        &self,
        order: impl FnOnce(SyncSender<Result<T, String>>) -> Order,
        patience: Duration,
    ) -> Result<T, Unanswered> {
        let (reply, answer) = sync_channel(1);
        match self.try_send(order(reply)) {
            Ok(()) => self.ring(),
            Err(TrySendError::Full(_)) => return Err(Unanswered::Busy),
            Err(TrySendError::Disconnected(_)) => return Err(Unanswered::Stopped),
        }
        match answer.recv_timeout(patience) {
            Ok(answer) => answer.map_err(Unanswered::Failed),
            Err(RecvTimeoutError::Timeout) => Err(Unanswered::Busy),
            Err(RecvTimeoutError::Disconnected) => Err(Unanswered::Stopped),
        }
    }

    /// Ends the enforcer behind all that was sent before; waits while the queue is full. What the
    /// backend holds stays.
    pub fn stop(&self) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        if self.queue.send(Order::Stop).is_err() {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
        }
        self.ring();
    }

    /// How many wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    fn try_send(&self, order: Order) -> Result<(), TrySendError<Order>> {
        // Before anybody can have taken it.
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let sent = self.queue.try_send(order);
        if sent.is_err() {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
        }
        sent
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
                Ok(order) => {
                    self.waiting.fetch_sub(1, Ordering::Relaxed);
                    orders.push(order);
                }
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
    fn who_asks_waits_no_longer_than_it_says() {
        let (orders, inbox) = queue(1).unwrap();
        let address = IpAddr::from([192, 0, 2, 1]);
        let moment = Duration::from_millis(1);
        assert_eq!(orders.look_up(address, moment), Err(Unanswered::Busy), "nobody answers");
        assert_eq!(orders.flush(false, moment), Err(Unanswered::Busy), "the queue is full");
        assert!(
            matches!(&inbox.take().unwrap()[..], [Order::LookUp(asked, _)] if *asked == address)
        );
        drop(inbox);
        assert_eq!(orders.look_up(address, moment), Err(Unanswered::Stopped));
    }

    #[test]
    fn the_last_sender_is_noticed_with_what_it_sent() {
        let (orders, inbox) = queue(4).unwrap();
        orders.send(Change::Replace(vec![]), None).unwrap();
        drop(orders);
        assert_eq!(inbox.take().unwrap_err().len(), 1);
    }
}
