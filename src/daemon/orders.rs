//! What machines ask for over the API, decided as everything else is.
//!
//! A pushed alert without decisions is an overflow that another machine saw: allowlist, profiles,
//! brake and escalation are those of our own. One with decisions is what an operator there asked
//! for: its bans go the way of `weir ban`, and never over a friend.

use tracing::{debug, info, warn};

use super::decide_loop::Matter;
use super::friends::Outbox;
use crate::decide::{Asked, Done, Judge, Outcome};
use crate::decision::{Origin, Other, parse_net};
use crate::event::{Alert, AlertEvent, Overflow, ShownKey, Source, Trust};
use crate::expr::World;
use crate::lapi::{EndedSome, Fit, Order, Orders, Pushed, PushedDecision, Told};
use crate::ledger::{Cause, Change, NewOther, StoredAlert};
use crate::value::{Time, parse_duration};

/// Alerts that are decided on in one transaction.
const TOGETHER: usize = 256;
/// Decisions that are told one by one when they are left out.
const TOLD: usize = 8;

/// The way of orders to the judge.
pub(super) fn to(outbox: Outbox) -> Orders {
    Orders::new(move |order| outbox.send(Matter::Order(order)))
}

/// Does what is asked for and says so; what the kernel is to be told.
pub(super) fn answer(judge: &mut Judge, world: &World, order: Order, now: Time) -> Vec<Change> {
    // Who asked may have gone away.
    match order {
        Order::Push { machine, alerts, reply } => {
            let (told, changes) = push(judge, world, &machine, alerts, now);
            let _ = reply.send(told);
            changes
        }
        Order::EndDecisions { fit, reply } => {
            let (told, changes) = end(judge, &fit, now);
            let _ = reply.send(told);
            changes
        }
        Order::DeleteAlerts { alerts, reply } => {
            let (told, changes) = delete(judge, &alerts, now);
            let _ = reply.send(told);
            changes
        }
    }
}

fn push(
    judge: &mut Judge,
    world: &World,
    machine: &str,
    pushed: Vec<Pushed>,
    now: Time,
) -> (Told<Vec<u64>>, Vec<Change>) {
    let mut changes = Vec::new();
    let mut kept: Vec<(StoredAlert, Vec<u64>)> = Vec::with_capacity(pushed.len());
    let mut group = Group::default();
    // All numbers first: what an alert begins has a greater one.
    let numbered: Vec<(u64, Pushed)> =
        pushed.into_iter().map(|alert| (judge.ledger_mut().next_number(), alert)).collect();
    for (number, alert) in numbered {
        let place = kept.len();
        kept.push((stored(number, machine, &alert, now), Vec::new()));
        if alert.decisions.is_empty() {
            let overflow = overflow(machine, alert, now);
            if !group.fits(&overflow) {
                changes.extend(std::mem::take(&mut group).decide(judge, world, now, &mut kept));
            }
            group.overflows.push((place, overflow));
        } else {
            // In the order in which they were pushed.
            changes.extend(std::mem::take(&mut group).decide(judge, world, now, &mut kept));
            let (decisions, more) = ban(judge, machine, &alert, now);
            kept[place].1 = decisions;
            changes.extend(more);
        }
    }
    changes.extend(group.decide(judge, world, now, &mut kept));
    let numbers: Vec<u64> = kept.iter().map(|(alert, _)| alert.id).collect();
    debug!(machine, count = numbers.len(), "a machine pushed alerts");
    let told = judge.ledger_mut().keep_alerts(&kept).map(|()| numbers).map_err(|error| {
        warn!(machine, %error, "cannot keep alerts; what they led to holds");
        error.to_string()
    });
    (told, changes)
}

/// Alerts that are decided on together: no two of them blame the same one.
#[derive(Default)]
struct Group {
    /// With the place of each among what is kept.
    overflows: Vec<(usize, Overflow)>,
}

impl Group {
    fn fits(&self, overflow: &Overflow) -> bool {
        let blames = |one: &Overflow| one.sources.first().map(|(key, _)| key.clone());
        self.overflows.len() < TOGETHER
            && self.overflows.iter().all(|(_, known)| blames(known) != blames(overflow))
    }

