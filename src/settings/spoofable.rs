//! `spoofable:` – what scenarios may do whose sources are easily forged.

use std::sync::Arc;

use super::quantity::{TRUST, trust};
use super::section::At;
use crate::diagnostic::{Diagnostic, UserFile};
use crate::intake::spec::Trust;
use crate::yaml::{Fields, Node};

/// The section as typed: by the label `spoofable`.
#[derive(Clone, Debug, Default)]
pub(super) struct Typed([Option<At<Trust>>; 4]);

impl Typed {
    pub(super) fn read(fields: &mut Fields<'_, '_>, node: &Node, file: &Arc<UserFile>) -> Self {
        let mut typed = Self::default();
        if node.text().is_some() {
            let message = "expected a mapping such as `{3: observe}`";
            fields.report(node.span.clone(), "wrong-type", message);
            return typed;
        }
        for (name, value) in fields.text_map("spoofable") {
            let level = name.text.parse::<usize>().ok().filter(|level| (1..=3).contains(level));
            let Some(place) = level.and_then(|level| typed.0.get_mut(level)) else {
                let message = format!("`{}` is no degree: rules say 1, 2 or 3", name.text);
                fields.report(name.span.clone(), "wrong-value", message);
                continue;
            };
            match trust(value.value) {
                Ok(most) => {
                    *place = Some(At { value: most, file: Arc::clone(file), span: value.span });
                }
                Err(why) => {
                    let message = format!("expected {TRUST}, found `{}`", value.value);
                    let mistake = Diagnostic::error(file, value.span, "wrong-value", message);
                    let help = Some(why).filter(|why| !why.is_empty());
                    let mistake = match help {
                        Some(help) => mistake.with_help(help),
                        None => mistake,
                    };
                    fields.diagnostics().push(mistake);
                }
            }
        }
        typed
    }

    pub(super) fn merge(&mut self, other: Self) {
        for (first, second) in self.0.iter_mut().zip(other.0) {
            super::section::later(first, second);
        }
    }

    /// What scenarios of each degree may do: what is said of it, or of the next one below.
    pub(super) fn mean(self) -> [Trust; 4] {
        let mut last = Trust::FULL;
        self.0.map(|said| {
            last = said.map_or(last, |said| said.value);
            last
        })
    }
}
