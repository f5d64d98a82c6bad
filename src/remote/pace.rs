//! When to ask again: regularly while it works, more and more seldom while it does not, and never
//! all clients of a host at the same moment after it was away.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// The longest pause between attempts, unless it is asked more seldom anyway.
const LONGEST: Duration = Duration::from_secs(60);
/// The part of a pause that is drawn.
const DRAWN: f64 = 0.25;

/// The pauses between attempts.
#[derive(Debug)]
pub struct Pace {
    every: Duration,
    failures: u32,
    luck: RandomState,
    n_drawn: u64,
}

impl Pace {
    /// One that works that often.
    #[must_use]
    pub fn new(every: Duration) -> Self {
        Self { every, failures: 0, luck: RandomState::new(), n_drawn: 0 }
    }

    /// How long to wait after an attempt.
    pub fn after(&mut self, has_worked: bool) -> Duration {
        if has_worked {
            self.failures = 0;
            return self.every;
        }
        let longest = LONGEST.max(self.every);
        let doubled = self.every.saturating_mul(1 << self.failures.min(16)).min(longest);
        self.failures = self.failures.saturating_add(1);
        doubled.mul_f64(1.0 - DRAWN * self.draw())
    }

    /// From 0 to 1.
    #[expect(clippy::cast_precision_loss, reason = "randomness")]
    fn draw(&mut self) -> f64 {
        self.n_drawn += 1;
        (self.luck.hash_one(self.n_drawn) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_make_pauses_longer_and_different() {
        let mut pace = Pace::new(Duration::from_secs(10));
        assert_eq!(pace.after(true), Duration::from_secs(10));
        for expected in [10, 20, 40, 60, 60, 60] {
            let pause = pace.after(false).as_secs_f64();
            let expected = f64::from(expected);
            assert!((expected * 0.75..=expected).contains(&pause), "{pause} for {expected}");
        }
        assert_ne!(pace.after(false), pace.after(false));
        assert_eq!(pace.after(true), Duration::from_secs(10));
        assert!(pace.after(false) <= Duration::from_secs(10));
        let mut seldom = Pace::new(Duration::from_secs(600));
        assert!((0..99).all(|_| seldom.after(false) <= Duration::from_secs(600)));
    }
}
