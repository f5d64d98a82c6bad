//! What operators do to values when the expression runs.

use super::ast::Binary;
use super::pattern;
use crate::value::{Arena, Entries, Fault, Type, Value, equal, order, ordered_kinds};

/// Why an evaluation stopped. Boxed, so that results fit into two registers.
pub(super) type Stop = Box<Fault>;

/// A stop with this message.
#[cold]
pub(super) fn stop<T>(message: impl Into<String>) -> Result<T, Stop> {
    Err(Box::new(Fault::new(message)))
}

/// `<`, `<=`, `>`, `>=`.
pub(super) fn ordered(binary: Binary, left: Value<'_>, right: Value<'_>) -> Result<bool, Stop> {
    if !ordered_kinds(left, right) {
        return mismatch(binary, left, right);
    }
    // NaN has no order: every comparison with it is false.
    Ok(order(left, right).is_some_and(|order| match binary {
        Binary::Less => order.is_lt(),
        Binary::LessOrEqual => order.is_le(),
        Binary::Greater => order.is_gt(),
        _ => order.is_ge(),
    }))
}

/// Operators whose result is a truth value; the `not` before them is seen to.
pub(super) fn truth<'a>(binary: Binary, left: Value<'a>, right: Value<'a>) -> Result<bool, Stop> {
    let plain = match binary {
        Binary::Equal => equal(left, right),
        Binary::NotEqual => !equal(left, right),
        Binary::In(_) => member(left, right)?,
        Binary::Contains(_) | Binary::StartsWith(_) | Binary::EndsWith(_) | Binary::Matches(_) => {
            match (left, right) {
                (Value::Text(left), Value::Text(right)) => match binary {
                    Binary::Contains(_) => left.contains(right),
                    Binary::StartsWith(_) => left.starts_with(right),
                    Binary::EndsWith(_) => left.ends_with(right),
                    _ => match pattern::search(right, left) {
                        Ok(found) => found,
                        Err(message) => return stop(message),
                    },
                },
                (Value::Nil, _) | (_, Value::Nil) => false,
                _ => return mismatch(binary, left, right),
            }
        }
        _ => ordered(binary, left, right)?,
    };
    Ok(plain != binary.negated())
}

fn member<'a>(left: Value<'a>, right: Value<'a>) -> Result<bool, Stop> {
    match (left, right) {
        (_, Value::Nil) => Ok(false),
        (_, Value::List(items)) => Ok(items.iter().any(|item| equal(left, *item))),
        (Value::Text(key), Value::Map(map)) => Ok(map.get(key).is_some()),
        // Nil stands for the empty key.
        (Value::Nil, Value::Map(map)) => Ok(map.get("").is_some()),
        (Value::Text(name), Value::Object(object)) => Ok(object.shape().field(name).is_some()),
        _ => stop(format!("cannot look for {} in {}", left.kind(), right.kind())),
    }
}

/// Whether the result of an operator is a truth value.
pub(super) fn gives_truth(binary: Binary) -> bool {
    binary.level() == 20
}

