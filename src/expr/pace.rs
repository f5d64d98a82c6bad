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
use super::{Mistake, horizon, parser};
use crate::value::{Time, parse_duration};

/// How many times are few.
const FEW: usize = 16;

/// A condition about the intervals between the last of some events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Which events count: a predicate over `evt`; `None` for all.
    pub matching: Option<String>,
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
    /// What `text` asks, if that is the pace of the elements of `object.field` and nothing else.
    ///
    /// # Errors
    /// What is wrong with the form of `text`.
    pub fn of(text: &str, object: &str, field: &str) -> Result<Option<Self>, Vec<Mistake>> {
        let tree = parser::parse(text)?;
        Ok(Form { object, field, matching: None }.condition(&tree))
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

/// Reads the form of a condition.
struct Form<'f> {
    object: &'f str,
    field: &'f str,
    /// `let x = filter(list, { .. })`: the name, and the predicate over `evt`.
    matching: Option<(&'f str, String)>,
}

impl<'f> Form<'f> {
    fn condition(mut self, expr: &'f Expr) -> Option<Pace> {
        let clauses = match &expr.kind {
            Kind::Block(statements, value) => {
                let [Statement::Let(_, name, list)] = &statements[..] else { return None };
                self.matching = Some((name, self.filter(list)?));
                value
            }
            _ => expr,
        };
        let Kind::All(clauses) = &clauses.kind else { return None };
        let [enough, pace] = &clauses[..] else { return None };
        let least = self.least(enough)?;
        let (measure, newest, comparison, limit) = self.pace(pace)?;
        let is_safe = newest >= 2 && least >= newest && least <= FEW;
        let matching = self.matching.map(|(_, predicate)| predicate);
        is_safe.then_some(Pace { matching, least, newest, measure, comparison, limit })
    }

    /// The predicate of `filter(object.field, { .. })`.
    fn filter(&self, expr: &Expr) -> Option<String> {
        let (list, body) = with_predicate(expr, "filter")?;
        self.is_whole(list).then(|| horizon::over_event(body)).flatten()
    }

    /// The number of `len(list) >= number`.
    fn least(&self, expr: &Expr) -> Option<usize> {
        let Kind::Ordered(first, rest) = &expr.kind else { return None };
        let (Kind::Call(name, arguments), [(binary, right)]) = (&first.kind, &rest[..]) else {
            return None;
        };
        let ("len", [list], Kind::Int(number)) = (name.as_str(), &arguments[..], &right.kind)
        else {
            return None;
        };
        let number = usize::try_from(*number).ok().filter(|_| self.is_list(list))?;
        match binary {
            Binary::Greater => number.checked_add(1),
            Binary::GreaterOrEqual => Some(number),
            _ => None,
        }
    }

    /// `MedianInterval(map(list[-number:], {#.Time})) > duration(text)`.
    fn pace(&self, expr: &Expr) -> Option<(Measure, usize, Binary, i64)> {
        let Kind::Ordered(first, rest) = &expr.kind else { return None };
        let (Kind::Call(name, arguments), [(binary, limit)]) = (&first.kind, &rest[..]) else {
            return None;
        };
        let measure = match name.as_str() {
            "AverageInterval" => Measure::Average,
            "MedianInterval" => Measure::Median,
            _ => return None,
        };
        let [times] = &arguments[..] else { return None };
        let (list, body) = with_predicate(times, "map")?;
        let newest = self.newest(list).filter(|_| is_time(body))?;
        let (Kind::Call(name, arguments), true) = (&limit.kind, binary.orders()) else {
            return None;
        };
        let ("duration", [Expr { kind: Kind::Text(text), .. }]) = (name.as_str(), &arguments[..])
        else {
            return None;
        };
        Some((measure, newest, *binary, parse_duration(text)?))
    }

    /// The number of `list[-number:]`.
    fn newest(&self, expr: &Expr) -> Option<usize> {
        let Kind::Path(head, links) = &expr.kind else { return None };
        let (Link { optional: false, step: Step::Slice(Some(from), None), .. }, links) =
            links.split_last()?
        else {
            return None;
        };
        self.is_list_at(head, links).then(|| horizon::from_end(from)).flatten()
    }

    /// Whether it is the list that is looked at.
    fn is_list(&self, expr: &Expr) -> bool {
        match &expr.kind {
            Kind::Path(head, links) => self.is_list_at(head, links),
            _ => self.is_list_at(expr, &[]),
        }
    }

    fn is_list_at(&self, head: &Expr, links: &[Link]) -> bool {
        match (&head.kind, &self.matching) {
            (Kind::Name(name), Some((filtered, _))) => name == filtered && links.is_empty(),
            (_, None) => self.is_whole_at(head, links),
            _ => false,
        }
    }

    fn is_whole(&self, expr: &Expr) -> bool {
        matches!(&expr.kind, Kind::Path(head, links) if self.is_whole_at(head, links))
    }

    fn is_whole_at(&self, head: &Expr, links: &[Link]) -> bool {
        let [Link { optional: false, step: Step::Field(field), .. }] = links else { return false };
        field == self.field && matches!(&head.kind, Kind::Name(name) if name == self.object)
    }
}

/// The list and the predicate of `name(list, { .. })`.
fn with_predicate<'e>(expr: &'e Expr, name: &str) -> Option<(&'e Expr, &'e Expr)> {
    let Kind::Call(called, arguments) = &expr.kind else { return None };
    let [list, Expr { kind: Kind::Predicate(body), .. }] = &arguments[..] else { return None };
    (called == name).then_some((list, body))
}

/// Whether it is `#.Time`.
fn is_time(expr: &Expr) -> bool {
    let Kind::Path(head, links) = &expr.kind else { return false };
    let [Link { optional: false, step: Step::Field(name), .. }] = &links[..] else { return false };
    name == "Time" && matches!(&head.kind, Kind::Pointer(pointer) if pointer.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(text: &str) -> Option<Pace> {
        Pace::of(text, "queue", "Queue").unwrap()
    }

    const MINUTE: i64 = 60_000_000_000;

    #[test]
    fn the_pace_of_events_is_told() {
        let expected = Pace {
            matching: None,
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
            matching: Some(r#"evt.Meta.x == "a""#.to_owned()),
            newest: 2,
            measure: Measure::Average,
            comparison: Binary::LessOrEqual,
            limit: MINUTE,
            ..expected
        };
        assert_eq!(pace(text), Some(expected));
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
