//! Rules of one name.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::Family;
use crate::diagnostic::{Diagnostic, UserFile};

/// The names that were seen, and where each is written first.
#[derive(Debug, Default)]
pub(super) struct Seen {
    places: HashMap<(Family, Box<str>), (Arc<UserFile>, usize)>,
}

impl Seen {
    /// Adds a name; tells of the rule that has it already.
    pub(super) fn add(
        &mut self,
        family: Family,
        name: &str,
        file: &Arc<UserFile>,
        span: Range<usize>,
    ) -> Option<Diagnostic> {
        if name.is_empty() {
            return None;
        }
        if let Some((first, at)) = self.places.get(&(family, name.into())) {
            let (line, _) = first.place(*at);
            let what = match family {
                Family::Parser => "parsers",
                Family::Postoverflow => "postoverflow rules",
                Family::Scenario => "scenarios",
            };
            let message = format!("two {what} are called `{name}`");
            let help = format!(
                "the other is at {}:{line}; what is counted, shown and configured by name is said \
                 of both",
                first.path.display()
            );
            let told = Diagnostic::error(file, span, "same-name", message).warning();
            return Some(told.with_help(help));
        }
        self.places.insert((family, name.into()), (Arc::clone(file), span.start));
        None
    }

    /// Whether there is a rule of this name, or one whose file is called so.
    pub(super) fn has(&self, family: Family, name: &str) -> bool {
        let is_file = |file: &UserFile| {
            let path = file.path.with_extension("");
            path.ends_with(name)
        };
        self.places.contains_key(&(family, name.into()))
            || self.places.iter().any(|((of, _), (file, _))| *of == family && is_file(file))
    }

    /// All names of a family.
    pub(super) fn of(&self, family: Family) -> impl Iterator<Item = &str> {
        self.places.keys().filter(move |(of, _)| *of == family).map(|(_, name)| &**name)
    }
}
