//! XML documents, read once and asked often.
//!
//! A rule for one kind of line asks for twenty values of the same document, so the last few
//! documents are kept. Text before, after and between top-level elements is accepted, and so are
//! several top-level elements, because that is how documents stand in log lines.

use std::collections::HashMap;
use std::ops::Range;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::path::Path;

/// How many documents are kept.
const KEPT: usize = 4;

/// How many paths are kept.
const PATHS: usize = 1024;

/// Hostile: a document longer than this is not read at all.
const LONGEST: usize = 8 << 20;

/// A text, and the document that it is.
type Kept = (Box<str>, Option<Document>);

/// The documents read last, the latest first.
#[derive(Debug, Default)]
pub struct Documents {
    kept: Vec<Kept>,
    /// Paths taken apart; rules have a few hundred of them.
    paths: HashMap<Box<str>, Option<Path>>,
}

impl Documents {
    /// The document that `source` is, and the first element at the end of `path` in it.
    pub(super) fn find(&mut self, source: &str, path: &str) -> Option<(&Document, usize)> {
        if !self.paths.contains_key(path) {
            // Hostile: a path may be made from a log line.
            if self.paths.len() >= PATHS {
                self.paths.clear();
            }
            self.paths.insert(path.into(), Path::parse(path));
        }
        let parsed = self.paths.get(path)?.as_ref()?;
        let document = read(&mut self.kept, source)?;
        Some((document, parsed.first(document)?))
    }
}

/// The document that `source` is, brought to the front; `None` when it is none.
fn read<'k>(kept: &'k mut Vec<Kept>, source: &str) -> Option<&'k Document> {
    if source.len() > LONGEST {
        return None;
    }
    match kept.iter().position(|(known, _)| **known == *source) {
        Some(at) => kept.get_mut(..=at)?.rotate_right(1),
        None => {
            kept.truncate(KEPT - 1);
            kept.insert(0, (source.into(), Document::parse(source)));
        }
    }
    kept.first()?.1.as_ref()
}

/// The elements of a document, each before its children; the first stands for the document.
#[derive(Debug)]
pub(super) struct Document {
    nodes: Vec<Node>,
    /// All names and texts, one behind the other.
    pool: String,
}

#[derive(Debug)]
struct Node {
    parent: usize,
    /// The index behind the last of this node's descendants.
    end: usize,
    name: Range<usize>,
    /// What stands between the start tag and the first child.
    text: Range<usize>,
    attributes: Vec<(Range<usize>, Range<usize>)>,
}

impl Document {
    fn parse(source: &str) -> Option<Self> {
        let mut reader = Reader::from_str(source);
        let mut builder = Builder::new();
        loop {
            match reader.read_event().ok()? {
                Event::Start(tag) => builder.open(&tag)?,
                Event::Empty(tag) => {
                    builder.open(&tag)?;
                    builder.close()?;
                }
                Event::End(_) => builder.close()?,
                Event::Text(text) => builder.text(&text.decode().ok()?),
                Event::CData(text) => builder.text(&text.decode().ok()?),
                Event::GeneralRef(reference) => {
                    let name = reference.decode().ok()?;
                    match reference.resolve_char_ref().ok()? {
                        Some(character) => builder.text(character.encode_utf8(&mut [0; 4])),
                        None => match quick_xml::escape::resolve_xml_entity(&name) {
                            Some(text) => builder.text(text),
                            None => return None,
                        },
                    }
                }
                // A comment is no part of the text, and does not end it.
                Event::Comment(_) => {}
                Event::PI(_) | Event::Decl(_) | Event::DocType(_) => builder.interrupt(),
                Event::Eof => return builder.finish(),
            }
        }
    }

    fn slice(&self, range: &Range<usize>) -> &str {
        self.pool.get(range.clone()).unwrap_or_default()
    }

    fn node(&self, node: usize) -> Option<&Node> {
        self.nodes.get(node)
    }

