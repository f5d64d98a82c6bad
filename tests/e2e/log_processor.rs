//! crowdsec of CrowdSec as Debian ships it, as a log processor: it reads a log with its own rules and
//! has Weir for its local API; whom it finds is kept out by Weir.

use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use ::weir::value::{MONTHS, Time};

use crate::network::{
    ATTACKER_V4, ATTACKER_V6, HOST_V4, HOST_V6, NEIGHBOUR_V4, Network, possible, skip,
};
use crate::weir::{Weir, project, wait_for};

const MACHINE: &str = "web-1";
/// Which of the rules that come with it are used.
const RULES: [&str; 4] = [
    "parsers/s00-raw/crowdsecurity/syslog-logs.yaml",
    "parsers/s01-parse/crowdsecurity/sshd-logs.yaml",
    "parsers/s02-enrich/crowdsecurity/dateparse-enrich.yaml",
    "scenarios/crowdsecurity/ssh-bf.yaml",
];

/// Where the programs and their rules are: installed, or as `tests/peers` has unpacked them.
fn peers() -> Option<PathBuf> {
    let unpacked =
        std::env::var_os("WEIR_PEERS").map_or_else(|| project("target/peers"), PathBuf::from);
    let found = [PathBuf::from("/"), unpacked];
    let is_whole = |root: &PathBuf| {
        let rule = root.join("usr/share/crowdsec/hub").join(RULES[0]);
        root.join("usr/bin/crowdsec").exists() && rule.exists()
    };
    let found = found.into_iter().find(is_whole);
    if found.is_none() {
        skip("no crowdsec: `tests/peers` fetches it on Debian");
    }
    found
}

/// A running log processor on the guarded host.
struct Processor<'n> {
    network: &'n Network,
    peers: PathBuf,
    folder: tempfile::TempDir,
    child: Option<Child>,
}

impl<'n> Processor<'n> {
    /// One that `weir` knows, and that reads already.
    fn start(network: &'n Network, peers: PathBuf, weir: &Weir<'_>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        let hub = peers.join("usr/share/crowdsec/hub");
        for rule in RULES {
            // Without the author, as the hub's own program puts it.
            let place = at.join(rule.replace("crowdsecurity/", ""));
            std::fs::create_dir_all(place.parent().unwrap()).unwrap();
            symlink(hub.join(rule), place).unwrap();
        }
        for empty in ["data", "postoverflows"] {
            std::fs::create_dir(at.join(empty)).unwrap();
        }
        symlink(peers.join("etc/crowdsec/patterns"), at.join("patterns")).unwrap();
        let shown = at.display();
        let credentials = format!("{shown}/credentials.yaml");
        let added = weir.ask(&["machines", "add", MACHINE, "--file", &credentials]);
        assert!(added.status.success(), "{added:?}");
        let hub = hub.display();
        let configuration = format!(
            "common: {{daemonize: false, log_media: stdout, log_level: info, log_dir: {shown}}}\n\
             config_paths: {{config_dir: {shown}, data_dir: {shown}/data, hub_dir: {hub},\n\
             \x20 simulation_path: {shown}/simulation.yaml, index_path: {hub}/.index.json,\n\
             \x20 notification_dir: {shown}, plugin_dir: {shown}}}\n\
             crowdsec_service: {{acquisition_path: {shown}/acquis.yaml, parser_routines: 1}}\n\
             cscli: {{output: human, color: no}}\n\
             db_config: {{type: sqlite, db_path: {shown}/unused.db}}\n\
             api: {{client: {{insecure_skip_verify: false, credentials_path: {credentials}}}}}\n\
             prometheus: {{enabled: true, level: full, listen_addr: 127.0.0.1, listen_port: 6060}}\n"
        );
        let acquisition = format!("filenames: [{shown}/auth.log]\nlabels: {{type: syslog}}\n");
        let files = [
            ("config.yaml", &*configuration),
            ("acquis.yaml", &*acquisition),
            ("simulation.yaml", "simulation: off\n"),
            ("auth.log", ""),
        ];
        for (name, text) in files {
            std::fs::write(at.join(name), text).unwrap();
        }
        let log = std::fs::File::create(at.join("log")).unwrap();
        let child = network
            .on_host(peers.join("usr/bin/crowdsec").to_str().unwrap())
            .arg("-c")
            .arg(at.join("config.yaml"))
            .arg("-no-api")
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let mut processor = Self { network, peers, folder, child: Some(child) };
        // It reads what is appended from then on; a line of nobody shows that it does.
        wait_for("the log processor to read", || {
            if let Some(ended) = processor.child.as_mut().unwrap().try_wait().unwrap() {
                panic!("the log processor ended, {ended}: {}", processor.log());
            }
            std::thread::sleep(std::time::Duration::from_millis(200));
            processor.append("Accepted publickey for root from 192.0.2.1 port 4711 ssh2", 1);
            processor.cscli("metrics").contains("auth.log").then_some(())
        });
        processor
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// Appends lines of sshd with the time of now.
    fn append(&self, message: &str, times: usize) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let now = Time::from_seconds(i64::try_from(now).unwrap()).civil();
        let month = &MONTHS[usize::from(now.month) - 1][..3];
        let mut lines = String::new();
        for _ in 0..times {
            let (day, hour, minute, second) = (now.day, now.hour, now.minute, now.second);
            writeln!(
                lines,
                "{month} {day:>2} {hour:02}:{minute:02}:{second:02} host sshd[811]: {message}"
            )
            .unwrap();
        }
        let path = self.folder.path().join("auth.log");
        let mut file = std::fs::OpenOptions::new().append(true).open(path).unwrap();
        file.write_all(lines.as_bytes()).unwrap();
    }

