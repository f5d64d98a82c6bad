//! Which pairs of neighbouring bytes a text holds, roughly: a quick way to see that a pattern
//! cannot match.
//!
//! Rules try a dozen patterns on one text, most of which hold words that the text does not. The
//! pairs of a text are made once; then a comparison of a few words rules a pattern out. What is not
//! ruled out may still not match.

/// A set of pairs of bytes; several pairs share a bit. With fewer bits, the pairs of a long line
/// would fill them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Bigrams([u64; 4]);

impl Bigrams {
    /// The pairs of a text.
    pub(in super::super) fn of(text: &[u8]) -> Self {
        let mut words = [0; 4];
        for pair in text.windows(2) {
            let bit = pair[0].wrapping_mul(37).wrapping_add(pair[1]);
            words[usize::from(bit >> 6)] |= 1 << (bit & 63);
        }
        Self(words)
    }

    /// The pairs of both.
    pub(super) fn and(self, other: Self) -> Self {
        let mut words = self.0;
        for (word, other) in words.iter_mut().zip(other.0) {
            *word |= other;
        }
        Self(words)
    }

    /// Whether all of `needs` are among these.
    #[inline]
    pub(in super::super) fn hold(&self, needs: &Self) -> bool {
        needs.0.iter().zip(self.0).fold(0, |missing, (need, held)| missing | need & !held) == 0
    }
}
