//! Why an expression gave what it gave: the tree of its clauses, each with its operands' values.
//!
//! Explaining evaluates every operand once, in the order and under the conditions of a plain
//! evaluation, so that what an expression writes is written once. It is slow and allocates.

use std::ops::Range;

use super::ast::{Binary, Span};
use super::evaluate::Run;
use super::node::{Clause, Node, Operation, Test};
use super::operators::{self, Stop};
use crate::value::{Section, Slot, Value};

/// Values are cut to this many bytes.
const LONGEST: usize = 200;

/// What became of one clause of an expression.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// The bytes of the expression that it is.
    pub span: Range<usize>,
    /// Its text.
    pub text: String,
    /// What it gave.
    pub outcome: Outcome,
    /// What it is made of.
    pub kind: TraceKind,
}

/// What a clause gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// True.
    True,
    /// False.
    False,
    /// A value that is no truth value, as text.
    Value(String),
    /// It failed; the reason.
    Fault(String),
    /// It was not evaluated, because the result was known before.
    Skipped,
}

/// What a clause is made of.
#[derive(Clone, Debug, PartialEq)]
pub enum TraceKind {
    /// `a && b`.
    All(Vec<Trace>),
    /// `a || b`.
    Any(Vec<Trace>),
    /// `not a`.
    Not(Box<Trace>),
    /// `let x = ...; a`.
    Block(Box<Trace>),
    /// A clause that has no clauses in it.
    Leaf(Leaf),
}

/// A clause that has no clauses in it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Leaf {
    /// The operands of its operator, or the arguments of its call.
    pub operands: Vec<Operand>,
    /// The test of a field against literals that it is, if it is one.
    pub test: Option<FieldTest>,
}

/// An operand or an argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operand {
    /// The bytes of the expression that it is.
    pub span: Range<usize>,
    /// Its value as text, cut to a length; `None` when it was not evaluated.
    pub value: Option<String>,
}

/// A test of a field of the event against literals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldTest {
    /// The section of the field.
    pub section: Section,
    /// The name of the field.
    pub name: String,
    /// The text of the field, cut to a length; `None` when it was never set.
    pub found: Option<String>,
    /// The operator: `==`, `in`, `contains`, `startsWith`, `endsWith` or `matches`.
    pub operator: &'static str,
    /// Whether the test is for the opposite: `!=`, `not in`, ...
    pub negated: bool,
    /// The literals on the other side.
    pub wanted: Vec<String>,
}

/// What is needed beside the run itself.
pub(super) struct Tracer<'p, 's, 'a> {
    pub(super) run: Run<'s, 'a>,
    pub(super) text: &'p str,
    pub(super) fields: &'p [(Slot, Section, Box<str>)],
    /// Whether clauses of a conjunction that is known to be false are evaluated, too. Only those
    /// that cannot fail and write nothing are: the ones before may guard the others.
    pub(super) whole: bool,
}

impl<'a> Tracer<'_, '_, 'a> {
    /// Evaluates a clause and tells what became of it.
    pub(super) fn clause(&self, clause: &'a Clause) -> Trace {
        let (outcome, kind) = match &clause.node {
            Node::All(clauses) => {
                let (outcome, parts) = self.series(clauses, false);
                (outcome, TraceKind::All(parts))
            }
            Node::Any(any) => {
                let (outcome, parts) = self.series(&any.clauses, true);
                (outcome, TraceKind::Any(parts))
            }
            Node::Not(inner) => {
                let inner = self.clause(inner);
                let outcome = match must_be_bool(&inner.outcome) {
                    Outcome::True => Outcome::False,
                    Outcome::False => Outcome::True,
                    other => other,
                };
                (outcome, TraceKind::Not(Box::new(inner)))
            }
            Node::Block(block) => match self.run.statements(&block.statements) {
                Ok(()) => {
                    let inner = self.clause(&block.value);
                    (inner.outcome.clone(), TraceKind::Block(Box::new(inner)))
                }
                Err(stop) => {
                    let skipped = TraceKind::Block(Box::new(self.skipped(&block.value)));
                    (Outcome::Fault(stop.message), skipped)
                }
            },
            _ => {
                let (outcome, leaf) = self.leaf(clause);
                (outcome, TraceKind::Leaf(leaf))
            }
        };
        self.trace(clause, outcome, kind)
    }

    fn trace(&self, clause: &Clause, outcome: Outcome, kind: TraceKind) -> Trace {
        let span = clause.span.range();
        let text = self.text.get(span.clone()).unwrap_or_default().to_owned();
        Trace { span, text, outcome, kind }
    }

    /// Clauses in turn, until one gives `decisive`.
    fn series(&self, clauses: &'a [Clause], decisive: bool) -> (Outcome, Vec<Trace>) {
        let mut outcome = None;
        let parts = clauses.iter().map(|clause| {
            let goes_on = self.whole && !decisive && clause.harmless;
            if outcome.is_some() && !goes_on {
                return self.skipped(clause);
            }
            let part = self.clause(clause);
            if outcome.is_some() {
                return part;
            }
            match must_be_bool(&part.outcome) {
                Outcome::True if !decisive => {}
                Outcome::False if decisive => {}
                ended => outcome = Some(ended),
            }
            part
        });
        let parts = parts.collect();
        (outcome.unwrap_or(if decisive { Outcome::False } else { Outcome::True }), parts)
    }

