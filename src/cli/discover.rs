//! `weir discover`: whose lines does no rule cover, what do they say, and what is to be done?

mod next;
mod show;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::loading::{self, Loaded};
use super::new_parser::message;
use super::output::Format;
use super::{Exit, Global, Output, asking, complete};
use crate::control::{Covering, Recent, Reply, Request, Unmatched};
use crate::diagnostic::printable;
use crate::discover::{Limits, Miner};
use crate::event::{Line, Mode, SourceId};
use crate::explain::{self, Nearest};
use crate::intake::{file, spec};
use crate::parse::{Outcome, Scratch, syslog};
use crate::rules::Ruleset;
use crate::settings::Settings;
use crate::system::clock;
use crate::value::{Arena, Section};
use next::{Hub, Next};

/// Find the programs whose lines no rule covers, and what to do about each
///
/// For each program and label with lines that no rule understood: how many, the templates they fall
/// into, how many of them name an address, and the next step. That is one of: an entry for
/// `classify:` where only the program's name is off (it is tried before it is shown), a rule of
/// `--hub` that takes the lines, or the call of `weir new-parser` that makes one.
///
/// Without a file these are the lines that the running daemon did not understand. It counts all of
/// them and keeps a few of each program, from which the templates are made.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  weir discover                             what does the daemon not understand?
  weir discover /var/log/syslog             what would it not understand?
  weir discover access.log --type shop      lines without a syslog header
  journalctl -o export | weir discover -
  weir discover --hub ./hub                 has somebody else written rules for it?
  weir discover --all                       also programs that name no address")]
pub struct Discover {
    /// A file with lines; `-` is standard input
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Load the rules of this folder instead of those the configuration names; may be repeated
    #[arg(long, value_name = "DIR")]
    pub rules: Vec<PathBuf>,
    /// Look for rules in this folder, which is not in use, such as a copy of a hub; may be repeated
    #[arg(long, value_name = "DIR")]
    pub hub: Vec<PathBuf>,
    /// The label that the lines of the file carry
    #[arg(long = "type", value_name = "LABEL", alias = "label", default_value = "syslog")]
    #[arg(requires = "file")]
    pub label: String,
    /// What the file holds, where it cannot be seen
    #[arg(long, value_name = "FORMAT", default_value = "auto", requires = "file")]
    pub format: Format,
    /// Show also programs whose lines name no address: nobody can be banned by them
    #[arg(long)]
    pub all: bool,
    /// The form of the answer
    #[arg(long, value_name = "FORM", default_value = "human")]
    pub output: Output,
}

/// Programs that are told apart; lines of others are counted.
const PROGRAMS: usize = 256;
/// Lines that are kept of a program, each of at most so many bytes.
const KEPT: usize = 24;
const LONGEST: usize = 4096;
/// Lines that are read at once.
const BATCH: usize = 256;
/// Lines of the daemon that are asked for at once.
const ASKED: usize = 1000;

/// How much is held of a program.
const LIMITS: Limits = Limits { templates: 200, at_leaf: 30, bytes: 512 << 10, message: 2048 };

/// A program with lines that no rule took.
struct Program {
    label: String,
    program: String,
    /// How many lines rules took or called harmless.
    covered: u64,
    /// How many they did not.
    uncovered: u64,
    miner: Miner,
    /// Some of these whole, each with its template; those with an address come first.
    kept: Vec<(String, usize)>,
    /// The templates of the kept ones that name an address.
    addressed: usize,
}

/// What is to be shown of a program.
struct Finding {
    program: Program,
    /// The rule in use that is nearest, and that of each further folder, if any come near.
    nearest: Vec<Near>,
    next: Next,
}

/// A rule that comes near, and why it did not take the lines.
struct Near {
    /// The folder that is not in use.
    folder: Option<PathBuf>,
    rule: Nearest,
}

