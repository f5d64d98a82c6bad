//! Runs rule tests in the hub's format: a folder with `config.yaml`, a log, and assertions about
//! what the rules made of it.

#![forbid(unsafe_code)]

mod config;
mod results;
mod sort;
