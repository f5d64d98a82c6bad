//! The friends that everybody has: addresses that cannot be an attacker from outside.
//!
//! They can be switched off, whole or in part, because operators try Weir out from private
//! addresses, and because some networks have their attackers inside.

use ipnet::IpNet;

use super::allowlist::{Entry, Origin};
use super::holes::without;
use super::target::canonical;

/// The built-in entries: prefix and reason.
const DEFAULTS: [(&str, &str); 11] = [
    ("127.0.0.0/8", "loopback"),
    ("::1/128", "loopback"),
    ("0.0.0.0/8", "unspecified"),
    ("::/128", "unspecified"),
    ("169.254.0.0/16", "link-local"),
    ("fe80::/10", "link-local"),
    ("224.0.0.0/4", "multicast"),
    ("ff00::/8", "multicast"),
    ("255.255.255.255/32", "broadcast"),
    ("240.0.0.0/4", "reserved"),
    ("fc00::/7", "private"),
];

/// Private IPv4 ranges (RFC 1918).
const PRIVATE: [(&str, &str); 3] =
    [("10.0.0.0/8", "private"), ("172.16.0.0/12", "private"), ("192.168.0.0/16", "private")];

/// The range that carriers share among their customers (RFC 6598). Not a default: behind such a
/// carrier the whole neighbourhood would be a friend.
const SHARED: (&str, &str) = ("100.64.0.0/10", "shared by a carrier");

/// The built-in entries without what lies in one of `except`; an entry that is wider than an
/// exception is cut around it. `shared` adds `100.64.0.0/10`.
#[must_use]
pub fn defaults(except: &[IpNet], shared: bool) -> Vec<Entry> {
    let mut entries = Vec::new();
    for (net, comment) in DEFAULTS.into_iter().chain(PRIVATE).chain(shared.then_some(SHARED)) {
        let net = net.parse().expect("the built-in prefixes are well formed");
        let mut rest = vec![net];
        for hole in except {
            rest = rest.into_iter().flat_map(|net| without(net, canonical(*hole))).collect();
        }
        entries.extend(rest.into_iter().map(|net| Entry {
            net,
            origin: Origin::Default,
            comment: comment.to_owned(),
            until: None,
        }));
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::super::Allowlist;
    use super::*;

    #[track_caller]
    fn check(except: &[&str], shared: bool, address: &str, friend: Option<&str>) {
        let except: Vec<_> = except.iter().map(|net| net.parse().unwrap()).collect();
        let list = Allowlist::new(defaults(&except, shared));
        let found = list.find(address.parse().unwrap()).map(ToString::to_string);
        assert_eq!(found.as_deref(), friend, "{address} with the exceptions {except:?}");
    }

    #[test]
    fn nobody_outside_is_a_friend() {
        for stranger in ["203.0.113.7", "8.8.8.8", "2001:db8::1", "172.32.0.1", "100.64.0.1"] {
            check(&[], false, stranger, None);
        }
    }

    #[test]
    fn everybody_inside_is_a_friend() {
        check(&[], false, "127.0.0.1", Some("`127.0.0.0/8` (default: loopback)"));
        check(&[], false, "::1", Some("`::1` (default: loopback)"));
        check(&[], false, "::ffff:127.0.0.1", Some("`127.0.0.0/8` (default: loopback)"));
        check(&[], false, "0.0.0.0", Some("`0.0.0.0/8` (default: unspecified)"));
        check(&[], false, "::", Some("`::` (default: unspecified)"));
        check(&[], false, "169.254.3.4", Some("`169.254.0.0/16` (default: link-local)"));
        check(&[], false, "fe80::1", Some("`fe80::/10` (default: link-local)"));
        check(&[], false, "239.1.2.3", Some("`224.0.0.0/4` (default: multicast)"));
        check(&[], false, "ff02::1", Some("`ff00::/8` (default: multicast)"));
        check(&[], false, "255.255.255.255", Some("`255.255.255.255` (default: broadcast)"));
        check(&[], false, "10.1.2.3", Some("`10.0.0.0/8` (default: private)"));
        check(&[], false, "172.31.255.255", Some("`172.16.0.0/12` (default: private)"));
        check(&[], false, "192.168.1.254", Some("`192.168.0.0/16` (default: private)"));
        check(&[], false, "fd12::1", Some("`fc00::/7` (default: private)"));
        check(&[], true, "100.64.0.1", Some("`100.64.0.0/10` (default: shared by a carrier)"));
    }

    #[test]
    fn an_entry_can_be_switched_off_whole_or_in_part() {
        check(&["192.168.0.0/16"], false, "192.168.1.1", None);
        check(&["192.168.0.0/16"], false, "10.0.0.1", Some("`10.0.0.0/8` (default: private)"));
        check(&["10.9.0.0/16"], false, "10.9.1.1", None);
        check(&["10.9.0.0/16"], false, "10.8.1.1", Some("`10.8.0.0/16` (default: private)"));
        check(&["::ffff:10.9.0.0/112"], false, "10.9.1.1", None);
        check(&["0.0.0.0/0"], false, "127.0.0.1", None);
        check(&["0.0.0.0/0"], false, "::1", Some("`::1` (default: loopback)"));
    }
}
