//! Contexts as they are written: names, each with expressions.

use std::sync::Arc;

use crate::detect::context::Contexts;
use crate::detect::expression::{Expression, Place};
use crate::diagnostic::{Diagnostic, UserFile};
use crate::value::Names;
use crate::yaml::Node;

/// Reads a document with contexts into `contexts`. In a hub's item they stand under the key
/// `context`, among others that describe the item; in a file that `is_bare` there is nothing else.
#[must_use]
pub fn load_contexts(
    document: &Node,
    is_bare: bool,
    file: &Arc<UserFile>,
    names: &mut Names,
    contexts: &mut Contexts,
) -> Vec<Diagnostic> {
    let mut told = Vec::new();
    let wrong = |node: &Node, wanted: &str| {
        let message = format!("expected {wanted}, found {}", node.describe());
        Diagnostic::error(file, node.head(), "wrong-type", message)
    };
    let map = if is_bare { Some(document) } else { document.get("context") };
    let Some(map) = map.filter(|map| !map.is_null()) else {
        let message = "there is no `context` in this document, so it has no effect";
        told.push(Diagnostic::error(file, document.head(), "no-context", message).warning());
        return told;
    };
    let Some(entries) = map.entries() else {
        told.push(wrong(map, "names, each with a list of expressions"));
        return told;
    };
    for (name, node) in entries {
        let expressions = node.items().unwrap_or_else(|| std::slice::from_ref(node));
        for node in expressions.iter().filter(|node| !node.is_null()) {
            let Some(text) = node.text() else {
                told.push(wrong(node, "an expression"));
                continue;
            };
            match Expression::compile(text, Place::Context, names) {
                Ok(expression) => contexts.add(&name.text, expression),
                Err(mistakes) => told.extend(mistakes.into_iter().map(|mistake| {
                    let span = node.locate_range(mistake.span);
                    let told = Diagnostic::error(file, span, "expression", mistake.message);
                    Diagnostic { help: mistake.help, ..told }
                })),
            }
        }
    }
    told
}
