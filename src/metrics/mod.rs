//! Names, labels and exposition of the metrics, in the text format of OpenMetrics.
//!
//! Names are `weir_<thing>_<unit>_total` in base units. No address, user name or path is ever a
//! label, and labels that come from the log (program, label) are bounded by [`Bounded`]. Nothing
//! here knows who counts.

#![forbid(unsafe_code)]

mod bounded;
mod process;

use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

pub use bounded::Bounded;

/// A source of lines.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct BySource {
    /// The source's name in the configuration.
    pub source: String,
}

/// Why lines of a source were dropped, or connections refused.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct Dropped {
    /// The source's name in the configuration.
    pub source: String,
    /// A word of a closed list, such as `bad_frame` or `queue_full`.
    pub reason: &'static str,
}

/// What became of the lines of a source that went on.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct BySourceOutcome {
    /// The source's name in the configuration.
    pub source: String,
    /// `parsed`, `unparsed` or `allowlisted`.
    pub outcome: &'static str,
}

/// Senders of a source in some state.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct BySourceState {
    /// The source's name in the configuration.
    pub source: String,
    /// `active` or `silent`.
    pub state: &'static str,
}

/// What became of the lines of a program.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct ByProgram {
    /// The label (`type`) of the line; bounded.
    pub label: String,
    /// The program that wrote it; bounded.
    pub program: String,
    /// `parsed`, `unparsed` or `allowlisted`.
    pub outcome: &'static str,
}

/// A scenario.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct ByScenario {
    /// Its name.
    pub scenario: String,
}

/// A decision.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct ByDecision {
    /// The scenario, or `manual`.
    pub scenario: String,
    /// `ipv4` or `ipv6`.
    pub family: &'static str,
    /// `ban` or `observe`.
    pub action: &'static str,
}

/// A reason from a closed list.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct ByReason {
    /// The reason.
    pub reason: &'static str,
}

/// An address family.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct ByFamily {
    /// `ipv4` or `ipv6`.
    pub family: &'static str,
}

/// Active decisions.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct ByFamilyAction {
    /// `ipv4` or `ipv6`.
    pub family: &'static str,
    /// `ban` or `observe`.
    pub action: &'static str,
}

/// One of the queues between the stages.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct ByQueue {
    /// `lines`, `pours`, `overflows` or `changes`.
    pub queue: &'static str,
}

/// How something ended.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct ByResult {
    /// Success or failure.
    pub result: Ending,
}

/// Success or failure.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq, EncodeLabelValue)]
pub enum Ending {
    /// It worked.
    #[expect(non_camel_case_types, reason = "the label value is lower case")]
    success,
    /// It did not.
    #[expect(non_camel_case_types, reason = "the label value is lower case")]
    failure,
}

/// Every metric of the program. Cheap to clone: clones share their values.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// Lines received.
    pub lines_received: Family<BySource, Counter>,
    /// Bytes received.
    pub bytes_received: Family<BySource, Counter>,
    /// Lines dropped. What a source received is what it dropped and what was looked at of it.
    pub lines_dropped: Family<Dropped, Counter>,
    /// Lines looked at, by source and what became of them.
    pub source_lines: Family<BySourceOutcome, Counter>,
    /// Lines that were longer than the limit, and cut.
    pub lines_cut: Family<BySource, Counter>,
    /// 1 when a source receives, 0 when something keeps it from it.
    pub source_up: Family<BySource, Gauge>,
    /// When the last line was received, seconds since 1970; 0 before the first.
    pub last_line: Family<BySource, Gauge>,
    /// How far the clock that is farthest off is ahead of ours.
    pub clock_skew: Family<BySource, Gauge>,
    /// Lines whose time was too far from their arrival to be believed.
    pub skewed_lines: Family<BySource, Counter>,
    /// Senders over the network.
    pub senders: Family<BySourceState, Gauge>,
    /// Connections accepted.
    pub connections_accepted: Family<BySource, Counter>,
    /// Connections not served.
    pub connections_refused: Family<Dropped, Counter>,
    /// When the certificate of a source expires, in seconds since 1970.
    pub certificate_expiry: Family<BySource, Gauge>,
    /// Connections open now.
    pub connections: Family<BySource, Gauge>,
    /// Lines looked at, by what became of them.
    pub lines: Family<ByProgram, Counter>,
    /// Events poured into buckets.
    pub poured: Family<ByScenario, Counter>,
    /// Buckets that overflowed.
    pub overflowed: Family<ByScenario, Counter>,
    /// The same, all scenarios together; shown by `weir status` alone.
    pub overflows: Counter,
    /// Pours that reached no bucket.
    pub pours_dropped: Family<ByReason, Counter>,
    /// Overflows that nobody decided on.
    pub overflows_dropped: Family<ByReason, Counter>,
    /// Buckets held now.
    pub buckets: Gauge,
    /// Buckets given up to stay below the cap.
    pub evicted: Counter,
    /// Decisions made.
    pub decisions: Family<ByDecision, Counter>,
    /// Overflows and requests that were not allowed to become a decision.
    pub refused: Family<ByReason, Counter>,
    /// Decisions in force now.
    pub active: Family<ByFamilyAction, Gauge>,
    /// Failures to write the ledger.
    pub ledger_errors: Counter,
    /// Elements that the kernel holds.
    pub elements: Family<ByFamily, Gauge>,
    /// Elements by which the kernel and the ledger differed at the last look.
    pub drift: Gauge,
    /// Comparisons of the kernel with the ledger.
    pub reconciles: Counter,
    /// Transactions that the kernel carried out.
    pub batches: Counter,
    /// Failures of the kernel to do as told.
    pub enforce_errors: Counter,
    /// Times that somebody else changed our tables.
    pub foreign_changes: Counter,
    /// Packets dropped in the kernel.
    pub dropped_packets: Family<ByFamily, Counter>,
    /// Bytes dropped in the kernel.
    pub dropped_bytes: Family<ByFamily, Counter>,
    /// 1 when bans reach the kernel, 0 in observe mode.
    pub enforcing: Gauge,
    /// Batches waiting in a queue.
    pub queued: Family<ByQueue, Gauge>,
    /// From the receipt of the line that overflowed a bucket to the decision on disk.
    pub receive_to_decision: Histogram,
    /// From the receipt of that line to the kernel's word that the element is in its set.
    pub receive_to_kernel: Histogram,
    /// Reloads of the configuration.
    pub reloads: Family<ByResult, Counter>,
    /// Rules loaded, by kind.
    pub rules: Family<ByKind, Gauge>,
    /// Rule files left out because of mistakes.
    pub rules_rejected: Gauge,
}

