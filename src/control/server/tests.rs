//! Client and server over a real socket in a temporary folder.

use std::io::{BufRead as _, Write as _};

use super::*;
use crate::control::Unbanning;
use crate::control::{Client, ClientError, Listing, Row, Status, answer};
use crate::decide::{Judge, Observe, Policy, Profiles};
use crate::decision::Allowlist;
use crate::ledger::{Ledger, Options};
use crate::value::Time;

/// A server with a judge and a daemon that only knows its status.
struct House {
    path: PathBuf,
    stop: CancellationToken,
    thread: Option<std::thread::JoinHandle<std::io::Result<()>>>,
    folder: tempfile::TempDir,
}

impl House {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        let server = Server::open(&path).unwrap();
        let allowlist = Allowlist::default();
        let now = Time::from_seconds(1_700_000_000);
        let ledger = folder.path().join("ledger.db");
        let ledger = Ledger::open(&ledger, Options::default(), &allowlist, now).unwrap().0;
        let policy = Policy {
            measures: crate::decide::Measures::default(),
            allowlist,
            profiles: Profiles::standard(1),
            observe: Observe::Nothing,
            duration: 60_000_000_000,
        };
        let mut judge = Judge::new(policy, ledger);
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let (to_judge, mut judged) = mpsc::channel::<Call>(4);
                let (to_daemon, mut managed) = mpsc::channel::<Call>(4);
                let calls = Calls { judge: to_judge, daemon: to_daemon };
                let mut parts = JoinSet::new();
                parts.spawn(async move {
                    while let Some(call) = judged.recv().await {
                        let _ = call.reply.send(answer(&mut judge, &call.request, now).reply);
                    }
                });
                parts.spawn(async move {
                    while let Some(call) = managed.recv().await {
                        // A reload is never answered, as by a daemon that dies over it.
                        if call.request == Request::Status {
                            let _ = call.reply.send(Reply::Status(Box::default()));
                        }
                    }
                });
                server.run(calls, stopped).await
            })
        });
        Self { path, stop, thread: Some(thread), folder }
    }

    fn ask(&self, request: &Request) -> Result<Reply, ClientError> {
        Client::open(&self.path).unwrap().ask(request)
    }

    /// Sends bytes as they are and gives the lines that come back.
    fn send(&self, bytes: &[u8]) -> Vec<String> {
        let mut stream = std::os::unix::net::UnixStream::connect(&self.path).unwrap();
        stream.write_all(bytes).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        std::io::BufReader::new(stream).lines().map_while(Result::ok).collect()
    }

    fn close(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap().unwrap();
        }
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.close();
    }
}

fn ban(targets: impl Iterator<Item = String>) -> Request {
    Request::Ban {
        targets: targets.collect(),
        for_seconds: Some(60),
        reason: "test".to_owned(),
        force: false,
    }
}

fn ids(rows: &[Row]) -> Vec<u64> {
    rows.iter().map(|row| row.id).collect()
}

#[test]
fn a_client_bans_lists_and_unbans() {
    let house = House::new();
    let mut client = Client::open(&house.path).unwrap();
    for part in 0..3 {
        let targets = (0..1500).map(|n| format!("11.{part}.{}.{}", n / 250, n % 250));
        let Reply::Banned { decisions, refused } = client.ask(&ban(targets)).unwrap() else {
            panic!("another answer");
        };
        assert_eq!((decisions.len(), refused.len()), (1500, 0));
    }
    let all = client.list(&Listing::default()).unwrap();
    assert_eq!(ids(&all), (1..=4500).collect::<Vec<_>>(), "three pages");
    let some = client.list(&Listing { limit: Some(2001), after: 7, ..Listing::default() }).unwrap();
    assert_eq!(ids(&some), (8..=2008).collect::<Vec<_>>());
    let one = Listing { target: Some("11.1.0.9".to_owned()), ..Listing::default() };
    assert_eq!(client.list(&one).unwrap()[0].target, "11.1.0.9");
    let mut ended = Vec::new();
    loop {
        let all = Unbanning { all: true, ..Unbanning::default() };
        let Reply::Unbanned(freed) = client.ask(&Request::Unban(all)).unwrap() else {
            panic!("another answer");
        };
        ended.push(freed.count);
        if freed.remaining == 0 {
            break;
        }
    }
    assert_eq!(ended, [1000, 1000, 1000, 1000, 500]);
    assert_eq!(client.list(&Listing::default()).unwrap(), []);
}

#[test]
fn each_request_reaches_the_one_who_answers_it() {
    let house = House::new();
    assert_eq!(house.ask(&Request::Status).unwrap(), Reply::Status(Box::<Status>::default()));
    let version = env!("CARGO_PKG_VERSION").to_owned();
    assert_eq!(house.ask(&Request::Version).unwrap(), Reply::Version { version });
    let gone = house.ask(&Request::Reload).unwrap_err();
    assert_eq!(
        (gone.to_string(), gone.kind()),
        ("the daemon is stopping".into(), FailureKind::Unavailable)
    );
    let wrong = house.ask(&ban(["203.0.113".to_owned()].into_iter())).unwrap_err();
    assert_eq!(wrong.kind(), FailureKind::Usage);
    assert!(wrong.to_string().starts_with("`203.0.113` is neither an address"), "{wrong}");
}

