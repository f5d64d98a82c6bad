//! Ten thousand hostile connections: memory is bounded, and others are served meanwhile.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use crate::interop::certificates;
use crate::load::memory;
use crate::network::{Network, inside, possible, skip};
use crate::weir::{Weir, probe, wait_for};

const CROWD: usize = 10_000;
/// How long the crowd stays.
const STAY: Duration = Duration::from_secs(5);

/// What a hostile connection does.
#[derive(Clone, Copy)]
enum Malice {
    /// Nothing.
    Silent,
    /// Sends a byte a second.
    Slow,
    /// Sends a line that never ends.
    Endless,
    /// Says how long its message is, and sends less.
    Lying,
    /// The same in RELP, without a session.
    LyingInRelp,
    /// Speaks something else: the hello of TLS, and noise.
    Garbage,
    /// Sends one good line, and keeps its place.
    Squatting,
}

const ALL: [Malice; 7] = [
    Malice::Silent,
    Malice::Slow,
    Malice::Endless,
    Malice::Lying,
    Malice::LyingInRelp,
    Malice::Garbage,
    Malice::Squatting,
];

impl Malice {
    /// What it sends first.
    fn greeting(self) -> Vec<u8> {
        match self {
            Self::Silent => Vec::new(),
            Self::Slow => b"<".to_vec(),
            Self::Endless => [b"<38>".as_slice(), &[b'x'; 200_000]].concat(),
            Self::Lying => b"60000 <38>Nov 22 10:00:00 host sshd[1]: ".to_vec(),
            Self::LyingInRelp => b"1 syslog 999999999 <38>Nov 22 10:00:00 host sshd[1]: ".to_vec(),
            Self::Garbage => {
                let noise = (0..4000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8);
                b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
                    .iter()
                    .copied()
                    .chain(noise)
                    .collect()
            }
            Self::Squatting => b"<38>Nov 22 10:00:00 host cron[1]: here\n".to_vec(),
        }
    }
}

/// Connects so many from an address to others in turn, and has them be as hostile as they can.
fn gather(network: &Network, from: &str, to: &[u16], size: usize) -> Vec<(Malice, TcpStream)> {
    let from: SocketAddr = format!("{from}:0").parse().unwrap();
    let to: Vec<SocketAddr> = to.iter().map(|port| ([127, 0, 0, 1], *port).into()).collect();
    inside(&network.host, move || {
        (0..size)
            .map(|number| {
                let malice = ALL[number % ALL.len()];
                let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
                socket.bind(&from.into()).unwrap();
                socket.connect(&to[number / ALL.len() % to.len()].into()).unwrap();
                let mut stream = TcpStream::from(socket);
                stream.set_nonblocking(true).unwrap();
                let greeting = malice.greeting();
                let mut rest = greeting.as_slice();
                // As much as it takes; it may have closed the connection already.
                while !rest.is_empty() {
                    match stream.write(rest) {
                        Ok(count) if count > 0 => rest = &rest[count..],
                        _ => break,
                    }
                }
                (malice, stream)
            })
            .collect()
    })
}

/// One more byte of each that is slow, and more of what never ends.
fn go_on(crowd: &mut [(Malice, TcpStream)]) {
    for (malice, stream) in crowd {
        let more: &[u8] = match malice {
            Malice::Slow => b"3",
            Malice::Endless => &[b'x'; 4096],
            _ => continue,
        };
        // Whoever was closed has been told so.
        let _ = stream.write(more);
    }
}

/// Whether this process and its children may have so many connections; says why not.
pub(crate) fn may_connect() -> bool {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the calls write and read one `rlimit`, to which the pointers lead.
    unsafe {
        libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit);
        limit.rlim_cur = limit.rlim_max;
        libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
    }
    let enough = limit.rlim_max > CROWD as u64 + 1000;
    if !enough {
        skip(&format!("only {} files may be open", limit.rlim_max));
    }
    enough
}

/// How long it takes until the line of a probe has led to a ban.
fn served(network: &Network, stream: &mut TcpStream, address: &str) -> Duration {
    let begun = Instant::now();
    stream.write_all(&probe(address)).unwrap();
    stream.write_all(b"\n").unwrap();
    wait_for(&format!("the ban of {address}"), || network.holds(address).then_some(()));
    begun.elapsed()
}

/// Where the crowd knocks.
const PORTS: [u16; 3] = [5514, 6514, 2514];

/// With these limits of each source: prints how others fare and what it costs, and gives the largest
/// memory in MiB. Where the crowd comes from the address of the others, those may have to connect
/// anew.
fn endure(name: &str, limits: &str, from: &str) -> f64 {
    let network = Network::new();
    let certificates = tempfile::tempdir().unwrap();
    certificates::write(certificates.path());
    let at = certificates.path().display();
    let sources = format!(
        "  - {{ name: tcp, tcp: \"127.0.0.1:5514\", limits: {{ {limits} }} }}\n\
         \x20 - name: tls\n\
         \x20   tcp: \"127.0.0.1:6514\"\n\
         \x20   tls: {{ certificate: {at}/server.pem, key: {at}/server.key }}\n\
         \x20   limits: {{ {limits} }}\n\
         \x20 - {{ name: relp, relp: \"127.0.0.1:2514\", limits: {{ {limits} }} }}"
    );
    let weir = Weir::start_on(&network, &sources, "log: error");
    let mut early = weir.connect();
    served(&network, &mut early, "203.0.113.1");
    let (_, before) = memory(weir.pid());

    let begun = Instant::now();
    let mut crowd = gather(&network, from, &PORTS, CROWD);
    let gathered = begun.elapsed();
    if from == "127.0.0.1" {
        early = weir.connect();
    }
    let (mut worst_early, mut worst_late, mut number) = (Duration::ZERO, Duration::ZERO, 2);
    while begun.elapsed() < gathered + STAY {
        go_on(&mut crowd);
        let address = |number: u32| format!("203.0.113.{number}");
        worst_early = worst_early.max(served(&network, &mut early, &address(number)));
        let mut late = weir.connect();
        worst_late = worst_late.max(served(&network, &mut late, &address(number + 1)));
        number += 2;
        std::thread::sleep(Duration::from_secs(1));
    }
    let (most, now) = memory(weir.pid());
    println!(
        "{CROWD} hostile connections within {:.1} s, {name}: {} open, {} had no place; a ban took at \
         most {worst_early:.0?} on an old connection, {worst_late:.0?} on a new one; resident memory \
         {before:.0} MiB before, {most:.0} MiB at most, {now:.0} MiB at the end",
        gathered.as_secs_f64(),
        weir.metric("weir_connections", &[]),
        weir.metric("weir_connections_refused_total", &["too_many"]),
    );
    assert_eq!(weir.http("/-/ready").unwrap().0, 200);
    most
}

#[test]
fn a_crowd_shares_a_thousand_places() {
    if possible(&["ip", "nft"]) && may_connect() {
        let most = endure("1024 places at each source", "", "127.0.0.66");
        assert!(most < 200.0, "memory is bounded: {most} MiB");
    }
}

#[test]
fn a_crowd_from_the_address_of_others_does_not_lock_them_out() {
    if possible(&["ip", "nft"]) && may_connect() {
        let most = endure("1024 places, from the address of others", "", "127.0.0.1");
        assert!(most < 200.0, "memory is bounded: {most} MiB");
    }
}

#[test]
fn a_crowd_finds_twenty_thousand_places() {
    if possible(&["ip", "nft"]) && may_connect() {
        let most = endure("20,000 places", "connections: 20000", "127.0.0.66");
        assert!(most < 500.0, "memory is bounded: {most} MiB");
    }
}
