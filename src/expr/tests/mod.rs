//! An event to try expressions on, and what they should give.

mod addresses;
mod dispatch;
mod evaluate;
mod explain;
mod generated;
mod limits;
mod mistakes;
mod oracle;
mod properties;
mod ranges;
mod requirements;
mod signatures;

use std::collections::HashMap;

use super::trace::Outcome;
use super::{Environment, Mistake, Program, Scope, Trace, TraceKind, World, compile};
use crate::value::{
    Arena, Entries, Fault, Map, Method, Names, Object, Section, Shape, Slot, Time, Type, Value,
};

const TEXTS: Type = Type::List(&Type::Text);

static EVENT: Shape = Shape {
    name: "event",
    fields: &[
        ("Type", Type::Int),
        ("Whitelisted", Type::Bool),
        ("Stage", Type::Text),
        ("Line", Type::Object(&LINE)),
        ("Parsed", Type::Fields(Section::Parsed)),
        ("Enriched", Type::Fields(Section::Enriched)),
        ("Unmarshaled", Type::Map(&Type::Unknown)),
        ("Meta", Type::Fields(Section::Meta)),
        ("Time", Type::Time),
        ("Alert", Type::Object(&LINE)),
        ("Words", TEXTS),
    ],
    methods: &[
        Method { name: "GetMeta", arguments: &[Type::Text], result: Type::Text },
        Method { name: "SetMeta", arguments: &[Type::Text, Type::Text], result: Type::Bool },
        Method { name: "Fails", arguments: &[], result: Type::Bool },
    ],
};

static LINE: Shape = Shape {
    name: "line",
    fields: &[("Raw", Type::Text), ("Labels", Type::Fields(Section::Label))],
    methods: &[],
};

/// The variables of the test event.
static VARIABLES: &[(&str, Type)] = &[
    ("evt", Type::Object(&EVENT)),
    ("queue", Type::List(&Type::Object(&EVENT))),
    ("any_value", Type::Unknown),
    ("n", Type::Int),
];

/// Texts by section and name, and a value for everything else.
struct Event<'a> {
    arena: &'a Arena,
    names: &'a Names,
    world: &'a World,
    fields: std::cell::RefCell<HashMap<(Section, String), &'a str>>,
    unmarshaled: &'a Entries<'a>,
    any_value: Value<'a>,
}

impl<'a> Event<'a> {
    fn new(arena: &'a Arena, names: &'a Names, fields: &[(Section, &str, &'a str)]) -> &'a Self {
        let fields =
            fields.iter().map(|(section, name, text)| ((*section, (*name).to_owned()), *text));
        let unmarshaled = arena.alloc(Entries::new(arena, Type::Unknown));
        let inner = arena.alloc(Entries::new(arena, Type::Unknown));
        inner.set("status", Value::Int(200));
        inner.set("name", Value::Text("Weir"));
        inner.set("nothing", Value::Nil);
        inner.set("list", Value::List(arena.alloc([Value::Int(1), Value::Float(2.5)])));
        unmarshaled.set("json", Value::Map(inner));
        let any_value = Value::Nil;
        let world = arena.alloc(World::default());
        let fields = std::cell::RefCell::new(fields.collect());
        arena.alloc(Self { arena, names, world, fields, unmarshaled, any_value })
    }

    fn get(&self, section: Section, name: &str) -> Option<&'a str> {
        self.fields.borrow().get(&(section, name.to_owned())).copied()
    }
}

/// One section of the test event.
struct SectionMap<'a>(&'a Event<'a>, Section);

impl<'a> Map<'a> for SectionMap<'a> {
    fn element(&self) -> Type {
        Type::Text
    }

    fn get(&self, key: &str) -> Option<Value<'a>> {
        self.0.get(self.1, key).map(Value::Text)
    }

    fn set(&self, key: &'a str, value: Value<'a>) -> bool {
        let Value::Text(text) = value else { return false };
        self.0.fields.borrow_mut().insert((self.1, key.to_owned()), text);
        true
    }

