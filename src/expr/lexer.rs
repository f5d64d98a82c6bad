//! Text to tokens.
//!
//! Every mistake that can be seen here is collected; the tokens around it stay usable, so that
//! one bad escape does not hide the next.

use std::borrow::Cow;

use super::Mistake;
use super::ast::Span;

/// The longest expression, in bytes. The longest in the wild is forty kilobytes.
pub(super) const LONGEST: usize = 1 << 20;

/// A word, a literal or a sign.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token<'t> {
    pub(super) span: Span,
    pub(super) kind: Kind<'t>,
}

/// The forms of a token.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind<'t> {
    Name(&'t str),
    Int(i64),
    Float(f64),
    Text(Cow<'t, str>),
    /// `b"..."`
    Bytes(Vec<u8>),
    /// A sign, or a word that is an operator.
    Sign(&'static str),
    End,
}

const WORDS: &[&str] = &[
    "not",
    "in",
    "or",
    "and",
    "matches",
    "contains",
    "startsWith",
    "endsWith",
    "let",
    "if",
    "else",
];

/// The sign that a text begins with, the longest one.
fn sign_of(text: &[u8]) -> Option<&'static str> {
    let next = text.get(1).copied().unwrap_or_default();
    Some(match (*text.first()?, next) {
        (b'&', b'&') => "&&",
        (b'|', b'|') => "||",
        (b'=', b'=') => "==",
        (b'!', b'=') => "!=",
        (b'<', b'=') => "<=",
        (b'>', b'=') => ">=",
        (b'.', b'.') => "..",
        (b'*', b'*') => "**",
        (b'?', b'?') => "??",
        (b'?', b'.') => "?.",
        (b'(', _) => "(",
        (b')', _) => ")",
        (b'[', _) => "[",
        (b']', _) => "]",
        (b'{', _) => "{",
        (b'}', _) => "}",
        (b',', _) => ",",
        (b';', _) => ";",
        (b':', _) => ":",
        (b'?', _) => "?",
        (b'.', _) => ".",
        (b'#', _) => "#",
        (b'|', _) => "|",
        (b'!', _) => "!",
        (b'<', _) => "<",
        (b'>', _) => ">",
        (b'+', _) => "+",
        (b'-', _) => "-",
        (b'*', _) => "*",
        (b'/', _) => "/",
        (b'%', _) => "%",
        (b'^', _) => "^",
        (b'=', _) => "=",
        _ => return None,
    })
}

/// Cuts `text` into tokens; the last is always [`Kind::End`].
pub(super) fn tokens(text: &str) -> (Vec<Token<'_>>, Vec<Mistake>) {
    // A token is rarely shorter than four bytes with what is around it.
    let tokens = Vec::with_capacity(text.len().min(LONGEST) / 4 + 2);
    let mut lexer = Lexer { text, at: 0, tokens, mistakes: Vec::new() };
    if text.len() > LONGEST {
        lexer.mistake(
            0..text.len(),
            format!("expression of {} bytes, longer than {LONGEST}", text.len()),
            Some("put long lists of words into a data file and use `File(\"...\")`".to_owned()),
        );
        lexer.at = text.len();
    }
    while lexer.token() {}
    lexer.push(text.len(), Kind::End);
    (lexer.tokens, lexer.mistakes)
}

/// Whether `name` is an operator or a literal, and so no name of a variable.
pub(super) fn is_reserved(name: &str) -> bool {
    WORDS.contains(&name) || matches!(name, "true" | "false" | "nil")
}

fn starts_name(letter: char) -> bool {
    letter == '_' || letter == '$' || letter.is_alphabetic()
}

fn continues_name(letter: char) -> bool {
    starts_name(letter) || letter.is_numeric()
}

/// How much of a text stands for itself before its quote, an escape or the end of a line.
fn run_of(text: &str, quote: char) -> usize {
    let is_special = |byte: u8| matches!(byte, b'\\' | b'\n' | b'\r') || char::from(byte) == quote;
    text.bytes().position(is_special).unwrap_or(text.len())
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
    tokens: Vec<Token<'t>>,
    mistakes: Vec<Mistake>,
}

impl<'t> Lexer<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn push(&mut self, start: usize, kind: Kind<'t>) {
        self.tokens.push(Token { span: Span::new(start, self.at), kind });
    }

    fn mistake(&mut self, span: std::ops::Range<usize>, message: String, help: Option<String>) {
        self.mistakes.push(Mistake { span, message, help });
    }

    fn skip_while(&mut self, keep: impl Fn(char) -> bool) {
        let rest = self.rest();
        self.at += rest.find(|letter| !keep(letter)).unwrap_or(rest.len());
    }

    /// Skips what a name goes on with, quickly while that is ASCII.
    fn skip_name(&mut self) {
        let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$');
        self.at += self.rest().bytes().take_while(is_plain).count();
        if self.peek().is_some_and(continues_name) {
            self.skip_while(continues_name);
        }
    }

    /// Reads one token, comment or run of white space; false at the end.
    fn token(&mut self) -> bool {
        let start = self.at;
        let Some(first) = self.peek() else { return false };
        match first {
            ' ' | '\t' | '\n' | '\r' => {
                let is_space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
                self.at += self.rest().bytes().take_while(is_space).count();
            }
            '"' | '\'' => self.text(first),
            'b' if self.rest()[1..].starts_with(['"', '\'']) => self.bytes(),
            '`' => self.raw(),
            '0'..='9' => self.number(),
            '.' if self.rest()[1..].starts_with(|c: char| c.is_ascii_digit()) => self.number(),
            '/' if self.rest().starts_with("//") => self.skip_while(|c| c != '\n'),
            '/' if self.rest().starts_with("/*") => match self.rest().find("*/") {
                Some(end) => self.at += end + 2,
                None => {
                    self.at = self.text.len();
                    let span = start..start + 2;
                    self.mistake(span, "comment without an end, expected `*/`".to_owned(), None);
                }
            },
            letter if starts_name(letter) => self.word(),
            other => match sign_of(self.rest().as_bytes()) {
                Some(sign) => {
                    self.at += sign.len();
                    self.push(start, Kind::Sign(sign));
                }
                None => {
                    self.at += other.len_utf8();
                    let help = match other {
                        '&' => Some("write `&&` or `and`".to_owned()),
                        '~' => {
                            Some("write `matches` to search with a regular expression".to_owned())
                        }
                        _ => None,
                    };
                    let message = format!("unexpected character `{}`", other.escape_debug());
                    self.mistake(start..self.at, message, help);
                }
            },
        }
        true
    }

    fn word(&mut self) {
        let start = self.at;
        self.skip_name();
        let word = &self.text[start..self.at];
        // After a dot every word is the name of a field.
        let is_field =
            matches!(self.tokens.last(), Some(Token { kind: Kind::Sign("." | "?."), .. }));
        match WORDS.iter().find(|known| !is_field && **known == word) {
            Some(known) => self.push(start, Kind::Sign(known)),
            _ => self.push(start, Kind::Name(word)),
        }
    }

    fn number(&mut self) {
        let start = self.at;
        let digits = |c: char| c.is_ascii_digit() || c == '_';
        let radix = match self.rest().as_bytes() {
            [b'0', b'x' | b'X', ..] => 16,
            [b'0', b'o' | b'O', ..] => 8,
            [b'0', b'b' | b'B', ..] => 2,
            _ => 10,
        };
        let mut is_float = false;
        if radix == 10 {
            self.skip_while(digits);
            if self.rest().starts_with('.') && !self.rest().starts_with("..") {
                is_float = true;
                self.at += 1;
                self.skip_while(digits);
            }
            if self.rest().starts_with(['e', 'E']) {
                let sign = usize::from(self.rest()[1..].starts_with(['+', '-']));
                if self.rest()[1 + sign..].starts_with(|c: char| c.is_ascii_digit()) {
                    is_float = true;
                    self.at += 1 + sign;
                    self.skip_while(digits);
                }
            }
        } else {
            self.at += 2;
            self.skip_while(|c| c.is_ascii_hexdigit() || c == '_');
        }
        let written = &self.text[start..self.at];
        if self.peek().is_some_and(continues_name) {
            self.skip_while(continues_name);
            let message = format!("bad number `{}`", &self.text[start..self.at]);
            let help = Some("a name cannot begin with a digit; put text into quotes".to_owned());
            self.mistake(start..self.at, message, help);
            return self.push(start, Kind::Int(0));
        }
        let plain: String = written.chars().filter(|c| *c != '_').collect();
        let kind = if is_float {
            plain.parse().ok().filter(|number: &f64| number.is_finite()).map(Kind::Float)
        } else if radix == 10 {
            plain.parse().ok().map(Kind::Int)
        } else {
            i64::from_str_radix(&plain[2..], radix).ok().map(Kind::Int)
        };
        match kind {
            Some(kind) => self.push(start, kind),
            None => {
                let message = format!("number `{written}` cannot be read or is too large");
                self.mistake(start..self.at, message, None);
                self.push(start, Kind::Int(0));
            }
        }
    }

    fn raw(&mut self) {
        let start = self.at;
        self.at += 1;
        let mut text = Cow::Borrowed("");
        loop {
            let Some(end) = self.rest().find('`') else {
                self.at = self.text.len();
                let message = "text without an end, expected a closing backquote".to_owned();
                self.mistake(start..start + 1, message, None);
                break;
            };
            // What is one piece is borrowed.
            text += &self.rest()[..end];
            self.at += end + 1;
            if !self.rest().starts_with('`') {
                break;
            }
            text += "`";
            self.at += 1;
        }
        self.push(start, Kind::Text(text));
    }

    fn text(&mut self, quote: char) {
        let start = self.at;
        // Without an escape it is a piece of the expression.
        let inner = &self.rest()[1..];
        let end = run_of(inner, quote);
        if inner[end..].starts_with(quote) {
            self.at += 1 + end + 1;
            return self.push(start, Kind::Text(Cow::Borrowed(&inner[..end])));
        }
        let mut text = String::new();
        self.quoted(start, quote, |piece, _| {
            text.push_str(piece);
            true
        });
        self.push(start, Kind::Text(Cow::Owned(text)));
    }

    /// `b"..."`: a list of bytes. An escape is one of them, any other character those of its UTF-8.
    fn bytes(&mut self) {
        let start = self.at;
        self.at += 1;
        let quote = if self.rest().starts_with('"') { '"' } else { '\'' };
        let mut bytes = Vec::new();
        self.quoted(start, quote, |piece, is_escape| {
            if !is_escape {
                bytes.extend(piece.bytes());
                return true;
            }
            let byte = piece.chars().next().and_then(|letter| u8::try_from(letter).ok());
            bytes.extend(byte);
            byte.is_some()
        });
        self.push(start, Kind::Bytes(bytes));
    }

    /// Gives the pieces between quotes, and whether each is a character that was written as an
    /// escape, to `take`, which says whether it can take it.
    fn quoted(&mut self, start: usize, quote: char, mut take: impl FnMut(&str, bool) -> bool) {
        self.at += 1;
        loop {
            let from = self.at;
            match self.peek() {
                Some(c) if c == quote => {
                    self.at += 1;
                    break;
                }
                None | Some('\n' | '\r') => {
                    let message = format!("text without an end, expected a closing `{quote}`");
                    let help = "text over several lines goes into backquotes".to_owned();
                    self.mistake(start..start + 1, message, Some(help));
                    break;
                }
                Some('\\') => match self.escape(quote) {
                    Some(c) if take(c.encode_utf8(&mut [0; 4]), true) => {}
                    _ => self.bad_escape(from),
                },
                Some(_) => {
                    let run = &self.rest()[..run_of(self.rest(), quote)];
                    self.at += run.len();
                    take(run, false);
                }
            }
        }
    }

    fn bad_escape(&mut self, from: usize) {
        // At least the backslash was read.
        self.at = self.at.max(from + 1);
        let mut written = &self.text[from..self.at];
        if written.len() == 1 {
            let next = self.peek().filter(|c| !matches!(c, '\n' | '\r'));
            self.at += next.map_or(0, char::len_utf8);
            written = &self.text[from..self.at];
        }
        let message = format!("unknown escape `{written}`");
        let help = "double the backslash, as regular expressions in quotes need it, or use \
                    backquotes"
            .to_owned();
        self.mistake(from..self.at, message, Some(help));
    }

    /// The character that an escape stands for; leaves `at` behind what was understood.
    fn escape(&mut self, quote: char) -> Option<char> {
        let mut letters = self.rest().char_indices().skip(1);
        let (_, letter) = letters.next()?;
        let simple = match letter {
            'a' => Some('\x07'),
            'b' => Some('\x08'),
            'f' => Some('\x0c'),
            'n' => Some('\n'),
            'r' => Some('\r'),
            't' => Some('\t'),
            'v' => Some('\x0b'),
            '\\' => Some('\\'),
            c if c == quote => Some(quote),
            _ => None,
        };
        if simple.is_some() {
            self.at += 1 + letter.len_utf8();
            return simple;
        }
        let body = self.rest().get(2..)?;
        let (digits, radix, skip) = match letter {
            'x' | 'X' => (body.get(..2)?, 16, 4),
            'u' if body.starts_with('{') => {
                let end = body.find('}').filter(|end| (2..=7).contains(end))?;
                (&body[1..end], 16, 2 + end + 1)
            }
            'u' => (body.get(..4)?, 16, 6),
            'U' => (body.get(..8)?, 16, 10),
            '0'..='3' => (self.rest().get(1..4)?, 8, 4),
            _ => return None,
        };
        if !digits.bytes().all(|b| char::from(b).is_digit(radix)) {
            return None;
        }
        let c = char::from_u32(u32::from_str_radix(digits, radix).ok()?)?;
        self.at += skip;
        Some(c)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let (tokens, mistakes) = tokens(text);
        let mut shown: Vec<String> = tokens
            .iter()
            .map(|token| match &token.kind {
                Kind::Name(name) => format!("name {name}"),
                Kind::Int(n) => n.to_string(),
                Kind::Float(n) => format!("{n:?}"),
                Kind::Text(text) => format!("{text:?}"),
                Kind::Bytes(bytes) => format!("{bytes:?}"),
                Kind::Sign(sign) => (*sign).to_owned(),
                Kind::End => "end".to_owned(),
            })
            .collect();
        shown.extend(mistakes.iter().map(|m| format!("mistake {:?} {}", m.span, m.message)));
        assert_eq!(shown.join(" "), expected);
    }

    #[test]
    fn cuts_text_into_tokens() {
        check("evt.Parsed.x == 'a'", "name evt . name Parsed . name x == \"a\" end");
        check("a.matches matches b?.in", "name a . name matches matches name b ?. name in end");
        check(
            "1_000 0x2A 0o52 0b101 0.5 .5 1e9 1.5e-3",
            "1000 42 42 5 0.5 0.5 1000000000.0 0.0015 end",
        );
        check("1..3", "1 .. 3 end");
        check("a // b\n/* c */ d", "name a name d end");
        check("`a\\d``b`", "\"a\\\\d`b\" end");
        check(r#"'\'' "\"" "\x41\u0042\u{43}\U00000044\101\t""#, "\"'\" \"\\\"\" \"ABCDA\\t\" end");
        check(r#"b"a\x80\n" b'é\'' b"#, "[97, 128, 10] [195, 169, 39] name b end");
        check("{#.x ?? #index}", "{ # . name x ?? # name index } end");
    }

    #[test]
    fn collects_all_mistakes() {
        check(
            r#""\." + "\d""#,
            "\"\" + \"\" end mistake 1..3 unknown escape `\\.` mistake 8..10 unknown escape `\\d`",
        );
        check(r#"b"\u0100""#, "[] end mistake 2..8 unknown escape `\\u0100`");
        check("12abc", "0 end mistake 0..5 bad number `12abc`");
        check("'abc", "\"abc\" end mistake 0..1 text without an end, expected a closing `'`");
        check("a @ b", "name a name b end mistake 2..3 unexpected character `@`");
        check("/* a", "end mistake 0..2 comment without an end, expected `*/`");
        check(r#""\'""#, "\"\" end mistake 1..3 unknown escape `\\'`");
        check(
            "\"\\",
            "\"\" end mistake 1..2 unknown escape `\\` mistake 0..1 text without an end, expected a closing `\"`",
        );
        check(
            "99999999999999999999",
            "0 end mistake 0..20 number `99999999999999999999` cannot be read or is too large",
        );
        check(r#""\ud800""#, "\"d800\" end mistake 1..3 unknown escape `\\u`");
    }
}
