//! Names, labels and exposition of the metrics, in the text format of OpenMetrics.
//!
//! Names are `weir_<thing>_<unit>_total` in base units. No address, user name or path is ever a
//! label, and labels that come from the log (program, label) are bounded. Nothing here knows who
//! counts. `dashboards/METRICS.md` tells operators of each; a test compares the two.
//!
//! Whoever counts what it has met before takes no lock that a scrape holds; a series that is new
//! waits for the scrape of its own family at most.

#![forbid(unsafe_code)]

mod bounded;
mod classic;
mod enforcement;
mod labels;
mod lapi;
mod pages;
mod process;
mod read;
mod registry;
mod remotes;
mod table;

use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

pub use bounded::Bounded;
pub use classic::classic;
pub use enforcement::{Enforcement, OfBackend};
pub use labels::*;
pub use lapi::Lapi;
pub use pages::Pages;
pub use read::{Series, series};
pub use remotes::Remotes;

/// A gauge of whole and broken seconds.
pub type Seconds = Gauge<f64, AtomicU64>;

/// Every metric of the program. Cheap to clone: clones share their values.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    /// Lines received.
    pub lines_received: Family<BySource, Counter>,
    /// Bytes received.
    pub bytes_received: Family<BySource, Counter>,
    /// Lines dropped. What a source received is what it dropped and what was looked at of it.
    pub lines_dropped: Family<Dropped, Counter>,
    /// Lines looked at, by source and what became of them.
    pub source_lines: Family<BySourceOutcome, Counter>,
    /// Those of them that a scenario took.
    pub source_lines_matched: Family<BySource, Counter>,
    /// Lines that were longer than the limit, and cut.
    pub lines_cut: Family<BySource, Counter>,
    /// 1 when a source receives, 0 when something keeps it from it.
    pub source_up: Family<BySource, Gauge>,
    /// When the last line was received, seconds since 1970; 0 before the first.
    pub last_line: Family<BySource, Gauge>,
    /// After how many seconds without a line a source counts as silent, where it does.
    pub silent_after: Family<BySource, Gauge>,
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
    /// Connections that the kernel could not give us.
    pub accept_errors: Family<BySource, Counter>,
    /// When the certificate of a source expires, in seconds since 1970.
    pub certificate_expiry: Family<BySource, Gauge>,
    /// Connections open now.
    pub connections: Family<BySource, Gauge>,
    /// Lines looked at, by what became of them.
    pub lines: Family<ByProgram, Counter>,
    /// Lines that a scenario took.
    pub lines_matched: Family<OfProgram, Counter>,
    /// Programs seen, by the best that became of any of their lines: `matched`, `parsed`,
    /// `unparsed`.
    pub programs: Family<ByState, Gauge>,
    /// Events that a parser's filter took.
    pub parser_hits: Family<ByParser, Counter>,
    /// Those of them that the parser could make nothing of.
    pub parser_failures: Family<ByParser, Counter>,
    /// Expressions of rules that could not be evaluated.
    pub faults: Family<ByStage, Counter>,
    /// Events poured into buckets.
    pub poured: Family<ByScenario, Counter>,
    /// Buckets that overflowed.
    pub overflowed: Family<ByScenario, Counter>,
    /// Buckets that leaked dry.
    pub underflowed: Family<ByScenario, Counter>,
    /// Buckets ended by `cancel_on`.
    pub cancelled: Family<ByScenario, Counter>,
    /// Overflows that their scenario did away with: `filtered`, `blackholed`, `unsourced`.
    pub overflows_discarded: Family<ByReason, Counter>,
    /// Overflows, all scenarios together; shown by `weir status` alone.
    pub overflows: Counter,
    /// Pours that reached no bucket.
    pub pours_dropped: Family<ByReason, Counter>,
    /// Overflows that nobody decided on.
    pub overflows_dropped: Family<ByReason, Counter>,
    /// Buckets held now, all scenarios together; shown by `weir status` alone.
    pub buckets: Gauge,
    /// Buckets held now.
    pub buckets_held: Family<ByScenario, Gauge>,
    /// As many buckets as there may be.
    pub buckets_limit: Gauge,
    /// Buckets given up to stay below the limit.
    pub evicted: Family<ByScenario, Counter>,
    /// Decisions made.
    pub decisions: Family<ByDecision, Counter>,
    /// Those of scenarios and operators, all together; shown by `weir status` alone.
    pub bans: Counter,
    /// Decisions that were prolonged.
    pub extended: Counter,
    /// Overflows of those whose decision lasts long enough already.
    pub held: Counter,
    /// Decisions that ended, by the cause.
    pub ended: Family<ByReason, Counter>,
    /// Overflows and requests that were not allowed to become a decision.
    pub refused: Family<ByReason, Counter>,
    /// Bans that were shortened or only observed, by what kept them from being carried out.
    pub limited: Family<ByReason, Counter>,
    /// Bans that last longer because of those before them.
    pub escalated: Counter,
    /// Bans of a network in place of an address in it.
    pub widened: Counter,
    /// Prefixes that took the place of banned neighbours.
    pub merged: Counter,
    /// Addresses that are not banned now because somebody works there, by how that is known.
    pub guarded: Family<ByReason, Gauge>,
    /// 1 when scenarios are kept from banning.
    pub brake: Gauge,
    /// Decisions in force now.
    pub active: Family<ByActive, Gauge>,
    /// Names on the allowlist, by whether they have an address now: `resolved`, `failing`.
    pub allowlist_names: Family<ByState, Gauge>,
    /// Entries of a list that is followed.
    pub list_entries: Family<ByList, Gauge>,
    /// 1 when a list could be read the last time.
    pub list_up: Family<ByList, Gauge>,
    /// Failures to write the ledger.
    pub ledger_errors: Counter,
    /// Decisions that are in memory only.
    pub ledger_unsaved: Gauge,
    /// What the ledger takes of the disk.
    pub ledger_size: Gauge,
    /// Enforcement, each backend apart.
    pub enforce: Enforcement,
    /// 1 when bans reach the kernel, 0 in observe mode.
    pub enforcing: Gauge,
    /// What waits in a queue.
    pub queue_length: Family<ByQueue, Gauge>,
    /// What a queue has room for.
    pub queue_capacity: Family<ByQueue, Gauge>,
    /// Times that something found a queue full.
    pub queue_full: Family<ByQueue, Counter>,
    /// From the receipt of lines to the moment when a worker takes them, by batches.
    pub receive_to_parse: Latency,
    /// From the receipt of the line that overflowed a bucket to the decision on disk.
    pub receive_to_decision: Latency,
    /// Reloads of the configuration.
    pub reloads: Family<ByResult, Counter>,
    /// 1 when the last reload worked.
    pub reloaded: Gauge,
    /// When configuration and rules were taken over last, seconds since 1970.
    pub reloaded_at: Gauge,
    /// Rules loaded, by kind.
    pub rules: Family<ByKind, Gauge>,
    /// Rule files left out because of mistakes.
    pub rules_rejected: Gauge,
    /// 1 when nothing keeps the program from its work.
    pub ready: Gauge,
    /// How long the scrape before this one took.
    pub scrape: Seconds,
    /// The pages over HTTP.
    pub pages: Pages,
    /// The API for bouncers.
    pub lapi: Lapi,
    /// Other hosts that are followed or told.
    pub remotes: Remotes,
}

