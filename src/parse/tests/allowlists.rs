//! Allowlists of rules, on lines and on overflows.

use super::*;

// E6.
#[test]
fn statics_of_an_allowlist_run_only_for_friends() {
    let rules = Rules::sound(&[(
        "s",
        "
name: friends
whitelist: {reason: friends, ip: [1.2.3.4, '::1'], cidr: [10.0.0.0/8]}
statics: [{meta: x, value: x}]
---
name: again
whitelist: {reason: again, expression: [\"evt.Meta.source_ip == '1.2.3.4'\"]}
",
    )]);
    let from = |address: &str| {
        rules.run("x", |event| {
            event.set_named(Section::Meta, "source_ip", event.arena().alloc_str(address));
        })
    };
    let result = from("5.6.7.8");
    assert_eq!(result.record, "friends+ again+");
    assert_eq!((result.outcome, result.meta("x")), (Outcome::Parsed, None));
    let result = from("1.2.3.4");
    assert_eq!((result.outcome, result.meta("x")), (Outcome::Allowlisted, Some("x")));
    // The first reason stays.
    assert_eq!((&*result.record, &*result.reason), ("friends+ again+", "friends"));
    assert_eq!(from("10.255.0.1").outcome, Outcome::Allowlisted);
    assert_eq!(from("0:0::1").outcome, Outcome::Allowlisted);
    // An IPv4 address in IPv6 clothes is another address.
    assert_eq!(from("::ffff:1.2.3.4").outcome, Outcome::Parsed);
    assert_eq!(from("::ffff:10.0.0.1").outcome, Outcome::Parsed);
    assert_eq!(from("no address").outcome, Outcome::Parsed);
    assert_eq!(from("").outcome, Outcome::Parsed);
}

#[test]
fn a_condition_that_fails_ends_the_list_of_conditions() {
    let run = |conditions: &str| {
        let text = format!("name: a\nwhitelist: {{reason: r, expression: [{conditions}]}}");
        let result = Rules::sound(&[("s", &text)]).line("x");
        assert_eq!(result.record, "a+");
        (result.outcome, result.faults)
    };
    assert_eq!(run("'true'"), (Outcome::Allowlisted, 0));
    assert_eq!(run("'false', 'true'"), (Outcome::Allowlisted, 0));
    assert_eq!(run("\"evt.Unmarshaled.a.b == 'x'\", 'true'"), (Outcome::Parsed, 1));
    assert_eq!(run("'5', 'true'"), (Outcome::Allowlisted, 1));
}

#[test]
fn an_overflow_goes_through_the_same_stages() {
    let rules = Rules::sound(&[
        (
            "s00-enrich",
            "
name: range
onsuccess: next_stage
statics:
  - {target: evt.Overflow.Alert.Source.Value, value: 192.0.2.0/24}
  - {target: evt.Overflow.Alert.Source.Scope, value: Range}
---
name: friends
whitelist: {reason: friends, cidr: [192.0.2.0/24]}
",
        ),
        ("s01-whitelist", "name: friends\nwhitelist: {reason: friends, cidr: [192.0.2.0/24]}"),
    ]);
    let mut overflow = Overflow::none();
    overflow.alert = Some(Alert {
        scenario: "test".into(),
        message: String::new(),
        capacity: 0,
        leakspeed: 0,
        events_count: 1,
        start_at: Time::from_seconds(0),
        stop_at: Time::from_seconds(0),
        events: Vec::new(),
        meta: Vec::new(),
        simulated: false,
        remediation: true,
        spoofable: 0,
        machine: None,
    });
    let source = Source { value: "192.0.2.7".to_owned(), ..Source::default() };
    overflow.sources.push(("192.0.2.7".to_owned(), source));
    let (arena, world, mut scratch) = (Arena::new(), World::default(), Scratch::new());
    let event = Event::new(&arena, &rules.names, Kind::Overflow, Mode::Live, Time::from_seconds(0));
    let view = OverflowView::new(&arena, &overflow);
    event.overflow.set(Some(view));
    assert_eq!(rules.stages.run(event, &world, &mut scratch, None), Outcome::Allowlisted);
    let rewrite = view.rewrite();
    assert!(rewrite.allowlisted);
    assert_eq!(rewrite.source, Some(("Range".to_owned(), "192.0.2.0/24".to_owned())));
}
