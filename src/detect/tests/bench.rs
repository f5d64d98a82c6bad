//! Pours events into scenarios written as YAML.

use std::path::Path;
use std::sync::Arc;

use crate::detect::{
    Contexts, Counts, Detector, Limits, Pour, Scenarios, Scratch, Seed, Selected, spec,
};
use crate::diagnostic::UserFile;
use crate::event::{Event, Kind, Mode, Overflow};
use crate::expr::World;
use crate::value::{Arena, Names, Section, Time};
use crate::yaml;

pub(super) struct Bench {
    pub(super) scenarios: Arc<Scenarios>,
    pub(super) detector: Detector,
    text: String,
}

/// An event to be: fields as `Section.name` or, of `Meta`, as `name`.
pub(super) type Fields<'f> = &'f [(&'f str, &'f str)];

pub(super) const FROM_A: Fields<'static> = &[("source_ip", "192.0.2.1"), ("log_type", "x")];
pub(super) const FROM_B: Fields<'static> = &[("source_ip", "192.0.2.2"), ("log_type", "x")];

/// All scenarios of a file; none may have a mistake.
#[track_caller]
pub(super) fn compile(text: &str, names: Names, seed: Seed) -> Arc<Scenarios> {
    let mut names = names;
    for (section, name) in Scenarios::FIELDS {
        names.intern(section, name);
    }
    let file = UserFile::new(Path::new("test.yaml"), text.to_owned());
    let (documents, mut mistakes) = yaml::load(&file);
    let mut scenarios = Vec::new();
    for document in &documents {
        let (loaded, told) = spec::load(document, &file);
        mistakes.extend(told);
        let (compiled, told) = spec::compile(&loaded.unwrap(), &mut names);
        mistakes.extend(told);
        scenarios.extend(compiled);
    }
    mistakes.retain(crate::diagnostic::Diagnostic::is_error);
    assert!(mistakes.is_empty(), "{mistakes:#?}");
    Arc::new(Scenarios::new(scenarios, Arc::new(names), seed))
}

impl Bench {
    #[track_caller]
    pub(super) fn new(text: &str) -> Self {
        Self::with_limits(text, Limits::default())
    }

    #[track_caller]
    pub(super) fn with_limits(text: &str, limits: Limits) -> Self {
        Self::of(text, compile(text, Names::new(), Seed::new()), limits)
    }

    fn of(text: &str, scenarios: Arc<Scenarios>, limits: Limits) -> Self {
        let detector = Detector::new(Arc::clone(&scenarios), limits, World::default());
        Self { scenarios, detector, text: text.to_owned() }
    }

    /// Lets alerts say what these contexts ask for.
    #[track_caller]
    pub(super) fn contexts(&mut self, text: &str) {
        let file = UserFile::new(Path::new("context.yaml"), text.to_owned());
        let (documents, mut mistakes) = yaml::load(&file);
        let mut contexts = Contexts::default();
        let mut names = Names::clone(self.scenarios.names());
        for document in &documents {
            let told = spec::load_contexts(document, true, &file, &mut names, &mut contexts);
            mistakes.extend(told);
        }
        assert!(mistakes.is_empty(), "{mistakes:#?}");
        let scenarios = compile(&self.text, names, self.scenarios.seed().clone());
        let scenarios = Arc::into_inner(scenarios).unwrap().with_contexts(contexts);
        *self = Self::of(&self.text, Arc::new(scenarios), Limits::default());
    }

    /// What the scenarios make of an event; a replayed one is written at `at`, a live one arrives.
    pub(super) fn select(&self, mode: Mode, at: Time, fields: Fields<'_>) -> (Selected, Vec<Pour>) {
        let arena = Arena::new();
        let event = Event::new(&arena, self.scenarios.names(), Kind::Log, mode, at);
        if mode == Mode::Replay {
            event.marshaled_time.set(arena.alloc_str(&at.rfc3339()));
        }
        for (name, text) in fields {
            let text = arena.alloc_str(text);
            match name.split_once('.') {
                Some(("Parsed", name)) => event.set_named(Section::Parsed, name, text),
                Some(("Enriched", name)) => event.set_named(Section::Enriched, name, text),
                Some(("", "MarshaledTime")) => event.marshaled_time.set(text),
                Some(_) => panic!("no section of {name}"),
                None => event.set_named(Section::Meta, name, text),
            }
        }
        let mut pours = Vec::new();
        let world = World::default();
        let selected = self.scenarios.select(&mut Scratch::default(), event, &world, &mut pours);
        (selected, pours)
    }

    pub(super) fn pour(&mut self, mode: Mode, at: Time, fields: Fields<'_>) -> Vec<Overflow> {
        let mut overflows = Vec::new();
        for pour in self.select(mode, at, fields).1 {
            self.detector.pour(pour, at, &mut overflows);
        }
        overflows
    }

    /// A replayed event, so many seconds after the epoch.
    pub(super) fn replay(&mut self, at: f64, fields: Fields<'_>) -> Vec<Overflow> {
        self.pour(Mode::Replay, instant(at), fields)
    }

    /// A live event.
    pub(super) fn live(&mut self, at: f64, fields: Fields<'_>) -> Vec<Overflow> {
        self.pour(Mode::Live, instant(at), fields)
    }

    pub(super) fn tick(&mut self, at: f64) -> Vec<Overflow> {
        let mut overflows = Vec::new();
        self.detector.tick(instant(at), &mut overflows);
        overflows
    }

    pub(super) fn counts(&self) -> Counts {
        self.detector.total()
    }
}

pub(super) fn instant(seconds: f64) -> Time {
    #[expect(clippy::cast_possible_truncation, reason = "tests stay near the epoch")]
    Time::from_nanos((seconds * 1e9).round() as i64)
}

/// How many events each overflow counted.
pub(super) fn totals(overflows: &[Overflow]) -> Vec<i64> {
    overflows.iter().map(|overflow| overflow.alert.as_ref().unwrap().events_count).collect()
}

/// Pours the events of one source at these seconds; the indices at which there is an overflow.
#[track_caller]
pub(super) fn check(text: &str, mode: Mode, at: &[f64], expected: &[usize]) {
    let mut bench = Bench::new(text);
    let overflowing: Vec<_> = (0..at.len())
        .filter(|index| !bench.pour(mode, instant(at[*index]), FROM_A).is_empty())
        .collect();
    assert_eq!(overflowing, expected, "{text}");
}
