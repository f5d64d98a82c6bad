//! Lists: their parts, their order, their union. A function gives a new list and leaves its
//! arguments as they were.

use std::collections::HashSet;

use super::{
    Call, Fault, Function, LIST, LONGEST_LIST, TEXTS, Type, Value, int, list, list_of, option,
    text, too_large,
};
use crate::value::{equal, order, ordered_kinds};

const ANY: Type = Type::Unknown;

/// Lists in lists are laid flat down to this depth.
const DEEPEST: u32 = 512;

pub(super) const TABLE: &[Function] = &[
    Function::new("first", &[LIST], ANY, first),
    Function::new("last", &[LIST], ANY, last),
    Function::new("take", &[LIST, Type::Int], LIST, take),
    Function::new("get", &[ANY, ANY], ANY, get),
    Function::new("Get", &[TEXTS, Type::Int], Type::Text, get_text),
    Function::new("reverse", &[LIST], LIST, reverse),
    Function::new("uniq", &[LIST], LIST, distinct),
    Function::new("concat", &[LIST], LIST, concat).with_rest(LIST),
    Function::new("flatten", &[LIST], LIST, flatten),
    Function::new("sort", &[LIST], LIST, sort).with_optional(&[Type::Text]).with_check(sortable),
    Function::new("Flatten", &[], LIST, flatten).with_rest(ANY),
    Function::new("Distinct", &[ANY], LIST, distinct_or_nil),
    Function::new("FlattenDistinct", &[], LIST, flatten_distinct).with_rest(ANY),
];

fn sortable(index: usize, kind: Type) -> Option<&'static str> {
    let has_order = |kind| {
        use Type::{Duration, Float, Int, Text, Time, Unknown};
        matches!(kind, Duration | Float | Int | Text | Time | Unknown)
    };
    let refused = index == 0 && matches!(kind, Type::List(element) if !has_order(*element));
    refused.then_some("list of what has an order")
}

fn first<'a>(_: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    Ok(list(arguments, 0)?.first().copied().unwrap_or(Value::Nil))
}

fn last<'a>(_: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    Ok(list(arguments, 0)?.last().copied().unwrap_or(Value::Nil))
}

fn take<'a>(_: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let items = list(arguments, 0)?;
    let Ok(count) = usize::try_from(int(arguments, 1)?) else {
        return Err(Fault::new("argument 2: expected a count, found a negative number"));
    };
    Ok(Value::List(items.get(..count).unwrap_or(items)))
}

/// The element, or nil when there is none for any reason.
fn get<'a>(_: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    Ok(match (option(arguments, 0), option(arguments, 1)) {
        (Value::Map(map), Value::Text(key)) => match (map.get(key), map.element()) {
            (Some(value), _) => value,
            (None, _) => Value::Nil,
        },
        (Value::List(items), Value::Float(at)) => {
            // Numbers in JSON are floats.
            place(at as i64, items.len())
                .and_then(|at| items.get(at))
                .copied()
                .unwrap_or(Value::Nil)
        }
        (Value::List(items), Value::Int(at)) => {
            place(at, items.len()).and_then(|at| items.get(at)).copied().unwrap_or(Value::Nil)
        }
        (Value::Text(text), Value::Int(at)) => place(at, text.len())
            .and_then(|at| text.as_bytes().get(at))
            .map_or(Value::Nil, |byte| Value::Int(i64::from(*byte))),
        (Value::Object(object), Value::Text(name)) => match object.shape().field(name) {
            Some((index, _)) => object.field(index),
            None => Value::Nil,
        },
        _ => Value::Nil,
    })
}

/// The place that an index means; a negative one counts from the end.
fn place(at: i64, length: usize) -> Option<usize> {
    let length = i64::try_from(length).ok()?;
    usize::try_from(if at < 0 { at.checked_add(length)? } else { at }).ok()
}

/// The text at a place, `""` beyond the end.
fn get_text<'a>(_: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let items = list(arguments, 0)?;
    let Ok(at) = usize::try_from(int(arguments, 1)?) else {
        return Err(Fault::new("argument 2: expected an index, found a negative number"));
    };
    match items.get(at) {
        None => Ok(Value::Text("")),
        Some(Value::Text(text)) => Ok(Value::Text(text)),
        Some(other) => Err(Fault::new(format!(
            "argument 1: expected a list of strings, found {} in it",
            other.kind()
        ))),
    }
}

fn reverse<'a>(call: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    list_of(call.arena, list(arguments, 0)?.iter().rev().copied())
}

fn concat<'a>(call: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let mut all = Vec::new();
    for index in 0..arguments.len() {
        all.extend_from_slice(list(arguments, index)?);
        if all.len() > LONGEST_LIST {
            return Err(too_large("list"));
        }
    }
    list_of(call.arena, all)
}

/// All elements of lists within lists, in order.
fn flat<'a>(items: &[Value<'a>], depth: u32, into: &mut Vec<Value<'a>>) -> Result<(), Fault> {
    for item in items {
        match item {
            Value::List(inner) if depth > 0 => flat(inner, depth - 1, into)?,
            Value::List(_) => return Err(Fault::new("the list is nested too deeply")),
            _ if into.len() == LONGEST_LIST => return Err(too_large("list")),
            _ => into.push(*item),
        }
    }
    Ok(())
}

