//! Where in a pattern a part of it stands: what can come before it.
//!
//! Whether a word boundary can be there is often told by the bytes on both sides of it, so that
//! nothing need be looked at in the text.

use regex_syntax::hir::{Hir, HirKind};

use super::bytes::Bytes;

/// The place of a part within a pattern.
#[derive(Clone, Copy)]
pub(super) struct Place<'p> {
    /// What stands before it in the same sequence.
    before: &'p [Hir],
    /// What it is itself, if it may also stand behind itself.
    repeated: Option<&'p Hir>,
    /// The place of the whole that it is a part of.
    whole: Option<&'p Place<'p>>,
    /// Whether each match has exactly one match of this part.
    pub(super) is_sure: bool,
}

impl<'p> Place<'p> {
    /// The place of the pattern itself.
    pub(super) const ALL: Self = Self { before: &[], repeated: None, whole: None, is_sure: true };

    /// The place of what stands behind `before`.
    pub(super) fn behind<'q>(&'q self, before: &'q [Hir]) -> Place<'q> {
        Place { before, repeated: None, whole: Some(self), is_sure: self.is_sure }
    }

    /// The place of one branch among others.
    pub(super) fn branch<'q>(&'q self) -> Place<'q> {
        Place { is_sure: false, ..self.behind(&[]) }
    }

    /// The place of what is repeated.
    pub(super) fn repeated<'q>(&'q self, sub: &'q Hir) -> Place<'q> {
        Place { repeated: Some(sub), ..self.branch() }
    }

    /// The bytes that can stand before it; the end stands for the beginning of the text.
    pub(super) fn before(&self, bytes_of: &impl Fn(&Hir) -> Option<Bytes>) -> Bytes {
        let mut bytes = Bytes::default();
        if let Some(sub) = self.repeated {
            bytes = bytes | last(sub, bytes_of).0;
        }
        for hir in self.before.iter().rev() {
            let (last, is_skipped) = last(hir, bytes_of);
            bytes = bytes | last;
            if !is_skipped {
                return bytes;
            }
        }
        bytes | self.whole.map_or(Bytes::ALL, |whole| whole.before(bytes_of))
    }
}

/// The bytes that a match of `hir` can end with, and whether it can be empty. The parser bounds
/// the depth.
fn last(hir: &Hir, bytes_of: &impl Fn(&Hir) -> Option<Bytes>) -> (Bytes, bool) {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => (Bytes::default(), true),
        HirKind::Literal(literal) => {
            (literal.0.last().map_or(Bytes::ALL, |byte| Bytes::one(*byte)), false)
        }
        HirKind::Class(_) => (bytes_of(hir).unwrap_or(Bytes::ALL), false),
        HirKind::Capture(capture) => last(&capture.sub, bytes_of),
        HirKind::Repetition(repetition) => {
            let (bytes, is_skipped) = last(&repetition.sub, bytes_of);
            (bytes, is_skipped || repetition.min == 0)
        }
        HirKind::Concat(subs) => {
            let mut bytes = Bytes::default();
            for sub in subs.iter().rev() {
                let (last, is_skipped) = last(sub, bytes_of);
                bytes = bytes | last;
                if !is_skipped {
                    return (bytes, false);
                }
            }
            (bytes, true)
        }
        HirKind::Alternation(subs) => {
            subs.iter().fold((Bytes::default(), false), |(bytes, is_skipped), sub| {
                let (last, skips) = last(sub, bytes_of);
                (bytes | last, is_skipped | skips)
            })
        }
    }
}
