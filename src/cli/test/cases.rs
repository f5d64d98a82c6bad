//! `weir test`: the cases that stand beside rules.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::json;

use super::super::progress::{Progress, Unit};
use super::super::{Exit, Output, complete, output};
use crate::diagnostic::{self, Diagnostic, UserFile, printable};
use crate::rules::cases::{self, Mismatch, Written};
use crate::rules::{self, Request};
use crate::value::Time;

/// No value of a case is shown longer.
const LONGEST: usize = 300;

/// What came of the cases.
#[derive(Default)]
struct Tally {
    passed: usize,
    failures: Vec<Failure>,
    /// For those who wait.
    done: Arc<AtomicU64>,
}

struct Failure {
    file: PathBuf,
    line: usize,
    name: String,
    mismatches: Vec<Mismatch>,
}

/// Runs the cases of these folders, or of the rules that come with the program; of those only the
/// ones whose name contains one of `wanted`, if there are any. With `strict` none is run on rules
/// of which a file is wrong.
pub(super) fn run(
    folders: &[PathBuf],
    wanted: &[String],
    strict: bool,
    now: Time,
    form: Output,
) -> anyhow::Result<Exit> {
    let mut tally = Tally::default();
    let mut diagnostics = Vec::new();
    // Cases are met as their files are read: how many there are is known at the end.
    let progress = Progress::begin("tests", Unit::Things("cases"), 0, form == Output::Human);
    tally.done = progress.counter();
    if folders.is_empty() {
        let request = Request { shipped: true, ..Request::default() };
        let files = rules::shipped_cases();
        one(request, files, now, wanted, strict, &mut tally, &mut diagnostics);
    }
    for folder in folders {
        anyhow::ensure!(folder.is_dir(), "there is no folder `{}`", folder.display());
        let files = case_files(folder, &mut diagnostics)?;
        let request = Request { folders: vec![folder.clone()], ..Request::default() };
        one(request, files, now, wanted, strict, &mut tally, &mut diagnostics);
    }
    drop(progress);
    diagnostic::sort(&mut diagnostics);
    let is_wrong = output::show(&diagnostics) != Exit::Success;
    match form {
        Output::Human => complete(&tally.page())?,
        Output::Json => complete(&format!("{:#}\n", tally.json(&diagnostics)))?,
    }
    Ok(match (is_wrong, tally.failures.is_empty()) {
        (true, _) => Exit::Configuration,
        (false, true) => Exit::Success,
        (false, false) => Exit::Failure,
    })
}

/// The files of cases in a rule folder, sorted.
fn case_files(
    folder: &Path,
    diagnostics: &mut Vec<Diagnostic>,
) -> anyhow::Result<Vec<Arc<UserFile>>> {
    let folder = folder.join("tests");
    let cannot = || format!("cannot read the folder of cases `{}`", folder.display());
    let entries =
        std::fs::read_dir(&folder).map_err(|e| anyhow::Error::new(e).context(cannot()))?;
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| anyhow::Error::new(error).context(cannot()))?.path();
        let is_cases = path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml");
        if is_cases && path.is_file() {
            paths.push(path);
        }
    }
    paths.sort();
    let mut files = Vec::new();
    for path in paths {
        match diagnostic::read(&path) {
            Ok(file) => files.push(file),
            Err(mistake) => diagnostics.push(*mistake),
        }
    }
    Ok(files)
}

/// The cases of one set of rules.
fn one(
    request: Request,
    files: Vec<Arc<UserFile>>,
    now: Time,
    wanted: &[String],
    strict: bool,
    tally: &mut Tally,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let (rules, mut found) = rules::load(request, None, now);
    diagnostics.append(&mut found);
    if strict && rules.counts().rejected > 0 {
        return;
    }
    for file in files {
        let (cases, mut found) = cases::load(&file);
        diagnostics.append(&mut found);
        for case in &cases.lines {
            let name = match &case.written {
                Written::Message(text) | Written::Line(text) => text,
            };
            tally.add(&file, case.span.start, name, wanted, || case.run(&rules));
        }
        for case in &cases.attacks {
            tally.add(&file, case.span.start, &case.name, wanted, || case.run(&rules));
        }
    }
}

impl Tally {
    fn add(
        &mut self,
        file: &UserFile,
        at: usize,
        name: &str,
        wanted: &[String],
        run: impl FnOnce() -> Vec<Mismatch>,
    ) {
        if !wanted.is_empty() && !wanted.iter().any(|part| name.contains(part)) {
            return;
        }
        let mismatches = run();
        self.done.fetch_add(1, Ordering::Relaxed);
        if mismatches.is_empty() {
            self.passed += 1;
            return;
        }
        let (line, _) = file.place(at);
        let name = name.to_owned();
        self.failures.push(Failure { file: file.path.clone(), line, name, mismatches });
    }

    fn page(&self) -> String {
        let mut text = String::new();
        let mut line = |content: std::fmt::Arguments<'_>| {
            writeln!(text, "{content}").expect("writing to a string cannot fail");
        };
        for failure in &self.failures {
            let (file, name) = (failure.file.display(), printable(&failure.name, LONGEST));
            line(format_args!("FAILED {file}:{}: {name}", failure.line));
            for mismatch in &failure.mismatches {
                line(format_args!("  {}", mismatch.what));
                line(format_args!("    expected {}", printable(&mismatch.expected, LONGEST)));
                line(format_args!("    found    {}", printable(&mismatch.found, LONGEST)));
            }
        }
        line(format_args!("{} passed, {} failed", self.passed, self.failures.len()));
        text
    }

    fn json(&self, diagnostics: &[Diagnostic]) -> serde_json::Value {
        let failures = self.failures.iter().map(|failure| {
            let mismatches = failure.mismatches.iter().map(|mismatch| {
                json!({
                    "what": mismatch.what,
                    "expected": mismatch.expected,
                    "found": mismatch.found,
                })
            });
            json!({
                "file": failure.file,
                "line": failure.line,
                "name": failure.name,
                "mismatches": mismatches.collect::<Vec<_>>(),
            })
        });
        json!({
            "passed": self.passed,
            "failed": self.failures.len(),
            "failures": failures.collect::<Vec<_>>(),
            "diagnostics": diagnostic::to_json(diagnostics),
        })
    }
}
