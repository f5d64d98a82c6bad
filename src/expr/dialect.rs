//! Rewrites a regular expression from the dialect it was written in to that of `regex-syntax`.
//!
//! Expressions are written for RE2, as Go has it: classes such as `\w` and `\b` mean ASCII only, a
//! `{` that starts no repetition stands for itself, a `[` or `&&` within a class too, `\<` is a
//! plain `<`, and `\101` is an `A`.
//! Where a piece changes its length, the change is noted, so that places in either text can be
//! found in the other.

/// A pattern that `regex-syntax` reads as RE2 would have read the original.
#[derive(Debug)]
pub(crate) struct Rewritten {
    /// The pattern.
    pub(crate) text: String,
    /// Pairs (place in the original, place in `text`), ascending: from there on both run alike
    /// until the next pair.
    edits: Vec<(usize, usize)>,
    /// Whether the end of something was looked for that the pattern does not hold: with more text
    /// behind it, it may say something else.
    pub(crate) is_open: bool,
}

impl Rewritten {
    /// The place in the rewritten text of a place in the original.
    pub(crate) fn forward(&self, at: usize) -> usize {
        let index = self.edits.partition_point(|(from, _)| *from <= at);
        match index.checked_sub(1).map(|index| self.edits[index]) {
            Some((from, to)) => to + (at - from),
            None => at,
        }
    }

    /// The place in the original of a place in the rewritten text.
    pub(crate) fn back(&self, at: usize) -> usize {
        let index = self.edits.partition_point(|(_, to)| *to <= at);
        let (from, to) = index.checked_sub(1).map_or((0, 0), |index| self.edits[index]);
        let limit = self.edits.get(index).map_or(usize::MAX, |next| next.0);
        (from + (at - to)).min(limit)
    }
}

/// Rewrites a pattern; in a grok the references must be replaced already.
#[must_use]
pub(crate) fn rewrite(pattern: &str) -> Rewritten {
    let text = String::with_capacity(pattern.len() + pattern.len() / 2);
    let mut writer = Writer { from: pattern, at: 0, text, edits: Vec::new(), is_open: false };
    while let Some(byte) = writer.peek(0) {
        match byte {
            b'\\' => writer.escape(false),
            b'[' => writer.class(),
            b'{' if !starts_repetition(writer.rest()) => writer.replace(1, r"\{"),
            b'(' if writer.rest().starts_with("(?P<") => match writer.rest().find('>') {
                Some(end) => writer.replace(end + 1, "("),
                None => {
                    writer.is_open = true;
                    writer.copy();
                }
            },
            _ => writer.copy(),
        }
    }
    Rewritten { text: writer.text, edits: writer.edits, is_open: writer.is_open }
}

struct Writer<'p> {
    from: &'p str,
    at: usize,
    text: String,
    edits: Vec<(usize, usize)>,
    is_open: bool,
}

impl<'p> Writer<'p> {
    fn rest(&self) -> &'p str {
        self.from.get(self.at..).unwrap_or_default()
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.from.as_bytes().get(self.at + ahead).copied()
    }

    /// Copies one character.
    fn copy(&mut self) {
        if let Some(next) = self.rest().chars().next() {
            self.text.push(next);
            self.at += next.len_utf8();
        }
    }

    /// Writes `new` for the next `len` bytes.
    fn replace(&mut self, len: usize, new: &str) {
        self.at += len;
        self.text.push_str(new);
        if len != new.len() {
            self.edits.push((self.at, self.text.len()));
        }
    }

    fn escape(&mut self, in_class: bool) {
        let Some(next) = self.peek(1) else { return self.copy() };
        match (next, in_class) {
            (b'w', false) => self.replace(2, "(?-iu:[0-9A-Za-z_])"),
            (b'W', false) => self.replace(2, "(?-i:[^0-9A-Za-z_])"),
            (b'd', false) => self.replace(2, "[0-9]"),
            (b'D', false) => self.replace(2, "[^0-9]"),
            (b's', false) => self.replace(2, r"[\t\n\f\r\x20]"),
            (b'S', false) => self.replace(2, r"[^\t\n\f\r\x20]"),
            (b'b', false) => self.replace(2, r"(?-u:\b)"),
            (b'B', false) => self.replace(2, r"(?-u:\B)"),
            (b'w', true) => self.replace(2, "[:word:]"),
            (b'W', true) => self.replace(2, "[:^word:]"),
            (b'd', true) => self.replace(2, "[:digit:]"),
            (b'D', true) => self.replace(2, "[:^digit:]"),
            (b's', true) => self.replace(2, r"[\t\n\f\r\x20]"),
            (b'S', true) => self.replace(2, r"[^\t\n\f\r\x20]"),
            (b'<', _) => self.replace(2, "<"),
            (b'>', _) => self.replace(2, ">"),
            (b'Q', false) => self.quoted(),
            (b'0'..=b'7', _) => self.octal(),
            (b'x' | b'p' | b'P', _) if self.peek(2) == Some(b'{') => {
                let end = self.rest().find('}');
                self.is_open |= end.is_none();
                let len = end.map_or(2, |end| end + 1);
                self.text.push_str(&self.rest()[..len]);
                self.at += len;
            }
            _ => {
                self.copy();
                self.copy();
            }
        }
    }

    /// `\0`, `\12`, `\101`: a character by its number. A single digit but 0 would refer back to a
    /// group, which the dialect does not know either.
    fn octal(&mut self) {
        let digits = self.rest()[1..].bytes().take(3);
        let count = digits.take_while(|byte| matches!(byte, b'0'..=b'7')).count();
        let digits = &self.rest()[1..1 + count];
        let refers_back = count == 1 && digits != "0";
        match u32::from_str_radix(digits, 8) {
            Ok(number) if !refers_back => {
                self.replace(1 + count, &format!("\\x{{{number:x}}}"));
            }
            _ => {
                self.copy();
                self.copy();
            }
        }
    }

    /// `\Q...\E`: everything between stands for itself.
    fn quoted(&mut self) {
        let body = &self.rest()[2..];
        let (body, len) = match body.find("\\E") {
            Some(end) => (&body[..end], end + 4),
            None => {
                self.is_open = true;
                (body, body.len() + 2)
            }
        };
        let escaped = regex_syntax::escape(body);
        self.replace(len, &escaped);
    }

    /// A character class, up to its closing bracket.
    fn class(&mut self) {
        self.copy();
        if self.peek(0) == Some(b'^') {
            self.copy();
        }
        // A bracket that comes first does not close the class.
        let mut first = true;
        while let Some(byte) = self.peek(0) {
            match byte {
                b']' if !first => return self.copy(),
                b']' => self.replace(1, r"\]"),
                b'[' if self.peek(1) == Some(b':') && self.rest().contains(":]") => {
                    let len = self.rest().find(":]").map_or(1, |end| end + 2);
                    self.text.push_str(&self.rest()[..len]);
                    self.at += len;
                }
                b'[' => {
                    self.is_open |= self.peek(1) == Some(b':');
                    self.replace(1, r"\[");
                }
                b'&' => self.replace(1, r"\&"),
                b'~' => self.replace(1, r"\~"),
                b'-' if self.peek(1) == Some(b'-') && first => self.replace(1, r"\-"),
                b'-' if self.peek(1) == Some(b'-') => self.replace(2, r"-\-"),
                b'\\' => self.escape(true),
                _ => self.copy(),
            }
            first = false;
        }
    }
}

