//! What another host decided, as the reason of a decision here: `NAME/ORIGIN: SCENARIO`, where NAME
//! is what our configuration calls it, and the rest is what it says of its decision.
//!
//! Must hold: what is written is read again as it was, whatever the other side says.

/// The longest origin and scenario that are kept, in bytes.
const LONGEST: usize = 160;

/// A reason, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemoteReason<'t> {
    /// What our configuration calls the other side.
    pub remote: &'t str,
    /// Who asked for it there, such as `crowdsec` or `lists:firehol`.
    pub origin: &'t str,
    /// Why, as it says.
    pub scenario: &'t str,
}

impl<'t> RemoteReason<'t> {
    /// Takes a reason apart; `None` when it is none of a remote's.
    #[must_use]
    pub fn read(reason: &'t str) -> Option<Self> {
        let (remote, said) = reason.split_once('/')?;
        let (origin, scenario) = said.split_once(": ").unwrap_or((said, ""));
        Some(Self { remote, origin, scenario })
    }

    /// As the ledger keeps it: on one line, and cut. Hostile: the other side may say anything.
    #[must_use]
    pub fn text(&self) -> String {
        let plain = |text: &str| -> String {
            let end = text.floor_char_boundary(LONGEST.min(text.len()));
            let text = text.get(..end).unwrap_or_default();
            text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
        };
        let mut origin = plain(self.origin);
        origin.retain(|c| !c.is_whitespace());
        format!("{}/{origin}: {}", self.remote, plain(self.scenario))
    }
}

/// Whether a reason is of the remote of this name.
#[must_use]
pub fn is_of_remote(reason: &str, remote: &str) -> bool {
    RemoteReason::read(reason).is_some_and(|reason| reason.remote == remote)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(origin: &str, scenario: &str, expected: &str) {
        let reason = RemoteReason { remote: "hq", origin, scenario };
        assert_eq!(reason.text(), expected);
    }

    #[test]
    fn reasons_name_who_where_and_why() {
        check("crowdsec", "crowdsecurity/ssh-bf", "hq/crowdsec: crowdsecurity/ssh-bf");
        check("lists:fire hol", "a: b", "hq/lists:firehol: a: b");
        check("", "\u{1b}[31m\n", "hq/: ?[31m?");
        let read = RemoteReason::read("hq/lists:firehol: a: b").unwrap();
        assert_eq!((read.remote, read.origin, read.scenario), ("hq", "lists:firehol", "a: b"));
        assert!(is_of_remote("hq/cscli: x", "hq") && !is_of_remote("hq2/cscli: x", "hq"));
        assert_eq!(RemoteReason::read("spamhaus"), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(origin in "\\PC{0,200}", scenario in ".{0,300}") {
            let text = RemoteReason { remote: "hq", origin: &origin, scenario: &scenario }.text();
            prop_assert!(!text.contains('\n') && text.len() <= 2 * LONGEST + 8);
            let read = RemoteReason::read(&text).unwrap();
            prop_assert_eq!(read.text(), text.clone());
            prop_assert_eq!(read.remote, "hq");
        }
    }
}
