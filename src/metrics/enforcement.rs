//! What enforcement counts, each backend apart.

#![forbid(unsafe_code)]

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Unit;

use super::table::Table;
use super::{ByBackend, ByBackendFamily};

/// The metrics of all backends. Cheap to clone: clones share their values.
#[derive(Clone, Debug)]
pub struct Enforcement {
    elements: Family<ByBackendFamily, Gauge>,
    in_sync: Family<ByBackend, Gauge>,
    drift: Family<ByBackend, Gauge>,
    drifted: Family<ByBackend, Counter>,
    compared_at: Family<ByBackend, Gauge>,
    reconciles: Family<ByBackend, Counter>,
    batches: Family<ByBackend, Counter>,
    errors: Family<ByBackend, Counter>,
    foreign_changes: Family<ByBackend, Counter>,
    dropped_packets: Family<ByBackendFamily, Counter>,
    dropped_bytes: Family<ByBackendFamily, Counter>,
    receive_to_kernel: Family<ByBackend, Histogram, fn() -> Histogram>,
}

/// The metrics of one backend. Cheap to clone: clones share their values.
#[derive(Clone, Debug)]
pub struct OfBackend {
    all: Enforcement,
    backend: &'static str,
    /// 1 when the kernel has what is wanted, as far as is known.
    pub in_sync: Gauge,
    /// Elements by which the kernel and the ledger differed at the last look.
    pub drift: Gauge,
    /// All elements that were found to differ, and were repaired.
    pub drifted: Counter,
    /// When the kernel was compared with the ledger last, seconds since 1970.
    pub compared_at: Gauge,
    /// Comparisons of the kernel with the ledger.
    pub reconciles: Counter,
    /// Transactions that the kernel carried out.
    pub batches: Counter,
    /// Failures of the kernel to do as told.
    pub errors: Counter,
    /// Times that somebody else changed what is ours.
    pub foreign_changes: Counter,
    /// From the receipt of the line that overflowed a bucket to the kernel's word that the element
    /// is in its set.
    pub receive_to_kernel: Histogram,
}

impl Default for Enforcement {
    fn default() -> Self {
        Self {
            elements: Family::default(),
            in_sync: Family::default(),
            drift: Family::default(),
            drifted: Family::default(),
            compared_at: Family::default(),
            reconciles: Family::default(),
            batches: Family::default(),
            errors: Family::default(),
            foreign_changes: Family::default(),
            dropped_packets: Family::default(),
            dropped_bytes: Family::default(),
            receive_to_kernel: Family::new_with_constructor(super::latency),
        }
    }
}

impl Enforcement {
    /// Those of one backend, which are shown from now on.
    #[must_use]
    pub fn of(&self, backend: &'static str) -> OfBackend {
        let by = ByBackend { backend };
        OfBackend {
            all: self.clone(),
            backend,
            in_sync: self.in_sync.get_or_create_owned(&by),
            drift: self.drift.get_or_create_owned(&by),
            drifted: self.drifted.get_or_create_owned(&by),
            compared_at: self.compared_at.get_or_create_owned(&by),
            reconciles: self.reconciles.get_or_create_owned(&by),
            batches: self.batches.get_or_create_owned(&by),
            errors: self.errors.get_or_create_owned(&by),
            foreign_changes: self.foreign_changes.get_or_create_owned(&by),
            receive_to_kernel: self.receive_to_kernel.get_or_create_owned(&by),
        }
    }

    pub(super) fn register(&self, all: &mut Table<'_>) {
        all.family("enforce_elements", "Elements in the kernel", &self.elements);
        all.family("enforce_in_sync", "1 when the kernel has what is wanted", &self.in_sync);
        let help = "Elements by which kernel and ledger differed when last compared";
        all.family("enforce_drift", help, &self.drift);
        let help = "Elements that were found to differ from the ledger, and repaired";
        all.family("enforce_repaired_elements", help, &self.drifted);
        let help = "When the kernel was compared with the ledger last, since 1970";
        all.family_in(Unit::Seconds, "enforce_reconcile_timestamp", help, &self.compared_at);
        let help = "Comparisons of the kernel with the ledger";
        all.family("enforce_reconciles", help, &self.reconciles);
        let help = "Transactions that the kernel carried out";
        all.family("enforce_batches", help, &self.batches);
        all.family("enforce_errors", "Failures of the kernel", &self.errors);
        let help = "Times that another program changed the tables of Weir";
        all.family("enforce_foreign_changes", help, &self.foreign_changes);
        all.family("dropped_packets", "Packets dropped", &self.dropped_packets);
        all.family_in(Unit::Bytes, "dropped", "Bytes dropped", &self.dropped_bytes);
        let help = "From the receipt of a line to the element in the kernel";
        all.family_in(Unit::Seconds, "receive_to_kernel", help, &self.receive_to_kernel);
    }
}

impl OfBackend {
    fn by(&self, family: &'static str) -> ByBackendFamily {
        ByBackendFamily { backend: self.backend, family }
    }

    /// Elements that the kernel holds; `family` is `ipv4` or `ipv6`.
    #[must_use]
    pub fn elements(&self, family: &'static str) -> Gauge {
        self.all.elements.get_or_create_owned(&self.by(family))
    }

    /// Packets dropped in the kernel.
    #[must_use]
    pub fn dropped_packets(&self, family: &'static str) -> Counter {
        self.all.dropped_packets.get_or_create_owned(&self.by(family))
    }

    /// Bytes dropped in the kernel.
    #[must_use]
    pub fn dropped_bytes(&self, family: &'static str) -> Counter {
        self.all.dropped_bytes.get_or_create_owned(&self.by(family))
    }
}
