//! How large the automaton of a regular expression will be, told from its tree.

use regex_syntax::hir::{Class, Hir, HirKind};

/// Roughly how many states the automaton needs, never too few. What `of_group` gives is taken for
/// the weight of a group.
pub(crate) fn weight(hir: &Hir, of_group: &impl Fn(u32) -> Option<u64>) -> u64 {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => 1,
        HirKind::Literal(literal) => literal.0.len() as u64,
        // A range of characters becomes at most a few sequences of four bytes each.
        HirKind::Class(Class::Unicode(class)) => 8 * class.ranges().len() as u64 + 1,
        HirKind::Class(Class::Bytes(class)) => class.ranges().len() as u64 + 1,
        HirKind::Repetition(repetition) => {
            let times = repetition.max.unwrap_or(repetition.min).max(repetition.min).max(1);
            let once = weight(&repetition.sub, of_group).saturating_add(1);
            once.saturating_mul(u64::from(times))
        }
        HirKind::Capture(capture) => {
            let sub = of_group(capture.index).unwrap_or_else(|| weight(&capture.sub, of_group));
            sub.saturating_add(2)
        }
        HirKind::Concat(subs) | HirKind::Alternation(subs) => {
            subs.iter().fold(1, |sum: u64, sub| sum.saturating_add(weight(sub, of_group)))
        }
    }
}
