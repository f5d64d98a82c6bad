//! Conditions that are evaluated on the last few events of a bucket say what they would say on all.

use proptest::prelude::*;

use super::bench::Bench;

/// Conditions of which it is seen how many events they need.
const CONDITIONS: [&str; 7] = [
    "len(queue.Queue) >= 3 && queue.Queue[-3].Meta.kind == 'a' && queue.Queue[-1].Meta.kind == 'b'",
    "len(queue.Queue) == 5",
    "let bad = filter(queue.Queue, {#.Meta.kind == 'a'}); len(bad) >= 3 && MedianInterval(map(bad[-3:], {#.Time})) > duration('2s')",
    "let bad = filter(queue.Queue, {#.Meta.kind in ['a', 'c'] and #.Meta.log_type == 'x'}); len(bad) > 2 && len(queue.Queue) != 4",
    "len(queue.Queue) > 3 && AverageInterval(map(queue.Queue[-3:], {#.Time})) <= duration('1s500ms')",
    "len(queue.Queue) >= 5 and MedianInterval(map(queue.Queue[-5:], {.Time})) < duration('2s')",
    "any(queue.Queue[-4:], {#.Meta.kind == 'c'}) && len(queue.Queue) > 5",
];

fn scenario(condition: &str) -> String {
    format!(
        "type: conditional\nname: t/c\ndescription: d\nfilter: evt.Meta.log_type == 'x'\n\
         groupby: evt.Meta.source_ip\ncapacity: -1\nleakspeed: 1h\ncondition: \"{condition}\"\n"
    )
}

proptest! {
    #[test]
    fn the_last_events_decide_as_all_do(
        number in 0..CONDITIONS.len(),
        events in prop::collection::vec((0_u32..4, prop::sample::select(vec!["a", "b", "c"])), 0..40),
    ) {
        let quick = scenario(CONDITIONS[number]);
        // The length that the rule wants is of no matter, but asking for it needs the whole queue.
        let whole = scenario(&format!("{} && queue.L == -1", CONDITIONS[number]));
        let (mut quick, mut whole) = (Bench::new(&quick), Bench::new(&whole));
        for (bench, is_quick) in [(&quick, true), (&whole, false)] {
            let scenario = bench.scenarios.iter().next().unwrap();
            prop_assert_eq!(scenario.horizon.is_some(), is_quick, "{}", CONDITIONS[number]);
            let is_pace = is_quick && CONDITIONS[number].contains("Interval");
            let has_pace = scenario.horizon.as_ref().is_some_and(|found| found.pace.is_some());
            prop_assert_eq!(has_pace, is_pace, "{}", CONDITIONS[number]);
        }
        let mut at = 0.0;
        for (gap, kind) in events {
            at += f64::from(gap);
            let fields = [("source_ip", "192.0.2.1"), ("log_type", "x"), ("kind", kind)];
            prop_assert_eq!(quick.replay(at, &fields).len(), whole.replay(at, &fields).len());
        }
    }
}
