//! Scenarios that an event nearly reached: one clause of the filter kept it out.

use super::seen::missed;
use crate::detect::ScenarioId;
use crate::diagnostic::printable;
use crate::event::Event;
use crate::expr::{Trace, TraceKind, TraceOutcome, World};
use crate::rules::Ruleset;

/// So many are named.
const NEAREST: usize = 3;
/// One of which no field is as it should be is named only if the field that is not is so alike:
/// a slip of the keys, not another word with the same ending.
const ALIKE: f64 = 0.85;
/// Texts are cut to so many characters.
const LONGEST: usize = 200;
/// Operands that are shown of a clause.
const OPERANDS: usize = 4;

/// A scenario that did not take the event, for one reason.
#[derive(Debug)]
pub struct NearScenario {
    /// Its name.
    pub name: String,
    /// The clause that is false, or failed.
    pub clause: String,
    /// What the clause failed with, if it did.
    pub fault: Option<String>,
    /// What its operands are.
    pub operands: Vec<(String, String)>,
    /// How many clauses hold.
    pub held: usize,
    /// How many were not come to, and may fail.
    pub untold: usize,
}

/// The scenarios that come closest, the closest first; none of those that took the event.
pub(super) fn near<'a>(
    ruleset: &'a Ruleset,
    event: &'a Event<'a>,
    world: &'a World,
    took: &[ScenarioId],
) -> Vec<NearScenario> {
    let scenarios = ruleset.scenarios();
    let mut near = Vec::new();
    for (id, scenario) in (0..).map(ScenarioId).zip(scenarios.iter()) {
        if took.contains(&id) {
            continue;
        }
        let trace = scenarios.explain(id, event, world);
        let tally = Tally::of(&trace);
        let (1, Some(failed)) = (tally.failed, tally.clause) else { continue };
        let alike = missed(failed).map_or(0.0, |(_, alike)| alike);
        if tally.pinned > 0 || alike >= ALIKE {
            near.push((tally.pinned, alike, NearScenario::new(&scenario.name, &tally, failed)));
        }
    }
    // Stable: those that are equally close stay in load order.
    near.sort_by(|a, b| b.0.cmp(&a.0).then(b.1.total_cmp(&a.1)));
    near.truncate(NEAREST);
    near.into_iter().map(|(.., scenario)| scenario).collect()
}

/// How many clauses of a filter hold, and how many do not.
#[derive(Debug, Default)]
struct Tally<'t> {
    held: usize,
    /// Those of the clauses that hold which want a field to be something.
    pinned: usize,
    failed: usize,
    /// A plain evaluation does not come to them, and they may fail.
    untold: usize,
    /// One that failed.
    clause: Option<&'t Trace>,
}

impl<'t> Tally<'t> {
    /// Of all clauses in a conjunction; of the closest one in a disjunction that is false.
    fn of(trace: &'t Trace) -> Self {
        match (&trace.kind, &trace.outcome) {
            (TraceKind::Block(inner), TraceOutcome::True | TraceOutcome::False) => Self::of(inner),
            (TraceKind::All(parts), outcome) if *outcome != TraceOutcome::Skipped => {
                parts.iter().map(Self::of).fold(Self::default(), Self::and)
            }
            (TraceKind::Any(parts), TraceOutcome::False) => {
                let parts = parts.iter().map(Self::of);
                let closest = parts.min_by_key(|part| (part.failed, usize::MAX - part.held));
                match closest {
                    Some(part) if part.held > 0 => part,
                    _ => Self { failed: 1, clause: Some(trace), ..Self::default() },
                }
            }
            (_, TraceOutcome::True) => {
                Self { held: 1, pinned: usize::from(pins(trace)), ..Self::default() }
            }
            (_, TraceOutcome::Skipped) => Self { untold: 1, ..Self::default() },
            _ => Self { failed: 1, clause: Some(trace), ..Self::default() },
        }
    }

    fn and(self, other: Self) -> Self {
        Self {
            held: self.held + other.held,
            pinned: self.pinned + other.pinned,
            failed: self.failed + other.failed,
            untold: self.untold + other.untold,
            clause: self.clause.or(other.clause),
        }
    }
}

/// Whether a clause holds because a field is what it is wanted to be, rather than because it is
/// not something else: that says that the scenario is about such events.
fn pins(trace: &Trace) -> bool {
    match &trace.kind {
        TraceKind::Any(parts) | TraceKind::All(parts) => {
            parts.iter().any(|part| part.outcome == TraceOutcome::True && pins(part))
        }
        TraceKind::Block(inner) => pins(inner),
        TraceKind::Not(_) => false,
        TraceKind::Leaf(leaf) => leaf.test.as_ref().is_some_and(|test| !test.negated),
    }
}

impl NearScenario {
    fn new(name: &str, tally: &Tally<'_>, failed: &Trace) -> Self {
        let fault = match &failed.outcome {
            TraceOutcome::Fault(fault) => Some(printable(fault, LONGEST).into_owned()),
            _ => None,
        };
        let mut found = Vec::new();
        operands(failed, &mut found);
        Self {
            name: name.to_owned(),
            clause: shown(&failed.text),
            fault,
            operands: found,
            held: tally.held,
            untold: tally.untold,
        }
    }

    /// What kept the event out: lower case, no full stop.
    #[must_use]
    pub fn why(&self) -> String {
        let Self { clause, .. } = self;
        let why = match (self.held, self.untold) {
            (0, _) => format!("its filter `{clause}` is false"),
            (_, 0) => format!("its filter holds but for `{clause}`"),
            _ => format!("its filter is false by `{clause}` (what may fail after it is not tried)"),
        };
        let operands: Vec<String> =
            self.operands.iter().map(|(text, value)| format!("{text} is {value}")).collect();
        let values = operands.join(", ");
        let end = match &self.fault {
            Some(fault) => format!(", which fails: {fault}"),
            None if values.is_empty() => String::new(),
            None => format!(": {values}"),
        };
        format!("{why}{end}")
    }
}

/// The operands of a clause and of those in it, as they are written, with their values. Literals
/// are what they are.
fn operands(trace: &Trace, found: &mut Vec<(String, String)>) {
    match &trace.kind {
        TraceKind::All(parts) | TraceKind::Any(parts) => {
            parts.iter().for_each(|part| operands(part, found));
        }
        TraceKind::Not(inner) | TraceKind::Block(inner) => operands(inner, found),
        TraceKind::Leaf(leaf) => {
            for operand in &leaf.operands {
                let Some(value) = &operand.value else { continue };
                let within = operand
                    .span
                    .start
                    .checked_sub(trace.span.start)
                    .zip(operand.span.end.checked_sub(trace.span.start));
                let text = within.and_then(|(start, end)| trace.text.get(start..end));
                let text = shown(text.unwrap_or_default());
                let is_literal = text.starts_with(['"', '\'', '`', '['])
                    || text.starts_with(|c: char| c.is_ascii_digit())
                    || text == *value;
                let is_known = found.iter().any(|(known, _)| *known == text);
                if !text.is_empty() && !is_literal && !is_known && found.len() < OPERANDS {
                    found.push((text, printable(value, LONGEST).into_owned()));
                }
            }
        }
    }
}

/// A part of a rule on one line.
fn shown(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    printable(&lines.join(" "), LONGEST).into_owned()
}
