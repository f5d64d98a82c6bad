//! Rule folders: walked, loaded, checked, compiled into a [`Ruleset`].
//!
//! This is the only maker of a ruleset, so a running program never sees unchecked YAML. A file
//! with a mistake is reported and left out; the others go on. Folders may have the layout of a hub
//! (`parsers/<stage>/<author>/*.yaml`) or a flat one (`parsers/<stage>/*.yaml`).

#![forbid(unsafe_code)]

pub mod cases;
mod compile;
mod folder;
mod fuzz;
mod lints;
mod postoverflow;
mod shipped;
mod simulation;

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bumpalo::collections::Vec as ArenaVec;

use crate::detect::Scenarios;
use crate::diagnostic::Diagnostic;
use crate::event::{Event, Line, Mode};
use crate::expr::World;
use crate::expr::world::{Decisions, Facts, Resolver};
use crate::parse::grok::Library;
use crate::parse::{Classes, LineSource, Observer, Outcome, Parsed, Parser, Scratch, Stages};
use crate::value::{Arena, Names, Time};

pub use folder::{Folder, Kind, Piece};
#[doc(hidden)]
pub use fuzz::{fuzz_line, fuzz_rules};
pub use lints::{LINTS, deceived};
pub use postoverflow::{Postoverflows, Witness};
pub use shipped::{shipped, shipped_cases};

/// Which rules are to be loaded.
#[derive(Debug, Default)]
pub struct Request {
    /// Whether those that come with the program are.
    pub shipped: bool,
    /// Folders, loaded after them, in this order.
    pub folders: Vec<PathBuf>,
    /// Rules that are in memory already, loaded last.
    pub more: Vec<Folder>,
    /// Which programs' lines carry which label.
    pub classes: Option<Classes>,
    /// Whether the rules are also looked at for what is probably not meant.
    pub lints: bool,
    /// Whom expressions may ask.
    pub outside: Outside,
    /// The length of the IPv6 prefixes that scenarios count as one address; `None` for each address
    /// on its own, as rule tests expect.
    pub count: Option<u8>,
}

/// Whom expressions may ask of the world outside an event. Nobody, in a replay.
#[derive(Clone, Debug, Default)]
pub struct Outside {
    /// The name of this machine.
    pub hostname: Box<str>,
    /// Decisions in force and in the past.
    pub decisions: Option<Arc<dyn Decisions>>,
    /// Names of addresses and addresses of names.
    pub resolver: Arc<Resolver>,
}

/// How many rules there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Parser rules.
    pub parsers: usize,
    /// Scenarios.
    pub scenarios: usize,
    /// Those of them that decide for show (`simulation.yaml`).
    pub simulated: usize,
    /// Postoverflow rules.
    pub postoverflows: usize,
    /// Files left out because of a mistake.
    pub rejected: usize,
}

/// All rules, checked and compiled, that work together.
#[derive(Debug)]
pub struct Ruleset {
    names: Arc<Names>,
    parser: Parser,
    postoverflows: Stages,
    scenarios: Arc<Scenarios>,
    facts: Arc<Facts>,
    library: Library,
    counts: Counts,
    loaded_at: Time,
}

/// Loads what is asked for. Where `before` is given, its field names keep their numbers and its
/// buckets their keys, so that a detector can go on with the new rules.
#[must_use]
pub fn load(
    mut request: Request,
    before: Option<&Ruleset>,
    now: Time,
) -> (Ruleset, Vec<Diagnostic>) {
    let mut diagnostics = Vec::new();
    let mut folders = Vec::new();
    if request.shipped {
        folders.push(shipped());
    }
    for path in &request.folders {
        folders.push(folder::read(path, request.lints, &mut diagnostics));
    }
    folders.append(&mut request.more);
    compile::compile(folders, request, before, now, diagnostics)
}

/// Makes a ruleset of folders that are in memory already.
#[must_use]
pub fn from_folders(folders: Vec<Folder>, now: Time) -> (Ruleset, Vec<Diagnostic>) {
    compile::compile(folders, Request::default(), None, now, Vec::new())
}

