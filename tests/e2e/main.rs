//! End-to-end tests: the real program, real senders, the real kernel, in network namespaces that
//! each test makes for itself.
//!
//! They need root and the programs `ip`, `nft`, `ipset`, `iptables`, `rsyslogd`, `logger` and `chromium`. Where one is missing a
//! test prints `SKIPPED` with the reason; with `WEIR_REQUIRE_E2E=1` that is a failure.

#![expect(clippy::disallowed_methods, reason = "tests start programs and look at the clock")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod accounting;
mod attacks;
mod backends;
mod bouncers;
mod browser;
mod clients;
mod clocks;
mod crowd;
mod cscli;
mod disk;
mod doctor;
mod enforcement;
mod fifty;
mod flood;
mod friends;
mod hostile;
mod interop;
mod journal;
mod journald;
mod killed;
mod lapi_figures;
mod lapi_hostile;
mod latency;
mod lifecycle;
mod load;
mod log_processor;
mod machines;
mod manager;
mod measures;
mod network;
mod operators;
mod page;
mod prometheus;
mod remotes;
mod strain;
mod terminal;
mod weir;
