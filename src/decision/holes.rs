//! Prefixes with holes: what is left of one when others are taken out.

use ipnet::IpNet;

use super::target::canonical;
use super::{Allowlist, Entry, Refusal, Target};

/// What is left of `net` when `hole` is taken out, as few prefixes as can be: at most 32 of IPv4, 128
/// of IPv6.
#[must_use]
pub fn without(net: IpNet, hole: IpNet) -> Vec<IpNet> {
    if hole.contains(&net) {
        return Vec::new();
    }
    if !net.contains(&hole) {
        return vec![net];
    }
    let mut rest = Vec::new();
    let mut around = net;
    while around != hole {
        let Ok(halves) = around.subnets(around.prefix_len() + 1) else { break };
        for half in halves {
            if half.contains(&hole) {
                around = half;
            } else {
                rest.push(half);
            }
        }
    }
    rest
}

/// What is left of `net` when all `holes` are taken out; `None` when that is more than `most`
/// prefixes.
#[must_use]
pub fn without_all(net: IpNet, holes: &[IpNet], most: usize) -> Option<Vec<IpNet>> {
    let mut rest = vec![net];
    for hole in holes {
        let mut next = Vec::with_capacity(rest.len());
        for net in rest {
            next.extend(without(net, *hole));
            if next.len() > most {
                return None;
            }
        }
        rest = next;
    }
    Some(rest)
}

/// What of a prefix may be banned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rest {
    /// The prefix, or what is left of it without friends.
    pub targets: Vec<Target>,
    /// The friends that were left out.
    pub friends: Vec<Entry>,
}

impl Allowlist {
    /// Makes targets of a prefix and leaves the friends in it out.
    ///
    /// # Errors
    /// A [`Refusal`] when it is a friend or lies in one's prefix, when it is too wide, or when there
    /// are so many friends in it that more than `most` prefixes would be left.
    pub fn admit_rest(&self, net: IpNet, most: usize) -> Result<Rest, Refusal> {
        let refusal = match self.admit(net) {
            Ok(target) => return Ok(Rest { targets: vec![target], friends: Vec::new() }),
            Err(refusal) => refusal,
        };
        let net = canonical(net);
        let holds_one = match &refusal {
            Refusal::Allowlisted { entry, .. } => net.contains(&canonical(entry.net)),
            _ => false,
        };
        let friends: Vec<Entry> = self.inside_all(net).take(most + 1).cloned().collect();
        let holes: Vec<IpNet> = friends.iter().map(|friend| canonical(friend.net)).collect();
        let rest = (holds_one && friends.len() <= most)
            .then(|| without_all(net, &holes, most))
            .flatten()
            .filter(|rest| !rest.is_empty());
        match rest {
            Some(rest) => {
                let targets = rest.into_iter().map(|net| self.admit(net)).collect::<Result<_, _>>();
                Ok(Rest { targets: targets?, friends })
            }
            None => Err(refusal),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use proptest::prelude::*;

    use super::*;
    use crate::decision::{EntryOrigin, parse_net};

    fn friends(nets: &[&str]) -> Allowlist {
        let entry = |net: &&str| Entry {
            net: parse_net(net).unwrap(),
            origin: EntryOrigin::Settings,
            comment: String::new(),
            until: None,
        };
        Allowlist::new(nets.iter().map(entry).collect())
    }

    #[track_caller]
    fn check(nets: &[&str], net: &str, expected: &str) {
        let shown = match friends(nets).admit_rest(parse_net(net).unwrap(), 40) {
            Ok(rest) => {
                let targets: Vec<_> = rest.targets.iter().map(ToString::to_string).collect();
                format!("{} without {}", targets.join(" "), rest.friends.len())
            }
            Err(refusal) => refusal.to_string(),
        };
        assert_eq!(shown, expected, "{net} without {nets:?}");
    }

    #[test]
    fn friends_are_left_out() {
        check(&[], "203.0.113.0/24", "203.0.113.0/24 without 0");
        check(&["203.0.113.7"], "203.0.113.4/30", "203.0.113.4/31 203.0.113.6 without 1");
        check(
            &["203.0.113.4", "203.0.113.7"],
            "203.0.113.4/30",
            "203.0.113.6 203.0.113.5 without 2",
        );
        check(&["203.0.113.6/31", "203.0.113.7"], "203.0.113.4/30", "203.0.113.4/31 without 2");
        let refused =
            |net: &str, by: &str| format!("`{net}` is on the allowlist: `{by}` (settings)");
        check(&["203.0.113.7"], "203.0.113.7", &refused("203.0.113.7", "203.0.113.7"));
        check(&["203.0.113.0/24"], "203.0.113.4/30", &refused("203.0.113.4/30", "203.0.113.0/24"));
        check(
            &["203.0.113.4/31", "203.0.113.6/31"],
            "203.0.113.4/30",
            &refused("203.0.113.4/30", "203.0.113.4/31"),
        );
        check(
            &["10.0.0.1"],
            "10.0.0.0/7",
            "`10.0.0.0/7` is too wide to ban: the widest prefix is /8",
        );
        // Too many pieces.
        check(&["2001:db8::1"], "2001::/16", &refused("2001::/16", "2001:db8::1"));
    }

    proptest! {
        #[test]
        fn a_hole_takes_out_itself_and_nothing_else(
            hole in (any::<u32>(), 9_u8..=32), probe in any::<u32>(),
        ) {
            let outer: IpNet = "10.0.0.0/8".parse().unwrap();
            let inside = |low: u32| Ipv4Addr::from(0x0A00_0000 | (low >> 8));
            let hole = IpNet::new(inside(hole.0).into(), hole.1).unwrap().trunc();
            let rest = without(outer, hole);
            let probe: IpAddr = inside(probe).into();
            let covered = rest.iter().filter(|net| net.contains(&probe)).count();
            prop_assert_eq!(covered, usize::from(!hole.contains(&probe)));
        }

        /// Against every address of a small prefix.
        #[test]
        fn several_holes_take_out_themselves(
            holes in prop::collection::vec((0_u8..32, 28_u8..=32), 0..5),
        ) {
            let outer: IpNet = "203.0.113.0/27".parse().unwrap();
            let holes: Vec<IpNet> = holes
                .into_iter()
                .map(|(low, length)| {
                    IpNet::new(Ipv4Addr::new(203, 0, 113, low).into(), length).unwrap().trunc()
                })
                .collect();
            let rest = without_all(outer, &holes, 1000).unwrap();
            for address in 0..32 {
                let address: IpAddr = Ipv4Addr::new(203, 0, 113, address).into();
                let is_out = holes.iter().any(|hole| hole.contains(&address));
                let covered = rest.iter().filter(|net| net.contains(&address)).count();
                prop_assert_eq!(covered, usize::from(!is_out));
            }
        }
    }
}
