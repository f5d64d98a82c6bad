//! The difference between what is wanted and what a backend has. Pure.

#![forbid(unsafe_code)]

use std::cmp::Ordering;
use std::time::Duration;

use super::backend::Precision;
use super::element::{Edit, Element, Held};
use crate::value::Time;

/// The edits that lead from `held` to `wanted`, by element.
///
/// Both lists are in the order of elements, each of which occurs once; what is over at `now` is in
/// neither. Without a `precision` ends are not compared; with it, what ends within its tolerance is
/// left to do so.
pub(super) fn diff(
    wanted: impl IntoIterator<Item = (Element, Time)>,
    held: impl IntoIterator<Item = Held>,
    now: Time,
    precision: Option<Precision>,
) -> Vec<Edit> {
    let mut edits = Vec::new();
    let mut held = held.into_iter().peekable();
    let mut wanted = wanted.into_iter().peekable();
    // An interval that is about to end anyway: taking it away races with the kernel.
    let tolerance = precision.map(|precision| nanoseconds(precision.tolerance));
    let is_ending = |held: &Held| {
        let left = held.until.map(|until| until.since(now));
        left.zip(tolerance).is_some_and(|(left, tolerance)| left <= tolerance)
    };
    loop {
        let order = match (wanted.peek(), held.peek()) {
            (None, None) => return edits,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((wanted, _)), Some(held)) => wanted.cmp(&held.element),
        };
        let want = if order == Ordering::Greater { None } else { wanted.next() };
        let have = if order == Ordering::Less { None } else { held.next() };
        match (want, have) {
            (Some((element, until)), None) => edits.push(Edit::Add(element, until)),
            (None, Some(have)) if !is_ending(&have) => edits.push(Edit::Remove(have.element)),
            (Some((element, until)), Some(have)) => {
                let is_same = |precision| is_same(until, have.until, now, precision);
                if !precision.is_none_or(is_same) {
                    edits.push(Edit::Update(element, until));
                }
            }
            (None, _) => {}
        }
    }
}

fn nanoseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

/// Whether an element that shall last until `wanted` and lasts until `held` needs no change.
fn is_same(wanted: Time, held: Option<Time>, now: Time, precision: Precision) -> bool {
    let Some(held) = held else { return false };
    let (tolerance, longest) = (nanoseconds(precision.tolerance), nanoseconds(precision.longest));
    let is_near = wanted.since(held).saturating_abs() <= tolerance;
    // It was told the longest time that there is, and has more than half of it left.
    let is_too_long = wanted.since(now) > longest - tolerance;
    is_near || (is_too_long && held.since(now) > longest / 2 && held < wanted)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::net::IpAddr;

    use proptest::collection::btree_map;
    use proptest::prelude::*;

    use super::*;

    const SECOND: i64 = 1_000_000_000;

    fn element() -> impl Strategy<Value = Element> {
        (0..6_u8, 0..3_u8).prop_map(|(low, length)| {
            let first = IpAddr::from([10, 0, 0, low]);
            match length {
                0 => Element::Host(first),
                more => Element::Range(first, IpAddr::from([10, 0, 0, low + more])),
            }
        })
    }

    fn apply(
        edits: &[Edit],
        held: &BTreeMap<Element, Option<Time>>,
    ) -> BTreeMap<Element, Option<Time>> {
        let mut held = held.clone();
        for edit in edits {
            match *edit {
                Edit::Add(element, until) => {
                    assert_eq!(held.insert(element, Some(until)), None, "added what was there");
                }
                Edit::Update(element, until) => {
                    assert!(
                        held.insert(element, Some(until)).is_some(),
                        "updated what was not there"
                    );
                }
                Edit::Remove(element) => {
                    assert!(held.remove(&element).is_some(), "removed what was not there");
                }
            }
        }
        held
    }

    fn list(held: &BTreeMap<Element, Option<Time>>) -> Vec<Held> {
        held.iter().map(|(element, until)| Held { element: *element, until: *until }).collect()
    }

    proptest! {
        #[test]
        fn applying_the_difference_gives_what_is_wanted(
            wanted in btree_map(element(), 1..20_i64, 0..12),
            held in btree_map(element(), prop::option::of(1..20_i64), 0..12),
            tolerance in 0..3_i64,
        ) {
            let now = Time::from_seconds(0);
            let time = |seconds: i64| Time::from_seconds(seconds);
            let wanted: BTreeMap<_, _> = wanted.into_iter().map(|(e, until)| (e, time(until))).collect();
            let held: BTreeMap<_, _> = held.into_iter().map(|(e, until)| (e, until.map(time))).collect();
            let precision = Precision {
                tolerance: Duration::from_secs(tolerance.unsigned_abs()),
                ..Precision::default()
            };
            let tolerance = tolerance * SECOND;
            let edits = diff(wanted.clone(), list(&held), now, Some(precision));
            let mut after = apply(&edits, &held);
            // What ends in a moment may be left over.
            after.retain(|element, until| {
                wanted.contains_key(element) || until.is_none_or(|until| until.since(now) > tolerance)
            });
            prop_assert_eq!(after.keys().collect::<Vec<_>>(), wanted.keys().collect::<Vec<_>>());
            for (element, until) in &wanted {
                let end = after[element].expect("nothing is for ever");
                prop_assert!(end.since(*until).abs() <= tolerance);
            }
            if tolerance == 0 {
                prop_assert_eq!(after, wanted.iter().map(|(e, until)| (*e, Some(*until))).collect());
            }
        }

        #[test]
        fn there_is_no_difference_to_itself(wanted in btree_map(element(), 1..20_i64, 0..12)) {
            let wanted: BTreeMap<_, _> =
                wanted.into_iter().map(|(e, until)| (e, Time::from_seconds(until))).collect();
            let held: Vec<_> =
                wanted.iter().map(|(e, until)| Held { element: *e, until: Some(*until) }).collect();
            for precision in [None, Some(Precision::default())] {
                let edits = diff(wanted.clone(), held.clone(), Time::from_seconds(0), precision);
                prop_assert_eq!(edits, vec![]);
            }
        }
    }

    #[track_caller]
    fn check(wanted: i64, held: Option<i64>, is_same: bool) {
        let at = Time::from_seconds;
        let (tolerance, longest) = (Duration::from_secs(2), Duration::from_secs(100));
        let precision = Precision { tolerance, longest };
        let element = Element::Host(IpAddr::from([10, 0, 0, 1]));
        let held = || [Held { element, until: held.map(at) }];
        let edits = diff([(element, at(wanted))], held(), at(0), Some(precision));
        assert_eq!(edits.is_empty(), is_same, "{edits:?}");
        assert_eq!(diff([(element, at(wanted))], held(), at(0), None), []);
    }

    #[test]
    fn ends_are_compared_as_exactly_as_they_are_kept() {
        check(50, Some(50), true);
        check(50, Some(52), true);
        check(50, Some(53), false);
        check(50, Some(47), false);
        check(50, None, false);
        // What lasts longer than there is time for is renewed when half of it is over.
        check(5000, Some(100), true);
        check(5000, Some(51), true);
        check(5000, Some(50), false);
        check(5000, None, false);
        check(99, Some(97), true);
        check(80, Some(60), false);
        check(5000, Some(9000), false);
    }
}
