//! The functions that expressions may call by name, all but those that take a predicate.
//!
//! Each file holds one subject: the code and, at its head, the table of what it offers. No
//! function panics, whatever its arguments; what cannot be done is a [`Fault`]. Results are
//! bounded in size, because their arguments come from log lines. Nothing here reads a clock, a
//! disk or a network: such facts come from the [`World`](super::World).

use std::sync::LazyLock;

use super::{Call, Check, Code, Function};
use crate::value::{Arena, Fault, Map, Type, Value};

pub(super) mod address;
mod arguments;
mod decisions;
mod files;
mod format;
mod geo;
mod glob;
mod json;
mod keyvalue;
mod lists;
mod maps;
mod network;
mod numbers;
mod stash;
mod text;
mod time;
mod uri;
mod xml;

pub use format::default_text;
use format::default_text_in;
pub use json::json_text;
pub(super) use time::{average_interval, median_interval};
pub use xml::Documents;

use arguments::{int, list, map, number, option, text, texts};

/// No list that a function makes has more elements.
const LONGEST_LIST: usize = 1_000_000;

/// No text that a function makes has more bytes.
const LONGEST_TEXT: usize = 16 << 20;

/// A list of texts.
const TEXTS: Type = Type::List(&Type::Text);

/// A list of anything.
const LIST: Type = Type::List(&Type::Unknown);

static TABLES: [&[Function]; 17] = [
    address::TABLE,
    decisions::TABLE,
    files::TABLE,
    format::TABLE,
    geo::TABLE,
    glob::TABLE,
    json::TABLE,
    keyvalue::TABLE,
    lists::TABLE,
    maps::TABLE,
    network::TABLE,
    numbers::TABLE,
    stash::TABLE,
    text::TABLE,
    time::TABLE,
    uri::TABLE,
    xml::TABLE,
];

/// All functions, sorted by name.
static SORTED: LazyLock<Vec<&'static Function>> = LazyLock::new(|| {
    let mut all: Vec<&Function> = TABLES.iter().flat_map(|table| table.iter()).collect();
    all.sort_unstable_by_key(|function| function.name);
    all
});

/// The function of this name, case sensitive.
#[must_use]
pub fn find(name: &str) -> Option<&'static Function> {
    let index = SORTED.binary_search_by_key(&name, |function| function.name).ok()?;
    SORTED.get(index).copied()
}

/// The names of all functions, sorted.
pub fn names() -> impl Iterator<Item = &'static str> {
    SORTED.iter().map(|function| function.name)
}

impl Function {
    /// A function with a fixed number of arguments.
    const fn new(name: &'static str, required: &'static [Type], result: Type, code: Code) -> Self {
        Self { name, required, optional: &[], rest: None, check: None, result, code }
    }

    /// The same with arguments that may be left out.
    const fn with_optional(self, optional: &'static [Type]) -> Self {
        Self { optional, ..self }
    }

    /// The same with more to say about its arguments.
    const fn with_check(self, check: Check) -> Self {
        Self { check: Some(check), ..self }
    }

    /// The same with any number of further arguments.
    const fn with_rest(self, rest: Type) -> Self {
        Self { rest: Some(rest), ..self }
    }
}

/// The fault of a result that would be too large.
fn too_large(what: &str) -> Fault {
    Fault::new(format!("the {what} would be too large"))
}

/// Copies values into a list.
fn list_of<'a>(
    arena: &'a Arena,
    values: impl IntoIterator<Item = Value<'a>>,
) -> Result<Value<'a>, Fault> {
    let mut items = bumpalo::collections::Vec::new_in(arena);
    for value in values {
        if items.len() == LONGEST_LIST {
            return Err(too_large("list"));
        }
        items.push(value);
    }
    Ok(Value::List(items.into_bump_slice()))
}

#[cfg(test)]
mod tests;
