//! What this process may do, as the kernel reports it.

#![forbid(unsafe_code)]

/// The number of `CAP_NET_ADMIN` in `linux/capability.h`.
const NET_ADMIN: u32 = 12;

/// Whether this process has `CAP_NET_ADMIN` in effect; false when that cannot be read.
///
/// In a user namespace it may still not hold for the network at hand: opening the backend is what
/// tells for sure.
#[must_use]
pub fn net_admin() -> bool {
    std::fs::read_to_string("/proc/self/status")
        .is_ok_and(|status| effective(&status).is_some_and(|set| set & (1 << NET_ADMIN) != 0))
}

/// The effective capabilities in the text of `/proc/self/status`.
fn effective(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(line.trim(), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(status: &str, expected: Option<u64>) {
        assert_eq!(effective(status), expected);
    }

    #[test]
    fn effective_capabilities() {
        check("Name:\tweir\nCapPrm:\tff\nCapEff:\t0000000000001000\nCapBnd:\t0\n", Some(1 << 12));
        check("CapEff:\t000001ffffffffff\n", Some(0x1ff_ffff_ffff));
        check("CapEff:\tnothing\n", None);
        check("Name:\tCapEff\n", None);
        check("", None);
    }
}
