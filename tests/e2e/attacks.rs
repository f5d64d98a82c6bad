//! The main job: a line comes from a real sender, and the kernel drops the attacker's packets.

use std::path::Path;
use std::process::{Child, Stdio};

use crate::network::{
    ATTACKER_V4, ATTACKER_V6, HOST_V4, HOST_V6, NEIGHBOUR_V4, NEIGHBOUR_V6, Network, possible,
};
use crate::weir::{Weir, project, wait_for};

/// A real rsyslogd in the guarded host; ends with this.
struct Rsyslog {
    child: Child,
    socket: std::path::PathBuf,
}

impl Rsyslog {
    fn start(network: &Network, folder: &Path, forward: &str) -> Self {
        let socket = folder.join("log.sock");
        let configuration = folder.join("rsyslog.conf");
        std::fs::write(
            &configuration,
            format!(
                "global(workDirectory=\"{}\")\n\
                 module(load=\"imuxsock\" SysSock.Use=\"off\")\n\
                 input(type=\"imuxsock\" Socket=\"{}\" CreatePath=\"on\")\n\
                 {forward}\n",
                folder.display(),
                socket.display()
            ),
        )
        .unwrap();
        let child = network
            .on_host("rsyslogd")
            .args(["-n", "-i"])
            .arg(folder.join("rsyslog.pid"))
            .arg("-f")
            .arg(&configuration)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let rsyslog = Self { child, socket };
        wait_for("rsyslog's socket", || rsyslog.socket.exists().then_some(()));
        rsyslog
    }
}

impl Drop for Rsyslog {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Logs as sshd does, through the program `logger`.
fn logger(network: &Network, socket: &Path, message: &str) {
    let status = network
        .on_host("logger")
        .args(["--socket"])
        .arg(socket)
        .args(["--priority", "auth.info", "--tag", "sshd", "--id=811", message])
        .status()
        .unwrap();
    assert!(status.success());
}

fn attack(network: &Network, socket: &Path) {
    for address in [ATTACKER_V4, ATTACKER_V6] {
        for port in 40_001..=40_006 {
            let message = format!("Failed password for root from {address} port {port} ssh2");
            logger(network, socket, &message);
        }
    }
}

/// Both attackers are banned, their packets dropped, their neighbours' not; counted once each.
#[track_caller]
fn expect_both_banned(network: &Network, weir: &Weir<'_>) {
    for address in [ATTACKER_V4, ATTACKER_V6] {
        wait_for(&format!("{address} in its set\n{}", weir.log()), || {
            network.holds(address).then_some(())
        });
    }
    for set in ["ban4", "ban6"] {
        let elements = network.elements(set);
        assert_eq!(elements.len(), 1, "{elements:?}");
        let (_, timeout, expires) = &elements[0];
        assert!((14_395..=14_400).contains(timeout), "four hours: {timeout}");
        assert!((14_380..=14_400).contains(expires), "just begun: {expires}");
    }
    assert!(!network.passes(ATTACKER_V4, HOST_V4), "the attacker's packets are dropped");
    assert!(!network.passes(ATTACKER_V6, HOST_V6), "the attacker's packets are dropped");
    assert!(network.passes(NEIGHBOUR_V4, HOST_V4), "a neighbour's packets pass");
    assert!(network.passes(NEIGHBOUR_V6, HOST_V6), "a neighbour's packets pass");
    for family in ["ipv4", "ipv6"] {
        let label = format!("family=\"{family}\"");
        let bans = weir.metric("weir_decisions_total", &[&label, "action=\"ban\""]);
        assert!((bans - 1.0).abs() < f64::EPSILON, "one ban of {family}: {bans}");
    }
}

const PROGRAMS: [&str; 4] = ["ip", "nft", "rsyslogd", "logger"];

/// rsyslog forwards with `forward`; an attack is logged; both attackers are banned.
#[track_caller]
fn check(forward: &str) {
    if !possible(&PROGRAMS) {
        return;
    }
    let network = Network::new();
    let weir = Weir::start(&network, "");
    let folder = tempfile::tempdir().unwrap();
    let rsyslog = Rsyslog::start(&network, folder.path(), forward);
    attack(&network, &rsyslog.socket);
    expect_both_banned(&network, &weir);
}

#[test]
fn rsyslog_over_udp() {
    check(r#"action(type="omfwd" target="127.0.0.1" port="5514" protocol="udp")"#);
}

#[test]
fn rsyslog_over_tcp_with_lines() {
    check(
        r#"action(type="omfwd" target="127.0.0.1" port="5514" protocol="tcp" TCP_Framing="traditional" template="RSYSLOG_ForwardFormat")"#,
    );
}

#[test]
fn rsyslog_with_the_shipped_snippet() {
    let snippet = std::fs::read_to_string(project("contrib/rsyslog/60-weir.conf")).unwrap();
    assert!(snippet.contains(r#"TCP_Framing="octet-counted""#));
    check(&snippet);
}

#[test]
fn logger_to_the_unix_socket() {
    if !possible(&PROGRAMS) {
        return;
    }
    let network = Network::new();
    let weir = Weir::start(&network, "");
    attack(&network, &weir.folder.join("weir.sock"));
    expect_both_banned(&network, &weir);
}
