//! What happened lately, from totals that are looked at once a second.
//!
//! Whoever counts knows nothing of this: nothing is added to the way of a line. The memory is
//! bounded: two minutes of seconds and an hour of minutes, of each a row of totals. Time is a
//! parameter, as a span since the start, so that a clock that is set makes no rates.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use super::report::Report;
use crate::control::{PerMinute, PerSecond, Rates, SourceRates};

/// How often totals are looked at.
const STEP: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
/// Rows by the second and by the minute, the one before the first step among them.
const MOST_SECONDS: usize = 121;
const MOST_MINUTES: usize = 61;
/// Points of a series.
const POINTS: usize = 60;

/// What was counted since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    /// Lines received and, of those, dropped, by the number of the source.
    pub(super) sources: Vec<[u64; 2]>,
    /// Lines that no rule understood.
    pub(super) unparsed: u64,
    /// Buckets that overflowed.
    pub(super) overflows: u64,
    /// Decisions made.
    pub(super) bans: u64,
    /// Packets dropped in the kernel.
    pub(super) packets: u64,
}

/// The place of each total in a row; behind these two for each source.
const LINES: usize = 0;
const UNPARSED: usize = 1;
const OVERFLOWS: usize = 2;
const BANS: usize = 3;
const PACKETS: usize = 4;
const SOURCES: usize = 5;

impl Totals {
    fn row(&self) -> Box<[u64]> {
        let lines = self.sources.iter().map(|[lines, _]| lines).sum();
        let all = [lines, self.unparsed, self.overflows, self.bans, self.packets];
        all.into_iter().chain(self.sources.iter().copied().flatten()).collect()
    }
}

/// Totals at a moment, as a span since the start.
type Row = (Duration, Box<[u64]>);

/// The totals of the last hour.
#[derive(Debug, Default)]
pub(super) struct Ring {
    seconds: VecDeque<Row>,
    minutes: VecDeque<Row>,
    /// What was told last.
    told: Box<[u64]>,
}

impl Ring {
    /// Takes totals down. A total that is smaller than before began anew, as the kernel's counters
    /// do when somebody flushed our tables.
    pub(super) fn record(&mut self, at: Duration, totals: &Totals) {
        let told = totals.row();
        let grown = match self.seconds.back() {
            Some((_, last)) if last.len() == told.len() => {
                let growth = told
                    .iter()
                    .zip(&self.told)
                    .map(|(now, before)| now.checked_sub(*before).unwrap_or(*now));
                last.iter().zip(growth).map(|(last, growth)| last + growth).collect()
            }
            // Other sources: what was before does not speak of them.
            _ => {
                self.seconds.clear();
                self.minutes.clear();
                told.clone()
            }
        };
        self.told = told;
        if self.minutes.back().is_none_or(|(last, _)| at.saturating_sub(*last) >= MINUTE) {
            push(&mut self.minutes, (at, grown.clone()), MOST_MINUTES);
        }
        push(&mut self.seconds, (at, grown), MOST_SECONDS);
    }

