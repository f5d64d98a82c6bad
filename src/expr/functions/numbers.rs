//! Numbers: conversion, rounding, extremes, bits, and the distance between two places.

use super::{Call, Fault, Function, Type, Value, default_text_in, int, list, number, option, text};
use crate::value::order;

const ANY: Type = Type::Unknown;
const INT: Type = Type::Int;
const FLOAT: Type = Type::Float;
const TEXT: Type = Type::Text;

/// The mean radius of the Earth in kilometres.
const EARTH_RADIUS: f64 = 6371.0;

pub(super) const TABLE: &[Function] = &[
    Function::new("len", &[ANY], INT, len).with_check(sized),
    Function::new("int", &[ANY], INT, to_int).with_check(convertible),
    Function::new("float", &[ANY], FLOAT, to_float).with_check(convertible),
    Function::new("string", &[ANY], TEXT, to_text),
    Function::new("type", &[ANY], TEXT, type_of),
    Function::new("Atof", &[TEXT], FLOAT, atof),
    Function::new("abs", &[ANY], ANY, abs).with_check(numeric),
    Function::new("ceil", &[ANY], FLOAT, |_, a| Ok(Value::Float(number(a, 0)?.ceil())))
        .with_check(numeric),
    Function::new("floor", &[ANY], FLOAT, |_, a| Ok(Value::Float(number(a, 0)?.floor())))
        .with_check(numeric),
    Function::new("round", &[ANY], FLOAT, |_, a| Ok(Value::Float(number(a, 0)?.round())))
        .with_check(numeric),
    Function::new("max", &[ANY], ANY, max).with_rest(ANY).with_check(numeric_or_list),
    Function::new("min", &[ANY], ANY, min).with_rest(ANY).with_check(numeric_or_list),
    Function::new("mean", &[ANY], FLOAT, mean).with_rest(ANY).with_check(numeric_or_list),
    Function::new("median", &[ANY], FLOAT, median).with_rest(ANY).with_check(numeric_or_list),
    Function::new("bitand", &[INT, INT], INT, |_, a| Ok(Value::Int(int(a, 0)? & int(a, 1)?))),
    Function::new("bitor", &[INT, INT], INT, |_, a| Ok(Value::Int(int(a, 0)? | int(a, 1)?))),
    Function::new("bitxor", &[INT, INT], INT, |_, a| Ok(Value::Int(int(a, 0)? ^ int(a, 1)?))),
    Function::new("bitnand", &[INT, INT], INT, |_, a| Ok(Value::Int(int(a, 0)? & !int(a, 1)?))),
    Function::new("bitnot", &[INT], INT, |_, a| Ok(Value::Int(!int(a, 0)?))),
    Function::new("bitshl", &[INT, INT], INT, shift_left),
    Function::new("bitshr", &[INT, INT], INT, shift_right),
    Function::new("bitushr", &[INT, INT], INT, shift_right_unsigned),
    Function::new("FloatApproxEqual", &[FLOAT, FLOAT], Type::Bool, nearly_equal),
    Function::new("Distance", &[TEXT, TEXT, TEXT, TEXT], FLOAT, distance),
];

fn sized(_: usize, kind: Type) -> Option<&'static str> {
    let fits = matches!(kind, Type::Text | Type::List(_) | Type::Map(_) | Type::Fields(_));
    (!fits).then_some("string, list or map")
}

fn convertible(_: usize, kind: Type) -> Option<&'static str> {
    (!matches!(kind, Type::Int | Type::Float | Type::Text | Type::Duration))
        .then_some("number or string")
}

fn numeric(_: usize, kind: Type) -> Option<&'static str> {
    (!matches!(kind, Type::Int | Type::Float)).then_some("number")
}

fn numeric_or_list(_: usize, kind: Type) -> Option<&'static str> {
    let fits = matches!(
        kind,
        Type::Int | Type::Float | Type::List(Type::Int | Type::Float | Type::Unknown)
    );
    (!fits).then_some("number or list of numbers")
}

fn wrong(expected: &str, found: Value<'_>) -> Fault {
    Fault::new(format!("argument 1: expected {expected}, found {}", found.kind()))
}

/// Elements, entries, or the characters of a text.
fn len<'a>(_: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let length = match option(arguments, 0) {
        Value::Text(text) if text.is_ascii() => text.len(),
        Value::Text(text) => text.chars().count(),
        Value::List(items) => items.len(),
        Value::Map(map) => map.len(),
        other => return Err(wrong("string, list or map", other)),
    };
    Ok(Value::Int(i64::try_from(length).unwrap_or(i64::MAX)))
}

