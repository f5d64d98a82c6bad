//! The API before whoever reaches its port, and before those who have a key: what is wrong is
//! refused, what never ends is ended, and a bouncer that behaves is answered meanwhile.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use crate::crowd::may_connect;
use crate::latency::fill;
use crate::load::memory;
use crate::network::{Network, inside, possible};
use crate::weir::Weir;

pub(crate) const API: &str = "lapi: { listen: \"127.0.0.1:8080\" }\nlog: info";
const PORT: u16 = 8080;

/// A connection to the API from an address of the guarded host.
pub(crate) fn connect(network: &Network, from: [u8; 4]) -> TcpStream {
    inside(&network.host, move || open_from(from))
}

fn open_from(from: [u8; 4]) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((from, 0)).into()).unwrap();
    socket.connect(&SocketAddr::from(([127, 0, 0, 1], PORT)).into()).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

/// Makes a bouncer known, and gives its key.
pub(crate) fn key(weir: &Weir<'_>, name: &str) -> String {
    let output = weir.ask(&["bouncers", "add", name, "--output", "json"]);
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    told["key"].as_str().expect("a key").to_owned()
}

/// Sends this and, where that is answered by nothing, no more; gives what comes back.
fn say(network: &Network, request: &[u8]) -> String {
    let mut stream = connect(network, [127, 0, 0, 1]);
    // It may be refused before all of it was taken.
    let _ = stream.write_all(request);
    stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    let mut answer = vec![0; 4096];
    let count = stream.read(&mut answer).unwrap_or_else(|_| {
        let _ = stream.shutdown(std::net::Shutdown::Write);
        stream.read(&mut answer).unwrap_or(0)
    });
    String::from_utf8_lossy(&answer[..count]).into_owned()
}

/// The status of an answer; 0 where there is none.
fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}

/// A bouncer that asks over and over, each time on a new connection; gives the longest wait.
fn poll(network: &Network, key: &str, rounds: u32, pause: Duration) -> Duration {
    let mut longest = Duration::ZERO;
    for _ in 0..rounds {
        let begun = Instant::now();
        let request = format!(
            "GET /v1/decisions/stream HTTP/1.1\r\nHost: x\r\nX-Api-Key: {key}\r\n\
             User-Agent: good/1\r\nConnection: close\r\n\r\n"
        );
        let answer = say_open(network, request.as_bytes());
        assert_eq!(status(&answer), 200, "{answer}");
        assert!(answer.contains("{\"new\": ["), "{answer}");
        longest = longest.max(begun.elapsed());
        std::thread::sleep(pause);
    }
    longest
}

/// Sends this, and gives what comes back until the other side ends.
fn say_open(network: &Network, request: &[u8]) -> String {
    let mut stream = connect(network, [127, 0, 0, 1]);
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut pack = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    pack.write_all(text).unwrap();
    pack.finish().unwrap()
}

/// A request with a good key and what else is asked for.
fn request(key: &str, head: &str, more: &[u8]) -> Vec<u8> {
    let head = format!("{head}\r\nX-Api-Key: {key}\r\nConnection: close\r\n");
    [head.as_bytes(), more].concat()
}

