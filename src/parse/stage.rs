//! The stages that an event goes through, in order.
//!
//! A stage ends when a node that succeeds moves the event on; an event that no node moves on is
//! not parsed. Every stage needs a node that succeeds, also the last.

use std::sync::atomic::{AtomicU64, Ordering};

use super::classify::{Classes, Received};
use super::grok::Grok;
use super::index::Index;
use super::node::Node;
use super::observe::{Fact, Observer};
use super::run::{Abort, Run, Scratch};
use super::scope::EventScope;
use crate::event::Event;
use crate::expr::{Requirement, World};
use crate::value::Slot;

/// All stages of one universe of rules: parsers, or postoverflow rules.
#[derive(Debug)]
pub struct Stages {
    stages: Vec<Stage>,
    /// Different for every value of this type, so that no worker's memory of one is used with
    /// another.
    generation: u64,
}

#[derive(Debug)]
struct Stage {
    name: Box<str>,
    nodes: Vec<Node>,
    /// The number of the first node among the nodes of all stages.
    first: usize,
    index: Index,
}

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It went through all stages.
    Parsed,
    /// It went through all stages, and is on a rule's allowlist.
    Allowlisted,
    /// It did not go through all stages.
    Unparsed {
        /// The number of the stage where it ended ([`Stages::stage_name`]).
        stage: usize,
        /// Why.
        reason: Reason,
    },
}

/// Why an event was not parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The syslog header cannot be made out.
    Header,
    /// No node of the stage succeeded.
    NoRule,
    /// A node succeeded, but none moved the event to the next stage.
    NotMovedOn,
    /// A static gave a value that cannot become text.
    Aborted,
}

impl Reason {
    /// Its name in metrics.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::NoRule => "no_rule",
            Self::NotMovedOn => "not_moved_on",
            Self::Aborted => "aborted",
        }
    }
}

static GENERATION: AtomicU64 = AtomicU64::new(1);

impl Stages {
    /// Stages of the given rules, each with the name of its stage, in load order. Stages are
    /// ordered by name.
    #[must_use]
    pub fn new(rules: Vec<(Box<str>, Node)>) -> Self {
        let mut stages: Vec<(Box<str>, Vec<Node>)> = Vec::new();
        for (name, node) in rules {
            match stages.iter_mut().find(|(known, _)| *known == name) {
                Some((_, nodes)) => nodes.push(node),
                None => stages.push((name, vec![node])),
            }
        }
        stages.sort_by(|(a, _), (b, _)| a.cmp(b));
        let mut first = 0;
        let stages = stages
            .into_iter()
            .map(|(name, nodes)| {
                let index = Index::of(&nodes);
                let stage = Stage { name, first, index, nodes };
                first += stage.nodes.len();
                stage
            })
            .collect();
        Self { stages, generation: GENERATION.fetch_add(1, Ordering::Relaxed) }
    }

    /// The number of stages.
    #[must_use]
    pub fn len(&self) -> usize {
        self.stages.len()
    }

