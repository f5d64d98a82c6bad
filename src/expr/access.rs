//! Steps of a path when it runs: fields, methods, indices, slices.

use super::evaluate::Run;
use super::methods;
use super::node::{Known, Link, Node, Step};
use super::operators::{self, Stop, stop};
use crate::value::{Arena, Map, Object, Value};

impl<'a> Run<'_, 'a> {
    /// `head.a?.b[0]`.
    pub(super) fn path(&self, head: &'a Node, links: &'a [Link]) -> Result<Value<'a>, Stop> {
        let value = match head {
            Node::Local(index) => self.locals[*index].get(),
            Node::Variable(index) => self.scope.variable(*index),
            other => self.value(other)?,
        };
        self.links(value, links)
    }

    /// `.a?.b[0]` of a value.
    pub(super) fn links(&self, mut value: Value<'a>, links: &'a [Link]) -> Result<Value<'a>, Stop> {
        for link in links {
            // Nearly all steps are fields of objects.
            if let Value::Object(object) = value {
                match &link.step {
                    Step::Field(_, Some((shape, index)))
                        if std::ptr::eq(*shape, object.shape()) =>
                    {
                        value = object.field(*index);
                        continue;
                    }
                    Step::Text { slot, .. } => {
                        if let Some(text) = object.text(*slot) {
                            value = Value::Text(text);
                            continue;
                        }
                    }
                    _ => {}
                }
            }
            // And of lists, an element of a number that is known.
            if let (Value::List(items), Step::Index(Node::Int(index))) = (value, &link.step)
                && let Some(item) = place(*index, items.len()).and_then(|index| items.get(index))
            {
                value = *item;
                continue;
            }
            if link.optional && value.is_nil() {
                return Ok(Value::Nil);
            }
            value = self.step(value, &link.step)?;
        }
        Ok(value)
    }

    #[inline(never)]
    fn step(&self, value: Value<'a>, step: &'a Step) -> Result<Value<'a>, Stop> {
        Ok(match step {
            Step::Field(name, known) => field(value, name, *known)?,
            Step::Text { section, known, name, .. } => {
                field(field(value, section, *known)?, name, None)?
            }
            Step::Method { name, known, clock, arguments } => {
                let mut few = [Value::Nil; 4];
                let Some(lent) = few.get_mut(..arguments.len()) else {
                    return stop(format!("`{name}` takes fewer arguments"));
                };
                for (argument, node) in lent.iter_mut().zip(arguments) {
                    *argument = self.value(node)?;
                }
                let arena = self.scope.arena();
                match (value, clock) {
                    (Value::Object(object), _) => self.method(object, name, *known, lent)?,
                    (Value::Time(time), Some(clock)) => {
                        methods::call_time(*clock, time, lent, arena)?
                    }
                    (Value::Duration(nanos), Some(clock)) => {
                        methods::call_duration(*clock, nanos, lent, arena)?
                    }
                    (other, _) => {
                        return stop(format!("cannot call `{name}` of {}", other.kind()));
                    }
                }
            }
            Step::Index(index) => {
                let index = self.value(index)?;
                at(value, index, self.scope.arena())?
            }
            Step::Slice(from, to) => {
                let bound = |node: &'a Option<Node>| match node {
                    None => Ok(None),
                    Some(node) => {
                        let value = self.value(node)?;
                        match operators::whole(value) {
                            Some(bound) => Ok(Some(bound)),
                            None => {
                                let found = value.kind();
                                stop(format!("the bound of a slice is {found}, not int"))
                            }
                        }
                    }
                };
                let (from, to) = (bound(from)?, bound(to)?);
                self.slice(value, from, to)?
            }
        })
    }

    fn method(
        &self,
        object: &'a dyn Object<'a>,
        name: &str,
        known: Known,
        arguments: &[Value<'a>],
    ) -> Result<Value<'a>, Stop> {
        let shape = object.shape();
        let index = match known {
            Some((expected, index)) if std::ptr::eq(expected, shape) => index,
            _ => match shape.method(name) {
                Some((index, method)) if method.arguments.len() == arguments.len() => index,
                Some((_, method)) => {
                    let (wanted, found) = (method.arguments.len(), arguments.len());
                    return stop(format!("`{name}` takes {wanted} arguments, found {found}"));
                }
                None => return stop(format!("a {} has no method `{name}`", shape.name)),
            },
        };
        object.call(index, arguments, self.scope.arena()).map_err(Box::new)
    }

    fn slice(
        &self,
        value: Value<'a>,
        from: Option<i64>,
        to: Option<i64>,
    ) -> Result<Value<'a>, Stop> {
        let bounds = |length: usize| {
            let place = |bound: i64| {
                let size = i64::try_from(length).unwrap_or(i64::MAX);
                let bound = if bound < 0 { bound.saturating_add(size) } else { bound };
                usize::try_from(bound.clamp(0, size)).unwrap_or(length)
            };
            let from = from.map_or(0, place);
            (from, to.map_or(length, place).max(from))
        };
        Ok(match value {
            Value::List(items) => {
                let (from, to) = bounds(items.len());
                Value::List(items.get(from..to).unwrap_or_default())
            }
            Value::Text(text) => {
                let (from, to) = bounds(text.len());
                Value::Text(match text.get(from..to) {
                    Some(part) => part,
                    // Text is always UTF-8: what a slice cuts in two is replaced.
                    None => {
                        let bytes = text.as_bytes().get(from..to).unwrap_or_default();
                        self.scope.arena().alloc_str(&String::from_utf8_lossy(bytes))
                    }
                })
            }
            other => return stop(format!("cannot take a slice of {}", other.kind())),
        })
    }
}