#[test]
fn whatever_is_sent_is_answered_or_refused() {
    if !possible(&["ip", "nft"]) {
        return;
    }
    let network = Network::new();
    let weir = Weir::start(&network, API);
    let good = key(&weir, "edge");
    let (_, before) = memory(weir.pid());
    let check = |what: &str, request: &[u8], expected: &[u16]| {
        let answer = say(&network, request);
        let found = status(&answer);
        assert!(expected.contains(&found), "{what}: expected {expected:?}, found {answer}");
    };
    let keyed = |what: &str, head: &str, more: &[u8], expected: &[u16]| {
        check(what, &request(&good, head, more), expected);
    };
    // Keys.
    let shown = |key: &[u8]| {
        let head = b"GET /v1/decisions HTTP/1.1\r\nHost: x\r\nX-Api-Key: ";
        [head, key, b"\r\nConnection: close\r\n\r\n"].concat()
    };
    check("no key", b"GET /v1/decisions HTTP/1.1\r\nHost: x\r\n\r\n", &[403]);
    check("an empty key", &shown(b""), &[403]);
    check("a long key", &shown(&[b'a'; 8_000]), &[403]);
    check("high bytes", &shown(b"\xff\xfe\x80"), &[403]);
    check("NUL", &shown(b"a\0b"), &[400]);
    check("a key of another kind", &shown(b"' OR 1=1 --"), &[403]);
    // Ways to ask.
    const HOST: &[u8] = b"Host: x\r\n\r\n";
    keyed("HTTP/1.0", "GET /v1/decisions HTTP/1.0", b"\r\n", &[200]);
    keyed("HTTP/1.1 without a host", "GET /v1/decisions HTTP/1.1", b"\r\n", &[200, 400]);
    keyed("absolute", "GET http://127.0.0.1:8080/v1/decisions HTTP/1.1", HOST, &[200]);
    keyed("elsewhere", "GET http://192.0.2.1/v1/decisions HTTP/1.1", HOST, &[200]);
    keyed("another version", "GET /v1/decisions HTTP/3.0", HOST, &[400, 505, 0]);
    keyed("a tunnel", "CONNECT 192.0.2.1:22 HTTP/1.1", HOST, &[404, 405]);
    keyed("an encoded path", "GET /v1/%64ecisions HTTP/1.1", HOST, &[200, 404]);
    keyed("a way up", "GET /v1/../v1/decisions HTTP/1.1", HOST, &[404]);
    keyed("NUL in a query", "GET /v1/decisions?ip=%00 HTTP/1.1", HOST, &[500]);
    keyed("half a code", "GET /v1/decisions?ip=%zz&%=%f HTTP/1.1", HOST, &[200]);
    keyed("no UTF-8", "GET /v1/decisions?value=%ff%fe HTTP/1.1", HOST, &[200]);
    keyed("raw high bytes", "GET /v1/decisions?value=\u{fc}\u{7f} HTTP/1.1", HOST, &[200, 400]);
    let many = format!("GET /v1/decisions?{} HTTP/1.1", "a=b&".repeat(3_000));
    keyed("many pairs", &many, HOST, &[200, 414]);
    let long = format!("GET /v1/decisions?value={} HTTP/1.1", "x".repeat(70_000));
    keyed("a long address", &long, HOST, &[414, 431, 400]);
    // Headers.
    let flood: String = (0..90).map(|n| format!("X-{n}: {}\r\n", "y".repeat(300))).collect();
    keyed("long headers", "GET /health HTTP/1.1", flood.as_bytes(), &[431]);
    let flood = "X: y\r\n".repeat(1_000);
    keyed("many headers", "GET /health HTTP/1.1", flood.as_bytes(), &[431]);
    check("noise", &[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3, 0, 0, b'\n', b'\n'], &[400, 0]);
    check("nothing", b"", &[0]);
    check("half a request", b"GET /v1/deci", &[400, 0]);
    // Bodies.
    let post = |more: &str, body: &[u8]| [format!("{more}\r\n\r\n").as_bytes(), body].concat();
    let length = |body: &[u8]| format!("Content-Length: {}", body.len());
    let usage = "POST /v1/usage-metrics HTTP/1.1\r\nHost: x";
    let fine = br#"{"remediation_components":[{"version":"1","utc_startup_timestamp":1}]}"#;
    let packed = |body: &[u8]| format!("Content-Encoding: gzip\r\n{}", length(body));
    keyed("a body", usage, &post(&length(fine), fine), &[201]);
    let small = gzip(fine);
    keyed("a packed body", usage, &post(&packed(&small), &small), &[201]);
    keyed("a malformed body", usage, &post("Content-Length: 3", b"{[}"), &[400]);
    keyed("a cut body", usage, &post("Content-Length: 999", fine), &[400, 0]);
    let huge = vec![b' '; 2 << 20];
    keyed("a huge body", usage, &post(&length(&huge), &huge), &[400, 413, 0]);
    let bomb = gzip(&vec![b' '; 500 << 20]);
    keyed("a bomb", usage, &post(&packed(&bomb), &bomb), &[400, 413]);
    keyed("half a bomb", usage, &post(&packed(&bomb[..999]), &bomb[..999]), &[400, 413]);
    let deep = "[".repeat(200_000);
    keyed("deep", usage, &post(&length(deep.as_bytes()), deep.as_bytes()), &[400]);
    keyed("two lengths", usage, &post("Content-Length: 1\r\nContent-Length: 2", b"{}"), &[400]);
    keyed("no length", usage, &post("Content-Length: -1", b"{}"), &[400]);
    let chunked = "Transfer-Encoding: chunked";
    keyed("chunks", usage, &post(chunked, b"zz\r\n{}\r\n0\r\n\r\n"), &[400]);
    keyed("a chunk that lies", usage, &post(chunked, b"fffffffffffffffff\r\n{}"), &[400]);
    // Machines that log in, from nobody.
    let login = "POST /v1/watchers/login HTTP/1.1\r\nHost: x\r\nUser-Agent: crowdsec/1";
    let named = br#"{"machine_id":"web-1","password":"wrong"}"#;
    keyed("a wrong password", login, &post(&length(named), named), &[401]);
    keyed("a packed one", login, &post(&packed(&gzip(named)), &gzip(named)), &[401]);
    keyed("a malformed login", login, &post("Content-Length: 3", b"{[}"), &[401, 400]);
    keyed("a huge login", login, &post(&length(&huge), &huge), &[401, 400, 413, 0]);
    keyed("a bomb as login", login, &post(&packed(&bomb), &bomb), &[401, 400, 413]);
    keyed("a deep login", login, &post(&length(deep.as_bytes()), deep.as_bytes()), &[401, 400]);
    let odd = br#"{"machine_id":"\u0000\u001b[2J\u202e","password":"\u0000"}"#;
    keyed("an odd machine", login, &post(&length(odd), odd), &[401]);
    let alerts = "POST /v1/alerts HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ";
    for token in ["", "x", "a.b.c", &"y".repeat(4_000), "eyJhbGciOiJub25lIn0.eyJpZCI6IngifQ."] {
        keyed(
            "a made up token",
            &format!("{alerts}{token}"),
            &post("Content-Length: 2", b"[]"),
            &[401, 404],
        );
    }
    let (of_strangers, _) = memory(weir.pid());
    // A machine that has logged in: two bodies of 50 MiB are taken in at a time.
    let added = weir.ask(&["machines", "add", "web-1", "--password", "0123456789abcdef"]);
    assert!(added.status.success(), "{added:?}");
    let named = br#"{"machine_id":"web-1","password":"0123456789abcdef"}"#;
    let answer = say(&network, &request("", login, &post(&length(named), named)));
    let token = answer.split("\"token\":\"").nth(1).and_then(|rest| rest.split('"').next());
    let alerts = format!("{alerts}{}", token.unwrap_or_else(|| panic!("no token: {answer}")));
    keyed("no alerts", &alerts, &post("Content-Length: 2", b"[]"), &[201]);
    keyed("a malformed alert", &alerts, &post("Content-Length: 3", b"[{]"), &[400]);
    keyed("deep alerts", &alerts, &post(&length(deep.as_bytes()), deep.as_bytes()), &[400]);
    keyed("a bomb of alerts", &alerts, &post(&packed(&bomb), &bomb), &[400, 413]);
    let empty = gzip(format!("[{}{{}}]", "{},".repeat(10_000_000)).as_bytes());
    keyed("many alerts", &alerts, &post(&packed(&empty), &empty), &[400, 413, 500]);
    // A bouncer that calls itself odd names is shown without harm.
    let odd = b"User-Agent: \x1b[2J\xe2\x80\xae/\xff\xfe\r\nHost: x\r\n\r\n";
    keyed("an odd name", "GET /v1/decisions HTTP/1.1", odd, &[200, 400]);
    let odd = b"User-Agent: evil\xc2\x9b31m\xe2\x80\xae/\xff1\r\nHost: x\r\n\r\n";
    keyed("another", "GET /v1/decisions HTTP/1.1", odd, &[200]);
    let listed = weir.ask(&["bouncers", "list"]).stdout;
    let listed = String::from_utf8(listed).expect("text");
    assert!(listed.contains("evil") && listed.lines().count() < 12, "{listed}");
    assert!(!listed.contains(['\u{1b}', '\u{9b}', '\u{202e}']), "{listed:?}");

    assert!(poll(&network, &good, 1, Duration::ZERO) < Duration::from_secs(5));
    let refused = weir.metric("weir_lapi_requests_total", &["status=\"403\""]);
    assert!(refused >= 5.0, "{refused}");
    let malformed = weir.metric("weir_lapi_connections_dropped_total", &["malformed"]);
    assert!(malformed >= 5.0, "{malformed}");
    let (most, _) = memory(weir.pid());
    println!(
        "resident memory: {before:.1} MiB before, {of_strangers:.1} MiB at most with strangers and \
         bouncers, {most:.1} MiB with a machine"
    );
    assert!(of_strangers < before + 48.0, "memory is bounded: {of_strangers} MiB");
    assert!(most < before + 250.0, "memory is bounded: {most} MiB");
    let lines = weir.log().lines().count();
    assert!(lines < 60, "a log of {lines} lines:\n{}", weir.log());
}

