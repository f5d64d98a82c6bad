//! When buckets overflow, end, and what they count.

use super::bench::{Bench, FROM_A, FROM_B, check, instant, totals};
use crate::event::Mode::{Live, Replay};
use crate::event::Overflow;

const LEAKY: &str = "
type: leaky
name: t/leaky
description: d
filter: evt.Meta.log_type == 'x'
groupby: evt.Meta.source_ip
capacity: 2
leakspeed: 10s
";

const TRIGGER: &str = "
type: trigger
name: t/trigger
description: d
filter: evt.Meta.log_type == 'x'
groupby: evt.Meta.source_ip
";

const COUNTER: &str = "
type: counter
name: t/counter
description: d
filter: evt.Meta.log_type == 'x'
groupby: evt.Meta.source_ip
capacity: -1
duration: 10s
";

const CONDITIONAL: &str = "
type: conditional
name: t/conditional
description: d
filter: evt.Meta.log_type == 'x'
groupby: evt.Meta.source_ip
capacity: -1
leakspeed: 10s
";

fn with(text: &str, more: &str) -> String {
    format!("{text}{more}\n")
}

#[test]
fn a_leaky_bucket_overflows_beyond_its_capacity() {
    for mode in [Live, Replay] {
        check(LEAKY, mode, &[0.0, 0.0], &[]);
        check(LEAKY, mode, &[0.0, 0.0, 0.0], &[2]);
        check(LEAKY, mode, &[0.0, 5.0, 9.0], &[2]);
        check(LEAKY, mode, &[0.0, 5.0, 10.0, 14.0], &[3]);
        check(LEAKY, mode, &[0.0, 10.0, 20.0, 30.0, 40.0], &[]);
        // The bucket ends with its overflow: the next one begins anew.
        check(LEAKY, mode, &[0.0; 7], &[2, 5]);
    }
}

#[test]
fn sources_have_buckets_of_their_own() {
    let mut bench = Bench::new(LEAKY);
    for _ in 0..2 {
        assert!(bench.replay(0.0, FROM_A).is_empty());
        assert!(bench.replay(0.0, FROM_B).is_empty());
    }
    assert_eq!(bench.detector.n_tracked(), 2);
    let overflows = bench.replay(0.0, FROM_B);
    assert_eq!(overflows[0].sources[0].0, "192.0.2.2");
    assert_eq!(bench.detector.n_tracked(), 1);
    assert_eq!(bench.detector.n_kept(), 2);
}

#[test]
fn without_groupby_there_is_one_bucket() {
    let mut bench = Bench::new(&LEAKY.replace("groupby: evt.Meta.source_ip", ""));
    bench.replay(0.0, FROM_A);
    bench.replay(0.0, FROM_B);
    let overflows = bench.replay(0.0, FROM_A);
    assert_eq!(overflows[0].sources.len(), 2);
}

/// What was poured is counted although it has leaked, until the bucket ends.
#[test]
fn a_bucket_lives_for_one_leakspeed_more_than_it_holds() {
    let mut bench = Bench::new(LEAKY);
    bench.replay(0.0, FROM_A);
    // Exactly at the end the replayed bucket still lives.
    bench.replay(30.0, FROM_A);
    bench.replay(30.0, FROM_A);
    assert_eq!(totals(&bench.replay(30.0, FROM_A)), [4]);

    let mut bench = Bench::new(LEAKY);
    bench.replay(0.0, FROM_A);
    bench.replay(30.000_000_001, FROM_A);
    bench.replay(30.000_000_001, FROM_A);
    assert_eq!(totals(&bench.replay(30.000_000_001, FROM_A)), [3]);
    assert_eq!(bench.counts().underflowed, 1);
}

#[test]
fn the_end_moves_with_each_event() {
    let mut bench = Bench::new(LEAKY);
    for at in [0.0, 25.0, 50.0, 75.0] {
        assert!(bench.replay(at, FROM_A).is_empty());
    }
    assert!(bench.replay(75.0, FROM_A).is_empty());
    assert_eq!(totals(&bench.replay(75.0, FROM_A)), [6]);
}

