//! The counters of what is loaded: of parsers and scenarios by their numbers, so that whoever counts
//! looks no name up, and of words from closed lists, which are shown before the first is counted: a
//! rate can only be told of what was 0 before.

use std::hash::Hash;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family as Series;
use prometheus_client::metrics::gauge::Gauge;

use crate::decide::{LIMITS, REFUSALS};
use crate::decision::{Action, Family, Origin};
use crate::detect::{Counts, Scenario, Scenarios};
use crate::ledger::Cause;
use crate::metrics::{
    ByDecision, ByParser, ByQueue, ByReason, ByResult, ByScenario, ByStage, ByState, Ending,
    Metrics,
};
use crate::parse::{Scratch, Stages};
use crate::rules::Ruleset;

/// The queues between the stages.
pub(super) const QUEUES: [&str; 4] = ["lines", "pours", "overflows", "changes"];

/// What programs are told apart by: the best that became of any of their lines.
pub(super) const PROGRAMS: [&str; 3] = ["matched", "parsed", "unparsed"];

/// Shows what will be counted, at 0.
pub(super) fn begin(metrics: &Metrics) {
    metrics.pages.begin();
    metrics.lapi.begin();
    for result in [Ending::success, Ending::failure] {
        show(&metrics.reloads, ByResult { result });
    }
    for queue in QUEUES {
        show(&metrics.queue_full, ByQueue { queue });
    }
    for stage in ["parse", "detect", "decide"] {
        show(&metrics.faults, ByStage { stage });
    }
    for state in PROGRAMS {
        show(&metrics.programs, ByState { state });
    }
    for state in ["resolved", "failing"] {
        show(&metrics.allowlist_names, ByState { state });
    }
    let by = |reason: &'static str| ByReason { reason };
    for reason in REFUSALS {
        show(&metrics.refused, by(reason));
    }
    for reason in LIMITS {
        show(&metrics.limited, by(reason));
    }
    for cause in Cause::ALL {
        show(&metrics.ended, by(cause.name()));
    }
    for reason in ["filtered", "blackholed", "unsourced"] {
        show(&metrics.overflows_discarded, by(reason));
    }
    show(&metrics.pours_dropped, by("reload"));
    for reason in ["queue_full", "login"] {
        show(&metrics.overflows_dropped, by(reason));
    }
}

/// Shows a series.
fn show<S, M>(series: &Series<S, M>, by: S)
where
    S: Clone + Eq + Hash,
    M: Default,
{
    drop(series.get_or_create(&by));
}

/// Shows what may be counted of rules, and no more what is counted of those that are gone.
pub(super) fn show_rules(metrics: &Metrics, rules: &Ruleset, before: Option<&Ruleset>) {
    let is_loaded = |scenario: &Scenario| rules.scenarios().iter().any(|s| s.name == scenario.name);
    for scenario in before.into_iter().flat_map(|before| before.scenarios().iter()) {
        if !is_loaded(scenario) {
            forget(metrics, scenario);
        }
    }
    let parsers = |rules: &Ruleset| -> Vec<String> {
        rules.stages().nodes().map(|(_, node)| node.name().to_owned()).collect()
    };
    let loaded = parsers(rules);
    for parser in before.map(parsers).unwrap_or_default() {
        if !loaded.contains(&parser) {
            let by = ByParser { parser };
            metrics.parser_hits.remove(&by);
            metrics.parser_failures.remove(&by);
        }
    }
    for scenario in rules.scenarios().iter() {
        for family in [Family::V4, Family::V6] {
            let by = ByDecision {
                scenario: scenario.name.to_string(),
                origin: Origin::Scenario.name(),
                family: family.name(),
                action: Action::Ban.name(),
            };
            show(&metrics.decisions, by);
        }
    }
}

/// Shows nothing more of a scenario's buckets.
fn forget(metrics: &Metrics, scenario: &Scenario) {
    let by = ByScenario { scenario: scenario.name.to_string() };
    let counters = [&metrics.poured, &metrics.overflowed, &metrics.underflowed, &metrics.cancelled];
    for family in counters.into_iter().chain([&metrics.evicted]) {
        family.remove(&by);
    }
    metrics.buckets_held.remove(&by);
}

/// The counters of parser rules, by the number of the node. Those of one name share theirs.
#[derive(Debug)]
pub(super) struct OfParsers {
    nodes: Vec<OfParser>,
    faults: Counter,
}

