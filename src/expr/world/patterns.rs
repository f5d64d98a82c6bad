//! Many regular expressions from one data file, tried together.

use std::sync::OnceLock;

use regex::bytes::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};
use regex_syntax::ParserBuilder;

use crate::expr::dialect;
use crate::expr::weight::weight;

/// What the expressions of one file may need in memory together, in bytes.
const LARGEST: usize = 256 << 20;

/// What the search may remember of them, in bytes, per thread.
const REMEMBERED: usize = 8 << 20;

/// Expressions up to this weight together are sure not to be too large.
const LIGHT: u64 = 100_000;

/// Expressions in two forms: by bytes for texts that are all ASCII, which is faster, and by
/// characters for any other, so that `.` is one of them.
#[derive(Debug)]
pub(super) struct Forms<R> {
    /// Built when a text first needs it, unless it might be too large; then at once, so that it
    /// can be refused.
    ascii: OnceLock<Option<R>>,
    /// Built when a text first needs it. `None` in it: too large, then it goes by bytes.
    other: OnceLock<Option<R>>,
    groups: Box<[Group]>,
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
        let weight = groups.iter().fold(0, |sum: u64, group| sum.saturating_add(group.weight));
        let (ascii, other) = (OnceLock::new(), OnceLock::new());
        let forms = Self { ascii, other, groups: groups.into(), build };
        if weight > LIGHT {
            let built = build(&forms.by_bytes()).map_err(|error| error.to_string())?;
            let _ = forms.ascii.set(Some(built));
        }
        Ok(forms)
    }

    /// The form that is right for a text.
    fn of(&self, text: &str) -> Option<&R> {
        if !text.is_ascii() {
            let build = || (self.build)(&self.by_characters()).ok();
            if let Some(other) = self.other.get_or_init(build) {
                return Some(other);
            }
        }
        self.ascii()
    }

    fn ascii(&self) -> Option<&R> {
        self.ascii.get_or_init(|| (self.build)(&self.by_bytes()).ok()).as_ref()
    }

    /// Builds what nearly all texts need, unless one has needed it before.
    pub(super) fn warm(&self) {
        let _ = self.ascii();
    }

    fn by_bytes(&self) -> Vec<String> {
        let grouped = self.groups.iter().map(|group| match group.is_by_bytes {
            true => format!("(?-u:{})", group.pattern),
            false => format!("(?:{})", group.pattern),
        });
        grouped.collect()
    }

    fn by_characters(&self) -> Vec<String> {
        self.groups.iter().map(|group| format!("(?:{})", group.pattern)).collect()
    }
}

impl Forms<Regex> {
    /// Whether any of the expressions matches.
    pub(super) fn is_match(&self, text: &str) -> bool {
        self.of(text).is_some_and(|regex| regex.is_match(text.as_bytes()))
    }
}

impl Forms<RegexSet> {
    /// The number of the first expression that matches.
    pub(super) fn first(&self, text: &str) -> Option<usize> {
        self.of(text)?.matches(text.as_bytes()).iter().next()
    }
}

/// An expression of the rules' dialect, to become a group of the `regex` crate's.
#[derive(Debug)]
struct Group {
    pattern: String,
    /// Whether it can be searched for by bytes: it names no characters beyond ASCII.
    is_by_bytes: bool,
    weight: u64,
}

impl Group {
    /// Checks an expression. `Err` is the reason why it is none.
    fn new(pattern: &str) -> Result<Self, String> {
        let is_plain = is_plain(pattern);
        let pattern = dialect::rewrite(pattern).text;
        if is_plain {
            let weight = pattern.len() as u64;
            return Ok(Self { pattern, is_by_bytes: true, weight });
        }
        let read = |unicode| {
            let mut parser = ParserBuilder::new().unicode(unicode).utf8(false).build();
            let tree = parser.parse(&pattern).map_err(|error| error.to_string());
            tree.map(|tree| weight(&tree, &|_| None))
        };
        match read(false).map(|weight| (weight, true)).or_else(|_| Ok((read(true)?, false))) {
            Ok((weight, is_by_bytes)) => Ok(Self { pattern, is_by_bytes, weight }),
            Err::<_, String>(reason) => {
                let last = reason.lines().last().unwrap_or_default();
                Err(last.strip_prefix("error: ").unwrap_or(last).to_owned())
            }
        }
    }
}

/// Whether an expression is nothing but words, perhaps with their boundaries, as most of a long
/// list are: there is nothing to check.
fn is_plain(pattern: &str) -> bool {
    let inner = pattern.strip_prefix(r"\b").unwrap_or(pattern);
    let inner = inner.strip_suffix(r"\b").unwrap_or(inner);
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || b" -_/,:;=@%<>'\"!".contains(&byte);
    inner.bytes().all(is_word)
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
