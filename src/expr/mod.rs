//! The expression language of rules: text in, checked and compiled program out.
//!
//! An expression is compiled against an [`Environment`], which says what variables there are and
//! of what types; constant field names become slots there and then. A [`Program`] is evaluated
//! against a [`Scope`], which gives the variables their values. Nothing here knows what an event
//! is, or that expressions come from YAML.

#![forbid(unsafe_code)]

mod access;
mod addresses;
mod ast;
mod compile;
pub(crate) mod dialect;
mod dispatch;
mod each;
mod evaluate;
pub mod functions;
mod fuse;
mod fuzz;
mod horizon;
mod lexer;
mod methods;
mod needs;
mod node;
mod operators;
mod outline;
mod pace;
mod parser;
mod pattern;
mod printer;
mod program;
mod purity;
mod requirements;
mod search;
mod suggest;
mod table;
mod trace;
mod types;
pub(crate) mod weight;
pub mod world;

use crate::value::{Arena, Fault, Names, Section, Slot, Type, Value};

pub use dispatch::{Candidates, Dispatch};
#[doc(hidden)]
pub use fuzz::fuzz_form;
pub use horizon::{Horizon, horizon, least};
pub use outline::Writes;
pub use pace::{Pace, Times};
pub use program::Program;
pub use requirements::{Requirement, Requirements, Wanted};
pub use trace::{FieldTest, Leaf, Operand, Outcome as TraceOutcome, Trace, TraceKind};
pub use world::World;

/// Checks and compiles an expression; the same as [`Program::new`].
///
/// # Errors
/// All mistakes that could be found.
pub fn compile(text: &str, environment: &mut Environment<'_>) -> Result<Program, Vec<Mistake>> {
    Program::new(text, environment)
}

/// The shortest expression that means the same: one spelling of operators, no comments, no
/// needless parentheses. Two expressions with the same canonical text have the same value.
///
/// # Errors
/// All mistakes of form.
pub fn canonical(text: &str) -> Result<String, Vec<Mistake>> {
    parser::parse(text).map(|tree| printer::print(&tree))
}

/// The variables that an expression may use.
pub struct Environment<'n> {
    /// Names and types; a variable's index is its place in this list.
    pub variables: &'static [(&'static str, Type)],
    /// Where field names become slots. A section (`Type::Fields`) that is reached from a variable
    /// by plain fields alone is the event's own: `evt.Parsed.user` is read through
    /// [`Scope::field`] without touching the object. Sections of any other object, such as an
    /// element of a list, are maps.
    pub names: &'n mut Names,
    /// Functions that are known here beside those of the language.
    pub functions: &'static [Function],
}

/// Gives a running expression the values of its variables.
pub trait Scope<'a> {
    /// Memory for results.
    fn arena(&self) -> &'a Arena;
    /// The value of the variable at `index` of the environment's list.
    fn variable(&self, index: usize) -> Value<'a>;
    /// The text of a field of the event, by slot; `None` when it was never set.
    fn field(&self, slot: Slot) -> Option<&'a str>;
    /// A section of the event as a map, for keys that are computed.
    fn section(&self, section: Section) -> Value<'a>;
    /// The facts from outside that functions may ask for.
    fn world(&self) -> &'a World;
}

/// A mistake in an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The bytes of the expression that are wrong.
    pub span: std::ops::Range<usize>,
    /// What is wrong: lower case, no full stop, backticks around names.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// What a function works with beside its arguments.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    /// Memory for the result.
    pub arena: &'a Arena,
    /// The facts from outside.
    pub world: &'a World,
}

/// The code of a function: arguments are of the right number, not necessarily of the right type.
pub type Code = for<'a> fn(Call<'a>, &[Value<'a>]) -> Result<Value<'a>, Fault>;

/// A function that expressions may call by name.
pub struct Function {
    /// The name, case sensitive.
    pub name: &'static str,
    /// The types of the arguments that must be given.
    pub required: &'static [Type],
    /// The types of the arguments that may follow.
    pub optional: &'static [Type],
    /// The type of any number of further arguments, if there may be any.
    pub rest: Option<Type>,
    /// What else is known of the arguments where one type does not say it.
    pub check: Option<Check>,
    /// The type of the result.
    pub result: Type,
    /// The code.
    pub code: Code,
}

/// What the argument of a number must be, if one of a type that is known cannot be that.
pub type Check = fn(usize, Type) -> Option<&'static str>;

#[cfg(test)]
mod tests;
