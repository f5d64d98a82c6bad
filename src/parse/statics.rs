//! Statics: a text, constant or computed, and the field it goes to.

mod steps;

use bumpalo::collections::String as ArenaString;

use super::enrich::{Enrichment, Method};
use super::expression::Expression;
use super::field::Field;
use super::observe::Fact;
use super::run::{Abort, Run};
use crate::event::{Event, OverflowField};
use crate::value::{Arena, Fault, Map, Slot, Type, Value};
pub(super) use steps::Statics;

/// One static of a node or of a grok.
#[derive(Debug)]
pub(super) struct Static {
    pub(super) source: Source,
    pub(super) target: Target,
    /// Whether it asks for a date.
    is_date: bool,
    /// The target as the rule has it.
    path: Box<str>,
}

/// Where the text of a static comes from.
#[derive(Debug)]
pub(super) enum Source {
    /// It is given.
    Text(Box<str>),
    /// It is computed, and the expression is but a field.
    Field(Slot, Expression),
    /// It is computed, and the expression is but one of the texts that are in no section.
    Fixed(Fixed, Expression),
    /// It is computed.
    Expression(Expression),
}

/// Where the text of a static goes.
#[derive(Debug)]
pub(super) enum Target {
    /// Into a method that enriches the event.
    Method(Enrichment),
    /// Into a field of a section.
    Field(Field),
    /// Into `evt.Unmarshaled`, under this key.
    Unmarshaled(Box<str>),
    /// Into one of the texts of the event itself.
    Fixed(Fixed),
    /// Into the overflow.
    Overflow(OverflowField),
    /// Nowhere: the rule names no field that can hold text.
    Nowhere,
}

/// The texts of an event that are not in a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fixed {
    StrTime,
    StrTimeFormat,
    MarshaledTime,
    Stage,
    AllowlistReason,
    Raw,
    Source,
    Module,
}

/// A value made ready to be stored.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Text<'a> {
    /// As text.
    Of(&'a str),
    /// Nothing to store.
    Nothing,
    /// Nothing to store, and the rule should not have tried: a map or a list.
    Compound,
    /// A value that no rule may try to store.
    Unfit,
}

impl Static {
    pub(super) fn new(source: Source, target: Target, path: Box<str>) -> Self {
        let is_date = matches!(&target, Target::Method(each) if each.method == Method::ParseDate);
        Self { source, target, is_date, path }
    }

    /// Computes and stores the text.
    fn apply<'a>(&'a self, run: &mut Run<'_, 'a>) -> Result<(), Abort> {
        let event = run.event();
        let text = match &self.source {
            Source::Text(text) => text,
            Source::Field(slot, _) => event.get(*slot).unwrap_or_default(),
            Source::Fixed(fixed, _) => fixed.get(event),
            Source::Expression(expression) => match computed(expression, run)? {
                Some(text) => text,
                None => return Ok(()),
            },
        };
        // A static never blanks a field. Only dates are asked for even when there is no text.
        if !text.is_empty() || self.is_date {
            run.note(Fact::Static { target: &self.path, text });
            self.store(text, run);
        }
        Ok(())
    }

    fn store<'a>(&'a self, text: &'a str, run: &mut Run<'_, 'a>) {
        let event = run.event();
        match &self.target {
            Target::Method(enrichment) => {
                enrichment.apply(text, event, run.world, &mut run.scratch.last_date);
            }
            Target::Field(field) => field.set(event, text),
            Target::Unmarshaled(key) => {
                event.unmarshaled().set(key, Value::Text(text));
            }
            Target::Fixed(fixed) => fixed.set(event, text),
            Target::Overflow(field) => {
                event.overflow_view().set(*field, text);
            }
            Target::Nowhere => {}
        }
    }
}

/// The text that an expression gives, which may be empty; nothing when it fails, which is noted.
#[inline(never)]
fn computed<'a>(
    expression: &'a Expression,
    run: &mut Run<'_, 'a>,
) -> Result<Option<&'a str>, Abort> {
    let Some(value) = run.evaluate(expression) else { return Ok(None) };
    match text_of(value, expression.result(), run.event().arena()) {
        Text::Of(text) => Ok(Some(text)),
        Text::Nothing => Ok(Some("")),
        Text::Compound => {
            let message = format!(
                "a static cannot hold a {}; use `ToJsonString`, or choose one part",
                value.kind()
            );
            run.fault(expression, &Fault::new(message));
            Ok(None)
        }
        Text::Unfit => {
            let message = format!("a static must be text, found {}", value.kind());
            run.fault(expression, &Fault::new(message));
            Err(Abort)
        }
    }
}

impl Fixed {
    /// The one that an expression reads, if it does nothing else.
    pub(super) fn of(expression: &str) -> Option<Self> {
        Self::at(expression.trim().strip_prefix("evt.")?)
    }

    /// The one at a path in the event.
    pub(super) fn at(path: &str) -> Option<Self> {
        Some(match path {
            "StrTime" => Self::StrTime,
            "StrTimeFormat" => Self::StrTimeFormat,
            "MarshaledTime" => Self::MarshaledTime,
            "Stage" => Self::Stage,
            "WhitelistReason" => Self::AllowlistReason,
            "Line.Raw" => Self::Raw,
            "Line.Src" => Self::Source,
            "Line.Module" => Self::Module,
            _ => return None,
        })
    }

