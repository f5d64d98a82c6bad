//! Banned prefixes, which may lie in one another, as ranges that do not overlap.
//!
//! The kernel refuses an interval that overlaps another, and does not merge. So each address
//! belongs to the ban that keeps it longest (the widest of equals), and a range is what one ban
//! has left of its prefix:
//!
//! ```text
//!  /8 until 10   ├──────────────────────────────┤
//!  /16 until 20          ├──────────┤
//!  /24 until 15              ├──┤                    absorbed: the /16 lasts longer
//!
//!  ranges        ├──10───┤├────20───┤├────10────┤
//! ```
//!
//! Pure: an instant is a parameter, and nothing here knows sets.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;

use super::element::{predecessor, successor};
use crate::value::Time;

/// Addresses from the first to the last, and until when they are banned.
pub(super) type Range = (IpAddr, IpAddr, Time);

/// The banned prefixes.
#[derive(Clone, Debug, Default)]
pub(super) struct Prefixes {
    /// In the order of addresses, the wider prefix before the narrower one.
    bans: BTreeMap<IpNet, Time>,
}

impl Prefixes {
    /// Bans a prefix until then, whatever its end was.
    pub(super) fn insert(&mut self, net: IpNet, until: Time) -> Option<Time> {
        self.bans.insert(net, until)
    }

    /// Bans a prefix no more.
    pub(super) fn remove(&mut self, net: IpNet) -> Option<Time> {
        self.bans.remove(&net)
    }

    /// Forgets bans that are over at `now`. No range of another ban changes by it: what is over
    /// never had an address that a longer ban could have had.
    pub(super) fn expire(&mut self, now: Time) {
        self.bans.retain(|_, until| *until > now);
    }

    /// When the first ban ends.
    pub(super) fn soonest(&self) -> Option<Time> {
        self.bans.values().min().copied()
    }

    /// The widest banned prefix that `net` lies in, or `net` itself. Changing `net` changes no
    /// range outside it.
    pub(super) fn root(&self, net: IpNet) -> IpNet {
        (0..net.prefix_len())
            .filter_map(|length| IpNet::new(net.addr(), length).ok())
            .map(|wider| wider.trunc())
            .find(|wider| self.bans.contains_key(wider))
            .unwrap_or(net)
    }

    /// The ranges of all bans that lie in `net`, in order.
    ///
    /// Invariant: they do not overlap.
    pub(super) fn ranges(&self, net: IpNet) -> Vec<Range> {
        let inside = self.bans.range(net..).take_while(|(inner, _)| net.contains(*inner));
        let mut sweep = Sweep::default();
        for (inner, until) in inside {
            sweep.enter(inner.network(), inner.broadcast(), *until);
        }
        sweep.finish()
    }

    /// The ranges of all bans, in order.
    #[cfg(test)]
    pub(super) fn all_ranges(&self) -> Vec<Range> {
        let mut sweep = Sweep::default();
        for (net, until) in &self.bans {
            sweep.enter(net.network(), net.broadcast(), *until);
        }
        sweep.finish()
    }
}

/// Walks prefixes in order and cuts them into ranges.
#[derive(Default)]
struct Sweep {
    ranges: Vec<Range>,
    /// Last address and end of the bans around the current address, the widest first; each lasts
    /// longer than the one around it, so the innermost has the address.
    open: Vec<(IpAddr, Time)>,
    /// The first address not yet given to a range, while a ban is open.
    from: Option<IpAddr>,
}

impl Sweep {
    fn enter(&mut self, first: IpAddr, last: IpAddr, until: Time) {
        while let Some((end, _)) = self.open.last()
            && *end < first
        {
            self.leave();
        }
        match self.open.last() {
            Some((_, holder)) if *holder >= until => return,
            Some((_, holder)) => {
                let before = predecessor(first);
                if let (Some(from), Some(before)) = (self.from, before)
                    && from <= before
                {
                    self.ranges.push((from, before, *holder));
                }
            }
            None => {}
        }
        self.from = Some(first);
        self.open.push((last, until));
    }

    fn leave(&mut self) {
        let Some((end, until)) = self.open.pop() else { return };
        if let Some(from) = self.from
            && from <= end
        {
            self.ranges.push((from, end, until));
            self.from = successor(end);
        }
    }

