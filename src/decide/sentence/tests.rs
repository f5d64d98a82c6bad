//! How far bans go, before a judge with a ledger in a temporary folder.

use proptest::prelude::*;

use crate::decide::profile::tests::overflow;
use crate::decide::{
    BrakeRules, Escalation, GuardRules, Judge, Level, Levels, Measures, Merge, Observe, Policy,
    Profiles, Query, Whose,
};
use crate::decision::{Allowlist, Entry, EntryOrigin, parse_net};
use crate::event::{Overflow, Trust};
use crate::expr::World;
use crate::ledger::{Ledger, Options};
use crate::value::Time;

const SECOND: i64 = 1_000_000_000;
const HOUR: i64 = 3600;

fn at(seconds: i64) -> Time {
    Time::from_seconds(1_700_000_000 + seconds)
}

fn measures() -> Measures {
    let level = |(length, at)| Level { length, at };
    Measures {
        escalation: Some(Escalation {
            factor: 2.0,
            most: 168 * HOUR * SECOND,
            decay: 168 * HOUR * SECOND,
            jitter: 0.0,
        }),
        levels: Levels::new(
            Vec::new(),
            [(64, 2), (56, 4), (48, 16)].map(level).into(),
            24 * HOUR * SECOND,
        ),
        count: Some(64),
        merge: None,
        guard: Some(GuardRules { span: HOUR * SECOND, connection: 60 * SECOND }),
        brake: None,
        spoofable: [Trust::FULL; 4],
    }
}

struct Court {
    judge: Judge,
    policy: Policy,
    folder: tempfile::TempDir,
}

impl Court {
    fn new(measures: Measures) -> Self {
        Self::with_friends(measures, &[])
    }

    fn with_friends(measures: Measures, friends: &[&str]) -> Self {
        let entry = |net: &&str| Entry {
            net: parse_net(net).unwrap(),
            origin: EntryOrigin::Settings,
            comment: String::new(),
            until: None,
        };
        let policy = Policy {
            allowlist: Allowlist::new(friends.iter().map(entry).collect()),
            profiles: Profiles::standard(4 * HOUR * SECOND),
            observe: Observe::Nothing,
            duration: HOUR * SECOND,
            measures,
        };
        let folder = tempfile::tempdir().unwrap();
        let judge = Self::open(&folder, &policy, 0);
        Self { judge, policy, folder }
    }

    fn open(folder: &tempfile::TempDir, policy: &Policy, now: i64) -> Judge {
        let path = folder.path().join("ledger.db");
        let ledger = Ledger::open(&path, Options::default(), &policy.allowlist, at(now)).unwrap().0;
        let mut judge = Judge::new(policy.clone(), ledger);
        judge.remember(at(now));
        judge
    }

    /// As if the daemon had ended and begun again.
    fn restart(mut self, now: i64) -> Self {
        let path = self.folder.path().join("ledger.db");
        // The other file is closed before this one is opened again.
        let spare = self.folder.path().join("spare.db");
        let nobody = Allowlist::default();
        let spare = Ledger::open(&spare, Options::default(), &nobody, at(now)).unwrap().0;
        drop(std::mem::replace(&mut self.judge, Judge::new(self.policy.clone(), spare)));
        assert!(path.exists());
        self.judge = Self::open(&self.folder, &self.policy, now);
        self
    }

    fn offend(&mut self, who: &[&str], now: i64) {
        self.overflow(&from(who), now);
    }

    fn overflow(&mut self, overflow: &Overflow, now: i64) {
        self.judge.tick(at(now));
        self.judge.decide(overflow, &World::default(), at(now));
    }

    /// Who is decided on at `now`, and for how many hours from its beginning.
    fn held(&self, now: i64) -> Vec<String> {
        let (found, _) = self.judge.list(&Query::default(), 99, at(now));
        let shown = found.iter().map(|one| {
            let hours = one.until.since(one.created_at) / SECOND / HOUR;
            let action = if one.action.name() == "ban" { "" } else { " observed" };
            format!("{} {hours}h{action}", one.target)
        });
        shown.collect()
    }
}

fn from(who: &[&str]) -> Overflow {
    let sources: Vec<(&str, &str)> = who.iter().map(|who| ("Ip", *who)).collect();
    overflow("ssh-bf", &sources)
}

