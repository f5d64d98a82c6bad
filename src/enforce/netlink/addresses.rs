//! This host's own addresses and gateways, as the kernel has them: friends that nobody bans.

#![forbid(unsafe_code)]

use std::net::IpAddr;
use std::os::fd::AsFd as _;
use std::time::Duration;

use ipnet::IpNet;

use super::message::{Attribute, Attributes, DUMP, Message, REQUEST, Writer};
use super::{Error, Protocol, Socket};

const GET_ADDRESS: u16 = 22;
const NEW_ADDRESS: u16 = 20;
const GET_ROUTE: u16 = 26;
const NEW_ROUTE: u16 = 24;
/// Length of `struct ifaddrmsg`.
const ADDRESS_FIXED: usize = 8;
/// Length of `struct rtmsg`.
const ROUTE_FIXED: usize = 12;
/// Length of `struct rtnexthop`.
const NEXT_HOP: usize = 8;

/// The addresses of all interfaces of this host (as /32 and /128), sorted.
///
/// # Errors
/// What the socket says; no privilege is needed.
pub fn host_addresses() -> Result<Vec<IpNet>, Error> {
    list(GET_ADDRESS, read_address)
}

/// The gateways of all default routes of this host, in whatever table (as /32 and /128), sorted.
///
/// # Errors
/// As [`host_addresses`].
pub fn gateways() -> Result<Vec<IpNet>, Error> {
    list(GET_ROUTE, read_gateways)
}

/// Hears when addresses or routes of this host change.
#[derive(Debug)]
pub struct HostWatch {
    socket: Socket,
}

impl HostWatch {
    /// Listens in the calling thread's network namespace; no privilege is needed.
    ///
    /// # Errors
    /// What the socket says.
    pub fn open() -> Result<Self, Error> {
        // `enum rtnetlink_groups`: addresses and routes of both families.
        const GROUPS: [libc::c_int; 4] = [5, 7, 9, 11];
        let socket = Socket::open(Protocol::Route)?;
        for group in GROUPS {
            socket.join(group)?;
        }
        Ok(Self { socket })
    }

    /// Waits for a change, or until `timeout` is over; says whether there was one. What was heard is
    /// not looked into: whoever asks again knows all.
    pub fn wait(&mut self, timeout: Duration) -> bool {
        if super::wait(&[self.socket.as_fd()], timeout).is_err() {
            // Without a way to wait a caller's loop must not spin.
            std::thread::sleep(timeout);
        }
        self.forget()
    }

    /// Forgets what was heard so far; says whether there was anything.
    pub fn forget(&mut self) -> bool {
        let mut is_heard = false;
        // Something was missed: all the more has changed.
        let lost = self.socket.drain(&mut |_| is_heard = true).is_err();
        is_heard || lost
    }
}