    /// The number of nodes; a node is a number below it.
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// The text between the start tag and the first child.
    pub(super) fn text(&self, node: usize) -> &str {
        self.node(node).map_or("", |node| self.slice(&node.text))
    }

    /// The name with its prefix.
    pub(super) fn name(&self, node: usize) -> &str {
        self.node(node).map_or("", |node| self.slice(&node.name))
    }

    /// The value of an attribute; a name without a prefix fits any prefix.
    pub(super) fn attribute(&self, node: usize, name: &str) -> Option<&str> {
        let attributes = &self.node(node)?.attributes;
        let found = attributes.iter().find(|(known, _)| same_name(name, self.slice(known)))?;
        Some(self.slice(&found.1))
    }

    /// The parent; that of the document is none.
    pub(super) fn parent(&self, node: usize) -> Option<usize> {
        if node == 0 { None } else { self.node(node).map(|node| node.parent) }
    }

    /// The children in order.
    pub(super) fn children(&self, node: usize) -> impl Iterator<Item = usize> {
        let end = self.node(node).map_or(0, |node| node.end);
        let mut next = node + 1;
        std::iter::from_fn(move || {
            if next >= end {
                return None;
            }
            let child = next;
            next = self.node(child)?.end;
            Some(child)
        })
    }
}

/// Whether a name in a path means a name in a document.
pub(super) fn same_name(wanted: &str, found: &str) -> bool {
    wanted == found
        || (!wanted.contains(':') && found.split_once(':').is_some_and(|(_, tail)| tail == wanted))
}

struct Builder {
    document: Document,
    /// The elements that are open, the document first.
    open: Vec<usize>,
    /// Whether text still belongs to the innermost open element.
    leading: bool,
}

impl Builder {
    fn new() -> Self {
        let root = Node { parent: 0, end: 0, name: 0..0, text: 0..0, attributes: Vec::new() };
        Self {
            document: Document { nodes: vec![root], pool: String::new() },
            open: vec![0],
            leading: false,
        }
    }

    fn pooled(&mut self, text: &str) -> Range<usize> {
        let start = self.document.pool.len();
        self.document.pool.push_str(text);
        start..self.document.pool.len()
    }

    fn open(&mut self, tag: &BytesStart<'_>) -> Option<()> {
        let name = self.pooled(std::str::from_utf8(tag.name().into_inner()).ok()?);
        let mut attributes = Vec::new();
        let mut parsed = tag.attributes();
        // The same attribute twice is no reason to lose the line.
        for attribute in parsed.with_checks(false) {
            let attribute = attribute.ok()?;
            let key = self.pooled(std::str::from_utf8(attribute.key.into_inner()).ok()?);
            let value = attribute.unescape_value().ok()?;
            attributes.push((key, self.pooled(&value)));
        }
        let text = self.pooled("");
        let parent = *self.open.last()?;
        let index = self.document.nodes.len();
        self.document.nodes.push(Node { parent, end: 0, name, text, attributes });
        self.open.push(index);
        self.leading = true;
        Some(())
    }

    fn close(&mut self) -> Option<()> {
        let end = self.document.nodes.len();
        let index = self.open.pop()?;
        // The document itself is never closed by a tag.
        if self.open.is_empty() {
            return None;
        }
        self.document.nodes.get_mut(index)?.end = end;
        self.leading = false;
        Some(())
    }

    fn text(&mut self, text: &str) {
        if !self.leading {
            return;
        }
        let end = self.pooled(text).end;
        if let Some(node) = self.open.last().and_then(|open| self.document.nodes.get_mut(*open)) {
            node.text.end = end;
        }
    }

    fn interrupt(&mut self) {
        self.leading = false;
    }

    fn finish(mut self) -> Option<Document> {
        // What was opened has to be closed.
        if self.open.len() != 1 {
            return None;
        }
        let end = self.document.nodes.len();
        self.document.nodes.first_mut()?.end = end;
        Some(self.document)
    }
}
