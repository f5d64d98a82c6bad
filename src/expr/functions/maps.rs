//! Maps: their keys and values, and maps from pairs.

use super::{
    Call, Fault, Function, LIST, Map, TEXTS, Type, Value, list, list_of, map, option, text,
};
use crate::value::Entries;

const ANY: Type = Type::Unknown;

pub(super) const TABLE: &[Function] = &[
    Function::new("keys", &[ANY], TEXTS, keys).with_check(map_first),
    Function::new("values", &[ANY], LIST, values).with_check(map_first),
    Function::new("toPairs", &[ANY], LIST, to_pairs).with_check(map_first),
    Function::new("fromPairs", &[LIST], Type::Map(&ANY), from_pairs).with_check(pairs),
    Function::new("KeyExists", &[Type::Text, ANY], Type::Bool, key_exists).with_check(map_second),
];

fn is_map(kind: Type) -> bool {
    matches!(kind, Type::Map(_) | Type::Fields(_))
}

fn map_first(_: usize, kind: Type) -> Option<&'static str> {
    (!is_map(kind)).then_some("map")
}

fn map_second(index: usize, kind: Type) -> Option<&'static str> {
    (index == 1 && !is_map(kind) && !matches!(kind, Type::Nil)).then_some("map")
}

/// Where a function puts what it has read: a map whose values may be anything.
pub(super) fn open_map_second(index: usize, kind: Type) -> Option<&'static str> {
    (index == 1 && !matches!(kind, Type::Map(Type::Unknown)))
        .then_some("map that may hold anything")
}

fn pairs(_: usize, kind: Type) -> Option<&'static str> {
    let fits = matches!(kind, Type::List(Type::Unknown | Type::List(_)));
    (!fits).then_some("list of pairs")
}

fn entries<'a>(map: &dyn Map<'a>) -> Vec<(&'a str, Value<'a>)> {
    let mut entries = Vec::new();
    map.each(&mut |key, value| entries.push((key, value)));
    entries
}

fn keys<'a>(call: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let entries = entries(map(arguments, 0)?);
    list_of(call.arena, entries.into_iter().map(|(key, _)| Value::Text(key)))
}

fn values<'a>(call: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let entries = entries(map(arguments, 0)?);
    list_of(call.arena, entries.into_iter().map(|(_, value)| value))
}

fn to_pairs<'a>(call: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let entries = entries(map(arguments, 0)?);
    let pair = |(key, value)| Value::List(&*call.arena.alloc([Value::Text(key), value]));
    list_of(call.arena, entries.into_iter().map(pair))
}

fn from_pairs<'a>(call: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let mut entries = Vec::new();
    for pair in list(arguments, 0)? {
        let Value::List([key, value]) = *pair else {
            return Err(Fault::new("argument 1: expected a list of pairs"));
        };
        entries.push((super::default_text_in(*key, call.arena), *value));
    }
    Ok(Value::Map(call.arena.alloc(Entries::collect(call.arena, ANY, entries))))
}

fn key_exists<'a>(_: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let key = text(arguments, 0)?;
    // A map that is not there has no keys.
    if option(arguments, 1).is_nil() {
        return Ok(Value::Bool(false));
    }
    Ok(Value::Bool(map(arguments, 1)?.get(key).is_some()))
}

#[cfg(test)]
mod tests {
    use crate::expr::functions::tests::{check, faults};

    #[test]
    fn maps() {
        check("keys", "[{'a': 1, 'b': 2}]", "['a', 'b']");
        check("values", "[{'a': 1, 'b': 2}]", "[1, 2]");
        check("toPairs", "[{'a': 1}]", "[['a', 1]]");
        check("fromPairs", "[[['a', 1], ['a', 2], [3, 4]]]", "{'a': 2, '3': 4}");
        faults("fromPairs", "[[1]]", "argument 1: expected a list of pairs");
        check("KeyExists", "['a', {'a': nil}]", "true");
        check("KeyExists", "['b', {'a': 1}]", "false");
        check("KeyExists", "['b', nil]", "false");
    }
}
