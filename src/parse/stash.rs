//! Texts that a rule keeps for later lines.

use super::expression::Expression;
use super::run::Run;
use crate::expr::world::Strategy;
use crate::value::{Fault, Value};

/// An entry of a rule's `stash`.
#[derive(Debug)]
pub struct Stash {
    /// The cache that it is kept in; rules read it with `GetFromStash`.
    pub name: Box<str>,
    /// How many entries the cache has at most.
    pub size: usize,
    /// How long an entry lives, in nanoseconds.
    pub ttl: i64,
    /// Which entry goes when the cache is full.
    pub strategy: Strategy,
    pub(super) key: Expression,
    pub(super) value: Expression,
}

impl Stash {
    /// Computes value and key and keeps them.
    pub(super) fn fill<'a>(&'a self, run: &mut Run<'_, 'a>) {
        let Some(value) = text(&self.value, run) else { return };
        let Some(key) = text(&self.key, run) else { return };
        run.world.facts().stashes.set(&self.name, key, value, run.world.now());
    }
}

fn text<'a>(expression: &'a Expression, run: &mut Run<'_, 'a>) -> Option<&'a str> {
    match run.evaluate(expression)? {
        Value::Text(text) => Some(text),
        other => {
            let message = format!("a stash keeps text, found {}", other.kind());
            run.fault(expression, &Fault::new(message));
            None
        }
    }
}