#[test]
fn a_live_bucket_ends_by_itself() {
    let mut bench = Bench::new(LEAKY);
    bench.live(0.0, FROM_A);
    bench.live(10.0, FROM_A);
    assert!(bench.tick(39.9).is_empty());
    assert_eq!(bench.detector.n_tracked(), 1);
    assert!(bench.tick(40.0).is_empty());
    assert_eq!((bench.detector.n_tracked(), bench.detector.n_kept()), (0, 0));
    assert_eq!(bench.counts().underflowed, 1);

    // Without a tick, the event that comes too late finds the same.
    let mut bench = Bench::new(LEAKY);
    bench.live(0.0, FROM_A);
    bench.live(30.0, FROM_A);
    bench.live(30.0, FROM_A);
    assert_eq!(totals(&bench.live(30.0, FROM_A)), [3]);
}

#[test]
fn the_event_that_overflows_a_replay_may_be_older() {
    let mut bench = Bench::new(LEAKY);
    bench.replay(100.0, FROM_A);
    bench.replay(99.0, FROM_A);
    let overflows = bench.replay(98.0, FROM_A);
    let alert = overflows[0].alert.as_ref().unwrap();
    assert_eq!((alert.start_at, alert.stop_at), (instant(100.0), instant(98.0)));
}

#[test]
fn a_replayed_event_without_time_does_not_count() {
    let undated = [("source_ip", "192.0.2.1"), ("log_type", "x"), (".MarshaledTime", "")];
    let mut bench = Bench::new(LEAKY);
    for _ in 0..5 {
        assert!(bench.replay(0.0, &undated).is_empty());
    }
    assert_eq!((bench.counts().undated, bench.counts().poured), (5, 0));
    // A trigger does without.
    let mut bench = Bench::new(TRIGGER);
    assert_eq!(totals(&bench.replay(7.0, &undated)), [1]);
    // A live bucket goes by the arrival.
    let mut bench = Bench::new(LEAKY);
    bench.live(0.0, &undated);
    bench.live(0.0, &undated);
    assert_eq!(totals(&bench.live(0.0, &undated)), [3]);
}

#[test]
fn a_trigger_overflows_at_once_and_leaves_nothing() {
    check(TRIGGER, Replay, &[0.0, 0.0, 1.0], &[0, 1, 2]);
    let mut bench = Bench::new(TRIGGER);
    let overflows = bench.live(1.0, FROM_A);
    let alert = overflows[0].alert.as_ref().unwrap();
    assert_eq!((alert.capacity, alert.events_count, alert.events.len()), (0, 1, 1));
    assert_eq!((alert.start_at, alert.stop_at), (instant(1.0), instant(1.0)));
    assert_eq!((bench.detector.n_tracked(), bench.detector.n_kept()), (0, 0));
}

#[test]
fn a_counter_overflows_when_its_time_is_over() {
    let mut bench = Bench::new(COUNTER);
    for at in [0.0, 1.0, 9.0] {
        assert!(bench.live(at, FROM_A).is_empty());
    }
    assert!(bench.tick(9.9).is_empty());
    let overflows = bench.tick(12.0);
    assert_eq!(totals(&overflows), [3]);
    assert_eq!(overflows[0].alert.as_ref().unwrap().stop_at, instant(10.0));
    assert_eq!(overflows[0].key.as_str().len(), 40);
    assert!(bench.tick(50.0).is_empty());
}

#[test]
fn an_event_finds_a_counter_whose_time_is_over() {
    let mut bench = Bench::new(COUNTER);
    bench.live(0.0, FROM_A);
    assert_eq!(totals(&bench.live(11.0, FROM_A)), [1]);
    assert_eq!(totals(&bench.tick(21.0)), [1]);
}

#[test]
fn a_timed_overflow_has_the_key_of_any_other() {
    let keyed = |overflows: Vec<Overflow>| overflows[0].key.clone();
    let counter = with(COUNTER, "condition: leaky.Total_count == 2");
    let mut bench = Bench::new(&counter);
    bench.live(0.0, FROM_A);
    let by_condition = keyed(bench.live(0.0, FROM_A));
    bench.live(0.0, FROM_A);
    assert_eq!(keyed(bench.tick(20.0)), by_condition);
}

