//! Conditions about how fast events follow one another.
//!
//! `len(queue.Queue) >= 4 && MedianInterval(map(queue.Queue[-4:], {#.Time})) > duration("10m")` is
//! how rules tell slow attacks from fast ones, and is asked after every event of such a bucket. It
//! needs no more than the times of a few events, so whoever keeps them can answer without making
//! lists of them.
//!
//! Invariant: on the times that it wants, [`Pace::holds`] is what the expression gives on the whole
//! list, if the predicate cannot fail. Nothing else in the expression can.

use super::ast::{Binary, Expr, Kind, Link, Statement, Step};
use super::functions::{average_interval, median_interval};
use super::horizon::{Known, Walk, from_end};
use crate::value::{Time, parse_duration};

/// How many times are few.
const FEW: usize = 16;

/// A condition about the intervals between the last events: of all, or of those for which the one
/// predicate of its horizon holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pace {
    /// With fewer of them it is false; no more than are few.
    least: usize,
    /// The last so many are looked at: two at least, and no more than `least`.
    newest: usize,
    measure: Measure,
    comparison: Binary,
    /// In nanoseconds.
    limit: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Measure {
    Average,
    Median,
}

/// The times of the events that count, the last first.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    n: usize,
    times: [Time; FEW],
}

impl Default for Times {
    fn default() -> Self {
        Self { n: 0, times: [Time::from_nanos(0); FEW] }
    }
}

impl Times {
    /// Adds the time of the one before.
    #[inline]
    pub fn push(&mut self, time: Time) {
        if let Some(place) = self.times.get_mut(self.n) {
            *place = time;
            self.n += 1;
        }
    }
}

impl Pace {
    /// What an expression asks, if that is the pace of a list that `walk` knows and nothing else.
    pub(super) fn of(expr: &Expr, walk: &Walk<'_>) -> Option<Self> {
        let (list, clauses) = match &expr.kind {
            Kind::Block(statements, value) => {
                let [Statement::Let(_, name, _)] = &statements[..] else { return None };
                (Known::Matching(walk.matching(name)?), &**value)
            }
            _ => (Known::Whole, expr),
        };
        let Kind::All(clauses) = &clauses.kind else { return None };
        let [enough, pace] = &clauses[..] else { return None };
        let (Kind::Ordered(length, least), Kind::Ordered(interval, limit)) =
            (&enough.kind, &pace.kind)
        else {
            return None;
        };
        let least = match walk.length(length, least)? {
            (known, Binary::Greater, number) if known == list => number.checked_add(1)?,
            (known, Binary::GreaterOrEqual, number) if known == list => number,
            _ => return None,
        };
        let Kind::Call(name, arguments) = &interval.kind else { return None };
        let measure = Measure::called(name)?;
        let (looked_at, newest) = newest(arguments, walk)?;
        let [(comparison, limit)] = &limit[..] else { return None };
        let is_safe = newest >= 2 && least >= newest && least <= FEW;
        (is_safe && looked_at == list && comparison.orders()).then_some(Self {
            least,
            newest,
            measure,
            comparison: *comparison,
            limit: duration(limit)?,
        })
    }

    /// Whether it takes more times than these.
    #[inline]
    #[must_use]
    pub fn wants_more(&self, times: &Times) -> bool {
        times.n < self.least
    }

    /// Whether the condition holds, when no more times are wanted or there are no more.
    #[must_use]
    pub fn holds(&self, times: &Times) -> bool {
        if times.n < self.least {
            return false;
        }
        let mut times = times.times;
        let Some(times) = times.get_mut(..self.newest) else { return false };
        times.sort_unstable();
        let interval = match self.measure {
            Measure::Average => average_interval(times),
            Measure::Median => median_interval(times, &mut [0; FEW]),
        };
        match self.comparison {
            Binary::Less => interval < self.limit,
            Binary::LessOrEqual => interval <= self.limit,
            Binary::Greater => interval > self.limit,
            _ => interval >= self.limit,
        }
    }
}

impl Measure {
    fn called(name: &str) -> Option<Self> {
        match name {
            "AverageInterval" => Some(Self::Average),
            "MedianInterval" => Some(Self::Median),
            _ => None,
        }
    }
}

