//! How much the owner of the buckets remembers: nothing grows beyond this.

/// How much is remembered at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Buckets. Beyond it, the one that would be missed least is given up for each new one.
    pub buckets: usize,
    /// Events kept in buckets. Beyond it, a bucket keeps no more events than it already does; it
    /// counts and overflows as before.
    pub events: usize,
    /// Overflows remembered so that they are not told again. Beyond it, the one that would be
    /// forgotten first is.
    pub silences: usize,
    /// Buckets that one tick ends. Those beyond it end at the next, or when an event finds them;
    /// pours wait for a tick, so it must not take long.
    pub ends_per_tick: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { buckets: 1_000_000, events: 4_000_000, silences: 1_000_000, ends_per_tick: 50_000 }
    }
}
