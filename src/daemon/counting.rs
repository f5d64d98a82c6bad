//! What a worker counts of lines, by label and program, and the few that it keeps.
//!
//! Names that were met before are looked up without a lock. Hostile: anybody can invent labels and
//! programs, so those beyond a bound are counted, and kept, as `other`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::metrics::counter::Counter;

use super::unmatched::{Lack, Quota, Sample, Samples};
use crate::event::Line;
use crate::metrics::{Bounded, ByProgram, Metrics};

/// Program names that are counted by name; further ones are `other`.
const MOST_PROGRAMS: usize = 200;

/// The names that may be labels of metrics, one list for all workers.
#[derive(Debug)]
pub(super) struct Admitted {
    programs: Mutex<Bounded>,
    labels: Mutex<Bounded>,
}

impl Default for Admitted {
    fn default() -> Self {
        Self {
            programs: Mutex::new(Bounded::new(MOST_PROGRAMS)),
            labels: Mutex::new(Bounded::new(MOST_PROGRAMS)),
        }
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

/// Counters by label and program.
pub(super) struct Counting {
    metrics: Metrics,
    admitted: Arc<Admitted>,
    known: HashMap<Box<str>, HashMap<Box<str>, Program>>,
    /// Of those programs that are not told apart.
    other: Quotas,
    samples: Vec<Sample>,
    kept: Arc<Samples>,
}

/// How many lines of a program were sampled.
#[derive(Clone, Copy, Debug, Default)]
struct Quotas {
    unparsed: Quota,
    uncounted: Quota,
}

/// A program that was met before.
struct Program {
    parsed: Counter,
    unparsed: Counter,
    allowlisted: Counter,
    uncounted: Counter,
    quotas: Quotas,
}

impl Counting {
    pub(super) fn new(metrics: Metrics, admitted: Arc<Admitted>, kept: Arc<Samples>) -> Self {
        let (known, samples) = (HashMap::new(), Vec::new());
        Self { metrics, admitted, known, other: Quotas::default(), samples, kept }
    }

    /// Counts a line of a program.
    pub(super) fn count(&mut self, label: &str, program: &str, ending: Ending, line: &Line<'_>) {
        let found = self.known.get_mut(label).and_then(|programs| programs.get_mut(program));
        if let Some(found) = found {
            found.count(ending);
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
        let admit = |list: &Mutex<Bounded>, name: &str| {
            list.lock().unwrap_or_else(PoisonError::into_inner).admit(name).to_owned()
        };
        let by = (admit(&self.admitted.labels, label), admit(&self.admitted.programs, program));
        let counter = |outcome| {
            let by = ByProgram { label: by.0.clone(), program: by.1.clone(), outcome };
            self.metrics.lines.get_or_create(&by).clone()
        };
        let mut known = Program {
            parsed: counter("parsed"),
            unparsed: counter("unparsed"),
            allowlisted: counter("allowlisted"),
            uncounted: self.kept.uncounted(&by.0, &by.1),
            quotas: Quotas::default(),
        };
        known.count(ending);
        // Names that are not admitted are not remembered either: anybody can invent them.
        let is_admitted = by.0 == label && by.1 == program;
        let quotas = if is_admitted { &mut known.quotas } else { &mut self.other };
        if let Ending::Lacking(lack) = ending
            && quotas.of(lack).take(line.received_at.seconds())
        {
            self.samples.push(Sample::new(&by.0, &by.1, lack, line));
        }
        if is_admitted {
            self.known.entry(label.into()).or_default().insert(program.into(), known);
        }
    }

    /// Hands over what was sampled.
    pub(super) fn flush(&mut self) {
        self.kept.keep(&mut self.samples);
    }
}

impl Program {
    fn count(&self, ending: Ending) {
        match ending {
            Ending::Counted => self.parsed.inc(),
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
    use crate::event::SourceId;
    use crate::value::Time;

    const UNPARSED: Ending = Ending::Lacking(Lack::Unparsed);
    const UNCOUNTED: Ending = Ending::Lacking(Lack::Uncounted);

    fn counting() -> Counting {
        let metrics = Metrics::default();
        let samples = Arc::new(Samples::new(metrics.clone()));
        Counting::new(metrics, Arc::default(), samples)
    }

    fn line(text: &str, second: i64) -> Line<'_> {
        let received_at = Time::from_seconds(second);
        let (bytes, source) = (text.as_bytes(), SourceId(0));
        Line { bytes, received_at, source, cut: false, sender: None }
    }

    #[track_caller]
    fn check(counting: &Counting, program: &str, outcome: &'static str, expected: u64) {
        let (label, program) = ("syslog".to_owned(), program.to_owned());
        let by = ByProgram { label, program, outcome };
        assert_eq!(counting.metrics.lines.get_or_create(&by).get(), expected, "{by:?}");
    }

    #[test]
    fn invented_programs_take_no_memory() {
        let mut counting = counting();
        for n in 0..1000 {
            counting.count("syslog", &format!("program{n}"), UNPARSED, &line("x", 1));
        }
        counting.count("syslog", "program0", Ending::Counted, &line("x", 1));
        assert_eq!(counting.known["syslog"].len(), MOST_PROGRAMS);
        check(&counting, "other", "unparsed", 1000 - MOST_PROGRAMS as u64);
        check(&counting, "program0", "unparsed", 1);
        check(&counting, "program0", "parsed", 1);
        counting.flush();
        let all = counting.kept.recent(&Recent::default(), &[]);
        assert_eq!(all.len(), MOST_PROGRAMS + 1);
        assert_eq!((&*all[0].program, all[0].count, all[0].kept), ("other", 800, 4));
    }

    /// Of how many lines a second some are kept, and all are counted.
    #[test]
    fn a_flood_is_sampled() {
        let mut counting = counting();
        for n in 0..3000 {
            counting.count("syslog", "flood", UNCOUNTED, &line("x", n / 1000));
        }
        assert_eq!(counting.samples.len(), 3 * 4);
        counting.flush();
        let asked = Recent { uncounted: true, ..Recent::default() };
        let all = counting.kept.recent(&asked, &[]);
        assert_eq!((all.len(), all[0].count, all[0].kept), (1, 3000, 10));
        assert_eq!(counting.kept.recent(&Recent::default(), &[]), [], "none is unparsed");
        check(&counting, "flood", "parsed", 3000);
    }
}
