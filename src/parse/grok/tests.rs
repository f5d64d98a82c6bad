//! Tests of the pattern library and of searches.

use std::path::Path;

use proptest::prelude::*;

use super::sample::Plain;
use super::*;

fn captures(library: &mut Library, pattern: &str, text: &str) -> Option<Vec<(String, String)>> {
    let grok = library.compile(pattern).unwrap();
    let mut found = Vec::new();
    grok.search(text, &mut Caches::default(), |index, text| {
        found.push((grok.captures()[index].to_string(), text.to_owned()));
    })
    .then(|| {
        found.sort();
        found
    })
}

#[track_caller]
fn check(pattern: &str, text: &str, expected: Option<&[(&str, &str)]>) {
    let found = captures(&mut Library::base(), pattern, text);
    let expected = expected.map(|pairs| {
        pairs.iter().map(|(n, t)| ((*n).to_owned(), (*t).to_owned())).collect::<Vec<_>>()
    });
    assert_eq!(found, expected, "{pattern} on {text:?}");
}

#[test]
fn captures_what_references_name() {
    check(
        "from %{IP:ip} port %{INT:port}",
        "x from 1.2.3.4 port 22",
        Some(&[("ip", "1.2.3.4"), ("port", "22")]),
    );
    check("%{IP:ip}", "::1", Some(&[("ip", "::1")]));
    check("%{IPV4:ip}", "9991.2.3.4", Some(&[("ip", "91.2.3.4")]));
    check("%{WORD:a}", "", None);
    check("%{URIHOST:host}", "a.b:80", Some(&[("host", "a.b:80"), ("port", "80")]));
}

#[test]
fn a_capture_that_took_no_part_is_empty() {
    check("a(%{INT:n})?b", "ab", Some(&[("n", "")]));
    check("^(?:%{INT:n}|%{WORD:w})$", "abc", Some(&[("n", ""), ("w", "abc")]));
}

#[test]
fn a_pattern_without_captures_is_never_found() {
    check("a", "a", None);
    check("%{WORD}", "a", None);
    check("(?P<x>a)", "a", None);
}

#[test]
fn the_last_of_equal_names_wins() {
    check("%{INT:n} %{INT:n}", "1 2", Some(&[("n", "2")]));
    // Also when it takes no part.
    check("%{INT:n}( %{INT:n})?", "1", Some(&[("n", "")]));
}

#[test]
fn a_name_of_the_outer_level_hides_the_same_name_inside() {
    let mut library = Library::base();
    library.add("PAIR", "%{INT:n}-%{INT:m}").unwrap();
    let pair = |n: &str, t: &str| (n.to_owned(), t.to_owned());
    assert_eq!(
        captures(&mut library, "%{WORD:n} %{PAIR}", "a 1-2"),
        Some(vec![pair("m", "2"), pair("n", "a")])
    );
    assert_eq!(
        captures(&mut library, "%{PAIR} %{PAIR}", "1-2 3-4"),
        Some(vec![pair("m", "4"), pair("n", "3")])
    );
}

#[test]
fn groups_are_numbered_right_whatever_the_literals_are() {
    check("(?P<x>a)[(](\\(|-)%{INT:n}", "a((1", Some(&[("n", "1")]));
    check("(?P<x>a)[(]\\((s)%{INT:n}", "a((s1", Some(&[("n", "1")]));
    check("(?:a|-)(?i:B)([)(]) (s) %{INT:n}", "-b( s 12", Some(&[("n", "12")]));
}

#[test]
fn what_is_no_reference_stands_for_itself() {
    check("%{INT:a:int} %{INT:b}", "%{INT:a:int} 5", Some(&[("b", "5")]));
    check("{%{INT:b}}", "{5}", Some(&[("b", "5")]));
    check("%{IP:src-ip} %{INT:b}", "%{IP:src-ip} 5", Some(&[("b", "5")]));
    assert_eq!(Library::base().doubtful("a %{INT:a:int}"), vec![2..14]);
}

