//! systemd's journal: what its entries hold, and the syslog lines that rules expect of them.
//!
//! [`entry`], [`export`] and [`json`] are pure: bytes in, lines out. None of them knows where the
//! bytes come from.

pub mod entry;
pub mod export;
pub mod json;
