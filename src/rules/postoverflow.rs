//! Runs the postoverflow rules on an overflow.

use super::Ruleset;
use crate::event::{self, Overflow, Rewrite};
use crate::expr::World;
use crate::parse::{Observer, Scratch};
use crate::value::{Arena, Time};

/// The memory for it, reused from overflow to overflow.
#[derive(Debug)]
pub struct Postoverflows {
    world: World,
    scratch: Scratch,
    arena: Arena,
}

impl Postoverflows {
    pub(super) fn new(world: World) -> Self {
        Self { world, scratch: Scratch::new(), arena: Arena::new() }
    }

    /// The overflow after the rules: allowlisted perhaps, its source perhaps rewritten. One that
    /// no rule takes is as it was.
    pub fn run(&mut self, rules: &Ruleset, overflow: Overflow, now: Time) -> Overflow {
        if rules.postoverflows.is_empty() || overflow.alert.is_none() {
            return overflow;
        }
        self.arena.reset();
        self.world.set_now(now);
        let (arena, world, scratch) = (&self.arena, &self.world, &mut self.scratch);
        let rewrite = observe(rules, &overflow, now, arena, world, scratch, None);
        let mut overflow = overflow;
        overflow.apply(rewrite);
        overflow
    }
}

/// Runs the rules with somebody who may look on; gives what they wrote.
pub fn observe<'r, 'a>(
    rules: &'a Ruleset,
    overflow: &'a Overflow,
    now: Time,
    arena: &'a Arena,
    world: &'a World,
    scratch: &'r mut Scratch,
    observer: Option<Observer<'r, 'a>>,
) -> Rewrite {
    let event = event::of_overflow(arena, &rules.names, overflow, now);
    rules.postoverflows.run(event, world, scratch, observer);
    event.overflow_view().rewrite()
}