/// A kind of rule.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct ByKind {
    /// `parser`, `scenario` or `postoverflow`.
    pub kind: &'static str,
}

/// From 50 µs to about 100 s, doubling.
fn latency() -> Histogram {
    Histogram::new(exponential_buckets(0.000_05, 2.0, 22))
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            lines_received: Family::default(),
            bytes_received: Family::default(),
            lines_dropped: Family::default(),
            source_lines: Family::default(),
            lines_cut: Family::default(),
            source_up: Family::default(),
            last_line: Family::default(),
            clock_skew: Family::default(),
            skewed_lines: Family::default(),
            senders: Family::default(),
            connections_accepted: Family::default(),
            connections_refused: Family::default(),
            certificate_expiry: Family::default(),
            connections: Family::default(),
            lines: Family::default(),
            poured: Family::default(),
            overflowed: Family::default(),
            overflows: Counter::default(),
            pours_dropped: Family::default(),
            overflows_dropped: Family::default(),
            buckets: Gauge::default(),
            evicted: Counter::default(),
            decisions: Family::default(),
            refused: Family::default(),
            active: Family::default(),
            ledger_errors: Counter::default(),
            elements: Family::default(),
            drift: Gauge::default(),
            reconciles: Counter::default(),
            batches: Counter::default(),
            enforce_errors: Counter::default(),
            foreign_changes: Counter::default(),
            dropped_packets: Family::default(),
            dropped_bytes: Family::default(),
            enforcing: Gauge::default(),
            queued: Family::default(),
            receive_to_decision: latency(),
            receive_to_kernel: latency(),
            reloads: Family::default(),
            rules: Family::default(),
            rules_rejected: Gauge::default(),
        }
    }
}

/// Sets a counter to a total that somebody else keeps.
pub fn set_total(counter: &Counter<u64, AtomicU64>, total: u64) {
    counter.inner().store(total, Ordering::Relaxed);
}