/// How a connection is slow.
#[derive(Clone, Copy)]
enum Sloth {
    Silent,
    /// A header that never ends, a byte at a time.
    Header,
    /// A body that never ends, in small chunks, from nobody.
    Body,
    /// The same from a bouncer.
    KnownBody,
    /// Asks again and again, and reads nothing.
    Deaf,
    /// Asks what anybody is told.
    Health,
}

const SLOTHS: [Sloth; 6] =
    [Sloth::Silent, Sloth::Header, Sloth::Body, Sloth::KnownBody, Sloth::Deaf, Sloth::Health];

impl Sloth {
    fn greeting(self, key: &str) -> String {
        let post = "POST /v1/usage-metrics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n";
        match self {
            Self::Silent => String::new(),
            Self::Header => "GET /v1/decisions HTTP/1.1\r\nX-Slow: ".to_owned(),
            Self::Body => format!("{post}\r\n1\r\n[\r\n"),
            Self::KnownBody => format!("{post}X-Api-Key: {key}\r\n\r\n1\r\n[\r\n"),
            Self::Deaf => "GET /v1/decisions HTTP/1.1\r\nHost: x\r\n\r\n".repeat(500),
            Self::Health => "GET /health HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        }
    }

    fn more(self) -> &'static [u8] {
        match self {
            Self::Silent => b"",
            Self::Header => b"x",
            Self::Body | Self::KnownBody => b"1\r\n[\r\n",
            Self::Deaf | Self::Health => b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n",
        }
    }
}

