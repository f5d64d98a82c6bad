//! Enforcement against a model that cannot be wrong: a map from prefix to end, in which an address
//! is banned when any prefix that has it lasts. Random bans, extensions, unbans and ends of prefixes
//! that lie in one another go through everything between the ledger and the kernel, and what comes
//! out is compared with the model, address by address.
//!
//! Here the kernel is a map as well; in [`kernels`] it is the real one.

#![forbid(unsafe_code)]

mod kernels;

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;

use super::backend::{Precision, Shape};
use super::element::{Edit, Element, Held};
use super::reconcile;
use super::wanted::Wanted;
use crate::decision::{Action, Allowlist, Origin, Target};
use crate::ledger::{Ban, Cause, Change, Ledger, Options, Record};
use crate::value::Time;

const SECOND: i64 = 1_000_000_000;

/// Something that happens.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// A ban for so long, in steps of time; also of what is banned.
    Ban(Target, i64),
    Unban(Target),
    /// So much time goes by.
    Pass(i64),
    /// Somebody changes the kernel behind our back, as this number says.
    Foreign(u64),
    /// The daemon starts again, and says all that is in force.
    Restart,
}

fn target(net: IpNet) -> Target {
    Allowlist::default().admit(net.trunc()).expect("nobody is a friend")
}

/// Prefixes of 32 addresses of either family: many of them lie in one another.
fn any_target() -> impl Strategy<Value = Target> {
    (any::<bool>(), 0..32_u8, 0..=5_u8).prop_map(|(is_v4, low, shorter)| {
        let net = if is_v4 {
            IpNet::new([10, 0, 0, low].into(), 32 - shorter)
        } else {
            IpNet::new(
                (0x2001_0db8_u128 << 96 | u128::from(low)).to_be_bytes().into(),
                128 - shorter,
            )
        };
        target(net.expect("a length of the family"))
    })
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (any_target(), 1..12_i64).prop_map(|(target, time)| Step::Ban(target, time)),
        3 => any_target().prop_map(Step::Unban),
        2 => (1..5_i64).prop_map(Step::Pass),
        1 => any::<u64>().prop_map(Step::Foreign),
        1 => Just(Step::Restart),
    ]
}

/// Every address that can be banned, and some beside them.
fn addresses() -> impl Iterator<Item = IpAddr> {
    let v4 = (0x0a00_0000_u32 - 1..=0x0a00_0000 + 32).map(|bits| IpAddr::V4(bits.into()));
    let first = 0x2001_0db8_u128 << 96;
    v4.chain((first - 1..=first + 32).map(|bits| IpAddr::V6(bits.into())))
}

/// What is banned, as simply as can be.
#[derive(Clone, Debug, Default)]
struct Naive {
    bans: BTreeMap<IpNet, Time>,
}

impl Naive {
    fn is_banned(&self, address: IpAddr, now: Time) -> bool {
        self.bans.iter().any(|(net, until)| net.contains(&address) && *until > now)
    }

    fn all(&self, now: Time) -> Vec<Ban> {
        let live = self.bans.iter().filter(|(_, until)| **until > now);
        live.map(|(net, until)| Ban { target: target(*net), until: *until }).collect()
    }
}

/// A kernel that is a map.
#[derive(Clone, Debug, Default)]
struct Kernel {
    elements: BTreeMap<Element, Time>,
}

impl Kernel {
    fn holds(&self, address: IpAddr) -> bool {
        self.elements.keys().any(|element| (element.first()..=element.last()).contains(&address))
    }

    fn apply(&mut self, edits: &[Edit]) {
        for edit in edits {
            match *edit {
                Edit::Add(element, until) => {
                    assert!(self.elements.insert(element, until).is_none(), "{edit:?} is there");
                }
                // A range that has just ended may be there still: it is taken away to be sure.
                Edit::Update(element, until) => {
                    let before = self.elements.insert(element, until);
                    let may_be_gone = matches!(element, Element::Range(..));
                    assert!(before.is_some() || may_be_gone, "{edit:?} is absent");
                }
                Edit::Remove(element) => {
                    let before = self.elements.remove(&element);
                    let may_be_gone = matches!(element, Element::Range(..));
                    assert!(before.is_some() || may_be_gone, "{edit:?} is absent");
                }
            }
        }
    }

    fn list(&self, expires: bool) -> Vec<Held> {
        let held = |(element, until): (&Element, &Time)| Held {
            element: *element,
            until: expires.then_some(*until),
        };
        self.elements.iter().map(held).collect()
    }

    /// Ranges overlap in no set, and are prefixes where they must be.
    fn check(&self, shape: Shape) {
        let ranges = self.elements.keys().filter(|element| matches!(element, Element::Range(..)));
        let mut last: Option<IpAddr> = None;
        for range in ranges {
            assert!(last.is_none_or(|last| last < range.first()), "{range:?} overlaps another");
            assert!(shape == Shape::Ranges || range.prefix().is_some(), "{range:?} is no prefix");
            last = Some(range.last());
        }
    }

    fn disturb(&mut self, how: u64) {
        let keys: Vec<_> = self.elements.keys().copied().collect();
        match how % 4 {
            0 => self.elements.clear(),
            1 => self.elements.retain(|element, _| element.first() > IpAddr::from([10, 0, 0, 9])),
            2 => {
                // Another end, or an element that nobody asked for.
                let Some(element) = keys.get(how as usize % keys.len().max(1)) else { return };
                self.elements.insert(*element, Time::from_seconds(1_000_000));
            }
            _ => {
                let stranger = Element::Host(IpAddr::from([192, 0, 2, (how % 250) as u8]));
                self.elements.insert(stranger, Time::from_seconds(1_000_000));
            }
        }
    }
}

