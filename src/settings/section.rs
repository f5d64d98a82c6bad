//! What the sections of the file have in common: values that remember their place.

use std::ops::Range;
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, UserFile};
use crate::yaml::{Fields, Node, Spanned};

/// A value with the file and the bytes it was written in; several files make one configuration.
#[derive(Clone, Debug)]
pub struct At<T> {
    /// The value.
    pub value: T,
    /// The file.
    pub file: Arc<UserFile>,
    /// The bytes of the file.
    pub span: Range<usize>,
}

impl<T> At<T> {
    /// A mistake at this place.
    pub(super) fn error(&self, code: &'static str, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(&self.file, self.span.clone(), code, message)
    }

    /// `weir.yaml:3`, for messages about another place.
    pub(super) fn place(&self) -> String {
        let (line, _) = self.file.place(self.span.start);
        let name = self.file.path.file_name().unwrap_or(self.file.path.as_os_str());
        format!("{}:{line}", name.display())
    }
}

/// Gives a value its file.
pub(super) fn at<T>(fields: &Fields<'_, '_>, found: Spanned<T>) -> At<T> {
    At { value: found.value, file: Arc::clone(fields.file()), span: found.span }
}

/// The later value, if there is one.
pub(super) fn later<T>(first: &mut Option<T>, second: Option<T>) {
    if second.is_some() {
        *first = second;
    }
}

/// What is wrong with a part that is neither a mapping nor switched off.
const SWITCH: &str = "expected a mapping or `off`";

/// Whether a word switches something off.
pub(super) fn is_off(text: &str) -> bool {
    matches!(text, "off" | "no" | "false")
}

/// Reads a part that can be switched off as a whole: whether it is, and its keys where it has
/// any.
pub(super) fn switch<'n>(
    node: &'n Node,
    file: &Arc<UserFile>,
    diagnostics: &mut Vec<Diagnostic>,
) -> (Option<At<bool>>, Option<&'n Node>) {
    let Some(text) = node.text() else { return (None, Some(node)) };
    let is_off = is_off(text);
    if !is_off && !matches!(text, "on" | "yes" | "true") {
        let message = format!("{SWITCH}, found `{text}`");
        diagnostics.push(Diagnostic::error(file, node.span.clone(), "wrong-value", message));
        return (None, None);
    }
    let at = At { value: is_off, file: Arc::clone(file), span: node.span.clone() };
    (Some(at), None)
}

/// The same for a whole section: one with keys is switched on.
pub(super) fn section<'n, 'd>(
    node: &'n Node,
    file: &'d Arc<UserFile>,
    name: &'d str,
    diagnostics: &'d mut Vec<Diagnostic>,
) -> (Option<At<bool>>, Option<Fields<'n, 'd>>) {
    let (off, keys) = switch(node, file, diagnostics);
    let fields = keys.and_then(|node| Fields::of(node, file, name, diagnostics));
    let on = || At { value: false, file: Arc::clone(file), span: node.head() };
    (off.or_else(|| fields.as_ref().map(|_| on())), fields)
}
