//! `allowlist:` – who is never banned.

use std::sync::Arc;

use ipnet::IpNet;

use super::section::{At, at, later};
use crate::decision::{Entry, EntryOrigin, Named, NetError, defaults, parse_host, parse_net};
use crate::diagnostic::{Diagnostic, UserFile};
use crate::value::Time;
use crate::yaml::{Fields, Kind, Node};

/// The allowlist as the settings have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Friends {
    /// The built-in entries that are left, then those of the files.
    pub entries: Vec<Entry>,
    /// Host names whose addresses are friends.
    pub names: Vec<Named>,
    /// Whether this host's own addresses and gateways are friends.
    pub host: bool,
}

/// The section as typed.
#[derive(Clone, Debug, Default)]
pub(super) struct Typed {
    entries: Vec<Friend>,
    defaults: Option<At<bool>>,
    except: Vec<IpNet>,
    shared: Option<At<bool>>,
    host: Option<At<bool>>,
}

impl Typed {
    /// Reads the section: a list of entries, or a mapping that has such a list.
    pub(super) fn read(
        node: &Node,
        file: &Arc<UserFile>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Self {
        let mut typed = Self::default();
        if let Kind::Sequence(items) = &node.kind {
            typed.entries = entries(items, file, diagnostics);
            return typed;
        }
        let Some(mut fields) = Fields::of(node, file, "the allowlist", diagnostics) else {
            return typed;
        };
        let items = fields.list("entries");
        typed.entries = entries(items, file, fields.diagnostics());
        typed.defaults = fields.bool("defaults").map(|found| at(&fields, found));
        typed.shared = fields.bool("shared").map(|found| at(&fields, found));
        typed.host = fields.bool("host").map(|found| at(&fields, found));
        for text in fields.text_list("except") {
            match parse_net(text.value) {
                Ok(net) => typed.except.push(net),
                Err(error) => fields.report(text.span, "wrong-value", error.to_string()),
            }
        }
        fields.finish();
        typed
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.entries.extend(other.entries);
        self.except.extend(other.except);
        later(&mut self.defaults, other.defaults);
        later(&mut self.shared, other.shared);
        later(&mut self.host, other.host);
    }

    pub(super) fn mean(self) -> Friends {
        let on = |choice: &Option<At<bool>>, default| choice.as_ref().map_or(default, |c| c.value);
        let mut all = match on(&self.defaults, true) {
            true => defaults(&self.except, on(&self.shared, false)),
            false => Vec::new(),
        };
        let host = on(&self.host, true);
        let mut names = Vec::new();
        for friend in self.entries {
            match friend {
                Friend::Entry(entry) => all.push(entry),
                Friend::Named(named) => names.push(named),
            }
        }
        Friends { entries: all, names, host }
    }
}

/// A friend as typed.
#[derive(Clone, Debug)]
enum Friend {
    Entry(Entry),
    Named(Named),
}

/// An entry is `192.0.2.7`, `192.0.2.0/24`, `home.example.org` or
/// `{net: 192.0.2.0/24, comment: office, until: 2027-01-31}`.
fn entries(items: &[Node], file: &Arc<UserFile>, diagnostics: &mut Vec<Diagnostic>) -> Vec<Friend> {
    items.iter().filter_map(|item| entry(item, file, diagnostics)).collect()
}

fn entry(item: &Node, file: &Arc<UserFile>, diagnostics: &mut Vec<Diagnostic>) -> Option<Friend> {
    let (text, span, comment, until) = match item.text() {
        Some(text) => (text, item.span.clone(), String::new(), None),
        None => {
            let mut fields = Fields::of(item, file, "an allowlist entry", diagnostics)?;
            let name = fields.text("name");
            let net = if name.is_some() { fields.text("net") } else { fields.required_text("net") };
            let comment = fields.text("comment").map_or("", |comment| comment.value).to_owned();
            let expected = "a date such as `2027-01-31`, or with a time `2027-01-31T18:00:00Z`";
            let until = fields.parsed("until", expected, |text| end(text).ok_or_else(String::new));
            if let (Some(name), Some(_)) = (&name, &net) {
                fields.report(
                    name.span.clone(),
                    "conflict",
                    "expected `net` or `name`, found both",
                );
            }
            fields.finish();
            let found = name.or(net)?;
            (found.value, found.span, comment, until.map(|until| until.value))
        }
    };
    let wrong = |message: String| Diagnostic::error(file, span.clone(), "wrong-value", message);
    match (parse_net(text), parse_host(text)) {
        (Ok(net), _) if net.prefix_len() == 0 => {
            let mistake =
                wrong(format!("`{text}` makes everybody a friend: nobody could be banned"));
            diagnostics.push(mistake.with_help("to drop nothing, write `observe: true`"));
            None
        }
        (Ok(net), _) => {
            Some(Friend::Entry(Entry { net, origin: EntryOrigin::Settings, comment, until }))
        }
        (Err(_), Ok(name)) => Some(Friend::Named(Named { name, comment, until })),
        (Err(NetError::Neither { .. }), Err(error)) => {
            diagnostics.push(wrong(error.to_string()));
            None
        }
        (Err(error), Err(_)) => {
            diagnostics.push(wrong(error.to_string()));
            None
        }
    }
}

/// A day is meant to its end, in UTC.
fn end(text: &str) -> Option<Time> {
    const DAY: i64 = 86_400 * 1_000_000_000;
    match text.len() {
        10 => Some(Time::from_rfc3339(&format!("{text}T00:00:00Z"))?.plus(DAY)),
        _ => Time::from_rfc3339(text),
    }
}