fn field<'a>(value: Value<'a>, name: &str, known: Known) -> Result<Value<'a>, Stop> {
    match value {
        Value::Object(object) => {
            let shape = object.shape();
            if let Some((expected, index)) = known
                && std::ptr::eq(expected, shape)
            {
                return Ok(object.field(index));
            }
            match shape.field(name) {
                Some((index, _)) => Ok(object.field(index)),
                None => stop(format!("a {} has no field `{name}`", shape.name)),
            }
        }
        Value::Map(map) => Ok(entry(map, name)),
        other => stop(format!("cannot fetch `{name}` from {}", other.kind())),
    }
}

/// A map's value; what a missing key gives is the map's to say.
fn entry<'a>(map: &'a dyn Map<'a>, key: &str) -> Value<'a> {
    map.get(key).unwrap_or_else(|| map.missing())
}

fn at<'a>(value: Value<'a>, index: Value<'a>, arena: &'a Arena) -> Result<Value<'a>, Stop> {
    let index = match (value, index) {
        (Value::List(_) | Value::Text(_), Value::Float(index)) => Value::Int(index as i64),
        _ => index,
    };
    match (value, index) {
        (Value::Map(_) | Value::Object(_), Value::Text(name)) => field(value, name, None),
        // Whatever was written as a key is kept as text.
        (Value::Map(map), Value::Int(_) | Value::Float(_) | Value::Bool(_)) => {
            Ok(entry(map, operators::key(index, arena)?))
        }
        (Value::List(items), Value::Int(index)) => {
            match place(index, items.len()).and_then(|index| items.get(index)) {
                Some(item) => Ok(*item),
                None => outside(index, items.len()),
            }
        }
        (Value::Text(text), Value::Int(index)) => {
            match place(index, text.len()).and_then(|index| text.as_bytes().get(index)) {
                Some(byte) => Ok(Value::Int((*byte).into())),
                None => outside(index, text.len()),
            }
        }
        (value, index) => match index {
            Value::Text(name) => stop(format!("cannot fetch `{name}` from {}", value.kind())),
            index => stop(format!("cannot index {} with {}", value.kind(), index.kind())),
        },
    }
}

fn place(index: i64, length: usize) -> Option<usize> {
    let from_end = i64::try_from(length).ok()?;
    usize::try_from(if index < 0 { index.checked_add(from_end)? } else { index }).ok()
}

#[cold]
fn outside<T>(index: i64, length: usize) -> Result<T, Stop> {
    stop(format!("index {index} is outside of {length} elements"))
}
