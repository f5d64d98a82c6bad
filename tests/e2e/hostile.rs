//! Malformed input: the daemon lives, its memory is bounded, each drop is counted by reason.

use std::io::Write;
use std::net::TcpStream;

use crate::load::memory;
use crate::network::{Network, possible};
use crate::weir::{Weir, probe, wait_for};

#[test]
fn malformed_input_is_survived_and_counted() {
    if !possible(&["ip", "nft"]) {
        return;
    }
    let network = Network::new();
    let weir = Weir::start(&network, "");
    let cut = || weir.metric("weir_lines_cut_total", &["source=\"tcp\""]);
    let refused = || {
        let labels = ["source=\"tcp\"", "reason=\"too_many_connections\""];
        weir.metric("weir_connections_refused_total", &labels)
    };
    let (_, before) = memory(weir.pid());

    // One megabyte in one line, both framings.
    let mut stream = weir.connect();
    let huge = vec![b'x'; 1 << 20];
    stream.write_all(b"<38>Nov 22 10:00:00 host sshd[1]: ").unwrap();
    stream.write_all(&huge).unwrap();
    stream.write_all(b"\n").unwrap();
    stream.write_all(format!("{} <38>", (1 << 20) + 4).as_bytes()).unwrap();
    stream.write_all(&huge).unwrap();
    wait_for("two cut lines on TCP", || (cut() >= 2.0).then_some(()));
    // The stream is still in step.
    stream.write_all(&probe("203.0.113.1")).unwrap();
    stream.write_all(b"\n").unwrap();
    wait_for("a ban after the huge lines", || network.holds("203.0.113.1").then_some(()));

    // NUL bytes, invalid UTF-8, an empty datagram, only a priority.
    weir.send_udp(vec![
        b"\0\0\0\0".to_vec(),
        b"<38>Nov 22 10:00:00 host sshd[1]: \xff\xfe\x80 from \xc3\x28".to_vec(),
        Vec::new(),
        b"<38>".to_vec(),
        b"<999>x".to_vec(),
        vec![0xff; 60_000],
        probe("203.0.113.2"),
    ]);
    wait_for("a ban after odd datagrams", || network.holds("203.0.113.2").then_some(()));

    // An octet count that lies: too long, absurd, not followed by a message.
    let mut liar = weir.connect();
    liar.write_all(b"99999999999999999999 <38>x\n").unwrap();
    liar.write_all(&probe("203.0.113.3")).unwrap();
    liar.write_all(b"\n").unwrap();
    wait_for("a ban after a count that lies", || network.holds("203.0.113.3").then_some(()));

    // Half a frame, then silence, on a connection that stays open.
    let mut half = weir.connect();
    half.write_all(b"500 <38>Nov 22").unwrap();

    // A thousand connections that send nothing, and one that does.
    let silent: Vec<TcpStream> = (0..1000).map(|_| weir.connect()).collect();
    let mut good = weir.connect();
    good.write_all(&probe("203.0.113.4")).unwrap();
    good.write_all(b"\n").unwrap();
    wait_for("a ban beside a thousand silent connections", || {
        network.holds("203.0.113.4").then_some(())
    });
    let (_, after) = memory(weir.pid());
    println!("resident memory: {before:.1} MiB before, {after:.1} MiB with 1000 connections open");
    assert!(after < 256.0, "memory is bounded: {after} MiB");
    drop(silent);

    // More connections than the limit: refused and counted.
    let many: Vec<TcpStream> = (0..1200).map(|_| weir.connect()).collect();
    wait_for("refused connections", || (refused() >= 1.0).then_some(()));
    drop(many);
    assert!((weir.http("/-/healthy").unwrap().0) == 200);
}

#[test]
fn a_message_of_64_kib_passes_and_a_longer_one_is_cut() {
    if !possible(&["ip", "nft"]) {
        return;
    }
    let network = Network::new();
    let weir = Weir::start(&network, "");
    let oversize = || weir.metric("weir_lines_cut_total", &[]);
    let of_length = |length: usize, address: &str| {
        let mut line = probe(address);
        line.push(b' ');
        line.resize(length, b'x');
        line.push(b'\n');
        line
    };
    let mut stream = weir.connect();
    stream.write_all(&of_length(64 * 1024, "203.0.113.1")).unwrap();
    wait_for("the ban of a message of 64 KiB", || network.holds("203.0.113.1").then_some(()));
    assert!(oversize() < 0.5);
    stream.write_all(&of_length(64 * 1024 + 1, "203.0.113.2")).unwrap();
    wait_for("the ban of a longer message", || network.holds("203.0.113.2").then_some(()));
    wait_for("the count of the cut", || (oversize() > 0.5).then_some(()));
}
