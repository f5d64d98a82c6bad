//! The time zone of this machine, which Unix timestamps and zone abbreviations are read in.

use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Read once: a daemon whose machine changes its zone is restarted.
static LOCAL: LazyLock<TimeZone> = LazyLock::new(TimeZone::system);

/// Seconds east of UTC that local clocks show at this instant.
#[must_use]
pub fn local_offset(seconds: i64) -> i32 {
    Timestamp::from_second(seconds).map_or(0, |at| LOCAL.to_offset(at).seconds())
}

/// Seconds east of UTC that `abbreviation` (`CET`, `PDT`) means to local clocks around the
/// instant `seconds`; `None` when local clocks never show it.
#[must_use]
pub(super) fn local_abbreviation(abbreviation: &str, seconds: i64) -> Option<i32> {
    // Summer and winter time lie half a year apart; the nearest meaning is asked first.
    const HALF_YEAR: i64 = 15_778_800;
    for around in [0, HALF_YEAR, -HALF_YEAR] {
        let Ok(at) = Timestamp::from_second(seconds.saturating_add(around)) else { continue };
        let info = LOCAL.to_offset_info(at);
        if info.abbreviation() == abbreviation {
            return Some(info.offset().seconds());
        }
    }
    None
}
