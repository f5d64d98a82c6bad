//! The loop on a thread of its own: with a backend that fails on demand, and with the kernel.

mod figures;

use std::net::IpAddr;
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use super::super::backend::Hit;
use super::super::element::{Edit, Element, Held};
use super::super::netlink::netns::{isolated, run};
use super::super::nftables::tests::{options, shown};
use super::super::orders::{Orders, queue};
use super::super::{Counts, Nftables, Observe, PerFamily};
use super::*;
use crate::decision::{Allowlist, Target};
use crate::ledger::{Ban, Change};
use crate::metrics::Metrics;
use crate::value::Time;

const SECOND: i64 = 1_000_000_000;
const PATIENCE: Duration = Duration::from_secs(10);
/// Slow enough that nothing in a test is the timer's doing.
const SLOW: Pace = Pace { reconcile: Duration::from_secs(3600), count: Duration::from_secs(3600) };

fn target(text: &str) -> Target {
    let net = text.parse().unwrap_or_else(|_| text.parse::<IpAddr>().unwrap().into());
    Allowlist::default().admit(net).unwrap()
}

fn ban(text: &str, seconds: i64) -> Ban {
    Ban { target: target(text), until: clock::now().plus(seconds * SECOND) }
}

/// The `n`th of many addresses.
fn nth(n: u32) -> IpAddr {
    IpAddr::V4((0x0b00_0000 + n).into())
}

fn many(count: u32, seconds: i64) -> Vec<Ban> {
    (0..count).map(|n| ban(&nth(n).to_string(), seconds)).collect()
}

/// An enforcer at work.
struct Running<B> {
    orders: Orders,
    all: Metrics,
    metrics: OfBackend,
    status: Status,
    thread: JoinHandle<B>,
}

impl<B: Backend + Send + 'static> Running<B> {
    fn start(backend: B, pace: Pace) -> Self {
        let (orders, inbox) = queue(2048).unwrap();
        let (all, status) = (Metrics::default(), Status::default());
        let metrics = all.enforce.of(backend.name());
        let enforcer = Enforcer::new(backend, inbox, pace, metrics.clone(), status.clone());
        let thread = std::thread::spawn(move || enforcer.run());
        Self { orders, all, metrics, status, thread }
    }

    fn send(&self, change: Change) {
        self.orders.send(change, Some(clock::instant())).expect("there is room");
    }

    /// Sends a change and waits until it is carried out.
    #[track_caller]
    fn settle(&self, change: Change) {
        let is_replace = matches!(change, Change::Replace(_));
        let (batches, reconciles) = (self.metrics.batches.get(), self.metrics.reconciles.get());
        self.send(change);
        until("the change is carried out", || {
            let is_done = if is_replace {
                self.metrics.reconciles.get() > reconciles
            } else {
                self.metrics.batches.get() > batches
            };
            is_done && self.status.is_in_sync()
        });
    }

    fn stop(self) -> B {
        self.orders.stop();
        self.thread.join().unwrap()
    }
}

/// Waits for something and says how long it took.
#[track_caller]
fn until(what: &str, mut is_so: impl FnMut() -> bool) -> Duration {
    let start = clock::instant();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
    start.elapsed()
}

/// What a test does to the backend behind the enforcer's back.
#[derive(Debug, Default)]
struct Fate {
    refusals: u32,
    is_torn: bool,
    applied: u32,
    rebuilt: u32,
}

/// An [`Observe`] that fails when told to.
#[derive(Debug)]
struct Fickle {
    observe: Observe,
    fate: Arc<Mutex<Fate>>,
}

impl Fickle {
    fn new(fate: Fate) -> (Self, Arc<Mutex<Fate>>) {
        let fate = Arc::new(Mutex::new(fate));
        (Self { observe: Observe::new(), fate: fate.clone() }, fate)
    }

    fn refuse(&self) -> Result<(), Error> {
        let mut fate = self.fate.lock().unwrap();
        fate.refusals = match fate.refusals.checked_sub(1) {
            None => return Ok(()),
            Some(fewer) => fewer,
        };
        Err(Error::Kernel { what: "please", source: netlink::Error::Silent })
    }
}

