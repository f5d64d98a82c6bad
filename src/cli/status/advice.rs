//! What to do about a problem that the daemon tells of.

/// Advice for problems that begin, and contain, such words. What says itself what to do has none.
const ADVICE: &[(&str, &str, &str)] = &[
    (
        "enforcement by ",
        ": starting",
        "wait some seconds; if it stays, the log says why: journalctl -u weir",
    ),
    (
        "enforcement by ",
        ": drift",
        "another program changed what is Weir's; it is being repaired. If it comes again and again: \
         which program flushes the firewall?",
    ),
    (
        "enforcement by ",
        "ermission",
        "Weir needs the right to change the firewall (CAP_NET_ADMIN): see AmbientCapabilities of its \
         unit; `weir doctor` looks at it",
    ),
    (
        "enforcement by ",
        ": failed",
        "bans are kept and carried out as soon as it works again, it is tried until then; `weir \
         doctor` looks for the cause",
    ),
    (
        "ledger: ",
        "",
        "bans hold, but would not outlive a crash: is the disk full or read-only? Writing is tried \
         again each second",
    ),
    ("no rules are loaded", "", "`weir check` tells the mistakes in the rules; then `weir reload`"),
    (
        "source ",
        "in use",
        "`ss -lntup` shows who listens there; `weir listen` can try another port",
    ),
    ("source ", "", "the source is tried again by itself; `weir doctor` sends a line through it"),
];

/// What to do about this problem, if that is known.
pub(super) fn advice(problem: &str) -> Option<&'static str> {
    let fits = |(begin, part, _): &&(&str, &str, &str)| {
        problem.starts_with(begin) && problem.contains(part)
    };
    ADVICE.iter().find(fits).map(|(_, _, advice)| *advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(problem: &str, part: Option<&str>) {
        let advice = advice(problem);
        assert!(
            match part {
                Some(part) => advice.is_some_and(|advice| advice.contains(part)),
                None => advice.is_none(),
            },
            "{problem}: {advice:?}"
        );
    }

    #[test]
    fn problems_come_with_what_to_do() {
        check("enforcement by nftables: starting", Some("wait"));
        check("enforcement by nftables: drift of 3 elements", Some("another program"));
        check("enforcement by nftables: failed: Operation not permitted", Some("as soon as"));
        check("enforcement by ipset: failed: Permission denied", Some("CAP_NET_ADMIN"));
        check(
            "ledger: 3 decisions are in memory only, the disk does not take them: x",
            Some("disk"),
        );
        check("source `udp`: cannot listen: Address already in use", Some("ss -lntup"));
        check("source `journal`: gone", Some("weir doctor"));
        // It says so itself.
        check("the brake is on: 500 bans; scenarios ban nobody until `weir brake release`", None);
        check("enforcement by nftables: off: emptied by `weir flush`, until …", None);
    }
}