#[test]
fn classes_are_ascii_and_text_beyond_ascii_is_matched_by_characters() {
    check("%{WORD:w}", "été", Some(&[("w", "t")]));
    check("^(?:.)%{NOTSPACE:w}$", "éa", Some(&[("w", "a")]));
    check("%{DATA:a}[^x]%{GREEDYDATA:b}", "éb", Some(&[("a", ""), ("b", "b")]));
    check("%{MONTH:m} ", "März ", Some(&[("m", "März")]));
    check("%{NOTSPACE:a}", "\u{b}x", Some(&[("a", "\u{b}x")]));
    check("(?i)a%{DATA:x}É", "A-é", Some(&[("x", "-")]));
    check("\\B%{NOTSPACE:x}", "é", Some(&[("x", "é")]));
}

#[test]
fn newlines_and_ends() {
    check("^%{GREEDYDATA:a}$", "a\nb", None);
    check("(?s)^%{WORD:a}.", "a\nb", Some(&[("a", "a")]));
    check("(?m)^%{WORD:a}$", "-\nb", Some(&[("a", "b")]));
}

#[test]
fn the_first_definition_wins() {
    let mut library = Library::base();
    assert_eq!(library.add("X", "a").unwrap(), Added::New);
    assert_eq!(library.add("X", "a").unwrap(), Added::Same);
    assert_eq!(library.add("X", "b").unwrap(), Added::Ignored);
    assert!(captures(&mut library, "%{X:x}", "a").is_some());
    assert!(captures(&mut library, "%{X:x}", "b").is_none());
}

#[test]
fn patterns_are_built_once_by_whoever_comes_first() {
    let mut library = Library::base();
    for pattern in ["from %{IP:ip}", "^%{WORD:w}$", "é%{WORD:w}"] {
        let (cold, warm) = (library.compile(pattern).unwrap(), library.compile(pattern).unwrap());
        std::thread::scope(|scope| {
            let searched = scope.spawn(|| {
                let mut found = false;
                warm.search("from 192.0.2.1", &mut Caches::default(), |_, _| found = true);
                found
            });
            assert_eq!(warm.warm(), Ok(()));
            let mut found = false;
            cold.search("from 192.0.2.1", &mut Caches::default(), |_, _| found = true);
            assert_eq!(searched.join().unwrap(), found, "{pattern}");
        });
        assert_eq!(cold.warm(), Ok(()));
    }
}

#[test]
fn a_library_can_go_back() {
    let mut library = Library::base();
    library.add("KEPT", "a").unwrap();
    let mark = library.mark();
    assert!(library.add_file(&file("ONE 1\n")).is_empty());
    library.add("TWO", "2").unwrap();
    assert_eq!(library.add("KEPT", "b").unwrap(), Added::Ignored);
    library.go_back(mark);
    assert!(library.contains("KEPT") && library.contains("WORD"));
    assert!(!library.contains("ONE") && !library.contains("TWO"));
    assert_eq!(library.place("ONE"), library.place("WORD"), "nowhere in a file");
    // A name that was forgotten is free.
    assert_eq!(library.add("TWO", "3").unwrap(), Added::New);
    assert!(captures(&mut library, "%{TWO:x}", "3").is_some());
    library.go_back(library.mark());
    assert!(library.contains("TWO"));
}

fn file(text: &str) -> Arc<UserFile> {
    UserFile::new(Path::new("patterns/own"), text.to_owned())
}

#[test]
fn files_hold_a_pattern_a_line() {
    let mut library = Library::base();
    let mistakes =
        library.add_file(&file("# comment\nONE 1 \n\n  INDENTED x\nTWO\t2%{ONE}\r\nNOPATTERN\n"));
    assert_eq!(mistakes, vec![]);
    assert!(library.contains("ONE") && library.contains("TWO") && !library.contains("INDENTED"));
    // Trailing white space is part of the pattern.
    assert!(captures(&mut library, "^%{ONE:x}$", "1 ").is_some());
    assert!(captures(&mut library, "^%{TWO:x}$", "21 ").is_some());

    let text = "ONE 2\nTHREE a %{NOPE}\nFOUR 4\n";
    let mistakes = library.add_file(&file(text));
    let found: Vec<_> = mistakes.iter().map(|m| (&text[m.span.clone()], &*m.message)).collect();
    assert_eq!(
        found,
        [
            ("ONE", "pattern `ONE` is defined already at patterns/own:2"),
            ("%{NOPE}", "unknown pattern `NOPE`")
        ]
    );
    assert!(library.contains("FOUR"));
}

