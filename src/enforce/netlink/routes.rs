//! Routes that lead nowhere and the rules that have them looked up, as rtnetlink writes them.
//!
//! Pure. Numbers are from `linux/rtnetlink.h` and `linux/fib_rules.h`. Only what bans need is read;
//! a route with a next hop is read as far as it has these fields.

#![forbid(unsafe_code)]

use std::net::IpAddr;

use ipnet::IpNet;

use super::message::{CREATE, DUMP, Message, REQUEST, Writer};
use super::series::Series;

/// `RTM_NEWROUTE`, `RTM_DELROUTE`, `RTM_GETROUTE`.
const NEW_ROUTE: u16 = 24;
const DELETE_ROUTE: u16 = 25;
const GET_ROUTE: u16 = 26;
/// `RTM_NEWRULE`, `RTM_DELRULE`, `RTM_GETRULE`.
const NEW_RULE: u16 = 32;
const DELETE_RULE: u16 = 33;
const GET_RULE: u16 = 34;

/// `NLM_F_REPLACE`, `NLM_F_EXCL`.
const REPLACE: u16 = 0x100;
const EXCLUSIVE: u16 = 0x200;

/// `RTA_DST`, `RTA_PRIORITY`, `RTA_TABLE`.
const DESTINATION: u16 = 1;
const METRIC: u16 = 6;
const ROUTE_TABLE: u16 = 15;
/// `FRA_PRIORITY`, `FRA_SUPPRESS_IFGROUP`, `FRA_SUPPRESS_PREFIXLEN`, `FRA_TABLE`, `FRA_PROTOCOL`.
const PRIORITY: u16 = 6;
const SUPPRESS_GROUP: u16 = 13;
const SUPPRESS_LENGTH: u16 = 14;
const RULE_TABLE: u16 = 15;
const RULE_PROTOCOL: u16 = 21;
/// `FR_ACT_TO_TBL`.
const LOOK_UP_TABLE: u8 = 1;
/// `RT_SCOPE_NOWHERE`: when deleting, any.
const NOWHERE: u8 = 255;

/// Length of `struct rtmsg` and of `struct fib_rule_hdr`.
const FIXED: usize = 12;

/// `RTNLGRP_IPV4_ROUTE`, `RTNLGRP_IPV6_ROUTE`, `RTNLGRP_IPV4_RULE`, `RTNLGRP_IPV6_RULE`.
pub(crate) const GROUPS: [i32; 4] = [7, 11, 8, 19];

/// What a route does with a packet: `enum rtm_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Kind(pub(crate) u8);

impl Kind {
    /// `RTN_BLACKHOLE`: dropped, without a word.
    pub(crate) const BLACKHOLE: Self = Self(6);
    /// `RTN_UNREACHABLE`: refused as unreachable.
    pub(crate) const UNREACHABLE: Self = Self(7);
    /// `RTN_PROHIBIT`: refused as prohibited.
    pub(crate) const PROHIBIT: Self = Self(8);
    /// `RTN_THROW`: as if this table had no route.
    pub(crate) const THROW: Self = Self(9);
}

/// A route without a next hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Route {
    /// Where to.
    pub(crate) net: IpNet,
    /// The table that it is in.
    pub(crate) table: u32,
    /// Who made it.
    pub(crate) protocol: u8,
    /// Of several to one prefix, the one with the lowest counts. Never 0, which IPv6 takes for 1024.
    pub(crate) metric: u32,
    /// What it does.
    pub(crate) kind: Kind,
}

/// `AF_INET` or `AF_INET6`.
fn family(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => V4,
        IpAddr::V6(_) => V6,
    }
}

/// `AF_INET`.
pub(crate) const V4: u8 = 2;
/// `AF_INET6`.
pub(crate) const V6: u8 = 10;

