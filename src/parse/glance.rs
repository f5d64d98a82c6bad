//! Which of a node's children a glance at the text leaves.
//!
//! Rules list a dozen alternatives, each a grok on the same field. One look at the field's text
//! tells for all of them at once which hold words that it does not.
//!
//! Invariant: a child that is ruled out would fail without having done anything.

use super::field::Field;
use super::grok::Grok;
use super::node::Node;
use super::probes::{MOST, Probes};
use crate::event::Event;

/// Fewer children than this are tried one after the other.
const FEWEST: usize = 3;

/// What the texts must hold that the children search.
#[derive(Debug)]
pub(super) struct Glance {
    field: Field,
    probes: Probes,
    /// The children whose probes speak of texts that are all ASCII only.
    of_ascii: u64,
    /// The children that can succeed at all when there is a text.
    hopeful: u64,
    /// The children that do more than to search the field.
    others: u64,
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
        let field = children.iter().find_map(Node::searches)?.0.clone();
        let groks = children
            .iter()
            .take(MOST)
            .map(|child| child.searches().filter(|(own, _)| **own == field).map(|(_, grok)| grok));
        let groks: Vec<Option<&Grok>> = groks.collect();
        if groks.iter().flatten().count() < FEWEST {
            return None;
        }
        let (mut of_ascii, mut hopeful, mut others) = (0, 0, u64::MAX);
        for (at, grok) in groks.iter().enumerate() {
            let Some(grok) = grok else { continue };
            others &= !(1 << at);
            of_ascii |= u64::from(grok.needs_are_of_ascii()) << at;
            hopeful |= u64::from(!grok.captures().is_empty()) << at;
        }
        let needs: Vec<_> = groks.iter().map(|grok| grok.map_or(&[][..], Grok::needs)).collect();
        Some(Self { field, probes: Probes::new(&needs), of_ascii, hopeful, others })
    }

    /// Looks at the field as it is now.
    pub(super) fn look<'a>(&self, event: &Event<'a>) -> Left<'a> {
        let text = self.field.get(event);
        let held = text.map_or(0, |text| {
            let beyond = if text.is_ascii() { 0 } else { self.of_ascii };
            (self.probes.held_by(text) | beyond) & self.hopeful
        });
        Left { text, bits: held | self.others }
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
