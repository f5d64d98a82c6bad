use tokio::sync::oneshot;

use super::*;
use crate::decide::{Measures, Observe, Policy, Profiles, Story};
use crate::decision::{Action, Allowlist, Entry, EntryOrigin, defaults};
use crate::lapi::PushedSource;
use crate::ledger::{AlertOrigin, AlertsWanted, Feed, Ledger, Options};

const HOUR: i64 = 3_600_000_000_000;

fn at(seconds: i64) -> Time {
    Time::from_seconds(1_700_000_000 + seconds)
}

struct Court {
    judge: Judge,
    feed: Feed,
    _folder: tempfile::TempDir,
}

impl Court {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        let mut entries = defaults(&[], false);
        entries.push(Entry {
            net: parse_net("203.0.113.99").unwrap(),
            origin: EntryOrigin::Settings,
            comment: "office".to_owned(),
            until: None,
        });
        let policy = Policy {
            allowlist: Allowlist::new(entries),
            profiles: Profiles::standard(4 * HOUR),
            observe: Observe::Nothing,
            duration: HOUR,
            measures: Measures::default(),
        };
        let ledger = Ledger::open(&path, Options::default(), &policy.allowlist, at(0)).unwrap().0;
        let feed = Feed::open(&path).unwrap();
        Self { judge: Judge::new(policy, ledger), feed, _folder: folder }
    }

    fn ask<T>(
        &mut self,
        order: impl FnOnce(oneshot::Sender<Told<T>>) -> Order,
        now: i64,
    ) -> (Told<T>, usize) {
        let (reply, mut told) = oneshot::channel();
        let changes = answer(&mut self.judge, &World::default(), order(reply), at(now));
        (told.try_recv().expect("an answer"), changes.len())
    }

    fn push(&mut self, alerts: Vec<Pushed>, now: i64) -> Vec<u64> {
        let machine = "edge-1".to_owned();
        self.ask(|reply| Order::Push { machine, alerts, reply }, now).0.unwrap()
    }

    fn end(&mut self, fit: Fit, now: i64) -> EndedSome {
        self.ask(|reply| Order::EndDecisions { fit, reply }, now).0.unwrap()
    }

    fn delete(&mut self, alerts: &[u64], now: i64) -> usize {
        let alerts = alerts.to_vec();
        self.ask(|reply| Order::DeleteAlerts { alerts, reply }, now).0.unwrap()
    }

    /// What holds: whom, for how many seconds, why.
    fn holds(&self, now: i64) -> Vec<(String, i64, String)> {
        let active = self.judge.ledger().active(at(now));
        active
            .map(|one| {
                let left = one.until.since(at(now)) / 1_000_000_000;
                (one.target.to_string(), left, one.reason.clone())
            })
            .collect()
    }

    /// The alerts that are told: number, decisions.
    fn alerts(&self) -> Vec<(u64, Vec<u64>)> {
        let all = self.feed.alerts(&AlertsWanted::default(), u64::MAX, false, 99).unwrap();
        let decisions = |alert: &crate::ledger::FollowedAlert| {
            alert.decisions.iter().map(|one| one.id).collect()
        };
        all.iter().map(|alert| (alert.id(), decisions(alert))).collect()
    }
}

fn seen(scope: &str, value: &str) -> Pushed {
    Pushed {
        scenario: "crowdsecurity/ssh-bf".to_owned(),
        message: "it was seen".to_owned(),
        events_count: 6,
        capacity: 5,
        leakspeed: "10s".to_owned(),
        start_at: Some(at(-30)),
        stop_at: Some(at(-10)),
        remediation: true,
        source: PushedSource {
            scope: scope.to_owned(),
            value: value.to_owned(),
            ..PushedSource::default()
        },
        ..Pushed::default()
    }
}

