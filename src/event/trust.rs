//! How far a line is believed.

/// The most that may follow from a line: its transport may have no way to tell who sent it.
///
/// In order: the less is believed, the smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Trust(u32);

impl Trust {
    /// Nobody is banned by it.
    pub const OBSERVE: Self = Self(0);
    /// Whatever the rules say.
    pub const FULL: Self = Self(u32::MAX);

    /// Bans of so many seconds at most, from 1.
    #[must_use]
    pub fn seconds(seconds: u64) -> Self {
        Self(u32::try_from(seconds).unwrap_or(u32::MAX).clamp(1, u32::MAX - 1))
    }

    /// Whether all that rules say may follow.
    #[must_use]
    pub const fn is_full(self) -> bool {
        self.0 == u32::MAX
    }

    /// The longest ban in nanoseconds; 0 for none at all, `None` for any.
    #[must_use]
    pub fn longest(self) -> Option<i64> {
        (!self.is_full()).then(|| i64::from(self.0) * 1_000_000_000)
    }

    /// A number of its own: buckets of lines that are believed alike have it in common.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }
}

impl Default for Trust {
    fn default() -> Self {
        Self::FULL
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_less_is_believed_the_smaller() {
        let minute = Trust::seconds(60);
        assert!(Trust::OBSERVE < minute && minute < Trust::seconds(61));
        assert!(Trust::seconds(u64::MAX) < Trust::FULL);
        assert_eq!(minute.longest(), Some(60_000_000_000));
        assert_eq!(Trust::OBSERVE.longest(), Some(0));
        assert_eq!(Trust::default().longest(), None);
        assert!(Trust::seconds(0) > Trust::OBSERVE);
    }
}
