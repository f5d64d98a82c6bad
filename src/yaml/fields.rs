//! Takes a mapping apart, key by key, and reports what does not fit.

use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

use super::node::{Key, Kind, Node};
use super::scalar;
use crate::diagnostic::{Diagnostic, UserFile, similar};

/// A value with the bytes of the file it was written in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Its place.
    pub span: Range<usize>,
}

impl<T> Spanned<T> {
    /// The same place with another value.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Spanned<U> {
        Spanned { value: change(self.value), span: self.span }
    }
}

/// The entries of a mapping, each to be asked for by its key.
///
/// Every method that finds a value of the wrong type says so in the diagnostics and answers as if
/// the key were absent. An empty value (`key:`, `~`, `null`) is absent. Call [`Fields::finish`]
/// last: it reports the keys that were never asked for.
pub struct Fields<'n, 'd> {
    node: &'n Node,
    entries: &'n [(Key, Node)],
    file: &'d Arc<UserFile>,
    what: &'d str,
    known: Vec<&'static str>,
    empty_is_absent: bool,
    diagnostics: &'d mut Vec<Diagnostic>,
}

// Hostile: a mapping of a million unknown keys makes no million messages.
const MOST_UNKNOWN: usize = 20;

impl<'n, 'd> Fields<'n, 'd> {
    /// The entries of `node`; anything but a mapping is a mistake. `what` names the thing that is
    /// configured, with its article: `a source`.
    pub fn of(
        node: &'n Node,
        file: &'d Arc<UserFile>,
        what: &'d str,
        diagnostics: &'d mut Vec<Diagnostic>,
    ) -> Option<Self> {
        let Kind::Mapping(entries) = &node.kind else {
            let message =
                format!("expected a mapping that describes {what}, found {}", node.describe());
            diagnostics.push(Diagnostic::error(file, node.head(), "wrong-type", message));
            return None;
        };
        let known = Vec::new();
        Some(Self { node, entries, file, what, known, empty_is_absent: false, diagnostics })
    }

    /// The same, with empty text in quotes absent too: so it is in the dialect of rules.
    #[must_use]
    pub fn empty_is_absent(self) -> Self {
        Self { empty_is_absent: true, ..self }
    }

