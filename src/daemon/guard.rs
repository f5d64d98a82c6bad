//! Finds who must not be locked out: lines that tell of logins, and connections that stand.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::warn;

use super::current::{Current, Shared};
use super::decide_loop::Matter;
use super::friends::Outbox;
use super::thread;
use crate::enforce;
use crate::event::Event;
use crate::metrics::{ByReason, Metrics};
use crate::rules::Ruleset;
use crate::settings::Guard;
use crate::system::clock;
use crate::value::{Section, Slot, Time, parse_address};

/// Which events tell of a login.
#[derive(Debug, Default)]
pub(super) struct Logins {
    words: Vec<String>,
    log_type: Option<Slot>,
    source_ip: Option<Slot>,
}

impl Logins {
    /// As the settings say; what no rule ever sets costs nothing.
    pub(super) fn new(guard: Option<&Guard>, ruleset: &Ruleset) -> Self {
        let slot = |name| ruleset.names().find(Section::Meta, name);
        Self {
            words: guard.map(|guard| guard.logins.clone()).unwrap_or_default(),
            log_type: slot("log_type"),
            source_ip: slot("source_ip"),
        }
    }

    /// Who logged in, if the event tells of it and its line is believed: a line that anybody could
    /// have sent would make anybody safe.
    #[inline]
    fn find(&self, event: &Event<'_>) -> Option<IpAddr> {
        let log_type = event.get(self.log_type?)?;
        if !self.words.iter().any(|word| word == log_type) || !event.trust.get().is_full() {
            return None;
        }
        parse_address(event.get(self.source_ip?)?)
    }
}

/// A worker's way to tell the judge of logins.
pub(super) struct LoginTeller {
    outbox: Outbox,
    metrics: Metrics,
    last: Option<(IpAddr, Instant)>,
}

/// Of one address no more than one login in this time is told.
const REPEATED: Duration = Duration::from_secs(1);

impl LoginTeller {
    pub(super) fn new(outbox: Outbox, metrics: Metrics) -> Self {
        Self { outbox, metrics, last: None }
    }

    /// Tells the judge, if the event is a login. Never waits: a login that finds the queue full is
    /// dropped and counted, and the next one guards as well.
    #[inline]
    pub(super) fn look(&mut self, current: &Current, event: &Event<'_>) {
        if let Some(address) = current.logins.find(event) {
            self.tell(address, event.received_at);
        }
    }

    fn tell(&mut self, address: IpAddr, at: Time) {
        let now = clock::instant();
        let is_told = |(known, then): (IpAddr, Instant)| known == address && now - then < REPEATED;
        if self.last.is_some_and(is_told) {
            return;
        }
        self.last = Some((address, now));
        if !self.outbox.send(Matter::Login(address, at)) {
            let reason = ByReason { reason: "login" };
            self.metrics.overflows_dropped.get_or_create(&reason).inc();
        }
    }
}

/// How often the connections are looked at, at most and at least.
const SELDOM: Duration = Duration::from_secs(20);
const OFTEN: Duration = Duration::from_millis(500);
/// So often during the time that a connection must have stood.
const LOOKS: u32 = 6;
/// Connections that are told from one another.
const MOST_CONNECTIONS: usize = 50_000;

/// Follows the connections to guarded ports, on a thread of its own, as long as there is a judge.
pub(super) fn follow(shared: Arc<Shared>, outbox: Outbox) -> anyhow::Result<()> {
    thread("weir-guard", move || {
        let mut standing = Standing::default();
        let mut told = Vec::new();
        let mut told_at = None;
        while outbox.is_open() {
            let current = shared.get();
            let Some(guard) = current.guard.as_ref().filter(|guard| !guard.ports.is_empty()) else {
                std::thread::sleep(SELDOM / 10);
                continue;
            };
            let now = clock::instant();
            let found = standing.look(guard, now);
            // Told anew although nothing changed: the judge forgets what is not.
            let is_stale = told_at.is_some_and(|at: Instant| now - at >= SELDOM);
            if (found != told || (is_stale && !found.is_empty()))
                && outbox.send(Matter::Connected(found.clone()))
            {
                (told, told_at) = (found, Some(now));
            }
            std::thread::sleep((guard.after / LOOKS).clamp(OFTEN, SELDOM));
        }
    })
    .map(drop)
}

/// Connections, and since when they are known.
#[derive(Default)]
struct Standing {
    since: HashMap<u64, Instant>,
    is_silent: bool,
}

impl Standing {
    /// Who holds a connection that has stood long enough, sorted.
    fn look(&mut self, guard: &Guard, now: Instant) -> Vec<IpAddr> {
        match enforce::connections(&guard.ports) {
            Ok(connections) => {
                self.is_silent = false;
                self.judge(&connections, guard.after, now)
            }
            Err(error) => {
                if !std::mem::replace(&mut self.is_silent, true) {
                    warn!(%error, "cannot ask the kernel for connections: they guard nobody");
                }
                Vec::new()
            }
        }
    }

    fn judge(
        &mut self,
        connections: &[enforce::Connection],
        after: Duration,
        now: Instant,
    ) -> Vec<IpAddr> {
        let before = std::mem::take(&mut self.since);
        let mut found = Vec::new();
        for connection in connections.iter().take(MOST_CONNECTIONS) {
            let since = before.get(&connection.cookie).copied().unwrap_or(now);
            self.since.insert(connection.cookie, since);
            if now - since >= after {
                found.push(connection.remote);
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_guards_once_it_has_stood_for_a_while() {
        let mut standing = Standing::default();
        let begin = clock::instant();
        let connection =
            |cookie, remote: &str| enforce::Connection { cookie, remote: remote.parse().unwrap() };
        let (old, new) = (connection(1, "203.0.113.7"), connection(2, "203.0.113.8"));
        let mut look = |connections: &[_], seconds| {
            let now = begin + Duration::from_secs(seconds);
            let found = standing.judge(connections, Duration::from_secs(60), now);
            found.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(look(&[old], 0), [""; 0]);
        assert_eq!(look(&[old, new], 59), [""; 0]);
        assert_eq!(look(&[old, new], 60), ["203.0.113.7"]);
        // Who was away for a moment comes back as a stranger, also from the same address.
        assert_eq!(look(&[new], 119), ["203.0.113.8"]);
        assert_eq!(look(&[new, old, connection(3, "203.0.113.8")], 120), ["203.0.113.8"]);
        assert_eq!(look(&[], 121), [""; 0]);
    }
}