    /// What happened lately, in sources of these names.
    pub(super) fn rates<'n>(&self, sources: impl Iterator<Item = &'n str>) -> Rates {
        let newest = self.seconds.back().map_or(Duration::ZERO, |(at, _)| *at);
        let oldest = self.minutes.front().map_or(newest, |(at, _)| *at);
        let sources = sources.enumerate().map(|(number, name)| SourceRates {
            name: name.to_owned(),
            lines: self.per_second(SOURCES + 2 * number),
            dropped: self.per_second(SOURCES + 2 * number + 1),
        });
        Rates {
            seconds: newest.saturating_sub(oldest).as_secs(),
            lines: self.per_second(LINES),
            unparsed: self.per_second(UNPARSED),
            sources: sources.collect(),
            overflows: self.per_minute(OVERFLOWS),
            bans: self.per_minute(BANS),
            dropped_packets: self.per_second(PACKETS),
        }
    }

    fn per_second(&self, column: usize) -> PerSecond {
        let over = |seconds| round(self.rate(column, Duration::from_secs(seconds), STEP));
        let series = steps(self.seconds.iter(), column)
            .map(|(span, count)| whole((as_float(count) / span.as_secs_f64()).round()));
        PerSecond { last_10s: over(10), last_1m: over(60), series: last(series) }
    }

    fn per_minute(&self, column: usize) -> PerMinute {
        let over = |minutes| round(self.rate(column, minutes * MINUTE, MINUTE) * 60.0);
        // The newest second ends the minute that is not over yet.
        let until_now = self.minutes.iter().chain(self.seconds.back());
        let series = steps(until_now, column).map(|(_, count)| count);
        let (last_1m, last_5m, last_15m) = (over(1), over(5), over(15));
        PerMinute { last_1m, last_5m, last_15m, series: last(series) }
    }

    /// By the second, over the last `span` or what there is of it, and never over less than `least`:
    /// three bans within the first second are not 180 a minute.
    fn rate(&self, column: usize, span: Duration, least: Duration) -> f64 {
        let Some((now, newest)) = self.seconds.back() else { return 0.0 };
        let from = now.saturating_sub(span);
        // Rows come at a beat that is not exact: the nearest one counts.
        let distance = |row: &&Row| row.0.abs_diff(from);
        let nearest = self.seconds.iter().chain(&self.minutes).min_by_key(distance);
        let (then, before) = nearest.expect("there is the newest");
        let (Some(newest), Some(before)) = (newest.get(column), before.get(column)) else {
            return 0.0;
        };
        let span = now.saturating_sub(*then).max(least);
        as_float(newest - before) / span.as_secs_f64()
    }
}

fn push(rows: &mut VecDeque<Row>, row: Row, most: usize) {
    if rows.len() == most {
        rows.pop_front();
    }
    rows.push_back(row);
}

/// From each row to the next one: how long it took, and what was counted.
fn steps<'r>(
    rows: impl Iterator<Item = &'r Row> + Clone,
    column: usize,
) -> impl Iterator<Item = (Duration, u64)> {
    rows.clone().zip(rows.skip(1)).filter_map(move |((then, before), (now, after))| {
        let count = after.get(column)? - before.get(column)?;
        (now > then).then(|| (*now - *then, count))
    })
}

/// Three digits behind the point are enough for anybody.
fn round(rate: f64) -> f64 {
    (rate * 1e3).round() / 1e3
}

fn last(series: impl Iterator<Item = u64>) -> Vec<u64> {
    let mut all: Vec<u64> = series.collect();
    all.drain(..all.len().saturating_sub(POINTS));
    all
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people")]
fn as_float(count: u64) -> f64 {
    count as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "rounded, and positive"
)]
fn whole(number: f64) -> u64 {
    number as u64
}

