//! From the sending of a line to the kernel's announcement of the new element, seen from outside.

use std::cell::Cell;
use std::io::{BufRead, BufReader, Write as _};
use std::net::Ipv4Addr;
use std::os::unix::net::UnixStream;
use std::process::{Child, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use crate::flood::{number, rules};
use crate::load::{Fate, Flood, corpus};
use crate::network::{Network, possible};
use crate::weir::{Weir, probe};

/// An independent witness: the kernel announces each element to `nft monitor`.
pub(crate) struct Witness {
    monitor: Child,
    announced: Receiver<(Instant, String)>,
    /// How many addresses were banned: each is another.
    banned: Cell<u32>,
}

impl Witness {
    /// A witness who listens already.
    pub(crate) fn new(network: &Network, weir: &Weir<'_>) -> Self {
        let mut monitor = network
            .on_host("nft")
            .args(["monitor", "elements"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(monitor.stdout.take().unwrap()).lines();
        let (announce, announced) = mpsc::channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if announce.send((Instant::now(), line)).is_err() {
                    break;
                }
            }
        });
        let mut warm = 0;
        while announced.recv_timeout(Duration::from_millis(100)).is_err() {
            warm += 1;
            assert!(warm < 100, "the monitor never spoke");
            weir.send_udp(vec![probe(&format!("198.18.255.{warm}"))]);
        }
        Self { monitor, announced, banned: Cell::new(0) }
    }

    /// How long it takes until an address is announced, for so many of them, one by one.
    pub(crate) fn bans(&self, weir: &Weir<'_>, count: u32) -> Vec<Duration> {
        let mut took = Vec::new();
        for n in self.banned.get()..self.banned.get() + count {
            let address = format!("203.0.{}.{}", 114 + n / 250, n % 250);
            let ends = format!("{address} ");
            while self.announced.try_recv().is_ok() {}
            let sent = Instant::now();
            weir.send_udp(vec![probe(&address)]);
            loop {
                let (at, line) = self.announced.recv_timeout(Duration::from_secs(5)).unwrap();
                if line.contains(&ends) {
                    took.push(at.duration_since(sent));
                    break;
                }
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        self.banned.set(self.banned.get() + count);
        took.sort();
        took
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        let _ = self.monitor.kill();
        let _ = self.monitor.wait();
    }
}

/// Prints how many bans the daemon itself says were in the kernel within a few milliseconds of the
/// receipt of their line: the witness is a program of its own, and has to be woken.
pub(crate) fn tell_daemon(weir: &Weir<'_>) {
    let within = |bound: &str| {
        weir.metric("weir_receive_to_kernel_seconds_bucket", &[&format!("le=\"{bound}\"")])
    };
    let all = within("+Inf");
    for bound in ["0.0008", "0.0016", "0.0032", "0.0064", "0.0128", "0.0256"] {
        println!("  by the daemon: {:.2} % within {bound} s", 100.0 * within(bound) / all);
    }
}

/// Prints what is asked for, and says what half of them took at most.
pub(crate) fn tell(took: &[Duration]) -> Duration {
    let (p50, p99) = (took[took.len() / 2], took[took.len() * 99 / 100]);
    let most = took[took.len() - 1];
    println!("send to announced element: p50 {p50:?}, p99 {p99:?}, longest {most:?}");
    p50
}

#[test]
fn two_hundred_bans_one_by_one() {
    if !possible(&["ip", "nft"]) {
        return;
    }
    let network = Network::new();
    let weir = Weir::start(&network, "");
    let took = Witness::new(&network, &weir).bans(&weir, 200);
    let p50 = tell(&took);
    // The figures are read, not tested: machines differ. That it is not seconds is a promise.
    assert!(p50 < Duration::from_millis(500), "{p50:?}");
}

/// Prints how long bans take beside `WEIR_BENCH_BACKGROUND` other lines a second.
#[test]
#[ignore = "measures, and takes its time"]
fn figures() {
    assert!(possible(&["ip", "nft"]));
    let rate = number("WEIR_BENCH_BACKGROUND", 50_000);
    let network = Network::new();
    let weir = Weir::start(&network, &format!("log: warning\n{}", rules()));
    let witness = Witness::new(&network, &weir);
    let flood = Flood::start(&weir, &corpus(400_000), rate);
    // The attackers of the background are banned first.
    std::thread::sleep(Duration::from_secs(3));
    let took = witness.bans(&weir, 1000);
    let offered = flood.end();
    let fate = Fate::at_rest(&weir);
    println!("beside {:.0} lines/s, of which {} were lost:", offered.per_second(), fate.lost());
    let p50 = tell(&took);
    assert!(p50 < Duration::from_secs(2), "{p50:?}");
}

/// Bans so many addresses over the control socket, as many at a time as it takes.
pub(crate) fn fill(weir: &Weir<'_>, count: u32) {
    let stream = UnixStream::connect(weir.folder.join("control.sock")).unwrap();
    let mut stream = BufReader::new(stream);
    let numbers: Vec<u32> = (0..count).collect();
    for some in numbers.chunks(2_000) {
        let targets: Vec<String> =
            some.iter().map(|n| Ipv4Addr::from(0x0b00_0000 + n).to_string()).collect();
        let request = serde_json::json!({
            "request": "ban", "targets": targets, "for_seconds": 86_400, "reason": "many"
        });
        writeln!(stream.get_mut(), "{request}").unwrap();
        let mut answer = String::new();
        stream.read_line(&mut answer).unwrap();
        assert!(answer.contains("\"banned\""), "{}", &answer[..answer.len().min(200)]);
    }
}

/// Prints how long a start takes with 100,000 bans in the ledger, with the kernel as it was left
/// and emptied, and how long further bans take while all are listed every second.
#[test]
#[ignore = "measures, and takes its time"]
fn figures_with_a_hundred_thousand() {
    assert!(possible(&["ip", "nft"]));
    let count = number("WEIR_BENCH_BANS", 100_000);
    let network = Network::new();
    let mut weir = Weir::start(&network, "log: warning\nenforce: { reconcile: 1s }");
    // `nft monitor` first lists what there is, and begins anew with every change meanwhile: it has to
    // be there before the bans.
    let witness = Witness::new(&network, &weir);
    std::thread::sleep(Duration::from_secs(1));
    let elements = || network.set_size("ban4");
    let all = usize::try_from(count).unwrap() + elements();
    let begun = Instant::now();
    fill(&weir, count);
    while elements() < all {
        assert!(begun.elapsed() < Duration::from_secs(120), "{} elements", elements());
    }
    println!("{count} bans by hand: {:?}", begun.elapsed());

    // Whoever looks while it starts finds all of them, always.
    for is_emptied in [false, true] {
        let begun = Mutex::new(Instant::now());
        let stop = AtomicBool::new(false);
        weir = std::thread::scope(|scope| {
            let watcher = scope.spawn(|| {
                let mut fewest = usize::MAX;
                while !is_emptied && !stop.load(Ordering::Relaxed) {
                    fewest = fewest.min(elements());
                }
                fewest
            });
            let weir = weir.kill_and_restart(|| {
                if is_emptied {
                    assert!(
                        network
                            .on_host("nft")
                            .args(["flush", "ruleset"])
                            .status()
                            .unwrap()
                            .success()
                    );
                }
                *begun.lock().unwrap() = Instant::now();
            });
            let took = begun.lock().unwrap().elapsed();
            stop.store(true, Ordering::Relaxed);
            let fewest = watcher.join().unwrap();
            let kernel = if is_emptied { "an empty kernel" } else { "the kernel as it was" };
            println!("start with {count} bans and {kernel}, until ready: {took:?}");
            assert!(fewest >= all, "only {fewest} elements at some moment");
            weir
        });
        assert_eq!(elements(), all);
    }
    let before = weir.metric("weir_enforce_reconciles_total", &[]);
    let took = witness.bans(&weir, 1000);
    let listings = weir.metric("weir_enforce_reconciles_total", &[]) - before;
    println!("beside {listings} listings of {count}:");
    tell_daemon(&weir);
    let p50 = tell(&took);
    assert!(p50 < Duration::from_secs(1), "{p50:?}");
    assert!(weir.metric("weir_enforce_drift", &[]) < 0.5, "bans beside a listing are no drift");
}
