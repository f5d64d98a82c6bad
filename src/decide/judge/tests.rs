//! Overflows and operators before a judge with a ledger in a temporary folder.

use proptest::prelude::*;

use super::*;
use crate::decide::profile::tests::overflow;
use crate::decide::{ByDecision, Profile, Query, Sentence};
use crate::decision::{Entry, EntryOrigin, Family, Origin, defaults, parse_net};
use crate::ledger::{Ban, Options};

pub(crate) fn at(seconds: i64) -> Time {
    Time::from_seconds(seconds)
}

pub(crate) fn hours(hours: i64) -> i64 {
    hours * 3_600_000_000_000
}

pub(crate) fn friends(more: &[&str]) -> Allowlist {
    let mut entries = defaults(&[], false);
    entries.extend(more.iter().map(|net| Entry {
        net: parse_net(net).unwrap(),
        origin: EntryOrigin::Settings,
        comment: "office".to_owned(),
        until: None,
    }));
    Allowlist::new(entries)
}

pub(crate) fn policy() -> Policy {
    Policy {
        allowlist: friends(&[]),
        profiles: Profiles::standard(hours(4)),
        observe: Observe::Nothing,
        duration: hours(4),
        measures: Measures::default(),
    }
}

/// A judge, and the folder that its ledger is in.
pub(crate) struct Court {
    pub(crate) judge: Judge,
    folder: tempfile::TempDir,
}

impl Court {
    pub(crate) fn new(policy: Policy) -> Self {
        Self::over(policy, tempfile::tempdir().unwrap(), at(0))
    }

    /// The judge of the next process, over the same ledger.
    pub(crate) fn again(self, policy: Policy, now: Time) -> Self {
        let Self { judge, folder } = self;
        drop(judge);
        Self::over(policy, folder, now)
    }

    fn over(policy: Policy, folder: tempfile::TempDir, now: Time) -> Self {
        let path = folder.path().join("ledger.db");
        let ledger = Ledger::open(&path, Options::default(), &policy.allowlist, now).unwrap().0;
        Self { judge: Judge::new(policy, ledger), folder }
    }

    fn decide(&mut self, scenario: &str, sources: &[(&str, &str)], now: i64) -> Decided {
        self.judge.decide(&overflow(scenario, sources), &World::default(), at(now))
    }
}

pub(crate) fn net(text: &str) -> IpNet {
    parse_net(text).unwrap()
}

fn shown(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Decided { id, target, action, kept } => {
            format!("{id} {target} {} {kept:?}", action.name())
        }
        Outcome::Refused(refusal) => refusal.to_string(),
        Outcome::NotAnAddress { scope, value } => format!("{scope} `{value}` is no address"),
        other => format!("{other:?}"),
    }
}

fn bans(changes: &[Change]) -> Vec<(String, i64)> {
    let all = changes.iter().flat_map(|change| match change {
        Change::Ban(bans) | Change::Replace(bans) => bans.clone(),
        Change::Unban(_) | Change::Friends(_) => Vec::new(),
    });
    all.map(|Ban { target, until }| (target.to_string(), until.seconds())).collect()
}

#[track_caller]
fn check(decided: &Decided, outcomes: &[&str], banned: &[(&str, i64)]) {
    assert_eq!(decided.outcomes.iter().map(shown).collect::<Vec<_>>(), outcomes);
    let banned: Vec<_> = banned.iter().map(|(who, until)| ((*who).to_owned(), *until)).collect();
    assert_eq!(bans(&decided.changes), banned);
}

