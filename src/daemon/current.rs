//! The rules and friends that lines are looked at by; a reload puts other rules in their place, the
//! judge other friends.

use std::sync::{Arc, Mutex, PoisonError};

use super::counters::OfParsers;
use super::guard::Logins;
use super::lists::Lists;
use super::remotes::Remotes;
use crate::decide::BrakeState;
use crate::decision::Allowlist;
use crate::event::Mode;
use crate::ledger;
use crate::metrics::Metrics;
use crate::parse::LineSource;
use crate::rules::Ruleset;
use crate::settings::{Guard, Settings};

/// What holds between two reloads.
#[derive(Debug)]
pub(super) struct Current {
    /// Grows with each reload.
    pub(super) generation: u64,
    /// The rules.
    pub(super) ruleset: Arc<Ruleset>,
    /// The counters of its parsers.
    pub(super) parsers: OfParsers,
    /// What is known of the lines of each source, by its number.
    pub(super) sources: Vec<LineSource>,
    /// Who must not be locked out.
    pub(super) guard: Option<Guard>,
    /// Which events tell of a login.
    pub(super) logins: Logins,
    /// What is worth knowing about rules and sources together.
    pub(super) remarks: Vec<String>,
}

impl Current {
    pub(super) fn new(
        generation: u64,
        ruleset: Arc<Ruleset>,
        settings: &Settings,
        guard: Option<Guard>,
        metrics: &Metrics,
    ) -> Self {
        let source = |source: &crate::intake::spec::Source| {
            let most_skew = source.limits.skew;
            let most_skew = most_skew.and_then(|skew| i64::try_from(skew.as_nanos()).ok());
            ruleset
                .source(&source.name, "syslog", &source.label, Mode::Live)
                .with_clocks(source.zones.clone(), most_skew)
                .trusted(source.bans)
        };
        let sources = settings.sources.iter().map(source).collect();
        let logins = Logins::new(guard.as_ref(), &ruleset);
        let remarks = super::measures::remarks(settings, &ruleset);
        let parsers = OfParsers::new(metrics, ruleset.stages());
        Self { generation, ruleset, parsers, sources, guard, logins, remarks }
    }
}

/// Where the workers look for it: once for each batch, so the locks are held for an instant.
#[derive(Debug)]
pub(super) struct Shared {
    current: Mutex<Arc<Current>>,
    /// The friends: what speaks of them is not counted against them.
    friends: Mutex<Arc<Allowlist>>,
    /// The lists that are followed.
    lists: Arc<Lists>,
    /// Other hosts that are followed or told.
    remotes: Arc<Remotes>,
    /// Whether what was decided is on disk.
    ledger: Mutex<ledger::Health>,
    /// Whether scenarios may ban.
    brake: Mutex<BrakeState>,
}

impl Shared {
    pub(super) fn new(
        current: Arc<Current>,
        friends: Allowlist,
        lists: Arc<Lists>,
        remotes: Arc<Remotes>,
    ) -> Self {
        Self {
            current: Mutex::new(current),
            friends: Mutex::new(Arc::new(friends)),
            lists,
            remotes,
            ledger: Mutex::default(),
            brake: Mutex::default(),
        }
    }

    pub(super) fn get(&self) -> Arc<Current> {
        Arc::clone(&self.current.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn set(&self, current: Arc<Current>) {
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = current;
    }

    pub(super) fn friends(&self) -> Arc<Allowlist> {
        Arc::clone(&self.friends.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn lists(&self) -> &Lists {
        &self.lists
    }

    pub(super) fn remotes(&self) -> &Remotes {
        &self.remotes
    }

    pub(super) fn ledger(&self) -> ledger::Health {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_ledger(&self, health: ledger::Health) {
        *self.ledger.lock().unwrap_or_else(PoisonError::into_inner) = health;
    }

    pub(super) fn brake(&self) -> BrakeState {
        self.brake.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_brake(&self, brake: BrakeState) {
        *self.brake.lock().unwrap_or_else(PoisonError::into_inner) = brake;
    }

    pub(super) fn set_friends(&self, friends: Allowlist) {
        *self.friends.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(friends);
    }
}
