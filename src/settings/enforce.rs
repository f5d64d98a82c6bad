//! `enforce:` – how bans reach the kernel.

use std::sync::Arc;
use std::time::Duration;

use super::quantity::duration;
use super::section::{At, at, later};
use crate::diagnostic::{Diagnostic, UserFile};
use crate::yaml::{Fields, Node};

/// What carries out the bans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// Sets and a chain in a table of our own.
    Nftables,
    /// Nothing: bans are recorded only.
    Observe,
}

/// Where in the kernel's way of a packet it is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hook {
    /// Before routing: all that arrives.
    Prerouting,
    /// For this host.
    Input,
    /// Passed on, to containers for instance.
    Forward,
}

impl Hook {
    /// The word of settings and of nftables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Hook::Prerouting => "prerouting",
            Hook::Input => "input",
            Hook::Forward => "forward",
        }
    }
}

/// How bans are carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enforce {
    /// With what.
    pub backend: Backend,
    /// The name of our table, in the family `inet`.
    pub table: String,
    /// The priority of our chains: lower is earlier; 0 is where firewalls filter.
    pub priority: i32,
    /// The hooks, each once.
    pub hooks: Vec<Hook>,
    /// How often the kernel is compared with the ledger.
    pub reconcile: Duration,
}

impl Default for Enforce {
    fn default() -> Self {
        Self {
            backend: Backend::Nftables,
            table: "weir".to_owned(),
            priority: -10,
            hooks: vec![Hook::Input, Hook::Forward],
            reconcile: Duration::from_secs(60),
        }
    }
}

/// The section as typed.
#[derive(Clone, Debug, Default)]
pub(super) struct Typed {
    backend: Option<At<Backend>>,
    table: Option<At<String>>,
    priority: Option<At<i64>>,
    hooks: Option<At<Vec<Hook>>>,
    reconcile: Option<At<Duration>>,
}

// NFT_NAME_MAXLEN counts the final zero (include/uapi/linux/netfilter/nf_tables.h).
const LONGEST_NAME: usize = 255;

impl Typed {
    pub(super) fn read(
        node: &Node,
        file: &Arc<UserFile>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Self {
        let mut typed = Self::default();
        let Some(mut fields) = Fields::of(node, file, "`enforce`", diagnostics) else {
            return typed;
        };
        let backends = [("nftables", Backend::Nftables), ("observe", Backend::Observe)];
        typed.backend = fields.choice("backend", &backends).map(|found| at(&fields, found));
        let table = fields.parsed("table", "the name of a table", |text| {
            let sound = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
            let first = text.chars().next().is_some_and(|c| c.is_ascii_alphabetic());
            (first && text.len() <= LONGEST_NAME && text.chars().all(sound))
                .then(|| text.to_owned())
                .ok_or_else(|| "a letter, then letters, digits, `_`, `-`, `.`".to_owned())
        });
        typed.table = table.map(|found| at(&fields, found));
        // The kernel's own filters use -400 to 300 (NF_IP_PRI_*); connection tracking is at -200.
        typed.priority = fields.integer("priority", -1000..=1000).map(|found| at(&fields, found));
        typed.hooks = hooks(&mut fields);
        typed.reconcile = duration(&mut fields, "reconcile");
        if let Some(interval) = &typed.reconcile
            && interval.value < Duration::from_secs(1)
        {
            let mistake = interval.error("out-of-range", "`reconcile` must be at least `1s`");
            fields.diagnostics().push(mistake);
        }
        fields.finish();
        typed
    }

    pub(super) fn merge(&mut self, other: Self) {
        later(&mut self.backend, other.backend);
        later(&mut self.table, other.table);
        later(&mut self.priority, other.priority);
        later(&mut self.hooks, other.hooks);
        later(&mut self.reconcile, other.reconcile);
    }

    pub(super) fn mean(self) -> Enforce {
        let default = Enforce::default();
        Enforce {
            backend: self.backend.map_or(default.backend, |found| found.value),
            table: self.table.map_or(default.table, |found| found.value),
            priority: self
                .priority
                .and_then(|found| i32::try_from(found.value).ok())
                .unwrap_or(default.priority),
            hooks: self.hooks.map_or(default.hooks, |found| found.value),
            reconcile: self.reconcile.map_or(default.reconcile, |found| found.value),
        }
    }
}

fn hooks(fields: &mut Fields<'_, '_>) -> Option<At<Vec<Hook>>> {
    const HOOKS: [Hook; 3] = [Hook::Prerouting, Hook::Input, Hook::Forward];
    let mut hooks = Vec::new();
    for text in fields.text_list("hooks") {
        match HOOKS.into_iter().find(|hook| hook.name() == text.value) {
            Some(hook) if !hooks.contains(&hook) => hooks.push(hook),
            Some(_) => {
                fields.report(text.span, "conflict", format!("`{}` is there twice", text.value));
            }
            None => {
                let mistake = Diagnostic::error(
                    fields.file(),
                    text.span,
                    "wrong-value",
                    format!("`{}` is no hook that packets come by", text.value),
                );
                let help = "expected `prerouting`, `input` or `forward`";
                fields.diagnostics().push(mistake.with_help(help));
            }
        }
    }
    let node = fields.node("hooks")?;
    if node.items().is_some_and(<[Node]>::is_empty) {
        let span = node.head();
        fields.report(span, "wrong-value", "`hooks` needs at least one hook");
        return None;
    }
    Some(At { value: hooks, file: Arc::clone(fields.file()), span: node.head() })
}
