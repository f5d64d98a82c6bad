//! `weir test --hub`: rule tests in the hub's format.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::num::NonZero;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;

use anyhow::anyhow;
use serde_json::{Value, json};

use super::super::progress::{Progress, Unit};
use super::super::{Exit, Failed, Output, complete};
use crate::diagnostic::printable;
use crate::hubtest::{Hub, Options, Report, Why};

/// So many failures of one test are shown; the rest is counted.
const MOST_SHOWN: usize = 10;

/// No line of a failure is longer.
const LONGEST: usize = 400;

/// Runs the tests called `names`, or all.
pub(super) fn run(
    root: &Path,
    names: &[String],
    options: Options,
    form: Output,
) -> anyhow::Result<Exit> {
    let hub = Hub::open(root).map_err(|why| anyhow!(why))?;
    let known = hub.names().map_err(|why| anyhow!(why))?;
    if let Some(name) = names.iter().find(|name| !known.contains(name)) {
        let message = format!("there is no test `{name}` in `{}`", root.display());
        return Err(Failed::new(Exit::Usage, message).into());
    }
    let wanted = if names.is_empty() { &known } else { names };
    let mut reports = Vec::with_capacity(wanted.len());
    let mut failed: Option<std::io::Error> = None;
    let n_wanted = wanted.len() as u64;
    let progress = Progress::begin("tests", Unit::Things("tests"), n_wanted, form == Output::Human);
    each_report(&hub, wanted, options, &progress, |report| {
        if form == Output::Human && failed.is_none() {
            failed = show(&report).err();
        }
        reports.push(report);
    });
    drop(progress);
    if let Some(error) = failed.filter(|error| error.kind() != std::io::ErrorKind::BrokenPipe) {
        return Err(anyhow::Error::new(error).context("cannot write to standard output"));
    }
    let n_passed = reports.iter().filter(|report| report.has_passed()).count();
    let n_failed = reports.len() - n_passed;
    match form {
        Output::Human => complete(&format!("{n_passed} passed, {n_failed} failed\n"))?,
        Output::Json => {
            let tests: Vec<_> = reports.iter().map(as_json).collect();
            let answer = json!({ "passed": n_passed, "failed": n_failed, "tests": tests });
            complete(&format!("{answer:#}\n"))?;
        }
    }
    Ok(if n_failed == 0 { Exit::Success } else { Exit::Failure })
}

/// Runs tests on all cores; hands over their reports in the order of the names.
fn each_report(
    hub: &Hub,
    names: &[String],
    options: Options,
    progress: &Progress,
    mut each: impl FnMut(Report),
) {
    let n_threads = std::thread::available_parallelism().map_or(1, NonZero::get).min(names.len());
    let next = AtomicUsize::new(0);
    // A full channel only makes the tests wait for the terminal.
    let (sender, receiver) = sync_channel(64);
    std::thread::scope(|scope| {
        for _ in 0..n_threads {
            let (sender, next) = (sender.clone(), &next);
            scope.spawn(move || {
                while let at = next.fetch_add(1, Ordering::Relaxed)
                    && let Some(name) = names.get(at)
                    && sender.send((at, hub.run(name, options))).is_ok()
                {}
            });
        }
        drop(sender);
        let mut waiting = BTreeMap::new();
        let mut due = 0;
        for (at, report) in receiver {
            progress.add(1);
            waiting.insert(at, report);
            while let Some(report) = waiting.remove(&due) {
                if report.has_passed() {
                    each(report);
                } else {
                    progress.aside(|| each(report));
                }
                due += 1;
            }
        }
    });
}

fn show(report: &Report) -> std::io::Result<()> {
    if report.has_passed() {
        return Ok(());
    }
    let mut out = anstream::stdout().lock();
    out.write_all(described(report).as_bytes())
}

fn described(report: &Report) -> String {
    let mut text = format!("FAILED {}\n", printable(&report.name, LONGEST));
    let mut line = |content: std::fmt::Arguments<'_>| {
        writeln!(text, "  {content}").expect("writing to a string cannot fail");
    };
    for trouble in report.troubles.iter().take(MOST_SHOWN) {
        line(format_args!("{}", printable(trouble, LONGEST)));
    }
    for (file, failure) in report.failures.iter().take(MOST_SHOWN) {
        line(format_args!("{file}:{}: {}", failure.line, printable(&failure.assertion, LONGEST)));
        match &failure.why {
            Why::False { expected, found } => {
                line(format_args!("  expected {}", printable(expected, LONGEST)));
                line(format_args!("  found    {}", printable(found, LONGEST)));
            }
            Why::Broken(why) => line(format_args!("  {}", printable(why, LONGEST))),
        }
    }
    for path in &report.written {
        let path = path.display().to_string();
        line(format_args!("wrote {}: read it, and run the test again", printable(&path, LONGEST)));
    }
    let n_more = report.troubles.len().saturating_sub(MOST_SHOWN)
        + report.failures.len().saturating_sub(MOST_SHOWN);
    if n_more > 0 {
        line(format_args!("... and {n_more} more"));
    }
    text
}

fn as_json(report: &Report) -> Value {
    let failures = report.failures.iter().map(|(file, failure)| {
        let (expected, found, error) = match &failure.why {
            Why::False { expected, found } => (Some(expected), Some(found), None),
            Why::Broken(why) => (None, None, Some(why)),
        };
        json!({
            "file": file,
            "line": failure.line,
            "assertion": failure.assertion,
            "expected": expected,
            "found": found,
            "error": error,
        })
    });
    json!({
        "name": report.name,
        "passed": report.has_passed(),
        "troubles": report.troubles,
        "failures": failures.collect::<Vec<_>>(),
        "written": report.written,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hubtest::Failure;

    #[test]
    fn a_report_shows_what_was_expected_and_what_was_found() {
        let failure = |line, why| {
            ("parser.assert", Failure { line, assertion: "len(results) == 4".into(), why })
        };
        let mut report = Report {
            name: "x".into(),
            troubles: vec!["no \x1b[1m rule".into()],
            failures: vec![
                failure(3, Why::False { expected: "4".into(), found: "3".into() }),
                failure(4, Why::Broken("unknown".into())),
            ],
            ..Report::default()
        };
        let shown = described(&report);
        let lines: Vec<_> = shown.lines().collect();
        assert_eq!(
            lines[2..],
            [
                "  parser.assert:3: len(results) == 4",
                "    expected 4",
                "    found    3",
                "  parser.assert:4: len(results) == 4",
                "    unknown",
            ]
        );
        assert!(!shown.contains('\x1b'), "{shown}");
        report.failures = vec![failure(1, Why::Broken("unknown".into())); 12];
        assert!(described(&report).ends_with("  ... and 2 more\n"));
        assert_eq!(as_json(&report)["failures"][0]["error"], "unknown");
    }
}
