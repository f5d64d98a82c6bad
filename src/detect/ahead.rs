//! Looks ahead at the pours of a batch, so that their buckets are near when they are poured.
//!
//! With a million buckets each is far from the processor's caches. Looked up in a row, without
//! anything between that waits for them, many arrive at once. What is found is of no matter.

use super::detector::Detector;
use super::pour::Pour;
use super::table::Place;

/// Pours that are looked at together: not more than the caches hold.
const NEAR: usize = 64;

/// So few buckets are near anyway.
const FEW: usize = 4096;

/// Where the buckets of the next pours are.
#[derive(Debug, Default)]
pub struct Ahead {
    hints: Vec<Hint>,
}

/// Where the bucket of a pour was a moment ago, if it had one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hint(pub(super) Option<Place>);

impl Ahead {
    /// To be called before each pour of a batch, with it and those after it.
    #[inline]
    pub fn look(&mut self, detector: &Detector, pours: &[Pour]) -> Hint {
        if self.hints.is_empty() {
            if detector.n_tracked() <= FEW {
                return Hint::default();
            }
            let near = pours.get(..NEAR).unwrap_or(pours);
            detector.touch(near, &mut self.hints);
            self.hints.reverse();
        }
        self.hints.pop().unwrap_or_default()
    }
}
