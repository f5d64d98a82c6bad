//! The rules and friends that lines are looked at by; a reload puts others in their place.

use std::sync::{Arc, Mutex, PoisonError};

use crate::decision::Allowlist;
use crate::event::Mode;
use crate::parse::LineSource;
use crate::rules::Ruleset;
use crate::settings::Settings;

/// What holds between two reloads.
#[derive(Debug)]
pub(super) struct Current {
    /// Grows with each reload.
    pub(super) generation: u64,
    /// The rules.
    pub(super) ruleset: Arc<Ruleset>,
    /// The friends: what speaks of them is not counted against them.
    pub(super) allowlist: Allowlist,
    /// What is known of the lines of each source, by its number.
    pub(super) sources: Vec<LineSource>,
}

impl Current {
    pub(super) fn new(
        generation: u64,
        ruleset: Arc<Ruleset>,
        allowlist: Allowlist,
        settings: &Settings,
    ) -> Self {
        let source = |source: &crate::intake::spec::Source| {
            let most_skew = source.limits.skew;
            let most_skew = most_skew.and_then(|skew| i64::try_from(skew.as_nanos()).ok());
            ruleset
                .source(&source.name, "syslog", &source.label, Mode::Live)
                .with_clocks(source.zones.clone(), most_skew)
        };
        let sources = settings.sources.iter().map(source).collect();
        Self { generation, ruleset, allowlist, sources }
    }
}

/// Where the workers look for it: once for each batch, so the lock is held for an instant.
#[derive(Debug)]
pub(super) struct Shared(Mutex<Arc<Current>>);

impl Shared {
    pub(super) fn new(current: Arc<Current>) -> Self {
        Self(Mutex::new(current))
    }

    pub(super) fn get(&self) -> Arc<Current> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn set(&self, current: Arc<Current>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = current;
    }
}
