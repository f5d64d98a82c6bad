//! What remotes ask for against the plain maps of it.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::decide::unban::tests::{Court, at, net};
use crate::decide::{Policy, Whose};
use crate::decision::{Allowlist, Entry, EntryOrigin};

const MOST: usize = 1000;

fn wanted(text: &str, until: i64, remote: &str) -> Wanted {
    let reason = RemoteReason { remote, origin: "crowdsec", scenario: "ssh-bf" }.text();
    Wanted { key: (net(text), Box::from("")), until: at(until), reason: reason.into() }
}

fn says(court: &mut Court, remote: &str, all: &[(&str, i64)], now: i64) -> Taken {
    let wanted = all.iter().map(|(text, until)| wanted(text, *until, remote)).collect();
    court.judge.remote_says(remote, Said { gone: Vec::new(), wanted }, MOST, at(now))
}

fn takes_back(court: &mut Court, remote: &str, gone: &[&str], now: i64) {
    let gone = gone.iter().map(|text| (net(text), Box::from(""))).collect();
    court.judge.remote_says(remote, Said { gone, wanted: Vec::new() }, MOST, at(now));
}

/// All that a remote asks for.
fn says_all(court: &mut Court, remote: &str, all: &[(&str, i64)], now: i64) {
    court.judge.remote_begins(remote);
    says(court, remote, all, now);
    ends(&mut court.judge, remote, at(now));
}

fn ends(judge: &mut Judge, remote: &str, now: Time) {
    let mut after = None;
    loop {
        after = judge.remote_ends(remote, after, now).next;
        if after.is_none() {
            return;
        }
    }
}

fn court() -> Court {
    let mut court = Court::new();
    court.judge.follow_remotes(&["a".to_owned(), "b".to_owned()]);
    court
}

/// `192.0.2.1 a/crowdsec: ssh-bf 100` for each decision in force.
fn shown(court: &Court, now: i64) -> Vec<String> {
    let active = court.judge.ledger().active(at(now));
    active.map(|one| format!("{} {} {}", one.target, one.reason, one.until.seconds())).collect()
}

#[test]
fn what_a_remote_takes_back_goes_to_whoever_else_asked() {
    let mut court = court();
    court.ban(&["192.0.2.1", "192.0.2.3"]);
    says_all(&mut court, "a", &[("192.0.2.1", 9000), ("192.0.2.2", 9000), ("192.0.2.3", 100)], 2);
    says_all(&mut court, "b", &[("192.0.2.2", 8000)], 2);
    let taken = [
        "192.0.2.1 a/crowdsec: ssh-bf 9000",
        "192.0.2.2 a/crowdsec: ssh-bf 9000",
        "192.0.2.3 by hand 3601",
    ];
    assert_eq!(shown(&court, 3), taken);
    takes_back(&mut court, "a", &["192.0.2.1", "192.0.2.2", "192.0.2.3"], 4);
    let left = ["192.0.2.1 by hand 3601", "192.0.2.2 b/crowdsec: ssh-bf 8000", taken[2]];
    assert_eq!(shown(&court, 5), left);
    // What it never asked for, and what another one asks for, it cannot take.
    takes_back(&mut court, "a", &["192.0.2.2", "192.0.2.3", "192.0.2.9"], 6);
    assert_eq!(shown(&court, 7), left);
    takes_back(&mut court, "b", &["192.0.2.2"], 8);
    assert_eq!(shown(&court, 9), [left[0], left[2]]);
}

#[test]
fn a_new_end_is_taken_and_one_that_is_nearly_the_same_is_not() {
    let mut court = court();
    says_all(&mut court, "a", &[("192.0.2.1", 100)], 1);
    let until = |court: &Court| shown(court, 20)[0].rsplit(' ').next().unwrap().to_owned();
    assert_eq!(says(&mut court, "a", &[("192.0.2.1", 103)], 2).held, 1);
    assert_eq!(until(&court), "100");
    says(&mut court, "a", &[("192.0.2.1", 200)], 3);
    assert_eq!(until(&court), "200");
    says(&mut court, "a", &[("192.0.2.1", 50)], 4);
    assert_eq!(until(&court), "50", "a shorter one took its place there");
    // Two that follow each other do not prolong each other's.
    court.ban(&["192.0.2.2"]);
    for round in 0..9 {
        says(&mut court, "a", &[("192.0.2.2", 3602 + round % 4)], 5);
    }
    assert_eq!(shown(&court, 20)[1], "192.0.2.2 by hand 3601");
}

#[test]
fn friends_and_those_whom_an_operator_freed_stay_free() {
    let mut court = court();
    let friend = Entry {
        net: net("192.0.2.7"),
        origin: EntryOrigin::Settings,
        comment: String::new(),
        until: None,
    };
    let allowlist = Allowlist::new(vec![friend]);
    let policy = Policy { allowlist, ..court.judge.policy().clone() };
    court.judge.adopt(policy, at(0));
    let all = [("192.0.2.6/31", 500), ("192.0.2.7", 500), ("192.0.2.9", 500)];
    says_all(&mut court, "a", &all, 1);
    assert_eq!(court.banned(), ["192.0.2.6", "192.0.2.9"]);
    let freed = Whose::These { nets: vec![net("192.0.2.9")], inside: false };
    court.judge.unban(&freed, at(2)).unwrap();
    says_all(&mut court, "a", &all, 3);
    assert_eq!(court.banned(), ["192.0.2.6"]);
    // Decided anew, it is banned anew.
    says(&mut court, "a", &[("192.0.2.9", 900)], 4);
    assert_eq!(court.banned(), ["192.0.2.6", "192.0.2.9"]);
    takes_back(&mut court, "a", &["192.0.2.6/31"], 5);
    assert_eq!(court.banned(), ["192.0.2.9"], "what is left of a prefix goes with it");
}

