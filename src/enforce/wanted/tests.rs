//! Changes in, edits out: as data, and against a backend that follows them.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::decision::Allowlist;

fn target(text: &str) -> Target {
    let net = text.parse().unwrap_or_else(|_| text.parse::<IpAddr>().unwrap().into());
    Allowlist::default().admit(net).unwrap()
}

fn ban(text: &str, until: i64) -> Ban {
    Ban { target: target(text), until: Time::from_seconds(until) }
}

/// `+ key until`, `~ key until` or `- key` for each edit.
fn shown(edits: &[Edit]) -> String {
    let key = |element| match element {
        Element::Host(address) => address.to_string(),
        Element::Range(first, last) => format!("{first}-{last}"),
    };
    let line = |edit: &Edit| match *edit {
        Edit::Add(element, until) => format!("+ {} {}", key(element), until.seconds()),
        Edit::Update(element, until) => format!("~ {} {}", key(element), until.seconds()),
        Edit::Remove(element) => format!("- {}", key(element)),
    };
    edits.iter().map(line).collect::<Vec<_>>().join(", ")
}

#[track_caller]
fn check(wanted: &mut Wanted, now: i64, changes: &[Change], expected: &str) {
    for change in changes {
        wanted.change(change);
    }
    assert_eq!(shown(&wanted.take_edits(Time::from_seconds(now), 1000, true)), expected);
    assert!(!wanted.is_touched());
}

#[test]
fn changes_become_edits() {
    use Change::{Ban as B, Replace, Unban};
    let mut w = Wanted::new(Shape::Ranges, true);
    check(&mut w, 0, &[B(vec![ban("192.0.2.1", 9)])], "+ 192.0.2.1 9");
    check(&mut w, 0, &[B(vec![ban("192.0.2.1", 9)])], "");
    check(&mut w, 0, &[B(vec![ban("192.0.2.1", 8)])], "~ 192.0.2.1 8");
    // A burst about one address is one edit, or none.
    let burst = [B(vec![ban("192.0.2.2", 5)]), B(vec![ban("192.0.2.2", 6)])];
    check(&mut w, 0, &burst, "+ 192.0.2.2 6");
    let undone = [B(vec![ban("192.0.2.3", 5)]), Unban(vec![target("192.0.2.3")])];
    check(&mut w, 0, &undone, "");
    let moved = [Unban(vec![target("192.0.2.2")]), B(vec![ban("192.0.2.2", 7)])];
    check(&mut w, 0, &moved, "~ 192.0.2.2 7");
    check(&mut w, 0, &[Unban(vec![target("192.0.2.2")])], "- 192.0.2.2");
    check(&mut w, 0, &[Unban(vec![target("192.0.2.2")])], "");
    // What is over is not written, and what was over is not removed.
    check(&mut w, 9, &[B(vec![ban("2001:db8::1", 9)])], "");
    check(&mut w, 9, &[B(vec![ban("192.0.2.1", 20)])], "+ 192.0.2.1 20");
    // Prefixes: the inner one splits the outer one, and its end joins it again.
    check(&mut w, 9, &[B(vec![ban("10.0.0.0/30", 30)])], "+ 10.0.0.0-10.0.0.3 30");
    let inner = [B(vec![ban("10.0.0.2/31", 40)])];
    check(&mut w, 9, &inner, "+ 10.0.0.0-10.0.0.1 30, - 10.0.0.0-10.0.0.3, + 10.0.0.2-10.0.0.3 40");
    check(&mut w, 9, &[B(vec![ban("10.0.0.0/30", 35)])], "~ 10.0.0.0-10.0.0.1 35");
    let joined = [Unban(vec![target("10.0.0.2/31")])];
    check(&mut w, 9, &joined, "- 10.0.0.0-10.0.0.1, + 10.0.0.0-10.0.0.3 35, - 10.0.0.2-10.0.0.3");
    assert_eq!((w.count(Family::V4), w.count(Family::V6)), (2, 1));
    w.expire(Time::from_seconds(20));
    assert_eq!((w.count(Family::V4), w.count(Family::V6)), (1, 0));
    check(&mut w, 20, &[Replace(vec![ban("192.0.2.9", 50)])], "");
    assert_eq!(w.count(Family::V4), 1);
}

#[test]
fn a_range_that_has_just_ended_is_left_to_the_kernel() {
    let mut w = Wanted::new(Shape::Ranges, true);
    check(&mut w, 0, &[Change::Ban(vec![ban("10.0.0.0/31", 9)])], "+ 10.0.0.0-10.0.0.1 9");
    let wider = [Change::Ban(vec![ban("10.0.0.0/30", 20)])];
    check(&mut w, 9, &wider, "+ 10.0.0.0-10.0.0.3 20");
    check(&mut w, 9, &[Change::Ban(vec![ban("192.0.2.1", 9)])], "");
}

