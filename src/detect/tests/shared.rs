//! Scenarios beside each other: which take an event, and what those of one name share.

use std::sync::Arc;

use proptest::prelude::*;

use super::bench::{Bench, FROM_A, compile, instant, totals};
use crate::detect::{Detector, Limits, Seed};
use crate::event::Mode;
use crate::expr::World;
use crate::value::Names;

fn trigger(name: &str, filter: &str, more: &str) -> String {
    format!("type: trigger\nname: {name}\ndescription: d\nfilter: {filter}\n{more}\n---\n")
}

fn names(bench: &Bench, fields: super::bench::Fields<'_>) -> (Vec<String>, Option<u32>) {
    let (selected, pours) = bench.select(Mode::Replay, instant(0.0), fields);
    assert_eq!(selected.n_poured, pours.len());
    let names = pours.iter().map(|pour| bench.scenarios.get(pour.scenario).name.to_string());
    (names.collect(), selected.fault.map(|(id, _)| id.0))
}

#[test]
fn several_scenarios_take_an_event() {
    let text = trigger("a", "evt.Meta.log_type == 'x'", "")
        + &trigger("b", "evt.Meta.log_type == 'y'", "")
        + &trigger("c", "\"'source_ip' in evt.Meta\"", "");
    assert_eq!(names(&Bench::new(&text), FROM_A), (vec!["a".into(), "c".into()], None));
}

#[test]
fn a_filter_that_fails_stops_the_pour() {
    let text = trigger("a", "evt.Meta.log_type == 'x'", "")
        + &trigger("b", "evt.Unmarshaled.a.b == 1", "")
        + &trigger("c", "evt.Meta.log_type == 'x'", "");
    assert_eq!(names(&Bench::new(&text), FROM_A), (vec!["a".into()], Some(1)));
    let text = text.replace("evt.Unmarshaled.a.b == 1", "evt.Unmarshaled.a");
    assert_eq!(names(&Bench::new(&text), FROM_A), (vec!["a".into()], Some(1)));
}

#[test]
fn a_group_that_fails_stops_the_pour() {
    for group in ["evt.Unmarshaled.a.b", "evt.Unmarshaled.a"] {
        let text = trigger("a", "true", "")
            + &trigger("b", "true", &format!("groupby: {group}"))
            + &trigger("c", "true", "");
        assert_eq!(names(&Bench::new(&text), FROM_A), (vec!["a".into()], Some(1)), "{group}");
        // Of no matter when the filter has refused before.
        let text = text.replace(
            "name: b\ndescription: d\nfilter: true",
            "name: b\ndescription: d\nfilter: evt.Meta.log_type == 'no'",
        );
        assert_eq!(names(&Bench::new(&text), FROM_A), (vec!["a".into(), "c".into()], None));
    }
}

/// Five events, each poured once by each of two documents: four twice make eight, the first pour
/// of the fifth is the ninth and one too many; the second begins a bucket of the second document.
#[test]
fn documents_of_one_name_and_filter_share_buckets() {
    let document = |description, leakspeed| {
        format!(
            "type: leaky\nname: t/bf\ndescription: {description}\nfilter: evt.Meta.log_type == 'x'\n\
             groupby: evt.Meta.source_ip\ncapacity: {leakspeed}\nleakspeed: 10m\n---\n"
        )
    };
    let mut bench = Bench::new(&(document("first", 8) + &document("second", 50)));
    for at in 0..4 {
        assert!(bench.replay(f64::from(at), FROM_A).is_empty());
    }
    let overflows = bench.replay(4.0, FROM_A);
    assert_eq!(totals(&overflows), [9]);
    assert_eq!(overflows[0].alert.as_ref().unwrap().events.len(), 9);
    let owners: Vec<_> = bench.detector.counts().map(|(_, counts)| counts.tracked).collect();
    assert_eq!(owners, [0, 1]);
    // The bucket is now the second's, which holds fifty.
    for at in 5..20 {
        assert!(bench.replay(f64::from(at), FROM_A).is_empty());
    }
}

#[test]
fn the_owner_decides_what_is_distinct() {
    let document = |more| {
        format!(
            "type: leaky\nname: t/bf\ndescription: d\nfilter: evt.Meta.log_type == 'x'\n\
             groupby: evt.Meta.source_ip\ncapacity: 3\nleakspeed: 10m\n{more}\n---\n"
        )
    };
    let mut bench = Bench::new(&(document("distinct: evt.Meta.source_ip") + &document("")));
    for _ in 0..5 {
        assert!(bench.replay(0.0, FROM_A).is_empty());
    }
    assert_eq!((bench.counts().poured, bench.counts().repeated), (1, 9));
    let mut bench = Bench::new(&(document("") + &document("distinct: evt.Meta.source_ip")));
    assert!(bench.replay(0.0, FROM_A).is_empty());
    assert_eq!(totals(&bench.replay(0.0, FROM_A)), [4]);
}

#[test]
fn another_filter_or_name_makes_another_bucket() {
    let text = "type: leaky\nname: NAME\ndescription: d\nfilter: FILTER\ncapacity: 1\nleakspeed: 1m\n---\n";
    let text = text.replace("NAME", "a").replace("FILTER", "true")
        + &text.replace("NAME", "b").replace("FILTER", "true")
        + &text.replace("NAME", "a").replace("FILTER", "1 == 1");
    let mut bench = Bench::new(&text);
    bench.replay(0.0, FROM_A);
    assert_eq!(bench.detector.n_tracked(), 3);
}