const CROWD: usize = 10_000;

/// Connects these numbers, from so many addresses, or from that of the good bouncer.
fn gather(
    network: &Network,
    numbers: std::ops::Range<usize>,
    addresses: usize,
    key: &str,
) -> Vec<(Sloth, TcpStream)> {
    let key = key.to_owned();
    inside(&network.host, move || {
        let connected = numbers.map(|number| {
            let sloth = SLOTHS[number % SLOTHS.len()];
            let from = match addresses {
                0 => 1,
                most => 2 + u8::try_from(number / SLOTHS.len() % most).unwrap(),
            };
            let mut stream = open_from([127, 0, 0, from]);
            stream.set_nonblocking(true).unwrap();
            let _ = stream.write(sloth.greeting(&key).as_bytes());
            (sloth, stream)
        });
        connected.collect()
    })
}

/// Ten thousand connections of all kinds, from one address or from very many, beside a bouncer.
#[test]
fn ten_thousand_connections_keep_no_bouncer_waiting() {
    if !possible(&["ip", "nft"]) || !may_connect() {
        return;
    }
    let network = Network::new();
    let weir = Weir::start(&network, API);
    let (good, known) = (key(&weir, "good"), key(&weir, "slow"));
    for (name, addresses) in [("one address", 1), ("the bouncer's address", 0), ("250", 250)] {
        let (_, before) = memory(weir.pid());
        let begun = Instant::now();
        let mut crowd: Vec<(Sloth, TcpStream)> = Vec::new();
        let mut longest = Duration::ZERO;
        while crowd.len() < CROWD {
            crowd.extend(gather(&network, crowd.len()..crowd.len() + 500, addresses, &known));
            longest = longest.max(poll(&network, &good, 1, Duration::ZERO));
        }
        let gathered = begun.elapsed();
        while begun.elapsed() < gathered + Duration::from_secs(5) {
            for (sloth, stream) in &mut crowd {
                let _ = stream.write(sloth.more());
            }
            longest = longest.max(poll(&network, &good, 3, Duration::from_millis(50)));
        }
        let (most, now) = memory(weir.pid());
        println!(
            "{CROWD} connections from {name} within {:.1} s: a bouncer waited {longest:.0?} at \
             most; {} made room; resident memory {before:.0} MiB before, {most:.0} MiB at most, \
             {now:.0} MiB now",
            gathered.as_secs_f64(),
            weir.metric("weir_lapi_connections_dropped_total", &["too_many"]),
        );
        assert!(longest < Duration::from_secs(5), "a bouncer waited {longest:?}");
        assert!(most < 250.0, "memory is bounded: {most} MiB");
    }
    let dropped = weir.log().lines().filter(|line| line.contains("was dropped")).count();
    assert!((1..40).contains(&dropped), "{dropped} lines of connections");
}

