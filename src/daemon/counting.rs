//! What a worker counts of lines, by label and program, and the few that it keeps.
//!
//! Names that were met before are looked up without a lock. Hostile: anybody can invent labels and
//! programs, so those beyond a bound are counted, and kept, as `other`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::metrics::counter::Counter;

use super::canary::{self, Canaries};
use super::unmatched::{Lack, Quota, Sample, Samples};
use crate::control::{Coverage, LinesStatus};
use crate::event::{Line, SourceId};
use crate::metrics::{Bounded, ByProgram, BySource, BySourceOutcome, Metrics, OfProgram};

/// Labels that are counted by name; further ones are `other`.
const MOST_LABELS: usize = 100;
/// Programs, each with its label, that are counted by name; further ones of a label are `other`.
const MOST_PROGRAMS: usize = 1000;
/// What stands for all that have no name of their own.
const OTHER: &str = "other";

/// The counters of all programs, one list for all workers.
#[derive(Debug)]
pub(super) struct Lines {
    metrics: Metrics,
    met: Mutex<Met>,
    /// By the number of the source, and then as [`Ending::outcome`] says.
    sources: Vec<OfSource>,
}

/// The counters of one source.
#[derive(Debug)]
struct OfSource {
    outcomes: [Counter; OUTCOMES.len()],
    /// Those of the parsed that a scenario took.
    matched: Counter,
}

/// What may become of a line that is looked at.
const OUTCOMES: [&str; 3] = ["parsed", "unparsed", "allowlisted"];

#[derive(Debug)]
struct Met {
    labels: Bounded,
    /// By label and program.
    counters: HashMap<(Box<str>, Box<str>), Counters>,
    /// Those of them that have a name of their own.
    n_named: usize,
}

/// The counters of one program.
#[derive(Clone, Debug)]
struct Counters {
    parsed: Counter,
    /// Those of them that a scenario took.
    matched: Counter,
    unparsed: Counter,
    allowlisted: Counter,
    /// Those of the parsed that no scenario took.
    uncounted: Counter,
}

impl Lines {
    /// For sources with these names.
    pub(super) fn new(metrics: Metrics, sources: impl Iterator<Item = String>) -> Self {
        let sources = sources.map(|source| {
            let outcomes = OUTCOMES.map(|outcome| {
                let by = BySourceOutcome { source: source.clone(), outcome };
                metrics.source_lines.get_or_create_owned(&by)
            });
            let matched = metrics.source_lines_matched.get_or_create_owned(&BySource { source });
            OfSource { outcomes, matched }
        });
        let sources = sources.collect();
        let met = Met { labels: Bounded::new(MOST_LABELS), counters: HashMap::new(), n_named: 0 };
        Self { metrics, met: Mutex::new(met), sources }
    }

    /// The names by which a program's lines are counted, and its counters.
    fn of(&self, label: &str, program: &str) -> (Box<str>, Box<str>, Counters) {
        let mut met = self.met();
        let label: Box<str> = met.labels.admit(label).into();
        let mut by = (label.clone(), Box::from(program));
        let is_known = met.counters.contains_key(&by);
        if !is_known && (met.n_named >= MOST_PROGRAMS || !Bounded::is_fit(program)) {
            by.1 = OTHER.into();
        } else if !is_known {
            met.n_named += 1;
        }
        let program = by.1.clone();
        let counters = met.counters.entry(by);
        let counters = counters.or_insert_with(|| {
            let counter = |outcome| {
                let (label, program) = (label.to_string(), program.to_string());
                let by = ByProgram { label, program, outcome };
                self.metrics.lines.get_or_create_owned(&by)
            };
            Counters {
                parsed: counter("parsed"),
                matched: self.metrics.lines_matched.get_or_create_owned(&OfProgram {
                    label: label.to_string(),
                    program: program.to_string(),
                }),
                unparsed: counter("unparsed"),
                allowlisted: counter("allowlisted"),
                uncounted: Counter::default(),
            }
        });
        let counters = counters.clone();
        (label, program, counters)
    }

