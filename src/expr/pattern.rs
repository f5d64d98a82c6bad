//! Regular expressions, in the dialect that rules are written in (see [`dialect`]).
//!
//! Matching is linear in the text, whatever the pattern. A text that is all ASCII is searched by
//! bytes, which is faster; any other by characters, so that `.` is one of them. What is no more
//! than a text with anchors is compared. An automaton that is known to be small is built when a
//! text is first searched: most rules of a large collection never meet one.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::OnceLock;

use memchr::memmem::Finder;
use regex_automata::meta::{Config, Regex};
use regex_automata::util::syntax;
use regex_syntax::hir::{Hir, HirKind, Look};

use super::{dialect, weight};

/// The largest compiled form of a literal pattern.
const LITERAL_LIMIT: usize = 10 << 20;
/// The same for a pattern that is made while the expression runs.
/// Hostile: such a pattern may come from a log line.
const DYNAMIC_LIMIT: usize = 1 << 20;
/// What the literal patterns of one expression may need together.
pub(super) const ROOM: usize = 64 << 20;
/// Patterns up to this weight are sure to be within all limits.
const LIGHT: u64 = 1000;
/// What the automata of a light pattern need, about: so much, and so much for each state.
const LIGHT_SIZE: (usize, usize) = (2048, 64);
/// How many patterns made at run time a thread remembers.
const REMEMBERED: usize = 64;

/// A compiled pattern.
pub(super) struct Pattern {
    source: Box<str>,
    /// A text that it matches has at least so many bytes,
    shortest: usize,
    /// and begins with this.
    start: Box<str>,
    form: Form,
}

/// How a pattern is searched for.
enum Form {
    /// It is nothing but a text, perhaps with an anchor.
    Plain(Plain),
    Automata {
        limit: usize,
        /// What the form for ASCII needs, in bytes.
        size: usize,
        /// For texts that are all ASCII; for any text when there is no other form. Built when a
        /// text is met, unless it might be too large.
        ascii: OnceLock<Option<Regex>>,
        /// For other texts, built when one is met; absent when the pattern itself names characters
        /// beyond ASCII, and so is by characters already.
        other: Option<OnceLock<Option<Regex>>>,
    },
}

/// A text, and where it must be.
enum Plain {
    Whole(Box<str>),
    Start,
    End(Box<str>),
    Anywhere(Box<Finder<'static>>),
}

impl Pattern {
    /// Compiles a literal pattern.
    pub(super) fn new(source: &str) -> Result<Self, String> {
        Self::within(source, LITERAL_LIMIT)
    }

    fn within(source: &str, limit: usize) -> Result<Self, String> {
        let rewritten = dialect::rewrite(source).text;
        // By bytes a class such as `[é]` or `\pL` is refused.
        let (tree, by_bytes) = match parse(&rewritten, false) {
            Ok(tree) => (tree, true),
            Err(_) => (parse(&rewritten, true).map_err(|error| refusal(&error))?, false),
        };
        let shortest = tree.properties().minimum_len().unwrap_or(0);
        // The other case of a letter beyond ASCII may be an ASCII letter.
        let shortest = if source.is_ascii() { shortest } else { shortest.min(1) };
        let (start, plain) = outline(&tree);
        let form = match plain {
            Some(plain) => Form::Plain(plain),
            None => {
                let weight = weight::weight(&tree, &|_| None);
                let (ascii, size) = if weight <= LIGHT {
                    let (base, each) = LIGHT_SIZE;
                    let states = usize::try_from(weight).unwrap_or(usize::MAX);
                    (OnceLock::new(), base + each * states)
                } else {
                    let built = build(&tree, !by_bytes, limit).map_err(|()| too_large(limit))?;
                    let size = built.memory_usage();
                    (OnceLock::from(Some(built)), size)
                };
                Form::Automata { limit, size, ascii, other: by_bytes.then(OnceLock::new) }
            }
        };
        Ok(Self { source: source.into(), shortest, start, form })
    }

    /// Whether it matches anywhere in `text`.
    pub(super) fn matches(&self, text: &str) -> bool {
        if !text.starts_with(&*self.start) {
            return false;
        }
        let (limit, ascii, other) = match &self.form {
            Form::Plain(plain) => {
                return match plain {
                    Plain::Whole(whole) => *text == **whole,
                    Plain::Start => true,
                    Plain::End(end) => text.ends_with(&**end),
                    Plain::Anywhere(finder) => finder.find(text.as_bytes()).is_some(),
                };
            }
            Form::Automata { limit, ascii, other, .. } => (*limit, ascii, other),
        };
        let built = |unicode| {
            let tree = parse(&dialect::rewrite(&self.source).text, unicode).ok()?;
            build(&tree, unicode, limit).ok()
        };
        let by_characters = match other {
            Some(other) if !text.is_ascii() => other.get_or_init(|| built(true)).as_ref(),
            _ => None,
        };
        // Too large by characters: then by bytes.
        let regex = by_characters.or_else(|| ascii.get_or_init(|| built(other.is_none())).as_ref());
        regex.is_some_and(|regex| regex.is_match(text.as_bytes()))
    }