fn flatten<'a>(call: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let mut all = Vec::new();
    flat(arguments, DEEPEST, &mut all)?;
    list_of(call.arena, all)
}

fn flatten_distinct<'a>(call: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let mut all = Vec::new();
    flat(arguments, DEEPEST, &mut all)?;
    list_of(call.arena, once_each(&all))
}

fn distinct<'a>(call: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    list_of(call.arena, once_each(list(arguments, 0)?))
}

fn distinct_or_nil<'a>(call: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    match option(arguments, 0) {
        Value::List(items) => list_of(call.arena, once_each(items)),
        _ => Ok(Value::Nil),
    }
}

/// What makes simple values equal, so that long lists are not searched again and again.
#[derive(PartialEq, Eq, Hash)]
enum Simple<'a> {
    Text(&'a str),
    Whole(i64),
    Bits(u64),
}

impl<'a> Simple<'a> {
    fn of(value: Value<'a>) -> Option<Self> {
        match value {
            Value::Text(text) => Some(Self::Text(text)),
            Value::Int(number) => Some(Self::Whole(number)),
            // A float that is a whole number equals the integer.
            Value::Float(number) if number.fract() == 0.0 && number.abs() < 9e15 => {
                Some(Self::Whole(number as i64))
            }
            Value::Float(number) if !number.is_nan() => Some(Self::Bits(number.to_bits())),
            _ => None,
        }
    }
}

/// The elements, each where it is first met.
fn once_each<'a>(items: &[Value<'a>]) -> Vec<Value<'a>> {
    let mut simple = HashSet::new();
    let mut others: Vec<Value<'a>> = Vec::new();
    let mut kept = Vec::new();
    for item in items {
        let new = match Simple::of(*item) {
            Some(key) => simple.insert(key),
            None => {
                let new = !others.iter().any(|other| equal(*other, *item));
                if new {
                    others.push(*item);
                }
                new
            }
        };
        if new {
            kept.push(*item);
        }
    }
    kept
}

fn sort<'a>(call: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let items = list(arguments, 0)?;
    let descending = match option(arguments, 1) {
        Value::Nil => false,
        _ => match text(arguments, 1)? {
            "asc" => false,
            "desc" => true,
            other => {
                return Err(Fault::new(format!(
                    "argument 2: expected `asc` or `desc`, found `{other}`"
                )));
            }
        },
    };
    if let Some(pair) = items.windows(2).find(|pair| !ordered_kinds(pair[0], pair[1])) {
        return Err(Fault::new(format!(
            "argument 1: {} and {} have no order",
            pair[0].kind(),
            pair[1].kind()
        )));
    }
    let mut sorted = items.to_vec();
    sorted.sort_by(|one, two| {
        // What is not a number goes first; else the order would be none.
        let nan = |value: &Value<'_>| matches!(value, Value::Float(number) if number.is_nan());
        let ordering = order(*one, *two).unwrap_or_else(|| nan(two).cmp(&nan(one)));
        if descending { ordering.reverse() } else { ordering }
    });
    list_of(call.arena, sorted)
}

#[cfg(test)]
mod tests {
    use crate::expr::functions::tests::{check, faults};

    #[test]
    fn parts() {
        check("first", "[[1, 2]]", "1");
        check("first", "[[]]", "nil");
        check("last", "[[1, 2]]", "2");
        check("take", "[[1, 2, 3], 2]", "[1, 2]");
        check("take", "[[1], 9]", "[1]");
        faults("take", "[[1], -1]", "argument 2: expected a count, found a negative number");
        check("Get", "[['a'], 0]", "'a'");
        check("Get", "[['a'], 1]", "''");
        faults("Get", "[['a'], -1]", "argument 2: expected an index, found a negative number");
    }

    #[test]
    fn get_never_fails() {
        check("get", "[{'a': 1}, 'a']", "1");
        check("get", "[{'a': 1}, 'b']", "nil");
        check("get", "[nil, 'b']", "nil");
        check("get", "[[1, 2], 1]", "2");
        check("get", "[[1, 2], -1]", "2");
        check("get", "[[1, 2], 2]", "nil");
        check("get", "[[1, 2], -3]", "nil");
        check("get", "['a', 'a']", "nil");
        check("get", "['a', 0]", "97");
        check("get", "[[1, 2], 1.0]", "2");
    }

    #[test]
    fn rearranged() {
        check("reverse", "[[1, 2]]", "[2, 1]");
        check("uniq", "[[1, 1.0, 'a', 'a', nil, nil, [1], [1]]]", "[1, 'a', nil, [1]]");
        check("concat", "[[1], [2], []]", "[1, 2]");
        check("flatten", "[[1, [2, [3]]]]", "[1, 2, 3]");
        check("Flatten", "[1, [2, [3]], 'a']", "[1, 2, 3, 'a']");
        check("Distinct", "[['b', 'a', 'b']]", "['b', 'a']");
        check("Distinct", "['b']", "nil");
        check("FlattenDistinct", "[['b', ['a']], 'b']", "['b', 'a']");
    }

    #[test]
    fn sorted() {
        check("sort", "[[3, 1.5, 2]]", "[1.5, 2, 3]");
        check("sort", "[['b', 'a'], 'desc']", "['b', 'a']");
        faults("sort", "[[1, 'a']]", "argument 1: int and string have no order");
        faults("sort", "[[1], 'up']", "argument 2: expected `asc` or `desc`, found `up`");
    }
}
