//! The ledger against a plain map, with the process gone at random points; and what can go wrong
//! with a file.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::decision::{Entry, EntryOrigin, Family};

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
    };
    let mut ledger = folder.open(0);
    let nets = ["203.0.113.1", "203.0.113.2", "198.51.100.1"];
    ledger.record(nets.iter().map(|net| record(net, 100)).collect(), at(1));
    let office = Allowlist::new(vec![friend("203.0.113.1/32")]);
    let (ending, refusals) = ledger.admit_again(&office, at(2));
    assert_eq!(bans(&Vec::from_iter(ending.change)), "unban 203.0.113.1");
    assert_eq!(
        refusals.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["`203.0.113.1` is on the allowlist: `203.0.113.1` (settings: office)"]
    );
    drop(ledger);
    let all = Allowlist::new(vec![friend("203.0.113.0/24")]);
    let (ledger, opened) = Ledger::open(&folder.path(), Options::default(), &all, at(3)).unwrap();
    assert_eq!((opened.refused.len(), opened.active), (1, 1));
    assert_eq!(bans(&[ledger.replace(at(3))]), "replace 198.51.100.1 until 100");
    drop(ledger);
    let (ledger, opened) = open(&folder.path(), 4);
    assert_eq!((opened.refused.len(), opened.active), (0, 1), "the end was written");
    let ended = ledger.ended_since(at(3), 9).unwrap();
    assert_eq!(ended[0].cause, Cause::Allowlisted);
}

#[test]
fn only_its_owner_may_read_it() {
    let folder = Folder::new();
    std::fs::write(folder.path(), "").unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o644)).unwrap();
    let mut ledger = folder.open(0);
    ledger.record(vec![record("203.0.113.7", 100)], at(1));
    for file in std::fs::read_dir(folder.0.path()).unwrap() {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", file.file_name());
    }
}

#[test]
fn a_full_disk_sets_nobody_free() {
    let folder = Folder::new();
    let mut ledger = folder.open(0);
    ledger.disk.limit(1);
    let long =
        |n: u32| Record { reason: "x".repeat(2000), ..record(&format!("203.0.113.{n}"), 100) };
    let recorded = ledger.record((0..200).map(long).collect(), at(1));
    assert!(matches!(&recorded.changes[..], [Change::Ban(bans)] if bans.len() == 200));
    let health = ledger.health();
    assert_eq!((health.unsaved, health.failures), (200, 1));
    assert!(health.trouble.unwrap().contains("full"));
    ledger.end(&[target("203.0.113.0")], Cause::Unbanned, at(1));
    assert_eq!(ledger.health().failures, 1, "no second try within the pause");
    ledger.expire(at(3));
    assert_eq!(ledger.health().failures, 2);
    ledger.disk.limit(1_000_000);
    ledger.expire(at(5));
    assert_eq!(ledger.health(), Health { failures: 2, ..Health::default() });
    drop(ledger);
    let (ledger, opened) = open(&folder.path(), 6);
    assert_eq!(opened.active, 199);
    assert_eq!(ledger.ended_since(at(0), 9).unwrap().len(), 1);
}

#[test]
fn a_file_that_is_no_database_is_set_aside() {
    let folder = Folder::new();
    std::fs::write(folder.path(), "not a database at all, but long enough to look at\n".repeat(99))
        .unwrap();
    let (mut ledger, opened) = open(&folder.path(), 7);
    let damage = opened.damage.unwrap();
    assert_eq!(damage.why, "file is not a database");
    assert_eq!(damage.set_aside, folder.0.path().join("ledger.db.damaged-7"));
    assert!(!damage.is_complete);
    assert!(std::fs::read_to_string(&damage.set_aside).unwrap().starts_with("not a database"));
    ledger.record(vec![record("203.0.113.7", 100)], at(8));
    drop(ledger);
    assert_eq!(open(&folder.path(), 9).1.active, 1);
}