#[test]
fn each_ban_lasts_twice_as_long_as_the_one_before() {
    let mut court = Court::new(measures());
    court.offend(&["203.0.113.7"], 0);
    assert_eq!(court.held(1), ["203.0.113.7 4h"]);
    // While it is banned it does not climb; it begins anew at the level that it has.
    court.offend(&["203.0.113.7"], 2 * HOUR);
    assert_eq!(court.held(2 * HOUR + 1), ["203.0.113.7 6h"]);
    court.offend(&["203.0.113.7"], 7 * HOUR);
    assert_eq!(court.held(7 * HOUR + 1), ["203.0.113.7 7h"], "nearly 8: an hour's decay");
    let mut court = court.restart(7 * HOUR + 5);
    assert_eq!(court.judge.offences.bans(parse_net("203.0.113.7").unwrap(), i64::MAX).len(), 2);
    court.offend(&["203.0.113.7"], 20 * HOUR);
    assert_eq!(court.held(20 * HOUR + 1), ["203.0.113.7 14h"]);
    // A restored ban is no new offence, and one that an operator takes back was none.
    let mut court = court.restart(21 * HOUR);
    let nets = vec![parse_net("203.0.113.7").unwrap()];
    court.judge.unban(&Whose::These { nets, inside: false }, at(21 * HOUR)).unwrap();
    court.offend(&["203.0.113.7"], 22 * HOUR);
    assert_eq!(court.held(22 * HOUR + 1), ["203.0.113.7 4h"]);
}

#[test]
fn other_addresses_of_a_network_carry_its_past() {
    let mut levels = measures();
    levels.levels = Levels::default();
    let mut court = Court::new(levels);
    court.offend(&["2001:db8::1"], 0);
    court.offend(&["2001:db8::2"], 5 * HOUR);
    assert_eq!(court.held(5 * HOUR + 1), ["2001:db8::2 7h"]);
    court.offend(&["2001:db8:0:1::2"], 5 * HOUR);
    assert_eq!(court.held(5 * HOUR + 1), ["2001:db8::2 7h", "2001:db8:0:1::2 4h"]);
}

#[test]
fn manual_bans_and_computed_durations_are_left_alone() {
    let mut court = Court::new(measures());
    let net = parse_net("203.0.113.7").unwrap();
    court.judge.ban(&[net], None, "x", at(0));
    court.offend(&["203.0.113.7"], 2 * HOUR);
    assert_eq!(court.held(2 * HOUR + 1), ["203.0.113.7 4h"]);
    court.judge.ban(&[net], None, "x", at(7 * HOUR));
    assert_eq!(court.held(7 * HOUR + 1), ["203.0.113.7 1h"]);
}

#[test]
fn a_network_is_banned_when_its_addresses_overflow_together() {
    let mut court = Court::new(measures());
    court.offend(&["2001:db8::1", "2001:db8::2", "2001:db8::3"], 0);
    court.offend(&["2001:db8:0:1::1"], 1);
    assert_eq!(court.held(2), ["2001:db8::/64 4h", "2001:db8:0:1::1 4h"]);
    assert_eq!(court.judge.statistics().widened, 1);
}

#[test]
fn a_network_is_banned_when_a_second_address_offends_later() {
    let mut court = Court::new(measures());
    court.offend(&["2001:db8::1"], 0);
    court.offend(&["2001:db8::2"], 60);
    assert_eq!(court.held(61), ["2001:db8::1 4h", "2001:db8::/64 4h"], "the same offence");
    for (n, network) in (2..).zip(["1", "2", "3"]) {
        court.offend(&[&format!("2001:db8:0:{network}::1")], 60 + n);
    }
    let last = court.held(70).pop();
    assert_eq!(last.as_deref(), Some("2001:db8::/56 4h"));
}

#[test]
fn a_friend_in_a_network_sets_nobody_else_free() {
    let mut court = Court::with_friends(measures(), &["2001:db8::99"]);
    court.offend(&["2001:db8::1", "2001:db8::2", "2001:db8::99"], 0);
    assert_eq!(court.held(1), ["2001:db8::1 4h", "2001:db8::2 4h"]);
    court.judge.login("2001:db8:0:1::9".parse().unwrap(), at(2));
    court.offend(&["2001:db8:0:1::1", "2001:db8:0:1::2"], 3);
    assert_eq!(court.held(4)[2..], ["2001:db8:0:1::1 4h", "2001:db8:0:1::2 4h"]);
}

