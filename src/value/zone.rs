//! Time zones by name, and what a clock in one of them meant.
//!
//! A clock that is put back shows an hour twice, one that is put forward leaves an hour out: what
//! it shows then is read as the moment that is nearer to now, and as if it had not been put forward
//! yet. A clock that shows no year shows one of which its date is past.

use std::net::IpAddr;

use ipnet::IpNet;
use jiff::Timestamp;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};

use super::{Civil, Time};

/// A time zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    name: Box<str>,
    rules: TimeZone,
}

/// There is no such zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no zone of that name is known")]
pub struct UnknownZone;

/// How far a date without a year may lie in the future: clocks go wrong.
const AHEAD: i64 = 86_400 * 1_000_000_000;

impl Zone {
    /// The zone of this name, such as `Europe/Berlin`, `UTC`, `+01:00`, or `local` for that of this
    /// machine. Names come from the system's database.
    ///
    /// # Errors
    /// When there is none.
    pub fn named(name: &str) -> Result<Self, UnknownZone> {
        let rules = match name {
            "local" => TimeZone::try_system().map_err(|_| UnknownZone)?,
            "UTC" | "utc" | "Z" => TimeZone::UTC,
            _ => match offset(name) {
                Some(seconds) => {
                    Offset::from_seconds(seconds).map_err(|_| UnknownZone)?.to_time_zone()
                }
                None => TimeZone::get(name).map_err(|_| UnknownZone)?,
            },
        };
        Ok(Self { name: name.into(), rules })
    }

    /// All names that the system's database has; none when there is no database.
    #[must_use]
    pub fn all_names() -> Vec<String> {
        jiff::tz::db().available().map(|name| name.to_string()).collect()
    }

    /// Its name as it was given.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The moment at which a clock of this zone shows this, around `now`. `None` outside the years
    /// 1677 to 2262.
    pub(super) fn moment(&self, civil: Civil, now: Time) -> Option<Time> {
        // A 29 February that is none is 1 March.
        let civil = civil.at_offset(0)?.civil();
        let small = |n: u8| i8::try_from(n).ok();
        let shown = jiff::civil::DateTime::new(
            i16::try_from(civil.year).ok()?,
            small(civil.month)?,
            small(civil.day)?,
            small(civil.hour)?,
            small(civil.minute)?,
            small(civil.second)?,
            0,
        )
        .ok()?;
        let at = |offset: Offset| civil.at_offset(offset.seconds());
        let found = match self.rules.to_ambiguous_timestamp(shown).offset() {
            AmbiguousOffset::Unambiguous { offset } => at(offset)?,
            AmbiguousOffset::Gap { before, .. } => at(before)?,
            AmbiguousOffset::Fold { before, after } => {
                let (first, second) = (at(before)?, at(after)?);
                let is_nearer = now.since(second).abs() < now.since(first).abs();
                if is_nearer && now.since(first) < AHEAD { second } else { first }
            }
        };
        Some(Time { offset: self.offset_at(found), ..found })
    }

    /// The same for a date without a year: of the last year in which it is no more than a day ahead.
    pub(super) fn moment_of_some_year(&self, civil: Civil, now: Time) -> Option<Time> {
        let this = Time { offset: 0, ..now }.civil().year;
        [this + 1, this, this - 1]
            .into_iter()
            .filter_map(|year| self.moment(Civil { year, ..civil }, now))
            .find(|moment| moment.since(now) <= AHEAD)
    }

    /// Seconds east of UTC that its clocks show at a moment.
    fn offset_at(&self, moment: Time) -> i32 {
        let at = Timestamp::from_second(moment.seconds());
        at.map_or(0, |at| self.rules.to_offset(at).seconds())
    }
}

/// Seconds of `+01:00`, `-0530` or `+2`.
fn offset(text: &str) -> Option<i32> {
    let (sign, rest) = match text.as_bytes().first()? {
        b'+' => (1, text.get(1..)?),
        b'-' => (-1, text.get(1..)?),
        _ => return None,
    };
    let (hours, minutes) = match rest.split_once(':') {
        Some(parts) => parts,
        None if rest.len() == 4 => rest.split_at_checked(2)?,
        None => (rest, "00"),
    };
    let number = |text: &str, most: i32| -> Option<i32> {
        let is_number = (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        text.parse().ok().filter(|n| is_number && *n <= most)
    };
    let minutes = number(minutes, 59).filter(|_| minutes.len() == 2)?;
    Some(sign * (number(hours, 14)? * 3600 + minutes * 60))
}

/// In which zone the clocks of senders are; those that say their zone need none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Zones {
    all: Option<Zone>,
    /// The longest prefixes first.
    by_prefix: Vec<(IpNet, Zone)>,
}

