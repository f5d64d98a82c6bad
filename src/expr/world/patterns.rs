//! Many regular expressions from one data file, tried together.

use std::sync::OnceLock;

use regex::bytes::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};
use regex_syntax::ParserBuilder;

use crate::expr::dialect;

/// What the expressions of one file may need in memory together, in bytes.
const LARGEST: usize = 256 << 20;

/// What the search may remember of them, in bytes, per thread.
const REMEMBERED: usize = 8 << 20;

/// Expressions in two forms: by bytes for texts that are all ASCII, which is faster, and by
/// characters for any other, so that `.` is one of them.
#[derive(Debug)]
pub(super) struct Forms<R> {
    ascii: R,
    /// Built when a text first needs it. `None` in it: too large, then it goes by bytes.
    other: OnceLock<Option<R>>,
    patterns: Box<[String]>,
    build: fn(&[String]) -> Result<R, regex::Error>,
}

/// Any of the expressions.
pub(super) type Any = Forms<Regex>;

/// The expressions, each with its number.
pub(super) type Each = Forms<RegexSet>;

impl<R> Forms<R> {
    fn new(
        groups: Vec<Group>,
        build: fn(&[String]) -> Result<R, regex::Error>,
    ) -> Result<Self, String> {
        let by_bytes: Vec<String> = groups.iter().map(|group| group.by_bytes.clone()).collect();
        let ascii = build(&by_bytes).map_err(|error| error.to_string())?;
        let patterns = groups.into_iter().map(|group| group.by_characters).collect();
        Ok(Self { ascii, other: OnceLock::new(), patterns, build })
    }

    /// The form that is right for a text.
    pub(super) fn of(&self, text: &str) -> &R {
        if text.is_ascii() {
            return &self.ascii;
        }
        let build = || (self.build)(&self.patterns).ok();
        self.other.get_or_init(build).as_ref().unwrap_or(&self.ascii)
    }
}

/// An expression of the rules' dialect, as a group of the `regex` crate's.
struct Group {
    /// By bytes, unless it names characters beyond ASCII.
    by_bytes: String,
    by_characters: String,
}

impl Group {
    /// Checks an expression. `Err` is the reason why it is none.
    fn new(pattern: &str) -> Result<Self, String> {
        let pattern = dialect::rewrite(pattern).text;
        // Read only: an automaton is made of all together.
        let read = |unicode| {
            let mut parser = ParserBuilder::new().unicode(unicode).utf8(false).build();
            parser.parse(&pattern).map(|_| ()).map_err(|error| error.to_string())
        };
        let by_characters = format!("(?:{pattern})");
        if read(false).is_ok() {
            return Ok(Self { by_bytes: format!("(?-u:{pattern})"), by_characters });
        }
        match read(true) {
            Ok(()) => Ok(Self { by_bytes: by_characters.clone(), by_characters }),
            Err(reason) => {
                let last = reason.lines().last().unwrap_or_default();
                Err(last.strip_prefix("error: ").unwrap_or(last).to_owned())
            }
        }
    }
}

/// Checks one expression per line and joins them to one that matches what any of them matches.
pub(super) fn any_of<'p>(
    patterns: impl IntoIterator<Item = (usize, &'p str)>,
) -> Result<Option<Any>, String> {
    let groups = groups(patterns)?;
    if groups.is_empty() {
        return Ok(None);
    }
    let build = |groups: &[String]| {
        let joined = groups.join("|");
        RegexBuilder::new(&joined).size_limit(LARGEST).dfa_size_limit(REMEMBERED).build()
    };
    Forms::new(groups, build).map(Some)
}

/// Checks one expression per line and compiles them so that it is known which ones match.
pub(super) fn set_of<'p>(
    patterns: impl IntoIterator<Item = (usize, &'p str)>,
) -> Result<Each, String> {
    let build = |groups: &[String]| {
        RegexSetBuilder::new(groups).size_limit(LARGEST).dfa_size_limit(REMEMBERED).build()
    };
    Forms::new(groups(patterns)?, build)
}

fn groups<'p>(patterns: impl IntoIterator<Item = (usize, &'p str)>) -> Result<Vec<Group>, String> {
    patterns
        .into_iter()
        .map(|(line, pattern)| {
            Group::new(pattern).map_err(|reason| {
                format!("line {line}: `{pattern}` is no regular expression: {reason}")
            })
        })
        .collect()
}
