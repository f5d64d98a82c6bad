//! Who must not be locked out: those who logged in, and those who hold a connection. Pure.
//!
//! A login from an address, or a connection to a guarded port that has stood for a while, says that
//! somebody works there. Such an address is a friend until that is some time ago, for scenarios and
//! lists; its lines are counted as anybody's, and an operator who insists can ban it.
//!
//! Invariant: `by_age` has one entry for each login.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;

use crate::decision::{Entry, EntryOrigin};
use crate::value::Time;

/// How long somebody is guarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuardRules {
    /// So many nanoseconds after a login.
    pub span: i64,
    /// So many nanoseconds after a look at the connections that found one.
    pub connection: i64,
}

/// Logins that are remembered.
const MOST_LOGINS: usize = 20_000;
/// Connections that are.
const MOST_CONNECTIONS: usize = 20_000;
/// For how many nanoseconds a login says that somebody behaves well: a week.
pub(super) const FAMILIAR: i64 = 7 * 86_400 * 1_000_000_000;
/// Logins within one prefix that are looked at: whoever bans a prefix with more is no attacker.
const MOST_LOOKED: usize = 4096;

/// Who is guarded.
#[derive(Debug, Default)]
pub struct Guard {
    logins: BTreeMap<IpAddr, i64>,
    by_age: BTreeSet<(i64, IpAddr)>,
    connections: BTreeSet<IpAddr>,
    looked_at: i64,
}

impl Guard {
    /// Somebody logged in from `address` at `at`.
    pub fn login(&mut self, address: IpAddr, at: Time) {
        let last = self.logins.entry(address).or_insert(i64::MIN);
        if at.nanos <= *last {
            return;
        }
        self.by_age.remove(&(*last, address));
        *last = at.nanos;
        self.by_age.insert((at.nanos, address));
        if self.logins.len() > MOST_LOGINS
            && let Some((_, oldest)) = self.by_age.pop_first()
        {
            self.logins.remove(&oldest);
        }
    }

    /// When somebody last logged in from `address`.
    #[must_use]
    pub fn last_login(&self, address: IpAddr) -> Option<Time> {
        self.logins.get(&address).map(|at| Time::from_nanos(*at))
    }

    /// These hold connections that have stood for a while, as of `at`.
    pub fn connected(&mut self, addresses: impl IntoIterator<Item = IpAddr>, at: Time) {
        self.connections = addresses.into_iter().take(MOST_CONNECTIONS).collect();
        self.looked_at = at.nanos;
    }

    /// Forgets logins that do not even say that somebody behaves well any more.
    pub fn forget(&mut self, now: Time) {
        let before = now.nanos.saturating_sub(FAMILIAR);
        while let Some((at, address)) = self.by_age.first().copied()
            && at < before
        {
            self.by_age.pop_first();
            self.logins.remove(&address);
        }
    }

    /// Whether somebody logged in from an address in `net` during the last days.
    #[must_use]
    pub fn is_familiar(&self, net: IpNet, now: Time) -> bool {
        let since = now.nanos.saturating_sub(FAMILIAR);
        let inside = self.logins.range(net.network()..=net.broadcast()).take(MOST_LOOKED);
        inside.into_iter().any(|(_, at)| *at >= since)
    }

    /// Who stands against a ban of `net` at `now`.
    #[must_use]
    pub fn against(&self, net: IpNet, rules: &GuardRules, now: Time) -> Option<Entry> {
        let range = net.network()..=net.broadcast();
        let entry = |address: IpAddr, origin, comment: &str, until: i64| Entry {
            net: IpNet::from(address),
            origin,
            comment: comment.to_owned(),
            until: Some(Time::from_nanos(until)),
        };
        let until = self.looked_at.saturating_add(rules.connection);
        if until > now.nanos
            && let Some(address) = self.connections.range(range.clone()).next()
        {
            let comment = "holds a connection to a guarded port";
            return Some(entry(*address, EntryOrigin::Connection, comment, until));
        }
        let logins = self.logins.range(range).take(MOST_LOOKED);
        let latest = logins.max_by_key(|(_, at)| **at)?;
        let until = latest.1.saturating_add(rules.span);
        let comment = format!("logged in at {}", Time::from_seconds(*latest.1 / SECOND).rfc3339());
        (until > now.nanos).then(|| entry(*latest.0, EntryOrigin::Login, &comment, until))
    }

