//! How far a journal was read and everything that follows was done.
//!
//! Batches are done in any order; what may be remembered is the cursor of the last one before
//! which all are. A batch is done when it was put into the queue and its receipt came back: one
//! that nobody took gives its receipt back as well.

#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many groups of batches are kept track of; beyond it batches join the last group.
const GROUPS: usize = 1024;

/// The place of one source in its journal, shared by who reads it and who saves it.
#[derive(Debug, Default)]
pub struct Bookmark {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Batches under way, in their order.
    groups: VecDeque<Group>,
    /// The number of the first of them.
    first: u64,
    /// The cursor of the last batch before which all are done, or where reading began.
    done: Option<Arc<str>>,
    /// Whether it was saved.
    is_saved: bool,
}

#[derive(Debug)]
struct Group {
    /// Of the last of its batches that has one.
    cursor: Option<Arc<str>>,
    /// Halves that are open: each batch must be taken, and come back.
    open: u64,
}

impl Bookmark {
    /// Goes on behind this cursor, which was saved by an earlier run.
    pub fn resume(&self, cursor: &str) {
        let mut state = self.lock();
        state.done = Some(cursor.into());
        state.is_saved = true;
    }

    /// Begins behind this cursor, at the very first time.
    pub(crate) fn begin_behind(&self, cursor: &str) {
        let mut state = self.lock();
        state.done = Some(cursor.into());
        state.is_saved = false;
    }

    /// Where to go on reading when nothing is under way; `None` at the very first time.
    #[must_use]
    pub fn place(&self) -> Option<Arc<str>> {
        let state = self.lock();
        let under_way = state.groups.iter().rev().find_map(|group| group.cursor.as_ref());
        under_way.or(state.done.as_ref()).cloned()
    }

    /// What is to be saved, if anything is.
    #[must_use]
    pub fn unsaved(&self) -> Option<Arc<str>> {
        let state = self.lock();
        state.done.clone().filter(|_| !state.is_saved)
    }

    /// This cursor was saved.
    pub fn saved(&self, cursor: &Arc<str>) {
        let mut state = self.lock();
        state.is_saved |= state.done.as_ref() == Some(cursor);
    }

    /// A batch that ends with this cursor is about to be sent; gives its number. Without a cursor
    /// it cannot be told where it ends: a later one can.
    pub(super) fn begin(&self, cursor: Option<&str>) -> u64 {
        let mut state = self.lock();
        let cursor = cursor.map(Arc::from);
        match state.groups.len() {
            GROUPS => {
                if let Some(last) = state.groups.back_mut() {
                    last.cursor = cursor.or(last.cursor.take());
                    last.open += 2;
                }
            }
            _ => state.groups.push_back(Group { cursor, open: 2 }),
        }
        state.first + state.groups.len() as u64 - 1
    }

    /// The batch of this number was taken, or came back: to be called for both.
    pub(super) fn half(&self, number: u64) {
        let mut state = self.lock();
        let index = usize::try_from(number - state.first).unwrap_or(usize::MAX);
        if let Some(group) = state.groups.get_mut(index) {
            group.open -= 1;
        }
        while state.groups.front().is_some_and(|group| group.open == 0) {
            state.first += 1;
            if let Some(cursor) = state.groups.pop_front().and_then(|group| group.cursor) {
                state.done = Some(cursor);
                state.is_saved = false;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn unsaved(bookmark: &Bookmark) -> Option<String> {
        bookmark.unsaved().map(|cursor| cursor.to_string())
    }

    #[test]
    fn only_what_is_done_up_to_here_is_saved() {
        let bookmark = Bookmark::default();
        assert_eq!((bookmark.place(), unsaved(&bookmark)), (None, None));
        bookmark.resume("old");
        assert_eq!(unsaved(&bookmark), None);
        let [a, b, c] = ["a", "b", "c"].map(|cursor| bookmark.begin(Some(cursor)));
        let d = bookmark.begin(None);
        assert_eq!(bookmark.place().as_deref(), Some("c"));
        for number in [a, b, c, b, d, d] {
            bookmark.half(number);
            assert_eq!(unsaved(&bookmark), None, "the first one is under way");
        }
        bookmark.half(a);
        assert_eq!(unsaved(&bookmark).as_deref(), Some("b"));
        let saved = bookmark.unsaved().expect("one is unsaved");
        bookmark.half(c);
        bookmark.saved(&saved);
        assert_eq!(unsaved(&bookmark).as_deref(), Some("c"), "it went on meanwhile");
        bookmark.saved(&bookmark.unsaved().expect("one is unsaved"));
        assert_eq!(unsaved(&bookmark), None);
        assert_eq!(bookmark.place().as_deref(), Some("c"));
    }

    proptest! {
        #[test]
        fn any_order(
            count in 1_usize..2500,
            order in prop::collection::vec(any::<prop::sample::Index>(), 0..200),
        ) {
            let bookmark = Bookmark::default();
            let mut open: Vec<(u64, usize)> = (0..count)
                .map(|n| bookmark.begin(Some(&n.to_string())))
                .enumerate()
                .flat_map(|(n, number)| [(number, n), (number, n)])
                .collect();
            for index in order {
                if open.is_empty() {
                    break;
                }
                let (number, _) = open.swap_remove(index.index(open.len()));
                bookmark.half(number);
                if let Some(done) = unsaved(&bookmark) {
                    let done: usize = done.parse().expect("a number");
                    prop_assert!(open.iter().all(|(_, n)| *n > done));
                }
            }
            for (number, _) in open {
                bookmark.half(number);
            }
            prop_assert_eq!(unsaved(&bookmark), Some((count - 1).to_string()));
        }
    }
}
