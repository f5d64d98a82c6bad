//! The `type` of a scenario, and what each type demands of the other keys.

use crate::yaml::{Fields, Node};

/// A type with what only it has.
#[derive(Debug)]
pub(super) enum KindSpec<'n> {
    Leaky,
    Trigger,
    Counter,
    Conditional,
    Bayesian { prior: f32, threshold: f32, conditions: Vec<EvidenceSpec<'n>> },
}

#[derive(Debug)]
pub(super) struct EvidenceSpec<'n> {
    pub(super) condition: &'n Node,
    pub(super) given_evil: f32,
    pub(super) given_benign: f32,
    pub(super) guillotine: bool,
}

/// What other keys of the scenario say.
pub(super) struct Written {
    pub(super) capacity: Option<i64>,
    pub(super) leakspeed: Option<i64>,
    pub(super) duration: Option<i64>,
    pub(super) has_condition: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    Leaky,
    Trigger,
    Counter,
    Conditional,
    Bayesian,
}

const WORDS: [(&str, Word); 5] = [
    ("leaky", Word::Leaky),
    ("trigger", Word::Trigger),
    ("counter", Word::Counter),
    ("conditional", Word::Conditional),
    ("bayesian", Word::Bayesian),
];

/// Reads the type, checks that the other keys fit it, and reads the keys of a bayesian.
pub(super) fn load<'n>(fields: &mut Fields<'n, '_>, written: &Written) -> Option<KindSpec<'n>> {
    let prior = fields.float("bayesian_prior");
    let threshold = fields.float("bayesian_threshold");
    let conditions = fields.list("bayesian_conditions");
    fields.require("type")?;
    let word = fields.choice("type", &WORDS)?.value;
    let capacity = written.capacity.unwrap_or(0);
    let mut demand = Demand { fields, is_met: true };
    match word {
        Word::Leaky => {
            demand.that(capacity > 0, "capacity", "a leaky scenario needs a `capacity` above 0");
            let leaks = written.leakspeed.is_some_and(|leakspeed| leakspeed > 0);
            demand.that(leaks, "leakspeed", "a leaky scenario needs a `leakspeed` above 0");
        }
        Word::Trigger => {
            let message = "a trigger overflows at its first event and has no `capacity`";
            demand.that(capacity == 0, "capacity", message);
        }
        Word::Counter => {
            demand.that(capacity == -1, "capacity", "a counter needs `capacity: -1`");
            let ends = written.duration.is_some_and(|duration| duration > 0);
            demand.that(ends, "duration", "a counter needs a `duration` above 0");
        }
        Word::Conditional => {
            let message = "a conditional scenario needs a `condition`";
            demand.that(written.has_condition, "condition", message);
            let leaks = written.leakspeed.is_some_and(|leakspeed| leakspeed > 0);
            demand.that(leaks, "leakspeed", "a conditional scenario needs a `leakspeed` above 0");
            if capacity != -1 {
                demand.warn("capacity", "a conditional scenario should say `capacity: -1`");
            }
        }
        Word::Bayesian => {
            demand.that(capacity == -1, "capacity", "a bayesian scenario needs `capacity: -1`");
            let message = "a bayesian scenario needs `bayesian_conditions`";
            demand.that(!conditions.is_empty(), "bayesian_conditions", message);
            let prior = prior.as_ref().map_or(0.0, |prior| prior.value);
            let message = "`bayesian_prior` must be above 0 and at most 1";
            demand.that(prior > 0.0 && prior <= 1.0, "bayesian_prior", message);
            let threshold = threshold.as_ref().map_or(0.0, |threshold| threshold.value);
            let message = "`bayesian_threshold` must be at most 1 and not 0";
            demand.that(threshold != 0.0 && threshold <= 1.0, "bayesian_threshold", message);
            if written.leakspeed.is_none_or(|leakspeed| leakspeed == 0) {
                demand.warn("leakspeed", "without `leakspeed` a bucket ends as soon as it begins");
            }
        }
    }
    let is_met = demand.is_met;
    let kind = match word {
        Word::Leaky => KindSpec::Leaky,
        Word::Trigger => KindSpec::Trigger,
        Word::Counter => KindSpec::Counter,
        Word::Conditional => KindSpec::Conditional,
        Word::Bayesian => KindSpec::Bayesian {
            prior: narrow(prior.map_or(0.0, |prior| prior.value)),
            threshold: narrow(threshold.map_or(0.0, |threshold| threshold.value)),
            conditions: conditions.iter().filter_map(|each| load_evidence(fields, each)).collect(),
        },
    };
    is_met.then_some(kind)
}

fn load_evidence<'n>(parent: &mut Fields<'n, '_>, node: &'n Node) -> Option<EvidenceSpec<'n>> {
    let file = parent.file();
    let mut fields =
        Fields::of(node, file, "a bayesian condition", parent.diagnostics())?.empty_is_absent();
    let condition = fields.require("condition").and_then(|_| fields.scalar("condition"));
    let mut probability = |key: &'static str| {
        fields.require(key)?;
        let found = fields.float(key)?;
        if !(0.0..=1.0).contains(&found.value) {
            let message = format!("`{key}` must be from 0 to 1");
            fields.report(found.span, "out-of-range", message);
            return None;
        }
        Some(narrow(found.value))
    };
    let given_evil = probability("prob_given_evil");
    let given_benign = probability("prob_given_benign");
    let guillotine = fields.bool("guillotine").is_some_and(|guillotine| guillotine.value);
    fields.finish();
    Some(EvidenceSpec {
        condition: condition?,
        given_evil: given_evil?,
        given_benign: given_benign?,
        guillotine,
    })
}

/// Rules were tuned where probabilities have 32 bits.
#[expect(clippy::cast_possible_truncation, reason = "that is what it is for")]
fn narrow(probability: f64) -> f32 {
    probability as f32
}

struct Demand<'f, 'n, 'd> {
    fields: &'f mut Fields<'n, 'd>,
    is_met: bool,
}

impl Demand<'_, '_, '_> {
    fn that(&mut self, holds: bool, key: &'static str, message: &str) {
        if !holds {
            self.is_met = false;
            let span = self.place(key);
            self.fields.report(span, "unfit-key", message);
        }
    }

    fn warn(&mut self, key: &'static str, message: &str) {
        let span = self.place(key);
        let file = self.fields.file();
        let mistake = crate::diagnostic::Diagnostic::error(file, span, "unfit-key", message);
        self.fields.diagnostics().push(mistake.warning());
    }

    /// The value that does not fit, or where the type is said that asks for it.
    fn place(&mut self, key: &'static str) -> std::ops::Range<usize> {
        let node = self.fields.node(key).or_else(|| self.fields.node("type"));
        node.map_or_else(|| self.fields.mapping_node().head(), Node::head)
    }
}
