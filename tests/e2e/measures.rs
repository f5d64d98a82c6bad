//! How far a ban goes: networks, growing bans, who is left alone, the brake, and lines that are not
//! believed.

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};

use crate::network::{ATTACKER_V4, HOST_V4, HOST_V6, NEIGHBOUR_V4, Network, inside, possible, run};
use crate::weir::{Weir, failed_login, probe, wait_for};

const PROGRAMS: [&str; 2] = ["ip", "nft"];

fn failed_logins(address: &str, count: usize) -> Vec<Vec<u8>> {
    vec![failed_login(address).into_bytes(); count]
}

fn told(output: &std::process::Output) -> String {
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&text).into_owned()
}

/// Targets and actions that `weir list` shows.
fn decisions(weir: &Weir<'_>) -> Vec<(String, String)> {
    let output = weir.ask(&["list", "--output", "json"]);
    let list: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let mut found: Vec<_> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|decision| (text(&decision["target"]), text(&decision["action"])))
        .collect();
    found.sort();
    found
}

/// Gives the attackers' side addresses, and the host the way to them.
fn settle(network: &Network, addresses: &[&str]) {
    for address in addresses {
        let with_length = format!("{address}/64");
        let words =
            ["-n", &network.outside, "address", "add", &with_length, "dev", "eth0", "nodad"];
        run("ip", &words);
    }
    run("ip", &["-n", &network.host, "-6", "route", "add", "2001:db8:66::/48", "dev", "eth0"]);
}

#[test]
fn who_takes_a_new_address_for_each_try_loses_the_network() {
    if !possible(&PROGRAMS) {
        return;
    }
    let network = Network::new();
    let (unused, neighbour) = ("2001:db8:66::7", "2001:db8:66:1::7");
    settle(&network, &[unused, neighbour]);
    wait_for("the way to them", || network.passes(unused, HOST_V6).then_some(()));
    wait_for("the way to them", || network.passes(neighbour, HOST_V6).then_some(()));
    let weir = Weir::start(&network, "");
    let tries = (1..=6).map(|n| failed_login(&format!("2001:db8:66::{n}")).into_bytes());
    weir.send_udp(tries.collect());
    weir.send_udp(failed_logins(neighbour, 5));
    wait_for("the network's ban", || network.holds_prefix("2001:db8:66::/64").then_some(()));
    assert!(!network.passes(unused, HOST_V6), "an address that was never used yet");
    assert!(network.passes(neighbour, HOST_V6), "the network beside it");
    assert_eq!(decisions(&weir), [("2001:db8:66::/64".to_owned(), "ban".to_owned())]);
    assert!(weir.metric("weir_bans_widened_total", &[]) > 0.5);
}

#[test]
fn the_next_ban_lasts_longer_and_begins_no_sooner() {
    if !possible(&PROGRAMS) {
        return;
    }
    let network = Network::new();
    let weir = Weir::start(&network, "ban: 4s\nescalation: {jitter: 0%}");
    weir.send_udp(failed_logins(ATTACKER_V4, 6));
    wait_for("the first ban", || network.holds(ATTACKER_V4).then_some(()));
    let weir = weir.kill_and_restart(|| {});
    wait_for("its end", || decisions(&weir).is_empty().then_some(()));
    // As many tries as before: another rule counts five of them as nothing.
    weir.send_udp(failed_logins(NEIGHBOUR_V4, 5));
    weir.send_udp(vec![probe(ATTACKER_V4)]);
    wait_for("the second ban", || network.holds(ATTACKER_V4).then_some(()));
    let listed = weir.listed();
    assert_eq!(listed.len(), 1, "{listed:?}");
    assert!((6..=8).contains(&listed[0].1), "twice four seconds: {listed:?}");
    assert!(weir.metric("weir_bans_escalated_total", &[]) > 0.5);
}

fn accepted(address: &str) -> Vec<u8> {
    format!(
        "<38>Nov 22 10:00:00 host sshd[811]: Accepted publickey for deploy from {address} port \
         40112 ssh2: ED25519 SHA256:abcdef"
    )
    .into_bytes()
}

