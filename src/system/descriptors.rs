//! How many files and sockets this process may have open.

use std::io;

/// Raises the limit as far as the process may, and gives it. Service managers start programs with
/// 1024, for the sake of those that use select(2), and let them have many more.
///
/// # Errors
/// When the kernel does not say or does not allow it: things stay as they are.
pub fn raise_limit() -> io::Result<u64> {
    let mut limit = limit()?;
    if limit.rlim_cur < limit.rlim_max {
        limit.rlim_cur = limit.rlim_max;
        set_limit(limit)?;
    }
    Ok(limit.rlim_cur)
}

fn limit() -> io::Result<libc::rlimit> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the call writes one `rlimit`, to which the pointer leads.
    let result = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    if result == 0 { Ok(limit) } else { Err(io::Error::last_os_error()) }
}

fn set_limit(limit: libc::rlimit) -> io::Result<()> {
    // SAFETY: the call reads one `rlimit`, to which the pointer leads.
    let result = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_raised_as_far_as_it_goes() {
        let most = limit().unwrap().rlim_max;
        // Not so low that other tests want for files.
        set_limit(libc::rlimit { rlim_cur: most - 1, rlim_max: most }).unwrap();
        assert_eq!(raise_limit().unwrap(), most);
        assert_eq!(limit().unwrap().rlim_cur, most);
    }
}
