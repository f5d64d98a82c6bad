//! What the daemon tells of itself: metrics, readiness, `weir status`.

mod exposing;
mod intake;

use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio::sync::mpsc::WeakSender;

pub(super) use intake::Counted;

use super::Depths;
use super::canary::Canaries;
use super::certificates;
use super::coverage::Nearness;
use super::current::Shared;
use super::rates;
use super::reload::Reloading;
use super::senders::Senders;
use super::skew::Skews;
use super::unmatched::Samples;
use crate::control::http::Readiness;
use crate::control::{
    ActiveStatus, BackendStatus, Coverage, Covering, EnforceStatus, FailureKind, Flushed,
    LedgerStatus, Reply, Request, RulesStatus, SourceStatus, Status, Tables,
};
use crate::decision::{Action, Family, Origin};
use crate::enforce::{self, Condition, FanOut};
use crate::event::Batch;
use crate::intake::tls::Tls;
use crate::metrics::{self, ByActive, BySource, Metrics};
use crate::system::clock;
use crate::value::Time;

/// How long a backend may take to be emptied.
const FLUSH: Duration = Duration::from_secs(20);

/// Everything that can be told without waiting for anybody.
pub(super) struct Report {
    metrics: Metrics,
    registry: Registry,
    samples: Arc<Samples>,
    canaries: Arc<Canaries>,
    senders: Arc<Senders>,
    skews: Arc<Skews>,
    sources: Vec<Counted>,
    nearness: Nearness,
    /// The certificate of the pages.
    pages: Option<Arc<Tls>>,
    enforce: Vec<(&'static str, enforce::Status)>,
    /// To those who enforce.
    orders: FanOut,
    /// Whether bans reach the kernel, unless an operator keeps them from it.
    can_enforce: bool,
    shared: Arc<Shared>,
    lines: WeakSender<Batch>,
    depths: Depths,
    ledger: PathBuf,
    started_at: Time,
    begun: Instant,
    rates: Mutex<rates::Ring>,
}

impl Report {
    #[expect(clippy::too_many_arguments, reason = "it is called once, by the wiring")]
    pub(super) fn new(
        metrics: Metrics,
        samples: Arc<Samples>,
        canaries: Arc<Canaries>,
        senders: Arc<Senders>,
        skews: Arc<Skews>,
        (sources, pages): (Vec<Counted>, Option<Arc<Tls>>),
        (orders, enforce, can_enforce): (FanOut, Vec<(&'static str, enforce::Status)>, bool),
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
            canaries,
            senders,
            skews,
            sources,
            nearness: Nearness::default(),
            pages,
            enforce,
            orders,
            can_enforce,
            shared,
            lines,
            depths,
            ledger,
            started_at,
            begun: clock::instant(),
            rates: Mutex::default(),
        }
    }

    pub(super) fn waiting_matters(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.depths.matters)
    }

    /// The text that Prometheus scrapes.
    pub(super) fn exposition(&self) -> String {
        let begun = clock::instant();
        let now = clock::now();
        exposing::expose(self);
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
        let text = metrics::exposition(&self.registry);
        self.metrics.scrape.set(begun.elapsed().as_secs_f64());
        text
    }

    /// What keeps the daemon from its work, and what else is worth knowing.
    pub(super) fn readiness(&self) -> Readiness {
        let mut readiness = Readiness::default();
        for (backend, status) in &self.enforce {
            match status.condition() {
                Condition::InSync => {}
                condition => {
                    readiness.problems.push(format!("enforcement by {backend}: {condition}"));
                }
            }
        }
        let ledger = self.shared.ledger();
        if let Some(trouble) = ledger.trouble {
            readiness.problems.push(format!(
                "ledger: {} decisions are in memory only, the disk does not take them: {trouble}",
                ledger.unsaved
            ));
        }
        let brake = self.shared.brake();
        if let Some(pulled) = brake.pulled {
            readiness.problems.push(format!(
                "the brake is on: {}; scenarios ban nobody until `weir brake release` ({} were \
                 only observed)",
                pulled.why, brake.observed
            ));
        }
        let current = self.shared.get();
        readiness.remarks.extend(current.remarks.iter().cloned());
        let counts = current.ruleset.counts();
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
        if let Some(tls) = &self.pages {
            let end = tls.expires_at();
            readiness.remarks.extend(certificates::remark("`http`", end, now));
        }
        if !self.can_enforce {
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
            Request::Tables(asked) => {
                Reply::Tables(Box::new(Tables::of(&self.exposition(), asked)))
            }
            Request::Coverage(asked) => Reply::Coverage { programs: self.coverage(asked) },
            Request::Reload => match reloading.reload() {
                Ok(notes) => Reply::Reloaded { notes },
                Err(mistakes) => Reply::failed(FailureKind::Configuration, mistakes),
            },
            Request::Flush { undo } => self.flush(*undo),
            Request::Canary(asked) => self.canaries.answer(asked, &self.sources, clock::now()),
            Request::Version => Reply::Version { version: env!("CARGO_PKG_VERSION").to_owned() },
            _ => Reply::failed(FailureKind::Usage, "the judge answers that"),
        }
    }

