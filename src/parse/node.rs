//! One node of a parser rule, and how it looks at an event.
//!
//! The order of what a node does is part of the rules' meaning: filter, allowlist, grok, stash,
//! children, statics, next stage. Nothing that was written is taken back when a node fails.

use super::allow::Allowlist;
use super::expression::Expression;
use super::field::Field;
use super::glance::Glance;
use super::grok::Grok;
use super::observe::Fact;
use super::run::{Abort, Run};
use super::stash::Stash;
use super::statics::{Statics, scalar_text};
use crate::expr::Requirement;

/// A compiled rule, or one of its children.
#[derive(Debug)]
pub struct Node {
    pub(super) name: Box<str>,
    pub(super) filter: Option<Expression>,
    pub(super) allowlist: Option<Allowlist>,
    pub(super) grok: Option<NodeGrok>,
    pub(super) stash: Vec<Stash>,
    pub(super) children: Vec<Node>,
    pub(super) glance: Option<Glance>,
    pub(super) statics: Statics,
    /// Whether success moves the event to the next stage.
    pub(super) next_stage: bool,
}

/// The pattern of a node, and what it is searched in.
#[derive(Debug)]
pub(super) struct NodeGrok {
    pub(super) input: Input,
    pub(super) grok: Grok,
    /// The fields that the captures go to, in their order.
    pub(super) fields: Vec<Field>,
    pub(super) statics: Statics,
}

/// What a pattern is searched in.
#[derive(Debug)]
pub(super) enum Input {
    /// The line as received.
    Raw,
    /// A field; the grok fails when it was never set.
    Field(Field),
    /// A computed text.
    Expression(Expression),
}

impl Node {
    /// Its name; children without one are named after their parent.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Every stash that it or a child fills.
    pub fn each_stash(&self, each: &mut dyn FnMut(&Stash)) {
        self.stash.iter().for_each(&mut *each);
        self.children.iter().for_each(|child| child.each_stash(each));
    }

    /// What its filter, or that of a child, asks of a field.
    pub(super) fn each_requirement(&self, each: &mut dyn FnMut(Requirement)) {
        if let Some(filter) = &self.filter {
            filter.program().requirements().all.into_iter().for_each(&mut *each);
        }
        self.children.iter().for_each(|child| child.each_requirement(each));
    }

    /// Every pattern that it or a child searches for.
    pub(super) fn each_grok<'n>(&'n self, each: &mut dyn FnMut(&'n Grok)) {
        self.grok.iter().for_each(|grok| each(&grok.grok));
        self.children.iter().for_each(|child| child.each_grok(each));
    }

    /// Looks at the event; gives whether the node succeeds. `hit` is called once the filter
    /// passed, which is not asked when `is_certain` that it would.
    pub(super) fn run<'a>(
        &'a self,
        run: &mut Run<'_, 'a>,
        is_certain: bool,
        hit: impl FnOnce(&mut Run<'_, 'a>),
    ) -> Result<bool, Abort> {
        run.note(Fact::Enter { depth: run.depth, node: &self.name });
        let success = (is_certain || self.passes(run)) && {
            hit(run);
            self.body(run)?
        };
        run.note(Fact::Leave { depth: run.depth, node: &self.name, success });
        Ok(success)
    }

    fn passes<'a>(&'a self, run: &mut Run<'_, 'a>) -> bool {
        let Some(filter) = &self.filter else { return true };
        let passed = match filter.truth(&run.scope) {
            Ok(passed) => passed,
            Err(fault) => {
                run.fault(filter, &fault);
                false
            }
        };
        if run.observer.is_some() {
            let scope = run.scope;
            let explain = || filter.explain(&scope);
            run.note(Fact::Filter { source: filter.source(), passed, explain: &explain });
        }
        passed
    }

    fn body<'a>(&'a self, run: &mut Run<'_, 'a>) -> Result<bool, Abort> {
        let on_it = self.allowlist.as_ref().map(|list| list.check(run));
        let found = match &self.grok {
            Some(grok) => Some(grok.run(run)?),
            None => None,
        };
        if found != Some(false) {
            for stash in &self.stash {
                stash.fill(run);
            }
        }
        if !self.run_children(run, found)? {
            return Ok(false);
        }
        if on_it != Some(false) {
            self.statics.apply(run)?;
        }
        if self.next_stage {
            run.stages.move_on(run.event());
        }
        Ok(true)
    }

    /// The field that it searches and the pattern, if it does nothing else before.
    pub(super) fn searches(&self) -> Option<(&Field, &Grok)> {
        let Some(NodeGrok { input: Input::Field(field), grok, .. }) = &self.grok else {
            return None;
        };
        let is_all = self.filter.is_none() && self.children.is_empty() && self.allowlist.is_none();
        is_all.then_some((field, grok))
    }

    /// Runs the children, also after a grok that failed: they are then alternatives to it.
    fn run_children<'a>(
        &'a self,
        run: &mut Run<'_, 'a>,
        found: Option<bool>,
    ) -> Result<bool, Abort> {
        let mut state = found != Some(false);
        let mut left = None;
        let mut at = 0;
        while let Some(child) = self.children.get(at) {
            if let Some(glance) = &self.glance
                && run.observer.is_none()
                // The first is often the right one.
                && at > 0
            {
                let event = run.event();
                let known = left.filter(|left| glance.is_fresh(*left, event));
                let known = known.unwrap_or_else(|| glance.look(event));
                left = Some(known);
                let next = known.next(at, self.children.len());
                if next > at {
                    if found != Some(true) {
                        state = false;
                    }
                    at = next;
                    continue;
                }
            }
            at += 1;
            run.depth += 1;
            let success = child.run(run, false, |_| {});
            run.depth -= 1;
            if success? {
                state = true;
                // Only this node's own wish to move on ends the children, not a child's.
                if self.next_stage {
                    break;
                }
            } else if found != Some(true) {
                // The last child that ran decides, unless the grok has decided before.
                state = false;
            }
        }
        Ok(state)
    }
}

impl NodeGrok {
    fn run<'a>(&'a self, run: &mut Run<'_, 'a>) -> Result<bool, Abort> {
        let event = run.event();
        let text = match &self.input {
            Input::Raw => Some(event.raw.get()),
            Input::Field(field) => field.get(event),
            Input::Expression(expression) => run
                .evaluate(expression)
                .map(|value| scalar_text(value, event.arena()).unwrap_or_default()),
        };
        let found = text.is_some_and(|text| {
            self.grok.search(text, &mut run.scratch.caches, |index, captured| {
                if let Some(field) = self.fields.get(index) {
                    field.set(event, captured);
                }
            })
        });
        run.note(Fact::Grok { grok: &self.grok, text, found });
        if found {
            self.statics.apply(run)?;
        }
        Ok(found)
    }
}
