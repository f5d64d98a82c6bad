//! `weir check`: is the configuration right?

use std::path::PathBuf;

use serde_json::json;

use super::{Exit, Global, Output, complete, output};
use crate::daemon;
use crate::diagnostic::{self, Diagnostic};
use crate::rules::{Counts, Outside};
use crate::settings::{self, Settings};

/// Check the configuration, and say where it is wrong
///
/// Reads what `weir run` would read and reports all mistakes at once, each with its place and what
/// to do. Nothing is started and nothing is changed, so a running daemon is not disturbed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  weir check                     the configuration of this host
  weir check new.yaml            another file, and the `conf.d` beside it
  weir check --output json       for editors and scripts

Exits with 0 when there are no errors (there may be warnings), else with 78.")]
pub(super) struct Check {
    /// The configuration file; the same as `--config`
    #[arg(value_name = "FILE", conflicts_with = "config")]
    file: Option<PathBuf>,
    /// Check the rules of this folder, and nothing else; may be repeated
    #[arg(long, value_name = "DIR", conflicts_with = "file")]
    rules: Vec<PathBuf>,
    /// The form of the answer
    #[arg(long, value_name = "FORM", default_value = "human")]
    output: Output,
}

impl Check {
    pub(super) fn run(self, global: &Global) -> anyhow::Result<Exit> {
        let given = self.file.as_deref().or(global.config.as_deref());
        let path = settings::find(given);
        let (settings, mut diagnostics) = settings::load(path.as_deref());
        if !self.rules.is_empty() {
            return self.folders(&settings);
        }
        let name = path.map(|path| path.display().to_string());
        diagnostics.extend(daemon::profiles(&settings).1);
        let (ruleset, found) = daemon::rules_of(&settings, None, Outside::default());
        diagnostics.extend(found);
        diagnostic::sort(&mut diagnostics);
        let wrong = diagnostics.iter().any(Diagnostic::is_error);
        match self.output {
            Output::Human => {
                output::show(&diagnostics);
                let counts = ruleset.counts();
                complete(&verdict(name.as_deref(), &settings, counts, &diagnostics))?;
            }
            Output::Json => {
                let answer = json!({
                    "file": name,
                    "valid": !wrong,
                    "diagnostics": diagnostic::to_json(&diagnostics),
                });
                complete(&format!("{answer:#}\n"))?;
            }
        }
        Ok(if wrong { Exit::Configuration } else { Exit::Success })
    }
}

impl Check {
    /// Only rules, whatever the configuration names.
    fn folders(&self, settings: &Settings) -> anyhow::Result<Exit> {
        let mut settings = settings.clone();
        settings.rules.shipped = false;
        settings.rules.folders.clone_from(&self.rules);
        let (ruleset, diagnostics) = daemon::rules_of(&settings, None, Outside::default());
        let counts = ruleset.counts();
        let wrong = diagnostics.iter().any(Diagnostic::is_error);
        match self.output {
            Output::Human => {
                output::show(&diagnostics);
                let summary = diagnostic::summary(&diagnostics);
                let summary = if summary.is_empty() { "no mistakes".to_owned() } else { summary };
                let counts = [
                    counted(counts.parsers, "parser", "parsers"),
                    counted(counts.scenarios, "scenario", "scenarios"),
                    counted(counts.postoverflows, "postoverflow", "postoverflows"),
                    counted(counts.rejected, "file left out", "files left out"),
                ];
                complete(&format!("{}: {summary}\n", counts.join(", ")))?;
            }
            Output::Json => {
                let answer = json!({
                    "valid": !wrong,
                    "parsers": counts.parsers,
                    "scenarios": counts.scenarios,
                    "postoverflows": counts.postoverflows,
                    "rejected": counts.rejected,
                    "diagnostics": diagnostic::to_json(&diagnostics),
                });
                complete(&format!("{answer:#}\n"))?;
            }
        }
        Ok(if wrong { Exit::Configuration } else { Exit::Success })
    }
}

/// `weir.yaml is valid: 3 sources, 16 allowlist entries`.
fn verdict(
    name: Option<&str>,
    settings: &Settings,
    rules: Counts,
    diagnostics: &[Diagnostic],
) -> String {
    let name = name.unwrap_or("the built-in configuration");
    let summary = diagnostic::summary(diagnostics);
    if diagnostics.iter().any(Diagnostic::is_error) {
        return format!("{name} is wrong: {summary}\n");
    }
    let mut facts = vec![
        counted(settings.sources.len(), "source", "sources"),
        counted(settings.allowlist.entries.len(), "allowlist entry", "allowlist entries"),
        counted(rules.parsers, "parser", "parsers"),
        counted(rules.scenarios, "scenario", "scenarios"),
    ];
    if !settings.profiles.is_empty() {
        facts.push(counted(settings.profiles.len(), "profile", "profiles"));
    }
    let warned = if summary.is_empty() { String::new() } else { format!(" ({summary})") };
    format!("{name} is valid{warned}: {}\n", facts.join(", "))
}

/// `1 parser`, `2 parsers`.
fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
