//! The queue from the sources to the parsers (queue 1): bounded, and what happens when it is full.

#![forbid(unsafe_code)]

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use super::Statistics;
use crate::event::Batch;

/// The end of the queue that sources put batches of lines into.
///
/// When the queue is full, a source of datagrams keeps some lines back and drops what is newest
/// ([`Self::offer`]), and a source of streams waits and does not read on ([`Self::send`]), so that
/// its senders wait too.
#[derive(Clone, Debug)]
pub struct LineSender {
    queue: mpsc::Sender<Batch>,
}

/// Nobody takes lines any more: the parsers have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the queue of lines is closed")]
pub struct Closed;

impl LineSender {
    /// A sender into a bounded queue.
    #[must_use]
    pub fn new(queue: mpsc::Sender<Batch>) -> Self {
        Self { queue }
    }

    /// Puts a batch into the queue, or gives it back when there is no room.
    ///
    /// # Errors
    /// [`Closed`] when nobody takes lines any more.
    pub fn offer(&self, batch: Batch, statistics: &Statistics) -> Result<Option<Batch>, Closed> {
        let (lines, bytes, at) = (batch.len(), batch.size(), batch.received_at);
        if lines == 0 {
            return Ok(None);
        }
        match self.queue.try_reserve() {
            Ok(room) => {
                // Before anybody can have looked at them.
                statistics.count_lines(lines, bytes, at);
                room.send(batch);
                Ok(None)
            }
            Err(TrySendError::Full(())) => {
                statistics.count_full();
                Ok(Some(batch))
            }
            Err(TrySendError::Closed(())) => Err(Closed),
        }
    }

    /// Puts a batch into the queue, and waits while there is no room.
    ///
    /// # Errors
    /// [`Closed`] when nobody takes lines any more.
    pub async fn send(&self, batch: Batch, statistics: &Statistics) -> Result<(), Closed> {
        let (lines, bytes, at) = (batch.len(), batch.size(), batch.received_at);
        if lines == 0 {
            return Ok(());
        }
        let room = match self.queue.try_reserve() {
            Ok(room) => room,
            Err(TrySendError::Full(())) => {
                statistics.count_full();
                self.queue.reserve().await.map_err(|_| Closed)?
            }
            Err(TrySendError::Closed(())) => return Err(Closed),
        };
        statistics.count_lines(lines, bytes, at);
        room.send(batch);
        Ok(())
    }
}
