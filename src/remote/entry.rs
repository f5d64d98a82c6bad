//! One decision as a local API tells it. Pure.
//!
//! Hostile: the other side may be broken or taken over. What is not understood is counted by the
//! reason and passed over; it never keeps the rest from being understood.

use ipnet::IpNet;
use serde::Deserialize;

use crate::decision::{RemoteReason, parse_net};
use crate::value::parse_duration;

/// What the other side tells apart: a prefix, and how it wrote it where that is not the usual way.
pub type Key = (IpNet, Box<str>);

/// The words for what is passed over.
pub const SKIPPED: [&str; 5] = ["malformed", "scope", "type", "simulated", "over"];

/// The longest value of an entry that is looked at, in bytes.
const LONGEST_VALUE: usize = 256;

#[derive(Deserialize)]
struct Raw {
    #[serde(default)]
    origin: Option<String>,
    #[serde(rename = "type")]
    kind: String,
    scope: String,
    value: String,
    #[serde(default)]
    duration: Option<String>,
    #[serde(default)]
    scenario: Option<String>,
    #[serde(default)]
    simulated: Option<bool>,
}

/// A decision that is to be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) key: Key,
    /// In nanoseconds, above 0.
    pub(super) duration: i64,
    /// As the ledger keeps it.
    pub(super) reason: String,
}

/// Whose entries, and which.
pub(super) struct Reading<'a> {
    pub(super) remote: &'a str,
    /// Types that are taken, in any case.
    pub(super) types: &'a [String],
}

