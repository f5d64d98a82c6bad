//! Every backend with real packets: two namespaces joined by a cable, in one of which bans hold. In
//! the other one senders ask, and what counts is who gets an answer.

#![forbid(unsafe_code)]

use std::net::{IpAddr, UdpSocket};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use ipnet::IpNet;

use super::backend::Backend;
use super::element::{Edit, Element};
use super::ipset::Ipset;
use super::netlink::netns::{enter, isolated, run, thread_id};
use super::nftables::Nftables;
use super::route::Routes;
use crate::settings::{Enforce, Hook, Verdict};
use crate::system::clock;
use crate::value::Time;

const PORT: u16 = 5514;
/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_millis(300);
const NEAR: [&str; 2] = ["10.9.0.1", "2001:db8::1"];
/// The last parts of the senders' addresses, in either family.
const SENDERS: [u8; 5] = [20, 21, 22, 24, 30];

fn address(low: u8, is_v4: bool) -> IpAddr {
    if is_v4 { IpAddr::from([10, 9, 0, low]) } else { format!("2001:db8::{low}").parse().unwrap() }
}

fn later(seconds: i64) -> Time {
    clock::now().plus(seconds * 1_000_000_000)
}

/// The senders' side.
struct Senders {
    go: SyncSender<()>,
    answered: Receiver<[Vec<u8>; 2]>,
}

impl Senders {
    /// Who gets an answer when all ask at once.
    #[track_caller]
    fn check(&self, expected: &[u8]) {
        self.go.send(()).unwrap();
        let [v4, v6] = self.answered.recv().unwrap();
        assert_eq!((v4.as_slice(), v6.as_slice()), (expected, expected), "by IPv4, by IPv6");
    }
}

/// Asks from all addresses and gives those that are answered.
fn ask(is_v4: bool) -> Vec<u8> {
    let near: IpAddr = NEAR[usize::from(!is_v4)].parse().unwrap();
    let sockets: Vec<_> = SENDERS
        .iter()
        .map(|low| {
            let socket = UdpSocket::bind((address(*low, is_v4), 0)).unwrap();
            socket.connect((near, PORT)).unwrap();
            // A refusal that came by ICMP shows up as an error later.
            let _ = socket.send(b"?");
            (low, socket)
        })
        .collect();
    let deadline = clock::instant() + PATIENCE;
    let is_answered = |socket: &UdpSocket| {
        let left = deadline.saturating_duration_since(clock::instant());
        socket.set_read_timeout(Some(left.max(Duration::from_millis(1)))).unwrap();
        socket.recv(&mut [0; 8]).is_ok()
    };
    sockets.iter().filter(|(_, socket)| is_answered(socket)).map(|(low, _)| **low).collect()
}

/// Runs a test in the namespace where bans hold.
fn joined(test: impl FnOnce(&Senders) + Send) {
    let (tell_thread, other_thread) = sync_channel(1);
    let (go, told_to_go) = sync_channel::<()>(0);
    let (tell_answered, answered) = sync_channel(0);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let is_possible = enter();
            tell_thread.send(is_possible.then(thread_id)).unwrap();
            if !is_possible || told_to_go.recv().is_err() {
                return;
            }
            for low in SENDERS {
                run(&format!("ip address add {}/24 dev far", address(low, true)));
                run(&format!("ip address add {}/64 dev far nodad", address(low, false)));
            }
            run("ip link set far up");
            while told_to_go.recv().is_ok() {
                tell_answered.send([ask(true), ask(false)]).unwrap();
            }
        });
        isolated(move || {
            let Some(other) = other_thread.recv().unwrap() else { return };
            run("ip link set lo up");
            run(&format!("ip link add near type veth peer name far netns {other}"));
            run(&format!("ip address add {}/24 dev near", NEAR[0]));
            run(&format!("ip address add {}/64 dev near nodad", NEAR[1]));
            run("ip link set near up");
            let socket = UdpSocket::bind(("::", PORT)).unwrap();
            socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
            go.send(()).unwrap();
            let senders = Senders { go, answered };
            let (stop, stopped) = sync_channel::<()>(0);
            std::thread::scope(|scope| {
                scope.spawn(move || {
                    while stopped.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
                        if let Ok((_, from)) = socket.recv_from(&mut [0; 8]) {
                            // Where there is no way back this fails.
                            let _ = socket.send_to(b"!", from);
                        }
                    }
                });
                // The link carries when both ends say so and neighbours have been found.
                let carries = (0..20).any(|_| {
                    senders.go.send(()).unwrap();
                    senders.answered.recv().unwrap().iter().all(|all| all.len() == SENDERS.len())
                });
                assert!(carries, "the link does not carry");
                test(&senders);
                drop(stop);
            });
        });
    });
}

fn host(low: u8) -> [Element; 2] {
    [true, false].map(|is_v4| Element::Host(address(low, is_v4)))
}

