//! A RELP session on a socket.
//!
//! One task reads, delivers and answers: lines go into the queue batch by batch, and what is to be
//! answered waits in one row until its turn has come and its receipt has run. While too much waits,
//! or the queue is full, nothing is read. When we are to stop, nothing more is read, what is under
//! way is awaited and answered, and the sender is told that we end: what was not answered it sends
//! again to whoever comes after us.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::frame::Frames;
use super::replay::{Replay, Sessions, Shared, Verdict, WINDOW};
use super::session::{Answer, Session, Step, Word, write_farewell};
use crate::event::{Batch, Receipt};
use crate::intake::Reason;
use crate::intake::connection::Connection;
use crate::system::clock;
use crate::value::Seldom;

/// How long lines that may be replays are held back after the last byte: a sender sends again all
/// that was not answered, at once.
const DOUBT: Duration = Duration::from_secs(1);
/// After this long without a byte a session gives back its buffer.
const QUIET: Duration = Duration::from_secs(30);
/// When we are to stop: how long what is under way is awaited.
const STOP_LIMIT: Duration = Duration::from_secs(2);
/// How long the last words may take, and how long what still arrives is read and given up: a
/// socket that is closed with bytes unread takes our last answers back.
const FAREWELL: Duration = Duration::from_millis(500);

/// Bytes of lines that are held back at most; with more, all are taken for new.
const MOST_HELD: usize = 256 * 1024;
/// Bytes of answers that the sender does not read.
const MOST_OUT: usize = 64 * 1024;

/// Cancelled when all that follows from a batch is done.
type Done = Arc<CancellationToken>;

/// What the sessions of one source have in common.
#[derive(Debug, Default)]
pub(in crate::intake) struct Relp {
    sessions: Sessions<Done>,
    refusals: Mutex<Seldom>,
}

/// Something to be answered in its turn.
enum Due {
    /// Lines that went the same way.
    Lines { done: Done, txnrs: Vec<u32> },
    /// Anything else.
    Word(Answer),
}

/// A line that may be a replay.
struct Held {
    txnr: u32,
    line: Vec<u8>,
    cut: bool,
    hash: u64,
}

/// Why a session ends.
enum End {
    /// The sender asked for it, and was answered.
    Closed,
    /// The connection broke, or it has to make room for another one, or another one replaces it.
    Broken,
    /// It holds something else than RELP.
    Bad(String),
    /// We are to stop.
    Stop,
}

/// A session and what it owes.
struct Conversation<'c> {
    connection: &'c mut Connection,
    relp: &'c Relp,
    session: Session,
    memory: Shared<Done>,
    replay: Replay<Done>,
    held: Vec<Held>,
    /// Bytes of them.
    n_held: usize,
    due: VecDeque<Due>,
    /// Lines whose answers are not yet with the kernel.
    n_waiting: usize,
    is_closing: bool,
    out: Out,
}

/// Answers on their way to the socket.
#[derive(Default)]
struct Out {
    bytes: Vec<u8>,
    /// So many of them are with the kernel.
    written: usize,
    /// Where the answer to each line ends.
    ends: VecDeque<usize>,
    needs_flush: bool,
}

impl Out {
    fn is_empty(&self) -> bool {
        self.bytes.is_empty() && !self.needs_flush
    }

    /// Writes some, or makes sure that all went out. Nothing is lost when it is not awaited.
    async fn push(&mut self, writer: &mut (impl AsyncWrite + Unpin)) -> io::Result<usize> {
        if self.bytes.is_empty() {
            writer.flush().await?;
            self.needs_flush = false;
            return Ok(0);
        }
        let count = writer.write(&self.bytes[self.written..]).await?;
        if count == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.needs_flush = true;
        self.written += count;
        let before = self.ends.len();
        while self.ends.front().is_some_and(|end| *end <= self.written) {
            self.ends.pop_front();
        }
        let answered = before - self.ends.len();
        if self.written == self.bytes.len() {
            self.bytes.clear();
            self.written = 0;
        }
        Ok(answered)
    }
}

/// Waits until the first of what is due can be answered.
async fn ripe(due: &VecDeque<Due>) {
    match due.front() {
        Some(Due::Lines { done, .. }) => done.cancelled().await,
        Some(Due::Word(_)) => {}
        None => std::future::pending().await,
    }
}

