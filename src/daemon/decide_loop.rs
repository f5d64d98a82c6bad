//! The loop around the judge: overflows and what operators ask for, one after the other.
//!
//! It owns the ledger. Changes go to the enforcer without waiting; what finds the queue full is
//! made up for by a `Replace` as soon as there is room.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::mpsc::Receiver;
use tracing::warn;

use super::places::Places;
use crate::control::{self, Call};
use crate::decide::{Judge, Outcome, Policy};
use crate::decision::{Action, Family};
use crate::enforce::{Orders, Unsent};
use crate::event::{Overflow, Receipt};
use crate::expr::World;
use crate::ledger::Change;
use crate::metrics::{ByDecision, ByFamilyAction, ByReason, Metrics, set_total};
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
    Adopt(Box<Policy>, World),
}

/// Ends of bans are looked for this often.
const TICK: Duration = Duration::from_secs(1);
/// A queue that was full is tried again after this long.
const RETRY: Duration = Duration::from_millis(20);
/// Overflows that are decided on together at most, in one transaction.
const TOGETHER: usize = 256;

/// The loop and what it owns.
pub(super) struct DecideLoop {
    pub(super) judge: Judge,
    pub(super) orders: Orders,
    /// What expressions of profiles may ask of the outside.
    pub(super) world: World,
    pub(super) metrics: Metrics,
    /// Matters that wait.
    pub(super) waiting: Arc<AtomicU64>,
    /// Set when a change did not fit the queue.
    pub(super) owes_replace: bool,
    /// How far sources have come.
    pub(super) places: Places,
}

impl DecideLoop {
    /// Runs until nobody can send matters any more.
    pub(super) fn run(mut self, mut matters: Receiver<Matter>, runtime: &Handle) {
        let mut next_tick = clock::instant();
        loop {
            let until_tick = next_tick.saturating_duration_since(clock::instant());
            let mut pause = if self.owes_replace { until_tick.min(RETRY) } else { until_tick };
            if let Some(at) = self.places.next_save() {
                pause = pause.min(at.saturating_duration_since(clock::instant()));
            }
            match runtime.block_on(async { tokio::time::timeout(pause, matters.recv()).await }) {
                Ok(Some(matter)) => self.take(matter, &mut matters),
                Ok(None) => break,
                Err(_elapsed) => {}
            }
            if clock::instant() >= next_tick {
                next_tick = clock::instant() + TICK;
                let change = self.judge.tick(clock::now());
                self.send(change, None);
                self.count();
            }
            self.places.save_some(self.judge.ledger_mut());
            self.pay();
        }
        // All that was received is decided on.
        self.places.save(self.judge.ledger_mut());
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
                Matter::Adopt(policy, world) => {
                    self.decide(std::mem::take(&mut group));
                    self.adopt(*policy, world);
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
        let answer = control::answer(&mut self.judge, &request, clock::now());
        self.send(answer.changes, None);
        if request.is_change() {
            self.count();
        }
        // Who asked may have gone away.
        let _ = reply.send(answer.reply);
    }

    fn adopt(&mut self, policy: Policy, world: World) {
        self.world = world;
        let change = self.judge.adopt(policy, clock::now());
        self.send(change, None);
        self.count();
    }

    fn send(&mut self, changes: impl IntoIterator<Item = Change>, since: Option<Instant>) {
        for change in changes {
            // What is owed replaces everything, this change too.
            if self.owes_replace {
                return;
            }
            match self.orders.send(change, since) {
                Ok(()) => {}
                Err(Unsent::Full(_)) => self.owes_replace = true,
                Err(Unsent::Stopped(_)) => warn!("the enforcer has stopped: nothing is enforced"),
            }
        }
    }

    /// Sends the `Replace` that is owed, if there is room for it.
    fn pay(&mut self) {
        if self.owes_replace {
            let all = self.judge.replace(clock::now());
            self.owes_replace = matches!(self.orders.send(all, None), Err(Unsent::Full(_)));
        }
    }

    /// Shows what was counted: every second, and at once what a change changed.
    fn count(&self) {
        let statistics = self.judge.statistics();
        let in_force = self.judge.active();
        for (by, total) in &statistics.decisions {
            let labels = ByDecision {
                scenario: by.scenario.clone(),
                family: by.family.name(),
                action: by.action.name(),
            };
            set_total(&self.metrics.decisions.get_or_create(&labels), *total);
        }
        for (&reason, total) in &statistics.refused {
            set_total(&self.metrics.refused.get_or_create(&ByReason { reason }), *total);
        }
        for family in [Family::V4, Family::V6] {
            for action in [Action::Ban, Action::Observe] {
                let labels = ByFamilyAction { family: family.name(), action: action.name() };
                let active = in_force.get(family, action);
                let active = i64::try_from(active).unwrap_or(i64::MAX);
                self.metrics.active.get_or_create(&labels).set(active);
            }
        }
        set_total(&self.metrics.ledger_errors, self.judge.health().failures);
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
