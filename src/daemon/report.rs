//! What the daemon tells of itself: metrics, readiness, `weir status`.

mod intake;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::registry::Registry;
use tokio::sync::mpsc::WeakSender;

pub(super) use intake::Counted;

use super::Depths;
use super::current::Shared;
use super::reload::Reloading;
use super::senders::Senders;
use super::skew::Skews;
use super::unmatched::Samples;
use crate::control::http::Readiness;
use crate::control::{
    ActiveStatus, EnforceStatus, FailureKind, LedgerStatus, Reply, Request, RulesStatus,
    SourceStatus, Status,
};
use crate::decision::{Action, Family};
use crate::enforce::{self, Condition};
use crate::event::Batch;
use crate::metrics::{self, ByFamily, ByFamilyAction, ByQueue, BySource, Metrics};
use crate::system::clock;
use crate::value::Time;

/// Everything that can be told without waiting for anybody.
pub(super) struct Report {
    metrics: Metrics,
    registry: Registry,
    samples: Arc<Samples>,
    senders: Arc<Senders>,
    skews: Arc<Skews>,
    sources: Vec<Counted>,
    enforce: enforce::Status,
    shared: Arc<Shared>,
    lines: WeakSender<Batch>,
    depths: Depths,
    ledger: PathBuf,
    started_at: Time,
}

impl Report {
    #[expect(clippy::too_many_arguments, reason = "it is called once, by the wiring")]
    pub(super) fn new(
        metrics: Metrics,
        samples: Arc<Samples>,
        senders: Arc<Senders>,
        skews: Arc<Skews>,
        sources: Vec<Counted>,
        enforce: enforce::Status,
        shared: Arc<Shared>,
        lines: WeakSender<Batch>,
        depths: Depths,
        ledger: PathBuf,
    ) -> Self {
        let registry = metrics.registry();
        let started_at = clock::now();
        Self {
            metrics,
            registry,
            samples,
            senders,
            skews,
            sources,
            enforce,
            shared,
            lines,
            depths,
            ledger,
            started_at,
        }
    }

    pub(super) fn waiting_matters(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.depths.matters)
    }

    /// The text that Prometheus scrapes.
    pub(super) fn exposition(&self) -> String {
        let now = clock::now();
        for source in &self.sources {
            source.expose(&self.metrics, &self.senders, now);
            let by = BySource { source: source.name.clone() };
            match self.skews.farthest(source.id, now) {
                Some(seconds) => {
                    self.metrics.clock_skew.get_or_create(&by).set(seconds);
                }
                // Nothing was measured lately: no value is better than an old one.
                None => {
                    self.metrics.clock_skew.remove(&by);
                }
            }
        }
        let lines = self.lines.upgrade().map_or(0, |lines| lines.max_capacity() - lines.capacity());
        let queues = [
            ("lines", lines as u64),
            ("pours", self.depths.work.load(Ordering::Relaxed)),
            ("overflows", self.depths.matters.load(Ordering::Relaxed)),
        ];
        for (queue, depth) in queues {
            let depth = i64::try_from(depth).unwrap_or(i64::MAX);
            self.metrics.queued.get_or_create(&ByQueue { queue }).set(depth);
        }
        metrics::exposition(&self.registry)
    }

    /// What keeps the daemon from its work, and what else is worth knowing.
    pub(super) fn readiness(&self) -> Readiness {
        let mut readiness = Readiness::default();
        match self.enforce.condition() {
            Condition::InSync => {}
            condition => readiness.problems.push(format!("enforcement: {condition}")),
        }
        let counts = self.shared.get().ruleset.counts();
        if counts.parsers == 0 || counts.scenarios == 0 {
            readiness.problems.push("no rules are loaded".to_owned());
        }
        if counts.rejected > 0 {
            let note = format!("{} rule files were left out: see the log", counts.rejected);
            readiness.remarks.push(note);
        }
        let now = clock::now();
        for source in &self.sources {
            source.judge(&mut readiness, &self.senders, now);
            readiness.remarks.extend(self.skews.remarks(source.id, now));
        }
        if self.metrics.enforcing.get() == 0 {
            readiness.remarks.push("observe mode: nothing is dropped".to_owned());
        }
        readiness
    }

    /// Answers a call that is not for the judge.
    pub(super) fn answer(&self, request: &Request, reloading: &Reloading) -> Reply {
        match request {
            Request::Status => Reply::Status(Box::new(self.status())),
            Request::Unmatched(asked) => {
                Reply::Unmatched { programs: self.samples.recent(asked, &self.sources) }
            }
            Request::Reload => match reloading.reload() {
                Ok(notes) => Reply::Reloaded { notes },
                Err(mistakes) => Reply::failed(FailureKind::Configuration, mistakes),
            },
            Request::Version => Reply::Version { version: env!("CARGO_PKG_VERSION").to_owned() },
            Request::Ban { .. } | Request::Unban { .. } | Request::List(_) => {
                Reply::failed(FailureKind::Usage, "the judge answers that")
            }
        }
    }

    fn source_status(&self, source: &Counted, now: Time) -> SourceStatus {
        let mut status = source.status(&self.senders, now);
        self.skews.show(source.id, now, &mut status);
        status
    }

    fn status(&self) -> Status {
        let now = clock::now();
        let readiness = self.readiness();
        let current = self.shared.get();
        let counts = current.ruleset.counts();
        let families = [Family::V4, Family::V6].map(Family::name);
        let mut active = Vec::new();
        for family in families {
            for action in [Action::Ban, Action::Observe].map(Action::name) {
                let count = self.metrics.active.get_or_create(&ByFamilyAction { family, action });
                let count = u64::try_from(count.get()).unwrap_or(0);
                active.push(ActiveStatus {
                    family: family.to_owned(),
                    action: action.to_owned(),
                    count,
                });
            }
        }
        let by_family = |value: &dyn Fn(&ByFamily) -> u64| -> u64 {
            families.iter().map(|&family| value(&ByFamily { family })).sum()
        };
        let is_enforcing = self.metrics.enforcing.get() == 1;
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            started_at: self.started_at.rfc3339(),
            uptime_seconds: u64::try_from(now.since(self.started_at)).unwrap_or(0) / 1_000_000_000,
            problems: readiness.problems,
            remarks: readiness.remarks,
            sources: self.sources.iter().map(|source| self.source_status(source, now)).collect(),
            lines: self.samples.lines().totals(),
            rules: RulesStatus {
                parsers: counts.parsers as u64,
                scenarios: counts.scenarios as u64,
                postoverflows: counts.postoverflows as u64,
                rejected: counts.rejected as u64,
                loaded_at: current.ruleset.loaded_at().rfc3339(),
            },
            buckets: u64::try_from(self.metrics.buckets.get()).unwrap_or(0),
            overflows: self.metrics.overflows.get(),
            active,
            enforce: EnforceStatus {
                backend: if is_enforcing { "nftables" } else { "observe" }.to_owned(),
                is_enforcing,
                elements: by_family(&|by| {
                    u64::try_from(self.metrics.elements.get_or_create(by).get()).unwrap_or(0)
                }),
                drift: u64::try_from(self.metrics.drift.get()).unwrap_or(0),
                dropped_packets: by_family(&|by| {
                    self.metrics.dropped_packets.get_or_create(by).get()
                }),
                trouble: self.enforce.last_error(),
            },
            ledger: LedgerStatus {
                path: self.ledger.display().to_string(),
                failures: self.metrics.ledger_errors.get(),
                ..LedgerStatus::default()
            },
        }
    }
}
