//! Makes a parsed pattern cheaper without changing what it captures.
//!
//! Two things cost most when an expanded pattern runs: groups that nobody asks for, and classes
//! that spell out all of UTF-8. Groups that are not captured are dropped; and since nearly all log
//! text is ASCII, a second form of the pattern is made in which every class is cut down to ASCII.
//! On ASCII text both forms give the same result.

use regex_syntax::hir::{
    Capture, Class, ClassBytes, ClassBytesRange, ClassUnicode, ClassUnicodeRange, Hir, HirKind,
};

/// Drops the groups that `renumber` gives no new number for, and numbers the others anew.
pub(super) fn drop_groups(hir: Hir, renumber: &impl Fn(u32) -> Option<u32>) -> Hir {
    replace_groups(hir, &|Capture { index, sub, .. }| match renumber(index) {
        Some(index) => Hir::capture(Capture { index, name: None, sub }),
        None => *sub,
    })
}

/// Puts something else in the place of each group.
pub(super) fn replace_groups(hir: Hir, with: &impl Fn(Capture) -> Hir) -> Hir {
    let has_none = |hir: &Hir| hir.properties().explicit_captures_len() == 0;
    rebuild(hir, &has_none, &|kind| match kind {
        HirKind::Capture(capture) => with(capture),
        other => from_kind(other),
    })
}

/// Cuts every class down to its ASCII part.
pub(super) fn ascii_only(hir: Hir) -> Hir {
    rebuild(hir, &is_ascii_only, &|kind| match kind {
        HirKind::Class(Class::Unicode(mut class)) => {
            class.intersect(&ClassUnicode::new([ClassUnicodeRange::new('\0', '\x7f')]));
            Hir::class(Class::Unicode(class))
        }
        HirKind::Class(Class::Bytes(mut class)) => {
            class.intersect(&ClassBytes::new([ClassBytesRange::new(0, 0x7f)]));
            Hir::class(Class::Bytes(class))
        }
        other => from_kind(other),
    })
}

/// Whether [`ascii_only`] leaves the pattern as it is.
pub(super) fn is_ascii_only(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) | HirKind::Literal(_) => true,
        HirKind::Class(Class::Unicode(class)) => {
            class.ranges().last().is_none_or(|range| range.end().is_ascii())
        }
        HirKind::Class(Class::Bytes(class)) => {
            class.ranges().last().is_none_or(|range| range.end().is_ascii())
        }
        HirKind::Repetition(repetition) => is_ascii_only(&repetition.sub),
        HirKind::Capture(capture) => is_ascii_only(&capture.sub),
        HirKind::Concat(subs) | HirKind::Alternation(subs) => subs.iter().all(is_ascii_only),
    }
}

/// Rebuilds a pattern from the leaves up, but for the parts that stay as they are: nearly all of a
/// pattern put together from others. The parser bounds its depth.
fn rebuild(hir: Hir, stays: &impl Fn(&Hir) -> bool, change: &impl Fn(HirKind) -> Hir) -> Hir {
    if stays(&hir) {
        return hir;
    }
    let kind = match hir.into_kind() {
        HirKind::Repetition(mut repetition) => {
            *repetition.sub = rebuild(*repetition.sub, stays, change);
            HirKind::Repetition(repetition)
        }
        HirKind::Capture(mut capture) => {
            *capture.sub = rebuild(*capture.sub, stays, change);
            HirKind::Capture(capture)
        }
        HirKind::Concat(subs) => {
            HirKind::Concat(subs.into_iter().map(|sub| rebuild(sub, stays, change)).collect())
        }
        HirKind::Alternation(subs) => {
            HirKind::Alternation(subs.into_iter().map(|sub| rebuild(sub, stays, change)).collect())
        }
        leaf => leaf,
    };
    change(kind)
}

/// A pattern of that kind.
pub(super) fn from_kind(kind: HirKind) -> Hir {
    match kind {
        HirKind::Empty => Hir::empty(),
        HirKind::Literal(literal) => Hir::literal(literal.0),
        HirKind::Class(class) => Hir::class(class),
        HirKind::Look(look) => Hir::look(look),
        HirKind::Repetition(repetition) => Hir::repetition(repetition),
        HirKind::Capture(capture) => Hir::capture(capture),
        HirKind::Concat(subs) => Hir::concat(subs),
        HirKind::Alternation(subs) => Hir::alternation(subs),
    }
}
