//! The methods of times and durations.

use super::operators::{Stop, stop};
use crate::value::layout::format_time;
use crate::value::{Arena, MONTHS, Time, Type, Value, WEEKDAYS, duration_text_in};

/// A method of a time or of a duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clock {
    Year,
    Month,
    /// `Month().String()`.
    MonthName,
    Day,
    YearDay,
    Hour,
    Minute,
    Second,
    Nanosecond,
    Weekday,
    /// `Weekday().String()`.
    WeekdayName,
    Unix,
    UnixMilli,
    UnixMicro,
    UnixNano,
    Format,
    Sub,
    Add,
    After,
    Before,
    Equal,
    IsZero,
    Utc,
    String,
    Hours,
    Minutes,
    Seconds,
    Milliseconds,
    Microseconds,
    Nanoseconds,
}

/// Names, arguments and results of the methods of times.
const OF_TIMES: &[(&str, Clock, &[Type], Type)] = &[
    ("Year", Clock::Year, &[], Type::Int),
    ("Month", Clock::Month, &[], Type::Int),
    ("Day", Clock::Day, &[], Type::Int),
    ("YearDay", Clock::YearDay, &[], Type::Int),
    ("Hour", Clock::Hour, &[], Type::Int),
    ("Minute", Clock::Minute, &[], Type::Int),
    ("Second", Clock::Second, &[], Type::Int),
    ("Nanosecond", Clock::Nanosecond, &[], Type::Int),
    ("Weekday", Clock::Weekday, &[], Type::Int),
    ("Unix", Clock::Unix, &[], Type::Int),
    ("UnixMilli", Clock::UnixMilli, &[], Type::Int),
    ("UnixMicro", Clock::UnixMicro, &[], Type::Int),
    ("UnixNano", Clock::UnixNano, &[], Type::Int),
    ("Format", Clock::Format, &[Type::Text], Type::Text),
    ("Sub", Clock::Sub, &[Type::Time], Type::Duration),
    ("Add", Clock::Add, &[Type::Duration], Type::Time),
    ("After", Clock::After, &[Type::Time], Type::Bool),
    ("Before", Clock::Before, &[Type::Time], Type::Bool),
    ("Equal", Clock::Equal, &[Type::Time], Type::Bool),
    ("IsZero", Clock::IsZero, &[], Type::Bool),
    ("UTC", Clock::Utc, &[], Type::Time),
    ("String", Clock::String, &[], Type::Text),
];

/// The same of durations.
const OF_DURATIONS: &[(&str, Clock, &[Type], Type)] = &[
    ("Hours", Clock::Hours, &[], Type::Float),
    ("Minutes", Clock::Minutes, &[], Type::Float),
    ("Seconds", Clock::Seconds, &[], Type::Float),
    ("Milliseconds", Clock::Milliseconds, &[], Type::Int),
    ("Microseconds", Clock::Microseconds, &[], Type::Int),
    ("Nanoseconds", Clock::Nanoseconds, &[], Type::Int),
    ("String", Clock::String, &[], Type::Text),
];

/// The method called `name`, its arguments and its result.
pub(super) fn of_times(name: &str) -> Option<(Clock, &'static [Type], Type)> {
    find(OF_TIMES, name)
}

/// The method called `name`, its arguments and its result.
pub(super) fn of_durations(name: &str) -> Option<(Clock, &'static [Type], Type)> {
    find(OF_DURATIONS, name)
}

/// The names of the methods of times, or else of durations.
pub(super) fn names(of_times: bool) -> impl Iterator<Item = &'static str> {
    let table = if of_times { OF_TIMES } else { OF_DURATIONS };
    table.iter().map(|(name, ..)| *name)
}

fn find(
    table: &'static [(&str, Clock, &[Type], Type)],
    name: &str,
) -> Option<(Clock, &'static [Type], Type)> {
    let (_, clock, arguments, result) = table.iter().find(|(known, ..)| *known == name)?;
    Some((*clock, arguments, *result))
}