impl Metrics {
    /// A registry of all metrics, for [`exposition`].
    #[must_use]
    pub fn registry(&self) -> Registry {
        let mut root = Registry::default();
        root.register_collector(Box::new(process::Process));
        let all = root.sub_registry_with_prefix("weir");
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        all.register("build", "The running version", version);
        all.register("lines_received", "Lines received", self.lines_received.clone());
        all.register_with_unit(
            "received",
            "Bytes received",
            Unit::Bytes,
            self.bytes_received.clone(),
        );
        all.register("lines_dropped", "Lines dropped", self.lines_dropped.clone());
        all.register("source_lines", "Lines looked at, by source", self.source_lines.clone());
        all.register("lines_cut", "Lines longer than the limit", self.lines_cut.clone());
        all.register("source_up", "1 when the source receives", self.source_up.clone());
        all.register_with_unit(
            "last_line_timestamp",
            "When the last line was received, since 1970",
            Unit::Seconds,
            self.last_line.clone(),
        );
        all.register_with_unit(
            "clock_skew",
            "How far the sender's clock that is farthest off is ahead of arrival",
            Unit::Seconds,
            self.clock_skew.clone(),
        );
        all.register(
            "skewed_lines",
            "Lines whose time was too far from their arrival to be believed",
            self.skewed_lines.clone(),
        );
        all.register("senders", "Senders over the network", self.senders.clone());
        all.register(
            "connections_accepted",
            "Connections accepted",
            self.connections_accepted.clone(),
        );
        all.register(
            "connections_refused",
            "Connections not served",
            self.connections_refused.clone(),
        );
        all.register_with_unit(
            "certificate_expiry_timestamp",
            "When the certificate of a source expires, since 1970",
            Unit::Seconds,
            self.certificate_expiry.clone(),
        );
        all.register("connections", "Connections open now", self.connections.clone());
        all.register("lines", "Lines by label, program and outcome", self.lines.clone());
        all.register("poured", "Events poured into buckets", self.poured.clone());
        all.register("overflowed", "Buckets that overflowed", self.overflowed.clone());
        all.register("pours_dropped", "Pours that reached no bucket", self.pours_dropped.clone());
        all.register(
            "overflows_dropped",
            "Overflows that nobody decided on",
            self.overflows_dropped.clone(),
        );
        all.register("buckets", "Buckets held now", self.buckets.clone());
        all.register("buckets_evicted", "Buckets given up at the cap", self.evicted.clone());
        all.register("decisions", "Decisions made", self.decisions.clone());
        all.register("refused", "Decisions refused", self.refused.clone());
        all.register("active_decisions", "Decisions in force now", self.active.clone());
        all.register("ledger_errors", "Failures to write the ledger", self.ledger_errors.clone());
        all.register("enforce_elements", "Elements in the kernel", self.elements.clone());
        all.register(
            "enforce_drift_elements",
            "Elements by which kernel and ledger differed when last compared",
            self.drift.clone(),
        );
        all.register(
            "enforce_reconciles",
            "Comparisons of the kernel with the ledger",
            self.reconciles.clone(),
        );
        all.register(
            "enforce_batches",
            "Transactions that the kernel carried out",
            self.batches.clone(),
        );
        all.register("enforce_errors", "Failures of the kernel", self.enforce_errors.clone());
        all.register(
            "enforce_foreign_changes",
            "Times that another program changed the tables of Weir",
            self.foreign_changes.clone(),
        );
        all.register("dropped_packets", "Packets dropped", self.dropped_packets.clone());
        all.register_with_unit("dropped", "Bytes dropped", Unit::Bytes, self.dropped_bytes.clone());
        all.register("enforcing", "1 when bans reach the kernel", self.enforcing.clone());
        all.register("queue_batches", "Batches waiting in a queue", self.queued.clone());
        all.register_with_unit(
            "receive_to_decision",
            "From the receipt of a line to the decision on disk",
            Unit::Seconds,
            self.receive_to_decision.clone(),
        );
        all.register_with_unit(
            "receive_to_kernel",
            "From the receipt of a line to the element in the kernel",
            Unit::Seconds,
            self.receive_to_kernel.clone(),
        );
        all.register("reloads", "Reloads of the configuration", self.reloads.clone());
        all.register("rules", "Rules loaded", self.rules.clone());
        all.register(
            "rules_rejected",
            "Rule files left out because of mistakes",
            self.rules_rejected.clone(),
        );
        root
    }
}

/// The exposition of a registry.
#[must_use]
pub fn exposition(registry: &Registry) -> String {
    let mut text = String::with_capacity(16 * 1024);
    encode(&mut text, registry).expect("writing to a string cannot fail");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_conventions() {
        let metrics = Metrics::default();
        metrics.lines_received.get_or_create(&BySource { source: "udp".into() }).inc_by(3);
        metrics.receive_to_kernel.observe(0.002);
        let text = exposition(&metrics.registry());
        assert!(text.contains("weir_lines_received_total{source=\"udp\"} 3\n"), "{text}");
        assert!(text.contains("# UNIT weir_receive_to_kernel_seconds seconds\n"), "{text}");
        assert!(text.contains(concat!(
            "weir_build_info{version=\"",
            env!("CARGO_PKG_VERSION"),
            "\"} 1\n"
        )));
        assert!(text.contains("\nprocess_resident_memory_bytes "), "{text}");
        assert!(text.ends_with("# EOF\n"));
        for line in text.lines().filter(|line| line.starts_with("# TYPE")) {
            let name = line.split(' ').nth(2).expect("a type line names its metric");
            assert!(
                name.chars().all(|c| c.is_ascii_lowercase() || c == '_'),
                "`{name}` has other characters"
            );
        }
    }

    #[test]
    fn a_total_can_be_set() {
        let counter = Counter::default();
        set_total(&counter, 42);
        assert_eq!(counter.get(), 42);
    }
}