/// A histogram of spans from 50 µs to about 100 s, in buckets that double.
#[derive(Clone, Debug)]
pub struct Latency(Histogram);

impl Default for Latency {
    fn default() -> Self {
        Self(latency())
    }
}

impl Deref for Latency {
    type Target = Histogram;

    fn deref(&self) -> &Histogram {
        &self.0
    }
}

fn latency() -> Histogram {
    Histogram::new(exponential_buckets(0.000_05, 2.0, 22))
}

/// Sets a counter to a total that somebody else keeps.
pub fn set_total(counter: &Counter<u64, AtomicU64>, total: u64) {
    counter.inner().store(total, Ordering::Relaxed);
}

/// The exposition of a registry.
#[must_use]
pub fn exposition(registry: &Registry) -> String {
    let mut text = String::with_capacity(64 * 1024);
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
        metrics.enforce.of("nftables").receive_to_kernel.observe(0.002);
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
    fn examples_show_families_that_have_no_series_yet() {
        let metrics = Metrics::default();
        let family = "# TYPE weir_parser_hits counter\n";
        assert!(!exposition(&metrics.registry()).contains(family));
        let text = exposition(&metrics.registry_of_examples());
        assert!(text.contains(family), "{text}");
        assert!(text.contains("weir_parser_hits_total{parser=\"\"} 0\n"), "{text}");
    }

    #[test]
    fn a_total_can_be_set() {
        let counter = Counter::default();
        set_total(&counter, 42);
        assert_eq!(counter.get(), 42);
    }
}
