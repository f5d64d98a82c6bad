//! What machines ask of the daemon, as values that the one who decides takes.
//!
//! Nothing here decides or writes: an [`Order`] goes into a queue with an end, and whoever asked
//! waits for the reply, and not for ever.

use std::fmt;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::alerts::Pushed;
use super::endings::Fit;

/// What is answered; else a sentence about what went wrong.
pub type Told<T> = Result<T, String>;

/// Something that is asked for.
#[derive(Debug)]
pub enum Order {
    /// Take these alerts.
    Push {
        /// The machine that has them.
        machine: String,
        /// All of them, checked and bounded.
        alerts: Vec<Pushed>,
        /// The numbers of those that were taken, in their order.
        reply: oneshot::Sender<Told<Vec<u64>>>,
    },
    /// End decisions, as many as end at once.
    EndDecisions {
        /// Which.
        fit: Fit,
        /// How many ended.
        reply: oneshot::Sender<Told<EndedSome>>,
    },
    /// Forget these alerts, and end what nobody else asked for.
    DeleteAlerts {
        /// Their numbers: a few hundred.
        alerts: Vec<u64>,
        /// How many there were.
        reply: oneshot::Sender<Told<usize>>,
    },
}

/// A part of what was to end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EndedSome {
    /// How many ended.
    pub count: usize,
    /// Whether there are more: asking again ends them.
    pub has_more: bool,
}

/// The way to whoever decides.
#[derive(Clone)]
pub struct Orders(Arc<dyn Fn(Order) -> bool + Send + Sync>);

impl Orders {
    /// Orders go to `send`, which does not wait and says whether there was room.
    #[must_use]
    pub fn new(send: impl Fn(Order) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(send))
    }

    /// False when there is no room now.
    pub(super) fn send(&self, order: Order) -> bool {
        (self.0)(order)
    }
}

impl Default for Orders {
    /// Nobody takes any.
    fn default() -> Self {
        Self::new(|_| false)
    }
}

impl fmt::Debug for Orders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Orders").finish()
    }
}
