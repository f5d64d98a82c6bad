//! Friends: addresses and prefixes that are never banned.
//!
//! [`Allowlist::admit`] is the one gate: it refuses what is a friend, lies in a friend's prefix or
//! would hit a friend inside it. Where the entries come from is the settings' business.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;

use super::Target;
use super::target::canonical;
use crate::value::Time;

/// Where an allowlist entry comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Built in: loopback, link-local and the like.
    Default,
    /// The configuration file.
    Settings,
    /// A host name of the configuration or of an operator, as the resolver last answered.
    Name,
    /// This host's own addresses and gateways, as the kernel reports them.
    Host,
    /// An operator, while the daemon ran.
    Operator,
    /// Somebody who logged in.
    Login,
    /// Whoever holds a connection that has stood for a while.
    Connection,
}

impl Origin {
    /// The word used in messages and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Origin::Default => "default",
            Origin::Settings => "settings",
            Origin::Name => "name",
            Origin::Host => "host",
            Origin::Operator => "operator",
            Origin::Login => "login",
            Origin::Connection => "connection",
        }
    }
}

/// One friend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The address or prefix.
    pub net: IpNet,
    /// Who entered it.
    pub origin: Origin,
    /// Why, for people.
    pub comment: String,
    /// When it ends; `None` is never. Whoever keeps the list takes it out then: a look-up knows no
    /// clock.
    pub until: Option<Time>,
}

