//! What a rule asks of events, searches for and writes, beside the YAML that says so: for those
//! who ask whether rules fit together.

use super::{GrokSpec, NodeSpec};
use crate::expr::Program;
use crate::parse::expression::Expression;
use crate::parse::field::Field;
use crate::parse::grok::Grok;
use crate::parse::node::{Input, Node as Compiled, NodeGrok};
use crate::parse::statics::{Source, Static, Target};
use crate::value::Slot;
use crate::yaml::Node;

/// A rule or a child of one.
#[derive(Debug)]
pub struct Outline<'r> {
    /// What must hold of an event, and where that is written.
    pub filter: Option<(&'r Program, &'r Node)>,
    /// The pattern that is searched for.
    pub search: Option<Search<'r>>,
    /// What it writes itself, in no particular order.
    pub writes: Vec<Write<'r>>,
    /// All its expressions: they may write too.
    pub programs: Vec<&'r Program>,
    /// Its children.
    pub children: Vec<Outline<'r>>,
}

/// A pattern that is searched for.
#[derive(Debug)]
pub struct Search<'r> {
    /// The pattern.
    pub grok: &'r Grok,
    /// The fields of its captures, in their order.
    pub fields: Vec<Option<Slot>>,
    /// Where the pattern or its name is written.
    pub node: &'r Node,
}

/// A field that is written.
#[derive(Debug)]
pub struct Write<'r> {
    /// Which.
    pub slot: Slot,
    /// What with.
    pub with: Written<'r>,
}

/// What a field is written with.
#[derive(Debug)]
pub enum Written<'r> {
    /// This text.
    Text(&'r str),
    /// What this gives.
    Computed(&'r Program),
    /// Words of the line, or of a data base.
    Anything,
}

impl<'r> Outline<'r> {
    /// The outline of a rule that was compiled from this description.
    #[must_use]
    pub fn of(spec: &'r NodeSpec<'r>, node: &'r Compiled) -> Self {
        let mut outline = Self {
            filter: node.filter.as_ref().map(Expression::program).zip(spec.filter),
            search: node.grok.as_ref().zip(spec.grok.as_ref()).and_then(search),
            writes: Vec::new(),
            programs: Vec::new(),
            children: Vec::new(),
        };
        outline.programs.extend(node.filter.as_ref().map(Expression::program));
        if let Some(grok) = &node.grok {
            let slots = grok.fields.iter().filter_map(Field::slot);
            outline.writes.extend(slots.map(|slot| Write { slot, with: Written::Anything }));
            outline.statics(grok.statics.all());
            if let Input::Expression(expression) = &grok.input {
                outline.programs.push(expression.program());
            }
        }
        for stash in &node.stash {
            outline.programs.extend([stash.key.program(), stash.value.program()]);
        }
        outline.statics(node.statics.all());
        let conditions = node.allowlist.iter().flat_map(|list| &list.conditions);
        outline.programs.extend(conditions.map(Expression::program));
        let children = spec.children.iter().zip(&node.children);
        outline.children = children.map(|(spec, node)| Self::of(spec, node)).collect();
        outline
    }

    fn statics(&mut self, statics: &'r [Static]) {
        for each in statics {
            let with = match &each.source {
                Source::Text(text) => Written::Text(text),
                Source::Expression(expression)
                | Source::Field(_, expression)
                | Source::Fixed(_, expression) => {
                    self.programs.push(expression.program());
                    Written::Computed(expression.program())
                }
            };
            match &each.target {
                Target::Field(field) => {
                    self.writes.extend(field.slot().map(|slot| Write { slot, with }));
                }
                Target::Method(enrichment) => {
                    let slots = enrichment.fields().iter().filter_map(Field::slot);
                    let write = |slot| Write { slot, with: Written::Anything };
                    self.writes.extend(slots.map(write));
                }
                Target::Unmarshaled(_) | Target::Fixed(_) | Target::Overflow(_) => {}
                Target::Nowhere => {}
            }
        }
    }
}

fn search<'r>((grok, spec): (&'r NodeGrok, &'r GrokSpec<'r>)) -> Option<Search<'r>> {
    let fields = grok.fields.iter().map(Field::slot).collect();
    Some(Search { grok: &grok.grok, fields, node: spec.name.or(spec.pattern)? })
}

/// The fields that a header fills when no rule decodes it.
pub use crate::parse::header::FIELDS as HEADER_FIELDS;
