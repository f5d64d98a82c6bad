//! Where a search need try to match at all.

use memchr::memmem::Finder;
use regex_syntax::hir::Look;

use super::bytes::{Bytes, Tables};
use super::literal::Literal;
use super::{Next, Start, Step};

/// How the places are found where the steps from `first` on, which begin with one of `bytes`, may
/// begin to match.
pub(super) fn of(steps: &[Step], first: Next, bytes: Bytes, tables: &mut Tables) -> Option<Start> {
    let mut at = first;
    while let Step::Save { next, .. } = steps[at as usize] {
        at = next;
    }
    let mut step = &steps[at as usize];
    let is_word = matches!(step, Step::Look(Look::WordAscii, _));
    if let Step::Look(Look::WordAscii, next) = step {
        step = &steps[*next as usize];
    }
    let (set, min, max) = match step {
        Step::Run(run) => (Some(run.set), run.min, run.max),
        Step::Greedy(repeat) | Step::Lazy(repeat) => (Some(repeat.set), repeat.min, repeat.max),
        Step::Until(until) | Step::Since(until) => (Some(until.set), until.min, until.max),
        _ => (None, 0, 0),
    };
    let exact = match &steps[at as usize] {
        Step::Look(Look::Start, _) => return Some(Start::Only),
        Step::Byte(byte, _) => return Some(Start::Byte(*byte)),
        Step::Word(word, _) => word.exact(),
        Step::Literal(literal, _) => Some(literal.text()),
        _ => None,
    };
    if let Some(text) = exact {
        let finder = Finder::new(&text).into_owned();
        return Some(Start::Literal(Box::new((Literal::new(&text), finder))));
    }
    // What the run can swallow is no other beginning: all that follows from there was tried
    // from the first. Within a run of word bytes no word begins.
    match set.filter(|_| max == u32::MAX) {
        Some(set) if min > 0 && (!is_word || bytes.is_within(&Bytes::word())) => {
            return Some(Start::Run(set));
        }
        Some(set) if !is_word => return Some(Start::Behind(set)),
        _ => {}
    }
    Some(match bytes.end || bytes.len() == 256 {
        true => Start::Everywhere,
        false => Start::In(tables.set(&bytes)?),
    })
}