#[test]
fn several_overflows_are_one_change_with_the_outcomes_of_each() {
    let mut court = Court::new(policy());
    let first = overflow("ssh-bf", &[("Ip", "203.0.113.7")]);
    let friend = overflow("ssh-bf", &[("Ip", "127.0.0.1")]);
    let two = overflow("http-bf", &[("Ip", "203.0.113.9"), ("Range", "198.51.100.0/24")]);
    let (outcomes, changes) =
        court.judge.decide_together(&[&first, &friend, &two], &World::default(), at(100));
    let shown: Vec<Vec<String>> =
        outcomes.iter().map(|outcomes| outcomes.iter().map(shown).collect()).collect();
    assert_eq!(shown[0], ["1 203.0.113.7 ban Begun"]);
    assert!(outcomes[1][0].refusal() == Some("allowlisted") && !outcomes[1][0].is_news());
    assert_eq!(shown[2], ["2 203.0.113.9 ban Begun", "3 198.51.100.0/24 ban Begun"]);
    assert_eq!((changes.len(), bans(&changes).len()), (1, 3));
    assert_eq!(court.judge.decide_together(&[], &World::default(), at(100)).1, []);
}

#[test]
fn an_overflow_becomes_a_ban_from_now_on() {
    let mut court = Court::new(policy());
    let first = court.decide("ssh-bf", &[("Ip", "203.0.113.7")], 100);
    check(&first, &["1 203.0.113.7 ban Begun"], &[("203.0.113.7", 14_500)]);
    let again = court.decide("ssh-slow", &[("Ip", "203.0.113.7")], 200);
    check(&again, &["1 203.0.113.7 ban Extended"], &[("203.0.113.7", 14_600)]);
    let two = court.decide("http-bf", &[("Ip", "2001:db8::1"), ("Range", "198.51.100.0/24")], 300);
    check(
        &two,
        &["2 2001:db8::1 ban Begun", "3 198.51.100.0/24 ban Begun"],
        &[("198.51.100.0/24", 14_700), ("2001:db8::1", 14_700)],
    );
    let statistics = court.judge.statistics();
    let counted: Vec<_> = statistics
        .decisions
        .iter()
        .map(|(ByDecision { scenario, family, .. }, count)| (&**scenario, *family, *count))
        .collect();
    assert_eq!(
        counted,
        [("http-bf", Family::V4, 1), ("http-bf", Family::V6, 1), ("ssh-bf", Family::V4, 1)]
    );
    assert_eq!((statistics.extended, court.judge.active().get(Family::V4, Action::Ban)), (1, 2));
}

#[test]
fn what_cannot_be_banned_is_counted_and_named() {
    let mut court = Court::new(Policy { allowlist: friends(&["203.0.113.0/24"]), ..policy() });
    let mut told = |sources: &[(&str, &str)], expected: &str| {
        check(&court.decide("ssh-bf", sources, 100), &[expected], &[]);
    };
    told(
        &[("Ip", "203.0.113.7")],
        "`203.0.113.7` is on the allowlist: `203.0.113.0/24` (settings: office)",
    );
    told(
        &[("Ip", "::ffff:127.0.0.1")],
        "`127.0.0.1` is on the allowlist: `127.0.0.0/8` (default: loopback)",
    );
    told(
        &[("Ip", "fe80::1%eth0")],
        "`fe80::1` is on the allowlist: `fe80::/10` (default: link-local)",
    );
    told(&[("Range", "128.0.0.0/1")], "`128.0.0.0/1` is too wide to ban: the widest prefix is /8");
    told(&[("Ip", "unknown")], "Ip `unknown` is no address");
    told(&[("Range", "")], "Range `` is no address");
    told(&[("Country", "FR")], "NoProfile");
    told(&[], "NoSource");
    let mut allowed = overflow("ssh-bf", &[("Ip", "198.51.100.1")]);
    allowed.allowlisted = true;
    check(&court.judge.decide(&allowed, &World::default(), at(100)), &["Allowlisted"], &[]);
    let refused: Vec<_> = court.judge.statistics().refused.clone().into_iter().collect();
    assert_eq!(
        refused,
        [
            ("allowlisted", 3),
            ("no_profile", 1),
            ("no_source", 1),
            ("not_an_address", 2),
            ("rule", 1),
            ("too_wide", 1)
        ]
    );
    assert_eq!(court.judge.ledger().active(at(100)).count(), 0);
}

