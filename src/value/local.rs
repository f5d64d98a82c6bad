//! The time zone of this machine, which Unix timestamps and zone abbreviations are read in.

use std::sync::OnceLock;

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Read once: a daemon whose machine changes its zone is restarted.
static LOCAL: OnceLock<TimeZone> = OnceLock::new();

fn local() -> &'static TimeZone {
    LOCAL.get_or_init(TimeZone::system)
}

/// Reads all dates as if this machine kept UTC, so that tests of rules say the same everywhere. To
/// be called before any date is read.
pub fn keep_utc() {
    LOCAL.get_or_init(|| TimeZone::UTC);
}

/// Seconds east of UTC that local clocks show at this instant.
#[must_use]
pub fn local_offset(seconds: i64) -> i32 {
    Timestamp::from_second(seconds).map_or(0, |at| local().to_offset(at).seconds())
}

/// Seconds east of UTC that `abbreviation` (`CET`, `PDT`) means to local clocks around the
/// instant `seconds`; `None` when local clocks never show it.
#[must_use]
pub(super) fn local_abbreviation(abbreviation: &str, seconds: i64) -> Option<i32> {
    // Summer and winter time lie half a year apart; the nearest meaning is asked first.
    const HALF_YEAR: i64 = 15_778_800;
    for around in [0, HALF_YEAR, -HALF_YEAR] {
        let Ok(at) = Timestamp::from_second(seconds.saturating_add(around)) else { continue };
        let info = local().to_offset_info(at);
        if info.abbreviation() == abbreviation {
            return Some(info.offset().seconds());
        }
    }
    None
}
