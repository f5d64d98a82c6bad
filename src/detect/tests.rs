//! Scenarios from their YAML to their overflows.

mod bench;
mod buckets;
mod horizon;
mod hub;
mod limits;
mod overflows;
mod pure;
mod shared;
