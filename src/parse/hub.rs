//! Real rules, where a collection of them is at hand: all must load, and dispatch must not change
//! what they do.

mod lines;

use std::path::{Path, PathBuf};

use super::grok::Library;
use super::{Outcome, Scratch, Stages, spec};
use crate::diagnostic::UserFile;
use crate::event::{Event, Kind, Mode};
use crate::expr::World;
use crate::value::{Arena, Names, Section, Time};
use crate::yaml;

/// How many lines of each test are tried: more take long in an unoptimised build.
const LINES: usize = 3;

fn hub() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/hub");
    let hub = std::env::var_os("WEIR_HUB").map_or(beside, PathBuf::from);
    hub.join("parsers").is_dir().then_some(hub)
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
    found.sort();
}

/// Loads all rules of a universe; any error fails the test.
fn load(hub: &Path, universe: &str) -> (Names, Stages, Library) {
    let (mut names, mut library) = (Names::new(), Library::base());
    let mut paths = Vec::new();
    files(&hub.join("patterns"), &mut paths);
    for path in &paths {
        if !path.file_name().is_some_and(|name| name.to_string_lossy().contains('.')) {
            let file = UserFile::new(path, std::fs::read_to_string(path).unwrap());
            assert_eq!(library.add_file(&file), vec![], "{}", path.display());
        }
    }
    let mut paths = Vec::new();
    files(&hub.join(universe), &mut paths);
    let (mut nodes, mut errors) = (Vec::new(), Vec::new());
    for path in &paths {
        let stage = path.strip_prefix(hub.join(universe)).unwrap().iter().next().unwrap();
        let file = UserFile::new(path, std::fs::read_to_string(path).unwrap());
        let (documents, mut found) = yaml::load(&file);
        for document in &documents {
            let (spec, more) = spec::load(document, &file, &stage.to_string_lossy());
            found.extend(more);
            let Some(spec) = spec else { continue };
            let (node, more) = spec::compile(&spec, &mut names, &mut library);
            found.extend(more);
            nodes.extend(node);
        }
        let found = found.iter().filter(|each| each.is_error());
        errors.extend(found.map(|each| format!("{}: {}", path.display(), each.message)));
    }
    assert!(errors.is_empty(), "{errors:#?}");
    (names, Stages::new(nodes), library)
}

#[test]
fn all_rules_of_the_hub_load() {
    let Some(hub) = hub() else { return };
    for universe in ["parsers", "postoverflows"] {
        assert!(!load(&hub, universe).1.is_empty());
    }
}

/// Everything that rules wrote into the event.
fn written(event: &Event<'_>) -> String {
    let mut found = Vec::new();
    for section in [Section::Parsed, Section::Meta, Section::Enriched, Section::Label] {
        event.each_field(section, &mut |n, t| found.push(format!("{section:?}.{n} = {t}")));
    }
    found.push(format!("{:?}", crate::value::Value::Map(event.unmarshaled())));
    found.push(format!("{} {}", event.stage.get(), event.str_time.get()));
    found.join("\n")
}

#[test]
fn dispatch_does_not_change_what_rules_do() {
    let Some(hub) = hub() else { return };
    let (names, stages, _) = load(&hub, "parsers");
    let world = World::default();
    let (mut scratch, mut arena) = (Scratch::new(), Arena::new());
    let (mut lines, mut parsed) = (0, 0);
    let mut tests: Vec<_> = std::fs::read_dir(hub.join("tests")).unwrap().flatten().collect();
    tests.sort_by_key(std::fs::DirEntry::path);
    for test in tests {
        let Ok(text) = std::fs::read_to_string(test.path().join("config.yaml")) else { continue };
        let (config, _) = yaml::load(&UserFile::new(&test.path(), text));
        let get = |key| config.first().and_then(|config| config.get(key)?.text());
        let (Some(log), Some(kind)) = (get("log_file"), get("log_type")) else { continue };
        let Ok(log) = std::fs::read_to_string(test.path().join(log)) else { continue };
        for line in log.lines().filter(|line| !line.is_empty()).take(LINES) {
            arena.reset();
            let run = |observed: bool, scratch: &mut Scratch| -> (Outcome, String) {
                let event =
                    Event::new(&arena, &names, Kind::Log, Mode::Replay, Time::from_seconds(0));
                event.raw.set(arena.alloc_str(line));
                event.module.set("file");
                event.set_named(Section::Label, "type", arena.alloc_str(kind));
                let outcome = if observed {
                    stages.run(event, &world, scratch, Some(&mut |_| {}))
                } else {
                    stages.run(event, &world, scratch, None)
                };
                (outcome, written(event))
            };
            let observed = run(true, &mut scratch);
            assert_eq!(run(false, &mut scratch), observed, "{kind}: {line}");
            lines += 1;
            parsed += usize::from(matches!(observed.0, Outcome::Parsed | Outcome::Allowlisted));
        }
    }
    assert!(parsed * 2 > lines, "only {parsed} of {lines} lines are parsed");
}
