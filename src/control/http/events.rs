//! Server-sent events: how the daemon is, told to all who listen.
//!
//! One question a second, however many listen, and none while nobody does. Listeners are bounded in
//! number, and each in what waits for it: one that does not read as fast is left, and counted.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Bytes;
use hyper::body::{Body, Frame};
use tokio::sync::{Notify, mpsc};

use crate::metrics::Pages as Counted;

/// Listeners at the same time.
const MOST: usize = 16;
/// Events that may wait for a listener, beside what the kernel holds of the connection.
const WAITING: usize = 4;
/// How often is told.
pub(super) const PERIOD: Duration = Duration::from_secs(1);

/// All who listen.
#[derive(Debug)]
pub(super) struct Audience {
    seats: Mutex<Vec<mpsc::Sender<Bytes>>>,
    taken: Notify,
    counted: Counted,
}

/// What one of them is told.
#[derive(Debug)]
pub(super) struct Listener {
    events: mpsc::Receiver<Bytes>,
    audience: Arc<Audience>,
}

impl Audience {
    pub(super) fn new(counted: Counted) -> Self {
        Self { seats: Mutex::default(), taken: Notify::new(), counted }
    }

    /// Another listener; `None` when all seats are taken.
    pub(super) fn join(self: &Arc<Self>) -> Option<Listener> {
        let mut seats = self.seats();
        if seats.len() >= MOST {
            self.counted.turned_away("full");
            return None;
        }
        let (sender, events) = mpsc::channel(WAITING);
        seats.push(sender);
        self.counted.listeners(seats.len());
        self.taken.notify_one();
        Some(Listener { events, audience: Arc::clone(self) })
    }

    /// Waits until somebody listens.
    pub(super) async fn somebody(&self) {
        while self.seats().is_empty() {
            self.taken.notified().await;
        }
    }

    /// Tells all; whoever has not taken what was told before is left.
    pub(super) fn tell(&self, event: &str, data: &str) {
        let text = Bytes::from(format!("event: {event}\ndata: {data}\n\n"));
        let mut seats = self.seats();
        seats.retain(|seat| match seat.try_send(text.clone()) {
            Ok(()) => true,
            Err(mpsc::error::TrySendError::Full(_)) => {
                self.counted.turned_away("slow");
                false
            }
            Err(mpsc::error::TrySendError::Closed(_)) => false,
        });
        self.counted.listeners(seats.len());
    }

    /// Sends everybody home.
    pub(super) fn close(&self) {
        self.seats().clear();
        self.counted.listeners(0);
    }

    fn seats(&self) -> MutexGuard<'_, Vec<mpsc::Sender<Bytes>>> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Listener {
    /// Makes room for another at once.
    fn drop(&mut self) {
        self.events.close();
        let mut seats = self.audience.seats();
        seats.retain(|seat| !seat.is_closed());
        self.audience.counted.listeners(seats.len());
    }
}

impl Body for Listener {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.events.poll_recv(context).map(|event| event.map(|event| Ok(Frame::data(event))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    fn audience() -> (Arc<Audience>, Metrics) {
        let metrics = Metrics::default();
        (Arc::new(Audience::new(metrics.pages.clone())), metrics)
    }

    #[track_caller]
    fn check(metrics: &Metrics, listeners: i64, full: u64, slow: u64) {
        let pages = &metrics.pages;
        let counted = (pages.listening(), pages.away("full"), pages.away("slow"));
        assert_eq!(counted, (listeners, full, slow));
    }

    #[test]
    fn seats_are_bounded_and_free_again() {
        let (audience, metrics) = audience();
        let mut all: Vec<Listener> = (0..MOST).filter_map(|_| audience.join()).collect();
        assert_eq!(all.len(), MOST);
        assert!(audience.join().is_none());
        check(&metrics, MOST as i64, 1, 0);
        all.pop();
        check(&metrics, MOST as i64 - 1, 1, 0);
        assert!(audience.join().is_some());
        drop(all);
        check(&metrics, 0, 1, 0);
    }

    #[test]
    fn who_does_not_read_is_left_and_the_others_are_not() {
        let (audience, metrics) = audience();
        let (mut reader, mut sleeper) = (audience.join().unwrap(), audience.join().unwrap());
        for n in 0..6 {
            audience.tell("status", &n.to_string());
            assert_eq!(reader.events.try_recv().unwrap(), format!("event: status\ndata: {n}\n\n"));
        }
        check(&metrics, 1, 0, 1);
        let mut held = 0;
        while sleeper.events.try_recv().is_ok() {
            held += 1;
        }
        assert_eq!((held, sleeper.events.is_closed()), (WAITING, true), "then it ends");
    }
}
