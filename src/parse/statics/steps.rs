//! All statics of a node or of a grok, and the few instructions that most of them are.

use super::{Source, Static, Target};
use crate::parse::enrich::Method;
use crate::parse::field::Field;
use crate::parse::run::{Abort, Run};
use crate::value::Slot;

/// Statics in the order in which they are computed and stored.
#[derive(Debug, Default)]
pub(in crate::parse) struct Statics {
    all: Box<[Static]>,
    /// The same, as far as nobody listens.
    steps: Box<[Step]>,
}

/// What a static does. Nearly all give a text or a field to a field.
#[derive(Debug)]
enum Step {
    Text {
        text: Box<str>,
        to: Slot,
    },
    Copy {
        from: Slot,
        to: Slot,
    },
    /// The static of this number, unless its method knows nothing.
    Method(Method, usize),
    /// The static of this number.
    Other(usize),
}

impl Statics {
    pub(in crate::parse) fn new(all: Vec<Static>) -> Self {
        let steps = all.iter().enumerate().filter_map(|(at, each)| {
            Some(match (&each.source, &each.target) {
                (Source::Text(text), _) if text.is_empty() && !each.is_date => return None,
                (Source::Text(text), Target::Field(Field::Slot(to))) => {
                    Step::Text { text: text.clone(), to: *to }
                }
                (Source::Field(from, _), Target::Field(Field::Slot(to))) => {
                    Step::Copy { from: *from, to: *to }
                }
                // What an expression may do is done even when its value is of no use.
                (Source::Text(_) | Source::Field(..) | Source::Fixed(..), Target::Method(each)) => {
                    Step::Method(each.method, at)
                }
                _ => Step::Other(at),
            })
        });
        let steps = steps.collect();
        Self { steps, all: all.into() }
    }

    /// All of them.
    pub(in crate::parse) fn all(&self) -> &[Static] {
        &self.all
    }

    /// Computes and stores the texts of all.
    pub(in crate::parse) fn apply<'a>(&'a self, run: &mut Run<'_, 'a>) -> Result<(), Abort> {
        if run.observer.is_some() {
            return self.all.iter().try_for_each(|each| each.apply(run));
        }
        let event = run.event();
        for step in &self.steps {
            match step {
                Step::Text { text, to } => event.set(*to, text),
                // A static never blanks a field.
                Step::Copy { from, to } => match event.get(*from) {
                    None | Some("") => {}
                    Some(text) => event.set(*to, text),
                },
                Step::Method(method, _) if method.knows_nothing(run.world) => {}
                Step::Method(_, at) | Step::Other(at) => {
                    if let Some(each) = self.all.get(*at) {
                        each.apply(run)?;
                    }
                }
            }
        }
        Ok(())
    }
}
