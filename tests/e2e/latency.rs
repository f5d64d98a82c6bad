//! From the sending of a line to the kernel's announcement of the new element, seen from outside.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use crate::flood::{number, rules};
use crate::load::{Fate, Flood, corpus};
use crate::network::{Network, possible};
use crate::weir::{Weir, probe};

/// An independent witness: the kernel announces each element to `nft monitor`.
struct Witness {
    monitor: Child,
    announced: Receiver<(Instant, String)>,
}

impl Witness {
    /// A witness who listens already.
    fn new(network: &Network, weir: &Weir<'_>) -> Self {
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
        Self { monitor, announced }
    }

    /// How long it takes until an address is announced, for so many of them, one by one.
    fn bans(&self, weir: &Weir<'_>, count: u32) -> Vec<Duration> {
        let mut took = Vec::new();
        for n in 0..count {
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

/// Prints what is asked for, and says what half of them took at most.
fn tell(took: &[Duration]) -> Duration {
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
