//! What the judge keeps beside the ledger's decisions: who offended, who is guarded, and the brake.
//!
//! It is restored from the ledger at the start. A disk that does not take it is no reason to stand
//! still: it holds in memory, and is written again a second later.

use std::net::IpAddr;

use ipnet::IpNet;

use super::brake::{Brake, Pulled};
use super::guard::FAMILIAR;
use super::judge::reason;
use super::{Judge, Observe, Story};
use crate::decision::{Action, Decision, Origin, Refusal, parse_net};
use crate::event::Alert;
use crate::ledger::{Change, Record, Refused};
use crate::value::Time;

/// Offenders that are remembered.
pub(super) const OFFENDERS: usize = 200_000;
/// Decisions that the brake kept from being carried out and that are remembered one by one.
const MOST_BRAKED: usize = 10_000;
/// Logins that wait to be written down.
const MOST_PENDING: usize = 4096;
/// A login that follows another one within this part of the guard's span is not written down.
const REPEATED: i64 = 16;

const BRAKE: &str = "brake";
const BRAKED: &str = "brake.observed";

/// How the brake is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BrakeState {
    /// That it is on; `None` when it is not.
    pub pulled: Option<Pulled>,
    /// How many decisions it kept from being carried out.
    pub observed: usize,
}

/// What became of releasing the brake.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Released {
    /// How it was.
    pub was: BrakeState,
    /// What is carried out now that it kept from being.
    pub banned: Vec<Decision>,
    /// What the kernel is to be told.
    pub changes: Vec<Change>,
}

impl Judge {
    /// Takes up from the ledger what was known before the start: past bans, logins, the brake.
    pub fn remember(&mut self, now: Time) {
        let since = now.plus(-self.memory());
        let most = u32::try_from(OFFENDERS).unwrap_or(u32::MAX);
        match self.ledger.begun_since(since, most) {
            Ok(begun) => {
                let is_trial = self.policy.observe == Observe::Everything;
                let counts = begun.iter().rev().filter(|one| is_trial || one.action == Action::Ban);
                for one in counts {
                    self.offences.ban(one.net, one.at.nanos);
                }
            }
            Err(error) => tracing::warn!(%error, "past bans are not known: all are first ones"),
        }
        match self.ledger.logins(now.plus(-FAMILIAR), most) {
            Ok(logins) => logins.iter().for_each(|(net, at)| self.guard.login(net.addr(), *at)),
            Err(error) => tracing::warn!(%error, "logins before the start are not known"),
        }
        let mark = |name| match self.ledger.mark(name) {
            Ok(mark) => mark,
            Err(error) => {
                tracing::warn!(%error, "cannot read whether the brake was on");
                None
            }
        };
        let pulled = mark(BRAKE).as_deref().and_then(read_brake);
        let braked = mark(BRAKED).unwrap_or_default();
        self.braked = braked.split(' ').filter_map(|text| parse_net(text).ok()).collect();
        if pulled.is_some() && self.policy.measures.brake.is_some() {
            tracing::warn!("the brake is on since before the start: `weir brake` says more");
            self.brake = Brake::as_it_was(pulled);
        }
    }

    /// For how many nanoseconds offences matter to anything.
    fn memory(&self) -> i64 {
        let measures = &self.policy.measures;
        let escalation = measures.escalation.map_or(0, |escalation| escalation.memory());
        escalation.max(measures.levels.memory())
    }

    /// Somebody logged in at `at`.
    pub fn login(&mut self, address: IpAddr, at: Time) {
        let Some(rules) = &self.policy.measures.guard else { return };
        let net = crate::decision::canonical(IpNet::from(address));
        if self.policy.allowlist.find(net.addr()).is_some() {
            return;
        }
        let last = self.guard.last_login(net.addr());
        self.guard.login(net.addr(), at);
        let is_repeated = last.is_some_and(|last| at.since(last) < rules.span / REPEATED);
        if !is_repeated && self.new_logins.len() < MOST_PENDING {
            self.new_logins.insert(net, at);
        }
    }

    /// These hold connections to guarded ports that have stood for a while, as of `now`.
    pub fn connected(&mut self, addresses: impl IntoIterator<Item = IpAddr>, now: Time) {
        let canonical = |address| crate::decision::canonical(IpNet::from(address)).addr();
        self.guard.connected(addresses.into_iter().map(canonical), now);
    }

    /// How many are guarded at `now`: by a login, by a connection.
    #[must_use]
    pub fn guarded(&self, now: Time) -> (usize, usize) {
        let rules = self.policy.measures.guard.as_ref();
        rules.map_or((0, 0), |rules| self.guard.count(rules, now))
    }

    /// How the brake is.
    #[must_use]
    pub fn brake(&self) -> BrakeState {
        BrakeState { pulled: self.brake.pulled().cloned(), observed: self.braked.len() }
    }

    /// A ban of `net` is about to begin: whether the brake keeps it from being carried out.
    pub(super) fn press(&mut self, net: IpNet, now: Time) -> bool {
        let Some(rules) = &self.policy.measures.brake else { return false };
        if self.brake.pulled().is_some() {
            return true;
        }
        let is_familiar = self.guard.is_familiar(net, now);
        if !self.brake.note(rules, net, is_familiar, now) {
            return false;
        }
        let why = self.brake.pulled().map_or("", |pulled| pulled.why.as_str());
        tracing::error!(
            why,
            "THE BRAKE IS ON: scenarios ban nobody from now on, they only observe. Look at \
             `weir list` for what they would have done; then `weir brake release` goes on, with \
             `--carry-out` those are banned too who were only observed"
        );
        self.unsaved_brake = true;
        true
    }

