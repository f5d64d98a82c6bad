//! Whose clock is off: how far the times that senders write are from the arrival of their lines.
//!
//! A worker measures one line a second of a sender, so that it costs nothing. Of each sender the
//! last few measurements are kept, and their median is its skew: a late line or two say nothing of
//! a clock. Bounded: datagrams can bear any sender's address, so those beyond a number are not
//! measured, and no address is ever a label of a metric. Remarks for people name some.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use prometheus_client::metrics::counter::Counter;

use crate::control::SourceStatus;
use crate::event::{Dates, Line, SourceId};
use crate::intake::spec::Source;
use crate::metrics::{BySource, Metrics};
use crate::parse::syslog;
use crate::value::{Time, parse_date};

/// Senders that are measured.
const MOST: usize = 1024;
/// Measurements that are kept of a sender.
const KEPT: usize = 5;
/// Fewer say nothing.
const ENOUGH: usize = 3;
/// What was measured before so many seconds says nothing of now.
const STALE: i64 = 3600;
/// Senders that a worker tells apart when it chooses whom to measure; a power of two.
const PLACES: usize = 256;
/// Senders that are named in remarks.
const NAMED: usize = 5;

/// How far a sender's clock is ahead of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Skew {
    /// Its address; none for programs of this host.
    pub(super) sender: Option<IpAddr>,
    /// Whole seconds; negative when it is behind, or its lines are late.
    pub(super) seconds: i64,
    /// Whether its zone was configured.
    has_zone: bool,
}

/// What was measured of one line.
#[derive(Clone, Copy, Debug)]
struct Measured {
    source: SourceId,
    sender: Option<IpAddr>,
    /// In nanoseconds.
    skew: i64,
    at: Time,
    has_zone: bool,
}

/// What a worker measures.
#[derive(Debug)]
pub(super) struct Measuring {
    /// The second in which a sender of this place was measured last.
    seconds: Vec<i64>,
    measured: Vec<Measured>,
}

impl Default for Measuring {
    fn default() -> Self {
        Self { seconds: vec![i64::MIN; PLACES], measured: Vec::new() }
    }
}

impl Measuring {
    /// Measures a line, if the sender's turn has come.
    pub(super) fn look(&mut self, line: &Line<'_>, dates: Dates<'_>) {
        let second = line.received_at.seconds();
        let place = &mut self.seconds[place(line.source, line.sender)];
        if *place != second {
            *place = second;
            self.measured.extend(measure(line, dates));
        }
    }
}

/// Where the second of a sender's measurement is kept; senders that share a place share a turn.
fn place(source: SourceId, sender: Option<IpAddr>) -> usize {
    let bits = match sender {
        None => 0,
        Some(IpAddr::V4(address)) => u64::from(address.to_bits()),
        Some(IpAddr::V6(address)) => {
            let bits = address.to_bits();
            u64::try_from(bits >> 64 ^ bits & u128::from(u64::MAX)).unwrap_or_default()
        }
    };
    // Fibonacci hashing: the upper bits of the product depend on all of the factor.
    let mixed = (bits ^ u64::from(source.0) << 48).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    usize::try_from(mixed >> (u64::BITS - PLACES.ilog2())).unwrap_or_default()
}

/// How far the time in the line's header is ahead of its arrival, if there is one.
fn measure(line: &Line<'_>, dates: Dates<'_>) -> Option<Measured> {
    let text = match line.text {
        Some(text) => text,
        None => std::str::from_utf8(line.bytes).ok()?,
    };
    let header = syslog::decode(text);
    let time = parse_date(header.timestamp, "", line.received_at, dates.zone)?;
    Some(Measured {
        source: line.source,
        sender: line.sender,
        skew: time.since(line.received_at),
        at: line.received_at,
        has_zone: dates.zone.is_some(),
    })
}

/// The clocks of all senders, one list for all workers.
#[derive(Debug)]
pub(super) struct Skews {
    /// By the number of the source.
    sources: Vec<OfSource>,
    met: Mutex<Met>,
}

#[derive(Debug)]
struct OfSource {
    name: String,
    /// So many seconds are nothing to speak of; none for any number.
    most: Option<u64>,
    /// Lines whose time was not believed.
    skewed: Counter,
}

