//! A network of this process's own, for the demonstration (network_namespaces(7)).

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// Moves the process into a new network namespace, with its loopback interface up. Without
/// privileges a user namespace is made around it, which gives the process the right to change
/// this one network and no other.
///
/// Must be called before the process starts a thread: namespaces belong to threads.
///
/// # Errors
/// When the kernel or its policy does not allow it; the process is then where it was.
pub fn enter_new_network() -> io::Result<()> {
    // SAFETY: geteuid and getegid have no preconditions and cannot fail.
    let (user, group) = unsafe { (libc::geteuid(), libc::getegid()) };
    // SAFETY: unshare takes flags and changes only where this thread looks for its network.
    if unsafe { libc::unshare(libc::CLONE_NEWNET) } != 0 {
        // SAFETY: as above.
        if unsafe { libc::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNET) } != 0 {
            return Err(io::Error::last_os_error());
        }
        // Who was the user outside is root inside (user_namespaces(7)); files keep their owner.
        std::fs::write("/proc/self/setgroups", "deny")?;
        std::fs::write("/proc/self/uid_map", format!("0 {user} 1"))?;
        std::fs::write("/proc/self/gid_map", format!("0 {group} 1"))?;
    }
    raise_loopback()
}

/// Sets the loopback interface up (netdevice(7)).
fn raise_loopback() -> io::Result<()> {
    // SAFETY: socket takes plain numbers; the result is checked before it becomes a descriptor.
    let socket = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    if socket < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor was just made and nobody else owns it.
    let socket = unsafe { OwnedFd::from_raw_fd(socket) };
    // SAFETY: ifreq is plain data for which all zeroes is a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_name[0] = b'l' as libc::c_char;
    request.ifr_name[1] = b'o' as libc::c_char;
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    // SAFETY: the request is an initialised ifreq that outlives the call, as SIOCSIFFLAGS wants.
    let done = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) };
    if done != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
