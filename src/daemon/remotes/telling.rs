//! Hosts that are told of our bans: what waits for each, and the task that tells it.
//!
//! Must hold: the judge never waits for a network; what waits is bounded, and what finds no room
//! pushes the oldest out and is counted. Only what scenarios here found in lines is told: what came
//! from another host, as a decision or as an alert, is not, or two hosts that tell each other would
//! never stop.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tracing::{info, warn};

use super::Remotes;
use crate::decide::{Judge, Outcome};
use crate::decision::{Action, Origin};
use crate::event::Overflow;
use crate::ledger::Kept;
use crate::remote::{Alert, Client, Failure, Pace, Session};
use crate::settings::{Machine, Remote};
use crate::system::clock;

/// Bans that wait for a host at most.
const MOST: usize = 2_000;
/// Those that are told at once.
const TOGETHER: usize = 50;
/// How often a host sees that we are alive.
const BEAT: Duration = Duration::from_secs(60);
/// How soon what was not told is told again.
const AGAIN: Duration = Duration::from_secs(1);
/// How often what a host answers with an error is offered to it.
const OFFERED: u32 = 5;

/// What waits, by the host that it waits for.
#[derive(Debug, Default)]
pub(in crate::daemon) struct Telling {
    queues: Mutex<BTreeMap<String, Arc<Queue>>>,
}

/// What waits for a host.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    news: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    /// By a number that grows.
    alerts: VecDeque<(u64, Arc<Alert>)>,
    next: u64,
}

impl Queue {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts one at the end; how many were pushed out.
    fn push(&self, alert: Arc<Alert>) -> usize {
        let mut waiting = self.waiting();
        let number = waiting.next;
        waiting.next += 1;
        waiting.alerts.push_back((number, alert));
        let excess = waiting.alerts.len().saturating_sub(MOST);
        waiting.alerts.drain(..excess);
        drop(waiting);
        self.news.notify_one();
        excess
    }

    /// Some of the first.
    fn first(&self) -> Vec<(u64, Arc<Alert>)> {
        self.waiting().alerts.iter().take(TOGETHER).cloned().collect()
    }

    /// Lets go of those up to this number; how many are left.
    fn done(&self, last: u64) -> usize {
        let mut waiting = self.waiting();
        let n_done = waiting.alerts.iter().take_while(|(number, _)| *number <= last).count();
        waiting.alerts.drain(..n_done);
        waiting.alerts.len()
    }

    fn len(&self) -> usize {
        self.waiting().alerts.len()
    }
}

