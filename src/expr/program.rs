//! A compiled expression and what can be done with it.

use super::addresses::Addresses;
use super::evaluate::Run;
use super::needs::{self, Needs};
use super::node::{Clause, Node, Operation, Test};
use super::outline::{self, Writes};
use super::requirements::{self, Requirements};
use super::trace::{Trace, Tracer};
use super::{Environment, Mistake, Scope, compile, parser};
use crate::value::{Fault, Section, Slot, Type, Value};

/// A compiled expression.
pub struct Program {
    text: Box<str>,
    root: Clause,
    /// All that it asks for, if that is which address a field holds.
    addresses: Option<Addresses>,
    result: Type,
    is_typed: bool,
    locals: usize,
    /// The fields that it reads by slot.
    fields: Box<[(Slot, Section, Box<str>)]>,
}

impl Program {
    /// Checks and compiles `text`.
    ///
    /// # Errors
    /// All mistakes that could be found: those of form alone, or else those of meaning.
    pub fn new(text: &str, environment: &mut Environment<'_>) -> Result<Self, Vec<Mistake>> {
        let tree = parser::parse(text)?;
        let compile::Finished { root, kind, is_typed, locals, fields } =
            compile::compile(&tree, environment)?;
        let (text, fields) = (text.into(), fields.into());
        let addresses = Addresses::of(&root.node);
        Ok(Self { text, root, addresses, result: kind, is_typed, locals, fields })
    }

    /// The value of the expression.
    ///
    /// # Errors
    /// A [`Fault`] when an operator or a function cannot work on what it finds.
    pub fn evaluate<'a>(&'a self, scope: &dyn Scope<'a>) -> Result<Value<'a>, Fault> {
        // Nothing is asked for as often as one field.
        if let Node::Slot(slot) = &self.root.node {
            return Ok(Value::Text(scope.field(*slot).unwrap_or_default()));
        }
        if let Some(addresses) = &self.addresses {
            return Ok(Value::Bool(addresses.contain(scope.field(addresses.slot()))));
        }
        Run::new(scope, self.locals).value(&self.root.node).map_err(|stop| *stop)
    }

    /// The truth value of the expression. A filter that reads only text fields allocates nothing.
    ///
    /// # Errors
    /// A [`Fault`] as for [`Program::evaluate`], or when the value is not a bool.
    #[inline]
    pub fn truth<'a>(&'a self, scope: &dyn Scope<'a>) -> Result<bool, Fault> {
        // The commonest filter of all deserves not to be walked.
        if let Node::SlotTest(slot, negated, test) = &self.root.node {
            return Ok(test.text(scope.field(*slot).unwrap_or_default()) != *negated);
        }
        if let Some(addresses) = &self.addresses {
            return Ok(addresses.contain(scope.field(addresses.slot())));
        }
        Run::new(scope, self.locals).truth(&self.root.node).map_err(|stop| *stop)
    }

    /// Whether it gives true or false for every event, fails for none, and writes nothing.
    #[must_use]
    pub fn is_harmless(&self) -> bool {
        self.root.harmless && matches!(self.result, Type::Bool)
    }

    /// The text field that it is, if it is nothing else.
    #[must_use]
    pub fn as_field(&self) -> Option<Slot> {
        match self.root.node {
            Node::Slot(slot) => Some(slot),
            _ => None,
        }
    }

    /// What it compares with a text, whether it asks for the opposite, and the text, if it is
    /// such a comparison.
    #[must_use]
    pub fn as_comparison(&self) -> Option<(&str, bool, &str)> {
        let Node::Operation(_, operation) = &self.root.node else { return None };
        let (Operation::Test(negated, test), [left, _]) = (&**operation, &*self.root.operands)
        else {
            return None;
        };
        let Test::Is(text) = &**test else { return None };
        Some((self.text.get(left.range())?, *negated, text))
    }

    /// The expression as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The type of its value, as far as it is known.
    #[must_use]
    pub fn result(&self) -> Type {
        self.result
    }

    /// Whether the types of all its parts were known when it was compiled. Then it cannot fail
    /// for the type of a value.
    #[must_use]
    pub fn is_typed(&self) -> bool {
        self.is_typed
    }

    /// What must hold of an event for the program to give true, to fail, or to write anything.
    #[must_use]
    pub fn requirements(&self) -> Requirements {
        requirements::of(&self.root.node)
    }

    /// What can be tested of an event before the program is asked.
    pub(super) fn needs(&self) -> Needs {
        needs::of(&self.root.node)
    }

    /// Whether it asks for nothing but which address a field holds.
    #[cfg(test)]
    pub(super) fn is_about_an_address(&self) -> bool {
        self.addresses.is_some()
    }

    /// The fields that it reads by slot.
    pub fn fields(&self) -> impl Iterator<Item = Slot> {
        self.fields.iter().map(|(slot, ..)| *slot)
    }

    /// The texts that it may give; `None` when that cannot be read off its form.
    #[must_use]
    pub fn texts(&self) -> Option<Vec<&str>> {
        outline::texts(&self.root.node)
    }

    /// What `method`, called on the first variable, must give for the program to give true, to fail
    /// or to write anything; `None` unless that is what it asks first.
    #[must_use]
    pub fn first_asked(&self, method: &str) -> Option<&str> {
        outline::first_asked(&self.root.node, method)
    }

    /// The fields that it may write.
    #[must_use]
    pub fn writes(&self) -> Vec<Writes> {
        outline::writes(&self.text)
    }

    /// Whether it can be seen that it reads no member of these names of any object.
    #[must_use]
    pub fn leaves_alone(&self, hidden: &[&str]) -> bool {
        outline::leaves_alone(&self.text, hidden)
    }

    /// Evaluates it and tells what became of each of its clauses.
    pub fn explain<'a>(&'a self, scope: &dyn Scope<'a>) -> Trace {
        self.trace(scope, false)
    }

    /// The same, with clauses evaluated that a plain evaluation does not come to, because the
    /// conjunction is known to be false: how many of them are? Those that may fail or write
    /// something are left alone.
    pub fn explain_whole<'a>(&'a self, scope: &dyn Scope<'a>) -> Trace {
        self.trace(scope, true)
    }

    fn trace<'a>(&'a self, scope: &dyn Scope<'a>, whole: bool) -> Trace {
        let run = Run::new(scope, self.locals);
        Tracer { run, text: &self.text, fields: &self.fields, whole }.clause(&self.root)
    }
}

impl std::fmt::Debug for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Program").field(&self.text).finish()
    }
}
