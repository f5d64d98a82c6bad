//! How wide a ban is: one address, or the network that it moves about in. Pure.
//!
//! Whoever has an IPv6 network has 2^64 addresses and more, so banning them one by one stops
//! nobody. A level passes when enough of what is narrower offended lately: a /64 by addresses, a
//! wider one by /64s. And it passes only by what no narrower level of its own explains: sixteen
//! /64s of one /56 are a reason to ban that /56, and none to ban the /48 around it. Of those that
//! pass the widest is banned, which is the smallest that holds them all.

use std::net::IpAddr;

use ipnet::IpNet;

use super::Offences;

/// The network that an IPv6 host has to itself, and so what wider levels count by (RFC 4291,
/// section 2.5.4).
const HOST_NETWORK: u8 = 64;

/// One level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// The length of its prefixes.
    pub length: u8,
    /// It passes when so many offended in it; at least 2.
    pub at: usize,
}

/// All levels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Levels {
    v4: Vec<Level>,
    v6: Vec<Level>,
    within: i64,
}

/// What may be banned for an offence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The address or the prefix.
    pub net: IpNet,
    /// How many offended in it; 1 for the address alone.
    pub offenders: usize,
}

impl Levels {
    /// These levels, in any order; offences of the last `within` nanoseconds count.
    #[must_use]
    pub fn new(mut v4: Vec<Level>, mut v6: Vec<Level>, within: i64) -> Self {
        for levels in [&mut v4, &mut v6] {
            levels.sort_unstable_by_key(|level| std::cmp::Reverse(level.length));
            levels.dedup_by_key(|level| level.length);
        }
        Self { v4, v6, within }
    }

    /// For how many nanoseconds offences matter.
    #[must_use]
    pub fn memory(&self) -> i64 {
        self.within
    }

    /// What may be banned for an offence of `address` at `now` that `offences` knows of already:
    /// what passes, the widest first, and the address itself last. `proven` passes in any case: a
    /// prefix whose addresses overflowed one bucket together.
    #[must_use]
    pub fn candidates(
        &self,
        address: IpAddr,
        proven: Option<(IpNet, usize)>,
        offences: &Offences,
        now: i64,
    ) -> Vec<Candidate> {
        let host = IpNet::from(address);
        let mut passed = vec![Candidate { net: host, offenders: 1 }];
        let (levels, widest_unit) = match address {
            IpAddr::V4(_) => (&self.v4, 32),
            IpAddr::V6(_) => (&self.v6, HOST_NETWORK),
        };
        let since = now.saturating_sub(self.within);
        let mut narrower = host.prefix_len();
        for level in levels {
            let Ok(net) = IpNet::new(address, level.length) else { continue };
            let net = net.trunc();
            let unit = if level.length >= widest_unit { host.prefix_len() } else { widest_unit };
            let offenders = offences.count(net, unit, since, level.at.max(2));
            let is_spread = offences.count(net, narrower, since, 2) == 2;
            if offenders >= level.at && is_spread {
                passed.push(Candidate { net, offenders });
            }
            narrower = level.length;
        }
        if let Some((net, offenders)) = proven
            && net.contains(&host)
            && !passed.iter().any(|known| known.net == net)
        {
            passed.push(Candidate { net, offenders });
            passed.sort_by_key(|known| std::cmp::Reverse(known.net.prefix_len()));
        }
        passed.reverse();
        passed
    }
}

