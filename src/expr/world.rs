//! The facts from outside the event that functions of the language may ask for.

use crate::value::Time;

/// Data files, caches and the time, as one evaluation sees them.
///
/// The owner of a worker fills it; nothing here reads a clock, a disk or a network.
#[derive(Debug, Default)]
pub struct World {
    /// What `TimeNow()` and `now()` give; the worker sets it for each batch.
    pub now: Option<Time>,
}
