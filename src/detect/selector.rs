//! Which scenarios take an event, and into which of their buckets it goes.
//!
//! The worker that parsed the event asks; the answer follows from the event alone, so workers
//! share nothing but the scenarios, which never change.

use std::sync::Arc;

use bumpalo::collections::Vec as ArenaVec;

use super::alert::SourceFields;
use super::context::Contexts;
use super::expression::{Expression, Variables};
use super::index::{Candidates, Index};
use super::key::{BucketKey, GroupHash, Partition, Seed};
use super::pour::{Pour, Verdict};
use super::scenario::{Scenario, ScenarioId};
use crate::event::{Copier, Event, Kind, Mode, Overflow, Piece};
use crate::expr::{Trace, World};
use crate::value::{Fault, Names, Section, Time};

/// All scenarios, in load order, and the ways to find them.
#[derive(Debug)]
pub struct Scenarios {
    list: Box<[Placed]>,
    index: Index,
    names: Arc<Names>,
    seed: Seed,
    pub(super) fields: SourceFields,
    pub(super) contexts: Contexts,
}

/// A scenario and the part of all bucket keys that is its own.
#[derive(Debug)]
struct Placed {
    scenario: Scenario,
    partition: Partition,
    /// Others with the same name and filter: they share its buckets.
    siblings: Box<[ScenarioId]>,
    /// Whether more than the brief form of an event may be asked for once it is in a bucket.
    whole: bool,
}

/// Memory that a worker uses again for each event.
#[derive(Debug, Default)]
pub struct Scratch {
    candidates: Candidates,
    copier: Copier,
    places: Vec<Piece>,
}

struct Chosen<'a> {
    scenario: ScenarioId,
    key: BucketKey,
    group: &'a str,
    verdict: Verdict,
    others: Box<[(ScenarioId, Verdict)]>,
}

/// How the scenarios took an event.
#[derive(Debug, Default)]
pub struct Selected {
    /// How many took it.
    pub n_poured: usize,
    /// The scenario whose filter or group failed, and why. Those after it did not see the event.
    pub fault: Option<(ScenarioId, Fault)>,
}

impl Scenarios {
    /// The names that alerts are made of, to be interned before the first event is made.
    pub const FIELDS: [(Section, &'static str); 8] = SourceFields::NAMES;

    /// Scenarios in load order. `names` must hold every name that they were compiled with. A
    /// `seed` that was used before makes the same keys again.
    #[must_use]
    pub fn new(scenarios: Vec<Scenario>, names: Arc<Names>, seed: Seed) -> Self {
        let demands: Vec<_> = scenarios.iter().map(|scenario| scenario.filter.demands()).collect();
        let shared: Vec<_> = (0..scenarios.len())
            .map(|at| {
                let siblings = siblings(&scenarios, at);
                let mut owners = siblings.iter().map(|id| id.index()).chain([at]);
                let whole = owners.any(|at| scenarios[at].needs_whole_events());
                (siblings, whole)
            })
            .collect();
        let list = scenarios.into_iter().zip(shared).map(|(scenario, (siblings, whole))| Placed {
            partition: seed.partition(&scenario.name, &scenario.filter_text),
            scenario,
            siblings,
            whole,
        });
        let fields = SourceFields::find(&names);
        let (list, index) = (list.collect(), Index::new(&demands));
        Self { list, index, names, seed, fields, contexts: Contexts::default() }
    }

    /// The same, with alerts that say what these contexts ask for.
    #[must_use]
    pub fn with_contexts(mut self, contexts: Contexts) -> Self {
        let whole = contexts.needs_whole_events();
        self.list.iter_mut().for_each(|placed| placed.whole |= whole);
        self.contexts = contexts;
        self
    }

    /// A scenario.
    #[must_use]
    pub fn get(&self, id: ScenarioId) -> &Scenario {
        &self.list[id.index()].scenario
    }

    /// All of them, in load order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Scenario> {
        self.list.iter().map(|placed| &placed.scenario)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many are evaluated for every event, because their filters demand nothing that could be
    /// looked up.
    #[must_use]
    pub fn n_unindexed(&self) -> usize {
        self.index.n_always()
    }

    /// The names that events are made with.
    #[must_use]
    pub fn names(&self) -> &Arc<Names> {
        &self.names
    }

    /// What keys are made with.
    #[must_use]
    pub fn seed(&self) -> &Seed {
        &self.seed
    }

    /// Appends to `pours` one pour for each scenario that takes `event`, in load order.
    pub fn select<'a>(
        &'a self,
        scratch: &mut Scratch,
        event: &'a Event<'a>,
        world: &'a World,
        pours: &mut Vec<Pour>,
    ) -> Selected {
        self.select_either(scratch, event, None, world, pours)
    }

    /// The same for the event of an overflow that is poured again.
    pub fn select_overflow<'a>(
        &'a self,
        scratch: &mut Scratch,
        event: &'a Event<'a>,
        overflow: &Arc<Overflow>,
        world: &'a World,
        pours: &mut Vec<Pour>,
    ) -> Selected {
        self.select_either(scratch, event, Some(overflow), world, pours)
    }