fn to_int<'a>(_: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    Ok(Value::Int(match option(arguments, 0) {
        Value::Int(number) => number,
        Value::Float(number) => number as i64,
        Value::Duration(nanos) => nanos,
        Value::Text(text) => {
            text.parse().map_err(|_| Fault::new(format!("`{text:.64}` is no integer")))?
        }
        other => return Err(wrong("number or string", other)),
    }))
}

fn to_float<'a>(_: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    Ok(Value::Float(match option(arguments, 0) {
        Value::Int(number) | Value::Duration(number) => number as f64,
        Value::Float(number) => number,
        Value::Text(text) => {
            parse_float(text).ok_or_else(|| Fault::new(format!("`{text:.64}` is no number")))?
        }
        other => return Err(wrong("number or string", other)),
    }))
}

/// A float in text; one that is too large to be told is none.
fn parse_float(text: &str) -> Option<f64> {
    let number: f64 = text.parse().ok()?;
    let says_so = text.trim_start_matches(['+', '-']).starts_with(['i', 'I']);
    (number.is_finite() || number.is_nan() || says_so).then_some(number)
}

fn to_text<'a>(call: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    Ok(Value::Text(default_text_in(option(arguments, 0), call.arena)))
}

fn type_of<'a>(_: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    Ok(Value::Text(match option(arguments, 0) {
        Value::List(_) => "array",
        Value::Time(_) => "time.Time",
        Value::Duration(_) => "time.Duration",
        other => other.kind(),
    }))
}

fn atof<'a>(_: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    Ok(Value::Float(parse_float(text(arguments, 0)?).unwrap_or(0.0)))
}

fn abs<'a>(_: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    match option(arguments, 0) {
        Value::Int(number) => Ok(Value::Int(number.wrapping_abs())),
        Value::Float(number) => Ok(Value::Float(number.abs())),
        other => Err(wrong("number", other)),
    }
}

/// All numbers among the arguments, those in lists included.
fn all_numbers<'a>(arguments: &[Value<'a>]) -> Result<Vec<Value<'a>>, Fault> {
    let mut numbers = Vec::new();
    for index in 0..arguments.len() {
        if matches!(option(arguments, index), Value::List(_)) {
            let items = list(arguments, index)?;
            for item in 0..items.len() {
                number(items, item)?;
            }
            numbers.extend_from_slice(items);
        } else {
            number(arguments, index)?;
            numbers.push(option(arguments, index));
        }
    }
    Ok(numbers)
}

fn max<'a>(_: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    extreme(arguments, std::cmp::Ordering::Greater)
}

fn min<'a>(_: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    extreme(arguments, std::cmp::Ordering::Less)
}

/// The first of the numbers from which no other stands in the order `wanted`.
fn extreme<'a>(arguments: &[Value<'a>], wanted: std::cmp::Ordering) -> Result<Value<'a>, Fault> {
    let better = |best, next| if order(next, best) == Some(wanted) { next } else { best };
    Ok(all_numbers(arguments)?.into_iter().reduce(better).unwrap_or(Value::Nil))
}

fn floats(arguments: &[Value<'_>]) -> Result<Vec<f64>, Fault> {
    let numbers = all_numbers(arguments)?;
    (0..numbers.len()).map(|index| number(&numbers, index)).collect()
}

fn mean<'a>(_: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let numbers = floats(arguments)?;
    if numbers.is_empty() {
        return Ok(Value::Float(0.0));
    }
    Ok(Value::Float(numbers.iter().sum::<f64>() / numbers.len() as f64))
}

fn median<'a>(_: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let mut numbers = floats(arguments)?;
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    let upper = numbers.get(middle).copied().unwrap_or(0.0);
    if numbers.len().is_multiple_of(2)
        && let Some(lower) = middle.checked_sub(1).and_then(|below| numbers.get(below))
    {
        return Ok(Value::Float((lower + upper) / 2.0));
    }
    Ok(Value::Float(upper))
}

/// How far to shift; 64 and more shifts everything out.
fn places(arguments: &[Value<'_>]) -> Result<u32, Fault> {
    u32::try_from(int(arguments, 1)?.min(64))
        .map_err(|_| Fault::new("argument 2: expected a count, found a negative number"))
}

fn shift_left<'a>(_: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    Ok(Value::Int(int(arguments, 0)?.checked_shl(places(arguments)?).unwrap_or(0)))
}

fn shift_right<'a>(_: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    Ok(Value::Int(int(arguments, 0)? >> places(arguments)?.min(63)))
}

fn shift_right_unsigned<'a>(_: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let bits = int(arguments, 0)?.cast_unsigned();
    Ok(Value::Int(bits.checked_shr(places(arguments)?).unwrap_or(0).cast_signed()))
}

fn nearly_equal<'a>(_: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    Ok(Value::Bool((number(arguments, 0)? - number(arguments, 1)?).abs() < 1e-6))
}

