//! `weir explain --last` against a running daemon: what it made nothing of, asked for over its
//! control socket. It listens on Unix sockets in a folder of its own and only observes, so that
//! nobody's rights or ports are needed.

use std::io::Read;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

const RULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/explain/near");

struct Daemon {
    folder: tempfile::TempDir,
    child: Child,
}

impl Daemon {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let at = folder.path().display();
        let configuration = format!(
            "sources:\n\
             \x20 - {{ name: unix, unix: {at}/weir.sock }}\n\
             \x20 - {{ name: web, unix: {at}/web.sock, label: web }}\n\
             rules: {{ shipped: false, folders: [{at}/rules] }}\n\
             ledger: {{ folder: {at}/state }}\n\
             control: {{ socket: {at}/control.sock }}\n\
             enforce: {{ backend: observe }}\n\
             http: {{ listen: off }}\n"
        );
        std::fs::write(folder.path().join("weir.yaml"), configuration).expect("written");
        let rules = folder.path().join("rules");
        for file in ["parsers/s01-parse/shop.yaml", "scenarios/shop.yaml"] {
            let (from, to) = (Path::new(RULES).join(file), rules.join(file));
            std::fs::create_dir_all(to.parent().expect("a folder")).expect("made");
            std::fs::copy(from, to).expect("copied");
        }
        let child = Command::new(env!("CARGO_BIN_EXE_weir"))
            .args(["run", "--config"])
            .arg(folder.path().join("weir.yaml"))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut daemon = Self { folder, child };
        daemon.wait_for("the daemon answers", |daemon| daemon.ask(&["status"]).status.success());
        daemon
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn ask(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
        let output = command.args(arguments).arg("--config").arg(self.path("weir.yaml")).output();
        output.expect("the program runs")
    }

    /// What a command answers; it must succeed.
    #[track_caller]
    fn answer(&self, arguments: &[&str]) -> String {
        let output = self.ask(arguments);
        assert!(output.status.success(), "{arguments:?} {}", text(&output.stderr));
        text(&output.stdout)
    }