fn asked(decisions: &[[&str; 3]], duration: i64) -> Pushed {
    let decision = |[kind, scope, value]: &[&str; 3]| PushedDecision {
        kind: (*kind).to_owned(),
        scope: (*scope).to_owned(),
        value: (*value).to_owned(),
        scenario: "by hand".to_owned(),
        duration,
    };
    let decisions = decisions.iter().map(decision).collect();
    Pushed { decisions, ..seen("Ip", "203.0.113.7") }
}

fn held(who: &str, left: i64, why: &str) -> (String, i64, String) {
    (who.to_owned(), left, why.to_owned())
}

#[test]
fn what_a_machine_saw_is_decided_as_if_it_was_seen_here() {
    let mut court = Court::new();
    let alerts = vec![
        seen("Ip", "203.0.113.7"),
        seen("Ip", "203.0.113.99"),
        Pushed { remediation: false, ..seen("Ip", "203.0.113.8") },
        Pushed { simulated: true, ..seen("Ip", "203.0.113.9") },
        seen("Country", "FR"),
        seen("Ip", "203.0.113.7"),
        seen("Range", "198.51.100.0/24"),
    ];
    assert_eq!(court.push(alerts, 0), [1, 2, 3, 4, 5, 6, 7]);
    let why = "crowdsecurity/ssh-bf";
    let expected = [
        held("198.51.100.0/24", 14_400, why),
        held("203.0.113.7", 14_400, why),
        held("203.0.113.9", 14_400, why),
    ];
    assert_eq!(court.holds(0), expected);
    let action = |net: &str| {
        let mut held = court.judge.ledger().inside(parse_net(net).unwrap());
        held.next().unwrap().action
    };
    assert_eq!(["203.0.113.7", "203.0.113.9"].map(action), [Action::Ban, Action::Observe]);
    // Each is kept, with what came of it.
    let alerts = court.alerts();
    let [.., (4, fourth), (3, third), (2, second), (1, first)] = &alerts[..] else { panic!() };
    assert_eq!((second.len(), third.len(), fourth.len()), (0, 0, 1));
    assert_eq!(alerts[1], (6, first.clone()), "the same decision holds");
    // Whoever asks why is told who reported it.
    let told = court.judge.ledger().stories(first[0]).unwrap();
    assert_eq!(Story::read(&told[0].story).unwrap().machine, "edge-1");
    let refused = court.judge.ledger().refusals(parse_net("203.0.113.99").unwrap(), 9).unwrap();
    assert!(refused[0].story.as_ref().unwrap().contains("edge-1"));
}

#[test]
fn what_an_operator_there_asks_for_ends_when_they_say() {
    let mut court = Court::new();
    let hand = asked(
        &[
            ["ban", "Ip", "203.0.113.7"],
            ["Ban", "Range", "30.1.2.3/16"],
            ["ban", "Ip", "2001:db8::7"],
            ["ban", "Ip", "203.0.113.99"],
            ["ban", "Ip", "10.0.0.1"],
            ["ban", "Ip", "203.0.113.07"],
            ["ban", "Ip", "nobody"],
            ["captcha", "Ip", "203.0.113.8"],
            ["captcha", "Ip", "203.0.113.99"],
            ["ban", "Country", "FR"],
        ],
        HOUR,
    );
    assert_eq!(court.push(vec![hand], 0), [1]);
    let expected = [
        held("30.1.0.0/16", 3_590, "by hand"),
        held("203.0.113.7", 3_590, "by hand"),
        held("2001:db8::7", 3_590, "by hand"),
    ];
    assert_eq!(court.holds(0), expected);
    assert_eq!(court.judge.statistics().refused["not_an_address"], 2);
    assert_eq!(court.judge.statistics().refused["allowlisted"], 2);
    let others: Vec<_> = court.judge.ledger().others(at(0)).map(|(_, one)| one.key()).collect();
    assert_eq!(others, ["captcha/Ip/203.0.113.8", "ban/Country/FR"]);
    assert_eq!(court.alerts(), [(1, vec![2, 3, 4, 5, 6])]);
    // What was over before it came is not begun.
    court.push(vec![asked(&[["ban", "Ip", "203.0.113.5"]], 5_000_000_000)], 0);
    assert_eq!(court.holds(0).len(), 3);
    assert_eq!(court.alerts()[0].1, [0; 0]);
    let AlertOrigin::Pushed(stored) = court.feed.alert(1).unwrap().unwrap().origin else {
        panic!()
    };
    assert_eq!((&*stored.machine, &*stored.kind, stored.stop_at), ("edge-1", "cscli", at(-10)));
}