    /// How many lines of a program lack something.
    pub(super) fn lacking(&self, label: &str, program: &str, lack: Lack) -> u64 {
        let met = self.met();
        let counters = met.counters.get(&(label.into(), program.into()));
        counters.map_or(0, |counters| match lack {
            Lack::Unparsed => counters.unparsed.get(),
            Lack::Uncounted => counters.uncounted.get(),
        })
    }

    /// What became of all lines.
    pub(super) fn totals(&self) -> LinesStatus {
        let met = self.met();
        let sum = |of: fn(&Counters) -> &Counter| met.counters.values().map(|c| of(c).get()).sum();
        LinesStatus {
            parsed: sum(|counters| &counters.parsed),
            unparsed: sum(|counters| &counters.unparsed),
            allowlisted: sum(|counters| &counters.allowlisted),
        }
    }

    /// How many programs there are, by the best that became of any of their lines, in the order of
    /// [`PROGRAMS`](super::counters::PROGRAMS).
    pub(super) fn programs(&self) -> [usize; 3] {
        let mut counts = [0; 3];
        for counters in self.met().counters.values() {
            let best = match (counters.matched.get(), counters.parsed.get()) {
                (0, 0) if counters.allowlisted.get() == 0 => 2,
                (0, _) => 1,
                _ => 0,
            };
            counts[best] += 1;
        }
        counts
    }

    /// How many lines no rule understood, without a lock.
    pub(super) fn unparsed(&self) -> u64 {
        self.sources.iter().map(|source| source.outcomes[1].get()).sum()
    }

    /// What became of the lines of each program; of those with most lines first.
    pub(super) fn coverage(&self) -> Vec<Coverage> {
        let met = self.met();
        let programs = met.counters.iter().map(|((label, program), counters)| Coverage {
            label: label.to_string(),
            program: program.to_string(),
            parsed: counters.parsed.get(),
            uncounted: counters.uncounted.get(),
            unparsed: counters.unparsed.get(),
            allowlisted: counters.allowlisted.get(),
            example: None,
            nearest: None,
        });
        let mut programs: Vec<_> = programs.collect();
        drop(met);
        programs.sort_by(|a, b| {
            let order = b.lines().cmp(&a.lines());
            order.then_with(|| (&a.program, &a.label).cmp(&(&b.program, &b.label)))
        });
        programs
    }

    fn met(&self) -> MutexGuard<'_, Met> {
        self.met.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What became of a line.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ending {
    /// Parsed, and taken by a scenario.
    Counted,
    /// Not as far as it should be.
    Lacking(Lack),
    /// It speaks of a friend.
    Allowlisted,
}

impl Ending {
    /// Its place in [`OUTCOMES`].
    const fn outcome(self) -> usize {
        match self {
            Self::Counted | Self::Lacking(Lack::Uncounted) => 0,
            Self::Lacking(Lack::Unparsed) => 1,
            Self::Allowlisted => 2,
        }
    }
}

/// What a worker counts with, and what it sampled.
pub(super) struct Counting {
    lines: Arc<Lines>,
    known: HashMap<Box<str>, HashMap<Box<str>, Program>>,
    /// Of those programs that are not told apart.
    other: Quotas,
    samples: Vec<Sample>,
    kept: Arc<Samples>,
    /// The lines since the last flush, all of one source, as [`Ending::outcome`] says.
    batch: [u64; OUTCOMES.len()],
    /// Of these: those that a scenario took.
    matched: u64,
    /// Test lines, which are counted as lines of their source and not by program.
    canaries: Arc<Canaries>,
}

/// How many lines of a program were sampled.
#[derive(Clone, Copy, Debug, Default)]
struct Quotas {
    unparsed: Quota,
    uncounted: Quota,
}

/// A program that was met before.
struct Program {
    counters: Counters,
    quotas: Quotas,
}

impl Counting {
    pub(super) fn new(lines: Arc<Lines>, kept: Arc<Samples>) -> Self {
        let (known, samples) = (HashMap::new(), Vec::new());
        let (batch, canaries) = (Default::default(), Arc::default());
        let other = Quotas::default();
        Self { lines, known, other, samples, kept, batch, matched: 0, canaries }
    }

