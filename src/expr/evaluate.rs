//! Running a compiled expression.
//!
//! Two walks over the same tree: [`Run::truth`] for what gives a truth value, which allocates
//! nothing, and [`Run::value`] for everything. Text is borrowed from the event, from the program
//! or from the arena.

use std::cell::Cell;

use super::ast::Binary;
use super::functions::address;
use super::fuse;
use super::node::{CallNode, Clause, Literal, Node, Operation, Test};
use super::operators::{self, Stop, stop};
use super::world::{DataFile, Relation};
use super::{Call, Scope};
use crate::value::{Map as _, Slot, Type, Value, equal};

/// How many elements the predicates of one evaluation may look at.
const LOOKS: u32 = 10_000_000;

/// How many list elements, or sixteen-byte pieces of text, one evaluation may make.
const ROOM: u32 = 1_000_000;

/// One evaluation.
pub(super) struct Run<'s, 'a> {
    pub(super) scope: &'s dyn Scope<'a>,
    pub(super) locals: &'a [Cell<Value<'a>>],
    room: Cell<u32>,
    looks: Cell<u32>,
}

impl<'s, 'a> Run<'s, 'a> {
    /// An evaluation of a program with this many locals.
    pub(super) fn new(scope: &'s dyn Scope<'a>, locals: usize) -> Self {
        let locals: &[_] = if locals == 0 {
            &[]
        } else {
            scope.arena().alloc_slice_fill_with(locals, |_| Cell::new(Value::Nil))
        };
        Self { scope, locals, room: Cell::new(ROOM), looks: Cell::new(LOOKS) }
    }

    /// Takes `amount` of the memory that this evaluation may use.
    pub(super) fn take(&self, amount: usize) -> Result<(), Stop> {
        let mut room = self.room.get();
        operators::take(&mut room, amount)?;
        self.room.set(room);
        Ok(())
    }

    /// Takes one look at an element. Loops within loops make no elements, and yet take their time.
    pub(super) fn look(&self) -> Result<(), Stop> {
        match self.looks.get().checked_sub(1) {
            Some(left) => self.looks.set(left),
            None => return stop("expression looks at more than ten million elements"),
        }
        Ok(())
    }

