//! Friends that come and go, before a judge with a ledger in a temporary folder.

use crate::decide::judge::tests::{Court, at, friends, net, policy};
use crate::decide::{Policy, Subject};
use crate::decision::{Entry, EntryOrigin, Named};
use crate::ledger::Change;

fn subject(text: &str) -> Subject {
    match crate::decision::parse_net(text) {
        Ok(net) => Subject::Net(net),
        Err(_) => Subject::Name(text.to_owned()),
    }
}

/// What the kernel is told, in short.
fn told(changes: &[Change]) -> Vec<String> {
    let word = |change: &Change| match change {
        Change::Friends(nets) => format!("{} friends", nets.len()),
        Change::Unban(targets) => {
            let targets: Vec<_> = targets.iter().map(ToString::to_string).collect();
            format!("unban {}", targets.join(" "))
        }
        Change::Ban(bans) => format!("ban {}", bans.len()),
        Change::Replace(_) => "replace".to_owned(),
    };
    changes.iter().map(word).collect()
}

#[track_caller]
fn check(court: &Court, address: &str, entry: Option<&str>) {
    let found = court.judge.policy().allowlist.find(address.parse().unwrap());
    assert_eq!(found.map(ToString::to_string).as_deref(), entry, "{address}");
}

#[test]
fn a_friend_by_hand_is_let_go_and_cannot_be_banned_until_its_time_is_over() {
    let mut court = Court::new(Policy { allowlist: friends(&[]), ..policy() });
    for who in ["203.0.113.7", "203.0.113.0/24", "203.0.113.8", "198.51.100.1"] {
        assert_eq!(court.judge.ban(&[net(who)], None, "x", at(1)).refused, []);
    }
    let n_before = court.judge.policy().allowlist.entries().len();
    let done =
        court.judge.befriend(&[subject("203.0.113.7")], "my desk", Some(at(100)), at(2)).unwrap();
    // The friend is let through before the bans go.
    assert_eq!(
        told(&done.changes),
        [
            format!("{} friends", n_before + 1),
            "ban 8".to_owned(),
            "unban 203.0.113.0/24".to_owned(),
            "unban 203.0.113.7".to_owned()
        ]
    );
    assert_eq!((done.unbanned.len(), done.unsaved), (2, None));
    check(&court, "203.0.113.7", Some("`203.0.113.7` (operator: my desk)"));
    let refused = court.judge.ban(&[net("203.0.113.0/25")], None, "x", at(3)).refused;
    assert_eq!(
        refused[0].to_string(),
        "`203.0.113.0/25` is on the allowlist: `203.0.113.7` (operator: my desk)"
    );
    assert_eq!(told(&court.judge.tick(at(99))), [""; 0]);
    assert_eq!(told(&court.judge.tick(at(100))), [format!("{n_before} friends")]);
    check(&court, "203.0.113.7", None);
}

#[test]
fn friends_by_hand_outlive_the_process() {
    let mut court = Court::new(policy());
    let all = ["2001:db8::/64", "home.example.org", "203.0.113.7"].map(subject);
    court.judge.befriend(&all[..2], "home", None, at(1)).unwrap();
    court.judge.befriend(&all[2..], "", Some(at(50)), at(1)).unwrap();
    let mut court = court.again(policy(), at(60));
    assert!(!court.judge.recall_friends(at(60)).is_empty());
    check(&court, "2001:db8::9", Some("`2001:db8::/64` (operator: home)"));
    check(&court, "203.0.113.7", None);
    let name = Named { name: "home.example.org".into(), comment: "home".into(), until: None };
    assert_eq!(court.judge.names_to_look_up(), [name]);
    let gone = court.judge.unfriend(&[all[0].clone(), all[2].clone(), subject("10.1.2.3")], at(61));
    assert_eq!(gone.subjects, [all[0].clone()]);
    let missing: Vec<_> = gone
        .missing
        .iter()
        .map(|(subject, entry)| format!("{subject}: {:?}", entry.as_ref().map(|e| e.origin.name())))
        .collect();
    assert_eq!(missing, ["203.0.113.7: None", "10.1.2.3: Some(\"default\")"]);
    let mut court = court.again(policy(), at(62));
    assert_eq!(told(&court.judge.recall_friends(at(62))), [""; 0]);
}

#[test]
fn what_names_stand_for_is_kept_for_the_next_start() {
    let mut court = Court::new(policy());
    court.judge.ban(&[net("203.0.113.7")], None, "x", at(1));
    let named = Named { name: "home.example.org".into(), comment: String::new(), until: None };
    let found = |address: &str| vec![named.entry(net(address))];
    let changes = court.judge.names_are(found("203.0.113.7"), at(2));
    assert_eq!(told(&changes).last().unwrap(), "unban 203.0.113.7");
    assert_eq!(told(&court.judge.names_are(found("203.0.113.7"), at(3))), [""; 0]);
    let mut court = court.again(policy(), at(4));
    court.judge.recall_friends(at(4));
    check(&court, "203.0.113.7", Some("`203.0.113.7` (name: home.example.org)"));
    court.judge.names_are(found("203.0.113.8"), at(5));
    check(&court, "203.0.113.7", None);
    check(&court, "203.0.113.8", Some("`203.0.113.8` (name: home.example.org)"));
}

#[test]
fn a_reload_and_a_move_of_the_host_leave_the_other_friends() {
    let mut court = Court::new(policy());
    court.judge.befriend(&[subject("203.0.113.7")], "", None, at(1)).unwrap();
    let host = |address: &str| Entry {
        net: net(address),
        origin: EntryOrigin::Host,
        comment: "an address of this host".to_owned(),
        until: None,
    };
    court.judge.host_is(vec![host("198.51.100.9")], at(2));
    check(&court, "198.51.100.9", Some("`198.51.100.9` (host: an address of this host)"));
    court.judge.host_is(vec![host("198.51.100.10")], at(3));
    check(&court, "198.51.100.9", None);
    let version = court.judge.friends_version();
    court.judge.adopt(Policy { allowlist: friends(&["192.0.2.0/24"]), ..policy() }, at(4));
    assert!(court.judge.friends_version() > version);
    check(&court, "203.0.113.7", Some("`203.0.113.7` (operator)"));
    check(&court, "192.0.2.1", Some("`192.0.2.0/24` (settings: office)"));
}
