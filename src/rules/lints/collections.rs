//! Collections: files that list rules by name. They are no rules, and nothing is loaded by them.

use std::sync::Arc;

use super::Family;
use super::names::Seen;
use crate::diagnostic::{Diagnostic, UserFile, similar};
use crate::yaml;

/// The lists of a collection whose rules can be looked for.
const LISTS: [(&str, Family, &str); 3] = [
    ("parsers", Family::Parser, "parser"),
    ("postoverflows", Family::Postoverflow, "postoverflow rule"),
    ("scenarios", Family::Scenario, "scenario"),
];

/// Tells of the rules that a collection names and that are not there. What is wrong with its form
/// is told too, but keeps no rule from being loaded.
pub(super) fn look(file: &Arc<UserFile>, seen: &Seen, diagnostics: &mut Vec<Diagnostic>) {
    let (documents, mistakes) = yaml::load(file);
    diagnostics.extend(mistakes.into_iter().map(Diagnostic::warning));
    for document in &documents {
        for (list, family, word) in LISTS {
            let items = document.get(list).and_then(yaml::Node::items).unwrap_or_default();
            for item in items {
                let Some(name) = item.text().filter(|name| !seen.has(family, name)) else {
                    continue;
                };
                let message =
                    format!("this collection names the {word} `{name}`, which is not loaded");
                let span = item.span.clone();
                let told = Diagnostic::error(file, span, "no-such-rule", message).warning();
                diagnostics.push(match similar(name, seen.of(family)) {
                    Some(near) => told.with_help(format!("did you mean `{near}`?")),
                    None => told
                        .with_help("put its file into the rules folder, or take it off the list"),
                });
            }
        }
    }
}
