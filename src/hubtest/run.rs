//! Runs the rules of a hub test over its log: one thread, in the order of the log, by the times
//! written in it.

use std::path::Path;
use std::sync::Arc;

use super::config::Config;
use super::results::{Record, Records};
use super::sort;
use crate::detect::{self, Detector, Limits};
use crate::event::{Event, Kind, Mode, Overflow, Snapshot};
use crate::expr::World;
use crate::parse::{self, Fact, Outcome};
use crate::rules::{Postoverflows, Ruleset, Witness};
use crate::value::{Arena, Section, Time};

/// What the rules made of a log.
#[derive(Debug)]
pub(super) struct Found {
    /// What became of each event at each node that was tried.
    pub(super) records: Records,
    /// All overflows, in the order in which assertions see them.
    pub(super) overflows: Vec<Overflow>,
}

/// Runs the log at `path`; `now` is when its lines arrive.
///
/// # Errors
/// A sentence when the log cannot be read or is empty.
pub(super) fn run(
    rules: &Ruleset,
    config: &Config,
    path: &Path,
    now: Time,
) -> Result<Found, String> {
    let cannot = |why: &dyn std::fmt::Display| format!("log file `{}`: {why}", path.display());
    let log = std::fs::read(path).map_err(|error| cannot(&error))?;
    if log.is_empty() {
        return Err(cannot(&"it is empty"));
    }
    let path = std::path::absolute(path).map_err(|error| cannot(&error))?;
    let world = rules.world();
    world.set_now(now);
    let mut run = Run {
        rules,
        now,
        detector: Detector::new(Arc::clone(rules.scenarios()), Limits::default(), world.clone()),
        world,
        scratch: parse::Scratch::new(),
        postoverflows: rules.postoverflows(),
        choice: detect::Scratch::default(),
        records: Records::default(),
        overflows: Vec::new(),
    };
    for line in log.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if !line.is_empty() {
            run.line(&String::from_utf8_lossy(line), config, &path.to_string_lossy());
        }
    }
    Ok(Found { records: run.records, overflows: sorted(run.overflows) })
}

struct Run<'r> {
    rules: &'r Ruleset,
    now: Time,
    world: World,
    detector: Detector,
    scratch: parse::Scratch,
    postoverflows: Postoverflows,
    choice: detect::Scratch,
    records: Records,
    overflows: Vec<Overflow>,
}

impl Run<'_> {
    fn line(&mut self, line: &str, config: &Config, path: &str) {
        let arena = Arena::new();
        let event = Event::new(&arena, self.rules.names(), Kind::Log, Mode::Replay, self.now);
        event.raw.set(line);
        event.source.set(path);
        event.module.set("file");
        for (name, text) in &config.labels {
            event.set_named(Section::Label, name, text);
        }
        event.set_named(Section::Label, "type", &config.log_type);
        let records = &mut self.records;
        let outcome = self.rules.stages().run(
            event,
            &self.world,
            &mut self.scratch,
            Some(&mut |fact| note(records, &fact)),
        );
        if outcome != Outcome::Parsed {
            return;
        }
        let mut pours = Vec::new();
        self.rules.scenarios().select(&mut self.choice, event, &self.world, &mut pours);
        let (rules, detector) = (self.rules, &mut self.detector);
        let mut overflows = Vec::new();
        for pour in pours {
            detector.pour(pour, self.now, &mut overflows);
        }
        let records = &mut self.records;
        let witness: Witness<'_> = &mut |fact| note(records, fact);
        self.postoverflows.settle(rules, detector, &mut overflows, self.now, Some(witness));
        self.overflows.append(&mut overflows);
    }
}

/// Records the event at a node. What postoverflow rules have made of an overflow by then belongs
/// to its event.
fn note(records: &mut Records, fact: &Fact<'_, '_>) {
    let Fact::Node { stage, node, success, event } = fact else { return };
    let mut snapshot = Snapshot::of(event);
    if event.kind == Kind::Overflow {
        let view = event.overflow_view();
        let mut overflow = view.overflow().clone();
        overflow.apply(view.rewrite());
        snapshot = snapshot.with_overflow(Arc::new(overflow));
    }
    records.push(stage, node, Record { success: *success, event: snapshot });
}

/// Descending by scenario and sources.
fn sorted(overflows: Vec<Overflow>) -> Vec<Overflow> {
    let key = |overflow: &Overflow| {
        let scenario = overflow.alert.as_ref().map_or("", |alert| &alert.scenario);
        let sources: Vec<_> = overflow.sources.iter().map(|(key, _)| key.as_str()).collect();
        format!("{scenario}{}", sources.join("@"))
    };
    let keys: Vec<_> = overflows.iter().map(key).collect();
    let order = sort::order(keys.len(), |a, b| keys.get(a) > keys.get(b));
    let mut overflows: Vec<_> = overflows.into_iter().map(Some).collect();
    order.into_iter().filter_map(|at| overflows.get_mut(at).and_then(Option::take)).collect()
}
