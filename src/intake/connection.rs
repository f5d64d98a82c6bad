//! One connection: reads, cuts into messages, sends them on in batches.
//!
//! A connection may be quiet between two frames for as long as it likes, with a buffer of one
//! KiB. A frame that has begun must be whole within the frame timeout. While the queue to the
//! parsers is full nothing is read, and TCP slows the sender down: no line is lost.

#![forbid(unsafe_code)]

use std::io;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use super::framing::{Framed, Framer};
use super::rate::Rates;
use super::relp::serve::Relp;
use super::spec::Limits;
use super::tls::Tls;
use super::{Closed, LineSender, Refusal, Statistics};
use crate::event::{Batch, Origin, SourceId};
use crate::system::clock;
use crate::system::places::Place;

/// When we are to stop: how long nothing may come before a connection counts as read out.
pub(super) const DRAIN_GRACE: Duration = Duration::from_millis(50);
/// When we are to stop: how long a connection is read out at most.
pub(super) const DRAIN_LIMIT: Duration = Duration::from_secs(2);
/// The same when it has to make room: others are coming in its place.
pub(super) const CROWDED_LIMIT: Duration = Duration::from_millis(200);
/// How long the last words of a TLS connection may take.
const FAREWELL: Duration = Duration::from_secs(1);
/// After this long without a byte a connection gives back its buffer.
pub(super) const QUIET: Duration = Duration::from_secs(30);

/// A connection and what it needs.
pub(super) struct Connection {
    /// Of the source, for the log.
    pub(super) name: String,
    pub(super) id: SourceId,
    pub(super) sender: Option<IpAddr>,
    /// The user at the other end of a Unix socket.
    pub(super) user: Option<u32>,
    pub(super) limits: Limits,
    pub(super) statistics: Arc<Statistics>,
    pub(super) queue: LineSender,
    pub(super) rates: Option<Arc<Rates>>,
    pub(super) stop: CancellationToken,
    pub(super) place: Place,
    /// The sessions of its source, if that speaks RELP.
    pub(super) relp: Option<Arc<Relp>>,
    /// Its socket, for [`Self::acknowledge`]; none where nobody waits for that.
    pub(super) socket: Option<OwnedFd>,
}

/// Why a connection is read no more.
pub(super) enum End {
    /// The sender closed it in good order.
    Closed,
    /// It broke, or took too long for a frame.
    Broken,
    /// It has to make room.
    Crowded,
    /// Nobody takes lines any more.
    NoQueue,
    /// We are to stop.
    Stop,
}

