//! Integration tests: one binary, one module for each feature.

#![expect(clippy::disallowed_methods, reason = "tests start programs")]

mod answers;
mod architecture;
mod cli_check;
mod documents;
mod explain;
mod explain_last;
mod hub;
mod hub_expressions;
mod hub_header;
mod hub_oracle;
mod listen;
mod shipped;
mod simulation;
mod strict;
