//! A bouncer of CrowdSec as Debian ships it, on another host than Weir: it holds what is banned here,
//! whatever happens to the daemon meanwhile.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use crate::network::{HOST_V4, Network, possible, skip};
use crate::weir::{Weir, failed_login, project, wait_for};

const API: &str = "lapi: { listen: \"198.51.100.1:8080\", in_clear: true }";

/// How it enforces.
#[derive(Clone, Copy)]
enum Mode {
    Nftables,
    Ipset,
}

/// The program, as installed or as `tests/peers` has unpacked it.
fn program() -> Option<PathBuf> {
    let unpacked =
        std::env::var_os("WEIR_PEERS").map_or_else(|| project("target/peers"), PathBuf::from);
    let installed = Path::new("/usr/bin/crowdsec-firewall-bouncer").to_owned();
    let found = [installed, unpacked.join("usr/bin/crowdsec-firewall-bouncer")];
    let found = found.into_iter().find(|path| path.exists());
    if found.is_none() {
        skip("no crowdsec-firewall-bouncer: `tests/peers` fetches it on Debian");
    }
    found
}

/// A running bouncer, in the network beside the guarded host.
struct Bouncer<'n> {
    network: &'n Network,
    mode: Mode,
    child: Child,
    _folder: tempfile::TempDir,
}

impl<'n> Bouncer<'n> {
    fn start(network: &'n Network, program: &Path, mode: Mode, key: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let shown = folder.path().display();
        let name = match mode {
            Mode::Nftables => "nftables",
            Mode::Ipset => "iptables",
        };
        let configuration = format!(
            "mode: {name}\npid_dir: {shown}/\nupdate_frequency: 1s\ndaemonize: true\n\
             log_mode: stdout\nlog_level: info\napi_url: http://{HOST_V4}:8080/\napi_key: {key}\n\
             disable_ipv6: false\ndeny_action: DROP\ndeny_log: false\n\
             supported_decisions_types: [ban]\nblacklists_ipv4: bans4\nblacklists_ipv6: bans6\n\
             ipset_type: nethash\niptables_chains: [INPUT]\nnftables:\n\
             \x20 ipv4: {{enabled: true, set-only: false, table: edge, chain: edge-chain}}\n\
             \x20 ipv6: {{enabled: true, set-only: false, table: edge6, chain: edge6-chain}}\n\
             prometheus: {{enabled: false, listen_addr: 127.0.0.1, listen_port: 60601}}\n"
        );
        let path = folder.path().join("bouncer.yaml");
        std::fs::write(&path, configuration).unwrap();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let child = network
            .beside(program.to_str().unwrap())
            .arg("-c")
            .arg(&path)
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        Self { network, mode, child, _folder: folder }
    }

    /// What its sets hold. Of a prefix nftables mode enforces the first address alone: that is the
    /// bouncer's own doing.
    fn holds(&self) -> BTreeSet<String> {
        let out = |program: &str, arguments: &[&str]| {
            let output = self.network.beside(program).args(arguments).output().unwrap();
            String::from_utf8_lossy(&output.stdout).into_owned()
        };
        match self.mode {
            Mode::Ipset => out("ipset", &["save"])
                .lines()
                .filter_map(|line| line.strip_prefix("add ")?.split(' ').nth(1).map(str::to_owned))
                .collect(),
            Mode::Nftables => {
                let listing: serde_json::Value =
                    serde_json::from_str(&out("nft", &["-j", "list", "ruleset"])).unwrap();
                let objects = listing["nftables"].as_array().cloned().unwrap_or_default();
                let sets = objects.iter().filter_map(|object| object["set"]["elem"].as_array());
                let value = |element: &serde_json::Value| {
                    let plain = element.as_str().or(element["elem"]["val"].as_str());
                    plain.map(str::to_owned)
                };
                sets.flatten().filter_map(value).collect()
            }
        }
    }

    #[track_caller]
    fn wait_for(&mut self, expected: &[&str]) {
        let expected: BTreeSet<String> = expected.iter().map(|text| (*text).to_owned()).collect();
        let log = self._folder.path().join("log");
        wait_for(&format!("the bouncer to hold {expected:?}"), || {
            if let Some(ended) = self.child.try_wait().unwrap() {
                panic!("the bouncer ended, {ended}: {}", std::fs::read_to_string(&log).unwrap());
            }
            (self.holds() == expected).then_some(())
        });
    }
}

impl Drop for Bouncer<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn follow(mode: Mode) {
    let Some(program) = program() else { return };
    let network = Network::new();
    let mut weir = Weir::start(&network, API);
    let json = |output: std::process::Output| -> serde_json::Value {
        serde_json::from_slice(&output.stdout).expect("JSON")
    };
    let added = json(weir.ask(&["bouncers", "add", "edge", "--output", "json"]));
    let key = added["key"].as_str().expect("a key").to_owned();
    let attacker = "203.0.113.66";
    let range = match mode {
        Mode::Nftables => "192.0.2.0",
        Mode::Ipset => "192.0.2.0/24",
    };
    assert!(weir.ask(&["ban", "192.0.2.0/24", "--for", "1h"]).status.success());
    assert!(weir.ask(&["ban", "2001:db8:bad::7", "--for", "1h"]).status.success());
    let mut bouncer = Bouncer::start(&network, &program, mode, &key);
    bouncer.wait_for(&[range, "2001:db8:bad::7"]);
    // Whom a scenario bans here is kept out there.
    weir.send_udp(vec![failed_login(attacker).into_bytes(); 6]);
    bouncer.wait_for(&[range, "2001:db8:bad::7", attacker]);
    assert!(weir.ask(&["unban", "2001:db8:bad::7"]).status.success());
    bouncer.wait_for(&[range, attacker]);
    // Nothing is lost, and nothing stays, when the daemon is killed: what happens right before and
    // right after it is told by the next one.
    assert!(weir.ask(&["ban", "203.0.113.9", "--for", "1h"]).status.success());
    weir = weir.kill_and_restart(|| {});
    assert!(weir.ask(&["unban", attacker]).status.success());
    assert!(weir.ask(&["ban", "203.0.113.10", "--for", "3s"]).status.success());
    bouncer.wait_for(&[range, "203.0.113.9", "203.0.113.10"]);
    bouncer.wait_for(&[range, "203.0.113.9"]);
    let listed = json(weir.ask(&["bouncers", "list", "--output", "json"]));
    assert_eq!(listed["bouncers"][0]["kind"], "crowdsec-firewall-bouncer", "{listed}");
    // Without its key it holds what it has, and learns nothing more.
    assert!(weir.ask(&["bouncers", "delete", "edge"]).status.success());
    assert!(weir.ask(&["ban", "203.0.113.11", "--for", "1h"]).status.success());
    std::thread::sleep(std::time::Duration::from_millis(2500));
    bouncer.wait_for(&[range, "203.0.113.9"]);
}

#[test]
fn a_bouncer_with_nftables_follows() {
    if possible(&["ip", "nft"]) {
        follow(Mode::Nftables);
    }
}

#[test]
fn a_bouncer_with_ipsets_follows() {
    if possible(&["ip", "nft", "ipset", "iptables"]) {
        follow(Mode::Ipset);
    }
}
