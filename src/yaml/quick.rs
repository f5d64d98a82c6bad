//! Reads the plain kind of document that nearly all rules are, line by line.
//!
//! Keys that are words, values on one line, literal blocks, lists and mappings by their
//! indentation, remarks. Whatever else a file holds (a flow collection, an anchor, a value over
//! several lines, a tab, a letter beyond ASCII, a mistake), it is left to the full parser from the
//! beginning. It takes a third of the time.
//!
//! Invariant: what is read here the full parser reads without a mistake, as the same tree with the
//! same places. Property tests hold the two against each other.

use super::load::MAX_DEPTH;
use super::node::{Key, Kind, Node, Style};
use super::places::Places;

/// The longest key; the parser takes 1024 bytes.
const LONGEST_KEY: usize = 128;

/// The documents of a file; `None` when it must be parsed.
pub(super) fn read(text: &str) -> Option<Vec<Node>> {
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~' | b'\n');
    if !text.bytes().all(is_plain) {
        return None;
    }
    let mut reader = Reader { text, at: 0, depth: 0 };
    let mut documents = Vec::new();
    loop {
        if let Some(line) = reader.next_line() {
            // Anything else than a document that begins at the margin is rare.
            if line.column != 0 {
                return None;
            }
            documents.push(reader.node(line)?);
        }
        if reader.next_line().is_some() {
            return None;
        }
        if !reader.skip_separator() {
            return Some(documents);
        }
    }
}

struct Reader<'t> {
    text: &'t str,
    /// The beginning of a line.
    at: usize,
    depth: usize,
}

/// The rest of a line from its first character that is no blank.
#[derive(Clone, Copy)]
struct Line<'t> {
    text: &'t str,
    start: usize,
    column: usize,
}

impl<'t> Line<'t> {
    /// Without its first bytes and the blanks behind them.
    fn after(self, length: usize) -> Self {
        let text = self.text.get(length..).unwrap_or_default();
        let rest = text.trim_start_matches(' ');
        let moved = length + text.len() - rest.len();
        Self { text: rest, start: self.start + moved, column: self.column + moved }
    }

    /// Whether nothing is left of it but a remark; what is before it ends with a blank.
    fn is_over(self) -> bool {
        self.text.is_empty() || self.text.starts_with('#')
    }

    fn is_item(self) -> bool {
        self.text == "-" || self.text.starts_with("- ")
    }

    /// The key that it begins with, a word, and how long it is with its colon.
    fn key(self) -> Option<(&'t str, usize)> {
        let is_word =
            |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
        let length = self.text.bytes().take_while(|byte| is_word(byte)).count();
        let (key, rest) = self.text.split_at(length);
        let begins = key.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
        let behind = rest.trim_start_matches(' ').strip_prefix(':')?;
        let ends = behind.is_empty() || behind.starts_with(' ');
        let length = self.text.len() - behind.len();
        (begins && ends && length <= LONGEST_KEY).then_some((key, length))
    }
}

impl<'t> Reader<'t> {
    /// The line at this place, without its end, and the place of the next one.
    fn raw_line(&self) -> Option<(&'t str, usize)> {
        let rest = self.text.get(self.at..).filter(|rest| !rest.is_empty())?;
        let end = memchr::memchr(b'\n', rest.as_bytes());
        Some((&rest[..end.unwrap_or(rest.len())], self.at + end.map_or(rest.len(), |end| end + 1)))
    }

