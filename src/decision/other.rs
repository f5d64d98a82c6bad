//! What is decided and not carried out here: other measures than a ban, and bans of what is no
//! address. Bouncers fetch it and act on it; the kernel never hears of it.
//!
//! Invariant: the parts are bounded, hold no control characters, and are never a ban of addresses,
//! which only a [`super::Target`] can be.

use std::fmt::Write as _;

use ipnet::IpNet;
use percent_encoding::percent_decode_str;

use super::net::parse_net;

/// The longest type and scope, in bytes.
const LONGEST_WORD: usize = 64;
/// The longest value, in bytes.
const LONGEST_VALUE: usize = 255;

/// What bouncers are to do, and to whom.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Other {
    kind: String,
    scope: String,
    value: String,
    net: Option<IpNet>,
}

/// Why something is no such decision.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotOther {
    /// A part is missing, or too long, or has control characters.
    #[error("expected 1 to {longest} bytes without control characters as {part} of a decision")]
    Part {
        /// `type`, `scope` or `value`.
        part: &'static str,
        /// How many bytes it may have.
        longest: usize,
    },
    /// It says that it is about addresses, and is not.
    #[error("expected an address or a prefix as value of scope {scope}: {why}")]
    Address {
        /// `Ip` or `Range`.
        scope: String,
        /// What is wrong with it.
        why: String,
    },
    /// It is a ban of addresses: those go through the allowlist and into the kernel.
    #[error("a ban of addresses is carried out here, not by bouncers alone")]
    Ban,
}

impl Other {
    /// A decision of this type on this value. Scopes that everybody knows are taken in any case.
    ///
    /// Hostile: all three may be a stranger's words.
    ///
    /// # Errors
    /// [`NotOther`].
    pub fn new(kind: &str, scope: &str, value: &str) -> Result<Self, NotOther> {
        let parts = [
            ("type", kind, LONGEST_WORD),
            ("scope", scope, LONGEST_WORD),
            ("value", value, LONGEST_VALUE),
        ];
        for (part, text, longest) in parts {
            if text.is_empty() || text.len() > longest || text.chars().any(char::is_control) {
                return Err(NotOther::Part { part, longest });
            }
        }
        let scope = usual_scope(scope);
        if !matches!(scope, "Ip" | "Range") {
            let (kind, scope, value) = (kind.to_owned(), scope.to_owned(), value.to_owned());
            return Ok(Self { kind, scope, value, net: None });
        }
        if kind.eq_ignore_ascii_case("ban") {
            return Err(NotOther::Ban);
        }
        let net = parse_net(value).map_err(|error| NotOther::Address {
            scope: scope.to_owned(),
            why: error.to_string(),
        })?;
        let (scope, value) = scope_and_value(net);
        Ok(Self { kind: kind.to_owned(), scope: scope.to_owned(), value, net: Some(net) })
    }

    /// What is to be done: `captcha`, `throttle`, `ban`.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// What the value is: `Ip`, `Range`, `Country`, `AS`, or a word of somebody's own.
    #[must_use]
    pub fn scope(&self) -> &str {
        &self.scope
    }

    /// Whom it is about.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The prefix that it is about, if it is about one.
    #[must_use]
    pub fn net(&self) -> Option<IpNet> {
        self.net
    }

    /// `TYPE/SCOPE/VALUE`, which is read back by [`Other::of_key`], and which is never a prefix.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}/{}", escaped(&self.kind), self.subject())
    }

    /// `SCOPE/VALUE`: what is behind the type in [`Other::key`].
    #[must_use]
    pub fn subject(&self) -> String {
        format!("{}/{}", escaped(&self.scope), escaped(&self.value))
    }

    /// What [`Other::subject`] is of a prefix.
    #[must_use]
    pub fn subject_of(net: IpNet) -> String {
        let (scope, value) = scope_and_value(net);
        format!("{scope}/{}", escaped(&value))
    }

    /// The decision that has this key.
    #[must_use]
    pub fn of_key(key: &str) -> Option<Self> {
        let mut parts = key.split('/').map(|part| percent_decode_str(part).decode_utf8().ok());
        let (kind, scope, value) = (parts.next()??, parts.next()??, parts.next()??);
        let other = Self::new(&kind, &scope, &value).ok()?;
        (other.key() == key).then_some(other)
    }
}

