//! Real scenarios, where a collection of them is at hand: all must load, and the index must lose
//! none.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::detect::{Detector, Limits, Scenario, ScenarioId, Scenarios, Scratch, Seed, spec};
use crate::diagnostic::{Diagnostic, UserFile};
use crate::event::{Event, Kind, Mode};
use crate::expr::{Wanted, World};
use crate::value::{Arena, Names, Section, Time};
use crate::yaml;

pub(super) fn scenarios() -> Option<Arc<Scenarios>> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/hub");
    let hub = std::env::var_os("WEIR_HUB").map_or(beside, PathBuf::from);
    let mut paths = Vec::new();
    files(&hub.join("scenarios"), &mut paths);
    if paths.is_empty() {
        return None;
    }
    let mut names = Names::new();
    for (section, name) in Scenarios::FIELDS {
        names.intern(section, name);
    }
    let mut scenarios = Vec::new();
    for path in &paths {
        load(path, &mut names, &mut scenarios);
    }
    Some(Arc::new(Scenarios::new(scenarios, Arc::new(names), Seed::new())))
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml") {
            found.push(path);
        }
    }
    found.sort();
}

#[track_caller]
fn load(path: &Path, names: &mut Names, scenarios: &mut Vec<Scenario>) {
    let file = UserFile::new(path, std::fs::read_to_string(path).unwrap());
    let (documents, mut told) = yaml::load(&file);
    for document in &documents {
        let (loaded, more) = spec::load(document, &file);
        told.extend(more);
        let Some(loaded) = loaded else { continue };
        let (compiled, more) = spec::compile(&loaded, names);
        told.extend(more);
        scenarios.extend(compiled);
    }
    let errors: Vec<_> = told.iter().filter(|told| told.is_error()).map(said).collect();
    assert!(errors.is_empty(), "{}: {errors:#?}", path.display());
}

fn said(told: &Diagnostic) -> String {
    format!("{} {:?}", told.message, told.span)
}

#[test]
fn all_scenarios_load_and_most_are_indexed() {
    let Some(scenarios) = scenarios() else { return };
    assert!(scenarios.len() > 800, "{}", scenarios.len());
    assert!(scenarios.n_unindexed() * 20 < scenarios.len(), "{}", scenarios.n_unindexed());
}

/// For events of every kind that the scenarios ask for: those that the index leaves out are those
/// whose filter is false.
#[test]
fn the_index_leaves_out_only_what_is_false() {
    let Some(scenarios) = scenarios() else { return };
    let world = World::default();
    let mut arena = Arena::new();
    let kinds: Vec<_> = ["", "http_access-log", "ssh_failed-auth", "sysmon", "auth_success"]
        .into_iter()
        .flat_map(|kind| ["", "http", "ssh", "sysmon"].map(|service| (kind, service)))
        .collect();
    for (kind, service) in kinds {
        arena.reset();
        let event =
            Event::new(&arena, scenarios.names(), Kind::Log, Mode::Live, Time::from_seconds(0));
        for (name, text) in [("log_type", kind), ("service", service), ("source_ip", "192.0.2.1")] {
            event.set_named(Section::Meta, name, text);
        }
        let mut pours = Vec::new();
        scenarios.select(&mut Scratch::default(), event, &world, &mut pours);
        let found: Vec<_> = pours.iter().map(|pour| pour.scenario).collect();
        assert_eq!(found, one_by_one(&scenarios, event, &world), "{kind} {service}");
    }
}

/// An event that has what the filter of a scenario is known to demand, and an address.
fn made_for<'a>(scenarios: &'a Scenarios, id: u32, arena: &'a Arena) -> &'a Event<'a> {
    let scenario = scenarios.get(ScenarioId(id));
    let now = Time::from_seconds(0);
    let event = Event::new(arena, scenarios.names(), Kind::Log, Mode::Replay, now);
    event.marshaled_time.set("1970-01-01T00:00:00Z");
    event.set_named(Section::Meta, "source_ip", "192.0.2.1");
    event.set_named(Section::Meta, "http_args_len", "0");
    // In this order, so that each test of a field leaves those before it true.
    let rank = |wanted: &Wanted| match wanted {
        Wanted::Equals(_) => 0,
        Wanted::StartsWith(_) => 1,
        Wanted::Contains(_) => 2,
        Wanted::EndsWith(_) => 3,
    };
    let mut all = scenario.filter.requirements().all;
    all.sort_by_key(|requirement| rank(&requirement.any[0]));
    for requirement in &all {
        let before = event.get(requirement.slot).unwrap_or_default();
        if requirement.holds(before) {
            continue;
        }
        let text = match &requirement.any[0] {
            Wanted::Equals(text) => text.to_string(),
            Wanted::StartsWith(text) | Wanted::Contains(text) | Wanted::EndsWith(text) => {
                format!("{before}{text}")
            }
        };
        event.set(requirement.slot, arena.alloc_str(&text));
    }
    event
}

/// Every scenario, with an event that has what its filter is known to demand. Half of them take
/// it; nothing fails but for what only a parser could have brought, and what is poured overflows.
#[test]
fn scenarios_take_events_made_for_them() {
    let Some(scenarios) = scenarios() else { return };
    let world = World::default();
    let mut arena = Arena::new();
    let mut taken = 0;
    for (id, scenario) in (0..).zip(scenarios.iter()) {
        arena.reset();
        let event = made_for(&scenarios, id, &arena);
        let mut pours = Vec::new();
        let selected = scenarios.select(&mut Scratch::default(), event, &world, &mut pours);
        if let Some((_, fault)) = &selected.fault {
            let is_absent = ["from nil", "is no number"].map(|end| fault.message.ends_with(end));
            assert!(is_absent.contains(&true), "on {}: {fault}", scenario.name);
        }
        let Some(pour) = pours.into_iter().find(|pour| pour.scenario == ScenarioId(id)) else {
            continue;
        };
        taken += 1;
        let mut detector = Detector::new(Arc::clone(&scenarios), Limits::default(), world.clone());
        let mut overflows = Vec::new();
        for _ in 0..usize::try_from(scenario.capacity).unwrap_or(0) + 1 {
            detector.pour(pour.clone(), Time::from_seconds(0), &mut overflows);
        }
        let counts = detector.total();
        assert_eq!((counts.faults, counts.unsourced), (0, 0), "{}", scenario.name);
        let is_plain = matches!(scenario.kind.word(), "leaky" | "trigger")
            && scenario.distinct.is_none()
            && scenario.cancel_on.is_none();
        assert!(!is_plain || overflows.len() == 1, "{}: {counts:?}", scenario.name);
    }
    assert!(taken * 2 > scenarios.len(), "only {taken} are taken");
}

/// What evaluating every filter in turn finds.
fn one_by_one<'a>(
    scenarios: &'a Scenarios,
    event: &'a Event<'a>,
    world: &'a World,
) -> Vec<ScenarioId> {
    let variables = crate::detect::expression::Variables::of_event(event, world);
    let mut found = Vec::new();
    for (id, scenario) in (0..).zip(scenarios.iter()) {
        match scenario.filter.truth(&variables) {
            Ok(true) => found.push(ScenarioId(id)),
            Ok(false) => {}
            Err(_) => break,
        }
    }
    found
}