    /// A text that it matches has at least so many bytes.
    pub(super) fn shortest(&self) -> usize {
        self.shortest
    }

    /// A text that it matches begins with this.
    pub(super) fn start(&self) -> &str {
        &self.start
    }

    /// What its compiled form needs, in bytes.
    pub(super) fn size(&self) -> usize {
        match &self.form {
            Form::Plain(_) => self.source.len(),
            Form::Automata { size, .. } => *size,
        }
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

fn parse(rewritten: &str, unicode: bool) -> Result<Hir, Box<regex_syntax::Error>> {
    let config = syntax::Config::new().unicode(unicode).utf8(false);
    syntax::parse_with(rewritten, &config).map_err(Box::new)
}

fn build(tree: &Hir, unicode: bool, limit: usize) -> Result<Regex, ()> {
    Regex::builder()
        .configure(Config::new().utf8_empty(unicode).nfa_size_limit(Some(limit)))
        .build_from_hir(tree)
        .map_err(drop)
}

/// The text that whatever a pattern matches begins with, and what it is if it is plain.
///
/// A literal that is all ASCII is the same by bytes and by characters: where the case of a letter
/// is of no matter, it is a class.
fn outline(tree: &Hir) -> (Box<str>, Option<Plain>) {
    let mut parts = match tree.kind() {
        HirKind::Concat(parts) => parts.as_slice(),
        _ => std::slice::from_ref(tree),
    };
    let is = |part: &Hir, look: Look| matches!(part.kind(), HirKind::Look(found) if *found == look);
    let at_start = parts.first().is_some_and(|first| is(first, Look::Start));
    parts = &parts[usize::from(at_start)..];
    let at_end = parts.last().is_some_and(|last| is(last, Look::End));
    let inner = &parts[..parts.len() - usize::from(at_end)];
    let text = match inner.first().map(Hir::kind) {
        Some(HirKind::Literal(literal)) if literal.0.is_ascii() => {
            std::str::from_utf8(&literal.0).ok()
        }
        _ => None,
    };
    let Some(text) = text else { return (Box::default(), None) };
    let start = if at_start { text } else { "" };
    let plain = (inner.len() == 1).then(|| match (at_start, at_end) {
        (true, true) => Plain::Whole(text.into()),
        (true, false) => Plain::Start,
        (false, true) => Plain::End(text.into()),
        (false, false) => Plain::Anywhere(Box::new(Finder::new(text).into_owned())),
    });
    (start.into(), plain)
}

fn too_large(limit: usize) -> String {
    format!("regular expression is too large: it needs more than {limit} bytes")
}

fn refusal(error: &regex_syntax::Error) -> String {
    let text = error.to_string();
    let reason = text.lines().last().unwrap_or_default();
    let reason = reason.strip_prefix("error: ").unwrap_or(reason);
    format!("invalid regular expression: {reason}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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

    proptest! {
        /// What is plain, and what begins with a text, is what the automaton finds.
        #[test]
        fn plain_patterns_are_found_as_any_other(
            start in "\\^?",
            inner in "(\\(\\?i\\))?[ab1]{0,3}|a\\|b|[ab]{1,2}\\?|\\.[ab]|[ab]{1,2}\\.\\*b|\\(ab\\)|é",
            end in "\\$?",
            text in "[ab1é]{0,5}",
        ) {
            let source = format!("{start}{inner}{end}");
            let expected = regex::Regex::new(&source).unwrap().is_match(&text);
            prop_assert_eq!(Pattern::new(&source).unwrap().matches(&text), expected, "{} in {}", source, text);
        }
    }

    #[test]
    fn knows_plain_patterns() {
        let start = |source: &str| Pattern::new(source).unwrap().start().to_owned();
        assert_eq!(start("^filterlog:"), "filterlog:");
        assert_eq!(start("^ab.*c$"), "ab");
        assert_eq!(start("(?m)^ab"), "");
        assert_eq!(start("(?i)^ab"), "");
        assert_eq!(start("^ab|c"), "");
        assert_eq!(start("ab"), "");
        assert_eq!(start("^a*b"), "");
        check("(?m)^b", "a\nb", true);
        check("^b", "a\nb", false);
        check("a$", "a\n", false);
        check("^$", "", true);
        check("^$", "a", false);
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
