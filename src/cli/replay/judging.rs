//! Who would have been banned, for how long and how wide: as the judge decides, without a ledger
//! and without a kernel.
//!
//! Nobody is guarded and no brake is pulled: a log of the past has no connections, and whoever reads
//! it wants to see all of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use ipnet::IpNet;
use serde_json::json;

use super::{Totals, per_second};
use crate::cli::{asking, loading, output};
use crate::decide::{Measures, Offences, Profiles, Sentence, Verdict, common, subject};
use crate::decision::{Allowlist, Target, parse_logged};
use crate::detect::{self, Ahead, Detector, Pour};
use crate::event::{Alert, Overflow};
use crate::expr::World;
use crate::rules::Ruleset;
use crate::value::Time;

/// Somebody who would have been banned.
#[derive(Clone, Debug)]
pub(super) struct Ban {
    at: Time,
    target: Target,
    scenario: Arc<str>,
    events: i64,
    duration: i64,
    /// Decided for show: recorded, not carried out.
    simulated: bool,
}

/// Counts offences and decides, without a ledger and without a kernel.
pub(super) struct Judging<'r> {
    ruleset: &'r Ruleset,
    detector: Detector,
    postoverflows: crate::rules::Postoverflows,
    profiles: &'r Profiles,
    allowlist: &'r Allowlist,
    world: World,
    overflows: Vec<Overflow>,
    n_overflows: u64,
    n_friends: u64,
    n_prolonged: u64,
    bans: Vec<Ban>,
    measures: &'r Measures,
    offences: Offences,
    /// Since when and until when each is banned.
    held: BTreeMap<IpNet, (Time, Time)>,
}

/// Offenders that are remembered, as in the daemon.
const OFFENDERS: usize = 200_000;

impl<'r> Judging<'r> {
    pub(super) fn new(loaded: &'r loading::Loaded) -> Self {
        let ruleset = &*loaded.ruleset;
        let limits = detect::Limits::default();
        Self {
            ruleset,
            detector: Detector::new(Arc::clone(ruleset.scenarios()), limits, ruleset.world()),
            postoverflows: ruleset.postoverflows(),
            profiles: &loaded.profiles,
            allowlist: &loaded.allowlist,
            world: ruleset.world(),
            overflows: Vec::new(),
            n_overflows: 0,
            n_friends: 0,
            n_prolonged: 0,
            bans: Vec::new(),
            measures: &loaded.measures,
            offences: Offences::new(OFFENDERS),
            held: BTreeMap::new(),
        }
    }

    pub(super) fn pour(&mut self, pours: &mut Vec<Pour>) {
        let mut pours = pours.drain(..);
        let mut ahead = Ahead::default();
        loop {
            let hint = ahead.look(&self.detector, pours.as_slice());
            let Some(pour) = pours.next() else { break };
            let now = pour.at();
            self.detector.pour_near(pour, hint, now, &mut self.overflows);
            if self.overflows.is_empty() {
                continue;
            }
            let mut overflows = std::mem::take(&mut self.overflows);
            let (rules, detector) = (self.ruleset, &mut self.detector);
            self.postoverflows.settle(rules, detector, &mut overflows, now, None);
            for overflow in overflows.drain(..) {
                self.decide(&overflow);
            }
            self.overflows = overflows;
        }
    }

    fn decide(&mut self, overflow: &Overflow) {
        self.n_overflows += 1;
        let Some(alert) = &overflow.alert else { return };
        if overflow.allowlisted {
            self.n_friends += 1;
            return;
        }
        let at = alert.stop_at;
        let verdicts = self.profiles.verdicts(overflow, &self.world);
        let is_meant = |verdict: &&Verdict<'_>| !verdict.sentences.is_empty();
        let blamed: BTreeSet<IpNet> = verdicts
            .iter()
            .filter(is_meant)
            .filter_map(|verdict| parse_logged(&verdict.source.value))
            .filter(|net| net.prefix_len() == net.max_prefix_len())
            .collect();
        let count = self.measures.count;
        let proven = count.and_then(|length| common(blamed.iter().copied(), length));
        for net in blamed.iter().filter(|_| !alert.simulated) {
            if self.allowlist.admit(*net).is_ok() {
                self.offences.offend(*net, at.nanos);
            }
        }
        let mut made = Vec::new();
        for verdict in &verdicts {
            let Some(net) = parse_logged(&verdict.source.value) else { continue };
            for sentence in &verdict.sentences {
                let Some(target) = self.target(net, proven, at) else {
                    self.n_friends += 1;
                    continue;
                };
                if target.net() != net && made.contains(&target) {
                    continue;
                }
                made.push(target);
                self.ban(alert, target, sentence, at);
            }
        }
    }

