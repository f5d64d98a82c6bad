//! What shall be banned, and which elements that makes.
//!
//! Fed with changes, it remembers which elements they touched, so that a burst of changes becomes
//! one list of edits. Pure: time is a parameter, and no backend is known.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::element::{Edit, Element};
use super::per_family::PerFamily;
use super::prefixes::Prefixes;
use crate::decision::{Family, Target};
use crate::ledger::{Ban, Change};
use crate::value::Time;

/// The wanted bans.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    hosts: PerFamily<BTreeMap<IpAddr, Time>>,
    prefixes: Prefixes,
    /// Invariant: what `prefixes.all_ranges()` gives, by first address.
    ranges: PerFamily<BTreeMap<IpAddr, (IpAddr, Time)>>,
    /// Touched elements, and what they were when [`Wanted::take_edits`] was last called.
    touched: BTreeMap<Element, Option<Time>>,
    /// No ban ends earlier.
    soonest: Option<Time>,
}

impl Wanted {
    /// Takes a change in. After [`Change::Replace`] the edits are those between the old and the
    /// new bans; what a backend really has is not known here.
    pub(super) fn change(&mut self, change: &Change) {
        match change {
            Change::Ban(bans) => {
                for ban in bans {
                    self.ban(ban);
                }
            }
            Change::Unban(targets) => {
                for target in targets {
                    self.unban(*target);
                }
            }
            Change::Replace(bans) => {
                *self = Self::default();
                for ban in bans {
                    self.ban(ban);
                }
            }
        }
    }

    fn ban(&mut self, ban: &Ban) {
        self.soonest = self.soonest.map_or(Some(ban.until), |soonest| Some(soonest.min(ban.until)));
        if ban.target.is_host() {
            let address = ban.target.net().addr();
            let hosts = self.hosts.of_mut(ban.target.family());
            let before = hosts.insert(address, ban.until);
            self.touched.entry(Element::Host(address)).or_insert(before);
        } else {
            let net = ban.target.net();
            self.reshape(ban.target, |prefixes| {
                prefixes.insert(net, ban.until);
            });
        }
    }

    fn unban(&mut self, target: Target) {
        if target.is_host() {
            let address = target.net().addr();
            let before = self.hosts.of_mut(target.family()).remove(&address);
            self.touched.entry(Element::Host(address)).or_insert(before);
        } else {
            let net = target.net();
            self.reshape(target, |prefixes| {
                prefixes.remove(net);
            });
        }
    }

    /// Changes prefixes and keeps the ranges in step; only those under the root can change.
    fn reshape(&mut self, target: Target, change: impl FnOnce(&mut Prefixes)) {
        let root = self.prefixes.root(target.net());
        let ranges = self.ranges.of_mut(target.family());
        for (first, last, until) in self.prefixes.ranges(root) {
            ranges.remove(&first);
            self.touched.entry(Element::Range(first, last)).or_insert(Some(until));
        }
        change(&mut self.prefixes);
        for (first, last, until) in self.prefixes.ranges(root) {
            ranges.insert(first, (last, until));
            self.touched.entry(Element::Range(first, last)).or_insert(None);
        }
    }

    /// Forgets bans that are over; backends drop them on their own.
    pub(super) fn expire(&mut self, now: Time) {
        if self.soonest.is_none_or(|soonest| soonest > now) {
            return;
        }
        self.prefixes.expire(now);
        for family in [Family::V4, Family::V6] {
            self.hosts.of_mut(family).retain(|_, until| *until > now);
            self.ranges.of_mut(family).retain(|_, (_, until)| *until > now);
        }
        let hosts = self.hosts.v4.values().chain(self.hosts.v6.values()).copied();
        self.soonest = hosts.chain(self.prefixes.soonest()).min();
    }

    /// Whether changes wait to be taken as edits.
    pub(super) fn is_touched(&self) -> bool {
        !self.touched.is_empty()
    }

