//! Which nodes of a stage can match an event at all, found without evaluating their filters.
//!
//! Invariant: the candidates are given in load order, and no node whose filter would pass, or
//! would change anything when evaluated, is left out, also when an earlier node of the same stage
//! changes a field that filters ask for.

use super::node::Node;
use crate::event::Event;
use crate::expr::{Candidates, Dispatch};
use crate::value::Slot;

/// The nodes of a stage by what their filters need.
#[derive(Debug)]
pub(super) struct Index {
    dispatch: Dispatch,
    slots: Box<[Slot]>,
}

/// A walk through the candidates for one event; the memory is used again for the next.
#[derive(Debug, Default)]
pub(super) struct Walk {
    found: Candidates,
    /// The first node that was not looked at yet.
    from: usize,
    /// The texts of the fields that the candidates follow from, by place and length: what an
    /// event's text is made of stays where it is.
    seen: Vec<(usize, usize)>,
}

impl Index {
    pub(super) fn of(nodes: &[Node]) -> Self {
        let filters = nodes.iter().map(|node| node.filter.as_ref().map(|filter| filter.program()));
        let dispatch = Dispatch::new(filters);
        let slots = dispatch.slots().collect();
        Self { dispatch, slots }
    }

    /// Begins a walk.
    pub(super) fn start(&self, walk: &mut Walk, event: &Event<'_>) {
        walk.from = 0;
        walk.seen.clear();
        walk.seen.extend(self.slots.iter().map(|slot| place(event, *slot)));
        self.dispatch.collect(|slot| event.get(slot), &mut walk.found);
    }

    /// The next candidate, for the event as it is now.
    pub(super) fn next(&self, walk: &mut Walk, event: &Event<'_>) -> Option<usize> {
        if walk.from > 0 {
            let mut changed = false;
            for (slot, seen) in self.slots.iter().zip(&mut walk.seen) {
                let now = place(event, *slot);
                changed |= std::mem::replace(seen, now) != now;
            }
            if changed {
                self.dispatch.collect(|slot| event.get(slot), &mut walk.found);
            }
        }
        let next = walk.found.next(walk.from)?;
        walk.from = next + 1;
        Some(next)
    }
}

fn place(event: &Event<'_>, slot: Slot) -> (usize, usize) {
    event.get(slot).map_or((0, 0), |text| (text.as_ptr().addr(), text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Event, Kind, Mode};
    use crate::parse::expression::Expression;
    use crate::value::{Arena, Names, Time};

    #[test]
    fn a_field_that_changes_on_the_way_changes_the_candidates() {
        let (arena, mut names) = (Arena::new(), Names::new());
        let filters = [
            "evt.Parsed.program in ['a', 'b']",
            "evt.Stage == 'x'",
            "evt.Parsed.program == 'c'",
            "evt.Parsed.program startsWith 'a'",
            "evt.Parsed.program in ['', 'c']",
        ]
        .map(|filter| Expression::compile(filter, &mut names).unwrap());
        let dispatch = Dispatch::new(filters.iter().map(|filter| Some(filter.program())));
        let slots = dispatch.slots().collect();
        let index = Index { dispatch, slots };
        let event = Event::new(&arena, &names, Kind::Log, Mode::Live, Time::from_seconds(0));
        let mut walk = Walk::default();
        let mut run = |change_at: Option<usize>| {
            index.start(&mut walk, event);
            let mut found = Vec::new();
            while let Some(number) = index.next(&mut walk, event) {
                found.push(number);
                if change_at == Some(number) {
                    event.set(Names::PROGRAM, "c");
                }
            }
            found
        };
        assert_eq!(run(None), [1, 4]);
        event.set(Names::PROGRAM, "a");
        assert_eq!(run(None), [0, 1, 3]);
        assert_eq!(run(Some(1)), [0, 1, 2, 4]);
    }
}
