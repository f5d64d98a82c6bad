//! A pattern as its own text says it, apart from the patterns that it refers to.
//!
//! Patterns refer to patterns: an address is a thousand bytes of regular expression, and nearly
//! every grok has one. Each pattern is parsed once, with a mark for each reference. What must be
//! known when rules are loaded (that it is a regular expression, how large, which texts it needs)
//! follows from the parts; the whole is put together when a line needs it.
//!
//! Invariant: the whole is the tree of the expanded text, and no part is made of a text that says
//! something else where it stands within another: one with an open bracket, or with flags that go
//! on. Then the expanded text is parsed. Property tests hold the two against each other.

use std::sync::Arc;

use regex_syntax::ast::{Ast, Flag, Flags, GroupKind, parse};
use regex_syntax::hir::{Capture, Class, Hir, HirKind, translate::Translator};

use super::expand::Place;
use super::lean;
use crate::expr::{dialect, weight};

/// Stands for a reference. Of a pattern that holds it no part is made.
const MARK: char = '\u{10fffd}';

/// How deep the tree of a whole may be to be put together of parts; the parser takes 250.
const DEEPEST: usize = 200;

/// A pattern without those it refers to.
#[derive(Debug)]
pub(super) struct Part {
    /// Its groups are the references, numbered from 1.
    tree: Hir,
    inner: Box<[Inner]>,
    /// Not less than the depth of the whole as the parser counts it.
    depth: usize,
    /// Roughly how many automaton states the whole needs.
    pub(super) weight: u64,
    /// Whether all classes of the whole are ASCII.
    pub(super) is_ascii_only: bool,
    /// The fixed texts of the whole.
    pub(super) texts: Box<[Text]>,
}

/// A pattern that is referred to.
#[derive(Debug)]
struct Inner {
    /// The place of its opening parenthesis in the expanded text.
    open: usize,
    is_captured: bool,
    part: Arc<Part>,
}

/// Fixed text, or `None` for whatever else stands between two of them.
pub(super) type Text = Option<Box<[u8]>>;

impl Part {
    /// The part of a pattern whose references stand at `places` and are to `parts`.
    pub(super) fn new(source: &str, places: &[Place], parts: Vec<Arc<Self>>) -> Option<Self> {
        let marked = marked(source, places)?;
        let ast = parse::Parser::new().parse(&marked).ok()?;
        let mut study = Study::default();
        study.of(&ast, 1)?;
        let goes_on = study.has_flags && !places.is_empty();
        if goes_on || study.marks.len() != places.len() {
            return None;
        }
        let tree = Translator::new().translate(&marked, &ast).ok()?;
        let number = |index| {
            let place = study.marks.iter().position(|mark| *mark == index)?;
            u32::try_from(place + 1).ok()
        };
        let tree = lean::drop_groups(tree, &number);
        // What is repeated no times is not there at all.
        if tree.properties().explicit_captures_len() != places.len() {
            return None;
        }
        let inner = places.iter().zip(parts).map(|(place, part)| Inner {
            open: place.open,
            is_captured: place.is_captured,
            part,
        });
        let inner: Box<[Inner]> = inner.collect();
        let below = inner.iter().map(|inner| inner.part.depth).max().unwrap_or_default();
        let depth = study.depth + below;
        if inner.len() != places.len() || depth > DEEPEST {
            return None;
        }
        let of = |index: u32| inner.get(index.checked_sub(1)? as usize);
        let weight = weight::weight(&tree, &|index| Some(of(index)?.part.weight));
        let parts_are_ascii = inner.iter().all(|inner| inner.part.is_ascii_only);
        let is_ascii_only = parts_are_ascii && lean::is_ascii_only(&tree);
        let mut texts = Vec::new();
        add_texts(&tree, &of, &mut texts);
        Some(Self { weight, is_ascii_only, texts: texts.into(), depth, inner, tree })
    }

    /// The tree of the whole. Of its groups those stay whose parenthesis stands at a place of the
    /// expanded text that `number` gives a number for.
    pub(super) fn whole(&self, number: &impl Fn(usize) -> Option<u32>) -> Hir {
        self.whole_at(0, number)
    }

    // Its depth was bounded when it was made.
    fn whole_at(&self, start: usize, number: &impl Fn(usize) -> Option<u32>) -> Hir {
        lean::replace_groups(self.tree.clone(), &|capture| {
            let inner = self.inner.get((capture.index as usize).wrapping_sub(1));
            let Some(inner) = inner else { return *capture.sub };
            let open = start + inner.open;
            let sub = inner.part.whole_at(open + 1, number);
            match number(open) {
                Some(index) => Hir::capture(Capture { index, name: None, sub: Box::new(sub) }),
                None => sub,
            }
        })
    }
}

/// The pattern in the dialect of the parser, with a group around a mark for each reference.
fn marked(source: &str, places: &[Place]) -> Option<String> {
    if source.contains(MARK) {
        return None;
    }
    let mut text = String::with_capacity(source.len());
    let mut at = 0;
    for place in places {
        text.push_str(source.get(at..place.span.start)?);
        text.extend(['(', MARK, ')']);
        at = place.span.end;
    }
    text.push_str(source.get(at..)?);
    let rewritten = dialect::rewrite(&text);
    // What reaches over a reference leaves no group for it, which is seen later.
    (!rewritten.is_open).then_some(rewritten.text)
}

