//! What happened to the buckets of one scenario, for the metrics.

/// Counts since the start. Every poured event and every bucket that ended is in exactly one of
/// the numbers that speak of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Events poured into a bucket.
    pub poured: u64,
    /// Events whose distinct value the bucket had seen.
    pub repeated: u64,
    /// Replayed events that do not say when they happened.
    pub undated: u64,
    /// Buckets that overflowed, whatever became of the overflow.
    pub overflowed: u64,
    /// Of those: discarded by `overflow_filter`.
    pub filtered: u64,
    /// Of those: discarded because the bucket had overflowed before.
    pub blackholed: u64,
    /// Of those: without anybody to blame.
    pub unsourced: u64,
    /// Buckets that leaked dry.
    pub underflowed: u64,
    /// Buckets ended by `cancel_on`.
    pub cancelled: u64,
    /// Buckets given up to make room.
    pub evicted: u64,
    /// Conditions that could not be evaluated.
    pub faults: u64,
    /// Buckets there are now.
    pub tracked: u64,
}

impl Counts {
    /// The sums of both.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            poured: self.poured + other.poured,
            repeated: self.repeated + other.repeated,
            undated: self.undated + other.undated,
            overflowed: self.overflowed + other.overflowed,
            filtered: self.filtered + other.filtered,
            blackholed: self.blackholed + other.blackholed,
            unsourced: self.unsourced + other.unsourced,
            underflowed: self.underflowed + other.underflowed,
            cancelled: self.cancelled + other.cancelled,
            evicted: self.evicted + other.evicted,
            faults: self.faults + other.faults,
            tracked: self.tracked + other.tracked,
        }
    }
}
