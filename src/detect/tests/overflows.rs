//! What becomes of an overflow: its sources and its alert, filter and blackhole, reprocessing.

use std::sync::Arc;

use super::bench::{Bench, FROM_A, FROM_B, Fields, instant};
use crate::event::{Overflow, ShownKey, Source};

const TRIGGER: &str = "
type: trigger
name: t/trigger
description: d
filter: evt.Meta.log_type == 'x'
groupby: evt.Meta.source_ip
";

fn with(more: &str) -> String {
    format!("{TRIGGER}{more}\n")
}

const ENRICHED: Fields<'static> = &[
    ("source_ip", "192.0.2.1"),
    ("log_type", "x"),
    ("SourceRange", "192.0.2.77/24"),
    ("Enriched.ASNNumber", "64500"),
    ("Enriched.ASNOrg", "Example"),
    ("Enriched.IsoCode", "DE"),
    ("Enriched.Latitude", "52.500000"),
    ("Enriched.Longitude", "nonsense"),
];

#[track_caller]
fn source(text: &str, fields: Fields<'_>) -> (String, Source) {
    let mut overflows = Bench::new(text).replay(0.0, fields);
    assert_eq!(overflows.len(), 1, "{text}");
    let Overflow { sources, alert, .. } = overflows.remove(0);
    assert!(alert.is_some());
    assert_eq!(sources.len(), 1);
    sources.into_iter().next().unwrap()
}

#[test]
fn an_address_is_blamed_with_what_is_known_of_it() {
    let (key, found) = source(TRIGGER, ENRICHED);
    assert_eq!(key, "192.0.2.1");
    let expected = Source {
        scope: "Ip".into(),
        value: "192.0.2.1".into(),
        ip: "192.0.2.1".into(),
        range: "192.0.2.0/24".into(),
        as_name: "Example".into(),
        as_number: "64500".into(),
        country: "DE".into(),
        latitude: 52.5,
        longitude: 0.0,
    };
    assert_eq!(found, expected);
    // `ASNumber` wins where there are both.
    let both = [ENRICHED, &[("Enriched.ASNumber", "1")]].concat();
    assert_eq!(source(TRIGGER, &both).1.as_number, "1");
}

#[test]
fn an_address_is_blamed_as_it_was_written() {
    let fields = [("source_ip", "2001:0db8::0001"), ("log_type", "x")];
    assert_eq!(source(TRIGGER, &fields).0, "2001:0db8::0001");
}

#[test]
fn a_network_is_blamed() {
    let range = with("scope:\n  type: Range");
    let (key, found) = source(&range, ENRICHED);
    assert_eq!((key.as_str(), found.scope.as_str()), ("192.0.2.0/24", "Range"));
    assert_eq!(found.ip, "192.0.2.1");
    let computed = with("scope:\n  type: Range\n  expression: evt.Meta.net");
    let fields = [ENRICHED, &[("net", "192.0.0.0/16")]].concat();
    let (key, found) = source(&computed, &fields);
    assert_eq!((key.as_str(), found.range.as_str()), ("192.0.0.0/16", "192.0.2.0/24"));
}

#[test]
fn anything_may_be_blamed() {
    let text = with("scope:\n  type: Country\n  expression: evt.Enriched.IsoCode");
    let (key, found) = source(&text, ENRICHED);
    let expected = Source { scope: "Country".into(), value: "DE".into(), ..Source::default() };
    assert_eq!((key.as_str(), found), ("DE", expected));
    // What is no text counts as none; nobody needs an address.
    let text = with("scope:\n  type: Thing\n  expression: evt.Unmarshaled.thing");
    assert_eq!(source(&text, &[("log_type", "x")]).0, "");
}

