//! Values as text: the default form that `string()` and `%v` give, and `Sprintf`.

use super::{Arena, Call, Fault, Function, Type, Value, text};
use crate::value::duration_text;

mod verbs;

use verbs::Printer;
pub(super) use verbs::exponent_form;

pub(super) const TABLE: &[Function] = &[
    Function::new("Sprintf", &[Type::Text], Type::Text, sprintf).with_rest(Type::Unknown),
    Function::new("LogInfo", &[Type::Text], Type::Bool, log_info).with_rest(Type::Unknown),
];

/// Values in lists and maps are shown down to this depth.
const DEEPEST: u32 = 64;

fn formatted(arguments: &[Value<'_>]) -> Result<String, Fault> {
    let values = arguments.get(1..).unwrap_or_default();
    Printer::new(values).print(text(arguments, 0)?)
}

fn sprintf<'a>(call: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    Ok(Value::Text(call.arena.alloc_str(&formatted(arguments)?)))
}

fn log_info<'a>(_: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    // Hostile: the text may hold parts of a log line, so it is shown escaped.
    tracing::info!(message = ?formatted(arguments)?, "a rule says");
    Ok(Value::Bool(true))
}

/// A value in its default form: lists as `[a b]`, maps as `map[k:v]` sorted by key, floats such as
/// `1.7e+09`, nil as `<nil>`.
#[must_use]
pub fn default_text(value: Value<'_>) -> String {
    let mut out = String::new();
    write_default(value, &mut out, DEEPEST);
    out
}

/// As [`default_text`], in an arena; a text is itself.
pub(super) fn default_text_in<'a>(value: Value<'a>, arena: &'a Arena) -> &'a str {
    match value {
        Value::Text(text) => text,
        other => arena.alloc_str(&default_text(other)),
    }
}

fn write_default(value: Value<'_>, out: &mut String, depth: u32) {
    let Some(deeper) = depth.checked_sub(1) else { return out.push_str("...") };
    match value {
        Value::Nil => out.push_str("<nil>"),
        Value::Bool(truth) => out.push_str(if truth { "true" } else { "false" }),
        Value::Int(number) => out.push_str(&number.to_string()),
        Value::Float(number) => out.push_str(&verbs::general_form(number, None)),
        Value::Text(text) => out.push_str(text),
        Value::Time(time) => out.push_str(&time.plain()),
        Value::Duration(nanos) => out.push_str(&duration_text(nanos)),
        Value::List(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(' ');
                }
                write_default(*item, out, deeper);
            }
            out.push(']');
        }
        Value::Map(map) => {
            let mut entries = Vec::new();
            map.each(&mut |key, value| entries.push((key, value)));
            entries.sort_unstable_by_key(|(key, _)| *key);
            out.push_str("map[");
            for (index, (key, value)) in entries.iter().enumerate() {
                if index > 0 {
                    out.push(' ');
                }
                out.push_str(key);
                out.push(':');
                write_default(*value, out, deeper);
            }
            out.push(']');
        }
        Value::Object(object) => {
            out.push('{');
            out.push_str(object.shape().name);
            out.push('}');
        }
    }
}

/// What a value's type is called where a verb does not fit it.
fn type_name(value: Value<'_>) -> &'static str {
    match value {
        Value::Nil => "<nil>",
        Value::Bool(_) => "bool",
        Value::Int(_) => "int",
        Value::Float(_) => "float64",
        Value::Text(_) => "string",
        Value::List(_) => "[]interface {}",
        Value::Map(_) => "map[string]interface {}",
        Value::Time(_) => "time.Time",
        Value::Duration(_) => "time.Duration",
        Value::Object(object) => object.shape().name,
    }
}

#[cfg(test)]
mod tests;
