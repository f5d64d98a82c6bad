//! The word back to a source that everything that follows from its lines is done.

use std::fmt;
use std::sync::Arc;

/// Goes along with lines and with what is made of them. When the last clone is dropped, the lines
/// were parsed and poured, and the bans that follow are on disk: who kept the lines for us may
/// forget them now.
///
/// Lines that nobody took, because the daemon ends, drop it too: whoever sends them must look at
/// whether they were taken before believing it.
#[derive(Clone)]
pub struct Receipt {
    _done: Arc<Done>,
}

struct Done(Option<Box<dyn FnOnce() + Send + Sync>>);

impl Receipt {
    /// A receipt that runs `done` on the thread that drops the last clone; it must not wait.
    pub fn new(done: impl FnOnce() + Send + Sync + 'static) -> Self {
        Self { _done: Arc::new(Done(Some(Box::new(done)))) }
    }
}

impl Drop for Done {
    fn drop(&mut self) {
        if let Some(done) = self.0.take() {
            done();
        }
    }
}

impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Receipt")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn the_last_clone_says_it_once() {
        let told = Arc::new(AtomicU32::new(0));
        let to_tell = Arc::clone(&told);
        let receipt = Receipt::new(move || {
            to_tell.fetch_add(1, Ordering::Relaxed);
        });
        let other = receipt.clone();
        drop(receipt);
        assert_eq!(told.load(Ordering::Relaxed), 0);
        drop(other);
        assert_eq!(told.load(Ordering::Relaxed), 1);
    }
}
