//! What operators see on their terminal: `weir status`, `weir top`, `weir metrics`, and bars of long
//! work, of a daemon with traffic.

use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::network::{ATTACKER_V4, ATTACKER_V6, Network, possible};
use crate::weir::{Weir, failed_login, program, wait_for};

const PROGRAMS: [&str; 2] = ["ip", "nft"];

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn json(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!("{error}: {} {}", out(output), String::from_utf8_lossy(&output.stderr));
    })
}

/// Two attackers, and a program that nobody understands; its name and its lines are hostile.
fn traffic(weir: &Weir<'_>, network: &Network) {
    for address in [ATTACKER_V4, ATTACKER_V6] {
        weir.send_udp(vec![failed_login(address).into_bytes(); 6]);
        wait_for("the ban", || network.holds(address).then_some(()));
    }
    let strange = b"<38>Nov 22 10:00:00 host myapp[1]: \x1b[2Jwhat is this";
    weir.send_udp(vec![strange.to_vec(); 20]);
    // Rates, and the tables of scenarios, are looked at once a second.
    wait_for("the figures", || {
        let status = json(&weir.ask(&["status", "--output", "json"]));
        let rate = status["rates"]["lines"]["last_1m"].as_f64().unwrap_or(0.0);
        let tables = json(&weir.ask(&["metrics", "buckets", "--output", "json"]));
        let poured = tables["buckets"][0]["poured"].as_u64().unwrap_or(0);
        (rate > 0.0 && status["lines"]["unparsed"] == 20 && poured >= 10).then_some(())
    });
}

#[test]
fn status_and_metrics_tell_what_happened() {
    if !possible(&PROGRAMS) {
        return;
    }
    let network = Network::new();
    let weir = Weir::start(&network, "");
    traffic(&weir, &network);

    let status = weir.ask(&["status"]);
    assert!(status.status.success(), "{}", out(&status));
    let page = out(&status);
    assert!(page.starts_with("weir 0.1.0 up") && page.contains("all is well"), "{page}");
    assert!(page.contains("2 banned: 1 IPv4, 1 IPv6 (2 by scenarios)"), "{page}");
    assert!(page.contains("myapp"), "the program that nobody understands: {page}");
    assert!(page.lines().count() < 45, "one screen: {page}");
    assert!(!page.contains('\u{1b}'), "neither colours nor what strangers write: {page:?}");
    let coloured = out(&weir.ask(&["status", "--color", "always"]));
    assert!(coloured.contains("\u{1b}[32m") && !coloured.contains("\u{1b}[2J"), "{coloured:?}");

    let status = json(&weir.ask(&["status", "--output", "json"]));
    assert_eq!(status["rates"]["bans"]["last_1m"].as_f64(), Some(2.0), "{}", status["rates"]);
    let coverage = status["coverage"].as_array().unwrap();
    let of = |name: &str| coverage.iter().find(|program| program["program"] == name).unwrap();
    assert_eq!((&of("sshd")["parsed"], &of("myapp")["unparsed"]), (&12.into(), &20.into()));

    // The same figures as Prometheus gets.
    let tables = json(&weir.ask(&["metrics", "--output", "json"]));
    let udp = &tables["acquisition"][0];
    assert_eq!(
        (&udp["source"], &udp["read"], &udp["parsed"], &udp["unparsed"], &udp["poured"]),
        (&"udp".into(), &32.into(), &12.into(), &20.into(), &12.into())
    );
    for (table, metric) in [("buckets", "weir_poured_total"), ("parsers", "weir_parser_hits_total")]
    {
        let field = if table == "buckets" { "poured" } else { "hits" };
        let rows = tables[table].as_array().unwrap().iter();
        let sum: u64 = rows.map(|row| row[field].as_u64().unwrap()).sum();
        assert!(sum >= 12 && sum as f64 == weir.metric(metric, &[]), "{table}: {sum}");
    }
    let decided = tables["decisions"].as_array().unwrap().iter();
    assert_eq!(decided.map(|row| row["count"].as_u64().unwrap()).sum::<u64>(), 2);
    let page = out(&weir.ask(&["metrics", "acquisition", "enforcement"]));
    assert!(page.contains("ACQUISITION") && page.contains("nftables  ipv6"), "{page}");
    assert!(!page.contains("BUCKETS") && !page.contains("  tcp"), "{page}");
    assert!(out(&weir.ask(&["metrics", "acquisition", "--all"])).contains("  tcp"));
}

#[test]
fn top_prints_pages_where_there_is_no_terminal() {
    if !possible(&PROGRAMS) {
        return;
    }
    let network = Network::new();
    let mut weir = Weir::start(&network, "");
    traffic(&weir, &network);
    let pages = weir.ask(&["top", "-n", "2", "--interval", "200ms"]);
    assert!(pages.status.success(), "{}", String::from_utf8_lossy(&pages.stderr));
    let pages = out(&pages);
    assert_eq!(pages.matches("weir 0.1.0 up").count(), 2, "{pages}");
    for part in ["SOURCE", "PROGRAM", "SCENARIO", "LATEST", ATTACKER_V4, ATTACKER_V6, "kernel"] {
        assert!(pages.contains(part), "`{part}`: {pages}");
    }
    let lines = weir.ask(&["top", "-n", "2", "--interval", "200ms", "--output", "json"]);
    let lines: Vec<serde_json::Value> =
        out(&lines).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[1]["latest"].as_array().unwrap().len(), 2);
    assert_eq!(lines[1]["latest"][0]["target"], ATTACKER_V6, "the newest first");
    assert!(lines[1]["programs"][0]["per_second"].is_number(), "{}", lines[1]);
    assert!(weir.terminate().success());
    let nobody = weir.ask(&["top", "-n", "1"]);
    assert_eq!(nobody.status.code(), Some(69));
}

