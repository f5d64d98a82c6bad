//! The leak of a bucket as arithmetic: how full it is at a moment follows from how full it was.
//!
//! A bucket holds `capacity` tokens when it is empty; each event takes one, and one comes back
//! every `leakspeed`, continuously. The computation is in floats of seconds, step by step as in
//! the engine whose rules are run here, because results at the edge depend on the rounding.

/// How fast a bucket leaks and how much it holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Leak {
    /// How many events pass at one instant; at least 1.
    pub capacity: f64,
    /// Events that leak away in one second.
    per_second: f64,
}

impl Leak {
    /// A bucket for `capacity` events of which one leaks away every `leakspeed` nanoseconds.
    /// Both are above zero.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "no capacity needs more than 53 bits")]
    pub fn new(capacity: i64, leakspeed: i64) -> Self {
        Self { capacity: capacity as f64, per_second: 1.0 / seconds(leakspeed) }
    }

    /// The tokens that are there `elapsed` nanoseconds after there were `tokens`. Time that runs
    /// backwards gives nothing back.
    #[must_use]
    pub fn refill(self, tokens: f64, elapsed: i64) -> f64 {
        self.capacity.min(tokens + seconds(elapsed.max(0)) * self.per_second)
    }

    /// Takes a token `elapsed` nanoseconds after there were `tokens`: what is left, or `None` when
    /// the bucket overflows. What would be there within less than a nanosecond counts as there.
    #[must_use]
    pub fn take(self, tokens: f64, elapsed: i64) -> Option<f64> {
        let left = self.refill(tokens, elapsed) - 1.0;
        let wait = if left < 0.0 { -left / self.per_second * 1e9 } else { 0.0 };
        (wait < 1.0).then_some(left)
    }
}

/// Whole seconds and the rest are converted apart, which keeps nanoseconds exact for longer.
#[expect(clippy::cast_precision_loss, reason = "the rounding is part of the computation")]
fn seconds(nanos: i64) -> f64 {
    (nanos / 1_000_000_000) as f64 + (nanos % 1_000_000_000) as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: i64 = 1_000_000_000;

    /// Pours at these seconds; the index of the event that overflows.
    #[track_caller]
    fn check(capacity: i64, leakspeed: i64, at: &[f64], overflow: Option<usize>) {
        let leak = Leak::new(capacity, leakspeed);
        let (mut tokens, mut last) = (leak.capacity, None::<i64>);
        for (index, at) in at.iter().enumerate() {
            #[expect(clippy::cast_possible_truncation, reason = "a few seconds")]
            let at = (at * 1e9).round() as i64;
            match leak.take(tokens, last.map_or(0, |last| at - last)) {
                Some(left) => (tokens, last) = (left, Some(at)),
                None => return assert_eq!(Some(index), overflow),
            }
        }
        assert_eq!(None, overflow);
    }

    #[test]
    fn overflows_beyond_capacity() {
        check(1, SECOND, &[0.0], None);
        check(1, SECOND, &[0.0, 0.0], Some(1));
        check(5, 10 * SECOND, &[0.0; 5], None);
        check(5, 10 * SECOND, &[0.0; 6], Some(5));
        check(2, 10 * SECOND, &[0.0, 0.0, 10.0, 10.0], Some(3));
        check(2, 10 * SECOND, &[0.0, 0.0, 9.999_999_999, 10.0], Some(2));
    }

    #[test]
    fn leaks_continuously() {
        check(1, 10 * SECOND, &[0.0, 10.0, 20.0, 30.0], None);
        check(1, 10 * SECOND, &[0.0, 10.0, 19.0], Some(2));
        // Halves add up: 2 tokens, minus 3, plus 2 halves.
        check(2, 10 * SECOND, &[0.0, 0.0, 5.0], Some(2));
        check(2, 10 * SECOND, &[0.0, 5.0, 10.0], None);
    }

    #[test]
    fn time_that_runs_back_gives_nothing_and_then_more() {
        check(1, 10 * SECOND, &[100.0, 95.0], Some(1));
        check(2, 10 * SECOND, &[100.0, 91.0, 101.0], None);
        check(2, 10 * SECOND, &[100.0, 100.0, 101.0], Some(2));
    }

    #[test]
    fn a_third_of_a_second_adds_up() {
        let third = 333_333_333;
        let leak = Leak::new(1, third);
        let mut tokens = leak.capacity;
        for _ in 0..1_000 {
            tokens = leak.take(tokens, third).expect("one leaks before each that comes");
        }
    }

    proptest! {
        /// The naive model: tokens as whole nanoseconds of leaking, so nothing is ever rounded.
        #[test]
        fn equals_exact_arithmetic(
            capacity in 1i64..20,
            leakspeed in 1i64..100,
            gaps in prop::collection::vec(0i64..40, 1..100),
        ) {
            let leakspeed = leakspeed * SECOND;
            let leak = Leak::new(capacity, leakspeed);
            let (mut tokens, mut exact) = (leak.capacity, capacity * leakspeed);
            for gap in gaps {
                let gap = gap * SECOND;
                let full = (exact + gap).min(capacity * leakspeed);
                let left = leak.take(tokens, gap);
                prop_assert_eq!(left.is_some(), full >= leakspeed);
                let Some(left) = left else { break };
                tokens = left;
                exact = full - leakspeed;
            }
        }

        #[test]
        fn never_overflows_below_capacity(
            capacity in 1i64..50,
            leakspeed in 1i64..i64::MAX,
            gaps in prop::collection::vec(any::<i64>(), 0..50),
        ) {
            let leak = Leak::new(capacity, leakspeed);
            let mut tokens = leak.capacity;
            for gap in gaps.into_iter().take(usize::try_from(capacity).unwrap()) {
                let left = leak.take(tokens, gap);
                prop_assert!(left.is_some());
                tokens = left.unwrap();
                prop_assert!(tokens <= leak.capacity);
            }
        }
    }
}