#[derive(Debug)]
struct OfParser {
    hits: Counter,
    failures: Counter,
}

impl OfParsers {
    pub(super) fn new(metrics: &Metrics, stages: &Stages) -> Self {
        let nodes = stages.nodes().map(|(_, node)| {
            let by = ByParser { parser: node.name().to_owned() };
            OfParser {
                hits: metrics.parser_hits.get_or_create_owned(&by),
                failures: metrics.parser_failures.get_or_create_owned(&by),
            }
        });
        let nodes = nodes.collect();
        let faults = metrics.faults.get_or_create_owned(&ByStage { stage: "parse" });
        Self { nodes, faults }
    }

    /// Adds what a worker counted since the last time; it must have worked with these stages.
    pub(super) fn add(&self, scratch: &mut Scratch) {
        let faults = scratch.take_counts(&mut |number, count| {
            if let Some(node) = self.nodes.get(number) {
                node.hits.inc_by(count.hits);
                node.failures.inc_by(count.hits - count.successes);
            }
        });
        if faults > 0 {
            self.faults.inc_by(faults);
        }
    }
}

/// The counters of scenarios, by their numbers. Those of one name share theirs.
#[derive(Debug)]
pub(super) struct OfScenarios {
    each: Vec<OfScenario>,
    discarded: [Counter; 3],
    faults: Counter,
    overflows: Counter,
}

#[derive(Debug)]
struct OfScenario {
    /// What is shown already.
    shown: Counts,
    poured: Counter,
    overflowed: Counter,
    underflowed: Counter,
    cancelled: Counter,
    evicted: Counter,
    tracked: Gauge,
}

impl OfScenarios {
    pub(super) fn new(metrics: &Metrics, scenarios: &Scenarios) -> Self {
        let each = scenarios.iter().map(|scenario| {
            let by = ByScenario { scenario: scenario.name.to_string() };
            OfScenario {
                shown: Counts::default(),
                poured: metrics.poured.get_or_create_owned(&by),
                overflowed: metrics.overflowed.get_or_create_owned(&by),
                underflowed: metrics.underflowed.get_or_create_owned(&by),
                cancelled: metrics.cancelled.get_or_create_owned(&by),
                evicted: metrics.evicted.get_or_create_owned(&by),
                tracked: metrics.buckets_held.get_or_create_owned(&by),
            }
        });
        let each = each.collect();
        let discarded = ["filtered", "blackholed", "unsourced"]
            .map(|reason| metrics.overflows_discarded.get_or_create_owned(&ByReason { reason }));
        let faults = metrics.faults.get_or_create_owned(&ByStage { stage: "detect" });
        Self { each, discarded, faults, overflows: metrics.overflows.clone() }
    }

    /// Other scenarios are counted from now on, of which some were counted before: their counts go
    /// on, and the buckets of those that are gone are not there any more.
    pub(super) fn replace<'c>(
        &mut self,
        metrics: &Metrics,
        scenarios: &Scenarios,
        counts: impl Iterator<Item = &'c Counts>,
    ) {
        for each in &self.each {
            each.tracked.set(0);
        }
        *self = Self::new(metrics, scenarios);
        for (each, counts) in self.each.iter_mut().zip(counts) {
            each.shown = Counts { tracked: 0, ..*counts };
        }
    }

    /// Adds what was counted since the last time.
    pub(super) fn add<'c>(&mut self, counts: impl Iterator<Item = &'c Counts>) {
        for (each, counts) in self.each.iter_mut().zip(counts) {
            let shown = std::mem::replace(&mut each.shown, *counts);
            if shown == *counts {
                continue;
            }
            each.poured.inc_by(counts.poured - shown.poured);
            each.overflowed.inc_by(counts.overflowed - shown.overflowed);
            each.underflowed.inc_by(counts.underflowed - shown.underflowed);
            each.cancelled.inc_by(counts.cancelled - shown.cancelled);
            each.evicted.inc_by(counts.evicted - shown.evicted);
            let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
            each.tracked.inc_by(number(counts.tracked) - number(shown.tracked));
            self.overflows.inc_by(counts.overflowed - shown.overflowed);
            self.faults.inc_by(counts.faults - shown.faults);
            let [filtered, blackholed, unsourced] = &self.discarded;
            filtered.inc_by(counts.filtered - shown.filtered);
            blackholed.inc_by(counts.blackholed - shown.blackholed);
            unsourced.inc_by(counts.unsourced - shown.unsourced);
        }
    }
}
