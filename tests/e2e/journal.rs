//! A real journal: each entry once, over rotation, a restart of Weir and one of the journal.

use std::collections::BTreeMap;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::Engine as _;

use crate::journald::{Journald, PROGRAM, entry};
use crate::load::threads;
use crate::network::{Network, possible};
use crate::weir::{Weir, probe, program, wait_for};

/// Of so many entries one bans an address of its own.
fn every() -> usize {
    let given = std::env::var("WEIR_JOURNAL_EVERY");
    given.map_or(10, |given| given.parse().unwrap())
}

fn ready() -> bool {
    let is_there = Path::new(PROGRAM).exists();
    if !is_there {
        println!("SKIPPED: no {PROGRAM} here");
        assert!(std::env::var_os("WEIR_REQUIRE_E2E").is_none(), "must not be skipped here");
    }
    possible(&["ip", "unshare", "logger"]) && is_there
}

/// How many entries are logged.
fn entries(usual: usize) -> usize {
    let given = std::env::var("WEIR_JOURNAL_ENTRIES");
    given.map_or(usual, |given| given.parse().unwrap())
}

fn address(n: usize) -> String {
    format!("45.{}.{}.{}", n >> 16, n >> 8 & 255, n & 255)
}

fn log(socket: &UnixDatagram, n: usize) {
    let text = if n.is_multiple_of(every()) {
        format!("entry {n} from {}", address(n))
    } else {
        format!("entry {n} of no interest")
    };
    socket
        .send(&entry(&[
            ("MESSAGE", text.as_bytes()),
            ("PRIORITY", b"6"),
            ("SYSLOG_IDENTIFIER", b"counted"),
            ("SOME_FIELD", b"of the kind that programs add"),
        ]))
        .unwrap();
}

/// A daemon that reads the journal, and bans whoever an entry names.
fn start<'n>(network: &'n Network, journald: &Journald, more: &str) -> Weir<'n> {
    let rules = journald.folder().join("rules");
    let write = |path: &str, text: &str| {
        let path = rules.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write(
        "parsers/s01-parse/counted.yaml",
        "name: test/counted\nfilter: evt.Parsed.program == 'counted'\nonsuccess: next_stage\n\
         grok: {pattern: 'entry %{NUMBER:n} from %{IP:source_ip}$', apply_on: message}\n\
         statics:\n  - {meta: log_type, value: counted}\n\
         \x20 - {meta: source_ip, expression: evt.Parsed.source_ip}\n",
    );
    write(
        "scenarios/counted.yaml",
        "type: trigger\nname: test/counted\ndescription: d\n\
         filter: evt.Meta.log_type == 'counted'\ngroupby: evt.Meta.source_ip\n\
         labels: {remediation: true}\n",
    );
    let source = format!(
        "  - {{ name: journal, journal: {}, identifiers: counted, since: oldest{more} }}\n",
        journald.files().display()
    );
    let settings = format!(
        "rules: {{ shipped: false, folders: [{}] }}\nenforce: {{ backend: observe }}\n",
        rules.display()
    );
    Weir::start_until(network, &source, &settings, "/-/healthy")
}

/// How often each address was blamed, by the ledger.
fn blamed(weir: &Weir<'_>) -> BTreeMap<String, u64> {
    let ledger = rusqlite::Connection::open(weir.folder.join("state/ledger.db")).unwrap();
    let mut rows = ledger.prepare("SELECT target, sum(events) FROM decisions GROUP BY 1").unwrap();
    let rows =
        rows.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?))).unwrap();
    rows.map(|row| row.unwrap()).map(|(target, events)| (target, events as u64)).collect()
}

/// When each address was decided on, since 1970.
fn decided(weir: &Weir<'_>) -> BTreeMap<String, Duration> {
    let ledger = rusqlite::Connection::open(weir.folder.join("state/ledger.db")).unwrap();
    let mut rows = ledger.prepare("SELECT target, created_at FROM decisions").unwrap();
    let rows =
        rows.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?))).unwrap();
    rows.map(|row| row.unwrap())
        .map(|(target, at)| {
            let address = target.split('/').next().unwrap().to_owned();
            (address, Duration::from_nanos(at as u64))
        })
        .collect()
}

