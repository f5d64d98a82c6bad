//! Recent lines that the rules made nothing of, a few of each program, for `weir explain --last`.
//!
//! Workers sample what they meet, so many lines a second ([`Quota`]), and hand it over with the
//! batch: an ordinary line costs a comparison, and no lock is taken for it. Hostile: whoever sends
//! lines chooses what is kept here, so it is bounded in lines of a program, programs, and bytes;
//! at the bound the program that was quiet the longest is forgotten.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::control::{Coverage, ReceivedLine, Recent, Unmatched};
use crate::event::{Line, SourceId};
use crate::value::Time;

use super::counting::Lines;
use super::report::Counted;

/// Lines kept of a program.
pub(super) const LINES: usize = 10;
/// Programs that lines are kept of.
const PROGRAMS: usize = 256;
/// Bytes kept of a line.
const LONGEST: usize = 4 * 1024;
/// Bytes kept of all lines together.
const MOST: usize = 1 << 20;
/// Lines that a worker samples of a program in a second.
const A_SECOND: u8 = 4;

/// What the rules did not make of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Lack {
    /// No rule took it through all stages.
    Unparsed,
    /// It was parsed, and no scenario took it.
    Uncounted,
}

/// A line that a worker kept until the end of its batch.
#[derive(Debug)]
pub(super) struct Sample {
    of: Of,
    kept: Kept,
}

/// Whose line, as the metrics name it, and what it lacks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Of {
    label: Box<str>,
    program: Box<str>,
    lack: Lack,
}

#[derive(Debug)]
struct Kept {
    at: Time,
    source: SourceId,
    text: Box<str>,
    cut: bool,
}

impl Sample {
    /// The beginning of a line.
    pub(super) fn new(label: &str, program: &str, lack: Lack, line: &Line<'_>) -> Self {
        let bytes = line.bytes.get(..LONGEST).unwrap_or(line.bytes);
        let mut text = String::from_utf8_lossy(bytes).into_owned();
        let is_long = bytes.len() < line.bytes.len();
        // What is not UTF-8 takes more room once it is replaced.
        let is_cut = is_long || text.len() > LONGEST;
        if is_cut {
            text.truncate(text.floor_char_boundary(LONGEST));
        }
        let (at, source, cut) = (line.received_at, line.source, line.cut || is_cut);
        Self {
            of: Of { label: label.into(), program: program.into(), lack },
            kept: Kept { at, source, text: text.into(), cut },
        }
    }
}

/// How many lines of a program were sampled in a second.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Quota {
    second: i64,
    taken: u8,
}

impl Quota {
    /// Whether another line may be taken in this second.
    pub(super) fn take(&mut self, second: i64) -> bool {
        if self.second != second {
            *self = Self { second, taken: 0 };
        }
        let is_free = self.taken < A_SECOND;
        self.taken += u8::from(is_free);
        is_free
    }
}

/// What all workers sampled.
#[derive(Debug)]
pub(super) struct Samples {
    /// Where the lines of programs are counted, by names that are bounded there.
    lines: Arc<Lines>,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    lines: HashMap<Of, VecDeque<Kept>>,
    bytes: usize,
}

impl Samples {
    pub(super) fn new(lines: Arc<Lines>) -> Self {
        Self { lines, held: Mutex::default() }
    }

    /// The counters of all lines.
    pub(super) fn lines(&self) -> &Lines {
        &self.lines
    }

    /// Takes over what a worker sampled.
    pub(super) fn keep(&self, samples: &mut Vec<Sample>) {
        if samples.is_empty() {
            return;
        }
        let mut held = self.held();
        for sample in samples.drain(..) {
            held.keep(sample);
        }
    }

    /// The lines that are asked for; of the programs with most lines first.
    pub(super) fn recent(&self, asked: &Recent, sources: &[Counted]) -> Vec<Unmatched> {
        let lack = if asked.uncounted { Lack::Uncounted } else { Lack::Unparsed };
        let most = asked.limit.unwrap_or(1).min(LINES);
        let held = self.held();
        let is_asked = |of: &Of| {
            of.lack == lack && asked.program.as_ref().is_none_or(|name| **name == *of.program)
        };
        let mut found: Vec<Unmatched> = held
            .lines
            .iter()
            .filter(|(of, _)| is_asked(of))
            .map(|(of, kept)| {
                let kept_lines = kept.len();
                let mut kept: Vec<&Kept> = kept.iter().collect();
                // Workers hand over in any order.
                kept.sort_by_key(|kept| kept.at);
                let newest_at = kept.last().map_or_else(String::new, |kept| kept.at.rfc3339());
                let lines = kept[kept.len().saturating_sub(most)..].iter();
                Unmatched {
                    label: of.label.to_string(),
                    program: of.program.to_string(),
                    count: self.lines.lacking(&of.label, &of.program, of.lack),
                    newest_at,
                    kept: kept_lines,
                    lines: lines.map(|kept| kept.shown(sources)).collect(),
                }
            })
            .collect();
        found.sort_by(|a, b| {
            let order = b.count.cmp(&a.count);
            order.then_with(|| (&a.program, &a.label).cmp(&(&b.program, &b.label)))
        });
        found
    }