impl Backend for Fickle {
    fn name(&self) -> &'static str {
        "fickle"
    }

    fn prepare(&mut self) -> Result<bool, Error> {
        self.refuse()?;
        self.observe.prepare()
    }

    fn befriend(&mut self, friends: &[IpNet]) -> Result<bool, Error> {
        self.observe.befriend(friends)
    }

    fn begin_list(&mut self) -> Result<(), Error> {
        self.observe.begin_list()
    }

    fn list_some(&mut self, held: &mut Vec<Held>) -> Result<bool, Error> {
        if std::mem::take(&mut self.fate.lock().unwrap().is_torn) {
            return Err(Error::Torn { set: "ban4_net" });
        }
        self.observe.list_some(held)
    }

    fn look_up(&mut self, address: IpAddr) -> Result<Vec<Hit>, Error> {
        self.observe.look_up(address)
    }

    fn apply(&mut self, edits: &[Edit]) -> Result<u64, Error> {
        self.refuse()?;
        self.fate.lock().unwrap().applied += 1;
        self.observe.apply(edits)
    }

    fn rebuild(
        &mut self,
        elements: &mut dyn Iterator<Item = (Element, Time)>,
    ) -> Result<(), Error> {
        self.refuse()?;
        self.fate.lock().unwrap().rebuilt += 1;
        self.observe.rebuild(elements)
    }

    fn dropped(&mut self) -> Result<PerFamily<Counts>, Error> {
        Ok(PerFamily { v4: Counts { packets: 7, bytes: 700 }, v6: Counts::default() })
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.refuse()?;
        self.observe.flush()
    }

    fn watched(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    fn disturbed(&mut self) -> Result<bool, Error> {
        Ok(false)
    }
}

fn held(backend: &mut impl Backend) -> Vec<String> {
    let held = backend.list().unwrap();
    held.iter().map(|held| held.element.first().to_string()).collect()
}

#[test]
fn a_replace_leaves_exactly_its_bans() {
    let mut observe = Observe::new();
    let (kept, stale) = (ban("192.0.2.1", 60), ban("192.0.2.2", 60));
    let old = [kept, stale].map(|ban| Edit::Add(Element::Host(ban.target.net().addr()), ban.until));
    observe.apply(&old).unwrap();
    let running = Running::start(observe, SLOW);
    // Before the ledger is known, nothing goes.
    running.send(Change::Ban(vec![ban("192.0.2.3", 60)]));
    until("the ban is carried out", || running.metrics.batches.get() > 0);
    assert_eq!(running.status.condition(), Condition::Starting);
    running.settle(Change::Replace(vec![kept, ban("192.0.2.4", 60), ban("10.0.0.0/24", 60)]));
    assert_eq!(held(&mut running.stop()), ["192.0.2.1", "192.0.2.4", "10.0.0.0"]);
}

#[test]
fn a_burst_is_few_transactions_and_all_of_it_is_measured() {
    let (backend, fate) = Fickle::new(Fate::default());
    let running = Running::start(backend, SLOW);
    running.settle(Change::Replace(vec![]));
    let before = fate.lock().unwrap().applied;
    // The loop cannot look at the queue while its backend is held up.
    let hold = fate.lock().unwrap();
    running.send(Change::Ban(vec![ban("192.0.2.1", 60)]));
    for one in many(1000, 60) {
        running.send(Change::Ban(vec![one]));
    }
    drop(hold);
    until("all are counted", || running.metrics.elements("ipv4").get() == 1001);
    assert_eq!(running.metrics.dropped_packets("ipv4").get(), 7);
    let metrics = running.all.clone();
    assert_eq!(held(&mut running.stop()).len(), 1001);
    let applied = fate.lock().unwrap().applied - before;
    assert!(applied <= 3, "{applied} calls");
    let page = crate::metrics::exposition(&metrics.registry());
    assert!(
        page.contains("weir_receive_to_kernel_seconds_count{backend=\"fickle\"} 1002"),
        "{page}"
    );
}