/// All programs.
#[derive(Default)]
struct Programs {
    known: BTreeMap<(String, String), Program>,
    /// Lines of programs beyond the bound.
    beyond: u64,
    lines: u64,
}

impl Program {
    fn new(label: &str, program: &str) -> Self {
        Self {
            label: label.to_owned(),
            program: program.to_owned(),
            covered: 0,
            uncovered: 0,
            miner: Miner::new(LIMITS),
            kept: Vec::new(),
            addressed: 0,
        }
    }

    /// Takes a line that no rule took.
    fn add(&mut self, line: &str, message: &str) {
        let Some(place) = self.miner.add(message) else { return };
        let template = self.miner.templates().get(place);
        let has_address = template.is_some_and(|template| template.addressed > 0);
        let of_template = self.kept.iter().filter(|(_, known)| *known == place).count();
        if of_template >= 3 || line.len() > LONGEST {
            return;
        }
        let kept = (line.to_owned(), place);
        if has_address && self.addressed < KEPT {
            self.kept.insert(self.addressed, kept);
            self.addressed += 1;
            self.kept.truncate(KEPT);
        } else if self.kept.len() < KEPT {
            self.kept.push(kept);
        }
    }

    /// How many of the lines that were looked at name an address.
    fn naming(&self) -> u64 {
        self.miner.templates().iter().map(|template| template.addressed).sum()
    }

    /// The lines that are kept and name an address; all that are kept where none does.
    fn examples(&self) -> impl Iterator<Item = &str> {
        let most = if self.addressed > 0 { self.addressed } else { self.kept.len() };
        self.kept.iter().take(most).map(|(line, _)| line.as_str())
    }
}

impl Discover {
    pub(super) fn run(self, global: &Global) -> anyhow::Result<Exit> {
        let loaded = loading::load(global, &self.rules, Some(false))?;
        let programs = match &self.file {
            Some(file) => self.of_file(file, &loaded)?,
            None => of_daemon(global)?,
        };
        let (settings, _) = asking::settings(global)?;
        let hubs = self.hub.iter().map(|folder| Hub::load(folder));
        let hubs: Vec<Hub> = hubs.collect::<Result<_, _>>()?;
        let Programs { known, beyond, lines } = programs;
        let (mut findings, mut hidden) = (Vec::new(), 0);
        for program in known.into_values().filter(|program| program.uncovered > 0) {
            if program.naming() == 0 && !self.all {
                hidden += 1;
                continue;
            }
            findings.push(self.finding(program, &loaded, &hubs, &settings));
        }
        // The greatest need first: lines with an address that nobody reads.
        findings.sort_by_key(|found| {
            let Program { uncovered, covered, .. } = &found.program;
            (*covered > 0, std::cmp::Reverse((found.program.naming(), *uncovered)))
        });
        let shown = show::Shown { findings: &findings, lines, beyond, hidden };
        match self.output {
            Output::Human => complete(&shown.human())?,
            Output::Json => complete(&format!("{:#}\n", shown.json()))?,
        }
        Ok(Exit::Success)
    }

    fn finding(
        &self,
        program: Program,
        loaded: &Loaded,
        hubs: &[Hub],
        settings: &Settings,
    ) -> Finding {
        let label = if program.label.is_empty() { "syslog" } else { &program.label };
        let folders = hubs.iter().map(|hub| (Some(hub.folder.clone()), &hub.rules));
        let rules = std::iter::once((None, &*loaded.ruleset)).chain(folders);
        let nearest = rules.filter_map(|(folder, rules)| {
            let source = rules.source("discover", "file", label, Mode::Replay);
            let line = program.examples().next()?;
            let line = Line::new(line.as_bytes(), clock::now(), SourceId(0));
            let account = explain::account(rules, &loaded.allowlist, &source, line, clock::now());
            account.nearest().map(|rule| Near { folder, rule })
        });
        let nearest = nearest.collect();
        let from = self.file.as_deref();
        let next = next::step(&program, &loaded.ruleset, settings, &self.rules, hubs, from);
        Finding { program, nearest, next }
    }

