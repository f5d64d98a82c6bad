//! Regular expressions, in the dialect that rules are written in (RE2, as Go has it).
//!
//! Two things differ from the `regex` crate: `\d \w \s \b` mean ASCII, and a `{` that begins no
//! repetition is a plain brace. Matching is linear in the text, whatever the pattern.

use std::cell::RefCell;
use std::collections::HashMap;

use regex::bytes::{Regex, RegexBuilder};

/// The largest compiled form of a literal pattern.
const LITERAL_LIMIT: usize = 10 << 20;
/// The same for a pattern that is made while the expression runs.
/// Hostile: such a pattern may come from a log line.
const DYNAMIC_LIMIT: usize = 1 << 20;
/// How many patterns made at run time a thread remembers.
const REMEMBERED: usize = 64;

/// A compiled pattern.
pub(super) struct Pattern {
    source: Box<str>,
    regex: Regex,
}

impl Pattern {
    /// Compiles a literal pattern.
    pub(super) fn new(source: &str) -> Result<Self, String> {
        Ok(Self { source: source.into(), regex: build(source, LITERAL_LIMIT)? })
    }

    /// Whether it matches anywhere in `text`.
    pub(super) fn matches(&self, text: &str) -> bool {
        self.regex.is_match(text.as_bytes())
    }

    /// As it was written.
    pub(super) fn source(&self) -> &str {
        &self.source
    }
}

thread_local! {
    static DYNAMIC: RefCell<HashMap<Box<str>, Regex>> = RefCell::new(HashMap::new());
}

/// Whether a pattern made at run time matches anywhere in `text`.
pub(super) fn search(pattern: &str, text: &str) -> Result<bool, String> {
    DYNAMIC.with_borrow_mut(|known| {
        if let Some(regex) = known.get(pattern) {
            return Ok(regex.is_match(text.as_bytes()));
        }
        let regex = build(pattern, DYNAMIC_LIMIT)?;
        let found = regex.is_match(text.as_bytes());
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(pattern.into(), regex);
        Ok(found)
    })
}

fn build(source: &str, limit: usize) -> Result<Regex, String> {
    let pattern = translate(source);
    let compile = |unicode| RegexBuilder::new(&pattern).unicode(unicode).size_limit(limit).build();
    // Without Unicode a class such as `[é]` or `\pL` is refused: then it has to be with.
    compile(false).or_else(|_| compile(true)).map_err(|error| match error {
        regex::Error::CompiledTooBig(limit) => {
            format!("regular expression is too large: it needs more than {limit} bytes")
        }
        other => {
            let text = other.to_string();
            let reason = text.lines().last().unwrap_or_default();
            let reason = reason.strip_prefix("error: ").unwrap_or(reason);
            format!("invalid regular expression: {reason}")
        }
    })
}

/// The same pattern in the dialect of the `regex` crate.
pub(super) fn translate(source: &str) -> String {
    let mut out = String::with_capacity(source.len() + 8);
    let mut rest = source;
    let mut in_class = false;
    while let Some(letter) = rest.chars().next() {
        let follows = |text: &str| rest.starts_with(text);
        let (copied, written) = match letter {
            // The crate takes these two for the edges of a word.
            '\\' if follows("\\<") || follows("\\>") => (2, &rest[1..2]),
            // These have braces of their own: `\p{Greek}`, `\x{10FFFF}`.
            '\\' if follows("\\p{") || follows("\\P{") || follows("\\x{") => {
                let end = rest.find('}').map_or(2, |end| end + 1);
                (end, &rest[..end])
            }
            '\\' => {
                let end = 1 + rest[1..].chars().next().map_or(0, char::len_utf8);
                (end, &rest[..end])
            }
            '{' if !in_class && !repeats(&rest.as_bytes()[1..]) => (1, "\\{"),
            '[' if !in_class => {
                in_class = true;
                // A bracket that closes at once is a member of the class.
                let end = 1 + usize::from(rest[1..].starts_with('^'));
                let end = end + usize::from(rest[end..].starts_with(']'));
                (end, &rest[..end])
            }
            ']' if in_class => {
                in_class = false;
                (1, "]")
            }
            '[' => match rest.find(":]").filter(|_| follows("[:")) {
                Some(end) => (end + 2, &rest[..end + 2]),
                None => (1, "\\["),
            },
            '&' if in_class && follows("&&") => (1, "\\&"),
            '~' if in_class && follows("~~") => (1, "\\~"),
            other => (other.len_utf8(), &rest[..other.len_utf8()]),
        };
        out.push_str(written);
        rest = &rest[copied..];
    }
    out
}

/// Whether what follows a `{` makes it a repetition: `3}`, `3,}` or `3,4}`.
fn repeats(rest: &[u8]) -> bool {
    let digits = |bytes: &[u8]| bytes.iter().take_while(|b| b.is_ascii_digit()).count();
    let first = digits(rest);
    let rest = &rest[first..];
    match rest.first() {
        _ if first == 0 => false,
        Some(b'}') => true,
        Some(b',') => rest.get(1 + digits(&rest[1..])) == Some(&b'}'),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(source: &str, expected: &str) {
        assert_eq!(translate(source), expected);
        Pattern::new(source).map(|_| ()).unwrap();
    }

    #[test]
    fn literal_braces_are_escaped() {
        check("a{2}b{2,}c{2,3}", "a{2}b{2,}c{2,3}");
        check("{a}", "\\{a}");
        check("a{,3}", "a\\{,3}");
        check("{\"x\":{\"y\"}}", "\\{\"x\":\\{\"y\"}}");
        check("\\{a}", "\\{a}");
        check("[{}]{2}", "[{}]{2}");
        check("[]{]x", "[]{]x");
        check("[^]{]{a", "[^]{]\\{a");
        check("[[:alpha:]{]", "[[:alpha:]{]");
        check("[[a]", "[\\[a]");
        check("[a&&b~~]", "[a\\&&b\\~~]");
        check("\\p{Greek}\\x{41}", "\\p{Greek}\\x{41}");
        check("é[é]{", "é[é]\\{");
        check("\\<a\\>[\\<]", "<a>[<]");
    }

    #[test]
    fn classes_are_ascii() {
        assert!(!Pattern::new("^\\w$").unwrap().matches("é"));
        assert!(!Pattern::new("\\d").unwrap().matches("٣"));
        assert!(Pattern::new("^[é]$").unwrap().matches("é"));
    }

    #[test]
    fn refuses_what_is_wrong_or_huge() {
        assert!(
            Pattern::new("(a")
                .err()
                .unwrap()
                .starts_with("invalid regular expression: unclosed group")
        );
        assert!(Pattern::new("((a{1000}){1000}){100}").err().unwrap().contains("too large"));
        assert!(search("[", "x").is_err());
        assert_eq!(search("^x$", "x"), Ok(true));
        assert_eq!(search("^x$", "y"), Ok(false));
    }
}
