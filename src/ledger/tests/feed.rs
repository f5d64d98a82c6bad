//! Whoever follows the ledger holds exactly what is in force, whenever it asks.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::*;
use super::{Folder, at, record, target};

/// Somebody who follows, as a bouncer does: what ended goes, then what is new comes.
#[derive(Default)]
struct Follower {
    version: Option<i64>,
    holds: BTreeMap<String, i64>,
}

impl Follower {
    /// Asks by pages of `limit`; `between` happens after the first page.
    fn pull(&mut self, feed: &Feed, limit: u32, between: &mut dyn FnMut()) {
        let to = feed.version().unwrap();
        let from = self.version.unwrap_or(-1);
        for which in [Which::Ended, Which::Active] {
            let mut place = (from, u64::MAX);
            loop {
                let page = feed.page(which, place, to, limit).unwrap();
                between();
                for followed in &page {
                    let Subject::Net(net, _) = followed.subject else { unreachable!() };
                    let net = net.to_string();
                    match which {
                        Which::Ended => drop(self.holds.remove(&net)),
                        Which::Active => drop(self.holds.insert(net, followed.until.seconds())),
                        Which::Idle(_) => unreachable!("it is not asked for"),
                    }
                }
                match page.last() {
                    Some(last) => place = last.place(),
                    None => break,
                }
            }
        }
        self.version = Some(to);
    }
}

fn in_force(ledger: &Ledger) -> BTreeMap<String, i64> {
    let active = ledger.active.iter();
    active.map(|d| (d.target.net().to_string(), d.until.seconds())).collect()
}

#[derive(Clone, Debug)]
enum Deed {
    Ban(u8, i64),
    End(u8),
    Wait(i64),
    Reopen,
    Pull(usize, u32),
    /// Bans while somebody reads.
    PullMeanwhile(usize, u8, i64),
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        4 => (0..6_u8, 1..40_i64).prop_map(|(n, length)| Deed::Ban(n, length)),
        2 => (0..6_u8).prop_map(Deed::End),
        2 => (1..20_i64).prop_map(Deed::Wait),
        1 => Just(Deed::Reopen),
        3 => (0..2_usize, 1..4_u32).prop_map(|(who, limit)| Deed::Pull(who, limit)),
        1 => (0..2_usize, 0..6_u8, 1..40_i64).prop_map(|(w, n, l)| Deed::PullMeanwhile(w, n, l)),
    ]
}

fn net(n: u8) -> String {
    format!("203.0.113.{n}")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]
    #[test]
    fn followers_hold_what_is_in_force(deeds in vec(deed(), 0..40)) {
        let folder = Folder::new();
        let mut ledger = folder.open(0);
        let mut feed = Feed::open(&folder.path()).unwrap();
        let mut followers = [Follower::default(), Follower::default()];
        let mut now = 1;
        for deed in deeds {
            match deed {
                Deed::Ban(n, length) => {
                    ledger.record(vec![record(&net(n), now + length)], at(now));
                }
                Deed::End(n) => drop(ledger.end(&[target(&net(n))], Cause::Unbanned, at(now))),
                Deed::Wait(seconds) => {
                    now += seconds;
                    ledger.expire(at(now));
                }
                Deed::Reopen => {
                    drop(ledger);
                    ledger = folder.open(now);
                    feed = Feed::open(&folder.path()).unwrap();
                }
                Deed::Pull(who, limit) => {
                    followers[who].pull(&feed, limit, &mut || {});
                    prop_assert_eq!(&followers[who].holds, &in_force(&ledger));
                }
                Deed::PullMeanwhile(who, n, length) => {
                    let mut is_done = false;
                    followers[who].pull(&feed, 1, &mut || {
                        if !std::mem::replace(&mut is_done, true) {
                            ledger.record(vec![record(&net(n), now + length)], at(now));
                        }
                    });
                    // What came meanwhile is for the next time.
                    followers[who].pull(&feed, 9, &mut || {});
                    prop_assert_eq!(&followers[who].holds, &in_force(&ledger));
                }
            }
        }
    }
}

#[test]
fn more_events_are_no_news() {
    let folder = Folder::new();
    let mut ledger = folder.open(0);
    ledger.record(vec![record("203.0.113.7", 100)], at(1));
    let feed = Feed::open(&folder.path()).unwrap();
    let version = feed.version().unwrap();
    ledger.record(vec![record("203.0.113.7", 90)], at(2));
    assert_eq!(feed.version().unwrap(), version, "it is as long already");
    ledger.record(vec![record("203.0.113.7", 200)], at(3));
    assert_eq!(feed.version().unwrap(), at(3).nanos);
}

/// A clock that goes back must not hide anything from those who follow.
#[test]
fn versions_grow_whatever_the_clock_does() {
    let folder = Folder::new();
    let mut ledger = folder.open(500);
    ledger.record(vec![record("203.0.113.7", 1000)], at(500));
    let feed = Feed::open(&folder.path()).unwrap();
    let before = feed.version().unwrap();
    ledger.record(vec![record("203.0.113.8", 1000)], at(100));
    drop(ledger);
    let mut ledger = folder.open(50);
    ledger.end(&[target("203.0.113.8")], Cause::Unbanned, at(50));
    assert_eq!(feed.version().unwrap(), before + 2);
}
