//! RELP sessions through real sockets.

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::certificates::{Authority, Client, Files};
use super::*;
use crate::intake::relp::WINDOW;
use crate::intake::relp::frame;

const OPEN: &str = "relp_version=0\nrelp_software=test,1\ncommands=syslog";

/// The other end of a session.
struct Peer<S> {
    stream: BufReader<S>,
    txnr: u32,
}

impl Peer<TcpStream> {
    async fn open(running: &Running) -> Self {
        let at = running.address.expect("an address");
        let stream = TcpStream::connect(at).await.expect("a connection");
        Self::over(stream).await
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<S> {
    async fn over(stream: S) -> Self {
        let mut peer = Self { stream: BufReader::new(stream), txnr: 0 };
        peer.send("open", OPEN).await;
        let offers = peer.answer().await;
        assert!(offers.starts_with("1 200 OK\nrelp_version=0\nrelp_software=weir,"), "{offers}");
        assert!(offers.ends_with("\ncommands=syslog"), "{offers}");
        peer
    }

    async fn send(&mut self, command: &str, data: &str) {
        self.txnr += 1;
        let mut frame = Vec::new();
        frame::write(&mut frame, self.txnr, command, data.as_bytes());
        self.stream.get_mut().write_all(&frame).await.expect("a sent frame");
        self.stream.get_mut().flush().await.expect("a sent frame");
    }

    async fn lines(&mut self, lines: &[&str]) {
        for line in lines {
            self.send("syslog", line).await;
        }
    }

    /// The next frame, as `txnr command length data`.
    async fn frame(&mut self) -> std::io::Result<String> {
        let mut header = Vec::new();
        let mut spaces = 0;
        loop {
            let byte = self.stream.read_u8().await?;
            spaces += usize::from(byte == b' ');
            if byte == b'\n' || spaces == 3 {
                break;
            }
            header.push(byte);
        }
        let header = String::from_utf8(header).expect("text");
        let length: usize = header.rsplit(' ').next().expect("a length").parse().expect("a length");
        let mut data = vec![0; length];
        if length > 0 {
            self.stream.read_exact(&mut data).await?;
            assert_eq!(self.stream.read_u8().await?, b'\n');
        }
        Ok(format!("{header} {}", String::from_utf8(data).expect("text")))
    }

    /// The next answer, as `txnr data`.
    async fn answer(&mut self) -> String {
        let frame = timeout(DEADLINE, self.frame()).await.expect("in time").expect("an answer");
        let mut parts = frame.splitn(4, ' ');
        let txnr = parts.next().expect("a number");
        assert_eq!(parts.next(), Some("rsp"), "{frame}");
        format!("{txnr} {}", parts.nth(1).expect("data"))
    }

    async fn answers(&mut self, txnrs: std::ops::RangeInclusive<u32>) {
        for txnr in txnrs {
            assert_eq!(self.answer().await, format!("{txnr} 200 OK"));
        }
    }

    /// Whether nothing comes while others get their turn.
    async fn is_quiet(&mut self) -> bool {
        timeout(Duration::from_millis(50), self.stream.fill_buf()).await.is_err()
    }

    async fn is_gone(&mut self) -> bool {
        let end = timeout(DEADLINE, self.stream.fill_buf()).await.expect("an end in time");
        !end.is_ok_and(|bytes| !bytes.is_empty())
    }
}

fn relp() -> Source {
    source(Listen::Relp(V4))
}

impl Running {
    /// The next batch, receipt and all.
    async fn batch(&mut self) -> Batch {
        timeout(DEADLINE, self.queue.recv()).await.expect("in time").expect("a batch")
    }

    /// Nothing is taken out of the queue and nothing is in it.
    fn is_idle(&mut self) -> bool {
        self.queue.try_recv().is_err() && self.lines.is_empty()
    }
}

#[tokio::test]
async fn a_session() {
    let mut running = start(&relp(), 8);
    let mut peer = Peer::open(&running).await;
    peer.lines(&["<13>a\n", "<13>b", "", "<13>multi\nline"]).await;
    running.expect(&["127.0.0.1 <13>a", "127.0.0.1 <13>b"]).await;
    running.expect(&["127.0.0.1 <13>multi\\nline"]).await;
    peer.answers(2..=5).await;
    peer.send("open", OPEN).await;
    assert!(peer.answer().await.starts_with("6 200 OK\n"));
    peer.send("eventlog", "x").await;
    assert_eq!(peer.answer().await, "7 500 unknown command");
    peer.send("close", "").await;
    peer.answers(8..=8).await;
    assert!(peer.is_gone().await);
    running.until(|statistics| statistics.open() == 0).await;
    assert_eq!((running.statistics.lines(), running.statistics.all_dropped()), (3, 0));
}

#[tokio::test]
async fn over_tls_with_a_certificate() {
    let authority = Authority::new();
    let mut files = Files::new(&authority);
    files.require(&authority, &["web.example.org"]);
    let mut running = start(&Source { tls: Some(files.tls.clone()), ..relp() }, 8);
    let at = running.address.expect("an address");
    let own = authority.client("web.example.org");
    let stream = Client::new(&authority, Some(&own)).connect(at).await.expect("TLS");
    let mut peer = Peer::over(stream).await;
    peer.lines(&["<13>a"]).await;
    running.expect(&["127.0.0.1 <13>a"]).await;
    peer.answers(2..=2).await;
    peer.send("close", "").await;
    peer.answers(3..=3).await;
    assert!(peer.is_gone().await);
}

#[tokio::test]
async fn lines_are_answered_in_order_when_their_receipts_run() {
    let mut running = start(&relp(), 8);
    let mut peer = Peer::open(&running).await;
    peer.lines(&["<13>a"]).await;
    let first = running.batch().await;
    peer.lines(&["<13>b"]).await;
    let second = running.batch().await;
    assert!(peer.is_quiet().await);
    // Out of turn: it waits.
    drop(second);
    assert!(peer.is_quiet().await);
    let receipt = first.receipt.clone();
    drop(first);
    assert!(peer.is_quiet().await, "what follows from the lines still goes on");
    drop(receipt);
    peer.answers(2..=3).await;
}

#[tokio::test]
async fn no_more_than_the_window_is_read_ahead() {
    let mut running = start(&relp(), 4096);
    let mut peer = Peer::open(&running).await;
    let lines = 3 * WINDOW as u32;
    for n in 0..lines {
        peer.send("syslog", &format!("<13>{n}")).await;
    }
    running.until(|statistics| statistics.lines() == WINDOW as u64).await;
    assert!(peer.is_quiet().await);
    let mut next = 0;
    while next < lines {
        let batch = running.batch().await;
        for line in batch.lines() {
            assert_eq!(line.bytes, format!("<13>{next}").as_bytes());
            next += 1;
        }
        assert!(running.statistics.lines() <= u64::from(next) + WINDOW as u64);
    }
    peer.answers(2..=lines + 1).await;
}

#[tokio::test]
async fn what_is_too_long_is_cut() {
    let mut running = start(&limited(Listen::Relp(V4), |limits| limits.message = 480), 8);
    let mut peer = Peer::open(&running).await;
    let long = "x".repeat(100_000);
    peer.lines(&[&long, "<13>after"]).await;
    running.expect(&[&format!("127.0.0.1 {}…", &long[..480]), "127.0.0.1 <13>after"]).await;
    peer.answers(2..=3).await;
    assert_eq!(running.statistics.cut(), 1);
}

#[tokio::test]
async fn those_who_speak_no_relp() {
    let mut running = start(
        &limited(Listen::Relp(V4), |limits| {
            limits.frame_timeout = Duration::from_millis(100);
        }),
        8,
    );
    for (n, garbage) in
        ["<13>plain syslog\n", "GET / HTTP/1.1\r\n", "1 syslog 1 x\n", "1 open 1 xy"]
            .iter()
            .enumerate()
    {
        running.tcp().write_all(garbage.as_bytes()).expect("sent bytes");
        running.dropped(Reason::BadFrame, n as u64 + 1).await;
    }
    // Behind lines that are right; those are taken, and their answers lost.
    let mut peer = Peer::open(&running).await;
    peer.stream.get_mut().write_all(b"2 syslog 1 a\n3 syslog 1 b garbage").await.expect("sent");
    running.expect(&["127.0.0.1 a"]).await;
    running.dropped(Reason::BadFrame, 5).await;
    assert!(peer.is_gone().await);
    // Half a frame is not awaited for ever, a quiet session is.
    let mut quiet = Peer::open(&running).await;
    let mut half = Peer::open(&running).await;
    half.stream.get_mut().write_all(b"2 syslog 100 half").await.expect("sent");
    assert!(half.is_gone().await);
    quiet.lines(&["<13>still here"]).await;
    running.expect(&["127.0.0.1 <13>still here"]).await;
    quiet.answers(2..=2).await;
    assert_eq!(running.statistics.dropped(Reason::BadFrame), 5);
}

#[tokio::test]
async fn what_is_sent_again_is_delivered_once() {
    let mut running = start(&relp(), 8);
    let mut peer = Peer::open(&running).await;
    peer.lines(&["<13>a", "<13>b", "<13>c"]).await;
    let mut batches = Vec::new();
    while batches.iter().map(Batch::len).sum::<usize>() < 3 {
        batches.push(running.batch().await);
    }
    drop(peer);
    running.until(|statistics| statistics.open() == 0).await;
    // Nothing was answered, so all of it comes again, and then something new.
    let mut peer = Peer::open(&running).await;
    peer.lines(&["<13>a", "<13>b", "<13>c", "<13>d"]).await;
    running.dropped(Reason::Replayed, 3).await;
    let last = running.batch().await;
    assert_eq!(last.lines().map(|line| line.bytes.to_vec()).collect::<Vec<_>>(), [b"<13>d"]);
    drop(last);
    // What follows from the lines goes on from the first time: only then are they safe.
    assert!(peer.is_quiet().await);
    batches.clear();
    peer.answers(2..=5).await;
    assert_eq!(running.statistics.lines(), 4);
    assert!(running.is_idle());
}

#[tokio::test]
async fn lines_that_only_look_like_replays_come_late_but_come() {
    let mut running = start(&relp(), 8);
    let mut peer = Peer::open(&running).await;
    peer.lines(&["<13>a", "<13>b", "<13>c"]).await;
    running.expect(&["127.0.0.1 <13>a", "127.0.0.1 <13>b", "127.0.0.1 <13>c"]).await;
    peer.answers(2..=4).await;
    drop(peer);
    running.until(|statistics| statistics.open() == 0).await;
    let mut peer = Peer::open(&running).await;
    peer.lines(&["<13>b"]).await;
    running.expect(&["127.0.0.1 <13>b"]).await;
    peer.answers(2..=2).await;
    // And when the session is closed meanwhile.
    drop(peer);
    running.until(|statistics| statistics.open() == 0).await;
    let mut peer = Peer::open(&running).await;
    peer.lines(&["<13>a"]).await;
    peer.send("close", "").await;
    running.expect(&["127.0.0.1 <13>a"]).await;
    peer.answers(2..=3).await;
    assert_eq!(running.statistics.dropped(Reason::Replayed), 0);
}

#[tokio::test]
async fn stopping_answers_what_is_under_way_and_says_so() {
    let mut running = start(&relp(), 8);
    let mut peer = Peer::open(&running).await;
    peer.lines(&["<13>a", "<13>b"]).await;
    let mut batches = Vec::new();
    while batches.iter().map(Batch::len).sum::<usize>() < 2 {
        batches.push(running.batch().await);
    }
    running.stop.cancel();
    peer.lines(&["<13>too late"]).await;
    assert!(peer.is_quiet().await);
    batches.clear();
    peer.answers(2..=3).await;
    let farewell = timeout(DEADLINE, peer.frame()).await.expect("in time").expect("a frame");
    assert_eq!(farewell, "0 serverclose 0 ");
    assert!(peer.is_gone().await);
    assert!(running.stop().await.is_empty());
}

#[tokio::test]
async fn lines_that_nobody_takes_are_not_answered() {
    let mut running = start(&relp(), 8);
    let mut peer = Peer::open(&running).await;
    running.queue.close();
    peer.lines(&["<13>a"]).await;
    assert!(peer.is_gone().await);
}
