//! What the parts of the way of a line cost, each alone: `cargo bench`, or `cargo bench -- NAME`.
//!
//! These say where to look; whether something pays is told by the whole (`tests/bench/run`,
//! `tests/bench/instructions`). With a hub at hand (`WEIR_HUB`) its rules are measured too.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, LazyLock};

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use weir::decide::{Story, StoryLine};
use weir::decision::{Action, Allowlist, Origin, Target};
use weir::detect::{self, Detector, Limits, Pour};
use weir::enforce::{Edit, Element, encoded};
use weir::event::{Batch, Event, Kind, Mode, SourceId};
use weir::expr::{Environment, Program, World};
use weir::ledger::{Ledger, Options, Record};
use weir::parse::grok::{Caches, Library};
use weir::parse::{EventScope, Outcome, Scratch, VARIABLES, syslog};
use weir::rules::{self, Request, Ruleset};
use weir::value::{Arena, Names, Section, Time};

fn main() {
    divan::main();
}

/// Lines of the log that all measure on: what fits into the caches of a processor.
const LINES: usize = 2000;

const NOW: Time = Time::from_seconds(1_764_000_000);
const HOUR: i64 = 3_600_000_000_000;

/// A made log.
static LOG: LazyLock<String> = LazyLock::new(|| {
    #[expect(clippy::disallowed_methods, reason = "a benchmark makes its log by a program")]
    let made = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bench/corpus"))
        .args(["-v", &format!("lines={LINES}")])
        .output()
        .expect("awk runs");
    String::from_utf8(made.stdout).expect("UTF-8")
});

fn batch() -> Batch {
    let mut batch = Batch::new(SourceId(0), NOW);
    for line in LOG.lines() {
        batch.push(line.as_bytes(), false, None);
    }
    assert_eq!(batch.len(), LINES);
    batch
}

/// Whose rules.
#[derive(Clone, Copy, Debug)]
enum Whose {
    Own,
    /// All of a hub, but for its header parser.
    Hub,
}

/// Those that are at hand.
fn whose() -> Vec<Whose> {
    if hub().is_some() { vec![Whose::Own, Whose::Hub] } else { vec![Whose::Own] }
}

fn hub() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/hub");
    let hub = std::env::var_os("WEIR_HUB").map_or(beside, PathBuf::from);
    hub.join("parsers").is_dir().then_some(hub)
}

/// The rules, all automata built.
fn load(whose: Whose) -> Ruleset {
    let folder = tempfile::tempdir().expect("a folder");
    let link = |from: &Path, to: PathBuf| std::os::unix::fs::symlink(from, to).expect("a link");
    let folders = match whose {
        Whose::Own => Vec::new(),
        Whose::Hub => {
            let hub = hub().expect("a hub");
            for part in ["patterns", "scenarios", "data"] {
                link(&hub.join(part), folder.path().join(part));
            }
            std::fs::create_dir(folder.path().join("parsers")).expect("made");
            for stage in ["s01-parse", "s02-enrich"] {
                let stage = Path::new("parsers").join(stage);
                link(&hub.join(&stage), folder.path().join(stage));
            }
            vec![folder.path().to_owned()]
        }
    };
    let request = Request { shipped: folders.is_empty(), folders, ..Request::default() };
    let (rules, _) = rules::load(request, None, NOW);
    rules.warm(1);
    rules
}

#[divan::bench]
fn header(bencher: Bencher<'_, '_>) {
    bencher.counter(ItemsCount::new(LINES)).bench(|| {
        for line in LOG.lines() {
            black_box(syslog::decode(black_box(line)));
        }
    });
}

/// An event of a program that no rule looks at, through all stages.
#[divan::bench(args = whose())]
fn dispatch(bencher: Bencher<'_, '_>, whose: Whose) {
    let rules = load(whose);
    let (world, mut scratch, mut arena) = (rules.world(), Scratch::new(), Arena::new());
    bencher.counter(ItemsCount::new(1_usize)).bench_local(|| {
        arena.reset();
        let event = Event::new(&arena, rules.names(), Kind::Log, Mode::Live, NOW);
        event.set(Names::LABEL, "syslog");
        event.set(Names::PROGRAM, black_box("wireplumber"));
        event.set(Names::MESSAGE, black_box("session 17 of user deploy is gone"));
        rules.stages().run(event, &world, &mut scratch, None)
    });
}

