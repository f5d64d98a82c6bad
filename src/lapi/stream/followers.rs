//! Whoever follows the stream holds what is in force: several bouncers of different habits, over
//! any sequence of what happens to decisions, answers, the clock and the process.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value;

use super::super::bouncers::Bouncers;
use super::super::keys::KeyHash;
use super::super::query::Pairs;
use super::*;
use crate::decision::{Action, Allowlist, Origin, Other, Target, parse_net, scope_and_value};
use crate::ledger::{Cause, Followed, Leaving, Ledger, NewOther, Options, Record};

pub(super) fn at(seconds: i64) -> Time {
    Time::from_seconds(seconds)
}

pub(super) fn target(n: u8) -> Target {
    let net = match n % 3 {
        0 => format!("203.0.113.{n}"),
        1 => format!("198.51.{n}.0/24"),
        _ => format!("2001:db8:{n:x}::/64"),
    };
    Allowlist::default().admit(parse_net(&net).unwrap()).unwrap()
}

pub(super) fn open(folder: &tempfile::TempDir, now: i64) -> Ledger {
    let path = folder.path().join("ledger.db");
    Ledger::open(&path, Options::default(), &Allowlist::default(), at(now)).unwrap().0
}

pub(super) fn record(n: u8, action: Action, until: i64) -> Record {
    Record {
        target: target(n),
        action,
        origin: Origin::Scenario,
        reason: "ssh-bf".to_owned(),
        until: at(until),
        events: 1,
        story: None,
    }
}

/// On the same address as the ban of that number, or on another subject.
fn other(n: u8) -> Other {
    let (scope, value) = scope_and_value(target(n).net());
    match n % 2 {
        0 => Other::new("captcha", scope, &value).unwrap(),
        _ => Other::new("ban", "Country", &format!("x{n}")).unwrap(),
    }
}

/// How bouncers differ.
struct Habit {
    name: &'static str,
    query: &'static str,
    /// Whether it says that it begins.
    says_startup: bool,
    /// Whether entries go by themselves when their time is up.
    keeps_time: bool,
}

const HABITS: [Habit; 4] = [
    Habit { name: "all", query: "scopes=ip,range,country", says_startup: true, keeps_time: true },
    Habit { name: "quiet", query: "scopes=ip,range", says_startup: false, keeps_time: false },
    Habit { name: "lists", query: "origins=lists", says_startup: true, keeps_time: false },
    Habit {
        name: "ssh",
        query: "scopes=ip,country&scenarios_containing=ssh",
        says_startup: true,
        keeps_time: true,
    },
];

/// What becomes of an answer.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    Taken,
    /// Written to its end, and never heard.
    Lost,
    /// Cut off before.
    Cut,
}

/// What a bouncer has.
#[derive(Default)]
struct Client {
    has_begun: bool,
    /// Two in a row that are lost are one too many: nobody tells us.
    lost_one: bool,
    /// The end of each by a clock that nobody sets.
    holds: BTreeMap<String, i64>,
}

impl Client {
    fn hear(&mut self, body: &[u8], real: i64) {
        let body: Value = serde_json::from_slice(body).expect("an answer is JSON");
        for entry in body["deleted"].as_array().unwrap() {
            let left = entry["duration"].as_str().unwrap();
            assert!(left == "0s" || left.starts_with('-'), "{left}");
            self.holds.remove(&shown(entry));
        }
        for entry in body["new"].as_array().unwrap() {
            let left = crate::value::parse_duration(entry["duration"].as_str().unwrap()).unwrap();
            assert!(left >= SECOND);
            self.holds.insert(shown(entry), real + left / SECOND);
        }
        self.has_begun = true;
    }
}

fn shown(entry: &Value) -> String {
    let part = |name| entry[name].as_str().unwrap();
    format!("{} {} {}", part("type"), part("scope"), part("value"))
}

#[derive(Clone, Debug)]
enum Deed {
    Ban(u8, i64),
    /// An operator asks for it.
    Order(u8, i64),
    Observe(u8, i64),
    End(u8),
    /// A list asks for it, and then does not any more.
    List(u8, i64),
    Withdraw(u8),
    /// What only bouncers carry out.
    Other(u8, i64),
    EndOther(u8),
    Wait(i64),
    /// Somebody sets the clock.
    Step(bool),
    Expire,
    /// The process ends; what it last told bouncers may go with it.
    Restart(bool),
    Pull(usize, Fate),
    /// Something happens after each piece of an answer.
    PullBeside(usize, Vec<Deed>),
    /// A bouncer starts anew.
    Begin(usize),
}

