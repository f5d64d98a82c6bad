//! A request's body that must arrive in bounded time: whoever sends it a byte at a time would keep
//! a connection, and what was read so far, for ever.

use std::future::Future;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use http_body::{Frame, SizeHint};
use tokio::time::{Sleep, sleep};

/// A body with a time limit, which runs once it is read.
pub(super) struct Timed {
    inner: Body,
    longest: Duration,
    late: Option<Pin<Box<Sleep>>>,
}

impl Timed {
    pub(super) const fn new(inner: Body, longest: Duration) -> Self {
        Self { inner, longest, late: None }
    }
}

impl http_body::Body for Timed {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let longest = self.longest;
        let late = self.late.get_or_insert_with(|| Box::pin(sleep(longest)));
        if late.as_mut().poll(context).is_ready() {
            return Poll::Ready(Some(Err(ErrorKind::TimedOut.into())));
        }
        Pin::new(&mut self.inner).poll_frame(context).map_err(io::Error::other)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;

    use super::*;

    /// A body of which nothing comes.
    struct Silent;

    impl http_body::Body for Silent {
        type Data = Bytes;
        type Error = io::Error;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
            Poll::Pending
        }
    }

    #[test]
    fn a_body_ends_in_time() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let timed = |body| Body::new(Timed::new(body, Duration::from_millis(20)));
            assert_eq!(to_bytes(timed(Body::from("whole")), 9).await.unwrap(), "whole");
            assert!(to_bytes(timed(Body::new(Silent)), 9).await.is_err());
        });
    }
}
