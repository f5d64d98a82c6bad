//! The ways to ban beside nftables, and several at a time, with the whole daemon.

use std::process::Output;
use std::time::{Duration, Instant};

use crate::network::{ATTACKER_V4, ATTACKER_V6, HOST_V4, NEIGHBOUR_V4, Network, possible};
use crate::weir::{Weir, probe, wait_for};

const PROGRAMS: [&str; 5] = ["ip", "nft", "ipset", "iptables", "ip6tables"];

impl Network {
    /// Runs a line of words in the guarded host.
    fn line(&self, line: &str) -> Output {
        let mut words = line.split(' ');
        self.on_host(words.next().unwrap()).args(words).output().unwrap()
    }

    fn says(&self, line: &str) -> String {
        String::from_utf8_lossy(&self.line(line).stdout).into_owned()
    }

    fn is_in_ipset(&self, address: &str) -> bool {
        let set = if address.contains(':') { "weir-ban6" } else { "weir-ban4" };
        self.line(&format!("ipset test {set} {address}")).status.success()
    }

    fn has_route(&self, address: &str) -> bool {
        let family = if address.contains(':') { "-6" } else { "-4" };
        self.says(&format!("ip {family} route show table 9514")).contains(&format!("{address} "))
    }

    /// Everything that bans may leave behind.
    fn traces(&self) -> String {
        let rules = ["iptables-save", "ip6tables-save"].map(|line| self.says(line)).concat();
        let rules = rules.lines().filter(|line| line.contains("WEIR")).collect::<String>();
        let rest = ["ipset list -name", "ip rule", "ip -6 rule", "ip route show table 9514"];
        let rest = rest.map(|line| self.says(line)).concat();
        let tables = self.says("nft list tables");
        format!("{rules}{rest}{}", tables.contains("inet weir"))
    }
}

#[test]
fn several_backends_ban_together_and_each_is_healed() {
    if !possible(&PROGRAMS) {
        return;
    }
    let network = Network::new();
    let before = network.traces();
    let weir = Weir::start(&network, "enforce: { backend: [nftables, ipset, route] }");
    weir.send_udp(vec![probe(ATTACKER_V4), probe(ATTACKER_V6)]);
    let all_hold = |address: &str| {
        network.holds(address) && network.is_in_ipset(address) && network.has_route(address)
    };
    for address in [ATTACKER_V4, ATTACKER_V6] {
        wait_for("the ban in all of them", || all_hold(address).then_some(()));
    }
    assert!(!network.passes(ATTACKER_V4, HOST_V4));
    assert!(network.passes(NEIGHBOUR_V4, HOST_V4));
    for backend in ["nftables", "ipset", "route"] {
        let label = format!("backend=\"{backend}\"");
        wait_for("the metrics", || {
            (weir.metric("weir_enforce_elements", &[&label]) >= 2.0).then_some(())
        });
    }
    let status = weir.ask(&["status", "--output", "json"]);
    let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
    let names: Vec<_> = status["enforce"]["backends"]
        .as_array()
        .unwrap()
        .iter()
        .map(|backend| backend["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["nftables", "ipset", "route"]);
    for (deed, limit) in [
        ("ipset flush weir-ban4", Duration::from_secs(4)),
        ("iptables -F", Duration::from_secs(4)),
        ("ip route flush table 9514 proto 222", Duration::from_secs(2)),
        ("ip rule delete priority 100", Duration::from_secs(2)),
        ("nft flush ruleset", Duration::from_secs(4)),
    ] {
        let label = match deed.split(' ').next().unwrap() {
            "nft" => "backend=\"nftables\"",
            "ip" => "backend=\"route\"",
            _ => "backend=\"ipset\"",
        };
        let noticed = || weir.metric("weir_enforce_foreign_changes_total", &[label]);
        let seen = noticed();
        let begun = Instant::now();
        assert!(network.line(deed).status.success(), "{deed}");
        wait_for("the repair", || {
            let is_ruled = network.says("ip rule").contains("lookup 9514")
                && network.says("iptables -S INPUT").contains("-j WEIR");
            (noticed() > seen && all_hold(ATTACKER_V4) && is_ruled).then_some(())
        });
        let took = begun.elapsed();
        println!("{deed}: healed after {took:?}");
        assert!(took < limit, "{deed}: {took:?}");
    }
    assert!(weir.ask(&["unban", ATTACKER_V4]).status.success());
    wait_for("the end in all of them", || {
        let holds = network.holds(ATTACKER_V4)
            || network.is_in_ipset(ATTACKER_V4)
            || network.has_route(ATTACKER_V4);
        (!holds).then_some(())
    });
    assert!(network.passes(ATTACKER_V4, HOST_V4));
    let flushed = weir.ask(&["flush"]);
    assert!(flushed.status.success(), "{}", String::from_utf8_lossy(&flushed.stderr));
    assert_eq!(network.traces(), before);
}

#[test]
fn routes_and_sets_end_in_time() {
    if !possible(&PROGRAMS) {
        return;
    }
    let network = Network::new();
    let weir = Weir::start(&network, "ban: 3s\nenforce: { backend: [ipset, route] }");
    weir.send_udp(vec![probe(ATTACKER_V4)]);
    wait_for("the ban", || {
        (network.is_in_ipset(ATTACKER_V4) && network.has_route(ATTACKER_V4)).then_some(())
    });
    let begun = Instant::now();
    wait_for("its end", || {
        let holds = network.is_in_ipset(ATTACKER_V4) || network.has_route(ATTACKER_V4);
        (!holds).then_some(())
    });
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert!(network.passes(ATTACKER_V4, HOST_V4));
}

#[test]
fn one_that_fails_keeps_no_other_from_its_work() {
    if !possible(&PROGRAMS) {
        return;
    }
    let network = Network::new();
    // A set of another kind that somebody else's rule uses: it can neither be used nor replaced.
    for line in [
        "ipset create weir-ban4 hash:net",
        "iptables -A OUTPUT -m set --match-set weir-ban4 dst -j ACCEPT",
    ] {
        assert!(network.line(line).status.success(), "{line}");
    }
    let weir = Weir::start_healthy(&network, "enforce: { backend: [ipset, nftables] }");
    weir.send_udp(vec![probe(ATTACKER_V4)]);
    wait_for("the ban", || network.holds(ATTACKER_V4).then_some(()));
    let problem = wait_for("the problem", || {
        let (_, page) = weir.http("/-/ready")?;
        page.contains("enforcement by ipset: failed: `ipset` failed").then_some(page)
    });
    assert!(!problem.contains("by nftables"), "{problem}");
    assert!(network.line("iptables -F OUTPUT").status.success());
    wait_for("the recovery", || network.is_in_ipset(ATTACKER_V4).then_some(()));
}