#[test]
fn a_replayed_counter_does_not_overflow() {
    let mut bench = Bench::new(COUNTER);
    for at in [0.0, 5.0, 20.0, 40.0] {
        assert!(bench.replay(at, FROM_A).is_empty());
    }
    assert_eq!(bench.counts().underflowed, 2);
}

#[test]
fn a_counter_with_a_blackhole_overflows_once() {
    let mut bench = Bench::new(&with(COUNTER, "blackhole: 1m"));
    bench.live(0.0, FROM_A);
    assert_eq!(bench.tick(10.0).len(), 1);
    bench.live(11.0, FROM_A);
    assert_eq!(bench.tick(21.0).len(), 0);
    assert_eq!(bench.counts().blackholed, 1);
}

#[test]
fn only_values_that_are_new_to_the_bucket_count() {
    let text = with(LEAKY, "distinct: evt.Parsed.user");
    let mut bench = Bench::new(&text);
    let from = |user| [("source_ip", "192.0.2.1"), ("log_type", "x"), ("Parsed.user", user)];
    for user in ["a", "a", "b", "a", "b"] {
        assert!(bench.replay(0.0, &from(user)).is_empty());
    }
    assert_eq!((bench.counts().poured, bench.counts().repeated), (2, 3));
    assert_eq!(totals(&bench.replay(0.0, &from("c"))), [3]);
    // A new bucket has seen nothing.
    assert!(bench.replay(0.0, &from("a")).is_empty());
    assert_eq!(bench.counts().repeated, 3);
}

#[test]
fn a_repeated_value_does_not_keep_a_bucket_alive() {
    let mut bench = Bench::new(&with(LEAKY, "distinct: evt.Meta.source_ip"));
    bench.live(0.0, FROM_A);
    bench.live(29.0, FROM_A);
    bench.tick(30.0);
    assert_eq!(bench.detector.n_tracked(), 0);
}

#[test]
fn a_value_that_cannot_be_told_lets_the_event_pass() {
    let mut bench = Bench::new(&with(LEAKY, "distinct: evt.Unmarshaled.a.b"));
    bench.replay(0.0, FROM_A);
    bench.replay(0.0, FROM_A);
    assert_eq!(totals(&bench.replay(0.0, FROM_A)), [3]);
    // One that is no text counts as "".
    let mut bench = Bench::new(&with(LEAKY, "distinct: evt.Unmarshaled.a"));
    for _ in 0..5 {
        assert!(bench.replay(0.0, FROM_A).is_empty());
    }
    assert_eq!(bench.counts().repeated, 4);
}

#[test]
fn cancel_on_ends_the_bucket_silently() {
    let text = with(LEAKY, "cancel_on: evt.Meta.result == 'ok'");
    let mut bench = Bench::new(&text);
    let ok = [("source_ip", "192.0.2.1"), ("log_type", "x"), ("result", "ok")];
    bench.replay(0.0, FROM_A);
    bench.replay(0.0, FROM_A);
    assert!(bench.replay(0.0, &ok).is_empty());
    assert_eq!(bench.detector.n_tracked(), 0);
    assert!(bench.replay(0.0, &ok).is_empty());
    assert_eq!((bench.counts().cancelled, bench.counts().poured), (2, 2));
    bench.replay(0.0, FROM_A);
    bench.replay(0.0, FROM_A);
    assert_eq!(totals(&bench.replay(0.0, FROM_A)), [3]);
}

#[test]
fn cancel_on_is_not_asked_about_repeated_values() {
    let text = with(LEAKY, "cancel_on: evt.Meta.result == 'ok'\ndistinct: evt.Meta.log_type");
    let mut bench = Bench::new(&text);
    let ok = [("source_ip", "192.0.2.1"), ("log_type", "x"), ("result", "ok")];
    bench.replay(0.0, FROM_A);
    bench.replay(0.0, &ok);
    assert_eq!((bench.counts().cancelled, bench.detector.n_tracked()), (0, 1));
}

