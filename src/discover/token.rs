//! A message taken apart: words, numbers, addresses, times, quoted texts and what stands between.
//!
//! The tokens of a message are pieces of it that together are the whole of it, so a pattern that is
//! made of them matches the message again. Nothing here knows what a program is, or a rule.

use std::net::IpAddr;
use std::sync::LazyLock;

use regex::Regex;

use crate::value::parse_address;

/// Hostile: what follows so many tokens is one.
pub(super) const MOST: usize = 160;

/// A quoted text is not longer, in bytes.
const LONGEST_QUOTED: usize = 2048;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// White space: what a pattern's `\s` is.
    Space,
    /// One character that separates.
    Punct,
    /// Anything that is none of the following.
    Word,
    /// A decimal number, perhaps with a sign and a fraction.
    Number,
    /// An IPv4 or IPv6 address, perhaps in square brackets.
    Address,
    /// A point in time.
    Time(Clock),
    /// Hexadecimal digits, a UUID, or digits with signs between.
    Id,
    /// An absolute path, perhaps with a query.
    Path,
    /// A URL.
    Url,
    /// A host name with a dot in it.
    Host,
    /// A text in quotes, with them.
    Quoted,
    /// `-` for nothing.
    Absent,
    /// All that follows the last token that is looked at.
    Rest,
}

/// How a time is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Clock {
    /// `2026-11-23T22:00:00.123+01:00`, also with a space and without a zone.
    Iso,
    /// `2026/11/23 22:00:00`.
    Slashes,
    /// `23/Nov/2026:22:00:00 +0100`.
    Http,
    /// `Nov 23 22:00:00`.
    Month,
    /// `Mon Nov 23 22:00:00 2026`.
    Day,
    /// `22:00:00`.
    Hours,
}

/// A piece of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token<'m> {
    /// What it is.
    pub kind: Kind,
    /// As written.
    pub text: &'m str,
}

impl Token<'_> {
    /// The address that it is, as the number it stands for: an IPv4 address in an IPv6 one is
    /// itself.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        address_of(self.text)
    }
}

/// The address that `text` is, with or without brackets or quotes.
#[must_use]
pub fn address_of(text: &str) -> Option<IpAddr> {
    let bare = text.trim_matches(['[', ']', '"', '\'']);
    parse_address(bare).map(|address| address.to_canonical())
}

static CLOCKS: LazyLock<[(Clock, Regex); 6]> = LazyLock::new(|| {
    let compile = |text: &str| Regex::new(&format!("^(?-u:{text})")).expect("written here");
    const TIME: &str = "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]";
    const NUMBER: &str = "(?:0[1-9]|1[0-2])";
    const MONTH: &str = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)";
    const DAY: &str = "(?:0[1-9]|[12][0-9]|3[01])";
    const SOME_DAY: &str = "(?: [1-9]|0[1-9]|[12][0-9]|3[01])";
    const PART: &str = "(?:[.,][0-9]{1,9})?";
    const ZONE: &str = "(?:Z|[+-](?:[01][0-9]|2[0-3]):?[0-5][0-9])?";
    const WEEKDAY: &str = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)";
    [
        (Clock::Iso, compile(&format!(r"[0-9]{{4}}-{NUMBER}-{DAY}[T ]{TIME}{PART}{ZONE}\b"))),
        (Clock::Slashes, compile(&format!(r"[0-9]{{4}}/{NUMBER}/{DAY} {TIME}\b"))),
        (Clock::Http, compile(&format!(r"{DAY}/{MONTH}/[0-9]{{4}}:{TIME} [+-][0-9]{{4}}\b"))),
        (Clock::Day, compile(&format!(r"{WEEKDAY} {MONTH} {SOME_DAY} {TIME} [0-9]{{4}}\b"))),
        (Clock::Month, compile(&format!(r"{MONTH} {SOME_DAY} {TIME}\b"))),
        (Clock::Hours, compile(&format!(r"{TIME}{PART}\b"))),
    ]
});

/// Whether it is what a pattern's `\s` is.
fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\x0c' | '\r')
}

