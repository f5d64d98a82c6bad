//! Established TCP connections to ports of this host, as the kernel has them (`sock_diag`(7)).

#![forbid(unsafe_code)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::message::{DUMP, Message, REQUEST, Writer};
use super::{Error, Protocol, Socket};

/// `SOCK_DIAG_BY_FAMILY` (include/uapi/linux/sock_diag.h), of requests and answers.
const BY_FAMILY: u16 = 20;
const TCP: u8 = 6;
/// `1 << TCP_ESTABLISHED` (include/net/tcp_states.h).
const ESTABLISHED: u32 = 1 << 1;
/// Length of `struct inet_diag_req_v2` and of `struct inet_diag_msg`
/// (include/uapi/linux/inet_diag.h).
const QUESTION: usize = 56;
const ANSWER: usize = 72;

/// A connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Connection {
    /// The kernel's number for it: no other connection since the machine was started has it.
    pub cookie: u64,
    /// Who is at the other end.
    pub remote: IpAddr,
}

/// The established connections to local TCP `ports`, in the calling thread's network namespace.
///
/// # Errors
/// What the socket says; no privilege is needed. A kernel without `inet_diag` refuses.
pub fn connections(ports: &[u16]) -> Result<Vec<Connection>, Error> {
    let mut socket = Socket::open(Protocol::SockDiag)?;
    let mut found = Vec::new();
    for port in ports {
        for family in [libc::AF_INET, libc::AF_INET6] {
            let family = u8::try_from(family).expect("families are small");
            let question = question(family, *port);
            let request = |writer: &mut Writer, sequence| {
                writer.message(BY_FAMILY, REQUEST | DUMP, sequence, |writer| writer.raw(&question));
            };
            let read = |message: &Message<'_>, found: &mut Vec<Connection>| {
                // Kernels that do not filter by the port give all.
                found.extend(read(message, *port));
            };
            found.append(&mut socket.list(request, read)?);
        }
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

fn question(family: u8, port: u16) -> [u8; QUESTION] {
    let mut bytes = [0; QUESTION];
    bytes[0] = family;
    bytes[1] = TCP;
    bytes[4..8].copy_from_slice(&ESTABLISHED.to_ne_bytes());
    bytes[8..10].copy_from_slice(&port.to_be_bytes());
    // The cookie `INET_DIAG_NOCOOKIE`: any.
    bytes[48..56].copy_from_slice(&[0xff; 8]);
    bytes
}

fn read(message: &Message<'_>, port: u16) -> Option<Connection> {
    if message.kind != BY_FAMILY {
        return None;
    }
    let bytes = message.payload.first_chunk::<ANSWER>()?;
    let family = libc::c_int::from(bytes[0]);
    let local = u16::from_be_bytes([bytes[4], bytes[5]]);
    if local != port {
        return None;
    }
    let remote = bytes.get(24..40)?;
    let remote = match family {
        libc::AF_INET => IpAddr::V4(Ipv4Addr::from(*remote.first_chunk::<4>()?)),
        libc::AF_INET6 => IpAddr::V6(Ipv6Addr::from(*remote.first_chunk::<16>()?)),
        _ => return None,
    };
    // Two halves, the lower one first.
    let half = |at: usize| Some(u64::from(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?)));
    let cookie = half(44)? | (half(48)? << 32);
    Some(Connection { cookie, remote: remote.to_canonical() })
}

#[cfg(test)]
mod tests {
    use std::net::{SocketAddr, TcpListener, TcpStream};

    use proptest::prelude::*;

    use super::super::message::messages;
    use super::*;

    fn at(port: u16) -> Vec<Connection> {
        connections(&[port]).unwrap()
    }

    /// Connects to a listener on `local`; the connection is found there and nowhere else.
    #[track_caller]
    fn check(local: &str, to: &str, remote: &str) {
        let listener = TcpListener::bind(local).unwrap();
        let port = listener.local_addr().unwrap().port();
        assert_eq!(at(port), []);
        let to = SocketAddr::new(to.parse().unwrap(), port);
        let first = TcpStream::connect(to).unwrap();
        let found = at(port);
        let remotes: Vec<String> = found.iter().map(|one| one.remote.to_string()).collect();
        assert_eq!(remotes, [remote]);
        // The number stays, and the next connection has another.
        let second = TcpStream::connect(to).unwrap();
        let both = at(port);
        assert!(both.len() == 2 && both.contains(&found[0]), "{both:?}");
        assert_eq!(at(first.local_addr().unwrap().port()).len(), 1, "its other end");
        drop((first, second));
    }

    #[test]
    fn connections_are_found_by_the_local_port() {
        check("127.0.0.1:0", "127.0.0.1", "127.0.0.1");
        check("[::1]:0", "::1", "::1");
        // Over a socket for both families an IPv4 address is one of IPv6.
        check("[::]:0", "127.0.0.1", "127.0.0.1");
    }

    proptest! {
        #[test]
        fn no_bytes_panic(payload in proptest::collection::vec(any::<u8>(), 0..100), port: u16) {
            let mut writer = Writer::default();
            writer.message(BY_FAMILY, 0, 0, |writer| writer.raw(&payload));
            for message in messages(writer.bytes()) {
                let _ = read(&message, port);
            }
        }
    }
}
