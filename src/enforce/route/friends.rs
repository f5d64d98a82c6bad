//! Prefixes that must be let through, asked which others lie in them. Pure.

#![forbid(unsafe_code)]

use std::collections::{BTreeSet, HashSet};

use ipnet::IpNet;

/// The friends' prefixes.
#[derive(Clone, Debug, Default)]
pub(super) struct Friends {
    nets: HashSet<IpNet>,
    /// The lengths that there are, so that few are tried.
    lengths: BTreeSet<u8>,
}

impl Friends {
    pub(super) fn new(nets: &[IpNet]) -> Self {
        let nets: HashSet<_> = nets.iter().map(IpNet::trunc).collect();
        let lengths = nets.iter().map(IpNet::prefix_len).collect();
        Self { nets, lengths }
    }

    /// Whether all of `net` lies in one of them.
    pub(super) fn cover(&self, net: IpNet) -> bool {
        self.lengths
            .range(..=net.prefix_len())
            .filter_map(|length| IpNet::new(net.addr(), *length).ok())
            .any(|wider| self.nets.contains(&wider.trunc()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(friends: &[&str], covered: &[&str], free: &[&str]) {
        let net = |text: &&str| text.parse::<IpNet>().unwrap();
        let friends = Friends::new(&friends.iter().map(net).collect::<Vec<_>>());
        for inner in covered {
            assert!(friends.cover(net(inner)), "{inner} lies in a friend");
        }
        for other in free {
            assert!(!friends.cover(net(other)), "{other} lies in no friend");
        }
    }

    #[test]
    fn what_lies_in_a_friend() {
        check(&[], &[], &["10.0.0.0/8", "::/0"]);
        check(
            &["10.1.0.0/16", "192.0.2.7/32", "2001:db8::/32"],
            &["10.1.0.0/16", "10.1.2.0/24", "10.1.2.3/32", "192.0.2.7/32", "2001:db8:1::/48"],
            &["10.0.0.0/8", "10.2.0.0/16", "192.0.2.6/31", "2001:db8::/31", "a01::/16"],
        );
    }
}
