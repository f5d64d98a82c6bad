//! What a made log and the logs of a hub's tests lead to: word for word what it was before anything
//! was done for speed, with any number of workers. `WEIR_UPDATE_GOLDEN=1` writes the golden files
//! anew; whoever changes them says which rule or which mistake changed the answer.
//!
//! Golden answers of a hub are those of one state of it. With another hub at hand only the numbers
//! of workers are compared.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, LazyLock};

use weir::detect::{self, Detector, Limits};
use weir::event::{Batch, Mode, SourceId};
use weir::parse::{Outcome, Scratch};
use weir::rules::{self, Request};
use weir::value::{Arena, Time};

use super::hub::{self, hub};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Lines of the made log; fewer for all rules of a hub, which are slow without the optimiser.
const LINES: usize = 60_000;
const FEW_LINES: usize = 15_000;

/// Nearly every overflow is a ban, because bans end at once; but those of slow scenarios hold, and
/// one attacker is a friend. What is asked is what the rules say, each address for itself.
const SETTINGS: &str = "\
escalation: off
prefixes: {count: off, ipv6: off}
allowlist: [203.0.113.9]
profiles:
  - name: slow
    filters: ['Alert.Remediation && Alert.GetScenario() contains \"slow\"']
    decisions: [{type: ban, duration: 20s}]
    on_success: break
  - name: rest
    filters: [Alert.Remediation]
    decisions: [{type: ban, duration: 1s}]
";

/// FNV-1a: enough to tell answers and folders apart.
#[derive(Clone, Copy)]
struct Digest(u64);

impl Digest {
    fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes.iter().chain(&[0xff]) {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

/// What tells one state of a folder from another: names and contents of its files.
fn state(folder: &Path) -> String {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() { walk(&path, found) } else { found.push(path) }
        }
    }
    let (mut paths, mut digest) = (Vec::new(), Digest::new());
    walk(folder, &mut paths);
    paths.sort();
    for path in &paths {
        let name = path.strip_prefix(folder).expect("below the folder");
        digest.add(name.as_os_str().as_encoded_bytes());
        digest.add(&std::fs::read(path).expect("a file"));
    }
    format!("{} files, {:016x}", paths.len(), digest.0)
}

/// Compares with a golden file, if that is of the same rules.
#[track_caller]
fn hold(name: &str, rules: &str, answer: &str) {
    let golden = Path::new(ROOT).join("tests/it/answers").join(name).with_extension("txt");
    let answer = format!("rules: {rules}\n{answer}");
    if std::env::var_os("WEIR_UPDATE_GOLDEN").is_some() {
        return std::fs::write(golden, answer).expect("written");
    }
    let wanted = std::fs::read_to_string(golden).unwrap_or_default();
    if wanted.lines().next().is_some_and(|first| first != format!("rules: {rules}")) {
        return eprintln!("skipped: the golden answer `{name}` is of another state of the rules");
    }
    let mut pairs = answer.lines().zip(wanted.lines()).enumerate();
    if let Some((at, (ours, wanted))) = pairs.find(|(_, (ours, wanted))| ours != wanted) {
        panic!("{name}, line {}:\n  is      {ours}\n  was     {wanted}", at + 1);
    }
    assert_eq!(answer.lines().count(), wanted.lines().count(), "lines of {name}");
}

/// A log of so many lines, as the benchmark makes it.
fn corpus(lines: usize) -> PathBuf {
    let made = Command::new(Path::new(ROOT).join("tests/bench/corpus"))
        .args(["-v", &format!("lines={lines}")])
        .output()
        .expect("awk runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("answers-{lines}.log"));
    std::fs::write(&path, made.stdout).expect("written");
    path
}

static CORPUS: LazyLock<PathBuf> = LazyLock::new(|| corpus(LINES));
static SHORT_CORPUS: LazyLock<PathBuf> = LazyLock::new(|| corpus(FEW_LINES));

/// A log that the benchmark makes, short enough for rules that are slow without the optimiser.
pub(super) fn short_corpus() -> &'static Path {
    &SHORT_CORPUS
}

/// Takes a log through rules, with one worker and with several: the totals, and all bans.
fn replayed(log: &Path, rules: Option<&Path>) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = folder.path().join("weir.yaml");
    std::fs::write(&settings, SETTINGS).expect("written");
    let replay = |workers: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
        command.args(["replay", "--output", "json", "--workers", workers]).arg(log);
        command.arg("--config").arg(&settings).env("TZ", "UTC");
        if let Some(rules) = rules {
            command.arg("--rules").arg(rules);
        }
        let output = command.output().expect("the program runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        shown(log, &serde_json::from_slice(&output.stdout).expect("JSON"))
    };
    let answer = replay("1");
    assert!(replay("3") == answer, "three workers give another answer than one");
    answer
}

/// The answer of a replay, without what differs from run to run and from year to year.
fn shown(log: &Path, answer: &serde_json::Value) -> String {
    let mut text = format!("log: {} bytes\n", log.metadata().expect("a file").len());
    for total in ["lines", "parsed", "unparsed", "allowlisted", "cut", "overflows"] {
        let _ = writeln!(text, "{total}: {}", answer[total]);
    }
    for ban in answer["bans"].as_array().expect("bans") {
        let of = |key: &str| ban[key].as_str().expect("a text").to_owned();
        let at = of("at");
        let (_, at) = at.split_once('-').expect("a date");
        let _ = writeln!(
            text,
            "{at} {} {} {} {}s",
            of("scenario"),
            of("target"),
            ban["events"],
            ban["for_seconds"]
        );
    }
    text
}

