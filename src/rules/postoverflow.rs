//! Runs the postoverflow rules on overflows, and pours those again that want it.

use std::sync::Arc;

use super::Ruleset;
use crate::detect::Detector;
use crate::event::{self, Overflow};
use crate::expr::World;
use crate::parse::{Fact, Scratch};
use crate::value::{Arena, Time};

/// The memory for it, reused from overflow to overflow.
#[derive(Debug)]
pub struct Postoverflows {
    world: World,
    scratch: Scratch,
    arena: Arena,
}

/// Somebody who wants to know what the rules make of each overflow.
pub type Witness<'o> = &'o mut dyn for<'a> FnMut(&Fact<'_, 'a>);

impl Postoverflows {
    pub(super) fn new(world: World) -> Self {
        Self { world, scratch: Scratch::new(), arena: Arena::new() }
    }

    /// Takes overflows of `detector` through the rules, in their order: they are allowlisted
    /// then, perhaps, or their sources are rewritten.
    ///
    /// One that is to be poured again is, unless it was allowlisted. What overflows by that is
    /// appended and taken through the rules too; the detector sees to it that it is not poured
    /// once more, so this comes to an end.
    pub fn settle(
        &mut self,
        rules: &Ruleset,
        detector: &mut Detector,
        overflows: &mut Vec<Overflow>,
        now: Time,
        mut witness: Option<Witness<'_>>,
    ) {
        let mut next = 0;
        while let Some(overflow) = overflows.get_mut(next) {
            let witness: Option<Witness<'_>> = match &mut witness {
                Some(witness) => Some(&mut **witness),
                None => None,
            };
            self.run(rules, overflow, now, witness);
            if overflow.reprocess && !overflow.allowlisted {
                let again = Arc::new(overflow.clone());
                detector.reprocess(&again, now, overflows);
            }
            next += 1;
        }
    }

    /// Runs the rules on one overflow. One that no rule takes stays as it is.
    fn run(
        &mut self,
        rules: &Ruleset,
        overflow: &mut Overflow,
        now: Time,
        witness: Option<Witness<'_>>,
    ) {
        if rules.postoverflows.is_empty() || overflow.alert.is_none() {
            return;
        }
        self.arena.reset();
        self.world.set_now(now);
        let (arena, world, scratch) = (&self.arena, &self.world, &mut self.scratch);
        let event = event::of_overflow(arena, &rules.names, overflow, now);
        match witness {
            None => rules.postoverflows.run(event, world, scratch, None),
            Some(witness) => {
                let mut observer = |fact: Fact<'_, '_>| witness(&fact);
                rules.postoverflows.run(event, world, scratch, Some(&mut observer))
            }
        };
        let rewrite = event.overflow_view().rewrite();
        overflow.apply(rewrite);
    }
}
