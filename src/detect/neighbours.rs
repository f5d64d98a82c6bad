//! IPv6 addresses that are counted as one: those of the network that a host has to itself.
//!
//! Whoever takes another address of his network for each try would never fill a bucket that is his
//! address's alone. So where a scenario groups by the address, the network stands for it. Rule tests
//! know nothing of this: the dialect groups by the address.

use std::net::IpAddr;

use crate::value::{Arena, parse_address};

/// What stands for `address` in the value that is grouped by: its network of `length` bits, or the
/// IPv4 address that is written as IPv6 there. `None` for what stands for itself.
#[inline]
pub(super) fn around<'a>(address: &str, length: u8, arena: &'a Arena) -> Option<&'a str> {
    // Of IPv4 addresses, which most are, no more is asked.
    memchr::memchr(b':', address.as_bytes())?;
    let text = address.split_once('%').map_or(address, |(text, _)| text);
    let IpAddr::V6(v6) = parse_address(text)? else { return None };
    Some(match v6.to_ipv4_mapped() {
        Some(v4) => arena.alloc_str(&v4.to_string()),
        None => {
            let network = ipnet::Ipv6Net::new(v6, length.min(128)).ok()?.trunc();
            arena.alloc_str(&network.to_string())
        }
    })
}

/// The value to group by: that of the scenario, with `network` where it is or begins with
/// `address`.
pub(super) fn instead<'a>(
    group: &'a str,
    address: &str,
    network: &'a str,
    arena: &'a Arena,
) -> &'a str {
    match group.strip_prefix(address) {
        None => group,
        Some("") => network,
        Some(rest) => arena.alloc_str(&[network, rest].concat()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a value is counted under when the event's address is this one.
    #[track_caller]
    fn check(address: &str, group: &str, expected: &str) {
        let arena = Arena::new();
        let group = arena.alloc_str(group);
        let found = match around(address, 64, &arena) {
            None => group,
            Some(network) => instead(group, address, network, &arena),
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn a_network_stands_for_its_addresses() {
        check("2001:db8::1", "2001:db8::1", "2001:db8::/64");
        check("2001:db8:0:0:ffff::9", "2001:db8:0:0:ffff::9", "2001:db8::/64");
        check("2001:db8:0:1::1", "2001:db8:0:1::1", "2001:db8:0:1::/64");
        check("fe80::1%eth0", "fe80::1%eth0", "fe80::/64");
        check("2001:db8::1", "2001:db8::1_root", "2001:db8::/64_root");
        check("2001:db8::1", "root", "root");
        check("203.0.113.7", "203.0.113.7", "203.0.113.7");
        check("203.0.113.7", "203.0.113.7_a:b", "203.0.113.7_a:b");
        check("::ffff:203.0.113.7", "::ffff:203.0.113.7", "203.0.113.7");
        check("::ffff:203.0.113.7", "::ffff:203.0.113.7_root", "203.0.113.7_root");
        check("", "", "");
        check("no:address", "no:address", "no:address");
    }
}
