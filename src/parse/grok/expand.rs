//! Replaces references to other patterns by those patterns.
//!
//! Only `%{NAME}` and `%{NAME:capture}` are references, both parts made of word characters. Each
//! is replaced by the named pattern in parentheses. A capture is remembered by the place of its
//! opening parenthesis; its group number is asked of the regex parser later, so that no way of
//! writing a parenthesis can shift the numbers.

use std::ops::Range;

/// The longest text that a pattern may expand to, in bytes.
const LONGEST: usize = 1 << 20;

/// A pattern whose references have been replaced.
#[derive(Debug, Clone, Default)]
pub(super) struct Expansion {
    /// The regular expression; empty where only its outline was asked for.
    pub(super) text: String,
    /// How long the regular expression is, in bytes.
    pub(super) length: usize,
    /// What it captures; no name occurs twice.
    pub(super) captures: Vec<Capture>,
    /// The references, in their order.
    pub(super) references: Vec<Place>,
    /// Pairs (place in `text`, place in the source), ascending.
    places: Vec<(usize, usize)>,
    /// Texts that look like references but are not, by their place in the source.
    pub(super) doubtful: Vec<Range<usize>>,
}

/// Where a reference stands.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// The reference in the source.
    pub(super) span: Range<usize>,
    /// The name in the source.
    pub(super) name: Range<usize>,
    /// The place in the text of the parenthesis that it opens.
    pub(super) open: usize,
    /// Whether it is captured by a name.
    pub(super) is_captured: bool,
}

/// A named capture.
#[derive(Debug, Clone)]
pub(super) struct Capture {
    /// Its name.
    pub(super) name: Box<str>,
    /// The place of the opening parenthesis of its group.
    pub(super) at: usize,
}

/// Why a pattern cannot be expanded.
#[derive(Debug)]
pub(super) enum Trouble {
    /// A reference to a pattern that is not known, and its place.
    Unknown(String, Range<usize>),
    /// It grows beyond all measure.
    TooLong,
}

impl Expansion {
    /// The place in the source of a place in the expanded text; for a place inside a replaced
    /// reference, that of the reference.
    pub(super) fn source_of(&self, at: usize) -> usize {
        let index = self.places.partition_point(|(place, _)| *place <= at);
        let Some((place, source)) = index.checked_sub(1).map(|index| self.places[index]) else {
            return 0;
        };
        let limit = self.places.get(index).map_or(usize::MAX, |next| next.1);
        (source + (at - place)).min(limit.saturating_sub(1).max(source))
    }
}

/// What is wanted of an expansion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All of it.
    Text,
    /// All but the regular expression itself, which is long.
    Outline,
}

/// Replaces the references in `pattern`; `find` gives the patterns that are known.
pub(super) fn expand<'l>(
    pattern: &str,
    wanted: Wanted,
    find: impl Fn(&str) -> Option<&'l Expansion>,
) -> Result<Expansion, Trouble> {
    let mut whole = Writer { expansion: Expansion::default(), wanted };
    let mut own: Vec<Capture> = Vec::new();
    let mut at = 0;
    while let Some(start) = next_reference(pattern, at) {
        let Some(reference) = reference(&pattern[start..]) else {
            if let Some(end) = pattern[start..].find('}') {
                whole.expansion.doubtful.push(start..start + end + 1);
            }
            whole.literal(pattern, at..start + 2);
            at = start + 2;
            continue;
        };
        whole.literal(pattern, at..start);
        at = start + reference.len;
        let inner = find(reference.name)
            .ok_or_else(|| Trouble::Unknown(reference.name.to_owned(), start..at))?;
        if whole.expansion.length + inner.length > LONGEST {
            return Err(Trouble::TooLong);
        }
        let open = whole.expansion.length;
        whole.expansion.places.push((open, start));
        whole.expansion.references.push(Place {
            span: start..at,
            name: start + 2..start + 2 + reference.name.len(),
            open,
            is_captured: reference.capture.is_some(),
        });
        whole.write("(");
        whole.write_expansion(inner);
        whole.write(")");
        for capture in &inner.captures {
            put(&mut whole.expansion.captures, &capture.name, open + 1 + capture.at);
        }
        if let Some(name) = reference.capture {
            put(&mut own, name, open);
        }
    }
    whole.literal(pattern, at..pattern.len());
    let mut expansion = whole.expansion;
    // A name that this level gives itself hides the same name inside its references.
    for capture in own {
        put(&mut expansion.captures, &capture.name, capture.at);
    }
    Ok(expansion)
}

/// Where `%{` stands next.
fn next_reference(pattern: &str, from: usize) -> Option<usize> {
    let rest = pattern.as_bytes().get(from..)?;
    let mut signs = memchr::memchr_iter(b'%', rest);
    signs.find(|at| rest.get(at + 1) == Some(&b'{')).map(|at| from + at)
}

struct Writer {
    expansion: Expansion,
    wanted: Wanted,
}

impl Writer {
    fn literal(&mut self, pattern: &str, range: Range<usize>) {
        if !range.is_empty() {
            self.expansion.places.push((self.expansion.length, range.start));
            self.write(&pattern[range]);
        }
    }

    fn write(&mut self, text: &str) {
        if self.wanted == Wanted::Text {
            self.expansion.text.push_str(text);
        }
        self.expansion.length += text.len();
    }

    fn write_expansion(&mut self, inner: &Expansion) {
        if self.wanted == Wanted::Text {
            self.expansion.text.push_str(&inner.text);
        }
        self.expansion.length += inner.length;
    }
}

fn put(captures: &mut Vec<Capture>, name: &str, at: usize) {
    match captures.iter_mut().find(|known| *known.name == *name) {
        Some(known) => known.at = at,
        None => captures.push(Capture { name: name.into(), at }),
    }
}

struct Reference<'p> {
    name: &'p str,
    capture: Option<&'p str>,
    len: usize,
}

/// Reads a reference at the head of `text`, which begins with `%{`.
fn reference(text: &str) -> Option<Reference<'_>> {
    let body = text.get(2..)?;
    let name = word(body);
    let rest = &body[name.len()..];
    if name.is_empty() {
        return None;
    }
    if rest.starts_with('}') {
        return Some(Reference { name, capture: None, len: 3 + name.len() });
    }
    let rest = rest.strip_prefix(':')?;
    let capture = word(rest);
    if capture.is_empty() || !rest[capture.len()..].starts_with('}') {
        return None;
    }
    Some(Reference { name, capture: Some(capture), len: 4 + name.len() + capture.len() })
}

/// The word characters at the head of a text.
pub(super) fn word(text: &str) -> &str {
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    &text[..text.bytes().take_while(|byte| is_word(byte)).count()]
}
