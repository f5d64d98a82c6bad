//! What goes with what: the static types of operands, arguments and results.

use super::ast::Binary;
use crate::value::Type;

/// The type's name, as messages show it.
pub(super) fn describe(kind: Type) -> String {
    match kind {
        Type::Unknown => "unknown".to_owned(),
        Type::Nil => "nil".to_owned(),
        Type::Bool => "bool".to_owned(),
        Type::Int => "int".to_owned(),
        Type::Float => "float".to_owned(),
        Type::Text => "string".to_owned(),
        Type::Time => "time".to_owned(),
        Type::Duration => "duration".to_owned(),
        Type::List(Type::Unknown) => "list".to_owned(),
        Type::List(element) => format!("list of {}", describe(*element)),
        Type::Map(Type::Unknown) => "map".to_owned(),
        Type::Map(element) => format!("map of {}", describe(*element)),
        Type::Fields(_) => "map of string".to_owned(),
        Type::Object(shape) => shape.name.to_owned(),
    }
}

pub(super) fn is_unknown(kind: Type) -> bool {
    matches!(kind, Type::Unknown)
}

/// Whether nothing of it is known only when the expression runs.
pub(super) fn is_known(kind: Type) -> bool {
    match kind {
        Type::Unknown => false,
        Type::List(element) | Type::Map(element) => is_known(*element),
        _ => true,
    }
}

pub(super) fn is_number(kind: Type) -> bool {
    matches!(kind, Type::Int | Type::Float)
}

/// Whether both are the same type.
pub(super) fn same(left: Type, right: Type) -> bool {
    match (left, right) {
        (Type::List(left), Type::List(right)) | (Type::Map(left), Type::Map(right)) => {
            same(*left, *right)
        }
        (Type::Object(left), Type::Object(right)) => std::ptr::eq(left, right),
        (Type::Fields(left), Type::Fields(right)) => left == right,
        _ => std::mem::discriminant(&left) == std::mem::discriminant(&right),
    }
}

/// The type of something that is one or the other.
pub(super) fn either(left: Type, right: Type) -> Type {
    if same(left, right) { left } else { Type::Unknown }
}

/// Whether `==` between them can be true.
pub(super) fn comparable(left: Type, right: Type) -> bool {
    match (left, right) {
        (Type::Unknown | Type::Nil, _) | (_, Type::Unknown | Type::Nil) => true,
        (Type::List(_), Type::List(_)) | (Type::Object(_), Type::Object(_)) => true,
        (Type::Map(_) | Type::Fields(_), Type::Map(_) | Type::Fields(_)) => true,
        _ => (is_number(left) && is_number(right)) || same(left, right),
    }
}

/// Whether `<` between them makes sense.
pub(super) fn orderable(left: Type, right: Type) -> bool {
    match (left, right) {
        (Type::Unknown, Type::Unknown) => true,
        (Type::Unknown, other) | (other, Type::Unknown) => has_order(other),
        _ => has_order(left) && comparable(left, right),
    }
}

pub(super) fn has_order(kind: Type) -> bool {
    is_number(kind) || matches!(kind, Type::Text | Type::Time | Type::Duration)
}

/// Whether a parameter of type `wanted` takes an argument of type `found`.
pub(super) fn accepts(wanted: Type, found: Type) -> bool {
    match (wanted, found) {
        (Type::Unknown, _) | (_, Type::Unknown) | (Type::Float, Type::Int) => true,
        (Type::List(wanted), Type::List(found)) | (Type::Map(wanted), Type::Map(found)) => {
            accepts(*wanted, *found)
        }
        (Type::Map(wanted), Type::Fields(_)) => accepts(*wanted, Type::Text),
        _ => same(wanted, found),
    }
}

/// The type of a list with elements of this type. A type of its own cannot be made for every
/// element type there is; for the rest, elements are unknown.
pub(super) fn list_of(element: Type) -> Type {
    Type::List(match element {
        Type::Bool => &Type::Bool,
        Type::Int => &Type::Int,
        Type::Float => &Type::Float,
        Type::Text => &Type::Text,
        Type::Time => &Type::Time,
        Type::Duration => &Type::Duration,
        _ => &Type::Unknown,
    })
}

