//! From a received line to an event that went through all stages.

use bumpalo::collections::Vec as ArenaVec;

use super::classify::{Classes, Received};
use super::field::Field;
use super::header;
use super::observe::Observer;
use super::run::Scratch;
use super::stage::{Outcome, Reason, Stages};
use super::syslog;
use crate::event::{Dates, Event, Kind, Line, Mode, Trust};
use crate::expr::World;
use crate::value::{Arena, Names, Section, Zones};

/// What is known of all lines of a source.
#[derive(Clone, Debug)]
pub struct LineSource {
    /// Its name, `evt.Line.Src`.
    pub name: Box<str>,
    /// Its kind, `evt.Line.Module`.
    pub module: Box<str>,
    /// Whether its lines are of now, or of when they say.
    pub mode: Mode,
    labels: Vec<(Field, Box<str>)>,
    /// The label `type`: what kind of lines these are.
    kind: Box<str>,
    /// Where the clocks of its senders are.
    zones: Zones,
    most_skew: Option<i64>,
    /// The most that may follow from a line.
    trust: Trust,
}

impl LineSource {
    /// A source without labels.
    #[must_use]
    pub fn new(name: &str, module: &str, mode: Mode) -> Self {
        Self {
            name: name.into(),
            module: module.into(),
            mode,
            labels: Vec::new(),
            kind: "".into(),
            zones: Zones::default(),
            most_skew: None,
            trust: Trust::FULL,
        }
    }

    /// The same, with clocks in these zones, whose times are believed when they differ from the
    /// arrival by so many nanoseconds at most.
    #[must_use]
    pub fn with_clocks(mut self, zones: Zones, most_skew: Option<i64>) -> Self {
        (self.zones, self.most_skew) = (zones, most_skew);
        self
    }

    /// The same, with lines from which no more may follow than this.
    #[must_use]
    pub fn trusted(mut self, trust: Trust) -> Self {
        self.trust = trust;
        self
    }

    /// How dates in a line are to be read.
    #[must_use]
    pub fn dates(&self, line: &Line<'_>) -> Dates<'_> {
        Dates { zone: self.zones.of(line.sender), most_skew: self.most_skew }
    }

    /// Adds a label, `evt.Line.Labels.<name>`.
    pub fn label(&mut self, names: &mut Names, name: &str, text: &str) {
        if name == "type" {
            self.kind = text.into();
        }
        self.labels.push((Field::intern(names, Section::Label, name), text.into()));
    }
}

/// How many lines are taken together. The instructions of a line's whole way do not fit into what
/// a processor keeps at hand; those of one part do, and events of so many lines beside them.
const TOGETHER: usize = 64;

/// The outcome of a line without the header that its kind must have.
const NO_HEADER: Outcome = Outcome::Unparsed { stage: 0, reason: Reason::Header };

/// A line and what became of it.
pub struct Parsed<'a> {
    /// The line.
    pub line: Line<'a>,
    /// What was made of it.
    pub event: &'a Event<'a>,
    /// How far it came.
    pub outcome: Outcome,
}

/// Makes events out of lines.
///
/// When the rules have no stage whose name begins with `s00`, the header of syslog lines (those of
/// sources with the label `type: syslog`) is decoded natively, and is that stage.
#[derive(Debug)]
pub struct Parser {
    stages: Stages,
    /// Whether the decoded header is the first stage, because the rules have none for it.
    has_header: bool,
    classes: Option<Classes>,
    /// How many lines are taken together at most.
    together: usize,
}

impl Parser {
    /// A parser with these rules.
    #[must_use]
    pub fn new(stages: Stages) -> Self {
        let has_header = !stages.names().any(|name| name.starts_with("s00"));
        Self { stages, has_header, classes: None, together: TOGETHER }
    }

    /// The same, with other labels and programs for some lines. They are given once the header is
    /// read: before the first stage where it is decoded natively, else behind it, so that rules
    /// which read headers themselves choose by the label of the source.
    #[must_use]
    pub fn with_classes(mut self, classes: Classes) -> Self {
        self.classes = Some(classes).filter(|classes| !classes.is_empty());
        self
    }