#[test]
fn mistakes_point_into_the_pattern() {
    let check = |pattern: &str, at: &str, message: &str| {
        let mistake = Library::base().compile(pattern).unwrap_err();
        assert_eq!((&pattern[mistake.span.clone()], &*mistake.message), (at, message));
    };
    check("a %{NOPE:x}", "%{NOPE:x}", "unknown pattern `NOPE`");
    check("%{IP:a} (b", "(", "unclosed group");
    check("\\w %{IP:a} b)", ")", "unopened group");
    check("%{IP:a} [z-a]", "z", "invalid character class range, the start must be <= the end");
    let message =
        "`x` captures inside a character class or a comment, where nothing can be captured";
    check("a[%{DATA:x}]", "a[%{DATA:x}]", message);
    let mistake = Library::base().compile("%{ip:a}").unwrap_err();
    assert_eq!(mistake.help.as_deref(), Some("did you mean `IP`?"));
    check("\\Qéé\\E(", "(", "unclosed group");
    let mut library = Library::base();
    for pattern in ["\\Qéé^", "\\Qéééé\\Ex", "é\\Q.é.é"] {
        let progress = library.compile(pattern).unwrap().progress(&library, "é");
        let is_text = |span: &std::ops::Range<usize>| pattern.get(span.clone()).is_some();
        assert!(is_text(&progress.matched) && is_text(&progress.failed), "{pattern}: {progress:?}");
    }
    let mistake = Library::base().compile("%{GREDYDATA:a}").unwrap_err();
    assert_eq!(mistake.help.as_deref(), Some("did you mean `GREEDYDATA`?"));
    let mistake = Library::base().compile_named("NOPE").unwrap_err();
    assert_eq!(mistake.message, "unknown pattern `NOPE`");
}

#[test]
fn a_pattern_that_is_too_large_is_refused() {
    let mistake = Library::base().compile("%{WORD:a}(?:\\w{999}){999}").unwrap_err();
    assert!(mistake.message.contains("automaton states"), "{mistake:?}");
    let mut library = Library::base();
    library.add("A0", &"x".repeat(1000)).unwrap();
    let grown = (1..40)
        .find_map(|n| library.add(&format!("A{n}"), &format!("%{{A{0}}}%{{A{0}}}", n - 1)).err());
    assert_eq!(grown.unwrap().message, "the pattern expands to more than 1 MiB");
}

#[test]
fn patterns_that_are_too_large_together_are_refused() {
    let mut library = Library::base();
    library.add("A", &"x".repeat(1 << 19)).unwrap();
    let (n, mistake) = (0..1000)
        .find_map(|n| Some((n, library.add(&format!("B{n}"), "%{A}%{INT}").err()?)))
        .unwrap();
    assert_eq!((n, &*mistake.message), (126, "all patterns together expand to more than 64 MiB"));
    // Nor can one refer to itself, or two to each other.
    let mistake = Library::base().add("SELF", "a%{SELF}?").unwrap_err();
    assert_eq!(mistake.message, "unknown pattern `SELF`");
    let mut library = Library::base();
    library.n_states = MOST_STATES - 1;
    let mistake = library.compile("%{WORD:a}").unwrap_err();
    assert!(mistake.message.starts_with("all patterns together need more than"), "{mistake:?}");
}

