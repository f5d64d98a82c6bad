//! What a backend holds: single addresses and ranges, each until an instant.
//!
//! Targets are what people ban; elements are what a kernel set can hold. A single address is one
//! element. Prefixes may lie in one another, which interval sets refuse, so they become ranges that
//! do not overlap (see [`super::prefixes`]).

#![forbid(unsafe_code)]

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Subnets, Ipv6Subnets};

use crate::decision::Family;
use crate::value::Time;

/// The key of an element.
///
/// Invariant: a range's ends are of one family, and the first is not above the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Element {
    /// One address.
    Host(IpAddr),
    /// All addresses from the first to the last, both included.
    Range(IpAddr, IpAddr),
}

impl Element {
    /// Below all others.
    pub(super) const LOWEST: Self = Self::Host(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED));

    /// IPv4 or IPv6.
    #[must_use]
    pub fn family(self) -> Family {
        match self.first() {
            IpAddr::V4(_) => Family::V4,
            IpAddr::V6(_) => Family::V6,
        }
    }

    /// The prefixes that it is made of, as few as can be, in order.
    #[must_use]
    pub fn prefixes(self) -> Vec<IpNet> {
        match (self.first(), self.last()) {
            (IpAddr::V4(first), IpAddr::V4(last)) => {
                Ipv4Subnets::new(first, last, 0).map(IpNet::V4).collect()
            }
            (IpAddr::V6(first), IpAddr::V6(last)) => {
                Ipv6Subnets::new(first, last, 0).map(IpNet::V6).collect()
            }
            _ => unreachable!("a range's ends are of one family"),
        }
    }

    /// The prefix that it is; `None` for a range that is no single one.
    #[must_use]
    pub fn prefix(self) -> Option<IpNet> {
        let (first, last) = (self.first(), self.last());
        let length = match (first, last) {
            (IpAddr::V4(first), IpAddr::V4(last)) => {
                (first.to_bits() ^ last.to_bits()).leading_zeros()
            }
            (IpAddr::V6(first), IpAddr::V6(last)) => {
                (first.to_bits() ^ last.to_bits()).leading_zeros()
            }
            _ => return None,
        };
        let net = IpNet::new(first, u8::try_from(length).ok()?).ok()?;
        ((net.network(), net.broadcast()) == (first, last)).then_some(net)
    }

    /// The lowest address.
    #[must_use]
    pub fn first(self) -> IpAddr {
        match self {
            Self::Host(address) | Self::Range(address, _) => address,
        }
    }

    /// The highest address.
    #[must_use]
    pub fn last(self) -> IpAddr {
        match self {
            Self::Host(address) | Self::Range(_, address) => address,
        }
    }
}

/// An element as a backend has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Its key.
    pub element: Element,
    /// When the backend will drop it; `None` is never.
    pub until: Option<Time>,
}

/// One step towards the wanted elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edit {
    /// The element is not there and shall be, until then.
    Add(Element, Time),
    /// The element is there and shall end then.
    Update(Element, Time),
    /// The element is there and shall not be.
    Remove(Element),
}

impl Edit {
    /// What it is about.
    #[must_use]
    pub fn element(self) -> Element {
        match self {
            Self::Add(element, _) | Self::Update(element, _) | Self::Remove(element) => element,
        }
    }
}

/// The address one above, in its family; `None` above the highest.
pub(super) fn successor(address: IpAddr) -> Option<IpAddr> {
    match address {
        IpAddr::V4(v4) => v4.to_bits().checked_add(1).map(|bits| IpAddr::V4(bits.into())),
        IpAddr::V6(v6) => v6.to_bits().checked_add(1).map(|bits| IpAddr::V6(bits.into())),
    }
}

/// The address one below, in its family; `None` below zero.
pub(super) fn predecessor(address: IpAddr) -> Option<IpAddr> {
    match address {
        IpAddr::V4(v4) => v4.to_bits().checked_sub(1).map(|bits| IpAddr::V4(bits.into())),
        IpAddr::V6(v6) => v6.to_bits().checked_sub(1).map(|bits| IpAddr::V6(bits.into())),
    }
}

/// The highest address of the family of `address`.
pub(super) fn highest(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => IpAddr::V4(u32::MAX.into()),
        IpAddr::V6(_) => IpAddr::V6(u128::MAX.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(address: &str, above: Option<&str>, below: Option<&str>) {
        let parse = |text: &str| text.parse::<IpAddr>().unwrap();
        assert_eq!(successor(parse(address)), above.map(parse));
        assert_eq!(predecessor(parse(address)), below.map(parse));
    }

    #[test]
    fn a_range_is_made_of_prefixes() {
        let parse = |text: &str| text.parse::<IpAddr>().unwrap();
        let prefixes = |first, last| {
            let range = Element::Range(parse(first), parse(last)).prefixes();
            range.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(prefixes("10.0.0.0", "10.0.0.255"), ["10.0.0.0/24"]);
        assert_eq!(prefixes("10.0.0.3", "10.0.0.8"), ["10.0.0.3/32", "10.0.0.4/30", "10.0.0.8/32"]);
        assert_eq!(prefixes("2001:db8::", "2001:db8::1:ffff"), ["2001:db8::/111"]);
        assert_eq!(Element::Host(parse("::1")).prefixes(), ["::1/128".parse().unwrap()]);
        assert_eq!(prefixes("0.0.0.0", "255.255.255.255"), ["0.0.0.0/0"]);
    }

    #[test]
    fn neighbours() {
        check("10.0.0.255", Some("10.0.1.0"), Some("10.0.0.254"));
        check("255.255.255.255", None, Some("255.255.255.254"));
        check("0.0.0.0", Some("0.0.0.1"), None);
        check("2001:db8::ffff", Some("2001:db8::1:0"), Some("2001:db8::fffe"));
        check(
            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
            None,
            Some("ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe"),
        );
    }
}
