//! How the kernel gives memory to this process.

use std::io;

/// Asks for pages of the usual size. Of huge ones, which the allocator would take, a daemon that
/// needs 15 MB holds 48.
///
/// # Errors
/// When the kernel cannot be asked: it then goes on as it likes.
pub fn without_huge_pages() -> io::Result<()> {
    let (on, none): (libc::c_ulong, libc::c_ulong) = (1, 0);
    // SAFETY: this call of prctl(2) takes numbers only, and no pointer.
    let result = unsafe { libc::prctl(libc::PR_SET_THP_DISABLE, on, none, none, none) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_says_that_it_does_so() {
        without_huge_pages().unwrap();
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("THP_enabled:"));
        assert!(line.is_none_or(|enabled| enabled.trim() == "0"), "{line:?}");
    }
}