    fn each(&self, each: &mut dyn FnMut(&'a str, Value<'a>)) {
        for ((section, name), text) in self.0.fields.borrow().iter() {
            if *section == self.1 {
                each(self.0.arena.alloc_str(name), Value::Text(text));
            }
        }
    }
}

struct LineObject<'a>(&'a Event<'a>);

impl<'a> Object<'a> for LineObject<'a> {
    fn shape(&self) -> &'static Shape {
        &LINE
    }

    fn named(&self, name: &str) -> Value<'a> {
        match name {
            "Raw" => Value::Text("raw line"),
            _ => Value::Map(self.0.arena.alloc(SectionMap(self.0, Section::Label))),
        }
    }
}

impl<'a> Object<'a> for &'a Event<'a> {
    fn shape(&self) -> &'static Shape {
        &EVENT
    }

    fn named(&self, name: &str) -> Value<'a> {
        let section = |section| Value::Map(self.arena.alloc(SectionMap(self, section)));
        match name {
            "Type" => Value::Int(0),
            "Whitelisted" => Value::Bool(false),
            "Stage" => Value::Text("s01-parse"),
            "Line" => Value::Object(self.arena.alloc(LineObject(self))),
            "Parsed" => section(Section::Parsed),
            "Enriched" => section(Section::Enriched),
            "Unmarshaled" => Value::Map(self.unmarshaled),
            "Meta" => section(Section::Meta),
            "Time" => Value::Time(Time::from_seconds(1_706_308_215)),
            "Words" => Value::List(self.arena.alloc([Value::Text("a"), Value::Text("bc")])),
            _ => Value::Nil,
        }
    }

    fn call_named(
        &self,
        name: &str,
        arguments: &[Value<'a>],
        _: &'a Arena,
    ) -> Result<Value<'a>, Fault> {
        match (name, arguments) {
            ("GetMeta", [Value::Text(key)]) => {
                Ok(Value::Text(self.get(Section::Meta, key).unwrap_or_default()))
            }
            ("SetMeta", [Value::Text(key), Value::Text(value)]) => {
                self.fields.borrow_mut().insert((Section::Meta, (*key).to_owned()), value);
                Ok(Value::Bool(true))
            }
            _ => Err(Fault::new("it always fails")),
        }
    }
}

impl<'a> Scope<'a> for &'a Event<'a> {
    fn arena(&self) -> &'a Arena {
        self.arena
    }

    fn variable(&self, index: usize) -> Value<'a> {
        let event: Value<'a> = Value::Object(self.arena.alloc(*self));
        match index {
            0 => event,
            1 => Value::List(self.arena.alloc([event, event])),
            2 => self.any_value,
            _ => Value::Int(7),
        }
    }

    fn field(&self, slot: Slot) -> Option<&'a str> {
        let (section, name) = self.names.name(slot)?;
        self.get(section, name)
    }

    fn section(&self, section: Section) -> Value<'a> {
        Value::Map(self.arena.alloc(SectionMap(self, section)))
    }

    fn world(&self) -> &'a World {
        self.world
    }
}

/// The fields of the test event.
const FIELDS: &[(Section, &str, &str)] = &[
    (Section::Parsed, "program", "sshd"),
    (Section::Parsed, "message", "Failed password for root from 192.0.2.1 port 22"),
    (Section::Parsed, "empty", ""),
    (Section::Meta, "service", "ssh"),
    (Section::Label, "type", "syslog"),
];

fn program(text: &str, names: &mut Names) -> Result<Program, Vec<Mistake>> {
    compile(text, &mut Environment { variables: VARIABLES, names, functions: &[] })
}

/// What `text` gives on the test event, as text.
fn run(text: &str) -> String {
    let mut names = Names::new();
    let program = match program(text, &mut names) {
        Ok(program) => program,
        Err(mistakes) => return format!("mistake: {}", mistakes[0].message),
    };
    let arena = Arena::new();
    let names = names;
    show(program.evaluate(&Event::new(&arena, &names, FIELDS)))
}

fn show(result: Result<Value<'_>, Fault>) -> String {
    match result {
        Ok(value) => format!("{value:?}"),
        Err(fault) => format!("fault: {fault}"),
    }
}