#[test]
fn a_profile_may_answer_with_another_scope() {
    let country = Profile {
        name: "all".to_owned(),
        filters: vec![super::super::Filter::Remedy("Ip")],
        sentences: vec![
            Sentence {
                action: Action::Observe,
                duration: hours(1),
                scope: Some("range".to_owned()),
                may_grow: true,
            },
            Sentence {
                action: Action::Ban,
                duration: hours(1),
                scope: Some("Country".to_owned()),
                may_grow: true,
            },
        ],
        duration: None,
        is_last: true,
        on_fault: crate::decide::OnFault::Pass,
    };
    let mut court = Court::new(Policy { profiles: Profiles::new(vec![country]), ..policy() });
    check(
        &court.decide("ssh-bf", &[("Ip", "203.0.113.7")], 100),
        &["1 203.0.113.7 observe Begun", "Country `203.0.113.7` is no address"],
        &[],
    );
}

#[test]
fn what_is_observed_never_reaches_the_kernel() {
    let watched = Observe::Scenarios(["ssh-bf".to_owned()].into());
    let mut court = Court::new(Policy { observe: watched, ..policy() });
    check(
        &court.decide("ssh-bf", &[("Ip", "203.0.113.7")], 1),
        &["1 203.0.113.7 observe Begun"],
        &[],
    );
    assert_eq!(bans(&[court.judge.replace(at(2))]), []);
    let other = court.decide("http-bf", &[("Ip", "203.0.113.7")], 3);
    check(&other, &["1 203.0.113.7 ban Extended"], &[("203.0.113.7", 14_403)]);

    let mut court = Court::new(Policy { observe: Observe::Everything, ..policy() });
    check(
        &court.decide("ssh-bf", &[("Ip", "203.0.113.7")], 1),
        &["1 203.0.113.7 observe Begun"],
        &[],
    );
    let manual = court.judge.ban(&[net("203.0.113.8")], Some(hours(1)), "because", at(1));
    assert_eq!((manual.changes, manual.decisions[0].action), (Vec::new(), Action::Observe));

    let mut simulated = overflow("ssh-bf", &[("Ip", "203.0.113.7")]);
    if let Some(alert) = &mut simulated.alert {
        alert.simulated = true;
    }
    let mut court = Court::new(policy());
    check(
        &court.judge.decide(&simulated, &World::default(), at(1)),
        &["1 203.0.113.7 observe Begun"],
        &[],
    );
}

#[test]
fn operators_ban_and_are_told_what_stands_against_it() {
    let mut court = Court::new(policy());
    let nets = [net("203.0.113.7"), net("192.168.1.9"), net("198.51.100.0/24")];
    let banned = court.judge.ban(&nets, Some(hours(1)), "seen in the mail log", at(100));
    assert_eq!(
        bans(&banned.changes),
        [("198.51.100.0/24".to_owned(), 3_700), ("203.0.113.7".to_owned(), 3_700)]
    );
    assert_eq!(
        banned.refused.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["`192.168.1.9` is on the allowlist: `192.168.0.0/16` (default: private)"]
    );
    let default = court.judge.ban(&[net("203.0.113.7")], None, "again", at(200));
    assert_eq!(bans(&default.changes), [("203.0.113.7".to_owned(), 14_600)]);
    let first = &banned.decisions[0];
    assert_eq!((&*first.reason, first.origin), ("seen in the mail log", Origin::Manual));
}

