//! Which nodes of a stage can match an event at all, found without evaluating their filters.
//!
//! Invariant: the candidates are given in load order, and no node whose filter would pass, or
//! would change anything when evaluated, is left out, also when an earlier node of the same stage
//! changes a field that filters ask for. The filter of a candidate that is certain would pass.

use super::node::Node;
use crate::event::{Event, Moment};
use crate::expr::{Candidates, Dispatch};

/// The nodes of a stage by what their filters need.
#[derive(Debug)]
pub(super) struct Index {
    dispatch: Dispatch,
}

/// A walk through the candidates for one event; the memory is used again for the next.
#[derive(Debug, Default)]
pub(super) struct Walk {
    found: Candidates,
    /// The first node that was not looked at yet.
    from: usize,
    /// When they were found.
    at: Moment,
}

impl Index {
    pub(super) fn of(nodes: &[Node]) -> Self {
        let filters = nodes.iter().map(|node| node.filter.as_ref().map(|filter| filter.program()));
        Self { dispatch: Dispatch::new(filters) }
    }

    /// Begins a walk, or goes on with one from the same node on, for the event as it is now.
    fn look(&self, walk: &mut Walk, event: &Event<'_>) {
        let fields = event.reader();
        self.dispatch.collect(|slot| fields.get(slot), &mut walk.found);
        walk.at = fields.now();
    }

    /// Begins a walk.
    pub(super) fn begin(&self, walk: &mut Walk, event: &Event<'_>) {
        walk.from = 0;
        self.look(walk, event);
    }

    /// The next candidate, for an event that is as it was when the walk began or was refreshed.
    #[inline]
    pub(super) fn next(&self, walk: &mut Walk, event: &Event<'_>) -> Option<usize> {
        let next = self.dispatch.next(&walk.found, walk.from, |slot| event.get(slot))?;
        walk.from = next + 1;
        Some(next)
    }

    /// Takes notice of what became of the event.
    #[inline]
    pub(super) fn refresh(&self, walk: &mut Walk, event: &Event<'_>) {
        if event.may_differ(walk.at, |slot| self.dispatch.asks_for(slot)) {
            self.look(walk, event);
        }
    }

    /// Whether the filter of a node that the walk came to is known to pass.
    #[inline]
    pub(super) fn is_certain(&self, number: usize) -> bool {
        self.dispatch.is_certain(number)
    }
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
        let index = Index { dispatch };
        let event = Event::new(&arena, &names, Kind::Log, Mode::Live, Time::from_seconds(0));
        let mut walk = Walk::default();
        let mut run = |change_at: Option<usize>| {
            let mut found = Vec::new();
            index.begin(&mut walk, event);
            while let Some(number) = index.next(&mut walk, event) {
                found.push(number);
                if change_at == Some(number) {
                    event.set(Names::PROGRAM, "c");
                }
                index.refresh(&mut walk, event);
            }
            found
        };
        assert_eq!(run(None), [1, 4]);
        event.set(Names::PROGRAM, "a");
        assert_eq!(run(None), [0, 1, 3]);
        assert_eq!(run(Some(1)), [0, 1, 2, 4]);
    }
}
