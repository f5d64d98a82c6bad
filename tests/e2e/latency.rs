//! From the sending of a line to the kernel's announcement of the new element, seen from outside.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::network::{Network, possible};
use crate::weir::{Weir, probe};

#[test]
fn two_hundred_bans_one_by_one() {
    if !possible(&["ip", "nft"]) {
        return;
    }
    let network = Network::new();
    let weir = Weir::start(&network, "");
    // An independent witness: the kernel announces each element to `nft monitor`.
    let mut monitor = network
        .on_host("nft")
        .args(["monitor", "elements"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(monitor.stdout.take().unwrap()).lines();
    let (announce, announced) = mpsc::sync_channel(1024);
    let witness = std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            if announce.send((Instant::now(), line)).is_err() {
                break;
            }
        }
    });
    // The monitor is listening when it reports a first element.
    let mut warm = 0;
    while announced.recv_timeout(Duration::from_millis(100)).is_err() {
        warm += 1;
        assert!(warm < 100, "the monitor never spoke");
        weir.send_udp(vec![probe(&format!("198.18.0.{warm}"))]);
    }

    let mut took = Vec::new();
    for n in 0..200 {
        let address = format!("203.0.113.{n}");
        while announced.try_recv().is_ok() {}
        let sent = Instant::now();
        weir.send_udp(vec![probe(&address)]);
        loop {
            let (at, line) = announced.recv_timeout(Duration::from_secs(5)).unwrap();
            if line.contains(&address) {
                took.push(at.duration_since(sent));
                break;
            }
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    monitor.kill().unwrap();
    monitor.wait().unwrap();
    drop(announced);
    witness.join().unwrap();
    took.sort();
    let (p50, p99, most) = (took[100], took[198], took[199]);
    println!("send to announced element: p50 {p50:?}, p99 {p99:?}, longest {most:?}");
    // The figures are read, not tested: machines differ. That it is not seconds is a promise.
    assert!(p50 < Duration::from_millis(500), "{p50:?}");
}
