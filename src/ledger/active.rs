//! The active decisions in memory: one per target, found by target, by prefix and by end.
//!
//! Invariant: `by_target`, `by_end` and `counts` always describe the same decisions.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use ipnet::IpNet;

use crate::decision::{Action, Decision, Family, Origin, Target};
use crate::value::Time;

/// How many decisions are active, by family, action and origin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts([[[u64; Origin::ALL.len()]; 2]; 2]);

impl Counts {
    /// The number for one family and action.
    #[must_use]
    pub fn get(&self, family: Family, action: Action) -> u64 {
        self.0[row(family)][column(action)].iter().sum()
    }

    /// The number for one family, action and origin.
    #[must_use]
    pub fn of(&self, family: Family, action: Action, origin: Origin) -> u64 {
        self.0[row(family)][column(action)][place(origin)]
    }

    fn at(&mut self, decision: &Decision) -> &mut u64 {
        let (row, column) = (row(decision.target.family()), column(decision.action));
        &mut self.0[row][column][place(decision.origin)]
    }

    fn add(&mut self, decision: &Decision) {
        *self.at(decision) += 1;
    }

    fn take(&mut self, decision: &Decision) {
        *self.at(decision) -= 1;
    }
}

const fn row(family: Family) -> usize {
    match family {
        Family::V4 => 0,
        Family::V6 => 1,
    }
}

const fn column(action: Action) -> usize {
    match action {
        Action::Ban => 0,
        Action::Observe => 1,
    }
}

const fn place(origin: Origin) -> usize {
    match origin {
        Origin::Scenario => 0,
        Origin::Manual => 1,
        Origin::List => 2,
        Origin::Remote => 3,
    }
}

#[derive(Default)]
pub(super) struct Active {
    /// By the target's prefix: what lies in a prefix follows it without a gap.
    by_net: BTreeMap<IpNet, Decision>,
    by_end: BTreeSet<(Time, Target)>,
    counts: Counts,
}

impl Active {
    pub(super) fn len(&self) -> usize {
        self.by_net.len()
    }

    pub(super) fn counts(&self) -> Counts {
        self.counts
    }

    pub(super) fn get(&self, target: Target) -> Option<&Decision> {
        self.by_net.get(&target.net())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Decision> {
        self.by_net.values()
    }

    /// Those on targets behind this one, by target.
    pub(super) fn after(&self, net: Option<IpNet>) -> impl Iterator<Item = &Decision> {
        let from = net.map_or(Bound::Unbounded, Bound::Excluded);
        self.by_net.range((from, Bound::Unbounded)).map(|(_, decision)| decision)
    }

    /// Puts a decision in the place of whatever its target had.
    pub(super) fn insert(&mut self, decision: Decision) {
        self.remove(decision.target);
        self.counts.add(&decision);
        self.by_end.insert((decision.until, decision.target));
        self.by_net.insert(decision.target.net(), decision);
    }

    pub(super) fn remove(&mut self, target: Target) -> Option<Decision> {
        let decision = self.by_net.remove(&target.net())?;
        self.by_end.remove(&(decision.until, target));
        self.counts.take(&decision);
        Some(decision)
    }

    /// The targets whose time is up at `now`, the earliest first.
    pub(super) fn due(&self, now: Time) -> impl Iterator<Item = Target> {
        self.by_end.iter().take_while(move |(until, _)| *until <= now).map(|(_, target)| *target)
    }

    /// The target whose decision ends first.
    pub(super) fn first_to_end(&self) -> Option<Target> {
        self.by_end.first().map(|(_, target)| *target)
    }

    /// The decisions on `net` itself and on what lies in it.
    pub(super) fn inside(&self, net: IpNet) -> impl Iterator<Item = &Decision> {
        self.by_net
            .range(net..)
            .take_while(move |(held, _)| net.contains(*held))
            .map(|(_, decision)| decision)
    }

    /// The decisions on prefixes that contain `net` and are wider than it, the narrowest first.
    pub(super) fn around(&self, net: IpNet) -> impl Iterator<Item = &Decision> {
        (0..net.prefix_len())
            .rev()
            .filter_map(move |length| IpNet::new(net.addr(), length).ok())
            .filter_map(|wider| self.by_net.get(&wider.trunc()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::Allowlist;

    fn decision(net: &str, until: i64, action: Action) -> Decision {
        Decision {
            id: 1,
            target: Allowlist::default().admit(net.parse().unwrap()).unwrap(),
            action,
            origin: Origin::Scenario,
            reason: "ssh-bf".to_owned(),
            created_at: Time::from_seconds(0),
            until: Time::from_seconds(until),
            events: 1,
        }
    }

    fn names<'a>(decisions: impl Iterator<Item = &'a Decision>) -> Vec<String> {
        decisions.map(|decision| decision.target.to_string()).collect()
    }

    #[test]
    fn finds_by_prefix() {
        let mut active = Active::default();
        for net in [
            "198.51.0.0/16",
            "198.51.100.0/24",
            "198.51.100.0/32",
            "198.51.100.7/32",
            "198.51.101.0/32",
            "2001:db8::/64",
        ] {
            active.insert(decision(net, 9, Action::Ban));
        }
        let net = |text: &str| text.parse::<IpNet>().unwrap();
        assert_eq!(
            names(active.inside(net("198.51.100.0/24"))),
            ["198.51.100.0/24", "198.51.100.0", "198.51.100.7"]
        );
        assert_eq!(names(active.inside(net("198.51.100.8/32"))), [""; 0]);
        assert_eq!(names(active.inside(net("0.0.0.0/0"))).len(), 5);
        assert_eq!(
            names(active.around(net("198.51.100.7/32"))),
            ["198.51.100.0/24", "198.51.0.0/16"]
        );
        assert_eq!(names(active.around(net("2001:db8::1/128"))), ["2001:db8::/64"]);
        assert_eq!(names(active.around(net("198.51.0.0/16"))), [""; 0]);
    }

    #[test]
    fn counts_and_ends_follow_every_change() {
        let mut active = Active::default();
        active.insert(decision("198.51.100.1/32", 5, Action::Observe));
        active.insert(decision("198.51.100.1/32", 9, Action::Ban));
        active.insert(decision("2001:db8::1/128", 7, Action::Observe));
        assert_eq!(active.counts().get(Family::V4, Action::Ban), 1);
        assert_eq!(active.counts().of(Family::V4, Action::Ban, Origin::Scenario), 1);
        assert_eq!(active.counts().of(Family::V4, Action::Ban, Origin::List), 0);
        assert_eq!(active.counts().get(Family::V4, Action::Observe), 0);
        assert_eq!(active.counts().get(Family::V6, Action::Observe), 1);
        let due = |active: &Active, at| {
            active.due(Time::from_seconds(at)).map(|target| target.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(due(&active, 6), [""; 0]);
        assert_eq!(due(&active, 7), ["2001:db8::1"]);
        assert_eq!(due(&active, 9), ["2001:db8::1", "198.51.100.1"]);
        let first = active.first_to_end().unwrap();
        assert_eq!(active.remove(first).map(|decision| decision.id), Some(1));
        assert_eq!(active.counts().get(Family::V6, Action::Observe), 0);
        assert_eq!(active.len(), 1);
    }
}