/// Bouncers that take their answers a byte a second hold up neither others nor each other.
#[test]
fn a_slow_reader_costs_the_memory_of_a_piece() {
    if !possible(&["ip", "nft"]) {
        return;
    }
    let network = Network::new();
    let weir = Weir::start(&network, API);
    let (slow, good) = (key(&weir, "slow"), key(&weir, "good"));
    fill(&weir, 20_000);
    let (_, before) = memory(weir.pid());
    let beginning = |key: &str| {
        format!(
            "GET /v1/decisions/stream?startup=true HTTP/1.1\r\nHost: x\r\nX-Api-Key: {key}\r\n\
             Connection: close\r\n\r\n"
        )
    };
    // Each from an address of its own, with a window of a few packets.
    let mut readers: Vec<TcpStream> = (0..20)
        .map(|number| {
            let mut stream = inside(&network.host, move || {
                let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
                socket.set_recv_buffer_size(4096).unwrap();
                socket.bind(&SocketAddr::from(([127, 0, 1, number], 0)).into()).unwrap();
                socket.connect(&SocketAddr::from(([127, 0, 0, 1], PORT)).into()).unwrap();
                TcpStream::from(socket)
            });
            stream.write_all(beginning(&slow).as_bytes()).unwrap();
            stream.set_nonblocking(true).unwrap();
            stream
        })
        .collect();
    let begun = Instant::now();
    let mut longest = Duration::ZERO;
    while begun.elapsed() < Duration::from_secs(14) {
        for reader in &mut readers {
            let _ = reader.read(&mut [0]);
        }
        let asked = Instant::now();
        let answer = say_open(&network, beginning(&good).as_bytes());
        longest = longest.max(asked.elapsed());
        assert!(answer.trim_end().ends_with('0') && answer.contains("11.0.78.31"), "all of it");
        std::thread::sleep(Duration::from_secs(1));
    }
    let (most, _) = memory(weir.pid());
    let stalled = weir.metric("weir_lapi_connections_dropped_total", &["stalled"]);
    println!(
        "20 slow readers of 20,000 decisions: another waited {longest:.0?} at most for all; \
         {stalled} were left; resident memory {before:.0} MiB before, {most:.0} MiB at most"
    );
    assert!(longest < Duration::from_secs(10), "another waited {longest:?}");
    assert!(most < before + 64.0, "memory is bounded: {before} MiB, {most} MiB");
    assert!(stalled >= 1.0, "whoever takes nothing is left");
}