/// Waits until the daemon is behind the last of `count` entries, and all is decided on.
fn wait_for_all(weir: &Weir<'_>, count: usize) {
    let last = address((count - 1) / every() * every());
    let deadline = Instant::now() + Duration::from_secs(120);
    while !blamed(weir).keys().any(|target| target.starts_with(&last)) {
        assert!(Instant::now() < deadline, "the last entry never came\n{}", weir.log());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// What is missing of `count` entries, and how many came again.
fn missing_and_repeated(weir: &Weir<'_>, count: usize) -> (usize, u64) {
    let blamed = blamed(weir);
    let expected = (0..count).step_by(every()).count();
    let repeated = blamed.values().sum::<u64>() - blamed.len() as u64;
    (expected - blamed.len(), repeated)
}

fn dropped(weir: &Weir<'_>) -> f64 {
    weir.metric("weir_lines_dropped_total", &[]) + weir.metric("weir_overflows_dropped_total", &[])
}

/// Logs entries while the journal begins new files and Weir is started again by `again`. Gives what
/// is missing, and how many came again.
fn over_a_restart(more: &str, again: impl for<'n> FnOnce(Weir<'n>) -> Weir<'n>) -> (usize, u64) {
    let network = Network::new();
    let journald = Journald::start(8);
    let count = entries(20_000);
    let begun = Instant::now();
    let weir = start(&network, &journald, more);
    let weir = std::thread::scope(|scope| {
        let logging = scope.spawn(|| {
            let socket = journald.connect();
            for n in 0..count {
                if n == count / 4 || n == 3 * count / 4 {
                    journald.rotate();
                }
                log(&socket, n);
            }
            begun.elapsed()
        });
        let received = || weir.metric("weir_lines_received_total", &["source=\"journal\""]);
        wait_for("half of the entries", || (received() >= count as f64 / 2.0).then_some(()));
        let before = received();
        let weir = again(weir);
        let is_over = logging.is_finished();
        let logged = logging.join().unwrap();
        println!(
            "{count} entries logged in {logged:.1?}; started again after {before}; over: {is_over}"
        );
        weir
    });
    wait_for_all(&weir, count);
    let received = weir.metric("weir_lines_received_total", &["source=\"journal\""]);
    println!("all were decided on after {:.1?}, {received} by the second", begun.elapsed());
    assert_eq!(dropped(&weir), 0.0);
    missing_and_repeated(&weir, count)
}

/// What `weir listen` shows of the journal's entries, by the program that `more` or the source
/// names: everything behind the tag.
fn heard(journald: &Journald, more: &str) -> Vec<Vec<u8>> {
    let configuration = journald.folder().join("weir.yaml");
    let files = journald.files();
    let text = format!(
        "sources: [{{ name: journal, journal: {}, since: oldest, identifiers: said{more} }}]\n",
        files.display()
    );
    std::fs::write(&configuration, text).unwrap();
    let output = Command::new(program())
        .args(["listen", "--output", "json", "--quiet-after", "2s", "--config"])
        .arg(configuration)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let line: serde_json::Value = serde_json::from_slice(line).unwrap();
            let raw = match line["raw"].as_str() {
                Some(raw) => raw.as_bytes().to_vec(),
                None => base64::prelude::BASE64_STANDARD
                    .decode(line["raw_base64"].as_str().unwrap())
                    .unwrap(),
            };
            let tag = raw.windows(4).position(|four| four == b"said").unwrap();
            let end = raw[tag..].windows(2).position(|two| two == b": ").unwrap();
            raw[tag + end + 2..].to_vec()
        })
        .collect()
}