#[test]
fn without_an_address_nobody_is_blamed() {
    let mut bench = Bench::new(&with("blackhole: 1m"));
    for fields in [
        &[("log_type", "x")][..],
        &[("log_type", "x"), ("source_ip", "example.org")],
        &[("log_type", "x"), ("source_ip", "192.0.2.9"), ("SourceRange", "x")],
    ] {
        assert!(bench.replay(0.0, fields).is_empty());
    }
    assert_eq!((bench.counts().unsourced, bench.counts().overflowed), (3, 3));
    // It began a silence all the same.
    assert!(bench.replay(1.0, &[("log_type", "x")]).is_empty());
    assert_eq!((bench.counts().unsourced, bench.counts().blackholed), (3, 1));
}

const LEAKY: &str = "
type: leaky
name: t/leaky
description: d
filter: evt.Meta.log_type == 'x'
capacity: 1
leakspeed: 1m30s
labels:
  service: ssh
  remediation: true
";

#[test]
fn an_alert_says_what_happened() {
    let mut bench = Bench::new(LEAKY);
    bench.replay(1.0, &[("source_ip", "192.0.2.1"), ("log_type", "x"), ("a", "1")]);
    let overflows = bench.replay(3.5, FROM_A);
    let overflow = &overflows[0];
    let (filter, name) = ("evt.Meta.log_type == 'x'".into(), "t/leaky".into());
    assert_eq!(overflow.key, ShownKey::new(filter, "", name));
    let alert = overflow.alert.as_ref().unwrap();
    assert_eq!(&*alert.scenario, "t/leaky");
    assert_eq!(
        alert.message,
        "Ip 192.0.2.1 performed 't/leaky' (2 events over 2.5s) at 1970-01-01 00:00:03.5 +0000 UTC"
    );
    assert_eq!((alert.capacity, alert.events_count), (1, 2));
    assert_eq!(alert.leakspeed, 90_000_000_000);
    assert_eq!((alert.start_at, alert.stop_at), (instant(1.0), instant(3.5)));
    assert!(alert.remediation && !alert.simulated);
    let first = &alert.events[0];
    let meta: Vec<_> =
        first.meta().iter().map(|(key, text)| (key.as_str(), text.as_str())).collect();
    assert_eq!(meta, [("a", "1"), ("log_type", "x"), ("source_ip", "192.0.2.1")]);
    assert_eq!(first.timestamp(), "1970-01-01T00:00:01Z");
    assert_eq!(alert.events[1].timestamp(), "1970-01-01T00:00:03.5Z");
}

#[test]
fn an_event_without_written_time_has_its_own() {
    let mut bench = Bench::new(TRIGGER);
    let overflows = bench.live(2.0, FROM_A);
    let alert = overflows[0].alert.as_ref().unwrap();
    assert_eq!(alert.events[0].timestamp(), "1970-01-01T00:00:02Z");
}

#[test]
fn several_sources_are_counted_and_the_last_event_of_each_wins() {
    let mut bench = Bench::new(&LEAKY.replace("capacity: 1", "capacity: 2"));
    bench.replay(0.0, FROM_A);
    bench.replay(0.0, FROM_B);
    let late = [FROM_A, &[("Enriched.IsoCode", "FR")]].concat();
    let overflows = bench.replay(0.0, &late);
    let alert = overflows[0].alert.as_ref().unwrap();
    assert!(alert.message.starts_with("Ip 2 sources performed"), "{}", alert.message);
    let found: Vec<_> = overflows[0]
        .sources
        .iter()
        .map(|(key, source)| (key.as_str(), source.country.as_str()))
        .collect();
    assert_eq!(found, [("192.0.2.1", "FR"), ("192.0.2.2", "")]);
}

#[test]
fn remediation_is_a_truth_value_and_nothing_else() {
    for (label, expected) in
        [("true", true), ("yes", true), ("\"true\"", false), ("1", false), ("false", false)]
    {
        let text = with(&format!("labels:\n  remediation: {label}"));
        let overflows = Bench::new(&text).replay(0.0, FROM_A);
        assert_eq!(overflows[0].alert.as_ref().unwrap().remediation, expected, "{label}");
    }
}

