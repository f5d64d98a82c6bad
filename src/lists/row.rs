//! What a row of a table or an object says, by the names of its columns.

use super::{Entry, LONGEST_REASON};
use crate::decision::parse_net;
use crate::value::parse_duration_with_days;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    /// Whom to ban.
    Value,
    /// For how long, with units.
    Duration,
    /// For how many seconds.
    Seconds,
    /// Why.
    Reason,
    /// What to do.
    Action,
    /// What kind of value it is.
    Scope,
}

/// The names that lists have for their columns, in lower case; of several the first counts.
const NAMES: [(&str, Column); 22] = [
    ("value", Column::Value),
    ("target", Column::Value),
    ("ip", Column::Value),
    ("address", Column::Value),
    ("ip_address", Column::Value),
    ("ipaddress", Column::Value),
    ("cidr", Column::Value),
    ("range", Column::Value),
    ("net", Column::Value),
    ("network", Column::Value),
    ("prefix", Column::Value),
    ("remaining_seconds", Column::Seconds),
    ("seconds", Column::Seconds),
    ("duration", Column::Duration),
    ("for", Column::Duration),
    ("expiration", Column::Duration),
    ("reason", Column::Reason),
    ("scenario", Column::Reason),
    ("comment", Column::Reason),
    ("action", Column::Action),
    ("type", Column::Action),
    ("scope", Column::Scope),
];

impl Column {
    /// What a column of this name holds.
    pub(super) fn named(name: &str) -> Option<Self> {
        let name = name.trim();
        NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, column)| *column)
    }
}

/// The texts of a row that matter; empty ones are as good as none.
#[derive(Clone, Debug, Default)]
pub(super) struct Row<'t> {
    pub(super) value: Option<&'t str>,
    pub(super) duration: Option<&'t str>,
    pub(super) seconds: Option<&'t str>,
    pub(super) reason: Option<&'t str>,
    pub(super) action: Option<&'t str>,
    pub(super) scope: Option<&'t str>,
}

impl<'t> Row<'t> {
    /// Puts a text where it belongs, unless something is there.
    pub(super) fn set(&mut self, column: Column, text: &'t str) {
        let text = text.trim();
        let place = match column {
            Column::Value => &mut self.value,
            Column::Duration => &mut self.duration,
            Column::Seconds => &mut self.seconds,
            Column::Reason => &mut self.reason,
            Column::Action => &mut self.action,
            Column::Scope => &mut self.scope,
        };
        if place.is_none() && !text.is_empty() {
            *place = Some(text);
        }
    }

    /// Whom the row says to ban.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub(super) fn entry(&self, line: u32) -> Result<Entry, String> {
        if let Some(action) = self.action
            && !action.eq_ignore_ascii_case("ban")
        {
            return Err(format!("expected a ban, found `{}`", shown(action)));
        }
        if let Some(scope) = self.scope
            && !is_bannable(scope)
        {
            return Err(format!(
                "expected the scope `Ip` or `Range`, found `{}`: only addresses are banned",
                shown(scope)
            ));
        }
        let value = self.value.ok_or("expected an address or a prefix, found none")?;
        // CrowdSec's tables write the scope before the value.
        let value = match value.split_once(':') {
            Some((scope, value)) if is_bannable(scope) => value,
            _ => value,
        };
        let net = parse_net(value).map_err(|error| error.to_string())?;
        Ok(Entry { net, duration: self.length()?, reason: self.reason.map(plain), line })
    }

    fn length(&self) -> Result<Option<i64>, String> {
        let nanos = match (self.seconds, self.duration) {
            (Some(text), _) => {
                let seconds = text.parse::<i64>().ok().and_then(|s| s.checked_mul(1_000_000_000));
                seconds.ok_or_else(|| format!("expected whole seconds, found `{}`", shown(text)))?
            }
            (None, Some(text)) => {
                let digits = text.strip_prefix('-').unwrap_or(text);
                let nanos = parse_duration_with_days(digits).ok_or_else(|| {
                    let expected = "expected a span of time such as `90m`, `24h` or `7d`";
                    format!("{expected}, found `{}`", shown(text))
                })?;
                if digits.len() < text.len() { -nanos } else { nanos }
            }
            (None, None) => return Ok(None),
        };
        if nanos <= 0 {
            return Err("its time is up".to_owned());
        }
        Ok(Some(nanos))
    }
}

fn is_bannable(scope: &str) -> bool {
    scope.eq_ignore_ascii_case("ip") || scope.eq_ignore_ascii_case("range")
}

/// A reason on one line, of bounded length.
fn plain(text: &str) -> Box<str> {
    let one_line = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    one_line.take(LONGEST_REASON).collect()
}

/// A text as messages show it: escaped, cut.
pub(super) fn shown(text: &str) -> String {
    const SHOWN: usize = 64;
    let mut shown: String = text.chars().take(SHOWN).flat_map(char::escape_debug).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push_str("...");
    }
    shown
}