/// Calls a method of a time.
pub(super) fn call_time<'a>(
    clock: Clock,
    time: Time,
    arguments: &[Value<'a>],
    arena: &'a Arena,
) -> Result<Value<'a>, Stop> {
    let civil = time.civil();
    let name = |names: &'static [&'static str], index: u8| {
        names.get(usize::from(index)).copied().unwrap_or_default()
    };
    Ok(match (clock, arguments) {
        (Clock::Year, []) => Value::Int(civil.year),
        (Clock::Month, []) => Value::Int(civil.month.into()),
        (Clock::MonthName, []) => Value::Text(name(&MONTHS, civil.month.saturating_sub(1))),
        (Clock::Day, []) => Value::Int(civil.day.into()),
        (Clock::YearDay, []) => Value::Int(civil.year_day().into()),
        (Clock::Hour, []) => Value::Int(civil.hour.into()),
        (Clock::Minute, []) => Value::Int(civil.minute.into()),
        (Clock::Second, []) => Value::Int(civil.second.into()),
        (Clock::Nanosecond, []) => Value::Int(civil.nanos.into()),
        (Clock::Weekday, []) => Value::Int(civil.weekday().into()),
        (Clock::WeekdayName, []) => Value::Text(name(&WEEKDAYS, civil.weekday())),
        (Clock::Unix, []) => Value::Int(time.seconds()),
        (Clock::UnixMilli, []) => Value::Int(time.nanos.div_euclid(1_000_000)),
        (Clock::UnixMicro, []) => Value::Int(time.nanos.div_euclid(1000)),
        (Clock::UnixNano, []) => Value::Int(time.nanos),
        (Clock::Format, [Value::Text(layout)]) => {
            Value::Text(arena.alloc_str(&format_time(layout, time)))
        }
        (Clock::Sub, [Value::Time(other)]) => Value::Duration(time.since(*other)),
        (Clock::Add, [Value::Duration(nanos)]) => Value::Time(time.plus(*nanos)),
        (Clock::After, [Value::Time(other)]) => Value::Bool(time > *other),
        (Clock::Before, [Value::Time(other)]) => Value::Bool(time < *other),
        (Clock::Equal, [Value::Time(other)]) => Value::Bool(time == *other),
        (Clock::IsZero, []) => Value::Bool(false),
        (Clock::Utc, []) => Value::Time(Time::from_nanos(time.nanos)),
        (Clock::String, []) => Value::Text(arena.alloc_str(&time.plain())),
        _ => return stop(format!("a time has no such method, or not with {}", kinds(arguments))),
    })
}

/// Calls a method of a duration.
pub(super) fn call_duration<'a>(
    clock: Clock,
    nanos: i64,
    arguments: &[Value<'a>],
    arena: &'a Arena,
) -> Result<Value<'a>, Stop> {
    Ok(match (clock, arguments) {
        (Clock::Hours, []) => Value::Float(nanos as f64 / 3.6e12),
        (Clock::Minutes, []) => Value::Float(nanos as f64 / 6e10),
        (Clock::Seconds, []) => Value::Float(nanos as f64 / 1e9),
        (Clock::Milliseconds, []) => Value::Int(nanos / 1_000_000),
        (Clock::Microseconds, []) => Value::Int(nanos / 1000),
        (Clock::Nanoseconds, []) => Value::Int(nanos),
        (Clock::String, []) => Value::Text(duration_text_in(nanos, arena)),
        _ => {
            return stop(format!(
                "a duration has no such method, or not with {}",
                kinds(arguments)
            ));
        }
    })
}

fn kinds(arguments: &[Value<'_>]) -> String {
    if arguments.is_empty() {
        return "no arguments".to_owned();
    }
    arguments.iter().map(|value| value.kind()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(clock: Clock, expected: &str) {
        let arena = Arena::new();
        // Friday 2024-01-26T22:30:15.5Z, seen two hours further east.
        let time = Time { nanos: 1_706_308_215_500_000_000, offset: 7200 };
        let value = call_time(clock, time, &[], &arena).unwrap();
        assert_eq!(format!("{value:?}"), expected);
    }

    #[test]
    fn times_show_their_own_zone() {
        check(Clock::Hour, "0");
        check(Clock::Minute, "30");
        check(Clock::Day, "27");
        check(Clock::WeekdayName, "\"Saturday\"");
        check(Clock::MonthName, "\"January\"");
        check(Clock::YearDay, "27");
        check(Clock::Unix, "1706308215");
        check(Clock::UnixMilli, "1706308215500");
    }

    #[test]
    fn durations_are_given_in_units() {
        let arena = Arena::new();
        let value = call_duration(Clock::Minutes, 90_000_000_000, &[], &arena).unwrap();
        assert_eq!(format!("{value:?}"), "1.5");
        let value = call_duration(Clock::String, 90_000_000_000, &[], &arena).unwrap();
        assert_eq!(format!("{value:?}"), "\"1m30s\"");
        assert!(call_duration(Clock::Hour, 0, &[], &arena).is_err());
    }
}