/// From 20 to 23.
fn range() -> [Element; 2] {
    [true, false].map(|is_v4| {
        let first = address(20, is_v4);
        let last = if is_v4 { address(23, is_v4) } else { "2001:db8::23".parse().unwrap() };
        Element::Range(first, last)
    })
}

/// The same in the shape of this backend.
fn cut(backend: &impl Backend) -> Vec<Element> {
    use super::backend::Shape;
    if backend.shape() == Shape::Ranges {
        return range().into();
    }
    // Written in hexadecimal digits, 20 to 23 are a prefix in either family.
    range().into_iter().filter(|range| range.prefix().is_some()).collect()
}

fn add(elements: impl IntoIterator<Item = Element>, seconds: i64) -> Vec<Edit> {
    let mut elements: Vec<_> = elements.into_iter().collect();
    elements.sort_unstable();
    elements.into_iter().map(|element| Edit::Add(element, later(seconds))).collect()
}

fn remove(elements: impl IntoIterator<Item = Element>) -> Vec<Edit> {
    let mut elements: Vec<_> = elements.into_iter().collect();
    elements.sort_unstable();
    elements.into_iter().map(Edit::Remove).collect()
}

fn try_out<B: Backend>(open: impl FnOnce() -> B + Send) {
    joined(|senders| {
        let mut backend = open();
        backend.prepare().unwrap();
        backend.befriend(&[]).unwrap();
        senders.check(&[20, 21, 22, 24, 30]);
        backend.apply(&add(host(30), 60)).unwrap();
        senders.check(&[20, 21, 22, 24]);
        let range = cut(&backend);
        assert_eq!(range.len(), 2);
        backend.apply(&add(range.clone(), 60)).unwrap();
        senders.check(&[24]);
        let friends = [true, false].map(|is_v4| IpNet::from(address(21, is_v4)));
        assert!(backend.befriend(&friends).unwrap());
        senders.check(&[21, 24]);
        // A friend's prefix around what is banned.
        let wide = [IpNet::new(address(30, true), 29), IpNet::new(address(30, false), 125)];
        backend.befriend(&wide.map(|net| net.unwrap().trunc())).unwrap();
        senders.check(&[24, 30]);
        backend.befriend(&[]).unwrap();
        backend.apply(&remove(range.clone())).unwrap();
        senders.check(&[20, 21, 22, 24]);
        backend.apply(&remove(host(30))).unwrap();
        senders.check(&[20, 21, 22, 24, 30]);
        if backend.expires() {
            backend.apply(&add(host(30).into_iter().chain(range.clone()), 2)).unwrap();
            senders.check(&[24]);
            std::thread::sleep(Duration::from_millis(2500));
            senders.check(&[20, 21, 22, 24, 30]);
        }
        backend.apply(&add(host(30).into_iter().chain(range.clone()), 60)).unwrap();
        senders.check(&[24]);
        let kept = host(22).map(|element| (element, later(60)));
        backend.rebuild(&mut kept.into_iter()).unwrap();
        senders.check(&[20, 21, 24, 30]);
        backend.flush().unwrap();
        senders.check(&[20, 21, 22, 24, 30]);
    });
}

fn settings() -> Enforce {
    Enforce { hooks: vec![Hook::Input, Hook::Forward], ..Enforce::default() }
}

#[test]
fn nftables_drops_whom_it_should() {
    try_out(|| Nftables::open((&settings()).into()).unwrap());
}

#[test]
fn ipset_drops_whom_it_should() {
    try_out(|| Ipset::new((&settings()).into()));
    try_out(|| Ipset::new((&Enforce { verdict: Verdict::Reject, ..settings() }).into()));
    try_out(|| Ipset::new((&Enforce { hooks: vec![Hook::Prerouting], ..settings() }).into()));
}

#[test]
fn routes_answer_whom_they_should() {
    try_out(|| Routes::open((&settings()).into()).unwrap());
}

/// Where the host checks the way back, packets of the banned do not even come in.
#[test]
fn routes_drop_what_comes_in_where_the_way_back_is_checked() {
    joined(|senders| {
        run("sysctl -qw net.ipv4.conf.all.rp_filter=1");
        run("sysctl -qw net.ipv4.conf.near.rp_filter=1");
        let mut routes = Routes::open((&settings()).into()).unwrap();
        routes.prepare().unwrap();
        let dropped = || -> u64 {
            let all = std::fs::read_to_string("/proc/thread-self/net/netstat").unwrap();
            let line =
                |nth| all.lines().filter(|line| line.starts_with("TcpExt")).nth(nth).unwrap();
            let at = line(0).split(' ').position(|name| name == "IPReversePathFilter").unwrap();
            line(1).split(' ').nth(at).unwrap().parse().unwrap()
        };
        let before = dropped();
        routes.apply(&add(host(30), 60)).unwrap();
        senders.check(&[20, 21, 22, 24]);
        assert_eq!(dropped() - before, 1, "one packet of one sender");
    });
}
