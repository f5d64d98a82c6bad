//! Whether somebody keeps this machine's clock right.

/// The kernel's word for a clock that nobody sets (`TIME_ERROR`, adjtimex(2)).
const UNSYNCHRONISED: libc::c_int = 5;

/// Whether the clock is synchronised, as the kernel was told by whoever does it; `None` where it may
/// not be asked.
#[must_use]
pub fn is_synchronised() -> Option<bool> {
    // SAFETY: all zeroes is a valid `timex`, and asks for nothing to be changed.
    let mut found = unsafe { std::mem::zeroed::<libc::timex>() };
    // SAFETY: `found` is valid for reads and writes, and outlives the call.
    let state = unsafe { libc::adjtimex(&raw mut found) };
    (state >= 0).then_some(state != UNSYNCHRONISED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_asked_the_same_twice() {
        assert_eq!(is_synchronised(), is_synchronised());
    }
}
