//! Alerts beside decisions: kept, read by pages, deleted, forgotten.

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::*;
use super::{Folder, at, record, target};

fn alert(id: u64, now: i64) -> StoredAlert {
    StoredAlert {
        id,
        machine: "edge".to_owned(),
        created_at: at(now),
        start_at: at(now - 5),
        stop_at: at(now),
        scenario: "ssh-bf".to_owned(),
        scope: "Ip".to_owned(),
        value: "203.0.113.7".to_owned(),
        kind: "crowdsec".to_owned(),
        simulated: false,
        body: "{}".to_owned(),
    }
}

/// Pushes an alert that asks for bans of these; gives its number.
fn push(ledger: &mut Ledger, nets: &[&str], until: i64, now: i64) -> u64 {
    let id = ledger.next_number();
    let records = nets.iter().map(|net| record(net, until)).collect();
    let decisions = ledger.record(records, at(now)).kept.iter().map(|(id, _)| *id).collect();
    ledger.keep_alerts(&[(alert(id, now), decisions)]).unwrap();
    id
}

/// What whoever asks is told: number, whether it was pushed, decisions.
fn told(folder: &Folder, wanted: &AlertsWanted) -> Vec<(u64, bool, Vec<u64>)> {
    let feed = Feed::open(&folder.path()).unwrap();
    let page = feed.alerts(wanted, u64::MAX, false, 1_000).unwrap();
    for alert in &page {
        assert_eq!(feed.alert(alert.id()).unwrap().as_ref(), Some(alert));
    }
    page.iter().map(shown).collect()
}

fn shown(alert: &FollowedAlert) -> (u64, bool, Vec<u64>) {
    let is_pushed = matches!(alert.origin, AlertOrigin::Pushed(_));
    (alert.id(), is_pushed, alert.decisions.iter().map(|one| one.id).collect())
}

fn all() -> AlertsWanted {
    AlertsWanted::default()
}

#[test]
fn a_decision_is_its_own_alert_unless_a_pushed_one_began_it() {
    let folder = Folder::new();
    let mut ledger = folder.open(0);
    ledger.record(vec![record("203.0.113.1", 100)], at(1));
    assert_eq!(push(&mut ledger, &["203.0.113.1", "203.0.113.2"], 90, 2), 2);
    assert_eq!(push(&mut ledger, &["203.0.113.2"], 95, 3), 4);
    assert_eq!(push(&mut ledger, &[], 0, 4), 5);
    let expected =
        [(5, true, vec![]), (4, true, vec![3]), (2, true, vec![1, 3]), (1, false, vec![1])];
    assert_eq!(told(&folder, &all()), expected);
    // Numbers go on behind those of alerts, also when the last ones are gone.
    ledger.forget_alerts(&[5]).unwrap();
    drop(ledger);
    let mut ledger = folder.open(5);
    assert_eq!(ledger.next_number(), 6);
    assert_eq!(told(&folder, &all()), expected[1..]);
    let feed = Feed::open(&folder.path()).unwrap();
    assert_eq!(feed.alert(5).unwrap(), None);
    assert_eq!(feed.alert(3).unwrap(), None, "it has an alert");
    assert!(feed.has_decision(3).unwrap() && !feed.has_decision(2).unwrap());
}

#[test]
fn an_alert_whose_decision_is_not_on_disk_is_kept() {
    let folder = Folder::new();
    let mut ledger = folder.open(0);
    let id = ledger.next_number();
    ledger.keep_alerts(&[(alert(id, 1), vec![77])]).unwrap();
    assert_eq!(told(&folder, &all()), [(id, true, vec![])]);
}

#[test]
fn who_deletes_alerts_ends_what_nobody_else_asked_for() {
    let folder = Folder::new();
    let mut ledger = folder.open(0);
    ledger.record(vec![record("203.0.113.1", 100)], at(1));
    let first = push(&mut ledger, &["203.0.113.1", "203.0.113.2"], 90, 2);
    let second = push(&mut ledger, &["203.0.113.2", "203.0.113.3"], 95, 3);
    let behind = |ledger: &Ledger, alerts: &[u64]| {
        let behind = ledger.behind_alerts(alerts).unwrap();
        (behind.n_found, behind.decisions)
    };
    assert_eq!((first, second), (2, 4));
    assert_eq!(behind(&ledger, &[first]), (1, vec![]), "ours, and another's");
    assert_eq!(behind(&ledger, &[second]), (1, vec![5]));
    assert_eq!(behind(&ledger, &[first, second]), (2, vec![3, 3, 5]));
    assert_eq!(behind(&ledger, &[1]), (1, vec![]), "a machine reported it as well");
    assert_eq!(behind(&ledger, &[1, first]), (2, vec![1]));
    assert_eq!(behind(&ledger, &[3, 99]), (0, vec![]), "that is no alert");
    assert_eq!(ledger.forget_alerts(&[1, first, 3, 99]).unwrap(), 2);
    assert_eq!(told(&folder, &all()), [(4, true, vec![3, 5])]);
    assert_eq!(ledger.forget_alerts(&[1, first]).unwrap(), 0);
    assert!(ledger.get(target("203.0.113.1")).is_some(), "nothing ends by itself");
    drop(ledger);
    assert_eq!(folder.open(9).active(at(9)).count(), 3);
}