#[test]
fn our_rules_answer_as_before() {
    hold("own", "shipped", &replayed(&CORPUS, None));
}

/// The rules of a hub for five services, in a folder of their own.
fn five(hub: &Path) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let made = Command::new(Path::new(ROOT).join("tests/bench/services"))
        .args([hub, folder.path()])
        .output()
        .expect("a shell runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    folder
}

#[test]
fn rules_for_five_services_answer_as_before() {
    let Some(hub) = hub() else { return };
    let five = five(&hub);
    hold("five", &state(five.path()), &replayed(&CORPUS, Some(five.path())));
}

/// The same answer as without: what the parser of the hub finds, the native decoder does.
#[test]
fn rules_with_their_own_header_parser_answer_as_before() {
    let Some(hub) = hub() else { return };
    let five = five(&hub);
    let rules = state(five.path());
    let raw = five.path().join("parsers/s00-raw");
    std::fs::create_dir(&raw).expect("made");
    std::fs::copy(
        hub.join("parsers/s00-raw/crowdsecurity/syslog-logs.yaml"),
        raw.join("syslog-logs.yaml"),
    )
    .expect("copied");
    hold("five", &rules, &replayed(&CORPUS, Some(five.path())));
}

#[test]
fn all_rules_of_a_hub_answer_as_before() {
    let Some(hub) = hub() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let link = |from: &Path, to: &Path| std::os::unix::fs::symlink(from, to).expect("a link");
    for entry in std::fs::read_dir(&hub).expect("a hub").flatten() {
        if entry.file_name() != "parsers" && entry.file_name() != "tests" {
            link(&entry.path(), &folder.path().join(entry.file_name()));
        }
    }
    std::fs::create_dir(folder.path().join("parsers")).expect("made");
    for entry in std::fs::read_dir(hub.join("parsers")).expect("parsers").flatten() {
        if entry.file_name() != "s00-raw" {
            link(&entry.path(), &folder.path().join("parsers").join(entry.file_name()));
        }
    }
    let rules = state(folder.path());
    hold("hub", &rules, &replayed(&SHORT_CORPUS, Some(folder.path())));
}

/// The log of every test of the hub, each through all rules of the hub, header parser and all. What
/// overflows is told by scenario and number of events; its sources and times by a digest.
#[test]
fn logs_of_a_hub_answer_as_before() {
    let Some(hub) = hub() else { return };
    weir::value::keep_utc();
    let now = Time::from_rfc3339("2026-06-01T00:00:00Z").expect("a time");
    let request = Request { folders: vec![hub.clone()], ..Request::default() };
    let (rules, _) = rules::load(request, None, now);
    let world = rules.world();
    world.set_now(now);
    let (mut scratch, mut selecting) = (Scratch::new(), detect::Scratch::default());
    let mut arena = Arena::new();
    let mut answer = String::new();
    for test in hub::logs(&hub) {
        let label = &test.label;
        let source = rules.source("replay", "file", label, Mode::Replay);
        let scenarios = Arc::clone(rules.scenarios());
        let mut detector = Detector::new(scenarios, Limits::default(), rules.world());
        let mut postoverflows = rules.postoverflows();
        let mut batch = Batch::new(SourceId(0), now);
        for line in test.lines() {
            batch.push(line, false, None);
        }
        let (mut parsed, mut allowlisted, mut text) = (0, 0, String::new());
        for line in batch.lines() {
            arena.reset();
            let (event, outcome) = rules.parse(line, &source, &arena, &world, &mut scratch, None);
            allowlisted += usize::from(outcome == Outcome::Allowlisted);
            if outcome != Outcome::Parsed {
                continue;
            }
            parsed += 1;
            let mut pours = Vec::new();
            rules.scenarios().select(&mut selecting, event, &world, &mut pours);
            let mut overflows = Vec::new();
            for pour in pours {
                detector.pour(pour, now, &mut overflows);
            }
            postoverflows.settle(&rules, &mut detector, &mut overflows, now, None);
            for overflow in &overflows {
                let Some(alert) = &overflow.alert else { continue };
                let mut digest = Digest::new();
                for (key, source) in &overflow.sources {
                    digest.add(format!("{key} {source:?}").as_bytes());
                }
                digest.add(format!("{:?} {:?}", alert.start_at, alert.stop_at).as_bytes());
                for event in &alert.events {
                    digest.add(format!("{} {:?}", event.timestamp(), event.meta()).as_bytes());
                }
                let allowlisted = if overflow.allowlisted { " allowlisted" } else { "" };
                let _ = writeln!(
                    text,
                    "  {} {} {:016x}{allowlisted}",
                    alert.scenario, alert.events_count, digest.0
                );
            }
        }
        let (name, lines) = (&test.test, batch.len());
        let _ =
            writeln!(answer, "{name}: {lines} lines, {parsed} parsed, {allowlisted} allowlisted");
        answer.push_str(&text);
    }
    hold("logs", &state(&hub), &answer);
}
