//! `config.yaml` of a hub test, and where the items that it names are.

use std::path::{Path, PathBuf};

use crate::diagnostic::UserFile;
use crate::yaml::{self, Node};

/// What a test asks for. Keys that are not known are ignored, as the reference does.
#[derive(Clone, Debug, Default)]
pub(super) struct Config {
    /// Parsers to load.
    pub(super) parsers: Vec<String>,
    /// Scenarios to load.
    pub(super) scenarios: Vec<String>,
    /// Postoverflow rules to load.
    pub(super) postoverflows: Vec<String>,
    /// The log, relative to the test's folder.
    pub(super) log_file: String,
    /// The label `type` of its lines.
    pub(super) log_type: String,
    /// More labels.
    pub(super) labels: Vec<(String, String)>,
    /// Whether assertions about parsers are left out.
    pub(super) ignore_parsers: bool,
    /// Statics applied before everything else, as YAML on one line.
    pub(super) override_statics: Option<String>,
}

/// A kind of item of a hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// `parsers/<stage>/<author>/<name>.yaml`.
    Parser,
    /// `postoverflows/<stage>/<author>/<name>.yaml`.
    Postoverflow,
    /// `scenarios/<author>/<name>.yaml`.
    Scenario,
}

/// Which file of a hub holds which item, as the hub itself says: names are not always those of
/// files. Many hubs come without it.
#[derive(Clone, Debug, Default)]
pub(super) struct Index(serde_json::Value);

impl Index {
    /// Reads `.index.json`, if there is one.
    ///
    /// # Errors
    /// A sentence when it cannot be read.
    pub(super) fn read(hub: &Path) -> Result<Self, String> {
        let path = hub.join(".index.json");
        if !path.is_file() {
            return Ok(Self::default());
        }
        let cannot = |why: &dyn std::fmt::Display| format!("`{}`: {why}", path.display());
        let text = std::fs::read_to_string(&path).map_err(|error| cannot(&error))?;
        serde_json::from_str(&text).map(Self).map_err(|error| cannot(&error))
    }

    /// The path below the hub of the item of this name.
    fn path(&self, item: Item, name: &str) -> Option<&Path> {
        self.0.get(item.folder())?.get(name)?.get("path")?.as_str().map(Path::new)
    }
}

/// A rule file of a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// The stage; empty for scenarios.
    pub(super) stage: String,
    /// The file.
    pub(super) path: PathBuf,
}

impl Config {
    /// Reads the configuration of a test.
    ///
    /// # Errors
    /// A sentence when the file is not YAML or says nothing.
    pub(super) fn load(file: &std::sync::Arc<UserFile>) -> Result<Self, String> {
        let (documents, diagnostics) = yaml::load(file);
        if let Some(mistake) = diagnostics.iter().find(|mistake| mistake.is_error()) {
            return Err(format!("`{}`: {}", file.path.display(), mistake.message));
        }
        let document = documents.first().ok_or("config.yaml is empty")?;
        let text = |key| document.get(key).and_then(Node::text).unwrap_or_default().to_owned();
        let texts = |key| {
            let items = document.get(key).and_then(Node::items).unwrap_or_default();
            let texts = items.iter().filter_map(Node::text).filter(|text| !text.is_empty());
            texts.map(str::to_owned).collect::<Vec<_>>()
        };
        let labels = document.get("labels").and_then(Node::entries).unwrap_or_default();
        let statics = document.get("override_statics");
        Ok(Self {
            parsers: texts("parsers"),
            scenarios: texts("scenarios"),
            postoverflows: texts("postoverflows"),
            log_file: text("log_file"),
            log_type: text("log_type"),
            labels: labels
                .iter()
                .filter_map(|(key, value)| Some((key.text.clone(), value.text()?.to_owned())))
                .collect(),
            ignore_parsers: text("ignore_parsers") == "true",
            override_statics: statics
                .filter(|node| node.items().is_some_and(|items| !items.is_empty()))
                .map(|node| on_one_line(node).to_string()),
        })
    }
}

/// JSON is YAML on one line.
fn on_one_line(node: &Node) -> serde_json::Value {
    if let Some(items) = node.items() {
        return items.iter().map(on_one_line).collect();
    }
    if let Some(entries) = node.entries() {
        return entries.iter().map(|(key, value)| (key.text.clone(), on_one_line(value))).collect();
    }
    node.text().map_or(serde_json::Value::Null, Into::into)
}