    /// The same, for these test lines.
    pub(super) fn with_canaries(self, canaries: Arc<Canaries>) -> Self {
        Self { canaries, ..self }
    }

    /// Counts a line of a program.
    pub(super) fn count(&mut self, label: &str, program: &str, ending: Ending, line: &Line<'_>) {
        self.batch[ending.outcome()] += 1;
        self.matched += u64::from(matches!(ending, Ending::Counted));
        let found = self.known.get_mut(label).and_then(|programs| programs.get_mut(program));
        if let Some(found) = found {
            found.counters.count(ending);
            if let Ending::Lacking(lack) = ending
                && found.quotas.of(lack).take(line.received_at.seconds())
            {
                self.samples.push(Sample::new(label, program, lack, line));
            }
            return;
        }
        self.count_new(label, program, ending, line);
    }

    #[cold]
    fn count_new(&mut self, label: &str, program: &str, ending: Ending, line: &Line<'_>) {
        if canary::is_canary(program) {
            // Never remembered, so it is met here each time.
            return self.canaries.meet(line, ending);
        }
        let (by_label, by_program, counters) = self.lines.of(label, program);
        counters.count(ending);
        let mut known = Program { counters, quotas: Quotas::default() };
        let is_admitted = *by_label == *label && *by_program == *program;
        let quotas = if is_admitted { &mut known.quotas } else { &mut self.other };
        if let Ending::Lacking(lack) = ending
            && quotas.of(lack).take(line.received_at.seconds())
        {
            self.samples.push(Sample::new(&by_label, &by_program, lack, line));
        }
        // Names that are not admitted are not remembered: anybody can invent them.
        if is_admitted {
            self.known.entry(by_label).or_default().insert(by_program, known);
        }
    }