/// A message without the blanks at its end.
#[must_use]
pub fn trimmed(message: &str) -> &str {
    message.trim_end_matches(is_blank)
}

/// Takes a message apart.
#[must_use]
pub fn tokens(message: &str) -> Vec<Token<'_>> {
    let mut lexer = Lexer { message, at: 0, found: Vec::new() };
    while lexer.at < message.len() {
        if lexer.found.len() + 1 == MOST {
            lexer.push(Kind::Rest, message.len());
            break;
        }
        lexer.next();
    }
    lexer.found
}

struct Lexer<'m> {
    message: &'m str,
    at: usize,
    found: Vec<Token<'m>>,
}

impl<'m> Lexer<'m> {
    fn rest(&self) -> &'m str {
        &self.message[self.at..]
    }

    /// The character before, if there is any.
    fn before(&self) -> Option<char> {
        self.message[..self.at].chars().next_back()
    }

    fn push(&mut self, kind: Kind, end: usize) {
        self.found.push(Token { kind, text: &self.message[self.at..end] });
        self.at = end;
    }

    fn next(&mut self) {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return };
        if is_blank(first) {
            let end = rest.find(|c: char| !is_blank(c)).unwrap_or(rest.len());
            return self.push(Kind::Space, self.at + end);
        }
        let found = self
            .time(first)
            .or_else(|| self.quoted(first))
            .or_else(|| self.address(first))
            .or_else(|| self.path(first));
        if let Some((kind, length)) = found {
            return self.push(kind, self.at + length);
        }
        match atom(rest) {
            0 => self.push(Kind::Punct, self.at + first.len_utf8()),
            length => {
                let text = &rest[..length];
                let kind = match () {
                    () if url(rest) > 0 => return self.push(Kind::Url, self.at + url(rest)),
                    () => atom_kind(text),
                };
                self.push(kind, self.at + length);
            }
        }
    }

    fn time(&self, first: char) -> Option<(Kind, usize)> {
        if !first.is_ascii_digit() && !first.is_ascii_uppercase() {
            return None;
        }
        // The longest of them is shorter, and this is a character's end in every ASCII text.
        let rest = self.rest();
        CLOCKS.iter().find_map(|(clock, form)| {
            form.find(rest).map(|found| (Kind::Time(*clock), found.end()))
        })
    }

    fn quoted(&self, first: char) -> Option<(Kind, usize)> {
        let opens = match (first, self.before()) {
            ('"', before) => before.is_none_or(|c| !c.is_alphanumeric()),
            ('\'', before) => before.is_none_or(|c| is_blank(c) || "=([:,".contains(c)),
            _ => false,
        };
        if !opens {
            return None;
        }
        let rest = self.rest();
        let mut escaped = false;
        for (at, c) in rest.char_indices().skip(1).take_while(|(at, _)| *at < LONGEST_QUOTED) {
            if escaped {
                escaped = false;
            } else if c == '\\' && first == '"' {
                escaped = true;
            } else if c == first {
                let after = rest[at + 1..].chars().next();
                return after
                    .is_none_or(|c| !c.is_alphanumeric())
                    .then_some((Kind::Quoted, at + 1));
            }
        }
        None
    }

    fn address(&self, first: char) -> Option<(Kind, usize)> {
        let rest = self.rest();
        if first == '[' {
            let length = address(&rest[1..], true);
            let closes = rest[1 + length..].starts_with(']');
            return (length > 0 && closes).then_some((Kind::Address, length + 2));
        }
        let before = self.before();
        let is_edge = before.is_none_or(|c| !c.is_alphanumeric() && !matches!(c, '.' | '_'));
        let mut length = if is_edge { address(rest, false) } else { 0 };
        // Groups of what would be an IPv6 address, were it written rightly.
        if before == Some(':') && !rest[..length].contains('.') {
            length = 0;
        }
        (length > 0).then_some((Kind::Address, length))
    }

    fn path(&self, first: char) -> Option<(Kind, usize)> {
        let begins =
            first == '/' && self.before().is_none_or(|c| is_blank(c) || "\"'=([<:,".contains(c));
        begins.then(|| (Kind::Path, until(self.rest(), " \t\"'<>)],;")))
    }
}