impl Item {
    const fn folder(self) -> &'static str {
        match self {
            Item::Parser => "parsers",
            Item::Postoverflow => "postoverflows",
            Item::Scenario => "scenarios",
        }
    }

    /// The file of an item, by its name in the hub (`author/name`) or by a path relative to the
    /// hub or to the test.
    ///
    /// # Errors
    /// A sentence when there is no such file.
    pub(super) fn find(
        self,
        reference: &str,
        hub: &Path,
        index: &Index,
        test: &Path,
    ) -> Result<Found, String> {
        if let Some(path) = index.path(self, reference).map(|path| hub.join(path))
            && path.is_file()
        {
            return self.by_path(path, reference);
        }
        if let Some(found) = self.by_name(reference, hub) {
            return Ok(found);
        }
        let relative = reference.trim_start_matches('/');
        for folder in [hub, test] {
            let path = folder.join(relative);
            if path.is_file() {
                return self.by_path(path, reference);
            }
        }
        Err(format!("no {} `{reference}` in the hub or in the test", self.folder()))
    }

    fn by_name(self, reference: &str, hub: &Path) -> Option<Found> {
        let (author, name) = reference.split_once('/')?;
        if author.starts_with('.') || name.contains('/') || author.is_empty() {
            return None;
        }
        let root = hub.join(self.folder());
        let mut stages = vec![String::new()];
        if self != Item::Scenario {
            let names = std::fs::read_dir(&root).ok()?.filter_map(Result::ok);
            stages = names.filter_map(|entry| entry.file_name().into_string().ok()).collect();
            stages.sort();
        }
        for stage in stages {
            for ending in ["yaml", "yml"] {
                let path = root.join(&stage).join(author).join(format!("{name}.{ending}"));
                if path.is_file() {
                    return Some(Found { stage, path });
                }
            }
        }
        None
    }

    fn by_path(self, path: PathBuf, reference: &str) -> Result<Found, String> {
        if self == Item::Scenario {
            return Ok(Found { stage: String::new(), path });
        }
        // .../<stage>/<author>/<file>
        let stage = path.components().rev().nth(2).and_then(|part| part.as_os_str().to_str());
        match stage {
            Some(stage) => Ok(Found { stage: stage.to_owned(), path: path.clone() }),
            None => Err(format!("`{reference}` is not below a stage")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Config, String> {
        Config::load(&UserFile::new(Path::new("config.yaml"), text.to_owned()))
    }

    #[test]
    fn what_is_not_known_and_what_is_empty_is_ignored() {
        let config = load(
            "parsers: [a/b, '']\nscenarios:\n- ''\nostoverflows: [x]\nlog_file: x.log\n\
             log_type: syslog\nlabels: {program: envoy}\nignore_parsers: true\noverride_statics: []\n",
        )
        .unwrap();
        assert_eq!(config.parsers, ["a/b"]);
        assert!(config.scenarios.is_empty());
        assert_eq!(config.log_file, "x.log");
        assert_eq!(config.labels, [("program".to_owned(), "envoy".to_owned())]);
        assert!(config.ignore_parsers);
        assert!(config.override_statics.is_none());
    }

    #[test]
    fn statics_are_taken_over_as_they_are() {
        let config =
            load("override_statics:\n- target: evt.Line.Module\n  value: 'a\"b: c'\n- value:\n");
        assert_eq!(
            config.unwrap().override_statics.unwrap(),
            r#"[{"target":"evt.Line.Module","value":"a\"b: c"},{"value":null}]"#
        );
    }

    #[test]
    fn a_broken_file_is_an_error() {
        assert!(load("parsers: [").is_err());
        assert!(load("").is_err());
    }

    #[test]
    fn items_are_found_by_name_and_by_path() {
        let hub = tempfile::tempdir().unwrap();
        let test = tempfile::tempdir().unwrap();
        let named = hub.path().join("parsers/s01-parse/someone/thing.yml");
        let private = test.path().join("parsers/s02-enrich/me/own.yaml");
        let scenario = hub.path().join("scenarios/someone/rule.yaml");
        for path in [&named, &private, &scenario] {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x").unwrap();
        }
        let index = Index::read(hub.path()).unwrap();
        let find = |item: Item, reference| item.find(reference, hub.path(), &index, test.path());
        let found = find(Item::Parser, "someone/thing").unwrap();
        assert_eq!((found.stage.as_str(), &found.path), ("s01-parse", &named));
        let found = find(Item::Parser, "./parsers/s02-enrich/me/own.yaml").unwrap();
        assert_eq!(found.stage, "s02-enrich");
        assert!(find(Item::Scenario, "/scenarios/someone/rule.yaml").is_ok());
        assert!(find(Item::Scenario, "someone/rule").is_ok());
        assert!(find(Item::Scenario, "someone/nothing").is_err());
        assert!(find(Item::Parser, "someone/other-name").is_err());
    }

    #[test]
    fn the_index_of_a_hub_says_where_its_items_are() {
        let hub = tempfile::tempdir().unwrap();
        let named = hub.path().join("parsers/s01-parse/someone/thing.yaml");
        std::fs::create_dir_all(named.parent().unwrap()).unwrap();
        std::fs::write(&named, "x").unwrap();
        let index = |text: &str| {
            std::fs::write(hub.path().join(".index.json"), text).unwrap();
            Index::read(hub.path())
        };
        let known = index(
            r#"{"parsers": {
                "someone/other-name": {"path": "parsers/s01-parse/someone/thing.yaml", "x": 1},
                "someone/gone": {"path": "parsers/s01-parse/someone/gone.yaml"}
            }}"#,
        )
        .unwrap();
        let find = |reference| Item::Parser.find(reference, hub.path(), &known, Path::new("/"));
        let found = find("someone/other-name").unwrap();
        assert_eq!((found.stage.as_str(), &found.path), ("s01-parse", &named));
        assert!(find("someone/gone").is_err());
        assert!(find("someone/thing").is_ok());
        assert!(index("{").unwrap_err().contains(".index.json"));
    }
}