/// Kilometres along the surface between two places given in degrees, as text. A place at exactly
/// 0, 0 is one that is not known, and as far as anybody can tell the same.
fn distance<'a>(_: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let degrees = |index| {
        let text = text(arguments, index)?;
        parse_float(text)
            .ok_or_else(|| Fault::new(format!("argument {}: `{text:.64}` is no number", index + 1)))
    };
    let (lat1, lon1, lat2, lon2) = (degrees(0)?, degrees(1)?, degrees(2)?, degrees(3)?);
    if (lat1 == 0.0 && lon1 == 0.0) || (lat2 == 0.0 && lon2 == 0.0) {
        return Ok(Value::Float(0.0));
    }
    let half_way = |one: f64, two: f64| ((two - one).to_radians() / 2.0).sin().powi(2);
    let haversine = half_way(lat1, lat2)
        + lat1.to_radians().cos() * lat2.to_radians().cos() * half_way(lon1, lon2);
    let angle = 2.0 * haversine.sqrt().atan2((1.0 - haversine).sqrt());
    Ok(Value::Float(EARTH_RADIUS * angle))
}

#[cfg(test)]
mod tests {
    use crate::expr::functions::tests::{call_with, check, faults};
    use crate::value::{Arena, Value};

    #[test]
    fn conversion() {
        check("len", "['h\u{e9}']", "2");
        check("len", "[[1, 2, 3]]", "3");
        check("len", "[{'a': 1}]", "1");
        faults("len", "[nil]", "argument 1: expected string, list or map, found nil");
        check("int", "[1.9]", "1");
        check("int", "[-1.9]", "-1");
        check("int", "['+12']", "12");
        check("int", "['-12']", "-12");
        faults("int", "['12.5']", "`12.5` is no integer");
        faults("int", "['']", "`` is no integer");
        faults("int", "[nil]", "argument 1: expected number or string, found nil");
        check("float", "['1.5']", "1.5");
        check("float", "[2]", "2.0");
        faults("float", "['1e999']", "`1e999` is no number");
        check("string", "[1.5]", "'1.5'");
        check("string", "[[1, 'a', nil]]", "'[1 a <nil>]'");
        check("type", "[[1]]", "'array'");
        check("type", "[nil]", "'nil'");
        check("Atof", "['1.5']", "1.5");
        check("Atof", "['1aaa.5']", "0.0");
    }

    #[test]
    fn rounding_and_extremes() {
        check("abs", "[-5]", "5");
        check("abs", "[-5.5]", "5.5");
        check("ceil", "[1.2]", "2.0");
        check("floor", "[-1.2]", "-2.0");
        check("round", "[2.5]", "3.0");
        check("max", "[1, 5.5, 3]", "5.5");
        check("max", "[[1, 7], 3]", "7");
        check("min", "[4, 2]", "2");
        check("mean", "[[1, 2, 6]]", "3.0");
        check("mean", "[[]]", "0.0");
        check("median", "[[5, 1, 3]]", "3.0");
        check("median", "[[1, 2, 3, 10]]", "2.5");
        check("median", "[[]]", "0.0");
        faults("max", "[1, 'a']", "argument 2: expected number, found string");
    }

    #[test]
    fn bits() {
        check("bitand", "[12, 10]", "8");
        check("bitor", "[12, 10]", "14");
        check("bitxor", "[12, 10]", "6");
        check("bitnand", "[12, 10]", "4");
        check("bitnot", "[0]", "-1");
        check("bitshl", "[1, 4]", "16");
        check("bitshl", "[1, 64]", "0");
        check("bitshr", "[-16, 2]", "-4");
        check("bitshr", "[-16, 99]", "-1");
        check("bitushr", "[-1, 60]", "15");
        faults("bitshl", "[1, -1]", "argument 2: expected a count, found a negative number");
        faults("bitand", "[1, 1.5]", "argument 2: expected int, found float");
    }

    #[test]
    fn nearness() {
        check("FloatApproxEqual", "[1.0, 1.0000001]", "true");
        check("FloatApproxEqual", "[1.0, 1.1]", "false");
        check("FloatApproxEqual", "[1, 1.0]", "true");
        faults("FloatApproxEqual", "['1', 1.0]", "argument 1: expected number, found string");
        check("Distance", "['0.0', '0', '1', '1']", "0.0");
        faults("Distance", "['x', '0', '1', '1']", "argument 1: `x` is no number");
        let arena = Arena::new();
        let places = ["51.45", "1.15", "41.54", "12.27"].map(Value::Text);
        match call_with(&arena, "Distance", &places) {
            Ok(Value::Float(found)) => {
                assert!((found - 1389.1793118293067).abs() < 1e-6, "{found}")
            }
            other => panic!("{other:?}"),
        }
    }
}
