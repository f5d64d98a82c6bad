//! Sockets on the loopback, from the sender to the queue. Nothing sleeps: everything waits for
//! what must happen, with a deadline.

pub(crate) mod certificates;
mod relp;
mod senders;
mod tls;

use std::io::Write;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::spec::{Limits, Listen, SOCKET_MODE, Source};
use super::*;
use crate::event::{Batch, SourceId};
use crate::value::Zones;

const DEADLINE: Duration = Duration::from_secs(20);
const V4: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
const V6: SocketAddr = SocketAddr::new(std::net::IpAddr::V6(Ipv6Addr::LOCALHOST), 0);

/// A running source and the other end of its queue.
struct Running {
    address: Option<SocketAddr>,
    statistics: Arc<Statistics>,
    queue: mpsc::Receiver<Batch>,
    stop: CancellationToken,
    tasks: TaskTracker,
    lines: std::collections::VecDeque<String>,
}

fn source(listen: Listen) -> Source {
    Source {
        name: "test".into(),
        label: "syslog".into(),
        listen,
        tls: None,
        senders: Vec::new(),
        users: Vec::new(),
        bans: crate::event::Trust::FULL,
        silent_after: None,
        zones: Zones::default(),
        limits: Limits { receive_buffer: 4 << 20, ..Limits::default() },
    }
}

fn limited(listen: Listen, change: impl FnOnce(&mut Limits)) -> Source {
    let mut source = source(listen);
    change(&mut source.limits);
    source
}

fn start(source: &Source, queue: usize) -> Running {
    run(Opened::open(source, SourceId(7)).expect("a socket"), queue)
}

fn run(opened: Opened, queue: usize) -> Running {
    let (sender, queue) = mpsc::channel(queue);
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let (address, statistics) = (opened.address(), Arc::clone(opened.statistics()));
    opened.spawn(&tasks, LineSender::new(sender), stop.clone()).expect("a started source");
    tasks.close();
    Running { address, statistics, queue, stop, tasks, lines: Default::default() }
}

impl Running {
    fn udp(&self) -> UdpSocket {
        let address = self.address.expect("an address");
        let socket = UdpSocket::bind(if address.is_ipv4() { V4 } else { V6 }).expect("a socket");
        socket.connect(address).expect("a connected socket");
        socket
    }

    fn tcp(&self) -> TcpStream {
        TcpStream::connect(self.address.expect("an address")).expect("a connection")
    }

    /// The next line: `sender source text`, with `…` when it is cut.
    async fn line(&mut self) -> String {
        while self.lines.is_empty() {
            let batch = timeout(DEADLINE, self.queue.recv()).await.expect("a batch in time");
            self.take(&batch.expect("a source that runs"));
        }
        self.lines.pop_front().expect("a line")
    }

    fn take(&mut self, batch: &Batch) {
        self.lines.extend(batch.lines().map(|line| {
            assert_eq!(line.source, SourceId(7));
            assert!(line.received_at.seconds() > 1_700_000_000, "stamped with the clock");
            let sender = line.sender.map_or("-".into(), |sender| sender.to_string());
            let cut = if line.cut { "…" } else { "" };
            format!("{sender} {}{cut}", line.bytes.escape_ascii())
        }));
    }

    async fn expect(&mut self, lines: &[&str]) {
        for expected in lines {
            assert_eq!(self.line().await, *expected);
        }
    }

    /// Stops the source and gives all lines that come yet.
    async fn stop(&mut self) -> Vec<String> {
        self.stop.cancel();
        while let Some(batch) = timeout(DEADLINE, self.queue.recv()).await.expect("an end in time")
        {
            self.take(&batch);
        }
        timeout(DEADLINE, self.tasks.wait()).await.expect("an end in time");
        self.lines.drain(..).collect()
    }

    /// Waits until so much was dropped for a reason.
    async fn dropped(&self, reason: Reason, count: u64) {
        self.until(|statistics| statistics.dropped(reason) >= count).await;
        assert_eq!(self.statistics.dropped(reason), count, "{}", reason.name());
    }

