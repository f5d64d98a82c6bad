//! What the ledger keeps, and what it tells the kernel.

mod alerts;
mod feed;
mod files;
mod model;
mod more;
mod others;

use std::path::Path;

use super::*;
use crate::decision::{Allowlist, Entry, EntryOrigin};

fn at(seconds: i64) -> Time {
    Time::from_seconds(seconds)
}

fn target(text: &str) -> Target {
    Allowlist::default().admit(crate::decision::parse_net(text).unwrap()).unwrap()
}

fn record(text: &str, until: i64) -> Record {
    Record {
        target: target(text),
        action: Action::Ban,
        origin: Origin::Scenario,
        reason: "ssh-bf".to_owned(),
        until: at(until),
        events: 5,
        story: None,
    }
}

fn open(path: &Path, now: i64) -> (Ledger, Opened) {
    Ledger::open(path, Options::default(), &Allowlist::default(), at(now)).unwrap()
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("ledger.db")
    }

    fn open(&self, now: i64) -> Ledger {
        open(&self.path(), now).0
    }
}

fn bans(changes: &[Change]) -> String {
    let end = |ban: &Ban| format!("{} until {}", ban.target, ban.until.seconds());
    let all = |list: Vec<String>| list.join(", ");
    let shown = changes.iter().map(|change| match change {
        Change::Ban(bans) => format!("ban {}", all(bans.iter().map(end).collect())),
        Change::Unban(targets) => {
            format!("unban {}", all(targets.iter().map(ToString::to_string).collect()))
        }
        Change::Replace(bans) => format!("replace {}", all(bans.iter().map(end).collect())),
        Change::Friends(_) => "friends".to_owned(),
    });
    shown.collect::<Vec<_>>().join("; ")
}

#[track_caller]
fn check(recorded: &Recorded, kept: Kept, changes: &str) {
    assert_eq!(recorded.kept.iter().map(|(_, kept)| *kept).collect::<Vec<_>>(), [kept]);
    assert_eq!(bans(&recorded.changes), changes);
}

#[test]
fn a_repeated_offence_prolongs_one_decision() {
    let folder = Folder::new();
    let mut ledger = folder.open(0);
    let first = ledger.record(vec![record("203.0.113.7", 100)], at(1));
    check(&first, Kept::Begun, "ban 203.0.113.7 until 100");
    let again = ledger.record(vec![record("203.0.113.7", 150)], at(50));
    check(&again, Kept::Extended, "ban 203.0.113.7 until 150");
    let shorter = ledger.record(vec![record("203.0.113.7", 120)], at(51));
    check(&shorter, Kept::Held, "");
    assert_eq!(first.kept[0].0, again.kept[0].0);
    let decision = ledger.get(target("203.0.113.7")).unwrap();
    assert_eq!((decision.events, decision.created_at, decision.until), (15, at(1), at(150)));
    assert_eq!(ledger.active(at(60)).count(), 1);
}

#[test]
fn after_its_end_a_decision_is_a_new_one() {
    let folder = Folder::new();
    let mut ledger = folder.open(0);
    let first = ledger.record(vec![record("203.0.113.7", 100)], at(1));
    let later = ledger.record(vec![record("203.0.113.7", 300)], at(200));
    check(&later, Kept::Begun, "ban 203.0.113.7 until 300");
    assert!(later.kept[0].0 > first.kept[0].0);
    assert_eq!(ledger.get(target("203.0.113.7")).unwrap().created_at, at(200));
}

#[test]
fn who_sets_the_end_gives_the_reason() {
    let folder = Folder::new();
    let mut ledger = folder.open(0);
    ledger.record(vec![record("203.0.113.7", 1000)], at(1));
    let manual = |until| Record {
        origin: Origin::Manual,
        reason: "by hand".to_owned(),
        ..record("203.0.113.7", until)
    };
    check(&ledger.record(vec![manual(90)], at(2)), Kept::Held, "");
    assert_eq!(ledger.get(target("203.0.113.7")).unwrap().reason, "ssh-bf");
    let longer = ledger.record(vec![manual(2000)], at(3));
    check(&longer, Kept::Extended, "ban 203.0.113.7 until 2000");
    let decision = ledger.get(target("203.0.113.7")).unwrap();
    assert_eq!((&*decision.reason, decision.origin), ("by hand", Origin::Manual));
}