/// A scope as decisions have it: those that everybody knows in any case, others as they are.
#[must_use]
pub fn usual_scope(name: &str) -> &str {
    let known = [("ip", "Ip"), ("range", "Range"), ("country", "Country"), ("as", "AS")];
    let found = known.iter().find(|(lower, _)| name.eq_ignore_ascii_case(lower));
    found.map_or(name, |(_, usual)| usual)
}

/// A prefix in words that bouncers know: one address is `Ip`, several are `Range`.
#[must_use]
pub fn scope_and_value(net: IpNet) -> (&'static str, String) {
    match net.prefix_len() == net.max_prefix_len() {
        true => ("Ip", net.addr().to_string()),
        false => ("Range", net.to_string()),
    }
}

/// Without slashes, so that a key has exactly two.
fn escaped(part: &str) -> String {
    let mut text = String::with_capacity(part.len());
    for sign in part.chars() {
        match sign {
            '%' | '/' => write!(text, "%{:02X}", u32::from(sign)).expect("a string takes all"),
            _ => text.push(sign),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(parts: [&str; 3], key: &str) {
        let other = Other::new(parts[0], parts[1], parts[2]).unwrap();
        assert_eq!(other.key(), key);
        assert_eq!(Other::of_key(key), Some(other));
    }

    #[test]
    fn keys_say_all_and_are_read_back() {
        check(["captcha", "ip", "203.0.113.7"], "captcha/Ip/203.0.113.7");
        check(["captcha", "Range", "203.0.113.7/24"], "captcha/Range/203.0.113.0%2F24");
        check(["captcha", "range", "::ffff:203.0.113.7"], "captcha/Ip/203.0.113.7");
        check(["ban", "country", "FR"], "ban/Country/FR");
        check(["ban", "as", "64500"], "ban/AS/64500");
        check(["Throttle", "user name", "50%/a"], "Throttle/user name/50%25%2Fa");
        check(["203.0.113.7", "24", "8"], "203.0.113.7/24/8");
        assert_eq!(
            Other::subject_of("2001:db8::/48".parse().unwrap()),
            Other::new("captcha", "Ip", "2001:db8::/48").unwrap().subject()
        );
    }

    #[track_caller]
    fn refused(parts: [&str; 3], why: &str) {
        let refused = Other::new(parts[0], parts[1], parts[2]).unwrap_err();
        assert!(refused.to_string().contains(why), "{refused}");
    }

    #[test]
    fn what_bouncers_cannot_use_is_refused() {
        refused(["ban", "ip", "203.0.113.7"], "carried out here");
        refused(["BAN", "Range", "203.0.113.0/24"], "carried out here");
        refused(["captcha", "IP", "203.0.113.07"], "expected an address");
        refused(["captcha", "ip", "example.org"], "expected an address");
        refused(["", "Country", "FR"], "as type");
        refused(["ban", "", "FR"], "as scope");
        refused(["ban", "Country", ""], "as value");
        refused(["ban", "Country", "F\nR"], "as value");
        refused(["ban", &"x".repeat(65), "FR"], "1 to 64 bytes");
        refused(["ban", "user", &"x".repeat(256)], "1 to 255 bytes");
    }

    #[test]
    fn other_texts_are_no_keys() {
        for text in ["", "203.0.113.7/32", "a/b", "a/b/c/d", "a/b/%zz", "a//c", "captcha/ip/x"] {
            assert_eq!(Other::of_key(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_key_is_a_prefix(parts in [
            prop_oneof!["[0-9a-f:./%]{1,12}", "\\PC{1,20}"],
            prop_oneof!["[0-9/]{1,3}", "\\PC{1,20}"],
            prop_oneof!["[0-9/%]{1,3}", "\\PC{1,20}"],
        ]) {
            if let Ok(other) = Other::new(&parts[0], &parts[1], &parts[2]) {
                let key = other.key();
                prop_assert!(parse_net(&key).is_err());
                prop_assert_eq!(key.matches('/').count(), 2);
                prop_assert_eq!(Other::of_key(&key), Some(other));
            }
        }
    }
}
