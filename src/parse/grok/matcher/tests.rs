//! The matcher against the automata: the same matches, the same groups.

use proptest::prelude::*;
use regex_automata::Input;
use regex_syntax::hir::Hir;

use super::super::pattern::build;
use super::super::{address as pattern, lean, sample};
use super::{Matcher, Memory, NONE, Search};

/// Patterns of the kinds that groks are made of, and of kinds that they should not be made of.
fn patterns() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "a",
        "b",
        "ab",
        "abc",
        "1",
        ".",
        "[ab]",
        "[^a]",
        "[a-c1]",
        "[^ ]",
        r"(?-u:\b)",
        r"(?-u:\B)",
        "^",
        "$",
        "(?m:^)",
        "(?m:$)",
        "(?s:.)",
        "ba: ",
        " ",
        "",
        "abc1: ab",
        "b: abcabc1",
        "ab: 1a: 1abc: b1",
        r"\w+",
        r"(?-u:\b)\w+(?-u:\b)",
        r"(\w*?)(?-u:\b)",
        "(.*?)",
        "(.*)",
        "[^:]+",
        "(?i-u:ab)c",
        "[a-c]{2}",
        "[b1:]{1,3}?",
    ]);
    let leaf = leaf.prop_map(|leaf| leaf.replace(r"\w", "[0-9A-Za-z_]"));
    leaf.prop_recursive(5, 24, 4, |inner| {
        let suffix = prop::sample::select(vec![
            "?", "*", "+", "??", "*?", "+?", "{2}", "{1,2}", "{0,3}?", "{2,}",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| parts.concat()),
            prop::collection::vec(inner.clone(), 2..4)
                .prop_map(|parts| format!("(?:{})", parts.join("|"))),
            inner.clone().prop_map(|part| format!("({part})")),
            (inner, suffix).prop_map(|(part, suffix)| format!("(?:{part}){suffix}")),
        ]
    })
}

/// Parts of patterns as rules have them.
fn part() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        r"\b\w+\b",
        r"(\b\w+\b)",
        r"(\w+)",
        r"(\w*?)\b",
        r"([a-c]+)\b",
        r"\b",
        r"\B",
        r"(\w+)\B",
        r"(.*?)",
        r"(.*)",
        r".*",
        r"([^:]*?)",
        r"([a-c1]{2,}?)",
        r"([a-c1]{0,9})",
        r"(\S+)",
        r"([a-z.-]+)",
        r"(\d+)(?:\.\d+)?",
        r"(?:(\w+)|-)",
        r"(?: (\w+))?",
        r"(?:(ab)|(a.*?)b)",
        r"(?:a(b)?)+",
        r"\s*",
        r"ab",
        r" ",
        r": ",
        r"-ab: <",
        r"ab: <c",
        r": ab: <c1",
        r"ab ab ab ab ab ab: <",
        r"(?i)ab-c1",
        r"(?i)aba b: <c1 abc-",
        r"$",
        r"^",
        r"\n",
    ])
    .prop_map(|part| {
        let part = part.replace(r"\w", "[0-9A-Za-z_]").replace(r"\d", "[0-9]");
        let part = part.replace(r"\b", r"(?-u:\b)").replace(r"\B", r"(?-u:\B)");
        if part.starts_with("(?i)") { format!("(?:{part})") } else { part }
    })
}

/// Pieces of texts for them.
fn piece() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "a",
        "b",
        "ab",
        "abc",
        "AB",
        "1",
        "12.5",
        " ",
        " ",
        ": ",
        "-ab: <",
        "ab: <c",
        ": ab: <c1",
        "-",
        "ab ab ab ab ab ab: <",
        "AB-c1",
        "aBa B: <C1 aBc-",
        "\n",
        ".",
        "_",
        "ab ab ab ab ab: <",
        "",
    ])
}

/// What the automata find: begin and end of each group.
fn oracle(hir: &Hir, text: &str, last: usize) -> Option<Vec<u32>> {
    let regex = build(hir).unwrap();
    let mut slots = vec![None; 2 * (last + 1)];
    regex.search_slots(&Input::new(text), &mut slots)?;
    let place = |slot: &Option<regex_automata::util::primitives::NonMaxUsize>| {
        slot.map_or(NONE, |slot| u32::try_from(slot.get()).unwrap())
    };
    Some(slots[2..].iter().map(place).collect())
}

/// Compares on one text; gives whether the matcher could tell.
fn compare(hir: &Hir, matcher: &Matcher, last: usize, text: &str) -> Result<bool, TestCaseError> {
    let mut memory = Memory::default();
    let found = match matcher.search(text.as_bytes(), &mut memory) {
        Search::Found => Some(memory.slots().to_vec()),
        Search::Nothing => None,
        Search::Unsure => return Ok(false),
    };
    prop_assert_eq!(found, oracle(hir, text, last), "{} on {:?}", hir, text);
    Ok(true)
}

/// A pattern, if wanted with a group of all that it matches.
fn parsed(pattern: &str, is_whole: bool) -> Hir {
    let whole = format!("({pattern})");
    lean::ascii_only(regex_syntax::parse(if is_whole { &whole } else { pattern }).unwrap())
}