/// The length of the address at the beginning, 0 where there is none.
fn address(text: &str, in_brackets: bool) -> usize {
    let run = until_not(text, |c| c.is_ascii_hexdigit() || c == ':' || c == '.');
    let mut run = text[..run].trim_end_matches('.');
    // At most a port and a colon are cut off.
    for _ in 0..3 {
        // `beef::` in the middle of a sentence is a word.
        let is_likely = in_brackets || run.contains(|c: char| c.is_ascii_digit());
        let is_whole = parse_address(run).is_some() && is_likely;
        if is_whole && ends(&text[run.len()..]) {
            return run.len();
        }
        let Some((host, _)) = run.rsplit_once(':') else { return 0 };
        // `192.0.2.7:22` and `2001:db8::7:` are an address and more; what is behind the last colon
        // of other IPv6 addresses is theirs.
        if !(host.contains('.') || run.ends_with(':')) {
            return 0;
        }
        run = host;
    }
    0
}

/// Whether an address may end before this.
fn ends(rest: &str) -> bool {
    let mut following = rest.chars();
    match following.next() {
        None => true,
        Some('.' | '-') => !following.next().is_some_and(char::is_alphanumeric),
        Some(c) => !c.is_alphanumeric() && c != '_',
    }
}

/// The length of the URL at the beginning, 0 where there is none.
fn url(text: &str) -> usize {
    let scheme = until_not(text, |c| c.is_ascii_alphabetic());
    if (2..=8).contains(&scheme) && text[scheme..].starts_with("://") {
        until(text, " \t\"'<>)],;")
    } else {
        0
    }
}

/// The length of the word at the beginning, without a full stop at its end.
fn atom(text: &str) -> usize {
    let is_part = |c: char| c.is_alphanumeric() || "_-.@+%~*\\$&#/^".contains(c);
    let length = until_not(text, is_part);
    let word = &text[..length];
    let bare = word.trim_end_matches(['.', '/']);
    if bare.is_empty() { word.len() } else { bare.len() }
}

fn atom_kind(word: &str) -> Kind {
    if word == "-" {
        return Kind::Absent;
    }
    let bytes = word.as_bytes();
    let has_digit = bytes.iter().any(u8::is_ascii_digit);
    let unsigned = word.strip_prefix(['-', '+']).unwrap_or(word);
    let is_number = unsigned.starts_with(|c: char| c.is_ascii_digit())
        && unsigned.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        && unsigned.bytes().filter(|byte| *byte == b'.').count() <= 1;
    if is_number {
        return Kind::Number;
    }
    let hex = unsigned.strip_prefix("0x").unwrap_or(word);
    let is_hex = hex.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    let letters = bytes.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    if has_digit && (is_hex && (hex.len() >= 8 || hex.len() < word.len()) || letters == 0) {
        return Kind::Id;
    }
    let dots = word.matches('.').count();
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    let ending = word.rsplit('.').next().unwrap_or_default();
    if dots >= 2 && word.chars().all(is_name) && ending.chars().all(|c| c.is_ascii_alphabetic()) {
        return Kind::Host;
    }
    Kind::Word
}

/// The bytes up to the first of these characters.
fn until(text: &str, ends: &str) -> usize {
    text.find(|c| ends.contains(c)).unwrap_or(text.len())
}

