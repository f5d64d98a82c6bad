//! What a backend holds: single addresses and ranges, each until an instant.
//!
//! Targets are what people ban; elements are what a kernel set can hold. A single address is one
//! element. Prefixes may lie in one another, which interval sets refuse, so they become ranges that
//! do not overlap (see [`super::prefixes`]).

#![forbid(unsafe_code)]

use std::net::IpAddr;

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
    /// IPv4 or IPv6.
    #[must_use]
    pub fn family(self) -> Family {
        match self.first() {
            IpAddr::V4(_) => Family::V4,
            IpAddr::V6(_) => Family::V6,
        }
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
