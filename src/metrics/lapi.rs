//! Metrics of the API for bouncers.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use super::pages::DROPPED;
use super::table::Table;
use super::{ByNews, ByReason, ByRoute};

/// What is counted of bouncers. Clones share their values.
#[derive(Clone, Debug, Default)]
pub struct Lapi {
    requests: Family<ByRoute, Counter>,
    told: Family<ByNews, Counter>,
    dropped: Family<ByReason, Counter>,
    bouncers: Gauge,
    machines: Gauge,
    refused: Family<ByReason, Counter>,
    others: Gauge,
}

impl Lapi {
    /// Shows what will be counted, at 0.
    pub fn begin(&self) {
        for news in ["new", "deleted", "found"] {
            drop(self.told.get_or_create(&ByNews { news }));
        }
        for reason in ["key", "password", "token"] {
            drop(self.refused.get_or_create(&ByReason { reason }));
        }
        for reason in DROPPED {
            drop(self.dropped.get_or_create(&ByReason { reason }));
        }
    }

    /// A request on this route was answered with this status.
    pub fn answered(&self, route: &'static str, status: u16) {
        self.requests.get_or_create(&ByRoute { route, status }).inc();
    }

    /// A connection was dropped.
    pub fn dropped(&self, reason: &'static str) {
        self.dropped.get_or_create(&ByReason { reason }).inc();
    }

    /// So many decisions were told as `new`, `deleted` or `found`.
    pub fn told(&self, news: &'static str, count: u64) {
        self.told.get_or_create(&ByNews { news }).inc_by(count);
    }

    /// So many bouncers may ask.
    pub fn bouncers(&self, count: usize) {
        self.bouncers.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// So many decisions are in force that only bouncers carry out.
    pub fn others(&self, count: usize) {
        self.others.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// Somebody's `key`, `password` or `token` was no good.
    pub fn refused(&self, reason: &'static str) {
        self.refused.get_or_create(&ByReason { reason }).inc();
    }

    /// So many machines are known.
    pub fn machines(&self, count: usize) {
        self.machines.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    pub(super) fn register(&self, all: &mut Table<'_>) {
        all.family("lapi_requests", "What bouncers asked, and how it was answered", &self.requests);
        all.family("lapi_decisions", "Decisions that bouncers were told", &self.told);
        all.family("lapi_connections_dropped", "Connections of bouncers dropped", &self.dropped);
        all.one("lapi_bouncers", "Bouncers that may ask", &self.bouncers);
        all.family(
            "lapi_refused",
            "Those who were not let in, by what they showed or did not show",
            &self.refused,
        );
        all.one("lapi_machines", "Machines that are known", &self.machines);
        let about = "Decisions in force that only bouncers carry out";
        all.one("lapi_active_others", about, &self.others);
    }
}