#[test]
fn cancel_on_that_fails_is_ignored() {
    check(&with(LEAKY, "cancel_on: evt.Unmarshaled.a.b == 1"), Replay, &[0.0; 3], &[2]);
    check(&with(LEAKY, "cancel_on: evt.Unmarshaled.a"), Replay, &[0.0; 3], &[2]);
}

#[test]
fn a_condition_sees_the_queue() {
    let text = with(
        CONDITIONAL,
        "condition: len(queue.Queue) >= 2 && queue.Queue[0].Meta.exe == queue.Queue[-1].Meta.exe",
    );
    let mut bench = Bench::new(&text);
    let exe = |exe| [("source_ip", "192.0.2.1"), ("log_type", "x"), ("exe", exe)];
    assert!(bench.replay(0.0, &exe("a")).is_empty());
    assert!(bench.replay(0.0, &exe("b")).is_empty());
    let overflows = bench.replay(5.0, &exe("a"));
    assert_eq!(totals(&overflows), [3]);
    assert_eq!(overflows[0].alert.as_ref().unwrap().stop_at, instant(5.0));
    assert!(bench.replay(5.0, &exe("a")).is_empty());
}

#[test]
fn a_condition_sees_event_and_bucket() {
    for condition in [
        "leaky.Total_count == 3",
        "queue.L == -1 && len(queue.GetQueue()) == 3",
        "evt.Parsed.whole == 'yes' && leaky.Total_count > 2",
        "leaky.Last_ts - leaky.First_ts >= duration('2s')",
        "len(leaky.Mapkey) == 40 && leaky.Factory.Spec.Capacity == -1 && leaky.Total_count > 2",
        "count(queue.Queue, {.Meta.log_type == 'x'}) == 3",
        "count(queue.Queue, {#.Parsed.whole == 'yes'}) == 3",
    ] {
        let mut bench = Bench::new(&with(CONDITIONAL, &format!("condition: \"{condition}\"")));
        let fields = [("source_ip", "192.0.2.1"), ("log_type", "x"), ("Parsed.whole", "yes")];
        let counts: Vec<_> = (0..3).map(|n| bench.replay(f64::from(n), &fields).len()).collect();
        assert_eq!(counts, [0, 0, 1], "{condition}");
    }
}

#[test]
fn a_condition_that_fails_does_not_hold() {
    let text = with(CONDITIONAL, "condition: evt.Unmarshaled.a.b == 1");
    check(&text, Replay, &[0.0; 5], &[]);
    let mut bench = Bench::new(&text);
    bench.replay(0.0, FROM_A);
    assert_eq!(bench.counts().faults, 1);
}

#[test]
fn a_conditional_never_overflows_by_its_capacity() {
    let text = with(CONDITIONAL, "condition: leaky.Total_count == 9")
        .replace("capacity: -1", "capacity: 2");
    check(&text, Replay, &[0.0; 9], &[8]);
}

#[test]
fn a_conditional_ends_after_one_leakspeed() {
    let text = with(CONDITIONAL, "condition: leaky.Total_count == 2");
    check(&text, Replay, &[0.0, 10.0], &[1]);
    check(&text, Replay, &[0.0, 10.1, 10.1], &[2]);
    check(&text, Live, &[0.0, 10.0, 10.0], &[2]);
}

#[test]
fn a_leaky_bucket_may_have_a_condition_too() {
    let text = with(LEAKY, "condition: evt.Meta.result == 'bad'");
    let mut bench = Bench::new(&text);
    let bad = [("source_ip", "192.0.2.1"), ("log_type", "x"), ("result", "bad")];
    assert!(bench.replay(0.0, FROM_A).is_empty());
    assert_eq!(totals(&bench.replay(0.0, &bad)), [2]);
    bench.replay(0.0, FROM_A);
    bench.replay(0.0, FROM_A);
    assert_eq!(totals(&bench.replay(0.0, FROM_A)), [3]);
}

