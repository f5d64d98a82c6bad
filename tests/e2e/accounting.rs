//! Nothing is lost unseen: what each source received is what was looked at of it and what was
//! dropped, and a source that fails is told of and stops no other.

use std::io::Write;
use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;

use crate::load::{Fate, corpus};
use crate::network::{Network, inside, possible};
use crate::weir::{Weir, failed_login, probe, wait_for};

/// Lines of the source `name`: received, looked at, dropped.
fn balance(weir: &Weir<'_>, name: &str) -> (f64, f64, f64) {
    let source = format!("source=\"{name}\"");
    let sum = |metric| weir.metric(metric, &[&source]);
    (
        sum("weir_lines_received_total"),
        sum("weir_source_lines_total"),
        sum("weir_lines_dropped_total"),
    )
}

#[test]
fn what_is_received_is_looked_at_or_dropped() {
    if !possible(&["ip", "nft"]) {
        return;
    }
    let network = Network::new();
    let weir = Weir::start(&network, "limits: { queue: 4 }\nallowlist: [203.0.113.9]");
    weir.send_udp(corpus(30_000).to_vec());
    weir.send_udp(vec![b"no header".to_vec(), failed_login("203.0.113.9").into_bytes()]);

    // Lines, counted frames, a count that lies, garbage behind it, half a line at the end.
    let mut stream = weir.connect();
    for line in corpus(2_000).iter() {
        stream.write_all(line).unwrap();
        stream.write_all(b"\n").unwrap();
    }
    let line = failed_login("203.0.113.1");
    stream.write_all(format!("{} {line}99999999 <13>x", line.len()).as_bytes()).unwrap();
    stream.write_all(b"\n<13>half").unwrap();
    drop(stream);
    let mut broken = weir.connect();
    broken.write_all(b"500 <13>Nov 22").unwrap();
    drop(broken);

    let socket = UnixDatagram::unbound().unwrap();
    socket.connect(weir.folder.join("weir.sock")).unwrap();
    for _ in 0..50 {
        socket.send(failed_login("203.0.113.2").as_bytes()).unwrap();
    }

    wait_for("the end of the streams", || {
        (weir.metric("weir_lines_dropped_total", &["source=\"tcp\""]) >= 2.0).then_some(())
    });
    Fate::at_rest(&weir);
    for (name, least) in [("udp", 30_000.0), ("tcp", 2_003.0), ("unix", 50.0)] {
        let (received, looked_at, dropped) = balance(&weir, name);
        println!("{name}: {received} received = {looked_at} looked at + {dropped} dropped");
        assert_eq!(received, looked_at + dropped, "{name}");
        assert!(received >= least, "{name}: {received}");
    }
    for outcome in ["parsed", "unparsed", "allowlisted"] {
        let label = format!("outcome=\"{outcome}\"");
        assert!(weir.metric("weir_source_lines_total", &[&label]) > 0.0, "{outcome}");
        assert_eq!(
            weir.metric("weir_source_lines_total", &[&label]),
            weir.metric("weir_lines_total", &[&label]),
            "{outcome}: by source as by program"
        );
    }
}

#[test]
fn a_source_that_fails_stops_no_other() {
    if !possible(&["ip", "nft"]) {
        return;
    }
    let network = Network::new();
    let taken = inside(&network.host, || TcpListener::bind("127.0.0.1:5514").unwrap());
    let weir = Weir::start_healthy(&network, "");
    let (status, page) = weir.http("/-/ready").unwrap();
    assert_eq!(status, 503, "{page}");
    assert!(page.contains("source `tcp`: cannot listen on tcp 127.0.0.1:5514"), "{page}");
    assert_eq!(weir.metric("weir_source_up", &["source=\"tcp\""]), 0.0);
    assert_eq!(weir.metric("weir_source_up", &["source=\"udp\""]), 1.0);
    weir.send_udp(vec![probe("203.0.113.1")]);
    wait_for("the ban by the other source", || network.holds("203.0.113.1").then_some(()));
    drop(taken);
    wait_for("the source that was tried again", || (weir.http("/-/ready")?.0 == 200).then_some(()));
    let mut stream = weir.connect();
    stream.write_all(&probe("203.0.113.2")).unwrap();
    stream.write_all(b"\n").unwrap();
    wait_for("the ban by it", || network.holds("203.0.113.2").then_some(()));
}
