//! Which entries are wanted, in the journal's own words.

#![forbid(unsafe_code)]

use crate::intake::spec::Journal;

/// The fields that entries must have, `NAME=text` each. Of several with one name any will do; of
/// several names all must be there. `journalctl` takes them as arguments and the library as matches.
///
/// A unit's entries are those of its processes. What the service manager says about a unit is not
/// among them: its unit is `init.scope`.
pub(super) fn matches(wanted: &Journal) -> Vec<String> {
    let units = wanted.units.iter().map(|unit| format!("_SYSTEMD_UNIT={unit}"));
    let identifiers = wanted.identifiers.iter().map(|name| format!("SYSLOG_IDENTIFIER={name}"));
    let priorities = wanted.priority.map_or(0..0, |least| 0..least + 1);
    let priorities = priorities.map(|priority| format!("PRIORITY={priority}"));
    units.chain(identifiers).chain(priorities).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_field_for_each() {
        let mut wanted = Journal::default();
        assert!(matches(&wanted).is_empty());
        wanted.units = vec!["ssh.service".to_owned(), "nginx.service".to_owned()];
        wanted.identifiers = vec!["sudo".to_owned()];
        wanted.priority = Some(1);
        let expected = [
            "_SYSTEMD_UNIT=ssh.service",
            "_SYSTEMD_UNIT=nginx.service",
            "SYSLOG_IDENTIFIER=sudo",
            "PRIORITY=0",
            "PRIORITY=1",
        ];
        assert_eq!(matches(&wanted), expected);
    }
}
