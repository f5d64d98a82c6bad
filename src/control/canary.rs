//! Test lines of `weir doctor`: announced before they are sent, looked for behind each stage, and
//! taken back with all that they left.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::answer::{Answer, net};
use super::message::Reply;
use crate::decide::Judge;
use crate::value::Time;

/// The scenario that takes canaries, and with it the reason of the decisions on them.
pub const CANARY_SCENARIO: &str = "weir/doctor";

/// A canary that is announced, or asked about when it was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CanaryAsked {
    /// Whom its line names: an address for documentation.
    pub address: String,
    /// What its line says: sixteen hexadecimal digits that nobody else knows.
    pub nonce: String,
}

/// How far a canary came.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CanarySeen {
    /// By which source it came; none when it did not come yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// What became of it: `unparsed`, `allowlisted`, `parsed` (and no scenario took it) or `poured`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// Whether its bucket overflowed, and the judge was told.
    pub overflowed: bool,
}

/// Whether an address is for documentation (RFC 5737, RFC 3849): nobody has it.
#[must_use]
pub fn is_for_documentation(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            matches!(address.octets(), [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _])
        }
        IpAddr::V6(address) => address.segments()[..2] == [0x2001, 0xdb8],
    }
}

/// Takes back what a canary led to.
pub(super) fn remove(judge: &mut Judge, target: &str, now: Time) -> Result<Answer, String> {
    let net: IpNet = net(target)?;
    let is_one = net.prefix_len() == net.max_prefix_len();
    if !is_one || !is_for_documentation(net.addr()) {
        return Err("expected the address of a canary".to_owned());
    }
    let changes = judge.undo(net, CANARY_SCENARIO, now).into_iter().collect();
    Ok(Answer { reply: Reply::Canary(CanarySeen::default()), changes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(address: &str, expected: bool) {
        assert_eq!(is_for_documentation(address.parse().expect("an address")), expected);
    }

    #[test]
    fn documentation() {
        check("192.0.2.255", true);
        check("198.51.100.0", true);
        check("203.0.113.7", true);
        check("2001:db8:ffff::1", true);
        check("192.0.3.1", false);
        check("203.0.112.7", false);
        check("2001:db9::1", false);
        check("::ffff:203.0.113.7", false);
    }
}
