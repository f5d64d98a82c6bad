//! A bucket and its events as expressions see them: `leaky` and `queue`.

use bumpalo::collections::Vec as ArenaVec;

use super::bucket::Bucket;
use super::expression::{Subject, Variables};
use super::kept::Queue;
use super::lent::Lent;
use super::scenario::{Horizon, Scenario};
use crate::event::{EVENT, ShownKey};
use crate::expr::World;
use crate::value::{Arena, Fault, Method, Names, Object, Shape, Time, Type, Value};

/// `queue`: the events that a bucket keeps.
pub(super) static QUEUE: Shape = Shape {
    name: "queue",
    fields: &[("Queue", Type::List(&Type::Object(&EVENT))), ("L", Type::Int)],
    methods: &[Method::plain("GetQueue", Type::List(&Type::Object(&EVENT)))],
};

/// `leaky`: the bucket.
pub(super) static LEAKY: Shape = Shape {
    name: "bucket",
    fields: &[
        ("Name", Type::Text),
        ("Mapkey", Type::Text),
        ("Capacity", Type::Int),
        ("Leakspeed", Type::Duration),
        ("Total_count", Type::Int),
        ("First_ts", Type::Time),
        ("Last_ts", Type::Time),
        ("Ovflw_ts", Type::Time),
        ("Factory", Type::Object(&FACTORY)),
    ],
    methods: &[],
};

/// `leaky.Factory`: what the bucket was made from.
static FACTORY: Shape =
    Shape { name: "factory", fields: &[("Spec", Type::Object(&SPEC))], methods: &[] };

/// `leaky.Factory.Spec`: the scenario.
static SPEC: Shape = Shape {
    name: "scenario",
    fields: &[
        ("Name", Type::Text),
        ("Description", Type::Text),
        ("Type", Type::Text),
        ("Capacity", Type::Int),
        ("Reprocess", Type::Bool),
    ],
    methods: &[],
};

/// `queue`, lent.
pub(super) struct QueueView<'a> {
    events: &'a [Value<'a>],
    length: i64,
}

impl<'a> QueueView<'a> {
    /// The events of a bucket. Each is only taken out of its snapshot when an expression looks
    /// into it.
    pub(super) fn new(
        arena: &'a Arena,
        names: &'a Names,
        queue: &'a Queue,
        length: i64,
    ) -> &'a Self {
        let mut events = ArenaVec::with_capacity_in(queue.len(), arena);
        events.extend(queue.iter().map(|event| object(arena, Lent::new(arena, names, event))));
        arena.alloc(Self { events: events.into_bump_slice(), length })
    }

    /// Only those of the events that are within a horizon.
    pub(super) fn within(
        arena: &'a Arena,
        names: &'a Names,
        world: &'a World,
        queue: &'a Queue,
        length: i64,
        horizon: &'a Horizon,
    ) -> &'a Self {
        let most = horizon.most();
        if queue.len() <= most {
            return Self::new(arena, names, queue, length);
        }
        let mut newest = horizon.newest;
        let mut missing = ArenaVec::with_capacity_in(horizon.matching.len(), arena);
        missing.extend(horizon.matching.iter().map(|(_, most)| *most));
        let mut events = ArenaVec::with_capacity_in(most.min(queue.len()), arena);
        let mut variables = Variables::of_bucket(arena, world);
        for event in queue.iter().rev() {
            if newest == 0 && missing.iter().all(|missing| *missing == 0) {
                break;
            }
            let lent = Lent::new(arena, names, event);
            let mut is_needed = newest > 0;
            newest = newest.saturating_sub(1);
            for ((holds, _), missing) in horizon.matching.iter().zip(&mut missing) {
                if *missing == 0 {
                    continue;
                }
                variables.subject = Subject::Lent(lent);
                if holds.truth(&variables).unwrap_or(false) {
                    *missing -= 1;
                    is_needed = true;
                }
            }
            if is_needed {
                events.push(object(arena, lent));
            }
        }
        events.reverse();
        arena.alloc(Self { events: events.into_bump_slice(), length })
    }
}

fn object<'a>(arena: &'a Arena, lent: &'a Lent<'a>) -> Value<'a> {
    Value::Object(arena.alloc(lent))
}

impl<'a> Object<'a> for QueueView<'a> {
    fn shape(&self) -> &'static Shape {
        &QUEUE
    }

    fn field(&self, index: usize) -> Value<'a> {
        match index {
            0 => Value::List(self.events),
            _ => Value::Int(self.length),
        }
    }

    fn named(&self, name: &str) -> Value<'a> {
        match name {
            "Queue" => Value::List(self.events),
            "L" => Value::Int(self.length),
            _ => Value::Nil,
        }
    }

    fn call_named(
        &self,
        name: &str,
        arguments: &[Value<'a>],
        _: &'a Arena,
    ) -> Result<Value<'a>, Fault> {
        match name {
            "GetQueue" => Ok(Value::List(self.events)),
            _ => Err(QUEUE.misfit(name, arguments)),
        }
    }
}

/// `leaky`, lent.
pub(super) struct LeakyView<'a> {
    pub(super) arena: &'a Arena,
    pub(super) scenario: &'a Scenario,
    pub(super) bucket: &'a Bucket,
    pub(super) group: &'a str,
    pub(super) overflowed_at: Option<Time>,
}

impl<'a> Object<'a> for LeakyView<'a> {
    fn shape(&self) -> &'static Shape {
        &LEAKY
    }

    fn named(&self, name: &str) -> Value<'a> {
        let (scenario, bucket) = (self.scenario, self.bucket);
        let instant = |time: Option<Time>| Value::Time(time.unwrap_or(Time::from_nanos(0)));
        match name {
            "Name" => Value::Text(&scenario.name),
            "Mapkey" => {
                let (filter, name) = (scenario.filter_text.clone(), scenario.name.clone());
                let key = ShownKey::new(filter, self.group, name);
                Value::Text(self.arena.alloc_str(key.as_str()))
            }
            "Capacity" => Value::Int(scenario.capacity),
            "Leakspeed" => Value::Duration(scenario.leakspeed),
            "Total_count" => Value::Int(i64::try_from(bucket.total()).unwrap_or(i64::MAX)),
            "First_ts" => instant(bucket.first()),
            "Last_ts" => instant(bucket.last()),
            "Ovflw_ts" => instant(self.overflowed_at),
            "Factory" => Value::Object(self.arena.alloc(Factory(self.arena, scenario))),
            _ => Value::Nil,
        }
    }
}

struct Factory<'a>(&'a Arena, &'a Scenario);

impl<'a> Object<'a> for Factory<'a> {
    fn shape(&self) -> &'static Shape {
        &FACTORY
    }

    fn named(&self, name: &str) -> Value<'a> {
        match name {
            "Spec" => Value::Object(self.0.alloc(Spec(self.1))),
            _ => Value::Nil,
        }
    }
}

struct Spec<'a>(&'a Scenario);

impl<'a> Object<'a> for Spec<'a> {
    fn shape(&self) -> &'static Shape {
        &SPEC
    }

    fn named(&self, name: &str) -> Value<'a> {
        let scenario = self.0;
        match name {
            "Name" => Value::Text(&scenario.name),
            "Description" => Value::Text(&scenario.description),
            "Type" => Value::Text(scenario.kind.word()),
            "Capacity" => Value::Int(scenario.capacity),
            "Reprocess" => Value::Bool(scenario.reprocess),
            _ => Value::Nil,
        }
    }
}
