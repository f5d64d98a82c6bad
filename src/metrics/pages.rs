//! Metrics of the pages over HTTP.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use super::ByReason;
use super::table::Table;

/// Why connections over HTTP are dropped.
pub(super) const DROPPED: [&str; 4] = ["too_many_connections", "slow", "stalled", "malformed"];

/// What is counted of those who ask for pages. Clones share their values.
#[derive(Clone, Debug, Default)]
pub struct Pages {
    refused: Family<ByReason, Counter>,
    dropped: Family<ByReason, Counter>,
    listeners: Gauge,
    turned_away: Family<ByReason, Counter>,
}

impl Pages {
    /// Shows what will be counted, at 0.
    pub fn begin(&self) {
        for reason in ["token", "host", "site"] {
            drop(self.refused.get_or_create(&ByReason { reason }));
        }
        for reason in DROPPED {
            drop(self.dropped.get_or_create(&ByReason { reason }));
        }
        for reason in ["full", "slow"] {
            drop(self.turned_away.get_or_create(&ByReason { reason }));
        }
    }

    /// A request was refused: `token`, `host` or `site`.
    pub fn refused(&self, reason: &'static str) {
        self.refused.get_or_create(&ByReason { reason }).inc();
    }

    /// A connection was dropped.
    pub fn dropped(&self, reason: &'static str) {
        self.dropped.get_or_create(&ByReason { reason }).inc();
    }

    /// So many listen to events.
    pub fn listeners(&self, count: usize) {
        self.listeners.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// A listener did not read (`slow`), or found no seat (`full`).
    pub fn turned_away(&self, reason: &'static str) {
        self.turned_away.get_or_create(&ByReason { reason }).inc();
    }

    /// How many listen.
    #[must_use]
    pub fn listening(&self) -> i64 {
        self.listeners.get()
    }

    /// How many were turned away.
    #[must_use]
    pub fn away(&self, reason: &'static str) -> u64 {
        self.turned_away.get_or_create(&ByReason { reason }).get()
    }

    pub(super) fn register(&self, all: &mut Table<'_>) {
        all.family("http_refused", "Requests for pages refused", &self.refused);
        all.family("http_connections_dropped", "Connections for pages dropped", &self.dropped);
        all.one("event_listeners", "Listeners to the page's events", &self.listeners);
        let help = "Listeners that read too slowly, or found no seat";
        all.family("event_listeners_dropped", help, &self.turned_away);
    }
}
