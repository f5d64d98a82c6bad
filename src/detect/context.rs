//! What alerts say beside their events: values that rules pick out of all events of a bucket.
//!
//! A context has a name and expressions. When a bucket overflows, every expression is evaluated
//! for every event that it kept, and what is found becomes one entry of the alert's `Meta`: a JSON
//! list of the different values, in the order in which they were first met.

use super::alert::Desk;
use super::expression::{Expression, Variables};
use super::request::Request;
use crate::event::Event;
use crate::expr::functions::{default_text, json_text};
use crate::value::{Entries, Type, Value};

/// The longest entry, in bytes.
const LONGEST: usize = 4000;

/// All contexts, by name in the order in which they were loaded.
#[derive(Debug, Default)]
pub struct Contexts {
    list: Vec<Context>,
}

#[derive(Debug)]
struct Context {
    name: Box<str>,
    expressions: Vec<Expression>,
}

impl Contexts {
    /// Adds an expression to the context of that name, unless it has the same already.
    pub(super) fn add(&mut self, name: &str, expression: Expression) {
        let place = self.list.iter().position(|context| *context.name == *name);
        let context = match place {
            Some(at) => self.list.get_mut(at),
            None => {
                self.list.push(Context { name: name.into(), expressions: Vec::new() });
                self.list.last_mut()
            }
        };
        if let Some(context) = context
            && context.expressions.iter().all(|known| known.source() != expression.source())
        {
            context.expressions.push(expression);
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether more of an event may be asked for than its brief form holds.
    pub(super) fn needs_whole_events(&self) -> bool {
        let expressions = self.list.iter().flat_map(|context| &context.expressions);
        expressions.map(Expression::source).any(|text| !speaks_of_brief_fields(text))
    }
}

/// Whether an expression speaks of no other part of the event than `Meta` and `Enriched`. A text
/// that only looks as if it did counts as if it did.
fn speaks_of_brief_fields(text: &str) -> bool {
    text.match_indices("evt").all(|(at, word)| {
        let rest = text.get(at + word.len()..).unwrap_or_default();
        let rest = rest.strip_prefix('?').unwrap_or(rest);
        ["Meta", "Enriched"].into_iter().any(|section| {
            let rest = rest.strip_prefix('.').and_then(|rest| rest.strip_prefix(section));
            rest.is_some_and(|rest| rest.starts_with(['.', '[']))
        })
    })
}

/// What was found so far, for the events of one bucket.
pub(super) struct Collector<'c> {
    contexts: &'c Contexts,
    found: Vec<Found>,
}

/// The values of one context.
#[derive(Default)]
struct Found {
    values: Vec<String>,
    size: usize,
}

impl<'c> Collector<'c> {
    pub(super) fn new(contexts: &'c Contexts) -> Self {
        let found = contexts.list.iter().map(|_| Found::default()).collect();
        Self { contexts, found }
    }

    /// Looks at one more event.
    pub(super) fn look<'a>(&mut self, desk: Desk<'a>, event: &'a Event<'a>)
    where
        'c: 'a,
    {
        // There is neither a request nor a rule that matched it: those are of web applications.
        let nothing: &'a Entries<'a> = desk.arena.alloc(Entries::new(desk.arena, Type::Unknown));
        let request: &'a Request<'a> = desk.arena.alloc(Request { arena: desk.arena });
        let mut variables = Variables::of_event(event, desk.world);
        variables.others = [Value::Map(nothing), Value::Object(request), Value::Nil];
        for (context, found) in self.contexts.list.iter().zip(&mut self.found) {
            for expression in &context.expressions {
                match expression.value(&variables) {
                    Ok(value) => found.take(value, expression.result()),
                    Err(fault) => tracing::debug!(context = %context.name, "no value: {fault}"),
                }
            }
        }
    }

    /// The entries of `Meta`; contexts without a value make none.
    pub(super) fn finish(self) -> Vec<(String, String)> {
        let found = self.contexts.list.iter().zip(self.found);
        let found = found.filter(|(_, found)| !found.values.is_empty());
        found.map(|(context, found)| (context.name.to_string(), shortened(found.values))).collect()
    }
}

impl Found {
    /// Takes the texts that a value stands for.
    fn take(&mut self, value: Value<'_>, known: Type) {
        match value {
            Value::Text(text) => self.add(text),
            Value::Int(number) => self.add(&number.to_string()),
            Value::List(items) if matches!(known, Type::List(Type::Text | Type::Int)) => {
                items.iter().for_each(|item| self.add(&default_text(*item)));
            }
            Value::Nil | Value::Bool(false) | Value::List([]) => {}
            Value::Map(map) if map.is_empty() => {}
            Value::Float(0.0) | Value::Duration(0) => {}
            other => self.add(&default_text(other)),
        }
    }

    fn add(&mut self, text: &str) {
        // What comes when the entry is full would be cut off.
        let is_known = || self.values.iter().any(|known| *known == *text);
        if text.is_empty() || self.size > LONGEST || is_known() {
            return;
        }
        self.size += text.len() + 1;
        self.values.push(text.to_owned());
    }
}

/// The values as a JSON list that is not too long: the last values are dropped, and if one is left
/// it is halved.
fn shortened(mut values: Vec<String>) -> String {
    loop {
        let items: Vec<_> = values.iter().map(|value| Value::Text(value)).collect();
        // A list of texts can always be written.
        let text = json_text(Value::List(&items)).unwrap_or_default();
        if text.len() <= LONGEST {
            return text;
        }
        match values.as_mut_slice() {
            [only] => {
                let half = only.floor_char_boundary(only.len() / 2);
                only.truncate(half);
                only.push_str("...");
            }
            _ => drop(values.pop()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(values: &[&str], expected: &str) {
        assert_eq!(shortened(values.iter().map(|value| (*value).to_owned()).collect()), expected);
    }

    #[test]
    fn what_is_too_long_is_cut() {
        check(&["a", "b\"<"], r#"["a","b\"\u003c"]"#);
        let (long, half) = ("x".repeat(3000), "y".repeat(1001));
        check(&[&long, &half, "z"], &format!("[\"{long}\"]"));
        // 8001 bytes, then 4000 and three points, then 2001 and three points.
        let longer = "x".repeat(8001);
        check(&[&longer, "z"], &format!("[\"{}...\"]", "x".repeat(2001)));
        let umlauts = "ä".repeat(3000);
        check(&[&umlauts], &format!("[\"{}...\"]", "ä".repeat(1500)));
    }

    #[test]
    fn only_what_the_brief_form_holds_needs_no_more() {
        let check = |text, expected| assert_eq!(speaks_of_brief_fields(text), expected, "{text}");
        check("evt.Meta.user", true);
        check("evt.Meta['user'] + evt.Enriched.IsoCode", true);
        check("req.Host", true);
        check("evt.Parsed.user", false);
        check("evt.GetMeta('user')", false);
        check("evt.Metadata", false);
        check("len(evt.Meta)", false);
        check("evt.Meta.user + evt.Line.Raw", false);
    }
}