#[test]
fn a_ban_replaces_an_observation_and_never_the_other_way_round() {
    let folder = Folder::new();
    let mut ledger = folder.open(0);
    let observed = |until| Record { action: Action::Observe, ..record("203.0.113.7", until) };
    check(&ledger.record(vec![observed(500)], at(1)), Kept::Begun, "");
    assert_eq!(bans(&[ledger.replace(at(2))]), "replace ");
    let banned = ledger.record(vec![record("203.0.113.7", 400)], at(2));
    check(&banned, Kept::Extended, "ban 203.0.113.7 until 400");
    check(&ledger.record(vec![observed(900)], at(3)), Kept::Held, "");
    assert_eq!(bans(&[ledger.replace(at(4))]), "replace 203.0.113.7 until 400");
    assert_eq!(bans(&[ledger.replace(at(400))]), "replace ");
}

#[test]
fn ending_and_expiring_tell_the_kernel_of_bans_only() {
    let folder = Folder::new();
    let mut ledger = folder.open(0);
    let observed = Record { action: Action::Observe, ..record("203.0.113.8", 100) };
    ledger.record(vec![record("203.0.113.7", 100), observed, record("203.0.113.9", 50)], at(1));
    let expired = ledger.expire(at(50));
    assert_eq!(bans(&Vec::from_iter(expired.change)), "unban 203.0.113.9");
    let ended = ledger.end(
        &[target("203.0.113.8"), target("203.0.113.7"), target("203.0.113.1")],
        Cause::Unbanned,
        at(60),
    );
    assert_eq!(ended.decisions.len(), 2);
    assert_eq!(bans(&Vec::from_iter(ended.change)), "unban 203.0.113.7");
    assert_eq!(ledger.expire(at(1000)), Ending::default());
    let ends: Vec<_> = ledger
        .ended_since(at(50), 10)
        .unwrap()
        .into_iter()
        .map(|ended| (ended.net.addr().to_string(), ended.cause, ended.ended_at.seconds()))
        .collect();
    assert_eq!(
        ends,
        [
            ("203.0.113.9".to_owned(), Cause::Expired, 50),
            ("203.0.113.7".to_owned(), Cause::Unbanned, 60),
            ("203.0.113.8".to_owned(), Cause::Unbanned, 60),
        ]
    );
}

#[test]
fn numbers_are_never_given_twice() {
    let folder = Folder::new();
    let options = Options { keep_ended: 0, ..Options::default() };
    let id = |now: i64| {
        let allowlist = Allowlist::default();
        let (mut ledger, _) = Ledger::open(&folder.path(), options, &allowlist, at(now)).unwrap();
        let id = ledger.record(vec![record("203.0.113.7", now + 5)], at(now)).kept[0].0;
        ledger.end(&[target("203.0.113.7")], Cause::Unbanned, at(now + 1));
        ledger.expire(at(now + 100));
        assert_eq!(ledger.ended_since(at(0), 10).unwrap(), [], "it was forgotten");
        id
    };
    assert_eq!([id(0), id(1000), id(2000)], [1, 2, 3]);
}

