//! The only place that asks what time it is; everywhere else time is a parameter.

#![forbid(unsafe_code)]

use crate::value::Time;

/// The wall clock, in UTC.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one place where the clock is read")]
pub fn now() -> Time {
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let nanos = since_epoch.map_or(0, |since| i64::try_from(since.as_nanos()).unwrap_or(i64::MAX));
    Time::from_nanos(nanos)
}

/// The monotonic clock, for measuring spans.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one place where the clock is read")]
pub fn instant() -> std::time::Instant {
    std::time::Instant::now()
}
