//! Which scenarios take an event, and into which of their buckets it goes.
//!
//! The worker that parsed the event asks; the answer follows from the event alone, so workers
//! share nothing but the scenarios, which never change.

mod known;

use std::collections::HashMap;
use std::sync::Arc;

use bumpalo::collections::Vec as ArenaVec;

use self::known::Known;
use super::alert::SourceFields;
use super::bucket::Bucket;
use super::context::Contexts;
use super::expression::Expression;
use super::key::{BucketKey, Partition, Seed};
use super::neighbours;
use super::pour::{Others, Pour, Verdict};
use super::scenario::{Scenario, ScenarioId, Scope};
use crate::event::{Copier, Event, Kind, Mode, Overflow, Piece, Snapshot};
use crate::expr::{Candidates, Dispatch, Trace, World};
use crate::value::{Arena, Fault, Names, Section, Slot, Time};

/// All scenarios, in load order, and the ways to find them.
#[derive(Debug)]
pub struct Scenarios {
    list: Box<[Placed]>,
    dispatch: Dispatch,
    names: Arc<Names>,
    seed: Seed,
    pub(super) fields: SourceFields,
    pub(super) contexts: Contexts,
    /// The length of the IPv6 prefixes that are counted as one address.
    counted: Option<u8>,
}

/// A scenario and what is asked of it for nearly every event, in that order: with many scenarios
/// each is far from the processor's caches.
#[derive(Debug)]
#[repr(C)]
struct Placed {
    /// The part of all bucket keys that is its own.
    partition: Partition,
    /// Others with the same name and filter: they share its buckets.
    siblings: Box<[ScenarioId]>,
    filter: Filter,
    /// The only kind of event that it takes, if it asks for that first.
    about: Option<Kind>,
    groupby: Text,
    distinct: Text,
    /// Whether an event may be old to a bucket, or cancel it.
    judges: bool,
    /// Whether it blames addresses, so that those of one network may be counted together.
    blames_addresses: bool,
    /// Whether more than the brief form of an event may be asked for once it is in a bucket.
    whole: bool,
    scenario: Scenario,
}

/// What is known of a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Filter {
    /// The scenario's expressions may fail, or write into the event.
    Any,
    /// None of the scenario's expressions does. The number is that of the first scenario of which
    /// this holds and whose filter is the same text.
    Pure(u32),
}

/// Where a text is found that a scenario asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Text {
    /// It does not ask.
    Nowhere,
    Field(Slot),
    Expression,
}

/// Memory that a worker uses again for each event.
#[derive(Debug, Default)]
pub struct Scratch {
    candidates: Candidates,
    copier: Copier,
    /// A written time and what it means: those of neighbouring lines are mostly equal.
    stamp: (String, Option<Time>),
}