/// Lines of the log from bytes to the outcome.
#[divan::bench(args = whose())]
fn parse(bencher: Bencher<'_, '_>, whose: Whose) {
    let (rules, batch) = (load(whose), batch());
    let source = rules.source("bench", "file", "syslog", Mode::Live);
    let (world, mut scratch, mut arena) = (rules.world(), Scratch::new(), Arena::new());
    bencher.counter(ItemsCount::new(LINES)).bench_local(|| {
        let mut n_parsed = 0;
        for line in batch.lines() {
            arena.reset();
            let (_, outcome) = rules.parse(line, &source, &arena, &world, &mut scratch, None);
            n_parsed += usize::from(outcome == Outcome::Parsed);
        }
        n_parsed
    });
}

const FAILED: &str = "Failed password for invalid user admin from 198.51.100.23 port 40112 ssh2";
const PATTERN: &str =
    "^Failed %{WORD:method} for (?:invalid user )?%{DATA:user} from %{IP:source} port %{INT:port}";

/// A pattern by steps on a text that it matches, one that it nearly matches, and one that a glance
/// rules out; and a pattern that needs an automaton.
#[divan::bench(args = [
    (PATTERN, FAILED, true),
    (PATTERN, "Failed password for invalid user admin from example port 40112 ssh2", false),
    (PATTERN, "Accepted publickey for deploy from 192.0.2.7 port 40112 ssh2: ED25519", false),
    (r"(?i)FAILED .*from %{IPV4:source} .*SSH%{INT:version}$", FAILED, true),
])]
fn grok(bencher: Bencher<'_, '_>, (pattern, text, is_found): (&str, &str, bool)) {
    let grok = Library::base().compile(pattern).expect("a good pattern");
    grok.warm().expect("built");
    let mut caches = Caches::default();
    assert_eq!(grok.search(text, &mut caches, |_, _| ()), is_found);
    bencher.counter(ItemsCount::new(1_usize)).bench_local(|| {
        grok.search(black_box(text), &mut caches, |place, text| {
            black_box((place, text));
        })
    });
}

#[divan::bench(args = [
    "evt.Meta.log_type == 'ssh_failed-auth'",
    "evt.Parsed.program in ['sshd', 'sshd-session'] && evt.Parsed.message contains 'Failed'",
    "evt.Parsed.message matches '^Failed [a-z]+ for .* from'",
    "int(evt.Parsed.port) > 1024 && Lower(evt.Parsed.user) != 'root'",
])]
fn expression(bencher: Bencher<'_, '_>, text: &str) {
    let mut names = Names::new();
    let mut environment = Environment { variables: VARIABLES, names: &mut names, functions: &[] };
    let program = Program::new(text, &mut environment).expect("a good expression");
    let (world, arena) = (World::default(), Arena::new());
    let event = Event::new(&arena, &names, Kind::Log, Mode::Live, NOW);
    for (section, name, text) in [
        (Section::Meta, "log_type", "ssh_failed-auth"),
        (Section::Parsed, "program", "sshd"),
        (Section::Parsed, "message", FAILED),
        (Section::Parsed, "port", "40112"),
        (Section::Parsed, "user", "admin"),
    ] {
        event.set_named(section, name, text);
    }
    let scope = EventScope::new(event, &world);
    assert_eq!(program.truth(&scope).ok(), Some(true));
    bencher.counter(ItemsCount::new(1_usize)).bench_local(|| black_box(&program).truth(&scope));
}

