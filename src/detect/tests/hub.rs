//! Real scenarios, where a collection of them is at hand: all must load, and the index must lose
//! none.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::detect::{Scenario, ScenarioId, Scenarios, Scratch, Seed, spec};
use crate::diagnostic::{Diagnostic, UserFile};
use crate::event::{Event, Kind, Mode};
use crate::expr::World;
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
