//! Rules, profiles and friends for commands that need no daemon.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Global, asking, output};
use crate::daemon::{all_or_nothing, policy, rules_of};
use crate::decide::{Measures, Policy, Profiles};
use crate::decision::Allowlist;
use crate::rules::{Outside, Ruleset};

/// What lines are looked at by.
pub(super) struct Loaded {
    pub(super) ruleset: Arc<Ruleset>,
    pub(super) profiles: Profiles,
    pub(super) allowlist: Allowlist,
    pub(super) measures: Measures,
}

/// Loads what the configuration names, with the rules of these folders instead of its own if
/// there are any. Mistakes in rules are shown, and their files left out, unless `strict`, or the
/// configuration where that is not given, forbids it.
///
/// # Errors
/// When the configuration is wrong.
pub(super) fn load(
    global: &Global,
    folders: &[PathBuf],
    strict: Option<bool>,
) -> anyhow::Result<Loaded> {
    let (mut settings, _) = asking::settings(global)?;
    if !folders.is_empty() {
        for folder in folders {
            anyhow::ensure!(is_folder(folder), "there is no folder `{}`", folder.display());
        }
        settings.rules.shipped = false;
        settings.rules.folders = folders.to_vec();
    }
    let (ruleset, diagnostics) = rules_of(&settings, None, Outside::default());
    if !diagnostics.is_empty() {
        output::show(&diagnostics);
    }
    if strict.unwrap_or(settings.rules.strict) {
        all_or_nothing(&ruleset)?;
    }
    let policy = policy(&settings, false)?;
    let Policy { profiles, allowlist, measures, .. } = policy;
    Ok(Loaded { ruleset, profiles, allowlist, measures })
}

fn is_folder(path: &Path) -> bool {
    path.is_dir()
}