/// What the scenarios take of the log.
fn pours(rules: &Ruleset) -> Vec<Pour> {
    let source = rules.source("bench", "file", "syslog", Mode::Replay);
    let (world, mut scratch, mut arena) = (rules.world(), Scratch::new(), Arena::new());
    let (mut selecting, mut pours) = (detect::Scratch::default(), Vec::new());
    world.set_now(NOW);
    for line in batch().lines() {
        arena.reset();
        let (event, outcome) = rules.parse(line, &source, &arena, &world, &mut scratch, None);
        if outcome == Outcome::Parsed {
            rules.scenarios().select(&mut selecting, event, &world, &mut pours);
        }
    }
    pours
}

/// All that a log pours, into buckets that are not there yet, to the overflows.
#[divan::bench(args = whose())]
fn pour(bencher: Bencher<'_, '_>, whose: Whose) {
    let rules = load(whose);
    let n = pours(&rules).len();
    let detector = || {
        let scenarios = Arc::clone(rules.scenarios());
        (Detector::new(scenarios, Limits::default(), rules.world()), pours(&rules))
    };
    bencher.counter(ItemsCount::new(n)).with_inputs(detector).bench_local_values(
        |(mut detector, pours)| {
            let mut overflows = Vec::new();
            for pour in pours {
                detector.pour(pour, NOW, &mut overflows);
            }
            (detector, overflows)
        },
    );
}

fn address(number: u32) -> IpAddr {
    Ipv4Addr::from(0xcb00_0000 | number).into()
}

/// Bans as the bytes of a transaction.
#[divan::bench(args = [1, 1000])]
fn netlink_encode(bencher: Bencher<'_, '_>, n: u32) {
    let until = NOW.plus(HOUR);
    let edits: Vec<_> =
        (0..n).map(|number| Edit::Add(Element::Host(address(number)), until)).collect();
    bencher.counter(ItemsCount::new(n)).bench(|| encoded(black_box(&edits), NOW));
}

/// Decisions written down in one transaction each, on the disk of temporary files.
#[divan::bench(args = [1, 100], sample_count = 50)]
fn ledger(bencher: Bencher<'_, '_>, n: u32) {
    write_down(bencher, n, record);
}

/// The same with what led to them: ten lines each.
#[divan::bench(args = [1, 100], sample_count = 50)]
fn ledger_story(bencher: Bencher<'_, '_>, n: u32) {
    let line = "<38>Nov 22 10:00:00 host sshd[811]: Failed password for root from 203.0.113.7";
    let line = StoryLine { at: NOW.rfc3339(), text: line.to_owned(), cut: false };
    let story = Story { lines: vec![line; 10], ..Story::default() }.text();
    write_down(bencher, n, |friends, number| Record {
        story: Some(story.clone()),
        ..record(friends, number)
    });
}

/// A page of a list.
#[divan::bench(args = [500], sample_count = 50)]
fn ledger_list(bencher: Bencher<'_, '_>, n: u32) {
    write_down(bencher, n, |friends, number| Record {
        origin: Origin::List,
        reason: "drop".to_owned(),
        events: 0,
        ..record(friends, number)
    });
}

fn write_down(bencher: Bencher<'_, '_>, n: u32, record: impl Fn(&Allowlist, u32) -> Record) {
    let folder = tempfile::tempdir().expect("a folder");
    let friends = Allowlist::new(Vec::new());
    let path = folder.path().join("ledger.db");
    let (mut ledger, _) =
        Ledger::open(&path, Options::default(), &friends, NOW).expect("a new ledger");
    let mut next = 0;
    let records = || -> Vec<Record> {
        next += n;
        (next - n..next).map(|number| record(&friends, number)).collect()
    };
    bencher
        .counter(ItemsCount::new(n))
        .with_inputs(records)
        .bench_local_values(|records| ledger.record(records, NOW));
}

fn record(friends: &Allowlist, number: u32) -> Record {
    let target: Target = friends.admit(address(number).into()).expect("nobody's friend");
    Record {
        target,
        action: Action::Ban,
        origin: Origin::Scenario,
        reason: "weir/ssh-bf".to_owned(),
        until: NOW.plus(HOUR),
        events: 6,
        story: None,
    }
}
