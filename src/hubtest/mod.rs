//! Runs rule tests in the hub's format: a folder with `config.yaml`, a log, and assertions about
//! what the rules made of it.
//!
//! ```text
//!  config.yaml ──► load the rules it names ──► run the log through them ──► records, overflows
//!  *.assert    ──► each line an expression over `results`, true or a failure
//! ```
//!
//! Every test has rules, buckets and data of its own, so tests can run beside each other. A test
//! is strict: an assertion that is false fails it, whatever its form. What cannot be loaded, read
//! or evaluated fails it too.

#![forbid(unsafe_code)]

mod asserts;
mod config;
mod generate;
mod load;
mod results;
mod run;
mod sort;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use crate::diagnostic::{self, Diagnostic};
use crate::rules::{Kind, Piece};
use crate::value::{Time, keep_utc};
use asserts::Results;
pub use asserts::{Failure, Why};
use config::{Config, Index};

/// A hub: rules by author, patterns, data files, and tests.
#[derive(Debug)]
pub struct Hub {
    root: PathBuf,
    tests: PathBuf,
    /// Where it says that its items are.
    index: Index,
    /// The patterns that rules may refer to.
    patterns: Vec<Piece>,
}

/// How a test is run.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// When the lines of the log arrive. Dates without a year are of this year.
    pub now: Time,
    /// Whether a test without assertions gets some.
    pub update: bool,
}

/// What came of a test.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The test's name: that of its folder.
    pub name: String,
    /// What kept it from being run or judged.
    pub troubles: Vec<String>,
    /// The assertions that do not hold, with the name of their file.
    pub failures: Vec<(&'static str, Failure)>,
    /// The files of assertions that were written.
    pub written: Vec<PathBuf>,
}

const PARSERS: &str = "parser.assert";
const SCENARIOS: &str = "scenario.assert";

impl Hub {
    /// Opens the hub in the folder `root`, reading its patterns. From then on this process keeps
    /// UTC, as the tests of hubs do.
    ///
    /// # Errors
    /// A sentence when there are no tests, or patterns cannot be read.
    pub fn open(root: &Path) -> Result<Self, String> {
        let tests = [".tests", "tests"].map(|name| root.join(name));
        let tests = tests.into_iter().find(|folder| folder.is_dir());
        let tests = tests
            .ok_or_else(|| format!("no folder `tests` or `.tests` in `{}`", root.display()))?;
        let patterns = patterns(&root.join("patterns"))?;
        let index = Index::read(root)?;
        keep_utc();
        Ok(Self { root: root.to_owned(), tests, index, patterns })
    }

    /// The names of all tests, sorted.
    ///
    /// # Errors
    /// A sentence when the folder of the tests cannot be read.
    pub fn names(&self) -> Result<Vec<String>, String> {
        let mut names: Vec<_> = entries(&self.tests)?
            .into_iter()
            .filter(|path| path.join("config.yaml").is_file())
            .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
            .collect();
        names.sort();
        Ok(names)
    }

    /// Runs the test called `name`.
    #[must_use]
    pub fn run(&self, name: &str, options: Options) -> Report {
        let mut report = Report { name: name.to_owned(), ..Report::default() };
        if let Err(troubles) = self.judge(&self.tests.join(name), options, &mut report) {
            report.troubles.extend(troubles);
        }
        report
    }

    fn judge(
        &self,
        folder: &Path,
        options: Options,
        report: &mut Report,
    ) -> Result<(), Vec<String>> {
        let one = |trouble: String| vec![trouble];
        let file =
            diagnostic::read(&folder.join("config.yaml")).map_err(|mistake| one(told(&mistake)))?;
        let config = Config::load(&file).map_err(one)?;
        let rules = {
            let (root, index) = (&self.root, &self.index);
            load::load(&config, &self.patterns, root, index, folder, options.now)?
        };
        let log = folder.join(&config.log_file);
        let found = run::run(&rules, &config, &log, options.now).map_err(one)?;
        let mut part = |name: &'static str,
                        results: Results<'_>,
                        generated: &dyn Fn() -> String| {
            let path = folder.join(name);
            let text = match diagnostic::read(&path) {
                Ok(file) if !file.text.trim().is_empty() => Some(file.text.clone()),
                Err(mistake) if path.exists() => return Err(told(&mistake)),
                _ => None,
            };
            match text {
                Some(text) => {
                    let failures = asserts::check(&text, results, rules.names());
                    report.failures.extend(failures.into_iter().map(|failure| (name, failure)));
                }
                None if options.update => {
                    std::fs::write(&path, generated())
                        .map_err(|error| format!("cannot write `{}`: {error}", path.display()))?;
                    report.written.push(path);
                }
                None => return Err(format!("there is no `{name}`: write one, or use `--update`")),
            }
            Ok(())
        };
        let mut troubles = Vec::new();
        if !config.ignore_parsers {
            if found.records.n_stages() > 0 {
                let generated = || generate::parsers(&found.records, rules.names());
                troubles.extend(part(PARSERS, Results::Parsers(&found.records), &generated).err());
            } else {
                troubles.push("no line came to any parser: is one for its type listed?".to_owned());
            }
        }
        if !config.scenarios.is_empty() {
            let generated = || generate::scenarios(&found.overflows);
            let results = Results::Scenarios(&found.overflows);
            troubles.extend(part(SCENARIOS, results, &generated).err());
        }
        if troubles.is_empty() { Ok(()) } else { Err(troubles) }
    }
}

impl Report {
    /// Whether the test has assertions and all hold.
    #[must_use]
    pub fn has_passed(&self) -> bool {
        self.troubles.is_empty() && self.failures.is_empty() && self.written.is_empty()
    }
}

fn told(mistake: &Diagnostic) -> String {
    let place = mistake.file.as_ref().map_or_else(String::new, |file| {
        let (line, column) = file.place(mistake.span.start);
        format!("{}:{line}:{column}: ", file.path.display())
    });
    format!("{place}{}", mistake.message)
}

/// The pattern files of a folder, in the order of their names. A name with a dot is that of
/// another kind of file.
fn patterns(folder: &Path) -> Result<Vec<Piece>, String> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut paths = entries(folder)?;
    paths.retain(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        path.is_file() && !name.contains('.')
    });
    paths.sort();
    let read = paths.iter().map(|path| {
        let file = diagnostic::read(path).map_err(|mistake| told(&mistake))?;
        Ok(Piece { kind: Kind::Patterns, file })
    });
    read.collect()
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let cannot = |error: std::io::Error| format!("cannot read `{}`: {error}", folder.display());
    let entries = std::fs::read_dir(folder).map_err(cannot)?;
    entries.map(|entry| entry.map(|entry| entry.path()).map_err(cannot)).collect()
}
