//! Elements as the kernel's sets have them: an address, or the two ends of an interval. Pure.

#![forbid(unsafe_code)]

use super::super::backend::Error;
use super::super::element::{Edit, Element, Held, highest, predecessor, successor};
use super::super::netlink::objects::Element as Raw;
use super::layout::Kind;
use crate::value::Time;

const MILLISECOND: i64 = 1_000_000;
/// Less than a tick of the kernel's clock would be no time at all, which means for ever.
const SHORTEST: u64 = 100;

/// The two ends of a range, or the one element that an address is.
pub(super) fn both_ends(element: Element, milliseconds: Option<u64>) -> impl Iterator<Item = Raw> {
    let end = match element {
        Element::Host(_) => None,
        // An interval up to the highest address has no end. Ends carry no time: the kernel takes
        // them away with their start.
        Element::Range(_, last) => successor(last),
    };
    let start = Raw { key: element.first(), is_start: true, milliseconds, counts: None };
    let end = end.map(|key| Raw { key, is_start: false, milliseconds: None, counts: None });
    [Some(start), end].into_iter().flatten()
}

/// What takes an element away.
pub(super) fn removed(element: Element) -> impl Iterator<Item = Raw> {
    both_ends(element, None)
}

/// What puts an element in; nothing when it is over at `now`.
pub(super) fn added(element: Element, until: Time, now: Time) -> impl Iterator<Item = Raw> {
    let left = until.since(now);
    let milliseconds = u64::try_from(left).unwrap_or(0).div_ceil(MILLISECOND.unsigned_abs());
    let raw = (left > 0).then(|| both_ends(element, Some(milliseconds.max(SHORTEST))));
    raw.into_iter().flatten()
}

/// Cuts edits, given in the order of elements, into transactions of about `most`, so that edits
/// of overlapping ranges stay together: what takes over from a range that goes comes at once.
pub(super) fn parts(edits: &[Edit], most: usize) -> impl Iterator<Item = &[Edit]> {
    let mut rest = edits;
    std::iter::from_fn(move || {
        let mut cut = 0;
        let mut reach = None;
        for edit in rest {
            let element = edit.element();
            let is_range = matches!(element, Element::Range(..));
            let is_apart = !is_range || reach.is_none_or(|reach| reach < element.first());
            if cut >= most && is_apart {
                break;
            }
            if is_range {
                reach = reach.max(Some(element.last()));
            }
            cut += 1;
        }
        let (part, behind) = rest.split_at(cut);
        rest = behind;
        (!part.is_empty()).then_some(part)
    })
}

/// When an element will end that was read then.
pub(super) fn until(raw: &Raw, read_at: Time) -> Option<Time> {
    let left = i64::try_from(raw.milliseconds?).ok()?.saturating_mul(MILLISECOND);
    Some(read_at.plus(left))
}

/// A single address as a set listed it then.
pub(super) fn single(raw: &Raw, read_at: Time) -> Held {
    Held { element: Element::Host(raw.key), until: until(raw, read_at) }
}

/// The interval between two elements that were read: its start, and its end if it has one. `None`
/// when they are none.
pub(super) fn interval(start: &Raw, end: Option<&Raw>) -> Option<Element> {
    let last = match end {
        None => highest(start.key),
        Some(end) => predecessor(end.key)?,
    };
    (start.key <= last).then_some(Element::Range(start.key, last))
}

