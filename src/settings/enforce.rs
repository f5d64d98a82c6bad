//! `enforce:` – how bans reach the kernel.

use std::sync::Arc;
use std::time::Duration;

use super::backends::{self, Backend};
use super::quantity::duration_from;
use super::route::{self, Route};
use super::section::{At, at, later};
use crate::diagnostic::{Diagnostic, UserFile};
use crate::yaml::{Fields, Node};

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

/// What becomes of packets of the banned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing comes back, so that they learn nothing.
    Drop,
    /// Their sender is told that it is prohibited (ICMP).
    Reject,
    /// The same, and TCP connections are reset.
    Reset,
}

/// Ports of this host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ports {
    /// Of TCP.
    pub tcp: Vec<u16>,
    /// Of UDP.
    pub udp: Vec<u16>,
}

impl Ports {
    /// Whether none is named, so that bans hold for all of them, and for all protocols.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.tcp.is_empty() && self.udp.is_empty()
    }
}

/// How bans are carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enforce {
    /// With what: at least one, each once.
    pub backends: Vec<Backend>,
    /// The name of our table, in the family `inet`.
    pub table: String,
    /// The priority of our chains: lower is earlier; 0 is where firewalls filter.
    pub priority: i32,
    /// The hooks, each once.
    pub hooks: Vec<Hook>,
    /// How often the kernel is compared with the ledger.
    pub reconcile: Duration,
    /// What becomes of packets of the banned.
    pub verdict: Verdict,
    /// The ports that the banned do not reach.
    pub ports: Ports,
    /// Whether packets are counted for each banned address or prefix.
    pub count_elements: bool,
    /// Whether the flows of the newly banned are taken out of connection tracking.
    pub conntrack: bool,
    /// Whether other programs are kept from changing our table.
    pub owner: bool,
    /// How routes ban.
    pub route: Route,
}

impl Default for Enforce {
    fn default() -> Self {
        Self {
            backends: vec![Backend::Nftables],
            table: "weir".to_owned(),
            priority: -10,
            hooks: vec![Hook::Input, Hook::Forward],
            reconcile: Duration::from_secs(60),
            verdict: Verdict::Drop,
            ports: Ports::default(),
            count_elements: false,
            conntrack: false,
            owner: false,
            route: Route::default(),
        }
    }
}

/// The section as typed.
#[derive(Clone, Debug, Default)]
pub(super) struct Typed {
    backends: Option<At<Vec<Backend>>>,
    table: Option<At<String>>,
    priority: Option<At<i64>>,
    hooks: Option<At<Vec<Hook>>>,
    reconcile: Option<At<Duration>>,
    verdict: Option<At<Verdict>>,
    ports: Option<Ports>,
    count_elements: Option<At<bool>>,
    conntrack: Option<At<bool>>,
    owner: Option<At<bool>>,
    route: Option<Route>,
}

/// Ports that may be named: each is a rule that all packets go by.
const MOST_PORTS: usize = 64;
// NFT_NAME_MAXLEN counts the final zero (include/uapi/linux/netfilter/nf_tables.h).
const LONGEST_NAME: usize = 255;
/// The name of a set has 31 bytes at most, with the table's name and what the set is for.
pub const LONGEST_FOR_IPSET: usize = 18;

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
        typed.backends = backends::read(&mut fields);
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
        typed.reconcile = duration_from(&mut fields, "reconcile", "1s");
        let verdicts =
            [("drop", Verdict::Drop), ("reject", Verdict::Reject), ("reset", Verdict::Reset)];
        typed.verdict = fields.choice("verdict", &verdicts).map(|found| at(&fields, found));
        typed.ports = fields.node("ports").map(|node| ports(node, &mut fields));
        typed.count_elements = fields.bool("count_elements").map(|found| at(&fields, found));
        typed.conntrack = fields.bool("conntrack").map(|found| at(&fields, found));
        typed.owner = fields.bool("owner").map(|found| at(&fields, found));
        if let Some(node) = fields.node("route") {
            typed.route = route::read(node, file, fields.diagnostics());
        }
        fields.finish();
        typed
    }

    pub(super) fn merge(&mut self, other: Self) {
        later(&mut self.backends, other.backends);
        later(&mut self.table, other.table);
        later(&mut self.priority, other.priority);
        later(&mut self.hooks, other.hooks);
        later(&mut self.reconcile, other.reconcile);
        later(&mut self.verdict, other.verdict);
        later(&mut self.ports, other.ports);
        later(&mut self.count_elements, other.count_elements);
        later(&mut self.conntrack, other.conntrack);
        later(&mut self.owner, other.owner);
        later(&mut self.route, other.route);
    }

    pub(super) fn mean(self, diagnostics: &mut Vec<Diagnostic>) -> Enforce {
        self.check_backends(diagnostics);
        let default = Enforce::default();
        Enforce {
            backends: self.backends.map_or(default.backends, |found| found.value),
            table: self.table.map_or(default.table, |found| found.value),
            priority: self
                .priority
                .and_then(|found| i32::try_from(found.value).ok())
                .unwrap_or(default.priority),
            hooks: self.hooks.map_or(default.hooks, |found| found.value),
            reconcile: self.reconcile.map_or(default.reconcile, |found| found.value),
            verdict: self.verdict.map_or(default.verdict, |found| found.value),
            ports: self.ports.unwrap_or(default.ports),
            count_elements: self.count_elements.is_some_and(|found| found.value),
            conntrack: self.conntrack.is_some_and(|found| found.value),
            owner: self.owner.is_some_and(|found| found.value),
            route: self.route.unwrap_or(default.route),
        }
    }
}

impl Typed {
    /// What some of the backends cannot do.
    fn check_backends(&self, diagnostics: &mut Vec<Diagnostic>) {
        let Some(backends) = &self.backends else { return };
        let has = |backend| backends.value.contains(&backend);
        if let Some(table) = self.table.as_ref().filter(|_| has(Backend::Ipset))
            && table.value.len() > LONGEST_FOR_IPSET
        {
            let message = format!(
                "`{}` is too long for the names of sets: at most {LONGEST_FOR_IPSET} bytes with \
                 the backend `ipset`",
                table.value
            );
            diagnostics.push(table.error("out-of-range", message));
        }
        let ports = self.ports.as_ref().is_some_and(|ports| !ports.is_all());
        if ports && (has(Backend::Ipset) || has(Backend::Route)) {
            let message = "`ports` is for the backend `nftables` only: the others ban from all";
            diagnostics.push(backends.error("conflict", message));
        }
    }
}

fn ports(node: &Node, outer: &mut Fields<'_, '_>) -> Ports {
    let mut ports = Ports::default();
    let file = Arc::clone(outer.file());
    let Some(mut fields) = Fields::of(node, &file, "`ports`", outer.diagnostics()) else {
        return ports;
    };
    for (key, found) in [("tcp", &mut ports.tcp), ("udp", &mut ports.udp)] {
        for text in fields.text_list(key) {
            match text.value.parse::<u16>() {
                Ok(port) if port > 0 && !found.contains(&port) => found.push(port),
                Ok(port) if port > 0 => {
                    fields.report(text.span, "conflict", format!("{port} is there twice"));
                }
                _ => {
                    let message = format!("`{}` is no port: expected 1 to 65535", text.value);
                    fields.report(text.span, "wrong-value", message);
                }
            }
        }
    }
    if ports.tcp.len() + ports.udp.len() > MOST_PORTS {
        let message = format!("`ports` may name {MOST_PORTS} at most: each slows all packets down");
        fields.report(node.head(), "out-of-range", message);
    }
    fields.finish();
    ports
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
