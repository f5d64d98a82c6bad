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
    /// The regular expression.
    pub(super) text: String,
    /// What it captures; no name occurs twice.
    pub(super) captures: Vec<Capture>,
    /// Pairs (place in `text`, place in the source), ascending.
    places: Vec<(usize, usize)>,
    /// Texts that look like references but are not, by their place in the source.
    pub(super) doubtful: Vec<Range<usize>>,
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

/// Replaces the references in `pattern`; `find` gives the patterns that are known.
pub(super) fn expand<'l>(
    pattern: &str,
    find: impl Fn(&str) -> Option<&'l Expansion>,
) -> Result<Expansion, Trouble> {
    let mut whole = Expansion::default();
    let mut own: Vec<Capture> = Vec::new();
    let mut at = 0;
    while let Some(found) = pattern.get(at..).and_then(|rest| rest.find("%{")) {
        let start = at + found;
        let Some(reference) = reference(&pattern[start..]) else {
            if let Some(end) = pattern[start..].find('}') {
                whole.doubtful.push(start..start + end + 1);
            }
            whole.literal(pattern, at..start + 2);
            at = start + 2;
            continue;
        };
        whole.literal(pattern, at..start);
        at = start + reference.len;
        let inner = find(reference.name)
            .ok_or_else(|| Trouble::Unknown(reference.name.to_owned(), start..at))?;
        if whole.text.len() + inner.text.len() > LONGEST {
            return Err(Trouble::TooLong);
        }
        let open = whole.text.len();
        whole.places.push((open, start));
        whole.text.push('(');
        whole.text.push_str(&inner.text);
        whole.text.push(')');
        for capture in &inner.captures {
            put(&mut whole.captures, &capture.name, open + 1 + capture.at);
        }
        if let Some(name) = reference.capture {
            put(&mut own, name, open);
        }
    }
    whole.literal(pattern, at..pattern.len());
    // A name that this level gives itself hides the same name inside its references.
    for capture in own {
        put(&mut whole.captures, &capture.name, capture.at);
    }
    Ok(whole)
}

impl Expansion {
    fn literal(&mut self, pattern: &str, range: Range<usize>) {
        if !range.is_empty() {
            self.places.push((self.text.len(), range.start));
            self.text.push_str(&pattern[range]);
        }
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
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(text.len());
    &text[..end]
}
