//! Who is at the other end of a Unix socket, and who we are.

use std::ffi::CString;
use std::os::fd::{AsRawFd, BorrowedFd};

/// A user and their groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The user.
    pub uid: u32,
    /// The effective group.
    pub gid: u32,
    /// The supplementary groups.
    pub groups: Vec<u32>,
}

/// This process's effective user and group; its supplementary groups are left out.
#[must_use]
pub fn own() -> Identity {
    // SAFETY: neither call has a precondition, and neither fails.
    let (uid, gid) = unsafe { (libc::geteuid(), libc::getegid()) };
    Identity { uid, gid, groups: Vec::new() }
}

/// The number of a user, by the name that the system knows it by (getpwnam_r(3)).
#[must_use]
pub fn user_of(name: &str) -> Option<u32> {
    let name = CString::new(name).ok()?;
    let mut space = vec![0 as libc::c_char; 16 * 1024];
    // SAFETY: all zeroes is a valid `passwd`: integers and null pointers.
    let mut found = unsafe { std::mem::zeroed::<libc::passwd>() };
    let mut result = std::ptr::null_mut();
    // SAFETY: the name ends with a zero, `space` is as long as is said, and all of them live until
    // the call returns; the pointers that it writes are not followed.
    let status = unsafe {
        libc::getpwnam_r(
            name.as_ptr(),
            &raw mut found,
            space.as_mut_ptr(),
            space.len(),
            &raw mut result,
        )
    };
    (status == 0 && !result.is_null()).then_some(found.pw_uid)
}

/// The user that the peer had when it connected (`SO_PEERCRED`, unix(7)).
///
/// # Errors
/// That of `getsockopt`, such as for a socket that is not connected.
pub fn user(socket: BorrowedFd<'_>) -> std::io::Result<u32> {
    let mut peer = libc::ucred { pid: 0, uid: 0, gid: 0 };
    let mut size = libc::socklen_t::try_from(size_of_val(&peer)).expect("a few bytes");
    // SAFETY: `peer` is valid for writes of `size` bytes; any integers are valid in it.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut peer).cast(),
            &raw mut size,
        )
    };
    if result == 0 { Ok(peer.uid) } else { Err(std::io::Error::last_os_error()) }
}

/// The supplementary groups that the peer had when it connected (`SO_PEERGROUPS`, socket(7)).
///
/// # Errors
/// That of `getsockopt`, such as for a socket that is not connected.
pub fn groups(socket: BorrowedFd<'_>) -> std::io::Result<Vec<u32>> {
    // A process may have 65,536 groups (NGROUPS_MAX); those who do are told to use one of the first.
    const MOST: usize = 4096;
    let mut groups = vec![0_u32; MOST];
    let mut size = libc::socklen_t::try_from(MOST * size_of::<u32>()).expect("16 KiB fit");
    // SAFETY: `groups` is valid for writes of `size` bytes, and the kernel writes no more than that.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERGROUPS,
            groups.as_mut_ptr().cast(),
            &mut size,
        )
    };
    if result != 0 {
        return Err(std::io::Error::last_os_error());
    }
    groups.truncate(size as usize / size_of::<u32>());
    Ok(groups)
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn a_peer_has_the_groups_of_its_process() {
        let (left, _right) = UnixStream::pair().unwrap();
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = |key: &str| status.lines().find_map(|line| line.strip_prefix(key)).unwrap();
        let numbers =
            |text: &str| text.split_whitespace().map(|n| n.parse().unwrap()).collect::<Vec<u32>>();
        assert_eq!(groups(left.as_fd()).unwrap(), numbers(line("Groups:")));
        let own = own();
        assert_eq!((own.uid, own.gid), (numbers(line("Uid:"))[1], numbers(line("Gid:"))[1]));
    }

    #[test]
    fn users() {
        let (left, _right) = UnixStream::pair().unwrap();
        assert_eq!(user(left.as_fd()).unwrap(), own().uid);
        assert_eq!(user_of("root"), Some(0));
        assert_eq!(user_of("no-such-user"), None);
        assert_eq!(user_of("ro\0ot"), None);
    }

    #[test]
    fn a_socket_without_peer_has_no_groups() {
        let folder = tempfile::tempdir().unwrap();
        let socket = std::os::unix::net::UnixDatagram::bind(folder.path().join("s")).unwrap();
        assert!(groups(socket.as_fd()).is_err());
    }
}