struct Chosen<'a> {
    scenario: ScenarioId,
    key: BucketKey,
    group: &'a str,
    /// Where the group is in the copy.
    piece: Piece,
    verdict: Verdict,
    others: Others,
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
        let dispatch = Dispatch::new(scenarios.iter().map(|scenario| Some(scenario.filter())));
        let shared: Vec<_> = siblings(&scenarios)
            .into_iter()
            .enumerate()
            .map(|(at, siblings)| {
                let mut owners = siblings.iter().map(|id| id.index()).chain([at]);
                let whole = owners.clone().any(|at| scenarios[at].needs_whole_events());
                let is_pure = owners.all(|at| scenarios[at].is_pure());
                (siblings, whole, is_pure)
            })
            .collect();
        let mut filters = HashMap::new();
        let numbered = (0..).zip(scenarios).zip(shared);
        let list = numbered.map(|((number, scenario), (siblings, whole, is_pure))| Placed {
            partition: seed.partition(&scenario.name, &scenario.filter_text),
            filter: match is_pure {
                true => {
                    Filter::Pure(*filters.entry(scenario.filter_text.clone()).or_insert(number))
                }
                false => Filter::Any,
            },
            about: scenario.filter().first_asked("GetType").and_then(Kind::of_word),
            groupby: Text::of(scenario.groupby.as_ref()),
            distinct: Text::of(scenario.distinct.as_ref()),
            judges: scenario.distinct.is_some() || scenario.cancel_on.is_some(),
            blames_addresses: matches!(scenario.scope, Scope::Ip) && scenario.groupby.is_some(),
            scenario,
            siblings,
            whole,
        });
        let fields = SourceFields::find(&names);
        let list = list.collect();
        Self { list, dispatch, names, seed, fields, contexts: Contexts::default(), counted: None }
    }

    /// The same, with alerts that say what these contexts ask for.
    #[must_use]
    pub fn with_contexts(mut self, contexts: Contexts) -> Self {
        let whole = contexts.needs_whole_events();
        self.list.iter_mut().for_each(|placed| placed.whole |= whole);
        self.contexts = contexts;
        self
    }

    /// The same, with IPv6 addresses counted by their prefixes of so many bits; `None` for each on
    /// its own, as in the dialect.
    #[must_use]
    pub fn counted_by(mut self, length: Option<u8>) -> Self {
        self.counted = length;
        self
    }

    /// What stays silent when a bucket overflowed: as a rule the bucket. Of one for a whole network
    /// it is the address that made it overflow, so that the next one is told of.
    pub(super) fn silenced(&self, bucket: &Bucket, group: &str, arena: &Arena) -> BucketKey {
        let part = || {
            let ip = bucket.queue().last()?.get(self.fields.ip()?)?;
            let network = neighbours::around(ip, self.counted?, arena)?;
            group.starts_with(network).then(|| self.seed.group(ip))
        };
        part().map_or(bucket.key, |part| bucket.key.part(part))
    }

    /// A scenario.
    #[inline]
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
        self.dispatch.n_always()
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
        self.get(id).filter.explain(&super::expression::Variables::of_event(event, world))
    }

    fn select_either<'a>(
        &'a self,
        scratch: &mut Scratch,
        event: &'a Event<'a>,
        overflow: Option<&Arc<Overflow>>,
        world: &'a World,
        pours: &mut Vec<Pour>,
    ) -> Selected {
        let Scratch { candidates, copier, stamp } = scratch;
        let field = |slot| event.get(slot);
        self.dispatch.collect(field, candidates);
        let Some(mut number) = self.dispatch.next(candidates, 0, field) else {
            return Selected::default();
        };
        let mut chosen: ArenaVec<'_, Chosen<'a>> = ArenaVec::new_in(event.arena());
        let mut known = Known::new(event, world);
        if !event.trust.get().is_full() {
            known.limited = Some(self.seed.group(&event.trust.get().number().to_string()));
        }
        let mut fault = None;
        loop {
            let id = ScenarioId(u32::try_from(number).expect("far fewer scenarios are loaded"));
            match self.choose(id, &mut known) {
                Ok(Some(found)) => {
                    if chosen.is_empty() {
                        chosen.reserve(8);
                    }
                    chosen.push(found);
                }
                Ok(None) => {}
                Err(why) => {
                    fault = Some((id, why));
                    break;
                }
            }
            match self.dispatch.next(candidates, number + 1, field) {
                Some(next) => number = next,
                None => break,
            }
        }
        let n_poured = chosen.len();
        if n_poured > 0 {
            // Copied last: filters may have written into the event.
            copier.begin(event, known.whole);
            let mut last = ("", Piece::default());
            for chosen in &mut chosen {
                if !std::ptr::eq(chosen.group, last.0) {
                    last = (chosen.group, copier.keep(chosen.group));
                }
                chosen.piece = last.1;
            }
            let mut snapshot = copier.finish(event);
            if event.mode == Mode::Replay || event.kind == Kind::Overflow {
                snapshot.written_at = written_at(event.marshaled_time.get(), stamp);
            }
            if let Some(overflow) = overflow {
                snapshot = snapshot.with_overflow(Arc::clone(overflow));
            }
            pour_all(chosen, Arc::new(snapshot), pours);
        }
        Selected { n_poured, fault }
    }

    #[inline]
    fn choose<'a>(
        &'a self,
        id: ScenarioId,
        known: &mut Known<'a>,
    ) -> Result<Option<Chosen<'a>>, Fault> {
        let placed = &self.list[id.index()];
        if placed.about.is_some_and(|about| about != known.event.kind) {
            return Ok(None);
        }
        let filter = &placed.scenario.filter;
        let takes = match (placed.filter, known.filter) {
            (Filter::Pure(number), Some((same, truth))) if number == same => truth,
            (Filter::Pure(number), _) => {
                known.filter.insert((number, filter.truth(&known.variables)?)).1
            }
            (Filter::Any, _) => {
                (known.filter, known.field, known.around) = (None, None, None);
                filter.truth(&known.variables)?
            }
        };
        if !takes {
            return Ok(None);
        }
        let group = match (placed.groupby, &placed.scenario.groupby) {
            (Text::Field(slot), _) => match (known.field, placed.filter) {
                (Some((same, text)), Filter::Pure(_)) if same == slot => text,
                _ => {
                    let text = known.event.get(slot).unwrap_or_default();
                    known.field.insert((slot, text)).1
                }
            },
            (_, None) => "",
            (_, Some(groupby)) => {
                let value = groupby.value(&known.variables)?;
                value.as_text().ok_or_else(|| {
                    Fault::new(format!("expected text to group by, found {}", value.kind()))
                })?
            }
        };
        let group = match self.counted {
            Some(length) if placed.blames_addresses => {
                known.widened(group, self.fields.ip(), length)
            }
            _ => group,
        };
        let hash = match known.group {
            Some((same, hash)) if std::ptr::eq(same, group) => hash,
            _ => known.group.insert((group, self.seed.group(group))).1,
        };
        known.whole |= placed.whole;
        let siblings = placed.siblings.iter();
        let others = siblings.map(|&other| (other, self.verdict(other, known))).collect();
        let verdict = self.verdict(id, known);
        if placed.filter == Filter::Any {
            known.field = None;
        }
        let key = placed.partition.key(hash);
        Ok(Some(Chosen {
            scenario: id,
            key: known.limited.map_or(key, |limited| key.part(limited)),
            group,
            piece: Piece::default(),
            others,
            verdict,
        }))
    }

    #[inline]
    fn verdict<'a>(&'a self, id: ScenarioId, known: &mut Known<'a>) -> Verdict {
        let placed = &self.list[id.index()];
        if !placed.judges {
            return Verdict::default();
        }
        // A value that cannot be told lets the event pass; one that is no text counts as "".
        let text = match (placed.distinct, &placed.scenario.distinct) {
            (Text::Field(slot), _) => Some(known.event.get(slot).unwrap_or_default()),
            (_, None) => None,
            (_, Some(distinct)) => {
                let value = distinct.value(&known.variables).ok();
                value.map(|value| value.as_text().unwrap_or_default())
            }
        };
        let distinct = text.map(|text| match known.distinct {
            Some((same, hash)) if std::ptr::eq(same, text) => hash,
            _ => known.distinct.insert((text, self.seed.distinct(text))).1,
        });
        let cancels = match &placed.scenario.cancel_on {
            None => false,
            Some(expression) => expression.truth(&known.variables).unwrap_or(false),
        };
        Verdict { distinct, cancels }
    }
}

