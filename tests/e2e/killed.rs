//! The daemon is killed or restarted while lines come: none is lost where the way allows it.
//!
//! Each line bans an address of its own, so the ledger tells which lines are done with.

use std::io::Write;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};

use crate::flood::number;
use crate::interop::{contrib, rsyslog};
use crate::manager::Manager;
use crate::network::{Network, inside, possible};
use crate::weir::{Weir, wait_for};

/// How the daemon ends in the middle.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Ending {
    Kill,
    Restart,
}

const PARSER: &str = "
name: test/offenders
filter: evt.Parsed.program == 'offenders'
onsuccess: next_stage
grok: { pattern: '^offender %{IP:address}', apply_on: message }
statics:
  - { meta: source_ip, expression: evt.Parsed.address }
";
const SCENARIO: &str = "
type: trigger
name: test/offenders
description: each line is one
filter: evt.Meta.source_ip != ''
groupby: evt.Meta.source_ip
labels: { remediation: true }
";

fn write_rules(folder: &Path) {
    for (file, text) in
        [("parsers/s01-parse/offenders.yaml", PARSER), ("scenarios/offenders.yaml", SCENARIO)]
    {
        let path = folder.join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

/// What the ledger holds: addresses, and how often one of them was decided on again.
fn decided(weir: &Path) -> (u32, u32) {
    let path = weir.join("state/ledger.db");
    let ledger = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let count = |what: &str| ledger.query_row(what, [], |row| row.get(0)).unwrap();
    let addresses = count("SELECT count(*) FROM decisions");
    (addresses, count("SELECT count(*) FROM steps") - addresses)
}

/// Sends lines through rsyslog, ends the daemon when a third is done, and tells what came of them.
fn rides_it_out(name: &str, file: &str, source: &str, socket: bool, ending: Ending) -> (u32, u32) {
    let lines = number("WEIR_E2E_LINES", 20_000);
    let network = Network::new();
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("rules");
    write_rules(&rules);
    let sockets = if socket {
        let bound = inside(&network.host, || TcpListener::bind("127.0.0.1:5514").unwrap());
        vec![OwnedFd::from(bound)]
    } else {
        Vec::new()
    };
    let manager = Manager::new(sockets);
    let more = format!(
        "rules: {{ shipped: false, folders: [\"{}\"] }}\n\
         enforce: {{ backend: observe }}\nlog: warning\n",
        rules.display()
    );
    let weir = Weir::start_managed(&network, source, &more, &manager);
    let text = contrib::read(file, folder.path()).text;
    let soon = "action.resumeInterval=\"1\" action.resumeIntervalMax=\"1\"";
    let late = "action.resumeInterval=\"5\" action.resumeIntervalMax=\"30\"";
    assert!(text.contains(late), "{file}: {text}");
    let text = text.replace(late, soon);
    let _rsyslog = rsyslog::start(&network, folder.path(), &[text]);
    let begun = Instant::now();
    let mut input = rsyslog::connect(&network);
    let sender = std::thread::spawn(move || {
        for n in 0..lines {
            let [_, a, b, c] = n.to_be_bytes();
            let line =
                format!("<38>Nov 22 10:00:00 host offenders[1]: offender 45.{a}.{b}.{c} was here");
            input.write_all(format!("{} {line}", line.len()).as_bytes()).unwrap();
            // Six seconds in all: longer than a daemon that ends goes on reading.
            if n % (lines / 400) == 0 {
                std::thread::sleep(Duration::from_millis(15));
            }
        }
        input
    });
    let deadline = begun + Duration::from_secs(120);
    while decided(&weir.folder).0 < lines / 3 {
        assert!(Instant::now() < deadline, "a third is never done: {:?}", decided(&weir.folder));
        std::thread::sleep(Duration::from_millis(10));
    }
    // rsyslog has one for each of its workers.
    let connections = || if socket { weir.metric("weir_connections", &[]) } else { 0.0 };
    wait_for("each connection to be kept", || {
        (manager.kept() as f64 == connections()).then_some(())
    });
    let mut before = (0, 0);
    let weir_folder = weir.folder.clone();
    let look = || before = decided(&weir_folder);
    let weir = match ending {
        Ending::Kill => weir.kill_and_restart(look),
        Ending::Restart => weir.terminate_and_restart(look),
    };
    let (mut after, mut since) = (before, Instant::now());
    while since.elapsed() < Duration::from_secs(8) && after.0 < lines {
        std::thread::sleep(Duration::from_millis(50));
        let now = decided(&weir.folder);
        if now != after {
            (after, since) = (now, Instant::now());
        }
    }
    // What may come twice comes now.
    std::thread::sleep(Duration::from_millis(500));
    let (done, again) = decided(&weir.folder);
    println!(
        "{name}, {ending:?}: {lines} lines in {:.1} s, {} done before, {} lost, {again} twice",
        begun.elapsed().as_secs_f64(),
        before.0,
        lines - done,
    );
    assert!(before.0 < lines, "it ended in the middle");
    assert_eq!(weir.metric("weir_lines_dropped_total", &[]), 0.0);
    drop(sender.join().unwrap());
    (lines - done, again)
}

const TCP: &str = "  - { name: tcp, tcp: \"127.0.0.1:5514\" }";

#[test]
fn tcp_lines_wait_in_their_connection() {
    if !possible(&["ip", "nft", "rsyslogd"]) {
        return;
    }
    let file = "rsyslog/60-weir.conf";
    let killed = rides_it_out("TCP that systemd keeps", file, TCP, true, Ending::Kill);
    assert_eq!(killed.0, 0, "lost");
    // As much as a connection has under way.
    assert!(killed.1 < 64 * 1024 / 60, "{} came twice", killed.1);
    let restarted = rides_it_out("TCP that systemd keeps", file, TCP, true, Ending::Restart);
    assert_eq!(restarted, (0, 0), "lost, and twice");
}

const RELP: &str = "  - { name: relp, relp: \"127.0.0.1:2514\" }";

#[test]
fn relp_lines_are_sent_again_until_they_are_done() {
    if !possible(&["ip", "nft", "rsyslogd"]) || !rsyslog::has_module("omrelp.so") {
        return;
    }
    let file = "rsyslog/60-weir-relp.conf";
    for ending in [Ending::Kill, Ending::Restart] {
        let (lost, again) = rides_it_out("RELP", file, RELP, false, ending);
        assert_eq!(lost, 0, "lost");
        // The window of the protocol, and what rsyslog takes from its queue at once.
        assert!(again <= 2 * 1024, "{again} came twice");
    }
}
