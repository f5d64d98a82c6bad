//! The loop around the judge: overflows and what operators ask for, one after the other.
//!
//! It owns the ledger. Changes go to the enforcers without waiting; what finds a queue full is
//! made up for by a `Replace` as soon as there is room.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::mpsc::Receiver;
use tracing::warn;

use super::current::Shared;
use super::friends::Wishes;
use super::lapi::Clients;
use super::lists;
use super::places::Places;
use super::remotes;
use crate::control::{self, Answer, Call, Request};
use crate::decide::{Judge, Outcome, Policy};
use crate::decision::{Action, Entry, EntryOrigin, Family, Origin};
use crate::enforce::FanOut;
use crate::event::{Overflow, Receipt};
use crate::expr::World;
use crate::lapi::Order;
use crate::ledger::{self, Change};
use crate::metrics::{ByActive, ByDecision, ByReason, ByStage, Metrics, set_total};
use crate::system::clock;
use crate::value::Time;

/// What is to be decided.
#[derive(Debug)]
pub(super) enum Matter {
    /// A bucket overflowed; the line that made it so arrived then, and this is its receipt.
    Overflow(Box<Overflow>, Time, Option<Receipt>),
    /// An operator asks for something.
    Call(Call),
    /// The configuration was reloaded.
    Adopt(Box<Policy>, World, ledger::Options),
    /// Somebody logged in from there, then.
    Login(IpAddr, Time),
    /// These hold connections to guarded ports that have stood for a while.
    Connected(Vec<IpAddr>),
    /// These are the host's own addresses and gateways now.
    Host(Vec<Entry>),
    /// Something is asked about a list that is followed.
    List(lists::Asked),
    /// Something is asked about other hosts that are followed.
    Remote(remotes::Asked),
    /// This is what names of friends stand for now.
    Names(Vec<Entry>),
    /// A machine asks for something over the API.
    Order(Order),
}

/// Ends of bans are looked for this often.
const TICK: Duration = Duration::from_secs(1);
/// Between the steps of what is too much for one tick: overflows have most of the time.
const BREATH: Duration = Duration::from_millis(20);
/// A queue that was full is tried again after this long.
const RETRY: Duration = Duration::from_millis(20);
/// Overflows that are decided on together at most, in one transaction.
const TOGETHER: usize = 256;

/// The loop and what it owns.
pub(super) struct DecideLoop {
    pub(super) judge: Judge,
    pub(super) orders: FanOut,
    /// What expressions of profiles may ask of the outside.
    pub(super) world: World,
    pub(super) metrics: Metrics,
    /// Matters that wait.
    pub(super) waiting: Arc<AtomicU64>,
    /// How far sources have come.
    pub(super) places: Places,
    /// Where the workers look for friends, and who looks up names.
    pub(super) shared: Arc<Shared>,
    pub(super) wishes: Arc<Wishes>,
    /// The version of the friends that were published last.
    pub(super) published: u64,
    /// Who follows the decisions over the API.
    pub(super) clients: Clients,
}

impl DecideLoop {
    /// Runs until nobody can send matters any more.
    pub(super) fn run(mut self, mut matters: Receiver<Matter>, runtime: &Handle) {
        let mut next_tick = clock::instant();
        loop {
            let until_tick = next_tick.saturating_duration_since(clock::instant());
            let mut pause = if self.orders.is_owing() { until_tick.min(RETRY) } else { until_tick };
            if let Some(at) = self.places.next_save() {
                pause = pause.min(at.saturating_duration_since(clock::instant()));
            }
            match runtime.block_on(async { tokio::time::timeout(pause, matters.recv()).await }) {
                Ok(Some(matter)) => self.take(matter, &mut matters),
                Ok(None) => break,
                Err(_elapsed) => {}
            }
            if clock::instant() >= next_tick {
                let changes = self.judge.tick(clock::now());
                self.send(changes, None);
                self.count();
                self.clients.save(self.judge.ledger_mut());
                let has_more = self.judge.has_more(clock::now());
                next_tick = clock::instant() + if has_more { BREATH } else { TICK };
            }
            self.places.save_some(self.judge.ledger_mut());
            self.publish();
            self.pay();
        }
        // All that was received is decided on.
        self.judge.save(clock::now());
        self.places.save(self.judge.ledger_mut());
        self.clients.save(self.judge.ledger_mut());
        self.count();
        // The last word: whatever was owed or lost on the way is in it.
        self.pay();
        self.orders.stop();
    }

