//! `lists:` – a folder of lists that are followed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::quantity::duration_from;
use super::section::{At, at, is_off, later};
use crate::diagnostic::{Diagnostic, UserFile};
use crate::yaml::{Fields, Node};

/// The lists that are followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lists {
    /// The folder; `None` for none.
    pub folder: Option<PathBuf>,
    /// How long an entry is banned that does not say: it is renewed while it is on the list.
    pub span: Duration,
}

/// The section as typed.
#[derive(Clone, Debug, Default)]
pub(super) struct Typed {
    /// `Some(None)`: switched off.
    folder: Option<At<Option<PathBuf>>>,
    span: Option<At<Duration>>,
}

const DAY: Duration = Duration::from_secs(86_400);

impl Typed {
    pub(super) fn read(
        node: &Node,
        file: &Arc<UserFile>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Self {
        let mut typed = Self::default();
        let Some(mut fields) = Fields::of(node, file, "`lists`", diagnostics) else {
            return typed;
        };
        let from = file.path.parent().unwrap_or(Path::new("")).to_owned();
        let folder = fields.parsed("folder", "a folder, or `off`", |text| {
            Ok(match text {
                _ if is_off(text) => None,
                _ => Some(from.join(text)),
            })
        });
        typed.folder = folder.map(|found| at(&fields, found));
        // Entries are renewed when half of the time is over: not more often than this lets them.
        typed.span = duration_from(&mut fields, "for", "1m");
        fields.finish();
        typed
    }

    pub(super) fn merge(&mut self, other: Self) {
        later(&mut self.folder, other.folder);
        later(&mut self.span, other.span);
    }

    /// Whether nothing is said of a folder.
    pub(super) fn has_no_folder(&self) -> bool {
        self.folder.is_none()
    }

    pub(super) fn mean(self) -> Lists {
        Lists {
            folder: self.folder.and_then(|found| found.value),
            span: self.span.map_or(DAY, |found| found.value),
        }
    }
}