impl Telling {
    fn queues(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Queue>>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// These are told from now on, and no others.
    pub(super) fn keep(&self, remotes: &[Remote]) {
        let mut queues = self.queues();
        let told = |name: &String| {
            remotes.iter().any(|remote| remote.name == *name && remote.machine.is_some())
        };
        queues.retain(|name, _| told(name));
        for remote in remotes.iter().filter(|remote| remote.machine.is_some()) {
            queues.entry(remote.name.clone()).or_default();
        }
    }

    pub(super) fn queue(&self, remote: &str) -> Option<Arc<Queue>> {
        self.queues().get(remote).map(Arc::clone)
    }

    pub(super) fn waiting(&self, remote: &str) -> usize {
        self.queue(remote).map_or(0, |queue| queue.len())
    }
}

impl Remotes {
    /// Tells others of what scenarios here decided on.
    pub(in crate::daemon) fn tell(
        &self,
        overflows: &[&Overflow],
        outcomes: &[Vec<Outcome>],
        judge: &Judge,
    ) {
        let queues: Vec<_> = self
            .telling
            .queues()
            .iter()
            .map(|(name, queue)| (name.clone(), Arc::clone(queue)))
            .collect();
        if queues.is_empty() {
            return;
        }
        for (overflow, outcomes) in overflows.iter().zip(outcomes) {
            for outcome in outcomes {
                let Some(alert) = alert(overflow, outcome, judge) else { continue };
                let alert = Arc::new(alert);
                for (name, queue) in &queues {
                    let lost = queue.push(Arc::clone(&alert));
                    if lost > 0 {
                        self.shown.untold(name, "full", lost);
                    }
                }
            }
        }
    }
}

/// What is told of an outcome, if anything is.
fn alert(overflow: &Overflow, outcome: &Outcome, judge: &Judge) -> Option<Alert> {
    let Outcome::Decided { target, kept: Kept::Begun | Kept::Extended, .. } = outcome else {
        return None;
    };
    let known = judge.ledger().get(*target)?;
    let said = overflow.alert.as_ref()?;
    // Somebody else asked for more: that is theirs to tell.
    if known.origin != Origin::Scenario || *known.reason != *said.scenario {
        return None;
    }
    let net = target.net();
    let is_in =
        |value: &str| crate::decision::parse_logged(value).is_some_and(|one| net.contains(&one));
    let mut sources = overflow.sources.iter().map(|(_, source)| source);
    let source = sources.find(|source| is_in(&source.value));
    let text =
        |of: fn(&crate::event::Source) -> &String| source.map(of).cloned().unwrap_or_default();
    let events = said.events.iter();
    let newest = said.events.len().saturating_sub(5);
    let events = events.skip(newest).map(|one| (one.timestamp().to_owned(), one.meta().to_vec()));
    let alert = Alert {
        net,
        until: known.until,
        is_simulated: known.action == Action::Observe,
        scenario: said.scenario.to_string(),
        message: said.message.clone(),
        capacity: said.capacity,
        leakspeed: said.leakspeed,
        events_count: said.events_count,
        start_at: said.start_at,
        stop_at: said.stop_at,
        events: events.collect(),
        network: [text(|source| &source.as_number), text(|source| &source.as_name)],
        country: text(|source| &source.country),
    };
    Some(alert.bounded())
}

/// Tells one host until the daemon ends.
pub(super) async fn tell(remote: Remote, queue: Arc<Queue>, remotes: Arc<Remotes>) {
    let Some(machine) = remote.machine.clone() else { return };
    let mut pace = Pace::new(AGAIN);
    let mut session = None;
    let mut beat_at = None;
    let mut n_offered = 0;
    loop {
        let told = tell_some(&remote, &machine, &mut session, &queue, &remotes, &mut beat_at).await;
        let has_worked = told.is_ok();
        match told {
            Ok(()) => {
                n_offered = 0;
                if remotes.shown.reached(&remote.name) {
                    info!(remote = remote.name, "a remote is told of bans");
                }
            }
            Err((failure, last)) => {
                n_offered += 1;
                // A certificate or the name's address may have changed.
                session = None;
                if remotes.shown.failed(&remote.name, &failure) {
                    let remedy = failure.remedy();
                    warn!(remote = remote.name, %failure, remedy, "cannot tell a remote of bans; they wait");
                }
                if let Some((last, count)) = last.filter(|_| is_hopeless(&failure, n_offered)) {
                    n_offered = 0;
                    remotes.shown.untold(&remote.name, "refused", count);
                    queue.done(last);
                }
            }
        }
        remotes.shown.waiting(&remote.name, queue.len());
        if !has_worked {
            tokio::time::sleep(pace.after(false)).await;
        } else if queue.len() == 0 {
            pace.after(true);
            tokio::select! {
                () = queue.news.notified() => {}
                () = tokio::time::sleep(BEAT) => {}
            }
        }
    }
}

/// Whether what a host answers so is not worth being offered again.
fn is_hopeless(failure: &Failure, n_offered: u32) -> bool {
    let Failure::Status { status, .. } = failure else { return false };
    matches!(status, 400 | 404 | 405 | 413 | 422) || (*status >= 500 && n_offered >= OFFERED)
}

/// Tells the first of what waits, and that we are alive. With a failure come those that it was
/// about: the number of the last, and how many.
async fn tell_some(
    remote: &Remote,
    machine: &Machine,
    session: &mut Option<Session>,
    queue: &Queue,
    remotes: &Remotes,
    beat_at: &mut Option<std::time::Instant>,
) -> Result<(), (Failure, Option<(u64, usize)>)> {
    if session.is_none() {
        let client = Client::open(remote).map_err(|failure| (failure, None))?;
        *session = Some(Session::new(client, machine.clone()));
    }
    let session = session.as_mut().expect("it was just made");
    let now = clock::instant();
    if beat_at.is_none_or(|at| now.duration_since(at) >= BEAT) {
        session.beat(now).await.map_err(|failure| (failure, None))?;
        *beat_at = Some(now);
    }
    let first = queue.first();
    let Some((last, _)) = first.last() else { return Ok(()) };
    let json: Vec<_> = first.iter().filter_map(|(_, alert)| alert.json(clock::now())).collect();
    if !json.is_empty() {
        session
            .push(&json, clock::instant())
            .await
            .map_err(|failure| (failure, Some((*last, first.len()))))?;
        remotes.shown.told(&remote.name, json.len());
    }
    if json.len() < first.len() {
        remotes.shown.untold(&remote.name, "over", first.len() - json.len());
    }
    queue.done(*last);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Time;

    fn alert(n: i64) -> Arc<Alert> {
        Arc::new(Alert {
            net: "192.0.2.7/32".parse().unwrap(),
            until: Time::from_seconds(n),
            is_simulated: false,
            scenario: String::new(),
            message: String::new(),
            capacity: 0,
            leakspeed: 0,
            events_count: 0,
            start_at: Time::from_seconds(0),
            stop_at: Time::from_seconds(0),
            events: Vec::new(),
            network: Default::default(),
            country: String::new(),
        })
    }

    #[test]
    fn the_oldest_is_pushed_out_and_what_was_told_goes() {
        let queue = Queue::default();
        let lost: usize = (0..2_010).map(|n| queue.push(alert(n))).sum();
        assert_eq!((lost, queue.len()), (10, MOST));
        let first = queue.first();
        assert_eq!((first.len(), first[0].1.until.seconds()), (TOGETHER, 10));
        // Meanwhile more were pushed out.
        let last = first[49].0;
        queue.push(alert(1));
        assert_eq!(queue.done(last), MOST - 49);
        assert_eq!(queue.first()[0].1.until.seconds(), 60);
    }

    #[test]
    fn what_is_refused_is_not_offered_for_ever() {
        let status =
            |status| Failure::Status { url: String::new(), status, message: String::new() };
        assert!(is_hopeless(&status(400), 1));
        assert!(!is_hopeless(&status(500), 4) && is_hopeless(&status(500), 5));
        assert!(!is_hopeless(&status(429), 99));
        let slow = Failure::Slow { url: String::new(), seconds: 1 };
        assert!(!is_hopeless(&slow, 99));
    }
}
