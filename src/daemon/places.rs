//! How far sources have come, on disk: who reads a journal goes on there after a restart.
//!
//! The judge owns the ledger, so a place is saved between its decisions, behind those that follow
//! from the lines before it. While a decision is unsaved no place is saved either.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::intake::journal::bookmark::Bookmark;
use crate::ledger::Ledger;
use crate::system::clock;

/// How often places are saved.
const OFTEN: Duration = Duration::from_millis(500);

/// The places of all sources that have one.
pub(super) struct Places {
    bookmarks: Vec<(String, Arc<Bookmark>)>,
    next_save: Instant,
    /// A save that failed was told of.
    is_told: bool,
}

/// Reads the places of sources from the ledger, by their names.
pub(super) fn find(bookmarks: Vec<(String, Arc<Bookmark>)>, ledger: &Ledger) -> Places {
    for (source, bookmark) in &bookmarks {
        match ledger.place(source) {
            Ok(Some(cursor)) => bookmark.resume(&cursor),
            Ok(None) => {}
            Err(error) => tracing::warn!(
                source,
                %error,
                "the place in the journal is lost: it is read as if for the first time"
            ),
        }
    }
    Places { bookmarks, next_save: clock::instant(), is_told: false }
}

impl Places {
    /// When something is to be saved again; `None` when nothing ever is.
    pub(super) fn next_save(&self) -> Option<Instant> {
        (!self.bookmarks.is_empty()).then_some(self.next_save)
    }

    /// Saves what is due.
    pub(super) fn save_some(&mut self, ledger: &mut Ledger) {
        if self.next_save().is_some_and(|at| clock::instant() >= at) {
            self.next_save = clock::instant() + OFTEN;
            self.save(ledger);
        }
    }

    /// Saves where all sources are.
    pub(super) fn save(&mut self, ledger: &mut Ledger) {
        for (source, bookmark) in &self.bookmarks {
            // First what is done, then whether all of it is saved.
            let Some(cursor) = bookmark.unsaved() else { continue };
            if ledger.health().unsaved > 0 {
                return;
            }
            match ledger.save_place(source, &cursor, clock::now()) {
                Ok(()) => {
                    bookmark.saved(&cursor);
                    self.is_told = false;
                }
                Err(error) if self.is_told => {
                    tracing::debug!(source, %error, "cannot save the place in the journal");
                }
                Err(error) => {
                    tracing::warn!(source, %error, "cannot save the place in the journal");
                    self.is_told = true;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::Allowlist;
    use crate::ledger::Options;

    #[test]
    fn a_source_finds_its_place_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ledger.db");
        let open = || {
            let allowlist = Allowlist::default();
            Ledger::open(&path, Options::default(), &allowlist, clock::now()).expect("a ledger").0
        };
        let [a, b] = [Arc::new(Bookmark::default()), Arc::new(Bookmark::default())];
        let both = || vec![("a".to_owned(), Arc::clone(&a)), ("b".to_owned(), Arc::clone(&b))];
        let mut ledger = open();
        let mut places = find(both(), &ledger);
        assert_eq!((a.place(), b.place()), (None, None));
        a.begin_behind("s=1;i=2");
        places.save_some(&mut ledger);
        assert_eq!(a.unsaved(), None);
        a.begin_behind("s=1;i=3");
        places.save_some(&mut ledger);
        assert!(a.unsaved().is_some(), "not so soon");
        places.save(&mut ledger);
        drop(ledger);
        let again = Arc::new(Bookmark::default());
        find(vec![("a".to_owned(), Arc::clone(&again)), ("b".to_owned(), b)], &open());
        assert_eq!(again.place().as_deref(), Some("s=1;i=3"));
        assert_eq!(again.unsaved(), None);
    }
}
