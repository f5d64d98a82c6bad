//! Patterns for names: `*` stands for any text, `?` for one character, `[a-z]` for one of a set,
//! `[!a-z]` for one that is not in it. All else means itself, and the whole text must fit.
//!
//! Compiled once; a search takes time in the product of the lengths and allocates nothing.

/// A compiled pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob {
    source: Box<str>,
    steps: Box<[Step]>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// This character.
    One(char),
    /// Any character.
    Any,
    /// A character of these ranges, or of none of them.
    Set { ranges: Box<[(char, char)]>, is_negated: bool },
    /// Any text.
    Star,
}

/// Why a pattern cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GlobError {
    /// A set has no end.
    #[error("`[` without `]`")]
    OpenSet,
    /// Nothing is in such a range.
    #[error("a range that runs backwards")]
    Backwards,
    /// It takes too long to search for.
    #[error("longer than {LONGEST} bytes")]
    TooLong,
}

/// Patterns have so many bytes at most.
const LONGEST: usize = 256;

impl Glob {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// When a set of it makes no sense, or it is too long.
    pub fn new(source: &str) -> Result<Self, GlobError> {
        if source.len() > LONGEST {
            return Err(GlobError::TooLong);
        }
        let mut steps = Vec::new();
        let mut rest = source.chars();
        while let Some(next) = rest.next() {
            match next {
                // Two in a row mean what one does.
                '*' if steps.last() == Some(&Step::Star) => {}
                '*' => steps.push(Step::Star),
                '?' => steps.push(Step::Any),
                '[' => steps.push(set(&mut rest)?),
                other => steps.push(Step::One(other)),
            }
        }
        Ok(Self { source: source.into(), steps: steps.into() })
    }

    /// The pattern as written.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The text with which everything that fits begins.
    #[must_use]
    pub fn prefix(&self) -> &str {
        let mut end = 0;
        for step in &self.steps {
            let Step::One(character) = step else { break };
            end += character.len_utf8();
        }
        self.source.get(..end).unwrap_or_default()
    }

    /// Whether the whole text fits.
    #[must_use]
    pub fn fits(&self, text: &str) -> bool {
        let mut at = 0;
        let mut rest = text;
        // Where to go on when what follows the last star does not fit: it takes one more.
        let mut retry: Option<(usize, &str)> = None;
        loop {
            let next = rest.chars().next();
            match (self.steps.get(at), next) {
                (Some(Step::Star), _) => {
                    at += 1;
                    retry = Some((at, rest));
                    continue;
                }
                (None, None) => return true,
                (Some(step), Some(character)) if step.takes(character) => {
                    at += 1;
                    rest = rest.get(character.len_utf8()..).unwrap_or_default();
                    continue;
                }
                _ => {}
            }
            let Some((behind, from)) = retry else { return false };
            let Some(taken) = from.chars().next() else { return false };
            let from = from.get(taken.len_utf8()..).unwrap_or_default();
            retry = Some((behind, from));
            (at, rest) = (behind, from);
        }
    }
}

impl Step {
    fn takes(&self, character: char) -> bool {
        match self {
            Self::One(own) => *own == character,
            Self::Any => true,
            Self::Set { ranges, is_negated } => {
                let is_in = ranges.iter().any(|(from, to)| (*from..=*to).contains(&character));
                is_in != *is_negated
            }
            Self::Star => false,
        }
    }
}

/// What stands between `[` and `]`; a `]` that comes first is one of the set.
fn set(rest: &mut std::str::Chars<'_>) -> Result<Step, GlobError> {
    let is_negated = rest.clone().next() == Some('!');
    if is_negated {
        rest.next();
    }
    let mut ranges = Vec::new();
    loop {
        let from = match rest.next() {
            None => return Err(GlobError::OpenSet),
            Some(']') if !ranges.is_empty() => break,
            Some(from) => from,
        };
        let mut ahead = rest.clone();
        let to = match (ahead.next(), ahead.next()) {
            (Some('-'), Some(to)) if to != ']' => {
                *rest = ahead;
                to
            }
            _ => from,
        };
        if to < from {
            return Err(GlobError::Backwards);
        }
        ranges.push((from, to));
    }
    Ok(Step::Set { ranges: ranges.into(), is_negated })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(pattern: &str, text: &str, fits: bool) {
        let glob = Glob::new(pattern).expect("a pattern");
        assert_eq!(glob.fits(text), fits, "{pattern} {text}");
        assert!(!fits || text.starts_with(glob.prefix()), "{pattern} {text}");
    }

    #[test]
    fn patterns() {
        check("nginx", "nginx", true);
        check("nginx", "nginx2", false);
        check("nginx*", "nginx", true);
        check("nginx*", "nginx-access", true);
        check("*-access", "nginx-access", true);
        check("*-access", "nginx-accesses", false);
        check("a*b*c", "a-b-b-c", true);
        check("a*b*c", "a-c-b", false);
        check("a**c", "abc", true);
        check("?x", "\u{e9}x", true);
        check("?x", "x", false);
        check("*", "", true);
        check("", "", true);
        check("", "a", false);
        check("[0-9a-f][0-9a-f]", "7e", true);
        check("[0-9a-f][0-9a-f]", "7g", false);
        check("[!0-9]", "x", true);
        check("[!0-9]", "5", false);
        check("[]-]x", "-x", true);
        check("[]-]x", "]x", true);
        check("*[/.]*", "docker/web", true);
        check("*[/.]*", "docker-web", false);
    }

    #[test]
    fn mistakes() {
        assert_eq!(Glob::new("a[b"), Err(GlobError::OpenSet));
        assert_eq!(Glob::new("a[]"), Err(GlobError::OpenSet));
        assert_eq!(Glob::new("[z-a]"), Err(GlobError::Backwards));
        assert_eq!(Glob::new(&"a".repeat(257)), Err(GlobError::TooLong));
    }

    /// The definition: recursive, and slow for many stars.
    fn by_definition(steps: &[Step], text: &str) -> bool {
        let next = text.chars().next();
        let behind = next.and_then(|c| text.get(c.len_utf8()..));
        match (steps.split_first(), next.zip(behind)) {
            (None, None) => true,
            (None, Some(_)) => false,
            (Some((Step::Star, rest)), next) => {
                by_definition(rest, text)
                    || next.is_some_and(|(_, behind)| by_definition(steps, behind))
            }
            (Some((step, rest)), Some((character, behind))) => {
                step.takes(character) && by_definition(rest, behind)
            }
            (Some(_), None) => false,
        }
    }

    proptest! {
        #[test]
        fn as_by_definition(pattern in "[ab*?]{0,8}|[a\u{e9}*\\[\\]!-]{0,9}", text in "[ab\u{e9}\\]-]{0,9}") {
            if let Ok(glob) = Glob::new(&pattern) {
                prop_assert_eq!(glob.fits(&text), by_definition(&glob.steps, &text));
                prop_assert!(!glob.fits(&text) || text.starts_with(glob.prefix()));
            }
        }
    }
}
