//! How remotes are, for `weir status` and the metrics.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::control::RemoteStatus;
use crate::decide::Taken;
use crate::metrics;
use crate::remote::Failure;
use crate::settings::Remote;
use crate::system::clock;

/// Each remote, by name.
#[derive(Debug)]
pub(super) struct Shown {
    all: Mutex<BTreeMap<String, RemoteStatus>>,
    counted: metrics::Remotes,
}

impl Shown {
    pub(super) fn new(counted: metrics::Remotes) -> Self {
        Self { all: Mutex::default(), counted }
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<String, RemoteStatus>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn status(&self) -> Vec<RemoteStatus> {
        self.all().values().cloned().collect()
    }

    /// Shows these from now on, and no others.
    pub(super) fn keep(&self, remotes: &[Remote]) {
        let mut all = self.all();
        all.retain(|name, _| {
            let is_there = remotes.iter().any(|remote| remote.name == *name);
            if !is_there {
                self.counted.forget(name);
            }
            is_there
        });
        for remote in remotes {
            let fresh = !all.contains_key(&remote.name);
            let status = all.entry(remote.name.clone()).or_default();
            status.name.clone_from(&remote.name);
            status.url = remote.url.to_string();
            status.is_followed = remote.is_followed();
            status.is_told = remote.machine.is_some();
            if fresh {
                self.counted.begin(&remote.name, status.is_followed, status.is_told);
            }
        }
    }

    /// A remote answered; whether it had not before.
    pub(super) fn worked(
        &self,
        remote: &Remote,
        is_whole: bool,
        (taken, n_asked): (&Taken, Option<usize>),
        skipped: &BTreeMap<&'static str, u64>,
    ) -> bool {
        let mut all = self.all();
        let Some(status) = all.get_mut(&remote.name) else { return false };
        let was_silent = !status.is_connected;
        status.is_connected = true;
        (status.trouble, status.remedy) = (None, None);
        status.last_pull = Some(clock::now().rfc3339());
        if is_whole {
            (status.refused, status.freed, status.no_room, status.skipped) = (0, 0, 0, 0);
            status.asked = 0;
        }
        if let Some(n_asked) = n_asked {
            status.asked = n_asked as u64;
        }
        status.refused += (taken.refused.len() + taken.left_out.len()) as u64;
        status.freed += taken.freed as u64;
        status.no_room += taken.no_room as u64;
        status.skipped += skipped.values().sum::<u64>();
        self.counted.pulled(&remote.name, status.asked, clock::now().seconds());
        for (&why, &count) in skipped {
            self.counted.skipped(&remote.name, why, count);
        }
        self.counted.skipped(&remote.name, "no_room", taken.no_room as u64);
        was_silent
    }

    /// A remote took what it was told, or saw that we are alive; whether it had not before.
    pub(super) fn reached(&self, remote: &str) -> bool {
        self.counted.reached(remote);
        let mut all = self.all();
        let Some(status) = all.get_mut(remote) else { return false };
        let was_silent = !status.is_connected;
        status.is_connected = true;
        (status.trouble, status.remedy) = (None, None);
        was_silent
    }

    /// So many of our bans were told it.
    pub(super) fn told(&self, remote: &str, count: usize) {
        self.counted.told(remote, count);
        if let Some(status) = self.all().get_mut(remote) {
            status.told += count as u64;
        }
    }

    /// So many of our bans will not be told it.
    pub(super) fn untold(&self, remote: &str, reason: &'static str, count: usize) {
        self.counted.untold(remote, reason, count);
        if let Some(status) = self.all().get_mut(remote) {
            status.untold += count as u64;
        }
    }

    /// So many of our bans wait to be told it.
    pub(super) fn waiting(&self, remote: &str, count: usize) {
        self.counted.waiting(remote, count);
    }

    /// A remote did not answer; whether that is worth telling.
    pub(super) fn failed(&self, remote: &str, failure: &Failure) -> bool {
        self.counted.failed(remote, failure.word());
        let mut all = self.all();
        let Some(status) = all.get_mut(remote) else { return false };
        status.is_connected = false;
        let trouble = Some(failure.to_string());
        let is_new = status.trouble != trouble;
        status.trouble = trouble;
        status.remedy = Some(failure.remedy());
        is_new
    }
}
