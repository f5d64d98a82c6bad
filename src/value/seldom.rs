//! Messages that strangers can cause are logged seldom.

use std::time::Duration;

use super::Time;

/// Lets one of many like messages through in an interval, and knows how many it held back.
#[derive(Debug)]
pub struct Seldom {
    interval: Duration,
    last: Option<Time>,
    held_back: u64,
}

impl Default for Seldom {
    /// One in ten seconds.
    fn default() -> Self {
        Self::once_in(Duration::from_secs(10))
    }
}

impl Seldom {
    /// Lets one through in each `interval`, the first one at once.
    #[must_use]
    pub const fn once_in(interval: Duration) -> Self {
        Self { interval, last: None, held_back: 0 }
    }

    /// Whether a message may be logged now; if so, how many were held back since the last one. A
    /// clock that was set back holds nothing back for longer than the interval.
    #[must_use]
    pub fn may(&mut self, now: Time) -> Option<u64> {
        let passed = |last| u128::from(now.since(last).unsigned_abs());
        if self.last.is_some_and(|last| passed(last) < self.interval.as_nanos()) {
            self.held_back += 1;
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.held_back))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_in_ten_seconds() {
        let mut seldom = Seldom::default();
        let found = [0, 1, 9, 10, 11, 100, 95, 80, 85]
            .map(|seconds| seldom.may(Time::from_seconds(seconds)));
        let expected = [Some(0), None, None, Some(2), None, Some(1), None, Some(1), None];
        assert_eq!(found, expected);
    }
}