#[test]
fn a_blackhole_swallows_overflows_of_the_same_bucket() {
    let mut bench = Bench::new(&with("blackhole: 10s"));
    let told: Vec<_> =
        [0.0, 5.0, 9.9, 10.0, 19.9, 20.0].map(|at| !bench.replay(at, FROM_A).is_empty()).into();
    assert_eq!(told, [true, false, false, true, false, true]);
    assert!(!bench.replay(20.0, FROM_B).is_empty());
    let counts = bench.counts();
    assert_eq!((counts.overflowed, counts.blackholed), (7, 3));
}

#[test]
fn a_live_blackhole_is_forgotten_in_time() {
    let mut bench = Bench::new(&with("blackhole: 10s"));
    bench.live(0.0, FROM_A);
    bench.live(5.0, FROM_B);
    bench.tick(10.0);
    assert_eq!(bench.detector.n_silences(), 1);
    bench.tick(15.0);
    assert_eq!(bench.detector.n_silences(), 0);
}

#[test]
fn an_overflow_filter_discards() {
    let told = |filter: &str| {
        let mut bench = Bench::new(&with(&format!("overflow_filter: \"{filter}\"")));
        (bench.replay(0.0, FROM_A).len(), bench.counts().filtered)
    };
    assert_eq!(told("true"), (1, 0));
    assert_eq!(told("false"), (0, 1));
    assert_eq!(told("any(queue.Queue, {.Meta.log_type == 'x'})"), (1, 0));
    assert_eq!(told("any(queue.Queue, {.Meta.log_type == 'y'})"), (0, 1));
    assert_eq!(told("signal.Alert.GetScenario() == 't/trigger'"), (1, 0));
    assert_eq!(told("'192.0.2.9' in signal.GetSources()"), (0, 1));
    assert_eq!(told("leaky.Total_count > 1"), (0, 1));
    // There is no event; a filter that fails keeps the overflow.
    assert_eq!(told("evt.Meta.log_type == 'y'"), (1, 0));
}

#[test]
fn a_discarded_overflow_begins_no_silence() {
    let text = with("overflow_filter: any(queue.Queue, {.Meta.keep == 'yes'})\nblackhole: 1m");
    let mut bench = Bench::new(&text);
    assert!(bench.replay(0.0, FROM_A).is_empty());
    let keep = [FROM_A, &[("keep", "yes")]].concat();
    assert_eq!(bench.replay(1.0, &keep).len(), 1);
    assert!(bench.replay(2.0, &keep).is_empty());
}

const AGAIN: &str = "
type: trigger
name: t/single
description: d
filter: evt.Meta.log_type == 'x'
groupby: evt.Meta.source_ip
reprocess: true
---
type: leaky
name: t/network
description: d
filter: evt.GetType() == 'overflow' && evt.Overflow.Alert.GetScenario() == 't/single'
groupby: evt.Overflow.Alert.Source.Range
distinct: evt.Overflow.Alert.Source.IP
capacity: 1
leakspeed: 1m
scope:
  type: Range
";

#[test]
fn an_overflow_is_poured_again() {
    let mut bench = Bench::new(AGAIN);
    let mut told = Vec::new();
    for ip in ["192.0.2.1", "192.0.2.1", "192.0.2.2"] {
        let fields = [("source_ip", ip), ("log_type", "x"), ("SourceRange", "192.0.2.0/24")];
        for overflow in bench.replay(0.0, &fields) {
            assert!(overflow.reprocess);
            // The buckets it makes are live: they go by now, not by the time of the log.
            bench.detector.reprocess(&Arc::new(overflow), instant(5000.0), &mut told);
        }
    }
    assert_eq!(told.len(), 1);
    let (key, source) = &told[0].sources[0];
    assert_eq!(key, "192.0.2.0/24");
    assert_eq!((source.scope.as_str(), source.ip.as_str()), ("Range", ""));
    let alert = told[0].alert.as_ref().unwrap();
    assert_eq!(alert.stop_at, instant(5000.0));
    assert_eq!(alert.events.len(), 2);
    assert!(alert.events.iter().all(|event| event.meta().is_empty()));
    assert_eq!(alert.events[0].timestamp(), "1970-01-01T00:00:00Z");
    assert!(!told[0].reprocess);
}

