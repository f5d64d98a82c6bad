//! Which pairs of neighbouring bytes a text holds, roughly: a quick way to see that a pattern
//! cannot match.
//!
//! Rules try a dozen patterns on one text, most of which hold words that the text does not. The
//! pairs of a text are made once; then one comparison of 64 bits rules a pattern out. What is not
//! ruled out may still not match.

/// A set of pairs of bytes; several pairs share a bit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Bigrams(u64);

impl Bigrams {
    /// The pairs of a text.
    pub(in super::super) fn of(text: &[u8]) -> Self {
        let bit = |first: u8, second: u8| 1 << (first.wrapping_mul(7).wrapping_add(second) & 63);
        Self(text.windows(2).fold(0, |word, pair| word | bit(pair[0], pair[1])))
    }

    /// The pairs of both.
    pub(super) fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `needs` are among these.
    pub(in super::super) fn hold(&self, needs: &Self) -> bool {
        needs.0 & !self.0 == 0
    }
}

/// Remembers the pairs of the text that was searched last.
///
/// Hostile to itself if misused: a text is told by its place in memory, so [`LastText::forget`] is
/// called before that memory is used for another.
#[derive(Debug, Default)]
pub(in super::super) struct LastText {
    place: usize,
    length: usize,
    searches: u32,
    pairs: Bigrams,
}

/// How often a text is searched before its pairs are worth making.
const WORTH_IT: u32 = 2;

impl LastText {
    /// Forgets the text.
    pub(in super::super) fn forget(&mut self) {
        (self.place, self.length, self.searches) = (0, 0, 0);
    }

    /// Whether a match that needs these pairs can be in `text`.
    #[inline]
    pub(in super::super) fn can_hold(&mut self, text: &[u8], needs: &Bigrams) -> bool {
        let place = text.as_ptr().addr();
        if (self.place, self.length) != (place, text.len()) {
            (self.place, self.length, self.searches) = (place, text.len(), 0);
        }
        self.searches += 1;
        if self.searches == WORTH_IT {
            self.pairs = Bigrams::of(text);
        }
        self.searches < WORTH_IT || self.pairs.hold(needs)
    }
}