/// Makes elements of what a set listed, with the time of each reading; in order, each once.
///
/// # Errors
/// [`Error::Torn`] when an interval has no end of its own.
pub(super) fn pair(kind: Kind, found: &mut Vec<(Raw, Time)>) -> Result<Vec<Held>, Error> {
    // A list may have doubles when the set grew or shrank meanwhile.
    found.sort_unstable_by_key(|(raw, _)| (raw.key, raw.is_start));
    found.dedup_by_key(|(raw, _)| (raw.key, raw.is_start));
    if !kind.is_interval {
        let hosts = found.iter().filter(|(raw, _)| raw.is_start);
        return Ok(hosts.map(|(raw, read_at)| single(raw, *read_at)).collect());
    }
    let mut held = Vec::new();
    let mut found = found.iter().peekable();
    while let Some((raw, read_at)) = found.next() {
        // An end alone is what a start leaves behind for a moment when its time is over.
        if !raw.is_start {
            continue;
        }
        let last = match found.peek() {
            None => Some(highest(raw.key)),
            Some((end, _)) if !end.is_start => predecessor(end.key),
            Some(_) => None,
        };
        let last = last.ok_or(Error::Torn { set: kind.name })?;
        held.push(Held { element: Element::Range(raw.key, last), until: until(raw, *read_at) });
    }
    Ok(held)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::super::layout::KINDS;
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn range(first: &str, last: &str) -> Element {
        Element::Range(address(first), address(last))
    }

    #[track_caller]
    fn check(element: Element, until_nanos: i64, expected: &[(&str, bool, Option<u64>)]) {
        let raw: Vec<_> =
            added(element, Time::from_nanos(until_nanos), Time::from_nanos(0)).collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|(key, is_start, milliseconds)| Raw {
                key: address(key),
                is_start: *is_start,
                milliseconds: *milliseconds,
                counts: None,
            })
            .collect();
        assert_eq!(raw, expected);
    }

    #[test]
    fn elements_are_written_with_what_is_left_of_their_time() {
        let host = Element::Host(address("192.0.2.1"));
        check(host, 5_000_000_001, &[("192.0.2.1", true, Some(5001))]);
        check(host, 1, &[("192.0.2.1", true, Some(100))]);
        check(host, 0, &[]);
        check(host, -5, &[]);
        check(host, i64::MAX, &[("192.0.2.1", true, Some(9_223_372_036_855))]);
        let net = range("10.0.0.0", "10.255.255.255");
        check(net, 2_000_000_000, &[("10.0.0.0", true, Some(2000)), ("11.0.0.0", false, None)]);
        let top = range("255.0.0.0", "255.255.255.255");
        check(top, 2_000_000_000, &[("255.0.0.0", true, Some(2000))]);
    }

    #[test]
    fn a_start_without_an_end_is_torn() {
        let start =
            |low| Raw { is_start: true, milliseconds: Some(1), ..Raw::at([10, 0, 0, low].into()) };
        let end = |low| Raw { is_start: false, milliseconds: None, ..start(low) };
        let pair = |raw: &[Raw]| {
            let mut found: Vec<_> = raw.iter().map(|raw| (*raw, Time::from_nanos(0))).collect();
            super::pair(KINDS[2], &mut found).map(|held| {
                held.iter()
                    .map(|held| (held.element.first(), held.element.last()))
                    .collect::<Vec<_>>()
            })
        };
        let span = |first, last| (address(first), address(last));
        assert!(matches!(
            pair(&[start(1), start(4), end(6)]),
            Err(Error::Torn { set: "ban4_net" })
        ));
        assert_eq!(
            pair(&[end(3), start(4), end(6), end(9)]).unwrap(),
            [span("10.0.0.4", "10.0.0.5")]
        );
        assert_eq!(pair(&[start(4)]).unwrap(), [span("10.0.0.4", "255.255.255.255")]);
        let touching = [start(6), end(6), start(4), end(8), start(4)];
        assert_eq!(
            pair(&touching).unwrap(),
            [span("10.0.0.4", "10.0.0.5"), span("10.0.0.6", "10.0.0.7")]
        );
    }

    #[test]
    fn overlapping_ranges_stay_in_one_transaction() {
        let later = Time::from_seconds(9);
        let edits = [
            Edit::Add(Element::Host(address("10.0.0.1")), later),
            Edit::Add(Element::Host(address("10.0.0.2")), later),
            Edit::Add(range("10.0.0.0", "10.0.0.1"), later),
            Edit::Remove(range("10.0.0.0", "10.0.0.7")),
            Edit::Add(range("10.0.0.2", "10.0.0.3"), later),
            Edit::Add(range("10.0.0.4", "10.0.0.7"), later),
            Edit::Add(range("10.0.0.8", "10.0.0.9"), later),
        ];
        let sizes = |most| parts(&edits, most).map(<[Edit]>::len).collect::<Vec<_>>();
        assert_eq!(sizes(1), [1, 1, 4, 1]);
        assert_eq!(sizes(3), [6, 1]);
        assert_eq!(sizes(7), [7]);
        assert_eq!(parts(&[], 3).count(), 0);
    }

    proptest! {
        #[test]
        fn what_is_added_is_read_back(lows in vec((0..200_u8, 0..9_u8), 0..9), is_v6 in any::<bool>()) {
            let make = |low: u8| if is_v6 { IpAddr::from([low; 16]) } else { IpAddr::from([low; 4]) };
            let mut next = 0_u8;
            let mut elements = Vec::new();
            for (gap, length) in lows {
                let Some(first) = next.checked_add(gap) else { break };
                let Some(last) = first.checked_add(length) else { break };
                elements.push(Element::Range(make(first), make(last)));
                let Some(behind) = last.checked_add(1) else { break };
                next = behind;
            }
            let kind = KINDS.into_iter().find(|kind| kind.has(Element::Range(make(0), make(1)))).unwrap();
            let (now, until) = (Time::from_seconds(5), Time::from_seconds(65));
            let mut raw: Vec<_> =
                elements.iter().flat_map(|e| added(*e, until, now)).map(|raw| (raw, now)).collect();
            raw.extend(raw.clone());
            let held = pair(kind, &mut raw).unwrap();
            let expected: Vec<_> =
                elements.iter().map(|e| Held { element: *e, until: Some(until) }).collect();
            prop_assert_eq!(held, expected);
        }
    }
}
