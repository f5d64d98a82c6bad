//! Instants and spans of time.

use bumpalo::collections::Vec as ArenaVec;

use super::{Call, Fault, Function, Type, Value, list, option, text};
use crate::value::{
    Arena, Method, Object, RFC3339_LAYOUT, Shape, Time, layout, parse_duration, parse_unix,
};

pub(super) const TABLE: &[Function] = &[
    Function::new("now", &[], Type::Time, |call, _| Ok(Value::Time(call.world.now()))),
    Function::new("TimeNow", &[], Type::Text, time_now),
    Function::new("duration", &[Type::Text], Type::Duration, to_duration),
    Function::new("date", &[Type::Unknown], Type::Time, date)
        .with_optional(&[Type::Text, Type::Unknown])
        .with_check(text_or_zone),
    Function::new("timezone", &[Type::Text], Type::Object(&ZONE), timezone),
    Function::new("ParseUnix", &[Type::Text], Type::Text, unix),
    Function::new("AverageInterval", &[TIMES], Type::Duration, average_of),
    Function::new("MedianInterval", &[TIMES], Type::Duration, median_of),
];

const TIMES: Type = Type::List(&Type::Time);

fn text_or_zone(_: usize, kind: Type) -> Option<&'static str> {
    let fits = match kind {
        Type::Text => true,
        Type::Object(shape) => std::ptr::eq(shape, &ZONE),
        _ => false,
    };
    (!fits).then_some("string or timezone")
}

/// What `date` tries when it is told no layout.
const LAYOUTS: [&str; 7] = [
    "2006-01-02",
    "15:04:05",
    "2006-01-02 15:04:05",
    RFC3339_LAYOUT,
    "02 Jan 06 15:04 MST",
    "Monday, 02-Jan-06 15:04:05 MST",
    "Mon, 02 Jan 2006 15:04:05 MST",
];

fn time_now<'a>(call: Call<'a>, _: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let seconds = Time::from_seconds(call.world.now().seconds());
    Ok(Value::Text(seconds.rfc3339_in(call.arena)))
}

fn to_duration<'a>(_: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let source = text(arguments, 0)?;
    match parse_duration(source) {
        Some(nanos) => Ok(Value::Duration(nanos)),
        None => Err(Fault::new(format!(
            "`{source:.64}` is no duration: expected a text such as `1h30m` or `500ms`"
        ))),
    }
}

fn unix<'a>(call: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let time = parse_unix(text(arguments, 0)?);
    Ok(Value::Text(time.map_or("", |time| time.rfc3339_in(call.arena))))
}

/// `date(text)`, `date(text, layout)`, `date(text, layout, zone)`, and the same with the zone
/// first.
fn date<'a>(_: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let (zone, rest) = match arguments.split_first() {
        Some((Value::Object(object), rest)) if object.shape().name == ZONE.name => {
            (object.named(ZONE.name).as_text(), rest)
        }
        _ => (None, arguments),
    };
    let source = text(rest, 0)?;
    let zone = match option(rest, 2) {
        Value::Nil => zone,
        Value::Object(object) if object.shape().name == ZONE.name => object.field(0).as_text(),
        _ => Some(text(rest, 2)?),
    };
    let stamp = match option(rest, 1) {
        Value::Nil => LAYOUTS.iter().find_map(|layout| layout::parse(layout, source)),
        _ => layout::parse(text(rest, 1)?, source),
    };
    let time = match (stamp, zone) {
        (Some(stamp), Some(zone)) if !stamp.has_zone() => {
            let zone = find_zone(zone)?;
            in_zone(stamp, &zone)
        }
        (Some(stamp), _) => stamp.time(),
        (None, _) => None,
    };
    time.map(Value::Time).ok_or_else(|| Fault::new(format!("`{source:.64}` is no date")))
}

