//! An expression of a parser rule: it speaks of one event.

use super::scope::{EventScope, VARIABLES};
use crate::expr::{Environment, Mistake, Program, Trace};
use crate::value::{Fault, Names, Slot, Type, Value};

/// A compiled expression.
#[derive(Debug)]
pub(super) struct Expression {
    program: Program,
}

impl Expression {
    /// Compiles `source`.
    pub(super) fn compile(source: &str, names: &mut Names) -> Result<Self, Vec<Mistake>> {
        let program =
            Program::new(source, &mut Environment { variables: VARIABLES, names, functions: &[] })?;
        Ok(Self { program })
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
