//! Finding one value in JSON text without reading all of it.
//!
//! Hostile: the text is not checked, only walked. What stands before the first brace, after the
//! value, or in parts that are stepped over may be anything.

use std::borrow::Cow;

use super::read::unescape_owned;

/// One step of a path.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step<'p> {
    /// Into an object.
    Key(&'p str),
    /// Into an array.
    Index(usize),
}

/// A value as it is written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Raw<'t> {
    /// A string, without its quotes, its escapes not decoded.
    Text(&'t str),
    /// Any other value.
    Other(&'t str),
}

impl<'t> Raw<'t> {
    pub(super) fn text(self) -> &'t str {
        match self {
            Raw::Text(text) | Raw::Other(text) => text,
        }
    }
}

/// The steps of a path: keys with dots between them, each followed by any number of `[n]`.
pub(super) fn steps(path: &str) -> impl Iterator<Item = Step<'_>> {
    path.split('.').flat_map(|part| {
        let (key, indices) = part.find('[').map_or((part, ""), |at| part.split_at(at));
        let key = (!key.is_empty() || indices.is_empty()).then_some(Step::Key(key));
        let index = |text: &str| text.strip_suffix(']').and_then(|digits| digits.parse().ok());
        // What is no index is a place that no array has.
        let indices = indices
            .split('[')
            .skip(1)
            .map(move |text| Step::Index(index(text).unwrap_or(usize::MAX)));
        key.into_iter().chain(indices)
    })
}

/// The value at the end of the steps.
pub(super) fn find<'t, 'p>(
    text: &'t str,
    steps: impl Iterator<Item = Step<'p>>,
) -> Option<Raw<'t>> {
    let mut walk = Walk { text, at: 0 };
    let mut first = true;
    for step in steps {
        let opening = if matches!(step, Step::Key(_)) { b'{' } else { b'[' };
        if first {
            walk.seek(opening)?;
            first = false;
        } else {
            walk.space();
        }
        walk.expect(opening)?;
        match step {
            Step::Key(key) => walk.enter(key)?,
            Step::Index(index) => walk.advance(index)?,
        }
    }
    walk.space();
    walk.value()
}

/// A position in the text.
struct Walk<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Walk<'t> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    /// Goes to the first brace or bracket, which must be this one. What stands before it must not
    /// look like a part of an object: a colon or a key means that the beginning is missing.
    fn seek(&mut self, opening: u8) -> Option<()> {
        loop {
            match self.peek()? {
                found if found == opening => return Some(()),
                // Elements have no names.
                b'[' => self.block(b'[', b']')?,
                b'{' | b'}' | b':' => return None,
                b'"' => {
                    self.string()?;
                    self.space();
                    if self.peek()? == b':' {
                        return None;
                    }
                }
                _ => self.at += 1,
            }
        }
    }

    /// From behind an opening brace to the value of `key`.
    fn enter(&mut self, key: &str) -> Option<()> {
        loop {
            self.space();
            match self.peek()? {
                b',' => self.at += 1,
                b'"' => {
                    let name = self.string()?;
                    self.space();
                    self.expect(b':')?;
                    if name == key || (name.contains('\\') && decoded(name) == key) {
                        return Some(());
                    }
                    self.space();
                    self.skip()?;
                }
                _ => return None,
            }
        }
    }

    /// From behind an opening bracket to the element `index`.
    fn advance(&mut self, index: usize) -> Option<()> {
        for _ in 0..index {
            self.space();
            if self.peek()? == b']' {
                return None;
            }
            self.skip()?;
            self.space();
            self.expect(b',')?;
        }
        self.space();
        (self.peek()? != b']').then_some(())
    }

    /// Over a string, from its opening quote; gives what stands between the quotes.
    fn string(&mut self) -> Option<&'t str> {
        let start = self.at + 1;
        let mut at = start;
        loop {
            let bytes = self.text.as_bytes().get(at..)?;
            let step = memchr::memchr2(b'"', b'\\', bytes)?;
            at += step;
            if self.text.as_bytes().get(at) == Some(&b'"') {
                self.at = at + 1;
                return self.text.get(start..at);
            }
            at += 2;
        }
    }

    /// Over a value of any kind.
    fn skip(&mut self) -> Option<()> {
        match self.peek()? {
            b'"' => self.string().map(|_| ()),
            b'{' => self.block(b'{', b'}'),
            b'[' => self.block(b'[', b']'),
            _ => {
                self.token();
                Some(())
            }
        }
    }

    /// Over an object or array: to where as many brackets of its kind were closed as opened.
    fn block(&mut self, opening: u8, closing: u8) -> Option<()> {
        let mut depth = 0usize;
        loop {
            match self.peek()? {
                b'"' => {
                    self.string()?;
                    continue;
                }
                byte if byte == opening => depth += 1,
                byte if byte == closing => depth -= 1,
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return Some(());
            }
        }
    }

    /// Over a number or word.
    fn token(&mut self) -> &'t str {
        let start = self.at;
        while !matches!(self.peek(), None | Some(b' ' | b'\t' | b'\r' | b'\n' | b',' | b'}' | b']'))
        {
            self.at += 1;
        }
        self.text.get(start..self.at).unwrap_or_default()
    }

    fn value(&mut self) -> Option<Raw<'t>> {
        match self.peek()? {
            b'"' => self.string().map(Raw::Text),
            b'{' | b'[' => {
                let start = self.at;
                self.skip()?;
                self.text.get(start..self.at).map(Raw::Other)
            }
            _ => {
                let token = self.token();
                let known = matches!(token, "true" | "false" | "null")
                    || token.starts_with(|c: char| c == '-' || c.is_ascii_digit());
                known.then_some(Raw::Other(token))
            }
        }
    }
}

fn decoded(name: &str) -> Cow<'_, str> {
    unescape_owned(name).map_or(Cow::Borrowed(name), Cow::Owned)
}
