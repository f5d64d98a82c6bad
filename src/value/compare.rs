//! Equality and order between values, as the operators of the language define them.

use std::cmp::Ordering;

use super::{Map, Value};

/// Lists in lists and maps in maps are compared down to this depth, and are unequal below.
const DEEPEST: u32 = 512;

/// The operator `==`: numbers of both kinds by value, times by instant, lists and maps by their
/// elements; values of different kinds are just unequal.
#[must_use]
pub fn equal(left: Value<'_>, right: Value<'_>) -> bool {
    equal_within(left, right, DEEPEST)
}

fn equal_within(left: Value<'_>, right: Value<'_>, depth: u32) -> bool {
    // Hostile: a log line may hold JSON of any depth.
    let Some(deeper) = depth.checked_sub(1) else { return false };
    match (left, right) {
        (Value::Nil, Value::Nil) => true,
        (Value::Bool(left), Value::Bool(right)) => left == right,
        (Value::Int(left), Value::Int(right)) => left == right,
        (Value::Float(left), Value::Float(right)) => left == right,
        (Value::Int(int), Value::Float(float)) | (Value::Float(float), Value::Int(int)) => {
            int as f64 == float
        }
        (Value::Text(left), Value::Text(right)) => left == right,
        (Value::Time(left), Value::Time(right)) => left == right,
        (Value::Duration(left), Value::Duration(right)) => left == right,
        (Value::List(left), Value::List(right)) => {
            left.len() == right.len()
                && left.iter().zip(right).all(|(left, right)| equal_within(*left, *right, deeper))
        }
        (Value::Map(left), Value::Map(right)) => equal_maps(left, right, deeper),
        (Value::Object(left), Value::Object(right)) => std::ptr::addr_eq(left, right),
        _ => false,
    }
}

fn equal_maps(left: &dyn Map<'_>, right: &dyn Map<'_>, depth: u32) -> bool {
    if std::ptr::addr_eq(left, right) {
        return true;
    }
    if left.len() != right.len() {
        return false;
    }
    let mut same = true;
    left.each(&mut |key, value| {
        same = same && right.get(key).is_some_and(|other| equal_within(value, other, depth));
    });
    same
}

/// The operators `<`, `<=`, `>`, `>=`: numbers, texts by their bytes, times, durations. `None`
/// when the two cannot be ordered, be it for their kinds or for a float that is not a number
/// (see [`ordered_kinds`]).
#[must_use]
pub fn order(left: Value<'_>, right: Value<'_>) -> Option<Ordering> {
    match (left, right) {
        (Value::Int(left), Value::Int(right)) => Some(left.cmp(&right)),
        (Value::Float(left), Value::Float(right)) => left.partial_cmp(&right),
        (Value::Int(left), Value::Float(right)) => (left as f64).partial_cmp(&right),
        (Value::Float(left), Value::Int(right)) => left.partial_cmp(&(right as f64)),
        (Value::Text(left), Value::Text(right)) => Some(left.cmp(right)),
        (Value::Time(left), Value::Time(right)) => Some(left.cmp(&right)),
        (Value::Duration(left), Value::Duration(right)) => Some(left.cmp(&right)),
        _ => None,
    }
}

/// Whether values of these kinds can be ordered at all. Where they can and [`order`] gives
/// `None`, one is not a number and every comparison is false; where they cannot, comparing them
/// is a fault.
#[must_use]
pub fn ordered_kinds(left: Value<'_>, right: Value<'_>) -> bool {
    matches!(
        (left, right),
        (Value::Int(_) | Value::Float(_), Value::Int(_) | Value::Float(_))
            | (Value::Text(_), Value::Text(_))
            | (Value::Time(_), Value::Time(_))
            | (Value::Duration(_), Value::Duration(_))
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{Arena, Entries, Time, Type};

    #[track_caller]
    fn check(left: Value<'_>, right: Value<'_>, expected: bool) {
        assert_eq!(equal(left, right), expected, "{left:?} == {right:?}");
        assert_eq!(equal(right, left), expected, "{right:?} == {left:?}");
    }

    #[test]
    fn equality() {
        let text = Value::Text;
        check(Value::Nil, Value::Nil, true);
        check(Value::Nil, text(""), false);
        check(Value::Nil, Value::Int(0), false);
        check(Value::Nil, Value::List(&[]), false);
        check(Value::Int(5), Value::Float(5.0), true);
        check(Value::Int(5), text("5"), false);
        check(Value::Float(f64::NAN), Value::Float(f64::NAN), false);
        check(Value::Bool(true), Value::Int(1), false);
        check(text("a"), text("a"), true);
        check(Value::Duration(1), Value::Int(1), false);
        let list = [Value::Int(1), text("a")];
        let same = [Value::Float(1.0), text("a")];
        check(Value::List(&list), Value::List(&same), true);
        check(Value::List(&list), Value::List(&[Value::Int(1)]), false);
        let utc = Time::from_seconds(10);
        check(Value::Time(utc), Value::Time(Time { offset: 3600, ..utc }), true);
    }

    #[test]
    fn maps_without_regard_to_order() {
        let arena = Arena::new();
        let one = arena.alloc(Entries::new(&arena, Type::Unknown));
        let two = arena.alloc(Entries::new(&arena, Type::Text));
        one.set("a", Value::Text("1"));
        one.set("b", Value::Text("2"));
        two.set("b", Value::Text("2"));
        two.set("a", Value::Text("1"));
        check(Value::Map(one), Value::Map(two), true);
        one.set("a", Value::Nil);
        check(Value::Map(one), Value::Map(two), false);
        two.set("c", Value::Text(""));
        check(Value::Map(one), Value::Map(two), false);
    }

    #[test]
    fn ordering() {
        assert_eq!(order(Value::Int(1), Value::Float(1.5)), Some(Ordering::Less));
        assert_eq!(order(Value::Text("b"), Value::Text("a")), Some(Ordering::Greater));
        assert_eq!(order(Value::Nil, Value::Int(1)), None);
        assert_eq!(order(Value::Text("1"), Value::Int(1)), None);
        assert!(ordered_kinds(Value::Float(f64::NAN), Value::Int(1)));
        assert!(!ordered_kinds(Value::Duration(1), Value::Int(1)));
    }
}