    fn of_file(&self, path: &Path, loaded: &Loaded) -> anyhow::Result<Programs> {
        let ruleset = &*loaded.ruleset;
        let source = ruleset.source("discover", "file", &self.label, Mode::Replay);
        let mut reader = file::open(path, spec::Limits::default().message, self.format.into())?;
        let mut programs = Programs::default();
        let (mut scratch, world) = (Scratch::new(), ruleset.world());
        let mut arena = Arena::new();
        while let Some(batch) = reader.next_batch(SourceId(0), clock::now(), BATCH)? {
            world.set_now(clock::now());
            for line in batch.lines() {
                programs.lines += 1;
                let (event, outcome) =
                    ruleset.parse(line, &source, &arena, &world, &mut scratch, None);
                let field = |section, name| event.get_named(section, name).unwrap_or_default();
                let label = field(Section::Label, "type");
                let program = field(Section::Parsed, "program");
                let is_covered = !matches!(outcome, Outcome::Unparsed { .. });
                if let Some(known) = programs.of(label, program) {
                    known.covered += u64::from(is_covered);
                    known.uncovered += u64::from(!is_covered);
                    if !is_covered {
                        let raw = event.raw.get();
                        let message = event.get_named(Section::Parsed, "message").unwrap_or(raw);
                        known.add(raw, message);
                    }
                }
                arena.reset();
            }
        }
        Ok(programs)
    }
}

impl Programs {
    /// The program, unless there are too many.
    fn of(&mut self, label: &str, program: &str) -> Option<&mut Program> {
        let key = (label.to_owned(), program.to_owned());
        if !self.known.contains_key(&key) && self.known.len() == PROGRAMS {
            self.beyond += 1;
            return None;
        }
        Some(self.known.entry(key).or_insert_with(|| Program::new(label, program)))
    }
}

/// What the running daemon counts and keeps.
fn of_daemon(global: &Global) -> anyhow::Result<Programs> {
    let mut programs = Programs::default();
    let mut client = asking::client(global)?;
    let request = Request::Coverage(Covering { examples: false });
    if let Reply::Coverage { programs: found, .. } = client.ask(&request)? {
        for coverage in found {
            programs.lines += coverage.lines();
            if let Some(known) = programs.of(&coverage.label, &coverage.program) {
                known.uncovered += coverage.unparsed;
                known.covered += coverage.parsed + coverage.allowlisted;
            }
        }
    }
    let mut client = asking::client(global)?;
    let recent = Recent { program: None, uncounted: false, limit: Some(ASKED) };
    if let Reply::Unmatched { programs: found, .. } = client.ask(&Request::Unmatched(recent))? {
        for Unmatched { label, program, lines, .. } in found {
            let Some(known) = programs.of(&label, &program) else { continue };
            for line in lines {
                let header = syslog::decode(&line.text);
                let text = if header.is_syslog() { message(&header) } else { &line.text };
                known.add(&line.text, text);
            }
        }
    }
    Ok(programs)
}

/// The client's address that rules take from a line, empty for none; `None` where they do not take
/// it.
pub(super) fn client(ruleset: &Ruleset, label: &str, line: &str) -> Option<String> {
    let source = ruleset.source("discover", "file", label, Mode::Replay);
    let (arena, world) = (Arena::new(), ruleset.world());
    let now = clock::now();
    world.set_now(now);
    let mut scratch = Scratch::new();
    let line = Line::new(line.as_bytes(), now, SourceId(0));
    let (event, outcome) = ruleset.parse(line, &source, &arena, &world, &mut scratch, None);
    let client = event.get_named(Section::Meta, "source_ip").unwrap_or_default().to_owned();
    matches!(outcome, Outcome::Parsed).then_some(client)
}

/// A name in one column.
fn name(text: &str) -> String {
    if text.is_empty() { "-".to_owned() } else { printable(text, 60).into_owned() }
}
