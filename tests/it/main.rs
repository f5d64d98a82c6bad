//! Integration tests: one binary, one module for each feature.

#![expect(clippy::disallowed_methods, reason = "tests start programs")]

mod alerts;
mod answers;
mod architecture;
mod cli_check;
mod dashboards;
mod discover;
mod documents;
mod explain;
mod explain_last;
mod findings;
mod hub;
mod hub_expressions;
mod hub_header;
mod hub_oracle;
mod listen;
mod metrics;
mod shipped;
mod simulation;
mod strict;