impl std::fmt::Display for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` ({}", Target::admitted(self.net), self.origin.name())?;
        if self.comment.is_empty() { f.write_str(")") } else { write!(f, ": {})", self.comment) }
    }
}

/// Why something cannot be banned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is, lies in, or contains a friend.
    #[error("`{}` is on the allowlist: {entry}", Target::admitted(*net))]
    Allowlisted {
        /// What was to be banned.
        net: IpNet,
        /// The entry that stands against it.
        entry: Entry,
    },
    /// It covers more addresses than one ban may.
    #[error("`{net}` is too wide to ban: the widest prefix is /{widest}")]
    TooWide {
        /// What was to be banned.
        net: IpNet,
        /// The shortest prefix length that may be banned.
        widest: u8,
    },
}

/// All friends.
///
/// A look-up costs one search per prefix length that occurs among the entries, whatever their
/// number.
#[derive(Clone, Debug, Default)]
pub struct Allowlist {
    entries: Vec<Entry>,
    /// Canonical prefix to the first entry that has it.
    by_net: BTreeMap<IpNet, usize>,
    /// The prefix lengths that occur, longest first.
    lengths_v4: Vec<u8>,
    lengths_v6: Vec<u8>,
}

/// The shortest prefix that may be banned. Wider ones are typing mistakes: a /8 is already a
/// 256th of the IPv4 internet.
const WIDEST_V4: u8 = 8;
/// The same for IPv6: registries hand out /12 to /23, so a /16 is more than any one attacker has.
const WIDEST_V6: u8 = 16;

impl Allowlist {
    /// An allowlist of these entries. Of several with the same prefix, the first is the one that
    /// refusals name.
    #[must_use]
    pub fn new(entries: Vec<Entry>) -> Self {
        let mut by_net = BTreeMap::new();
        for (index, entry) in entries.iter().enumerate() {
            by_net.entry(canonical(entry.net)).or_insert(index);
        }
        let lengths = |is_wanted: fn(&IpNet) -> bool| {
            let mut lengths: Vec<u8> =
                by_net.keys().filter(|net| is_wanted(net)).map(IpNet::prefix_len).collect();
            lengths.sort_unstable_by(|a, b| b.cmp(a));
            lengths.dedup();
            lengths
        };
        let lengths_v4 = lengths(|net| matches!(net, IpNet::V4(_)));
        let lengths_v6 = lengths(|net| matches!(net, IpNet::V6(_)));
        Self { entries, by_net, lengths_v4, lengths_v6 }
    }

    /// The entries.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The narrowest entry that contains `address`.
    #[must_use]
    pub fn find(&self, address: IpAddr) -> Option<&Entry> {
        self.containing(canonical(IpNet::from(address)))
    }

    /// The entry that stands against a ban of `net`: the narrowest one that contains it, or one
    /// that lies in it.
    #[must_use]
    pub fn find_against(&self, net: IpNet) -> Option<&Entry> {
        let net = canonical(net);
        self.containing(net).or_else(|| self.inside(net))
    }

    /// All entries that contain `net`, the narrowest first, then those that lie in it.
    pub fn find_all(&self, net: IpNet) -> impl Iterator<Item = &Entry> {
        let net = canonical(net);
        let touches = move |entry: &&Entry| {
            let other = canonical(entry.net);
            other.contains(&net) || net.contains(&other)
        };
        let mut found: Vec<&Entry> = self.entries.iter().filter(touches).collect();
        found.sort_by_key(|entry| {
            let length = canonical(entry.net).prefix_len();
            let is_inside = length > net.prefix_len();
            (is_inside, if is_inside { length } else { u8::MAX - length })
        });
        found.into_iter()
    }

    /// Makes a target of a prefix: the only way to one.
    ///
    /// # Errors
    /// A [`Refusal`] when the prefix is a friend, lies in one's prefix, or contains a friend, or
    /// when it is too wide.
    pub fn admit(&self, net: IpNet) -> Result<Target, Refusal> {
        let net = canonical(net);
        let widest = match net {
            IpNet::V4(_) => WIDEST_V4,
            IpNet::V6(_) => WIDEST_V6,
        };
        if net.prefix_len() < widest {
            return Err(Refusal::TooWide { net, widest });
        }
        if let Some(entry) = self.containing(net).or_else(|| self.inside(net)) {
            return Err(Refusal::Allowlisted { net, entry: entry.clone() });
        }
        Ok(Target::admitted(net))
    }

    fn containing(&self, net: IpNet) -> Option<&Entry> {
        let lengths = match net {
            IpNet::V4(_) => &self.lengths_v4,
            IpNet::V6(_) => &self.lengths_v6,
        };
        lengths
            .iter()
            .filter(|length| **length <= net.prefix_len())
            .filter_map(|length| IpNet::new(net.addr(), *length).ok())
            .find_map(|wider| self.by_net.get(&wider.trunc()))
            .and_then(|index| self.entries.get(*index))
    }

    /// All entries that lie in `net`, a canonical prefix; of several with the same prefix the first.
    pub(super) fn inside_all(&self, net: IpNet) -> impl Iterator<Item = &Entry> {
        let inside = self.by_net.range(net..).take_while(move |(friend, _)| net.contains(*friend));
        inside.filter_map(|(_, index)| self.entries.get(*index))
    }

    fn inside(&self, net: IpNet) -> Option<&Entry> {
        // Prefixes are ordered by address, then by length: what lies in `net` follows it at once.
        let (friend, index) = self.by_net.range(net..).next()?;
        if net.contains(friend) { self.entries.get(*index) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::*;

    fn entry(net: &str) -> Entry {
        Entry {
            net: net.parse().unwrap(),
            origin: Origin::Settings,
            comment: String::new(),
            until: None,
        }
    }

    /// What the allowlist must do, the slow and plain way.
    struct Linear(Vec<IpNet>);

    impl Linear {
        fn contains(&self, net: IpNet) -> bool {
            self.0.iter().any(|friend| canonical(*friend).contains(&canonical(net)))
        }

        fn stands_against(&self, net: IpNet) -> bool {
            let net = canonical(net);
            self.contains(net) || self.0.iter().any(|friend| net.contains(&canonical(*friend)))
        }
    }

    #[track_caller]
    fn check(friends: &[&str], net: &str, expected: &str) {
        let list = Allowlist::new(friends.iter().map(|net| entry(net)).collect());
        let found = match list.admit(net.parse().unwrap()) {
            Ok(target) => target.to_string(),
            Err(refusal) => refusal.to_string(),
        };
        assert_eq!(found, expected, "{net} against {friends:?}");
    }

    #[test]
    fn admits_strangers_in_canonical_form() {
        check(&[], "203.0.113.7/32", "203.0.113.7");
        check(&[], "203.0.113.7/24", "203.0.113.0/24");
        check(&[], "::ffff:203.0.113.7/128", "203.0.113.7");
        check(&[], "::ffff:203.0.113.7/120", "203.0.113.0/24");
        check(&["203.0.113.8/32"], "203.0.113.7/32", "203.0.113.7");
        check(&["2001:db8::/32"], "2001:db9::1/128", "2001:db9::1");
    }

    #[test]
    fn names_the_entry_that_stands_against_a_ban() {
        let refused = "`203.0.113.7` is on the allowlist: `203.0.113.0/24` (settings)";
        check(&["203.0.113.0/24"], "203.0.113.7/32", refused);
        check(&["203.0.0.0/16", "203.0.113.0/24"], "203.0.113.7/32", refused);
        check(&["203.0.113.0/24"], "::ffff:203.0.113.7/128", refused);
        check(&["::ffff:203.0.113.0/120"], "203.0.113.7/32", refused);
        check(
            &["198.51.100.1/32", "203.0.113.9/32"],
            "203.0.113.0/24",
            "`203.0.113.0/24` is on the allowlist: `203.0.113.9` (settings)",
        );
        check(&[], "10.0.0.0/7", "`10.0.0.0/7` is too wide to ban: the widest prefix is /8");
        check(&[], "2001::/15", "`2000::/15` is too wide to ban: the widest prefix is /16");
        check(&[], "::ffff:0:0/96", "`0.0.0.0/0` is too wide to ban: the widest prefix is /8");
    }

    #[test]
    fn all_entries_about_a_prefix_the_narrowest_around_it_first() {
        let friends = ["203.0.0.0/16", "203.0.113.9/32", "203.0.113.0/24", "198.51.100.0/24"];
        let list = Allowlist::new(friends.iter().map(|net| entry(net)).collect());
        let found = |net: &str| {
            let all = list.find_all(net.parse().unwrap());
            all.map(|entry| entry.net.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(found("203.0.113.9/32"), ["203.0.113.9/32", "203.0.113.0/24", "203.0.0.0/16"]);
        assert_eq!(found("203.0.113.0/25"), ["203.0.113.0/24", "203.0.0.0/16", "203.0.113.9/32"]);
        assert_eq!(found("192.0.2.1/32"), [""; 0]);
    }

    #[test]
    fn of_equal_prefixes_the_first_is_named() {
        let mut mine = entry("203.0.113.7/32");
        mine.comment = "my desk".to_owned();
        let list = Allowlist::new(vec![mine.clone(), entry("203.0.113.7/32")]);
        assert_eq!(list.find("203.0.113.7".parse().unwrap()), Some(&mine));
        assert_eq!(mine.to_string(), "`203.0.113.7` (settings: my desk)");
    }

    /// Prefixes from a small corner of both families, so that they meet often.
    fn any_net() -> impl Strategy<Value = IpNet> {
        let v4 = (0_u32..64, 22_u8..=32)
            .prop_map(|(low, len)| (IpAddr::from(Ipv4Addr::from(0xCB00_7100 | (low << 4))), len));
        let v6 = (0_u128..64, 112_u8..=128)
            .prop_map(|(low, len)| (IpAddr::from(Ipv6Addr::from((0x2001 << 112) | low)), len));
        let mapped = (0_u32..64, 118_u8..=128).prop_map(|(low, len)| {
            let v4 = Ipv4Addr::from(0xCB00_7100 | (low << 4));
            (IpAddr::from(v4.to_ipv6_mapped()), len)
        });
        prop_oneof![v4, v6, mapped].prop_map(|(addr, len)| IpNet::new(addr, len).unwrap())
    }

    proptest! {
        #[test]
        fn equals_a_linear_search(
            friends in proptest::collection::vec(any_net(), 0..12), net in any_net(),
        ) {
            let list = Allowlist::new(friends.iter().map(|net| entry(&net.to_string())).collect());
            let oracle = Linear(friends);
            let found = list.find(net.addr());
            prop_assert_eq!(found.is_some(), oracle.contains(IpNet::from(net.addr())));
            if let Some(found) = found {
                prop_assert!(canonical(found.net).contains(&canonical(net.addr().into())));
            }
            prop_assert_eq!(list.find_against(net).is_some(), oracle.stands_against(net));
            prop_assert_eq!(list.admit(net).is_err(), oracle.stands_against(net));
            if let Ok(target) = list.admit(net) {
                prop_assert_eq!(list.admit(target.net()), Ok(target));
            }
        }
    }
}