/// The instant when clocks in the zone show what the text says.
fn in_zone(stamp: layout::Stamp<'_>, zone: &jiff::tz::TimeZone) -> Option<Time> {
    // The offset of a first guess, then the offset that holds there.
    let mut offset = 0;
    for _ in 0..2 {
        let at = stamp.civil.at_offset(offset)?;
        let at = jiff::Timestamp::from_second(at.seconds()).ok()?;
        offset = zone.to_offset(at).seconds();
    }
    stamp.civil.at_offset(offset)
}

fn find_zone(name: &str) -> Result<jiff::tz::TimeZone, Fault> {
    match name {
        "" | "UTC" => Ok(jiff::tz::TimeZone::UTC),
        "Local" => Ok(jiff::tz::TimeZone::system()),
        _ => jiff::tz::TimeZone::get(name)
            .map_err(|_| Fault::new(format!("there is no time zone `{name:.64}`"))),
    }
}

/// A time zone: only its name, so that it can lie in an arena.
static ZONE: Shape =
    Shape { name: "timezone", fields: &[], methods: &[Method::plain("String", Type::Text)] };

struct Zone<'a> {
    name: &'a str,
}

impl<'a> Object<'a> for Zone<'a> {
    fn shape(&self) -> &'static Shape {
        &ZONE
    }

    fn named(&self, _: &str) -> Value<'a> {
        Value::Text(self.name)
    }

    fn call_named(&self, _: &str, _: &[Value<'a>], _: &'a Arena) -> Result<Value<'a>, Fault> {
        Ok(Value::Text(self.name))
    }
}

fn timezone<'a>(call: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let name = text(arguments, 0)?;
    find_zone(name)?;
    Ok(Value::Object(call.arena.alloc(Zone { name })))
}

/// The times of a list, sorted; at least two.
fn sorted_times<'a>(call: Call<'a>, arguments: &[Value<'a>]) -> Result<&'a [Time], Fault> {
    let items = list(arguments, 0)?;
    let mut times = ArenaVec::with_capacity_in(items.len(), call.arena);
    for item in items {
        match item {
            Value::Time(time) => times.push(*time),
            other => {
                return Err(Fault::new(format!(
                    "argument 1: expected a list of times, found {} in it",
                    other.kind()
                )));
            }
        }
    }
    if times.len() < 2 {
        return Err(Fault::new("there is no interval between fewer than two times"));
    }
    times.sort_unstable();
    Ok(times.into_bump_slice())
}

fn average_of<'a>(call: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    Ok(Value::Duration(average_interval(sorted_times(call, arguments)?)))
}

fn median_of<'a>(call: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let times = sorted_times(call, arguments)?;
    let gaps = call.arena.alloc_slice_fill_copy(times.len(), 0);
    Ok(Value::Duration(median_interval(times, gaps)))
}

/// The mean of the intervals between sorted times, in nanoseconds; 0 if there is none.
pub(in crate::expr) fn average_interval(times: &[Time]) -> i64 {
    let [first, gaps @ ..] = times else { return 0 };
    let Some(last) = gaps.last() else { return 0 };
    last.since(*first) / i64::try_from(gaps.len()).unwrap_or(i64::MAX)
}