    /// Gives each program the newest line that is kept of what was not parsed, or else of what no
    /// scenario took.
    pub(super) fn exemplify(&self, programs: &mut [Coverage], sources: &[Counted]) {
        let held = self.held();
        for program in programs {
            let newest = |lack| {
                let (label, name) = (&*program.label, &*program.program);
                let of = Of { label: label.into(), program: name.into(), lack };
                held.lines.get(&of)?.iter().max_by_key(|kept| kept.at)
            };
            let example = newest(Lack::Unparsed).or_else(|| newest(Lack::Uncounted));
            program.example = example.map(|kept| kept.shown(sources));
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn keep(&mut self, Sample { of, kept }: Sample) {
        let lines = self.lines.entry(of).or_default();
        self.bytes += kept.text.len();
        lines.push_back(kept);
        if lines.len() > LINES
            && let Some(oldest) = lines.pop_front()
        {
            self.bytes -= oldest.text.len();
        }
        while self.lines.len() > PROGRAMS || self.bytes > MOST {
            let newest = |lines: &VecDeque<Kept>| lines.back().map(|kept| kept.at);
            let quiet = self.lines.iter().min_by_key(|(_, lines)| newest(lines));
            let Some(quiet) = quiet.map(|(of, _)| of.clone()) else { break };
            let gone = self.lines.remove(&quiet).unwrap_or_default();
            self.bytes -= gone.iter().map(|kept| kept.text.len()).sum::<usize>();
        }
    }
}

impl Kept {
    fn shown(&self, sources: &[Counted]) -> ReceivedLine {
        let source = sources.get(usize::from(self.source.0));
        ReceivedLine {
            received_at: self.at.rfc3339(),
            source: source.map_or_else(String::new, |source| source.name.clone()),
            source_label: source.map_or_else(String::new, |source| source.label.clone()),
            text: self.text.to_string(),
            cut: self.cut,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    fn samples() -> Samples {
        Samples::new(Arc::new(Lines::new(Metrics::default(), std::iter::empty())))
    }

    fn line(bytes: &[u8], second: i64) -> Line<'_> {
        Line::new(bytes, Time::from_seconds(second), SourceId(0))
    }

    fn keep(samples: &Samples, program: &str, bytes: &[u8], second: i64) {
        let sample = Sample::new("syslog", program, Lack::Unparsed, &line(bytes, second));
        samples.keep(&mut vec![sample]);
    }

    fn programs(samples: &Samples) -> Vec<String> {
        let all = samples.recent(&Recent::default(), &[]);
        all.into_iter().map(|found| found.program).collect()
    }

    #[test]
    fn the_newest_lines_of_a_program_stay() {
        let samples = samples();
        for n in 0..25 {
            keep(&samples, "cron", format!("line {n}").as_bytes(), n);
        }
        // A worker that was slower.
        keep(&samples, "cron", b"line 23 again", 23);
        keep(&samples, "sshd", b"another", 3);
        let asked = Recent { program: Some("cron".into()), limit: Some(3), ..Recent::default() };
        let found = samples.recent(&asked, &[]);
        let texts: Vec<&str> = found[0].lines.iter().map(|line| &*line.text).collect();
        assert_eq!(texts, ["line 23", "line 23 again", "line 24"]);
        assert_eq!((found.len(), found[0].kept), (1, LINES));
        assert_eq!(found[0].newest_at, "1970-01-01T00:00:24Z");
        let all = Recent { limit: Some(usize::MAX), ..asked };
        assert_eq!(samples.recent(&all, &[])[0].lines.len(), LINES);
    }

    #[test]
    fn an_example_is_rather_an_unparsed_line() {
        let samples = samples();
        let uncounted = Sample::new("syslog", "cron", Lack::Uncounted, &line(b"newer", 9));
        samples.keep(&mut vec![uncounted]);
        let of = |program: &str| Coverage {
            label: "syslog".to_owned(),
            program: program.to_owned(),
            ..Coverage::default()
        };
        let mut programs = [of("cron"), of("sshd")];
        let mut check = |expected: [Option<&str>; 2]| {
            samples.exemplify(&mut programs, &[]);
            let texts = programs.each_ref().map(|p| p.example.as_ref().map(|e| &*e.text));
            assert_eq!(texts, expected);
        };
        check([Some("newer"), None]);
        keep(&samples, "cron", b"older", 2);
        check([Some("older"), None]);
    }

    #[test]
    fn programs_are_bounded_in_number() {
        let samples = samples();
        for n in 0..1000 {
            keep(&samples, &format!("{n}"), b"x", n);
        }
        keep(&samples, "quiet", b"x", 0);
        let programs = programs(&samples);
        assert_eq!(programs.len(), PROGRAMS);
        assert!(programs.contains(&"999".to_owned()), "the newest stays");
        assert!(!programs.contains(&"quiet".to_owned()), "the one of long ago goes");
    }

    #[test]
    fn lines_are_bounded_in_bytes() {
        let samples = samples();
        for n in 0..200 {
            for _ in 0..LINES {
                keep(&samples, &format!("{n}"), &[b'x'; 100_000], n);
            }
        }
        let held = samples.held();
        let kept: usize = held.lines.values().flatten().map(|kept| kept.text.len()).sum();
        assert_eq!(kept, held.bytes);
        assert!((MOST - LINES * LONGEST..=MOST).contains(&kept), "{kept}");
    }

    #[track_caller]
    fn check(bytes: &[u8], text: &str, cut: bool) {
        let sample = Sample::new("syslog", "x", Lack::Unparsed, &line(bytes, 0));
        assert_eq!((&*sample.kept.text, sample.kept.cut), (text, cut));
    }

    #[test]
    fn long_lines_are_cut_between_characters() {
        check(b"short", "short", false);
        check(b"no \xff text", "no \u{fffd} text", false);
        let long = "é".repeat(LONGEST);
        check(long.as_bytes(), &long[..LONGEST], true);
        check(&[0xff; LONGEST], &"\u{fffd}".repeat(LONGEST / 3), true);
    }
}
