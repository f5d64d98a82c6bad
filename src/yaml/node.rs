//! A node of a document: a scalar, a sequence or a mapping.

use std::ops::Range;

use super::places::Places;
use super::scalar::{self, Plain};

/// A value of a document, with its place.
#[derive(Clone, Debug)]
pub struct Node {
    /// The bytes of the file it was written in. For an alias, those of the anchored value.
    pub span: Range<usize>,
    /// What it is.
    pub kind: Kind,
    /// Where the text of a scalar came from.
    pub(super) places: Places,
}

/// What a node is.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Text, a number, a truth value, or nothing.
    Scalar {
        /// The text, quotes removed and escapes decoded, otherwise as written.
        text: String,
        /// How it was written.
        style: Style,
    },
    /// `- a` or `[a, b]`.
    Sequence(Vec<Node>),
    /// `key: value` or `{key: value}`, in the order of the file; no key twice. Keys that came in
    /// by `<<` follow those written in place.
    Mapping(Vec<(Key, Node)>),
}

/// The key of a mapping's entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its text, quotes removed.
    pub text: String,
    /// The bytes of the file it was written in.
    pub span: Range<usize>,
}

/// How a scalar was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Without quotes: the only style that can mean a number, a truth value or nothing.
    Plain,
    /// `'…'`.
    SingleQuoted,
    /// `"…"`.
    DoubleQuoted,
    /// `|`.
    Literal,
    /// `>`.
    Folded,
}

impl Node {
    /// Nothing at all, at this place.
    pub(super) fn null(span: Range<usize>) -> Self {
        let kind = Kind::Scalar { text: String::new(), style: Style::Plain };
        Self { span, kind, places: Places::default() }
    }

    /// The text of a scalar, whatever its style; `None` for a sequence, a mapping, or nothing.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar { text, .. } if !self.is_null() => Some(text),
            _ => None,
        }
    }

    /// Whether this is an empty scalar, `~` or `null`: the same as leaving the key out.
    #[must_use]
    pub fn is_null(&self) -> bool {
        match &self.kind {
            Kind::Scalar { text, style: Style::Plain } => scalar::is_null(text),
            _ => false,
        }
    }

    /// What the scalar means where no type is asked for; `None` for sequences and mappings.
    #[must_use]
    pub fn plain(&self) -> Option<Plain<'_>> {
        match &self.kind {
            Kind::Scalar { text, style: Style::Plain } => Some(Plain::of(text)),
            Kind::Scalar { text, .. } => Some(Plain::Text(text)),
            Kind::Sequence(_) | Kind::Mapping(_) => None,
        }
    }

    /// The items, if this is a sequence.
    #[must_use]
    pub fn items(&self) -> Option<&[Node]> {
        match &self.kind {
            Kind::Sequence(items) => Some(items),
            _ => None,
        }
    }

    /// The entries, if this is a mapping.
    #[must_use]
    pub fn entries(&self) -> Option<&[(Key, Node)]> {
        match &self.kind {
            Kind::Mapping(entries) => Some(entries),
            _ => None,
        }
    }

    /// The value of `key`, if this is a mapping that has it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Node> {
        let (_, value) = self.entries()?.iter().find(|(known, _)| known.text == key)?;
        Some(value)
    }

    /// The place in the file of the byte at `offset` of the scalar's text, where that is known:
    /// for plain, quoted and literal scalars, and the words of folded ones.
    #[must_use]
    pub fn locate(&self, offset: usize) -> Option<usize> {
        self.places.locate(offset)
    }

    /// The place in the file of a part of the scalar's text; the whole scalar where that is not
    /// known.
    #[must_use]
    pub fn locate_range(&self, range: Range<usize>) -> Range<usize> {
        let last = range.end.saturating_sub(1).max(range.start);
        match (self.locate(range.start), self.locate(last)) {
            (Some(start), Some(last)) if start <= last => {
                start..last + usize::from(range.end > range.start)
            }
            _ => self.span.clone(),
        }
    }

    /// A short place to point at when something about the whole node is wrong: the first key of a
    /// mapping, the first item of a sequence, or the scalar.
    #[must_use]
    pub fn head(&self) -> Range<usize> {
        match &self.kind {
            Kind::Mapping(entries) => {
                entries.first().map_or(self.span.clone(), |(key, _)| key.span.clone())
            }
            Kind::Sequence(items) => items.first().map_or(self.span.clone(), Node::head),
            Kind::Scalar { .. } => self.span.clone(),
        }
    }

    /// What was found, for `expected …, found …`.
    #[must_use]
    pub fn describe(&self) -> &'static str {
        match &self.kind {
            Kind::Sequence(_) => "a list",
            Kind::Mapping(_) => "a mapping",
            Kind::Scalar { .. } => match self.plain() {
                Some(Plain::Null) => "nothing",
                Some(Plain::Bool(_)) => "a truth value",
                Some(Plain::Integer(_) | Plain::Float(_)) => "a number",
                Some(Plain::Text(_)) | None => "text",
            },
        }
    }
}
