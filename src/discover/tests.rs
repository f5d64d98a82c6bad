//! Templates, roles and drafts as data, and what must hold of any messages.

use proptest::prelude::*;

use super::*;
use crate::parse::grok::{Caches, Library};
use crate::value::Time;

fn mined(messages: &[&str]) -> Vec<String> {
    let mut miner = Miner::new(Limits::default());
    for message in messages {
        miner.add(message);
    }
    miner.templates().iter().map(|template| format!("{} {template}", template.count)).collect()
}

#[track_caller]
fn check(messages: &[&str], expected: &[&str]) {
    assert_eq!(mined(messages), expected);
}

#[test]
fn messages_that_differ_in_their_variable_parts_are_one() {
    check(
        &[
            "[bob] FAIL LOGIN: Client \"192.0.2.7\"",
            "[alice] FAIL LOGIN: Client \"2001:db8::7\"",
            "[bob] OK LOGIN: Client \"192.0.2.9\"",
        ],
        &["2 [<word>] FAIL LOGIN: Client \"<address>\"", "1 [bob] OK LOGIN: Client \"<address>\""],
    );
    check(
        &[
            "conn=7 fd=9 ACCEPT from IP=192.0.2.7:1 (IP=0.0.0.0:389)",
            "conn=8 fd=9 ACCEPT from IP=[2001:db8::7]:2 (IP=[::]:389)",
            "conn=8 fd=9 closed",
        ],
        &[
            "2 conn=<number> fd=<number> ACCEPT from IP=<address>:<number> (IP=<address>:<number>)",
            "1 conn=<number> fd=<number> closed",
        ],
    );
    check(
        &["200 GET /a 192.0.2.7 \"x\"", "404 POST /b 192.0.2.8 \"\"", "400 - - 192.0.2.8 \"-\""],
        &["3 <number> <word> <path> <address> \"<text>\""],
    );
}

#[track_caller]
fn check_client(messages: &[&str], client: Option<&str>) {
    let mut miner = Miner::new(Limits::default());
    for message in messages {
        miner.add(message);
    }
    let templates = miner.into_templates();
    let roles = Roles::of(&templates[0], &known_users(&templates));
    let found = roles.client.map(|at| tokens(messages[0])[at].text);
    assert_eq!((templates.len(), found), (1, client), "{messages:?}");
}

#[test]
fn the_client_is_told_from_other_addresses() {
    check_client(&["from 192.0.2.7 to 192.0.2.1"], Some("192.0.2.7"));
    check_client(&["to 192.0.2.1 from 192.0.2.7"], Some("192.0.2.7"));
    check_client(&["listening on 192.0.2.1"], None);
    check_client(&["client=192.0.2.7 via=\"203.0.113.9\""], Some("192.0.2.7"));
    check_client(&["via=\"203.0.113.9\" 192.0.2.7"], Some("192.0.2.7"));
    check_client(&["ruser=x rhost=192.0.2.7"], Some("192.0.2.7"));
    check_client(&["h.example.org (192.0.2.7[192.0.2.7]) - no"], Some("[192.0.2.7]"));
    check_client(&["gone"], None);
}

#[test]
fn a_name_that_looks_like_an_address_bans_nobody() {
    let honest = |n: u8| format!("[user{n}] FAIL LOGIN: Client \"192.0.2.{n}\"");
    let mut messages: Vec<String> = (1..20).map(honest).collect();
    messages
        .push("[x] FAIL LOGIN: Client \"203.0.113.66\"] FAIL LOGIN: Client \"192.0.2.1\"".into());
    messages.push("[rhost=203.0.113.66] FAIL LOGIN: Client \"192.0.2.2\"".into());
    let learned = learn(&messages, "T", Limits::default());
    assert_eq!((learned.nodes.len(), learned.left.len()), (1, 0), "{:?}", learned.nodes);
    for (message, client) in messages.iter().rev().zip(["192.0.2.2", "192.0.2.1", "192.0.2.19"]) {
        let (node, found) = learned.look(message).expect("taken");
        assert_eq!((node.what, found), (What::FailedAuth, client.parse().ok()), "{message}");
    }
}

#[test]
fn a_draft_passes_its_own_cases() {
    let names = ["root", "admin", "bob", "eve", "mallory"];
    let mut messages = Vec::new();
    for (n, name) in (1..).zip(names) {
        messages.push(format!("login failed for user {name} from 192.0.2.{n} port 4{n}112"));
        messages.push(format!("login succeeded for user {name} from 2001:db8::{n} port 4{n}112"));
        messages.push(format!("cache holds {n} entries"));
    }
    let learned = learn(&messages, "LOCAL_SHOP", Limits::default());
    let subject = Subject {
        programs: vec!["shop".to_owned(), "shop2".to_owned()],
        label: None,
        from: "a test".to_owned(),
        lines: messages.len(),
    };
    let now = Time::from_seconds(1_767_268_800);
    let draft = Draft::new(&subject, &learned, now);
    let checked = draft.check(now);
    assert!(checked.diagnostics.is_empty(), "{:?}", checked.diagnostics);
    assert!(checked.failed.is_empty(), "{:?}\n{:#?}", checked.failed, draft.files);
    assert!(checked.passed >= 14, "{}", checked.passed);
    let parser = &draft.files[0].1;
    let filter = r#"filter: 'evt.Parsed.program in ["shop", "shop2"]'"#;
    assert!(parser.contains(filter), "{parser}");
    let pattern = "'^login failed for user %{GREEDYDATA:target_user} from %{IP:source_ip} port \
                   %{NUMBER:source_port}$'";
    assert!(parser.contains(pattern), "{parser}");
}

