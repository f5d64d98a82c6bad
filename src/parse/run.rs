//! What a node works with while it looks at one event.

use super::classify::{Classes, Memory, Received};
use super::enrich::LastDate;
use super::expression::Expression;
use super::grok::Caches;
use super::index::Walk;
use super::observe::{Fact, Observer};
use super::scope::EventScope;
use super::stage::Stages;
use super::syslog::LastTime;
use crate::event::Event;
use crate::expr::World;
use crate::value::{Fault, Value};

/// The memory of one worker: reused from line to line, never shared.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(super) caches: Caches,
    pub(super) last_date: LastDate,
    pub(super) last_time: LastTime,
    pub(super) classes: Memory,
    /// The walk through the nodes of the current stage.
    pub(super) walk: Walk,
    pub(super) counts: Vec<Count>,
    /// Which stages the caches were made for.
    pub(super) generation: u64,
    pub(super) n_faults: u64,
}

/// How often a top-level node was tried and succeeded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Its filter passed.
    pub hits: u64,
    /// It succeeded.
    pub successes: u64,
}

impl Scratch {
    /// Memory for a new worker.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What was counted since the last call, by the number of the top-level node
    /// ([`Stages::nodes`]), and the number of expressions that failed.
    pub fn take_counts(&mut self, each: &mut dyn FnMut(usize, Count)) -> u64 {
        for (index, count) in self.counts.iter_mut().enumerate() {
            if *count != Count::default() {
                each(index, std::mem::take(count));
            }
        }
        std::mem::take(&mut self.n_faults)
    }
}

/// The event is given up: a static gave a value that cannot become text.
#[derive(Debug)]
pub(super) struct Abort;

/// One event on its way through the stages.
pub(super) struct Run<'r, 'a> {
    pub(super) scope: EventScope<'a>,
    pub(super) world: &'a World,
    pub(super) stages: &'a Stages,
    pub(super) scratch: &'r mut Scratch,
    pub(super) observer: Option<Observer<'r, 'a>>,
    /// How the line is to be classified once the first stage has read its header.
    pub(super) classify: Option<(&'a Classes, Received<'a>)>,
    pub(super) depth: usize,
}

impl<'a> Run<'_, 'a> {
    pub(super) fn event(&self) -> &'a Event<'a> {
        self.scope.event()
    }

    pub(super) fn note(&mut self, fact: Fact<'_, 'a>) {
        if let Some(observer) = &mut self.observer {
            observer(fact);
        }
    }

    /// Classifies the event, if that is to be done.
    pub(super) fn classify(&mut self) {
        if let Some((classes, received)) = self.classify.take() {
            let event = self.scope.event();
            classes.apply(event, received, &mut self.scratch.classes, self.observer.as_mut());
        }
    }

    /// The value of an expression; `None` when it fails, which is counted and noted.
    pub(super) fn evaluate(&mut self, expression: &'a Expression) -> Option<Value<'a>> {
        match expression.evaluate(&self.scope) {
            Ok(value) => Some(value),
            Err(fault) => {
                self.fault(expression, &fault);
                None
            }
        }
    }

    /// Counts and notes that an expression was of no use.
    pub(super) fn fault(&mut self, expression: &Expression, fault: &Fault) {
        self.scratch.n_faults += 1;
        self.note(Fact::Fault { source: expression.source(), fault });
    }
}