impl Route {
    fn write(&self, writer: &mut Writer, kind: u8, scope: u8) {
        let net = self.net;
        // The table's number does not fit the header's 8 bits; 0 is unspecified there.
        writer.raw(&[
            family(net.addr()),
            net.prefix_len(),
            0,
            0,
            0,
            self.protocol,
            scope,
            kind,
            0,
            0,
            0,
            0,
        ]);
        match net.network() {
            IpAddr::V4(v4) => writer.attribute(DESTINATION, &v4.octets()),
            IpAddr::V6(v6) => writer.attribute(DESTINATION, &v6.octets()),
        }
        writer.attribute(ROUTE_TABLE, &self.table.to_ne_bytes());
        writer.attribute(METRIC, &self.metric.to_ne_bytes());
    }

    /// Makes it, in place of any other of this prefix, metric and table.
    pub(crate) fn put(&self, series: &mut Series) {
        let flags = CREATE | REPLACE;
        series.push(NEW_ROUTE, flags, |writer| self.write(writer, self.kind.0, 0));
    }

    /// Deletes it, whatever its kind is; [`libc::ESRCH`] when it is not there.
    pub(crate) fn delete(&self, series: &mut Series) {
        series.push(DELETE_ROUTE, 0, |writer| self.write(writer, 0, NOWHERE));
    }

    /// Asks for all of a table and protocol. A kernel that cannot choose lists all that there are.
    pub(crate) fn list(writer: &mut Writer, sequence: u32, of: u8, table: u32, protocol: u8) {
        writer.message(GET_ROUTE, REQUEST | DUMP, sequence, |writer| {
            writer.raw(&[of, 0, 0, 0, 0, protocol, 0, 0, 0, 0, 0, 0]);
            writer.attribute(ROUTE_TABLE, &table.to_ne_bytes());
        });
    }

    /// The route that a message makes, deletes or lists.
    pub(crate) fn read(message: &Message<'_>) -> Option<Self> {
        if !matches!(message.kind, NEW_ROUTE | DELETE_ROUTE) {
            return None;
        }
        let [of, length, _, _, table, protocol, _, kind] = *message.payload.first_chunk::<8>()?;
        let mut address = match of {
            V4 => IpAddr::from([0; 4]),
            V6 => IpAddr::from([0; 16]),
            _ => return None,
        };
        let (mut table, mut metric) = (u32::from(table), 0);
        for attribute in message.attributes(FIXED) {
            match attribute.kind {
                DESTINATION => address = read_address(attribute.payload)?,
                ROUTE_TABLE => table = native(attribute.payload)?,
                METRIC => metric = native(attribute.payload)?,
                _ => {}
            }
        }
        (family(address) == of).then_some(())?;
        let net = IpNet::new(address, length).ok()?;
        Some(Self { net, table, protocol, metric, kind: Kind(kind) })
    }
}

/// A rule by which all packets have a table looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Rule {
    /// [`V4`] or [`V6`].
    pub(crate) family: u8,
    /// The table.
    pub(crate) table: u32,
    /// Who made it.
    pub(crate) protocol: u8,
    /// Lower ones come first.
    pub(crate) priority: u32,
    /// Whether it is for all packets and does nothing else.
    pub(crate) is_plain: bool,
}

impl Rule {
    fn write(&self, writer: &mut Writer) {
        writer.raw(&[self.family, 0, 0, 0, 0, 0, 0, LOOK_UP_TABLE, 0, 0, 0, 0]);
        writer.attribute(PRIORITY, &self.priority.to_ne_bytes());
        writer.attribute(RULE_TABLE, &self.table.to_ne_bytes());
        writer.attribute(RULE_PROTOCOL, &[self.protocol]);
    }

    /// Makes it; [`libc::EEXIST`] when it is there.
    pub(crate) fn put(&self, series: &mut Series) {
        series.push(NEW_RULE, CREATE | EXCLUSIVE, |writer| self.write(writer));
    }