#[test]
fn whoever_logged_in_or_is_connected_is_not_banned() {
    let mut court = Court::new(measures());
    court.judge.login("203.0.113.7".parse().unwrap(), at(0));
    court.judge.login("::ffff:203.0.113.8".parse().unwrap(), at(0));
    court.judge.connected(["203.0.113.9".parse().unwrap()], at(0));
    for who in ["203.0.113.7", "203.0.113.8", "203.0.113.9"] {
        court.offend(&[who], 10);
    }
    assert_eq!(court.held(11), [""; 0]);
    assert_eq!(court.judge.statistics().refused, [("guarded", 3)].into());
    let nets = [parse_net("203.0.113.7").unwrap()];
    court.offend(&["203.0.113.7"], 11);
    let written = court.judge.ledger().refusals(nets[0], 9).unwrap();
    assert_eq!(written.iter().map(|one| one.reason.as_str()).collect::<Vec<_>>(), ["guarded"]);
    let refused = court.judge.ban(&nets, None, "x", at(12)).refused;
    assert!(refused.iter().all(super::is_of_guard) && refused.len() == 1);
    court.judge.tick(at(13));
    // Logins outlive the daemon, connections are looked for again.
    let mut court = court.restart(100);
    court.offend(&["203.0.113.7"], 110);
    court.offend(&["203.0.113.9"], 110);
    assert_eq!(court.held(111), ["203.0.113.9 4h"]);
    let insisted = court.judge.ban_guarded(&nets, None, "x", true, at(112));
    assert_eq!(insisted.decisions.len(), 1);
    court.offend(&["203.0.113.8"], HOUR);
    assert_eq!(court.held(HOUR).len(), 3, "an hour later it is as anybody");
}

#[test]
fn what_lines_may_do_bounds_what_follows() {
    let mut court = Court::new(measures());
    let mut forged = from(&["203.0.113.7"]);
    forged.trust = Trust::OBSERVE;
    court.overflow(&forged, 0);
    forged = from(&["203.0.113.8"]);
    forged.trust = Trust::seconds(7200);
    court.overflow(&forged, 0);
    assert_eq!(court.held(1), ["203.0.113.7 4h observed", "203.0.113.8 2h"]);
    assert_eq!(court.judge.statistics().limited, [("source", 2)].into());
    let by = |court: &Court, who| court.judge.limited(parse_net(who).unwrap()).map(str::to_owned);
    assert_eq!(by(&court, "203.0.113.7").as_deref(), Some("source"));
    // It is no offence: what is believed later begins as ever.
    court.offend(&["203.0.113.8"], 5 * HOUR);
    court.offend(&["203.0.113.7"], 5 * HOUR);
    assert_eq!(court.held(5 * HOUR + 1), ["203.0.113.8 4h", "203.0.113.7 4h"]);
    assert_eq!(by(&court, "203.0.113.7"), None);
}

#[test]
fn rules_whose_sources_are_forged_are_bounded_the_same_way() {
    let mut bounded = measures();
    bounded.spoofable = [Trust::FULL, Trust::FULL, Trust::seconds(3600), Trust::OBSERVE];
    let mut court = Court::new(bounded);
    for (who, degree) in [("203.0.113.1", 1), ("203.0.113.2", 2), ("203.0.113.3", 3)] {
        let mut overflow = from(&[who]);
        if let Some(alert) = &mut overflow.alert {
            alert.spoofable = degree;
        }
        court.overflow(&overflow, 0);
    }
    let held = ["203.0.113.1 4h", "203.0.113.2 1h", "203.0.113.3 4h observed"];
    assert_eq!(court.held(1), held);
    assert_eq!(court.judge.statistics().limited, [("spoofable", 2)].into());
}

fn with_brake(bans: usize) -> Measures {
    let brake = BrakeRules { bans, per: 60 * SECOND, well_behaved: 0.5 };
    Measures { brake: Some(brake), ..measures() }
}

fn stranger(n: usize) -> String {
    format!("198.51.100.{n}")
}

