//! How far a pattern gets in a text that it does not match, for those who write rules.

use std::ops::Range;

use regex_syntax::ast::{Ast, GroupKind};

use super::expand::Wanted;
use super::{Library, lean, pattern};
use crate::expr::dialect;

/// The longest beginning of a pattern that a text still matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The bytes of the pattern's source that matched.
    pub matched: Range<usize>,
    /// The bytes of the pattern's source that did not match any more: one element.
    pub failed: Range<usize>,
    /// The bytes of the text that the matching beginning covered.
    pub text: Range<usize>,
}

/// The places and numbers of all capturing groups of a parsed pattern.
pub(super) fn groups(ast: &Ast) -> Vec<(usize, u32)> {
    let mut found = Vec::new();
    collect(ast, &mut found);
    found
}

// The parser bounds the depth.
fn collect(ast: &Ast, found: &mut Vec<(usize, u32)>) {
    match ast {
        Ast::Group(group) => {
            if let GroupKind::CaptureIndex(index) = group.kind {
                found.push((group.span.start.offset, index));
            }
            collect(&group.ast, found);
        }
        Ast::Repetition(repetition) => collect(&repetition.ast, found),
        Ast::Alternation(alternation) => {
            alternation.asts.iter().for_each(|ast| collect(ast, found))
        }
        Ast::Concat(concat) => concat.asts.iter().for_each(|ast| collect(ast, found)),
        _ => {}
    }
}

/// Finds the longest beginning of the pattern that matches somewhere in the text.
pub(super) fn of(library: &Library, source: &str, text: &str) -> Progress {
    let nothing = Progress { matched: 0..0, failed: 0..source.len(), text: 0..0 };
    let Ok(expansion) = library.expand(source, Wanted::Text) else { return nothing };
    let rewritten = dialect::rewrite(&expansion.text);
    let Ok(ast) = regex_syntax::ast::parse::Parser::new().parse(&rewritten.text) else {
        return nothing;
    };
    let branches = match &ast {
        Ast::Alternation(alternation) => alternation.asts.iter().collect(),
        other => vec![other],
    };
    let place = |at: usize| {
        if at >= rewritten.text.len() {
            source.len()
        } else {
            // Within a piece that was rewritten a place is only near.
            source.floor_char_boundary(expansion.source_of(rewritten.back(at)).min(source.len()))
        }
    };
    let mut best = nothing;
    for branch in branches {
        let parts = match branch {
            Ast::Concat(concat) => concat.asts.as_slice(),
            other => std::slice::from_ref(other),
        };
        let start = branch.span().start.offset;
        let mut ends = vec![start];
        ends.extend(parts.iter().map(|part| part.span().end.offset));
        // Invariant: a beginning matches if a longer one does, so the parts can be halved.
        let (mut good, mut bad) = (0, ends.len());
        let mut reached = 0..0;
        while bad - good > 1 {
            let middle = good + (bad - good) / 2;
            match find(&rewritten.text[start..ends[middle]], text) {
                Some(found) => {
                    good = middle;
                    reached = found;
                }
                None => bad = middle,
            }
        }
        let failed = ends.get(good + 1).map_or(ends[good], |end| *end);
        if good > 0 && (reached.end > best.text.end || best.matched.is_empty()) {
            best = Progress {
                matched: place(start)..place(ends[good]),
                failed: place(ends[good])..place(failed),
                text: reached,
            };
        } else if best.matched.is_empty() {
            best.failed = place(start)..place(failed);
        }
    }
    best
}

fn find(pattern: &str, text: &str) -> Option<Range<usize>> {
    let hir = regex_syntax::parse(pattern).ok()?;
    let regex = pattern::build(&lean::drop_groups(hir, &|_| None)).ok()?;
    regex.find(text).map(|found| found.range())
}
