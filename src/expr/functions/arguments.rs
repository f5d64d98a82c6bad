//! Taking arguments as what they should be.

use super::{Fault, Map, Value};

fn wrong(index: usize, expected: &str, found: Value<'_>) -> Fault {
    Fault::new(format!("argument {}: expected {expected}, found {}", index + 1, found.kind()))
}

/// The argument at `index`, or nil when it was left out.
pub(super) fn option<'a>(arguments: &[Value<'a>], index: usize) -> Value<'a> {
    arguments.get(index).copied().unwrap_or(Value::Nil)
}

/// The text at `index`.
pub(super) fn text<'a>(arguments: &[Value<'a>], index: usize) -> Result<&'a str, Fault> {
    match option(arguments, index) {
        Value::Text(text) => Ok(text),
        other => Err(wrong(index, "string", other)),
    }
}

/// The texts from `index` on.
pub(super) fn texts<'v, 'a>(
    arguments: &'v [Value<'a>],
    index: usize,
) -> impl Iterator<Item = Result<&'a str, Fault>> + use<'v, 'a> {
    (index..arguments.len()).map(|index| text(arguments, index))
}

/// The integer at `index`; a float is none.
pub(super) fn int(arguments: &[Value<'_>], index: usize) -> Result<i64, Fault> {
    match option(arguments, index) {
        Value::Int(number) => Ok(number),
        other => Err(wrong(index, "int", other)),
    }
}

/// The number at `index`, integer or float.
pub(super) fn number(arguments: &[Value<'_>], index: usize) -> Result<f64, Fault> {
    match option(arguments, index) {
        Value::Int(number) => Ok(number as f64),
        Value::Float(number) => Ok(number),
        other => Err(wrong(index, "number", other)),
    }
}

/// The list at `index`.
pub(super) fn list<'a>(arguments: &[Value<'a>], index: usize) -> Result<&'a [Value<'a>], Fault> {
    match option(arguments, index) {
        Value::List(items) => Ok(items),
        other => Err(wrong(index, "list", other)),
    }
}

/// The map at `index`.
pub(super) fn map<'a>(arguments: &[Value<'a>], index: usize) -> Result<&'a dyn Map<'a>, Fault> {
    match option(arguments, index) {
        Value::Map(map) => Ok(map),
        other => Err(wrong(index, "map", other)),
    }
}
