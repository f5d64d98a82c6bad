//! Metrics of other hosts: those that are followed, and those that are told.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Unit;

use super::table::Table;
use super::{ByRemote, ByRemoteReason};

/// Why decisions of a remote are passed over.
const SKIPPED: [&str; 6] = ["malformed", "scope", "type", "simulated", "over", "no_room"];
/// Why a remote cannot be asked or told.
const FAILURES: [&str; 8] =
    ["secret", "unreachable", "slow", "tls", "key", "login", "status", "broken"];
/// Why bans of ours are not told.
const UNTOLD: [&str; 3] = ["full", "over", "refused"];

/// What is counted of remotes. Clones share their values.
#[derive(Clone, Debug, Default)]
pub struct Remotes {
    up: Family<ByRemote, Gauge>,
    last_pull: Family<ByRemote, Gauge>,
    asked: Family<ByRemote, Gauge>,
    skipped: Family<ByRemoteReason, Counter>,
    failures: Family<ByRemoteReason, Counter>,
    told: Family<ByRemote, Counter>,
    untold: Family<ByRemoteReason, Counter>,
    waiting: Family<ByRemote, Gauge>,
}

impl Remotes {
    /// Shows what will be counted of a remote, at 0.
    pub fn begin(&self, remote: &str, is_followed: bool, is_told: bool) {
        let by = ByRemote { remote: remote.to_owned() };
        drop(self.up.get_or_create(&by));
        let begin = |family: &Family<ByRemoteReason, Counter>, reasons: &[&'static str]| {
            for reason in reasons {
                let by = ByRemoteReason { remote: remote.to_owned(), reason };
                drop(family.get_or_create(&by));
            }
        };
        begin(&self.failures, &FAILURES);
        if is_followed {
            begin(&self.skipped, &SKIPPED);
            drop(self.last_pull.get_or_create(&by));
            drop(self.asked.get_or_create(&by));
        }
        if is_told {
            begin(&self.untold, &UNTOLD);
            drop(self.told.get_or_create(&by));
            drop(self.waiting.get_or_create(&by));
        }
    }

    /// A remote is not in the configuration any more.
    pub fn forget(&self, remote: &str) {
        let by = ByRemote { remote: remote.to_owned() };
        for family in [&self.up, &self.last_pull, &self.asked, &self.waiting] {
            family.remove(&by);
        }
    }

    /// A remote answered at that second, and asks for so many now.
    pub fn pulled(&self, remote: &str, asked: u64, at: i64) {
        let by = ByRemote { remote: remote.to_owned() };
        self.up.get_or_create(&by).set(1);
        self.last_pull.get_or_create(&by).set(at);
        self.asked.get_or_create(&by).set(i64::try_from(asked).unwrap_or(i64::MAX));
    }

    /// A remote answered what is told to it.
    pub fn reached(&self, remote: &str) {
        self.up.get_or_create(&ByRemote { remote: remote.to_owned() }).set(1);
    }

    /// So many of its decisions were passed over.
    pub fn skipped(&self, remote: &str, reason: &'static str, count: u64) {
        if count > 0 {
            let by = ByRemoteReason { remote: remote.to_owned(), reason };
            self.skipped.get_or_create(&by).inc_by(count);
        }
    }

    /// A remote could not be asked or told.
    pub fn failed(&self, remote: &str, reason: &'static str) {
        self.up.get_or_create(&ByRemote { remote: remote.to_owned() }).set(0);
        self.failures.get_or_create(&ByRemoteReason { remote: remote.to_owned(), reason }).inc();
    }

    /// So many of our bans were told it.
    pub fn told(&self, remote: &str, count: usize) {
        let by = ByRemote { remote: remote.to_owned() };
        self.told.get_or_create(&by).inc_by(count as u64);
    }

    /// So many of our bans will not be told it.
    pub fn untold(&self, remote: &str, reason: &'static str, count: usize) {
        let by = ByRemoteReason { remote: remote.to_owned(), reason };
        self.untold.get_or_create(&by).inc_by(count as u64);
    }

    /// So many of our bans wait to be told it.
    pub fn waiting(&self, remote: &str, count: usize) {
        let by = ByRemote { remote: remote.to_owned() };
        self.waiting.get_or_create(&by).set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    pub(super) fn register(&self, all: &mut Table<'_>) {
        all.family("remote_up", "1 when the remote answered the last time", &self.up);
        let last = "When the remote last said whom it bans, since 1970; 0 before the first time";
        all.family_in(Unit::Seconds, "remote_last_pull_timestamp", last, &self.last_pull);
        all.family("remote_decisions", "Decisions that the remote asks for", &self.asked);
        let skipped = "Decisions of the remote that were passed over";
        all.family("remote_skipped", skipped, &self.skipped);
        let failures = "Times that the remote could not be asked or told";
        all.family("remote_failures", failures, &self.failures);
        all.family("remote_told", "Bans of ours that the remote was told", &self.told);
        let untold = "Bans of ours that the remote is not told";
        all.family("remote_untold", untold, &self.untold);
        all.family("remote_waiting", "Bans of ours that wait to be told", &self.waiting);
    }
}
