//! Who sends lines over the network, and who has stopped.
//!
//! Kept for `weir status` and for the number of those that fell silent; an address is never a
//! label of a metric. Bounded: datagrams can bear any sender's address, so those beyond a number
//! are counted together.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::event::{Line, SourceId};
use crate::value::Time;

/// Senders that are told apart.
const MOST: usize = 1024;
/// A sender that was silent for so long makes room for a new one.
const FORGOTTEN: Duration = Duration::from_secs(7 * 24 * 3600);

/// What is known of a sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sender {
    /// The source that it sends to.
    pub(super) source: SourceId,
    /// Its address; none for all those together that are not told apart.
    pub(super) address: Option<IpAddr>,
    /// Lines looked at.
    pub(super) lines: u64,
    /// When the last one was received.
    pub(super) last: Time,
}

/// The senders of all sources, one list for all workers.
#[derive(Debug, Default)]
pub(super) struct Senders {
    met: Mutex<Met>,
}

#[derive(Debug, Default)]
struct Met {
    all: HashMap<(SourceId, Option<IpAddr>), Sender>,
    /// Before this nobody can be forgotten: not looked for at each invented sender.
    full_until: Option<Time>,
}

/// What a worker has seen since it told the others.
#[derive(Debug, Default)]
pub(super) struct Tally {
    seen: Vec<Sender>,
}

impl Tally {
    /// Counts a line. Those of one sender mostly come one behind the other.
    pub(super) fn count(&mut self, line: &Line<'_>) {
        let Some(address) = line.sender else { return };
        let address = Some(address);
        let is_known = self.seen.last().is_some_and(|last| last.address == address);
        if !is_known {
            self.seen.push(Sender {
                source: line.source,
                address,
                lines: 0,
                last: line.received_at,
            });
        }
        if let Some(sender) = self.seen.last_mut() {
            sender.lines += 1;
        }
    }
}

impl Senders {
    /// Takes what a worker has seen.
    pub(super) fn add(&self, tally: &mut Tally) {
        if tally.seen.is_empty() {
            return;
        }
        let mut met = self.met();
        for seen in tally.seen.drain(..) {
            let mut key = (seen.source, seen.address);
            if !met.all.contains_key(&key) && !met.has_room(seen.last) {
                key.1 = None;
            }
            let sender = met.all.entry(key).or_insert(Sender { lines: 0, address: key.1, ..seen });
            sender.lines += seen.lines;
            sender.last = sender.last.max(seen.last);
        }
    }

    /// All of a source, those first that sent most.
    pub(super) fn of(&self, source: SourceId) -> Vec<Sender> {
        let mut found: Vec<Sender> =
            self.met().all.values().filter(|sender| sender.source == source).copied().collect();
        found.sort_unstable_by_key(|sender| (std::cmp::Reverse(sender.lines), sender.address));
        found
    }

    fn met(&self) -> MutexGuard<'_, Met> {
        self.met.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Met {
    /// Whether there is room for one more; somebody who was silent for long makes it.
    fn has_room(&mut self, now: Time) -> bool {
        if self.all.len() < MOST {
            return true;
        }
        if self.full_until.is_some_and(|until| now < until) {
            return false;
        }
        let told_apart = self.all.values().filter(|sender| sender.address.is_some());
        let Some(&oldest) = told_apart.min_by_key(|sender| sender.last) else { return false };
        if is_silent(oldest.last, now, FORGOTTEN) {
            self.all.remove(&(oldest.source, oldest.address));
            return true;
        }
        let span = i64::try_from(FORGOTTEN.as_nanos()).unwrap_or(i64::MAX);
        self.full_until = Some(oldest.last.plus(span));
        false
    }
}

/// Whether nothing came since `last` for so long.
pub(super) fn is_silent(last: Time, now: Time, after: Duration) -> bool {
    let span = u64::try_from(now.since(last)).unwrap_or(0);
    Duration::from_nanos(span) >= after
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(source: u16, sender: Option<&str>, at: i64) -> Line<'static> {
        let mut line = Line::new(b"x", Time::from_seconds(at), SourceId(source));
        line.sender = sender.map(|text| text.parse().expect("an address"));
        line
    }

    fn shown(senders: &Senders, source: u16) -> Vec<(String, u64, i64)> {
        let address = |sender: &Sender| sender.address.map_or("other".into(), |a| a.to_string());
        let of = senders.of(SourceId(source));
        of.iter().map(|sender| (address(sender), sender.lines, sender.last.seconds())).collect()
    }

    #[test]
    fn senders_are_told_apart_by_source() {
        let (senders, mut tally) = (Senders::default(), Tally::default());
        for (source, sender, at) in [
            (0, Some("192.0.2.1"), 1),
            (0, Some("2001:db8::1"), 2),
            (0, Some("2001:db8::1"), 3),
            (0, None, 4),
        ] {
            tally.count(&line(source, sender, at));
        }
        senders.add(&mut tally);
        tally.count(&line(1, Some("192.0.2.1"), 5));
        senders.add(&mut tally);
        let expected = [("2001:db8::1".to_owned(), 2, 2), ("192.0.2.1".to_owned(), 1, 1)];
        assert_eq!(shown(&senders, 0), expected);
        assert_eq!(shown(&senders, 1), [("192.0.2.1".to_owned(), 1, 5)]);
    }

    #[test]
    fn invented_senders_are_counted_together() {
        let (senders, mut tally) = (Senders::default(), Tally::default());
        for n in 0..3000_u32 {
            let sender = std::net::Ipv4Addr::from_bits(0x0a00_0000 + n).to_string();
            tally.count(&line(0, Some(&sender), 100));
        }
        senders.add(&mut tally);
        let all = senders.of(SourceId(0));
        assert_eq!(all.len(), MOST + 1);
        assert_eq!((all[0].address, all[0].lines), (None, 3000 - MOST as u64));
        // Years later there is room.
        tally.count(&line(0, Some("192.0.2.1"), 100_000_000));
        senders.add(&mut tally);
        assert_eq!(senders.of(SourceId(0)).len(), MOST + 1);
        assert!(shown(&senders, 0).contains(&("192.0.2.1".to_owned(), 1, 100_000_000)));
    }
}