#[test]
fn whoever_logged_in_is_not_locked_out() {
    if !possible(&PROGRAMS) {
        return;
    }
    let network = Network::new();
    let weir = Weir::start(&network, "");
    weir.send_udp(vec![accepted(ATTACKER_V4)]);
    wait_for("the guard", || (weir.metric("weir_guarded", &["login"]) > 0.5).then_some(()));
    weir.send_udp(failed_logins(ATTACKER_V4, 6));
    weir.send_udp(failed_logins(NEIGHBOUR_V4, 6));
    wait_for("the neighbour's ban", || network.holds(NEIGHBOUR_V4).then_some(()));
    wait_for("the refusal", || {
        (weir.metric("weir_refused_total", &["guarded"]) > 0.5).then_some(())
    });
    assert!(!network.holds(ATTACKER_V4));
    // It outlives the daemon.
    wait_for("it to be written", || {
        std::thread::sleep(std::time::Duration::from_millis(1500));
        Some(())
    });
    let weir = weir.kill_and_restart(|| {});
    weir.send_udp(vec![probe(ATTACKER_V4)]);
    wait_for("the refusal", || {
        (weir.metric("weir_refused_total", &["guarded"]) > 0.5).then_some(())
    });
    let refused = weir.ask(&["ban", ATTACKER_V4]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(told(&refused).contains("logged in at"), "{}", told(&refused));
    assert!(told(&refused).contains("weir ban --force"), "{}", told(&refused));
    assert!(network.passes(ATTACKER_V4, HOST_V4));
    assert!(weir.ask(&["ban", ATTACKER_V4, "--force"]).status.success());
    wait_for("the ban", || network.holds(ATTACKER_V4).then_some(()));
}

#[test]
fn whoever_holds_a_connection_is_not_locked_out() {
    if !possible(&PROGRAMS) {
        return;
    }
    let network = Network::new();
    let weir = Weir::start(&network, "guard: {logins: [], ports: [22], after: 1s}");
    let to = SocketAddr::new(HOST_V4.parse().unwrap(), 22);
    let listener = inside(&network.host, move || TcpListener::bind(to).unwrap());
    // From the first of the addresses of that side.
    let connection = inside(&network.outside, move || TcpStream::connect(to).unwrap());
    let (accepted, from) = listener.accept().unwrap();
    let who = from.ip().to_string();
    assert_eq!(who, ATTACKER_V4);
    wait_for("the guard", || (weir.metric("weir_guarded", &["connection"]) > 0.5).then_some(()));
    weir.send_udp(failed_logins(&who, 6));
    weir.send_udp(failed_logins(NEIGHBOUR_V4, 6));
    wait_for("the neighbour's ban", || network.holds(NEIGHBOUR_V4).then_some(()));
    wait_for("the refusal", || {
        (weir.metric("weir_refused_total", &["guarded"]) > 0.5).then_some(())
    });
    assert!(!network.holds(&who));
    drop((connection, accepted));
    wait_for("the end of the guard", || {
        (weir.metric("weir_guarded", &["connection"]) < 0.5).then_some(())
    });
    weir.send_udp(vec![probe(&who)]);
    wait_for("its ban", || network.holds(&who).then_some(()));
}

#[test]
fn the_brake_stops_scenarios_until_it_is_released() {
    if !possible(&PROGRAMS) {
        return;
    }
    let network = Network::new();
    let weir = Weir::start(&network, "brake: {bans: 3, per: 1m}");
    let strangers: Vec<String> = (20..26).map(|n| format!("198.51.100.{n}")).collect();
    weir.send_udp(strangers.iter().map(|stranger| probe(stranger)).collect());
    wait_for("six decisions", || (decisions(&weir).len() == 6).then_some(()));
    let is_observed = |(_, action): &&(String, String)| action == "observe";
    assert_eq!(decisions(&weir).iter().filter(is_observed).count(), 3);
    assert!(weir.metric("weir_brake", &[]) > 0.5);
    assert!(weir.log().contains("THE BRAKE IS ON"), "{}", weir.log());
    let (status, page) = weir.http("/-/ready").unwrap();
    assert!(status == 503 && page.contains("the brake is on"), "{status} {page}");
    let shown = weir.ask(&["brake"]);
    assert_eq!(shown.status.code(), Some(1), "{}", told(&shown));
    assert!(told(&shown).contains("more than 3 new bans in 1m"), "{}", told(&shown));
    assert!(told(&weir.ask(&["status"])).contains("weir brake release"));
    // Operators always may.
    assert!(weir.ask(&["ban", ATTACKER_V4]).status.success());
    wait_for("the manual ban", || network.holds(ATTACKER_V4).then_some(()));
    let released = weir.ask(&["brake", "release", "--carry-out"]);
    assert!(released.status.success(), "{}", told(&released));
    for stranger in &strangers {
        wait_for("all bans", || network.holds(stranger).then_some(()));
    }
    assert!(weir.metric("weir_brake", &[]) < 0.5);
    assert!(weir.ask(&["brake"]).status.success());
}

#[test]
fn what_anybody_could_have_sent_is_observed_and_lends_nothing_to_others() {
    if !possible(&PROGRAMS) {
        return;
    }
    let network = Network::new();
    let sources = "\
\x20 - { name: udp, udp: \"127.0.0.1:5514\", bans: observe }
  - { name: tcp, tcp: \"127.0.0.1:5514\" }";
    let weir = Weir::start_on(&network, sources, "");
    let mut tcp = weir.connect();
    // Five forged lines and one that is believed are no offence.
    let honest = "198.51.100.31";
    weir.send_udp(failed_logins(honest, 5));
    writeln!(tcp, "{}", failed_login(honest)).unwrap();
    weir.send_udp(failed_logins(ATTACKER_V4, 6));
    for _ in 0..6 {
        writeln!(tcp, "{}", failed_login(NEIGHBOUR_V4)).unwrap();
    }
    wait_for("the ban", || network.holds(NEIGHBOUR_V4).then_some(()));
    wait_for("the observation", || (decisions(&weir).len() == 2).then_some(()));
    let decision = |who: &str, action: &str| (who.to_owned(), action.to_owned());
    let expected = [decision(ATTACKER_V4, "observe"), decision(NEIGHBOUR_V4, "ban")];
    assert_eq!(decisions(&weir), expected);
    wait_for("the limit to be counted", || {
        (weir.metric("weir_bans_limited_total", &["source"]) > 0.5).then_some(())
    });
    assert!(!network.holds(ATTACKER_V4));
    // A login that anybody could have sent guards nobody.
    weir.send_udp(vec![accepted(honest)]);
    for _ in 0..6 {
        writeln!(tcp, "{}", failed_login(honest)).unwrap();
    }
    wait_for("the other ban", || network.holds(honest).then_some(()));
}