impl Connection {
    /// Serves a connection that was accepted, over TLS if the source has a certificate.
    pub(super) async fn serve<S>(self, stream: S, tls: Option<Arc<Tls>>)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let statistics = Arc::clone(&self.statistics);
        statistics.count_opened();
        match tls {
            None => self.converse(stream).await,
            Some(tls) => self.secure(stream, &tls).await,
        }
        statistics.count_closed();
    }

    async fn secure<S: AsyncRead + AsyncWrite + Unpin>(self, stream: S, tls: &Tls) {
        let ending = async {
            self.stop.cancelled().await;
            sleep(DRAIN_LIMIT).await;
        };
        let shaken = tokio::select! {
            biased;
            () = self.place.close.cancelled() => return,
            () = ending => return,
            shaken = tls.handshake(stream, self.limits.frame_timeout) => shaken,
        };
        match shaken {
            Ok(mut stream) => {
                self.converse(&mut stream).await;
                // Without it the sender must take the end for an attack; it may be gone already.
                let _ = timeout(FAREWELL, stream.shutdown()).await;
            }
            Err(failure) => {
                self.statistics.count_refused(Refusal::TlsHandshake);
                tls.refused(&self.name, self.sender, &failure);
            }
        }
    }

    async fn converse<S: AsyncRead + AsyncWrite + Unpin>(self, stream: S) {
        match self.relp.clone() {
            Some(relp) => relp.run(self, stream).await,
            None => self.run(stream).await,
        }
    }

    /// Reads until the connection ends or we are to stop.
    async fn run(mut self, mut stream: impl AsyncRead + Unpin) {
        let mut framer = Framer::new(self.limits.message);
        let mut end = self.read(&mut stream, &mut framer).await;
        let drained = match end {
            End::Stop => Some(DRAIN_LIMIT),
            End::Crowded => Some(CROWDED_LIMIT),
            _ => None,
        };
        if let Some(limit) = drained {
            end = self.drain(&mut stream, &mut framer, limit).await;
        }
        if !matches!(end, End::NoQueue) {
            self.finish(framer, matches!(end, End::Closed)).await;
        }
    }

    /// Sends on what is left when the stream has ended.
    pub(super) async fn finish(&mut self, mut framer: Framer, in_order: bool) {
        if let Some(framed) = framer.finish(in_order) {
            let mut batch = Batch::new(self.id, clock::now());
            self.take(framed, &mut batch);
            // Closed means that nobody wants it.
            let _ = self.queue.send(batch, &self.statistics).await;
        }
    }

    async fn read(&mut self, stream: &mut (impl AsyncRead + Unpin), framer: &mut Framer) -> End {
        let mut begun: Option<Instant> = None;
        loop {
            let until = match begun {
                Some(begun) => begun + self.limits.frame_timeout,
                None => now() + QUIET,
            };
            let read = tokio::select! {
                biased;
                () = self.stop.cancelled() => return End::Stop,
                () = self.place.close.cancelled() => return End::Crowded,
                read = timeout_at(until, stream.read(framer.space())) => read,
            };
            match read {
                Ok(Ok(0)) => return End::Closed,
                Ok(Ok(count)) => framer.filled(count),
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => continue,
                Ok(Err(_)) => return End::Broken,
                Err(_) if begun.is_some() => return End::Broken,
                Err(_) => {
                    framer.shrink();
                    continue;
                }
            }
            let delivered = self.deliver(framer).await;
            self.keep_to_rate(delivered.unwrap_or(0)).await;
            match delivered {
                Err(Closed) => return End::NoQueue,
                // The time of waiting for the queue is not the sender's.
                Ok(frames) if frames > 0 => begun = framer.is_inside().then(now),
                Ok(_) => begun = framer.is_inside().then(|| begun.unwrap_or_else(now)),
            }
        }
    }

    /// Reads what has arrived already.
    async fn drain(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin),
        framer: &mut Framer,
        limit: Duration,
    ) -> End {
        let until = now() + limit;
        while now() < until {
            match timeout(DRAIN_GRACE, stream.read(framer.space())).await {
                Ok(Ok(0)) => return End::Closed,
                Ok(Ok(count)) => framer.filled(count),
                Ok(Err(_)) | Err(_) => break,
            }
            if self.deliver(framer).await.is_err() {
                return End::NoQueue;
            }
        }
        End::Broken
    }

    /// Sends on all messages that are whole, and says how many frames there were.
    async fn deliver(&mut self, framer: &mut Framer) -> Result<usize, Closed> {
        let (batch, frames) = self.cut(framer);
        self.queue.send(batch, &self.statistics).await?;
        Ok(frames)
    }

    fn take(&self, framed: Framed<'_>, batch: &mut Batch) {
        match framed {
            Framed::Message { bytes, cut } => {
                if cut {
                    self.statistics.count_cut();
                }
                match self.user {
                    None => batch.push(bytes, cut, self.sender),
                    user => batch.push_from(bytes, cut, &Origin { user, ..Origin::default() }),
                }
            }
            Framed::Dropped(reason) => self.statistics.count_dropped(reason, 1),
        }
    }

    /// Lets the kernel acknowledge at once what was read. librelp writes line by line and leaves it
    /// to the kernel to join them, which sends the last few of a window only when those before are
    /// acknowledged: after 40 to 200 ms, since nothing goes back that this could ride on.
    pub(super) fn acknowledge(&self) {
        if let Some(socket) = &self.socket {
            // Without it, it only takes longer.
            let _ = socket2::SockRef::from(socket).set_tcp_quickack(true);
        }
    }

    /// Waits as long as so many lines are worth, unless the connection has to end.
    pub(super) async fn keep_to_rate(&self, lines: usize) {
        let Some(rates) = &self.rates else { return };
        let pause = rates.charge(self.sender, lines, clock::instant());
        if !pause.is_zero() {
            tokio::select! {
                () = self.stop.cancelled() => {}
                () = self.place.close.cancelled() => {}
                () = sleep(pause) => {}
            }
        }
    }

    /// All messages that are whole, and how many frames there were.
    pub(super) fn cut(&mut self, framer: &mut Framer) -> (Batch, usize) {
        let mut batch = Batch::new(self.id, clock::now());
        let mut frames = 0;
        while let Some(framed) = framer.next_frame() {
            frames += 1;
            self.take(framed, &mut batch);
        }
        if !batch.is_empty() {
            self.place.spoke();
        }
        (batch, frames)
    }
}

pub(super) fn now() -> Instant {
    Instant::from_std(clock::instant())
}