#[test]
fn what_was_said_is_heard_whatever_it_is() {
    if !ready() {
        return;
    }
    let mut journald = Journald::start(8);
    let socket = journald.connect();
    let say = |text: &[u8]| {
        socket.send(&entry(&[("SYSLOG_IDENTIFIER", b"said"), ("MESSAGE", text)])).unwrap();
    };
    let long = "long ".repeat(12_000).into_bytes();
    let texts: [&[u8]; 5] =
        ["caf\u{e9} \"quoted\"".as_bytes(), b"two\nlines", b"bin\0ary \xff", &long, b""];
    texts.into_iter().for_each(say);
    // What is on its way when the journal is killed is lost, to everybody.
    wait_for("the entries", || {
        let mut shown = Command::new("journalctl");
        shown.args(["--output=json", "SYSLOG_IDENTIFIER=said", "--directory"]);
        let shown = shown.arg(journald.files()).output().unwrap().stdout;
        let lines = shown.iter().filter(|byte| **byte == b'\n').count();
        (lines == texts.len()).then_some(())
    });
    // A file that was not closed, with entries that are nowhere else.
    journald.kill_and_restart();
    let logged = Command::new("logger")
        .args(["--socket-errors=on", "-t", "said", "-u"])
        .arg(journald.dev_log())
        .arg("by logger")
        .status()
        .unwrap();
    assert!(logged.success());
    wait_for("the file of the journal that was killed", || {
        let mut files = std::fs::read_dir(journald.files()).unwrap().flatten();
        files.any(|file| file.file_name().to_string_lossy().ends_with('~')).then_some(())
    });
    let expected: Vec<Vec<u8>> =
        texts.into_iter().chain([&b"by logger"[..]]).map(<[u8]>::to_vec).collect();
    for more in ["", ", reader: journalctl"] {
        let heard = heard(&journald, more);
        assert_eq!(heard.len(), expected.len(), "{more}");
        for (heard, expected) in heard.iter().zip(&expected) {
            assert!(heard == expected, "{} {}", heard.escape_ascii(), expected.escape_ascii());
        }
    }
}

/// What programs say through `logger` and `systemd-cat`, each line once and as it was.
#[test]
fn logger_and_systemd_cat_are_heard() {
    const LINES: usize = 10_000;
    if !ready() || !possible(&["nsenter", "systemd-cat"]) {
        return;
    }
    let journald = Journald::start(64);
    let path = journald.folder().join("lines");
    for tool in ["logger", "systemd-cat"] {
        let lines: Vec<Vec<u8>> = (0..LINES)
            .map(|n| format!("{tool} {n} caf\u{e9} \"quoted\" \\n 'x' {}", "y".repeat(1 + n % 700)))
            .map(String::into_bytes)
            .collect();
        std::fs::write(&path, lines.join(&b'\n')).unwrap();
        let mut command = journald.beside(tool);
        match tool {
            "logger" => command.args(["-t", "said", "-u"]).arg(journald.dev_log()).arg("-f"),
            _ => command.args(["-t", "said", "cat"]),
        };
        assert!(command.arg(&path).status().unwrap().success(), "{tool}");
        let begun = Instant::now();
        let mine = |line: &Vec<u8>| line.starts_with(tool.as_bytes());
        let heard: Vec<Vec<u8>> = heard(&journald, "").into_iter().filter(mine).collect();
        println!("{tool}: {} lines heard in {:.1?}", heard.len(), begun.elapsed());
        assert_eq!(heard.len(), LINES, "{tool}");
        for (heard, said) in heard.iter().zip(&lines) {
            assert!(heard == said, "{}\n{}", heard.escape_ascii(), said.escape_ascii());
        }
    }
}

