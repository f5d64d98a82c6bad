//! What the sections of the file have in common: values that remember their place.

use std::ops::Range;
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, UserFile};
use crate::yaml::{Fields, Spanned};

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