    fn finish(mut self) -> Vec<Range> {
        while !self.open.is_empty() {
            self.leave();
        }
        self.ranges
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn prefixes(bans: &[(&str, i64)]) -> Prefixes {
        let mut prefixes = Prefixes::default();
        for (net, until) in bans {
            prefixes.insert(net.parse().unwrap(), Time::from_seconds(*until));
        }
        prefixes
    }

    #[track_caller]
    fn check(bans: &[(&str, i64)], expected: &[(&str, &str, i64)]) {
        let ranges = prefixes(bans).all_ranges();
        let ranges: Vec<_> = ranges
            .iter()
            .map(|(first, last, until)| (first.to_string(), last.to_string(), until.seconds()))
            .collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|(first, last, until)| (first.to_string(), last.to_string(), *until))
            .collect();
        assert_eq!(ranges, expected);
    }

    #[test]
    fn nested_prefixes() {
        check(&[], &[]);
        check(&[("10.0.0.0/8", 5)], &[("10.0.0.0", "10.255.255.255", 5)]);
        check(
            &[("10.0.0.0/8", 10), ("10.1.0.0/16", 20), ("10.1.5.0/24", 15)],
            &[
                ("10.0.0.0", "10.0.255.255", 10),
                ("10.1.0.0", "10.1.255.255", 20),
                ("10.2.0.0", "10.255.255.255", 10),
            ],
        );
        // The inner one at the very start and at the very end of the outer one.
        check(
            &[("10.0.0.0/30", 1), ("10.0.0.0/31", 2), ("10.0.0.2/31", 3)],
            &[("10.0.0.0", "10.0.0.1", 2), ("10.0.0.2", "10.0.0.3", 3)],
        );
        // Siblings stay apart although they touch, also when a shorter ban is around them.
        check(
            &[("10.0.0.0/29", 1), ("10.0.0.0/31", 9), ("10.0.0.2/31", 9)],
            &[
                ("10.0.0.0", "10.0.0.1", 9),
                ("10.0.0.2", "10.0.0.3", 9),
                ("10.0.0.4", "10.0.0.7", 1),
            ],
        );
        // The highest address of a family has no successor.
        check(
            &[("255.255.255.0/24", 1), ("255.255.255.254/31", 2), ("::/16", 3)],
            &[
                ("255.255.255.0", "255.255.255.253", 1),
                ("255.255.255.254", "255.255.255.255", 2),
                ("::", "0:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 3),
            ],
        );
    }

    /// Prefixes of a space of 64 addresses.
    fn net() -> impl Strategy<Value = IpNet> {
        (any::<u8>(), 26..=31_u8).prop_map(|(low, length)| {
            IpNet::new(Ipv4Addr::new(10, 0, 0, low % 64).into(), length).unwrap().trunc()
        })
    }

    /// The linear model: until when is this address banned?
    fn linear(bans: &BTreeMap<IpNet, Time>, address: IpAddr) -> Option<Time> {
        bans.iter().filter(|(net, _)| net.contains(&address)).map(|(_, until)| *until).max()
    }

    proptest! {
        #[test]
        fn ranges_equal_the_linear_model(
            steps in vec((net(), 0..8_i64, any::<bool>()), 0..24),
            now in 0..8_i64,
        ) {
            let mut prefixes = Prefixes::default();
            let mut model = BTreeMap::new();
            let mut ranges: BTreeMap<IpAddr, Range> = BTreeMap::new();
            for (net, until, is_ban) in steps {
                let until = Time::from_seconds(until);
                // The way in which callers keep ranges: only those under the root change.
                let root = prefixes.root(net);
                for (first, ..) in prefixes.ranges(root) {
                    prop_assert!(ranges.remove(&first).is_some());
                }
                if is_ban {
                    prop_assert_eq!(prefixes.insert(net, until), model.insert(net, until));
                } else {
                    prop_assert_eq!(prefixes.remove(net), model.remove(&net));
                }
                for range in prefixes.ranges(root) {
                    ranges.insert(range.0, range);
                }
                prop_assert_eq!(ranges.values().copied().collect::<Vec<_>>(), prefixes.all_ranges());
            }
            for low in 0..=255_u8 {
                let address = IpAddr::from(Ipv4Addr::new(10, 0, 0, low));
                let mut holders =
                    ranges.values().filter(|(first, last, _)| (*first..=*last).contains(&address));
                prop_assert_eq!(holders.next().map(|range| range.2), linear(&model, address));
                prop_assert!(holders.next().is_none(), "two ranges hold one address");
            }
            // What ends takes its own ranges along and changes no other.
            let now = Time::from_seconds(now);
            prefixes.expire(now);
            ranges.retain(|_, range| range.2 > now);
            prop_assert_eq!(ranges.values().copied().collect::<Vec<_>>(), prefixes.all_ranges());
            prop_assert_eq!(prefixes.soonest().is_some(), prefixes.soonest() > Some(now));
        }
    }
}
