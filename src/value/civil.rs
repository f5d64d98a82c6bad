//! Calendar dates by arithmetic: days since the epoch to year, month and day, and back.

use super::Time;

/// A date and time of day as a clock on the wall shows it, in the proleptic Gregorian calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Civil {
    /// The year; 0 is the year before year 1.
    pub year: i64,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 59.
    pub second: u8,
    /// 0 to 999,999,999.
    pub nanos: u32,
}

/// The days of the week in the order in which they are numbered, Sunday first.
pub const WEEKDAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// The months, January first.
pub const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

const NANOS: i64 = 1_000_000_000;
const DAY: i64 = 86_400;

impl Civil {
    /// Seconds since the epoch when this is read as UTC. A day beyond the end of its month
    /// counts on into the next month.
    #[must_use]
    pub fn seconds(self) -> i64 {
        days_from_civil(self.year, self.month, self.day) * DAY
            + i64::from(self.hour) * 3600
            + i64::from(self.minute) * 60
            + i64::from(self.second)
    }

    /// The instant when a clock `offset` seconds east of UTC shows this; `None` outside the years
    /// that a [`Time`] can tell (1677 to 2262).
    #[must_use]
    pub fn at_offset(self, offset: i32) -> Option<Time> {
        let seconds = self.seconds() - i64::from(offset);
        let nanos = i128::from(seconds) * i128::from(NANOS) + i128::from(self.nanos);
        Some(Time { nanos: i64::try_from(nanos).ok()?, offset })
    }

    /// The day of the week, Sunday = 0.
    #[must_use]
    pub fn weekday(self) -> u8 {
        let days = days_from_civil(self.year, self.month, self.day);
        // 1970-01-01 was a Thursday.
        u8::try_from((days + 4).rem_euclid(7)).expect("a remainder of 7 fits")
    }

    /// The day of the year, 1 January = 1.
    #[must_use]
    pub fn year_day(self) -> u16 {
        let days =
            days_from_civil(self.year, self.month, self.day) - days_from_civil(self.year, 1, 1) + 1;
        u16::try_from(days).expect("a year has 366 days at most")
    }
}

impl Time {
    /// What a clock at this time's own offset shows.
    #[must_use]
    pub fn civil(self) -> Civil {
        let seconds = self.seconds() + i64::from(self.offset);
        let (year, month, day) = civil_from_days(seconds.div_euclid(DAY));
        let of_day = seconds.rem_euclid(DAY);
        let small = |n: i64| u8::try_from(n).expect("hours, minutes and seconds fit a byte");
        Civil {
            year,
            month,
            day,
            hour: small(of_day / 3600),
            minute: small(of_day / 60 % 60),
            second: small(of_day % 60),
            nanos: u32::try_from(self.nanos.rem_euclid(NANOS)).expect("below 10^9"),
        }
    }
}

/// Whether `year` has a 29 February.
#[must_use]
pub(super) fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// The number of days of a month; 0 when there is no such month.
#[must_use]
pub(super) fn days_in_month(year: i64, month: u8) -> u8 {
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => 0,
    }
}

/// Days from 1970-01-01 to the given date.
fn days_from_civil(year: i64, month: u8, day: u8) -> i64 {
    // Years are counted from March, so that the leap day is the last one.
    let month = i64::from(month);
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + i64::from(day) - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The date that lies `days` after 1970-01-01.
fn civil_from_days(days: i64) -> (i64, u8, u8) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let small = |n: i64| u8::try_from(n).expect("months and days fit a byte");
    (year, small(month), small(day))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(seconds: i64, date: (i64, u8, u8), weekday: &str, year_day: u16) {
        let civil = Time::from_seconds(seconds).civil();
        assert_eq!((civil.year, civil.month, civil.day), date);
        assert_eq!(WEEKDAYS[usize::from(civil.weekday())], weekday);
        assert_eq!(civil.year_day(), year_day);
        assert_eq!(civil.seconds(), seconds);
    }

    #[test]
    fn dates() {
        check(0, (1970, 1, 1), "Thursday", 1);
        check(-1, (1969, 12, 31), "Wednesday", 365);
        check(951_782_400, (2000, 2, 29), "Tuesday", 60);
        check(1_709_164_800, (2024, 2, 29), "Thursday", 60);
        check(1_735_603_200, (2024, 12, 31), "Tuesday", 366);
    }

    #[test]
    fn a_day_too_many_counts_on() {
        let civil =
            Civil { year: 2023, month: 2, day: 29, hour: 0, minute: 0, second: 0, nanos: 0 };
        let time = civil.at_offset(0).expect("within range");
        assert_eq!(time.civil().month, 3);
        assert_eq!(time.civil().day, 1);
    }

    #[test]
    fn far_years_are_refused() {
        let civil = Civil { year: 9999, month: 1, day: 1, hour: 0, minute: 0, second: 0, nanos: 0 };
        assert_eq!(civil.at_offset(0), None);
    }

    proptest! {
        #[test]
        fn there_and_back(nanos: i64, offset in -90_000i32..90_000) {
            let time = Time { nanos, offset };
            prop_assert_eq!(time.civil().at_offset(offset).map(|back| back.nanos), Some(nanos));
        }
    }
}
