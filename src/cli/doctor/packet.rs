//! Packets that look as if they came from a canary, for a socket of our own on the loopback
//! interface: they go through the same input hook as any packet, and leave this host nowhere.
//!
//! Nothing answers them: the socket that they are for takes them, or a rule drops them.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

/// How long a packet may take over the loopback interface.
const PATIENCE: Duration = Duration::from_millis(300);
/// `IPPROTO_RAW` and `IPPROTO_UDP`.
const RAW: i32 = 255;
const UDP: u8 = 17;
/// Where they seem to come from; it is discarded anyway.
const PORT: u16 = 9;

/// Both ends.
#[derive(Debug)]
pub(super) struct Packets {
    receiver: UdpSocket,
    raw: Socket,
    to: SocketAddr,
}

impl Packets {
    /// For packets of the family of this address.
    ///
    /// # Errors
    /// `PermissionDenied` without `CAP_NET_RAW`, else what the system says.
    pub(super) fn open(like: IpAddr) -> io::Result<Self> {
        let (here, domain): (IpAddr, Domain) = match like {
            IpAddr::V4(_) => (Ipv4Addr::LOCALHOST.into(), Domain::IPV4),
            IpAddr::V6(_) => (Ipv6Addr::LOCALHOST.into(), Domain::IPV6),
        };
        let receiver = UdpSocket::bind((here, 0))?;
        receiver.set_read_timeout(Some(PATIENCE))?;
        let to = receiver.local_addr()?;
        let raw = Socket::new(domain, Type::RAW, Some(Protocol::from(RAW)))?;
        match like {
            IpAddr::V4(_) => raw.set_header_included_v4(true)?,
            IpAddr::V6(_) => raw.set_header_included_v6(true)?,
        }
        Ok(Self { receiver, raw, to })
    }

    /// Whether a packet from this address arrives. `mark` tells it from others.
    ///
    /// # Errors
    /// What the system says, such as `PermissionDenied` where a rule keeps it from being sent.
    pub(super) fn pass(&self, from: IpAddr, mark: u64) -> io::Result<bool> {
        let packet = packet(from, self.to, &mark.to_be_bytes());
        // A raw socket takes no port: the packet says it.
        let to = SocketAddr::new(self.to.ip(), 0);
        self.raw.send_to(&packet, &to.into())?;
        let mut bytes = [0; 16];
        loop {
            match self.receiver.recv_from(&mut bytes) {
                Ok((8, sender)) if sender.ip() == from && bytes[..8] == mark.to_be_bytes() => {
                    return Ok(true);
                }
                // Somebody else's, or one of before.
                Ok(_) => {}
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
                    ) =>
                {
                    return Ok(false);
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// A UDP datagram with its IP header (RFC 791, RFC 8200, RFC 768).
fn packet(from: IpAddr, to: SocketAddr, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(8 + data.len()).expect("a few bytes");
    let mut datagram = Vec::new();
    datagram.extend(PORT.to_be_bytes());
    datagram.extend(to.port().to_be_bytes());
    datagram.extend(length.to_be_bytes());
    datagram.extend([0, 0]);
    datagram.extend(data);
    let (source, destination) = (octets(from), octets(to.ip()));
    let mut pseudo = [source.as_slice(), destination.as_slice()].concat();
    pseudo.extend([0, UDP]);
    pseudo.extend(length.to_be_bytes());
    let sum = checksum(&[pseudo.as_slice(), datagram.as_slice()].concat());
    // Nought would say that there is none.
    let sum = if sum == 0 { 0xffff } else { sum };
    datagram[6..8].copy_from_slice(&sum.to_be_bytes());
    let mut packet = match from {
        IpAddr::V4(_) => {
            // Version 4, five words; total length; no fragments; 64 hops. The kernel fills in the
            // length, the identification and the sum of the header (raw(7)).
            let mut header = vec![0x45, 0];
            header.extend((20 + length).to_be_bytes());
            header.extend([0, 0, 0, 0, 64, UDP, 0, 0]);
            header
        }
        IpAddr::V6(_) => {
            let mut header = vec![0x60, 0, 0, 0];
            header.extend(length.to_be_bytes());
            header.extend([UDP, 64]);
            header
        }
    };
    packet.extend(source);
    packet.extend(destination);
    packet.extend(datagram);
    packet
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// The Internet checksum (RFC 1071).
fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |low| u32::from(*low)));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).expect("folded to 16 bits")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(from: &str, to: &str, length: usize) {
        let to: SocketAddr = to.parse().unwrap();
        let packet = packet(from.parse().unwrap(), to, b"12345678");
        assert_eq!(packet.len(), length + 8 + 8);
        // A receiver sums all of it, with the sum in it, to nothing.
        let datagram = &packet[length..];
        let addresses = &packet[if length == 20 { 12 } else { 8 }..length];
        let sum = checksum(&[addresses, &[0, UDP, 0, 16], datagram].concat());
        assert_eq!(sum, 0, "{packet:x?}");
    }

    #[test]
    fn packets_have_right_sums() {
        check("203.0.113.7", "127.0.0.1:4711", 20);
        check("192.0.2.255", "127.0.0.1:65535", 20);
        check("2001:db8::7", "[::1]:4711", 40);
    }
}
