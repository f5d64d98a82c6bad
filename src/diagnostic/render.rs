//! How diagnostics are shown: with the line and a caret for people, as JSON for programs.

use std::ops::Range;
use std::path::Path;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use serde_json::{Value, json};

use super::printable::stand_in;
use super::{Diagnostic, Severity, UserFile, printable};

// Hostile: a line may be a megabyte long. What is shown of it, in characters.
const LINE_SHOWN: usize = 140;
const BEFORE_CARET: usize = 60;
const MESSAGE_SHOWN: usize = 600;

/// How many diagnostics are shown at most; the summary counts all.
pub const MOST_SHOWN: usize = 200;

/// Sorts by file and place, and drops what is said twice (a value used through aliases is checked
/// at each use).
pub fn sort(diagnostics: &mut Vec<Diagnostic>) {
    fn path(diagnostic: &Diagnostic) -> Option<&Path> {
        diagnostic.file.as_ref().map(|file| file.path.as_path())
    }
    diagnostics.sort_by(|a, b| {
        path(a)
            .cmp(&path(b))
            .then_with(|| (a.span.start, a.span.end).cmp(&(b.span.start, b.span.end)))
            .then_with(|| b.severity.cmp(&a.severity))
            .then_with(|| a.message.cmp(&b.message))
    });
    diagnostics.dedup_by(|a, b| path(a) == path(b) && a.span == b.span && a.message == b.message);
}

/// The diagnostics as a text for people, in the order given, the first [`MOST_SHOWN`] of them.
#[must_use]
pub fn render(diagnostics: &[Diagnostic], colour: bool) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.decor_style(DecorStyle::Ascii);
    let mut text = String::new();
    for diagnostic in diagnostics.iter().take(MOST_SHOWN) {
        text.push_str(&one(&renderer, diagnostic));
        text.push_str("\n\n");
    }
    if let Some(more) = diagnostics.len().checked_sub(MOST_SHOWN).filter(|more| *more > 0) {
        text.push_str(&format!("… and {more} more\n\n"));
    }
    text
}

fn one(renderer: &Renderer, diagnostic: &Diagnostic) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let message = printable(&diagnostic.message, MESSAGE_SHOWN);
    let title = level.primary_title(message).id(diagnostic.code);
    let help = diagnostic
        .help
        .as_deref()
        .map(|help| Level::HELP.message(printable(help, MESSAGE_SHOWN).into_owned()));
    let Some(file) = &diagnostic.file else {
        return renderer.render(&[Group::with_title(title).elements(help)]);
    };
    let path = file.path.display().to_string();
    let path = printable(&path, MESSAGE_SHOWN).into_owned();
    let Some(excerpt) = Excerpt::of(file, &diagnostic.span) else {
        return renderer.render(&[title.element(Origin::path(path)).elements(help)]);
    };
    let mut caret = AnnotationKind::Primary.span(excerpt.caret);
    if !diagnostic.label.is_empty() {
        caret = caret.label(printable(&diagnostic.label, MESSAGE_SHOWN).into_owned());
    }
    let snippet = Snippet::source(excerpt.text).line_start(excerpt.line).annotation(caret);
    let report = if excerpt.cut {
        // The renderer would count the column from the cut.
        let origin = Origin::path(path).line(excerpt.line).char_column(excerpt.column);
        title.element(origin).element(snippet)
    } else {
        title.element(snippet.path(path))
    };
    renderer.render(&[report.elements(help)])
}

/// The part of a line that is shown, and the bytes of it to point at.
struct Excerpt {
    text: String,
    caret: Range<usize>,
    line: usize,
    column: usize,
    /// Whether the line's beginning is left out.
    cut: bool,
}

impl Excerpt {
    /// `None` for a file without text.
    fn of(file: &UserFile, span: &Range<usize>) -> Option<Self> {
        let text = file.text.as_str();
        // A file that ends too early is wrong at its last word, not on the empty line behind it.
        let content = text.trim_end().len();
        if content == 0 {
            return None;
        }
        let at = text.floor_char_boundary(span.start.min(content));
        let line_start = text[..at].rfind('\n').map_or(0, |end| end + 1);
        let line_end = text[at..].find('\n').map_or(text.len(), |end| at + end);
        let line = text[line_start..line_end].trim_end_matches('\r');
        let at = at.min(line_start + line.len());
        let (number, column) = file.place(at);

        let caret_from = column - 1;
        let last = text.ceil_char_boundary(span.end.clamp(at, line_start + line.len()).max(at));
        let caret_to = caret_from + text[at..last].chars().count();
        let skipped = match line.chars().count() {
            count if count <= LINE_SHOWN => 0,
            count => caret_from.saturating_sub(BEFORE_CARET).min(count - LINE_SHOWN),
        };
        let cut = skipped > 0;
        let mut shown = Self { text: String::new(), caret: 0..0, line: number, column, cut };
        if cut {
            shown.text.push('…');
        }
        let mut index = skipped;
        let mut characters = line.chars().skip(skipped);
        loop {
            if index == caret_from {
                shown.caret = shown.text.len()..shown.text.len();
            }
            if index == caret_to {
                shown.caret.end = shown.text.len();
            }
            if index == skipped + LINE_SHOWN {
                break;
            }
            let Some(next) = characters.next() else { break };
            shown.text.push(stand_in(next));
            index += 1;
        }
        if caret_to > index {
            shown.caret.end = shown.text.len();
        }
        if characters.next().is_some() {
            shown.text.push('…');
        }
        Some(shown)
    }
}

