//! From a file's text to its documents.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use granit_parser::{Event, Parser, ScalarStyle, Span, StructureStyle, Tag};

use super::node::{Key, Kind, Node, Style};
use super::places::Places;
use crate::diagnostic::{Diagnostic, UserFile};

/// Collections within collections, aliases expanded.
pub const MAX_DEPTH: usize = 64;

// Hostile: a few lines of aliases of aliases expand to gigabytes. What aliases bring in, in bytes
// of text plus a flat price per node, is bounded per file.
const ALIAS_BUDGET: usize = 4 << 20;
const NODE_PRICE: usize = 64;

// Hostile: a file of a million duplicate keys makes no million messages.
const MAX_MISTAKES: usize = 100;

/// A mapping of at most so many keys has few.
const FEW: usize = 16;

/// Reads the documents of a file.
///
/// Documents without content are left out. A document with a mistake in its syntax is left out
/// and reported, and reading goes on after the next `---`.
#[must_use]
pub fn load(file: &Arc<UserFile>) -> (Vec<Node>, Vec<Diagnostic>) {
    let options = granit_parser::options! {
        emit_comments: false,
        // As the programs do that today's rules were written for.
        block_scalar_eof_without_line_feed: true,
    };
    let mut parser = Parser::new_from_str_with_options(&file.text, options);
    let mut loader = Loader::new(file);
    while loader.diagnostics.len() < MAX_MISTAKES {
        let mistake = match parser.next_event() {
            None => break,
            Some(Ok((Event::StreamEnd, _))) => break,
            Some(Ok((event, span))) => loader.take(event, span).err(),
            Some(Err(error)) => {
                let at = error.marker().byte_offset().unwrap_or_default();
                let message = format!("this is not YAML: {}", error.info());
                let span = loader.character(at);
                Some(Diagnostic::error(file, span, "yaml-syntax", message))
            }
        };
        if let Some(mistake) = mistake {
            loader.diagnostics.push(mistake);
            loader.abandon();
            if !matches!(parser.proceed_next_document(), Ok(true)) {
                break;
            }
        }
    }
    (loader.documents, loader.diagnostics)
}

/// A collection that has not ended yet.
struct Open {
    start: usize,
    /// 0: no anchor.
    anchor: usize,
    flow: bool,
    collected: Collected,
}

enum Collected {
    Items(Vec<Node>),
    Entries { entries: Vec<(Key, Node)>, key: Slot, merges: Vec<Node> },
}

/// What the next node of a mapping is.
enum Slot {
    Key,
    ValueOf(Key),
    Merge,
    /// The value of something that cannot be a key.
    Nothing,
}

struct Anchored {
    node: Node,
    depth: usize,
    price: usize,
}

struct Loader<'f> {
    file: &'f Arc<UserFile>,
    open: Vec<Open>,
    anchors: HashMap<usize, Anchored>,
    budget: usize,
    documents: Vec<Node>,
    diagnostics: Vec<Diagnostic>,
}

impl<'f> Loader<'f> {
    fn new(file: &'f Arc<UserFile>) -> Self {
        Self {
            file,
            open: Vec::new(),
            anchors: HashMap::new(),
            budget: ALIAS_BUDGET,
            documents: Vec::new(),
            diagnostics: Vec::new(),
        }
    }

    fn abandon(&mut self) {
        self.open.clear();
        self.anchors.clear();
    }

    /// The character at `at`, or the place behind the last one.
    fn character(&self, at: usize) -> Range<usize> {
        let rest = self.file.text.get(at..).unwrap_or_default();
        let length = rest.chars().next().map_or(0, char::len_utf8);
        at.min(self.file.text.len())..at.min(self.file.text.len()) + length
    }

    fn error(&self, span: Range<usize>, code: &'static str, message: &str) -> Diagnostic {
        Diagnostic::error(self.file, span, code, message)
    }