impl Relp {
    /// Speaks with a sender until the session ends.
    pub(in crate::intake) async fn run<S>(&self, mut connection: Connection, stream: S)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let Some(sender) = connection.sender else { return };
        let (mut reader, mut writer) = tokio::io::split(stream);
        let (memory, replay) = self.sessions.begin(sender, clock::instant());
        let mut conversation = Conversation {
            connection: &mut connection,
            relp: self,
            session: Session::default(),
            memory,
            replay,
            held: Vec::new(),
            n_held: 0,
            due: VecDeque::new(),
            n_waiting: 0,
            is_closing: false,
            out: Out::default(),
        };
        let end = conversation.speak(&mut reader, &mut writer).await;
        if matches!(end, End::Stop) {
            conversation.settle(&mut writer).await;
        }
        let memory = conversation.memory.clone();
        self.sessions.end(&memory, matches!(end, End::Closed), clock::instant());
        match end {
            End::Closed | End::Stop => {
                let _ = timeout(FAREWELL, writer.shutdown()).await;
                let _ = timeout(FAREWELL, read_out(&mut reader)).await;
            }
            End::Bad(why) => {
                connection.statistics.count_dropped(Reason::BadFrame, 1);
                let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(unsaid) = refusals.may(clock::now()) {
                    let source = connection.name;
                    tracing::warn!(source, %sender, why, unsaid, "a sender does not speak RELP");
                }
            }
            End::Broken => {}
        }
    }
}

/// Reads and gives up whatever still comes.
async fn read_out(reader: &mut (impl AsyncRead + Unpin)) {
    let mut given_up = [0; 1024];
    while reader.read(&mut given_up).await.is_ok_and(|count| count > 0) {}
}

