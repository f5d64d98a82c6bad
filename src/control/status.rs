//! How a running daemon is.

use serde::{Deserialize, Serialize};

use super::Rates;

/// What `weir status` shows. What an older daemon does not say is empty.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Status {
    /// The version of the daemon.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// When it started, RFC 3339.
    pub started_at: String,
    /// For how many seconds it runs.
    pub uptime_seconds: u64,
    /// What keeps it from its work; empty when all is well.
    pub problems: Vec<String>,
    /// What an operator should know although it works.
    pub remarks: Vec<String>,
    /// Why scenarios are kept from banning; none while the brake is off.
    pub brake: Option<String>,
    /// Where lines come from.
    pub sources: Vec<SourceStatus>,
    /// What became of the lines.
    pub lines: LinesStatus,
    /// What happened lately.
    pub rates: Rates,
    /// The rules.
    pub rules: RulesStatus,
    /// Buckets that hold something now.
    pub buckets: u64,
    /// Buckets that overflowed.
    pub overflows: u64,
    /// Decisions in force now.
    pub active: Vec<ActiveStatus>,
    /// Lists that are followed.
    pub lists: Vec<ListStatus>,
    /// Other hosts that are followed or told.
    pub remotes: Vec<RemoteStatus>,
    /// The kernel.
    pub enforce: EnforceStatus,
    /// The ledger.
    pub ledger: LedgerStatus,
}

/// A list that is followed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ListStatus {
    /// Its name.
    pub name: String,
    /// Its file.
    pub path: String,
    /// Whom it names.
    pub entries: u64,
    /// Entries that are friends, or hold one.
    pub refused: u64,
    /// Entries that an operator freed.
    pub freed: u64,
    /// Entries that found no room in the ledger.
    pub no_room: u64,
    /// Lines that are not understood.
    pub mistakes: u64,
    /// When it was read last, RFC 3339.
    pub last_read: String,
    /// Why it could not be read; none when all is well.
    pub trouble: Option<String>,
}

/// Another host that is followed or told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RemoteStatus {
    /// Its name.
    pub name: String,
    /// Where its API is.
    pub url: String,
    /// Whether its decisions are carried out here.
    pub is_followed: bool,
    /// Whether it is told of our bans.
    pub is_told: bool,
    /// Whether it answered the last time.
    pub is_connected: bool,
    /// When it last said whom it bans, RFC 3339; none before the first time.
    pub last_pull: Option<String>,
    /// Decisions that it asks for.
    pub asked: u64,
    /// Those of friends, or of prefixes that hold one.
    pub refused: u64,
    /// Those that an operator freed.
    pub freed: u64,
    /// Those that found no room.
    pub no_room: u64,
    /// Those of other types or scopes, or not understood.
    pub skipped: u64,
    /// Bans of ours that it was told.
    pub told: u64,
    /// Those that wait to be told.
    pub waiting: u64,
    /// Those that will not be told.
    pub untold: u64,
    /// Why it could not be asked or told; none when all is well.
    pub trouble: Option<String>,
    /// What is to be done about it.
    pub remedy: Option<String>,
}

/// A source of lines.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SourceStatus {
    /// Its name.
    pub name: String,
    /// Where it listens.
    pub at: String,
    /// Lines received.
    pub lines: u64,
    /// Lines dropped.
    pub dropped: u64,
    /// Lines cut to the longest length.
    pub cut: u64,
    /// Connections not served.
    pub refused: u64,
    /// When the last line was received, RFC 3339; none before the first.
    pub last_line: Option<String>,
    /// Whether that is longer ago than its `silent_after`.
    pub silent: bool,
    /// What keeps it from receiving; none when all is well.
    pub trouble: Option<String>,
    /// When its certificate expires, RFC 3339; none where it has none.
    pub certificate_until: Option<String>,
    /// How many senders it has, those that are not told apart as one.
    pub n_senders: u64,
    /// Those that sent most.
    pub senders: Vec<SenderStatus>,
    /// How far the clock that is farthest off is ahead of the arrival of its lines; none where no
    /// line said a time lately.
    pub skew_seconds: Option<i64>,
}

/// Who sends lines over the network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SenderStatus {
    /// Its address; `other` for those that are not told apart.
    pub address: String,
    /// Lines looked at.
    pub lines: u64,
    /// When the last one was received, RFC 3339.
    pub last_line: String,
    /// Whether that is longer ago than the source's `silent_after`.
    pub silent: bool,
    /// How far its clock is ahead of the arrival of its lines, if that was measured lately.
    pub skew_seconds: Option<i64>,
}

/// What became of lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LinesStatus {
    /// A rule understood them.
    pub parsed: u64,
    /// No rule did.
    pub unparsed: u64,
    /// A rule said that they are harmless.
    pub allowlisted: u64,
}

/// The rules.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RulesStatus {
    /// Parsers loaded.
    pub parsers: u64,
    /// Scenarios loaded.
    pub scenarios: u64,
    /// Postoverflow rules loaded.
    pub postoverflows: u64,
    /// Files left out because of mistakes.
    pub rejected: u64,
    /// When they were loaded, RFC 3339.
    pub loaded_at: String,
}

/// Decisions of one family and action.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ActiveStatus {
    /// `ipv4` or `ipv6`.
    pub family: String,
    /// `ban` or `observe`.
    pub action: String,
    /// How many.
    pub count: u64,
}

/// The kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EnforceStatus {
    /// How bans are carried out: the names of all backends.
    pub backend: String,
    /// Whether bans reach the kernel.
    pub is_enforcing: bool,
    /// Elements that the kernel holds, in all backends together.
    pub elements: u64,
    /// Elements by which it differed from the ledger when last compared.
    pub drift: u64,
    /// Packets dropped.
    pub dropped_packets: u64,
    /// Why the kernel did not do as told the last time that it did not.
    pub trouble: Option<String>,
    /// Each backend apart.
    pub backends: Vec<BackendStatus>,
}

/// One of the ways in which bans are carried out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BackendStatus {
    /// Its name, such as `nftables`.
    pub name: String,
    /// Elements that it holds.
    pub elements: u64,
    /// Elements by which it differed from the ledger when last compared.
    pub drift: u64,
    /// Packets that it dropped, where it can count them.
    pub dropped_packets: u64,
    /// Why it did not do as told the last time that it did not.
    pub trouble: Option<String>,
}

/// The ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LedgerStatus {
    /// Its file.
    pub path: String,
    /// Decisions that are in memory only, because the disk did not take them.
    pub unsaved: u64,
    /// Failed writes.
    pub failures: u64,
    /// What the last write said, if it failed.
    pub trouble: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_is_empty_and_what_is_unknown_is_ignored() {
        let status: Status =
            serde_json::from_str(r#"{"version":"9","moon":"full","lines":{"parsed":3}}"#).unwrap();
        let lines = LinesStatus { parsed: 3, ..LinesStatus::default() };
        assert_eq!(status, Status { version: "9".to_owned(), lines, ..Status::default() });
    }
}