    fn attack(&self, from: &str) {
        self.append(&format!("Failed password for root from {from} port 4711 ssh2"), 8);
    }

    fn cscli(&self, arguments: &str) -> String {
        let program = self.peers.join("usr/bin/cscli");
        let mut command = self.network.on_host(program.to_str().unwrap());
        command.arg("-c").arg(self.folder.path().join("config.yaml"));
        let output = command.args(arguments.split(' ')).output().unwrap();
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    }
}

impl Drop for Processor<'_> {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            println!("--- the log processor's log\n{}", self.log());
        }
    }
}

#[test]
fn whom_a_log_processor_finds_is_kept_out() {
    if !possible(&["ip", "nft"]) {
        return;
    }
    let Some(peers) = peers() else { return };
    let network = Network::new();
    let configuration = format!("lapi: on\nallowlist: [\"{NEIGHBOUR_V4}\"]");
    let mut weir = Weir::start(&network, &configuration);
    let processor = Processor::start(&network, peers, &weir);
    for attacker in [NEIGHBOUR_V4, ATTACKER_V4, ATTACKER_V6] {
        processor.attack(attacker);
    }
    for (attacker, host) in [(ATTACKER_V4, HOST_V4), (ATTACKER_V6, HOST_V6)] {
        wait_for(&format!("the ban of {attacker}"), || network.holds(attacker).then_some(()));
        assert!(!network.passes(attacker, host), "{attacker} is kept out");
        let why = String::from_utf8(weir.ask(&["why", attacker]).stdout).unwrap();
        assert!(why.contains(MACHINE) && why.contains("crowdsecurity/ssh-bf"), "{why}");
    }
    assert!(!network.holds(NEIGHBOUR_V4) && network.passes(NEIGHBOUR_V4, HOST_V4));
    let why = String::from_utf8(weir.ask(&["why", NEIGHBOUR_V4]).stdout).unwrap();
    assert!(why.contains("allowlist"), "{why}");

    // It goes on when Weir was away.
    weir = weir.kill_and_restart(|| processor.attack("203.0.113.77"));
    wait_for("the ban of whoever came meanwhile", || network.holds("203.0.113.77").then_some(()));
    processor.attack("203.0.113.78");
    wait_for("the ban of whoever came later", || network.holds("203.0.113.78").then_some(()));
    assert!(network.holds(ATTACKER_V4) && network.holds(ATTACKER_V6));

    let alerts = processor.cscli("alerts list");
    for attacker in [ATTACKER_V4, ATTACKER_V6, "203.0.113.77", "203.0.113.78"] {
        assert!(alerts.contains(&format!("Ip:{attacker}")), "{attacker}: {alerts}");
    }
    let metrics = processor.cscli("metrics");
    assert!(metrics.contains("crowdsecurity/ssh-bf"), "{metrics}");
    let listed = String::from_utf8(weir.ask(&["machines", "list"]).stdout).unwrap();
    assert!(listed.contains(MACHINE), "{listed}");
    // Without its account it finds, and nobody listens.
    assert!(weir.ask(&["machines", "delete", MACHINE]).status.success());
    processor.attack("203.0.113.79");
    std::thread::sleep(std::time::Duration::from_secs(4));
    assert!(!network.holds("203.0.113.79"));
}