/// The bytes up to the first character that is not as wanted.
fn until_not(text: &str, wanted: impl Fn(char) -> bool) -> usize {
    text.find(|c| !wanted(c)).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The tokens that are more than words and separators, by their kind.
    #[track_caller]
    fn check(message: &str, expected: &[(Kind, &str)]) {
        let found: Vec<(Kind, &str)> = tokens(message)
            .into_iter()
            .filter(|token| !matches!(token.kind, Kind::Space | Kind::Punct | Kind::Word))
            .map(|token| (token.kind, token.text))
            .collect();
        assert_eq!(found, expected, "{message}");
    }

    #[test]
    fn addresses_are_found_in_all_their_surroundings() {
        use Kind::{Address, Host, Number};
        check("from 192.0.2.7 port 22", &[(Address, "192.0.2.7"), (Number, "22")]);
        check("rhost=192.0.2.7.", &[(Address, "192.0.2.7")]);
        check("192.0.2.7:40112", &[(Address, "192.0.2.7"), (Number, "40112")]);
        check("[192.0.2.7]:40112", &[(Address, "[192.0.2.7]"), (Number, "40112")]);
        check("[2001:db8::7]:40112", &[(Address, "[2001:db8::7]"), (Number, "40112")]);
        check("from 2001:db8::7: no", &[(Address, "2001:db8::7")]);
        check("to ::ffff:192.0.2.1:21", &[(Address, "::ffff:192.0.2.1"), (Number, "21")]);
        check("(IP=[::]:389)", &[(Address, "[::]"), (Number, "389")]);
        check(
            "host.example.net[192.0.2.7]",
            &[(Host, "host.example.net"), (Address, "[192.0.2.7]")],
        );
        check("Client \"192.0.2.7\"", &[(Kind::Quoted, "\"192.0.2.7\"")]);
        check("192.0.2.7.example.net", &[(Host, "192.0.2.7.example.net")]);
        check("std::string dead: beef:: a1:b2", &[]);
        check("<192.0.2.7>", &[(Address, "192.0.2.7")]);
        check("IP:192.0.2.7", &[(Address, "192.0.2.7")]);
        check(
            "[2001:db8::5::a:22]:9",
            &[(Number, "2001"), (Number, "5"), (Number, "22"), (Number, "9")],
        );
    }

    #[test]
    fn times_paths_and_quotes_are_whole() {
        use Kind::{Absent, Id, Number, Path, Quoted, Time, Url};
        check("[2026-11-23T21:59:31+00:00]", &[(Time(Clock::Iso), "2026-11-23T21:59:31+00:00")]);
        check(
            "<W>2026-11-23 22:00:21.263 1 =>",
            &[(Time(Clock::Iso), "2026-11-23 22:00:21.263"), (Number, "1")],
        );
        check(
            "[23/Nov/2026:21:59:31 +0000] x",
            &[(Time(Clock::Http), "23/Nov/2026:21:59:31 +0000")],
        );
        check("Mon Nov 23 22:00:00 2026 x", &[(Time(Clock::Day), "Mon Nov 23 22:00:00 2026")]);
        check(
            "2026/11/23 21:59:27 [notice] 7#7:",
            &[(Time(Clock::Slashes), "2026/11/23 21:59:27"), (Id, "7#7")],
        );
        check(r#"req="GET /a \"b" HTTP/1.1" x"#, &[(Quoted, r#""GET /a \"b""#)]);
        check("it isn't 'so bad' don't", &[(Quoted, "'so bad'")]);
        check(
            "tty=/dev/ftpd7 - http://a/?b,",
            &[(Path, "/dev/ftpd7"), (Absent, "-"), (Url, "http://a/?b")],
        );
        check(
            "id 4f9a81cc77 0x1f 8c1f6a1e-1d2c-4b4e-9c59-6f3d2c1b0a99 face (-1) 0.25",
            &[
                (Id, "4f9a81cc77"),
                (Id, "0x1f"),
                (Id, "8c1f6a1e-1d2c-4b4e-9c59-6f3d2c1b0a99"),
                (Number, "-1"),
                (Number, "0.25"),
            ],
        );
    }

    proptest! {
        #[test]
        fn tokens_are_the_message(message in "[a-z0-9:.\\[\\]\"' =é/\\\\-]{0,60}|.{0,60}") {
            let found = tokens(&message);
            let joined: String = found.iter().map(|token| token.text).collect();
            prop_assert!(found.iter().all(|token| !token.text.is_empty()));
            prop_assert_eq!(joined, message);
        }
    }

    #[test]
    fn a_line_without_end_has_an_end() {
        let long = "a=1 ".repeat(10_000);
        let found = tokens(&long);
        assert_eq!((found.len(), found.last().map(|token| token.kind)), (MOST, Some(Kind::Rest)));
    }
}