/// From changes on: what the enforcer does with them, one after the other.
struct Line {
    shape: Shape,
    expires: bool,
    wanted: Wanted,
    kernel: Kernel,
}

impl Line {
    fn new(shape: Shape, expires: bool) -> Self {
        let (wanted, kernel) = (Wanted::new(shape, expires), Kernel::default());
        Self { shape, expires, wanted, kernel }
    }

    fn change(&mut self, change: &Change, now: Time) {
        self.wanted.change(change);
        if matches!(change, Change::Replace(_)) {
            self.reconcile(now);
        }
    }

    fn reconcile(&mut self, now: Time) {
        self.wanted.expire(now);
        self.wanted.forget_all_edits();
        let precision = Precision { tolerance: std::time::Duration::ZERO, ..Precision::default() };
        let held = self.kernel.list(self.expires);
        let precision = self.expires.then_some(precision);
        let edits = reconcile::diff(self.wanted.elements(now), held, now, precision);
        self.kernel.apply(&edits);
    }

    /// What is pending is carried out; then the kernel is as the model says.
    fn check(&mut self, naive: &Naive, now: Time) {
        if self.expires {
            self.kernel.elements.retain(|_, until| *until > now);
        }
        self.wanted.expire(now);
        let edits = self.wanted.take_edits(now, 1_000_000, true);
        self.kernel.apply(&edits);
        self.kernel.check(self.shape);
        // Where ends are not kept, nobody sees a wrong one.
        let seen = |element, until| (element, self.expires.then_some(until));
        let wanted: Vec<_> = self.wanted.elements(now).map(|(e, until)| seen(e, until)).collect();
        let held: Vec<_> = self.kernel.elements.iter().map(|(e, until)| seen(*e, *until)).collect();
        assert_eq!(held, wanted);
        for address in addresses() {
            let is_banned = naive.is_banned(address, now);
            assert_eq!(self.kernel.holds(address), is_banned, "{address} at {now:?}");
        }
    }
}

fn every_line() -> [Line; 4] {
    [
        Line::new(Shape::Ranges, true),
        Line::new(Shape::Ranges, false),
        Line::new(Shape::Prefixes, true),
        Line::new(Shape::Prefixes, false),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn what_is_wanted_reaches_the_kernel(steps in vec(any_step(), 0..16)) {
        let mut now = Time::from_seconds(1000);
        let mut naive = Naive::default();
        let mut lines = every_line();
        for step in steps {
            let mut change = None;
            match step {
                Step::Ban(target, time) => {
                    let until = now.plus(time * SECOND);
                    naive.bans.insert(target.net(), until);
                    change = Some(Change::Ban(vec![Ban { target, until }]));
                }
                Step::Unban(target) => {
                    naive.bans.remove(&target.net());
                    change = Some(Change::Unban(vec![target]));
                }
                Step::Pass(time) => now = now.plus(time * SECOND),
                Step::Restart => change = Some(Change::Replace(naive.all(now))),
                Step::Foreign(how) => {
                    for line in &mut lines {
                        line.check(&naive, now);
                        line.kernel.disturb(how);
                        line.reconcile(now);
                    }
                }
            }
            for line in &mut lines {
                if let Some(change) = &change {
                    line.change(change, now);
                }
                line.check(&naive, now);
            }
        }
    }
}

/// The same from the ledger on, which knows when a ban is extended and what is over.
#[test]
fn what_the_ledger_says_reaches_the_kernel() {
    use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let options = Options { keep_ended: 0, ..Options::default() };
    let mut now = Time::from_seconds(1000);
    let (mut ledger, _) = Ledger::open(&path, options, &Allowlist::default(), now).unwrap();
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let sequences = vec(any_step(), 0..8);
    for _ in 0..LEDGER_SEQUENCES {
        let steps = sequences.new_tree(&mut runner).unwrap().current();
        let mut naive = Naive::default();
        let mut lines = every_line();
        for step in steps {
            let changes = match step {
                Step::Ban(target, time) => {
                    let until = now.plus(time * SECOND);
                    let live = naive.bans.get(&target.net()).filter(|until| **until > now);
                    let later = live.map_or(until, |known| until.max(*known));
                    naive.bans.insert(target.net(), later);
                    ledger.record(vec![record(target, until)], now).changes
                }
                Step::Unban(target) => {
                    naive.bans.remove(&target.net());
                    ledger.end(&[target], Cause::Unbanned, now).change.into_iter().collect()
                }
                Step::Pass(time) => {
                    now = now.plus(time * SECOND);
                    ledger.expire(now).change.into_iter().collect()
                }
                Step::Restart | Step::Foreign(_) => vec![ledger.replace(now)],
            };
            for line in &mut lines {
                for change in &changes {
                    line.change(change, now);
                }
                line.check(&naive, now);
            }
        }
        // The next sequence begins with nobody banned.
        now = now.plus(100 * SECOND);
        ledger.expire(now);
    }
}

const LEDGER_SEQUENCES: usize = 10_000;

fn record(target: Target, until: Time) -> Record {
    Record {
        target,
        action: Action::Ban,
        origin: Origin::Manual,
        reason: "a test".to_owned(),
        until,
        events: 1,
        story: None,
    }
}
