//! Makes runnable scenarios of checked descriptions.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::kind::{EvidenceSpec, KindSpec};
use super::{ScenarioSpec, ScopeSpec};
use crate::detect::expression::{Expression, Place};
use crate::detect::limiter::Leak;
use crate::detect::scenario::{Bayesian, Evidence, Horizon, Kind, Scenario, Scope};
use crate::diagnostic::Diagnostic;
use crate::expr;
use crate::value::{Names, Type};
use crate::yaml::Node;

/// The list that conditions look at: `queue.Queue`.
const QUEUE: (&str, &str) = ("queue", "Queue");

/// Compiles a scenario, giving slots in `names` to the fields it speaks of. Gives none when there
/// is an error among the diagnostics, or was one when the document was loaded.
#[must_use]
pub fn compile(spec: &ScenarioSpec<'_>, names: &mut Names) -> (Option<Scenario>, Vec<Diagnostic>) {
    let mut compiler = Compiler { spec, names, diagnostics: Vec::new() };
    let scenario = compiler.scenario();
    let diagnostics = compiler.diagnostics;
    let sound = !diagnostics.iter().any(Diagnostic::is_error);
    (scenario.filter(|_| sound), diagnostics)
}

struct Compiler<'c, 'n> {
    spec: &'c ScenarioSpec<'n>,
    names: &'c mut Names,
    diagnostics: Vec<Diagnostic>,
}

/// What an expression must give, as far as that is known when it is compiled.
#[derive(Clone, Copy)]
enum Wanted {
    /// Anything else fails whenever it is evaluated.
    Truth,
    /// Anything else fails whenever it is evaluated.
    Text,
    /// Anything else counts as no text.
    MaybeText,
}

impl Compiler<'_, '_> {
    fn scenario(&mut self) -> Option<Scenario> {
        let spec = self.spec;
        // All are compiled before any is missed, so that every mistake is told.
        let filter = self.expression(spec.filter, Place::Event, Wanted::Truth);
        let groupby = self.expression(spec.groupby, Place::Event, Wanted::Text);
        let distinct = self.expression(spec.distinct, Place::Event, Wanted::MaybeText);
        let cancel_on = self.expression(spec.cancel_on, Place::Event, Wanted::Truth);
        let overflow_filter = self.expression(spec.overflow_filter, Place::Overflow, Wanted::Truth);
        let condition = self.expression(spec.condition, Place::Bucket, Wanted::Truth);
        let condition_text = spec.condition.and_then(Node::text).unwrap_or_default();
        let horizon = self.horizon(condition_text);
        let least = match &horizon {
            Some(horizon) => horizon.least,
            None => expr::least(condition_text, QUEUE.0, QUEUE.1),
        };
        // An overflow filter may look at the whole queue.
        let needed = horizon.as_ref().filter(|_| spec.overflow_filter.is_none());
        let needed = needed.map(Horizon::most);
        let kind = spec.kind.as_ref().and_then(|kind| self.kind(kind));
        let scope = spec.scope.as_ref().and_then(|scope| self.scope(scope));
        let kind = kind?;
        let lifetime = match (&kind, spec.duration) {
            (Kind::Trigger, _) => 0,
            (_, Some(duration)) => duration,
            (Kind::Leaky(_), None) => {
                spec.capacity.saturating_add(1).saturating_mul(spec.leakspeed)
            }
            (_, None) => spec.leakspeed,
        };
        Some(Scenario {
            name: spec.name?.into(),
            description: spec.description.to_owned(),
            labels: spec.labels.clone(),
            remediation: spec.remediation,
            spoofable: spec.spoofable(),
            simulated: false,
            reprocess: spec.reprocess,
            kind,
            capacity: spec.capacity,
            leakspeed: spec.leakspeed,
            lifetime,
            is_timed: spec.duration.is_some(),
            blackhole: spec.blackhole,
            length: Scenario::length_for(spec.capacity, spec.cache_size),
            keeps: Scenario::keeps_for(spec.capacity, spec.cache_size, needed),
            scope: scope?,
            fingerprint: self.fingerprint(),
            filter_text: spec.filter?.text()?.into(),
            filter: filter?,
            groupby,
            distinct,
            cancel_on,
            overflow_filter,
            condition,
            least,
            horizon,
        })
    }

