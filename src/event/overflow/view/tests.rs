use super::*;
use crate::value::Time;

fn source(value: &str) -> (String, Source) {
    let source = Source {
        scope: "Ip".into(),
        value: value.into(),
        ip: value.into(),
        as_number: "64500".into(),
        as_name: "Example".into(),
        latitude: 1.5,
        ..Source::default()
    };
    (value.into(), source)
}

fn overflow(sources: &[&str]) -> Overflow {
    let event = |meta: &[(&str, &str)]| {
        let meta = meta.iter().map(|(key, text)| ((*key).into(), (*text).into()));
        AlertEvent::new(meta.collect(), "2026-01-27T11:02:49Z".into())
    };
    Overflow {
        key: "k".into(),
        sources: sources.iter().map(|value| source(value)).collect(),
        alert: Some(Alert {
            scenario: "a/b".into(),
            message: "m".into(),
            capacity: 5,
            leakspeed: 60_000_000_000,
            events_count: 6,
            start_at: Time::from_seconds(0),
            stop_at: Time::from_nanos(1_500_000_000),
            events: vec![
                event(&[("user", ""), ("service", "ssh")]),
                event(&[("service", "ftp"), ("user", "root")]),
            ],
            meta: vec![("context".into(), "[1]".into())],
            simulated: false,
            remediation: true,
            spoofable: 0,
            machine: None,
        }),
        allowlisted: false,
        reprocess: false,
        trust: crate::event::Trust::FULL,
    }
}

/// Walks `path`: a field, `name()` or `name(text)` for a method, a number for an element, and
/// `[key]` for an entry of a map.
fn walk<'a>(arena: &'a Arena, view: &'a View<'a>, path: &str) -> Value<'a> {
    let mut at: Value<'a> = Value::Object(view);
    for step in path.split('.') {
        at = match at {
            Value::Object(object) => match step.split_once('(') {
                None => object.field(object.shape().field(step).expect(step).0),
                Some((name, rest)) => {
                    let argument = Value::Text(arena.alloc_str(rest.trim_end_matches(')')));
                    let (index, method) = object.shape().method(name).expect(step);
                    let arguments = if method.arguments.is_empty() { &[][..] } else { &[argument] };
                    object.call(index, arguments, arena).expect(step)
                }
            },
            Value::List(items) => items[step.parse::<usize>().expect(step)],
            Value::Map(map) => {
                let key = step.trim_matches(['[', ']']);
                map.get(key).unwrap_or_else(|| map.missing())
            }
            other => panic!("`{step}` of {}", other.kind()),
        };
    }
    at
}

#[track_caller]
fn check(path: &str, expected: &str) {
    let arena = Arena::new();
    let overflow = overflow(&["192.0.2.1", "h2"]);
    let view = View::new(&arena, arena.alloc(overflow));
    assert_eq!(format!("{:?}", walk(&arena, view, path)), expected, "{path}");
}

#[test]
fn names_are_those_of_rules() {
    check("Mapkey", "\"k\"");
    check("BucketId", "\"\"");
    check("Whitelisted", "false");
    check("Reprocess", "false");
    check("GetSources()", "[\"192.0.2.1\", \"h2\"]");
    check("Sources.[h2].Value", "\"h2\"");
    check("Sources.[h2].GetScope()", "\"Ip\"");
    check("Sources.[nobody].IP", "\"\"");
    check("Sources.[nobody].GetScope()", "\"\"");
    check("APIAlerts.1.Source.Value", "\"h2\"");
    check("APIAlerts.1.GetValue()", "\"h2\"");
    check("Alert.Capacity", "5");
    check("Alert.EventsCount", "6");
    check("Alert.GetEventsCount()", "6");
    check("Alert.GetScenario()", "\"a/b\"");
    check("Alert.Scenario", "\"a/b\"");
    check("Alert.Kind", "\"crowdsec\"");
    check("Alert.Leakspeed", "\"1m0s\"");
    check("Alert.StartAt", "\"1970-01-01T00:00:00Z\"");
    check("Alert.StopAt", "\"1970-01-01T00:00:01.5Z\"");
    check("Alert.Remediation", "true");
    check("Alert.Simulated", "false");
    check("Alert.Message", "\"m\"");
    check("Alert.Decisions", "[]");
    check("Alert.Meta.0.Key", "\"context\"");
    check("Alert.GetMeta(context)", "\"[1]\"");
    check("Alert.Events.1.GetMeta(user)", "\"root\"");
    check("Alert.Events.1.GetMeta(none)", "\"\"");
    check("Alert.Events.0.Meta.1.Value", "\"ssh\"");
    check("Alert.Events.0.Timestamp", "\"2026-01-27T11:02:49Z\"");
    check("Alert.Source.Latitude", "1.5");
    check("Alert.Source.GetAsNumberName()", "\"64500 Example\"");
}

#[test]
fn meta_is_the_first_that_is_not_empty() {
    let arena = Arena::new();
    let overflow = overflow(&["192.0.2.1"]);
    let view = View::new(&arena, arena.alloc(overflow));
    assert_eq!(view.meta("user"), "root");
    assert_eq!(view.meta("service"), "ssh");
    assert_eq!(view.meta("none"), "");
}

#[test]
fn a_rewrite_shows_in_alert_and_sources() {
    let arena = Arena::new();
    let mut owned = overflow(&["2001:db8::1", "other"]);
    let view = View::new(&arena, arena.alloc(owned.clone()));
    assert!(view.set(OverflowField::at("Alert.Source.Value").unwrap(), "2001:db8::/64"));
    assert!(view.set(OverflowField::at("Alert.Source.Scope").unwrap(), "Range"));
    for path in ["Sources.[2001:db8::1].GetValue()", "Alert.GetValue()", "APIAlerts.0.Source.Value"]
    {
        assert_eq!(walk(&arena, view, path).as_text(), Some("2001:db8::/64"), "{path}");
    }
    assert_eq!(walk(&arena, view, "Alert.GetScope()").as_text(), Some("Range"));
    assert_eq!(walk(&arena, view, "Sources.[other].GetScope()").as_text(), Some("Ip"));
    view.allow();

    owned.apply(view.rewrite());
    assert!(owned.allowlisted);
    let (key, first) = &owned.sources[0];
    assert_eq!(key, "2001:db8::1");
    assert_eq!((first.scope.as_str(), first.value.as_str()), ("Range", "2001:db8::/64"));
    assert_eq!((first.ip.as_str(), first.range.as_str()), ("2001:db8::1", ""));
    assert_eq!(owned.sources[1], source("other"));
}

#[test]
fn an_untouched_overflow_stays() {
    let arena = Arena::new();
    let mut owned = overflow(&["192.0.2.1"]);
    let before = owned.clone();
    let view = View::new(&arena, arena.alloc(owned.clone()));
    owned.apply(view.rewrite());
    assert_eq!(owned, before);
}

#[test]
fn without_a_source_there_is_no_alert() {
    let arena = Arena::new();
    let view = View::new(&arena, arena.alloc(overflow(&[])));
    assert!(walk(&arena, view, "Alert").is_nil());
    assert_eq!(format!("{:?}", walk(&arena, view, "APIAlerts")), "[]");
    assert!(!view.set(OverflowField::SourceValue, "x"));
    let none = View::none(&arena);
    assert!(walk(&arena, none, "Alert").is_nil());
    assert_eq!(format!("{:?}", walk(&arena, none, "GetSources()")), "[]");
}
