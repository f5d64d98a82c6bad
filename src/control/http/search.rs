//! What somebody means who types into the search of the bans. Pure.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::decision::parse_net;

/// What is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Meant {
    /// Everything.
    All,
    /// An address or a prefix: what is on it, in it, or around it.
    Net(String),
    /// A part of a reason.
    Reason(String),
}

/// An address, the beginning of one, a prefix, or words of a reason.
pub(super) fn meant(text: &str) -> Meant {
    let text = text.trim();
    if text.is_empty() {
        return Meant::All;
    }
    if parse_net(text).is_ok() {
        return Meant::Net(text.to_owned());
    }
    let net = begun_v4(text).or_else(|| begun_v6(text));
    net.map_or_else(|| Meant::Reason(text.to_owned()), Meant::Net)
}

/// `203.0.` is `203.0.0.0/16`; a number without a point is none.
fn begun_v4(text: &str) -> Option<String> {
    let begun = text.strip_suffix('.').unwrap_or(text);
    let mut octets = [0; 4];
    let mut count = 0;
    for part in begun.split('.') {
        *octets.get_mut(count)? = part.parse::<u8>().ok().filter(|_| !part.starts_with('+'))?;
        count += 1;
    }
    let is_begun = text.contains('.') && count < 4;
    is_begun.then(|| format!("{}/{}", Ipv4Addr::from(octets), 8 * count))
}

/// `2001:db8:7` is `2001:db8:7::/48`.
fn begun_v6(text: &str) -> Option<String> {
    if text.contains("::") {
        return None;
    }
    let begun = text.strip_suffix(':').unwrap_or(text);
    let mut groups = [0; 8];
    let mut count = 0;
    for part in begun.split(':') {
        let is_group = (1..=4).contains(&part.len()) && !part.starts_with('+');
        *groups.get_mut(count)? = u16::from_str_radix(part, 16).ok().filter(|_| is_group)?;
        count += 1;
    }
    let is_begun = text.contains(':') && count < 8;
    is_begun.then(|| format!("{}/{}", Ipv6Addr::from(groups), 16 * count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn net(text: &str, expected: &str) {
        assert_eq!(meant(text), Meant::Net(expected.to_owned()), "{text}");
    }

    #[track_caller]
    fn reason(text: &str) {
        assert_eq!(meant(text), Meant::Reason(text.trim().to_owned()), "{text}");
    }

    #[test]
    fn addresses_and_their_beginnings_are_networks() {
        net("203.0.113.7", "203.0.113.7");
        net(" 203.0.113.0/24 ", "203.0.113.0/24");
        net("203.", "203.0.0.0/8");
        net("203.0", "203.0.0.0/16");
        net("203.0.113.", "203.0.113.0/24");
        net("2001:db8::7", "2001:db8::7");
        net("2001:", "2001::/16");
        net("2001:db8", "2001:db8::/32");
        net("2001:DB8:7:", "2001:db8:7::/48");
    }

    #[test]
    fn all_else_is_a_reason() {
        reason("ssh-bf");
        reason("crowdsecurity/ssh");
        reason("203");
        reason("203.0.113.7.9");
        reason("203.0.999.");
        reason("+3.0.");
        reason("a.b");
        reason("1.2.3.4.5.");
        reason("ssh:");
        reason("12345:");
        reason("<img src=x>");
        assert_eq!(meant("  "), Meant::All);
    }
}
