//! Expressions of scenarios: which variables each place has, and how they get their values.

use crate::event::{EVENT, Event, OVERFLOW};
use crate::expr::{Environment, Mistake, Program, Scope, Trace, World};
use crate::value::{Arena, Fault, Names, Section, Slot, Type, Value};

use super::lent::Lent;
use super::request::REQUEST;
use super::view::{LEAKY, QUEUE};

/// Where an expression stands in a scenario, and so what it may speak of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// `filter`, `groupby`, `distinct`, `cancel_on`, and the scope: the event alone.
    Event,
    /// `condition` and the conditions of a bayesian: also the bucket and its events.
    Bucket,
    /// `overflow_filter`: the bucket, its events and the alert, but no event.
    Overflow,
    /// A context: an event, and a web request with the rule that it matched.
    Context,
}

/// `evt` comes first in all of them.
static EVENT_ALONE: [(&str, Type); 1] = [("evt", Type::Object(&EVENT))];
static BUCKET: [(&str, Type); 3] = [
    ("evt", Type::Object(&EVENT)),
    ("queue", Type::Object(&QUEUE)),
    ("leaky", Type::Object(&LEAKY)),
];
static CONTEXT: [(&str, Type); 3] = [
    ("evt", Type::Object(&EVENT)),
    ("match", Type::Map(&Type::Unknown)),
    ("req", Type::Object(&REQUEST)),
];
/// There is no event when a bucket has overflowed: `evt` is nil, and whatever is asked of it a
/// fault.
static OVERFLOWED: [(&str, Type); 4] = [
    ("evt", Type::Unknown),
    ("queue", Type::Object(&QUEUE)),
    ("leaky", Type::Object(&LEAKY)),
    ("signal", Type::Object(&OVERFLOW)),
];

/// An expression, compiled for its place.
#[derive(Debug)]
pub struct Expression {
    program: Program,
}

impl Expression {
    /// Compiles `text`.
    pub(super) fn compile(
        text: &str,
        place: Place,
        names: &mut Names,
    ) -> Result<Self, Vec<Mistake>> {
        let variables: &'static [(&'static str, Type)] = match place {
            Place::Event => &EVENT_ALONE,
            Place::Bucket => &BUCKET,
            Place::Overflow => &OVERFLOWED,
            Place::Context => &CONTEXT,
        };
        let program = Program::new(text, &mut Environment { variables, names, functions: &[] })?;
        Ok(Self { program })
    }

    /// Whether it gives true or false for every event, fails for none, and writes nothing.
    pub(super) fn is_harmless(&self) -> bool {
        self.program.is_harmless()
    }

    /// What the fields of an event must be for it to be true, as far as that is known.
    #[cfg(test)]
    pub(super) fn requirements(&self) -> crate::expr::Requirements {
        self.program.requirements()
    }

    /// The program that it became.
    pub(super) fn program(&self) -> &Program {
        &self.program
    }

    /// The text that it was compiled from.
    pub(super) fn source(&self) -> &str {
        self.program.text().trim()
    }

    /// The type of its value, as far as it is known.
    pub(super) fn result(&self) -> Type {
        self.program.result()
    }

    /// The value it has.
    pub(super) fn value<'a>(&'a self, variables: &Variables<'a>) -> Result<Value<'a>, Fault> {
        self.program.evaluate(variables)
    }

    /// Its truth.
    ///
    /// # Errors
    /// A fault when it cannot be evaluated, or is neither true nor false.
    pub(super) fn truth<'a>(&'a self, variables: &Variables<'a>) -> Result<bool, Fault> {
        self.program.truth(variables)
    }

    /// What became of each of its clauses, also of those that a plain evaluation does not come to.
    pub(super) fn explain<'a>(&'a self, variables: &Variables<'a>) -> Trace {
        self.program.explain_whole(variables)
    }
}

/// The values of the variables of one evaluation.
pub(super) struct Variables<'a> {
    pub(super) arena: &'a Arena,
    pub(super) world: &'a World,
    pub(super) subject: Subject<'a>,
    /// `queue`, `leaky` and `signal`, or `match` and `req`, as far as the place has them.
    pub(super) others: [Value<'a>; 3],
}

/// `evt`, where there is one.
#[derive(Clone, Copy, Default)]
pub(super) enum Subject<'a> {
    #[default]
    None,
    Event(&'a Event<'a>),
    Lent(&'a Lent<'a>),
}

impl<'a> Variables<'a> {
    /// Those of an expression about an event alone.
    pub(super) fn of_event(event: &'a Event<'a>, world: &'a World) -> Self {
        let subject = Subject::Event(event);
        Self { arena: event.arena(), world, subject, others: [Value::Nil; 3] }
    }

    /// Those of an expression about single events that a bucket keeps: none yet.
    pub(super) fn of_bucket(arena: &'a Arena, world: &'a World) -> Self {
        Self { arena, world, subject: Subject::None, others: [Value::Nil; 3] }
    }
}

impl<'a> Scope<'a> for Variables<'a> {
    fn arena(&self) -> &'a Arena {
        self.arena
    }

    fn variable(&self, index: usize) -> Value<'a> {
        match index.checked_sub(1) {
            None => match self.subject {
                Subject::None => Value::Nil,
                Subject::Event(event) => Value::Object(event.object()),
                Subject::Lent(lent) => Value::Object(self.arena.alloc(lent)),
            },
            Some(other) => self.others.get(other).copied().unwrap_or(Value::Nil),
        }
    }

    fn field(&self, slot: Slot) -> Option<&'a str> {
        match self.subject {
            Subject::None => None,
            Subject::Event(event) => event.get(slot),
            Subject::Lent(lent) => lent.get(slot),
        }
    }

    fn section(&self, section: Section) -> Value<'a> {
        match self.subject {
            Subject::None => Value::Nil,
            Subject::Event(event) => Value::Map(event.section(section)),
            Subject::Lent(lent) => Value::Map(lent.section(section)),
        }
    }

    fn world(&self) -> &'a World {
        self.world
    }
}