#[test]
fn failures_are_told_and_tried_again() {
    let (backend, fate) = Fickle::new(Fate::default());
    let running = Running::start(backend, SLOW);
    running.settle(Change::Replace(vec![]));
    fate.lock().unwrap().refusals = 4;
    running.send(Change::Ban(vec![ban("192.0.2.1", 60)]));
    until("a failure is told", || matches!(running.status.condition(), Condition::Failed(_)));
    until("it is in sync again", || running.status.is_in_sync());
    assert_eq!(
        running.status.last_error().as_deref(),
        Some("cannot please: the kernel did not answer in time")
    );
    assert_eq!(running.metrics.errors.get(), 4);
    assert_eq!(held(&mut running.stop()), ["192.0.2.1"]);
}

#[test]
fn what_makes_no_sense_is_built_anew() {
    let (backend, fate) = Fickle::new(Fate::default());
    let running = Running::start(backend, SLOW);
    running.settle(Change::Replace(vec![ban("192.0.2.1", 60)]));
    fate.lock().unwrap().is_torn = true;
    running.orders.reconcile();
    until("the sets are rebuilt", || fate.lock().unwrap().rebuilt == 1);
    until("it is in sync again", || running.status.is_in_sync());
    assert_eq!(held(&mut running.stop()), ["192.0.2.1"]);
}

#[test]
fn it_ends_when_nobody_is_left_to_ask() {
    let running = Running::start(Observe::new(), SLOW);
    running.send(Change::Ban(vec![ban("192.0.2.1", 60)]));
    let Running { orders, thread, .. } = running;
    drop(orders);
    assert_eq!(held(&mut thread.join().unwrap()), ["192.0.2.1"]);
}

#[test]
fn the_timer_finds_what_nobody_heard_of() {
    let (backend, _) = Fickle::new(Fate::default());
    let pace = Pace { reconcile: Duration::from_millis(20), count: Duration::from_millis(20) };
    let running = Running::start(backend, pace);
    running.settle(Change::Replace(vec![ban("192.0.2.1", 60)]));
    let before = running.metrics.reconciles.get();
    until("the timer comes", || running.metrics.reconciles.get() > before + 2);
    assert_eq!(running.metrics.drift.get(), 0);
    running.stop();
}

fn kernel() -> Running<Nftables> {
    Running::start(Nftables::open(options()).expect("nf_tables opens"), SLOW)
}

#[test]
fn a_strangers_deeds_are_healed_within_a_second() {
    isolated(|| {
        let running = kernel();
        let nets = [ban("10.0.0.0/8", 600), ban("10.1.0.0/16", 900), ban("2001:db8::/32", 600)];
        let mut bans = many(1000, 600);
        bans.extend(nets);
        running.settle(Change::Replace(bans));
        let intact = || run("nft list table inet weir").matches("counter").count() == 8;
        let all = || {
            let sizes = ["ban4", "ban4_net", "ban6_net"].map(|set| shown(set).len());
            intact() && sizes == [1000, 3, 1]
        };
        assert!(all());
        let deeds = [
            "nft delete table inet weir",
            "nft flush set inet weir ban4",
            "nft flush set inet weir ban4_net",
            "nft flush ruleset",
            "nft flush chain inet weir input",
            "nft delete element inet weir ban4 { 11.0.0.5 }",
            "nft add element inet weir ban4 { 192.0.2.200 timeout 1h }",
            "nft add element inet weir ban4_net { 172.16.0.0/12 timeout 1h }",
        ];
        for (number, deed) in (1..).zip(deeds) {
            run(deed);
            let healed = until(deed, || running.metrics.foreign_changes.get() == number);
            assert!(all(), "after `{deed}`");
            assert!(healed < Duration::from_secs(1), "`{deed}` was healed after {healed:?}");
        }
        assert_eq!(running.status.condition(), Condition::InSync);
        assert_eq!(running.metrics.errors.get(), 0);
        // Ours and unrelated changes are no foreign ones.
        running.settle(Change::Ban(vec![ban("192.0.2.1", 60)]));
        run("nft add table inet other");
        running.settle(Change::Unban(vec![target("192.0.2.1")]));
        assert_eq!(running.metrics.foreign_changes.get(), 8);
        running.stop();
    });
}