impl Conversation<'_> {
    /// Reads, delivers and answers until the session ends.
    async fn speak(
        &mut self,
        reader: &mut (impl AsyncRead + Unpin),
        writer: &mut (impl AsyncWrite + Unpin),
    ) -> End {
        let mut frames = Frames::new(self.connection.limits.message);
        let mut last_byte = now();
        let mut begun: Option<Instant> = None;
        loop {
            match self.take(&mut frames, now() >= last_byte + DOUBT).await {
                // The time of waiting for the queue is not the sender's.
                Ok(0) => begun = frames.is_inside().then(|| begun.unwrap_or_else(now)),
                Ok(_) => begun = frames.is_inside().then(now),
                Err(end) => return end,
            }
            self.collect();
            if self.is_closing && self.due.is_empty() && self.out.is_empty() {
                return End::Closed;
            }
            let reads = self.has_room();
            if !reads {
                // Nor is that of waiting for answers.
                begun = begun.map(|_| now());
            }
            let until = match begun {
                _ if !self.held.is_empty() => last_byte + DOUBT,
                Some(begun) if reads => begun + self.connection.limits.frame_timeout,
                _ => now() + QUIET,
            };
            let Self { connection, due, out, .. } = self;
            let owes = !out.is_empty();
            tokio::select! {
                biased;
                () = connection.stop.cancelled() => return End::Stop,
                () = connection.place.close.cancelled() => return End::Broken,
                () = ripe(due) => {}
                pushed = out.push(writer), if owes => match pushed {
                    Ok(answered) => self.answered(answered),
                    Err(_) => return End::Broken,
                },
                read = reader.read(frames.space()), if reads => match read {
                    Ok(count) if count > 0 => {
                        frames.filled(count);
                        connection.acknowledge();
                        last_byte = now();
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Ok(_) | Err(_) => return End::Broken,
                },
                () = sleep_until(until) => {
                    if self.held.is_empty() && reads && begun.is_some() {
                        return End::Broken;
                    }
                    if self.memory.is_superseded() {
                        return End::Broken;
                    }
                    frames.shrink();
                }
            }
        }
    }

    /// Whether more may wait for an answer.
    fn has_room(&self) -> bool {
        !self.is_closing
            && self.n_waiting < WINDOW
            && self.due.len() < WINDOW
            && self.out.bytes.len() < MOST_OUT
    }

    /// Takes the frames that have arrived, as many as the window lets, delivers their lines, and
    /// says how many there were. `resolves` that lines held back are new.
    async fn take(&mut self, frames: &mut Frames, resolves: bool) -> Result<usize, End> {
        let mut fresh = Fresh {
            batch: Batch::new(self.connection.id, clock::now()),
            done: Done::default(),
            remembered: Vec::new(),
        };
        let mut count = 0;
        let mut bad = None;
        while self.has_room() {
            let frame = match frames.next_frame() {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(error) => {
                    bad = Some(error.to_string());
                    break;
                }
            };
            count += 1;
            match self.session.take(&frame) {
                Ok(Step::Line { txnr, line, cut }) => self.line(txnr, line, cut, &mut fresh),
                // Even while lines are held back: a sender may wait for it before it goes on.
                Ok(Step::Answer(answer)) => self.due.push_back(Due::Word(answer)),
                Ok(Step::Close(answer)) => {
                    self.is_closing = true;
                    self.release(&mut fresh);
                    self.due.push_back(Due::Word(answer));
                }
                Ok(Step::Pass) => {}
                Err(error) => {
                    bad = Some(error.to_string());
                    break;
                }
            }
        }
        if resolves && count == 0 && !self.held.is_empty() {
            self.release(&mut fresh);
        }
        self.deliver(fresh).await?;
        bad.map_or(Ok(count), |why| Err(End::Bad(why)))
    }

    fn line(&mut self, txnr: u32, line: &[u8], cut: bool, fresh: &mut Fresh) {
        self.n_waiting += 1;
        let hash = self.relp.sessions.hash(line);
        match self.replay.offer(hash) {
            Verdict::Held => {
                self.n_held += line.len();
                self.held.push(Held { txnr, line: line.to_vec(), cut, hash });
                if self.n_held > MOST_HELD {
                    self.release(fresh);
                }
            }
            Verdict::Fresh => {
                self.release(fresh);
                self.fresh(txnr, line, cut, hash, fresh);
            }
            Verdict::Replayed(marks) => {
                let held = std::mem::take(&mut self.held);
                let lines = held.into_iter().map(|held| (held.txnr, held.hash, held.line));
                let lines = lines.chain([(txnr, hash, line.to_vec())]);
                for ((txnr, hash, line), done) in lines.zip(marks) {
                    let is_line = u64::from(!line.is_empty());
                    self.connection.statistics.count_dropped(Reason::Replayed, is_line);
                    self.owe(txnr, &done);
                    fresh.remembered.push((hash, done));
                }
            }
        }
    }

    /// What was held back is new.
    fn release(&mut self, fresh: &mut Fresh) {
        self.replay.give_up();
        for Held { txnr, line, cut, hash } in std::mem::take(&mut self.held) {
            self.fresh(txnr, &line, cut, hash, fresh);
        }
    }

    fn fresh(&mut self, txnr: u32, line: &[u8], cut: bool, hash: u64, fresh: &mut Fresh) {
        if !line.is_empty() {
            fresh.batch.push(line, cut, self.connection.sender);
        }
        if cut {
            self.connection.statistics.count_cut();
        }
        self.owe(txnr, &fresh.done);
        fresh.remembered.push((hash, Arc::clone(&fresh.done)));
    }

    /// A line is to be answered when what follows from it is done.
    fn owe(&mut self, txnr: u32, line_done: &Done) {
        match self.due.back_mut() {
            Some(Due::Lines { done, txnrs }) if Arc::ptr_eq(done, line_done) => txnrs.push(txnr),
            _ => {
                let done = Arc::clone(line_done);
                self.due.push_back(Due::Lines { done, txnrs: vec![txnr] });
            }
        }
    }

    async fn deliver(&mut self, fresh: Fresh) -> Result<(), End> {
        let Fresh { mut batch, done, remembered } = fresh;
        if !self.memory.push(remembered) {
            return Err(End::Broken);
        }
        if batch.is_empty() {
            done.cancel();
            return Ok(());
        }
        self.connection.place.spoke();
        batch.receipt = Some(Receipt::new(move || done.cancel()));
        // Lines that nobody took must not be answered, although their receipt has run.
        let lines = batch.len();
        let sent = self.connection.queue.send(batch, &self.connection.statistics).await;
        self.connection.keep_to_rate(lines).await;
        sent.map_err(|_| End::Broken)
    }

    /// Writes the answers whose turn has come.
    fn collect(&mut self) {
        loop {
            match self.due.front() {
                Some(Due::Lines { done, txnrs }) if done.is_cancelled() => {
                    for &txnr in txnrs {
                        Answer { txnr, word: Word::Done }.write(&mut self.out.bytes);
                        self.out.ends.push_back(self.out.bytes.len());
                    }
                }
                Some(Due::Word(answer)) => answer.write(&mut self.out.bytes),
                Some(Due::Lines { .. }) | None => return,
            }
            self.due.pop_front();
        }
    }

    /// The kernel has so many more answers to lines.
    fn answered(&mut self, lines: usize) {
        self.n_waiting -= lines;
        self.memory.answered(lines);
    }

    /// Answers what is under way, and says that we end.
    async fn settle(&mut self, writer: &mut (impl AsyncWrite + Unpin)) {
        let until = now() + STOP_LIMIT;
        loop {
            self.collect();
            if self.due.is_empty() && self.out.is_empty() {
                break;
            }
            let Self { due, out, .. } = self;
            let owes = !out.is_empty();
            tokio::select! {
                biased;
                () = ripe(due) => {}
                pushed = out.push(writer), if owes => match pushed {
                    Ok(answered) => self.answered(answered),
                    Err(_) => return,
                },
                () = sleep_until(until) => break,
            }
        }
        // Behind whatever could not be written, or it would be no frame.
        write_farewell(&mut self.out.bytes);
        while !self.out.is_empty() {
            match timeout(FAREWELL, self.out.push(writer)).await {
                Ok(Ok(answered)) => self.answered(answered),
                Ok(Err(_)) | Err(_) => return,
            }
        }
    }
}

/// Lines that are to be delivered, and what is to be remembered of the session.
struct Fresh {
    batch: Batch,
    done: Done,
    remembered: Vec<(u64, Done)>,
}

fn now() -> Instant {
    Instant::from_std(clock::instant())
}