#[test]
fn what_is_simulated_bans_nobody() {
    let mut court = Court::new();
    let all = [["ban", "Ip", "203.0.113.7"], ["captcha", "Ip", "203.0.113.7"]];
    let simulated = Pushed { simulated: true, ..asked(&all, HOUR) };
    let machine = "edge-1".to_owned();
    let order = |reply| Order::Push { machine, alerts: vec![simulated], reply };
    let (told, n_changes) = court.ask(order, 0);
    assert_eq!((told, n_changes), (Ok(vec![1]), 0));
    assert_eq!(court.judge.ledger().active(at(0)).next().unwrap().action, Action::Observe);
    assert_eq!(court.judge.ledger().others(at(0)).count(), 0);
}

#[test]
fn decisions_end_and_alerts_go() {
    let mut court = Court::new();
    court.judge.ban(&[parse_net("203.0.113.1").unwrap()], None, "ours", at(0));
    let all = [
        ["ban", "Ip", "203.0.113.1"],
        ["ban", "Ip", "203.0.113.2"],
        ["ban", "Ip", "203.0.113.3"],
        ["captcha", "Ip", "203.0.113.2"],
    ];
    assert_eq!(court.push(vec![asked(&all, HOUR)], 0), [2]);
    assert_eq!(court.alerts(), [(2, vec![1, 3, 4, 5]), (1, vec![1])]);
    let some = |count| EndedSome { count, has_more: false };
    let of = |query: &str| Fit::of_query(query).unwrap();
    assert_eq!(court.end(of("ip=203.0.113.3"), 1), some(1));
    assert_eq!(court.end(of("ip=203.0.113.3"), 1), some(0));
    assert_eq!(court.end(of("type=captcha&origin=cscli&scenario=by%20hand"), 1), some(1));
    assert_eq!(court.holds(1).len(), 2);
    // Ours stays when the alert of the machine goes, and goes with its own.
    assert_eq!(court.delete(&[2, 7], 2), 1);
    assert_eq!(court.holds(2), [held("203.0.113.1", 3_598, "ours")]);
    assert_eq!(court.alerts(), [(1, vec![1])]);
    assert_eq!(court.delete(&[1], 3), 1);
    assert_eq!((court.holds(3), court.alerts()), (vec![], vec![]));
    assert_eq!(court.delete(&[1, 2], 4), 0);
}

#[test]
fn much_ends_a_part_at_a_time() {
    let mut court = Court::new();
    let nets: Vec<_> = (0..2_500_u32)
        .map(|n| parse_net(&format!("11.0.{}.{}", n >> 8, n & 255)).unwrap())
        .collect();
    court.judge.ban(&nets, None, "ours", at(0));
    let ends = [true, true, false, false].map(|has_more| {
        let ended = court.end(Fit::default(), 1);
        assert_eq!(ended.has_more, has_more);
        ended.count
    });
    assert_eq!(ends, [1_000, 1_000, 500, 0]);
}

#[test]
fn an_alert_with_very_many_decisions_is_deleted_whole() {
    let mut court = Court::new();
    let values: Vec<String> =
        (0..3_000_u32).map(|n| format!("11.0.{}.{}", n >> 8, n & 255)).collect();
    let all: Vec<_> = values.iter().map(|value| ["ban", "Ip", value.as_str()]).collect();
    assert_eq!(court.push(vec![asked(&all, HOUR)], 0), [1]);
    assert_eq!(court.holds(0).len(), 3_000);
    assert_eq!(court.delete(&[1], 1), 1);
    assert_eq!(court.holds(1), []);
}
