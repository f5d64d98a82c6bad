//! Whether one of several texts occurs in another.

use std::sync::OnceLock;

use aho_corasick::AhoCorasick;
use aho_corasick::packed::Searcher as Packed;
use memchr::memmem::Finder;

/// From this many texts on, one pass for all is faster than a pass for each, also where the
/// processor cannot look at many places at a time.
const MANY: usize = 4;

/// More texts than this, or shorter ones, begin at too many places.
const MOST_PACKED: usize = 32;
const SHORTEST_PACKED: usize = 3;

/// Texts of which one is looked for.
#[derive(Debug)]
pub(super) struct Parts {
    texts: Box<[Box<str>]>,
    /// Built when it is first asked: most rules of a hub never are.
    search: OnceLock<Search>,
}

#[derive(Debug)]
enum Search {
    /// One after another.
    Each(Box<[Finder<'static>]>),
    /// All at once, by their first bytes, sixteen or thirty-two places at a time.
    Packed(Packed),
    /// All at once, byte by byte.
    Automaton(AhoCorasick),
}

impl Parts {
    /// These texts.
    pub(super) fn new(texts: Box<[Box<str>]>) -> Self {
        Self { texts, search: OnceLock::new() }
    }

    /// They.
    pub(super) fn texts(&self) -> &[Box<str>] {
        &self.texts
    }

    /// Whether one of them occurs in `text`.
    pub(super) fn any_in(&self, text: &str) -> bool {
        if self.texts.is_empty() {
            return false;
        }
        let bytes = text.as_bytes();
        match self.search.get_or_init(|| Search::of(&self.texts)) {
            Search::Each(finders) => finders.iter().any(|f| f.find(bytes).is_some()),
            Search::Packed(searcher) => searcher.find(bytes).is_some(),
            Search::Automaton(searcher) => searcher.is_match(bytes),
        }
    }
}

impl Search {
    fn of(texts: &[Box<str>]) -> Self {
        let bytes = || texts.iter().map(|text| text.as_bytes());
        let packable = (2..=MOST_PACKED).contains(&texts.len())
            && texts.iter().all(|text| text.len() >= SHORTEST_PACKED);
        if packable && let Some(searcher) = Packed::new(bytes()) {
            return Self::Packed(searcher);
        }
        if texts.len() >= MANY
            && let Ok(searcher) = AhoCorasick::new(bytes())
        {
            return Self::Automaton(searcher);
        }
        Self::Each(bytes().map(|text| Finder::new(text).into_owned()).collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn finds_what_looking_for_each_finds(
            texts in prop::collection::vec("[ab]{0,4}|[a-c]{3,5}", 0..40),
            text in "[a-d]{0,60}",
        ) {
            let expected = texts.iter().any(|part| text.contains(part));
            let parts = Parts::new(texts.into_iter().map(String::into_boxed_str).collect());
            prop_assert_eq!(parts.any_in(&text), expected);
        }
    }
}
