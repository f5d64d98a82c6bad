//! Answers that are written while they are sent.
//!
//! A piece is made when the one before was taken, on a thread that may wait for the disk: a slow
//! reader costs the memory of a piece, and holds up nobody. Few are made at the same time, so that a
//! crowd that begins takes neither all processors nor much memory. An answer that cannot be finished
//! is cut off without its end, so that nobody takes half of it for the whole.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Bytes;
use http_body::{Body, Frame};
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;

use crate::lapi::alerts::AlertListing;
use crate::lapi::listing::Listing;
use crate::lapi::stream::Answer;
use crate::ledger::{Error, Feed};

/// Something that is written in pieces.
#[derive(Debug)]
pub(super) enum Source {
    Stream(Answer),
    List(Listing),
    Alerts(AlertListing),
}

impl Source {
    fn next(&mut self, feed: &Feed) -> Result<Option<Vec<u8>>, Error> {
        match self {
            Self::Stream(answer) => answer.next(feed),
            Self::List(listing) => listing.next(feed),
            Self::Alerts(listing) => listing.next(feed),
        }
    }
}

/// What is done once all of it was taken.
type Finish = Box<dyn FnOnce(&Source) + Send>;

/// An answer that is being written.
pub(super) struct Pieces {
    feed: Arc<Feed>,
    writers: Arc<Semaphore>,
    finish: Option<Finish>,
    state: State,
}

/// A source, and the piece that it gave.
type Written = (Box<Source>, Result<Option<Vec<u8>>, Error>);

/// A writer that is not free yet.
type Turn = Pin<Box<dyn Future<Output = Result<OwnedSemaphorePermit, AcquireError>> + Send>>;

enum State {
    Idle(Box<Source>),
    Waiting(Box<Source>, Turn),
    Writing(JoinHandle<Written>),
    Over,
}

impl Pieces {
    /// An answer out of this feed, of which a piece is made when one of the `writers` is free.
    pub(super) fn new(
        feed: Arc<Feed>,
        writers: Arc<Semaphore>,
        source: Source,
        finish: Finish,
    ) -> Self {
        Self { feed, writers, finish: Some(finish), state: State::Idle(Box::new(source)) }
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        loop {
            match std::mem::replace(&mut self.state, State::Over) {
                State::Over => return Poll::Ready(None),
                State::Idle(source) => {
                    let turn = Box::pin(Arc::clone(&self.writers).acquire_owned());
                    self.state = State::Waiting(source, turn);
                }
                State::Waiting(mut source, mut turn) => {
                    let permit = match turn.as_mut().poll(context) {
                        Poll::Ready(permit) => permit,
                        Poll::Pending => {
                            self.state = State::Waiting(source, turn);
                            return Poll::Pending;
                        }
                    };
                    let feed = Arc::clone(&self.feed);
                    self.state = State::Writing(tokio::task::spawn_blocking(move || {
                        let piece = source.next(&feed);
                        drop(permit);
                        (source, piece)
                    }));
                }
                State::Writing(mut writing) => {
                    let written = match Pin::new(&mut writing).poll(context) {
                        Poll::Ready(written) => written,
                        Poll::Pending => {
                            self.state = State::Writing(writing);
                            return Poll::Pending;
                        }
                    };
                    // The runtime ends.
                    let Ok((source, piece)) = written else { return Poll::Ready(None) };
                    match piece {
                        Ok(Some(piece)) if piece.is_empty() => self.state = State::Idle(source),
                        Ok(Some(piece)) => {
                            self.state = State::Idle(source);
                            return Poll::Ready(Some(Ok(Frame::data(piece.into()))));
                        }
                        Ok(None) => {
                            if let Some(finish) = self.finish.take() {
                                finish(&source);
                            }
                            return Poll::Ready(None);
                        }
                        Err(error) => {
                            tracing::warn!(%error, "an answer to a bouncer was cut off");
                            return Poll::Ready(Some(Err(std::io::Error::other(error))));
                        }
                    }
                }
            }
        }
    }
}
