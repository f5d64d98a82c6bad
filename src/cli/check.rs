//! `weir check`: is the configuration right?

mod labels;
mod lints;

use std::num::NonZero;
use std::path::PathBuf;

use serde_json::json;

use super::{Exit, Global, Output, complete};
use crate::daemon;
use crate::diagnostic::{self, Diagnostic, Severity};
use crate::rules::{self, Counts, Outside, Request};
use crate::settings::{self, Settings};
use crate::system::clock;
use lints::Shown;

/// Check the configuration, and say where it is wrong
///
/// Reads what `weir run` would read and reports all mistakes at once, each with its place and what
/// to do. Nothing is started and nothing is changed, so a running daemon is not disturbed.
///
/// Rules are also looked at for what loads and is probably not meant: an address that somebody
/// else's words can choose, a filter that asks for what no loaded rule gives, two rules of one
/// name. Such doubts are warnings, or notes where it depends on what is logged.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  weir check                     the configuration of this host
  weir check new.yaml            another file, and the `conf.d` beside it
  weir check --rules DIR         only the rules of a folder
  weir check --lints all         every doubt about rules, one by one
  weir check --strict            for tests of rules: a warning is a failure
  weir check --output json       for editors and scripts

Exits with 0 when there are no errors, else with 78. Warnings count as errors with --strict,
notes never do.")]
pub(super) struct Check {
    /// The configuration file; the same as `--config`
    #[arg(value_name = "FILE", conflicts_with = "config")]
    file: Option<PathBuf>,
    /// Check the rules of this folder, and nothing else; may be repeated
    #[arg(long, value_name = "DIR", conflicts_with = "file")]
    rules: Vec<PathBuf>,
    /// Which doubts about rules are shown
    #[arg(long, value_name = "WHICH", default_value = "few")]
    lints: Shown,
    /// Exit with 78 also when there are only warnings
    #[arg(long)]
    strict: bool,
    /// The form of the answer
    #[arg(long, value_name = "FORM", default_value = "human")]
    output: Output,
}

impl Check {
    pub(super) fn run(self, global: &Global) -> anyhow::Result<Exit> {
        let given = self.file.as_deref().or(global.config.as_deref());
        let path = settings::find(given);
        let (mut settings, mut diagnostics) = settings::load(path.as_deref());
        let only_rules = !self.rules.is_empty();
        if only_rules {
            settings.rules.shipped = false;
            settings.rules.folders.clone_from(&self.rules);
            diagnostics.clear();
        } else {
            diagnostics.extend(daemon::profiles(&settings).1);
            diagnostics.extend(daemon::certificates(&settings, clock::now()));
        }
        let request = Request {
            lints: self.lints != Shown::None,
            ..daemon::request(&settings, Outside::default())
        };
        let (ruleset, found) = rules::load(request, None, clock::now());
        diagnostics.extend(found);
        if !only_rules {
            diagnostics.extend(labels::doubts(&settings, &ruleset));
        }
        let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
        diagnostics.extend(ruleset.warm(threads).into_iter().map(unbuilt));
        diagnostic::sort(&mut diagnostics);
        let worst = diagnostics.iter().map(|found| found.severity).max();
        let is_wrong = worst == Some(Severity::Error);
        let counts = ruleset.counts();
        let name = path.map(|path| path.display().to_string());
        match self.output {
            Output::Human => {
                lints::show(&diagnostics, self.lints);
                complete(&if only_rules {
                    counted_rules(counts, &diagnostics)
                } else {
                    verdict(name.as_deref(), &settings, counts, &diagnostics)
                })?;
            }
            Output::Json => {
                let mut answer = json!({
                    "valid": !is_wrong,
                    "diagnostics": lints::to_json(&diagnostics, self.lints),
                });
                if only_rules {
                    answer["parsers"] = json!(counts.parsers);
                    answer["scenarios"] = json!(counts.scenarios);
                    answer["simulated"] = json!(counts.simulated);
                    answer["postoverflows"] = json!(counts.postoverflows);
                    answer["rejected"] = json!(counts.rejected);
                } else {
                    answer["file"] = json!(name);
                }
                complete(&format!("{answer:#}\n"))?;
            }
        }
        let fails = is_wrong || self.strict && worst == Some(Severity::Warning);
        Ok(if fails { Exit::Configuration } else { Exit::Success })
    }
}

/// A pattern that is right in form and cannot be used.
fn unbuilt(message: String) -> Diagnostic {
    Diagnostic {
        severity: Severity::Error,
        code: "pattern",
        message,
        file: None,
        span: 0..0,
        label: String::new(),
        help: Some("make it simpler: without it the rule never takes a line".to_owned()),
    }
}

/// `3 parsers, 1 scenario, 0 postoverflows, 0 files left out: no mistakes`.
fn counted_rules(counts: Counts, diagnostics: &[Diagnostic]) -> String {
    let summary = diagnostic::summary(diagnostics);
    let summary = if summary.is_empty() { "no mistakes".to_owned() } else { summary };
    let counts = [
        counted(counts.parsers, "parser", "parsers"),
        counted(counts.scenarios, "scenario", "scenarios") + &simulated(counts),
        counted(counts.postoverflows, "postoverflow", "postoverflows"),
        counted(counts.rejected, "file left out", "files left out"),
    ];
    format!("{}: {summary}\n", counts.join(", "))
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
        counted(rules.scenarios, "scenario", "scenarios") + &simulated(rules),
    ];
    if !settings.profiles.is_empty() {
        facts.push(counted(settings.profiles.len(), "profile", "profiles"));
    }
    let warned = if summary.is_empty() { String::new() } else { format!(" ({summary})") };
    format!("{name} is valid{warned}: {}\n", facts.join(", "))
}

/// ` (3 simulated)`, if any are.
fn simulated(rules: Counts) -> String {
    if rules.simulated > 0 { format!(" ({} simulated)", rules.simulated) } else { String::new() }
}

/// `1 parser`, `2 parsers`.
fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