#[derive(Debug, Default)]
struct Met {
    clocks: HashMap<(SourceId, Option<IpAddr>), Clock>,
    /// Before this nobody is looked for who could make room.
    full_until: Option<Time>,
}

#[derive(Debug)]
struct Clock {
    /// The last measurements, the oldest first.
    recent: Vec<i64>,
    last: Time,
    has_zone: bool,
}

impl Clock {
    /// The median in nanoseconds, if it says something.
    fn skew(&self, now: Time) -> Option<i64> {
        if self.recent.len() < ENOUGH || is_stale(self.last, now) {
            return None;
        }
        let mut sorted = self.recent.clone();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).copied()
    }
}

fn is_stale(last: Time, now: Time) -> bool {
    now.seconds() - last.seconds() > STALE
}

impl Skews {
    /// For these sources.
    pub(super) fn new(metrics: &Metrics, sources: &[Source]) -> Self {
        let of = |source: &Source| OfSource {
            name: source.name.clone(),
            most: source.limits.skew.map(|skew| skew.as_secs()),
            skewed: metrics
                .skewed_lines
                .get_or_create_owned(&BySource { source: source.name.clone() }),
        };
        Self { sources: sources.iter().map(of).collect(), met: Mutex::default() }
    }

    /// Counts lines whose time was not believed.
    pub(super) fn count(&self, source: SourceId, lines: u64) {
        if let Some(source) = self.sources.get(usize::from(source.0)).filter(|_| lines > 0) {
            source.skewed.inc_by(lines);
        }
    }

    /// Takes what a worker measured.
    pub(super) fn add(&self, measuring: &mut Measuring) {
        if measuring.measured.is_empty() {
            return;
        }
        let mut met = self.met();
        for measured in measuring.measured.drain(..) {
            let key = (measured.source, measured.sender);
            if !met.clocks.contains_key(&key) && !met.has_room(measured.at) {
                continue;
            }
            let clock = met.clocks.entry(key).or_insert_with(|| Clock {
                recent: Vec::with_capacity(KEPT),
                last: measured.at,
                has_zone: measured.has_zone,
            });
            if clock.recent.len() == KEPT {
                clock.recent.remove(0);
            }
            clock.recent.push(measured.skew);
            clock.last = measured.at;
        }
    }

    /// The clocks of a source's senders, those first that are farthest off.
    pub(super) fn of(&self, source: SourceId, now: Time) -> Vec<Skew> {
        let met = self.met();
        let of_source = met.clocks.iter().filter(|((of, _), _)| *of == source);
        let skews = of_source.filter_map(|((_, sender), clock)| {
            let seconds = (clock.skew(now)? + 500_000_000).div_euclid(1_000_000_000);
            Some(Skew { sender: *sender, seconds, has_zone: clock.has_zone })
        });
        let mut skews: Vec<Skew> = skews.collect();
        skews.sort_unstable_by_key(|skew| {
            (std::cmp::Reverse(skew.seconds.unsigned_abs()), skew.sender)
        });
        skews
    }

    /// The clock that is farthest off, in seconds.
    pub(super) fn farthest(&self, source: SourceId, now: Time) -> Option<i64> {
        self.of(source, now).first().map(|skew| skew.seconds)
    }

    /// Says in a source's status how far clocks are off.
    pub(super) fn show(&self, id: SourceId, now: Time, status: &mut SourceStatus) {
        let skews = self.of(id, now);
        status.skew_seconds = skews.first().map(|skew| skew.seconds);
        for sender in &mut status.senders {
            let address = sender.address.parse().ok();
            let found = skews.iter().find(|skew| address.is_some() && skew.sender == address);
            sender.skew_seconds = found.map(|skew| skew.seconds);
        }
    }

    /// What an operator should know of a source's clocks.
    pub(super) fn remarks(&self, id: SourceId, now: Time) -> Vec<String> {
        let Some(source) = self.sources.get(usize::from(id.0)) else { return Vec::new() };
        let Some(most) = source.most else { return Vec::new() };
        let mut off = self.of(id, now);
        off.retain(|skew| skew.seconds.unsigned_abs() > most);
        let mut remarks: Vec<String> = off
            .iter()
            .take(NAMED)
            .map(|skew| format!("source `{}`: {}", source.name, skew.sentence()))
            .collect();
        if off.len() > NAMED {
            let more = off.len() - NAMED;
            remarks.push(format!("source `{}`: {more} more clocks that are off", source.name));
        }
        remarks
    }