fn last_group(hir: &Hir) -> usize {
    hir.properties().explicit_captures_len()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn finds_what_the_automata_find(
        pattern in patterns(),
        is_whole: bool,
        texts in prop::collection::vec("[abc1: \n]{0,12}", 6),
    ) {
        let hir = parsed(&pattern, is_whole);
        let last = last_group(&hir);
        if let Some(matcher) = Matcher::new(&hir, last, true) {
            for text in &texts {
                compare(&hir, &matcher, last, text)?;
            }
        }
    }

    #[test]
    fn words_and_literals_are_found_wherever_they_stand(
        parts in prop::collection::vec(part(), 1..7),
        is_whole: bool,
        pieces in prop::collection::vec(prop::collection::vec(piece(), 0..8), 6),
    ) {
        let hir = parsed(&parts.concat(), is_whole);
        let last = last_group(&hir);
        let matcher = Matcher::new(&hir, last, true).unwrap();
        for text in &pieces {
            compare(&hir, &matcher, last, &text.concat())?;
        }
    }

    #[test]
    fn what_matches_is_found_up_to_the_end_of_the_text(
        parts in prop::collection::vec(part(), 1..7),
        is_whole: bool,
        seed: u64,
        around in (piece(), piece()),
        cut in 0..4_usize,
    ) {
        let hir = parsed(&parts.concat(), is_whole);
        let last = last_group(&hir);
        let matcher = Matcher::new(&hir, last, true).unwrap();
        let mut text = Vec::new();
        sample::draw(&hir, &mut sample::Lots::new(seed), &mut text);
        let text = String::from_utf8(text).unwrap();
        let text = format!("{}{text}{}", around.0, around.1);
        let cut = text.len().saturating_sub(cut);
        for text in [&text, &text[..cut], &text[text.len() - cut..]] {
            compare(&hir, &matcher, last, text)?;
        }
    }

    #[test]
    fn addresses_are_those_of_the_pattern(
        before in prop::sample::select(vec!["", "a", "(?:x|", "[^1]", "(", "(?:from )?"]),
        after in prop::sample::select(vec!["", ":", "[.0-9]", " ", "(?-u:\\b)", "$", "(.*)", "[a-f]?x", "(,)"]),
        text in prop::collection::vec(prop::sample::select(vec![
            "1.2.3.4", "10.0.0.255", "1.2.3.256", "01.2.3.4", "1.2.3.25", "::1", "fe80::1", "1:2:3:4",
            "::ffff:1.2.3.4", "2001:db8::a:b", " ", " ", ".", ":", "5", "25", "face", "%", "eth0", ",",
            "1:2:3:4:5:6:7:8", "::", "1::", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "12345::1", "from ",
            "a.b", "x", "1.2.3", "1.2.3.4567",
        ]), 0..5).prop_map(|parts| parts.concat()),
    ) {
        let close = if before.starts_with('(') && !before.ends_with('?') { ")" } else { "" };
        let regex = format!("{before}(?P<address>{}){close}{after}", pattern::text());
        // Of all groups, only that of the address is kept.
        let ast = regex_syntax::parse(&regex).unwrap();
        let wanted = if before == "(" { 2 } else { 1 };
        let hir = lean::drop_groups(lean::ascii_only(ast), &|group| (group == wanted).then_some(1));
        let matcher = Matcher::new(&hir, 1, true).unwrap();
        compare(&hir, &matcher, 1, &text)?;
    }
}

#[track_caller]
fn check(pattern: &str, text: &str, expected: Search) {
    let hir = lean::ascii_only(regex_syntax::parse(pattern).unwrap());
    let matcher = Matcher::new(&hir, last_group(&hir), true).expect("steps can do it");
    assert_eq!(matcher.search(text.as_bytes(), &mut Memory::default()), expected);
}

/// A run that is too short leads nowhere, whatever stands behind it.
#[test]
fn a_run_before_a_literal_is_as_long_as_it_must_be() {
    for (pattern, text, expected) in [
        ("^[ab]{2,}?ab:", "a:ab:", Search::Nothing),
        ("^[ab]{2,}ab:", "a:ab:", Search::Nothing),
        ("^[ab]{2,}?ab:", "baab:", Search::Found),
        ("^[ab]{2,}ab:", "baab:", Search::Found),
        ("^[ab]{2,}?b", "a:b", Search::Nothing),
        ("^[ab]+?ab:", "ab:", Search::Nothing),
        ("^[ab]{1,2}?abc1abc1abc1abc1abc1", "baabc1abc1abc1abc1abc1", Search::Found),
        ("^[ab]{1,2}abc1abc1abc1abc1abc1", "bbaabc1abc1abc1abc1abc1", Search::Nothing),
    ] {
        check(pattern, text, expected);
    }
}

#[test]
fn what_would_take_for_ever_is_left_to_the_automata() {
    let evil = "ab".repeat(40);
    check("(?:ab|a|b)+c", &evil, Search::Unsure);
    check("(?:a|ab)(?:c|bcd)(d*)", "abcd", Search::Found);
    check("(?:ab)+c", "ababab", Search::Nothing);
}

#[test]
fn what_steps_cannot_do_is_left_to_the_automata() {
    for pattern in ["(?:a?)*", "(?:a|)+", "(?:(?:a{100}b){100}c){100}", "\u{e9}[\u{e0}-\u{e9}]"] {
        let hir = regex_syntax::parse(pattern).unwrap();
        assert!(Matcher::new(&hir, 0, false).is_none(), "{pattern}");
    }
}

/// An address is found in one step, and where one is not, that is seen in one step.
#[test]
fn addresses_are_recognised_alone_and_among_other_branches() {
    for text in ["1.2.3.4", "2001:db8::1", "mail.example.org", "face", "3com.example"] {
        let pattern = format!("^(?:{}|[a-z0-9.]+)$", pattern::text());
        let hir =
            lean::drop_groups(lean::ascii_only(regex_syntax::parse(&pattern).unwrap()), &|_| None);
        let matcher = Matcher::new(&hir, 0, true).unwrap();
        assert!(matcher.steps.len() < 12, "{}", matcher.steps.len());
        let found = matcher.search(text.as_bytes(), &mut Memory::default());
        assert_eq!(found, Search::Found, "{text}");
    }
}