#[test]
fn history_keeps_the_first_step_and_the_latest() {
    let folder = Folder::new();
    let mut ledger = folder.open(0);
    for second in 1..100 {
        ledger.record(vec![record("203.0.113.7", 1000 + second)], at(second));
    }
    ledger.end(&[target("203.0.113.7")], Cause::Unbanned, at(100));
    let steps = ledger.history(target("203.0.113.7").net(), 1000).unwrap();
    assert_eq!(steps.len(), disk::KEPT_STEPS);
    assert_eq!((&*steps[0].what, steps[0].at), ("begun", at(1)));
    let last = steps.last().unwrap();
    assert_eq!((&*last.what, last.at, last.until), ("unbanned", at(100), at(1099)));
    assert_eq!(ledger.history(target("203.0.113.7").net(), 2).unwrap(), steps[30..]);
    assert_eq!(ledger.history(target("203.0.113.8").net(), 2).unwrap(), []);
}

#[test]
fn a_full_ledger_lets_go_of_what_ends_first() {
    let folder = Folder::new();
    let options = Options { capacity: 2, ..Options::default() };
    let (mut ledger, _) =
        Ledger::open(&folder.path(), options, &Allowlist::default(), at(0)).unwrap();
    ledger.record(vec![record("203.0.113.1", 50), record("203.0.113.2", 90)], at(1));
    let third = ledger.record(vec![record("203.0.113.3", 80)], at(2));
    check(&third, Kept::Begun, "unban 203.0.113.1; ban 203.0.113.3 until 80");
    assert_eq!((ledger.active(at(3)).count(), ledger.health().evicted), (2, 1));
}

#[test]
fn what_a_changed_allowlist_forbids_ends() {
    let folder = Folder::new();
    let friend = |net: &str| Entry {
        net: net.parse().unwrap(),
        origin: EntryOrigin::Settings,
        comment: "office".to_owned(),
        until: None,
    };
    let mut ledger = folder.open(0);
    let nets = ["203.0.113.1", "203.0.113.2", "198.51.100.1"];
    ledger.record(nets.iter().map(|net| record(net, 100)).collect(), at(1));
    drop(ledger);
    let all = Allowlist::new(vec![friend("203.0.113.0/24")]);
    let (ledger, opened) = Ledger::open(&folder.path(), Options::default(), &all, at(3)).unwrap();
    assert_eq!((opened.refused.len(), opened.active), (2, 1));
    assert_eq!(bans(&[ledger.replace(at(3))]), "replace 198.51.100.1 until 100");
    drop(ledger);
    let (ledger, opened) = open(&folder.path(), 4);
    assert_eq!((opened.refused.len(), opened.active), (0, 1), "the end was written");
    let ended = ledger.ended_since(at(3), 9).unwrap();
    assert_eq!(ended[0].cause, Cause::Allowlisted);
}

/// Prints what the operations cost: `cargo test --release ledger::tests::figures -- --ignored --nocapture`.
#[test]
#[ignore = "measures, and takes its time"]
fn figures() {
    let folder = Folder::new();
    let mut ledger = folder.open(0);
    let many = |from: u32, count: u32| -> Vec<Record> {
        (from..from + count)
            .map(|n| record(&std::net::Ipv4Addr::from(0x0B00_0000 + n).to_string(), 1_000_000))
            .collect()
    };
    let measure = |what: &str, run: &mut dyn FnMut()| {
        let begun = crate::system::clock::instant();
        run();
        println!("{what}: {:?}", begun.elapsed());
    };
    let singles = many(0, 1000);
    let bulk = many(10_000, 10_000);
    measure("1000 records, a transaction each", &mut || {
        for single in &singles {
            ledger.record(vec![single.clone()], at(1));
        }
    });
    measure("1000 extensions, a transaction each", &mut || {
        for single in &singles {
            ledger.record(vec![Record { until: at(2_000_000), ..single.clone() }], at(1));
        }
    });
    measure("10,000 records in one transaction", &mut || {
        ledger.record(bulk.clone(), at(1));
    });
    for round in 2..11 {
        ledger.record(many(round * 10_000, 10_000), at(1));
    }
    drop(ledger);
    let mut active = 0;
    measure("open with 101,000 active", &mut || active = open(&folder.path(), 2).1.active);
    assert_eq!(active, 101_000);
    println!("file: {} bytes", std::fs::metadata(folder.path()).unwrap().len());
}