    /// Waits until so many connections were refused.
    async fn refused(&self, refusal: Refusal, count: u64) {
        self.until(|statistics| statistics.refused(refusal) >= count).await;
        assert_eq!(self.statistics.refused(refusal), count, "{}", refusal.name());
    }

    async fn until(&self, holds: impl Fn(&Statistics) -> bool) {
        let waiting = async {
            while !holds(&self.statistics) {
                tokio::task::yield_now().await;
            }
        };
        timeout(DEADLINE, waiting).await.expect("counted in time");
    }
}

#[tokio::test]
async fn udp_takes_a_burst() {
    let mut running = start(&source(Listen::Udp(V4)), 1024);
    let socket = running.udp();
    for number in 0..1000 {
        socket.send(format!("<13>{number}\n").as_bytes()).expect("a sent datagram");
    }
    for number in 0..1000 {
        assert_eq!(running.line().await, format!("127.0.0.1 <13>{number}"));
    }
    assert_eq!(running.statistics.lines(), 1000);
    assert_eq!(running.statistics.bytes(), 10 * 5 + 90 * 6 + 900 * 7);
    assert!(running.stop().await.is_empty());
}

#[tokio::test]
async fn udp_speaks_both_families() {
    let mut running = start(&source(Listen::Udp(V6)), 8);
    running.udp().send(b"six").expect("a sent datagram");
    running.expect(&["::1 six"]).await;
    let any = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0));
    let mut running = start(&source(Listen::Udp(any)), 8);
    let port = running.address.expect("an address").port();
    let socket = UdpSocket::bind(V4).expect("a socket");
    socket.send_to(b"four", (Ipv4Addr::LOCALHOST, port)).expect("a sent datagram");
    running.expect(&["127.0.0.1 four"]).await;
}

#[tokio::test]
async fn a_datagram_is_a_message() {
    let mut running = start(&source(Listen::Udp(V4)), 8);
    let socket = running.udp();
    for datagram in [&b"a\nb\r\n\0"[..], b"", b"\n", b"\xff\0x", b"5 <13>a"] {
        socket.send(datagram).expect("a sent datagram");
    }
    running.expect(&["127.0.0.1 a\\nb", "127.0.0.1 \\xff\\x00x", "127.0.0.1 5 <13>a"]).await;
}

#[tokio::test]
async fn udp_cuts_what_is_too_long() {
    let limit = |limits: &mut Limits| limits.message = 8;
    let mut running = start(&limited(Listen::Udp(V4), limit), 8);
    let socket = running.udp();
    for datagram in ["12345678", "12345678\n", "123456789", "1234567890abcdef"] {
        socket.send(datagram.as_bytes()).expect("a sent datagram");
    }
    let whole = "127.0.0.1 12345678";
    let cut = "127.0.0.1 12345678…";
    running.expect(&[whole, whole, cut, cut]).await;
    running.until(|statistics| statistics.cut() == 2).await;
    let largest = vec![b'x'; 65_507];
    let mut running = start(&source(Listen::Udp(V4)), 8);
    running.udp().send(&largest).expect("a sent datagram");
    assert_eq!(running.line().await.len(), "127.0.0.1 ".len() + 65_507);
}

#[tokio::test]
async fn udp_keeps_lines_back_when_the_queue_is_full_then_drops_and_counts() {
    const SENT: u64 = 400;
    let mut running = start(&source(Listen::Udp(V4)), 1);
    let socket = running.udp();
    for _ in 0..SENT {
        socket.send(&[b'x'; 60_000]).expect("a sent datagram");
        // The kernel's buffer is not what is tried here.
        std::thread::sleep(Duration::from_micros(100));
    }
    let lost = |statistics: &Statistics| {
        statistics.dropped(Reason::QueueFull) + statistics.dropped(Reason::ReceiveBufferFull)
    };
    running.until(|statistics| statistics.dropped(Reason::QueueFull) > SENT / 4).await;
    let taken = running.stop().await.len() as u64;
    assert_eq!(taken, running.statistics.lines());
    assert_eq!(lost(&running.statistics), SENT - taken);
    assert!(taken > 100, "8 MiB are kept back: {taken}");
}

