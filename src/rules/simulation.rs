//! `simulation.yaml` of a rules folder: scenarios that decide for show.
//!
//! ```yaml
//! simulation: false        # whether those that are not named decide for show
//! exclusions: [ssh-bf]     # those that are the other way round
//! ```
//!
//! What a scenario decides for show is recorded, listed and counted as `observe`, and not carried
//! out. The file speaks of the scenarios of its own folder.

use super::folder::Piece;
use crate::detect::Scenario;
use crate::diagnostic::{Diagnostic, similar};
use crate::yaml::{self, Fields, Spanned};

/// Marks the scenarios that decide for show, as the file says. One with a mistake marks none.
pub(super) fn mark(
    piece: &Piece,
    scenarios: &mut [Scenario],
    diagnostics: &mut Vec<Diagnostic>,
) -> bool {
    let (documents, mut found) = yaml::load(&piece.file);
    let mut all = false;
    let mut exceptions: Vec<Spanned<&str>> = Vec::new();
    for document in &documents {
        let Some(mut fields) = Fields::of(document, &piece.file, "the simulation", &mut found)
        else {
            continue;
        };
        all |= fields.bool("simulation").is_some_and(|all| all.value);
        exceptions.extend(fields.text_list("exclusions"));
        fields.finish();
    }
    for exception in &exceptions {
        if scenarios.iter().any(|scenario| *scenario.name == *exception.value) {
            continue;
        }
        let message = format!("there is no scenario `{}` in this folder", exception.value);
        let span = exception.span.clone();
        let told = Diagnostic::error(&piece.file, span, "no-scenario", message).warning();
        let names = scenarios.iter().map(|scenario| &*scenario.name);
        found.push(match similar(exception.value, names) {
            Some(meant) => told.with_help(format!("did you mean `{meant}`?")),
            None => told,
        });
    }
    let is_sound = !found.iter().any(Diagnostic::is_error);
    diagnostics.append(&mut found);
    if is_sound {
        for scenario in scenarios {
            let is_exception = exceptions.iter().any(|name| *name.value == *scenario.name);
            scenario.simulated = all != is_exception;
        }
    }
    is_sound
}
