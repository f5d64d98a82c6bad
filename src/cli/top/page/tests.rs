//! The page as text, at several sizes.

use std::time::Duration;

use unicode_width::UnicodeWidthStr;

use super::*;
use crate::control::{
    ActiveStatus, BackendStatus, BucketRow, EnforceStatus, LinesStatus, PerMinute, PerSecond,
    QueueRow, Rates, SourceRates, SourceStatus, Status, Tables,
};

fn at(second: i64) -> Time {
    Time::from_seconds(1_795_402_800 + second)
}

/// A host with these many sources, programs, scenarios and bans, after so many seconds.
fn snapshot(lists: [usize; 4], seconds: u64) -> Snapshot {
    let [sources, programs, scenarios, bans] = lists;
    let source = |n: usize| SourceStatus {
        name: format!("source{n}"),
        lines: seconds * 100,
        last_line: Some(at(0).rfc3339()),
        ..SourceStatus::default()
    };
    let rates = |n: usize| SourceRates {
        name: format!("source{n}"),
        lines: PerSecond { last_10s: 100.0, last_1m: 100.0, series: vec![100; 60] },
        ..SourceRates::default()
    };
    let program = |n: usize| Coverage {
        label: "syslog".into(),
        program: format!("program{n}"),
        parsed: seconds * n as u64,
        uncounted: seconds * n as u64 / 2,
        unparsed: (programs - n) as u64,
        ..Coverage::default()
    };
    let bucket = |n: usize| BucketRow {
        scenario: format!("weir/scenario-{n}"),
        poured: seconds * n as u64 * 10,
        overflowed: n as u64,
        ..BucketRow::default()
    };
    let ban = |n: usize| Row {
        id: n as u64,
        target: format!("203.0.113.{n}"),
        family: "ipv4".into(),
        action: "ban".into(),
        origin: "scenario".into(),
        reason: "weir/ssh-bf".into(),
        created_at: at(-(n as i64) * 10).rfc3339(),
        until: at(14_400).rfc3339(),
        remaining_seconds: 14_400,
        events: 6,
        limited: None,
    };
    Snapshot {
        status: Status {
            version: "0.1.0".into(),
            pid: 4711,
            uptime_seconds: seconds,
            sources: (0..sources).map(source).collect(),
            lines: LinesStatus { parsed: 900, unparsed: 100, allowlisted: 0 },
            rates: Rates {
                lines: PerSecond { last_10s: 100.0, last_1m: 99.0, series: vec![1, 2, 3] },
                sources: (0..sources).map(rates).collect(),
                bans: PerMinute { last_1m: 3.0, ..PerMinute::default() },
                ..Rates::default()
            },
            active: vec![ActiveStatus {
                family: "ipv4".into(),
                action: "ban".into(),
                count: 12_345,
            }],
            enforce: EnforceStatus {
                is_enforcing: true,
                backends: vec![BackendStatus {
                    name: "nftables".into(),
                    elements: 12_345,
                    ..BackendStatus::default()
                }],
                ..EnforceStatus::default()
            },
            ..Status::default()
        },
        coverage: (0..programs).map(program).collect(),
        tables: Tables {
            buckets: (0..scenarios).map(bucket).collect(),
            queues: vec![QueueRow { queue: "lines".into(), length: 3, capacity: 64, full: 0 }],
            ..Tables::default()
        },
        latest: (0..bans).map(ban).collect(),
    }
}

