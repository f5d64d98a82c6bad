//! Those who were not let in: counted, and told in the log once a minute and kind, with the address
//! that the last one came from and how many there were. Never what they showed.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use crate::metrics;
use crate::value::Time;

/// Why somebody was not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A bouncer's key is missing or wrong.
    Key,
    /// A machine's name or password is wrong.
    Password,
    /// A machine's token is missing, wrong, too old, or of an account that is no more.
    Token,
}

/// What was said of each kind.
#[derive(Debug, Default)]
pub(super) struct Refusals([Mutex<Said>; 3]);

#[derive(Debug, Default)]
struct Said {
    at: Option<Time>,
    /// Since then.
    unsaid: u64,
}

const MINUTE: i64 = 60_000_000_000;

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Password => "password",
            Self::Token => "token",
        }
    }
}

impl Refusals {
    pub(super) fn note(&self, kind: Kind, from: IpAddr, now: Time, counted: &metrics::Lapi) {
        counted.refused(kind.name());
        if let Some(unsaid) = self.may(kind, now) {
            let (kind, peer) = (kind.name(), from.to_string());
            tracing::warn!(kind, peer, unsaid, "the local API let somebody not in");
        }
    }

    /// How many were not told since the last one, if this one is to be told.
    fn may(&self, kind: Kind, now: Time) -> Option<u64> {
        let mut said = self.0[kind as usize].lock().unwrap_or_else(PoisonError::into_inner);
        if said.at.is_some_and(|at| now.since(at).abs() < MINUTE) {
            said.unsaid += 1;
            return None;
        }
        said.at = Some(now);
        Some(std::mem::take(&mut said.unsaid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_told_once_a_minute() {
        let (refusals, at) = (Refusals::default(), Time::from_seconds);
        assert_eq!(refusals.may(Kind::Key, at(0)), Some(0));
        assert_eq!(refusals.may(Kind::Key, at(1)), None);
        assert_eq!(refusals.may(Kind::Token, at(1)), Some(0));
        assert_eq!(refusals.may(Kind::Key, at(59)), None);
        assert_eq!(refusals.may(Kind::Key, at(60)), Some(2));
        assert_eq!(refusals.may(Kind::Key, at(61)), None);
    }
}