/// `2 errors, 1 warning, 3 notes`; empty when there is none.
#[must_use]
pub fn summary(diagnostics: &[Diagnostic]) -> String {
    let counted = |severity: Severity, word: &str| {
        let count = diagnostics.iter().filter(|d| d.severity == severity).count();
        let plural = if count == 1 { "" } else { "s" };
        (count > 0).then(|| format!("{count} {word}{plural}"))
    };
    let parts = [
        counted(Severity::Error, "error"),
        counted(Severity::Warning, "warning"),
        counted(Severity::Note, "note"),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// The first [`MOST_SHOWN`] diagnostics as a JSON list; lines and columns count from 1, columns in characters.
#[must_use]
pub fn to_json(diagnostics: &[Diagnostic]) -> Value {
    let one = |diagnostic: &Diagnostic| {
        let severity = match diagnostic.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        };
        let mut shown = json!({
            "severity": severity,
            "code": diagnostic.code,
            "message": diagnostic.message,
        });
        if let Some(file) = &diagnostic.file {
            let (line, column) = file.place(diagnostic.span.start);
            let (end_line, end_column) = file.place(diagnostic.span.end);
            shown["file"] = json!(file.path.display().to_string());
            shown["line"] = json!(line);
            shown["column"] = json!(column);
            shown["end_line"] = json!(end_line);
            shown["end_column"] = json!(end_column);
        }
        if !diagnostic.label.is_empty() {
            shown["label"] = json!(diagnostic.label);
        }
        if let Some(help) = &diagnostic.help {
            shown["help"] = json!(help);
        }
        shown
    };
    Value::Array(diagnostics.iter().take(MOST_SHOWN).map(one).collect())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;

    fn mistake(text: &str, span: Range<usize>) -> Diagnostic {
        let file = UserFile::new(Path::new("a.yaml"), text.to_owned());
        Diagnostic::error(&file, span, "some-code", "it is `wrong`")
    }

    #[track_caller]
    fn check(diagnostic: Diagnostic, shown: &[&str]) {
        let text = render(&[diagnostic], false);
        assert_eq!(text.trim_end().lines().collect::<Vec<_>>(), shown, "{text}");
    }

    #[test]
    fn a_caret_stands_under_the_word() {
        check(
            mistake("a: 1\nbé: wrong # x\n", 10..15).with_label("this").with_help("do that"),
            &[
                "error[some-code]: it is `wrong`",
                " --> a.yaml:2:5",
                "  |",
                "2 | bé: wrong # x",
                "  |     ^^^^^ this",
                "  |",
                "  = help: do that",
            ],
        );
        check(
            mistake("a: [1\n", 6..6).warning(),
            &[
                "warning[some-code]: it is `wrong`",
                " --> a.yaml:1:6",
                "  |",
                "1 | a: [1",
                "  |      ^",
            ],
        );
        check(
            mistake("a:\n  b: 1\n  c: 2\n", 0..16),
            &["error[some-code]: it is `wrong`", " --> a.yaml:1:1", "  |", "1 | a:", "  | ^^"],
        );
        check(mistake("", 0..0), &["error[some-code]: it is `wrong`", "--> a.yaml"]);
    }

    #[test]
    fn hostile_text_is_harmless() {
        check(
            mistake("\u{1b}[2J\u{202e}x\n", 7..8),
            &[
                "error[some-code]: it is `wrong`",
                " --> a.yaml:1:6",
                "  |",
                "1 | ␛[2J\u{fffd}x",
                "  |      ^",
            ],
        );
        let long = format!("{}word{}", "a".repeat(5000), "b".repeat(5000));
        let text = render(&[mistake(&long, 5000..5004)], false);
        assert!(text.contains("a.yaml:1:5001"), "{text}");
        assert!(text.lines().all(|line| line.chars().count() < 160), "{text}");
        let lines: Vec<&str> = text.lines().collect();
        let column = lines[4].chars().position(|c| c == 'w');
        assert_eq!(column, lines[5].chars().position(|c| c == '^'), "{text}");
    }

    #[test]
    fn sorted_counted_and_said_once() {
        let file = UserFile::new(Path::new("a.yaml"), "abc".to_owned());
        let at = |at: usize| Diagnostic::error(&file, at..at + 1, "c", format!("m{at}"));
        let mut all = vec![at(2), at(0).warning(), at(2), at(1)];
        sort(&mut all);
        assert_eq!(all.iter().map(|d| d.message.as_str()).collect::<Vec<_>>(), ["m0", "m1", "m2"]);
        assert_eq!(summary(&all), "2 errors, 1 warning");
        let noted = vec![at(0).note(), at(1).note(), at(2).warning()];
        assert_eq!(summary(&noted), "1 warning, 2 notes");
        assert_eq!(summary(&[]), "");
        assert_eq!(to_json(&all)[1]["column"], 2);
        let many: Vec<Diagnostic> = (0..MOST_SHOWN + 5).map(at).collect();
        assert!(render(&many, false).ends_with("… and 5 more\n\n"));
        assert_eq!(to_json(&many).as_array().map(Vec::len), Some(MOST_SHOWN));
        assert_eq!(to_json(&all)[0]["severity"], "warning");
    }

    proptest! {
        #[test]
        fn any_place_of_any_text_is_shown(
            text in "[a-cé\u{1b}\u{202e}\t\n\r ]{0,400}", start in 0usize..420, length in 0usize..50,
        ) {
            let file = UserFile::new(Path::new("\u{1b}.yaml"), text);
            let mistake = Diagnostic {
                file: Some(Arc::clone(&file)),
                span: start..start + length,
                severity: Severity::Error,
                code: "c",
                message: "\u{1b}".to_owned(),
                label: "\u{7}".to_owned(),
                help: Some("\r".to_owned()),
            };
            let shown = render(std::slice::from_ref(&mistake), false);
            prop_assert!(shown.chars().all(|c| c == '\n' || !c.is_control()), "{shown:?}");
            let _ = to_json(&[mistake]);
        }
    }
}