    /// Hands over what was counted of a source and what was sampled.
    pub(super) fn flush(&mut self, source: SourceId) {
        let batch = std::mem::take(&mut self.batch);
        let matched = std::mem::take(&mut self.matched);
        if let Some(counters) = self.lines.sources.get(usize::from(source.0)) {
            for (counter, count) in counters.outcomes.iter().zip(batch) {
                counter.inc_by(count);
            }
            counters.matched.inc_by(matched);
        }
        self.kept.keep(&mut self.samples);
    }
}

impl Counters {
    fn count(&self, ending: Ending) {
        match ending {
            Ending::Counted => {
                self.parsed.inc();
                self.matched.inc()
            }
            Ending::Lacking(Lack::Uncounted) => {
                self.parsed.inc();
                self.uncounted.inc()
            }
            Ending::Lacking(Lack::Unparsed) => self.unparsed.inc(),
            Ending::Allowlisted => self.allowlisted.inc(),
        };
    }
}

impl Quotas {
    fn of(&mut self, lack: Lack) -> &mut Quota {
        match lack {
            Lack::Unparsed => &mut self.unparsed,
            Lack::Uncounted => &mut self.uncounted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Recent;
    use crate::value::Time;

    const UNPARSED: Ending = Ending::Lacking(Lack::Unparsed);
    const UNCOUNTED: Ending = Ending::Lacking(Lack::Uncounted);

    fn counting() -> Counting {
        let lines = Arc::new(Lines::new(Metrics::default(), ["udp".to_owned()].into_iter()));
        Counting::new(Arc::clone(&lines), Arc::new(Samples::new(lines)))
    }

    fn line(text: &str, second: i64) -> Line<'_> {
        let received_at = Time::from_seconds(second);
        Line::new(text.as_bytes(), received_at, SourceId(0))
    }

    #[track_caller]
    fn check(counting: &Counting, program: &str, outcome: &'static str, expected: u64) {
        let (label, program) = ("syslog".to_owned(), program.to_owned());
        let by = ByProgram { label, program, outcome };
        let counted = counting.lines.metrics.lines.get_or_create(&by).get();
        assert_eq!(counted, expected, "{by:?}");
    }

    #[test]
    fn invented_programs_take_no_memory() {
        let mut counting = counting();
        for n in 0..MOST_PROGRAMS + 800 {
            counting.count("syslog", &format!("program{n}"), UNPARSED, &line("x", n as i64 / 1000));
        }
        counting.count("syslog", "program0", Ending::Counted, &line("x", 1));
        assert_eq!(counting.known["syslog"].len(), MOST_PROGRAMS);
        check(&counting, "other", "unparsed", 800);
        check(&counting, "program0", "unparsed", 1);
        check(&counting, "program0", "parsed", 1);
        counting.flush(SourceId(0));
        let all = counting.kept.recent(&Recent::default(), &[]);
        assert_eq!(all.len(), 256, "lines are kept of fewer");
        assert_eq!((&*all[0].program, all[0].count, all[0].kept), ("other", 800, 4));
        let totals = LinesStatus { parsed: 1, unparsed: 1800, allowlisted: 0 };
        assert_eq!(counting.lines.totals(), totals);
        assert_eq!(counting.lines.programs(), [1, 0, MOST_PROGRAMS]);
        let coverage = counting.lines.coverage();
        let first: Vec<_> = coverage.iter().take(2).map(|c| (&*c.program, c.lines())).collect();
        assert_eq!(first, [("other", 800), ("program0", 2)]);
        assert_eq!((coverage.len(), coverage[1].parsed), (MOST_PROGRAMS + 1, 1));
    }

    /// Of how many lines a second some are kept, and all are counted.
    #[test]
    fn a_flood_is_sampled() {
        let mut counting = counting();
        for n in 0..3000 {
            counting.count("syslog", "flood", UNCOUNTED, &line("x", n / 1000));
        }
        assert_eq!(counting.samples.len(), 3 * 4);
        counting.flush(SourceId(0));
        let asked = Recent { uncounted: true, ..Recent::default() };
        let all = counting.kept.recent(&asked, &[]);
        assert_eq!((all.len(), all[0].count, all[0].kept), (1, 3000, 10));
        assert_eq!(counting.kept.recent(&Recent::default(), &[]), [], "none is unparsed");
        check(&counting, "flood", "parsed", 3000);
    }

    /// Prints what counting costs, and what sampling adds to it:
    /// `cargo test --release --lib daemon::counting -- --ignored --nocapture`.
    #[test]
    #[ignore = "measures, and takes its time"]
    fn figures() {
        const LINES: i64 = 5_000_000;
        for (what, ending) in [("counted", Ending::Counted), ("unparsed", UNPARSED)] {
            let mut counting = counting();
            let begun = crate::system::clock::instant();
            for n in 0..LINES {
                // Two hundred thousand lines a second, in batches.
                let program = ["sshd", "nginx", "postfix/smtpd", "dovecot"][n as usize % 4];
                counting.count("syslog", program, ending, &line(LINE, n / 200_000));
                if n % 256 == 0 {
                    counting.flush(SourceId(0));
                }
            }
            let nanos = begun.elapsed().as_nanos() / u128::from(LINES.unsigned_abs());
            println!("{what}: {nanos} ns a line");
            assert_eq!(
                counting.lines.totals().unparsed,
                if what == "counted" { 0 } else { 5_000_000 }
            );
        }
    }

    const LINE: &str = "Failed password for root from 203.0.113.7 port 40112 ssh2";
}