    fn decide(
        self,
        judge: &mut Judge,
        world: &World,
        now: Time,
        kept: &mut [(StoredAlert, Vec<u64>)],
    ) -> Vec<Change> {
        if self.overflows.is_empty() {
            return Vec::new();
        }
        let overflows: Vec<&Overflow> = self.overflows.iter().map(|(_, one)| one).collect();
        let (outcomes, changes) = judge.decide_together(&overflows, world, now);
        for ((place, _), outcomes) in self.overflows.iter().zip(outcomes) {
            let numbers = outcomes.iter().filter_map(|outcome| match outcome {
                Outcome::Decided { id, .. } => Some(*id),
                _ => None,
            });
            kept[*place].1.extend(numbers);
        }
        changes
    }
}

/// Carries out what somebody on the machine asked for; the numbers of the decisions.
fn ban(judge: &mut Judge, machine: &str, pushed: &Pushed, now: Time) -> (Vec<u64>, Vec<Change>) {
    let begins = pushed.stop_at.unwrap_or(now);
    let (mut asked, mut others, mut n_left_out) = (Vec::new(), Vec::new(), 0);
    let mut leave_out = |decision: &PushedDecision, why: &str| {
        n_left_out += 1;
        if n_left_out <= TOLD {
            let value: String = decision.value.escape_debug().take(80).collect();
            warn!(machine, value, why, "a decision of a machine is left out");
        }
    };
    for decision in &pushed.decisions {
        let until = begins.plus(decision.duration);
        let is_address = matches!(&*decision.scope, "Ip" | "Range");
        if is_address && decision.kind.eq_ignore_ascii_case("ban") {
            match parse_net(&decision.value) {
                Ok(net) => asked.push(Asked { net, until, why: plain(&decision.scenario) }),
                Err(error) => {
                    judge.note_no_address();
                    leave_out(decision, &error.to_string());
                }
            }
            continue;
        }
        match other(judge, decision, pushed.simulated, until, now) {
            Ok(new) => others.push(new),
            Err(why) => leave_out(decision, &why),
        }
    }
    let alert = alert(machine, pushed, Vec::new(), now);
    let room = judge.ledger().has_room(asked.len());
    if !room {
        warn!(machine, count = asked.len(), "no room for so many decisions: none is taken");
        asked.clear();
    }
    let (done, changes) = judge.ban_each(asked, &alert, now);
    let mut numbers: Vec<u64> = done
        .iter()
        .filter_map(|one| match one {
            Done::Kept(number) => Some(*number),
            Done::Refused(_) | Done::Over => None,
        })
        .collect();
    if !others.is_empty() {
        match judge.ledger_mut().begin_others(others, now) {
            Ok(begun) => numbers.extend(begun),
            Err(error) => warn!(machine, %error, "cannot keep decisions for bouncers"),
        }
    }
    let (n_asked, n_kept) = (pushed.decisions.len(), numbers.len());
    info!(
        machine,
        why = pushed.scenario,
        n_asked,
        n_kept,
        n_left_out,
        "a machine asked for decisions"
    );
    (numbers, changes)
}

/// A decision that only bouncers carry out, or why it is none.
fn other(
    judge: &Judge,
    decision: &PushedDecision,
    is_simulated: bool,
    until: Time,
    now: Time,
) -> Result<NewOther, String> {
    let PushedDecision { kind, scope, value, scenario, .. } = decision;
    let other = Other::new(kind, scope, value).map_err(|wrong| wrong.to_string())?;
    if is_simulated {
        return Err("the alert is only simulated".to_owned());
    }
    if until <= now {
        return Err("its time is up".to_owned());
    }
    if let Some(net) = other.net() {
        judge.admit(net, now).map_err(|refusal| refusal.to_string())?;
    }
    Ok(NewOther { other, origin: Origin::Manual, reason: plain(scenario), until })
}

