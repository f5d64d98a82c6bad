//! Looks ahead at the pours of a batch, so that their buckets are near when they are poured.
//!
//! With a million buckets each is far from the processor's caches. Looked up in a row, without
//! anything between that waits for them, many arrive at once. What is found is of no matter.

use super::detector::Detector;
use super::pour::Pour;

/// Pours that are looked at together: not more than the caches hold.
const NEAR: usize = 64;

/// How far ahead was looked.
#[derive(Debug, Default)]
pub struct Ahead {
    left: usize,
}

impl Ahead {
    /// To be called before each pour of a batch, with it and those after it.
    pub fn look(&mut self, detector: &Detector, pours: &[Pour]) {
        if self.left == 0 {
            let near = pours.get(..NEAR).unwrap_or(pours);
            detector.touch(near);
            self.left = near.len();
        }
        self.left = self.left.saturating_sub(1);
    }
}