#[test]
fn a_fight_with_another_program_ends_well() {
    isolated(|| {
        let running = kernel();
        running.settle(Change::Replace(many(100, 600)));
        for n in 0..60_u32 {
            run(if n % 2 == 0 { "nft flush ruleset" } else { "nft flush set inet weir ban4" });
            running.send(Change::Ban(vec![ban(
                &IpAddr::V4((0x0a00_0000 + n).into()).to_string(),
                600,
            )]));
            // A flush of a set that is not there at the moment would fail.
            until("the table is back", || run("nft list tables").contains("inet weir"));
        }
        until("all are banned", || running.status.is_in_sync() && shown("ban4").len() == 160);
        assert!(running.metrics.foreign_changes.get() >= 5);
        running.stop();
    });
}

#[test]
fn a_restart_adopts_the_sets_and_keeps_the_remaining_times() {
    isolated(|| {
        let first = kernel();
        let mut bans = many(300, 600);
        bans.push(ban("10.0.0.0/24", 50));
        bans.push(ban("2001:db8::7", 5000));
        first.settle(Change::Replace(bans.clone()));
        first.stop();
        assert_eq!(
            (shown("ban4").len(), shown("ban4_net").len(), shown("ban6").len()),
            (300, 1, 1)
        );
        // While it was away one was undone, one made and one changed.
        bans.remove(0);
        bans.push(ban("192.0.2.1", 70));
        bans[0].until = clock::now().plus(99 * SECOND);
        let second = kernel();
        // Before the ledger is read nothing is taken away.
        until("the table is looked at", || !shown("ban4").is_empty());
        assert_eq!(shown("ban4").len(), 300);
        let batches = second.metrics.batches.get();
        let (tell_done, done) = std::sync::mpsc::sync_channel::<()>(0);
        // Threads inherit the namespace.
        let watcher = std::thread::spawn(move || {
            let mut fewest = usize::MAX;
            while done.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
                fewest = fewest.min(shown("ban4").len());
            }
            fewest
        });
        second.settle(Change::Replace(bans.clone()));
        drop(tell_done);
        assert!(watcher.join().unwrap() >= 299, "no ban was lost for a moment");
        assert_eq!(second.metrics.batches.get() - batches, 1, "only the difference is told");
        let shown = ["ban4", "ban6", "ban4_net"].map(shown);
        assert_eq!(shown.each_ref().map(std::collections::BTreeMap::len), [300, 1, 1]);
        for ban in &bans {
            let key = ban.target.to_string();
            let left = shown.iter().find_map(|set| set.get(&key)).expect("it is banned");
            let wanted = ban.until.since(clock::now()) / SECOND;
            assert!(
                left.abs_diff(wanted.unsigned_abs()) <= 1,
                "{key}: {left} s left, not {wanted}"
            );
        }
        second.stop();
    });
}

#[test]
fn nested_prefixes_live_and_end_in_the_kernel() {
    isolated(|| {
        let running = kernel();
        running.settle(Change::Replace(vec![ban("10.0.0.0/8", 600)]));
        running.settle(Change::Ban(vec![ban("10.1.0.0/16", 900), ban("10.1.2.0/24", 700)]));
        let keys = || shown("ban4_net").into_keys().collect::<Vec<_>>();
        assert_eq!(keys(), ["10.0.0.0/16", "10.1.0.0/16", "10.2.0.0-10.255.255.255"]);
        running.settle(Change::Ban(vec![ban("10.0.0.0/8", 2000)]));
        assert_eq!(keys(), ["10.0.0.0/8"]);
        running.settle(Change::Unban(vec![target("10.0.0.0/8")]));
        assert_eq!(keys(), ["10.1.0.0/16"]);
        running.settle(Change::Ban(vec![ban("10.1.0.0/16", 30)]));
        assert_eq!(keys(), ["10.1.0.0/23", "10.1.2.0/24", "10.1.3.0-10.1.255.255"]);
        running.settle(Change::Ban(vec![ban("10.0.0.0/8", 1), ban("192.0.2.1", 1)]));
        assert_eq!((keys().len(), shown("ban4").len()), (5, 1));
        until("the short ones are over", || keys().len() == 3 && shown("ban4").is_empty());
        running.orders.reconcile();
        running.settle(Change::Unban(vec![target("10.1.2.0/24"), target("10.1.0.0/16")]));
        assert!(keys().is_empty());
        assert_eq!((running.metrics.drift.get(), running.metrics.foreign_changes.get()), (0, 0));
        running.stop();
    });
}