    /// Takes one event of the parser; an error spoils the document.
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Diagnostic> {
        let range = span.byte_range().unwrap_or_default();
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.check_tag(tag.as_deref(), &range)?;
                let node = self.scalar(text, style, tag.as_deref(), range);
                self.complete(node, anchor)
            }
            Event::SequenceStart(style, anchor, tag) => {
                self.check_tag(tag.as_deref(), &range)?;
                self.begin(range, anchor, style, Collected::Items(Vec::new()))
            }
            Event::MappingStart(style, anchor, tag) => {
                self.check_tag(tag.as_deref(), &range)?;
                let entries =
                    Collected::Entries { entries: Vec::new(), key: Slot::Key, merges: Vec::new() };
                self.begin(range, anchor, style, entries)
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(&range),
            Event::Alias(id) => {
                let node = self.expand(id, &range)?;
                self.complete(node, 0)
            }
            Event::DocumentEnd => {
                self.abandon();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn check_tag(&self, tag: Option<&Tag>, span: &Range<usize>) -> Result<(), Diagnostic> {
        match tag {
            Some(tag) if !tag.is_yaml_core_schema() => {
                let message = format!("the tag `{}` means nothing here", tag.original());
                Err(self.error(span.clone(), "yaml-tag", &message).with_help("leave the tag out"))
            }
            _ => Ok(()),
        }
    }

    fn scalar(
        &self,
        text: Cow<'_, str>,
        style: ScalarStyle,
        tag: Option<&Tag>,
        span: Range<usize>,
    ) -> Node {
        let style = match style {
            ScalarStyle::Plain => Style::Plain,
            ScalarStyle::SingleQuoted => Style::SingleQuoted,
            ScalarStyle::DoubleQuoted => Style::DoubleQuoted,
            ScalarStyle::Literal => Style::Literal,
            ScalarStyle::Folded => Style::Folded,
        };
        let source = self.file.text.get(span.clone()).unwrap_or_default();
        let places = Places::of(source, span.start, &text, style);
        // A block scalar's range takes in the empty lines behind it.
        let block = matches!(style, Style::Literal | Style::Folded);
        let length = if block { source.trim_end().len() } else { source.len() };
        let span = span.start..span.start + length;
        // `!!str 12` is the text "12", as if it were quoted.
        let quoted = tag.is_some_and(|tag| tag.is_yaml_core_schema_tag("str"));
        let style = if quoted && style == Style::Plain { Style::SingleQuoted } else { style };
        Node { span, kind: Kind::Scalar { text: text.into_owned(), style }, places }
    }

    fn begin(
        &mut self,
        span: Range<usize>,
        anchor: usize,
        style: StructureStyle,
        collected: Collected,
    ) -> Result<(), Diagnostic> {
        if self.open.len() >= MAX_DEPTH {
            return Err(self.too_deep(span));
        }
        let flow = style == StructureStyle::Flow;
        self.open.push(Open { start: span.start, anchor, flow, collected });
        Ok(())
    }

    fn too_deep(&self, span: Range<usize>) -> Diagnostic {
        let message = format!("collections are nested deeper than {MAX_DEPTH}");
        self.error(span, "yaml-depth", &message)
    }

    fn end(&mut self, end: &Range<usize>) -> Result<(), Diagnostic> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let Open { start, anchor, flow, collected } = open;
        let (kind, last) = match collected {
            Collected::Items(items) => {
                let last = items.last().map_or(start, |item| item.span.end);
                (Kind::Sequence(items), last)
            }
            Collected::Entries { entries, merges, .. } => {
                let last = entries.last().map_or(start, |(_, value)| value.span.end);
                (Kind::Mapping(self.finish_mapping(entries, merges)), last)
            }
        };
        // An alias as last entry points to an earlier place.
        let end = if flow { end.end } else { last.max(start) };
        self.complete(Node { span: start..end, kind, places: Places::default() }, anchor)
    }

    /// Refuses keys given twice and brings in what `<<` points to.
    fn finish_mapping(&mut self, entries: Vec<(Key, Node)>, merges: Vec<Node>) -> Vec<(Key, Node)> {
        // A few keys are compared with each other sooner than hashed.
        let is_again = |(at, (key, _)): (usize, &(Key, Node))| {
            entries[..at].iter().any(|(earlier, _)| earlier.text == key.text)
        };
        if merges.is_empty() && entries.len() <= FEW && !entries.iter().enumerate().any(is_again) {
            return entries;
        }
        let mut seen: HashMap<String, Range<usize>> = HashMap::with_capacity(entries.len());
        let mut kept: Vec<(Key, Node)> = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            if let Some(first) = seen.get(&key.text) {
                if self.diagnostics.len() < MAX_MISTAKES {
                    let (line, _) = self.file.place(first.start);
                    let message = format!("the key `{}` is given twice", key.text);
                    self.diagnostics.push(
                        Diagnostic::error(self.file, key.span, "duplicate-key", message)
                            .with_label(format!("first given on line {line}"))
                            .with_help("remove one of the two"),
                    );
                }
                continue;
            }
            seen.insert(key.text.clone(), key.span.clone());
            kept.push((key, value));
        }
        for merge in merges {
            let sources = match merge.kind {
                Kind::Sequence(items) => items,
                _ => vec![merge],
            };
            for source in sources {
                let Kind::Mapping(entries) = source.kind else {
                    let message = format!(
                        "expected a mapping or a list of mappings after `<<`, found {}",
                        source.describe()
                    );
                    let mistake = self.error(source.head(), "wrong-type", &message);
                    self.diagnostics.push(mistake);
                    continue;
                };
                for (key, value) in entries {
                    if !seen.contains_key(&key.text) {
                        seen.insert(key.text.clone(), key.span.clone());
                        kept.push((key, value));
                    }
                }
            }
        }
        kept
    }

