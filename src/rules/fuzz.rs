//! The bodies of fuzz targets: any rule file, and any lines through the rules that come with the
//! program.

use std::path::Path;
use std::sync::{Arc, LazyLock};

use super::{Counts, Folder, Kind, Piece, Request, Ruleset, compile, from_folders, shipped};
use crate::detect::{self, Detector, Limits};
use crate::diagnostic::{Diagnostic, UserFile, render};
use crate::event::{Line, Mode, SourceId};
use crate::parse::fuzz::all_fields;
use crate::parse::{Fact, Outcome, Scratch, syslog};
use crate::value::{Arena, Time};

const NOW: Time = Time::from_seconds(1_767_268_800);

/// What a single mistake may take on a terminal, in bytes.
const LONGEST_SHOWN: usize = 16 << 10;

/// Lines that rules of any kind are tried on.
const LINES: [&str; 4] = [
    "<38>Jan  1 12:00:00 host sshd[9]: Failed password for invalid user x from 192.0.2.1 port 22 ssh2",
    r#"<13>1 2026-01-01T12:00:00Z host app - - - {"a": {"b": "192.0.2.1"}, "c": [1, null]}"#,
    "no header: user=x ip=2001:db8::1 é \u{fffd}",
    "",
];

/// A file that may hold anything is rules or has mistakes, each with a place in it, and is taken
/// whole or not at all. What is taken can be used, and is the same when it is read again.
#[doc(hidden)]
pub fn fuzz_rules(data: &[u8]) {
    let text = &*String::from_utf8_lossy(data);
    let kind = kind_of(text);
    let (rules, diagnostics) = load(kind.clone(), text);
    for diagnostic in &diagnostics {
        assert!(text.get(diagnostic.span.clone()).is_some(), "{kind:?}: {diagnostic:?}");
        assert!(!diagnostic.message.is_empty(), "{kind:?}: {diagnostic:?}");
        let shown = render(std::slice::from_ref(diagnostic), false);
        assert!(shown.len() < LONGEST_SHOWN, "{} bytes for one mistake", shown.len());
        assert!(!shown.chars().any(|c| c.is_control() && c != '\n'), "{shown:?}");
    }
    let counts = rules.counts();
    let is_wrong = diagnostics.iter().any(Diagnostic::is_error);
    assert_eq!(counts.rejected, usize::from(is_wrong), "{kind:?}: {diagnostics:?}");
    let n_rules = counts.parsers + counts.scenarios + counts.postoverflows;
    assert!(!is_wrong || n_rules == 0, "{kind:?}: {counts:?}");
    if n_rules == 0 {
        return;
    }
    let (again, repeated) = load(kind.clone(), text);
    assert_eq!(doubted(kind, text), counts, "doubts change nothing");
    assert_eq!(render(&diagnostics, false), render(&repeated, false), "read again");
    for label in ["syslog", "app"] {
        watch([&rules, &again], LINES.iter().map(|line| line.as_bytes()), label, Mode::Live);
    }
}

/// What a file is taken for: one of each kind is easily made.
fn kind_of(text: &str) -> Kind {
    let stage = "s01-parse".to_owned();
    match text {
        _ if text.contains("type:") => Kind::Scenario,
        _ if !text.contains(':') => Kind::Patterns,
        _ if text.len().is_multiple_of(4) => Kind::Postoverflow(stage),
        _ => Kind::Parser(stage),
    }
}

/// The same with all lints.
fn doubted(kind: Kind, text: &str) -> Counts {
    let file = UserFile::new(Path::new("rules.yaml"), text.to_owned());
    let collections = vec![Arc::clone(&file)];
    let pieces = vec![Piece { kind, file }];
    let folder = Folder { pieces, collections, ..Folder::default() };
    let request = Request { lints: true, ..Request::default() };
    compile::compile(vec![folder], request, None, NOW, Vec::new()).0.counts()
}

fn load(kind: Kind, text: &str) -> (Ruleset, Vec<Diagnostic>) {
    let file = UserFile::new(Path::new("rules.yaml"), text.to_owned());
    let folder = Folder { pieces: vec![Piece { kind, file }], ..Folder::default() };
    from_folders(vec![folder], NOW)
}

/// The first byte says whose lines they are, the rest are lines. What becomes of a line depends
/// neither on the lines before it nor on who looks on.
#[doc(hidden)]
pub fn fuzz_line(data: &[u8]) {
    static RULES: LazyLock<Ruleset> = LazyLock::new(|| from_folders(vec![shipped()], NOW).0);
    let [kind, lines @ ..] = data else { return };
    syslog::fuzz_decode(lines);
    let label = ["syslog", "dovecot", "other", ""][usize::from(kind % 4)];
    let mode = if kind & 4 == 0 { Mode::Live } else { Mode::Replay };
    watch([&RULES, &RULES], lines.split(|byte| *byte == b'\n'), label, mode);
}