#[test]
fn an_overflow_of_another_scope_blames_nobody_here() {
    let text = AGAIN.replace("\nscope:\n  type: Range", "").replace(
        "reprocess: true",
        "reprocess: true\nscope:\n  type: Country\n  expression: evt.Enriched.IsoCode",
    );
    let mut bench = Bench::new(&text.replace("distinct: evt.Overflow.Alert.Source.IP", ""));
    let mut told = Vec::new();
    for _ in 0..2 {
        for overflow in bench.replay(0.0, ENRICHED) {
            bench.detector.reprocess(&Arc::new(overflow), instant(1.0), &mut told);
        }
    }
    assert!(told.is_empty());
    assert_eq!(bench.counts().unsourced, 1);
}

/// An overflow has no fields, so a filter that asks for an empty one takes it, also its own.
#[test]
fn pouring_again_comes_to_an_end() {
    let text = "
type: trigger
name: t/echo
description: d
filter: evt.Meta.user == ''
reprocess: true
";
    let mut bench = Bench::new(text);
    let first = bench.replay(0.0, FROM_A).remove(0);
    assert!(first.reprocess);
    let mut told = Vec::new();
    bench.detector.reprocess(&Arc::new(first), instant(1.0), &mut told);
    assert_eq!(told.len(), 1);
    assert!(!told[0].reprocess);
}

/// What the alert of two events says beside them.
#[track_caller]
fn check_context(contexts: &str, expected: &[(&str, &str)]) {
    let mut bench = Bench::new(LEAKY);
    bench.contexts(contexts);
    let event = |user, path| {
        [FROM_A, &[("user", user), ("Parsed.path", path), ("Enriched.IsoCode", "DE")]].concat()
    };
    assert!(bench.replay(0.0, &event("joe", "/<a>")).is_empty());
    let overflows = bench.replay(1.0, &event("ann", "/b"));
    let meta = &overflows[0].alert.as_ref().unwrap().meta;
    let found: Vec<_> = meta.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    assert_eq!(found, expected, "{contexts}");
}

#[test]
fn an_alert_says_what_its_context_asks_for() {
    check_context("{}", &[]);
    check_context(
        "user: [evt.Meta.user]\ncountry: evt.Enriched.IsoCode\nnobody: [evt.Meta.nobody]",
        &[("user", r#"["joe","ann"]"#), ("country", r#"["DE"]"#)],
    );
    // All of the event is there, and the event comes before the expression.
    check_context(
        "all: [evt.Meta.user, evt.Parsed.path]",
        &[("all", r#"["joe","/\u003ca\u003e","ann","/b"]"#)],
    );
    // Two files may speak of one name; what is said twice counts once.
    check_context(
        "a: [evt.Meta.user]\n---\na: [evt.Meta.user, evt.Meta.log_type]",
        &[("a", r#"["joe","x","ann"]"#)],
    );
}

#[test]
fn a_context_takes_what_can_be_text() {
    check_context("n: [len(evt.Meta.user) + 4, 0]", &[("n", r#"["7","0"]"#)]);
    check_context("l: \"Split('a,b,,a', ',')\"", &[("l", r#"["a","b"]"#)]);
    check_context("b: [evt.Meta.user == 'joe', 0.5, 0.0, nil]", &[("b", r#"["true","0.5"]"#)]);
    check_context("m: \"[evt.Meta.user, 1]\"", &[("m", r#"["[joe 1]","[ann 1]"]"#)]);
    // What fails, and what a log line never has, says nothing.
    check_context("f: [evt.Unmarshaled.a.b, req.URL.Path, req.UserAgent(), req.Host]", &[]);
    check_context("r: [match.id, match, req.Header, req.ContentLength]", &[("r", r#"["0"]"#)]);
}