#[test]
fn what_can_be_read_of_a_damaged_ledger_is_taken_over() {
    use std::os::unix::fs::FileExt;
    let folder = Folder::new();
    let mut ledger = folder.open(0);
    ledger.record((0..250).map(|n| record(&format!("203.0.113.{n}"), 100)).collect(), at(1));
    drop(ledger);
    // The page of the index by target, found by the number of its root.
    let root: u64 = rusqlite::Connection::open(folder.path())
        .unwrap()
        .query_row(
            "SELECT rootpage FROM sqlite_schema WHERE name = 'decisions_target'",
            [],
            |row| row.get::<_, i64>(0),
        )
        .map(|page| page as u64)
        .unwrap();
    let file = std::fs::OpenOptions::new().write(true).open(folder.path()).unwrap();
    file.write_all_at(&[0xAA; 4096], (root - 1) * 4096).unwrap();
    drop(file);
    let (mut ledger, opened) = open(&folder.path(), 7);
    assert!(opened.damage.unwrap().is_complete);
    assert_eq!(opened.active, 250);
    let next = ledger.record(vec![record("198.51.100.1", 100)], at(8));
    assert_eq!(next.kept, [(251, Kept::Begun)]);
    drop(ledger);
    let (_, opened) = open(&folder.path(), 9);
    assert_eq!((opened.active, opened.damage), (251, None));
}

#[test]
fn a_row_that_nobody_understands_ends_and_is_told() {
    let folder = Folder::new();
    let mut ledger = folder.open(0);
    ledger.record(vec![record("203.0.113.7", 100), record("203.0.113.8", 100)], at(1));
    drop(ledger);
    rusqlite::Connection::open(folder.path())
        .unwrap()
        .execute_batch(
            "UPDATE decisions SET target = 'example.com' WHERE id = 1;
             INSERT INTO decisions VALUES (9, '203.0.113.9/32', 'hug', 'manual', '', 0, 9, 0, NULL, NULL);",
        )
        .unwrap();
    let (ledger, opened) = open(&folder.path(), 2);
    assert_eq!((opened.active, opened.unreadable.len()), (1, 2), "{:?}", opened.unreadable);
    assert!(opened.unreadable[1].contains("unknown word `hug`"), "{:?}", opened.unreadable);
    drop(ledger);
    assert_eq!(open(&folder.path(), 3).1.unreadable, [""; 0]);
}

#[track_caller]
fn check_refused(prepare: &str, expected: &str) {
    let folder = Folder::new();
    rusqlite::Connection::open(folder.path()).unwrap().execute_batch(prepare).unwrap();
    let refused =
        Ledger::open(&folder.path(), Options::default(), &Allowlist::default(), at(0)).err();
    let message = refused.unwrap().to_string().replace(&folder.path().display().to_string(), "F");
    assert_eq!(message, expected);
}

#[test]
fn the_databases_of_others_are_left_alone() {
    check_refused(
        "CREATE TABLE foo (bar)",
        "`F` is a database of another program: name another file for the ledger",
    );
    check_refused(
        "PRAGMA application_id = 0x57656972; PRAGMA user_version = 9",
        "the ledger `F` was written by a newer Weir (schema 9, this one knows 1): \
         start that one, or move the file away",
    );
    let nowhere = Path::new("/nonexistent/ledger.db");
    let error = Ledger::open(nowhere, Options::default(), &Allowlist::default(), at(0)).err();
    assert_eq!(
        error.unwrap().to_string(),
        "cannot use the ledger `/nonexistent/ledger.db`: No such file or directory (os error 2)"
    );
}

#[derive(Clone, Debug)]
enum Operation {
    Record(Vec<(u8, bool, bool, i64)>),
    End(u8),
    Wait(i64),
    Reopen,
    Die,
}

fn any_operation() -> impl Strategy<Value = Operation> {
    let records =
        proptest::collection::vec((0_u8..6, any::<bool>(), any::<bool>(), 1_i64..40), 0..4);
    prop_oneof![
        4 => records.prop_map(Operation::Record),
        2 => (0_u8..6).prop_map(Operation::End),
        2 => (0_i64..30).prop_map(Operation::Wait),
        1 => Just(Operation::Reopen),
        1 => Just(Operation::Die),
    ]
}