    /// The edits since the last call, by element. What is over at `now` counts as absent.
    pub(super) fn take_edits(&mut self, now: Time) -> Vec<Edit> {
        let live = |until: &Time| *until > now;
        std::mem::take(&mut self.touched)
            .into_iter()
            .filter_map(|(element, before)| {
                match (before.filter(live), self.until(element).filter(live)) {
                    (None, Some(until)) => Some(Edit::Add(element, until)),
                    (Some(before), Some(until)) if before != until => {
                        Some(Edit::Update(element, until))
                    }
                    (Some(_), None) => Some(Edit::Remove(element)),
                    (None, None) | (Some(_), Some(_)) => None,
                }
            })
            .collect()
    }

    /// Drops the memory of touched elements: a reconcile covers them.
    pub(super) fn forget_edits(&mut self) {
        self.touched.clear();
    }

    fn until(&self, element: Element) -> Option<Time> {
        match element {
            Element::Host(address) => self.hosts.of(element.family()).get(&address).copied(),
            Element::Range(first, last) => {
                let ranges = self.ranges.of(element.family());
                ranges.get(&first).filter(|range| range.0 == last).map(|range| range.1)
            }
        }
    }

    /// All elements that last beyond `now`, in order.
    pub(super) fn elements(&self, now: Time) -> impl Iterator<Item = (Element, Time)> {
        let hosts = self.hosts.v4.iter().chain(&self.hosts.v6);
        let hosts = hosts.map(|(address, until)| (Element::Host(*address), *until));
        let ranges = self.ranges.v4.iter().chain(&self.ranges.v6);
        let ranges = ranges.map(|(first, (last, until))| (Element::Range(*first, *last), *until));
        hosts.chain(ranges).filter(move |(_, until)| *until > now)
    }

    /// How many elements there are of a family.
    pub(super) fn count(&self, family: Family) -> usize {
        self.hosts.of(family).len() + self.ranges.of(family).len()
    }
}

#[cfg(test)]
mod tests {
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
        assert_eq!(shown(&wanted.take_edits(Time::from_seconds(now))), expected);
        assert!(!wanted.is_touched());
    }

    #[test]
    fn changes_become_edits() {
        use Change::{Ban as B, Replace, Unban};
        let mut w = Wanted::default();
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
        check(
            &mut w,
            9,
            &inner,
            "+ 10.0.0.0-10.0.0.1 30, - 10.0.0.0-10.0.0.3, + 10.0.0.2-10.0.0.3 40",
        );
        check(&mut w, 9, &[B(vec![ban("10.0.0.0/30", 35)])], "~ 10.0.0.0-10.0.0.1 35");
        let joined = [Unban(vec![target("10.0.0.2/31")])];
        check(
            &mut w,
            9,
            &joined,
            "- 10.0.0.0-10.0.0.1, + 10.0.0.0-10.0.0.3 35, - 10.0.0.2-10.0.0.3",
        );
        assert_eq!((w.count(Family::V4), w.count(Family::V6)), (2, 1));
        w.expire(Time::from_seconds(20));
        assert_eq!((w.count(Family::V4), w.count(Family::V6)), (1, 0));
        check(&mut w, 20, &[Replace(vec![ban("192.0.2.9", 50)])], "+ 192.0.2.9 50");
        assert_eq!(w.count(Family::V4), 1);
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
            let mut wanted = Wanted::default();
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
                for edit in wanted.take_edits(now) {
                    let before = match edit {
                        Edit::Add(element, until) => {
                            prop_assert!(held.insert(element, until).is_none());
                            continue;
                        }
                        Edit::Update(element, until) => held.insert(element, until),
                        Edit::Remove(element) => held.remove(&element),
                    };
                    prop_assert!(before.is_some(), "{edit:?} of what is not there");
                }
                prop_assert_eq!(
                    held.clone().into_iter().collect::<Vec<_>>(),
                    wanted.elements(now).collect::<Vec<_>>()
                );
            }
        }
    }
}
