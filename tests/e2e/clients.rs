//! Libraries that others write bouncers with, on another host than Weir: what they hold is what is in
//! force here, whatever happens to the daemon meanwhile. `tests/clients` fetches them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use weir::decision::{Allowlist, Origin, Other};
use weir::ledger::{Cause, Ledger, NewOther, Options};
use weir::value::Time;

use crate::network::{HOST_V4, Network, possible, skip};
use crate::weir::{Weir, project, wait_for};

const API: &str = "lapi: { listen: \"198.51.100.1:8080\", in_clear: true }";

/// In which language the library is.
#[derive(Clone, Copy)]
enum Language {
    Python,
    JavaScript,
}

/// The folder of the libraries, if this one is there.
fn library(language: Language) -> Option<PathBuf> {
    let folder =
        std::env::var_os("WEIR_CLIENTS").map_or_else(|| project("target/clients"), PathBuf::from);
    let (name, program) = match language {
        Language::Python => ("python/pycrowdsec", "python3"),
        Language::JavaScript => ("node/node_modules/crowdsec-client", "node"),
    };
    if !folder.join(name).exists() {
        skip(&format!("no {name} in {}: `tests/clients` fetches it", folder.display()));
        return None;
    }
    let runs = Command::new(program).arg("--version").stdout(Stdio::null()).status();
    if !runs.is_ok_and(|status| status.success()) {
        skip(&format!("{program} does not run"));
        return None;
    }
    possible(&["ip", "nft"]).then_some(folder)
}

/// A script of ours beside the guarded host, which has the libraries at hand.
fn script(network: &Network, folder: &Path, language: Language, name: &str) -> Command {
    let (program, variable, libraries) = match language {
        Language::Python => ("python3", "PYTHONPATH", "python"),
        Language::JavaScript => ("node", "NODE_PATH", "node/node_modules"),
    };
    let mut command = network.beside(program);
    command.env(variable, folder.join(libraries));
    command.arg(project("tests/e2e/clients").join(name));
    command
}

/// A running client that follows the stream.
struct Follower {
    language: Language,
    child: Child,
    folder: tempfile::TempDir,
}

impl Follower {
    fn start(network: &Network, libraries: &Path, language: Language, key: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (name, slash) = match language {
            Language::Python => ("follow.py", "/"),
            Language::JavaScript => ("follow.cjs", ""),
        };
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let child = script(network, libraries, language, name)
            .args([&format!("http://{HOST_V4}:8080{slash}"), key])
            .arg(folder.path().join("held"))
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        Self { language, child, folder }
    }

    /// What it holds: the type and the value of each, a single address without its length.
    fn holds(&self) -> Option<BTreeSet<String>> {
        let text = std::fs::read_to_string(self.folder.path().join("held")).ok()?;
        let held: Value = serde_json::from_str(&text).unwrap();
        let shown = |(name, kind): (&String, &Value)| match self.language {
            Language::Python => {
                let value = name.strip_suffix("/32").or(name.strip_suffix("/128")).unwrap_or(name);
                format!("{} {value}", kind.as_str().unwrap())
            }
            Language::JavaScript => name.clone(),
        };
        Some(held.as_object().unwrap().iter().map(shown).collect())
    }