    /// Whether there is no stage.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.stages.is_empty()
    }

    /// The name of a stage.
    #[must_use]
    pub fn stage_name(&self, stage: usize) -> Option<&str> {
        self.stages.get(stage).map(|stage| &*stage.name)
    }

    /// The names of the stages, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.stages.iter().map(|stage| &*stage.name)
    }

    /// All top-level nodes with the names of their stages, in the order of their numbers.
    pub fn nodes(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.stages.iter().flat_map(|stage| stage.nodes.iter().map(|node| (&*stage.name, node)))
    }

    /// All patterns that are searched for, each with the name of its rule.
    #[must_use]
    pub fn groks(&self) -> Vec<(&str, &Grok)> {
        let mut found = Vec::new();
        for (_, node) in self.nodes() {
            node.each_grok(&mut |grok| found.push((node.name(), grok)));
        }
        found
    }

    /// What filters ask of a field, each by itself.
    #[must_use]
    pub fn requirements(&self, slot: Slot) -> Vec<Requirement> {
        let mut found = Vec::new();
        for (_, node) in self.nodes() {
            node.each_requirement(&mut |requirement| {
                if requirement.slot == slot {
                    found.push(requirement);
                }
            });
        }
        found
    }

    /// Takes an event through the stages.
    pub fn run<'r, 'a>(
        &'a self,
        event: &'a Event<'a>,
        world: &'a World,
        scratch: &'r mut Scratch,
        observer: Option<Observer<'r, 'a>>,
    ) -> Outcome {
        self.run_classified(event, None, world, scratch, observer)
    }

    /// The same; behind the first stage the event is classified.
    pub(super) fn run_classified<'r, 'a>(
        &'a self,
        event: &'a Event<'a>,
        classify: Option<(&'a Classes, Received<'a>)>,
        world: &'a World,
        scratch: &'r mut Scratch,
        observer: Option<Observer<'r, 'a>>,
    ) -> Outcome {
        if scratch.generation != self.generation {
            *scratch = Scratch { generation: self.generation, ..Scratch::default() };
            scratch.counts.resize_with(self.nodes().count(), Default::default);
        }
        if event.stage.get().is_empty()
            && let Some(first) = self.stages.first()
        {
            event.stage.set(&first.name);
        }
        event.processed.set(false);
        let scope = EventScope::new(event, world);
        let mut run = Run { scope, world, stages: self, scratch, observer, classify, depth: 0 };
        for (number, stage) in self.stages.iter().enumerate() {
            let current = event.stage.get();
            if !stage.is_named(current) {
                match self.position(current) {
                    Some(current) if current > number => continue,
                    _ => return unparsed(number.saturating_sub(1), Reason::NotMovedOn),
                }
            }
            if number > 0 {
                run.classify();
            }
            match stage.run(&mut run) {
                Ok(true) => {}
                Ok(false) => return unparsed(number, Reason::NoRule),
                Err(Abort) => return unparsed(number, Reason::Aborted),
            }
        }
        event.processed.set(true);
        if event.allowlisted.get() { Outcome::Allowlisted } else { Outcome::Parsed }
    }

    /// Moves the event to the stage after its current one; in the last stage it stays.
    pub(super) fn move_on<'a>(&'a self, event: &Event<'a>) {
        let next = match self.position(event.stage.get()) {
            Some(current) => current + 1,
            None => return,
        };
        if let Some(next) = self.stages.get(next) {
            event.stage.set(&next.name);
        }
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.stages.iter().position(|stage| stage.is_named(name))
    }
}

fn unparsed(stage: usize, reason: Reason) -> Outcome {
    Outcome::Unparsed { stage, reason }
}

impl Stage {
    #[inline]
    fn is_named(&self, name: &str) -> bool {
        std::ptr::eq(&*self.name, name) || *self.name == *name
    }

    /// Runs the nodes until one moves the event on; gives whether any succeeded.
    fn run<'a>(&'a self, run: &mut Run<'_, 'a>) -> Result<bool, Abort> {
        let mut any = false;
        // Who records wants to hear of every node, also of those that cannot match.
        if run.observer.is_some() {
            for number in 0..self.nodes.len() {
                let (success, end) = self.run_node(number, false, run)?;
                any |= success;
                if end {
                    break;
                }
            }
            return Ok(any);
        }
        let event = run.event();
        self.index.begin(&mut run.scratch.walk, event);
        while let Some(number) = self.index.next(&mut run.scratch.walk, event) {
            let is_certain = self.index.is_certain(number);
            let (success, end) = self.run_node(number, is_certain, run)?;
            any |= success;
            if end {
                break;
            }
            self.index.refresh(&mut run.scratch.walk, event);
        }
        Ok(any)
    }

    /// Runs one node, without its filter if that is certain to pass; gives whether it succeeded,
    /// and whether the stage ends with it.
    fn run_node<'a>(
        &'a self,
        number: usize,
        is_certain: bool,
        run: &mut Run<'_, 'a>,
    ) -> Result<(bool, bool), Abort> {
        let Some(node) = self.nodes.get(number) else { return Ok((false, true)) };
        let id = self.first + number;
        let success = node.run(run, is_certain, |run| {
            if let Some(count) = run.scratch.counts.get_mut(id) {
                count.hits += 1;
            }
        })?;
        let event = run.event();
        run.note(Fact::Node { stage: &self.name, node: node.name(), success, event });
        if success && let Some(count) = run.scratch.counts.get_mut(id) {
            count.successes += 1;
        }
        // A child may have moved the event although its node failed.
        let moved = !self.is_named(event.stage.get());
        Ok((success, success && node.next_stage || moved))
    }
}
