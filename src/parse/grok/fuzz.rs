//! The body of a fuzz target: any pattern, any text, and the `regex` crate as judge.

use std::sync::LazyLock;

use regex::RegexBuilder;

use super::expand::Wanted;
use super::pattern::parse;
use super::{Caches, Grok, Library};

/// The first line is a pattern, the rest a text. The pattern compiles or has a mistake with a place
/// in it; what it finds in the text is what the `regex` crate finds.
#[doc(hidden)]
pub fn fuzz_grok(data: &[u8]) {
    let data = String::from_utf8_lossy(data);
    let (pattern, text) = data.split_once('\n').unwrap_or((&data, ""));
    static BASE: LazyLock<Library> = LazyLock::new(Library::base);
    let mut library = BASE.clone();
    let grok = match library.compile(pattern) {
        Ok(grok) => grok,
        Err(mistake) => {
            assert!(pattern.get(mistake.span.clone()).is_some(), "{pattern:?}: {mistake:?}");
            assert!(!mistake.message.is_empty());
            return;
        }
    };
    let mut caches = Caches::default();
    let found = search(&grok, text, &mut caches);
    assert_eq!(found, search(&grok, text, &mut caches), "the same again");
    if let Some(pieces) = &found {
        assert_eq!(pieces.len(), grok.captures().len(), "every capture is told");
        assert!(pieces.iter().all(|piece| text.contains(piece)), "pieces of the text");
    }
    if !grok.captures().is_empty()
        && let Some(judged) = judge(&library, pattern, text)
    {
        assert_eq!(found, judged, "{pattern:?} on {text:?}");
    }
    if found.is_some() {
        return;
    }
    // What explains a mismatch must hold for any pattern and text, too.
    let progress = grok.progress(&library, text);
    assert!(pattern.get(progress.matched).is_some() && pattern.get(progress.failed).is_some());
    assert!(text.get(progress.text).is_some());
}

fn search<'t>(grok: &Grok, text: &'t str, caches: &mut Caches) -> Option<Vec<&'t str>> {
    let mut pieces = Vec::new();
    let found = grok.search(text, caches, |number, piece| {
        assert_eq!(number, pieces.len(), "captures are told in order");
        pieces.push(piece);
    });
    found.then_some(pieces)
}

/// What the same pattern, with all of its groups and none of our shortcuts, finds; `None` when the
/// `regex` crate finds the pattern too large.
fn judge<'t>(library: &Library, pattern: &str, text: &'t str) -> Option<Option<Vec<&'t str>>> {
    let expansion = library.expand(pattern, Wanted::Text).ok()?;
    let (full, kept, _) = parse(pattern, &expansion).ok()?;
    let regex = RegexBuilder::new(&full).build().ok()?;
    let Some(found) = regex.captures(text) else { return Some(None) };
    let pieces = kept.iter().map(|group| found.get(*group as usize));
    Some(Some(pieces.map(|piece| piece.map_or("", |piece| piece.as_str())).collect()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::patterns::BASE;
    use super::fuzz_grok;

    /// Pieces of patterns, references to the base patterns among them.
    fn piece() -> impl Strategy<Value = String> {
        let plain = prop::sample::select(vec![
            "(",
            ")",
            "(?:",
            "|",
            "*",
            "+?",
            "?",
            "{2}",
            "{,3}",
            "[",
            "]",
            "[^ ]",
            "[a-f]",
            "\\",
            "\\d",
            "\\b",
            "\\S+",
            "^",
            "$",
            ".",
            "(?i)",
            "(?P<n>",
            " ",
            ":",
            "a",
            "12",
            "é",
            "%{",
            "}",
            "\\Qa.b\\E",
        ]);
        prop_oneof![
            2 => plain.prop_map(str::to_owned),
            1 => prop::sample::select(BASE.to_vec()).prop_map(|(name, _)| format!("%{{{name}}}")),
            2 => (prop::sample::select(BASE.to_vec()), "[ab]")
                .prop_map(|((name, _), capture)| format!("%{{{name}:{capture}}}")),
        ]
    }

    fn text() -> impl Strategy<Value = String> {
        let word = prop::sample::select(vec![
            "192.0.2.1",
            "2001:db8::1",
            "::ffff:1.2.3.4",
            "host.example",
            "12",
            "aa",
            "é",
            "%",
            "999.1.1.1",
            "/a/b?c=d",
            "\"q \\\" r\"",
            "Mar  5 14:02:03",
            "2024-03-05T14:02:03Z",
            "[a]",
            "x@y",
            "\n",
        ]);
        prop::collection::vec(word, 0..5).prop_map(|words| words.join(" "))
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_bytes(data in prop::collection::vec(any::<u8>(), 0..60)) {
            fuzz_grok(&data);
        }

        #[test]
        fn any_pieces(pattern in prop::collection::vec(piece(), 1..6), text in text()) {
            fuzz_grok(format!("{}\n{text}", pattern.concat()).as_bytes());
        }
    }
}
