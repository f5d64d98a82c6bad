//! `allowlist:` – who is never banned.

use std::sync::Arc;

use ipnet::IpNet;

use super::section::{At, at, later};
use crate::decision::{Entry, EntryOrigin, defaults, parse_net};
use crate::diagnostic::{Diagnostic, UserFile};
use crate::yaml::{Fields, Kind, Node};

/// The allowlist as the settings have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Friends {
    /// The built-in entries that are left, then those of the files.
    pub entries: Vec<Entry>,
    /// Whether this host's own addresses and gateways are friends.
    pub host: bool,
}

/// The section as typed.
#[derive(Clone, Debug, Default)]
pub(super) struct Typed {
    entries: Vec<Entry>,
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
        all.extend(self.entries);
        Friends { entries: all, host: on(&self.host, true) }
    }
}

/// An entry is `192.0.2.7`, `192.0.2.0/24` or `{net: 192.0.2.0/24, comment: office}`.
fn entries(items: &[Node], file: &Arc<UserFile>, diagnostics: &mut Vec<Diagnostic>) -> Vec<Entry> {
    let mut entries = Vec::new();
    for item in items {
        let (text, span, comment) = match item.text() {
            Some(text) => (text, item.span.clone(), ""),
            None => {
                let Some(mut fields) = Fields::of(item, file, "an allowlist entry", diagnostics)
                else {
                    continue;
                };
                let net = fields.required_text("net");
                let comment = fields.text("comment").map_or("", |comment| comment.value);
                fields.finish();
                let Some(net) = net else { continue };
                (net.value, net.span, comment)
            }
        };
        match parse_net(text) {
            Ok(net) if net.prefix_len() == 0 => {
                let mistake = Diagnostic::error(
                    file,
                    span,
                    "wrong-value",
                    format!("`{text}` makes everybody a friend: nobody could be banned"),
                );
                diagnostics.push(mistake.with_help("to drop nothing, write `observe: true`"));
            }
            Ok(net) => entries.push(Entry {
                net,
                origin: EntryOrigin::Settings,
                comment: comment.to_owned(),
            }),
            Err(error) => {
                diagnostics.push(Diagnostic::error(file, span, "wrong-value", error.to_string()));
            }
        }
    }
    entries
}
