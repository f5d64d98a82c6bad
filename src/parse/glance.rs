//! Which of a node's children a glance at the text leaves.
//!
//! Rules list a dozen alternatives, each a grok on the same field. One look at the field's text
//! tells for all of them at once which hold words that it does not.
//!
//! Invariant: a child that is ruled out would fail without having done anything.

use super::field::Field;
use super::grok::Needs;
use super::node::Node;
use crate::event::Event;

/// Fewer children than this are tried one after the other.
const FEWEST: usize = 3;

/// The children that one word can tell.
const MOST: usize = 64;

/// What the texts must hold that the children search.
#[derive(Debug)]
pub(super) struct Glance {
    field: Field,
    /// For each child what it needs; nothing for a child that does more than to search the field.
    needs: Box<[Option<Needs>]>,
}

/// The children that are left for one text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Left<'a> {
    text: Option<&'a str>,
    bits: u64,
}

impl Glance {
    /// For these children, if it is worth the look.
    pub(super) fn new(children: &[Node]) -> Option<Self> {
        let field = children.iter().find_map(Node::searches)?.0;
        let needs = children.iter().take(MOST).map(|child| {
            let (own, grok) = child.searches()?;
            (own == field).then(|| grok.needs())
        });
        let needs: Box<[_]> = needs.collect();
        let field = field.clone();
        (needs.iter().flatten().count() >= FEWEST).then_some(Self { field, needs })
    }

    /// Looks at the field as it is now.
    pub(super) fn look<'a>(&self, event: &Event<'a>) -> Left<'a> {
        let text = self.field.get(event);
        // A child beyond those that are known is always left.
        let mut bits = u64::MAX;
        let held = text.map(|text| (Needs::held_by(text), text.is_ascii()));
        for (at, needs) in self.needs.iter().enumerate() {
            let Some(needs) = needs else { continue };
            if held.as_ref().is_none_or(|(held, is_ascii)| !needs.fit(held, *is_ascii)) {
                bits &= !(1 << at);
            }
        }
        Left { text, bits }
    }

    /// Whether what was seen still holds: a child that succeeds may have written the field.
    pub(super) fn is_fresh(&self, left: Left<'_>, event: &Event<'_>) -> bool {
        match (self.field.get(event), left.text) {
            (Some(now), Some(then)) => std::ptr::eq(now, then),
            (None, None) => true,
            _ => false,
        }
    }
}

impl Left<'_> {
    /// The first child from `from` on that is left, of so many.
    pub(super) fn next(self, from: usize, n: usize) -> usize {
        if from >= MOST {
            return from;
        }
        let skipped = (self.bits >> from).trailing_zeros() as usize;
        (from + skipped).min(MOST).min(n.max(from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bits: u64, from: usize, n: usize, expected: usize) {
        assert_eq!(Left { text: None, bits }.next(from, n), expected);
    }

    #[test]
    fn children_that_are_ruled_out_are_passed_over() {
        check(0b1011, 0, 4, 0);
        check(0b1011, 2, 4, 3);
        check(!0b1110, 1, 4, 4);
        check(!0b1110, 1, 9, 4);
        check(1, 1, 70, 64);
        check(0, 0, 70, 64);
        check(1 << 63, 63, 70, 63);
        check(0, 64, 70, 64);
        check(0, 69, 70, 69);
    }
}