#[test]
fn buckets_of_unchanged_scenarios_survive_a_reload() {
    let one = "type: leaky\nname: one\ndescription: d\nfilter: evt.Meta.log_type == 'x'\ngroupby: evt.Meta.source_ip\ncapacity: 2\nleakspeed: 1m\nblackhole: 1h\n---\n";
    let two = one.replace("one", "two").replace("blackhole: 1h\n", "");
    let mut bench = Bench::new(&(one.to_owned() + &two));
    for _ in 0..3 {
        bench.replay(0.0, FROM_A);
    }
    assert_eq!((bench.detector.n_tracked(), bench.detector.n_silences()), (0, 1));
    bench.replay(1.0, FROM_A);
    bench.replay(1.0, FROM_A);
    let changed = two.replace("capacity: 2", "capacity: 3");
    let (names, seed) = (bench.scenarios.names(), bench.scenarios.seed().clone());
    let scenarios = compile(&(changed + one), Names::clone(names), seed);
    bench.detector.replace(Arc::clone(&scenarios), World::default());
    bench.scenarios = scenarios;
    assert_eq!((bench.detector.n_tracked(), bench.detector.n_kept()), (1, 2));
    assert!(bench.replay(1.0, FROM_A).is_empty());
    // The third event of the bucket that survived; the silence survived too.
    let counts: Vec<_> =
        bench.detector.counts().map(|(_, c)| (c.overflowed, c.blackholed)).collect();
    assert_eq!(counts, [(0, 0), (2, 1)]);
    assert_eq!(totals(&bench.replay(4000.0, FROM_A)), [] as [i64; 0]);
}

/// The number of an unchanged scenario is another one in the new list; a changed one has none.
#[test]
fn pours_that_are_under_way_survive_a_reload_as_their_buckets_do() {
    let one = "type: leaky\nname: one\ndescription: d\nfilter: evt.Meta.log_type == 'x'\ngroupby: evt.Meta.source_ip\ncapacity: 2\nleakspeed: 1m\n---\n";
    let two = one.replace("one", "two");
    let mut bench = Bench::new(&(one.to_owned() + &two));
    bench.replay(0.0, FROM_A);
    bench.replay(0.0, FROM_A);
    let (_, under_way) = bench.select(Mode::Replay, instant(0.0), FROM_A);
    let changed = one.replace("capacity: 2", "capacity: 3");
    let (names, seed) = (bench.scenarios.names(), bench.scenarios.seed().clone());
    let scenarios = compile(&(two + &changed), Names::clone(names), seed);
    let kept = bench.detector.replace(Arc::clone(&scenarios), World::default());
    let mut overflows = Vec::new();
    for mut pour in under_way {
        if kept.renumber(&mut pour) {
            bench.detector.pour(pour, instant(0.0), &mut overflows);
        }
    }
    let scenarios: Vec<_> =
        overflows.iter().map(|overflow| &*overflow.alert.as_ref().unwrap().scenario).collect();
    assert_eq!(scenarios, ["two"]);
    assert_eq!(bench.detector.n_tracked(), 0, "no bucket of a scenario that is not there");
}

#[test]
fn a_seed_of_its_own_finds_nothing_of_the_old() {
    let text =
        "type: leaky\nname: one\ndescription: d\nfilter: 'true'\ncapacity: 2\nleakspeed: 1m\n";
    let scenarios = compile(text, Names::new(), Seed::new());
    let mut detector = Detector::new(scenarios, Limits::default(), World::default());
    detector.replace(compile(text, Names::new(), Seed::new()), World::default());
    assert_eq!(detector.n_tracked(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// With the index, exactly those scenarios take an event that take it alone.
    #[test]
    fn the_index_loses_no_scenario(
        filters in prop::collection::vec(0usize..FILTERS.len(), 1..90),
        kind in 0usize..4,
        service in 0usize..3,
    ) {
        let text: String = (0..).zip(&filters)
            .map(|(at, filter)| trigger(&format!("s{at}"), &format!("\"{}\"", FILTERS[*filter]), ""))
            .collect();
        let bench = Bench::new(&text);
        let fields = [
            ("log_type", ["", "a", "b", "c"][kind]),
            ("service", ["", "s", "t"][service]),
        ];
        let fields = &fields[usize::from(kind == 0)..];
        let mut alone = Vec::new();
        for (at, filter) in filters.iter().enumerate() {
            let text = trigger(&format!("s{at}"), &format!("\"{}\"", FILTERS[*filter]), "");
            let (_, pours) = Bench::new(&text).select(Mode::Replay, instant(0.0), fields);
            alone.extend(pours.iter().map(|_| format!("s{at}")));
        }
        prop_assert_eq!(names(&bench, fields), (alone, None));
    }
}

const FILTERS: [&str; 12] = [
    "evt.Meta.log_type == 'a'",
    "evt.Meta.log_type in ['a', 'b']",
    "evt.Meta.log_type == 'a' && evt.Meta.service == 's'",
    "evt.Meta.service == 's' && evt.Meta.log_type == 'c'",
    "evt.Meta.log_type == 'a' || evt.Meta.service == 't'",
    "evt.Meta.log_type == 'a' || evt.Meta.log_type == 'c'",
    "evt.Meta.log_type != 'a'",
    "not (evt.Meta.log_type == 'a')",
    "evt.Meta.log_type == ''",
    "evt.Meta.service startsWith 's'",
    "evt.Meta.log_type contains 'b' && evt.Meta.service in ['', 't']",
    "true",
];