#[test]
fn what_is_no_request_is_answered_as_such() {
    let house = House::new();
    let answers = house.send(b"\n{}\n\xff\xfe\n[[[[\n{\"request\":\"version\"}\n{\"request\":");
    assert_eq!(answers.len(), 6, "{answers:?}");
    for (index, answer) in answers.iter().enumerate() {
        let expected = if index == 4 { "\"version\"" } else { "this is no request: " };
        assert!(answer.contains(expected), "{answer}");
    }
    let long = house.send(&vec![b'['; LONGEST_REQUEST + 1]);
    assert_eq!(
        long,
        [r#"{"reply":"failed","kind":"usage","message":"a request is at most 262144 bytes long"}"#]
    );
    let deep = format!("{{\"request\":\"list\",\"target\":{}\n", "[".repeat(100_000));
    let deep = house.send(deep.as_bytes());
    assert!(deep[0].contains("recursion limit exceeded"), "{deep:?}");
}

#[tokio::test]
async fn strangers_may_look_and_not_change() {
    let (to_judge, mut judged) = mpsc::channel::<Call>(4);
    let (to_daemon, _managed) = mpsc::channel::<Call>(4);
    let calls = Calls { judge: to_judge, daemon: to_daemon };
    let (ours, theirs) = UnixStream::pair().unwrap();
    assert_eq!(peer_of(&theirs).unwrap().uid, peer::own().uid);
    let mut parts = JoinSet::new();
    parts.spawn(async move { converse(theirs, false, &calls).await });
    let (reading, mut writing) = ours.into_split();
    let mut lines = BufReader::new(reading).lines();
    for request in [
        r#"{"request":"ban","targets":["203.0.113.7"]}"#,
        r#"{"request":"unban","all":true}"#,
        r#"{"request":"reload"}"#,
        r#"{"request":"unmatched"}"#,
    ] {
        writing.write_all(format!("{request}\n").as_bytes()).await.unwrap();
        let answer = lines.next_line().await.unwrap().unwrap();
        assert!(answer.contains(r#""kind":"permission""#), "{answer}");
    }
    assert!(judged.try_recv().is_err());
    writing.write_all(b"{\"request\":\"list\"}\n").await.unwrap();
    assert!(judged.recv().await.unwrap().request.is_for_judge());
}

#[test]
fn idle_connections_keep_nobody_out_for_long() {
    let house = House::new();
    let idle: Vec<_> = (0..MOST_CONNECTIONS - 1)
        .map(|_| std::os::unix::net::UnixStream::connect(&house.path).unwrap())
        .collect();
    assert!(house.ask(&Request::Version).is_ok());
    drop(idle);
    for _ in 0..3 * MOST_CONNECTIONS {
        assert!(house.ask(&Request::Version).is_ok());
    }
}

#[test]
fn the_socket_is_for_user_and_group_and_goes_with_the_server() {
    let mut house = House::new();
    let mode = std::fs::metadata(&house.path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o660);
    let second = Server::open(&house.path).unwrap_err();
    assert!(matches!(second, OpenError::InUse { .. }), "{second}");
    house.close();
    assert!(!house.path.exists());
    let left: Vec<_> = std::fs::read_dir(house.folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .filter(|name| name.to_string_lossy().starts_with("control"))
        .collect();
    assert_eq!(left, [""; 0]);
}

#[test]
fn what_a_dead_daemon_left_is_replaced_and_a_file_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(Server::open(&path).is_ok());
    let file = folder.path().join("precious");
    std::fs::write(&file, "data").unwrap();
    assert!(matches!(Server::open(&file), Err(OpenError::NotASocket { .. })));
    assert_eq!(std::fs::read(&file).unwrap(), b"data");
    let nowhere = Server::open(Path::new("/nonexistent/control.sock")).unwrap_err();
    assert_eq!(
        nowhere.to_string(),
        "cannot make the control socket `/nonexistent/control.sock`: \
         No such file or directory (os error 2)"
    );
}

#[test]
fn a_client_says_where_it_looked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control.sock");
    let expected =
        format!("weir is not running? expected its control socket at `{}`", path.display());
    let absent = Client::open(&path).unwrap_err();
    assert_eq!((absent.to_string(), absent.kind()), (expected.clone(), FailureKind::Unavailable));
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert_eq!(Client::open(&path).unwrap_err().to_string(), expected);
}

/// What a client makes of somebody who answers with these bytes and hangs up.
#[track_caller]
fn check_answer(bytes: &'static [u8], expected: FailureKind) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control.sock");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let thread = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut stream = std::io::BufReader::new(stream);
        stream.read_until(b'\n', &mut Vec::new()).unwrap();
        stream.get_mut().write_all(bytes).unwrap();
    });
    let error = Client::open(&path).unwrap().list(&Listing::default()).unwrap_err();
    thread.join().unwrap();
    assert_eq!(error.kind(), expected, "{error}");
}

#[test]
fn a_client_takes_no_nonsense() {
    check_answer(b"", FailureKind::Unavailable);
    check_answer(b"HTTP/1.1 400 Bad Request\r\n\r\n", FailureKind::Other);
    check_answer(b"{\"reply\":\"version\",\"version\":\"1\"}\n", FailureKind::Other);
    check_answer(b"{\"reply\":\"moon\"}\n", FailureKind::Other);
    check_answer(
        b"{\"reply\":\"failed\",\"kind\":\"permission\",\"message\":\"no\"}\n",
        FailureKind::Permission,
    );
}