#[test]
fn old_alerts_are_forgotten_and_what_holds_is_still_shown() {
    let folder = Folder::new();
    let mut ledger = folder.open(0);
    let week = 7 * 86_400;
    push(&mut ledger, &["203.0.113.1", "203.0.113.2"], 3 * week, 1);
    push(&mut ledger, &["203.0.113.2"], 3 * week, 2);
    push(&mut ledger, &["203.0.113.9"], 10, 3);
    ledger.expire(at(20));
    assert_eq!(told(&folder, &all()).len(), 3);
    let mut ledger = {
        drop(ledger);
        folder.open(week + 20)
    };
    ledger.expire(at(week + 21));
    assert_eq!(told(&folder, &all()), [(3, false, vec![3]), (2, false, vec![2])]);
}

#[test]
fn too_many_alerts_are_forgotten_from_the_oldest_on() {
    let folder = Folder::new();
    let mut ledger = folder.open(0);
    let alerts: Vec<_> = (0..20_300).map(|_| (alert(ledger.next_number(), 1), vec![])).collect();
    ledger.keep_alerts(&alerts).unwrap();
    let mut ledger = {
        drop(ledger);
        folder.open(2)
    };
    for second in 0..10 {
        ledger.expire(at(100 + second));
    }
    let feed = Feed::open(&folder.path()).unwrap();
    assert_eq!(feed.alerts(&all(), 0, true, 1).unwrap()[0].id(), 301);
}

#[derive(Clone, Debug)]
enum Deed {
    Ban(u8, i64),
    List(u8, i64),
    Push(Vec<u8>, i64),
    End(u8),
    Delete(u64),
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        (0_u8..5, 1_i64..60).prop_map(|(who, until)| Deed::Ban(who, until)),
        (0_u8..5, 1_i64..60).prop_map(|(who, until)| Deed::List(who, until)),
        (vec(0_u8..5, 0..3), 1_i64..60).prop_map(|(who, until)| Deed::Push(who, until)),
        (0_u8..5).prop_map(Deed::End),
        (1_u64..20).prop_map(Deed::Delete),
    ]
}

fn wanted() -> impl Strategy<Value = AlertsWanted> {
    let time = || proptest::option::of((0_i64..50).prop_map(at));
    let net = proptest::option::of((0_u8..5, 30_u8..33).prop_map(|(who, length)| {
        ipnet::IpNet::new(std::net::Ipv4Addr::new(203, 0, 113, who).into(), length).unwrap()
    }));
    let active = proptest::option::of((any::<bool>(), (0_i64..60).prop_map(at)));
    (active, any::<bool>(), net, time(), time()).prop_map(
        |(active, without_lists, around, created_since, created_until)| AlertsWanted {
            active,
            without_lists,
            around,
            created_since,
            created_until,
        },
    )
}

/// What the answer must be, from all alerts.
fn fits(alert: &FollowedAlert, wanted: &AlertsWanted) -> bool {
    let is_own = matches!(alert.origin, AlertOrigin::Own { .. });
    let created_at = match &alert.origin {
        AlertOrigin::Pushed(stored) => stored.created_at,
        AlertOrigin::Own { .. } => alert.decisions[0].created_at,
    };
    let is_active = match wanted.active {
        None => true,
        Some((false, _)) => alert.decisions.is_empty(),
        Some((true, now)) => {
            alert.decisions.iter().any(|one| one.ended_at.is_none() && one.until > now)
        }
    };
    is_active
        && wanted.created_since.is_none_or(|since| created_at >= since)
        && wanted.created_until.is_none_or(|until| created_at <= until)
        && !(is_own && wanted.without_lists && alert.decisions[0].origin == Origin::List)
        && wanted.around.is_none_or(|net| {
            // Of pushed ones whoever reads looks at that.
            !is_own || alert.decisions[0].net().is_some_and(|held| held.contains(&net.trunc()))
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn pages_hold_each_wanted_alert_once_in_order(
        deeds in vec(deed(), 1..25),
        wanted in wanted(),
        limit in 1_u32..5,
    ) {
        let folder = Folder::new();
        let mut ledger = folder.open(0);
        let net = |who: u8| format!("203.0.113.{who}");
        for (deed, now) in deeds.into_iter().zip(1..) {
            match deed {
                Deed::Ban(who, until) => drop(ledger.record(vec![record(&net(who), until)], at(now))),
                Deed::List(who, until) => {
                    let listed = Record { origin: Origin::List, ..record(&net(who), until) };
                    ledger.record(vec![listed], at(now));
                }
                Deed::Push(who, until) => {
                    let nets: Vec<String> = who.into_iter().map(net).collect();
                    let nets: Vec<&str> = nets.iter().map(String::as_str).collect();
                    push(&mut ledger, &nets, until, now);
                }
                Deed::End(who) => drop(ledger.end(&[target(&net(who))], Cause::Unbanned, at(now))),
                Deed::Delete(id) => drop(ledger.forget_alerts(&[id]).unwrap()),
            }
        }
        let feed = Feed::open(&folder.path()).unwrap();
        let every = feed.alerts(&all(), u64::MAX, false, 1_000).unwrap();
        let mut numbers: Vec<u64> = every.iter().map(FollowedAlert::id).collect();
        prop_assert!(numbers.is_sorted_by(|a, b| a > b), "{numbers:?}");
        numbers.dedup();
        prop_assert_eq!(numbers.len(), every.len());
        let mut expected: Vec<&FollowedAlert> =
            every.iter().filter(|alert| fits(alert, &wanted)).collect();
        for ascending in [false, true] {
            let mut from = if ascending { 0 } else { u64::MAX };
            let mut found = Vec::new();
            loop {
                let page = feed.alerts(&wanted, from, ascending, limit).unwrap();
                prop_assert!(page.len() <= limit as usize);
                let Some(last) = page.last() else { break };
                from = last.id();
                found.extend(page);
            }
            prop_assert_eq!(found.iter().collect::<Vec<_>>(), expected.clone());
            expected.reverse();
        }
    }
}
