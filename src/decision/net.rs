//! Addresses and prefixes as people and logs write them.

use std::net::IpAddr;

use ipnet::IpNet;

use super::target::canonical;

/// Why a text is neither an address nor a prefix.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetError {
    /// Nothing was written.
    #[error("expected an address or a prefix, found nothing")]
    Empty,
    /// An address with a zone: it means something on one host's interface only.
    #[error("`{text}` names the zone `{zone}` of one host; leave out `%{zone}`")]
    Zone {
        /// What was written, cut.
        text: String,
        /// What follows the `%`, cut.
        zone: String,
    },
    /// The part behind the `/` is no prefix length.
    #[error("`{text}` has no valid prefix length: expected /0 to /{longest}")]
    Length {
        /// What was written, cut.
        text: String,
        /// The longest length that the address has.
        longest: u8,
    },
    /// Something else altogether.
    #[error(
        "`{text}` is neither an address such as `192.0.2.7` or `2001:db8::7` \
         nor a prefix such as `192.0.2.0/24`"
    )]
    Neither {
        /// What was written, cut.
        text: String,
    },
}

/// The longest text that is shown in a message.
const SHOWN: usize = 64;

/// Reads an address (as a /32 or /128) or a prefix, and gives it in canonical form: host bits
/// zero, IPv4-mapped IPv6 as IPv4.
///
/// # Errors
/// A [`NetError`] that says what is wrong; octets with leading zeros are refused, because
/// programs disagree on whether they are octal.
pub fn parse_net(text: &str) -> Result<IpNet, NetError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(NetError::Empty);
    }
    if let Some((_, zone)) = text.split_once('%') {
        return Err(NetError::Zone { text: shown(text), zone: shown(zone) });
    }
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (text, None),
    };
    let Ok(address) = address.parse::<IpAddr>() else {
        return Err(NetError::Neither { text: shown(text) });
    };
    let longest = if address.is_ipv4() { 32 } else { 128 };
    let wrong = || NetError::Length { text: shown(text), longest };
    let length = match length {
        None => longest,
        // `u8::from_str` takes `+8`.
        Some(digits) if digits.starts_with('+') => return Err(wrong()),
        Some(digits) => digits.parse().map_err(|_| wrong())?,
    };
    IpNet::new(address, length).map(canonical).map_err(|_| wrong())
}

/// Reads an address or prefix out of a log line: as [`parse_net`], but a zone is dropped, because
/// what a program wrote behind the `%` says nothing about who was there.
#[must_use]
pub fn parse_logged(text: &str) -> Option<IpNet> {
    // Hostile: the text is an attacker's; it is bounded by the length of a line.
    match text.split_once('%') {
        Some((address, _)) => parse_net(address).ok(),
        None => parse_net(text).ok(),
    }
}

/// A text as messages show it: control characters escaped, cut.
fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN).flat_map(char::escape_debug).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push_str("...");
    }
    shown
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let found = match parse_net(text) {
            Ok(net) => net.to_string(),
            Err(error) => error.to_string(),
        };
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn reads_addresses_and_prefixes() {
        check("203.0.113.7", "203.0.113.7/32");
        check(" 203.0.113.7\n", "203.0.113.7/32");
        check("203.0.113.7/24", "203.0.113.0/24");
        check("2001:DB8::7", "2001:db8::7/128");
        check("2001:db8::7/64", "2001:db8::/64");
        check("::ffff:203.0.113.7", "203.0.113.7/32");
        check("::ffff:203.0.113.7/120", "203.0.113.0/24");
        check("0.0.0.0/0", "0.0.0.0/0");
    }

    #[test]
    fn says_what_is_wrong() {
        let neither = |text: &str| {
            format!(
                "`{text}` is neither an address such as `192.0.2.7` or `2001:db8::7` \
                 nor a prefix such as `192.0.2.0/24`"
            )
        };
        check("", "expected an address or a prefix, found nothing");
        check(
            "fe80::1%eth0",
            "`fe80::1%eth0` names the zone `eth0` of one host; leave out `%eth0`",
        );
        check("10.0.0.0/33", "`10.0.0.0/33` has no valid prefix length: expected /0 to /32");
        check("10.0.0.0/", "`10.0.0.0/` has no valid prefix length: expected /0 to /32");
        check("10.0.0.0/+8", "`10.0.0.0/+8` has no valid prefix length: expected /0 to /32");
        check("::/129", "`::/129` has no valid prefix length: expected /0 to /128");
        check("::/999", "`::/999` has no valid prefix length: expected /0 to /128");
        check("example.com", &neither("example.com"));
        check("203.0.113", &neither("203.0.113"));
        check("203.0.113.007", &neither("203.0.113.007"));
        check("203.0.113.7:22", &neither("203.0.113.7:22"));
        check("[::1]", &neither("[::1]"));
        check("a\x1b[31m", &neither("a\\u{1b}[31m"));
        check(&"9".repeat(200), &neither(&format!("{}...", "9".repeat(64))));
    }

    #[test]
    fn a_logged_zone_is_dropped() {
        let logged = |text| parse_logged(text).map(|net| net.to_string());
        assert_eq!(logged("fe80::1%eth0").as_deref(), Some("fe80::1/128"));
        assert_eq!(logged("203.0.113.7").as_deref(), Some("203.0.113.7/32"));
        assert_eq!(logged("eth0%203.0.113.7"), None);
        assert_eq!(logged("unknown"), None);
    }

    proptest! {
        #[test]
        fn never_panics_and_reads_what_it_prints(text in "[0-9a-f:./%x ]{0,24}") {
            if let Ok(net) = parse_net(&text) {
                prop_assert_eq!(parse_net(&net.to_string()), Ok(net));
            }
            let _ = parse_logged(&text);
        }

        #[test]
        fn reads_every_address(address in any::<IpAddr>()) {
            let expected = canonical(IpNet::from(address));
            prop_assert_eq!(parse_net(&address.to_string()), Ok(expected));
        }
    }
}
