//! The ledger against a plain map, with the process gone at random points.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::*;
use super::{Folder, at, target};
use crate::decision::Family;

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
        Change::Friends(_) => {}
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
                            story: None,
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