/// What the ledger must hold: action, end and events by target.
type Model = BTreeMap<Target, (Action, Time, u64)>;

fn some_target(n: u8) -> Target {
    match n {
        0 => target("203.0.113.0/24"),
        1 => target("2001:db8::/64"),
        2 => target("2001:db8::7"),
        n => target(&format!("203.0.113.{n}")),
    }
}

fn model_record(model: &mut Model, record: &Record, now: Time) {
    let known = model.get(&record.target).copied().filter(|(_, until, _)| *until > now);
    let (action, until, events) = match known {
        None => (record.action, record.until, 0),
        Some((Action::Observe, _, events)) if record.action == Action::Ban => {
            (Action::Ban, record.until, events)
        }
        Some((action, until, events)) if record.action != action => (action, until, events),
        Some((action, until, events)) => (action, until.max(record.until), events),
    };
    model.insert(record.target, (action, until, events + record.events));
}

/// What the kernel has after it was told the changes.
fn apply(kernel: &mut BTreeMap<Target, Time>, change: &Change) {
    match change {
        Change::Ban(bans) => kernel.extend(bans.iter().map(|ban| (ban.target, ban.until))),
        Change::Unban(targets) => kernel.retain(|target, _| !targets.contains(target)),
        Change::Replace(bans) => {
            *kernel = bans.iter().map(|ban| (ban.target, ban.until)).collect();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn equals_a_map_whatever_happens(operations in proptest::collection::vec(any_operation(), 0..24)) {
        let folder = Folder::new();
        let mut ledger = folder.open(0);
        let mut now = at(0);
        let mut model = Model::new();
        let mut kernel = BTreeMap::new();
        for operation in operations {
            match operation {
                Operation::Record(records) => {
                    let records: Vec<Record> = records
                        .into_iter()
                        .map(|(who, bans, is_manual, last)| Record {
                            target: some_target(who),
                            action: if bans { Action::Ban } else { Action::Observe },
                            origin: if is_manual { Origin::Manual } else { Origin::Scenario },
                            reason: "ssh-bf".to_owned(),
                            until: now.plus(last * 1_000_000_000),
                            events: 3,
                        })
                        .collect();
                    records.iter().for_each(|record| model_record(&mut model, record, now));
                    for change in ledger.record(records, now).changes {
                        apply(&mut kernel, &change);
                    }
                }
                Operation::End(who) => {
                    model.remove(&some_target(who));
                    let ending = ledger.end(&[some_target(who)], Cause::Unbanned, now);
                    ending.change.iter().for_each(|change| apply(&mut kernel, change));
                }
                Operation::Wait(seconds) => {
                    now = now.plus(seconds * 1_000_000_000);
                    model.retain(|_, (_, until, _)| *until > now);
                    let ending = ledger.expire(now);
                    ending.change.iter().for_each(|change| apply(&mut kernel, change));
                }
                Operation::Reopen => {
                    drop(ledger);
                    ledger = folder.open(now.seconds());
                }
                Operation::Die => {
                    // As a kill leaves it: the files as they are, no connection closed.
                    let dead = Folder::new();
                    for suffix in ["", "-wal"] {
                        let name = format!("ledger.db{suffix}");
                        let from = folder.0.path().join(&name);
                        if from.exists() {
                            std::fs::copy(from, dead.0.path().join(name)).unwrap();
                        }
                    }
                    let survivor = dead.open(now.seconds());
                    prop_assert_eq!(survivor.replace(now), ledger.replace(now));
                }
            }
            let held: Model = ledger
                .active(now)
                .map(|decision| (decision.target, (decision.action, decision.until, decision.events)))
                .collect();
            prop_assert_eq!(&held, &model);
            let mut wanted = BTreeMap::new();
            apply(&mut wanted, &ledger.replace(now));
            prop_assert_eq!(&kernel, &wanted);
            let counted: u64 = [Family::V4, Family::V6]
                .into_iter()
                .flat_map(|family| [(family, Action::Ban), (family, Action::Observe)])
                .map(|(family, action)| ledger.counts().get(family, action))
                .sum();
            prop_assert_eq!(counted, held.len() as u64);
        }
    }
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
