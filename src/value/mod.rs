//! The values that travel through rules: text, numbers, lists, maps, instants, durations.
//!
//! A [`Value`] is `Copy` and borrows from an [`Arena`] that lives as long as one event is looked
//! at, so evaluating an expression neither counts references nor runs destructors. Nothing here
//! knows what an event is; objects with named fields show themselves through [`Object`].

#![forbid(unsafe_code)]

mod address;
mod civil;
mod compare;
mod dates;
mod duration;
mod glob;
pub mod layout;
mod local;
mod map;
mod names;
mod owned;
mod ranges;
mod rfc3339;
mod secret;
mod seldom;
mod time;
mod zone;

pub use address::parse_address;
pub use civil::{Civil, MONTHS, WEEKDAYS};
pub use compare::{equal, order, ordered_kinds};
pub use dates::{parse_date, parse_unix};
pub use duration::{duration_text, duration_text_in, parse_duration, parse_duration_with_days};
pub use glob::{Glob, GlobError};
pub use local::{keep_utc, local_offset};
pub use map::{Entries, Map};
pub use names::{Names, Section, Slot};
pub use owned::Owned;
pub use ranges::{Ranges, merged};
pub use rfc3339::{RFC3339_LAYOUT, RFC3339_MAX};
pub use secret::is_same;
pub use seldom::Seldom;
pub use time::Time;
pub use zone::{UnknownZone, Zone, Zones};

/// Bump memory for everything computed while one event is looked at.
pub type Arena = bumpalo::Bump;

/// A value of the expression language, borrowed from the event or from its arena.
#[derive(Clone, Copy)]
pub enum Value<'a> {
    /// No value: a missing key of an untyped map.
    Nil,
    /// A truth value.
    Bool(bool),
    /// A 64-bit integer; arithmetic wraps.
    Int(i64),
    /// A 64-bit float.
    Float(f64),
    /// Text, always UTF-8.
    Text(&'a str),
    /// A list of values.
    List(&'a [Value<'a>]),
    /// A map with text keys.
    Map(&'a dyn Map<'a>),
    /// An instant.
    Time(Time),
    /// A signed span of time in nanoseconds.
    Duration(i64),
    /// Something with named fields and methods: an event, an alert, a bucket.
    Object(&'a dyn Object<'a>),
}

/// The static type of an expression, as far as it is known when a rule is loaded.
#[derive(Clone, Copy, Debug)]
pub enum Type {
    /// Known only when the expression runs; everything is allowed.
    Unknown,
    /// The literal `nil`.
    Nil,
    /// `true` or `false`.
    Bool,
    /// An integer.
    Int,
    /// A float.
    Float,
    /// Text.
    Text,
    /// An instant.
    Time,
    /// A span of time.
    Duration,
    /// A list with elements of one type.
    List(&'static Type),
    /// A map from text to values of one type.
    Map(&'static Type),
    /// A section of an event's text fields (`evt.Parsed`, `evt.Meta`, ...): a map from text to
    /// text whose constant keys are resolved to slots when the expression is compiled.
    Fields(Section),
    /// An object of a known shape.
    Object(&'static Shape),
}

/// The named fields and methods that objects of one kind have.
#[derive(Debug)]
pub struct Shape {
    /// The kind's name, as error messages show it (`event`, `alert`).
    pub name: &'static str,
    /// Field names and types; a field's index is its place in this list.
    pub fields: &'static [(&'static str, Type)],
    /// Methods; a method's index is its place in this list.
    pub methods: &'static [Method],
}

/// A method that expressions may call on an object.
#[derive(Debug)]
pub struct Method {
    /// The name, case sensitive.
    pub name: &'static str,
    /// The types of its arguments; their number is checked when a rule is loaded.
    pub arguments: &'static [Type],
    /// The type of its result.
    pub result: Type,
}

/// Something with named fields and methods that an expression can look into.
pub trait Object<'a> {
    /// What fields and methods this object has.
    fn shape(&self) -> &'static Shape;

    /// The value of a field that the shape names.
    fn named(&self, name: &str) -> Value<'a>;