#[test]
fn the_brake_keeps_scenarios_from_banning_until_it_is_released() {
    let mut court = Court::new(with_brake(3));
    (0..6).for_each(|n| court.offend(&[&stranger(n)], 1));
    let observed = court.held(2).iter().filter(|held| held.ends_with("observed")).count();
    assert_eq!((observed, court.judge.brake().observed), (3, 3));
    assert_eq!(court.judge.limited(parse_net("198.51.100.4").unwrap()), Some("brake"));
    assert_eq!(court.judge.offences.bans(parse_net("198.51.100.4").unwrap(), i64::MAX), [0; 0]);
    assert_eq!(court.judge.brake().pulled.unwrap().why, "more than 3 new bans in 1m");
    court.judge.ban(&[parse_net("203.0.113.1").unwrap()], None, "x", at(2));
    assert!(court.held(3).contains(&"203.0.113.1 1h".to_owned()), "operators always may");
    court.judge.tick(at(3));
    let mut court = court.restart(4);
    court.offend(&[&stranger(9)], 5);
    assert_eq!(court.held(6).last().map(String::as_str), Some("198.51.100.9 4h observed"));
    let released = court.judge.release(true, at(7));
    assert_eq!((released.was.observed, released.banned.len(), released.changes.len()), (4, 4, 1));
    assert!(court.held(8).iter().all(|held| !held.ends_with("observed")));
    let mut court = court.restart(9);
    court.offend(&[&stranger(10)], 100);
    assert_eq!(court.held(101).last().map(String::as_str), Some("198.51.100.10 4h"));
}

#[test]
fn bans_of_those_who_logged_in_pull_the_brake_guarded_or_not() {
    let mut court = Court::new(with_brake(1000));
    for n in 0..20 {
        court.judge.login(stranger(n).parse().unwrap(), at(0));
    }
    (0..9).for_each(|n| court.offend(&[&stranger(n)], 1));
    // The same one again and again says nothing new.
    (0..9).for_each(|_| court.offend(&[&stranger(8)], 1));
    assert_eq!(court.judge.brake().pulled, None);
    court.offend(&[&stranger(9)], 2);
    let why = court.judge.brake().pulled.unwrap().why;
    assert_eq!(why, "10 of 10 new bans in 1m were of addresses that logged in lately");
    let released = court.judge.release(false, at(3));
    assert_eq!((released.banned.len(), released.changes.len()), (0, 0));
}

#[test]
fn neighbours_are_merged_when_it_is_switched_on() {
    let merge = Merge { at: 0.5, widest_v4: 24, widest_v6: 56 };
    let mut court = Court::new(Measures { merge: Some(merge), ..measures() });
    for who in ["203.0.113.1", "203.0.113.2", "203.0.113.4", "203.0.113.7"] {
        court.offend(&[who], 0);
    }
    assert_eq!(court.held(1).last().map(String::as_str), Some("203.0.113.0/29 4h"));
    let (found, _) = court.judge.list(&Query::default(), 99, at(1));
    assert_eq!(found.last().map(|one| one.reason.as_str()), Some("merged 4 bans: ssh-bf"));
}

#[test]
fn what_is_only_tried_out_is_no_offence() {
    let mut court = Court::new(measures());
    court.policy.observe = Observe::Scenarios(["ssh-bf".to_owned()].into());
    let policy = court.policy.clone();
    court.judge.adopt(policy, at(0));
    court.offend(&["2001:db8::1"], 0);
    court.offend(&["2001:db8::2"], 1);
    assert_eq!(court.held(2), ["2001:db8::1 4h observed", "2001:db8::2 4h observed"]);
    // Where everything is tried out, all is as it would be.
    let mut court = Court::new(measures());
    court.policy.observe = Observe::Everything;
    let policy = court.policy.clone();
    court.judge.adopt(policy, at(0));
    court.offend(&["2001:db8::1"], 0);
    court.offend(&["2001:db8::2"], 1);
    assert_eq!(court.held(2), ["2001:db8::1 4h observed", "2001:db8::/64 4h observed"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whoever offends is banned, by an address or a prefix around it, unless a friend: never
    /// nobody, and never a friend.
    #[test]
    fn every_stranger_and_no_friend_is_hit(
        offences in proptest::collection::vec((0_u16..3, 0_u16..3, 1_u8..5), 1..25),
    ) {
        let friends = ["2001:db8:0:101::3", "2001:db8:0:200::/64"];
        let mut court = Court::with_friends(measures(), &friends);
        for (now, (a, b, c)) in (0..).zip(offences) {
            let who = format!("2001:db8:0:{:x}::{c:x}", (a << 8) | b);
            court.offend(&[&who], now);
            let net = parse_net(&who).unwrap();
            let is_friend = court.policy.allowlist.find(net.addr()).is_some();
            let (held, _) = court.judge.list(&Query::default(), 999, at(now));
            prop_assert_eq!(held.iter().any(|one| one.target.net().contains(&net)), !is_friend);
            for friend in friends {
                let friend = parse_net(friend).unwrap();
                prop_assert!(held.iter().all(|one| !one.target.net().contains(&friend)
                    && !friend.contains(&one.target.net())));
            }
        }
    }
}
