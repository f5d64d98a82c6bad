//! `weir listen`: what arrives is printed as it arrived, and nothing else happens.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// `weir listen` on sockets of its own.
struct Listening {
    folder: tempfile::TempDir,
    child: Child,
    /// The addresses as it says them, in the order of its sources.
    at: Vec<String>,
    stderr: BufReader<std::process::ChildStderr>,
}

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let configuration = folder.join("weir.yaml");
    let at = folder.display();
    let text = format!("ledger: {{ folder: {at}/state }}\ncontrol: {{ socket: {at}/control }}\n");
    std::fs::write(&configuration, text).expect("written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
    command.arg("listen").args(arguments).arg("--config").arg(configuration);
    command.current_dir(folder).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

impl Listening {
    /// On `sources` sources; returns when all of them take lines.
    fn start(arguments: &[&str], sources: usize) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut child = command(folder.path(), arguments).spawn().expect("the program starts");
        let mut stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        let mut at = Vec::new();
        while at.len() < sources {
            let mut line = String::new();
            assert!(stderr.read_line(&mut line).expect("readable") > 0, "it ended: {at:?}");
            if let Some((_, rest)) = line.split_once("at=\"") {
                let place = rest.split(['"', ' ']).nth(1).expect("a kind and a place");
                at.push(place.to_owned());
            }
        }
        Self { folder, child, at, stderr }
    }

    /// Asks it to end, and gives what it wrote and the rest of what it said.
    fn end(self) -> (String, String, ExitStatus) {
        let pid = i32::try_from(self.child.id()).expect("a process id");
        // SAFETY: the process is our child and has not been waited for.
        unsafe { libc::kill(pid, libc::SIGTERM) };
        self.wait()
    }

    fn wait(mut self) -> (String, String, ExitStatus) {
        let (mut out, mut said) = (String::new(), String::new());
        let mut stdout = self.child.stdout.take().expect("a pipe");
        stdout.read_to_string(&mut out).expect("text");
        self.stderr.read_to_string(&mut said).expect("text");
        let status = self.child.wait().expect("it ends");
        (out, said, status)
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        // It has ended already, unless a test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn json(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("JSON in each line")).collect()
}

#[test]
fn every_source_is_shown_with_every_byte() {
    let places = ["--udp", "127.0.0.1:0", "--tcp", "127.0.0.1:0", "--tcp", "127.0.0.1:0"];
    let unix = ["--unix", "datagrams", "--unix-stream", "stream", "--output", "json"];
    let listening = Listening::start(&[&places[..], &unix[..]].concat(), 5);
    let udp = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    udp.send_to(b"<38>Nov 22 10:00:00 host sshd[1]: \xff\0\"", &listening.at[0]).expect("sent");
    for (at, text) in [(1, "first\n"), (2, "15 <13>a\nb\nc\nd\ne\nf")] {
        let mut tcp = TcpStream::connect(&listening.at[at]).expect("connected");
        tcp.write_all(text.as_bytes()).expect("sent");
    }
    let unix = UnixDatagram::unbound().expect("a socket");
    unix.send_to("<13>gr\u{fc}n \\ \"".as_bytes(), listening.path("datagrams")).expect("sent");
    let mut stream = UnixStream::connect(listening.path("stream")).expect("connected");
    stream.write_all(b"<13>over a stream\n").expect("sent");
    drop(stream);
    std::thread::sleep(Duration::from_millis(300));
    let (datagrams, stream) = (listening.path("datagrams"), listening.path("stream"));
    let (out, said, status) = listening.end();
    assert!(status.success(), "{said}");
    assert!(!datagrams.exists() && !stream.exists(), "sockets go with it");

    let mut lines = json(&out);
    lines.sort_by_key(|line| line["source"].to_string());
    let seen: Vec<(&str, &str)> = lines
        .iter()
        .map(|line| {
            let raw = line["raw"].as_str().or(line["raw_base64"].as_str());
            (line["source"].as_str().expect("a source"), raw.expect("the line"))
        })
        .collect();
    let expected = [
        ("tcp", "first"),
        ("tcp-2", "<13>a\nb\nc\nd\ne\nf"),
        ("udp", "PDM4Pk5vdiAyMiAxMDowMDowMCBob3N0IHNzaGRbMV06IP8AIg=="),
        ("unix_datagram", "<13>gr\u{fc}n \\ \""),
        ("unix_stream", "<13>over a stream"),
    ];
    assert_eq!(seen, expected);
    assert_eq!(lines[2]["sender"], "127.0.0.1");
    assert!(lines[3]["sender"].is_null() && lines[3]["label"] == "syslog", "{}", lines[3]);

    let summary = json(said.lines().last().expect("a summary")).remove(0);
    let counted = summary["sources"].as_array().expect("sources");
    assert_eq!(counted.len(), 5);
    assert!(counted.iter().all(|source| source["lines"] == 1), "{summary}");
}

#[test]
fn the_count_is_exact_and_the_summary_names_drops() {
    let arguments = ["--tcp", "127.0.0.1:0", "--count", "3"];
    let listening = Listening::start(&arguments, 1);
    let mut tcp = TcpStream::connect(&listening.at[0]).expect("connected");
    tcp.write_all(b"99999999999 <38>x\n<38>one\n<38>two\n<38>\x1bthree\n<38>four\n").expect("sent");
    let (out, said, status) = listening.wait();
    assert!(status.success(), "{said}");
    // What follows a count that lies is a line of its own.
    let shown: Vec<&str> = out.lines().filter_map(|line| Some(line.split_once("Z ")?.1)).collect();
    let expected = ["x", "one", "two"].map(|text| format!("tcp 127.0.0.1 - auth.info -: {text}"));
    assert_eq!(shown, expected);
    assert!(said.contains("bad_frame 1"), "{said}");
}

#[test]
fn fewer_lines_than_were_asked_for_are_a_no() {
    let begun = Instant::now();
    let arguments = ["--tcp", "127.0.0.1:0", "--count", "3", "--quiet-after", "200ms"];
    let listening = Listening::start(&arguments, 1);
    let mut tcp = TcpStream::connect(&listening.at[0]).expect("connected");
    tcp.write_all(b"<38>one\n").expect("sent");
    let (out, said, status) = listening.wait();
    assert_eq!((out.lines().count(), status.code()), (1, Some(1)), "{out}{said}");
    assert!(begun.elapsed() < Duration::from_secs(5), "{said}");
}

#[test]
fn a_reader_that_goes_away_ends_it() {
    let mut listening = Listening::start(&["--tcp", "127.0.0.1:0"], 1);
    drop(listening.child.stdout.take());
    let mut tcp = TcpStream::connect(&listening.at[0]).expect("connected");
    tcp.write_all(b"<38>one\n").expect("sent");
    assert!(listening.child.wait().expect("it ends").success());
}

#[track_caller]
fn check_refused(folder: &Path, arguments: &[&str], code: i32, words: &[&str]) {
    let output = command(folder, arguments).output().expect("the program runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    for word in words {
        assert!(said.contains(word), "`{word}` is not in: {said}");
    }
}

#[test]
fn what_cannot_be_listened_to_is_refused_with_advice() {
    let listening = Listening::start(&["--tcp", "127.0.0.1:0", "--unix", "lines"], 2);
    let folder = listening.folder.path();
    let words = ["cannot listen on tcp", "another program listens there"];
    check_refused(folder, &["--tcp", &listening.at[0]], 1, &words);
    check_refused(folder, &["--unix", "lines"], 1, &["another program listens there"]);
    let words = ["no source is called `upd`", "did you mean `udp`?"];
    check_refused(folder, &["upd"], 64, &words);
    // Whoever answers there has the sockets.
    let _daemon = std::os::unix::net::UnixListener::bind(folder.join("control")).expect("bound");
    let words = ["the daemon runs", "systemctl stop weir", "--udp 127.0.0.1:5515", "cannot listen"];
    check_refused(folder, &["--tcp", &listening.at[0]], 1, &words);
}
