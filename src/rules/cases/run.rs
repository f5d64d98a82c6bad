//! Runs one case against a ruleset: one thread, by the times written in the lines.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Attack, LineCase, Outcome, Written};
use crate::detect::{self, Detector, Limits};
use crate::event::{Event, Line, Mode, Overflow, SourceId};
use crate::expr::World;
use crate::parse::{self, Scratch};
use crate::rules::{Postoverflows, Ruleset};
use crate::value::{Arena, Section, Time};

/// Something that is not as the case says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// What it is: `meta.source_ip`, `outcome`, `overflows`, `bans`.
    pub what: String,
    /// What the case says.
    pub expected: String,
    /// What came of it.
    pub found: String,
}

/// When cases begin: noon on the first day of 2026, by the clock of their lines.
const BEGINNING: i64 = 1_767_268_800;

impl LineCase {
    /// Holds the rules against the case: everything that is not as it says.
    #[must_use]
    pub fn run(&self, rules: &Ruleset) -> Vec<Mismatch> {
        let mut worker = Worker::new(rules);
        let at = Time::from_seconds(BEGINNING);
        worker.look(&self.written, &self.label, at, |Seen { event, outcome, .. }| {
            let mut mismatches = Vec::new();
            let mut compare = |what: String, expected: &str, found: Option<&str>| {
                if found != Some(expected) {
                    let found = found.map_or_else(|| "nothing".to_owned(), quoted);
                    mismatches.push(Mismatch { what, expected: quoted(expected), found });
                }
            };
            if outcome != self.outcome {
                compare("outcome".to_owned(), self.outcome.name(), Some(outcome.name()));
            }
            for (prefix, section, fields) in
                [("parsed", Section::Parsed, &self.parsed), ("meta", Section::Meta, &self.meta)]
            {
                for (name, expected) in fields {
                    let found = event.get_named(section, name);
                    compare(format!("{prefix}.{name}"), expected, found);
                }
            }
            mismatches
        })
    }
}

impl Attack {
    /// Holds the rules against the case: everything that is not as it says.
    #[must_use]
    pub fn run(&self, rules: &Ruleset) -> Vec<Mismatch> {
        let mut attack = Attacked::new(rules);
        // The first line comes at the beginning, each other one so long after the line before.
        let mut at: Option<Time> = None;
        for step in &self.steps {
            for _ in 0..step.times {
                let now = at.map_or(Time::from_seconds(BEGINNING), |last| last.plus(step.every));
                attack.line(&step.written, &step.label, now);
                at = Some(now);
            }
        }
        let mut mismatches = Vec::new();
        if let Some(overflows) = &self.overflows {
            let wanted = overflows.iter().filter(|(_, count)| *count > 0);
            let wanted: BTreeMap<&str, u64> =
                wanted.map(|(name, count)| (name.as_str(), *count)).collect();
            let found = attack.overflows.iter().map(|(name, count)| (&**name, *count)).collect();
            if wanted != found {
                let (expected, found) = (counted(&wanted), counted(&found));
                mismatches.push(Mismatch { what: "overflows".to_owned(), expected, found });
            }
        }
        if let Some(bans) = &self.bans {
            let wanted: BTreeSet<&str> = bans.iter().map(String::as_str).collect();
            let found: BTreeSet<&str> = attack.bans.iter().map(String::as_str).collect();
            if wanted != found {
                let (expected, found) = (listed(&wanted), listed(&found));
                mismatches.push(Mismatch { what: "bans".to_owned(), expected, found });
            }
        }
        mismatches
    }
}

fn quoted(text: &str) -> String {
    format!("`{text}`")
}

fn counted(counts: &BTreeMap<&str, u64>) -> String {
    let texts: Vec<_> = counts.iter().map(|(name, count)| format!("{name}: {count}")).collect();
    if texts.is_empty() { "none".to_owned() } else { texts.join(", ") }
}

fn listed(names: &BTreeSet<&str>) -> String {
    let texts: Vec<_> = names.iter().copied().collect();
    if texts.is_empty() { "nobody".to_owned() } else { texts.join(", ") }
}

/// What looks at lines.
struct Worker<'r> {
    rules: &'r Ruleset,
    world: World,
    scratch: Scratch,
}

impl<'r> Worker<'r> {
    fn new(rules: &'r Ruleset) -> Self {
        Self { rules, world: rules.world(), scratch: Scratch::new() }
    }

    fn look<T>(
        &mut self,
        written: &Written,
        label: &str,
        now: Time,
        then: impl for<'a> FnOnce(Seen<'a>) -> T,
    ) -> T {
        let text = written.at(now);
        let source = self.rules.source("case", "file", label, Mode::Replay);
        let line = Line::new(text.as_bytes(), now, SourceId(0));
        let arena = Arena::new();
        self.world.set_now(now);
        let (event, outcome) =
            self.rules.parse(line, &source, &arena, &self.world, &mut self.scratch, None);
        let outcome = match outcome {
            parse::Outcome::Parsed => Outcome::Parsed,
            parse::Outcome::Allowlisted => Outcome::Allowlisted,
            parse::Outcome::Unparsed { .. } => Outcome::Unparsed,
        };
        then(Seen { rules: self.rules, world: &self.world, event, outcome })
    }
}

/// A line that was looked at.
struct Seen<'a> {
    rules: &'a Ruleset,
    world: &'a World,
    event: &'a Event<'a>,
    outcome: Outcome,
}

/// What lines lead to.
struct Attacked<'r> {
    rules: &'r Ruleset,
    worker: Worker<'r>,
    choice: detect::Scratch,
    detector: Detector,
    postoverflows: Postoverflows,
    overflows: BTreeMap<Arc<str>, u64>,
    bans: BTreeSet<String>,
}

impl<'r> Attacked<'r> {
    fn new(rules: &'r Ruleset) -> Self {
        let scenarios = Arc::clone(rules.scenarios());
        Self {
            rules,
            worker: Worker::new(rules),
            choice: detect::Scratch::default(),
            detector: Detector::new(scenarios, Limits::default(), rules.world()),
            postoverflows: rules.postoverflows(),
            overflows: BTreeMap::new(),
            bans: BTreeSet::new(),
        }
    }

    fn line(&mut self, written: &Written, label: &str, now: Time) {
        let choice = &mut self.choice;
        let mut pours = Vec::new();
        self.worker.look(written, label, now, |Seen { rules, world, event, outcome }| {
            if outcome == Outcome::Parsed {
                rules.scenarios().select(choice, event, world, &mut pours);
            }
        });
        let mut overflows = Vec::new();
        for pour in pours {
            self.detector.pour(pour, now, &mut overflows);
        }
        self.postoverflows.settle(self.rules, &mut self.detector, &mut overflows, now, None);
        for overflow in overflows {
            self.count(&overflow);
        }
    }

    fn count(&mut self, overflow: &Overflow) {
        let Some(alert) = &overflow.alert else { return };
        *self.overflows.entry(Arc::clone(&alert.scenario)).or_default() += 1;
        if alert.remediation && !overflow.allowlisted {
            self.bans.extend(overflow.sources.iter().map(|(_, source)| source.value.clone()));
        }
    }
}