    /// Deletes it; [`libc::ENOENT`] when it is not there.
    pub(crate) fn delete(&self, series: &mut Series) {
        series.push(DELETE_RULE, 0, |writer| self.write(writer));
    }

    /// Asks for all of a family.
    pub(crate) fn list(writer: &mut Writer, sequence: u32, of: u8) {
        writer.message(GET_RULE, REQUEST | DUMP, sequence, |writer| {
            writer.raw(&[of, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        });
    }

    /// The rule that a message makes, deletes or lists.
    pub(crate) fn read(message: &Message<'_>) -> Option<Self> {
        if !matches!(message.kind, NEW_RULE | DELETE_RULE) {
            return None;
        }
        let [family, to, from, service, table, _, _, action, flags @ ..] =
            *message.payload.first_chunk::<12>()?;
        let is_for_all = (to, from, service, action, flags) == (0, 0, 0, LOOK_UP_TABLE, [0; 4]);
        let mut rule =
            Self { family, table: table.into(), protocol: 0, priority: 0, is_plain: is_for_all };
        for attribute in message.attributes(FIXED) {
            match attribute.kind {
                PRIORITY => rule.priority = native(attribute.payload)?,
                RULE_TABLE => rule.table = native(attribute.payload)?,
                RULE_PROTOCOL => rule.protocol = *attribute.payload.first()?,
                // All ones is none.
                SUPPRESS_GROUP | SUPPRESS_LENGTH => {
                    rule.is_plain &= native(attribute.payload)? == u32::MAX;
                }
                _ => rule.is_plain = false,
            }
        }
        Some(rule)
    }
}

fn native(bytes: &[u8]) -> Option<u32> {
    bytes.try_into().ok().map(u32::from_ne_bytes)
}

fn read_address(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => bytes.first_chunk::<4>().map(|bytes| IpAddr::from(*bytes)),
        16 => bytes.first_chunk::<16>().map(|bytes| IpAddr::from(*bytes)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::super::message::messages;
    use super::*;

    #[track_caller]
    fn check(net: &str, table: u32) {
        let net = net.parse().unwrap();
        let route = Route { net, table, protocol: 222, metric: 2, kind: Kind::BLACKHOLE };
        let mut series = Series::new(7);
        route.put(&mut series);
        route.delete(&mut series);
        let written: Vec<_> = messages(series.bytes()).map(|m| (m.kind, Route::read(&m))).collect();
        let any_kind = Route { kind: Kind(0), ..route };
        assert_eq!(written, [(NEW_ROUTE, Some(route)), (DELETE_ROUTE, Some(any_kind))]);
    }

    #[test]
    fn routes_are_read_as_they_are_written() {
        check("192.0.2.1/32", 9514);
        check("0.0.0.0/0", 77);
        check("2001:db8::/56", u32::MAX);
        check("::/0", 254);
    }

    #[test]
    fn rules_are_read_as_they_are_written() {
        let rule = Rule { family: V6, table: 9514, protocol: 222, priority: 100, is_plain: true };
        let mut series = Series::new(7);
        rule.put(&mut series);
        let message = messages(series.bytes()).next().unwrap();
        assert_eq!(Rule::read(&message), Some(rule));
        // One that looks at a mark is another one.
        let mut writer = Writer::default();
        writer.message(NEW_RULE, 0, 0, |writer| {
            rule.write(writer);
            writer.attribute(10, &[1, 0, 0, 0]);
        });
        let message = messages(writer.bytes()).next().unwrap();
        assert_eq!(Rule::read(&message), Some(Rule { is_plain: false, ..rule }));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(payload in vec(any::<u8>(), 0..80)) {
            for kind in [NEW_ROUTE, NEW_RULE] {
                let mut writer = Writer::default();
                writer.message(kind, 0, 0, |writer| writer.raw(&payload));
                for message in messages(writer.bytes()) {
                    let _ = (Route::read(&message), Rule::read(&message));
                }
            }
        }
    }
}
