//! `weir replay`: what would have been banned, by a log of the past?
//!
//! Reading, parsing and counting are those of the daemon. With several workers lines are parsed
//! out of order and poured in order, so the answer does not depend on their number.

mod judging;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};

use super::output::Format;
use super::progress::{Progress, Unit};
use super::{Exit, Global, Output, arguments, complete, loading};
use crate::detect::{self, Pour};
use crate::event::{Batch, Mode, SourceId};
use crate::expr::World;
use crate::intake::{file, spec::Limits};
use crate::parse::{LineSource, Outcome, Parsed, Scratch};
use crate::rules::Ruleset;
use crate::system::clock;
use crate::value::{Arena, Zone, Zones};

use judging::Judging;

/// Show what a log of the past would have led to
///
/// Reads the lines by the clock of their own timestamps and shows the decisions that would have
/// been made. Files may be compressed by gzip or zstd, and may hold entries of systemd's journal.
/// Nothing is listened to, recorded or banned, so it may run anywhere, as anybody.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  weir replay /var/log/auth.log
  weir replay --rules ./rules /var/log/auth.log     try other rules first
  weir replay /var/log/auth.log.2.gz                .gz and .zst are read as what they hold
  journalctl -o export -u ssh | weir replay -       entries of the journal, or `-o json --all`
  weir replay --type nginx access.log               lines without a syslog header")]
pub struct Replay {
    /// The logs; `-` is standard input
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Load the rules of this folder instead of those the configuration names; may be repeated
    #[arg(long, value_name = "DIR")]
    pub rules: Vec<PathBuf>,
    /// Read no line when a rule file is wrong; else it is left out
    #[arg(long)]
    pub strict: bool,
    /// The label that the lines carry
    #[arg(long = "type", value_name = "LABEL", alias = "label", default_value = "syslog")]
    pub label: String,
    /// What the files hold, where it cannot be seen
    #[arg(long, value_name = "FORMAT", default_value = "auto")]
    pub format: Format,
    /// Where the clock was that wrote times without a zone, such as `Europe/Berlin` or `+01:00`
    /// [default: UTC]
    #[arg(long, value_name = "ZONE", value_parser = arguments::zone)]
    pub zone: Option<Zone>,
    /// Threads that parse [default: as many as there are processors]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub workers: Option<u16>,
    /// The form of the answer
    #[arg(long, value_name = "FORM", default_value = "human")]
    pub output: Output,
}

/// Lines in a batch.
const LINES: usize = 512;
/// Batches that wait between reading and parsing, for each worker.
const WAITING: usize = 4;

/// What became of the lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Totals {
    lines: u64,
    parsed: u64,
    unparsed: u64,
    allowlisted: u64,
    cut: u64,
    /// Entries of the journal of which no line could be made.
    unread: u64,
}

impl Totals {
    fn add(&mut self, other: Self) {
        self.lines += other.lines;
        self.parsed += other.parsed;
        self.unparsed += other.unparsed;
        self.allowlisted += other.allowlisted;
        self.cut += other.cut;
        self.unread += other.unread;
    }
}

impl Replay {
    pub(super) fn run(self, global: &Global) -> anyhow::Result<Exit> {
        let loaded = loading::load(global, &self.rules, self.strict.then_some(true))?;
        let zones = Zones::new(self.zone.clone(), Vec::new());
        let source = loaded.ruleset.source("replay", "file", &self.label, Mode::Replay);
        let source = source.with_clocks(zones, None);
        let workers = self.workers.map_or_else(
            || std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            usize::from,
        );
        let begun = clock::instant();
        let mut judging = Judging::new(&loaded);
        let progress = self.progress();
        let read = progress.counter();
        let files = Files { paths: &self.files, form: self.format.into(), read: &read };
        let (totals, ended) = if workers == 1 {
            alone(files, &loaded.ruleset, &source, &mut judging)
        } else {
            together(files, &loaded.ruleset, &source, &mut judging, workers)
        };
        drop(progress);
        if totals.lines == 0 {
            ended?;
            return self.show(&judging, totals, begun.elapsed().as_secs_f64());
        }
        // What stands before the damage counts; it is told behind the answer.
        self.show(&judging, totals, begun.elapsed().as_secs_f64())?;
        ended.map(|()| Exit::Success)
    }

    /// How far the files were read: of compressed ones, too.
    fn progress(&self) -> Progress {
        let size = |path: &PathBuf| {
            let facts = std::fs::metadata(path).ok()?;
            (path.as_path() != Path::new("-") && facts.is_file()).then_some(facts.len())
        };
        let total = self.files.iter().map(size).sum::<Option<u64>>().unwrap_or(0);
        let is_wanted = self.output == Output::Human;
        Progress::begin("replay", Unit::Bytes, total, is_wanted)
    }

    fn show(&self, judging: &Judging<'_>, totals: Totals, seconds: f64) -> anyhow::Result<Exit> {
        match self.output {
            Output::Human => complete(&judging.page(totals, seconds)),
            Output::Json => complete(&format!("{:#}\n", judging.json(totals, seconds))),
        }?;
        Ok(Exit::Success)
    }
}

/// The logs, and what they hold.
#[derive(Clone, Copy)]
struct Files<'f> {
    paths: &'f [PathBuf],
    form: file::Form,
    /// The bytes that were read of them.
    read: &'f Arc<AtomicU64>,
}