    fn met(&self) -> MutexGuard<'_, Met> {
        self.met.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Met {
    /// Whether there is room for one more; those that were not measured for long make it.
    fn has_room(&mut self, now: Time) -> bool {
        const PAUSE: i64 = 60 * 1_000_000_000;
        if self.clocks.len() < MOST {
            return true;
        }
        if self.full_until.is_some_and(|until| now < until) {
            return false;
        }
        self.clocks.retain(|_, clock| !is_stale(clock.last, now));
        self.full_until = Some(now.plus(PAUSE));
        self.clocks.len() < MOST
    }
}

impl Skew {
    /// How far, and what is probably wrong.
    fn sentence(&self) -> String {
        let who = match self.sender {
            Some(address) => format!("the sender {address}"),
            None => "this host".to_owned(),
        };
        let (verb, way) = match self.seconds {
            0.. => ("ahead of", "ahead"),
            _ => ("behind", "behind"),
        };
        let far = words(self.seconds.unsigned_abs());
        let why = match (self.offset(), way) {
            (Some(_), _) if self.has_zone => "is its `zone` right?".to_owned(),
            (Some(offset), _) => format!("is its `zone` {offset}?"),
            (None, "ahead") => "is its clock right?".to_owned(),
            (None, _) => "is its clock right, or are its lines late?".to_owned(),
        };
        format!("{who} writes times {far} {verb} their arrival: {why}")
    }

