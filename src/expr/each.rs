//! The builtins that take a predicate.

use super::ast::Binary;
use super::evaluate::Run;
use super::node::{Builtin, Each, FileTest};
use super::operators::{self, Stop, stop};
use super::world::DataFile;
use crate::value::{Map, Value, order, ordered_kinds};

/// How many elements a filter has room for before any is kept.
const LIKELY_KEPT: usize = 16;

impl<'a> Run<'_, 'a> {
    /// The result of a builtin with a predicate.
    pub(super) fn each(&self, each: &'a Each) -> Result<Value<'a>, Stop> {
        if let Some(test) = &each.file
            && let Some(found) = self.any_line(test)?
        {
            return Ok(Value::Bool(found));
        }
        let items = match self.value(&each.list)? {
            Value::List(items) => items,
            other => return stop(format!("expected a list to look into, found {}", other.kind())),
        };
        if !items.is_empty() {
            self.statements(&each.hoisted)?;
        }
        Ok(match each.builtin {
            Builtin::All => Value::Bool(self.position(each, items, false)?.is_none()),
            Builtin::Any => Value::Bool(self.position(each, items, true)?.is_some()),
            Builtin::None => Value::Bool(self.position(each, items, true)?.is_none()),
            Builtin::One => Value::Bool(self.count(each, items, 2)? == 1),
            Builtin::Count => Value::Int(self.count(each, items, i64::MAX)?),
            Builtin::Find => found(items, self.position(each, items, true)?),
            Builtin::FindIndex => index(self.position(each, items, true)?),
            Builtin::FindLast => found(items, self.last_position(each, items)?),
            Builtin::FindLastIndex => index(self.last_position(each, items)?),
            Builtin::Filter => self.filter(each, items)?,
            Builtin::Map => self.map_each(each, items)?,
            Builtin::Sum => self.sum(each, items)?,
            Builtin::GroupBy => self.group_by(each, items)?,
            Builtin::SortBy => self.sort_by(each, items)?,
            Builtin::Reduce => self.reduce(each, items)?,
        })
    }

    /// What a text is to the lines of a file; `None` when the subject is no text, and there are
    /// lines that would say so.
    fn any_line(&self, test: &'a FileTest) -> Result<Option<bool>, Stop> {
        let file = self.scope.world().facts().files.get(&test.name);
        let Some(DataFile::Lines(lines)) = file.filter(|file| !file.is_empty()) else {
            return Ok(Some(false));
        };
        let Value::Text(text) = self.value(&test.subject)? else { return Ok(None) };
        Ok(Some(lines.any(test.relation, text)))
    }

    fn enter(&self, each: &'a Each, index: usize, item: Value<'a>) {
        self.locals[each.element].set(item);
        self.locals[each.element + 1].set(Value::Int(i64::try_from(index).unwrap_or(i64::MAX)));
    }

    /// Whether the predicate, or without one the element itself, is true.
    fn holds(&self, each: &'a Each, index: usize, item: Value<'a>) -> Result<bool, Stop> {
        match &each.body {
            Some(body) => {
                self.look()?;
                self.enter(each, index, item);
                self.truth(body)
            }
            None => match item {
                Value::Bool(truth) => Ok(truth),
                other => stop(format!("expected bool, found {}", other.kind())),
            },
        }
    }

    /// What the predicate gives, or without one the element itself.
    fn given(&self, each: &'a Each, index: usize, item: Value<'a>) -> Result<Value<'a>, Stop> {
        match &each.body {
            Some(body) => {
                self.look()?;
                self.enter(each, index, item);
                self.value(body)
            }
            None => Ok(item),
        }
    }

    fn position(
        &self,
        each: &'a Each,
        items: &'a [Value<'a>],
        wanted: bool,
    ) -> Result<Option<usize>, Stop> {
        for (index, item) in items.iter().enumerate() {
            if self.holds(each, index, *item)? == wanted {
                return Ok(Some(index));
            }
        }
        Ok(None)
    }

    fn last_position(&self, each: &'a Each, items: &'a [Value<'a>]) -> Result<Option<usize>, Stop> {
        for (index, item) in items.iter().enumerate().rev() {
            if self.holds(each, index, *item)? {
                return Ok(Some(index));
            }
        }
        Ok(None)
    }

    fn count(&self, each: &'a Each, items: &'a [Value<'a>], enough: i64) -> Result<i64, Stop> {
        let mut count = 0;
        for (index, item) in items.iter().enumerate() {
            count += i64::from(self.holds(each, index, *item)?);
            if count >= enough {
                break;
            }
        }
        Ok(count)
    }

    fn filter(&self, each: &'a Each, items: &'a [Value<'a>]) -> Result<Value<'a>, Stop> {
        let few = items.len().min(LIKELY_KEPT);
        let mut kept = bumpalo::collections::Vec::with_capacity_in(few, self.scope.arena());
        for (index, item) in items.iter().enumerate() {
            if self.holds(each, index, *item)? {
                self.take(1)?;
                kept.push(*item);
            }
        }
        Ok(Value::List(kept.into_bump_slice()))
    }

    fn map_each(&self, each: &'a Each, items: &'a [Value<'a>]) -> Result<Value<'a>, Stop> {
        self.take(items.len())?;
        let arena = self.scope.arena();
        let mut made = bumpalo::collections::Vec::with_capacity_in(items.len(), arena);
        for (index, item) in items.iter().enumerate() {
            made.push(self.given(each, index, *item)?);
        }
        Ok(Value::List(made.into_bump_slice()))
    }

    fn sum(&self, each: &'a Each, items: &'a [Value<'a>]) -> Result<Value<'a>, Stop> {
        let mut sum = Value::Int(0);
        for (index, item) in items.iter().enumerate() {
            let item = self.given(each, index, *item)?;
            sum = match item {
                Value::Int(_) | Value::Float(_) => self.binary(Binary::Add, sum, item)?,
                other => return stop(format!("`sum` expects numbers, found {}", other.kind())),
            };
        }
        Ok(sum)
    }

    fn group_by(&self, each: &'a Each, items: &'a [Value<'a>]) -> Result<Value<'a>, Stop> {
        self.take(items.len())?;
        let arena = self.scope.arena();
        let mut groups: Vec<(&'a str, bumpalo::collections::Vec<'a, Value<'a>>)> = Vec::new();
        let mut places = std::collections::HashMap::new();
        for (index, item) in items.iter().enumerate() {
            let key = operators::key(self.given(each, index, *item)?, arena)?;
            let place = *places.entry(key).or_insert_with(|| {
                groups.push((key, bumpalo::collections::Vec::new_in(arena)));
                groups.len() - 1
            });
            groups[place].1.push(*item);
        }
        let map = operators::map(arena);
        for (key, group) in groups {
            map.set(key, Value::List(group.into_bump_slice()));
        }
        Ok(Value::Map(map))
    }

    fn sort_by(&self, each: &'a Each, items: &'a [Value<'a>]) -> Result<Value<'a>, Stop> {
        let descending = match each.extra.as_ref().map(|node| self.value(node)).transpose()? {
            None | Some(Value::Text("asc")) => false,
            Some(Value::Text("desc")) => true,
            Some(_) => return stop("the order of `sortBy` must be `\"asc\"` or `\"desc\"`"),
        };
        self.take(items.len())?;
        let mut keyed = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let key = self.given(each, index, *item)?;
            if let Some((first, _)) = keyed.first()
                && !ordered_kinds(*first, key)
            {
                return stop(format!("cannot sort {} among others", key.kind()));
            }
            keyed.push((key, *item));
        }
        // Invariant: the order is total, as sorting demands. Ints and floats mixed have no total
        // order unless all are taken as floats, and floats only with NaN put at an end.
        let as_floats = keyed.iter().any(|(key, _)| matches!(key, Value::Float(_)));
        keyed.sort_by(|(left, _), (right, _)| {
            let order = match (operators::number(*left), operators::number(*right)) {
                (Some(left), Some(right)) if as_floats => {
                    left.is_nan().cmp(&right.is_nan()).then(left.total_cmp(&right))
                }
                _ => order(*left, *right).unwrap_or(std::cmp::Ordering::Equal),
            };
            if descending { order.reverse() } else { order }
        });
        let sorted = keyed.into_iter().map(|(_, item)| item);
        Ok(Value::List(self.scope.arena().alloc_slice_fill_iter(sorted)))
    }

    fn reduce(&self, each: &'a Each, items: &'a [Value<'a>]) -> Result<Value<'a>, Stop> {
        let Some(body) = &each.body else { return Ok(Value::Nil) };
        let (mut acc, start) = match (&each.extra, items.first()) {
            (Some(init), _) => (self.value(init)?, 0),
            (None, Some(first)) => (*first, 1),
            (None, None) => return stop("`reduce` of an empty list without a first value"),
        };
        for (index, item) in items.iter().enumerate().skip(start) {
            self.look()?;
            self.enter(each, index, *item);
            self.locals[each.element + 2].set(acc);
            acc = self.value(body)?;
        }
        Ok(acc)
    }
}

fn found<'a>(items: &'a [Value<'a>], position: Option<usize>) -> Value<'a> {
    position.and_then(|index| items.get(index)).copied().unwrap_or(Value::Nil)
}

fn index<'a>(position: Option<usize>) -> Value<'a> {
    position.and_then(|index| i64::try_from(index).ok()).map_or(Value::Nil, Value::Int)
}
