//! What holds however hostile the events are.

use proptest::prelude::*;

use super::bench::{Bench, Fields, instant, totals};
use crate::detect::Limits;
use crate::detect::scenario::{MOST_KEPT, MOST_SHOWN};
use crate::event::Mode;

const TEXT: &str = "
type: leaky
name: t/leaky
description: d
filter: evt.Meta.log_type == 'x'
groupby: evt.Meta.source_ip
capacity: 4
leakspeed: 10s
blackhole: 10s
---
type: conditional
name: t/conditional
description: d
filter: evt.Meta.log_type == 'x'
groupby: evt.Meta.source_ip
distinct: evt.Meta.user
capacity: -1
leakspeed: 1h
condition: len(queue.Queue) < 0
---
type: counter
name: t/counter
description: d
filter: evt.Meta.log_type == 'x'
groupby: evt.Meta.user
capacity: -1
duration: 3s
";

fn event<'f>(ip: &'f str, user: &'f str) -> [(&'f str, &'f str); 3] {
    [("log_type", "x"), ("source_ip", ip), ("user", user)]
}

#[test]
fn a_flood_of_invented_sources_does_not_hide_a_real_one() {
    let limits = Limits { buckets: 50, ..Limits::default() };
    let leaky = TEXT.split("---").next().unwrap();
    let mut bench = Bench::with_limits(leaky, limits);
    let mut overflows = Vec::new();
    for round in 0..5 {
        overflows.extend(bench.live(f64::from(round) * 0.1, &event("192.0.2.1", "")));
        for n in 0..500 {
            let invented = format!("10.{round}.{}.{}", n / 256, n % 256);
            assert!(bench.live(f64::from(round) * 0.1, &event(&invented, "")).is_empty());
        }
    }
    assert_eq!(totals(&overflows), [5]);
    assert!(bench.detector.n_tracked() <= 50);
    assert!(bench.counts().evicted >= 2_400);
}

/// Buckets with one event each, of a scenario that nobody floods, next to one that is flooded.
#[test]
fn a_flood_of_one_scenario_leaves_the_buckets_of_another() {
    let limits = Limits { buckets: 100, ..Limits::default() };
    let leaky = TEXT.split("---").next().unwrap();
    let other = leaky.replace("t/leaky", "t/other").replace("'x'", "'y'");
    let mut bench = Bench::with_limits(&format!("{leaky}---{other}"), limits);
    let quiet =
        |n| [("log_type", "y"), ("source_ip", ["192.0.2.1", "2001:db8::1", "2001:db8::2"][n])];
    for n in 0..3 {
        bench.live(0.0, &quiet(n));
    }
    for n in 0..5_000 {
        let invented = format!("10.0.{}.{}", n / 256, n % 256);
        bench.live(1.0, &event(&invented, ""));
        assert!(bench.detector.n_tracked() <= 100);
    }
    for n in 0..3 {
        let overflows: Vec<_> = (0..4).flat_map(|_| bench.live(2.0, &quiet(n))).collect();
        assert_eq!(totals(&overflows), [5], "{n}");
    }
    // The share is of what there is: alone, a scenario may have it all.
    assert!(bench.detector.n_tracked() > 95);
}

#[test]
fn a_bucket_without_room_for_events_still_counts() {
    let limits = Limits { events: 2, ..Limits::default() };
    let mut bench = Bench::with_limits(TEXT.split("---").next().unwrap(), limits);
    for _ in 0..4 {
        assert!(bench.live(0.0, &event("192.0.2.1", "")).is_empty());
    }
    let overflows = bench.live(0.0, &event("192.0.2.1", ""));
    assert_eq!(totals(&overflows), [5]);
    assert_eq!(overflows[0].alert.as_ref().unwrap().events.len(), 2);
    assert_eq!(bench.detector.n_kept(), 0);
}

#[test]
fn a_tick_ends_so_many_buckets() {
    let limits = Limits { ends_per_tick: 10, ..Limits::default() };
    let mut bench = Bench::with_limits(TEXT.split("---").next().unwrap(), limits);
    for n in 0..25 {
        bench.live(0.0, &event(&format!("10.0.0.{n}"), ""));
    }
    let left = [1000.0, 1001.0, 1002.0].map(|at| {
        bench.tick(at);
        bench.detector.n_tracked()
    });
    assert_eq!(left, [15, 5, 0]);
}

#[test]
fn silences_are_bounded() {
    let limits = Limits { silences: 10, ..Limits::default() };
    let text = "type: trigger\nname: t\ndescription: d\nfilter: evt.Meta.log_type == 'x'\ngroupby: evt.Meta.source_ip\nblackhole: 1h";
    let mut bench = Bench::with_limits(text, limits);
    for n in 0..100 {
        let ip = format!("10.0.0.{n}");
        assert_eq!(bench.live(f64::from(n), &event(&ip, "")).len(), 1);
    }
    assert_eq!(bench.detector.n_silences(), 10);
    assert!(bench.live(100.0, &event("10.0.0.99", "")).is_empty());
    assert_eq!(bench.live(100.0, &event("10.0.0.0", "")).len(), 1);
}

#[test]
fn one_bucket_keeps_so_many_events() {
    let conditional = TEXT.split("---").nth(1).unwrap();
    let conditional = conditional.replace("distinct: evt.Meta.user\n", "");
    let check = |text: &str, kept: usize| {
        let mut bench = Bench::new(text);
        for n in 0..2_000 {
            bench.live(f64::from(n), &event("192.0.2.1", ""));
        }
        assert_eq!(bench.detector.n_kept(), kept);
    };
    check(&conditional, MOST_SHOWN);
    let about_all = conditional.replace("condition: ", "condition: queue.L > 0 && ");
    assert_ne!(about_all, conditional);
    check(&about_all, MOST_KEPT);
}

