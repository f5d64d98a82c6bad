//! The flows that connection tracking knows: listed by their source, and deleted.
//!
//! Numbers are from `linux/netfilter/nfnetlink_conntrack.h`. Pure.

#![forbid(unsafe_code)]

use std::net::IpAddr;

use super::message::{ACK, Attribute, DUMP, Message, REQUEST, Writer};

/// `NFNL_SUBSYS_CTNETLINK`.
const SUBSYSTEM: u16 = 1;
/// `enum cntl_msg_types`.
const NEW: u16 = SUBSYSTEM << 8;
const GET: u16 = (SUBSYSTEM << 8) | 1;
const DELETE: u16 = (SUBSYSTEM << 8) | 2;
/// Length of `struct nfgenmsg`.
const FIXED: usize = 4;
/// `CTA_TUPLE_ORIG`, `CTA_ID`, `CTA_ZONE` and `CTA_FILTER`.
const ORIGINAL: u16 = 1;
const NUMBER: u16 = 12;
const ZONE: u16 = 18;
const FILTER: u16 = 25;
/// `CTA_FILTER_F_CTA_IP_SRC`: of the tuple the source alone is compared.
const BY_SOURCE: u32 = 1;

/// A flow, as far as it takes to delete it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Flow {
    /// Who began it.
    pub(crate) source: IpAddr,
    /// What identifies it, as the kernel wrote it.
    original: Vec<u8>,
    number: Option<Vec<u8>>,
    zone: Option<Vec<u8>>,
}

fn family(address: IpAddr) -> u8 {
    // `AF_INET` and `AF_INET6`.
    if address.is_ipv4() { 2 } else { 10 }
}

/// `CTA_IP_V4_SRC` or `CTA_IP_V6_SRC`, in its `CTA_TUPLE_IP`.
fn write_source(writer: &mut Writer, source: IpAddr) {
    writer.nest(1, |writer| match source {
        IpAddr::V4(source) => writer.attribute(1, &source.octets()),
        IpAddr::V6(source) => writer.attribute(3, &source.octets()),
    });
}

/// Writes the request for all flows of the family of `first`, or for those alone that `first` began,
/// which kernels before 5.8 take for all as well.
pub(crate) fn list(writer: &mut Writer, sequence: u32, first: IpAddr, is_only: bool) {
    writer.message(GET, REQUEST | DUMP, sequence, |writer| {
        writer.raw(&[family(first), 0, 0, 0]);
        if is_only {
            writer.nest(ORIGINAL, |writer| write_source(writer, first));
            writer.nest(FILTER, |writer| {
                writer.attribute(1, &BY_SOURCE.to_ne_bytes());
                writer.attribute(2, &0_u32.to_ne_bytes());
            });
        }
    });
}

/// Reads a flow of a list.
pub(crate) fn read(message: &Message<'_>) -> Option<Flow> {
    if message.kind != NEW {
        return None;
    }
    let find = |kind| message.attributes(FIXED).find(|attribute| attribute.kind == kind);
    let kept = |attribute: Attribute<'_>| attribute.payload.to_vec();
    let original = find(ORIGINAL)?;
    let addresses = original.nested().find(|attribute| attribute.kind == 1)?;
    let source = addresses.nested().find_map(|attribute| {
        let bytes = attribute.payload;
        match (attribute.kind, bytes.len()) {
            (1, 4) => Some(IpAddr::from(*bytes.first_chunk::<4>()?)),
            (3, 16) => Some(IpAddr::from(*bytes.first_chunk::<16>()?)),
            _ => None,
        }
    })?;
    Some(Flow {
        source,
        original: kept(original),
        number: find(NUMBER).map(kept),
        zone: find(ZONE).map(kept),
    })
}

/// Writes the request to delete a flow, which is acknowledged.
pub(crate) fn delete(writer: &mut Writer, sequence: u32, flow: &Flow) {
    writer.message(DELETE, REQUEST | ACK, sequence, |writer| {
        writer.raw(&[family(flow.source), 0, 0, 0]);
        writer.nest(ORIGINAL, |writer| writer.raw(&flow.original));
        for (kind, value) in [(NUMBER, &flow.number), (ZONE, &flow.zone)] {
            if let Some(value) = value {
                writer.attribute(kind, value);
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::super::message::messages;
    use super::*;

    fn listed(source: IpAddr) -> Writer {
        let mut writer = Writer::default();
        writer.message(NEW, 0, 7, |writer| {
            writer.raw(&[family(source), 0, 0, 0]);
            writer.nest(ORIGINAL, |writer| {
                write_source(writer, source);
                writer.nest(2, |writer| writer.attribute(1, &[6]));
            });
            writer.be32(NUMBER, 99);
        });
        writer
    }

    #[test]
    fn a_flow_is_deleted_as_it_was_listed() {
        for source in ["192.0.2.7", "2001:db8::7"] {
            let source: IpAddr = source.parse().unwrap();
            let writer = listed(source);
            let flow = read(&messages(writer.bytes()).next().unwrap()).unwrap();
            assert_eq!(flow.source, source);
            let mut writer = Writer::default();
            delete(&mut writer, 3, &flow);
            let message = messages(writer.bytes()).next().unwrap();
            assert_eq!((message.kind, message.flags), (DELETE, REQUEST | ACK));
            // The same attributes, as if it were listed.
            assert_eq!(read(&Message { kind: NEW, ..message }), Some(flow));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(payload in vec(any::<u8>(), 0..200), at in 0..60_usize, byte in any::<u8>()) {
            let mut writer = Writer::default();
            writer.message(NEW, 0, 0, |writer| writer.raw(&payload));
            let mut damaged = listed(IpAddr::from([192, 0, 2, 7])).bytes().to_vec();
            if let Some(place) = damaged.get_mut(at) {
                *place = byte;
            }
            for bytes in [writer.bytes(), &damaged] {
                for message in messages(bytes) {
                    let _ = read(&message);
                }
            }
        }
    }
}