    pub(super) fn note_braked(&mut self, net: IpNet) {
        if self.braked.len() < MOST_BRAKED && self.braked.insert(net) {
            self.unsaved_brake = true;
        }
    }

    /// What kept a ban of exactly `net` from being carried out, or from lasting as long as it should:
    /// `source`, `spoofable` or `brake`.
    #[must_use]
    pub fn limited(&self, net: IpNet) -> Option<&str> {
        let by = self.limits.get(&net).map(|by| &**by);
        by.or_else(|| self.braked.contains(&net).then_some("brake"))
    }

    pub(super) fn note_limited(&mut self, net: IpNet, by: &str) {
        if self.limits.len() < MOST_BRAKED {
            self.limits.insert(net, by.into());
        }
    }

    /// Forgets what kept a ban of exactly `net` from being carried out.
    pub(super) fn forget_limit(&mut self, net: IpNet) {
        self.limits.remove(&net);
        self.unsaved_brake |= self.braked.remove(&net);
        self.refused.remove(&net);
    }

    /// Lets scenarios ban again. With `carry_out`, what they were kept from is done now.
    pub fn release(&mut self, carry_out: bool, now: Time) -> Released {
        let was = self.brake();
        self.brake.release();
        let braked = std::mem::take(&mut self.braked);
        self.unsaved_brake = true;
        let mut released = Released { was, ..Released::default() };
        if released.was.pulled.is_some() {
            tracing::warn!(carry_out, observed = released.was.observed, "the brake is released");
        }
        if carry_out && self.policy.observe != Observe::Everything {
            let observed = braked.into_iter().filter_map(|net| {
                let decision = self.ledger.inside(net).next()?;
                let is_meant = decision.target.net() == net
                    && decision.action == Action::Observe
                    && decision.until > now
                    && self.admit(net, now).is_ok();
                is_meant.then(|| decision.clone())
            });
            let observed: Vec<Decision> = observed.collect();
            let records = observed.iter().map(|decision| Record {
                target: decision.target,
                action: Action::Ban,
                origin: Origin::Scenario,
                reason: decision.reason.clone(),
                until: decision.until,
                events: 0,
                story: None,
            });
            (_, released.changes) = self.write(records.collect(), now);
            for decision in &observed {
                self.offences.ban(decision.target.net(), now.nanos);
                released.banned.extend(self.ledger.get(decision.target).cloned());
            }
        }
        self.save(now);
        released
    }

    /// Writes down that a ban was refused, once a minute for each.
    pub(super) fn note_refused(&mut self, refusal: &Refusal, alert: &Alert, now: Time) {
        const PAUSE: i64 = 60 * 1_000_000_000;
        let (Refusal::Allowlisted { net, .. } | Refusal::TooWide { net, .. }) = refusal;
        if self.refused.get(net).is_some_and(|at| now.nanos.saturating_sub(*at).abs() < PAUSE) {
            return;
        }
        if self.refused.len() >= MOST_PENDING {
            self.refused.clear();
        }
        self.refused.insert(*net, now.nanos);
        self.ledger.refuse(Refused {
            net: *net,
            at: now,
            reason: reason(refusal).to_owned(),
            scenario: alert.scenario.as_ref().to_owned(),
            story: Some(Story::of(alert, None).text()),
        });
    }

    /// Forgets what is too old to matter, and writes down what is not on disk yet.
    pub(super) fn watch(&mut self, now: Time) {
        self.offences.forget(now.nanos.saturating_sub(self.memory()));
        self.guard.forget(now);
        let ledger = &self.ledger;
        let is_held =
            |net: &IpNet| ledger.inside(*net).next().is_some_and(|d| d.target.net() == *net);
        self.limits.retain(|net, _| is_held(net));
        if self.policy.measures.brake.is_none() && self.brake.pulled().is_some() {
            self.release(false, now);
        }
        self.save(now);
    }

    /// Writes down what is not on disk yet.
    pub fn save(&mut self, now: Time) {
        if self.unsaved_brake {
            let brake = self.brake.pulled().map(|Pulled { at, why }| format!("{} {why}", at.nanos));
            let braked: Vec<String> = self.braked.iter().map(ToString::to_string).collect();
            let braked = (!braked.is_empty()).then(|| braked.join(" "));
            let saved = self
                .ledger
                .set_mark(BRAKE, brake.as_deref(), now)
                .and_then(|()| self.ledger.set_mark(BRAKED, braked.as_deref(), now));
            match saved {
                Ok(()) => self.unsaved_brake = false,
                Err(error) => self.cannot_save(&error, now),
            }
        }
        if !self.new_logins.is_empty() {
            let span = self.policy.measures.guard.map_or(0, |rules| rules.span);
            let logins: Vec<_> =
                self.new_logins.iter().map(|(net, at)| (*net, *at, at.plus(span))).collect();
            match self.ledger.save_logins(&logins, now.plus(-FAMILIAR)) {
                Ok(()) => self.new_logins.clear(),
                Err(error) => self.cannot_save(&error, now),
            }
        }
    }

    fn cannot_save(&mut self, error: &crate::ledger::Error, now: Time) {
        if let Some(unsaid) = self.faults.may(now) {
            tracing::warn!(%error, unsaid, "logins and the brake hold in memory only");
        }
    }
}

/// What the mark says: a time in nanoseconds, then why.
fn read_brake(mark: &str) -> Option<Pulled> {
    let (at, why) = mark.split_once(' ')?;
    Some(Pulled { at: Time::from_nanos(at.parse().ok()?), why: why.to_owned() })
}