#[test]
fn progress_says_how_far_a_pattern_got() {
    let mut library = Library::base();
    let pattern = "Failed %{WORD:method} for %{USERNAME:user} from %{IP:ip}";
    let grok = library.compile(pattern).unwrap();
    let text = "x Failed password for root from nowhere";
    let progress = grok.progress(&library, text);
    assert_eq!(&pattern[progress.matched], "Failed %{WORD:method} for %{USERNAME:user} from ");
    assert_eq!(&pattern[progress.failed], "%{IP:ip}");
    assert_eq!(&text[progress.text], "Failed password for root from ");

    let grok = library.compile("abc%{INT:n}").unwrap();
    let progress = grok.progress(&library, "zzz");
    assert_eq!((progress.matched, progress.failed), (0..0, 0..1));
    let grok = library.compile("ax%{INT:n}|abcd%{INT:n}").unwrap();
    let progress = grok.progress(&library, "abc");
    assert_eq!((progress.matched, progress.failed), (11..14, 14..15));
}

#[test]
fn every_base_pattern_compiles() {
    let mut library = Library::base();
    for (name, _) in patterns::BASE {
        library.compile_named(name).unwrap();
    }
}

#[test]
fn usual_patterns_need_no_automata() {
    for pattern in [
        "from %{IP:ip} port %{INT:port}",
        "%{IPORHOST:host} %{HTTPDUSER:ident} \\[%{HTTPDATE:time}\\] \"%{WORD:verb} %{NOTSPACE:request}",
        "^%{GREEDYDATA:request}\\?%{GREEDYDATA:http_args}$",
        "Failed (password|publickey) for (invalid user )?%{USERNAME:user} from %{IP:ip}",
        "%{TIMESTAMP_ISO8601:time} %{SYSLOGHOST:host} %{QUOTEDSTRING:text}",
    ] {
        assert!(Library::base().compile(pattern).unwrap().is_quick(), "{pattern}");
    }
}

proptest! {
    #[test]
    fn lean_patterns_capture_what_full_ones_do(
        parts in prop::collection::vec(prop::sample::select(vec![
            "%{IP:ip}", "%{WORD:w}", "%{DATA:d}", " ", "%{INT:n}", "%{NOTSPACE:s}", "(a|b)?", ".",
            "%{IPORHOST:h}", "(?:x|%{INT:m})", "[^é ]", "\\b", "%{GREEDYDATA:g}", "{", "é", "(?i)",
            "%{QS:q}", "$",
        ]), 1..7),
        text in "[a-c0-9.: é\"{xX\u{b}]{0,24}",
    ) {
        let pattern = parts.concat();
        let mut library = Library::base();
        let expected = Plain::new(&library, &pattern).search(&text);
        prop_assert_eq!(captures(&mut library, &pattern, &text), expected, "{} {}", pattern, text);
    }

    #[test]
    fn no_pattern_panics(pattern in "[\\x20-\\x7eé%{}\\\\\\[\\]()|IP:]{0,40}", text in "\\PC{0,20}") {
        let mut library = Library::base();
        if let Ok(grok) = library.compile(&pattern) {
            grok.search(&text, &mut Caches::default(), |_, _| {});
            let _ = grok.progress(&library, &text);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn loose_addresses_capture_what_full_ones_do(
        parts in prop::collection::vec(prop::sample::select(vec![
            "%{IP:ip}", "%{IP:ip}", "%{IP:to}", "%{IP}", "%{IPV4:four}", "( %{IP:ip})?", "%{DATA:d}",
            " ", "%{INT:n}", "%{WORD:w}", "(?:%{IP:ip}|%{WORD:w})", "(%{IP:l},?)+", ":", "[.0-9]",
            "%{GREEDYDATA:g}", "$", "^", "\\b", "?",
        ]), 1..6),
        text in prop::collection::vec(prop::sample::select(vec![
            "1.2.3.4", "10.0.0.255", "1.2.3.256", "01.2.3.4", "1.2.3.25", "::1", "fe80::1", "1:2:3:4",
            "::ffff:1.2.3.4", "2001:db8::a:b", " ", " ", ".", ":", "5", "25", "face", "%", "eth0", ",",
        ]), 0..7),
    ) {
        let (pattern, text) = (parts.concat().replace("^?", "^").replace("$?", "$"), text.concat());
        let mut library = Library::base();
        prop_assume!(library.compile(&pattern).is_ok());
        let expected = Plain::new(&library, &pattern).search(&text);
        prop_assert_eq!(captures(&mut library, &pattern, &text), expected, "{} {}", pattern, text);
    }
}
