//! Many regular expressions from one data file, tried together.

use regex::bytes::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};

use crate::expr::pattern::translate;

/// What the expressions of one file may need in memory together, in bytes.
const LARGEST: usize = 256 << 20;

/// What the search may remember of them, in bytes, per thread.
const REMEMBERED: usize = 8 << 20;

/// An expression of the rules' dialect, checked, as a group of the `regex` crate's. `Err` is the
/// reason why it is none.
fn group(pattern: &str) -> Result<String, String> {
    let pattern = translate(pattern);
    // `\d \w \s \b` mean ASCII, unless the pattern names characters beyond it.
    let mut reason = None;
    for unicode in [false, true] {
        match RegexBuilder::new(&pattern).unicode(unicode).size_limit(LARGEST).build() {
            Ok(_) if unicode => return Ok(format!("(?:{pattern})")),
            Ok(_) => return Ok(format!("(?-u:{pattern})")),
            Err(error) => reason = Some(error.to_string()),
        }
    }
    let reason = reason.unwrap_or_default();
    let last = reason.lines().last().unwrap_or_default();
    Err(last.strip_prefix("error: ").unwrap_or(last).to_owned())
}

/// Checks one expression per line and joins them to one that matches what any of them matches.
pub(super) fn any_of<'p>(
    patterns: impl IntoIterator<Item = (usize, &'p str)>,
) -> Result<Option<Regex>, String> {
    let groups = groups(patterns)?;
    if groups.is_empty() {
        return Ok(None);
    }
    let joined = groups.join("|");
    RegexBuilder::new(&joined)
        .size_limit(LARGEST)
        .dfa_size_limit(REMEMBERED)
        .build()
        .map(Some)
        .map_err(|error| error.to_string())
}

/// Checks one expression per line and compiles them so that it is known which ones match.
pub(super) fn set_of<'p>(
    patterns: impl IntoIterator<Item = (usize, &'p str)>,
) -> Result<RegexSet, String> {
    RegexSetBuilder::new(groups(patterns)?)
        .size_limit(LARGEST)
        .dfa_size_limit(REMEMBERED)
        .build()
        .map_err(|error| error.to_string())
}

fn groups<'p>(patterns: impl IntoIterator<Item = (usize, &'p str)>) -> Result<Vec<String>, String> {
    patterns
        .into_iter()
        .map(|(line, pattern)| {
            group(pattern).map_err(|reason| {
                format!("line {line}: `{pattern}` is no regular expression: {reason}")
            })
        })
        .collect()
}
