//! `rules: { strict: true }` and `weir run --strict`: all rules or none, at the start and when they
//! are read again. The daemon listens on Unix sockets in a folder of its own and only observes.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const RIGHT: &str = "name: a\nonsuccess: next_stage\nstatics: [{meta: a, value: b}]\n";
const WRONG: &str = "name: a\nfilter: evt.Nothing\nstatics: [{meta: a, value: b}]\n";

struct Daemon {
    folder: tempfile::TempDir,
    child: Option<Child>,
}

impl Daemon {
    /// A folder with a configuration and a rule, and no daemon yet.
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir_all(folder.path().join("rules/parsers/s01-parse")).expect("made");
        Self { folder, child: None }
    }

    fn configure(&self, strict: bool) {
        let at = self.folder.path().display();
        let configuration = format!(
            "sources: [{{ name: unix, unix: {at}/weir.sock }}]\n\
             rules: {{ shipped: false, folders: [{at}/rules], strict: {strict} }}\n\
             ledger: {{ folder: {at}/state }}\n\
             control: {{ socket: {at}/control.sock }}\n\
             enforce: {{ backend: observe }}\n\
             http: {{ listen: off }}\n"
        );
        std::fs::write(self.folder.path().join("weir.yaml"), configuration).expect("written");
    }

    fn rule(&self, text: &str) {
        let path = self.folder.path().join("rules/parsers/s01-parse/a.yaml");
        std::fs::write(path, text).expect("written");
    }

    fn weir(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
        command.args(arguments).arg("--config").arg(self.folder.path().join("weir.yaml"));
        command
    }

    fn ask(&self, arguments: &[&str]) -> Output {
        self.weir(arguments).output().expect("the program runs")
    }

    fn start(&mut self) {
        let child = self.weir(&["run"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        self.child = Some(child.expect("the program starts"));
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.n_parsers().is_none() {
            assert!(Instant::now() < deadline, "the daemon answers");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// How many parsers there are, if there is a daemon.
    fn n_parsers(&self) -> Option<u64> {
        let output = self.ask(&["status", "--output", "json"]);
        let status: serde_json::Value = serde_json::from_slice(&output.stdout).ok()?;
        status["rules"]["parsers"].as_u64()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[track_caller]
fn refused(output: &Output, folder: &Path) {
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(78), "{told}");
    for part in ["evt.Nothing", "a rule file is wrong", "rules/parsers/s01-parse/a.yaml:2"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(!told.contains("panicked"), "{}: {told}", folder.display());
}

#[test]
fn a_daemon_does_not_start_with_some_of_its_rules() {
    let daemon = Daemon::new();
    daemon.rule(WRONG);
    daemon.configure(false);
    refused(&daemon.ask(&["run", "--strict"]), daemon.folder.path());
    daemon.configure(true);
    refused(&daemon.ask(&["run"]), daemon.folder.path());
}

#[test]
fn a_reload_takes_all_rules_or_changes_nothing() {
    let mut daemon = Daemon::new();
    daemon.rule(RIGHT);
    daemon.configure(true);
    daemon.start();
    assert_eq!(daemon.n_parsers(), Some(1));

    daemon.rule(WRONG);
    refused(&daemon.ask(&["reload"]), daemon.folder.path());
    assert_eq!(daemon.n_parsers(), Some(1), "nothing has changed");

    daemon.configure(false);
    assert!(daemon.ask(&["reload"]).status.success());
    assert_eq!(daemon.n_parsers(), Some(0), "the file is left out");
}