#[test]
fn lists_by_number_page_by_page() {
    let mut court = Court::new(policy());
    court.decide("ssh-bf", &[("Ip", "203.0.113.9")], 1);
    court.decide("ssh-bf", &[("Ip", "203.0.113.7")], 1);
    court.judge.ban(&[net("203.0.113.0/24"), net("198.51.100.1")], Some(hours(1)), "x", at(1));
    let ids = |query: Query, limit| {
        let (decisions, total) = court.judge.list(&query, limit, at(2));
        (decisions.iter().map(|decision| decision.id).collect::<Vec<_>>(), total)
    };
    assert_eq!(ids(Query::default(), 9), (vec![1, 2, 3, 4], 4));
    assert_eq!(ids(Query::default(), 2), (vec![1, 2], 4));
    assert_eq!(ids(Query { after: 2, ..Query::default() }, 2), (vec![3, 4], 2));
    assert_eq!(ids(Query { net: Some(net("203.0.113.7")), ..Query::default() }, 9).0, [2, 3]);
    assert_eq!(ids(Query { net: Some(net("203.0.0.0/16")), ..Query::default() }, 9).0, [1, 2, 3]);
    assert_eq!(ids(Query { origin: Some(Origin::Manual), ..Query::default() }, 9).0, [3, 4]);
    assert_eq!(ids(Query { reason: Some("ssh".into()), ..Query::default() }, 9).0, [1, 2]);
    assert_eq!(ids(Query { action: Some(Action::Observe), ..Query::default() }, 9).0, [0; 0]);
    assert_eq!(court.judge.list(&Query::default(), 9, at(100_000)).1, 0);
}

#[test]
fn a_new_policy_frees_new_friends_and_time_frees_the_rest() {
    let mut court = Court::new(policy());
    court.judge.ban(&[net("203.0.113.7"), net("198.51.100.1")], Some(hours(1)), "", at(1));
    let changes =
        court.judge.adopt(Policy { allowlist: friends(&["203.0.113.0/24"]), ..policy() }, at(2));
    assert!(
        matches!(&changes[..], [Change::Friends(_), Change::Unban(t)] if t[0].to_string() == "203.0.113.7")
    );
    assert_eq!(court.judge.tick(at(3)), []);
    assert!(matches!(&court.judge.tick(at(3_601))[..], [Change::Unban(t)] if t.len() == 1));
    assert_eq!(court.judge.statistics().ended, [("allowlisted", 1), ("expired", 1)].into());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn no_friend_is_in_any_change(
        values in proptest::collection::vec("(10|127|203\\.0|::ffff:127)\\.0\\.[0-3]\\.[0-9]|(10|203)\\.0\\.0\\.0/[0-9]|f[ec]80::[0-9]", 1..8),
    ) {
        let allowlist = friends(&["203.0.1.0/24"]);
        let mut court = Court::new(Policy { allowlist: allowlist.clone(), ..policy() });
        let sources: Vec<_> = values.iter().map(|value| ("Ip", value.as_str())).collect();
        let decided = court.decide("ssh-bf", &sources, 1);
        let nets: Vec<_> = values.iter().filter_map(|value| parse_net(value).ok()).collect();
        let manual = court.judge.ban(&nets, Some(hours(9)), "", at(2));
        let replace = court.judge.replace(at(3));
        for change in decided.changes.iter().chain(&manual.changes).chain([&replace]) {
            let (Change::Ban(bans) | Change::Replace(bans)) = change else { continue };
            for ban in bans {
                prop_assert_eq!(allowlist.find_against(ban.target.net()), None);
            }
        }
    }
}

/// What a test led to goes without a trace, and nothing else goes with it.
#[test]
fn a_test_is_undone_and_nothing_else() {
    let mut court = Court::new(policy());
    court.judge.ban(&[net("203.0.113.0/24")], None, "by hand", at(1));
    court.decide("weir/doctor", &[("Ip", "203.0.113.7")], 2);
    court.decide("other", &[("Ip", "203.0.113.8")], 2);
    let banned = |court: &Court| court.judge.ledger().active(at(3)).count();
    assert_eq!(banned(&court), 3);
    assert_eq!(court.judge.undo(net("203.0.113.8"), "weir/doctor", at(3)), None);
    assert_eq!(court.judge.undo(net("203.0.113.0/24"), "weir/doctor", at(3)), None);
    assert_eq!(banned(&court), 3);
    let target = net("203.0.113.7");
    assert!(matches!(court.judge.undo(target, "weir/doctor", at(3)), Some(Change::Unban(_))));
    assert_eq!(banned(&court), 2);
    assert_eq!(court.judge.ledger().history(target, 9).unwrap(), []);
    assert_eq!(court.judge.ledger().ended_of(target, 9).unwrap(), []);
}