/// Operators whose result is a value. `room` is how many list elements or sixteen-byte pieces
/// of text may still be made.
pub(super) fn value<'a>(
    binary: Binary,
    left: Value<'a>,
    right: Value<'a>,
    arena: &'a Arena,
    room: &mut u32,
) -> Result<Value<'a>, Stop> {
    use Value::{Duration, Float, Int, Text, Time};
    Ok(match (binary, left, right) {
        (Binary::Add, Int(a), Int(b)) => Int(a.wrapping_add(b)),
        (Binary::Add, Text(a), Text(b)) => {
            take(room, (a.len() + b.len()) / 16)?;
            let mut joined =
                bumpalo::collections::String::with_capacity_in(a.len() + b.len(), arena);
            joined.push_str(a);
            joined.push_str(b);
            Text(joined.into_bump_str())
        }
        (Binary::Add, Time(time), Duration(nanos)) | (Binary::Add, Duration(nanos), Time(time)) => {
            Time(time.plus(nanos))
        }
        (Binary::Add, Duration(a), Duration(b)) => Duration(a.wrapping_add(b)),
        (Binary::Subtract, Int(a), Int(b)) => Int(a.wrapping_sub(b)),
        (Binary::Subtract, Time(a), Time(b)) => Duration(a.since(b)),
        (Binary::Subtract, Time(time), Duration(nanos)) => Time(time.plus(nanos.saturating_neg())),
        (Binary::Subtract, Duration(a), Duration(b)) => Duration(a.wrapping_sub(b)),
        (Binary::Multiply, Int(a), Int(b)) => Int(a.wrapping_mul(b)),
        (Binary::Multiply, Int(a), Duration(b)) | (Binary::Multiply, Duration(b), Int(a)) => {
            Duration(a.wrapping_mul(b))
        }
        (Binary::Multiply, Float(a), Duration(b)) | (Binary::Multiply, Duration(b), Float(a)) => {
            Duration((a * b as f64) as i64)
        }
        (Binary::Remainder, Int(_), Int(0)) => return stop("remainder of a division by zero"),
        (Binary::Remainder, Int(a), Int(b)) => Int(a.wrapping_rem(b)),
        (Binary::Range, _, _) if whole(left).is_some() && whole(right).is_some() => {
            let (Some(from), Some(to)) = (whole(left), whole(right)) else {
                return mismatch(binary, left, right);
            };
            range(from, to, arena, room)?
        }
        (Binary::Add | Binary::Subtract | Binary::Multiply | Binary::Divide, _, _) => {
            let (Some(a), Some(b)) = (number(left), number(right)) else {
                return mismatch(binary, left, right);
            };
            Float(match binary {
                Binary::Add => a + b,
                Binary::Subtract => a - b,
                Binary::Multiply => a * b,
                _ => a / b,
            })
        }
        (Binary::Remainder | Binary::Range, _, _) => return mismatch(binary, left, right),
        _ => Value::Bool(truth(binary, left, right)?),
    })
}

/// `a ** b`.
pub(super) fn power<'a>(left: Value<'a>, right: Value<'a>) -> Result<Value<'a>, Stop> {
    match (number(left), number(right)) {
        (Some(a), Some(b)) => Ok(Value::Float(a.powf(b))),
        _ => stop(format!("`**` expects two numbers, found {} and {}", left.kind(), right.kind())),
    }
}

fn range<'a>(from: i64, to: i64, arena: &'a Arena, room: &mut u32) -> Result<Value<'a>, Stop> {
    if from > to {
        return Ok(Value::List(&[]));
    }
    let length = to.abs_diff(from).saturating_add(1);
    take(room, usize::try_from(length).unwrap_or(usize::MAX))?;
    Ok(Value::List(arena.alloc_slice_fill_iter((from..=to).map(Value::Int).collect::<Vec<_>>())))
}

/// Takes `amount` of the memory that one evaluation may use.
pub(super) fn take(room: &mut u32, amount: usize) -> Result<(), Stop> {
    match u32::try_from(amount).ok().and_then(|amount| room.checked_sub(amount)) {
        Some(left) => {
            *room = left;
            Ok(())
        }
        None => stop("expression makes more than a million elements"),
    }
}

/// A number where only whole ones make sense: numbers in JSON are floats.
pub(super) fn whole(value: Value<'_>) -> Option<i64> {
    match value {
        Value::Int(number) => Some(number),
        Value::Float(number) => Some(number as i64),
        _ => None,
    }
}

/// A number as a float.
pub(super) fn number(value: Value<'_>) -> Option<f64> {
    match value {
        Value::Int(number) => Some(number as f64),
        Value::Float(number) => Some(number),
        _ => None,
    }
}

#[cold]
fn mismatch<T>(binary: Binary, left: Value<'_>, right: Value<'_>) -> Result<T, Stop> {
    let (sign, left, right) = (binary.symbol(), left.kind(), right.kind());
    stop(format!("`{sign}` cannot work on {left} and {right}"))
}

/// A value as the key of a map: texts as they are, scalars as they are written.
pub(super) fn key<'a>(value: Value<'a>, arena: &'a Arena) -> Result<&'a str, Stop> {
    Ok(match value {
        Value::Text(text) => text,
        Value::Int(number) => arena.alloc_str(&number.to_string()),
        Value::Float(number) => arena.alloc_str(&number.to_string()),
        Value::Bool(truth) => {
            if truth {
                "true"
            } else {
                "false"
            }
        }
        other => return stop(format!("{} cannot be the key of a map", other.kind())),
    })
}

/// An empty map whose values may be anything.
pub(super) fn map<'a>(arena: &'a Arena) -> &'a Entries<'a> {
    arena.alloc(Entries::new(arena, Type::Unknown))
}