impl Zones {
    /// One zone for all but those whose address lies in one of the prefixes; the longest counts.
    #[must_use]
    pub fn new(all: Option<Zone>, mut by_prefix: Vec<(IpNet, Zone)>) -> Self {
        by_prefix.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.prefix_len()));
        Self { all, by_prefix }
    }

    /// The zone of a sender; `None` when nothing was said of it.
    #[inline]
    #[must_use]
    pub fn of(&self, sender: Option<IpAddr>) -> Option<&Zone> {
        if let Some(sender) = sender.filter(|_| !self.by_prefix.is_empty()) {
            let sender = sender.to_canonical();
            let mut found = self.by_prefix.iter().filter(|(prefix, _)| prefix.contains(&sender));
            if let Some((_, zone)) = found.next() {
                return Some(zone);
            }
        }
        self.all.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn time(text: &str) -> Time {
        Time::from_rfc3339(text).expect("well-formed")
    }

    #[track_caller]
    fn check(zone: &str, shown: &str, now: &str, moment: &str) {
        let zone = Zone::named(zone).expect("a zone");
        let civil = time(&format!("{shown}Z")).civil();
        let found = zone.moment(civil, time(now)).expect("within range");
        assert_eq!(found.rfc3339(), moment, "{zone:?} {shown}");
    }

    #[test]
    fn clocks() {
        let now = "2026-11-23T12:00:00Z";
        check("UTC", "2026-11-22T10:00:00", now, "2026-11-22T10:00:00Z");
        check("+05:30", "2026-11-22T10:00:00.5", now, "2026-11-22T10:00:00.5+05:30");
        check("-0330", "2026-11-22T10:00:00", now, "2026-11-22T10:00:00-03:30");
        check("+2", "2026-11-22T10:00:00", now, "2026-11-22T10:00:00+02:00");
        check("Europe/Berlin", "2026-11-22T10:00:00", now, "2026-11-22T10:00:00+01:00");
        check("Europe/Berlin", "2026-07-22T10:00:00", now, "2026-07-22T10:00:00+02:00");
    }

    #[test]
    fn clocks_that_are_put_forward_and_back() {
        let berlin = "Europe/Berlin";
        // 02:00 became 03:00 on 29 March 2026: what cannot be shown is an hour later.
        let now = "2026-03-29T01:00:00Z";
        check(berlin, "2026-03-29T01:59:59", now, "2026-03-29T01:59:59+01:00");
        check(berlin, "2026-03-29T02:30:00", now, "2026-03-29T03:30:00+02:00");
        check(berlin, "2026-03-29T03:00:00", now, "2026-03-29T03:00:00+02:00");
        // 03:00 became 02:00 on 25 October 2026: shown twice, and what is near counts.
        check(berlin, "2026-10-25T02:30:00", "2026-10-25T00:30:01Z", "2026-10-25T02:30:00+02:00");
        check(berlin, "2026-10-25T02:30:00", "2026-10-25T01:30:01Z", "2026-10-25T02:30:00+01:00");
        // Long afterwards nothing tells which was meant.
        check(berlin, "2026-10-25T02:30:00", "2026-12-01T00:00:00Z", "2026-10-25T02:30:00+02:00");
    }

    #[track_caller]
    fn check_year(shown: &str, now: &str, moment: &str) {
        let zone = Zone::named("Pacific/Auckland").expect("a zone");
        let civil = Civil { year: 0, ..time(&format!("2024-{shown}Z")).civil() };
        let found = zone.moment_of_some_year(civil, time(now)).expect("within range");
        assert_eq!(found.rfc3339(), moment, "{shown}");
    }

    #[test]
    fn the_year_that_is_not_said() {
        let now = "2026-11-23T12:00:00Z";
        check_year("11-23T10:00:00", now, "2026-11-23T10:00:00+13:00");
        check_year("12-24T10:00:00", now, "2025-12-24T10:00:00+13:00");
        // In Auckland it is next year already, here it is not; and the other way round.
        let new_year = "2026-12-31T11:30:00Z";
        check_year("01-01T00:30:00", new_year, "2027-01-01T00:30:00+13:00");
        check_year("12-31T23:59:59", new_year, "2026-12-31T23:59:59+13:00");
        check_year("12-31T23:59:59", "2027-01-01T00:00:09Z", "2026-12-31T23:59:59+13:00");
        check_year("02-29T10:00:00", "2026-03-05T00:00:00Z", "2026-03-01T10:00:00+13:00");
        check_year("02-29T10:00:00", "2028-03-05T00:00:00Z", "2028-02-29T10:00:00+13:00");
    }

    #[test]
    fn names() {
        assert!(Zone::named("local").is_ok());
        for wrong in ["Europe/Berlni", "", "+25", "+1:60", "+1:5", "+", "1", "+123"] {
            assert_eq!(Zone::named(wrong).err(), Some(UnknownZone), "{wrong}");
        }
        assert!(Zone::all_names().iter().any(|name| name == "Europe/Berlin"));
    }

    #[test]
    fn zones_of_senders() {
        let zone = |name| Zone::named(name).expect("a zone");
        let prefix = |text: &str| text.parse().expect("a prefix");
        let zones = Zones::new(
            Some(zone("UTC")),
            vec![(prefix("192.0.2.0/24"), zone("+1")), (prefix("192.0.2.7/32"), zone("+2"))],
        );
        let of = |zones: &Zones, sender: &str| {
            zones.of(sender.parse().ok()).map_or("-".to_owned(), |zone| zone.name().to_owned())
        };
        assert_eq!(of(&zones, ""), "UTC");
        assert_eq!(of(&zones, "192.0.2.1"), "+1");
        assert_eq!(of(&zones, "192.0.2.7"), "+2");
        assert_eq!(of(&zones, "::ffff:192.0.2.7"), "+2");
        assert_eq!(of(&zones, "2001:db8::1"), "UTC");
        assert_eq!(of(&Zones::default(), "192.0.2.1"), "-");
    }

    proptest! {
        /// What a clock shows at a moment means that moment, or the other one of an hour that is
        /// shown twice.
        #[test]
        fn there_and_back(
            seconds in 0..4_000_000_000_i64,
            name in proptest::sample::select(
                vec!["Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "UTC", "-11:30"],
            ),
            late in 0..5_000_000_000_i64,
        ) {
            let zone = Zone::named(name).expect("a zone");
            let moment = Time::from_seconds(seconds);
            let shown = Time { offset: zone.offset_at(moment), ..moment }.civil();
            let found = zone.moment(shown, moment.plus(late)).expect("within range");
            prop_assert_eq!(found, moment);
            prop_assert_eq!(found.civil(), shown);
        }
    }
}