/// The type of `left binary right`, or `None` when it makes no sense.
pub(super) fn result(binary: Binary, left: Type, right: Type) -> Option<Type> {
    use Type::{Bool, Duration, Float, Int, Text, Time, Unknown};
    let text = |kind| matches!(kind, Text | Unknown | Type::Nil);
    match binary {
        Binary::Equal | Binary::NotEqual => comparable(left, right).then_some(Bool),
        Binary::Contains(_) | Binary::StartsWith(_) | Binary::EndsWith(_) | Binary::Matches(_) => {
            (text(left) && text(right)).then_some(Bool)
        }
        Binary::In(_) => contained(left, right).then_some(Bool),
        _ if binary.orders() => orderable(left, right).then_some(Bool),
        Binary::Range => {
            let int = |kind| matches!(kind, Int | Unknown);
            (int(left) && int(right)).then_some(Type::List(&Int))
        }
        Binary::Remainder => {
            let int = |kind| matches!(kind, Int | Unknown);
            (int(left) && int(right)).then_some(Int)
        }
        Binary::Divide => {
            let number = |kind| is_number(kind) || is_unknown(kind);
            (number(left) && number(right)).then_some(Float)
        }
        _ => match (binary, left, right) {
            (_, Unknown, Unknown) => Some(Unknown),
            (Binary::Add, Unknown, Int | Float | Text | Time | Duration)
            | (Binary::Add, Int | Float | Text | Time | Duration, Unknown)
            | (Binary::Subtract, Unknown, Int | Float | Time | Duration)
            | (Binary::Subtract, Int | Float | Time | Duration, Unknown)
            | (Binary::Multiply, Unknown, Int | Float | Duration)
            | (Binary::Multiply, Int | Float | Duration, Unknown) => Some(Unknown),
            (_, Int, Int) => Some(Int),
            (_, Int | Float, Int | Float) => Some(Float),
            (Binary::Add, Text, Text) => Some(Text),
            (Binary::Add, Time, Duration) | (Binary::Add, Duration, Time) => Some(Time),
            (Binary::Subtract, Time, Time) => Some(Duration),
            (Binary::Subtract, Time, Duration) => Some(Time),
            (Binary::Add | Binary::Subtract, Duration, Duration) => Some(Duration),
            (Binary::Multiply, Int | Float, Duration)
            | (Binary::Multiply, Duration, Int | Float) => Some(Duration),
            _ => None,
        },
    }
}

fn contained(left: Type, right: Type) -> bool {
    let key = matches!(left, Type::Text | Type::Unknown | Type::Nil);
    match right {
        Type::Unknown | Type::Nil => true,
        Type::List(element) => comparable(left, *element),
        Type::Map(_) | Type::Fields(_) | Type::Object(_) => key,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::ast::Sense;
    use super::*;

    #[track_caller]
    fn check(binary: Binary, left: Type, right: Type, expected: &str) {
        let found = result(binary, left, right).map_or("refused".to_owned(), describe);
        assert_eq!(found, expected);
    }

    #[test]
    fn operators_give_types() {
        use Type::{Bool, Duration, Float, Int, Nil, Text, Time, Unknown};
        check(Binary::Equal, Text, Int, "refused");
        check(Binary::Equal, Int, Float, "bool");
        check(Binary::Equal, Text, Nil, "bool");
        check(Binary::Equal, Unknown, Bool, "bool");
        check(Binary::Less, Text, Text, "bool");
        check(Binary::Less, Bool, Bool, "refused");
        check(Binary::Less, Unknown, Duration, "bool");
        check(Binary::Less, Duration, Int, "refused");
        check(Binary::Add, Text, Text, "string");
        check(Binary::Add, Int, Float, "float");
        check(Binary::Add, Time, Duration, "time");
        check(Binary::Add, Text, Int, "refused");
        check(Binary::Subtract, Time, Time, "duration");
        check(Binary::Multiply, Int, Duration, "duration");
        check(Binary::Divide, Int, Int, "float");
        check(Binary::Remainder, Float, Int, "refused");
        check(Binary::Contains(Sense::Plain), Bool, Text, "refused");
        check(Binary::In(Sense::Plain), Int, Type::List(&Text), "refused");
        check(Binary::In(Sense::Plain), Text, Type::Map(&Int), "bool");
        check(Binary::In(Sense::Plain), Text, Text, "refused");
        check(Binary::Range, Int, Int, "list of int");
    }
}