    /// What becomes of each clause of a scenario's filter, for those who want to know why it does
    /// not take the event: also of clauses that are not come to, if they are harmless.
    #[must_use]
    pub fn explain<'a>(&'a self, id: ScenarioId, event: &'a Event<'a>, world: &'a World) -> Trace {
        self.get(id).filter.explain(&Variables::of_event(event, world))
    }

    fn select_either<'a>(
        &'a self,
        scratch: &mut Scratch,
        event: &'a Event<'a>,
        overflow: Option<&Arc<Overflow>>,
        world: &'a World,
        pours: &mut Vec<Pour>,
    ) -> Selected {
        let Scratch { candidates, copier, places } = scratch;
        self.index.collect(|slot| event.get(slot), candidates);
        let mut chosen: ArenaVec<'_, Chosen<'a>> = ArenaVec::new_in(event.arena());
        let mut hashed = None;
        let variables = Variables::of_event(event, world);
        let mut fault = None;
        let mut from = 0;
        while let Some(id) = candidates.next(from) {
            from = id + 1;
            match self.choose(ScenarioId(id), &variables, &mut hashed) {
                Ok(Some(found)) => chosen.push(found),
                Ok(None) => {}
                Err(why) => {
                    fault = Some((ScenarioId(id), why));
                    break;
                }
            }
        }
        let n_poured = chosen.len();
        if n_poured > 0 {
            // Copied last: filters may have written into the event.
            let whole = chosen.iter().any(|chosen| self.list[chosen.scenario.index()].whole);
            places.clear();
            let groups = chosen.iter().map(|chosen| chosen.group);
            let snapshot = copier.copy(event, whole, groups, |place| places.push(place));
            let snapshot = match overflow {
                Some(overflow) => snapshot.with_overflow(Arc::clone(overflow)),
                None => snapshot,
            };
            let snapshot = Arc::new(snapshot);
            let written_at = (event.mode == Mode::Replay || event.kind == Kind::Overflow)
                .then(|| Time::from_rfc3339(event.marshaled_time.get()))
                .flatten();
            pours.extend(chosen.into_iter().zip(&*places).map(|(chosen, group)| Pour {
                scenario: chosen.scenario,
                key: chosen.key,
                group: *group,
                verdict: chosen.verdict,
                others: chosen.others,
                at: event.received_at,
                written_at,
                event: Arc::clone(&snapshot),
            }));
        }
        Selected { n_poured, fault }
    }

    fn choose<'a>(
        &'a self,
        id: ScenarioId,
        variables: &Variables<'a>,
        hashed: &mut Option<(&'a str, GroupHash)>,
    ) -> Result<Option<Chosen<'a>>, Fault> {
        let Placed { scenario, partition, siblings, .. } = &self.list[id.index()];
        if !scenario.filter.truth(variables)? {
            return Ok(None);
        }
        let group = match &scenario.groupby {
            None => "",
            Some(groupby) => {
                let value = groupby.value(variables)?;
                value.as_text().ok_or_else(|| {
                    Fault::new(format!("expected text to group by, found {}", value.kind()))
                })?
            }
        };
        let others = siblings.iter().map(|other| (*other, self.verdict(*other, variables)));
        // Scenarios about the same kind of event mostly group alike.
        let hash = match hashed {
            Some((known, hash)) if *known == group => *hash,
            _ => hashed.insert((group, self.seed.group(group))).1,
        };
        Ok(Some(Chosen {
            scenario: id,
            key: partition.key(hash),
            group,
            verdict: self.verdict(id, variables),
            others: others.collect(),
        }))
    }

    fn verdict<'a>(&'a self, id: ScenarioId, variables: &Variables<'a>) -> Verdict {
        let scenario = self.get(id);
        let distinct = |expression: &'a Expression| {
            // A value that cannot be told lets the event pass; one that is no text counts as "".
            let value = expression.value(variables).ok()?;
            Some(self.seed.distinct(value.as_text().unwrap_or_default()))
        };
        Verdict {
            distinct: scenario.distinct.as_ref().and_then(distinct),
            cancels: scenario
                .cancel_on
                .as_ref()
                .is_some_and(|expression| expression.truth(variables).unwrap_or(false)),
        }
    }
}

fn siblings(scenarios: &[Scenario], at: usize) -> Box<[ScenarioId]> {
    let same = |other: &Scenario| {
        other.name == scenarios[at].name && other.filter_text == scenarios[at].filter_text
    };
    (0u32..)
        .zip(scenarios)
        .filter(|(id, other)| *id as usize != at && same(other))
        .map(|(id, _)| ScenarioId(id))
        .collect()
}