    /// Takes down what was counted so far: once a second.
    pub(super) fn measure(&self) {
        let of_source = |source: &Counted| {
            let dropped = source.statistics.all_dropped();
            [source.statistics.lines() + dropped, dropped]
        };
        let totals = rates::Totals {
            sources: self.sources.iter().map(of_source).collect(),
            unparsed: self.samples.lines().unparsed(),
            overflows: self.metrics.overflows.get(),
            bans: self.metrics.bans.get(),
            packets: self.enforcement(true).dropped_packets,
        };
        self.rates().record(self.begun.elapsed(), &totals);
    }

    fn rates(&self) -> MutexGuard<'_, rates::Ring> {
        self.rates.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the rules make of the lines of each program.
    fn coverage(&self, asked: &Covering) -> Vec<Coverage> {
        let mut programs = self.samples.lines().coverage();
        if asked.examples {
            self.samples.exemplify(&mut programs, &self.sources);
            let source = |name: &str| Some(self.sources.iter().find(|one| one.name == name)?.id);
            let (current, friends) = (self.shared.get(), self.shared.friends());
            self.nearness.fill(&mut programs, source, &current, &friends, clock::now());
        }
        programs
    }

    /// Whether bans reach the kernel now.
    fn is_enforcing(&self) -> bool {
        let is_flushed =
            self.enforce.iter().any(|(_, status)| status.condition() == Condition::Flushed);
        self.can_enforce && !is_flushed
    }

    /// Empties the kernel on purpose, or undoes that.
    fn flush(&self, is_undone: bool) -> Reply {
        let backends = self.orders.flush(is_undone, FLUSH).into_iter();
        let backends = backends.map(|(backend, flushed)| Flushed {
            backend: backend.to_owned(),
            trouble: flushed.err().map(|error| error.to_string()),
        });
        Reply::Flushed { backends: backends.collect() }
    }

    fn source_status(&self, source: &Counted, now: Time) -> SourceStatus {
        let mut status = source.status(&self.senders, now);
        self.skews.show(source.id, now, &mut status);
        status
    }

    fn enforcement(&self, is_enforcing: bool) -> EnforceStatus {
        let backends: Vec<_> = self
            .enforce
            .iter()
            .map(|(backend, status)| {
                let counted = self.metrics.enforce.of(backend);
                let families = [Family::V4, Family::V6].map(Family::name);
                let gauge = |gauge: Gauge| u64::try_from(gauge.get()).unwrap_or(0);
                BackendStatus {
                    name: (*backend).to_owned(),
                    elements: families.iter().map(|family| gauge(counted.elements(family))).sum(),
                    drift: gauge(counted.drift.clone()),
                    dropped_packets: families
                        .iter()
                        .map(|family| counted.dropped_packets(family).get())
                        .sum(),
                    trouble: status.last_error(),
                }
            })
            .collect();
        let names: Vec<_> = backends.iter().map(|backend| backend.name.as_str()).collect();
        EnforceStatus {
            backend: names.join(", "),
            is_enforcing,
            elements: backends.iter().map(|backend| backend.elements).sum(),
            drift: backends.iter().map(|backend| backend.drift).sum(),
            dropped_packets: backends.iter().map(|backend| backend.dropped_packets).sum(),
            trouble: backends.iter().find_map(|backend| backend.trouble.clone()),
            backends,
        }
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
                let by = |origin: Origin| ByActive { origin: origin.name(), family, action };
                let of = |origin| self.metrics.active.get_or_create(&by(origin)).get();
                let count = Origin::ALL.into_iter().map(of).sum::<i64>();
                let count = u64::try_from(count).unwrap_or(0);
                active.push(ActiveStatus {
                    family: family.to_owned(),
                    action: action.to_owned(),
                    count,
                });
            }
        }
        let ledger = self.shared.ledger();
        let is_enforcing = self.is_enforcing();
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            started_at: self.started_at.rfc3339(),
            uptime_seconds: u64::try_from(now.since(self.started_at)).unwrap_or(0) / 1_000_000_000,
            problems: readiness.problems,
            remarks: readiness.remarks,
            brake: self.shared.brake().pulled.map(|pulled| pulled.why),
            sources: self.sources.iter().map(|source| self.source_status(source, now)).collect(),
            lines: self.samples.lines().totals(),
            rates: self.rates().rates(self.sources.iter().map(|source| &*source.name)),
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
            enforce: self.enforcement(is_enforcing),
            lists: self.shared.lists().status(),
            remotes: self.shared.remotes().status(),
            ledger: LedgerStatus {
                path: self.ledger.display().to_string(),
                failures: ledger.failures,
                unsaved: ledger.unsaved as u64,
                trouble: ledger.trouble,
            },
        }
    }
}