    /// The widest that passes and is no friend's.
    fn target(&self, net: IpNet, proven: Option<(IpNet, usize)>, at: Time) -> Option<Target> {
        if net.prefix_len() != net.max_prefix_len() {
            return self.allowlist.admit(net).ok();
        }
        let levels = &self.measures.levels;
        let found = levels.candidates(net.addr(), proven, &self.offences, at.nanos);
        found.iter().find_map(|candidate| self.allowlist.admit(candidate.net).ok())
    }

    fn ban(&mut self, alert: &Alert, target: Target, sentence: &Sentence, at: Time) {
        let net = subject(target.net(), self.measures.count);
        let inside = self.held.range(net..).take_while(|(held, _)| net.contains(*held));
        let running = inside.filter(|(_, (_, until))| *until > at).map(|(_, (since, _))| *since);
        let as_of = running.min().unwrap_or(at);
        let mut duration = sentence.duration;
        if let Some(escalation) = self.measures.escalation.filter(|_| sentence.may_grow) {
            let past = self.offences.bans(net, as_of.nanos);
            // Without the part that is left to chance.
            duration = escalation.apply(duration, &past, as_of.nanos, 0.0).0;
        }
        let until = at.plus(duration);
        match self.held.get_mut(&target.net()) {
            Some((_, before)) if *before > at => {
                *before = until.max(*before);
                self.n_prolonged += 1;
                return;
            }
            _ => self.held.insert(target.net(), (at, until)),
        };
        if !alert.simulated {
            self.offences.ban(target.net(), at.nanos);
        }
        self.bans.push(Ban {
            at,
            target,
            scenario: Arc::clone(&alert.scenario),
            events: alert.events_count,
            duration,
            simulated: alert.simulated,
        });
    }

    pub(super) fn page(&self, totals: Totals, seconds: f64) -> String {
        let mut text = String::new();
        if !self.bans.is_empty() {
            let heads = ["WHEN", "TARGET", "SCENARIO", "EVENTS", "FOR"];
            let mut table = output::table(&heads);
            for ban in &self.bans {
                let span = u64::try_from(ban.duration / 1_000_000_000).unwrap_or(0);
                table.add_row(vec![
                    ban.at.rfc3339(),
                    ban.target.to_string(),
                    format!("{}{}", ban.scenario, if ban.simulated { " (simulated)" } else { "" }),
                    ban.events.to_string(),
                    asking::span(span),
                ]);
            }
            let _ = writeln!(text, "{table}");
        }
        let _ = writeln!(
            text,
            "{} bans of {} addresses ({} overflows, {} of them while banned, {} of friends)",
            self.bans.len(),
            self.held.len(),
            self.n_overflows,
            self.n_prolonged,
            self.n_friends
        );
        if totals.cut > 0 {
            let _ = writeln!(text, "{} lines were longer than 64 KiB and cut", totals.cut);
        }
        if totals.unread > 0 {
            let _ = writeln!(
                text,
                "{} entries of the journal could not be read: no JSON, or without a message \
                 (`journalctl --all` shows long ones)",
                totals.unread
            );
        }
        let _ = writeln!(
            text,
            "{} lines: {} parsed, {} unparsed, {} allowlisted; {seconds:.3} s, {:.0} lines/s",
            totals.lines,
            totals.parsed,
            totals.unparsed,
            totals.allowlisted,
            per_second(totals.lines, seconds)
        );
        text
    }

    pub(super) fn json(&self, totals: Totals, seconds: f64) -> serde_json::Value {
        let bans: Vec<_> = self
            .bans
            .iter()
            .map(|ban| {
                json!({
                    "at": ban.at.rfc3339(),
                    "target": ban.target.to_string(),
                    "family": ban.target.family().name(),
                    "scenario": &*ban.scenario,
                    "events": ban.events,
                    "for_seconds": ban.duration / 1_000_000_000,
                })
            })
            .collect();
        json!({
            "bans": bans,
            "overflows": self.n_overflows,
            "lines": totals.lines,
            "parsed": totals.parsed,
            "unparsed": totals.unparsed,
            "allowlisted": totals.allowlisted,
            "cut": totals.cut,
            "unread": totals.unread,
            "seconds": seconds,
            "lines_per_second": per_second(totals.lines, seconds).round(),
        })
    }
}
