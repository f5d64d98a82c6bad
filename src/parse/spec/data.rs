//! The data files that a rule asks for.

use std::sync::Arc;

use crate::diagnostic::{Diagnostic, UserFile};
use crate::expr::world::Strategy;
use crate::value::parse_duration;
use crate::yaml::{Fields, Node};

/// A data file, and how its expressions are cached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataSpec {
    /// Its name in the data folder, by which expressions know it.
    pub file: Box<str>,
    /// What is in it; `None` for a file that expressions do not read, such as a database.
    pub kind: Option<Box<str>>,
    /// Where it can be had.
    pub url: Option<Box<str>>,
    /// How the results of searches are remembered, if at all: size, nanoseconds (0 for ever),
    /// and which goes first.
    pub cache: Option<(usize, i64, Strategy)>,
}

impl DataSpec {
    /// Reads an entry of `data:`.
    pub fn load(
        yaml: &Node,
        file: &Arc<UserFile>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<Self> {
        let mut fields = Fields::of(yaml, file, "a data file", diagnostics)?.empty_is_absent();
        let name = fields.required_text("dest_file");
        let kinds = ["string", "regexp", "regex", "map", "bots"].map(|kind| (kind, kind));
        let kind = fields.choice("type", &kinds);
        let url = fields.text("source_url");
        let cache = fields.bool("cache");
        let strategy = fields.parsed("strategy", "one of `LRU`, `LFU`, `ARC`", |text| {
            Strategy::from_name(text).ok_or_else(String::new)
        });
        let size = fields.integer("size", 1..=10_000_000);
        let ttl = fields.parsed("ttl", "a duration such as `1m30s`", |text| {
            parse_duration(text).ok_or_else(String::new)
        });
        fields.finish();
        let wanted = strategy.is_some() || size.is_some() || ttl.is_some();
        let cached = wanted && cache.is_none_or(|cache| cache.value);
        Some(Self {
            file: name?.value.into(),
            kind: kind.map(|kind| kind.value.into()),
            url: url.map(|url| url.value.into()),
            cache: cached.then(|| {
                (
                    size.map_or(50, |size| usize::try_from(size.value).unwrap_or(usize::MAX)),
                    ttl.map_or(0, |ttl| ttl.value),
                    strategy.map(|strategy| strategy.value).unwrap_or_default(),
                )
            }),
        })
    }
}
