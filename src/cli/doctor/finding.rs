//! What was found, how bad it is, and what to do about it; and how that is shown. Pure.

use serde::Serialize;

use crate::diagnostic::printable;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    /// As it should be.
    Ok,
    /// Worth knowing.
    Note,
    /// It keeps Weir from its work.
    Problem,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) level: Level,
    /// What was looked at, in a word or two.
    pub(super) check: String,
    /// What was found, and what was expected where that is not plain.
    pub(super) found: String,
    /// A file, socket or setting.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) at: Option<String>,
    /// What to do, best a command to copy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) remedy: Option<String>,
}

/// The longest text that is shown of what comes from outside.
const LONGEST: usize = 600;

impl Finding {
    fn new(level: Level, check: &str, found: impl AsRef<str>) -> Self {
        let found = printable(found.as_ref(), LONGEST).to_string();
        Self { level, check: check.to_owned(), found, at: None, remedy: None }
    }

    pub(super) fn ok(check: &str, found: impl AsRef<str>) -> Self {
        Self::new(Level::Ok, check, found)
    }

    pub(super) fn note(check: &str, found: impl AsRef<str>) -> Self {
        Self::new(Level::Note, check, found)
    }

    pub(super) fn problem(check: &str, found: impl AsRef<str>) -> Self {
        Self::new(Level::Problem, check, found)
    }

    /// Says what was looked at.
    pub(super) fn name(&mut self, check: &str) {
        check.clone_into(&mut self.check);
    }

    pub(super) fn is_problem(&self) -> bool {
        self.level == Level::Problem
    }

    /// The same, in this place.
    pub(super) fn at(self, place: impl AsRef<str>) -> Self {
        let place = printable(place.as_ref(), LONGEST).to_string();
        Self { at: Some(place).filter(|place| !place.is_empty()), ..self }
    }

    /// The same, with what to do.
    pub(super) fn with_remedy(self, remedy: impl AsRef<str>) -> Self {
        Self { remedy: Some(printable(remedy.as_ref(), LONGEST).to_string()), ..self }
    }
}

/// All findings as people read them: the worst last, next to the prompt.
pub(super) fn page(findings: &[Finding]) -> String {
    let (bold, red, yellow, green, dim, off) =
        ("\u{1b}[1m", "\u{1b}[1;31m", "\u{1b}[33m", "\u{1b}[32m", "\u{1b}[2m", "\u{1b}[0m");
    let mut sorted: Vec<&Finding> = findings.iter().collect();
    sorted.sort_by_key(|finding| finding.level);
    let mut text = String::new();
    for finding in sorted {
        let word = match finding.level {
            Level::Ok => format!("{green}ok{off}      "),
            Level::Note => format!("{yellow}note{off}    "),
            Level::Problem => format!("{red}PROBLEM{off} "),
        };
        text.push_str(&format!("{word} {bold}{}{off}: {}\n", finding.check, finding.found));
        if let Some(at) = &finding.at {
            text.push_str(&format!("         {dim}in{off} {at}\n"));
        }
        if let Some(remedy) = &finding.remedy {
            text.push_str(&format!("         {dim}do{off} {remedy}\n"));
        }
    }
    let count = |level| findings.iter().filter(|finding| finding.level == level).count();
    let counted =
        |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    text.push_str(&format!(
        "{}, {}, {} ok\n",
        counted(count(Level::Problem), "problem"),
        counted(count(Level::Note), "note"),
        count(Level::Ok)
    ));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_comes_last_and_nothing_from_outside_moves_the_cursor() {
        let findings = [
            Finding::problem("disk", "full \u{1b}[2J").at("/var").with_remedy("make room"),
            Finding::ok("rules", "7 parsers"),
            Finding::note("clock", "nobody sets it"),
        ];
        let page = page(&findings);
        let plain = anstream::adapter::strip_str(&page).to_string();
        assert_eq!(
            plain,
            "ok       rules: 7 parsers\n\
             note     clock: nobody sets it\n\
             PROBLEM  disk: full \\u{1b}[2J\n         in /var\n         do make room\n\
             1 problem, 1 note, 1 ok\n"
        );
    }
}