    /// A node has ended: gives it to the collection it is in.
    fn complete(&mut self, node: Node, anchor: usize) -> Result<(), Diagnostic> {
        if anchor != 0 {
            let price = price(&node);
            self.pay(price, &node.span)?;
            let depth = depth(&node);
            self.anchors.insert(anchor, Anchored { node: node.clone(), depth, price });
        }
        let Some(open) = self.open.last_mut() else {
            if !node.is_null() {
                self.documents.push(node);
            }
            return Ok(());
        };
        match &mut open.collected {
            Collected::Items(items) => items.push(node),
            Collected::Entries { entries, key, merges } => {
                match std::mem::replace(key, Slot::Key) {
                    Slot::Key => match node.kind {
                        Kind::Scalar { text, style: Style::Plain } if text == "<<" => {
                            *key = Slot::Merge;
                        }
                        Kind::Scalar { text, .. } => {
                            *key = Slot::ValueOf(Key { text, span: node.span });
                        }
                        Kind::Sequence(_) | Kind::Mapping(_) => {
                            *key = Slot::Nothing;
                            let found = node.describe();
                            let message = format!("expected text as a key, found {found}");
                            let mistake = self.error(node.head(), "wrong-type", &message);
                            self.diagnostics.push(mistake);
                        }
                    },
                    Slot::ValueOf(name) => entries.push((name, node)),
                    Slot::Merge => merges.push(node),
                    Slot::Nothing => {}
                }
            }
        }
        Ok(())
    }

    fn expand(&mut self, id: usize, span: &Range<usize>) -> Result<Node, Diagnostic> {
        let Some(anchored) = self.anchors.get(&id) else {
            let message = "an alias cannot stand inside of what it stands for";
            return Err(self.error(span.clone(), "yaml-alias", message));
        };
        if self.open.len() + anchored.depth > MAX_DEPTH {
            return Err(self.too_deep(span.clone()));
        }
        let price = anchored.price;
        self.pay(price, span)?;
        Ok(self.anchors.get(&id).map_or_else(|| Node::null(span.clone()), |a| a.node.clone()))
    }

    fn pay(&mut self, price: usize, span: &Range<usize>) -> Result<(), Diagnostic> {
        match self.budget.checked_sub(price) {
            Some(left) => {
                self.budget = left;
                Ok(())
            }
            None => {
                Err(self.error(span.clone(), "yaml-alias", "aliases expand to more than 4 MiB"))
            }
        }
    }
}

fn depth(node: &Node) -> usize {
    match &node.kind {
        Kind::Scalar { .. } => 0,
        Kind::Sequence(items) => 1 + items.iter().map(depth).max().unwrap_or_default(),
        Kind::Mapping(entries) => {
            1 + entries.iter().map(|(_, value)| depth(value)).max().unwrap_or_default()
        }
    }
}

fn price(node: &Node) -> usize {
    let own = match &node.kind {
        Kind::Scalar { text, .. } => text.len(),
        Kind::Sequence(items) => items.iter().map(price).sum(),
        Kind::Mapping(entries) => {
            entries.iter().map(|(key, value)| key.text.len() + price(value)).sum()
        }
    };
    NODE_PRICE + own
}