    /// The same, with lines taken one by one: for rules that ask, when a line was parsed, for what
    /// the lines before it left behind.
    #[must_use]
    pub fn one_by_one(mut self) -> Self {
        self.together = 1;
        self
    }

    /// Its rules.
    #[must_use]
    pub fn stages(&self) -> &Stages {
        &self.stages
    }

    /// Parses a line. `names` must be those that rules and source were made with.
    #[expect(clippy::too_many_arguments, reason = "all of them are borrowed for different times")]
    pub fn parse<'r, 'a>(
        &'a self,
        line: Line<'a>,
        source: &'a LineSource,
        arena: &'a Arena,
        names: &'a Names,
        world: &'a World,
        scratch: &'r mut Scratch,
        mut observer: Option<Observer<'r, 'a>>,
    ) -> (&'a Event<'a>, Outcome) {
        let (event, has_header) =
            self.begin(&line, source, arena, names, scratch, observer.as_mut());
        (event, self.finish(event, &line, has_header, world, scratch, observer))
    }

    /// Parses some lines, as many as are best taken together: all of them through the header, then
    /// all through the stages, in their order.
    pub fn parse_some<'l: 'a, 'a>(
        &'a self,
        lines: &mut impl Iterator<Item = (Line<'l>, &'l LineSource)>,
        arena: &'a Arena,
        names: &'a Names,
        world: &'a World,
        scratch: &mut Scratch,
    ) -> ArenaVec<'a, Parsed<'a>> {
        let mut some = ArenaVec::with_capacity_in(self.together, arena);
        some.extend(lines.take(self.together).map(|(line, source)| {
            let (event, has_header) = self.begin(&line, source, arena, names, scratch, None);
            let outcome = if has_header { Outcome::Parsed } else { NO_HEADER };
            Parsed { line, event, outcome }
        }));
        for Parsed { line, event, outcome } in &mut some {
            let has_header = *outcome == Outcome::Parsed;
            *outcome = self.finish(event, line, has_header, world, scratch, None);
        }
        some
    }

    /// Makes the event of a line and fills in what its header says; gives whether one was found
    /// where there must be one.
    fn begin<'a>(
        &'a self,
        line: &Line<'a>,
        source: &'a LineSource,
        arena: &'a Arena,
        names: &'a Names,
        scratch: &mut Scratch,
        observer: Option<&mut Observer<'_, 'a>>,
    ) -> (&'a Event<'a>, bool) {
        let event = Event::new(arena, names, Kind::Log, source.mode, line.received_at);
        event.raw.set(line.text.unwrap_or_else(|| syslog::utf8(line.bytes, arena)));
        event.source.set(&source.name);
        event.module.set(&source.module);
        event.dates.set(source.dates(line));
        event.trust.set(source.trust);
        for (field, text) in &source.labels {
            field.set(event, text);
        }
        let is_syslog = *source.kind == *"syslog";
        if !self.has_header {
            if is_syslog {
                event.raw.set(syslog::without_priority(event.raw.get()));
            }
            return (event, true);
        }
        if !is_syslog {
            header::fill_other(event, &source.kind);
        } else if !header::fill_syslog(event, line.is_single, &mut scratch.last_time) {
            return (event, false);
        }
        if let Some(classes) = &self.classes {
            classes.apply(event, Received::of(line), &mut scratch.classes, observer);
        }
        (event, true)
    }

    fn finish<'r, 'a>(
        &'a self,
        event: &'a Event<'a>,
        line: &Line<'a>,
        has_header: bool,
        world: &'a World,
        scratch: &'r mut Scratch,
        observer: Option<Observer<'r, 'a>>,
    ) -> Outcome {
        if !has_header {
            return NO_HEADER;
        }
        let classify = match &self.classes {
            Some(classes) if !self.has_header => Some((classes, Received::of(line))),
            _ => None,
        };
        self.stages.run_classified(event, classify, world, scratch, observer)
    }
}