    #[inline]
    pub(super) fn get<'a>(self, event: &Event<'a>) -> &'a str {
        match self {
            Self::StrTime => event.str_time.get(),
            Self::StrTimeFormat => event.str_time_format.get(),
            Self::MarshaledTime => event.marshaled_time.get(),
            Self::Stage => event.stage.get(),
            Self::AllowlistReason => event.allowlist_reason.get(),
            Self::Raw => event.raw.get(),
            Self::Source => event.source.get(),
            Self::Module => event.module.get(),
        }
    }

    fn set<'a>(self, event: &Event<'a>, text: &'a str) {
        match self {
            Self::StrTime => event.str_time.set(text),
            Self::StrTimeFormat => event.str_time_format.set(text),
            Self::MarshaledTime => event.marshaled_time.set(text),
            Self::Stage => event.stage.set(text),
            Self::AllowlistReason => event.allowlist_reason.set(text),
            Self::Raw => event.raw.set(text),
            Self::Source => event.source.set(text),
            Self::Module => event.module.set(text),
        }
    }
}

/// The text that a static stores for the result of an expression, whose type, as far as it is
/// known, was `known` when the rule was loaded.
pub(super) fn text_of<'a>(value: Value<'a>, known: Type, arena: &'a Arena) -> Text<'a> {
    match value {
        Value::Nil => Text::Nothing,
        Value::List(_) if matches!(known, Type::List(Type::Text)) => Text::Unfit,
        Value::Map(map) if matches!(map.element(), Type::Text) => Text::Unfit,
        Value::List(_) | Value::Map(_) => Text::Compound,
        scalar => match scalar_text(scalar, arena) {
            Some(text) => Text::Of(text),
            None => Text::Unfit,
        },
    }
}

/// Text as it is, integers in decimal, floats with six decimals; `None` for anything else.
pub(super) fn scalar_text<'a>(value: Value<'a>, arena: &'a Arena) -> Option<&'a str> {
    use std::fmt::Write;

    let mut text = match value {
        Value::Text(text) => return Some(text),
        Value::Float(number) if number.is_nan() => return Some("NaN"),
        Value::Float(number) if number.is_infinite() => {
            return Some(if number > 0.0 { "+Inf" } else { "-Inf" });
        }
        Value::Int(_) | Value::Float(_) => ArenaString::new_in(arena),
        _ => return None,
    };
    let written = match value {
        Value::Int(number) => write!(text, "{number}"),
        Value::Float(number) => write!(text, "{number:.6}"),
        _ => return None,
    };
    written.ok()?;
    Some(text.into_bump_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expr::World;
    use crate::value::{Entries, Time};

    #[track_caller]
    fn check<'a>(arena: &'a Arena, value: Value<'a>, expected: &Text<'_>) {
        assert_eq!(&text_of(value, Type::Unknown, arena), expected, "{value:?}");
    }

    #[test]
    fn texts_of_the_event_are_read_as_expressions_read_them() {
        use crate::event::{Kind, Mode};
        use crate::parse::scope::EventScope;
        use crate::value::Names;

        let (arena, mut names, world) = (Arena::new(), Names::new(), World::default());
        let paths = [
            "StrTime",
            "StrTimeFormat",
            "MarshaledTime",
            "Stage",
            "WhitelistReason",
            "Line.Raw",
            "Line.Src",
            "Line.Module",
        ];
        let expressions =
            paths.map(|path| Expression::compile(&format!(" evt.{path}"), &mut names).unwrap());
        let event = Event::new(&arena, &names, Kind::Log, Mode::Live, Time::from_seconds(0));
        for (path, expression) in paths.iter().zip(&expressions) {
            let fixed = Fixed::of(expression.source()).unwrap();
            fixed.set(event, path);
            assert_eq!(fixed.get(event), *path);
            let value = expression.evaluate(&EventScope::new(event, &world)).unwrap();
            assert_eq!(value.as_text(), Some(*path));
        }
        assert_eq!(Fixed::of("evt.Time"), None);
        assert_eq!(Fixed::of("evt.StrTime + 'x'"), None);
    }

    #[test]
    fn values_become_text() {
        let arena = Arena::new();
        check(&arena, Value::Text("x"), &Text::Of("x"));
        check(&arena, Value::Int(-5), &Text::Of("-5"));
        check(&arena, Value::Float(403.0), &Text::Of("403.000000"));
        check(&arena, Value::Float(0.1234567), &Text::Of("0.123457"));
        check(&arena, Value::Float(f64::NEG_INFINITY), &Text::Of("-Inf"));
        check(&arena, Value::Float(f64::NAN), &Text::Of("NaN"));
        check(&arena, Value::Nil, &Text::Nothing);
        check(&arena, Value::List(&[]), &Text::Compound);
        check(
            &arena,
            Value::Map(arena.alloc(Entries::new(&arena, Type::Unknown))),
            &Text::Compound,
        );
        check(&arena, Value::Map(arena.alloc(Entries::new(&arena, Type::Text))), &Text::Unfit);
        check(&arena, Value::Bool(true), &Text::Unfit);
        check(&arena, Value::Duration(1), &Text::Unfit);
        check(&arena, Value::Time(Time::from_seconds(1)), &Text::Unfit);
        let texts = text_of(Value::List(&[]), Type::List(&Type::Text), &arena);
        assert_eq!(texts, Text::Unfit);
    }
}