impl Files<'_> {
    fn open(&self, path: &Path) -> anyhow::Result<file::Input> {
        Ok(file::open_counting(path, Limits::default().message, self.form, self.read)?)
    }
}

/// Parses the lines of a batch; what scenarios took is appended to `pours`.
struct Parsing<'r> {
    ruleset: &'r Ruleset,
    source: &'r LineSource,
    world: World,
    arena: Arena,
    parsing: Scratch,
    selecting: detect::Scratch,
}

impl<'r> Parsing<'r> {
    fn new(ruleset: &'r Ruleset, source: &'r LineSource) -> Self {
        let world = ruleset.world();
        world.set_now(clock::now());
        Self {
            ruleset,
            source,
            world,
            arena: Arena::with_capacity(64 * 1024),
            parsing: Scratch::new(),
            selecting: detect::Scratch::default(),
        }
    }

    fn batch(&mut self, batch: &Batch, pours: &mut Vec<Pour>) -> Totals {
        let mut totals = Totals::default();
        let scenarios = self.ruleset.scenarios();
        let mut lines = batch.lines().map(|line| (line, self.source));
        loop {
            let some =
                self.ruleset.parse_some(&mut lines, &self.arena, &self.world, &mut self.parsing);
            if some.is_empty() {
                return totals;
            }
            for Parsed { line, event, outcome } in some {
                totals.lines += 1;
                totals.cut += u64::from(line.cut);
                match outcome {
                    Outcome::Parsed => {
                        totals.parsed += 1;
                        scenarios.select(&mut self.selecting, event, &self.world, pours);
                    }
                    Outcome::Allowlisted => totals.allowlisted += 1,
                    Outcome::Unparsed { .. } => totals.unparsed += 1,
                }
            }
            self.arena.reset();
        }
    }
}

/// All on this thread: what `--workers 1` measures. Beside what became of the lines: whether all of
/// them could be read.
fn alone(
    files: Files<'_>,
    ruleset: &Ruleset,
    source: &LineSource,
    judging: &mut Judging<'_>,
) -> (Totals, anyhow::Result<()>) {
    let mut parsing = Parsing::new(ruleset, source);
    let mut totals = Totals::default();
    let mut pours = Vec::new();
    let mut batch = Batch::new(SourceId(0), clock::now());
    let mut read = || {
        for path in files.paths {
            let mut reader = files.open(path)?;
            while reader.fill(&mut batch, LINES)? {
                totals.add(parsing.batch(&batch, &mut pours));
                judging.pour(&mut pours);
                batch.clear(clock::now());
            }
            totals.unread += reader.unread();
        }
        Ok(())
    };
    let ended = read();
    (totals, ended)
}

/// A batch after parsing, with its place in the log.
type Done = (u64, Vec<Pour>, Totals);

/// Parsing on several threads, reading on one, counting on this one, in order.
fn together(
    files: Files<'_>,
    ruleset: &Ruleset,
    source: &LineSource,
    judging: &mut Judging<'_>,
    workers: usize,
) -> (Totals, anyhow::Result<()>) {
    let (to_parse, batches) = sync_channel(workers * WAITING);
    let (done, parsed) = sync_channel(workers * WAITING);
    let batches = Mutex::new(batches);
    std::thread::scope(|scope| {
        let reading = scope.spawn(move || {
            let mut unread = 0;
            let ended = read(files, &to_parse, &mut unread);
            (unread, ended)
        });
        for _ in 0..workers {
            let (done, batches) = (done.clone(), &batches);
            scope.spawn(move || {
                let mut parsing = Parsing::new(ruleset, source);
                work(&mut parsing, batches, &done);
            });
        }
        drop(done);
        let mut totals = in_order(&parsed, judging);
        let (unread, ended) = reading.join().expect("a thread that panics ends the process");
        totals.unread = unread;
        (totals, ended)
    })
}

fn read(
    files: Files<'_>,
    to_parse: &SyncSender<(u64, Batch)>,
    unread: &mut u64,
) -> anyhow::Result<()> {
    let mut number = 0;
    for path in files.paths {
        let mut reader = files.open(path)?;
        while let Some(batch) = reader.next_batch(SourceId(0), clock::now(), LINES)? {
            if to_parse.send((number, batch)).is_err() {
                return Ok(());
            }
            number += 1;
        }
        *unread += reader.unread();
    }
    Ok(())
}

fn work(
    parsing: &mut Parsing<'_>,
    batches: &Mutex<Receiver<(u64, Batch)>>,
    done: &SyncSender<Done>,
) {
    loop {
        let next = batches.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((number, batch)) = next else { return };
        let mut pours = Vec::new();
        let totals = parsing.batch(&batch, &mut pours);
        if done.send((number, pours, totals)).is_err() {
            return;
        }
    }
}

/// Pours what the workers made in the order of the log. What is early waits: at most as much as
/// the queues hold.
fn in_order(parsed: &Receiver<Done>, judging: &mut Judging<'_>) -> Totals {
    let mut totals = Totals::default();
    let mut early = BTreeMap::new();
    let mut next = 0;
    for (number, pours, some) in parsed {
        totals.add(some);
        early.insert(number, pours);
        while let Some(mut pours) = early.remove(&next) {
            judging.pour(&mut pours);
            next += 1;
        }
    }
    totals
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people")]
pub(super) fn per_second(lines: u64, seconds: f64) -> f64 {
    lines as f64 / seconds.max(1e-9)
}
