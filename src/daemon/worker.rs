//! A worker: lines in, pours out. There are several; they share nothing but the queues.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::metrics::counter::Counter;
use tokio::sync::mpsc::Receiver;

use super::current::{Current, Shared};
use super::detect_loop::Work;
use crate::detect;
use crate::event::Batch;
use crate::metrics::{Bounded, ByProgram, Metrics};
use crate::parse::{Outcome, Scratch};
use crate::rules::Ruleset;
use crate::system::clock;
use crate::value::{Arena, Section};

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

/// The loop and what it owns.
pub(super) struct Worker {
    pub(super) lines: Arc<Mutex<Receiver<Batch>>>,
    pub(super) shared: Arc<Shared>,
    pub(super) work: SyncSender<Work>,
    /// Work that waits in the next queue.
    pub(super) queued: Arc<AtomicU64>,
    pub(super) counting: Counting,
}

/// What became of a line, as metrics have it.
#[derive(Clone, Copy, Debug)]
enum Ending {
    Parsed,
    Unparsed,
    Allowlisted,
}

const ENDINGS: [&str; 3] = ["parsed", "unparsed", "allowlisted"];

impl Worker {
    /// Runs until no source can send lines any more.
    pub(super) fn run(mut self) {
        let mut arena = Arena::with_capacity(64 * 1024);
        let mut current = self.shared.get();
        let mut parsing = Scratch::new();
        let mut selecting = detect::Scratch::default();
        let mut world = current.ruleset.world();
        while let Some(batch) = self.next() {
            let now_current = self.shared.get();
            if now_current.generation != current.generation {
                current = now_current;
                parsing = Scratch::new();
                selecting = detect::Scratch::default();
                world = current.ruleset.world();
            }
            world.set_now(clock::now());
            let mut pours = Vec::new();
            for line in batch.lines() {
                let rules: &Ruleset = &current.ruleset;
                // Only a reload that needs a restart knows more sources than there are.
                let Some(source) = current.sources.get(usize::from(line.source.0)) else {
                    continue;
                };
                let (event, outcome) =
                    rules.parse(line, source, &arena, &world, &mut parsing, None);
                let ending = match outcome {
                    Outcome::Parsed if is_friend(&current, event) => Ending::Allowlisted,
                    Outcome::Parsed => {
                        rules.scenarios().select(&mut selecting, event, &world, &mut pours);
                        Ending::Parsed
                    }
                    Outcome::Allowlisted => Ending::Allowlisted,
                    Outcome::Unparsed { .. } => Ending::Unparsed,
                };
                let label = event.get_named(Section::Label, "type").unwrap_or_default();
                let program = event.get_named(Section::Parsed, "program").unwrap_or_default();
                self.counting.count(label, program, ending);
                arena.reset();
            }
            if !pours.is_empty() {
                self.queued.fetch_add(1, Ordering::Relaxed);
                // The detector is there until the last worker ends; a full queue makes this
                // worker wait, and behind it the sources.
                if self.work.send(Work::Pours(current.generation, pours)).is_err() {
                    return;
                }
            }
        }
    }
}

impl Worker {
    /// The next batch. One worker waits for it, the others for that one: whoever is free takes it.
    fn next(&self) -> Option<Batch> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv()
    }
}

/// Whether the event speaks of a friend.
fn is_friend<'a>(current: &Current, event: &'a crate::event::Event<'a>) -> bool {
    let mut found = false;
    event.each_address(&mut |_, address| found |= current.allowlist.find(address).is_some());
    found
}

/// Counters by label and program, looked up without a lock for names that were met before.
pub(super) struct Counting {
    metrics: Metrics,
    admitted: Arc<Admitted>,
    known: HashMap<Box<str>, HashMap<Box<str>, [Counter; 3]>>,
}

impl Counting {
    pub(super) fn new(metrics: Metrics, admitted: Arc<Admitted>) -> Self {
        Self { metrics, admitted, known: HashMap::new() }
    }

    fn count(&mut self, label: &str, program: &str, ending: Ending) {
        let found = self.known.get(label).and_then(|programs| programs.get(program));
        if let Some(counters) = found {
            counters[ending as usize].inc();
            return;
        }
        let admit = |list: &Mutex<Bounded>, name: &str| {
            list.lock().unwrap_or_else(PoisonError::into_inner).admit(name).to_owned()
        };
        let is_known =
            (admit(&self.admitted.labels, label), admit(&self.admitted.programs, program));
        let counters = ENDINGS.map(|outcome| {
            let labels =
                ByProgram { label: is_known.0.clone(), program: is_known.1.clone(), outcome };
            self.metrics.lines.get_or_create(&labels).clone()
        });
        counters[ending as usize].inc();
        // Names that are not admitted are not remembered either: anybody can invent them.
        if is_known.0 == label && is_known.1 == program {
            self.known.entry(label.into()).or_default().insert(program.into(), counters);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invented_programs_take_no_memory() {
        let metrics = Metrics::default();
        let mut counting = Counting::new(metrics.clone(), Arc::default());
        for n in 0..1000 {
            counting.count("syslog", &format!("program{n}"), Ending::Unparsed);
        }
        counting.count("syslog", "program0", Ending::Parsed);
        assert_eq!(counting.known["syslog"].len(), MOST_PROGRAMS);
        let count = |program: &str, outcome| {
            let (label, program) = ("syslog".to_owned(), program.to_owned());
            metrics.lines.get_or_create(&ByProgram { label, program, outcome }).get()
        };
        assert_eq!(count("other", "unparsed"), 1000 - MOST_PROGRAMS as u64);
        assert_eq!((count("program0", "unparsed"), count("program0", "parsed")), (1, 1));
    }
}