    /// Takes a matter, and those overflows behind it that can be decided on together with it.
    fn take(&mut self, matter: Matter, matters: &mut Receiver<Matter>) {
        let mut next = Some(matter);
        let mut group = Group::default();
        while let Some(matter) = next.take() {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            match matter {
                Matter::Overflow(overflow, received_at, receipt) => {
                    if !group.fits(&overflow) {
                        self.decide(std::mem::take(&mut group));
                    }
                    group.add(overflow, received_at);
                    group.receipts.extend(receipt);
                    next = matters.try_recv().ok();
                }
                Matter::Call(call) => {
                    self.decide(std::mem::take(&mut group));
                    self.answer(call);
                }
                Matter::Adopt(policy, world, options) => {
                    self.decide(std::mem::take(&mut group));
                    self.judge.set_options(options);
                    self.adopt(*policy, world);
                }
                Matter::Login(address, at) => {
                    // Before what follows it, and behind what came before it.
                    self.decide(std::mem::take(&mut group));
                    self.judge.login(address, at);
                }
                Matter::Connected(addresses) => {
                    self.judge.connected(addresses, clock::now());
                }
                Matter::List(asked) => {
                    self.decide(std::mem::take(&mut group));
                    let changes = lists::answer(&mut self.judge, asked, clock::now());
                    self.send(changes, None);
                }
                Matter::Remote(asked) => {
                    self.decide(std::mem::take(&mut group));
                    let changes = remotes::answer(&mut self.judge, asked, clock::now());
                    self.send(changes, None);
                }
                Matter::Host(entries) => {
                    self.decide(std::mem::take(&mut group));
                    let changes = self.judge.host_is(entries, clock::now());
                    self.send(changes, None);
                }
                Matter::Order(order) => {
                    self.decide(std::mem::take(&mut group));
                    let now = clock::now();
                    self.world.set_now(now);
                    let changes = super::orders::answer(&mut self.judge, &self.world, order, now);
                    self.send(changes, None);
                    self.count();
                }
                Matter::Names(entries) => {
                    self.decide(std::mem::take(&mut group));
                    let changes = self.judge.names_are(entries, clock::now());
                    self.send(changes, None);
                }
            }
        }
        self.decide(group);
    }

    fn decide(&mut self, group: Group) {
        if group.overflows.is_empty() {
            return;
        }
        let now = clock::now();
        self.world.set_now(now);
        let overflows: Vec<&Overflow> = group.overflows.iter().map(|(one, _)| &**one).collect();
        let (outcomes, changes) = self.judge.decide_together(&overflows, &self.world, now);
        self.shared.remotes().tell(&overflows, &outcomes, &self.judge);
        let mut oldest = None;
        for (outcomes, (_, received_at)) in outcomes.iter().zip(&group.overflows) {
            if !outcomes.iter().any(Outcome::is_news) {
                continue;
            }
            let age = u64::try_from(clock::now().since(*received_at)).unwrap_or(0);
            let age = Duration::from_nanos(age);
            self.metrics.receive_to_decision.observe(age.as_secs_f64());
            oldest = oldest.max(Some(age));
        }
        if changes.is_empty() {
            return;
        }
        self.send(changes, oldest.and_then(|age| clock::instant().checked_sub(age)));
        self.count();
    }

    fn answer(&mut self, Call { request, reply }: Call) {
        let now = clock::now();
        let answer = match &request {
            Request::Bouncers(asked) => {
                let reply = self.clients.answer(asked, self.judge.ledger_mut(), now);
                Answer { reply, changes: Vec::new() }
            }
            Request::Machines(asked) => {
                let watchers = self.clients.watchers();
                let reply = watchers.answer(asked, self.judge.ledger_mut(), now);
                Answer { reply, changes: Vec::new() }
            }
            _ => control::answer(&mut self.judge, &request, now),
        };
        self.send(answer.changes, None);
        if request.is_change() {
            self.count();
        }
        // Who asked may have gone away.
        let _ = reply.send(answer.reply);
    }

    fn adopt(&mut self, policy: Policy, world: World) {
        self.world = world;
        let changes = self.judge.adopt(policy, clock::now());
        self.send(changes, None);
        self.count();
    }

    /// Lets the workers know of friends that came or went.
    fn publish(&mut self) {
        let version = self.judge.friends_version();
        if version != self.published {
            self.published = version;
            let now = clock::now();
            self.clients.friends().are(self.judge.friends_of_lines(now), now);
            self.shared.set_friends(self.judge.friends_of_lines(now));
            self.wishes.set_operators(self.judge.names_to_look_up().to_vec());
        }
    }

    fn send(&mut self, changes: impl IntoIterator<Item = Change>, since: Option<Instant>) {
        for change in changes {
            if self.orders.send(&change, since).is_err() {
                warn!("an enforcer has stopped: not all is enforced");
            }
        }
    }

    /// Sends all that is in force to those enforcers whose queue was full.
    fn pay(&mut self) {
        if self.orders.is_owing() {
            // What was lost may have been about friends as well.
            self.orders.pay(&[self.judge.friends_change(), self.judge.replace(clock::now())]);
        }
    }