/// A command on a terminal of its own, made by script(1).
struct Pty {
    child: Child,
    seen: Arc<Mutex<Vec<u8>>>,
}

impl Pty {
    fn run(command: &str, rows: u16, columns: u16) -> Self {
        let shell = format!(
            "trap : INT; stty rows {rows} cols {columns}; {command}; echo ended with $?; stty -a"
        );
        let mut child = Command::new("script")
            .args(["--quiet", "--flush", "--return", "--command", &shell, "/dev/null"])
            .env("TERM", "xterm-256color")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (mut output, all) = (child.stdout.take().unwrap(), Arc::clone(&seen));
        std::thread::spawn(move || {
            let mut space = [0; 4096];
            while let Ok(count @ 1..) = output.read(&mut space) {
                all.lock().unwrap().extend_from_slice(&space[..count]);
            }
        });
        Self { child, seen }
    }

    fn seen(&self) -> String {
        String::from_utf8_lossy(&self.seen.lock().unwrap()).into_owned()
    }

    #[track_caller]
    fn wait_for(&self, part: &str) -> String {
        wait_for(&format!("`{part}` on the terminal: {:?}", self.seen()), || {
            self.seen().contains(part).then(|| self.seen())
        })
    }

    fn press(&mut self, keys: &[u8]) {
        let input = self.child.stdin.as_mut().unwrap();
        input.write_all(keys).and_then(|()| input.flush()).unwrap();
    }

    /// All that was seen, when it has ended by itself.
    fn end(mut self) -> String {
        self.wait_for("ended with");
        drop(self.child.stdin.take());
        let status = self.child.wait().unwrap();
        assert!(status.signal().is_none(), "{status:?}");
        self.seen()
    }
}

/// Takes the terminal over, hears keys, survives the daemon's end, and gives the terminal back.
#[test]
fn top_lives_on_a_terminal() {
    if !possible(&["ip", "nft", "script", "stty"]) {
        return;
    }
    let network = Network::new();
    let weir = Weir::start(&network, "");
    traffic(&weir, &network);
    let file = weir.folder.join("weir.yaml");
    let top = format!("{} top --interval 200ms --config {}", program(), file.display());
    let mut pty = Pty::run(&top, 24, 80);
    let page = pty.wait_for("q quit");
    assert!(page.contains("\u{1b}[?1049h"), "another page: {page:?}");
    assert!(page.contains("myapp") && !page.contains("\u{1b}[2Jwhat"), "{page:?}");
    pty.press(b"p");
    pty.wait_for("PAUSED");
    pty.press(b"ps");
    pty.wait_for("by not understood");
    let mut weir = weir.terminate_and_restart(|| {
        pty.wait_for("waiting for it");
    });
    weir.send_udp(vec![failed_login("192.0.2.77").into_bytes()]);
    pty.press(b"q");
    let seen = pty.end();
    assert!(seen.contains("ended with 0"), "{seen:?}");
    let left = seen.rfind("\u{1b}[?1049l").expect("the page is left");
    assert!(left > seen.rfind("\u{1b}[?1049h").unwrap());
    assert!(seen[left..].contains(" echo ") && !seen[left..].contains("-echo "), "{seen:?}");

    // Ended by a signal, it gives the terminal back as well.
    let mut pty = Pty::run(&top, 10, 60);
    pty.wait_for("q quit");
    pty.press(b"\x03");
    let seen = pty.end();
    assert!(seen.contains("\u{1b}[?1049l") && seen.contains("ended with 0"), "{seen:?}");
    assert!(weir.terminate().success());
}

/// A bar while a log is read, on a terminal only, and no trace of it.
#[test]
fn long_work_shows_how_far_it_is() {
    if !possible(&["script", "stty"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("auth.log");
    let line = failed_login("192.0.2.7") + "\n";
    // Slow enough to be seen, whatever it runs on: a pipe that is filled by and by.
    let fifo = Command::new("mkfifo").arg(&log).status().unwrap();
    assert!(fifo.success());
    let replay = format!("{} replay --workers 1 {}", program(), log.display());
    let pty = Pty::run(&replay, 24, 80);
    let mut writer = std::fs::OpenOptions::new().write(true).open(&log).unwrap();
    for _ in 0..12 {
        writer.write_all(line.repeat(100).as_bytes()).unwrap();
        std::thread::sleep(Duration::from_millis(150));
    }
    drop(writer);
    let seen = pty.end();
    assert!(seen.contains("replay  ") && seen.contains("kB/s"), "{seen:?}");
    assert!(seen.contains("\r\u{1b}[K") && seen.contains("ended with 0"), "{seen:?}");
    // The answer is what it is without a terminal, where there is no bar.
    std::fs::remove_file(&log).unwrap();
    std::fs::write(&log, line.repeat(1200)).unwrap();
    let plain = Command::new(program()).arg("replay").arg(&log).output().unwrap();
    assert!(plain.stderr.is_empty(), "{}", String::from_utf8_lossy(&plain.stderr));
    assert!(out(&plain).contains("1200") || out(&plain).contains("1,200"), "{}", out(&plain));
}
