//! What threads of this process may do.
//!
//! Capabilities belong to threads (capabilities(7)): one that gives up a right gives it up for
//! itself and for those threads and programs that it starts from then on, and for nobody else.

use std::io;

/// The number of `CAP_NET_ADMIN` in `linux/capability.h`.
const NET_ADMIN: u32 = 12;
/// `_LINUX_CAPABILITY_VERSION_3`: sets of 64 bits, each in two halves.
const VERSION_3: u32 = 0x2008_0522;

/// `struct __user_cap_header_struct`.
#[repr(C)]
struct Header {
    version: u32,
    /// 0 is the calling thread.
    thread: libc::c_int,
}

/// `struct __user_cap_data_struct`: one half of the sets, the lower first.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Sets {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// Takes `CAP_NET_ADMIN` from the calling thread: it cannot change the firewall any more, nor can
/// whatever it starts from now on. Other rights, such as that to ports below 1024, stay.
///
/// # Errors
/// What the system says; the thread is then as it was.
pub fn renounce_net_admin() -> io::Result<()> {
    let mut header = Header { version: VERSION_3, thread: 0 };
    let mut sets = [Sets::default(); 2];
    // SAFETY: both point to what version 3 of capget(2) writes: a header and two halves of sets,
    // which live through the call.
    if unsafe { libc::syscall(libc::SYS_capget, &raw mut header, sets.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let [low, _] = &mut sets;
    let all = low.effective | low.permitted | low.inheritable;
    if all & (1 << NET_ADMIN) == 0 {
        return Ok(());
    }
    for set in [&mut low.effective, &mut low.permitted, &mut low.inheritable] {
        *set &= !(1 << NET_ADMIN);
    }
    // What is neither permitted nor inheritable is not ambient either: the kernel sees to that.
    // SAFETY: as above; capset(2) only reads.
    if unsafe { libc::syscall(libc::SYS_capset, &raw mut header, sets.as_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sets of the calling thread: effective, permitted, inheritable, ambient.
    fn sets() -> [u64; 4] {
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        ["CapEff:", "CapPrm:", "CapInh:", "CapAmb:"].map(|name| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            u64::from_str_radix(line.trim(), 16).unwrap()
        })
    }

    #[test]
    fn one_right_goes_for_one_thread_and_those_it_starts() {
        let before = sets();
        let without = before.map(|set| set & !(1 << NET_ADMIN));
        std::thread::spawn(move || {
            renounce_net_admin().unwrap();
            assert_eq!(sets(), without);
            std::thread::spawn(move || assert_eq!(sets(), without)).join().unwrap();
            renounce_net_admin().unwrap();
        })
        .join()
        .unwrap();
        assert_eq!(sets(), before);
    }
}