    #[inline]
    pub(super) fn field(&self, slot: Slot) -> &'a str {
        self.scope.field(slot).unwrap_or_default()
    }

    /// The truth value of `node`; a stop when it has none.
    ///
    /// What filters are made of comes first; anything else would make the frame of each call large.
    pub(super) fn truth(&self, node: &'a Node) -> Result<bool, Stop> {
        match node {
            Node::SlotTest(slot, negated, test) => Ok(test.text(self.field(*slot)) != *negated),
            Node::Present(slot, negated) => Ok(self.scope.field(*slot).is_some() != *negated),
            Node::All(clauses) => {
                for clause in clauses {
                    if !self.clause(&clause.node)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Node::Any(any) => match &any.plan {
                Some(plan) => self.planned(plan, &any.clauses),
                None => {
                    for clause in &any.clauses {
                        if self.clause(&clause.node)? {
                            return Ok(true);
                        }
                    }
                    Ok(false)
                }
            },
            Node::Not(clause) => Ok(!self.truth(&clause.node)?),
            Node::Local(index) => expect_bool(self.locals[*index].get()),
            Node::Operation(left, operation) => {
                if let Node::ElementText(local, slot, _) = &**left
                    && let Operation::Test(negated, test) = &**operation
                    && let Value::Object(object) = self.locals[*local].get()
                    && let Some(text) = object.text(*slot)
                {
                    return Ok(test.text(text) != *negated);
                }
                self.other_truth(node)
            }
            other => self.other_truth(other),
        }
    }

    /// The truth of a part of a filter: most are tests of fields, and need no call.
    #[inline]
    fn clause(&self, node: &'a Node) -> Result<bool, Stop> {
        match node {
            Node::SlotTest(slot, negated, test) => Ok(test.text(self.field(*slot)) != *negated),
            other => self.truth(other),
        }
    }

    #[inline(never)]
    fn other_truth(&self, node: &'a Node) -> Result<bool, Stop> {
        match node {
            Node::Bool(truth) => Ok(*truth),
            Node::Operation(left, operation) => match &**operation {
                Operation::Test(negated, test) => Ok(test.value(self.value(left)?)? != *negated),
                Operation::With(binary, right) if operators::gives_truth(*binary) => {
                    let left = self.value(left)?;
                    if let (Binary::In(_), Value::Text(text), Node::Call(call)) =
                        (binary, left, right)
                        && let Literal::Lines(name) = &call.known
                    {
                        return Ok(self.is_line(name, text) != binary.negated());
                    }
                    operators::truth(*binary, left, self.value(right)?)
                }
                Operation::With(..) => expect_bool(self.value(node)?),
            },
            Node::Ordered(first, rest) => {
                let mut left = self.value(first)?;
                for (binary, node) in rest {
                    let right = self.value(node)?;
                    if !operators::ordered(*binary, left, right)? {
                        return Ok(false);
                    }
                    left = right;
                }
                Ok(true)
            }
            Node::Block(block) => {
                self.statements(&block.statements)?;
                self.truth(&block.value.node)
            }
            other => expect_bool(self.value(other)?),
        }
    }

    fn planned(&self, plan: &'a fuse::Plan, clauses: &'a [Clause]) -> Result<bool, Stop> {
        for step in &plan.steps {
            let found = match step {
                fuse::Step::Clause(index) => self.clause(&clauses[*index].node)?,
                fuse::Step::Group(group) => group.matches(self.field(group.slot)),
                fuse::Step::Ranges(slot, ranges) => fuse::in_ranges(ranges, self.field(*slot)),
            };
            if found {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The value of `node`.
    pub(super) fn value(&self, node: &'a Node) -> Result<Value<'a>, Stop> {
        match node {
            Node::Slot(slot) => Ok(Value::Text(self.field(*slot))),
            Node::Local(index) => Ok(self.locals[*index].get()),
            Node::Variable(index) => Ok(self.scope.variable(*index)),
            Node::Path(head, links) => self.path(head, links),
            Node::Call(call) => self.call(call),
            other => self.other_value(other),
        }
    }

    #[inline(never)]
    fn other_value(&self, node: &'a Node) -> Result<Value<'a>, Stop> {
        Ok(match node {
            Node::ElementText(local, _, link) => {
                let local = self.locals[*local].get();
                self.links(local, std::slice::from_ref(&**link))?
            }
            Node::Nil => Value::Nil,
            Node::Int(number) => Value::Int(*number),
            Node::Float(number) => Value::Float(*number),
            Node::Text(text) => Value::Text(text),
            Node::Duration(nanos) => Value::Duration(*nanos),
            Node::Named(section, name) => match self.scope.section(*section) {
                Value::Map(map) => map.get(name).unwrap_or(Value::Text("")),
                _ => Value::Text(""),
            },
            Node::Section(section) => self.scope.section(*section),
            Node::Environment(variables) => self.environment(variables),
            Node::List(items) => self.list(items)?,
            Node::Map(entries) => self.map(entries)?,
            Node::Each(each) => self.each(each)?,
            Node::Sign(negative, operand) => match (self.value(operand)?, negative) {
                (Value::Int(number), true) => Value::Int(number.wrapping_neg()),
                (Value::Float(number), true) => Value::Float(-number),
                (number @ (Value::Int(_) | Value::Float(_)), false) => number,
                (other, _) => return stop(format!("expected a number, found {}", other.kind())),
            },
            Node::Operation(left, operation) => match &**operation {
                Operation::With(binary, _) if !operators::gives_truth(*binary) => {
                    let left = self.value(left)?;
                    self.operate(left, operation)?
                }
                _ => Value::Bool(self.truth(node)?),
            },
            Node::Fold(first, rest) => {
                let mut left = self.value(first)?;
                for operation in rest {
                    left = self.operate(left, operation)?;
                }
                left
            }
            Node::Power(sides) => {
                let left = self.value(&sides.0)?;
                operators::power(left, self.value(&sides.1)?)?
            }
            Node::Default(items) => {
                for item in items {
                    let value = self.value(item)?;
                    if !value.is_nil() {
                        return Ok(value);
                    }
                }
                Value::Nil
            }
            Node::Choice(arms, otherwise) => {
                for (condition, then) in arms {
                    if self.truth(&condition.node)? {
                        return match then {
                            Some(then) => self.value(then),
                            None => Ok(Value::Bool(true)),
                        };
                    }
                }
                self.value(otherwise)?
            }
            Node::Block(block) => {
                self.statements(&block.statements)?;
                self.value(&block.value.node)?
            }
            Node::Slot(_) | Node::Local(_) | Node::Variable(_) | Node::Path(..) | Node::Call(_) => {
                self.value(node)?
            }
            Node::Bool(_)
            | Node::SlotTest(..)
            | Node::Present(..)
            | Node::All(_)
            | Node::Any(_)
            | Node::Not(_)
            | Node::Ordered(..) => Value::Bool(self.truth(node)?),
        })
    }

    /// Gives locals their values.
    pub(super) fn statements(&self, statements: &'a [(Option<usize>, Node)]) -> Result<(), Stop> {
        for (local, node) in statements {
            let value = self.value(node)?;
            if let Some(local) = local {
                self.locals[*local].set(value);
            }
        }
        Ok(())
    }

    /// An operator with its right side, on a left side that is known.
    pub(super) fn operate(
        &self,
        left: Value<'a>,
        operation: &'a Operation,
    ) -> Result<Value<'a>, Stop> {
        match operation {
            Operation::Test(negated, test) => Ok(Value::Bool(test.value(left)? != *negated)),
            Operation::With(binary, right) => {
                let right = self.value(right)?;
                self.binary(*binary, left, right)
            }
        }
    }

    /// An operator between two values.
    pub(super) fn binary(
        &self,
        binary: Binary,
        left: Value<'a>,
        right: Value<'a>,
    ) -> Result<Value<'a>, Stop> {
        let mut room = self.room.get();
        let value = operators::value(binary, left, right, self.scope.arena(), &mut room)?;
        self.room.set(room);
        Ok(value)
    }

    /// Whether a text is a line of a file of lines.
    fn is_line(&self, name: &str, text: &str) -> bool {
        match self.scope.world().facts().files.get(name) {
            Some(DataFile::Lines(lines)) => lines.any(Relation::Equal, text),
            _ => false,
        }
    }

    fn call(&self, call: &'a CallNode) -> Result<Value<'a>, Stop> {
        if let (Literal::Range(range), [subject, literal]) = (&call.known, &*call.arguments) {
            return match self.value(subject)? {
                Value::Text(text) => {
                    let address = address::address(text);
                    Ok(Value::Bool(address.is_some_and(|address| range.contains(&address))))
                }
                other => self.apply(call, &[other, self.value(literal)?]),
            };
        }
        // Nearly all functions take no more than four arguments.
        let mut few = [Value::Nil; 4];
        if let Some(arguments) = few.get_mut(..call.arguments.len()) {
            for (argument, node) in arguments.iter_mut().zip(&call.arguments) {
                *argument = self.value(node)?;
            }
            return self.apply(call, arguments);
        }
        let mut arguments = bumpalo::collections::Vec::new_in(self.scope.arena());
        for node in &call.arguments {
            arguments.push(self.value(node)?);
        }
        self.apply(call, &arguments)
    }

    /// Calls a function on arguments that are known.
    pub(super) fn apply(
        &self,
        call: &'a CallNode,
        arguments: &[Value<'a>],
    ) -> Result<Value<'a>, Stop> {
        let world = Call { arena: self.scope.arena(), world: self.scope.world() };
        let value = match (call.function.code)(world, arguments) {
            Ok(value) => value,
            Err(fault) => {
                let mut message = fault.message;
                message.insert_str(0, "`: ");
                message.insert_str(0, call.function.name);
                message.insert(0, '`');
                return stop(message);
            }
        };
        if !call.total {
            match value {
                Value::List(items) => self.take(items.len())?,
                Value::Text(text) => self.take(text.len() / 16)?,
                _ => {}
            }
        }
        Ok(value)
    }

    fn environment(&self, variables: &'static [(&'static str, Type)]) -> Value<'a> {
        let map = operators::map(self.scope.arena());
        for (index, (name, _)) in variables.iter().enumerate() {
            map.set(name, self.scope.variable(index));
        }
        Value::Map(map)
    }

    fn list(&self, items: &'a [Node]) -> Result<Value<'a>, Stop> {
        self.take(items.len())?;
        let arena = self.scope.arena();
        let mut list = bumpalo::collections::Vec::with_capacity_in(items.len(), arena);
        for item in items {
            list.push(self.value(item)?);
        }
        Ok(Value::List(list.into_bump_slice()))
    }

    fn map(&self, entries: &'a [(Node, Node)]) -> Result<Value<'a>, Stop> {
        self.take(entries.len())?;
        let arena = self.scope.arena();
        let map = operators::map(arena);
        for (key, value) in entries {
            let key = operators::key(self.value(key)?, arena)?;
            map.set(key, self.value(value)?);
        }
        Ok(Value::Map(map))
    }
}

fn expect_bool(value: Value<'_>) -> Result<bool, Stop> {
    match value {
        Value::Bool(truth) => Ok(truth),
        other => stop(format!("expected bool, found {}", other.kind())),
    }
}

impl Test {
    /// The result for a text.
    #[inline]
    pub(super) fn text(&self, text: &str) -> bool {
        match self {
            Test::Is(wanted) => **wanted == *text,
            Test::In(set) => set.contains(text),
            Test::Among(items) => {
                items.iter().any(|item| matches!(item, Node::Text(item) if **item == *text))
            }
            Test::Contains(_, finder) => finder.find(text.as_bytes()).is_some(),
            Test::StartsWith(wanted) => text.starts_with(&**wanted),
            Test::EndsWith(wanted) => text.ends_with(&**wanted),
            Test::Matches(pattern) => pattern.matches(text),
        }
    }

    /// The result for any value.
    pub(super) fn value(&self, value: Value<'_>) -> Result<bool, Stop> {
        match (self, value) {
            (_, Value::Text(text)) => Ok(self.text(text)),
            (Test::Is(_), _) => Ok(false),
            (Test::Among(items), _) => Ok(items.iter().any(|item| match item {
                Node::Nil => value.is_nil(),
                Node::Bool(truth) => equal(value, Value::Bool(*truth)),
                Node::Int(number) => equal(value, Value::Int(*number)),
                Node::Float(number) => equal(value, Value::Float(*number)),
                Node::Duration(nanos) => equal(value, Value::Duration(*nanos)),
                _ => false,
            })),
            // A set of literal texts takes nil for the empty text.
            (Test::In(set), Value::Nil) => Ok(set.contains("")),
            (_, Value::Nil) => Ok(false),
            (_, other) => stop(format!("expected string, found {}", other.kind())),
        }
    }
}
