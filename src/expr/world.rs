//! The facts from outside the event that functions of the language may ask for.
//!
//! A [`World`] is what one worker holds: the time of its batch, and a share in the [`Facts`] that
//! all workers have in common. Nothing here reads a clock, a disk or a network: the owner fills
//! the facts when rules are loaded and tells each world the time.

use std::fmt::Debug;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ipnet::IpNet;

use super::functions::Documents;
use crate::value::Time;

mod bots;
mod cache;
mod files;
mod geo;
mod lines;
mod patterns;
mod resolver;
mod stash;

pub use bots::Bot;
pub use cache::{Cache, Strategy};
pub use files::{DataFile, Files, Regexps, Rows};
#[cfg(test)]
pub(crate) use geo::sample;
pub use geo::{AsRecord, CityRecord, Geo, GeoError};
pub use lines::Lines;
pub(super) use lines::Relation;
pub use resolver::{Question, Resolver};
pub use stash::Stashes;

/// What one worker knows of the outside. A clone shares the facts but has a time of its own.
#[derive(Debug, Default)]
pub struct World {
    /// Nanoseconds since the epoch. Atomic only so that a world may be shared by reference; each
    /// worker sets its own before a batch, so results do not depend on other workers.
    now: AtomicI64,
    documents: Mutex<Documents>,
    facts: Arc<Facts>,
}

/// What all workers have in common; what changes while they run guards itself.
#[derive(Debug, Default)]
pub struct Facts {
    /// The name of this machine, what `Hostname()` gives.
    pub hostname: Box<str>,
    /// The data files of rules, by the name they are registered under.
    pub files: Files,
    /// The caches that rules write with `stash` and read with `GetFromStash`. Shared with the
    /// facts of the next load when its rules declare the same caches.
    pub stashes: Stashes,
    /// The databases of places and networks.
    pub geo: Geo,
    /// The decisions in force and in history; none in a replay.
    pub decisions: Option<Arc<dyn Decisions>>,
    /// Names of addresses and addresses of names.
    pub resolver: Arc<Resolver>,
}

/// How expressions ask for decisions.
pub trait Decisions: Debug + Send + Sync {
    /// How many decisions were ever made on something that contains `range`, at `since` or later.
    ///
    /// # Errors
    /// A sentence that says why the history cannot be read.
    fn count(&self, range: IpNet, since: Option<Time>) -> Result<u64, String>;

    /// When each decision in force at `now` on something that contains `range` ends.
    ///
    /// # Errors
    /// A sentence that says why the decisions cannot be read.
    fn active(&self, range: IpNet, now: Time) -> Result<Vec<Time>, String>;
}

impl World {
    /// A world with these facts, at the epoch.
    #[must_use]
    pub fn new(facts: Arc<Facts>) -> Self {
        Self { facts, ..Self::default() }
    }

    /// The time of the batch, in UTC; what `TimeNow()` and `now()` give.
    #[must_use]
    pub fn now(&self) -> Time {
        Time::from_nanos(self.now.load(Ordering::Relaxed))
    }

    /// Sets the time, once per batch.
    pub fn set_now(&self, now: Time) {
        self.now.store(now.nanos, Ordering::Relaxed);
    }

    /// What all workers have in common.
    #[must_use]
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The XML documents read last.
    pub(super) fn documents(&self) -> MutexGuard<'_, Documents> {
        self.documents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clone for World {
    fn clone(&self) -> Self {
        let world = Self::new(Arc::clone(&self.facts));
        world.set_now(self.now());
        world
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shared<T: Send + Sync>() {}

    #[test]
    fn a_clone_has_a_time_of_its_own() {
        shared::<World>();
        let one = World::new(Arc::new(Facts { hostname: "h".into(), ..Facts::default() }));
        one.set_now(Time::from_seconds(5));
        let two = one.clone();
        two.set_now(Time::from_seconds(7));
        assert_eq!(one.now(), Time::from_seconds(5));
        assert_eq!(two.now(), Time::from_seconds(7));
        assert_eq!(&*two.facts().hostname, "h");
    }
}
