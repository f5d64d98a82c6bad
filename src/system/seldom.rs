//! Messages that strangers can cause are logged seldom. Pure.

use std::time::{Duration, Instant};

/// Of like messages one is let through in this time.
const INTERVAL: Duration = Duration::from_secs(10);

/// Lets one of many like messages through, and knows how many it held back.
#[derive(Debug, Default)]
pub struct Seldom {
    last: Option<Instant>,
    held_back: u64,
}

impl Seldom {
    /// Whether a message may be logged now; if so, how many were held back since the last one.
    #[must_use]
    pub fn may(&mut self, now: Instant) -> Option<u64> {
        if self.last.is_some_and(|last| now.saturating_duration_since(last) < INTERVAL) {
            self.held_back += 1;
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.held_back))
    }
}

#[cfg(test)]
mod tests {
    use super::super::clock;
    use super::*;

    #[test]
    fn one_in_ten_seconds() {
        let start = clock::instant();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut seldom = Seldom::default();
        let found = [0, 1, 9, 10, 11, 100].map(|seconds| seldom.may(at(seconds)));
        assert_eq!(found, [Some(0), None, None, Some(2), None, Some(1)]);
    }
}
