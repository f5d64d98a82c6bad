//! How many lines a second a sender may send.
//!
//! Each sender of a source has an allowance of so many lines a second, of which those of one second
//! may come at once. What is beyond it is dropped where lines are datagrams; of a stream nothing is
//! read until it is over, so that the sender waits. Bounded: senders beyond a number share one
//! allowance, since datagrams can bear any sender's address.

#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Senders that have an allowance of their own.
const MOST: usize = 4096;
/// What may come at once.
const BURST: Duration = Duration::from_secs(1);
/// For how long a sender is kept waiting at most.
const LONGEST: Duration = Duration::from_secs(60);

/// The allowances of the senders of one source.
#[derive(Debug)]
pub(super) struct Rates {
    /// The time that one line is worth.
    line: Duration,
    used: Mutex<Used>,
}

/// Until when each sender has used up its allowance; all of it is there once that is past.
#[derive(Debug, Default)]
struct Used {
    senders: HashMap<Option<IpAddr>, Instant>,
    /// Of those that share one.
    others: Option<Instant>,
    /// Before this there is no room: not looked for at each invented sender.
    full_until: Option<Instant>,
}

impl Rates {
    /// So many lines a second for each sender.
    pub(super) fn new(lines: u32) -> Self {
        Self { line: Duration::from_secs(1) / lines.max(1), used: Mutex::default() }
    }

    /// Whether a sender may send one line more; it counts if so.
    pub(super) fn admits(&self, sender: Option<IpAddr>, now: Instant) -> bool {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let until = used.of(sender, now);
        let next = (*until).max(now) + self.line;
        let admits = next <= now + BURST;
        if admits {
            *until = next;
        }
        admits
    }

    /// A sender has sent so many lines: for how long it is to be kept waiting.
    pub(super) fn charge(&self, sender: Option<IpAddr>, lines: usize, now: Instant) -> Duration {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let until = used.of(sender, now);
        let worth = self.line.saturating_mul(u32::try_from(lines).unwrap_or(u32::MAX));
        *until = (*until).max(now) + worth.min(LONGEST);
        until.saturating_duration_since(now + BURST)
    }
}

impl Used {
    fn of(&mut self, sender: Option<IpAddr>, now: Instant) -> &mut Instant {
        if !self.senders.contains_key(&sender) && !self.has_room(now) {
            return self.others.get_or_insert(now);
        }
        self.senders.entry(sender).or_insert(now)
    }

    fn has_room(&mut self, now: Instant) -> bool {
        if self.senders.len() < MOST {
            return true;
        }
        if self.full_until.is_some_and(|until| now < until) {
            return false;
        }
        self.senders.retain(|_, until| *until > now);
        self.full_until = Some(now + BURST);
        self.senders.len() < MOST
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::clock;

    fn sender(n: u32) -> Option<IpAddr> {
        Some(std::net::Ipv4Addr::from_bits(n).into())
    }

    #[test]
    fn datagrams_beyond_the_rate_are_not_admitted() {
        let (rates, begun) = (Rates::new(10), clock::instant());
        let admitted = |who, millis: u64, count: usize| {
            let now = begun + Duration::from_millis(millis);
            (0..count).filter(|_| rates.admits(who, now)).count()
        };
        assert_eq!(admitted(sender(1), 0, 50), 10, "those of one second at once");
        assert_eq!(admitted(sender(1), 250, 50), 2);
        assert_eq!(admitted(sender(2), 250, 50), 10, "another sender");
        assert_eq!(admitted(sender(1), 60_000, 50), 10, "no more is saved up");
    }

    #[test]
    fn a_stream_waits_as_long_as_its_lines_are_worth() {
        let (rates, now) = (Rates::new(100), clock::instant());
        assert_eq!(rates.charge(None, 100, now), Duration::ZERO);
        assert_eq!(rates.charge(None, 50, now), Duration::from_millis(500));
        let later = now + Duration::from_millis(1500);
        assert_eq!(rates.charge(None, 50, later), Duration::ZERO);
        assert_eq!(rates.charge(sender(1), usize::MAX, now), LONGEST - BURST);
    }

    #[test]
    fn invented_senders_share_an_allowance() {
        let (rates, now) = (Rates::new(1), clock::instant());
        let admitted = |from: u32, now| {
            (from..from + 10_000).filter(|&n| rates.admits(sender(n), now)).count()
        };
        assert_eq!(admitted(0, now), MOST + 1);
        assert_eq!(admitted(20_000, now + Duration::from_millis(500)), 0);
        assert_eq!(admitted(40_000, now + BURST), MOST + 1, "there is room again");
    }
}