    /// Calls a method that the shape names; there is none unless an object says otherwise.
    ///
    /// # Errors
    /// A [`Fault`] when the arguments do not fit or the method fails.
    fn call_named(
        &self,
        name: &str,
        arguments: &[Value<'a>],
        arena: &'a Arena,
    ) -> Result<Value<'a>, Fault> {
        let _ = arena;
        Err(self.shape().misfit(name, arguments))
    }

    /// The value of the field at `index` of the shape's list.
    fn field(&self, index: usize) -> Value<'a> {
        self.shape().fields.get(index).map_or(Value::Nil, |(name, _)| self.named(name))
    }

    /// The text of one of its fields that have slots (see [`Type::Fields`]), `""` when it was never
    /// set. Nothing when it does not know them by slots: then it is asked by names.
    fn text(&self, slot: Slot) -> Option<&'a str> {
        let _ = slot;
        None
    }

    /// Calls the method at `index` of the shape's list.
    ///
    /// # Errors
    /// As [`Object::call_named`].
    fn call(
        &self,
        index: usize,
        arguments: &[Value<'a>],
        arena: &'a Arena,
    ) -> Result<Value<'a>, Fault> {
        let name = self.shape().methods.get(index).map_or("", |method| method.name);
        self.call_named(name, arguments, arena)
    }
}

impl Shape {
    /// The index and type of the field `name`.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<(usize, Type)> {
        let index = self.fields.iter().position(|(known, _)| *known == name)?;
        Some((index, self.fields[index].1))
    }

    /// The index and description of the method `name`.
    #[must_use]
    pub fn method(&self, name: &str) -> Option<(usize, &'static Method)> {
        let index = self.methods.iter().position(|method| method.name == name)?;
        Some((index, &self.methods[index]))
    }

    /// What is wrong when a method is called that is not there or does not take the arguments.
    #[must_use]
    pub fn misfit(&self, name: &str, arguments: &[Value<'_>]) -> Fault {
        let kinds: Vec<_> = arguments.iter().map(|argument| argument.kind()).collect();
        Fault::new(format!("`{}.{name}` does not take ({})", self.name, kinds.join(", ")))
    }
}

impl Method {
    /// A method without arguments.
    #[must_use]
    pub const fn plain(name: &'static str, result: Type) -> Self {
        Self { name, arguments: &[], result }
    }
}

/// Why an expression could not be evaluated: a sentence for the rule's author.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    /// What was expected and what was found, lower case, no full stop.
    pub message: String,
}

impl Fault {
    /// A fault with this message.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }
}

impl<'a> Value<'a> {
    /// The text, or `None` for any other kind.
    #[must_use]
    pub fn as_text(self) -> Option<&'a str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The truth value, or `None` for any other kind.
    #[must_use]
    pub fn as_bool(self) -> Option<bool> {
        match self {
            Value::Bool(truth) => Some(truth),
            _ => None,
        }
    }

    /// Whether this is [`Value::Nil`].
    #[must_use]
    pub fn is_nil(self) -> bool {
        matches!(self, Value::Nil)
    }

    /// The kind's name, as error messages show it.
    #[must_use]
    pub fn kind(self) -> &'static str {
        match self {
            Value::Nil => "nil",
            Value::Bool(_) => "bool",
            Value::Int(_) => "int",
            Value::Float(_) => "float",
            Value::Text(_) => "string",
            Value::List(_) => "list",
            Value::Map(_) => "map",
            Value::Time(_) => "time",
            Value::Duration(_) => "duration",
            Value::Object(object) => object.shape().name,
        }
    }
}

impl std::fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Value::Nil => f.write_str("nil"),
            Value::Bool(truth) => write!(f, "{truth}"),
            Value::Int(number) => write!(f, "{number}"),
            Value::Float(number) => write!(f, "{number:?}"),
            Value::Text(text) => write!(f, "{text:?}"),
            Value::List(items) => f.debug_list().entries(items.iter()).finish(),
            Value::Map(map) => {
                let mut shown = f.debug_map();
                map.each(&mut |key, value| {
                    shown.entry(&key, &value);
                });
                shown.finish()
            }
            Value::Time(time) => write!(f, "{time:?}"),
            Value::Duration(nanos) => write!(f, "{nanos}ns"),
            Value::Object(object) => write!(f, "<{}>", object.shape().name),
        }
    }
}