fn change() -> impl Strategy<Value = Deed> {
    let timed = || (0..9_u8, 1..60_i64);
    prop_oneof![
        4 => timed().prop_map(|(n, length)| Deed::Ban(n, length)),
        2 => timed().prop_map(|(n, length)| Deed::Order(n, length)),
        1 => timed().prop_map(|(n, length)| Deed::Observe(n, length)),
        3 => (0..9_u8).prop_map(Deed::End),
        2 => timed().prop_map(|(n, length)| Deed::List(n, length)),
        2 => (0..9_u8).prop_map(Deed::Withdraw),
        3 => timed().prop_map(|(n, length)| Deed::Other(n, length)),
        2 => (0..9_u8).prop_map(Deed::EndOther),
        2 => Just(Deed::Expire),
    ]
}

fn deed() -> impl Strategy<Value = Deed> {
    let who = || 0..HABITS.len();
    let fate = prop_oneof![6 => Just(Fate::Taken), 1 => Just(Fate::Lost), 1 => Just(Fate::Cut)];
    prop_oneof![
        20 => change(),
        3 => (1..30_i64).prop_map(Deed::Wait),
        1 => any::<bool>().prop_map(Deed::Step),
        1 => any::<bool>().prop_map(Deed::Restart),
        8 => (who(), fate).prop_map(|(who, fate)| Deed::Pull(who, fate)),
        2 => (who(), vec(change(), 1..4)).prop_map(|(who, deeds)| Deed::PullBeside(who, deeds)),
        1 => who().prop_map(Deed::Begin),
    ]
}

/// Further than any sequence waits.
const STEP: i64 = 5_000;

