//! Connections that are read by one process after the other.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::event::{Batch, SourceId};
use crate::intake::spec::Limits;
use crate::intake::{LineSender, Statistics};
use crate::system::places::{Entry, Places};

#[test]
fn names() {
    for (name, source) in [
        ("connection-tcp-811-0", Some("tcp")),
        ("connection-my-site-811-12", Some("my-site")),
        ("connection-a.b_c-1-2", Some("a.b_c")),
        ("connection-811-0", None),
        ("weir.socket", None),
        ("", None),
    ] {
        assert_eq!(source_of(name), source, "{name}");
    }
}

/// A process that reads a connection which somebody else keeps.
struct Process {
    queue: mpsc::Receiver<Batch>,
    stop: CancellationToken,
    statistics: Arc<Statistics>,
    tasks: tokio::task::JoinSet<()>,
}

impl Process {
    fn start(kept: &UnixStream) -> Self {
        Self::patient(kept, STALL)
    }

    fn patient(kept: &UnixStream, stall: Duration) -> Self {
        let socket = kept.try_clone().expect("a descriptor");
        socket.set_nonblocking(true).expect("a socket");
        let held = Held::adopt(socket.into(), "connection-test-1-1".into());
        let held = Held { stall, ..held.expect("a socket") };
        let (sender, queue) = mpsc::channel(64);
        let (stop, statistics) = (CancellationToken::new(), Arc::new(Statistics::default()));
        let limits =
            Limits { frame_timeout: Duration::from_secs(2), message: 4096, ..Limits::default() };
        let Entry::Free(place) = Places::new(1).enter(None) else {
            unreachable!("there is one place")
        };
        let connection = Connection {
            name: "test".into(),
            id: SourceId(0),
            sender: None,
            user: None,
            limits,
            statistics: Arc::clone(&statistics),
            queue: LineSender::new(sender),
            rates: None,
            stop: stop.clone(),
            place,
            relp: None,
            socket: None,
        };
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(connection.run_held(held));
        Self { queue, stop, statistics, tasks }
    }

    /// The next batch and its lines.
    async fn batch(&mut self) -> (Batch, Vec<String>) {
        let batch = timeout(Duration::from_secs(10), self.queue.recv()).await;
        let batch = batch.expect("a batch in time").expect("a process that runs");
        let lines = batch.lines().map(|line| line.bytes.escape_ascii().to_string());
        let lines = lines.collect();
        (batch, lines)
    }

    /// So many lines; everything about them is done.
    async fn lines(&mut self, count: usize) -> Vec<String> {
        let mut all = Vec::new();
        while all.len() < count {
            all.extend(self.batch().await.1);
        }
        all
    }

    /// As if it were killed.
    async fn kill(mut self) {
        self.tasks.shutdown().await;
    }
}

fn connected() -> (UnixStream, UnixStream) {
    UnixStream::pair().expect("a pair")
}

#[tokio::test]
async fn what_is_not_done_with_is_read_again() {
    let (kept, mut far) = connected();
    let mut first = Process::start(&kept);
    far.write_all(b"<13>one\n7 <13>two").expect("a written stream");
    assert_eq!(first.lines(2).await, ["<13>one", "<13>two"]);
    // The receipt of the second batch never comes.
    far.write_all(b"<13>three\n<13>fo").expect("a written stream");
    let (_unfinished, lines) = first.batch().await;
    assert_eq!(lines, ["<13>three"]);
    first.kill().await;
    far.write_all(b"ur\n").expect("a written stream");
    let mut second = Process::start(&kept);
    assert_eq!(second.lines(2).await, ["<13>three", "<13>four"]);
    drop(far);
    assert!(second.queue.recv().await.is_none(), "the connection has ended");
    assert_eq!(second.statistics.all_dropped(), 0);
}

#[tokio::test]
async fn a_stop_leaves_the_rest_to_the_next() {
    let (kept, mut far) = connected();
    let mut first = Process::start(&kept);
    far.write_all(b"<13>one\n<13>tw").expect("a written stream");
    assert_eq!(first.lines(1).await, ["<13>one"]);
    first.stop.cancel();
    assert!(first.queue.recv().await.is_none(), "it has ended");
    far.write_all(b"o\n<13>three").expect("a written stream");
    drop(far);
    let mut second = Process::start(&kept);
    assert_eq!(second.lines(2).await, ["<13>two", "<13>three"]);
    assert_eq!((first.statistics.lines(), first.statistics.all_dropped()), (1, 0));
}

/// A frame that the kernel's buffer cannot hold beside what is there, byte by byte.
#[tokio::test]
async fn a_frame_that_stands_still_is_taken_and_comes_whole() {
    let (kept, mut far) = connected();
    let mut process = Process::start(&kept);
    let writer = std::thread::spawn(move || {
        far.write_all(b"2000 <13>").expect("a written stream");
        for _ in 0..1996 {
            far.write_all(b"x").expect("a written stream");
        }
        far
    });
    let line = process.lines(1).await;
    assert_eq!(line, [format!("<13>{}", "x".repeat(1996))]);
    drop(writer.join().expect("a writer"));
    assert!(process.queue.recv().await.is_none());
}

/// Killed again and again: every line comes, in order, some of them again.
#[tokio::test]
async fn no_line_is_lost_however_often_it_is_killed() {
    const LINES: usize = 3000;
    let (kept, mut far) = connected();
    let writer = std::thread::spawn(move || {
        for n in 0..LINES {
            let line = format!("<13>line {n} {}", "y".repeat(n % 97));
            let framed = match n % 3 {
                0 => format!("{} {line}", line.len()),
                _ => format!("{line}\n"),
            };
            for piece in framed.as_bytes().chunks(17 + n % 41) {
                far.write_all(piece).expect("a written stream");
            }
        }
    });
    let number = |line: &String| -> usize {
        line.split(' ').nth(1).and_then(|n| n.parse().ok()).expect("a line of ours")
    };
    // So many came without a gap.
    let mut came = 0;
    let mut again = 0;
    let mut round = 0;
    while came < LINES {
        round += 1;
        // On a busy machine the writer may stand still; nobody keeps the connection then.
        let mut process = Process::patient(&kept, Duration::from_secs(60));
        let (mut next, mut unfinished) = (None, None);
        for nth in 0..1 + round % 7 {
            let (batch, lines) = process.batch().await;
            for line in &lines {
                let at = number(line);
                assert!(at <= came && next.is_none_or(|next| next == at), "round {round}: {at}");
                again += usize::from(at < came);
                came = came.max(at + 1);
                next = Some(at + 1);
            }
            if nth == round % 7 && came < LINES {
                // Its receipt never comes: it is read again.
                unfinished = Some(batch);
            }
            if came == LINES || unfinished.is_some() {
                break;
            }
        }
        process.kill().await;
        drop(unfinished);
    }
    assert!(again > 0 && again < LINES * 10, "{again} lines came again");
    writer.join().expect("a writer");
    assert!(round > 10, "{round}");
}