/// The same, with all that may be said against the rules.
#[must_use]
pub fn check_folders(folders: Vec<Folder>, now: Time) -> (Ruleset, Vec<Diagnostic>) {
    let request = Request { lints: true, ..Request::default() };
    compile::compile(folders, request, None, now, Vec::new())
}

impl Ruleset {
    /// The names that all its slots stand for.
    #[must_use]
    pub fn names(&self) -> &Arc<Names> {
        &self.names
    }

    /// The parser rules.
    #[must_use]
    pub fn stages(&self) -> &Stages {
        self.parser.stages()
    }

    /// The names of the parser stages, in order.
    pub fn stage_names(&self) -> impl Iterator<Item = &str> {
        self.parser.stages().names()
    }

    /// The scenarios.
    #[must_use]
    pub fn scenarios(&self) -> &Arc<Scenarios> {
        &self.scenarios
    }

    /// The named patterns of the parser rules.
    #[must_use]
    pub fn library(&self) -> &Library {
        &self.library
    }

    /// Makes all patterns and data files ready to be searched for, with so many threads; without
    /// it each is when a line first needs it, which takes that line up to some milliseconds. Gives
    /// what cannot be built, in words.
    pub fn warm(&self, threads: usize) -> Vec<String> {
        let mut groks = self.parser.stages().groks();
        groks.extend(self.postoverflows.groks());
        let next = AtomicUsize::new(0);
        let troubles = Mutex::new(Vec::new());
        let work = || {
            while let Some((rule, grok)) = groks.get(next.fetch_add(1, Ordering::Relaxed)) {
                if let Err(why) = grok.warm() {
                    let told = format!("the pattern `{}` of rule `{rule}`: {why}", grok.source());
                    troubles.lock().unwrap_or_else(PoisonError::into_inner).push(told);
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..threads {
                scope.spawn(work);
            }
            self.facts.files.warm();
            work();
        });
        troubles.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many rules there are.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// When they were loaded.
    #[must_use]
    pub fn loaded_at(&self) -> Time {
        self.loaded_at
    }

    /// What expressions may ask of the outside: one for each worker.
    #[must_use]
    pub fn world(&self) -> World {
        World::new(Arc::clone(&self.facts))
    }

    /// A source whose lines carry this label.
    #[must_use]
    pub fn source(&self, name: &str, module: &str, label: &str, mode: Mode) -> LineSource {
        let mut source = LineSource::new(name, module, mode);
        // The name of the label was interned with the rules, so no name is new here.
        let mut names = Names::clone(&self.names);
        source.label(&mut names, "type", label);
        source
    }

    /// Parses a line.
    pub fn parse<'r, 'a>(
        &'a self,
        line: Line<'a>,
        source: &'a LineSource,
        arena: &'a Arena,
        world: &'a World,
        scratch: &'r mut Scratch,
        observer: Option<Observer<'r, 'a>>,
    ) -> (&'a Event<'a>, Outcome) {
        self.parser.parse(line, source, arena, &self.names, world, scratch, observer)
    }

    /// Parses the next lines, as many as are best taken together; none when there is none left.
    pub fn parse_some<'l: 'a, 'a>(
        &'a self,
        lines: &mut impl Iterator<Item = (Line<'l>, &'l LineSource)>,
        arena: &'a Arena,
        world: &'a World,
        scratch: &mut Scratch,
    ) -> ArenaVec<'a, Parsed<'a>> {
        self.parser.parse_some(lines, arena, &self.names, world, scratch)
    }

    /// The postoverflow rules.
    #[must_use]
    pub fn postoverflow_stages(&self) -> &Stages {
        &self.postoverflows
    }

    /// What runs the postoverflow rules: one for each owner of buckets.
    #[must_use]
    pub fn postoverflows(&self) -> Postoverflows {
        Postoverflows::new(self.world())
    }
}
