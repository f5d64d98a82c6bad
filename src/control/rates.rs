//! How much happens now: lines, overflows, bans and dropped packets by the second and the minute.

use serde::{Deserialize, Serialize};

/// What happened lately. Where the daemon is younger than a span, the rate is that since its start.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rates {
    /// For how many seconds this has been watched; an hour at most.
    pub seconds: u64,
    /// Lines received by all sources together.
    pub lines: PerSecond,
    /// Of those looked at, lines that no rule understood.
    pub unparsed: PerSecond,
    /// Each source, in the order of the sources.
    pub sources: Vec<SourceRates>,
    /// Buckets that overflowed.
    pub overflows: PerMinute,
    /// Decisions that scenarios and operators made, carried out or only observed. Those of lists
    /// are not among them: a list may bring a hundred thousand at once.
    pub bans: PerMinute,
    /// Packets that the kernel dropped.
    pub dropped_packets: PerSecond,
}

/// What happened lately in a source.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SourceRates {
    /// Its name.
    pub name: String,
    /// Lines received, those that were dropped among them.
    pub lines: PerSecond,
    /// Lines dropped.
    pub dropped: PerSecond,
}

/// Something that happens by the second.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PerSecond {
    /// In a second, over the last ten.
    pub last_10s: f64,
    /// In a second, over the last minute.
    pub last_1m: f64,
    /// In each of the last 60 seconds, the newest last; fewer when it has not been watched so long.
    pub series: Vec<u64>,
}

/// Something that happens by the minute.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PerMinute {
    /// In the last minute.
    pub last_1m: f64,
    /// In a minute, over the last five.
    pub last_5m: f64,
    /// In a minute, over the last fifteen.
    pub last_15m: f64,
    /// In each of the last 60 minutes, the newest, which is not over yet, last; fewer when it has
    /// not been watched so long.
    pub series: Vec<u64>,
}