/// What the form of a pattern says of what can be done with it.
#[derive(Default)]
struct Study {
    /// The numbers of the groups that stand for references.
    marks: Vec<u32>,
    depth: usize,
    /// Whether flags are set for what follows.
    has_flags: bool,
}

impl Study {
    /// Looks at all of it; `None` when it may be another thing within another pattern. The parser
    /// bounds the depth.
    fn of(&mut self, ast: &Ast, depth: usize) -> Option<()> {
        self.depth = self.depth.max(depth);
        match ast {
            Ast::Flags(set) => {
                self.has_flags = true;
                takes_space(&set.flags)
            }
            Ast::Group(group) => match &group.kind {
                GroupKind::CaptureIndex(index) => {
                    if matches!(&*group.ast, Ast::Literal(literal) if literal.c == MARK) {
                        self.marks.push(*index);
                    }
                    self.of(&group.ast, depth + 1)
                }
                // No name may be given twice in the whole.
                GroupKind::CaptureName { .. } => None,
                GroupKind::NonCapturing(flags) => {
                    takes_space(flags)?;
                    let n_marks = self.marks.len();
                    self.of(&group.ast, depth + 1)?;
                    // Flags are set for what is referred to.
                    (flags.items.is_empty() || self.marks.len() == n_marks).then_some(())
                }
            },
            Ast::Repetition(repetition) => self.of(&repetition.ast, depth + 1),
            Ast::Alternation(alternation) => {
                alternation.asts.iter().try_for_each(|ast| self.of(ast, depth + 1))
            }
            Ast::Concat(concat) => concat.asts.iter().try_for_each(|ast| self.of(ast, depth + 1)),
            Ast::ClassBracketed(_) => {
                // The rewriter leaves no sets within sets but those of its own.
                self.depth = self.depth.max(depth + 4);
                Some(())
            }
            _ => Some(()),
        }
    }
}

/// `None` for flags that make space and `#` mean something else: a comment goes on to the end of
/// the line, whatever brackets there are.
fn takes_space(flags: &Flags) -> Option<()> {
    flags.flag_state(Flag::IgnoreWhitespace).is_none().then_some(())
}

/// The fixed texts that every text holds in which a tree is found; only of texts that are all
/// ASCII, if classes of the tree hold more.
pub(super) fn texts(hir: &Hir) -> Box<[Text]> {
    let mut texts = Vec::new();
    add_texts(hir, &|_| None, &mut texts);
    texts.into()
}

/// Adds the fixed texts of a tree, which go on where the last ones end. `of` gives the parts that
/// its groups stand for. The parser bounds the depth.
fn add_texts<'p>(hir: &Hir, of: &impl Fn(u32) -> Option<&'p Inner>, texts: &mut Vec<Text>) {
    match hir.kind() {
        HirKind::Empty => {}
        HirKind::Literal(literal) => add_text(&literal.0, texts),
        HirKind::Class(class) => match only_ascii(class) {
            Some(byte) => add_text(&[byte], texts),
            None => add_gap(texts),
        },
        HirKind::Capture(capture) => {
            let Some(inner) = of(capture.index) else {
                add_gap(texts);
                add_texts(&capture.sub, of, texts);
                return add_gap(texts);
            };
            if inner.is_captured {
                add_gap(texts);
            }
            for text in &inner.part.texts {
                match text {
                    Some(text) => add_text(text, texts),
                    None => add_gap(texts),
                }
            }
            if inner.is_captured {
                add_gap(texts);
            }
        }
        HirKind::Repetition(repetition) => {
            add_gap(texts);
            if repetition.min > 0 {
                add_texts(&repetition.sub, of, texts);
            }
            add_gap(texts);
        }
        HirKind::Concat(subs) => subs.iter().for_each(|sub| add_texts(sub, of, texts)),
        HirKind::Look(_) | HirKind::Alternation(_) => add_gap(texts),
    }
}

fn add_text(text: &[u8], texts: &mut Vec<Text>) {
    match texts.last_mut() {
        Some(Some(last)) => {
            let mut longer = std::mem::take(last).into_vec();
            longer.extend_from_slice(text);
            *last = longer.into();
        }
        _ => texts.push(Some(text.into())),
    }
}

fn add_gap(texts: &mut Vec<Text>) {
    if !matches!(texts.last(), Some(None)) {
        texts.push(None);
    }
}

/// The one ASCII character of a class.
fn only_ascii(class: &Class) -> Option<u8> {
    let Class::Unicode(class) = class else { return None };
    let mut ascii = class.ranges().iter().filter(|range| range.start().is_ascii());
    let (range, other) = (ascii.next()?, ascii.next());
    let is_one = other.is_none() && range.start() == range.end();
    is_one.then_some(range.start()).and_then(|only| u8::try_from(only).ok())
}

#[cfg(test)]
mod tests;
