//! How many doubts about rules are shown: a folder of others' rules has hundreds.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use clap::ValueEnum;
use serde_json::Value;

use crate::cli::output;
use crate::diagnostic::{self, Diagnostic, MOST_SHOWN, Severity};
use crate::rules::LINTS;

/// So many warnings of a kind are shown one by one unless all are asked for.
const FEW: usize = 3;

/// Which doubts about rules are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Shown {
    /// The first warnings of each kind; the others and the notes are counted
    Few,
    /// All warnings and notes
    All,
    /// None: rules are not looked at for them
    None,
}

/// Shows diagnostics on standard error.
pub(super) fn show(diagnostics: &[Diagnostic], shown: Shown) {
    let (chosen, rest) = choose(diagnostics, shown);
    // Each call shows a bounded number. Whoever asks for all gets all.
    let at_once = if shown == Shown::All { MOST_SHOWN } else { chosen.len().max(1) };
    for part in chosen.chunks(at_once) {
        // The stream drops the colours where there is no terminal.
        output::remark(&diagnostic::render(part, true));
    }
    output::remark(&counted(&rest));
}

/// The same for programs; what is not shown is not in it.
pub(super) fn to_json(diagnostics: &[Diagnostic], shown: Shown) -> Value {
    let chosen = match shown {
        Shown::All => diagnostics.to_vec(),
        Shown::Few | Shown::None => {
            diagnostics.iter().filter(|each| each.severity > Severity::Note).cloned().collect()
        }
    };
    let parts = chosen.chunks(MOST_SHOWN).map(diagnostic::to_json);
    let lists = parts.filter_map(|part| match part {
        Value::Array(list) => Some(list),
        _ => None,
    });
    Value::Array(lists.flatten().collect())
}

/// How many of a kind are not shown, by severity and code.
type Rest = BTreeMap<(std::cmp::Reverse<Severity>, &'static str), usize>;

fn choose(diagnostics: &[Diagnostic], shown: Shown) -> (Vec<Diagnostic>, Rest) {
    let (mut chosen, mut rest) = (Vec::new(), Rest::new());
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for each in diagnostics {
        let is_lint = LINTS.iter().any(|(code, _)| *code == each.code);
        let count = seen.entry(each.code).or_default();
        *count += usize::from(each.severity == Severity::Warning);
        let is_few = each.severity == Severity::Warning && *count <= FEW;
        if shown == Shown::All || !is_lint || is_few {
            chosen.push(each.clone());
        } else {
            *rest.entry((std::cmp::Reverse(each.severity), each.code)).or_default() += 1;
        }
    }
    (chosen, rest)
}

/// A line for each kind of which not all are shown.
fn counted(rest: &Rest) -> String {
    let mut text = String::new();
    if rest.is_empty() {
        return text;
    }
    text.push_str("Not shown, but with `--lints all`:\n");
    for ((severity, code), count) in rest {
        let word = match severity.0 {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        };
        let plural = if *count == 1 { "" } else { "s" };
        let meaning = LINTS.iter().find(|(known, _)| known == code).map_or("", |found| found.1);
        let kind = format!("{word}{plural}[{code}]");
        writeln!(text, "{count:>6} {kind:<25} {meaning}").expect("writing to a string cannot fail");
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::diagnostic::UserFile;

    #[test]
    fn few_of_a_kind_are_shown_and_the_rest_is_counted() {
        let file = UserFile::new(Path::new("a.yaml"), "abc".to_owned());
        let told = |code| Diagnostic::error(&file, 0..1, code, "wrong");
        let mut all = vec![told("expression")];
        all.extend((0..5).map(|_| told("never-holds").warning()));
        all.extend((0..5).map(|_| told("data-file").warning()));
        all.extend([told("open-start").note(), told("never-set").note()]);
        let (chosen, rest) = choose(&all, Shown::Few);
        assert_eq!((chosen.len(), rest.len()), (1 + FEW + 5, 3));
        assert_eq!(
            counted(&rest).lines().map(str::trim).collect::<Vec<_>>(),
            [
                "Not shown, but with `--lints all`:",
                "2 warnings[never-holds]     a filter asks for what no loaded rule gives",
                "1 note[never-set]           a filter lists a value that no loaded rule gives",
                "1 note[open-start]          a pattern for an address may begin anywhere in a line",
                "",
            ]
        );
        assert_eq!(choose(&all, Shown::All).0.len(), all.len());
        assert_eq!(to_json(&all, Shown::All).as_array().map(Vec::len), Some(all.len()));
        assert_eq!(to_json(&all, Shown::Few).as_array().map(Vec::len), Some(all.len() - 2));
    }
}