fn end(judge: &mut Judge, fit: &Fit, now: Time) -> (Told<EndedSome>, Vec<Change>) {
    let (ended, has_more, changes) = judge.end_fitting(&|decision| fit.fits(decision), now);
    let mut told = EndedSome { count: ended.len(), has_more };
    if has_more {
        return (Ok(told), changes);
    }
    let ledger = judge.ledger_mut();
    let fitting = ledger.others(now).filter(|(id, other)| fit.fits_other(*id, other));
    let mut numbers: Vec<u64> = fitting.map(|(id, _)| id).collect();
    if fit.asks_for_story() {
        let known = match ledger.stored_others(&numbers) {
            Ok(known) => known,
            Err(error) => return (Err(error.to_string()), changes),
        };
        let known = known
            .iter()
            .filter(|one| fit.fits_story(one.id, one.new.origin, &one.new.reason, one.created_at));
        numbers = known.map(|one| one.id).collect();
    }
    match ledger.end_others(&numbers, Cause::Unbanned, now) {
        Ok(ended) => {
            told.count += ended.len();
            (Ok(told), changes)
        }
        Err(error) => (Err(error.to_string()), changes),
    }
}

fn delete(judge: &mut Judge, alerts: &[u64], now: Time) -> (Told<usize>, Vec<Change>) {
    let mut changes = Vec::new();
    let mut delete = || -> Result<usize, crate::ledger::Error> {
        let behind = judge.ledger().behind_alerts(alerts)?;
        let numbers: std::collections::HashSet<u64> = behind.decisions.iter().copied().collect();
        loop {
            let fits = |decision: &crate::decision::Decision| numbers.contains(&decision.id);
            let (ended, has_more, more) = judge.end_fitting(&fits, now);
            changes.extend(more);
            if !has_more || ended.is_empty() {
                break;
            }
        }
        judge.ledger_mut().end_others(&behind.decisions, Cause::Unbanned, now)?;
        judge.ledger_mut().forget_alerts(alerts)
    };
    let told = delete().map_err(|error| error.to_string());
    (told, changes)
}

/// An alert as if a bucket of ours had overflowed.
fn overflow(machine: &str, pushed: Pushed, now: Time) -> Overflow {
    let source = &pushed.source;
    let blamed = Source {
        scope: source.scope.clone(),
        value: source.value.clone(),
        ip: source.ip.clone(),
        range: source.range.clone(),
        as_name: source.as_name.clone(),
        as_number: source.as_number.clone(),
        country: source.cn.clone(),
        latitude: source.latitude,
        longitude: source.longitude,
    };
    let events = pushed.events.iter().map(|event| {
        let mut meta: Vec<_> =
            event.meta.iter().map(|one| (one.key.clone(), one.value.clone())).collect();
        meta.sort_unstable();
        AlertEvent::new(meta, event.timestamp.clone())
    });
    let events = events.collect();
    Overflow {
        key: ShownKey::default(),
        sources: vec![(blamed.value.clone(), blamed)],
        alert: Some(alert(machine, &pushed, events, now)),
        allowlisted: false,
        reprocess: false,
        trust: Trust::FULL,
    }
}

fn alert(machine: &str, pushed: &Pushed, events: Vec<AlertEvent>, now: Time) -> Alert {
    Alert {
        scenario: plain(&pushed.scenario).into(),
        message: pushed.message.clone(),
        capacity: pushed.capacity.into(),
        leakspeed: parse_duration(&pushed.leakspeed).unwrap_or(0),
        events_count: pushed.events_count.into(),
        start_at: pushed.start_at.unwrap_or(now),
        stop_at: pushed.stop_at.unwrap_or(now),
        events,
        meta: pushed.meta.iter().map(|one| (one.key.clone(), one.value.clone())).collect(),
        simulated: pushed.simulated,
        remediation: pushed.remediation,
        spoofable: 0,
        machine: Some(machine.into()),
    }
}

fn stored(number: u64, machine: &str, pushed: &Pushed, now: Time) -> StoredAlert {
    let is_by_hand = pushed.kind.is_empty() && !pushed.decisions.is_empty();
    StoredAlert {
        id: number,
        machine: machine.to_owned(),
        created_at: now,
        start_at: pushed.start_at.unwrap_or(now),
        stop_at: pushed.stop_at.unwrap_or(now),
        scenario: pushed.scenario.clone(),
        scope: pushed.source.scope.clone(),
        value: pushed.source.value.clone(),
        kind: if is_by_hand { "cscli".to_owned() } else { pushed.kind.clone() },
        simulated: pushed.simulated,
        body: serde_json::to_string(pushed).expect("an alert is plain data"),
    }
}

/// A reason on one line: it is shown to others later.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect()
}

#[cfg(test)]
mod tests;