/// Looks at the totals once a second until told to stop.
pub(super) fn follow(runtime: &Runtime, report: Arc<Report>, stop: CancellationToken) {
    runtime.spawn(async move {
        let mut beat = tokio::time::interval(STEP);
        beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = beat.tick() => report.measure(),
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn totals(lines: u64, bans: u64) -> Totals {
        Totals { sources: vec![[lines, 0]], bans, ..Totals::default() }
    }

    /// What is told after these totals of lines and bans were seen, one a second from 0 on.
    fn told(seen: impl Iterator<Item = (u64, u64)>) -> Rates {
        let mut ring = Ring::default();
        for (second, (lines, bans)) in seen.enumerate() {
            ring.record(Duration::from_secs(second as u64), &totals(lines, bans));
        }
        ring.rates(["udp"].into_iter())
    }

    #[track_caller]
    fn check(seen: &[u64], last_10s: f64, last_1m: f64, series: &[u64]) {
        let rates = told(seen.iter().map(|lines| (*lines, 0)));
        let expected = PerSecond { last_10s, last_1m, series: series.to_vec() };
        assert_eq!(rates.lines, expected);
        assert_eq!((&*rates.sources[0].name, &rates.sources[0].lines), ("udp", &expected));
    }

    #[test]
    fn lines_a_second() {
        check(&[], 0.0, 0.0, &[]);
        check(&[7], 0.0, 0.0, &[]);
        check(&[7, 9], 2.0, 2.0, &[2]);
        check(&[0, 0, 0, 30], 10.0, 10.0, &[0, 0, 30]);
        // The counter began anew.
        check(&[100, 110, 4], 7.0, 7.0, &[10, 4]);
        let steady: Vec<u64> = (0..200).map(|n| n * 5).collect();
        check(&steady, 5.0, 5.0, &[5; 60]);
        let mut quiet = vec![0; 100];
        quiet.extend((1..=5).map(|n| n * 100));
        let series = [[0; 55].as_slice(), &[100; 5]].concat();
        check(&quiet, 50.0, 8.333, &series);
    }

    #[test]
    fn bans_a_minute() {
        let first = told([(0, 0), (0, 3)].into_iter()).bans;
        assert_eq!((first.last_1m, first.last_15m, first.series), (3.0, 3.0, vec![3]));
        // Two a minute for half an hour, then thirty within the last minute.
        let seen =
            (0..=1800).map(|second| (0, second / 30)).chain((1801..=1830).map(|s| (0, s - 1740)));
        let rates = told(seen);
        assert_eq!(rates.seconds, 1830);
        let bans = rates.bans;
        assert_eq!((bans.last_1m, bans.series.len()), (31.0, 31));
        assert!((bans.last_5m - 7.6).abs() < 0.5 && bans.last_15m < 4.5, "{bans:?}");
        assert_eq!(bans.series[28..], [2, 2, 30]);
    }

    #[test]
    fn an_hour_is_kept_and_no_more() {
        let mut ring = Ring::default();
        for second in 0..10_000 {
            ring.record(Duration::from_secs(second), &totals(second, second));
        }
        assert_eq!((ring.seconds.len(), ring.minutes.len()), (MOST_SECONDS, MOST_MINUTES));
        let rates = ring.rates(["udp"].into_iter());
        assert_eq!((rates.bans.series.len(), rates.bans.last_15m), (POINTS, 60.0));
        // A row of another length speaks of other sources.
        ring.record(Duration::from_secs(10_000), &Totals::default());
        assert_eq!((ring.seconds.len(), ring.rates([].into_iter()).seconds), (1, 0));
    }

    proptest! {
        /// With a beat of a second a rate is the mean of what happened in each second of its span.
        #[test]
        fn rates_are_means(
            steps in prop::collection::vec((0_u64..1000, 0_u64..5), 1..400),
        ) {
            let mut sums = vec![(0, 0)];
            for (lines, bans) in &steps {
                let (all_lines, all_bans) = sums[sums.len() - 1];
                sums.push((all_lines + lines, all_bans + bans));
            }
            let rates = told(sums.iter().copied());
            let mean = |span: usize| {
                let within = &steps[steps.len().saturating_sub(span)..];
                let sum: u64 = within.iter().map(|(lines, _)| lines).sum();
                sum as f64 / within.len() as f64
            };
            prop_assert!((rates.lines.last_10s - mean(10)).abs() < 0.001);
            prop_assert!((rates.lines.last_1m - mean(60)).abs() < 0.001);
            let newest: Vec<u64> = steps.iter().rev().take(60).rev().map(|(lines, _)| *lines).collect();
            prop_assert_eq!(rates.lines.series, newest);
            let all: u64 = steps.iter().map(|(_, bans)| bans).sum();
            prop_assert_eq!(rates.bans.series.iter().sum::<u64>(), all);
            prop_assert!(rates.bans.series.len() == steps.len().div_ceil(60));
        }
    }
}
