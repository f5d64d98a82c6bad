//! Doubts about rules that are right in form: they load, and probably do not do what was meant.
//!
//! Each lint is a pure function of compiled rules and the YAML they came from; [`Lints`] gathers
//! what those need that look at all rules together. Nothing here changes what is loaded. The codes
//! of all lints are in [`LINTS`].

mod address;
mod collections;
mod forgery;
mod names;
mod values;

use std::ops::Range;
use std::sync::Arc;

use crate::detect::Scenario;
use crate::detect::spec::ScenarioSpec;
use crate::diagnostic::{Diagnostic, UserFile};
use crate::parse::Node;
use crate::parse::grok::Grok;
use crate::parse::spec::{NodeSpec, Outline};
use crate::value::Names;

/// A line by which a stranger's words deceive a pattern about the address that this capture takes;
/// `None` where none was found.
#[must_use]
pub fn deceived(grok: &Grok, address: usize) -> Option<String> {
    let mut study = forgery::Study::new(grok, address)?;
    study.forgeries().into_iter().map(|forgery| forgery.line).next()
}

/// The codes of all lints, and what each finds.
pub const LINTS: &[(&str, &str)] = &[
    ("forged-address", "words in a line may choose the address that is banned"),
    ("open-start", "a pattern for an address may begin anywhere in a line"),
    ("open-end", "what follows an address in a line may choose another"),
    ("never-holds", "a filter asks for what no loaded rule gives"),
    ("never-set", "a filter lists a value that no loaded rule gives"),
    ("same-name", "two rules have one name"),
    ("no-such-rule", "a collection names a rule that is not there"),
];

/// What kind of rule it is; names are told apart within a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Family {
    Parser,
    Postoverflow,
    Scenario,
}

/// Looks at rules one after the other, and at the end at all together.
#[derive(Debug, Default)]
pub(super) struct Lints {
    names: names::Seen,
    values: values::Values,
    has_parsers: bool,
    diagnostics: Vec<Diagnostic>,
}

impl Lints {
    /// Takes note of a rule's name, and of where it is written.
    pub(super) fn name(
        &mut self,
        family: Family,
        name: &str,
        file: &Arc<UserFile>,
        span: Range<usize>,
    ) {
        self.diagnostics.extend(self.names.add(family, name, file, span));
    }

    /// Looks at a parser or postoverflow rule.
    pub(super) fn rule(&mut self, family: Family, spec: &NodeSpec<'_>, node: &Node, names: &Names) {
        let outline = Outline::of(spec, node);
        self.values.writes(&outline);
        // Of overflows it is not known who wrote their fields.
        if family == Family::Parser {
            self.has_parsers = true;
            self.values.filters(&outline, spec.file());
            address::look(&outline, spec.file(), names, &mut self.diagnostics);
        }
    }

    /// Looks at a scenario.
    pub(super) fn scenario(
        &mut self,
        spec: &ScenarioSpec<'_>,
        scenario: &Scenario,
        file: &Arc<UserFile>,
    ) {
        for program in scenario.programs() {
            self.values.methods(program);
        }
        if let Some(node) = spec.filter() {
            self.values.filter(scenario.filter(), node, file);
        }
    }

    /// Looks at all together, and at the collections that name them.
    pub(super) fn finish(
        mut self,
        names: &mut Names,
        collections: &[Arc<UserFile>],
    ) -> Vec<Diagnostic> {
        // Without parsers their values are not known.
        if self.has_parsers {
            self.values.finish(names, &mut self.diagnostics);
        }
        for file in collections {
            collections::look(file, &self.names, &mut self.diagnostics);
        }
        self.diagnostics
    }
}

#[cfg(test)]
mod tests;
