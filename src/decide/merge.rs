//! Neighbours that are nearly all banned become one prefix. Pure.
//!
//! Off unless it is switched on: whoever else lives in the prefix is banned with them. So two
//! bounds hold: the part of the prefix that is banned already, and how wide it may be.

use ipnet::IpNet;

/// When neighbours are merged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Merge {
    /// The part of a prefix that must be banned, above 0 and up to 1.
    pub at: f64,
    /// The shortest length of an IPv4 prefix that is made; what counts in it is addresses.
    pub widest_v4: u8,
    /// The same for IPv6, where /64s count.
    pub widest_v6: u8,
}

/// A prefix that takes the place of its members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Merged {
    /// The prefix.
    pub net: IpNet,
    /// How many bans it stands for.
    pub members: usize,
}

/// Fewer bans than this are not worth one that hits others: of two addresses side by side half of
/// a /30 would be banned already.
const LEAST: usize = 4;

impl Merge {
    /// The prefixes around `net`, which is banned, that are dense enough, the widest first.
    /// `inside` gives what is banned within a prefix, in the order of the addresses and the wider
    /// before the narrower.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a part of at most 2^56 units")]
    pub fn around<I: Iterator<Item = IpNet>>(
        &self,
        net: IpNet,
        inside: impl Fn(IpNet) -> I,
    ) -> Vec<Merged> {
        let (widest, unit) = match net {
            IpNet::V4(_) => (self.widest_v4, 32),
            IpNet::V6(_) => (self.widest_v6, 64),
        };
        let mut found = Vec::new();
        for length in widest..net.prefix_len().min(unit) {
            let Ok(around) = IpNet::new(net.addr(), length) else { continue };
            let around = around.trunc();
            let (mut members, mut units) = (0, 0_u64);
            let mut last: Option<IpNet> = None;
            for banned in inside(around).filter(|banned| banned.prefix_len() <= unit) {
                if last.is_some_and(|last| last.contains(&banned)) {
                    continue;
                }
                last = Some(banned);
                members += 1;
                units = units.saturating_add(1 << (unit - banned.prefix_len()).min(63));
            }
            let all = (1_u64 << (unit - length).min(63)) as f64;
            let is_banned_itself = last.is_some_and(|last| last == around);
            if members >= LEAST && !is_banned_itself && units as f64 >= all * self.at {
                found.push(Merged { net: around, members });
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn net(text: &str) -> IpNet {
        crate::decision::parse_net(text).unwrap()
    }

    fn merge() -> Merge {
        Merge { at: 0.5, widest_v4: 24, widest_v6: 56 }
    }

    /// When the first of these is banned beside the others, what could take their place.
    #[track_caller]
    fn check(banned: &[&str], expected: &[(&str, usize)]) {
        let all: BTreeSet<IpNet> = banned.iter().map(|text| net(text)).collect();
        let inside = |around: IpNet| {
            all.iter()
                .copied()
                .filter(move |banned| around.contains(banned))
                .collect::<Vec<_>>()
                .into_iter()
        };
        let found = merge().around(net(banned[0]), inside);
        let expected: Vec<Merged> = expected
            .iter()
            .map(|(text, members)| Merged { net: net(text), members: *members })
            .collect();
        assert_eq!(found, expected, "{banned:?}");
    }

    #[test]
    fn dense_neighbours_become_a_prefix() {
        let four = ["203.0.113.1", "203.0.113.2", "203.0.113.4", "203.0.113.7"];
        check(&four, &[("203.0.113.0/29", 4)]);
        check(&four[..3], &[]);
        check(&["203.0.113.1", "203.0.113.2", "203.0.113.4", "203.0.113.9"], &[]);
        // A prefix counts with all its addresses, and what lies in it not again.
        check(
            &[
                "203.0.113.1",
                "203.0.113.64/26",
                "203.0.113.65",
                "203.0.113.128/26",
                "203.0.113.200",
            ],
            &[("203.0.113.0/24", 4)],
        );
    }

    #[test]
    fn nothing_is_wider_than_it_may_be_and_nothing_is_made_twice() {
        let all: Vec<String> = (0..=255).map(|low| format!("203.0.113.{low}")).collect();
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        let lengths = [(24, 256), (25, 128), (26, 64), (27, 32), (28, 16), (29, 8), (30, 4)];
        let expected: Vec<(String, usize)> =
            lengths.iter().map(|(length, n)| (format!("203.0.113.0/{length}"), *n)).collect();
        let expected: Vec<(&str, usize)> =
            expected.iter().map(|(net, n)| (net.as_str(), *n)).collect();
        check(&all, &expected);
    }

    #[test]
    fn ipv6_counts_by_networks_of_hosts() {
        let four = ["2001:db8::/64", "2001:db8:0:1::/64", "2001:db8:0:2::/64", "2001:db8:0:3::/64"];
        check(&four, &[("2001:db8::/61", 4), ("2001:db8::/62", 4)]);
        check(&["2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8::4"], &[]);
    }

    proptest! {
        /// Whatever is merged: at least that part of it was banned, and it is no wider than it may be.
        #[test]
        fn both_bounds_hold(low in proptest::collection::btree_set(any::<u8>(), 1..120), at in 0.1_f64..=1.0) {
            let all: BTreeSet<IpNet> = low.iter().map(|low| net(&format!("203.0.113.{low}"))).collect();
            let first = *all.first().unwrap();
            let inside = |around: IpNet| {
                all.iter().copied().filter(move |banned| around.contains(banned)).collect::<Vec<_>>().into_iter()
            };
            let merge = Merge { at, widest_v4: 25, widest_v6: 56 };
            for Merged { net, members } in merge.around(first, inside) {
                prop_assert!(net.prefix_len() >= 25 && net.contains(&first));
                let banned = all.iter().filter(|banned| net.contains(*banned)).count();
                prop_assert_eq!(banned, members);
                let size = 1_u32 << (32 - net.prefix_len());
                prop_assert!(f64::from(u32::try_from(banned).unwrap()) >= f64::from(size) * at);
            }
        }
    }
}
