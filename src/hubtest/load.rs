//! Loads the rules that a hub test names, and no others.

use std::collections::BTreeMap;
use std::path::Path;

use super::config::{Config, Found, Index, Item};
use crate::diagnostic::{self, UserFile};
use crate::rules::{self, Folder, Kind, Piece, Ruleset};
use crate::value::Time;

/// The stage and the file that `override_statics` stand for: the first of all.
const OVERRIDES: (&str, &str) = ("s00-raw", "00_overrides.yaml");

/// Loads what `config` names, with the patterns of the hub.
///
/// # Errors
/// A sentence for everything that keeps a rule from being loaded.
pub(super) fn load(
    config: &Config,
    patterns: &[Piece],
    hub: &Path,
    index: &Index,
    test: &Path,
    now: Time,
) -> Result<Ruleset, Vec<String>> {
    let mut items = Items { hub, index, test, sorted: BTreeMap::new(), troubles: Vec::new() };
    items.add(Item::Parser, &config.parsers);
    items.add(Item::Postoverflow, &config.postoverflows);
    items.add(Item::Scenario, &config.scenarios);
    if let Some(statics) = &config.override_statics {
        let text = format!("name: overrides\nfilter: 1==1\nstatics: {statics}\n");
        let (stage, name) = OVERRIDES;
        let file = UserFile::new(&test.join("config.yaml"), text);
        let piece = Piece { kind: Kind::Parser(stage.to_owned()), file };
        items.sorted.insert((0, stage.to_owned(), 0, name.into()), piece);
    }
    let Items { sorted, mut troubles, .. } = items;
    let pieces = patterns.iter().cloned().chain(sorted.into_values()).collect();
    let folder = Folder { pieces, data: Some(hub.join("data")), ..Folder::default() };
    let (rules, diagnostics) = rules::from_folders(vec![folder], now);
    let mistakes = diagnostics.iter().filter(|mistake| mistake.is_error());
    troubles.extend(mistakes.map(super::told));
    if troubles.is_empty() { Ok(rules) } else { Err(troubles) }
}

/// Kind, stage, place and bare file name of a rule file, as if all authors shared a folder. Only
/// scenarios have a place: they are loaded as the test has them.
type Key = (u8, String, usize, std::ffi::OsString);

struct Items<'t> {
    hub: &'t Path,
    index: &'t Index,
    test: &'t Path,
    sorted: BTreeMap<Key, Piece>,
    troubles: Vec<String>,
}

impl Items<'_> {
    fn add(&mut self, item: Item, references: &[String]) {
        for (place, reference) in references.iter().enumerate() {
            if let Err(trouble) = self.add_one(item, place, reference) {
                self.troubles.push(trouble);
            }
        }
    }

    fn add_one(&mut self, item: Item, place: usize, reference: &str) -> Result<(), String> {
        let Found { stage, path } = item.find(reference, self.hub, self.index, self.test)?;
        let file = diagnostic::read(&path).map_err(|mistake| super::told(&mistake))?;
        let name = path.file_name().unwrap_or_default().to_owned();
        let (kind, key) = match item {
            Item::Parser => (Kind::Parser(stage.clone()), (0, stage, 0, name)),
            Item::Postoverflow => (Kind::Postoverflow(stage.clone()), (1, stage, 0, name)),
            Item::Scenario => (Kind::Scenario, (2, stage, place, name)),
        };
        // Of two files of one name the first stays.
        let (universe, stage, _, name) = &key;
        let is_taken = |other: &Key| (&other.0, &other.1, &other.3) == (universe, stage, name);
        if !self.sorted.keys().any(is_taken) {
            self.sorted.insert(key, Piece { kind, file });
        }
        Ok(())
    }
}