/// The prefix of `length` bits that all these addresses lie in, and how many there are, if there
/// are at least two and they are IPv6.
#[must_use]
pub fn common(addresses: impl Iterator<Item = IpNet>, length: u8) -> Option<(IpNet, usize)> {
    let mut found: Option<(IpNet, usize)> = None;
    for address in addresses {
        let IpNet::V6(_) = address else { return None };
        let around = IpNet::new(address.addr(), length).ok()?.trunc();
        match &mut found {
            None => found = Some((around, 1)),
            Some((net, count)) if *net == around => *count += 1,
            Some(_) => return None,
        }
    }
    found.filter(|(_, count)| *count > 1)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn levels() -> Levels {
        let level = |(length, at)| Level { length, at };
        let v6 = [(48, 16), (64, 2), (56, 4)].map(level).into();
        Levels::new([(24, 3)].map(level).into(), v6, 100)
    }

    /// After these offences, the last of them is answered with one of these, the widest first.
    #[track_caller]
    fn check(all: &[(&str, i64)], expected: &[&str]) {
        let mut offences = Offences::new(1000);
        for (who, at) in all {
            offences.offend(IpNet::from(who.parse::<IpAddr>().unwrap()), *at);
        }
        let (last, now) = all.last().unwrap();
        let found = levels().candidates(last.parse().unwrap(), None, &offences, *now);
        let found: Vec<String> = found.iter().map(|found| found.net.to_string()).collect();
        assert_eq!(found, expected, "{all:?}");
    }

    #[test]
    fn the_smallest_that_holds_the_offenders_is_banned() {
        check(&[("2001:db8::1", 1)], &["2001:db8::1/128"]);
        check(&[("2001:db8::1", 1), ("2001:db8::1", 2)], &["2001:db8::1/128"]);
        check(&[("2001:db8::1", 1), ("2001:db8::2", 2)], &["2001:db8::/64", "2001:db8::2/128"]);
        check(&[("2001:db8::1", 1), ("2001:db8:0:1::2", 2)], &["2001:db8:0:1::2/128"]);
        check(&[("2001:db8::1", 1), ("2001:db8::2", 102)], &["2001:db8::2/128"]);
        let four = ["2001:db8::1", "2001:db8:0:1::1", "2001:db8:0:2::1", "2001:db8:0:3::1"];
        let four = four.map(|who| (who, 1));
        check(&four, &["2001:db8::/56", "2001:db8:0:3::1/128"]);
    }

    #[test]
    fn many_networks_of_one_narrower_level_are_no_reason_for_a_wider_one() {
        let texts: Vec<String> = (0..20).map(|n| format!("2001:db8:0:{n:x}::1")).collect();
        let mut all: Vec<(&str, i64)> = texts.iter().map(|text| (text.as_str(), 1)).collect();
        check(&all, &["2001:db8::/56", "2001:db8:0:13::1/128"]);
        all.push(("2001:db8:0:100::1", 2));
        check(&all, &["2001:db8::/48", "2001:db8:0:100::1/128"]);
    }

    #[test]
    fn ipv4_is_wider_only_when_switched_on() {
        let three = [("203.0.113.1", 1), ("203.0.113.2", 1), ("203.0.113.3", 1)];
        check(&three, &["203.0.113.0/24", "203.0.113.3/32"]);
        check(&three[1..], &["203.0.113.3/32"]);
        let offences = Offences::new(1);
        let found =
            Levels::default().candidates("203.0.113.3".parse().unwrap(), None, &offences, 0);
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn what_overflowed_together_passes() {
        let nets = |texts: &[&str]| -> Vec<IpNet> {
            texts.iter().map(|text| crate::decision::parse_net(text).unwrap()).collect()
        };
        let common = |texts: &[&str]| common(nets(texts).into_iter(), 64);
        let proven = common(&["2001:db8::1", "2001:db8::2", "2001:db8::3"]);
        assert_eq!(proven, Some((nets(&["2001:db8::/64"])[0], 3)));
        assert_eq!(common(&["2001:db8::1"]), None);
        assert_eq!(common(&["2001:db8::1", "2001:db8:0:1::2"]), None);
        assert_eq!(common(&["203.0.113.1", "203.0.113.2"]), None);
        let strict = Levels::new(Vec::new(), vec![Level { length: 64, at: 99 }], 100);
        let offences = Offences::new(1);
        let found = strict.candidates("2001:db8::1".parse().unwrap(), proven, &offences, 0);
        assert_eq!(found[0], Candidate { net: proven.unwrap().0, offenders: 3 });
        assert_eq!(found.len(), 2);
        let other = strict.candidates("2001:db8:0:1::1".parse().unwrap(), proven, &offences, 0);
        assert_eq!(other.len(), 1);
    }

    proptest! {
        /// Against counting each level from end to end.
        #[test]
        fn equals_counting_all(
            all in proptest::collection::vec((0_u16..4, 0_u16..6, 0_u8..3, 0_i64..150), 1..60),
        ) {
            let mut offences = Offences::new(1000);
            let address = |(a, b, c): (u16, u16, u8)| -> IpAddr {
                std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, (a << 8) | b, 0, 0, 0, c.into()).into()
            };
            let seen: Vec<(IpAddr, i64)> =
                all.iter().map(|&(a, b, c, at)| (address((a, b, c)), at)).collect();
            for (who, at) in &seen {
                offences.offend(IpNet::from(*who), *at);
            }
            let (who, now) = (seen[0].0, 150);
            let within = |length: u8, unit: u8| -> usize {
                let net = IpNet::new(who, length).unwrap().trunc();
                let units = seen.iter().filter(|(other, at)| net.contains(other) && *at >= now - 100);
                units.map(|(other, _)| IpNet::new(*other, unit).unwrap().trunc())
                    .collect::<BTreeSet<_>>().len()
            };
            let mut expected = Vec::new();
            for (length, at, unit, narrower) in [(48, 16, 64, 56), (56, 4, 64, 64), (64, 2, 128, 128)] {
                if within(length, unit) >= at && within(length, narrower) >= 2 {
                    expected.push(length);
                }
            }
            expected.push(128);
            let found = levels().candidates(who, None, &offences, now);
            prop_assert_eq!(
                found.iter().map(|found| found.net.prefix_len()).collect::<Vec<_>>(), expected
            );
            prop_assert!(found.iter().all(|found| found.net.contains(&who)));
        }
    }
}
