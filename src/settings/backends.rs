//! `enforce: {backend: …}` – what carries out the bans.

#![forbid(unsafe_code)]

use std::sync::Arc;

use super::section::At;
use crate::diagnostic::{Diagnostic, similar};
use crate::yaml::{Fields, Node};

/// What carries out bans.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Backend {
    /// Sets and a chain in a table of our own.
    Nftables,
    /// Sets of ipset, and rules of iptables.
    Ipset,
    /// Routes that lead nowhere.
    Route,
    /// Nothing: bans are recorded only.
    Observe,
}

impl Backend {
    const ALL: [Self; 4] = [Self::Nftables, Self::Ipset, Self::Route, Self::Observe];

    /// The word of settings, logs and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nftables => "nftables",
            Self::Ipset => "ipset",
            Self::Route => "route",
            Self::Observe => "observe",
        }
    }
}

/// One backend, or a list of them.
pub(super) fn read(fields: &mut Fields<'_, '_>) -> Option<At<Vec<Backend>>> {
    let mut backends = Vec::new();
    for text in fields.text_list("backend") {
        match Backend::ALL.into_iter().find(|backend| backend.name() == text.value) {
            Some(backend) if backends.contains(&backend) => {
                fields.report(text.span, "conflict", format!("`{}` is there twice", text.value));
            }
            Some(backend) => backends.push(backend),
            None => {
                let mistake = Diagnostic::error(
                    fields.file(),
                    text.span,
                    "wrong-value",
                    format!("`{}` is no value of `backend`", text.value),
                );
                let names = || Backend::ALL.into_iter().map(Backend::name);
                let help = match similar(text.value, names()) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => {
                        let names: Vec<_> = names().map(|name| format!("`{name}`")).collect();
                        format!("expected one of {}, or a list of them", names.join(", "))
                    }
                };
                fields.diagnostics().push(mistake.with_help(help));
            }
        }
    }
    let node = fields.node("backend")?;
    let span = node.head();
    if node.items().is_some_and(<[Node]>::is_empty) {
        fields.report(span, "wrong-value", "`backend` needs at least one backend");
        return None;
    }
    if backends.len() > 1 && backends.contains(&Backend::Observe) {
        let message = "`observe` drops nothing, so that others beside it make no sense";
        fields.report(span, "conflict", message);
        return None;
    }
    if backends.is_empty() {
        return None;
    }
    Some(At { value: backends, file: Arc::clone(fields.file()), span })
}