/// The median of the intervals between sorted times, in nanoseconds; 0 if there is none. There must
/// be room for as many intervals.
pub(in crate::expr) fn median_interval(times: &[Time], room: &mut [i64]) -> i64 {
    let intervals = times.windows(2).map(|pair| pair[1].since(pair[0]));
    let n = room.iter_mut().zip(intervals).map(|(place, interval)| *place = interval).count();
    let gaps = room.get_mut(..n).unwrap_or_default();
    gaps.sort_unstable();
    match (gaps.get((n / 2).wrapping_sub(1)), gaps.get(n / 2)) {
        (Some(below), Some(middle)) if n.is_multiple_of(2) => below.midpoint(*middle),
        (_, Some(middle)) => *middle,
        (_, None) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expr::functions::tests::{call_in, call_with, check, fault, faults};
    use crate::expr::world::World;

    #[track_caller]
    fn dates(arguments: &[Value<'_>], expected: Option<&str>) {
        let arena = Arena::new();
        let arguments: Vec<Value<'_>> = arguments
            .iter()
            .map(|value| match value {
                Value::Text(text) => Value::Text(arena.alloc_str(text)),
                _ => Value::Nil,
            })
            .collect();
        let found = call_with(&arena, "date", &arguments).ok().map(|value| match value {
            Value::Time(time) => time.rfc3339(),
            other => panic!("{other:?}"),
        });
        assert_eq!(found.as_deref(), expected, "{arguments:?}");
    }

    #[test]
    fn the_time_is_the_world_s() {
        let arena = Arena::new();
        let world = World::default();
        world.set_now(Time::from_nanos(1_700_000_000_500_000_000));
        let found = call_in(&world, &arena, "TimeNow", &[]).expect("no fault");
        assert_eq!(found.as_text(), Some("2023-11-14T22:13:20Z"));
        match call_in(&world, &arena, "now", &[]).expect("no fault") {
            Value::Time(time) => assert_eq!(time, world.now()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn dates_from_text() {
        let text = Value::Text;
        dates(&[text("2023-08-14")], Some("2023-08-14T00:00:00Z"));
        dates(&[text("2023-08-14 10:20:30")], Some("2023-08-14T10:20:30Z"));
        dates(&[text("2023-08-14T10:20:30+02:00")], Some("2023-08-14T10:20:30+02:00"));
        dates(&[text("14 Aug 23 10:20 UTC")], Some("2023-08-14T10:20:00Z"));
        dates(&[text("Mon, 14 Aug 2023 10:20:30 GMT")], Some("2023-08-14T10:20:30Z"));
        dates(&[text("14/08/2023"), text("02/01/2006")], Some("2023-08-14T00:00:00Z"));
        dates(&[text("yesterday")], None);
        dates(&[text("2023-08-14"), text("02/01/2006")], None);
        dates(&[text("2023-08-14"), text("2006-01-02"), text("No/Where")], None);
        dates(&[text("2023-08-14"), text("2006-01-02"), text("UTC")], Some("2023-08-14T00:00:00Z"));
    }

    #[test]
    fn durations() {
        assert_eq!(
            fault("duration", "['1x']"),
            "`1x` is no duration: expected a text such as `1h30m` or `500ms`"
        );
        let arena = Arena::new();
        let found = call_with(&arena, "duration", &[Value::Text("1h30m")]).expect("no fault");
        assert!(matches!(found, Value::Duration(5_400_000_000_000)));
        check("ParseUnix", "['x']", "''");
        check("ParseUnix", "['-5']", "''");
        assert!(fault("timezone", "['No/Where']").contains("no time zone"));
    }

    #[test]
    fn intervals() {
        let arena = Arena::new();
        let times = |seconds: &[i64]| {
            let times = seconds.iter().map(|s| Value::Time(Time::from_seconds(*s)));
            Value::List(arena.alloc_slice_fill_iter(times.collect::<Vec<_>>()))
        };
        let interval =
            |function, seconds: &[i64]| match call_with(&arena, function, &[times(seconds)])
                .expect("no fault")
            {
                Value::Duration(nanos) => nanos,
                other => panic!("{other:?}"),
            };
        const SECOND: i64 = 1_000_000_000;
        assert_eq!(interval("AverageInterval", &[10, 0, 4]), 5 * SECOND);
        assert_eq!(interval("AverageInterval", &[0, 1, 2, 10]), 3_333_333_333);
        assert_eq!(interval("MedianInterval", &[10, 0, 4]), 5 * SECOND);
        assert_eq!(interval("MedianInterval", &[0, 10, 1, 3]), 2 * SECOND);
        faults("MedianInterval", "[[]]", "there is no interval between fewer than two times");
        faults(
            "AverageInterval",
            "[[1, 2]]",
            "argument 1: expected a list of times, found int in it",
        );
    }
}
