//! From the text of rule files to a ruleset.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use super::folder::{Folder, Kind, Piece};
use super::lints::{Family, Lints};
use super::{Counts, Outside, Request, Ruleset, simulation};
use crate::detect::spec::ScenarioSpec;
use crate::detect::{self, Contexts, Scenario, Scenarios, Seed};
use crate::diagnostic::Diagnostic;
use crate::expr::Program;
use crate::expr::world::{DataFile, Facts, Files, Geo, Stashes};
use crate::parse::grok::Library;
use crate::parse::spec::{DataSpec, NodeSpec};
use crate::parse::{self, Node, Parser, Stages};
use crate::value::{Names, Section, Time};
use crate::yaml;

/// Compiles all folders together, in their order.
pub(super) fn compile(
    folders: Vec<Folder>,
    request: Request,
    before: Option<&Ruleset>,
    now: Time,
    diagnostics: Vec<Diagnostic>,
) -> (Ruleset, Vec<Diagnostic>) {
    let mut loading = Loading {
        names: before.map_or_else(Names::new, |before| Names::clone(&before.names)),
        parser_library: Library::base(),
        postoverflow_library: Library::base(),
        parsers: Vec::new(),
        postoverflows: Vec::new(),
        scenarios: Vec::new(),
        contexts: Contexts::default(),
        files: Files::default(),
        geo: Geo::default(),
        seen_data: HashSet::new(),
        missing_data: HashSet::new(),
        rejected: 0,
        uncounted: (0, 0),
        lints: request.lints.then(Lints::default),
        diagnostics,
    };
    // Every source has this label, also those that are made later.
    let _ = loading.names.intern(Section::Label, "type");
    for (section, name) in Scenarios::FIELDS {
        let _ = loading.names.intern(section, name);
    }
    for folder in &folders {
        loading.rejected += folder.unreadable;
        // Patterns first: rules of any file may speak of them.
        let is_patterns = |piece: &&Piece| piece.kind == Kind::Patterns;
        for piece in folder.pieces.iter().filter(is_patterns) {
            loading.patterns(piece);
        }
        let (first, first_parser) = (loading.scenarios.len(), loading.parsers.len());
        for piece in folder.pieces.iter().filter(|piece| !is_patterns(piece)) {
            loading.rules(piece, folder.data.as_ref());
        }
        for piece in &folder.pieces {
            let is_sound = match piece.kind {
                Kind::Simulation => {
                    let scenarios = loading.scenarios.get_mut(first..).unwrap_or_default();
                    simulation::mark(piece, scenarios, &mut loading.diagnostics)
                }
                Kind::Context { is_bare } => loading.contexts(piece, is_bare),
                _ => true,
            };
            loading.rejected += usize::from(!is_sound);
        }
        if folder.uncounted {
            loading.uncounted.0 += loading.parsers.len() - first_parser;
            loading.uncounted.1 += loading.scenarios.len() - first;
        }
    }
    if let Some(lints) = loading.lints.take() {
        let collections: Vec<_> =
            folders.into_iter().flat_map(|folder| folder.collections).collect();
        loading.diagnostics.extend(lints.finish(&mut loading.names, &collections));
    }
    loading.finish(request, before, now)
}

struct Loading {
    names: Names,
    parser_library: Library,
    postoverflow_library: Library,
    parsers: Vec<(Box<str>, Node)>,
    postoverflows: Vec<(Box<str>, Node)>,
    scenarios: Vec<Scenario>,
    contexts: Contexts,
    files: Files,
    geo: Geo,
    seen_data: HashSet<String>,
    missing_data: HashSet<String>,
    rejected: usize,
    /// Parsers and scenarios of folders that are left out of the counts.
    uncounted: (usize, usize),
    lints: Option<Lints>,
    diagnostics: Vec<Diagnostic>,
}

