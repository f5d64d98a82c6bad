//! Looking up host names and addresses with the resolver of the operating system.
//!
//! Both functions wait for the network, for as long as the resolver's own settings allow. They
//! belong on a thread that has nothing else to do.

mod lifetime;

use std::ffi::CStr;
use std::net::{IpAddr, ToSocketAddrs};

use libc::{c_char, sockaddr, sockaddr_in, sockaddr_in6, socklen_t};

pub use lifetime::lifetime_of;

/// The longest host name that `getnameinfo` gives, NUL included (`NI_MAXHOST` of netdb.h).
const LONGEST: usize = 1025;

/// The addresses of a host; none when there are none or nobody can be asked.
#[must_use]
pub fn addresses_of(host: &str) -> Vec<IpAddr> {
    let Ok(found) = (host, 0u16).to_socket_addrs() else { return Vec::new() };
    let mut addresses: Vec<IpAddr> = found.map(|address| address.ip()).collect();
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}

/// The name that an address has, without a dot at its end; `None` when it has none.
#[must_use]
pub fn name_of(address: IpAddr) -> Option<String> {
    match address {
        IpAddr::V4(v4) => {
            let sin_addr = libc::in_addr { s_addr: u32::from_ne_bytes(v4.octets()) };
            let socket = sockaddr_in {
                sin_family: family(libc::AF_INET),
                sin_port: 0,
                sin_addr,
                sin_zero: [0; 8],
            };
            name_info((&raw const socket).cast(), size_of::<sockaddr_in>())
        }
        IpAddr::V6(v6) => {
            let socket = sockaddr_in6 {
                sin6_family: family(libc::AF_INET6),
                sin6_port: 0,
                sin6_flowinfo: 0,
                sin6_addr: libc::in6_addr { s6_addr: v6.octets() },
                sin6_scope_id: 0,
            };
            name_info((&raw const socket).cast(), size_of::<sockaddr_in6>())
        }
    }
}

fn family(family: i32) -> libc::sa_family_t {
    libc::sa_family_t::try_from(family).expect("address families are small numbers")
}

/// Invariant: `socket` points to a socket address of `length` bytes.
fn name_info(socket: *const sockaddr, length: usize) -> Option<String> {
    let length = socklen_t::try_from(length).ok()?;
    let mut host = [0 as c_char; LONGEST];
    let room = socklen_t::try_from(LONGEST).ok()?;
    // SAFETY: both callers pass a live socket address and its size; `host` has `room` bytes, and
    // no service name is asked for.
    let failed = unsafe {
        libc::getnameinfo(
            socket,
            length,
            host.as_mut_ptr(),
            room,
            std::ptr::null_mut(),
            0,
            libc::NI_NAMEREQD,
        )
    };
    if failed != 0 {
        return None;
    }
    // SAFETY: on success `host` holds a text that ends with NUL within its bounds.
    let name = unsafe { CStr::from_ptr(host.as_ptr()) }.to_str().ok()?;
    Some(name.strip_suffix('.').unwrap_or(name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    // Only what every machine answers without asking anybody.

    #[test]
    fn an_address_is_a_host() {
        assert_eq!(addresses_of("192.0.2.1"), ["192.0.2.1".parse::<IpAddr>().expect("address")]);
        assert_eq!(addresses_of("::1"), ["::1".parse::<IpAddr>().expect("address")]);
    }

    #[test]
    fn impossible_names_have_no_address() {
        assert!(addresses_of("").is_empty());
        assert!(addresses_of("a\0b").is_empty());
        assert!(addresses_of(&"a".repeat(300)).is_empty());
    }

    #[test]
    fn the_machine_knows_its_own_name() {
        let loopback = "127.0.0.1".parse::<IpAddr>().expect("address");
        if let Some(name) = name_of(loopback) {
            assert!(!name.is_empty() && !name.ends_with('.'));
            assert!(addresses_of(&name).contains(&loopback), "{name}");
        }
    }
}
