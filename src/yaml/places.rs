//! Where in the file each byte of a scalar's text was written.
//!
//! The scalar is read a second time, beside the text that the parser made of it. Where the two go
//! in step a segment is kept; at the first disagreement the known part ends. So a place is exact
//! or not given, whatever the parser did. Most scalars are written as they read: one comparison
//! tells.

use super::node::Style;

/// The way from a scalar's text back to the file.
#[derive(Clone, Debug, Default)]
pub(super) struct Places {
    /// First byte of the text, first byte of the file; holds until the next segment. Kept apart
    /// from the others, since most scalars have no others.
    first: Option<(usize, usize)>,
    more: Vec<(usize, usize)>,
    /// The places are known up to this byte of the text.
    end: usize,
}

impl Places {
    /// Reads the scalar written at byte `at` of the file as `source`, whose text is `text`.
    pub(super) fn of(source: &str, at: usize, text: &str, style: Style) -> Self {
        let (source, at) = match style {
            Style::SingleQuoted | Style::DoubleQuoted => match source.get(1..) {
                Some(inner) => (inner, at + 1),
                None => return Self::default(),
            },
            _ => (source, at),
        };
        if reads_as_written(source, text, style) {
            return Self { first: Some((0, at)), more: Vec::new(), end: text.len() };
        }
        Self::read(source, at, text, style)
    }

    /// Reads the scalar character by character; quoted ones without their first quote.
    fn read(source: &str, at: usize, text: &str, style: Style) -> Self {
        let mut places = Self::default();
        match style {
            Style::Literal | Style::Folded => places.block(source, at, text, style),
            _ => places.flow(source, at, text, style),
        }
        places
    }

    /// The byte of the file that byte `offset` of the text came from.
    pub(super) fn locate(&self, offset: usize) -> Option<usize> {
        if offset > self.end {
            return None;
        }
        let after = self.more.partition_point(|(start, _)| *start <= offset);
        let (start, file) = match after.checked_sub(1) {
            Some(last) => self.more.get(last).copied()?,
            None => self.first.filter(|(start, _)| *start <= offset)?,
        };
        Some(file + (offset - start))
    }

    fn step(&mut self, text: usize, file: usize) {
        match self.more.last().or(self.first.as_ref()) {
            Some((t, f)) if f + (text - t) == file => {}
            Some(_) => self.more.push((text, file)),
            None => self.first = Some((text, file)),
        }
        self.end = text;
    }

    /// Plain and quoted scalars, which fold line breaks.
    fn flow(&mut self, source: &str, at: usize, text: &str, style: Style) {
        let (mut from, mut to) = (0, 0);
        loop {
            self.step(to, at + from);
            let (Some(rest), Some(wanted)) = (source.get(from..), text.get(to..)) else { return };
            let Some(next) = rest.chars().next() else { return };
            let blanks = rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
            if blanks > 0 {
                let breaks = rest[..blanks].matches('\n').count();
                let folded = match breaks {
                    0 if wanted.starts_with(&rest[..blanks]) => blanks,
                    1 if wanted.starts_with(' ') => 1,
                    2.. if wanted.bytes().take_while(|b| *b == b'\n').count() >= breaks - 1 => {
                        breaks - 1
                    }
                    _ => return,
                };
                from += blanks;
                to += folded;
                continue;
            }
            let Some(made) = wanted.chars().next() else { return };
            let written = match (style, next) {
                (Style::SingleQuoted, '\'') => 2,
                (Style::DoubleQuoted, '\\') => match escape(rest) {
                    Some(written) => written,
                    None => return,
                },
                _ if next == made => next.len_utf8(),
                _ => return,
            };
            from += written;
            to += made.len_utf8();
        }
    }

    /// Block scalars: literal ones line by line, folded ones word by word. The source begins with
    /// the first character of the first line that is not empty.
    fn block(&mut self, source: &str, at: usize, text: &str, style: Style) {
        let (mut from, mut to) = (0, text.bytes().take_while(|b| *b == b'\n').count());
        if to == text.len() {
            return;
        }
        for line in source.split_inclusive('\n') {
            let content = line.trim_end_matches(['\r', '\n']);
            let Some(wanted) = text.get(to..) else { return };
            if style == Style::Literal {
                let made = wanted.split('\n').next().unwrap_or_default();
                if content.trim().is_empty() && made.is_empty() {
                    self.step(to, at + from + content.len());
                } else if content.ends_with(made) {
                    self.step(to, at + from + content.len() - made.len());
                } else {
                    return;
                }
                to += made.len();
                self.end = to;
                to += 1;
            } else {
                let words = content.trim();
                let skipped = wanted.len() - wanted.trim_start().len();
                if !words.is_empty() {
                    let Some(made) = wanted.get(skipped..) else { return };
                    if !made.starts_with(words) {
                        return;
                    }
                    let indent = content.len() - content.trim_start().len();
                    self.step(to + skipped, at + from + indent);
                    to += skipped + words.len();
                    self.end = to;
                }
            }
            from += line.len();
        }
    }
}

/// Whether a scalar on one line, without its first quote, is written byte by byte as it reads.
fn reads_as_written(source: &str, text: &str, style: Style) -> bool {
    let bytes = text.as_bytes();
    let special = match style {
        Style::Plain => memchr::memchr2(b'\n', b'\r', bytes),
        Style::SingleQuoted => memchr::memchr3(b'\n', b'\r', b'\'', bytes),
        Style::DoubleQuoted => memchr::memchr3(b'\n', b'\r', b'\\', bytes),
        Style::Literal | Style::Folded => return false,
    };
    // Blanks at the end are told from those of a line break by what follows.
    special.is_none() && source.starts_with(text) && !text.ends_with([' ', '\t'])
}

/// The length of the escape sequence that `source` begins with; `None` for an escaped line break.
fn escape(source: &str) -> Option<usize> {
    let named = source[1..].chars().next()?;
    match named {
        'x' => Some(4),
        'u' => {
            // A pair of surrogates is one character.
            let high = source.get(2..6).and_then(|hex| u16::from_str_radix(hex, 16).ok());
            Some(if high.is_some_and(|high| (0xD800..0xDC00).contains(&high)) { 12 } else { 6 })
        }
        'U' => Some(10),
        '\n' | '\r' => None,
        other => Some(1 + other.len_utf8()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The quick way to see that a scalar reads as it is written says what reading it says.
        #[test]
        fn what_reads_as_written_is_where_it_is(
            source in "[a '\"\\\\\n\té]{0,8}",
            text in "[a '\"\\\\\n\té]{0,8}",
            cut in 0..9_usize,
            style in prop::sample::select(
                vec![Style::Plain, Style::SingleQuoted, Style::DoubleQuoted]
            ),
        ) {
            let head = source.get(..cut.min(source.len())).unwrap_or_default();
            for text in [&text, head] {
                if reads_as_written(&source, text, style) {
                    let read = Places::read(&source, 7, text, style);
                    prop_assert_eq!((read.first, read.end), (Some((0, 7)), text.len()));
                    prop_assert!(read.more.is_empty());
                }
            }
        }
    }
}
