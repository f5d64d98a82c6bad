//! Friends by name: whoever has the addresses that a host name stands for.

use ipnet::IpNet;

use super::{Entry, EntryOrigin};
use crate::value::Time;

/// A host name whose addresses are friends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The name, in lower case and without a dot at its end.
    pub name: String,
    /// Why, for people.
    pub comment: String,
    /// When it ends; `None` is never.
    pub until: Option<Time>,
}

impl Named {
    /// The entry for one of the addresses that the name stands for.
    #[must_use]
    pub fn entry(&self, net: IpNet) -> Entry {
        let comment = match self.comment.as_str() {
            "" => self.name.clone(),
            comment => format!("{}: {comment}", self.name),
        };
        Entry { net, origin: EntryOrigin::Name, comment, until: self.until }
    }

    /// Whether an entry is one of this name's.
    #[must_use]
    pub fn has(&self, entry: &Entry) -> bool {
        // A name has no colon.
        let name = entry.comment.split(':').next().unwrap_or_default();
        entry.origin == EntryOrigin::Name && name == self.name
    }
}

/// Why a text is no host name that could be looked up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither an address, nor a prefix, nor a host name such as `home.example.org`")]
pub struct NotAName(String);

/// The longest name and the longest part of one (RFC 1035 §2.3.4).
const LONGEST: usize = 253;
const LONGEST_PART: usize = 63;
/// How much of what is no name is shown.
const SHOWN: usize = 64;

/// Reads a host name (RFC 1123 §2.1, and underscores, which some have), in lower case and without a
/// dot at its end.
///
/// # Errors
/// [`NotAName`]; a name has at least two parts and does not end in a number, so that what was
/// meant to be an address is no name.
pub fn parse_host(text: &str) -> Result<String, NotAName> {
    let name = text.trim().trim_end_matches('.').to_ascii_lowercase();
    let is_part = |part: &str| {
        (1..=LONGEST_PART).contains(&part.len())
            && !part.starts_with('-')
            && !part.ends_with('-')
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    let last = name.rsplit_once('.').map(|(_, last)| last);
    let ends_in_letters = last.is_some_and(|last| last.bytes().any(|b| b.is_ascii_alphabetic()));
    if name.len() <= LONGEST && ends_in_letters && name.split('.').all(is_part) {
        return Ok(name);
    }
    let shown = text.chars().take(SHOWN).flat_map(char::escape_debug).collect();
    Err(NotAName(shown))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(parse_host(text).ok().as_deref(), expected, "{text}");
    }

    #[test]
    fn names_and_what_is_none() {
        check("home.example.org", Some("home.example.org"));
        check(" Home.Example.ORG. ", Some("home.example.org"));
        check("my_box.dyn.example", Some("my_box.dyn.example"));
        check("3com.example", Some("3com.example"));
        check("xn--bcher-kva.example", Some("xn--bcher-kva.example"));
        check("203.0.113.300", None);
        check("localhost", None);
        check("", None);
        check("a..example", None);
        check("-a.example", None);
        check("a b.example", None);
        check("2001:db8::1", None);
        check(&format!("{}.example", "a".repeat(64)), None);
        check(&format!("{}example", "a.".repeat(130)), None);
        let error = parse_host("a\u{1b}b").unwrap_err().to_string();
        assert!(error.starts_with("`a\\u{1b}b` is neither"), "{error}");
    }

    #[test]
    fn entries_know_their_name() {
        let named = |name: &str, comment: &str| Named {
            name: name.to_owned(),
            comment: comment.to_owned(),
            until: None,
        };
        let net = "192.0.2.1/32".parse().unwrap();
        let entry = named("home.example", "bob: at home").entry(net);
        assert_eq!(entry.to_string(), "`192.0.2.1` (name: home.example: bob: at home)");
        assert!(named("home.example", "").has(&entry));
        assert!(named("home.example", "").has(&named("home.example", "").entry(net)));
        assert!(!named("home.example.org", "").has(&entry));
        let by_hand = Entry { origin: EntryOrigin::Operator, ..entry };
        assert!(!named("home.example", "").has(&by_hand));
    }

    proptest! {
        #[test]
        fn what_is_read_reads_the_same(text in "[ -~]{0,40}") {
            if let Ok(name) = parse_host(&text) {
                prop_assert_eq!(parse_host(&name), Ok(name.clone()));
            }
        }
    }
}