/// The list and the number of `map(list[-number:], {#.Time})`.
fn newest(arguments: &[Expr], walk: &Walk<'_>) -> Option<(Known, usize)> {
    let [Expr { kind: Kind::Call(name, arguments), .. }] = arguments else { return None };
    let ("map", [list, Expr { kind: Kind::Predicate(body), .. }]) = (name.as_str(), &arguments[..])
    else {
        return None;
    };
    let (list, [Link { optional: false, step: Step::Slice(Some(from), None), .. }]) =
        walk.known(list)?
    else {
        return None;
    };
    is_time(body).then_some((list, from_end(from)?))
}

/// The nanoseconds of `duration(text)`.
fn duration(expr: &Expr) -> Option<i64> {
    let Kind::Call(name, arguments) = &expr.kind else { return None };
    match (name.as_str(), &arguments[..]) {
        ("duration", [Expr { kind: Kind::Text(text), .. }]) => parse_duration(text),
        _ => None,
    }
}

/// Whether it is `#.Time`.
fn is_time(expr: &Expr) -> bool {
    let Kind::Path(head, links) = &expr.kind else { return false };
    let [Link { optional: false, step: Step::Field(name), .. }] = &links[..] else { return false };
    name == "Time" && matches!(&head.kind, Kind::Pointer(pointer) if pointer.is_empty())
}

#[cfg(test)]
mod tests {
    use super::super::horizon::horizon;
    use super::*;

    fn pace(text: &str) -> Option<Pace> {
        horizon(text, "queue", "Queue").unwrap().and_then(|found| found.pace)
    }

    const MINUTE: i64 = 60_000_000_000;

    #[test]
    fn the_pace_of_events_is_told() {
        let expected = Pace {
            least: 5,
            newest: 4,
            measure: Measure::Median,
            comparison: Binary::Greater,
            limit: 10 * MINUTE,
        };
        let text = r#"MedianInterval(map(queue.Queue[-4:], {#.Time})) > duration("10m")"#;
        assert_eq!(pace(&format!("len(queue.Queue) > 4 and {text}")), Some(expected.clone()));
        let text = r#"let bad = filter(queue.Queue, {#.Meta.x == "a"});
            len(bad) >= 5 && AverageInterval(map(bad[-2:], {.Time})) <= duration("1m")"#;
        let expected = Pace {
            newest: 2,
            measure: Measure::Average,
            comparison: Binary::LessOrEqual,
            limit: MINUTE,
            ..expected
        };
        assert_eq!(pace(text), Some(expected));
        let matching = horizon(text, "queue", "Queue").unwrap().unwrap().matching;
        assert_eq!(matching, [(r#"evt.Meta.x == "a""#.to_owned(), 5)]);
    }

    #[test]
    fn anything_more_is_an_expression() {
        let enough = "len(queue.Queue) >= 4 &&";
        let times = "map(queue.Queue[-4:], {#.Time})";
        for text in [
            format!("MedianInterval({times}) > duration('1m')"),
            format!("len(queue.Queue) >= 3 && MedianInterval({times}) > duration('1m')"),
            format!("len(queue.Queue) >= 40 && MedianInterval({times}) > duration('1m')"),
            format!("len(queue.Queue) < 5 && MedianInterval({times}) > duration('1m')"),
            format!("{enough} MedianInterval({times}) == duration('1m')"),
            format!("{enough} MedianInterval({times}) > duration('1x')"),
            format!("{enough} MedianInterval({times}) > duration(evt.Meta.x)"),
            format!("{enough} MedianInterval({times}) > duration('1m') && evt.Meta.x == 'a'"),
            format!("{enough} evt.Meta.x == 'a' && MedianInterval({times}) > duration('1m')"),
            format!("{enough} MedianInterval(map(queue.Queue[-1:], {{#.Time}})) > duration('1m')"),
            format!("{enough} MedianInterval(map(queue.Queue[4:], {{#.Time}})) > duration('1m')"),
            format!(
                "{enough} MedianInterval(map(queue.Queue[-4:-1], {{#.Time}})) > duration('1m')"
            ),
            format!("{enough} MedianInterval(map(other.Queue[-4:], {{#.Time}})) > duration('1m')"),
            format!(
                "{enough} MedianInterval(map(queue.Queue[-4:], {{evt.Time}})) > duration('1m')"
            ),
            format!(
                "let bad = filter(queue.Queue, {{#.Meta.x == 'a'}}); len(bad) >= 4 && \
                 MedianInterval({times}) > duration('1m')"
            ),
            "let bad = filter(queue.Queue, {f(#)}); len(bad) >= 4 && \
             MedianInterval(map(bad[-4:], {#.Time})) > duration('1m')"
                .to_owned(),
        ] {
            assert_eq!(pace(&text), None, "{text}");
        }
    }
}
