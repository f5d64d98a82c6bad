//! Texts that a pattern matches, drawn by lot, and what it must capture of them: for tests.

use regex_syntax::hir::{Class, Hir, HirKind};

use super::expand::Wanted;
use super::{Library, progress};
use crate::expr::dialect;

/// Lots that are the same in every run.
pub(crate) struct Lots(u64);

impl Lots {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).expect("31 bits") % limit.max(1)
    }
}

/// A pattern without anything that makes it fast: the regex crate on its full expansion.
pub(crate) struct Plain {
    regex: regex::Regex,
    hir: Hir,
    captures: Vec<(String, usize)>,
}

impl Plain {
    /// Takes a pattern that the library can compile.
    pub(crate) fn new(library: &Library, pattern: &str) -> Self {
        let expansion = library.expand(pattern, Wanted::Text).unwrap();
        let rewritten = dialect::rewrite(&expansion.text);
        let ast = regex_syntax::ast::parse::Parser::new().parse(&rewritten.text).unwrap();
        let groups = progress::groups(&ast);
        let captures = expansion.captures.iter().map(|capture| {
            let at = rewritten.forward(capture.at);
            let group = groups.iter().find(|(start, _)| *start == at).unwrap().1;
            (capture.name.to_string(), group as usize)
        });
        let captures = captures.collect();
        let regex = regex::RegexBuilder::new(&rewritten.text).size_limit(1 << 28).build().unwrap();
        Self { regex, hir: regex_syntax::parse(&rewritten.text).unwrap(), captures }
    }

    /// What is captured in `text`, sorted; `None` when it is not found, or captures nothing.
    pub(crate) fn search(&self, text: &str) -> Option<Vec<(String, String)>> {
        let found = self.regex.captures(text)?;
        let mut all: Vec<_> = self
            .captures
            .iter()
            .map(|(name, group)| {
                let text = found.get(*group).map_or("", |found| found.as_str());
                (name.clone(), text.to_owned())
            })
            .collect();
        all.sort();
        (!all.is_empty()).then_some(all)
    }

    /// A text that it matches, but for what it demands of boundaries.
    pub(crate) fn text(&self, lots: &mut Lots) -> String {
        let mut text = Vec::new();
        draw(&self.hir, lots, &mut text);
        String::from_utf8(text).unwrap()
    }
}

/// Adds a text that `hir` matches, but for what it demands of boundaries.
pub(super) fn draw(hir: &Hir, lots: &mut Lots, text: &mut Vec<u8>) {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => text.extend_from_slice(&literal.0),
        HirKind::Class(class) => {
            let mut buffer = [0; 4];
            text.extend_from_slice(member(class, lots).encode_utf8(&mut buffer).as_bytes());
        }
        HirKind::Repetition(repetition) => {
            let least = repetition.min as usize;
            let most = repetition.max.map_or(least + 4, |most| (most as usize).min(least + 4));
            for _ in 0..least + lots.below(most - least + 1) {
                draw(&repetition.sub, lots, text);
            }
        }
        HirKind::Capture(capture) => draw(&capture.sub, lots, text),
        HirKind::Concat(subs) => subs.iter().for_each(|sub| draw(sub, lots, text)),
        HirKind::Alternation(subs) => draw(&subs[lots.below(subs.len())], lots, text),
    }
}

/// A character of a class, most often one that logs are written in.
fn member(class: &Class, lots: &mut Lots) -> char {
    let ranges: Vec<(u32, u32)> = match class {
        Class::Unicode(class) => {
            class.iter().map(|range| (range.start().into(), range.end().into())).collect()
        }
        Class::Bytes(class) => {
            class.iter().map(|range| (range.start().into(), range.end().into())).collect()
        }
    };
    let common: Vec<(u32, u32)> = ranges
        .iter()
        .map(|(start, end)| ((*start).max(0x20), (*end).min(0x7e)))
        .filter(|(start, end)| start <= end)
        .collect();
    let from = if common.is_empty() || lots.below(16) == 0 { &ranges } else { &common };
    let (start, end) = from[lots.below(from.len())];
    let drawn = start + u32::try_from(lots.below((end - start + 1) as usize)).unwrap();
    char::from_u32(drawn).or(char::from_u32(start)).unwrap_or('x')
}

/// The text with a character or two left out, doubled or exchanged.
pub(crate) fn spoiled(text: &str, lots: &mut Lots) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    for _ in 0..=lots.below(2) {
        if characters.is_empty() {
            break;
        }
        let at = lots.below(characters.len());
        match lots.below(3) {
            0 => drop(characters.remove(at)),
            1 => characters.insert(at, characters[at]),
            _ => characters[at] = [' ', ':', '.', '5', 'a', '"', 'é', '%'][lots.below(8)],
        }
    }
    characters.into_iter().collect()
}
