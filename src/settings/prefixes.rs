//! `prefixes:` – which addresses count as one, and how wide bans become.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use super::quantity::{duration, percent};
use super::section::{At, at, is_off, later, switch};
use crate::diagnostic::{Diagnostic, UserFile};
use crate::yaml::{Fields, Node};

/// A length, and how many must offend in a prefix of it.
pub type Level = (u8, usize);

/// Which addresses count as one, and how wide bans become.
#[derive(Clone, Debug, PartialEq)]
pub struct Prefixes {
    /// The length of the IPv6 prefixes that scenarios count as one address; `None` for none.
    pub count: Option<u8>,
    /// The levels of IPv4.
    pub ipv4: Vec<Level>,
    /// The levels of IPv6.
    pub ipv6: Vec<Level>,
    /// For how long an offence counts towards a level.
    pub within: Duration,
    /// When banned neighbours become one prefix; `None` for never.
    pub merge: Option<Merge>,
}

/// When banned neighbours become one prefix.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Merge {
    /// The part of it that must be banned, above 0 and up to 1.
    pub at: f64,
    /// The shortest IPv4 prefix that is made.
    pub widest: u8,
    /// The shortest IPv6 prefix that is made.
    pub widest_ipv6: u8,
}

impl Default for Prefixes {
    fn default() -> Self {
        Self {
            count: Some(64),
            ipv4: Vec::new(),
            ipv6: vec![(64, 2), (56, 4), (48, 16)],
            within: Duration::from_secs(86_400),
            merge: None,
        }
    }
}

impl Default for Merge {
    fn default() -> Self {
        Self { at: 0.5, widest: 24, widest_ipv6: 56 }
    }
}

/// The section as typed.
#[derive(Clone, Debug, Default)]
pub(super) struct Typed {
    count: Option<At<Option<u8>>>,
    ipv4: Option<At<Vec<Level>>>,
    ipv6: Option<At<Vec<Level>>>,
    within: Option<At<Duration>>,
    merge: Option<At<Option<Merge>>>,
}

/// Wider prefixes cannot be banned, and longer ones are addresses.
const IPV4: RangeInclusive<u8> = 8..=31;
const IPV6: RangeInclusive<u8> = 16..=127;
const COUNTED: RangeInclusive<u8> = 32..=127;
const OFFENDERS: RangeInclusive<usize> = 2..=4096;

impl Typed {
    pub(super) fn read(
        node: &Node,
        file: &Arc<UserFile>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Self {
        let mut typed = Self::default();
        let Some(mut fields) = Fields::of(node, file, "`prefixes`", diagnostics) else {
            return typed;
        };
        let expected = "the length of a prefix such as `64`, or `off`";
        let count = fields.parsed("count", expected, |text| match text {
            _ if is_off(text) => Ok(None),
            _ => length(text, COUNTED).map(Some),
        });
        typed.count = count.map(|found| at(&fields, found));
        typed.ipv4 = levels("ipv4", IPV4, &mut fields);
        typed.ipv6 = levels("ipv6", IPV6, &mut fields);
        typed.within = duration(&mut fields, "within");
        if let Some(node) = fields.node("merge") {
            typed.merge = merging(node, file, fields.diagnostics());
        }
        fields.finish();
        typed
    }

    pub(super) fn merge(&mut self, other: Self) {
        later(&mut self.count, other.count);
        later(&mut self.ipv4, other.ipv4);
        later(&mut self.ipv6, other.ipv6);
        later(&mut self.within, other.within);
        later(&mut self.merge, other.merge);
    }

    pub(super) fn mean(self) -> Prefixes {
        let default = Prefixes::default();
        Prefixes {
            count: self.count.map_or(default.count, |found| found.value),
            ipv4: self.ipv4.map_or(default.ipv4, |found| found.value),
            ipv6: self.ipv6.map_or(default.ipv6, |found| found.value),
            within: self.within.map_or(default.within, |found| found.value),
            merge: self.merge.map_or(default.merge, |found| found.value),
        }
    }
}

fn length(text: &str, allowed: RangeInclusive<u8>) -> Result<u8, String> {
    let number = text.strip_prefix('/').unwrap_or(text);
    let length = number.parse::<u8>().map_err(|_| String::new())?;
    let range = format!("from /{} to /{}", allowed.start(), allowed.end());
    allowed.contains(&length).then_some(length).ok_or(range)
}

/// `{64: 2, 56: 4}`, or `off` for none.
fn levels(
    key: &'static str,
    allowed: RangeInclusive<u8>,
    fields: &mut Fields<'_, '_>,
) -> Option<At<Vec<Level>>> {
    let node = fields.node(key)?;
    let file = Arc::clone(fields.file());
    let found = |levels| Some(At { value: levels, file: Arc::clone(&file), span: node.head() });
    let (off, keys) = switch(node, &file, fields.diagnostics());
    if let Some(off) = off {
        if !off.value {
            let message = format!("say which levels: `{key}: {{{}: 4}}`", allowed.end().min(&24));
            fields.report(node.span.clone(), "wrong-value", message);
        }
        return found(Vec::new());
    }
    keys?;
    let mut levels: Vec<Level> = Vec::new();
    for (name, count) in fields.text_map(key) {
        let prefix = match length(&name.text, allowed.clone()) {
            Ok(prefix) => prefix,
            Err(why) => {
                let message = format!("`{}` is no length of a prefix: {why}", name.text);
                fields.report(name.span.clone(), "wrong-value", message);
                continue;
            }
        };
        match count.value.parse() {
            Ok(at) if OFFENDERS.contains(&at) => levels.push((prefix, at)),
            _ => {
                let (least, most) = (OFFENDERS.start(), OFFENDERS.end());
                let message = format!(
                    "expected how many offend, from {least} to {most}, found `{}`",
                    count.value
                );
                fields.report(count.span, "wrong-value", message);
            }
        }
    }
    found(levels)
}

/// `{at: 50%, widest: /24}`, or `off`.
fn merging(
    node: &Node,
    file: &Arc<UserFile>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<At<Option<Merge>>> {
    let (off, keys) = switch(node, file, diagnostics);
    let place = |merge| Some(At { value: merge, file: Arc::clone(file), span: node.head() });
    if let Some(off) = off {
        return place((!off.value).then(Merge::default));
    }
    let mut fields = Fields::of(keys?, file, "`merge`", diagnostics)?;
    let mut merge = Merge::default();
    if let Some(part) = percent(&mut fields, "at") {
        if part.value < LEAST_PART {
            let message = "below `25%` most of those who are banned did nothing";
            fields.diagnostics().push(part.error("out-of-range", message));
        }
        merge.at = part.value;
    }
    let expected = "the length of a prefix such as `/24`";
    if let Some(widest) = fields.parsed("widest", expected, |text| length(text, IPV4)) {
        merge.widest = widest.value;
    }
    if let Some(widest) = fields.parsed("widest_ipv6", expected, |text| length(text, IPV6)) {
        merge.widest_ipv6 = widest.value;
    }
    fields.finish();
    place(Some(merge))
}

const LEAST_PART: f64 = 0.25;
