//! Who offended lately, and when whose bans began. Pure.
//!
//! Escalation asks for the bans of one address or network, prefix levels ask how many offended in a
//! prefix. Bounded: beyond the capacity whoever was quiet for longest is forgotten.
//!
//! Invariant: `by_age` has one entry for each offender, with the time of its last offence.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;

/// The bans of one offender that are kept, the newest.
const MOST_BANS: usize = 16;

/// Offenders that are looked at for one question. Hostile: an attacker who fills his own network
/// with offenders must not make each further offence a long search.
const MOST_LOOKED: usize = 4096;

/// Past bans that one question gives. More do not make a ban longer that is not at the cap.
const MOST_FOUND: usize = 64;

/// What is remembered of offences.
#[derive(Debug)]
pub struct Offences {
    by_net: BTreeMap<IpNet, Offender>,
    by_age: BTreeSet<(i64, IpNet)>,
    capacity: usize,
}

#[derive(Debug, Default)]
struct Offender {
    /// The last offence, in nanoseconds since 1970.
    last: i64,
    /// When bans began, the newest last.
    bans: Vec<i64>,
}

impl Offences {
    /// Nobody yet, and never more than `capacity` offenders.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { by_net: BTreeMap::new(), by_age: BTreeSet::new(), capacity: capacity.max(1) }
    }

    /// How many offenders are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_net.len()
    }

    /// Whether nobody is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_net.is_empty()
    }

    /// `net`, an address or a prefix in canonical form, offended at `at`.
    pub fn offend(&mut self, net: IpNet, at: i64) {
        self.meet(net, at);
    }

    /// A ban of `net` began at `at`.
    pub fn ban(&mut self, net: IpNet, at: i64) {
        let bans = &mut self.meet(net, at).bans;
        let place = bans.partition_point(|known| *known <= at);
        bans.insert(place, at);
        if bans.len() > MOST_BANS {
            bans.remove(0);
        }
    }

    fn meet(&mut self, net: IpNet, at: i64) -> &mut Offender {
        if !self.by_net.contains_key(&net) {
            while self.by_net.len() >= self.capacity
                && let Some((_, oldest)) = self.by_age.pop_first()
            {
                self.by_net.remove(&oldest);
            }
            self.by_age.insert((at, net));
            self.by_net.insert(net, Offender { last: at, bans: Vec::new() });
        }
        let offender = self.by_net.get_mut(&net).expect("it was just put there");
        if at > offender.last {
            self.by_age.remove(&(offender.last, net));
            self.by_age.insert((at, net));
            offender.last = at;
        }
        offender
    }

    /// Forgets `net` and what lies in it: an operator says that it was a mistake.
    pub fn forgive(&mut self, net: IpNet) {
        let inside: Vec<IpNet> =
            self.by_net.range(net..).map(|(n, _)| *n).take_while(|n| net.contains(n)).collect();
        for forgiven in inside {
            if let Some(offender) = self.by_net.remove(&forgiven) {
                self.by_age.remove(&(offender.last, forgiven));
            }
        }
    }

    /// Forgets everybody.
    pub fn clear(&mut self) {
        self.by_net.clear();
        self.by_age.clear();
    }

    /// Forgets whoever did nothing since `before`.
    pub fn forget(&mut self, before: i64) {
        while let Some((last, net)) = self.by_age.first().copied()
            && last < before
        {
            self.by_age.pop_first();
            self.by_net.remove(&net);
        }
    }

    /// When bans of `net`, of what lies in it and of what it lies in began, before `before`; the
    /// order does not matter.
    #[must_use]
    pub fn bans(&self, net: IpNet, before: i64) -> Vec<i64> {
        let inside = self.by_net.range(net..).take_while(|(known, _)| net.contains(*known));
        let wider = (1..net.prefix_len()).rev().filter_map(|length| {
            let wider = IpNet::new(net.addr(), length).ok()?.trunc();
            self.by_net.get(&wider)
        });
        let found = inside.take(MOST_LOOKED).map(|(_, offender)| offender).chain(wider);
        let bans = found.flat_map(|offender| offender.bans.iter().copied());
        bans.filter(|at| *at < before).take(MOST_FOUND).collect()
    }

    /// How many prefixes of `unit` bits in `net` hold somebody who offended at `since` or later;
    /// no more than `enough` are counted.
    #[must_use]
    pub fn count(&self, net: IpNet, unit: u8, since: i64, enough: usize) -> usize {
        let mut count = 0;
        let mut from = net.trunc();
        let mut looked = 0;
        while count < enough && looked < MOST_LOOKED {
            let mut range = self.by_net.range(from..).take(MOST_LOOKED - looked);
            let found = range.find_map(|(known, offender)| {
                looked += 1;
                if !net.contains(known) {
                    return Some(None);
                }
                (offender.last >= since).then_some(Some(*known))
            });
            let Some(Some(known)) = found else { break };
            count += 1;
            let length = unit.min(known.prefix_len()).max(net.prefix_len());
            let Some(next) = behind(known, length) else { break };
            from = next;
        }
        count
    }
}

