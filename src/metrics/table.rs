//! How metrics get into a registry: each family with its name, unit and what it says.

use prometheus_client::encoding::{EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::TypedMetric;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::registry::{Metric, Registry, Unit};

/// A registry that is being filled.
pub(super) struct Table<'r> {
    registry: &'r mut Registry,
    /// Whether each family gets a series without values: one without series does not show itself.
    has_examples: bool,
}

impl<'r> Table<'r> {
    pub(super) fn new(registry: &'r mut Registry, has_examples: bool) -> Self {
        Self { registry, has_examples }
    }

    /// A metric without labels.
    pub(super) fn one(&mut self, name: &str, help: &str, metric: &(impl Metric + Clone)) {
        self.registry.register(name, help, metric.clone());
    }

    /// One in seconds or bytes; `name` is without them.
    pub(super) fn one_in(
        &mut self,
        unit: Unit,
        name: &str,
        help: &str,
        metric: &(impl Metric + Clone),
    ) {
        self.registry.register_with_unit(name, help, unit, metric.clone());
    }

    /// A metric with labels.
    pub(super) fn family<S, M, C>(&mut self, name: &str, help: &str, family: &Family<S, M, C>)
    where
        S: EncodeLabelSet + Clone + Default + Eq + std::hash::Hash,
        M: EncodeMetric + TypedMetric + Clone,
        C: MetricConstructor<M> + Clone,
        Family<S, M, C>: Metric,
    {
        self.exemplify(family);
        self.registry.register(name, help, family.clone());
    }

    /// One in seconds or bytes; `name` is without them.
    pub(super) fn family_in<S, M, C>(
        &mut self,
        unit: Unit,
        name: &str,
        help: &str,
        family: &Family<S, M, C>,
    ) where
        S: EncodeLabelSet + Clone + Default + Eq + std::hash::Hash,
        M: EncodeMetric + TypedMetric + Clone,
        C: MetricConstructor<M> + Clone,
        Family<S, M, C>: Metric,
    {
        self.exemplify(family);
        self.registry.register_with_unit(name, help, unit, family.clone());
    }

    fn exemplify<S, M, C>(&self, family: &Family<S, M, C>)
    where
        S: Clone + Default + Eq + std::hash::Hash,
        C: MetricConstructor<M>,
    {
        if self.has_examples {
            drop(family.get_or_create(&S::default()));
        }
    }
}