const BAYESIAN: &str = "
type: bayesian
name: t/bayesian
description: d
filter: evt.Meta.log_type == 'x'
groupby: evt.Meta.source_ip
capacity: -1
leakspeed: 1m
bayesian_prior: 0.5
bayesian_threshold: 0.8
bayesian_conditions:
  - condition: evt.Meta.a == 'yes'
    prob_given_evil: 0.8
    prob_given_benign: 0.2
    guillotine: GUILLOTINE
  - condition: evt.Meta.b == 'yes'
    prob_given_evil: 0.9
    prob_given_benign: 0.3
";

#[test]
fn evidence_adds_up() {
    let event = |a, b| [("source_ip", "192.0.2.1"), ("log_type", "x"), ("a", a), ("b", b)];
    let mut bench = Bench::new(&BAYESIAN.replace("GUILLOTINE", "false"));
    // 0.8 after the first, then times 0.1 to 0.7; or 0.2, then times 0.9 to 0.3.
    assert!(bench.replay(0.0, &event("yes", "no")).is_empty());
    assert!(bench.replay(0.0, &event("no", "yes")).is_empty());
    assert_eq!(totals(&bench.replay(0.0, &event("yes", "yes"))), [3]);
    // With a guillotine, the first stays true.
    let mut bench = Bench::new(&BAYESIAN.replace("GUILLOTINE", "true"));
    assert!(bench.replay(0.0, &event("yes", "no")).is_empty());
    assert_eq!(totals(&bench.replay(0.0, &event("no", "yes"))), [2]);
    assert!(bench.replay(0.0, &event("no", "yes")).is_empty(), "a new bucket knows nothing");
}

#[test]
fn evidence_that_cannot_be_evaluated_is_skipped() {
    let text = BAYESIAN.replace("evt.Meta.b == 'yes'", "evt.Unmarshaled.a.b == 1");
    let mut bench = Bench::new(&text.replace("GUILLOTINE", "false").replace("0.8\n", "0.79\n"));
    let event = [("source_ip", "192.0.2.1"), ("log_type", "x"), ("a", "yes")];
    // 0.5 to 0.79 / (0.79 + 0.2) by the first alone.
    assert_eq!(totals(&bench.replay(0.0, &event)), [1]);
    assert_eq!(bench.counts().faults, 1);
}

/// As many events are kept as fit and one more, the last ones.
#[test]
fn a_bucket_keeps_its_last_events() {
    let kept = |text: &str, n: usize| {
        let mut bench = Bench::new(text);
        for at in 0..n {
            let at_text = at.to_string();
            let fields = [("source_ip", "192.0.2.1"), ("log_type", "x"), ("n", at_text.as_str())];
            let overflows = bench.replay(0.0, &fields);
            if let Some(overflow) = overflows.first() {
                assert_eq!(bench.detector.n_kept(), 0);
                let alert = overflow.alert.as_ref().unwrap();
                let first = alert.events.first().unwrap().get("n").unwrap().to_owned();
                return (alert.events_count, alert.events.len(), first);
            }
        }
        panic!("no overflow");
    };
    let of = |capacity, more| {
        with(&LEAKY.replace("capacity: 2", &format!("capacity: {capacity}")), more)
    };
    assert_eq!(kept(&of(5, ""), 10), (6, 6, "0".into()));
    assert_eq!(kept(&of(40, "cache_size: 5"), 50), (41, 6, "35".into()));
    assert_eq!(kept(&of(3, "cache_size: 5"), 50), (4, 4, "0".into()));
    let conditional = with(CONDITIONAL, "cache_size: 2\ncondition: leaky.Total_count == 9");
    assert_eq!(kept(&conditional, 20), (9, 3, "6".into()));
    let unlimited = with(CONDITIONAL, "condition: leaky.Total_count == 9");
    assert_eq!(kept(&unlimited, 20), (9, 9, "0".into()));
}

#[test]
fn what_has_leaked_stays_in_the_queue() {
    let mut bench = Bench::new(LEAKY);
    for at in [0.0, 10.0, 20.0, 30.0, 30.0] {
        assert!(bench.replay(at, FROM_A).is_empty());
    }
    let overflows = bench.replay(30.0, FROM_A);
    let alert = overflows[0].alert.as_ref().unwrap();
    assert_eq!((alert.events_count, alert.events.len()), (6, 3));
}