struct World {
    folder: tempfile::TempDir,
    ledger: Ledger,
    feed: Feed,
    bouncers: Bouncers,
    /// As they were written down last.
    written: BTreeMap<String, super::super::bouncers::Bouncer>,
    clients: [Client; HABITS.len()],
    now: i64,
    /// The time that the clock would show if nobody had set it.
    real: i64,
    /// The clock was set forward: what bouncers hold ends later than here.
    ends_differ: bool,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let now = 100_000;
        let ledger = open(&folder, now);
        let feed = Feed::open(&folder.path().join("ledger.db")).unwrap();
        let mut bouncers = Bouncers::default();
        for habit in &HABITS {
            bouncers.add(habit.name, KeyHash::of(habit.name), at(now)).unwrap();
        }
        let written = bouncers.take_changed().into_iter();
        let written = written.map(|bouncer| (bouncer.name.clone(), bouncer)).collect();
        let clients = <[Client; HABITS.len()]>::default();
        let real = now;
        Self { folder, ledger, feed, bouncers, written, clients, now, real, ends_differ: false }
    }

    fn write_down(&mut self) {
        for bouncer in self.bouncers.take_changed() {
            self.written.insert(bouncer.name.clone(), bouncer);
        }
    }

    fn ban(&mut self, n: u8, length: i64, origin: Origin, reason: &str) {
        let record = record(n, Action::Ban, self.now + length);
        let record = Record { origin, reason: reason.to_owned(), ..record };
        self.ledger.record(vec![record], at(self.now));
    }

    fn happen(&mut self, deed: &Deed) {
        let now = at(self.now);
        match *deed {
            Deed::Ban(n, length) => self.ban(n, length, Origin::Scenario, "ssh-bf"),
            Deed::Order(n, length) => self.ban(n, length, Origin::Manual, "asked for"),
            Deed::List(n, length) => self.ban(n, length, Origin::List, "drop"),
            Deed::Observe(n, length) => {
                self.ledger.record(vec![record(n, Action::Observe, self.now + length)], now);
            }
            Deed::End(n) => drop(self.ledger.end(&[target(n)], Cause::Unbanned, now)),
            Deed::Withdraw(n) => {
                drop(self.ledger.withdraw(&[target(n)], &Leaving::list("drop"), now))
            }
            Deed::Other(n, length) => {
                let (origin, reason) = (Origin::Manual, "ssh".to_owned());
                let until = at(self.now + length);
                let new = NewOther { other: other(n), origin, reason, until };
                self.ledger.begin_others(vec![new], now).unwrap();
            }
            Deed::EndOther(n) => {
                let wanted = other(n);
                let fit = self.ledger.others(now).filter(|(_, held)| **held == wanted);
                let numbers: Vec<u64> = fit.map(|(id, _)| id).collect();
                self.ledger.end_others(&numbers, Cause::Unbanned, now).unwrap();
            }
            Deed::Expire => drop(self.ledger.expire(now)),
            Deed::Wait(seconds) => {
                (self.now, self.real) = (self.now + seconds, self.real + seconds)
            }
            Deed::Step(is_back) => {
                self.now += if is_back { -STEP } else { STEP };
                self.ends_differ = true;
            }
            Deed::Restart(is_sudden) => {
                if !is_sudden {
                    self.write_down();
                }
                self.bouncers = Bouncers::remembered(self.written.values().cloned());
                // The old one must be closed first.
                let elsewhere = tempfile::tempdir().unwrap();
                self.ledger = open(&elsewhere, self.now);
                self.ledger = open(&self.folder, self.now);
                self.feed = Feed::open(&self.folder.path().join("ledger.db")).unwrap();
            }
            Deed::Begin(who) if HABITS[who].says_startup => self.clients[who] = Client::default(),
            // Whoever does not say so, and forgets, is not helped.
            Deed::Begin(_) => {}
            Deed::Pull(who, fate) => {
                self.pull(who, fate, &[]);
                if fate == Fate::Taken {
                    self.look(who);
                }
            }
            Deed::PullBeside(who, ref deeds) => {
                let before = self.numbers(who);
                self.pull(who, Fate::Taken, deeds);
                let after = self.numbers(who);
                // What begins meanwhile may be for the next time.
                let stayed = before.iter().filter(|(number, _)| after.contains_key(number));
                let holds = &self.clients[who].holds;
                let missed: Vec<_> =
                    stayed.filter(|(_, name)| !holds.contains_key(*name)).collect();
                assert!(missed.is_empty(), "{} misses {missed:?}", HABITS[who].name);
            }
        }
    }

    fn pull(&mut self, who: usize, fate: Fate, beside: &[Deed]) {
        let (name, now) = (HABITS[who].name, at(self.now));
        let is_lost = fate == Fate::Lost && !self.clients[who].lost_one;
        let is_beginning = HABITS[who].says_startup && !self.clients[who].has_begun;
        let has = (!is_beginning).then(|| self.bouncers.told(name, now));
        let filter = Filter::of(&Pairs::of(HABITS[who].query), Some(&["ip", "range"])).unwrap();
        let mut answer = Answer::begin(&self.feed, filter, has, now).unwrap();
        answer.page = 2;
        let (mut body, mut beside) = (Vec::new(), beside.iter());
        while let Some(piece) = answer.next(&self.feed).unwrap() {
            body.extend(piece);
            if let Some(deed) = beside.next() {
                self.happen(deed);
            }
        }
        if fate == Fate::Cut {
            return;
        }
        self.bouncers.tell(name, answer.version(), is_beginning, now);
        let client = &mut self.clients[who];
        client.lost_one = is_lost;
        if !is_lost {
            client.hear(&body, self.real);
        }
        if HABITS[who].keeps_time {
            client.holds.retain(|_, until| *until > self.real);
        }
    }

    /// What a bouncer is to hold.
    fn wanted(&self, who: usize) -> Vec<Followed> {
        let filter = Filter::of(&Pairs::of(HABITS[who].query), Some(&["ip", "range"])).unwrap();
        let mut all = self.feed.active_by_number(0, 1_000).unwrap();
        all.retain(|decision| filter.takes(decision) && decision.until > at(self.now));
        all
    }

    fn numbers(&self, who: usize) -> BTreeMap<u64, String> {
        let wanted = self.wanted(who);
        wanted.iter().map(|decision| (decision.id, self.entry(decision).0)).collect()
    }

    /// The same, and until when by the bouncer's clock.
    fn in_force(&self, who: usize) -> BTreeMap<String, i64> {
        self.wanted(who).iter().map(|decision| self.entry(decision)).collect()
    }

    fn entry(&self, decision: &Followed) -> (String, i64) {
        use super::super::decision::{kind, scope, value};
        let name = format!("{} {} {}", kind(decision), scope(decision), value(decision));
        (name, decision.until.seconds() - self.now + self.real)
    }

    /// All that holds, whoever asked for it, also what nobody has ended yet though its time is up.
    fn not_ended(&self) -> BTreeSet<String> {
        let all = self.feed.active_by_number(0, 1_000).unwrap();
        let bans = all.iter().filter(|decision| !decision.is_observed());
        bans.map(|decision| self.entry(decision).0).collect()
    }

    /// Compares after an answer.
    fn look(&self, who: usize) {
        let (habit, client) = (&HABITS[who], &self.clients[who]);
        let in_force = self.in_force(who);
        if habit.name == "all" && !self.ends_differ {
            assert_eq!(client.holds, in_force);
            return;
        }
        let holds: BTreeSet<String> = client.holds.keys().cloned().collect();
        let wanted: BTreeSet<String> = in_force.into_keys().collect();
        let missed: Vec<_> = wanted.difference(&holds).collect();
        assert!(missed.is_empty(), "{} misses {missed:?}", habit.name);
        let not_ended = self.not_ended();
        let stale: Vec<_> = holds.difference(&not_ended).collect();
        assert!(stale.is_empty(), "{} still holds {stale:?}", habit.name);
    }
}

proptest! {
    /// With `PROPTEST_CASES` as many sequences as one likes.
    #[test]
    fn whoever_follows_holds_what_is_in_force(deeds in vec(deed(), 0..50)) {
        let mut world = World::new();
        for deed in &deeds {
            world.happen(deed);
        }
        // In the end all hold it, whatever became of the answers before.
        for who in 0..HABITS.len() {
            world.happen(&Deed::Pull(who, Fate::Taken));
        }
        world.happen(&Deed::Expire);
        for who in 0..HABITS.len() {
            world.happen(&Deed::Pull(who, Fate::Taken));
        }
    }
}
