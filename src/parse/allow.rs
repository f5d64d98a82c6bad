//! The allowlist of a rule (`whitelist:` in its file): events about friends are not poured.

use std::net::IpAddr;

use ipnet::IpNet;

use super::expression::Expression;
use super::observe::Fact;
use super::run::Run;
use crate::event::Kind;
use crate::value::{Fault, Value};

/// Addresses, networks and conditions.
#[derive(Debug, Default)]
pub(super) struct Allowlist {
    pub(super) reason: Box<str>,
    pub(super) networks: Networks,
    pub(super) conditions: Vec<Expression>,
}

/// Networks as their addresses have them in common: the bits, and which of them count.
#[derive(Debug, Default)]
pub(super) struct Networks {
    v4: Box<[(u32, u32)]>,
    v6: Box<[(u128, u128)]>,
}

impl Networks {
    /// These networks.
    pub(super) fn new(networks: impl Iterator<Item = IpNet>) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for network in networks {
            match network {
                IpNet::V4(net) => v4.push((net.network().to_bits(), net.netmask().to_bits())),
                IpNet::V6(net) => v6.push((net.network().to_bits(), net.netmask().to_bits())),
            }
        }
        Self { v4: v4.into(), v6: v6.into() }
    }

    fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }

    fn contain(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(address) => {
                let bits = address.to_bits();
                self.v4.iter().any(|(network, mask)| bits & mask == *network)
            }
            IpAddr::V6(address) => {
                let bits = address.to_bits();
                self.v6.iter().any(|(network, mask)| bits & mask == *network)
            }
        }
    }
}

impl Allowlist {
    /// Whether it has no entry at all.
    pub(super) fn is_empty(&self) -> bool {
        self.networks.is_empty() && self.conditions.is_empty()
    }

    /// Whether the event is on the list. If it is, and was on no other before, it is marked so.
    pub(super) fn check<'a>(&'a self, run: &mut Run<'_, 'a>) -> bool {
        let listed = self.has_address(run) || self.has_condition(run);
        run.note(Fact::Allowlist { reason: &self.reason, listed });
        let event = run.event();
        // The first reason stays.
        if listed && !event.allowlisted.get() {
            event.allowlisted.set(true);
            event.allowlist_reason.set(&self.reason);
            if event.kind == Kind::Overflow {
                event.overflow_view().allow();
            }
        }
        listed
    }

    fn has_address(&self, run: &Run<'_, '_>) -> bool {
        if self.networks.is_empty() {
            return false;
        }
        let mut found = false;
        run.event().each_address(&mut |_, address| found |= self.networks.contain(address));
        found
    }

    fn has_condition<'a>(&'a self, run: &mut Run<'_, 'a>) -> bool {
        for condition in &self.conditions {
            match run.evaluate(condition) {
                Some(Value::Bool(true)) => return true,
                Some(Value::Bool(false)) => {}
                Some(other) => run.fault(condition, &not_bool(other)),
                // A condition that fails ends the list: what follows may rely on it.
                None => return false,
            }
        }
        false
    }
}

/// The fault of a condition that is neither true nor false.
fn not_bool(value: Value<'_>) -> Fault {
    Fault::new(format!("a condition must be true or false, found {}", value.kind()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn networks_contain_what_they_say(
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
            prop_assert_eq!(Networks::new(networks.into_iter()).contain(address), expected);
        }
    }
}