#[tokio::test]
async fn udp_counts_what_the_kernel_dropped() {
    let small = |limits: &mut Limits| limits.receive_buffer = 1;
    let opened = Opened::open(&limited(Listen::Udp(V4), small), SourceId(7)).expect("a socket");
    let socket = UdpSocket::bind(V4).expect("a socket");
    socket.connect(opened.address().expect("an address")).expect("a connected socket");
    for _ in 0..500 {
        socket.send(&[b'x'; 400]).expect("a sent datagram");
    }
    let mut running = run(opened, 1024);
    let first = running.line().await;
    assert!(first.ends_with("xxx"));
    // Without any further datagram.
    let all = |statistics: &Statistics| {
        statistics.lines() + statistics.dropped(Reason::ReceiveBufferFull)
    };
    running.until(|statistics| all(statistics) == 500).await;
    assert!(running.statistics.lines() < 500);
}

#[tokio::test]
async fn tcp_takes_both_framings_on_one_connection() {
    let mut running = start(&source(Listen::Tcp(V4)), 8);
    let mut stream = running.tcp();
    for piece in ["<13>a\n5 <1", "3>b<13>c\r", "\n", "7 <13>d\n", "e5 <13>f<13>g"] {
        stream.write_all(piece.as_bytes()).expect("a sent piece");
        stream.flush().expect("a sent piece");
    }
    drop(stream);
    let lines = ["<13>a", "<13>b", "<13>c", "<13>d\\ne", "<13>f", "<13>g"];
    let lines = lines.map(|line| format!("127.0.0.1 {line}"));
    running.expect(&lines.each_ref().map(String::as_str)).await;
    running.until(|statistics| statistics.open() == 0).await;
    assert_eq!(running.statistics.accepted(), 1);
}

#[tokio::test]
async fn tcp_cuts_at_64_kib_and_stays_in_step() {
    let mut running = start(&source(Listen::Tcp(V6)), 8);
    let mut stream = running.tcp();
    let exact = format!("<13>{}", "x".repeat(65_532));
    let long = format!("<13>{}", "y".repeat(100_000));
    for text in [&exact, &long] {
        stream.write_all(format!("{text}\n{} {text}", text.len()).as_bytes()).expect("sent");
    }
    stream.write_all(b"<13>z\n").expect("a sent line");
    for _ in 0..2 {
        assert_eq!(running.line().await, format!("::1 {exact}"));
    }
    for _ in 0..2 {
        assert_eq!(running.line().await, format!("::1 {}…", &long[..65_536]));
    }
    running.expect(&["::1 <13>z"]).await;
    running.until(|statistics| statistics.cut() == 2).await;
}

#[tokio::test]
async fn a_count_that_lies_costs_one_frame() {
    let mut running = start(&source(Listen::Tcp(V4)), 8);
    let mut stream = running.tcp();
    stream.write_all(b"5 <13>abc5 <13>d999999999 <13>e\n<13>f\n").expect("sent bytes");
    let lines = ["127.0.0.1 <13>a", "127.0.0.1 <13>d", "127.0.0.1 <13>e", "127.0.0.1 <13>f"];
    running.expect(&lines).await;
    running.dropped(Reason::BadFrame, 2).await;
    // A count that promises more than comes shows nothing.
    stream.write_all(b"90 <13>from 192.0.2.2").expect("sent bytes");
    drop(stream);
    running.dropped(Reason::Incomplete, 1).await;
    assert!(running.stop().await.is_empty());
}

#[tokio::test]
async fn a_full_queue_stops_reading_and_loses_nothing() {
    let mut running = start(&source(Listen::Tcp(V4)), 1);
    let mut stream = running.tcp();
    let lines = 200_000;
    let sender = std::thread::spawn(move || {
        for number in 0..lines {
            let line = format!("<13>line {number} {}\n", "x".repeat(100));
            stream.write_all(line.as_bytes()).expect("a sent line");
        }
    });
    // The sender cannot end while nobody takes lines: socket buffers hold less than it sends.
    running.until(|statistics| statistics.lines() > 0).await;
    assert!(!sender.is_finished());
    for number in 0..lines {
        let line = running.line().await;
        assert!(line.starts_with(&format!("127.0.0.1 <13>line {number} ")), "{line}");
    }
    sender.join().expect("a sender that could send everything");
    assert_eq!(running.statistics.lines(), lines);
}