#[test]
fn the_newest_orders_are_taken_first_and_overlapping_ranges_together() {
    let now = Time::from_seconds(0);
    let mut w = Wanted::new(Shape::Ranges, true);
    let many = (0..10).map(|n| ban(&format!("192.0.2.{n}"), 9));
    w.change(&Change::Ban(many.collect()));
    w.forget_all_edits();
    let absent: Vec<_> = w.elements(now).map(|(e, until)| Edit::Add(e, until)).collect();
    w.correct(&absent);
    w.change(&Change::Ban(vec![ban("192.0.2.77", 5), ban("10.0.0.0/30", 5)]));
    w.change(&Change::Ban(vec![ban("10.0.0.2/31", 7), ban("10.0.9.0/24", 7)]));
    assert!(w.has_recent() && w.is_host_touched());
    assert_eq!(shown(&w.take_edits(now, 2, false)), "+ 192.0.2.0 9, + 192.0.2.77 5");
    let ranges = "+ 10.0.0.0-10.0.0.1 5, + 10.0.0.2-10.0.0.3 7, + 10.0.9.0-10.0.9.255 7";
    assert_eq!(shown(&w.take_edits(now, 1, true)), format!("+ 192.0.2.1 9, {ranges}"));
    assert!(!w.has_recent() && w.is_touched());
    assert_eq!(w.take_edits(now, 100, false).len(), 8);
    assert!(!w.is_touched());
}

#[test]
fn a_backend_of_prefixes_gets_prefixes() {
    let mut w = Wanted::new(Shape::Prefixes, true);
    check(&mut w, 0, &[Change::Ban(vec![ban("10.0.0.0/29", 3)])], "+ 10.0.0.0-10.0.0.7 3");
    check(
        &mut w,
        0,
        &[Change::Ban(vec![ban("10.0.0.2/31", 9)])],
        "+ 10.0.0.0-10.0.0.1 3, - 10.0.0.0-10.0.0.7, + 10.0.0.2-10.0.0.3 9, \
         + 10.0.0.4-10.0.0.7 3",
    );
    let all: Vec<_> = w.elements(Time::from_seconds(0)).map(|(e, _)| e).collect();
    assert_eq!(all.len(), 3);
    for (n, element) in all.iter().enumerate() {
        let here: Vec<_> = w.elements_from(*element, Time::from_seconds(0)).collect();
        assert_eq!(here.iter().map(|(e, _)| *e).collect::<Vec<_>>(), all[n..]);
    }
}

#[test]
fn a_backend_that_knows_no_time_is_told_what_is_over() {
    let mut w = Wanted::new(Shape::Ranges, false);
    let bans = [ban("192.0.2.1", 5), ban("192.0.2.2", 9), ban("10.0.0.0/31", 5)];
    let added = "+ 192.0.2.1 5, + 192.0.2.2 9, + 10.0.0.0-10.0.0.1 5";
    check(&mut w, 0, &[Change::Ban(bans.to_vec())], added);
    assert_eq!(w.soonest(), Some(Time::from_seconds(5)));
    w.expire(Time::from_seconds(5));
    check(&mut w, 5, &[], "- 192.0.2.1, - 10.0.0.0-10.0.0.1");
    assert_eq!((w.soonest(), w.count(Family::V4)), (Some(Time::from_seconds(9)), 1));
    // Also when a ban ended before its edit was taken.
    check(&mut w, 9, &[Change::Ban(vec![ban("192.0.2.2", 8)])], "- 192.0.2.2");
}

fn any_target() -> impl Strategy<Value = Target> {
    (any::<u8>(), 27..=32_u8).prop_map(|(low, length)| {
        target(&ipnet::Ipv4Net::new([10, 0, 0, low % 32].into(), length).unwrap().to_string())
    })
}

proptest! {
    /// Following the edits keeps a backend equal to what is wanted, whatever is coalesced and
    /// whatever has expired.
    #[test]
    fn edits_lead_to_the_wanted_elements(
        steps in vec(vec((any_target(), 0..20_i64, 0..4_u8), 0..4), 0..12),
    ) {
        let mut wanted = Wanted::new(Shape::Ranges, true);
        let mut held: BTreeMap<Element, Time> = BTreeMap::new();
        for (now, changes) in (0_i64..).zip(steps) {
            let now = Time::from_seconds(now);
            held.retain(|_, until| *until > now);
            for (target, until, kind) in changes {
                let until = Time::from_seconds(until);
                if kind == 0 {
                    wanted.change(&Change::Unban(vec![target]));
                } else {
                    wanted.change(&Change::Ban(vec![Ban { target, until }]));
                }
                if kind == 3 {
                    wanted.expire(now);
                }
            }
            for edit in wanted.take_edits(now, 1000, true) {
                let before = match edit {
                    Edit::Add(element, until) => {
                        prop_assert!(held.insert(element, until).is_none());
                        continue;
                    }
                    Edit::Update(element, until) => held.insert(element, until),
                    Edit::Remove(element) => held.remove(&element),
                };
                // A range may outlive its end for a moment.
                let is_range = matches!(edit.element(), Element::Range(..));
                prop_assert!(before.is_some() || is_range, "{edit:?} of what is not there");
            }
            prop_assert_eq!(
                held.clone().into_iter().collect::<Vec<_>>(),
                wanted.elements(now).collect::<Vec<_>>()
            );
        }
    }
}