    /// How many are guarded at `now`: by a login, by a connection.
    #[must_use]
    pub fn count(&self, rules: &GuardRules, now: Time) -> (usize, usize) {
        let since = now.nanos.saturating_sub(rules.span);
        let recent = self.by_age.iter().rev().take_while(|(at, _)| *at > since).count();
        let is_fresh = self.looked_at.saturating_add(rules.connection) > now.nanos;
        (recent, if is_fresh { self.connections.len() } else { 0 })
    }
}

const SECOND: i64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: i64) -> Time {
        Time::from_seconds(seconds)
    }

    fn rules() -> GuardRules {
        GuardRules { span: 100 * SECOND, connection: 60 * SECOND }
    }

    fn guard() -> Guard {
        let mut guard = Guard::default();
        guard.login("203.0.113.7".parse().unwrap(), at(1000));
        guard.login("2001:db8::7".parse().unwrap(), at(1010));
        guard.connected(["198.51.100.9".parse().unwrap()], at(1000));
        guard
    }

    #[track_caller]
    fn check(net: &str, now: i64, expected: Option<&str>) {
        let net = crate::decision::parse_net(net).unwrap();
        let found = guard().against(net, &rules(), at(now)).map(|entry| entry.to_string());
        assert_eq!(found.as_deref(), expected, "{net} at {now}");
    }

    #[test]
    fn logins_and_connections_guard_for_a_while() {
        let login = Some("`203.0.113.7` (login: logged in at 1970-01-01T00:16:40Z)");
        check("203.0.113.7", 1001, login);
        check("203.0.113.0/24", 1099, login);
        check("203.0.113.7", 1100, None);
        check("203.0.113.8", 1001, None);
        check(
            "2001:db8::/64",
            1001,
            Some("`2001:db8::7` (login: logged in at 1970-01-01T00:16:50Z)"),
        );
        check("2001:db8::8", 1001, None);
        let connection = Some("`198.51.100.9` (connection: holds a connection to a guarded port)");
        check("198.51.100.9", 1059, connection);
        check("198.51.100.0/24", 1059, connection);
        check("198.51.100.9", 1060, None);
    }

    #[test]
    fn who_logged_in_lately_is_familiar_when_no_longer_guarded() {
        let net = |text| crate::decision::parse_net(text).unwrap();
        let mut guard = guard();
        assert!(guard.is_familiar(net("203.0.113.7"), at(5000)));
        assert!(guard.is_familiar(net("203.0.113.0/24"), at(5000)));
        assert!(!guard.is_familiar(net("198.51.100.9"), at(1000)), "a connection is no login");
        assert_eq!(guard.count(&rules(), at(1050)), (2, 1));
        assert_eq!(guard.count(&rules(), at(1105)), (1, 0));
        guard.forget(at(1005 + FAMILIAR / SECOND));
        assert!(!guard.is_familiar(net("203.0.113.7"), at(2000)));
        assert!(guard.is_familiar(net("2001:db8::7"), at(2000)));
    }

    proptest! {
        /// Against a list of all logins.
        #[test]
        fn equals_a_list(logins in proptest::collection::vec((any::<u8>(), 0_i64..300), 0..40), length in 24_u8..=32, now in 0_i64..400) {
            let mut guard = Guard::default();
            for (who, seconds) in &logins {
                guard.login(IpAddr::from([203, 0, 113, *who]), at(*seconds));
            }
            let net = IpNet::new(IpAddr::from([203, 0, 113, 77]), length).unwrap().trunc();
            let expected = logins.iter().any(|(who, seconds)| {
                net.contains(&IpAddr::from([203, 0, 113, *who])) && seconds + 100 > now
            });
            prop_assert_eq!(guard.against(net, &rules(), at(now)).is_some(), expected);
            prop_assert_eq!(guard.by_age.len(), guard.logins.len());
        }
    }
}