/// A list of the events in a bucket, each leaving one leakspeed after it or the one before left.
struct Naive {
    capacity: usize,
    leakspeed: i64,
    leaves: Vec<i64>,
    last: i64,
    total: i64,
}

impl Naive {
    /// The total if the bucket overflows at `at`.
    fn pour(&mut self, at: i64) -> Option<i64> {
        let lifetime = (i64::try_from(self.capacity).unwrap() + 1) * self.leakspeed;
        if self.total > 0 && at > self.last + lifetime {
            self.leaves.clear();
            self.total = 0;
        }
        (self.last, self.total) = (at, self.total + 1);
        self.leaves.retain(|leaves| *leaves > at);
        if self.leaves.len() == self.capacity {
            self.leaves.clear();
            return Some(std::mem::take(&mut self.total));
        }
        let from = self.leaves.last().copied().unwrap_or(at);
        self.leaves.push(from + self.leakspeed);
        None
    }
}

/// No clock ends the buckets of a replay, and most addresses of a long log come once.
#[test]
fn a_replay_forgets_those_who_came_once() {
    let mut bench = Bench::new(SLOW);
    for second in 0..10_000_u32 {
        let ip = format!("10.{}.{}.1", second / 256, second % 256);
        assert!(bench.replay(f64::from(second), &event(&ip, "")).is_empty());
        // A bucket lives for 50 s, and a minute longer for lines that are out of order.
        assert!(bench.detector.n_tracked() < 3 * (50 + 60), "{}", bench.detector.n_tracked());
    }
    let counts = bench.counts();
    assert_eq!(counts.underflowed + counts.tracked, 10_000);
}

#[test]
fn a_replay_forgets_the_few_of_a_quiet_log() {
    let mut bench = Bench::new(SLOW);
    for hour in 0..200_u32 {
        for ip in 0..3 {
            let ip = format!("10.{hour}.{ip}.1");
            assert!(bench.replay(f64::from(hour * 3600), &event(&ip, "")).is_empty());
        }
        assert!(bench.detector.n_tracked() <= 3 + 32 / 2, "{}", bench.detector.n_tracked());
    }
    let counts = bench.counts();
    assert_eq!(counts.underflowed + counts.tracked, 600);
}

#[test]
fn a_replay_keeps_buckets_for_lines_that_are_out_of_order() {
    let mut bench = Bench::new(SLOW);
    for _ in 0..5 {
        assert!(bench.replay(0.0, &event("192.0.2.1", "")).is_empty());
    }
    for second in 0..109_u32 {
        bench.replay(f64::from(second), &event(&format!("10.0.0.{second}"), ""));
    }
    assert_eq!(bench.replay(1.0, &event("192.0.2.1", "")).len(), 1);
}

const SLOW: &str = "type: leaky
name: t
description: d
filter: evt.Meta.log_type == 'x'
groupby: evt.Meta.source_ip
capacity: 5
leakspeed: 10s
";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_leaky_bucket_is_a_list_whose_events_leave(
        capacity in 1usize..6,
        leakspeed in 1i64..20,
        gaps in prop::collection::vec(0i64..30, 1..80),
    ) {
        let text = format!(
            "type: leaky\nname: t\ndescription: d\nfilter: evt.Meta.log_type == 'x'\n\
             capacity: {capacity}\nleakspeed: {leakspeed}s\n"
        );
        let mut bench = Bench::new(&text);
        let mut naive = Naive { capacity, leakspeed, leaves: Vec::new(), last: 0, total: 0 };
        let mut at = 0;
        for gap in gaps {
            at += gap;
            #[expect(clippy::cast_precision_loss, reason = "a few minutes")]
            let overflows = bench.replay(at as f64, &event("192.0.2.1", ""));
            let expected: Vec<_> = naive.pour(at).into_iter().collect();
            prop_assert_eq!(totals(&overflows), expected);
        }
    }

    #[test]
    fn memory_stays_within_the_limits(
        buckets in 1usize..20,
        events in 1usize..60,
        silences in 1usize..10,
        pours in prop::collection::vec((0u8..60, 0u8..60, 0i32..4_000, any::<bool>()), 1..300),
    ) {
        let limits = Limits { buckets, events, silences, ..Limits::default() };
        let mut bench = Bench::with_limits(TEXT, limits);
        let mut at = 0.0;
        for (ip, user, gap, ticks) in pours {
            at += f64::from(gap) / 1e3;
            let (ip, user) = (format!("192.0.2.{ip}"), user.to_string());
            let fields: Fields<'_> = &event(&ip, &user);
            bench.pour(if ticks { Mode::Live } else { Mode::Replay }, instant(at), fields);
            if ticks {
                bench.tick(at);
            }
            prop_assert!(bench.detector.n_tracked() <= buckets);
            // Each bucket keeps the last event in any case.
            prop_assert!(bench.detector.n_kept() <= events + buckets);
            prop_assert!(bench.detector.n_silences() <= silences);
            let counts = bench.counts();
            prop_assert_eq!(counts.tracked, bench.detector.n_tracked() as u64);
            // Entries of buckets that are gone are dropped when one is added.
            prop_assert!(bench.detector.n_ends() <= 2 * buckets + 65);
        }
    }
}
