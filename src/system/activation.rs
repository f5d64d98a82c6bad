//! Sockets that the service manager has opened for us (sd_listen_fds(3)).
//!
//! They outlive us: what arrives while Weir restarts waits in them. Connections that an earlier
//! process gave to the manager to keep come the same way.

use std::ops::Range;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};

/// The first descriptor that is passed (`SD_LISTEN_FDS_START`).
const FIRST: RawFd = 3;
/// More than this is not meant.
const MOST: RawFd = 16 * 1024;

/// A socket passed to us.
#[derive(Debug)]
pub struct Inherited {
    /// Its name, by `FileDescriptorName=` or after its unit; empty when it has none.
    pub name: String,
    /// The socket.
    pub socket: OwnedFd,
}

/// Whether the sockets were taken: each may have one owner only.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// Takes all sockets that were passed to this process; none when it was not started so, and none
/// the second time. To be called first of all, before anything else is opened.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the protocol passes its data in the environment")]
pub fn take() -> Vec<Inherited> {
    if TAKEN.swap(true, Ordering::Relaxed) {
        return Vec::new();
    }
    let variable = |name| std::env::var(name).unwrap_or_default();
    let descriptors = passed(std::process::id(), &variable("LISTEN_PID"), &variable("LISTEN_FDS"));
    let names = variable("LISTEN_FDNAMES");
    let mut names = names.split(':');
    descriptors
        .filter_map(|descriptor| {
            let name = names.next().unwrap_or_default().to_owned();
            // SAFETY: fcntl(2) on any number is harmless; it fails when it is no descriptor.
            let set = unsafe { libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC) };
            if set != 0 {
                return None;
            }
            // SAFETY: the descriptor is open. Whoever set the variables for this very process
            // passed it to us, and it is taken only once, so it has no other owner.
            let socket = unsafe { OwnedFd::from_raw_fd(descriptor) };
            Some(Inherited { name, socket })
        })
        .collect()
}

/// The descriptors meant for the process `own`.
fn passed(own: u32, pid: &str, count: &str) -> Range<RawFd> {
    let none = FIRST..FIRST;
    if pid.parse() != Ok(own) {
        return none;
    }
    match count.parse::<RawFd>() {
        Ok(count @ 1..=MOST) => FIRST..FIRST + count,
        _ => none,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pid: &str, count: &str, expected: Range<RawFd>) {
        assert_eq!(passed(42, pid, count), expected, "LISTEN_PID={pid} LISTEN_FDS={count}");
    }

    #[test]
    fn descriptors_are_ours_only_when_meant_for_us() {
        check("42", "1", 3..4);
        check("42", "3", 3..6);
        check("42", "0", 3..3);
        check("42", "-1", 3..3);
        check("42", "99999999999", 3..3);
        check("42", "16385", 3..3);
        check("42", "", 3..3);
        check("43", "1", 3..3);
        check("", "1", 3..3);
        check("x", "1", 3..3);
    }
}
