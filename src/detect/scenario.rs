//! A scenario as it runs: which events it takes, how they are grouped, when a bucket overflows.
//!
//! Made only by [`super::spec`], so every one is checked; nothing here knows the YAML it came from.

use std::sync::Arc;

use super::expression::Expression;
use super::limiter::Leak;
use crate::event::Snapshot;
use crate::expr::{Pace, Program};

/// Which scenario: its place in the load order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScenarioId(pub u32);

impl ScenarioId {
    /// The place in a list of all scenarios.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A scenario, checked and compiled. First comes what is asked for with every event.
#[derive(Debug)]
#[repr(C)]
pub struct Scenario {
    /// What makes a bucket overflow.
    pub kind: Kind,
    /// For how long a bucket lives, in nanoseconds: after its first event if it is timed, after
    /// its last otherwise.
    pub lifetime: i64,
    /// How many events a bucket keeps.
    pub keeps: usize,
    /// Whether a bucket overflows when its time is over (`duration`), rather than go silently.
    pub is_timed: bool,
    pub(super) condition: Option<Expression>,
    pub(super) filter: Expression,
    /// Its name, which need not be unique: what it has in common with another of the same name
    /// and filter are its buckets.
    pub name: Arc<str>,
    /// One sentence for people.
    pub description: String,
    /// What rules say about it: `service`, `behavior`, ... Only `remediation` has a meaning here.
    pub labels: Vec<(String, String)>,
    /// Whether an overflow asks for a remedy.
    pub remediation: bool,
    /// How easily its sources are forged, as the rule says: 0 to 3.
    pub spoofable: u8,
    /// Whether an overflow is only looked at.
    pub simulated: bool,
    /// Whether an overflow is poured into the scenarios again.
    pub reprocess: bool,
    /// As alerts show it: 0 for a trigger, -1 for no limit.
    pub capacity: i64,
    /// As alerts show it, in nanoseconds; 0 when it does not leak.
    pub leakspeed: i64,
    /// For how long after an overflow the same bucket stays silent, in nanoseconds.
    pub blackhole: Option<i64>,
    /// The length of the queue that the rule wants; negative for no limit.
    pub length: i64,
    /// What is blamed.
    pub scope: Scope,
    /// What the scenario says, as a number: equal for the same text.
    pub(super) fingerprint: u64,
    pub(super) filter_text: Arc<str>,
    pub(super) groupby: Option<Expression>,
    pub(super) distinct: Option<Expression>,
    pub(super) cancel_on: Option<Expression>,
    pub(super) overflow_filter: Option<Expression>,
    /// With fewer events than this in a bucket the condition is false.
    pub(super) least: usize,
    /// The events that the condition needs; `None` for all.
    pub(super) horizon: Option<Horizon>,
}

/// Which of the events in a bucket a condition needs to be what it would be for all of them.
#[derive(Debug)]
pub(super) struct Horizon {
    /// With fewer events than this the condition is false.
    pub(super) least: usize,
    /// The last so many.
    pub(super) newest: usize,
    /// The last so many of those for which the expression, which cannot fail, holds.
    pub(super) matching: Box<[(Expression, usize)]>,
    /// What it asks, if that is only how fast those events follow one another.
    pub(super) pace: Option<Pace>,
}

impl Horizon {
    /// How many events are within it at most.
    pub(super) fn most(&self) -> usize {
        let matching = self.matching.iter().map(|(_, most)| *most);
        matching.fold(self.newest, usize::saturating_add)
    }
}

/// What makes a bucket overflow.
#[derive(Debug)]
pub enum Kind {
    /// More events than leak away.
    Leaky(Leak),
    /// The first event.
    Trigger,
    /// The end of a span after the first event.
    Counter,
    /// A condition on what was poured.
    Conditional,
    /// A probability.
    Bayesian(Bayesian),
}

/// How probable it is that a bucket's events are evil.
#[derive(Debug)]
pub struct Bayesian {
    /// Before anything is known.
    pub prior: f32,
    /// The bucket overflows above it.
    pub threshold: f32,
    /// What changes it.
    pub(super) conditions: Box<[Evidence]>,
}

/// Something that is likelier among evil events than among benign ones, or the reverse.
#[derive(Debug)]
pub(super) struct Evidence {
    pub(super) condition: Expression,
    pub(super) given_evil: f32,
    pub(super) given_benign: f32,
    /// Once true, true for the rest of the bucket's life.
    pub(super) guillotine: bool,
}

/// What is blamed for an overflow.
#[derive(Debug)]
pub enum Scope {
    /// The address in `Meta.source_ip`.
    Ip,
    /// Its network: `Meta.SourceRange`, or what the expression gives.
    Range(Option<Expression>),
    /// Anything else, by a name of the rule's own.
    Other {
        /// The name.
        name: Arc<str>,
        /// What it is for one event.
        value: Expression,
    },
}

/// The events that one bucket keeps at most, whatever its scenario says.
///
/// Hostile: without it, a source that never pauses could fill memory through a bucket without
/// capacity.
pub const MOST_KEPT: usize = 1024;

/// The events that a bucket without capacity keeps for its alert, when no expression needs more.
///
/// There is no end to what such a bucket takes: what is far back is of no use to who reads the
/// alert, and far from the processor's caches when it goes.
pub(super) const MOST_SHOWN: usize = 32;

impl Bayesian {
    /// The probability after looking at one piece of evidence, by Bayes' rule. In 32 bits, because
    /// rules were tuned with that rounding.
    pub(super) fn weigh(evil: f32, evidence: &Evidence, holds: bool) -> f32 {
        let (given_evil, given_benign) = if holds {
            (evidence.given_evil, evidence.given_benign)
        } else {
            (1.0 - evidence.given_evil, 1.0 - evidence.given_benign)
        };
        given_evil * evil / (given_evil * evil + given_benign * (1.0 - evil))
    }
}

impl Kind {
    /// The word that rules use.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Leaky(_) => "leaky",
            Self::Trigger => "trigger",
            Self::Counter => "counter",
            Self::Conditional => "conditional",
            Self::Bayesian(_) => "bayesian",
        }
    }
}

