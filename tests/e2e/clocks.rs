//! Clocks of senders that are off, and those that are only elsewhere.

use std::net::UdpSocket;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ::weir::value::{MONTHS, Time};

use crate::network::{ATTACKER_V4, Network, inside, possible};
use crate::weir::{Weir, failed_login, wait_for};

/// A failed login by a clock that is two hours ahead of UTC.
fn failed_login_ahead() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let shown = Time::from_seconds(i64::try_from(now).unwrap() + 2 * 3600).civil();
    let month = &MONTHS[usize::from(shown.month) - 1][..3];
    let stamp = format!(
        "{month} {:>2} {:02}:{:02}:{:02}",
        shown.day, shown.hour, shown.minute, shown.second
    );
    failed_login(ATTACKER_V4).replace("Nov 22 10:00:00", &stamp)
}

#[test]
fn clocks_that_are_off_are_told_and_not_gone_by() {
    if !possible(&["ip", "nft"]) {
        return;
    }
    let network = Network::new();
    let sources = "  - { name: udp, udp: \"127.0.0.1:5514\", zones: { 127.0.0.2: \"+02:00\" } }\n";
    let weir = Weir::start_on(&network, sources, "allowlist: {defaults: true}");
    const ROUNDS: u32 = 4;
    for _ in 0..ROUNDS {
        inside(&network.host, || {
            for sender in ["127.0.0.1:0", "127.0.0.2:0"] {
                let socket = UdpSocket::bind(sender).unwrap();
                socket.send_to(failed_login_ahead().as_bytes(), "127.0.0.1:5514").unwrap();
            }
        });
        std::thread::sleep(Duration::from_millis(1010));
    }
    // Counted by the clock of this machine, whatever theirs say.
    wait_for("the ban", || network.holds(ATTACKER_V4).then_some(()));
    assert_eq!(weir.metric("weir_lines_received_total", &[]), f64::from(2 * ROUNDS));
    assert_eq!(weir.metric("weir_skewed_lines_total", &[]), f64::from(ROUNDS));
    let skew = weir.metric("weir_clock_skew_seconds", &["source=\"udp\""]);
    assert!((7195.0..=7200.0).contains(&skew), "{skew}");

    let answer = weir.ask(&["status", "--output", "json"]);
    let status: serde_json::Value = serde_json::from_slice(&answer.stdout).unwrap();
    let remarks = status["remarks"].to_string();
    let told =
        "the sender 127.0.0.1 writes times 2 h ahead of their arrival: is its `zone` `+02:00`?";
    assert!(remarks.contains(told) && !remarks.contains("127.0.0.2"), "{remarks}");
    let senders = status["sources"][0]["senders"].as_array().unwrap();
    for sender in senders {
        let is_off = sender["address"] == "127.0.0.1";
        assert_eq!(sender["skew_seconds"].as_i64().unwrap() > 60, is_off, "{sender}");
    }
    assert_eq!(senders.len(), 2);
}
