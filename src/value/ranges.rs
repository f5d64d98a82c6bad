//! Many ranges of addresses, found by halving.

use std::net::IpAddr;

use ipnet::IpNet;

/// A set of ranges.
///
/// Invariant: the pairs of first and last addresses are in order, and none overlaps the next.
#[derive(Debug, Default)]
pub struct Ranges {
    v4: Box<[(u32, u32)]>,
    v6: Box<[(u128, u128)]>,
}

impl Ranges {
    /// These ranges, in any order; they may overlap.
    #[must_use]
    pub fn new(ranges: impl Iterator<Item = IpNet>) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for range in ranges {
            match range {
                IpNet::V4(range) => v4.push((range.network().into(), range.broadcast().into())),
                IpNet::V6(range) => v6.push((range.network().into(), range.broadcast().into())),
            }
        }
        Self::of_pairs(v4, v6)
    }

    /// The ranges between these first and last addresses, in any order; they may overlap.
    #[must_use]
    pub fn of_pairs(v4: Vec<(u32, u32)>, v6: Vec<(u128, u128)>) -> Self {
        Self { v4: merged(v4).into(), v6: merged(v6).into() }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }

    /// Whether an address is in one of them.
    #[must_use]
    pub fn contain(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(address) => contains(&self.v4, address.into()),
            IpAddr::V6(address) => contains(&self.v6, address.into()),
        }
    }
}

/// Pairs of first and last in order, of which none overlaps the next.
pub fn merged<N: Ord + Copy>(mut ranges: Vec<(N, N)>) -> Vec<(N, N)> {
    ranges.sort_unstable();
    let mut merged: Vec<(N, N)> = Vec::with_capacity(ranges.len());
    for (first, last) in ranges {
        match merged.last_mut() {
            Some(before) if first <= before.1 => before.1 = before.1.max(last),
            _ => merged.push((first, last)),
        }
    }
    merged
}

fn contains<N: Ord + Copy>(ranges: &[(N, N)], address: N) -> bool {
    let after = ranges.partition_point(|(first, _)| *first <= address);
    ranges[..after].last().is_some_and(|(_, last)| address <= *last)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn range() -> impl Strategy<Value = IpNet> {
        let v4 = (0_u32..64, 20_u8..=32)
            .prop_map(|(at, length)| IpNet::new(IpAddr::from((at << 8).to_be_bytes()), length));
        let v6 = (0_u128..64, 110_u8..=128)
            .prop_map(|(at, length)| IpNet::new(IpAddr::from((at << 6).to_be_bytes()), length));
        prop_oneof![v4, v6, Just(IpNet::new(IpAddr::from([0; 4]), 0))]
            .prop_map(|range| range.expect("the length is in bounds"))
    }

    proptest! {
        #[test]
        fn any_prefixes_contain_what_they_say(
            parts in prop::collection::vec((any::<IpAddr>(), 0_u8..=128), 0..4),
            address: IpAddr,
            near in 0_usize..5,
        ) {
            let networks: Vec<IpNet> = parts
                .iter()
                .filter_map(|(address, length)| IpNet::new(*address, *length).ok())
                .collect();
            // By chance alone hardly any address is in a network.
            let address = networks.get(near).map_or(address, |network| network.broadcast());
            let expected = networks.iter().any(|network| network.contains(&address));
            prop_assert_eq!(Ranges::new(networks.into_iter()).contain(address), expected);
        }

        #[test]
        fn contain_what_one_of_them_does(
            ranges in prop::collection::vec(range(), 0..20),
            v4 in 0_u32..0x4000,
            v6 in 0_u128..0x1000,
        ) {
            // Ranges as rules write them may have host bits.
            let set = Ranges::new(ranges.iter().copied());
            for address in [IpAddr::from(v4.to_be_bytes()), IpAddr::from(v6.to_be_bytes())] {
                let expected = ranges.iter().any(|range| range.contains(&address));
                prop_assert_eq!(set.contain(address), expected, "{} in {:?}", address, ranges);
            }
        }
    }
}