    /// Which events a condition needs, if that can be seen.
    fn horizon(&mut self, condition: &str) -> Option<Horizon> {
        let found = expr::horizon(condition, QUEUE.0, QUEUE.1).ok()??;
        let matching = found.matching.iter().map(|(predicate, most)| {
            let predicate = Expression::compile(predicate, Place::Event, self.names).ok()?;
            predicate.is_harmless().then_some((predicate, *most))
        });
        let matching = matching.collect::<Option<_>>()?;
        Some(Horizon { least: found.least, newest: found.newest, matching, pace: found.pace })
    }

    fn kind(&mut self, kind: &KindSpec<'_>) -> Option<Kind> {
        Some(match kind {
            KindSpec::Leaky => Kind::Leaky(Leak::new(self.spec.capacity, self.spec.leakspeed)),
            KindSpec::Trigger => Kind::Trigger,
            KindSpec::Counter => Kind::Counter,
            KindSpec::Conditional => Kind::Conditional,
            KindSpec::Bayesian { prior, threshold, conditions } => {
                let compiled: Vec<_> = conditions.iter().map(|each| self.evidence(each)).collect();
                Kind::Bayesian(Bayesian {
                    prior: *prior,
                    threshold: *threshold,
                    conditions: compiled.into_iter().collect::<Option<_>>()?,
                })
            }
        })
    }

    fn evidence(&mut self, spec: &EvidenceSpec<'_>) -> Option<Evidence> {
        Some(Evidence {
            condition: self.expression(Some(spec.condition), Place::Bucket, Wanted::Truth)?,
            given_evil: spec.given_evil,
            given_benign: spec.given_benign,
            guillotine: spec.guillotine,
        })
    }

    fn scope(&mut self, scope: &ScopeSpec<'_>) -> Option<Scope> {
        Some(match scope {
            ScopeSpec::Ip => Scope::Ip,
            ScopeSpec::Range(None) => Scope::Range(None),
            ScopeSpec::Range(expression) => {
                Scope::Range(Some(self.expression(*expression, Place::Event, Wanted::MaybeText)?))
            }
            ScopeSpec::Other(name, expression) => Scope::Other {
                name: (*name).into(),
                value: self.expression(Some(expression), Place::Event, Wanted::MaybeText)?,
            },
        })
    }

    fn expression(
        &mut self,
        node: Option<&Node>,
        place: Place,
        wanted: Wanted,
    ) -> Option<Expression> {
        let node = node?;
        match Expression::compile(node.text()?, place, self.names) {
            Ok(expression) => {
                self.check_result(node, expression.result(), wanted);
                Some(expression)
            }
            Err(mistakes) => {
                for mistake in mistakes {
                    let span = node.locate_range(mistake.span);
                    let told =
                        Diagnostic::error(&self.spec.file, span, "expression", mistake.message);
                    self.diagnostics.push(Diagnostic { help: mistake.help, ..told });
                }
                None
            }
        }
    }

    fn check_result(&mut self, node: &Node, result: Type, wanted: Wanted) {
        let fits = match wanted {
            Wanted::Truth => matches!(result, Type::Bool | Type::Unknown),
            Wanted::Text | Wanted::MaybeText => matches!(result, Type::Text | Type::Unknown),
        };
        if fits {
            return;
        }
        let message = match wanted {
            Wanted::Truth => "this must be true or false, and is never either",
            Wanted::Text | Wanted::MaybeText => "this must be text, and never is",
        };
        let told = Diagnostic::error(&self.spec.file, node.head(), "wrong-result", message);
        self.diagnostics.push(match wanted {
            Wanted::Truth | Wanted::Text => told,
            Wanted::MaybeText => told.warning(),
        });
    }

    /// Of everything in the document, so that any change makes another scenario of it.
    fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        feed(self.spec.document, &mut hasher);
        hasher.finish()
    }
}

fn feed(node: &Node, hasher: &mut DefaultHasher) {
    if let Some(entries) = node.entries() {
        for (key, value) in entries {
            key.text.hash(hasher);
            feed(value, hasher);
        }
        hasher.write_u8(1);
    } else if let Some(items) = node.items() {
        for item in items {
            feed(item, hasher);
        }
        hasher.write_u8(2);
    } else {
        node.text().hash(hasher);
    }
}
