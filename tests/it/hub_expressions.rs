//! Every expression of a rules hub compiles, when there is a hub to look at.
//!
//! The folder is named by `WEIR_HUB`, or is `../shared/hub` beside this package. Without it, only
//! what the test itself needs is tested.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use granit_parser::{Event, EventReceiver, Parser};
use weir::event::EVENT;
use weir::expr::{Environment, compile};
use weir::value::{Names, Shape, Type};

static BUCKET: Shape =
    Shape { name: "queue", fields: &[("Queue", Type::List(&Type::Object(&EVENT)))], methods: &[] };

/// The variables of all places where expressions stand, together.
static VARIABLES: &[(&str, Type)] = &[
    ("evt", Type::Object(&EVENT)),
    ("queue", Type::Object(&BUCKET)),
    ("leaky", Type::Unknown),
    ("signal", Type::Unknown),
    ("match", Type::Unknown),
    ("req", Type::Unknown),
];

/// Keys whose values are expressions, whatever stands around them.
const KEYS: &[&str] =
    &["filter", "groupby", "expression", "distinct", "cancel_on", "condition", "overflow_filter"];

/// Collects expressions while YAML goes by.
#[derive(Default)]
struct Collector {
    /// The keys on the way down; a sequence has the key it stands under.
    path: Vec<Level>,
    found: Vec<String>,
}

enum Level {
    Sequence,
    /// The key whose value comes next; `None` while a key is awaited.
    Mapping(Option<String>),
}

impl Collector {
    /// The nearest key above the current place.
    fn key(&self) -> Option<&str> {
        self.path.iter().rev().find_map(|level| match level {
            Level::Mapping(key) => key.as_deref(),
            Level::Sequence => None,
        })
    }

    fn is_under(&self, wanted: &str) -> bool {
        self.path.iter().any(|level| matches!(level, Level::Mapping(Some(key)) if key == wanted))
    }

    fn value_is_done(&mut self) {
        if let Some(Level::Mapping(key)) = self.path.last_mut() {
            *key = None;
        }
    }
}

impl<'i> EventReceiver<'i> for Collector {
    fn on_event(&mut self, event: Event<'i>) {
        match event {
            Event::MappingStart(..) => self.path.push(Level::Mapping(None)),
            Event::SequenceStart(..) => self.path.push(Level::Sequence),
            Event::MappingEnd | Event::SequenceEnd => {
                self.path.pop();
                self.value_is_done();
            }
            Event::Scalar(text, ..) => {
                if let Some(Level::Mapping(key @ None)) = self.path.last_mut() {
                    *key = Some(text.to_string());
                    return;
                }
                let is_expression = self.key().is_some_and(|key| {
                    KEYS.contains(&key)
                        || (self.is_under("stash") && matches!(key, "key" | "value"))
                });
                if is_expression && !self.is_under("pattern_syntax") {
                    self.found.push(text.to_string());
                }
                self.value_is_done();
            }
            _ => {}
        }
    }
}

fn collect(yaml: &str) -> Vec<String> {
    let mut collector = Collector::default();
    Parser::new_from_str(yaml).load(&mut collector, true).expect("rules are YAML");
    collector.found
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.map(|entry| entry.expect("a folder can be read").path()) {
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml") {
            found.push(path);
        }
    }
}

#[test]
fn expressions_are_found_in_yaml() {
    let yaml = "filter: a\nnodes:\n  - grok: {pattern: p, expression: b}\n    statics:\n\
                \x20     - {meta: m, expression: c, value: v}\nwhitelist:\n  expression:\n\
                \x20   - d\n    - e\nstash:\n  - {name: n, key: f, value: g, ttl: 5s}\n";
    assert_eq!(collect(yaml), ["a", "b", "c", "d", "e", "f", "g"]);
}

/// All expressions of the hub, with the files that they stand in; none without a hub.
pub(super) fn all() -> Vec<(PathBuf, String)> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/hub");
    let hub = std::env::var_os("WEIR_HUB").map_or(beside, PathBuf::from);
    let mut found = Vec::new();
    for folder in ["parsers", "scenarios", "postoverflows", "contexts"] {
        files(&hub.join(folder), &mut found);
    }
    let read = |path: PathBuf| {
        let texts = collect(&std::fs::read_to_string(&path).expect("rules are text"));
        texts.into_iter().map(move |text| (path.clone(), text)).collect::<Vec<_>>()
    };
    found.into_iter().flat_map(read).collect()
}

#[test]
fn all_expressions_of_the_hub_compile() {
    let found = all();
    if found.is_empty() {
        eprintln!("skipped: no rules hub");
        return;
    }
    let mut names = Names::new();
    let count = found.len();
    let mut failures: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (path, text) in &found {
        let environment =
            &mut Environment { variables: VARIABLES, names: &mut names, functions: &[] };
        if let Err(mistakes) = compile(text, environment) {
            let shown: Vec<String> =
                mistakes.iter().map(|m| format!("{:?} {}", m.span, m.message)).collect();
            failures.entry(shown.join("; ")).or_default().push(format!(
                "{}: {}",
                path.display(),
                text.chars().take(80).collect::<String>()
            ));
        }
    }
    eprintln!("{count} expressions, {} kinds of mistakes", failures.len());
    assert!(failures.is_empty(), "{failures:#?}");
    assert!(count > 1000, "only {count} expressions found");
}