impl Scope {
    /// The name as alerts show it.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Ip => "Ip",
            Self::Range(_) => "Range",
            Self::Other { name, .. } => name,
        }
    }
}

impl Scenario {
    /// How many events the rule wants kept; negative for all.
    pub(super) fn length_for(capacity: i64, cache_size: i64) -> i64 {
        let shortens = cache_size > 0 && (cache_size <= capacity || capacity == -1);
        if shortens { cache_size } else { capacity }
    }

    /// How many events a bucket keeps: one more than the rule wants, because the event that
    /// overflows is kept too. `needed` is how many its expressions need; `None` for all.
    pub(super) fn keeps_for(capacity: i64, cache_size: i64, needed: Option<usize>) -> usize {
        let length = usize::try_from(Self::length_for(capacity, cache_size));
        let without = || needed.map_or(MOST_KEPT, |needed| needed.max(MOST_SHOWN));
        length.map_or_else(|_| without(), |length| length.saturating_add(1)).min(MOST_KEPT)
    }

    /// The condition on events.
    #[must_use]
    pub fn filter(&self) -> &Program {
        self.filter.program()
    }

    /// All its expressions.
    pub fn programs(&self) -> impl Iterator<Item = &Program> {
        std::iter::once(&self.filter)
            .chain(&self.groupby)
            .chain(&self.distinct)
            .chain(&self.cancel_on)
            .chain(self.later())
            .map(Expression::program)
    }

    /// Those that look at events after they were poured.
    fn later(&self) -> impl Iterator<Item = &Expression> {
        let evidence = match &self.kind {
            Kind::Bayesian(bayesian) => &*bayesian.conditions,
            _ => &[],
        };
        let scope = match &self.scope {
            Scope::Range(Some(expression)) | Scope::Other { value: expression, .. } => {
                Some(expression)
            }
            Scope::Ip | Scope::Range(None) => None,
        };
        self.overflow_filter
            .iter()
            .chain(&self.condition)
            .chain(scope)
            .chain(evidence.iter().map(|evidence| &evidence.condition))
    }

    /// Whether asking it about an event writes nothing, and its filter cannot fail.
    pub(super) fn is_pure(&self) -> bool {
        let is_field = |text: &Option<Expression>| {
            text.as_ref().is_none_or(|text| text.program().as_field().is_some())
        };
        self.filter.is_harmless()
            && is_field(&self.groupby)
            && is_field(&self.distinct)
            && self.cancel_on.as_ref().is_none_or(Expression::is_harmless)
    }

    /// Whether something of an event beyond `Meta` and `Enriched` may be asked for after it was
    /// poured.
    pub(super) fn needs_whole_events(&self) -> bool {
        self.later().any(|expression| !expression.program().leaves_alone(Snapshot::LEFT_OUT))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(capacity: i64, cache_size: i64, keeps: usize) {
        assert_eq!(Scenario::keeps_for(capacity, cache_size, None), keeps);
    }

    #[test]
    fn without_capacity_what_is_needed_or_shown_is_kept() {
        assert_eq!(Scenario::keeps_for(-1, 0, Some(4)), MOST_SHOWN);
        assert_eq!(Scenario::keeps_for(-1, 0, Some(200)), 200);
        assert_eq!(Scenario::keeps_for(-1, 0, Some(usize::MAX)), MOST_KEPT);
        assert_eq!(Scenario::keeps_for(-1, 10, Some(200)), 11);
        assert_eq!(Scenario::keeps_for(300, 0, Some(4)), 301);
    }

    #[test]
    fn one_more_event_is_kept_than_fits() {
        check(5, 0, 6);
        check(40, 5, 6);
        check(0, 0, 1);
        check(5, 5, 6);
        check(5, 6, 6);
        check(-1, 10, 11);
        check(-1, 0, MOST_KEPT);
        check(1_000_000, 0, MOST_KEPT);
        check(i64::MAX, i64::MAX, MOST_KEPT);
    }
}