    #[track_caller]
    fn wait_for(&mut self, expected: &[&str]) {
        let expected: BTreeSet<String> = expected.iter().map(|text| (*text).to_owned()).collect();
        wait_for(&format!("the client to hold {expected:?}"), || {
            if let Some(ended) = self.child.try_wait().unwrap() {
                let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap();
                panic!("the client ended, {ended}: {log}");
            }
            (self.holds().as_ref() == Some(&expected)).then_some(())
        });
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What only bouncers carry out, written while the daemon is away; the numbers of them.
fn begin_others(folder: &Path, all: &[[&str; 3]]) -> Vec<u64> {
    let mut ledger = open(folder);
    let (now, origin) = (now(), Origin::Manual);
    let new = |[kind, scope, value]: &[&str; 3]| NewOther {
        other: Other::new(kind, scope, value).unwrap(),
        origin,
        reason: "by hand".to_owned(),
        until: now.plus(3_600_000_000_000),
    };
    ledger.begin_others(all.iter().map(new).collect(), now).unwrap()
}

fn open(folder: &Path) -> Ledger {
    let path = folder.join("state/ledger.db");
    Ledger::open(&path, Options::default(), &Allowlist::default(), now()).unwrap().0
}

fn now() -> Time {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Time::from_nanos(i64::try_from(since.as_nanos()).unwrap())
}

fn key(weir: &Weir<'_>) -> String {
    let added = weir.ask(&["bouncers", "add", "edge", "--output", "json"]);
    let added: Value = serde_json::from_slice(&added.stdout).expect("JSON");
    added["key"].as_str().expect("a key").to_owned()
}

#[track_caller]
fn done(weir: &Weir<'_>, arguments: &[&str]) {
    let output = weir.ask(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn follow(language: Language) {
    let Some(libraries) = library(language) else { return };
    let network = Network::new();
    let mut weir = Weir::start(&network, API);
    let key = key(&weir);
    done(&weir, &["ban", "192.0.2.0/24", "--for", "1h"]);
    done(&weir, &["ban", "2001:db8:bad::7", "--for", "1h"]);
    let mut client = Follower::start(&network, &libraries, language, &key);
    client.wait_for(&["ban 192.0.2.0/24", "ban 2001:db8:bad::7"]);
    done(&weir, &["ban", "203.0.113.9", "--for", "1h"]);
    done(&weir, &["unban", "2001:db8:bad::7"]);
    client.wait_for(&["ban 192.0.2.0/24", "ban 203.0.113.9"]);
    // One is prolonged, one ends by itself: these clients keep no clock, and wait to be told.
    done(&weir, &["ban", "203.0.113.9", "--for", "2h"]);
    done(&weir, &["ban", "203.0.113.10", "--for", "3s"]);
    client.wait_for(&["ban 192.0.2.0/24", "ban 203.0.113.9", "ban 203.0.113.10"]);
    client.wait_for(&["ban 192.0.2.0/24", "ban 203.0.113.9"]);
    // The daemon is killed; what begins and ends around that is told by the next one.
    done(&weir, &["ban", "203.0.113.11", "--for", "1h"]);
    done(&weir, &["unban", "192.0.2.0/24"]);
    let folder = weir.folder.clone();
    let others = [
        ["captcha", "Ip", "203.0.113.12"],
        ["ban", "Country", "FR"],
        ["throttle", "AS", "64500"],
        ["ban", "user", "mallory"],
    ];
    let mut numbers = Vec::new();
    weir = weir.kill_and_restart(|| {
        numbers = begin_others(&folder, &others);
        std::thread::sleep(std::time::Duration::from_millis(1500));
    });
    done(&weir, &["ban", "203.0.113.13", "--for", "1h"]);
    let mut all = vec![
        "ban 203.0.113.9",
        "ban 203.0.113.11",
        "ban 203.0.113.13",
        "captcha 203.0.113.12",
        "ban FR",
        "throttle 64500",
    ];
    client.wait_for(&all);
    // Each ends as operators end it.
    done(&weir, &["unban", "203.0.113.12"]);
    done(&weir, &["unban", "--id", &numbers[1].to_string()]);
    all.truncate(3);
    all.push("throttle 64500");
    client.wait_for(&all);
    let listed = weir.ask(&["list", "--others", "--output", "json"]);
    let listed: Value = serde_json::from_slice(&listed.stdout).expect("JSON");
    let values: Vec<_> = listed.as_array().unwrap().iter().map(|one| &one["value"]).collect();
    assert_eq!(values, ["64500", "mallory"]);
    weir = weir.kill_and_restart(|| {
        let mut ledger = open(&folder);
        ledger.end_others(&numbers, Cause::Unbanned, now()).unwrap();
    });
    done(&weir, &["unban", "--all", "--yes"]);
    client.wait_for(&[]);
}

#[test]
fn pycrowdsec_follows() {
    follow(Language::Python);
}

#[test]
fn crowdsec_client_follows() {
    follow(Language::JavaScript);
}

/// What a script prints about addresses: one that nobody is after, one in a banned range, one that
/// is to solve a captcha, one that is banned besides.
fn asked(language: Language, name: &str) -> Option<Value> {
    let libraries = library(language)?;
    let network = Network::new();
    let mut weir = Weir::start(&network, API);
    let key = key(&weir);
    done(&weir, &["ban", "192.0.2.0/24", "--for", "1h"]);
    done(&weir, &["ban", "203.0.113.13", "--for", "1h"]);
    let folder = weir.folder.clone();
    let others = [["captcha", "Ip", "203.0.113.12"], ["captcha", "Ip", "203.0.113.13"]];
    weir = weir.kill_and_restart(|| drop(begin_others(&folder, &others)));
    let slash = if matches!(language, Language::Python) { "/" } else { "" };
    let output = script(&network, &libraries, language, name)
        .args([&format!("http://{HOST_V4}:8080{slash}"), &key])
        .args(["203.0.113.1", "192.0.2.7", "203.0.113.12", "203.0.113.13"])
        .output()
        .unwrap();
    drop(weir);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).expect("JSON"))
}

#[test]
fn pycrowdsec_asks() {
    let Some(told) = asked(Language::Python, "query.py") else { return };
    println!("{told:#}");
    assert_eq!(told["get_decisions_for 203.0.113.1"], Value::Null);
    // It looks for the highest number among nothing: its own mistake, whoever answers.
    assert_eq!(told["get_action_for 203.0.113.1"], "TypeError");
    assert_eq!(told["get_action_for 192.0.2.7"], "ban");
    assert_eq!(told["get_action_for 203.0.113.12"], "captcha");
    // The one with the highest number counts.
    assert_eq!(told["get_action_for 203.0.113.13"], "captcha");
    assert_eq!(told["get_decisions_for 203.0.113.13"].as_array().unwrap().len(), 2);
}

#[test]
fn the_bouncer_of_express_bounces() {
    let Some(told) = asked(Language::JavaScript, "express.cjs") else { return };
    // A ban is refused with 403, a page with a captcha has 401; a ban goes before a captcha.
    let expected = json!({
        "203.0.113.1": "passed", "192.0.2.7": 403, "203.0.113.12": 401, "203.0.113.13": 403,
    });
    assert_eq!(told, expected);
}