    /// Shows what was counted: every second, and at once what a change changed.
    fn count(&self) {
        let statistics = self.judge.statistics();
        let in_force = self.judge.active();
        for (by, total) in &statistics.decisions {
            let labels = ByDecision {
                scenario: by.scenario.clone(),
                origin: by.origin.name(),
                family: by.family.name(),
                action: by.action.name(),
            };
            set_total(&self.metrics.decisions.get_or_create(&labels), *total);
        }
        let is_own = |origin| matches!(origin, Origin::Scenario | Origin::Manual);
        let bans = statistics.decisions.iter().filter(|(by, _)| is_own(by.origin));
        set_total(&self.metrics.bans, bans.map(|(_, total)| total).sum());
        for (&reason, total) in &statistics.refused {
            set_total(&self.metrics.refused.get_or_create(&ByReason { reason }), *total);
        }
        for (&reason, total) in &statistics.ended {
            set_total(&self.metrics.ended.get_or_create(&ByReason { reason }), *total);
        }
        set_total(&self.metrics.extended, statistics.extended);
        set_total(&self.metrics.held, statistics.held);
        let faults = self.metrics.faults.get_or_create_owned(&ByStage { stage: "decide" });
        set_total(&faults, statistics.faults);
        for family in [Family::V4, Family::V6] {
            for action in [Action::Ban, Action::Observe] {
                for origin in Origin::ALL {
                    let labels = ByActive {
                        origin: origin.name(),
                        family: family.name(),
                        action: action.name(),
                    };
                    let active = in_force.of(family, action, origin);
                    let active = i64::try_from(active).unwrap_or(i64::MAX);
                    self.metrics.active.get_or_create(&labels).set(active);
                }
            }
        }
        self.count_measures();
        let health = self.judge.health();
        set_total(&self.metrics.ledger_errors, health.failures);
        self.metrics.ledger_unsaved.set(i64::try_from(health.unsaved).unwrap_or(i64::MAX));
        self.shared.set_ledger(health);
    }
}

impl DecideLoop {
    /// Shows how far bans went, and what keeps them from being carried out.
    fn count_measures(&self) {
        let statistics = self.judge.statistics();
        for (&reason, total) in &statistics.limited {
            set_total(&self.metrics.limited.get_or_create(&ByReason { reason }), *total);
        }
        set_total(&self.metrics.escalated, statistics.escalated);
        set_total(&self.metrics.widened, statistics.widened);
        set_total(&self.metrics.merged, statistics.merged);
        let (logins, connections) = self.judge.guarded(clock::now());
        for (origin, count) in
            [(EntryOrigin::Login, logins), (EntryOrigin::Connection, connections)]
        {
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            let by = ByReason { reason: origin.name() };
            self.metrics.guarded.get_or_create(&by).set(count);
        }
        let brake = self.judge.brake();
        self.metrics.brake.set(i64::from(brake.pulled.is_some()));
        self.shared.set_brake(brake);
    }
}

/// Overflows that are decided on together. No two of them blame the same one: profiles ask how
/// often somebody was banned before, and must see what was decided a moment ago.
#[derive(Default)]
struct Group {
    overflows: Vec<(Box<Overflow>, Time)>,
    blamed: HashSet<String>,
    /// Dropped with the group, when what was decided is on disk.
    receipts: Vec<Receipt>,
}

impl Group {
    fn fits(&self, overflow: &Overflow) -> bool {
        self.overflows.len() < TOGETHER
            && overflow.sources.iter().all(|(_, source)| !self.blamed.contains(&source.value))
    }

    fn add(&mut self, overflow: Box<Overflow>, received_at: Time) {
        self.blamed.extend(overflow.sources.iter().map(|(_, source)| source.value.clone()));
        self.overflows.push((overflow, received_at));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Source;

    fn overflow(blamed: &[&str]) -> Box<Overflow> {
        let source = |value: &&str| {
            let value = (*value).to_owned();
            (value.clone(), Source { value, ..Source::default() })
        };
        Box::new(Overflow { sources: blamed.iter().map(source).collect(), ..Overflow::none() })
    }

    #[test]
    fn nobody_is_blamed_twice_in_a_group() {
        let mut group = Group::default();
        group.add(overflow(&["192.0.2.1", "192.0.2.2"]), Time::from_seconds(1));
        group.add(overflow(&[]), Time::from_seconds(1));
        assert!(group.fits(&overflow(&["192.0.2.3"])) && group.fits(&overflow(&[])));
        assert!(!group.fits(&overflow(&["192.0.2.3", "192.0.2.2"])));
        for n in 2..TOGETHER {
            group.add(overflow(&[&n.to_string()]), Time::from_seconds(1));
        }
        assert!(!group.fits(&overflow(&["192.0.2.3"])), "it is large enough");
    }
}
