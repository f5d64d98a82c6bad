//! Those who were not let in: counted, and told in the log once a minute and kind, with the address
//! that the last one came from and how many there were. Never what they showed.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::metrics;
use crate::value::{Seldom, Time};

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
#[derive(Debug)]
pub(super) struct Refusals([Mutex<Seldom>; 3]);

const MINUTE: Duration = Duration::from_secs(60);

impl Default for Refusals {
    fn default() -> Self {
        Self([(); 3].map(|()| Mutex::new(Seldom::once_in(MINUTE))))
    }
}

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
        self.0[kind as usize].lock().unwrap_or_else(PoisonError::into_inner).may(now)
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