impl Reading<'_> {
    /// An entry of `new`.
    ///
    /// # Errors
    /// Why it is passed over: one of [`SKIPPED`].
    pub(super) fn wanted(&self, bytes: &[u8]) -> Result<Entry, &'static str> {
        let raw: Raw = serde_json::from_slice(bytes).map_err(|_| "malformed")?;
        let key = self.key(&raw)?;
        if raw.simulated == Some(true) {
            return Err("simulated");
        }
        let duration = raw.duration.as_deref().and_then(parse_duration).ok_or("malformed")?;
        if duration <= 0 {
            return Err("over");
        }
        let reason = RemoteReason {
            remote: self.remote,
            origin: raw.origin.as_deref().unwrap_or_default(),
            scenario: raw.scenario.as_deref().unwrap_or_default(),
        };
        Ok(Entry { key, duration, reason: reason.text() })
    }

    /// An entry of `deleted`.
    ///
    /// # Errors
    /// Why it is passed over: one of [`SKIPPED`].
    pub(super) fn gone(&self, bytes: &[u8]) -> Result<Key, &'static str> {
        self.key(&serde_json::from_slice(bytes).map_err(|_| "malformed")?)
    }

    fn key(&self, raw: &Raw) -> Result<Key, &'static str> {
        if raw.value.len() > LONGEST_VALUE || raw.kind.len() > LONGEST_VALUE {
            return Err("malformed");
        }
        let is_range = raw.scope.eq_ignore_ascii_case("range");
        if !is_range && !raw.scope.eq_ignore_ascii_case("ip") {
            return Err("scope");
        }
        let kind = self.types.iter().position(|kind| kind.eq_ignore_ascii_case(&raw.kind));
        let kind = kind.ok_or("type")?;
        let net = parse_net(&raw.value).map_err(|_| "malformed")?;
        let is_host = net.prefix_len() == net.max_prefix_len();
        let usual = if is_host { net.addr().to_string() } else { net.to_string() };
        let written = match kind == 0 && is_range != is_host && raw.value == usual {
            true => String::new(),
            false => format!("{kind} {} {}", u8::from(is_range), raw.value),
        };
        Ok((net, written.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(entry: &str, expected: Result<(&str, &str, i64, &str), &str>) {
        let types = ["ban".to_owned(), "captcha".to_owned()];
        let read = Reading { remote: "hq", types: &types }.wanted(entry.as_bytes());
        let net = read.as_ref().map(|entry| entry.key.0.to_string()).unwrap_or_default();
        let shown = match &read {
            Ok(entry) => {
                Ok((&*net, &*entry.key.1, entry.duration / 1_000_000_000, entry.reason.as_str()))
            }
            Err(why) => Err(*why),
        };
        assert_eq!(shown, expected, "{entry}");
    }

    fn entry(kind: &str, scope: &str, value: &str, duration: &str) -> String {
        format!(
            r#"{{"duration":"{duration}","id":1,"origin":"CAPI","scenario":"crowdsecurity/ssh-bf",
            "scope":"{scope}","type":"{kind}","uuid":"x","value":"{value}"}}"#
        )
    }

    const REASON: &str = "hq/CAPI: crowdsecurity/ssh-bf";

    #[test]
    fn entries_as_they_were_seen() {
        let ban = |scope: &str, value: &str| entry("ban", scope, value, "3h59m59s");
        check(&ban("Ip", "192.0.2.7"), Ok(("192.0.2.7/32", "", 14_399, REASON)));
        check(&ban("ip", "2001:db8::7"), Ok(("2001:db8::7/128", "", 14_399, REASON)));
        check(&ban("Range", "192.0.2.0/24"), Ok(("192.0.2.0/24", "", 14_399, REASON)));
        check(&entry("BAN", "Ip", "192.0.2.7", "9.7s"), Ok(("192.0.2.7/32", "", 9, REASON)));
        // The same prefix, written or meant otherwise, is told apart.
        check(
            &ban("Range", "192.0.2.7/32"),
            Ok(("192.0.2.7/32", "0 1 192.0.2.7/32", 14_399, REASON)),
        );
        check(
            &ban("Range", "192.0.2.7/24"),
            Ok(("192.0.2.0/24", "0 1 192.0.2.7/24", 14_399, REASON)),
        );
        check(
            &ban("Ip", "::ffff:192.0.2.7"),
            Ok(("192.0.2.7/32", "0 0 ::ffff:192.0.2.7", 14_399, REASON)),
        );
        check(
            &entry("captcha", "Ip", "192.0.2.7", "1s"),
            Ok(("192.0.2.7/32", "1 0 192.0.2.7", 1, REASON)),
        );
    }

    #[test]
    fn what_is_passed_over() {
        check(&entry("throttle", "Ip", "192.0.2.7", "1s"), Err("type"));
        check(&entry("ban", "Country", "FR", "1s"), Err("scope"));
        check(&entry("ban", "AS", "64496", "1s"), Err("scope"));
        check(&entry("ban", "Ip", "192.0.2.7", "0s"), Err("over"));
        check(&entry("ban", "Ip", "192.0.2.7", "-1m30s"), Err("over"));
        for duration in ["", "7d", "1", "h", "9999999999h", "1h-1s"] {
            check(&entry("ban", "Ip", "192.0.2.7", duration), Err("malformed"));
        }
        for value in ["", "example.com", "192.0.2.300", "192.0.2.0/33", "fe80::1%eth0"] {
            check(&entry("ban", "Ip", value, "1s"), Err("malformed"));
        }
        check(r#"{"type":"ban","scope":"Ip","value":7,"duration":"1s"}"#, Err("malformed"));
        check(r#"{"type":"ban","scope":"Ip","value":"192.0.2.7"}"#, Err("malformed"));
        check(
            r#"{"type":"ban","scope":"Ip","value":"192.0.2.7","duration":14400}"#,
            Err("malformed"),
        );
        check(r#"{"scope":"Ip","value":"192.0.2.7","duration":"1s"}"#, Err("malformed"));
        check(r#"{"type":"ban""#, Err("malformed"));
        check(
            r#"{"type":"ban","scope":"Ip","value":"192.0.2.7","duration":"1s","simulated":true}"#,
            Err("simulated"),
        );
        // Origin and scenario may be missing: somebody is banned all the same.
        check(
            r#"{"type":"ban","scope":"Ip","value":"192.0.2.7","duration":"1s","origin":null}"#,
            Ok(("192.0.2.7/32", "", 1, "hq/: ")),
        );
    }
}