#[test]
fn bounds_hold_and_what_finds_no_place_is_counted() {
    let limits = Limits { templates: 10, at_leaf: 4, bytes: 2000, message: 100 };
    let mut miner = Miner::new(limits);
    for n in 0..1000 {
        let signs = ";".repeat(n % 40);
        miner.add(&format!("{signs} a{} b{} c{} {}", n, n * 7, n * 13, "x".repeat(n)));
    }
    assert_eq!((miner.templates().len(), miner.messages()), (10, 1000));
    assert!(miner.held() <= 2000, "{}", miner.held());
    let placed: u64 = miner.templates().iter().map(|template| template.count).sum();
    assert_eq!(placed + miner.unplaced(), 1000);
    assert!(miner.unplaced() > 0);
}

/// Messages as programs write them, with parts that vary.
fn messages() -> impl Strategy<Value = Vec<String>> {
    let word =
        "bob|eve|failed|OK|x[0-9]{1,2}|-|GET|POST|/a/[a-z]{1,3}|[0-9]{1,4}|\"[a-z \\\\\"]{0,5}\"";
    let address =
        "192\\.0\\.2\\.[0-9]|2001:db8::[1-9a-f]|\\[2001:db8::7\\]|::ffff:192\\.0\\.2\\.[0-9]";
    let time = "2026-11-23T22:00:0[0-9]Z|2026/11/23 22:00:0[0-9]|Nov  [1-9] 22:00:00|22:00:01";
    let any = "[ -~]{0,20}|.{0,6}";
    let shape =
        (0..4_u8, word, address, time, word, any).prop_map(|(kind, a, b, c, d, e)| match kind {
            0 => format!("login of {a} from {b} at {c}: {d}"),
            1 => format!("user={a} rip={b}, {d} {c}"),
            2 => format!("{c} [{a}] {b}:{d}"),
            _ => format!("{a} {e}"),
        });
    prop::collection::vec(shape, 1..40)
}

proptest! {
    #[test]
    fn every_message_is_matched_by_the_pattern_of_its_template(messages in messages()) {
        let mut miner = Miner::new(Limits::default());
        let places: Vec<_> = messages.iter().map(|message| miner.add(message)).collect();
        let templates = miner.into_templates();
        let known = known_users(&templates);
        let mut library = Library::base();
        let mut syntax = Syntax::new("T");
        let mut caches = Caches::default();
        let none = std::collections::BTreeSet::new();
        for (message, place) in messages.iter().zip(places) {
            let template = &templates[place.expect("there is room")];
            let roles = Roles::of(template, &known);
            let pattern = grok(template, &roles, &none, Extent::Whole, &mut syntax);
            for (name, text) in syntax.named() {
                library.add(name, text).expect("a pattern");
            }
            // A grok without captures is never found.
            let pattern = format!("{}%{{DATA:rest}}$", pattern.strip_suffix('$').expect("anchored"));
            let grok = library.compile(&pattern).expect("a pattern");
            // The first line of a message is what rules see.
            if !message.contains('\n') {
                prop_assert!(grok.search(message, &mut caches, |_, _| {}), "{message}\n{pattern}");
            }
        }
    }

    #[test]
    fn order_does_not_change_totals(messages in messages(), seed in 0..40_usize) {
        let total = |messages: &[String]| {
            let mut miner = Miner::new(Limits::default());
            messages.iter().for_each(|message| { miner.add(message); });
            let count: u64 = miner.templates().iter().map(|template| template.count).sum();
            let addressed: u64 = miner.templates().iter().map(|template| template.addressed).sum();
            (miner.messages(), count, addressed, miner.unplaced())
        };
        let mut turned = messages.clone();
        turned.rotate_left(seed % messages.len());
        turned.reverse();
        prop_assert_eq!(total(&messages), total(&turned));
    }
}

proptest! {
    // Each loads rules many times over.
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_same_messages_give_the_same_rules(messages in messages()) {
        let text = |messages: &[String]| {
            let learned = learn(messages, "T", Limits::default());
            let patterns: Vec<_> = learned.nodes.iter().map(|node| node.pattern.clone()).collect();
            (patterns, learned.left.len())
        };
        prop_assert_eq!(text(&messages), text(&messages));
    }

    #[test]
    fn drafts_of_anything_are_rules_that_load(messages in messages()) {
        let learned = learn(&messages, "LOCAL_T", Limits::default());
        let subject = Subject {
            programs: vec!["t".to_owned()],
            label: None,
            from: "a test".to_owned(),
            lines: messages.len(),
        };
        if !learned.nodes.is_empty() {
            let now = Time::from_seconds(1_767_268_800);
            let draft = Draft::new(&subject, &learned, now);
            let checked = draft.check(now);
            prop_assert!(checked.diagnostics.is_empty(), "{:?}\n{:?}", checked.diagnostics, draft);
            prop_assert!(checked.failed.is_empty(), "{:?}\n{:?}", checked.failed, draft);
        }
    }
}