    fn skipped(&self, clause: &Clause) -> Trace {
        let skipped = |clauses: &[Clause]| clauses.iter().map(|c| self.skipped(c)).collect();
        let kind = match &clause.node {
            Node::All(clauses) => TraceKind::All(skipped(clauses)),
            Node::Any(any) => TraceKind::Any(skipped(&any.clauses)),
            Node::Not(inner) => TraceKind::Not(Box::new(self.skipped(inner))),
            Node::Block(block) => TraceKind::Block(Box::new(self.skipped(&block.value))),
            node => {
                let operands = clause.operands.iter();
                let operands = operands.map(|span| Operand { span: span.range(), value: None });
                let mut test = self.field_test(node);
                if let Some(test) = &mut test {
                    test.found = None;
                }
                TraceKind::Leaf(Leaf { operands: operands.collect(), test })
            }
        };
        self.trace(clause, Outcome::Skipped, kind)
    }

    fn leaf(&self, clause: &'a Clause) -> (Outcome, Leaf) {
        let mut values = Vec::new();
        let result = self.operands(&clause.node, &mut values);
        let mut operands: Vec<Operand> = clause
            .operands
            .iter()
            .map(|span: &Span| Operand { span: span.range(), value: None })
            .collect();
        for (operand, value) in operands.iter_mut().zip(values) {
            operand.value = Some(value);
        }
        let outcome = match result {
            Ok(Value::Bool(true)) => Outcome::True,
            Ok(Value::Bool(false)) => Outcome::False,
            Ok(other) => Outcome::Value(show(other)),
            Err(stop) => Outcome::Fault(stop.message),
        };
        (outcome, Leaf { operands, test: self.field_test(&clause.node) })
    }

    /// Evaluates a node, and notes the values of its operands on the way.
    fn operands(&self, node: &'a Node, values: &mut Vec<String>) -> Result<Value<'a>, Stop> {
        match node {
            Node::SlotTest(slot, _, test) => {
                values.push(show(Value::Text(self.run.field(*slot))));
                values.push(wanted(test).1.join(", "));
                self.run.value(node)
            }
            Node::Operation(left, operation) => {
                let left = self.run.value(left)?;
                values.push(show(left));
                match &**operation {
                    Operation::Test(_, test) => {
                        values.push(wanted(test).1.join(", "));
                        self.run.operate(left, operation)
                    }
                    Operation::With(binary, right) => {
                        let right = self.run.value(right)?;
                        values.push(show(right));
                        match operators::gives_truth(*binary) {
                            true => Ok(Value::Bool(operators::truth(*binary, left, right)?)),
                            false => self.run.binary(*binary, left, right),
                        }
                    }
                }
            }
            Node::Call(call) => {
                let mut arguments = Vec::with_capacity(call.arguments.len());
                for argument in &call.arguments {
                    let value = self.run.value(argument)?;
                    values.push(show(value));
                    arguments.push(value);
                }
                self.run.apply(call, &arguments)
            }
            other => self.run.value(other),
        }
    }

    fn field_test(&self, node: &Node) -> Option<FieldTest> {
        let Node::SlotTest(slot, negated, test) = node else { return None };
        let (_, section, name) = self.fields.iter().find(|(known, ..)| known == slot)?;
        let (operator, wanted) = wanted(test);
        let found = self.run.scope.field(*slot).map(|text| cut(text.to_owned()));
        let (section, name, negated) = (*section, name.to_string(), *negated);
        Some(FieldTest { section, name, found, operator, negated, wanted })
    }
}

/// What `&&`, `||` and `not` make of a clause's outcome.
fn must_be_bool(outcome: &Outcome) -> Outcome {
    match outcome {
        Outcome::Value(value) => Outcome::Fault(format!("expected bool, found {value}")),
        other => other.clone(),
    }
}

/// The operator and the literals of a test.
fn wanted(test: &Test) -> (&'static str, Vec<String>) {
    let one = |text: &str| vec![cut(text.to_owned())];
    match test {
        Test::Is(text) => (Binary::Equal.symbol(), one(text)),
        Test::In(set) => ("in", set.texts().iter().map(|text| cut(text.to_string())).collect()),
        Test::Among(items) => {
            let items = items.iter().map(|item| match item {
                Node::Text(text) => cut(text.to_string()),
                Node::Int(number) => number.to_string(),
                Node::Float(number) => number.to_string(),
                Node::Bool(truth) => truth.to_string(),
                Node::Duration(nanos) => format!("{:?}", Value::Duration(*nanos)),
                _ => "nil".to_owned(),
            });
            ("in", items.collect())
        }
        Test::Contains(text, _) => ("contains", one(text)),
        Test::StartsWith(text) => ("startsWith", one(text)),
        Test::EndsWith(text) => ("endsWith", one(text)),
        Test::Matches(pattern) => ("matches", one(pattern.source())),
    }
}

/// A value as text, escaped and cut to a length.
fn show(value: Value<'_>) -> String {
    // Hostile: a log line may hold anything; `Debug` of text escapes what is not printable. A
    // long text is cut before it is escaped, a list after.
    match value {
        Value::Text(text) if text.len() > LONGEST => {
            format!("{:?}...", &text[..text.floor_char_boundary(LONGEST)])
        }
        value => cut(format!("{value:?}")),
    }
}

fn cut(mut text: String) -> String {
    if text.len() > LONGEST {
        text.truncate(text.floor_char_boundary(LONGEST));
        text.push_str("...");
    }
    text
}
