//! An instant with the offset it was written in.

/// An instant: nanoseconds since 1970-01-01T00:00:00Z, and the zone offset it was written with.
///
/// Two times are equal when they are the same instant, whatever their offsets.
#[derive(Clone, Copy, Debug)]
pub struct Time {
    /// Nanoseconds since the epoch (years 1677 to 2262).
    pub nanos: i64,
    /// Seconds east of UTC, kept for printing.
    pub offset: i32,
}

impl Time {
    /// This many nanoseconds after the epoch, in UTC.
    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self { nanos, offset: 0 }
    }

    /// This many seconds after the epoch, in UTC; saturates at the ends of the range.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self { nanos: seconds.saturating_mul(1_000_000_000), offset: 0 }
    }

    /// Whole seconds since the epoch, rounded down.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.nanos.div_euclid(1_000_000_000)
    }

    /// This instant moved by a span of nanoseconds; saturates.
    #[must_use]
    pub const fn plus(self, nanos: i64) -> Self {
        Self { nanos: self.nanos.saturating_add(nanos), offset: self.offset }
    }

    /// Nanoseconds from `earlier` to this instant; negative when it is later, saturates.
    #[must_use]
    pub const fn since(self, earlier: Self) -> i64 {
        self.nanos.saturating_sub(earlier.nanos)
    }
}

impl PartialEq for Time {
    fn eq(&self, other: &Self) -> bool {
        self.nanos == other.nanos
    }
}

impl Eq for Time {}

impl PartialOrd for Time {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Time {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.nanos.cmp(&other.nanos)
    }
}