fn list(kind: u16, read: fn(&Message<'_>, &mut Vec<IpNet>)) -> Result<Vec<IpNet>, Error> {
    let request = |writer: &mut Writer, sequence| {
        // All zero: every family. The kernel takes the longer header for both questions.
        writer.message(kind, REQUEST | DUMP, sequence, |writer| writer.raw(&[0; ROUTE_FIXED]));
    };
    let mut found = Socket::open(Protocol::Route)?.list(request, read)?;
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

fn address(attribute: &Attribute<'_>) -> Option<IpNet> {
    address_of(attribute.payload)
}

fn address_of(bytes: &[u8]) -> Option<IpNet> {
    let address = match bytes.len() {
        4 => IpAddr::from(*bytes.first_chunk::<4>()?),
        16 => IpAddr::from(*bytes.first_chunk::<16>()?),
        _ => return None,
    };
    (!address.is_unspecified()).then(|| IpNet::from(address))
}

fn read_address(message: &Message<'_>, found: &mut Vec<IpNet>) {
    const ADDRESS: u16 = 1;
    const LOCAL: u16 = 2;
    if message.kind != NEW_ADDRESS {
        return;
    }
    let find = |kind| {
        message.attributes(ADDRESS_FIXED).find(|a| a.kind == kind).as_ref().and_then(address)
    };
    // On a point-to-point link ADDRESS is the other end's.
    found.extend(find(LOCAL).or_else(|| find(ADDRESS)));
}

fn read_gateways(message: &Message<'_>, found: &mut Vec<IpNet>) {
    const MULTIPATH: u16 = 9;
    let is_default = message.payload.get(1) == Some(&0);
    if message.kind != NEW_ROUTE || !is_default {
        return;
    }
    let attributes = message.attributes(ROUTE_FIXED);
    read_hop(attributes.clone(), found);
    for attribute in attributes.filter(|attribute| attribute.kind == MULTIPATH) {
        let mut rest = attribute.payload;
        while let Some(length) = rest.first_chunk::<2>() {
            let length = usize::from(u16::from_ne_bytes(*length));
            let Some(hop) = rest.get(NEXT_HOP..length) else { break };
            read_hop(super::message::attributes(hop), found);
            rest = rest.get(length.div_ceil(4) * 4..).unwrap_or_default();
        }
    }
}

fn read_hop(attributes: Attributes<'_>, found: &mut Vec<IpNet>) {
    const GATEWAY: u16 = 5;
    const VIA: u16 = 18;
    for attribute in attributes {
        match attribute.kind {
            GATEWAY => found.extend(address(&attribute)),
            // An IPv6 gateway of an IPv4 route: a family, then the address.
            VIA => found.extend(attribute.payload.get(2..).and_then(address_of)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::super::message::messages;
    use super::super::netns::{isolated, run};
    use super::*;

    fn nets(texts: &[&str]) -> Vec<IpNet> {
        texts.iter().map(|text| IpNet::from(text.parse::<IpAddr>().unwrap())).collect()
    }

    #[test]
    fn own_addresses_and_gateways_are_found() {
        isolated(|| {
            run("ip link set lo up");
            run("ip link add v0 type veth peer name v1");
            run("ip address add 192.0.2.1/24 dev v0");
            run("ip address add 198.51.100.1 peer 198.51.100.2/32 dev v0");
            run("ip address add 2001:db8::1/64 dev v0 nodad");
            run("ip link set v0 addrgenmode none");
            run("ip link set v0 up");
            run("ip link set v1 addrgenmode none");
            run("ip link set v1 up");
            run("ip route add default via 192.0.2.254");
            run(
                "ip route add default table 77 nexthop via 192.0.2.253 dev v0 nexthop via 192.0.2.252 dev v0",
            );
            run("ip route add 203.0.113.0/24 via 192.0.2.251");
            run("ip route add default via 2001:db8::fe dev v0");
            run("ip route add default via inet6 2001:db8::fd dev v0 metric 9");
            let own = ["127.0.0.1", "192.0.2.1", "198.51.100.1", "::1", "2001:db8::1"];
            assert_eq!(host_addresses().unwrap(), nets(&own));
            let via = ["192.0.2.252", "192.0.2.253", "192.0.2.254", "2001:db8::fd", "2001:db8::fe"];
            assert_eq!(gateways().unwrap(), nets(&via));
        });
    }

    #[test]
    fn the_loopback_address_needs_no_privilege() {
        assert!(host_addresses().unwrap().contains(&nets(&["127.0.0.1"])[0]));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(payload in vec(any::<u8>(), 0..200), multipath in vec(any::<u8>(), 0..60)) {
            for kind in [NEW_ADDRESS, NEW_ROUTE] {
                let mut writer = Writer::default();
                writer.message(kind, 0, 0, |writer| writer.raw(&payload));
                writer.message(kind, 0, 0, |writer| {
                    writer.raw(&[0; ROUTE_FIXED]);
                    writer.attribute(9, &multipath);
                });
                let mut found = Vec::new();
                for message in messages(writer.bytes()) {
                    read_address(&message, &mut found);
                    read_gateways(&message, &mut found);
                }
            }
        }
    }
}
