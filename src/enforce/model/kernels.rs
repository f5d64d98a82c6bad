//! The same against the real kernel, in a network namespace for each sequence: the edits that the
//! model's line makes are carried out by a backend, its sets are listed element by element, and the
//! kernel is asked by other programs about some addresses.

#![forbid(unsafe_code)]

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::super::backend::Backend;
use super::super::element::Element;
use super::super::ipset::Ipset;
use super::super::netlink::netns::{isolated, run, succeeds};
use super::super::nftables::Nftables;
use super::super::route::Routes;
use super::super::wanted::Wanted;
use super::{Naive, Step, addresses, any_step};
use crate::ledger::{Ban, Change};
use crate::settings::Enforce;
use crate::system::clock;
use crate::value::Time;

/// A way to ban, and what of it the sequences must know.
struct Way {
    sequences: usize,
    /// A step of time.
    unit: Duration,
    /// How long before its time an element may go: the kernel counts in ticks, rounded down.
    early: Duration,
    /// How long it may stay when its time is over.
    late: Duration,
    /// Whether the kernel has an address, asked by another program.
    has: fn(IpAddr) -> bool,
}

impl Way {
    /// What is over by then is in no kernel that is looked at from now on.
    fn before(&self) -> Time {
        clock::now().plus(-i64::try_from(self.late.as_nanos()).unwrap())
    }

    /// What lasts beyond that is in every kernel that was looked at.
    fn after(&self) -> Time {
        clock::now().plus(i64::try_from(self.early.as_nanos()).unwrap())
    }
}

fn has_nftables(address: IpAddr) -> bool {
    let number = if address.is_ipv4() { 4 } else { 6 };
    ["", "_net"]
        .iter()
        .any(|end| succeeds(&format!("nft get element inet weir ban{number}{end} {{ {address} }}")))
}

fn has_ipset(address: IpAddr) -> bool {
    let number = if address.is_ipv4() { 4 } else { 6 };
    ["", "-net"].iter().any(|end| succeeds(&format!("ipset test weir-ban{number}{end} {address}")))
}

fn has_route(address: IpAddr) -> bool {
    !succeeds(&format!("ip route get {address}"))
}

/// One sequence with one backend.
struct Trial<B> {
    backend: B,
    wanted: Wanted,
    naive: Naive,
}

impl<B: Backend> Trial<B> {
    fn carry_out(&mut self, change: &Change) {
        self.wanted.change(change);
        self.catch_up();
    }

    /// What the enforcer does between orders.
    fn catch_up(&mut self) {
        let now = clock::now();
        self.wanted.expire(now);
        let edits = self.wanted.take_edits(now, 1_000_000, true);
        if self.backend.apply(&edits).is_err() {
            // A range that the kernel has not let go of yet overlaps one that comes.
            self.backend.rebuild(&mut self.wanted.elements(clock::now())).unwrap();
        }
    }

    fn take(&mut self, step: Step, way: &Way) {
        let unit = i64::try_from(way.unit.as_nanos()).unwrap();
        match step {
            Step::Ban(target, time) => {
                // Some end soon, the others after the test.
                let until =
                    clock::now().plus(if time < 4 { time * unit } else { 3600 * time * unit });
                self.naive.bans.insert(target.net(), until);
                self.carry_out(&Change::Ban(vec![Ban { target, until }]));
            }
            Step::Unban(target) => {
                self.naive.bans.remove(&target.net());
                self.carry_out(&Change::Unban(vec![target]));
            }
            Step::Pass(time) => std::thread::sleep(way.unit * u32::try_from(time).unwrap()),
            Step::Foreign(_) | Step::Restart => self.check(way),
        }
    }