    /// The next line that says something, if the document goes on. It stays the next one until it
    /// is taken.
    fn next_line(&mut self) -> Option<Line<'t>> {
        loop {
            let (raw, next) = self.raw_line()?;
            let line = Line { text: raw, start: self.at, column: 0 }.after(0);
            if !line.is_over() {
                return (raw != "---").then_some(line);
            }
            self.at = next;
        }
    }

    /// Goes past the line that a document ends with; false at the end of the file.
    fn skip_separator(&mut self) -> bool {
        let Some((_, next)) = self.raw_line() else { return false };
        self.at = next;
        true
    }

    fn take_line(&mut self) {
        self.at = self.raw_line().map_or(self.text.len(), |(_, next)| next);
    }

    /// The mapping or the list that begins with this line, the next one.
    fn node(&mut self, line: Line<'t>) -> Option<Node> {
        self.depth += 1;
        if self.depth >= MAX_DEPTH {
            return None;
        }
        let node = if line.is_item() { self.sequence(line) } else { self.mapping(line) };
        self.depth -= 1;
        node
    }

    fn mapping(&mut self, first: Line<'t>) -> Option<Node> {
        let mut entries: Vec<(Key, Node)> = Vec::new();
        let mut line = first;
        loop {
            let (text, length) = line.key()?;
            if entries.iter().any(|(key, _)| key.text == text) {
                return None;
            }
            self.take_line();
            let key = Key { text: text.to_owned(), span: line.start..line.start + text.len() };
            let value = line.after(length);
            let value = if value.is_over() {
                let next = self.next_line()?;
                // A list may stand below its key.
                let is_below = next.column == first.column && next.is_item();
                if next.column <= first.column && !is_below {
                    return None;
                }
                let mut node = self.node(next)?;
                if is_below {
                    // The parser sees such a list begin with its first item.
                    node.span.start = next.after(1).start;
                }
                node
            } else {
                self.scalar(value, first.column)?
            };
            entries.push((key, value));
            match self.next_line() {
                Some(next) if next.column > first.column => return None,
                Some(next) if next.column == first.column => line = next,
                _ => break,
            }
        }
        let end = entries.last().map_or(first.start, |(_, value)| value.span.end);
        let (kind, places) = (Kind::Mapping(entries), Places::default());
        Some(Node { span: first.start..end, kind, places })
    }

    fn sequence(&mut self, first: Line<'t>) -> Option<Node> {
        let mut items = Vec::new();
        let mut line = first;
        loop {
            let item = line.after(1);
            if item.is_over() || item.is_item() {
                return None;
            }
            items.push(if item.key().is_some() {
                self.node(item)?
            } else {
                self.take_line();
                self.scalar(item, first.column)?
            });
            match self.next_line() {
                Some(next) if next.column > first.column => return None,
                Some(next) if next.column == first.column && next.is_item() => line = next,
                _ => break,
            }
        }
        let end = items.last().map_or(first.start, |item: &Node| item.span.end);
        let (kind, places) = (Kind::Sequence(items), Places::default());
        Some(Node { span: first.start..end, kind, places })
    }

    /// The value at the end of a line that was taken; it belongs to what stands at `column`.
    fn scalar(&mut self, line: Line<'t>, column: usize) -> Option<Node> {
        let (text, style, length) = match *line.text.as_bytes().first()? {
            b'|' => return self.block(line.text.trim_end_matches(' '), column),
            b'\'' => {
                let (text, length) = single_quoted(line.text)?;
                (text, Style::SingleQuoted, length)
            }
            b'"' => {
                let (text, length) = double_quoted(line.text)?;
                (text, Style::DoubleQuoted, length)
            }
            b'-' | b'?' | b':' | b',' | b'[' | b']' | b'{' | b'}' | b'#' | b'&' | b'*' | b'!'
            | b'>' | b'%' | b'@' | b'`' => return None,
            _ => {
                let text = plain(line.text)?;
                (text.to_owned(), Style::Plain, text.len())
            }
        };
        let rest = line.after(length);
        let is_apart = rest.start > line.start + length || rest.text.is_empty();
        if !rest.is_over() || !is_apart {
            return None;
        }
        let (start, end) = (line.start, line.start + length);
        let places = Places::of(line.text.get(..length)?, start, &text, style);
        Some(Node { span: start..end, kind: Kind::Scalar { text, style }, places })
    }

    /// The literal block below a line that ends with `header`.
    fn block(&mut self, header: &str, column: usize) -> Option<Node> {
        let is_stripped = match header {
            "|" => false,
            "|-" => true,
            _ => return None,
        };
        let blanks = |line: &str| line.len() - line.trim_start_matches(' ').len();
        let (first, _) = self.raw_line()?;
        let indent = blanks(first);
        if indent <= column || indent == first.len() {
            return None;
        }
        let start = self.at + indent;
        let (mut end, mut text) = (start, String::new());
        let (mut n_empty, mut behind) = (0, 0);
        while let Some((line, next)) = self.raw_line() {
            let n_blanks = blanks(line);
            if n_blanks == line.len() {
                if n_blanks > indent {
                    return None;
                }
                n_empty += 1;
            } else if n_blanks < indent {
                if n_blanks > column {
                    return None;
                }
                behind = n_blanks;
                break;
            } else {
                (0..n_empty).for_each(|_| text.push('\n'));
                n_empty = 0;
                text.push_str(&line[indent..]);
                text.push('\n');
                end = self.at + line.trim_end_matches(' ').len();
                // What a last line without an end means differs.
                if next == self.at + line.len() {
                    return None;
                }
            }
            self.at = next;
        }
        if is_stripped {
            text.pop();
        }
        // The parser goes on to what follows; the span ends with the last word.
        let source = self.text.get(start..self.at + behind).unwrap_or_default();
        let style = Style::Literal;
        let places = Places::of(source, start, &text, style);
        Some(Node { span: start..end, kind: Kind::Scalar { text, style }, places })
    }
}

/// The plain text at the head of a line, before blanks and a remark; `None` when it is a key.
fn plain(line: &str) -> Option<&str> {
    let bytes = line.as_bytes();
    for at in memchr::memchr2_iter(b'#', b':', bytes) {
        match bytes[at] {
            b'#' if bytes[..at].ends_with(b" ") => return Some(line[..at].trim_end_matches(' ')),
            b':' if matches!(bytes.get(at + 1), None | Some(b' ')) => return None,
            _ => {}
        }
    }
    Some(line.trim_end_matches(' '))
}

/// The text in single quotes at the head of a line, and how long it is as written.
fn single_quoted(line: &str) -> Option<(String, usize)> {
    let mut text = String::new();
    let mut at = 1;
    loop {
        let rest = line.get(at..)?;
        let end = rest.find('\'')?;
        text.push_str(&rest[..end]);
        at += end + 1;
        if !rest[end + 1..].starts_with('\'') {
            return Some((text, at));
        }
        text.push('\'');
        at += 1;
    }
}

/// The same in double quotes, with the commonest escapes.
fn double_quoted(line: &str) -> Option<(String, usize)> {
    let mut text = String::new();
    let mut at = 1;
    loop {
        let rest = line.get(at..)?;
        let end = rest.find(['"', '\\'])?;
        text.push_str(&rest[..end]);
        at += end + 1;
        if rest[end..].starts_with('"') {
            return Some((text, at));
        }
        text.push(match rest.as_bytes().get(end + 1)? {
            b'\\' => '\\',
            b'"' => '"',
            b'n' => '\n',
            b't' => '\t',
            _ => return None,
        });
        at += 1;
    }
}

#[cfg(test)]
mod tests;