    /// The file, for diagnostics.
    #[must_use]
    pub fn file(&self) -> &'d Arc<UserFile> {
        self.file
    }

    /// The mapping itself.
    #[must_use]
    pub fn mapping_node(&self) -> &'n Node {
        self.node
    }

    /// Where mistakes are collected.
    pub fn diagnostics(&mut self) -> &mut Vec<Diagnostic> {
        self.diagnostics
    }

    /// Reports a mistake at a place of the file.
    pub fn report(&mut self, span: Range<usize>, code: &'static str, message: impl Into<String>) {
        self.diagnostics.push(Diagnostic::error(self.file, span, code, message));
    }

    /// The value of `key` as written, if it is there and not empty.
    pub fn node(&mut self, key: &'static str) -> Option<&'n Node> {
        self.known.push(key);
        let (_, value) = self.entries.iter().find(|(known, _)| known.text == key)?;
        let is_absent = value.is_null() || (self.empty_is_absent && value.text() == Some(""));
        (!is_absent).then_some(value)
    }

    /// The place of `key` itself, if it is there.
    #[must_use]
    pub fn key_span(&self, key: &str) -> Option<Range<usize>> {
        let (key, _) = self.entries.iter().find(|(known, _)| known.text == key)?;
        Some(key.span.clone())
    }

    /// Whether `key` is there and not empty; counts as asked for.
    pub fn has(&mut self, key: &'static str) -> bool {
        self.node(key).is_some()
    }

    /// Keys that are allowed, and of no meaning here.
    pub fn allow(&mut self, keys: &[&'static str]) {
        self.known.extend_from_slice(keys);
    }

    /// A scalar as a node, for those who need [`Node::locate`].
    pub fn scalar(&mut self, key: &'static str) -> Option<&'n Node> {
        let node = self.node(key)?;
        if node.text().is_none() {
            self.wrong_type(node, key, "text");
            return None;
        }
        Some(node)
    }

    /// The text of any scalar, numbers and truth values as they were written.
    pub fn text(&mut self, key: &'static str) -> Option<Spanned<&'n str>> {
        let node = self.scalar(key)?;
        Some(Spanned { value: node.text()?, span: node.span.clone() })
    }

    /// As [`Fields::text`]; absence is a mistake.
    pub fn required_text(&mut self, key: &'static str) -> Option<Spanned<&'n str>> {
        self.require(key)?;
        self.text(key)
    }

    /// Reports `key` as missing if it is absent or empty.
    pub fn require(&mut self, key: &'static str) -> Option<&'n Node> {
        let found = self.node(key);
        if found.is_none() {
            let message = format!("{} needs the key `{key}`", self.what);
            let span = self.key_span(key).unwrap_or_else(|| self.node.head());
            let label = if self.key_span(key).is_some() { "empty" } else { "" };
            self.diagnostics
                .push(Diagnostic::error(self.file, span, "missing-key", message).with_label(label));
        }
        found
    }

    /// A truth value: `true`, `yes`, `on` and their opposites, quoted or not.
    pub fn bool(&mut self, key: &'static str) -> Option<Spanned<bool>> {
        self.parsed(key, "`true` or `false`", |text| scalar::boolean(text).ok_or_else(String::new))
    }

    /// An integer within `range`.
    pub fn integer(
        &mut self,
        key: &'static str,
        range: RangeInclusive<i64>,
    ) -> Option<Spanned<i64>> {
        let found = self
            .parsed(key, "a whole number", |text| scalar::integer(text).ok_or_else(String::new))?;
        if range.contains(&found.value) {
            return Some(found);
        }
        let (least, most) = range.into_inner();
        let message = match (least, most) {
            (least, i64::MAX) => {
                format!("`{key}` must be at least {least}, found {}", found.value)
            }
            (least, most) => {
                format!("`{key}` must be from {least} to {most}, found {}", found.value)
            }
        };
        self.report(found.span, "out-of-range", message);
        None
    }

    /// A number.
    pub fn float(&mut self, key: &'static str) -> Option<Spanned<f64>> {
        self.parsed(key, "a number", |text| scalar::float(text).ok_or_else(String::new))
    }

    /// Text that `parse` understands. `expected` says what it should be; the error of `parse`, if
    /// not empty, what is wrong with it.
    pub fn parsed<T>(
        &mut self,
        key: &'static str,
        expected: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<Spanned<T>> {
        let node = self.node(key)?;
        let Some(text) = node.text() else {
            self.wrong_type(node, key, expected);
            return None;
        };
        match parse(text) {
            Ok(value) => Some(Spanned { value, span: node.span.clone() }),
            Err(why) => {
                let message = format!("expected {expected} for `{key}`, found `{text}`");
                let mistake =
                    Diagnostic::error(self.file, node.span.clone(), "wrong-value", message)
                        .with_label(why);
                self.diagnostics.push(mistake);
                None
            }
        }
    }

    /// One of a closed set of words.
    pub fn choice<T: Clone>(
        &mut self,
        key: &'static str,
        choices: &[(&'static str, T)],
    ) -> Option<Spanned<T>> {
        let text = self.text(key)?;
        if let Some((_, value)) = choices.iter().find(|(word, _)| *word == text.value) {
            return Some(Spanned { value: value.clone(), span: text.span });
        }
        let words = || choices.iter().map(|(word, _)| *word);
        let mistake = Diagnostic::error(
            self.file,
            text.span,
            "wrong-value",
            format!("`{}` is no value of `{key}`", text.value),
        );
        self.diagnostics.push(match similar(text.value, words()) {
            Some(meant) => mistake.with_help(format!("did you mean `{meant}`?")),
            None => mistake.with_help(format!("expected one of {}", list(words()))),
        });
        None
    }

    /// The items of a list; empty when absent.
    pub fn list(&mut self, key: &'static str) -> &'n [Node] {
        let Some(node) = self.node(key) else { return &[] };
        node.items().unwrap_or_else(|| {
            self.wrong_type(node, key, "a list");
            &[]
        })
    }

    /// A list of scalars; a single scalar is a list of one.
    pub fn text_list(&mut self, key: &'static str) -> Vec<Spanned<&'n str>> {
        let Some(node) = self.node(key) else { return Vec::new() };
        let items = match &node.kind {
            Kind::Sequence(items) => items,
            Kind::Scalar { .. } => std::slice::from_ref(node),
            Kind::Mapping(_) => {
                self.wrong_type(node, key, "a list of text");
                return Vec::new();
            }
        };
        let mut texts = Vec::with_capacity(items.len());
        for item in items {
            match item.text() {
                Some(text) => texts.push(Spanned { value: text, span: item.span.clone() }),
                None => self.wrong_type(item, key, "text in the list"),
            }
        }
        texts
    }

    /// A mapping from text to text; empty when absent.
    pub fn text_map(&mut self, key: &'static str) -> Vec<(&'n Key, Spanned<&'n str>)> {
        let Some(node) = self.mapping(key) else { return Vec::new() };
        let mut texts = Vec::new();
        for (name, value) in node.entries().unwrap_or_default() {
            match value.text() {
                Some(text) => {
                    texts.push((name, Spanned { value: text, span: value.span.clone() }));
                }
                None if value.is_null() => {}
                None => self.wrong_type(value, &name.text, "text"),
            }
        }
        texts
    }

    /// A mapping.
    pub fn mapping(&mut self, key: &'static str) -> Option<&'n Node> {
        let node = self.node(key)?;
        if node.entries().is_none() {
            self.wrong_type(node, key, "a mapping");
            return None;
        }
        Some(node)
    }

    /// Reports the keys that were never asked for; of very many, the first.
    pub fn finish(mut self) {
        let is_known = |(key, _): &(Key, Node)| self.known.contains(&key.text.as_str());
        if self.entries.iter().all(is_known) {
            return;
        }
        self.known.sort_unstable();
        self.known.dedup();
        let known = &self.known;
        let strange = |(key, _): &&(Key, Node)| !known.contains(&key.text.as_str());
        for (key, _) in self.entries.iter().filter(strange).take(MOST_UNKNOWN) {
            let mistake = Diagnostic::error(
                self.file,
                key.span.clone(),
                "unknown-key",
                format!("{} has no key `{}`", self.what, key.text),
            );
            let mistake = match similar(&key.text, self.known.iter().copied()) {
                Some(meant) => mistake.with_help(format!("did you mean `{meant}`?")),
                None => {
                    mistake.with_help(format!("the keys are {}", list(self.known.iter().copied())))
                }
            };
            self.diagnostics.push(mistake);
        }
    }

    fn wrong_type(&mut self, node: &Node, key: &str, expected: &str) {
        let message = format!("expected {expected} for `{key}`, found {}", node.describe());
        self.report(node.head(), "wrong-type", message);
    }
}

fn list<'w>(words: impl Iterator<Item = &'w str>) -> String {
    words.map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}