#[test]
fn a_remote_asks_for_so_many_and_one_that_is_gone_for_none() {
    let mut court = court();
    let (one, two) = (wanted("192.0.2.1", 100, "a"), wanted("192.0.2.2", 100, "a"));
    let said = |wanted: &Wanted| Said { gone: Vec::new(), wanted: vec![wanted.clone()] };
    assert_eq!(court.judge.remote_says("a", said(&one), 1, at(1)).begun, 1);
    assert_eq!(court.judge.remote_says("a", said(&two), 1, at(1)).no_room, 1);
    assert_eq!(court.judge.remote_says("a", said(&two), 1, at(100)).begun, 1, "the first is over");
    assert_eq!(court.judge.remote_says("who", said(&one), 9, at(1)), Taken::default());
    says(&mut court, "b", &[("192.0.2.3", 100)], 1);
    court.judge.follow_remotes(&["b".to_owned()]);
    assert_eq!(court.judge.drop_strangers(None, at(2)).ended, 2);
    assert_eq!(court.banned(), ["192.0.2.3"]);
}

#[derive(Clone, Debug)]
enum Deed {
    Add(usize, u8, i64),
    Delete(usize, u8),
    /// Something is heard of what changed.
    Pull(usize),
    /// All is heard, as after an outage.
    PullAll(usize),
    Ban(u8, i64),
    Wait(i64),
    Restart,
}

fn deed() -> impl Strategy<Value = Deed> {
    let length = || (2..30_i64).prop_map(|tens| tens * 10);
    prop_oneof![
        6 => (0..2_usize, 0..6_u8, length()).prop_map(|(r, n, long)| Deed::Add(r, n, long)),
        4 => (0..2_usize, 0..6_u8).prop_map(|(r, n)| Deed::Delete(r, n)),
        6 => (0..2_usize).prop_map(Deed::Pull),
        1 => (0..2_usize).prop_map(Deed::PullAll),
        2 => (0..6_u8, length()).prop_map(|(n, long)| Deed::Ban(n, long)),
        3 => (1..9_i64).prop_map(|tens| Deed::Wait(tens * 10)),
        1 => Just(Deed::Restart),
    ]
}

/// Another host: what it asks for, and what of that was heard.
#[derive(Default)]
struct Other {
    asks: BTreeMap<u8, i64>,
    heard: BTreeMap<u8, i64>,
    is_lost: bool,
}

fn address(n: u8) -> &'static str {
    ["192.0.2.1", "192.0.2.2", "198.51.100.0/24", "198.51.100.1", "2001:db8::1", "2001:db8:1::/48"]
        [usize::from(n)]
}

proptest! {
    #[test]
    fn what_is_in_force_is_what_is_asked_for(deeds in vec(deed(), 0..30)) {
        let mut court = court();
        let names = ["a", "b"];
        let mut others = [Other::default(), Other::default()];
        let mut by_hand: BTreeMap<u8, i64> = BTreeMap::new();
        let mut now = 10;
        for deed in deeds {
            match deed {
                Deed::Add(r, n, long) => drop(others[r].asks.insert(n, now + long)),
                Deed::Delete(r, n) => drop(others[r].asks.remove(&n)),
                Deed::Pull(r) if !others[r].is_lost => {
                    let other = &mut others[r];
                    other.asks.retain(|_, until| *until > now);
                    let gone = other.heard.keys().filter(|n| !other.asks.contains_key(n));
                    let gone: Vec<RemoteKey> =
                        gone.map(|n| (net(address(*n)), Box::from(""))).collect();
                    let fresh = other.asks.iter().filter(|(n, at)| other.heard.get(n) != Some(at));
                    let fresh = fresh.map(|(n, until)| wanted(address(*n), *until, names[r]));
                    let said = Said { gone, wanted: fresh.collect() };
                    court.judge.remote_says(names[r], said, MOST, at(now));
                    other.heard = other.asks.clone();
                }
                Deed::Pull(r) | Deed::PullAll(r) => {
                    let other = &mut others[r];
                    other.asks.retain(|_, until| *until > now);
                    let all: Vec<_> = other.asks.iter().map(|(n, at)| (address(*n), *at)).collect();
                    says_all(&mut court, names[r], &all, now);
                    other.heard = other.asks.clone();
                    other.is_lost = false;
                }
                Deed::Ban(n, long) => {
                    court.judge.ban(&[net(address(n))], Some(long * 1_000_000_000), "hand", at(now));
                    let until = by_hand.entry(n).or_default();
                    *until = (*until).max(now + long);
                }
                Deed::Wait(long) => {
                    now += long;
                    court.judge.tick(at(now));
                }
                Deed::Restart => {
                    court = court.restart(at(now));
                    court.judge.follow_remotes(&["a".to_owned(), "b".to_owned()]);
                    others.iter_mut().for_each(|other| other.is_lost = true);
                }
            }
            let is_settled = others.iter().all(|other| !other.is_lost);
            for n in 0..6 {
                let asked = others.iter().filter_map(|other| other.heard.get(&n)).chain(by_hand.get(&n));
                let expected = asked.copied().filter(|until| *until > now).max();
                let target = Allowlist::default().admit(net(address(n))).unwrap();
                let known = court.judge.ledger().get(target).filter(|known| known.until > at(now));
                let known = known.map(|known| known.until.seconds());
                if is_settled {
                    prop_assert_eq!(known, expected, "{}", address(n));
                } else {
                    // It may still be believed what is not true any more.
                    prop_assert!(known >= expected, "{}: {known:?}, {expected:?}", address(n));
                }
            }
        }
    }
}
