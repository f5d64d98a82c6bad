//! Makes events out of lines: header, stages of rules, enrichment.

#![forbid(unsafe_code)]

pub mod grok;
pub mod syslog;
