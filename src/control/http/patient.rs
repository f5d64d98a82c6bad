//! A connection whose other end must take what is written, in bounded time.

use std::future::Future;
use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// A connection that breaks when nothing of what is to be written is taken for so long. Reading is
/// the other side's turn: whoever asks bounds that.
pub(super) struct Patient<S> {
    inner: S,
    mood: Moods,
    longest: Duration,
    /// Set while something waits to be written.
    late: Option<Pin<Box<Sleep>>>,
}

/// What went on last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mood {
    /// Nothing since the last answer.
    Idle,
    /// Something was read.
    Asking,
    /// What was written was not taken.
    Stalled,
}

/// Tells what went on last, also when the connection is in other hands.
#[derive(Clone, Debug, Default)]
pub(super) struct Moods(Arc<AtomicU8>);

impl Moods {
    pub(super) fn now(&self) -> Mood {
        match self.0.load(Relaxed) {
            0 => Mood::Idle,
            1 => Mood::Asking,
            _ => Mood::Stalled,
        }
    }

    fn set(&self, mood: Mood) {
        self.0.store(mood as u8, Relaxed);
    }
}

impl<S> Patient<S> {
    pub(super) fn new(inner: S, longest: Duration) -> (Self, Moods) {
        let mood = Moods::default();
        (Self { inner, mood: mood.clone(), longest, late: None }, mood)
    }

    fn bounded<T>(
        &mut self,
        context: &mut Context<'_>,
        done: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if done.is_ready() {
            self.late = None;
            return done;
        }
        let longest = self.longest;
        let late = self.late.get_or_insert_with(|| Box::pin(sleep(longest)));
        late.as_mut().poll(context).map(|()| {
            self.mood.set(Mood::Stalled);
            Err(ErrorKind::TimedOut.into())
        })
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let done = Pin::new(&mut self.inner).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.mood.set(Mood::Asking);
        }
        done
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.inner).poll_write(context, bytes);
        if matches!(done, Poll::Ready(Ok(_))) {
            self.mood.set(Mood::Idle);
        }
        self.bounded(context, done)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.inner).poll_write_vectored(context, slices);
        if matches!(done, Poll::Ready(Ok(_))) {
            self.mood.set(Mood::Idle);
        }
        self.bounded(context, done)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let done = Pin::new(&mut self.inner).poll_flush(context);
        self.bounded(context, done)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let done = Pin::new(&mut self.inner).poll_shutdown(context);
        self.bounded(context, done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[test]
    fn who_takes_nothing_is_left_and_who_is_slow_is_not() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let (ours, mut theirs) = tokio::io::duplex(1024);
            let (mut ours, mood) = Patient::new(ours, Duration::from_millis(60));
            let slow = async {
                for _ in 0..6 {
                    sleep(Duration::from_millis(20)).await;
                    theirs.read_exact(&mut [0; 1024]).await.unwrap();
                }
                theirs
            };
            let (written, _theirs) = tokio::join!(ours.write_all(&[1; 7 * 1024]), slow);
            written.unwrap();
            let stuck = ours.write_all(&[1; 1024]).await.unwrap_err();
            assert_eq!(stuck.kind(), ErrorKind::TimedOut);
            assert_eq!(mood.now(), Mood::Stalled);
        });
    }
}