#[tokio::test]
async fn half_a_frame_is_not_awaited_for_ever() {
    let short = |limits: &mut Limits| limits.frame_timeout = Duration::from_millis(50);
    let mut running = start(&limited(Listen::Tcp(V4), short), 8);
    let (mut quiet, mut half) = (running.tcp(), running.tcp());
    quiet.write_all(b"<13>quiet\n").expect("a sent line");
    half.write_all(b"<13>half").expect("sent bytes");
    running.expect(&["127.0.0.1 <13>quiet"]).await;
    running.dropped(Reason::Incomplete, 1).await;
    running.until(|statistics| statistics.open() == 1).await;
    // The other one has been quiet for as long, between two frames.
    quiet.write_all(b"<13>again\n").expect("a sent line");
    running.expect(&["127.0.0.1 <13>again"]).await;
}

#[tokio::test]
async fn newcomers_get_the_places_of_a_crowd() {
    let few = |limits: &mut Limits| limits.connections = 2;
    let mut running = start(&limited(Listen::Tcp(V4), few), 8);
    let mut first = running.tcp();
    first.write_all(b"<13>first\n").expect("a sent line");
    running.expect(&["127.0.0.1 <13>first"]).await;
    let _mute = running.tcp();
    running.until(|statistics| statistics.open() == 2).await;
    let mut second = running.tcp();
    second.write_all(b"<13>second\n").expect("a sent line");
    running.expect(&["127.0.0.1 <13>second"]).await;
    running.refused(Refusal::TooManyConnections, 1).await;
    running.until(|statistics| statistics.open() == 2).await;
    // Both have spoken, and the first was quiet for longer. What it has sent is read yet.
    first.write_all(b"<13>last words").expect("sent bytes");
    let mut third = running.tcp();
    third.write_all(b"<13>third\n").expect("a sent line");
    running.expect(&["127.0.0.1 <13>third"]).await;
    running.refused(Refusal::TooManyConnections, 2).await;
    running.dropped(Reason::Incomplete, 1).await;
    running.until(|statistics| statistics.open() == 2).await;
    second.write_all(b"<13>still here\n").expect("a sent line");
    running.expect(&["127.0.0.1 <13>still here"]).await;
}

#[tokio::test]
async fn stopping_reads_what_has_arrived() {
    let mut udp = start(&source(Listen::Udp(V4)), 1024);
    let socket = udp.udp();
    for number in 0..300 {
        socket.send(format!("<13>{number}").as_bytes()).expect("a sent datagram");
    }
    assert_eq!(udp.stop().await.len(), 300);

    let mut tcp = start(&source(Listen::Tcp(V4)), 1024);
    let mut streams: Vec<_> = (0..20).map(|_| tcp.tcp()).collect();
    for stream in &mut streams {
        stream.write_all(b"<13>a\n5 <13>b<13>half a line").expect("sent bytes");
    }
    let mut lines = tcp.stop().await;
    lines.sort();
    assert_eq!(lines.len(), 40);
    assert_eq!((&*lines[0], &*lines[39]), ("127.0.0.1 <13>a", "127.0.0.1 <13>b"));
    assert_eq!(tcp.statistics.dropped(Reason::Incomplete), 20);
    assert_eq!(tcp.statistics.open(), 0);
}

fn socket_path(directory: &tempfile::TempDir) -> PathBuf {
    directory.path().join("log")
}

fn datagrams(path: &Path) -> Listen {
    Listen::UnixDatagram { path: path.to_owned(), mode: SOCKET_MODE }
}