    #[track_caller]
    fn wait_for(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !done(self) {
            if Instant::now() > deadline || self.child.try_wait().expect("our child").is_some() {
                self.end();
                let mut log = String::new();
                let mut stderr = self.child.stderr.take().expect("piped");
                stderr.read_to_string(&mut log).expect("UTF-8");
                panic!("waited in vain: {what}\n{log}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Sends lines to a socket, and waits until all are counted.
    #[track_caller]
    fn send(&mut self, socket: &str, lines: &[&str]) {
        let before = self.n_lines();
        let sender = UnixDatagram::unbound().expect("a socket");
        for line in lines {
            sender.send_to(line.as_bytes(), self.path(socket)).expect("sent");
        }
        let expected = before + lines.len() as u64;
        self.wait_for("all lines are counted", |daemon| daemon.n_lines() == expected);
    }

    fn n_lines(&self) -> u64 {
        let status = json(&self.answer(&["status", "--output", "json"]));
        let lines = status["lines"].as_object().expect("an object");
        lines.values().map(|count| count.as_u64().expect("a number")).sum()
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.end();
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

#[track_caller]
fn json(text: &str) -> Value {
    serde_json::from_str(text).expect(text)
}

fn shop(message: &str) -> String {
    format!("<38>2026-11-22T10:00:00Z web1 shop[9]: {message}")
}

/// A scenario counts it.
const FOUND: &str = "GET /shoes from 203.0.113.7: found";
/// No scenario counts it.
const DENIED: &str = "POST /login from 203.0.113.7: denied";

#[test]
fn the_programs_are_named_and_their_lines_explained() {
    let mut daemon = Daemon::start();
    assert_eq!(
        daemon.answer(&["explain", "--last"]),
        "no line went unparsed since the daemon started\n"
    );
    let (found, denied) = (shop(FOUND), shop(DENIED));
    let strange: Vec<String> =
        (0..12).map(|n| shop(&format!("number {n:02} is \u{1b}[2Jodd"))).collect();
    let mut lines: Vec<&str> = strange.iter().map(String::as_str).collect();
    lines.extend([&*found, &*denied]);
    daemon.send("weir.sock", &lines);
    daemon.send("web.sock", &["no header at all"]);

    // Only four lines a second are kept of a program, and all are counted.
    let programs = json(&daemon.answer(&["explain", "--last", "--output", "json"]));
    let named: Vec<(&str, &str, u64)> = programs
        .as_array()
        .expect("a list")
        .iter()
        .map(|of| {
            let word = |key: &str| of[key].as_str().expect("a text");
            (word("program"), word("label"), of["count"].as_u64().expect("a number"))
        })
        .collect();
    assert_eq!(named, [("shop", "syslog", 12), ("web", "web", 1)]);
    let table = daemon.answer(&["explain", "--last"]);
    assert!(table.contains("\\u{1b}[2Jodd") && !table.contains('\u{1b}'), "{table}");

    let explained = daemon.answer(&["explain", "--last", "shop", "-n", "1"]);
    let sentence = "near miss  test/shop (s01-parse): its filter holds; its pattern matches up to";
    assert!(explained.contains(sentence), "{explained}");
    assert_eq!(explained.matches("  outcome    unparsed\n").count(), 1, "{explained}");
    assert!(explained.contains(" from source unix\n"), "{explained}");
    let three = daemon.answer(&["explain", "--last", "shop", "--output", "json"]);
    let texts: Vec<String> =
        three.lines().map(|line| json(line)["line"].as_str().expect("a text").to_owned()).collect();
    assert!(texts.len() == 3 && texts.is_sorted(), "{texts:?}");
    // The label of the source goes with a line.
    let web = json(&daemon.answer(&["explain", "--last", "web", "--output", "json"]));
    assert_eq!((&web["label"], &web["received"]["source"]), (&"web".into(), &"web".into()));

    let parsed = daemon.answer(&["explain", "--last", "shop", "--uncounted"]);
    assert!(parsed.contains("near miss  test/shop-login (scenario): "), "{parsed}");
    assert_eq!(
        parsed.matches("  outcome    parsed; no scenario counts it\n").count(),
        1,
        "{parsed}"
    );

    let missing = daemon.ask(&["explain", "--last", "shpo"]);
    assert_eq!(missing.status.code(), Some(1));
    let told = text(&missing.stderr);
    assert!(told.contains("no line went unparsed of `shpo`"), "{told}");
    assert!(told.contains("did you mean `shop`?"), "{told}");
}

#[test]
fn rules_that_were_mended_are_tried_before_the_daemon_has_them() {
    let mut daemon = Daemon::start();
    daemon.send("weir.sock", &[&shop("PATCH /cart of 203.0.113.7: denied")]);
    let rule = daemon.path("rules/parsers/s01-parse/shop.yaml");
    let mended = std::fs::read_to_string(&rule).expect("a rule").replace(" from ", " of ");
    std::fs::write(&rule, mended).expect("written");
    let explained = daemon.answer(&["explain", "--last", "shop"]);
    assert!(explained.contains("  outcome    parsed; "), "{explained}");
    assert!(explained.contains("  note       it was unparsed when it was received"), "{explained}");
}

#[test]
fn without_a_daemon_it_is_said_what_to_do() {
    let mut daemon = Daemon::start();
    daemon.end();
    for arguments in [&["explain", "--last"][..], &["explain", "--last", "shop"]] {
        let output = daemon.ask(arguments);
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(69), "{told}");
        assert!(told.contains("weir is not running?"), "{told}");
        assert!(told.contains("weir explain -"), "{told}");
    }
}

#[test]
fn programs_that_no_rule_covers_are_discovered() {
    let mut daemon = Daemon::start();
    assert_eq!(daemon.answer(&["discover"]), "there are no lines yet\n");
    daemon.send("weir.sock", &[&shop(FOUND)]);
    assert_eq!(daemon.answer(&["discover"]), "all is covered: rules take every one of 1 lines\n");
    let door = |n: u8| format!("<38>2026-11-22T10:00:00Z web1 door[9]: knock {n} by 192.0.2.{n}");
    let lines: Vec<String> = (1..7).map(door).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    daemon.send("weir.sock", &lines);
    let answer = json(&daemon.answer(&["discover", "--output", "json"]));
    assert_eq!(answer["lines"], 7);
    let found = &answer["programs"][0];
    assert_eq!((&found["program"], &found["lines_not_covered"]), (&"door".into(), &6.into()));
    assert_eq!(found["templates"][0]["template"], "knock <number> by <address>");
    assert_eq!(found["next"]["command"], "weir new-parser --from FILE --program door");
}
