//! Regular expressions, in the dialect that rules are written in (see [`dialect`]).
//!
//! Matching is linear in the text, whatever the pattern. A text that is all ASCII is searched by
//! bytes, which is faster; any other by characters, so that `.` is one of them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::OnceLock;

use regex_automata::meta::{BuildError, Config, Regex};
use regex_automata::util::syntax;

use super::dialect;

/// The largest compiled form of a literal pattern.
const LITERAL_LIMIT: usize = 10 << 20;
/// The same for a pattern that is made while the expression runs.
/// Hostile: such a pattern may come from a log line.
const DYNAMIC_LIMIT: usize = 1 << 20;
/// What the literal patterns of one expression may need together.
pub(super) const ROOM: usize = 64 << 20;
/// How many patterns made at run time a thread remembers.
const REMEMBERED: usize = 64;

/// A compiled pattern.
pub(super) struct Pattern {
    source: Box<str>,
    limit: usize,
    /// For texts that are all ASCII; for any text when there is no other form.
    ascii: Regex,
    /// For other texts, built when one is met; absent when the pattern itself names characters
    /// beyond ASCII, and so is by characters already.
    other: Option<OnceLock<Option<Regex>>>,
}

impl Pattern {
    /// Compiles a literal pattern.
    pub(super) fn new(source: &str) -> Result<Self, String> {
        Self::within(source, LITERAL_LIMIT)
    }

    fn within(source: &str, limit: usize) -> Result<Self, String> {
        let rewritten = dialect::rewrite(source).text;
        let compile = |unicode| build(&rewritten, unicode, limit);
        // By bytes a class such as `[é]` or `\pL` is refused.
        let (ascii, other) = match compile(false) {
            Ok(ascii) => (ascii, Some(OnceLock::new())),
            Err(_) => (compile(true).map_err(|error| reason(&error, limit))?, None),
        };
        Ok(Self { source: source.into(), limit, ascii, other })
    }

    /// Whether it matches anywhere in `text`.
    pub(super) fn matches(&self, text: &str) -> bool {
        let regex = match &self.other {
            Some(other) if !text.is_ascii() => {
                let by_characters =
                    || build(&dialect::rewrite(&self.source).text, true, self.limit).ok();
                // Too large by characters: then by bytes.
                other.get_or_init(by_characters).as_ref().unwrap_or(&self.ascii)
            }
            _ => &self.ascii,
        };
        regex.is_match(text.as_bytes())
    }

    /// A text that it matches has at least so many bytes.
    pub(super) fn shortest(&self) -> usize {
        let rewritten = dialect::rewrite(&self.source).text;
        let parse = |unicode| {
            let config = syntax::Config::new().unicode(unicode).utf8(false);
            syntax::parse_with(&rewritten, &config).ok()
        };
        let Some(tree) = parse(false).or_else(|| parse(true)) else { return 0 };
        let shortest = tree.properties().minimum_len().unwrap_or(0);
        // The other case of a letter beyond ASCII may be an ASCII letter.
        if self.source.is_ascii() { shortest } else { shortest.min(1) }
    }

    /// What its compiled form needs, in bytes.
    pub(super) fn size(&self) -> usize {
        self.ascii.memory_usage()
    }

    /// As it was written.
    pub(super) fn source(&self) -> &str {
        &self.source
    }
}

thread_local! {
    static DYNAMIC: RefCell<HashMap<Box<str>, Pattern>> = RefCell::new(HashMap::new());
}

/// Whether a pattern made at run time matches anywhere in `text`.
pub(super) fn search(pattern: &str, text: &str) -> Result<bool, String> {
    DYNAMIC.with_borrow_mut(|known| {
        if let Some(pattern) = known.get(pattern) {
            return Ok(pattern.matches(text));
        }
        let compiled = Pattern::within(pattern, DYNAMIC_LIMIT)?;
        let found = compiled.matches(text);
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(pattern.into(), compiled);
        Ok(found)
    })
}

fn build(rewritten: &str, unicode: bool, limit: usize) -> Result<Regex, Box<BuildError>> {
    Regex::builder()
        .configure(Config::new().utf8_empty(unicode).nfa_size_limit(Some(limit)))
        .syntax(syntax::Config::new().unicode(unicode).utf8(false))
        .build(rewritten)
        .map_err(Box::new)
}

fn reason(error: &BuildError, limit: usize) -> String {
    match error.syntax_error() {
        None => format!("regular expression is too large: it needs more than {limit} bytes"),
        Some(error) => {
            let text = error.to_string();
            let reason = text.lines().last().unwrap_or_default();
            let reason = reason.strip_prefix("error: ").unwrap_or(reason);
            format!("invalid regular expression: {reason}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, text: &str, expected: bool) {
        assert_eq!(Pattern::new(pattern).unwrap().matches(text), expected, "{pattern} in {text}");
        assert_eq!(search(pattern, text), Ok(expected), "{pattern} in {text}, made at run time");
    }

    #[test]
    fn classes_are_ascii() {
        check("^\\w$", "é", false);
        check("\\d", "٣", false);
        check("^[é]$", "é", true);
        check("\\bx", "éx", true);
        check("^\\W$", "é", true);
    }

    #[test]
    fn a_character_is_one_whatever_its_bytes() {
        check("^a.b$", "aéb", true);
        check("^.{3}$", "aéb", true);
        check("^[^x]$", "é", true);
        check("^.$", "\u{1f600}", true);
        check("^..$", "é", false);
        check("(?i)É", "xé", true);
    }

    #[test]
    fn what_other_dialects_mean_otherwise() {
        check("\\<a\\>", "<a>", true);
        check("^{a}{,3}$", "{a}{,3}", true);
        check("\\Qa.b\\E$", "xa.b", true);
        check("\\Qa.b\\E$", "xa-b", false);
        check("^\\101\\x{42}\\x43$", "ABC", true);
        check("\\b{a}", "x{a}", true);
        check("[[:alpha:]\\d]{2}", "-a1-", true);
        check("(?P<year>\\d{4})-(?P<month>\\d\\d)", "2024-01", true);
    }

    #[test]
    fn refuses_what_is_wrong_or_huge() {
        let refused = |pattern: &str| Pattern::new(pattern).err().unwrap();
        assert!(refused("(a").starts_with("invalid regular expression: unclosed group"));
        assert!(refused("a(?=b)").starts_with("invalid regular expression: look-around"));
        assert!(refused("(a)\\1").starts_with("invalid regular expression: backreferences"));
        assert!(refused("((a{1000}){1000}){100}").contains("too large"));
        assert!(refused("(a{1000}){1000}").contains("too large"));
        assert!(search("[", "x").is_err());
        assert_eq!(search("^x$", "x"), Ok(true));
        assert_eq!(search("^x$", "y"), Ok(false));
    }
}
