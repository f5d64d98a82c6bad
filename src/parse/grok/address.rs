//! The pattern of IP addresses, recognised in other patterns.
//!
//! Most patterns hold an address, and its full pattern costs more than all the rest; where it is
//! recognised, addresses are read by hand instead.

use std::sync::OnceLock;

use regex_syntax::hir::{Hir, HirKind};

use super::lean;
use super::patterns::BASE;
use crate::expr::dialect;

/// Whether a lean ASCII pattern is that of addresses.
pub(super) fn is_address(hir: &Hir) -> bool {
    hir == address()
}

/// Whether neighbouring branches are the two halves of that pattern.
pub(super) fn are_address(branches: &[Hir]) -> bool {
    matches!(address().kind(), HirKind::Alternation(halves) if halves[..] == *branches)
}

/// `%{IPV6}|%{IPV4}`, lean and for ASCII.
fn address() -> &'static Hir {
    static ADDRESS: OnceLock<Hir> = OnceLock::new();
    ADDRESS.get_or_init(|| {
        let hir = regex_syntax::parse(text()).expect("the base patterns are regular expressions");
        lean::ascii_only(lean::drop_groups(hir, &|_| None))
    })
}

/// The same as a regular expression.
pub(super) fn text() -> &'static str {
    static TEXT: OnceLock<String> = OnceLock::new();
    TEXT.get_or_init(|| {
        let find = |wanted: &str| {
            let found = BASE.iter().find(|(name, _)| *name == wanted);
            found.expect("it is a base pattern").1
        };
        dialect::rewrite(&format!("({})|({})", find("IPV6"), find("IPV4"))).text
    })
}