fn shown(lists: [usize; 4], width: usize, height: usize, change: fn(&mut View<'_>)) -> String {
    let mut watch = Watch::default();
    watch.see(Duration::from_secs(0), &snapshot(lists, 0));
    let now = snapshot(lists, 10);
    watch.see(Duration::from_secs(10), &now);
    let mut view = View::new(&now, &watch, at(0));
    view.keys = height < 1000;
    change(&mut view);
    let page = view.page(width, height);
    let page = anstream::adapter::strip_str(&page).to_string();
    assert!(page.lines().count() <= height, "{} lines of {height}: {page}", page.lines().count());
    for line in page.lines() {
        assert!(line.width() <= width, "longer than {width}: {line}");
    }
    page
}

#[test]
fn a_terminal_of_80_by_24() {
    assert_eq!(shown([2, 3, 2, 2], 80, 24, |_| {}), TERMINAL);
}

const TERMINAL: &str = "\
weir 0.1.0 up 10s, process 4711: all is well                           03:00:00Z
100 lines/s  ▃▅█  90.0 % understood  3.0 bans/min  12,345 banned
  SOURCE   LINES/S  LAST MINUTE           LINES  DROPPED  LAST LINE  STATE
  source0      100  ████████████████████  1,000        0  now        receives
  source1      100  ████████████████████  1,000        0  now        receives
  PROGRAM   LABEL   LINES/S  LINES  UNDERSTOOD  COUNTED
  program2  syslog      2.0     21      95.2 %   47.6 %
  program1  syslog      1.0     12      83.3 %   41.7 %
  program0  syslog        0      3         0 %      0 %
  SCENARIO         EVENTS/S  EVENTS  OVERFLOWS  BUCKETS
  weir/scenario-1      10.0     100          1        0
  LATEST       ACTION  SINCE    LEFT  REASON
  203.0.113.0  ban     now      4h    weir/ssh-bf
  203.0.113.1  ban     10s ago  4h    weir/ssh-bf







  queues  lines 3 of 64
  kernel  nftables 12,345 elements, drift 0, 0 packets dropped
q quit   p pause   s sort (programs by lines)
";

#[test]
fn every_size_is_kept_to() {
    for height in [1, 2, 5, 8, 12, 24, 50, 200] {
        for width in [60, 80, 120] {
            for lists in [[0, 0, 0, 0], [1, 2, 3, 4], [30, 100, 100, 20]] {
                let page =
                    anstream::adapter::strip_str(&shown(lists, width, height, |_| {})).to_string();
                assert!(page.starts_with("weir 0.1.0"), "{page}");
            }
        }
    }
    let page = shown([30, 100, 100, 20], 80, 40, |_| {});
    for part in ["SOURCE", "PROGRAM", "SCENARIO", "LATEST", "queues", "q quit"] {
        assert!(page.contains(part), "each list has its place: {page}");
    }
    let page = shown([2, 30, 3, 4], 80, usize::MAX, |_| {});
    assert_eq!(page.matches("  program").count(), ROWS, "{page}");
}

#[test]
fn keys_change_what_is_seen() {
    let first = |page: &str| {
        let line = page.lines().skip_while(|line| !line.contains("PROGRAM")).nth(1);
        line.map(|line| line.trim().split(' ').next().unwrap_or_default().to_owned())
    };
    let by_lines = shown([1, 9, 1, 1], 80, 24, |_| {});
    assert_eq!(first(&by_lines).as_deref(), Some("program8"), "{by_lines}");
    let by_unparsed = shown([1, 9, 1, 1], 80, 24, |view| view.sort = view.sort.next());
    assert_eq!(first(&by_unparsed).as_deref(), Some("program0"), "{by_unparsed}");
    let paused = shown([1, 9, 1, 1], 80, 24, |view| view.is_paused = true);
    assert!(paused.contains("PAUSED") && paused.contains("p go on"), "{paused}");
    let gone = shown([1, 9, 1, 1], 80, 24, |view| view.trouble = Some("not running"));
    assert!(gone.contains("does not answer, waiting for it: not running"), "{gone}");
}

#[test]
fn room_is_shared_out() {
    assert_eq!(share_out(10, &[1, 9, 0, 9], 1), [Some(1), Some(3), None, Some(3)]);
    assert_eq!(share_out(3, &[5, 5], 1), [Some(2), None]);
    assert_eq!(share_out(1, &[5, 5], 1), [None, None]);
    assert_eq!(share_out(0, &[], 1), []);
    assert_eq!(share_out(usize::MAX, &[50, 2], 1), [Some(ROWS), Some(2)]);
}
