//! A listener that strangers can reach: what is dropped there is counted each time and logged
//! seldom.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use crate::system::clock;
use crate::value::Seldom;

/// Why a connection was ended by us before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dropped {
    /// It had to make room, or found none.
    TooMany,
    /// It began a request and did not go on.
    Slow,
    /// It did not take its answer.
    Stalled,
    /// It sent what is no HTTP, or more headers than there may be.
    Malformed,
}

impl Dropped {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::TooMany, Self::Slow, Self::Stalled, Self::Malformed];

    /// The word for it in metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::TooMany => "too_many_connections",
            Self::Slow => "slow",
            Self::Stalled => "stalled",
            Self::Malformed => "malformed",
        }
    }
}

/// Counts by the reason's name.
type Count = Box<dyn Fn(&'static str) + Send + Sync>;

/// A listener's name and counters.
pub struct Door {
    name: &'static str,
    count: Count,
    logged: Mutex<BTreeMap<Dropped, Seldom>>,
}

impl Door {
    /// Of this name; `count` is told the reason of each connection that is dropped.
    pub fn new(name: &'static str, count: impl Fn(&'static str) + Send + Sync + 'static) -> Self {
        Self { name, count: Box::new(count), logged: Mutex::default() }
    }

    pub(super) fn dropped(&self, reason: Dropped, peer: IpAddr) {
        (self.count)(reason.name());
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(more) = logged.entry(reason).or_default().may(clock::now()) {
            let (door, reason) = (self.name, reason.name());
            tracing::warn!(door, reason, %peer, more, "a connection was dropped");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn each_is_counted() {
        let counted = Arc::new(AtomicU32::new(0));
        let shared = Arc::clone(&counted);
        let door = Door::new("lapi", move |reason| {
            assert_eq!(reason, "slow");
            shared.fetch_add(1, Ordering::Relaxed);
        });
        for _ in 0..3 {
            door.dropped(Dropped::Slow, [192, 0, 2, 1].into());
        }
        assert_eq!(counted.load(Ordering::Relaxed), 3);
    }
}