/// A document of a rule file, before and after it was compiled.
enum Compiled<'d> {
    Rule(NodeSpec<'d>, Box<(Box<str>, Node)>),
    Scenario(ScenarioSpec<'d>, Box<Scenario>),
}

impl Loading {
    /// Both universes have the patterns of the folder, each its own copy.
    fn patterns(&mut self, piece: &Piece) {
        let mistakes = self.parser_library.add_file(&piece.file);
        let _ = self.postoverflow_library.add_file(&piece.file);
        self.rejected += usize::from(!mistakes.is_empty());
        for mistake in mistakes {
            let mut told = Diagnostic::error(&piece.file, mistake.span, "pattern", mistake.message);
            told.help = mistake.help;
            self.diagnostics.push(told);
        }
    }

    /// What a file says of contexts; false when it has a mistake. Those of its expressions that are
    /// right are taken.
    fn contexts(&mut self, piece: &Piece, is_bare: bool) -> bool {
        let (documents, mut told) = yaml::load(&piece.file);
        for document in &documents {
            let (names, contexts) = (&mut self.names, &mut self.contexts);
            let found =
                detect::spec::load_contexts(document, is_bare, &piece.file, names, contexts);
            told.extend(found);
        }
        let is_sound = !told.iter().any(Diagnostic::is_error);
        self.diagnostics.append(&mut told);
        is_sound
    }

    /// A file of rules is taken whole or not at all.
    fn rules(&mut self, piece: &Piece, data: Option<&PathBuf>) {
        if matches!(piece.kind, Kind::Simulation | Kind::Context { .. }) {
            return;
        }
        let (documents, mut diagnostics) = yaml::load(&piece.file);
        let mut compiled = Vec::new();
        let mut wanted: Vec<DataSpec> = Vec::new();
        // A file that is left out must leave no patterns behind.
        let marks = (self.parser_library.mark(), self.postoverflow_library.mark());
        for document in &documents {
            match &piece.kind {
                Kind::Parser(stage) | Kind::Postoverflow(stage) => {
                    let (spec, found) = parse::spec::load(document, &piece.file, stage);
                    diagnostics.extend(found);
                    let Some(spec) = spec else { continue };
                    wanted.extend_from_slice(spec.data());
                    let library = match piece.kind {
                        Kind::Parser(_) => &mut self.parser_library,
                        _ => &mut self.postoverflow_library,
                    };
                    let (node, found) = parse::spec::compile(&spec, &mut self.names, library);
                    diagnostics.extend(found);
                    compiled
                        .extend(node.map(|node| (document, Compiled::Rule(spec, Box::new(node)))));
                }
                Kind::Scenario => {
                    let (spec, found) = detect::spec::load(document, &piece.file);
                    diagnostics.extend(found);
                    let Some(spec) = spec else { continue };
                    for entry in spec.data() {
                        wanted.extend(DataSpec::load(entry, &piece.file, &mut diagnostics));
                    }
                    let (scenario, found) = detect::spec::compile(&spec, &mut self.names);
                    diagnostics.extend(found);
                    let scenario = scenario.map(|it| Compiled::Scenario(spec, Box::new(it)));
                    compiled.extend(scenario.map(|scenario| (document, scenario)));
                }
                Kind::Patterns | Kind::Simulation | Kind::Context { .. } => {}
            }
        }
        let is_wrong = diagnostics.iter().any(Diagnostic::is_error);
        self.diagnostics.append(&mut diagnostics);
        if is_wrong {
            self.rejected += 1;
            self.parser_library.go_back(marks.0);
            self.postoverflow_library.go_back(marks.1);
            return;
        }
        for (document, each) in compiled {
            self.lint(piece, document, &each);
            match (each, &piece.kind) {
                (Compiled::Rule(_, node), Kind::Postoverflow(_)) => self.postoverflows.push(*node),
                (Compiled::Rule(_, node), _) => self.parsers.push(*node),
                (Compiled::Scenario(_, scenario), _) => self.scenarios.push(*scenario),
            }
        }
        for spec in &wanted {
            self.data(spec, piece, data);
        }
    }

    /// Looks for what is probably not meant, if that is wanted.
    fn lint(&mut self, piece: &Piece, document: &yaml::Node, compiled: &Compiled<'_>) {
        let Some(lints) = &mut self.lints else { return };
        let span = document.get("name").map_or_else(|| document.head(), |name| name.span.clone());
        let file = &piece.file;
        match compiled {
            Compiled::Rule(spec, compiled) => {
                let family = match piece.kind {
                    Kind::Postoverflow(_) => Family::Postoverflow,
                    _ => Family::Parser,
                };
                lints.name(family, spec.name(), file, span);
                lints.rule(family, spec, &compiled.1, &self.names);
            }
            Compiled::Scenario(spec, scenario) => {
                lints.name(Family::Scenario, spec.name(), file, span);
                lints.scenario(spec, scenario, file);
            }
        }
    }

    /// Loads a data file. Without it the rules that read it find nothing, which is told.
    fn data(&mut self, spec: &DataSpec, piece: &Piece, folder: Option<&PathBuf>) {
        // Of the files without a kind only the databases of places are of use.
        if spec.kind.is_none() && !spec.file.ends_with(".mmdb") {
            return;
        }
        if !self.seen_data.insert(spec.file.to_string()) {
            return;
        }
        let warn = |message: String, help: Option<&str>| {
            let span = piece.file.text.find(&*spec.file);
            let span = span.map_or(0..0, |at| at..at + spec.file.len());
            let told = Diagnostic::error(&piece.file, span, "data-file", message).warning();
            match help {
                Some(help) => match &spec.url {
                    Some(url) => told.with_help(format!("{help}; it can be had at {url}")),
                    None => told.with_help(help),
                },
                None => told,
            }
        };
        // Hostile: a rule may not name a file outside its data folder.
        let is_plain = std::path::Path::new(&*spec.file)
            .components()
            .all(|part| matches!(part, std::path::Component::Normal(_)));
        let path = folder.filter(|_| is_plain).map(|folder| folder.join(&*spec.file));
        let Some(bytes) = path.as_ref().and_then(|path| std::fs::read(path).ok()) else {
            let message = format!(
                "the data file `{}` is missing: rules that read it find nothing",
                spec.file
            );
            // Another folder that asks for it may have it.
            self.seen_data.remove(&*spec.file);
            if self.missing_data.insert(spec.file.to_string()) {
                self.diagnostics.push(warn(message, Some("put it into the folder `data`")));
            }
            return;
        };
        if let Err(why) = self.take_data(spec, bytes) {
            let message = format!("the data file `{}` cannot be used: {why}", spec.file);
            self.diagnostics.push(warn(message, None));
        }
    }

    fn take_data(&mut self, spec: &DataSpec, bytes: Vec<u8>) -> Result<(), String> {
        let Some(kind) = &spec.kind else {
            let known = self.geo.add(bytes).map_err(|error| error.to_string())?;
            return known.then_some(()).ok_or_else(|| {
                "expected a database of cities, countries or network operators".to_owned()
            });
        };
        let text = String::from_utf8(bytes).map_err(|_| "it is not UTF-8 text".to_owned())?;
        let mut file = DataFile::parse(kind, &text)?;
        if let Some((size, ttl, strategy)) = spec.cache {
            file = file.with_cache(size, ttl, strategy);
        }
        self.files.add(&spec.file, file);
        Ok(())
    }

    fn finish(
        mut self,
        request: Request,
        before: Option<&Ruleset>,
        now: Time,
    ) -> (Ruleset, Vec<Diagnostic>) {
        let mut stashes = Stashes::new();
        for (_, node) in self.parsers.iter().chain(&self.postoverflows) {
            node.each_stash(&mut |stash| {
                stashes.declare(&stash.name, stash.size, stash.ttl, stash.strategy);
            });
        }
        let counts = Counts {
            parsers: self.parsers.len() - self.uncounted.0,
            scenarios: self.scenarios.len() - self.uncounted.1,
            simulated: self.scenarios.iter().filter(|scenario| scenario.simulated).count(),
            postoverflows: self.postoverflows.len(),
            rejected: self.rejected,
        };
        let mut parser = Parser::new(Stages::new(self.parsers));
        // A scenario sees a stash as the line left it, not as those after it did.
        let asks_late = |program: &Program| program.text().contains("GetFromStash");
        if self.scenarios.iter().flat_map(Scenario::programs).any(asks_late) {
            parser = parser.one_by_one();
        }
        if let Some(classes) = request.classes {
            parser = parser.with_classes(classes);
        }
        if let Some(before) = before {
            stashes.adopt(&before.facts.stashes);
        }
        let Outside { hostname, decisions, resolver } = request.outside;
        let facts =
            Facts { hostname, files: self.files, geo: self.geo, stashes, decisions, resolver };
        let seed = before.map_or_else(Seed::new, |before| before.scenarios.seed().clone());
        let names = Arc::new(self.names);
        let scenarios = Scenarios::new(self.scenarios, Arc::clone(&names), seed)
            .with_contexts(self.contexts)
            .counted_by(request.count);
        let ruleset = Ruleset {
            names,
            parser,
            postoverflows: Stages::new(self.postoverflows),
            scenarios: Arc::new(scenarios),
            facts: Arc::new(facts),
            library: self.parser_library,
            counts,
            loaded_at: now,
        };
        crate::diagnostic::sort(&mut self.diagnostics);
        (ruleset, self.diagnostics)
    }
}

#[cfg(test)]
mod tests;
