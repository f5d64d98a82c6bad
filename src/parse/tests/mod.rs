//! Whole rules, from YAML to the event that comes out.

mod allowlists;
mod glances;
mod nodes;
mod whole;
mod writes;

use std::path::Path;

use super::grok::Library;
use super::*;
use crate::diagnostic::{Diagnostic, UserFile};
use crate::event::{
    Alert, Event, Kind, Line, Mode, Overflow, OverflowView, Snapshot, Source, SourceId,
};
use crate::expr::World;
use crate::value::{Arena, Names, Section, Time};
use crate::yaml;

/// Rules of one universe, loaded from texts.
struct Rules {
    names: Names,
    stages: Stages,
    diagnostics: Vec<Diagnostic>,
}

/// What became of one line.
struct Result {
    outcome: Outcome,
    event: Snapshot,
    names: Names,
    /// `node+` and `node-` for every top-level node that was tried.
    record: String,
    reason: String,
    faults: u64,
}

impl Rules {
    fn load(files: &[(&str, &str)]) -> Self {
        let (mut names, mut library) = (Names::new(), Library::base());
        let (mut nodes, mut diagnostics) = (Vec::new(), Vec::new());
        for (stage, text) in files {
            let file = UserFile::new(Path::new("rules.yaml"), (*text).to_owned());
            let (documents, found) = yaml::load(&file);
            diagnostics.extend(found);
            for document in &documents {
                let (spec, found) = spec::load(document, &file, stage);
                diagnostics.extend(found);
                let Some(spec) = spec else { continue };
                let (node, found) = spec::compile(&spec, &mut names, &mut library);
                diagnostics.extend(found);
                nodes.extend(node);
            }
        }
        Self { names, stages: Stages::new(nodes), diagnostics }
    }

    fn sound(files: &[(&str, &str)]) -> Self {
        let rules = Self::load(files);
        let errors: Vec<_> = rules.diagnostics.iter().filter(|each| each.is_error()).collect();
        assert!(errors.is_empty(), "{errors:#?}");
        rules
    }

    /// Takes a line through the stages, with somebody listening and without: both must agree.
    fn run(&self, line: &str, prepare: impl Fn(&Event<'_>)) -> Result {
        let (arena, world, mut scratch) = (Arena::new(), World::default(), Scratch::new());
        let new = || {
            let event =
                Event::new(&arena, &self.names, Kind::Log, Mode::Replay, Time::from_seconds(1));
            event.raw.set(arena.alloc_str(line));
            prepare(event);
            event
        };
        let (event, silent) = (new(), new());
        let mut record = String::new();
        let outcome = self.stages.run(
            event,
            &world,
            &mut scratch,
            Some(&mut |fact| {
                if let Fact::Node { node, success, .. } = fact {
                    record += node;
                    record += if success { "+ " } else { "- " };
                }
            }),
        );
        let faults = scratch.take_counts(&mut |_, _| {});
        assert_eq!(self.stages.run(silent, &world, &mut scratch, None), outcome);
        for section in [Section::Parsed, Section::Meta, Section::Enriched] {
            let fields = |event: &Event<'_>| {
                let mut found = Vec::new();
                event.each_field(section, &mut |n, t| found.push((n.to_owned(), t.to_owned())));
                found
            };
            assert_eq!(fields(event), fields(silent));
        }
        Result {
            outcome,
            record: record.trim_end().to_owned(),
            reason: event.allowlist_reason.get().to_owned(),
            event: Snapshot::of(event),
            names: self.names.clone(),
            faults,
        }
    }

    fn line(&self, line: &str) -> Result {
        self.run(line, |_| {})
    }
}

impl Result {
    fn get(&self, section: Section, name: &str) -> Option<&str> {
        self.event.get(self.names.find(section, name)?)
    }

    fn parsed(&self, name: &str) -> Option<&str> {
        self.get(Section::Parsed, name)
    }

    fn meta(&self, name: &str) -> Option<&str> {
        self.get(Section::Meta, name)
    }
}

fn stopped(stage: usize, reason: Reason) -> Outcome {
    Outcome::Unparsed { stage, reason }
}

const HEADER: &str = "
name: header
filter: evt.Line.Labels.type == 'syslog'
onsuccess: next_stage
nodes:
  - grok: {pattern: '^<%{INT:pri}>%{WORD:program}: %{GREEDYDATA:message}', apply_on: Line.Raw}
  - grok: {pattern: '^%{WORD:program}; %{GREEDYDATA:message}', apply_on: Line.Raw}
statics:
  - meta: machine
    value: here
---
name: other
filter: evt.Line.Labels.type == 'file'
onsuccess: next_stage
statics:
  - parsed: message
    expression: evt.Parsed.none
  - parsed: program
    expression: evt.Line.Labels.type
";

fn syslog(event: &Event<'_>) {
    event.set_named(Section::Label, "type", "syslog");
}
