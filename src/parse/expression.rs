//! An expression of a parser rule: it speaks of one event.

use super::scope::{EventScope, VARIABLES};
use super::statics::Fixed;
use crate::expr::{Environment, Mistake, Program, Trace};
use crate::value::{Fault, Names, Slot, Type, Value};

/// A compiled expression.
#[derive(Debug)]
pub(super) struct Expression {
    program: Program,
    comparison: Option<Comparison>,
}

/// An expression that is no more than `evt.StrTime != ''` and its like.
#[derive(Debug)]
struct Comparison {
    with: Fixed,
    negated: bool,
    text: Box<str>,
}

impl Comparison {
    fn of(program: &Program) -> Option<Self> {
        let (path, negated, text) = program.as_comparison()?;
        Some(Self { with: Fixed::of(path)?, negated, text: text.into() })
    }
}

impl Expression {
    /// Compiles `source`.
    pub(super) fn compile(source: &str, names: &mut Names) -> Result<Self, Vec<Mistake>> {
        let program =
            Program::new(source, &mut Environment { variables: VARIABLES, names, functions: &[] })?;
        let comparison = Comparison::of(&program);
        Ok(Self { program, comparison })
    }

    /// The program that it became.
    pub(super) fn program(&self) -> &Program {
        &self.program
    }

    /// The text that it was compiled from.
    pub(super) fn source(&self) -> &str {
        self.program.text().trim()
    }

    /// The field, if it is nothing but one.
    pub(super) fn as_field(&self) -> Option<Slot> {
        self.program.as_field()
    }

    /// The type of its value, as far as it is known.
    pub(super) fn result(&self) -> Type {
        self.program.result()
    }

    /// Its value for one event.
    pub(super) fn evaluate<'a>(&'a self, scope: &EventScope<'a>) -> Result<Value<'a>, Fault> {
        self.program.evaluate(scope)
    }

    /// Its truth for one event.
    ///
    /// # Errors
    /// A fault when it cannot be evaluated, or is neither true nor false.
    pub(super) fn truth<'a>(&'a self, scope: &EventScope<'a>) -> Result<bool, Fault> {
        if let Some(Comparison { with, negated, text }) = &self.comparison {
            return Ok((*with.get(scope.event()) == **text) != *negated);
        }
        self.program.truth(scope)
    }

    /// Which clauses of it hold for one event.
    pub(super) fn explain<'a>(&'a self, scope: &EventScope<'a>) -> Trace {
        self.program.explain(scope)
    }

    /// What the fields of an event must be for it to be true, as far as that is known.
    #[cfg(test)]
    pub(super) fn requirements(&self) -> crate::expr::Requirements {
        self.program.requirements()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Event, Kind, Mode};
    use crate::expr::World;
    use crate::value::{Arena, Time};

    #[test]
    fn a_comparison_of_a_text_of_the_event_is_what_the_program_gives() {
        let (arena, mut names, world) = (Arena::new(), Names::new(), World::default());
        let texts = [
            ("evt.StrTime != ''", true),
            ("evt.StrTime == ' x'", true),
            ("(evt.Line.Module) == 'x'", false),
            ("evt.Stage == 's01' ", true),
            ("evt.Stage in ['s01']", false),
            ("evt.Meta.source_ip == 'x'", false),
            ("evt.StrTime == evt.Stage", false),
        ];
        let expressions = texts.map(|(text, _)| Expression::compile(text, &mut names).unwrap());
        let event = Event::new(&arena, &names, Kind::Log, Mode::Live, Time::from_seconds(0));
        for ((text, is_one), expression) in texts.iter().zip(&expressions) {
            assert_eq!(expression.comparison.is_some(), *is_one, "{text}");
            for value in ["", " x", "x", "s01"] {
                event.str_time.set(value);
                event.stage.set(value);
                event.module.set(value);
                let scope = EventScope::new(event, &world);
                let truth = expression.truth(&scope).unwrap();
                assert_eq!(truth, expression.program.truth(&scope).unwrap(), "{text} {value}");
            }
        }
    }
}