    /// The zone that would explain it: zones are quarters of an hour from UTC, up to 14 hours.
    fn offset(&self) -> Option<String> {
        const QUARTER: i64 = 15 * 60;
        const NEAR: i64 = 60;
        let quarters = (self.seconds + QUARTER / 2).div_euclid(QUARTER);
        let is_near = (self.seconds - quarters * QUARTER).abs() <= NEAR;
        if quarters == 0 || !is_near || !(-14 * 4..=14 * 4).contains(&quarters) {
            return None;
        }
        let minutes = quarters.abs() * 15;
        let sign = if quarters < 0 { '-' } else { '+' };
        Some(format!("`{sign}{:02}:{:02}`", minutes / 60, minutes % 60))
    }
}

/// `2 h`, `2 h 30 min`, `7 min` or `12 s`.
fn words(seconds: u64) -> String {
    let minutes = (seconds + 30) / 60;
    match (minutes / 60, minutes % 60) {
        (0, _) if seconds < 120 => format!("{seconds} s"),
        (0, minutes) => format!("{minutes} min"),
        (hours, 0) => format!("{hours} h"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Zone;

    fn source(most: Option<u64>) -> Source {
        let mut source = crate::settings::Settings::default().sources.remove(0);
        source.limits.skew = most.map(std::time::Duration::from_secs);
        source
    }

    fn skews() -> Skews {
        Skews::new(&Metrics::default(), &[source(Some(300)), source(None)])
    }

    const NOON: &str = "2026-11-23T12:00:00Z";

    fn noon(plus: i64) -> Time {
        Time::from_rfc3339(NOON).expect("well-formed").plus(plus * 1_000_000_000)
    }

    /// Has a line looked at, so many seconds after noon.
    fn look(measuring: &mut Measuring, sender: &str, text: &str, at: i64, zone: Option<&Zone>) {
        let mut line = Line::new(text.as_bytes(), noon(at), SourceId(0));
        line.sender = sender.parse().ok();
        measuring.look(&line, Dates { zone, most_skew: None });
    }

    /// What is said of a sender whose lines of this kind arrived at noon.
    #[track_caller]
    fn check(stamp: &str, zone: Option<&str>, seconds: Option<i64>, remark: &str) {
        let (skews, mut measuring) = (skews(), Measuring::default());
        let zone = zone.map(|name| Zone::named(name).expect("a zone"));
        for second in 0..3 {
            let text = format!("<38>{stamp} host a: b");
            look(&mut measuring, "192.0.2.7", &text, second, zone.as_ref());
            // A second line in the same second is not looked at.
            look(&mut measuring, "192.0.2.7", "<38>Jan  1 00:00:00 h a: b", second, None);
        }
        assert_eq!(measuring.measured.len(), if seconds.is_some() { 3 } else { 0 }, "{stamp}");
        skews.add(&mut measuring);
        let found = skews.of(SourceId(0), noon(9));
        assert_eq!(found.first().map(|skew| skew.seconds), seconds, "{stamp}");
        let remarks = skews.remarks(SourceId(0), noon(9)).join("; ");
        assert_eq!(remarks.strip_prefix("source `udp`: ").unwrap_or(&remarks), remark, "{stamp}");
        assert!(skews.remarks(SourceId(1), noon(9)).is_empty());
    }

    #[test]
    fn clocks() {
        check("Nov 23 12:00:00", None, Some(-1), "");
        check("2026-11-23T13:00:00+01:00", None, Some(-1), "");
        check("Nov 23 12:04:00", None, Some(239), "");
        check("no time", None, None, "");
        check(
            "Nov 23 14:00:00",
            None,
            Some(7199),
            "the sender 192.0.2.7 writes times 2 h ahead of their arrival: is its `zone` `+02:00`?",
        );
        check(
            "Nov 23 06:30:30",
            None,
            Some(-19_771),
            "the sender 192.0.2.7 writes times 5 h 30 min behind their arrival: is its `zone` \
             `-05:30`?",
        );
        check("Nov 23 14:00:00", Some("+02:00"), Some(-1), "");
        check(
            "Nov 23 14:00:00",
            Some("+01:00"),
            Some(3599),
            "the sender 192.0.2.7 writes times 1 h ahead of their arrival: is its `zone` right?",
        );
        check(
            "Nov 23 12:07:00",
            None,
            Some(419),
            "the sender 192.0.2.7 writes times 7 min ahead of their arrival: is its clock right?",
        );
        check(
            "2026-11-22T01:23:45Z",
            None,
            Some(-124_576),
            "the sender 192.0.2.7 writes times 34 h 36 min behind their arrival: is its clock \
             right, or are its lines late?",
        );
        check("Nov 24 02:00:00", Some("+14:00"), Some(-1), "");
        check("Nov 22 22:00:00", Some("-14:00"), Some(-1), "");
    }

    #[test]
    fn one_late_line_is_no_clock() {
        let (skews, mut measuring) = (skews(), Measuring::default());
        for second in 0..9 {
            let stamp = if second % 4 == 0 { "09:00:00" } else { "12:00:00" };
            look(&mut measuring, "", &format!("Nov 23 {stamp} h a: b"), second, None);
        }
        skews.add(&mut measuring);
        assert_eq!(skews.of(SourceId(0), noon(9)).first().map(|skew| skew.seconds), Some(-7));
        assert!(skews.of(SourceId(0), noon(STALE + 9)).is_empty(), "it says nothing of now");
    }

    #[test]
    fn what_is_measured_is_bounded() {
        let (skews, mut measuring) = (skews(), Measuring::default());
        for n in 0..5000_u32 {
            let sender = std::net::Ipv4Addr::from_bits(0x0a00_0000 + n).to_string();
            look(&mut measuring, &sender, "Nov 23 18:00:00 h a: b", 0, None);
        }
        assert_eq!(measuring.measured.len(), PLACES, "one for each place");
        for n in 0..5000_u32 {
            for second in 0..3 {
                measuring.seconds.fill(i64::MIN);
                let sender = std::net::Ipv4Addr::from_bits(0x0a00_0000 + n).to_string();
                look(&mut measuring, &sender, "Nov 23 18:00:00 h a: b", second, None);
            }
        }
        skews.add(&mut measuring);
        assert_eq!(skews.met().clocks.len(), MOST);
        let remarks = skews.remarks(SourceId(0), noon(9));
        assert_eq!(remarks.len(), NAMED + 1);
        assert!(remarks[NAMED].ends_with("more clocks that are off"), "{remarks:?}");
        // Hours later others have their turn.
        look(&mut measuring, "192.0.2.7", "Nov 23 18:00:00 h a: b", 3 * STALE, None);
        skews.add(&mut measuring);
        assert_eq!(skews.met().clocks.len(), 1);
    }

    #[test]
    fn lines_that_were_not_believed_are_counted() {
        let skews = skews();
        skews.count(SourceId(0), 3);
        skews.count(SourceId(7), 3);
        assert_eq!(skews.sources[0].skewed.get(), 3);
    }
}