    /// The kernel holds what must be held from before to after the look, and nothing that was over
    /// before it.
    fn check(&mut self, way: &Way) {
        let before = way.before();
        self.catch_up();
        let held = self.backend.list().unwrap();
        let after = way.after();
        let held: Vec<Element> = held.iter().map(|held| held.element).collect();
        for (element, _) in self.wanted.elements(after) {
            assert!(held.contains(&element), "{element:?} is missing");
        }
        let due: Vec<Element> = self.wanted.elements(before).map(|(element, _)| element).collect();
        // What is over was forgotten by then; until the kernel has done so it may still be there.
        let unexpected = held.iter().filter(|element| !due.contains(element));
        for element in unexpected {
            let net = [element.first(), element.last()];
            let was_banned = net.iter().all(|address| self.naive.is_banned(*address, before));
            assert!(was_banned, "{element:?} is there");
        }
        let holds = |address: IpAddr| {
            held.iter().any(|element| (element.first()..=element.last()).contains(&address))
        };
        for address in addresses() {
            self.agrees(address, holds(address), before, after);
        }
    }

    #[track_caller]
    fn agrees(&self, address: IpAddr, is_held: bool, before: Time, after: Time) {
        if is_held {
            assert!(self.naive.is_banned(address, before), "{address} is held");
        } else {
            assert!(!self.naive.is_banned(address, after), "{address} is not held");
        }
    }

    /// Asks another program.
    fn probe(&mut self, way: &Way) {
        for address in addresses().step_by(7) {
            let before = way.before();
            self.catch_up();
            let is_held = (way.has)(address);
            self.agrees(address, is_held, before, way.after());
        }
    }
}

/// Several at a time: most of their time they sleep.
const TOGETHER: usize = 8;

fn try_all<B: Backend>(way: &Way, open: impl Fn() -> B + Sync) {
    std::thread::scope(|scope| {
        for part in 0..TOGETHER {
            let open = &open;
            scope.spawn(move || {
                let mut seed = [0; 32];
                seed[0] = u8::try_from(part).unwrap();
                let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
                let mut runner = TestRunner::new_with_rng(Config::default(), rng);
                for _ in 0..way.sequences / TOGETHER {
                    let steps = proptest::collection::vec(any_step(), 1..16);
                    let steps = steps.new_tree(&mut runner).unwrap().current();
                    isolated(|| {
                        // Without a way for the others nobody could be told apart by routes.
                        run("ip link add v0 type veth peer name v1");
                        run("ip link set v1 up");
                        run("ip link set v0 up");
                        run("ip route add default dev v0");
                        run("ip -6 route add default dev v0");
                        let mut backend = open();
                        backend.prepare().unwrap();
                        let wanted = Wanted::new(backend.shape(), backend.expires());
                        let mut trial = Trial { backend, wanted, naive: Naive::default() };
                        for step in steps {
                            trial.take(step, way);
                        }
                        trial.check(way);
                        trial.probe(way);
                    });
                }
            });
        }
    });
}

#[test]
fn nftables_does_as_the_model_says() {
    let way = Way {
        sequences: 200,
        unit: Duration::from_millis(100),
        early: Duration::from_millis(20),
        late: Duration::from_millis(20),
        has: has_nftables,
    };
    try_all(&way, || Nftables::open((&Enforce::default()).into()).unwrap());
}

#[test]
fn ipsets_do_as_the_model_says() {
    // Sets count whole seconds.
    let way = Way {
        sequences: 24,
        unit: Duration::from_millis(500),
        early: Duration::from_millis(20),
        late: Duration::from_millis(2500),
        has: has_ipset,
    };
    try_all(&way, || Ipset::new((&Enforce::default()).into()));
}

#[test]
fn routes_do_as_the_model_says() {
    let way = Way {
        sequences: 80,
        unit: Duration::from_millis(100),
        early: Duration::ZERO,
        late: Duration::ZERO,
        has: has_route,
    };
    try_all(&way, || Routes::open((&Enforce::default()).into()).unwrap());
}

#[test]
fn a_range_bans_all_of_it_and_nothing_beside_it() {
    let net = |text: &str| text.parse::<IpNet>().unwrap();
    let naive = Naive { bans: [(net("10.0.0.4/30"), Time::from_seconds(9))].into() };
    let banned: Vec<_> =
        addresses().filter(|address| naive.is_banned(*address, Time::from_seconds(8))).collect();
    assert_eq!(banned, [4, 5, 6, 7].map(|low| IpAddr::from([10, 0, 0, low])));
}