impl Chosen<'_> {
    #[inline]
    fn pour(self, event: Arc<Snapshot>) -> Pour {
        let Self { scenario, key, piece: group, verdict, others, .. } = self;
        Pour { scenario, key, group, verdict, others, event }
    }
}

impl Text {
    fn of(expression: Option<&Expression>) -> Self {
        match expression.map(|expression| expression.program().as_field()) {
            None => Self::Nowhere,
            Some(Some(slot)) => Self::Field(slot),
            Some(None) => Self::Expression,
        }
    }
}

fn pour_all(chosen: ArenaVec<'_, Chosen<'_>>, event: Arc<Snapshot>, pours: &mut Vec<Pour>) {
    let mut chosen = chosen.into_iter();
    let last = chosen.next_back();
    pours.reserve(chosen.len() + 1);
    for chosen in chosen {
        pours.push(chosen.pour(Arc::clone(&event)));
    }
    if let Some(last) = last {
        pours.push(last.pour(event));
    }
}

/// What `text` says, unless it is the same as before.
fn written_at(text: &str, (known, time): &mut (String, Option<Time>)) -> Option<Time> {
    if known != text {
        text.clone_into(known);
        *time = Time::from_rfc3339(text);
    }
    *time
}

/// For each scenario the others of the same name and filter.
fn siblings(scenarios: &[Scenario]) -> Vec<Box<[ScenarioId]>> {
    let mut by_name: HashMap<&str, Vec<ScenarioId>> = HashMap::new();
    let numbered = || (0u32..).map(ScenarioId).zip(scenarios);
    for (id, scenario) in numbered() {
        by_name.entry(&scenario.name).or_default().push(id);
    }
    let others = |(id, scenario): (ScenarioId, &Scenario)| {
        let same = |other: &ScenarioId| {
            *other != id && scenarios[other.index()].filter_text == scenario.filter_text
        };
        by_name.get(&*scenario.name).into_iter().flatten().copied().filter(same).collect()
    };
    numbered().map(others).collect()
}
