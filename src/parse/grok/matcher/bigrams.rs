//! Which pairs of neighbouring bytes a text holds, roughly: a quick way to see that a pattern
//! cannot match.
//!
//! Rules try a dozen patterns on one text, most of which hold words that the text does not. The
//! pairs of a text are marked once; then the first pair that a pattern needs and the text has not
//! rules it out. What is not ruled out may still not match: several pairs share a mark. With fewer
//! marks, the pairs of a long line would take them all.

/// The mark of a pair.
#[inline]
fn mark(first: u8, second: u8) -> u8 {
    first.rotate_left(3) ^ second
}

/// The marks that a pattern needs, those first that few texts have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Bigrams(Vec<u8>);

/// The marks that a text has.
pub(in super::super) struct Held([bool; 256]);

impl Bigrams {
    /// The pairs of a literal.
    pub(super) fn of(literal: &[u8]) -> Self {
        // Letters stand beside letters in every text.
        let is_common = |pair: &[u8]| pair.iter().all(u8::is_ascii_lowercase);
        let mut pairs: Vec<&[u8]> = literal.windows(2).collect();
        pairs.sort_by_key(|pair| is_common(pair));
        Self(pairs.into_iter().map(|pair| mark(pair[0], pair[1])).collect())
    }

    /// The pairs of both.
    pub(super) fn and(mut self, other: Self) -> Self {
        for mark in other.0 {
            if !self.0.contains(&mark) {
                self.0.push(mark);
            }
        }
        self
    }
}

impl Held {
    /// The pairs of a text.
    pub(in super::super) fn of(text: &[u8]) -> Self {
        let mut held = [false; 256];
        for pair in text.windows(2) {
            held[usize::from(mark(pair[0], pair[1]))] = true;
        }
        Self(held)
    }

    /// Whether all of these are among them.
    #[inline]
    pub(in super::super) fn has(&self, Bigrams(needs): &Bigrams) -> bool {
        needs.iter().all(|mark| self.0[usize::from(*mark)])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_text_has_what_its_parts_need(
            parts in prop::collection::vec("[a-cA:\u{e9} ]{0,6}", 1..5),
            wanted in "[a-zA-Z: ]{2,8}",
        ) {
            let text = parts.concat();
            let needs = parts.iter().map(|part| Bigrams::of(part.as_bytes()));
            let needs = needs.fold(Bigrams::default(), Bigrams::and);
            prop_assert!(Held::of(text.as_bytes()).has(&needs));
            let has = Held::of(text.as_bytes()).has(&Bigrams::of(wanted.as_bytes()));
            prop_assert!(has || !text.contains(&wanted));
        }
    }

    #[test]
    fn a_text_lacks_the_words_of_others() {
        let held = Held::of(b"Accepted publickey for deploy from 192.0.2.29 port 50893 ssh2");
        for word in ["Failed ", "Invalid user", "Disconnected from", "banner exchange"] {
            assert!(!held.has(&Bigrams::of(word.as_bytes())), "{word}");
        }
        assert!(held.has(&Bigrams::of(b" for ")));
    }
}