/// Whether a text that begins with `{` begins with a counted repetition.
fn starts_repetition(text: &str) -> bool {
    let Some(body) = text[1..].split_once('}').map(|(body, _)| body) else { return false };
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    match body.split_once(',') {
        Some((least, most)) => !least.is_empty() && digits(least) && digits(most),
        None => !body.is_empty() && digits(body),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, expected: &str) {
        assert_eq!(rewrite(pattern).text, expected);
    }

    #[test]
    fn braces_that_repeat_nothing_stand_for_themselves() {
        check("a{2}b{2,}c{2,3}", "a{2}b{2,}c{2,3}");
        check("{", r"\{");
        check("%{DATA:a-b}", r"%\{DATA:a-b}");
        check("{,3}", r"\{,3}");
        check("{a}", r"\{a}");
        check(r"\{x\}", r"\{x\}");
        check("[{]", "[{]");
        check(r"\x{41}{2}", r"\x{41}{2}");
        check("a{2}{\"x\":{\"y\"}}", "a{2}\\{\"x\":\\{\"y\"}}");
        check("é[é]{", "é[é]\\{");
        check(r"\p{Greek}{", r"\p{Greek}\{");
    }

    #[test]
    fn classes_are_ascii() {
        check(r"\w\d\b", r"(?-iu:[0-9A-Za-z_])[0-9](?-u:\b)");
        check(r"[\w-.]", "[[:word:]-.]");
        check(r"\\w", r"\\w");
        check(r"[^\s]", r"[^[\t\n\f\r\x20]]");
    }

    #[test]
    fn sets_are_not_a_notation() {
        check("[a[b]", r"[a\[b]");
        check("[]a]", r"[\]a]");
        check("[^]a]", r"[^\]a]");
        check("[a&&b~~c]", r"[a\&\&b\~\~c]");
        check("[[:alpha:]x]", "[[:alpha:]x]");
        check("[+--]", r"[+-\-]");
    }

    #[test]
    fn angle_brackets_are_plain_and_names_are_dropped() {
        check(r"\<a\>", "<a>");
        check("(?P<x>a)(?i:b)", "(a)(?i:b)");
        check(r"\Qa.b\Ec", r"a\.bc");
    }

    #[test]
    fn characters_by_their_number() {
        check(r"\101\0\12[\60-\71]", r"\x{41}\x{0}\x{a}[\x{30}-\x{39}]");
        check(r"\1018", r"\x{41}8");
        check(r"(a)\1", r"(a)\1");
        check(r"\08", r"\x{0}8");
    }

    #[test]
    fn places_are_found_in_the_other_text() {
        let rewritten = rewrite(r"a\wb{c");
        assert_eq!(&rewritten.text[rewritten.forward(3)..], r"b\{c");
        assert_eq!(rewritten.back(rewritten.forward(3)), 3);
        assert_eq!(rewritten.back(rewritten.forward(5)), 5);
        assert_eq!(rewritten.back(0), 0);
        assert_eq!(rewritten.back(5), 3);
    }
}