#[tokio::test]
async fn unix_datagrams() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = socket_path(&directory);
    let mut running = start(&source(datagrams(&path)), 8);
    let mode = path.metadata().expect("a socket").permissions().mode();
    assert_eq!(mode & 0o777, SOCKET_MODE);
    let socket = UnixDatagram::unbound().expect("a socket");
    socket.connect(&path).expect("a connected socket");
    socket.send(b"<13>a\n").expect("a sent datagram");
    socket.send(&[b'x'; 70_000]).expect("a sent datagram");
    running.expect(&["- <13>a", &format!("- {}…", "x".repeat(65_536))]).await;
    running.until(|statistics| statistics.cut() == 1).await;
    socket.send(b"<13>last").expect("a sent datagram");
    assert_eq!(running.stop().await, ["- <13>last"]);
    assert!(!path.exists(), "removed at the end");
}

#[tokio::test]
async fn unix_streams() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = socket_path(&directory);
    let listen = Listen::UnixStream { path: path.clone(), mode: 0o600 };
    let mut running = start(&source(listen), 8);
    let mode = path.metadata().expect("a socket").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let mut stream = UnixStream::connect(&path).expect("a connection");
    stream.write_all(b"<13>a\n5 <13>b").expect("sent bytes");
    running.expect(&["- <13>a", "- <13>b"]).await;
    assert!(running.stop().await.is_empty());
    assert!(!path.exists(), "removed at the end");
}

#[track_caller]
fn refused(source: &Source, words: &str) {
    let error = Opened::open(source, SourceId(7)).expect_err("a refusal").to_string();
    assert!(error.contains("source `test`"), "{error}");
    assert!(error.contains(words), "{error}");
}

#[tokio::test]
async fn what_stands_at_the_path() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = socket_path(&directory);
    // A socket that its owner has left behind is taken over.
    drop(UnixDatagram::bind(&path).expect("a socket"));
    let opened = Opened::open(&source(datagrams(&path)), SourceId(7)).expect("taken over");
    refused(&source(datagrams(&path)), "another program listens there");
    let stream = Listen::UnixStream { path: path.clone(), mode: SOCKET_MODE };
    refused(&source(stream), "another program listens there");
    // Somebody else's file at our path is not ours to remove.
    std::fs::remove_file(&path).expect("a removed socket");
    std::fs::write(&path, "text").expect("a file");
    drop(opened);
    assert_eq!(std::fs::read_to_string(&path).expect("a file"), "text");
    refused(&source(datagrams(&path)), "is not a socket");
    refused(&source(datagrams(&directory.path().join("none/log"))), "create it");
}

#[tokio::test]
async fn a_port_that_is_taken() {
    for listen in [Listen::Udp, Listen::Tcp] {
        let opened = Opened::open(&source(listen(V4)), SourceId(7)).expect("a socket");
        let address = opened.address().expect("an address");
        refused(&source(listen(address)), &format!("{address}: "));
        refused(&source(listen(address)), "stop it, or choose another address");
    }
    let foreign = SocketAddr::from(([192, 0, 2, 1], 0));
    refused(&source(Listen::Tcp(foreign)), "no interface of this host has that address");
}

#[tokio::test]
async fn sockets_of_the_service_manager() {
    let socket = UdpSocket::bind(V4).expect("a socket");
    let listener = std::net::TcpListener::bind(V4).expect("a socket");
    let connected = TcpStream::connect(listener.local_addr().expect("an address"));
    let udp = source(Listen::Udp(V4));
    let wrong = OwnedFd::from(connected.expect("a connection"));
    let tcp = source(Listen::Tcp(V4));
    let error = Opened::from_fd(&tcp, SourceId(7), wrong).expect_err("it does not listen");
    assert!(error.to_string().contains("not a listening tcp socket"), "{error}");
    let wrong = OwnedFd::from(socket.try_clone().expect("a socket"));
    assert!(Opened::from_fd(&tcp, SourceId(7), wrong).is_err());

    let opened = Opened::from_fd(&udp, SourceId(7), socket.into()).expect("a source");
    let mut running = run(opened, 8);
    running.udp().send(b"<13>u").expect("a sent datagram");
    running.expect(&["127.0.0.1 <13>u"]).await;
    let opened = Opened::from_fd(&tcp, SourceId(7), listener.into()).expect("a source");
    let mut running = run(opened, 8);
    running.tcp().write_all(b"<13>t\n").expect("a sent line");
    running.expect(&["127.0.0.1 <13>t"]).await;
}
