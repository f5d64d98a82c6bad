//! How long a ban lasts that is not somebody's first. Pure.
//!
//! The more often, and the more lately, somebody was banned, the longer the next ban: the base is
//! multiplied by the factor once for each past ban, and a ban counts half after each `decay`. How
//! many offences it takes to be banned is never touched: whoever mistypes a password after a ban
//! has as many tries as anybody.

use super::Escalated;

/// How bans grow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Escalation {
    /// What a past ban multiplies the next one by; from 1.
    pub factor: f64,
    /// No ban grows beyond so many nanoseconds.
    pub most: i64,
    /// After so many nanoseconds a past ban counts half as much.
    pub decay: i64,
    /// By which part a grown ban is longer or shorter at random, 0 to 1, so that nobody can tell
    /// when to come back.
    pub jitter: f64,
}

/// What counts less than this does not count: six times the decay after it, a ban is forgotten.
const LEAST: f64 = 1.0 / 64.0;

const SECOND: i64 = 1_000_000_000;

impl Escalation {
    /// For how many nanoseconds past bans matter.
    #[must_use]
    pub fn memory(&self) -> i64 {
        self.decay.saturating_mul(6)
    }

    /// The duration of a ban decided at `now` whose profile says `base` nanoseconds, after bans
    /// that began at `past`. `luck` is from -1 to 1. Never shorter than `base`: a base beyond
    /// [`Escalation::most`] stays.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "spans of days need no nanoseconds")]
    #[expect(clippy::cast_possible_truncation, reason = "bounded by `most` before")]
    pub fn apply(&self, base: i64, past: &[i64], now: i64, luck: f64) -> (i64, Escalated) {
        let weights = past.iter().map(|at| {
            let age = now.saturating_sub(*at).max(0);
            (-(age as f64) / self.decay.max(1) as f64).exp2()
        });
        let counting: Vec<f64> = weights.filter(|weight| *weight >= LEAST).collect();
        let weight: f64 = counting.iter().sum();
        let mut duration = base;
        if weight > 0.0 && base < self.most {
            let grown = base as f64 * self.factor.powf(weight);
            let shaken = grown * self.jitter.mul_add(luck.clamp(-1.0, 1.0), 1.0);
            // What is no number is a factor to a power beyond all bounds.
            let most = self.most as f64;
            let bounded = if shaken < most { shaken } else { most };
            duration = (bounded as i64).max(base);
        }
        let seconds = |nanos: i64| u64::try_from(nanos / SECOND).unwrap_or(0);
        let escalated = Escalated {
            base_seconds: seconds(base),
            offences: counting.len() as u64,
            factor: self.factor,
            seconds: seconds(duration),
        };
        (duration, escalated)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR: i64 = 3600 * SECOND;
    const DAY: i64 = 24 * HOUR;

    fn escalation() -> Escalation {
        Escalation { factor: 2.0, most: 7 * DAY, decay: 7 * DAY, jitter: 0.1 }
    }

    /// With past bans so many days ago, a ban of 4 hours lasts so many hours.
    #[track_caller]
    fn check(days_ago: &[i64], luck: f64, hours: f64) {
        let now = 1000 * DAY;
        let past: Vec<i64> = days_ago.iter().map(|days| now - days * DAY).collect();
        let (duration, told) = escalation().apply(4 * HOUR, &past, now, luck);
        #[expect(clippy::cast_precision_loss, reason = "small")]
        let found = duration as f64 / HOUR as f64;
        assert!((found - hours).abs() < 0.01, "{days_ago:?}: {found} h, expected {hours} h");
        assert_eq!(told.base_seconds, 4 * 3600);
        assert_eq!(i64::try_from(told.seconds), Ok(duration / SECOND));
    }

    #[test]
    fn each_past_ban_doubles_and_counts_half_after_a_week() {
        check(&[], 0.0, 4.0);
        check(&[0], 0.0, 8.0);
        check(&[0, 0], 0.0, 16.0);
        check(&[7], 0.0, 4.0 * 2_f64.sqrt());
        check(&[14, 14, 14, 14], 0.0, 8.0);
        check(&[60], 0.0, 4.0);
        check(&[0; 5], 0.0, 128.0);
        check(&[0; 6], 0.0, 168.0);
        check(&[0; 5000], 0.0, 168.0);
        check(&[-1], 0.0, 8.0);
    }

    #[test]
    fn luck_moves_what_has_grown_and_nothing_else() {
        check(&[], 1.0, 4.0);
        check(&[0], 1.0, 8.8);
        check(&[0], -1.0, 7.2);
        check(&[0], 99.0, 8.8);
        check(&[0; 6], 1.0, 168.0);
    }

    #[test]
    fn what_is_longer_than_the_bound_stays() {
        let (duration, _) = escalation().apply(30 * DAY, &[0, 0], 0, 0.5);
        assert_eq!(duration, 30 * DAY);
    }

    proptest! {
        #[test]
        fn never_shorter_than_said_nor_beyond_the_bound(
            base in 1_i64..40 * DAY,
            past in proptest::collection::vec(0_i64..100 * DAY, 0..40),
            factor in 1.0_f64..1e6, jitter in 0.0_f64..=1.0, luck in -1.0_f64..=1.0,
            decay in 1_i64..100 * DAY,
        ) {
            let escalation = Escalation { factor, most: 7 * DAY, decay, jitter };
            let (duration, told) = escalation.apply(base, &past, 100 * DAY, luck);
            prop_assert!(duration >= base && duration <= base.max(7 * DAY));
            prop_assert!(told.offences <= past.len() as u64);
            if told.offences == 0 {
                prop_assert_eq!(duration, base);
            }
        }

        #[test]
        fn one_more_ban_never_makes_it_shorter(
            past in proptest::collection::vec(0_i64..100 * DAY, 1..20), luck in -1.0_f64..=1.0,
        ) {
            // Without shaking: the first counted ban brings that.
            let escalation = Escalation { jitter: 0.0, ..escalation() };
            let with = escalation.apply(HOUR, &past, 100 * DAY, luck).0;
            let without = escalation.apply(HOUR, &past[1..], 100 * DAY, luck).0;
            prop_assert!(with >= without);
        }
    }
}