/// The first that does not lie in the prefix of `length` bits around `net`.
fn behind(net: IpNet, length: u8) -> Option<IpNet> {
    let last = IpNet::new(net.addr(), length).ok()?.broadcast();
    let next = match last {
        IpAddr::V4(last) => IpAddr::from(last.to_bits().checked_add(1)?.to_be_bytes()),
        IpAddr::V6(last) => IpAddr::from(last.to_bits().checked_add(1)?.to_be_bytes()),
    };
    // The shortest length: it comes before all others at the same address.
    IpNet::new(next, 0).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn net(text: &str) -> IpNet {
        crate::decision::parse_net(text).unwrap()
    }

    fn offences(all: &[(&str, i64)]) -> Offences {
        let mut offences = Offences::new(100);
        all.iter().for_each(|(who, at)| offences.offend(net(who), *at));
        offences
    }

    #[track_caller]
    fn check(all: &[(&str, i64)], within: &str, unit: u8, since: i64, count: usize) {
        assert_eq!(offences(all).count(net(within), unit, since, 99), count, "{all:?}");
    }

    #[test]
    fn distinct_units_are_counted() {
        let some = [("2001:db8::1", 5), ("2001:db8::2", 6), ("2001:db8:0:1::1", 7)];
        check(&some, "2001:db8::/64", 128, 0, 2);
        check(&some, "2001:db8::/64", 128, 6, 1);
        check(&some, "2001:db8::/56", 64, 0, 2);
        check(&some, "2001:db8::/48", 56, 0, 1);
        check(&some, "2001:db9::/48", 64, 0, 0);
        check(&[("203.0.113.255", 1), ("203.0.114.0", 1)], "203.0.113.0/24", 32, 0, 1);
        check(&[("255.255.255.255", 1)], "255.255.255.0/24", 32, 0, 1);
        // A prefix that offended is one, however wide.
        check(&[("2001:db8::/56", 1), ("2001:db8:0:100::1", 1)], "2001:db8::/48", 64, 0, 2);
    }

    #[test]
    fn bans_are_found_in_and_around() {
        let mut offences = Offences::new(100);
        for (who, at) in
            [("2001:db8::1", 1), ("2001:db8::2", 2), ("2001:db8::/56", 3), ("2001:db8:1::1", 4)]
        {
            offences.ban(net(who), at);
        }
        offences.offend(net("2001:db8::3"), 9);
        let bans = |who: &str, before| {
            let mut found = offences.bans(net(who), before);
            found.sort_unstable();
            found
        };
        assert_eq!(bans("2001:db8::/64", 99), [1, 2, 3]);
        assert_eq!(bans("2001:db8::/64", 3), [1, 2]);
        assert_eq!(bans("2001:db8:0:77::/64", 99), [3]);
        assert_eq!(bans("2001:db8:2::/64", 99), [0; 0]);
        offences.forgive(net("2001:db8::/64"));
        assert_eq!(offences.bans(net("2001:db8::/64"), 99), [3]);
        assert_eq!(offences.len(), 2);
    }

    #[test]
    fn one_offender_keeps_the_newest_bans() {
        let mut offences = Offences::new(9);
        (0..100).for_each(|at| offences.ban(net("203.0.113.7"), at));
        assert_eq!(offences.bans(net("203.0.113.7"), 999), Vec::from_iter(84..100));
    }

    #[derive(Clone, Debug)]
    enum Step {
        Offend(u8, i64),
        Ban(u8, i64),
        Forgive(u8, u8),
        Forget(i64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            4 => (any::<u8>(), 0_i64..50).prop_map(|(who, at)| Step::Offend(who, at)),
            4 => (any::<u8>(), 0_i64..50).prop_map(|(who, at)| Step::Ban(who, at)),
            1 => (any::<u8>(), 24_u8..=32).prop_map(|(who, length)| Step::Forgive(who, length)),
            1 => (0_i64..50).prop_map(Step::Forget),
        ];
        proptest::collection::vec(step, 0..80)
    }

    fn address(who: u8) -> IpNet {
        IpNet::from(IpAddr::from([203, 0, 113, who]))
    }

    proptest! {
        /// Against a list of all that ever happened, searched from end to end.
        #[test]
        fn equals_a_list(steps in steps(), length in 24_u8..=32, unit in 26_u8..=32, since in 0_i64..50) {
            let mut offences = Offences::new(1000);
            let mut model: Vec<(IpNet, i64, bool)> = Vec::new();
            for step in steps {
                match step {
                    Step::Offend(who, at) => {
                        offences.offend(address(who), at);
                        model.push((address(who), at, false));
                    }
                    Step::Ban(who, at) => {
                        offences.ban(address(who), at);
                        model.push((address(who), at, true));
                    }
                    Step::Forgive(who, length) => {
                        let net = IpNet::new(address(who).addr(), length).unwrap().trunc();
                        offences.forgive(net);
                        model.retain(|(known, ..)| !net.contains(known));
                    }
                    Step::Forget(before) => {
                        offences.forget(before);
                        let last = |who: IpNet| model.iter().filter(|(known, ..)| *known == who).map(|(_, at, _)| *at).max();
                        let gone: Vec<IpNet> = model.iter().map(|(who, ..)| *who)
                            .filter(|who| last(*who) < Some(before)).collect();
                        model.retain(|(who, ..)| !gone.contains(who));
                    }
                }
            }
            let net: IpNet = IpNet::new(address(77).addr(), length).unwrap().trunc();
            let units: BTreeSet<IpNet> = model.iter()
                .filter(|(who, ..)| net.contains(who))
                .filter(|(who, ..)| model.iter().any(|(known, at, _)| known == who && *at >= since))
                .map(|(who, ..)| IpNet::new(who.addr(), unit.max(length)).unwrap().trunc())
                .collect();
            prop_assert_eq!(offences.count(net, unit, since, 999), units.len());
            prop_assert_eq!(offences.count(net, unit, since, 2), units.len().min(2));
            let mut bans = offences.bans(net, since);
            bans.sort_unstable();
            let mut expected: Vec<i64> = model.iter()
                .filter(|(who, at, is_ban)| *is_ban && net.contains(who) && *at < since)
                .map(|(_, at, _)| *at).collect();
            expected.sort_unstable();
            // One offender keeps no more than it may, which these few do not reach.
            prop_assert_eq!(bans.len(), expected.len().min(MOST_FOUND));
            prop_assert!(bans.iter().all(|at| expected.contains(at)));
            let ages: Vec<_> = offences.by_age.iter().map(|(last, net)| (*net, *last)).collect();
            prop_assert_eq!(ages.len(), offences.len());
            prop_assert!(ages.iter().all(|(net, last)| offences.by_net[net].last == *last));
        }

        #[test]
        fn never_more_than_its_capacity_and_the_quietest_goes(all in proptest::collection::vec(any::<u8>(), 1..60)) {
            let mut offences = Offences::new(5);
            for (at, who) in (0_i64..).zip(&all) {
                offences.offend(address(*who), at);
                prop_assert!(offences.len() <= 5);
            }
            let mut newest = Vec::new();
            for who in all.iter().rev() {
                if newest.len() < 5 && !newest.contains(who) {
                    newest.push(*who);
                }
            }
            prop_assert!(newest.iter().all(|who| offences.by_net.contains_key(&address(*who))));
        }
    }
}