/// Takes lines through two sets of the same rules: one by a worker that remembers, one by workers
/// that know nothing of other lines and tell of every step. Both must see the same, and buckets
/// must keep their limits.
fn watch<'l>(rules: [&Ruleset; 2], lines: impl Iterator<Item = &'l [u8]>, label: &str, mode: Mode) {
    const LIMITS: Limits = Limits { buckets: 3, events: 8, silences: 2, ends_per_tick: 2 };
    let [rules, others] = rules;
    let (world, mut scratch) = (rules.world(), Scratch::new());
    let mut choice = detect::Scratch::default();
    let mut detector = Detector::new(Arc::clone(rules.scenarios()), LIMITS, rules.world());
    let mut postoverflows = rules.postoverflows();
    let (mut now, mut pours, mut overflows) = (NOW, Vec::new(), Vec::new());
    for bytes in lines {
        now = now.plus(1_000_000_000);
        let line = Line::new(bytes, now, SourceId(0));
        let arena = Arena::new();
        let source = rules.source("fuzz", "file", label, mode);
        world.set_now(now);
        let (event, outcome) = rules.parse(line, &source, &arena, &world, &mut scratch, None);
        let (fresh_world, mut fresh) = (others.world(), Scratch::new());
        fresh_world.set_now(now);
        let mut n_facts = 0;
        let mut count = |_: Fact<'_, '_>| n_facts += 1;
        let (told, same) =
            others.parse(line, &source, &arena, &fresh_world, &mut fresh, Some(&mut count));
        assert_eq!(outcome, same, "{:?}", event.raw.get());
        assert_eq!(all_fields(event), all_fields(told), "{:?}", event.raw.get());
        if outcome == Outcome::Parsed {
            rules.scenarios().select(&mut choice, event, &world, &mut pours);
        }
        for pour in pours.drain(..) {
            detector.pour(pour, now, &mut overflows);
        }
        detector.tick(now, &mut overflows);
        postoverflows.settle(rules, &mut detector, &mut overflows, now, None);
        overflows.clear();
        assert!(detector.n_tracked() <= LIMITS.buckets, "{} buckets", detector.n_tracked());
        assert!(detector.n_kept() <= LIMITS.events, "{} events", detector.n_kept());
        assert!(detector.n_silences() <= LIMITS.silences, "{} silences", detector.n_silences());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{shipped, shipped_cases};
    use super::{fuzz_line, fuzz_rules};

    /// The rule files that come with the program, with a piece taken out, doubled, or replaced.
    fn mutated() -> impl Strategy<Value = String> {
        let files: Vec<String> =
            shipped().pieces.iter().map(|piece| piece.file.text.clone()).collect();
        let put = prop_oneof![
            prop::sample::select(vec![
                "", "\n", "  ", "- ", ": ", "\n---\n", "[", "{", "&a ", "*a", "|\n", "'", "\"",
                "#", "!!int ", "%{IP:x}", "(", "filter: ", "nodes:\n", "evt.", "== ''", "\u{0}",
                "\t", "1e99", "-1", "~",
            ])
            .prop_map(str::to_owned),
            "\\PC{0,8}",
        ];
        (prop::sample::select(files), any::<prop::sample::Index>(), 0_usize..20, put).prop_map(
            |(mut text, at, length, put)| {
                let start = text.floor_char_boundary(at.index(text.len() + 1));
                let end = text.floor_char_boundary((start + length).min(text.len()));
                text.replace_range(start..end.max(start), &put);
                text
            },
        )
    }

    /// Lines of the cases that come with the program, with a piece replaced.
    fn lines() -> impl Strategy<Value = Vec<u8>> {
        let cases: Vec<String> = shipped_cases()
            .iter()
            .flat_map(|file| file.text.lines().map(str::to_owned).collect::<Vec<_>>())
            .filter_map(|line| {
                let (_, text) = line.split_once("line: ").or(line.split_once("message: "))?;
                Some(format!("<38>Jan  1 12:00:00 host {}", text.trim_matches(['\'', '"'])))
            })
            .collect();
        assert!(!cases.is_empty(), "cases have lines");
        let line = (
            prop::sample::select(cases),
            any::<prop::sample::Index>(),
            0_usize..9,
            any::<[u8; 2]>(),
        );
        let line = line.prop_map(|(text, at, length, put)| {
            let mut bytes = text.into_bytes();
            let start = at.index(bytes.len() + 1);
            let end = (start + length).min(bytes.len());
            bytes.splice(start..end, put.into_iter().take(length % 3));
            bytes
        });
        (any::<u8>(), prop::collection::vec(line, 1..8)).prop_map(|(kind, lines)| {
            let mut data = vec![kind & 4];
            data.extend(lines.join(&b'\n'));
            data
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_bytes_as_rules(data in prop::collection::vec(any::<u8>(), 0..80)) {
            fuzz_rules(&data);
        }

        #[test]
        fn nearly_rules(text in mutated()) {
            fuzz_rules(text.as_bytes());
        }

        #[test]
        fn any_bytes_as_lines(data in prop::collection::vec(any::<u8>(), 0..200)) {
            fuzz_line(&data);
        }

        #[test]
        fn nearly_lines(data in lines()) {
            fuzz_line(&data);
        }
    }
}
