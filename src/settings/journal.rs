//! `journal:` of a source – whose entries of systemd's journal are wanted.

use std::path::PathBuf;

use crate::intake::spec::{Journal, Since, Through};
use crate::yaml::{Fields, Spanned};

/// Keys that say what is wanted of a journal.
const KEYS: [&str; 5] = ["units", "identifiers", "priority", "since", "reader"];

/// The names of priorities, the most urgent first (syslog(3)).
const PRIORITIES: [&str; 8] =
    ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];

/// What units are; a name without such an end is a service.
const UNITS: [&str; 11] = [
    ".service",
    ".socket",
    ".device",
    ".mount",
    ".automount",
    ".swap",
    ".target",
    ".path",
    ".timer",
    ".slice",
    ".scope",
];

/// Reads the keys of a journal.
pub(super) fn read(fields: &mut Fields<'_, '_>) -> Option<Spanned<Journal>> {
    let expected = "`system` or the path of a folder";
    let place = fields.parsed("journal", expected, |text| match text {
        "system" => Ok(None),
        path if path.starts_with('/') && !path.contains('\0') => Ok(Some(PathBuf::from(path))),
        _ => Err("a path begins with `/`".to_owned()),
    });
    let units = names(fields, "units", unit);
    let identifiers = names(fields, "identifiers", |name| match name {
        "" => Err("a name is expected".to_owned()),
        name => Ok(name.to_owned()),
    });
    let expected = "a priority such as `info`, or its number, 0 to 7";
    let priority =
        fields.parsed("priority", expected, |text| priority(text).ok_or_else(String::new));
    let since = fields
        .choice("since", &[("now", Since::Now), ("boot", Since::Boot), ("oldest", Since::Oldest)]);
    let through = fields
        .choice("reader", &[("library", Through::Library), ("journalctl", Through::Journalctl)]);
    let Some(place) = place else {
        if fields.key_span("journal").is_none() {
            for key in KEYS {
                if let Some(span) = fields.key_span(key) {
                    fields.report(span, "useless-key", format!("`{key}` is for `journal` only"));
                }
            }
        }
        return None;
    };
    Some(place.map(|folder| Journal {
        folder,
        units,
        identifiers,
        priority: priority.map(|found| found.value),
        since: since.map(|found| found.value).unwrap_or_default(),
        through: through.map(|found| found.value).unwrap_or_default(),
    }))
}

fn names(
    fields: &mut Fields<'_, '_>,
    key: &'static str,
    read: impl Fn(&str) -> Result<String, String>,
) -> Vec<String> {
    let mut names = Vec::new();
    for text in fields.text_list(key) {
        match read(text.value) {
            Ok(name) => names.push(name),
            Err(mistake) => fields.report(text.span, "wrong-value", mistake),
        }
    }
    names
}

/// The whole name of a unit.
fn unit(name: &str) -> Result<String, String> {
    if name.contains(['*', '?', '[']) {
        return Err(format!("`{name}`: patterns of units cannot be matched; name each unit"));
    }
    if name.is_empty() || name.contains(['/', ' ', '\0']) {
        return Err(format!("`{name}` cannot name a unit, such as `ssh` or `ssh.service`"));
    }
    let is_whole = UNITS.iter().any(|end| name.ends_with(end));
    Ok(if is_whole { name.to_owned() } else { format!("{name}.service") })
}

fn priority(text: &str) -> Option<u8> {
    let name = match text {
        "error" => "err",
        "warn" => "warning",
        "panic" => "emerg",
        name => name,
    };
    let named = PRIORITIES.iter().position(|known| *known == name);
    let number = named.or_else(|| text.parse().ok())?;
    u8::try_from(number).ok().filter(|number| *number <= 7)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units() {
        for (name, whole) in [
            ("ssh", "ssh.service"),
            ("ssh.service", "ssh.service"),
            ("getty@tty1", "getty@tty1.service"),
            ("docker.socket", "docker.socket"),
            ("php8.2-fpm", "php8.2-fpm.service"),
        ] {
            assert_eq!(unit(name).as_deref(), Ok(whole));
        }
        for wrong in ["", "a b", "ssh*", "/dev/sda"] {
            assert!(unit(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn priorities() {
        for (text, number) in
            [("info", Some(6)), ("err", Some(3)), ("error", Some(3)), ("0", Some(0)), ("8", None)]
        {
            assert_eq!(priority(text), number, "{text}");
        }
    }
}
