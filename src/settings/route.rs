//! `enforce: {route: …}` – how routes ban.

#![forbid(unsafe_code)]

use std::sync::Arc;

use crate::diagnostic::{Diagnostic, UserFile};
use crate::yaml::{Fields, Node};

/// What becomes of packets to the banned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteKind {
    /// They are dropped.
    Blackhole,
    /// Who sends them is told that it is prohibited.
    Prohibit,
    /// Who sends them is told that there is no way.
    Unreachable,
}

/// How routes ban.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// The number of our routing table.
    pub table: u32,
    /// The number that marks routes and rules as ours.
    pub protocol: u8,
    /// The priority of the rule that has the table looked up: lower ones come first.
    pub priority: u32,
    /// What the routes do.
    pub kind: RouteKind,
}

impl Default for Route {
    fn default() -> Self {
        Self { table: 9514, protocol: 222, priority: 100, kind: RouteKind::Blackhole }
    }
}

/// Reads the section.
pub(super) fn read(
    node: &Node,
    file: &Arc<UserFile>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Route> {
    const KINDS: [(&str, RouteKind); 3] = [
        ("blackhole", RouteKind::Blackhole),
        ("prohibit", RouteKind::Prohibit),
        ("unreachable", RouteKind::Unreachable),
    ];
    let mut fields = Fields::of(node, file, "`route`", diagnostics)?;
    let mut route = Route::default();
    // 253 to 255 are the system's (`default`, `main`, `local`), 0 is all of them.
    if let Some(table) = fields.integer("table", 1..=i64::from(u32::MAX)) {
        if (253..=255).contains(&table.value) {
            let message = format!("{} is a table of the system: choose another", table.value);
            fields.report(table.span, "conflict", message);
        }
        route.table = u32::try_from(table.value).unwrap_or(route.table);
    }
    // Below 5 are the kernel's own and those of `ip` (include/uapi/linux/rtnetlink.h).
    if let Some(protocol) = fields.integer("protocol", 5..=255) {
        route.protocol = u8::try_from(protocol.value).unwrap_or(route.protocol);
    }
    // The system looks `main` up at 32766.
    if let Some(priority) = fields.integer("priority", 1..=32765) {
        route.priority = u32::try_from(priority.value).unwrap_or(route.priority);
    }
    if let Some(kind) = fields.choice("kind", &KINDS) {
        route.kind = kind.value;
    }
    fields.finish();
    Some(route)
}