#[test]
fn a_journal_that_cannot_be_read_is_told_of_and_stops_nothing() {
    if !ready() {
        return;
    }
    let network = Network::new();
    let sources = "  - { name: udp, udp: \"127.0.0.1:5514\" }\n\
                   \x20 - { name: journal, journal: FOLDER }\n";
    let weir = Weir::start_until(&network, sources, "", "/-/healthy");
    let page = wait_for("the trouble", || {
        weir.http("/-/ready").filter(|(status, _)| *status == 503).map(|(_, page)| page)
    });
    assert!(page.contains("source `journal`: there is no journal in"), "{page}");
    weir.send_udp(vec![probe("203.0.113.5")]);
    wait_for("the ban", || (weir.listed().len() == 1).then_some(()));
    // As soon as there is one, it is read.
    let journald = Journald::start(8);
    log(&journald.connect(), 1);
    std::fs::copy(journald.files().join("system.journal"), weir.folder.join("system.journal"))
        .unwrap();
    wait_for("the journal", || (weir.http("/-/ready")?.0 == 200).then_some(()));
}

#[test]
fn each_entry_once_over_rotation_and_a_restart() {
    if ready() {
        assert_eq!(over_a_restart("", |weir| weir.terminate_and_restart(|| {})), (0, 0));
    }
}

#[test]
fn each_entry_once_through_journalctl() {
    if ready() {
        assert_eq!(
            over_a_restart(", reader: journalctl", |weir| weir.terminate_and_restart(|| {})),
            (0, 0)
        );
    }
}

#[test]
fn none_is_lost_when_weir_is_killed() {
    if ready() {
        let (missing, repeated) = over_a_restart("", |weir| weir.kill_and_restart(|| {}));
        println!("of every {}th entry {repeated} came again", every());
        assert_eq!(missing, 0);
    }
}

#[test]
#[ignore = "figures, for a quiet machine: cargo test --release --test e2e figures -- --ignored"]
fn figures_of_a_journal() {
    if !ready() {
        return;
    }
    let network = Network::new();
    let journald = Journald::start(64);
    let socket = journald.connect();
    let mut weir = start(&network, &journald, "");
    // From the moment an entry is logged to the decision; asking for it would disturb what is measured.
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let time = |name: &str, numbers: std::ops::Range<usize>, pause: Duration| -> Duration {
        let mut logged = Vec::new();
        for n in numbers {
            std::thread::sleep(pause);
            logged.push((address(n * every()), now()));
            log(&socket, n * every());
        }
        let decided = wait_for("the decisions", || {
            let decided = decided(&weir);
            logged.iter().all(|(who, _)| decided.contains_key(who)).then_some(decided)
        });
        let took = logged.iter().map(|(who, at)| decided[who].saturating_sub(*at));
        let mut took: Vec<Duration> = took.collect();
        took.sort_unstable();
        let (p50, p99) = (took[took.len() / 2], took[took.len() * 99 / 100]);
        println!("from an entry to its decision, {name}: p50 {p50:.2?}, p99 {p99:.2?}");
        p99
    };
    // These are not among those of the end.
    let first = 1_000_000;
    time("the first", first..first + 1, Duration::ZERO);
    let busy = time("busy", first + 1..first + 1001, Duration::from_millis(7));
    time("after 32 s of silence", first + 1001..first + 1003, Duration::from_secs(32));
    let before = threads(weir.pid());
    std::thread::sleep(Duration::from_secs(20));
    let of = |all: &[(String, f64)]| -> f64 {
        all.iter().filter(|(name, _)| name.starts_with("intake")).map(|(_, time)| time).sum()
    };
    let spent = of(&threads(weir.pid())) - of(&before);
    println!("looking every few milliseconds takes {:.2} % of a processor", spent / 20.0 * 100.0);
    let count = entries(200_000);
    let begun = Instant::now();
    for n in 0..count {
        log(&socket, n);
    }
    println!("{count} entries were logged in {:.1?}", begun.elapsed());
    wait_for_all(&weir, count);
    println!("and decided on {:.1?} after they began", begun.elapsed());
    assert!(weir.terminate().success());
    assert!(busy < Duration::from_millis(10), "{busy:?}");
}
