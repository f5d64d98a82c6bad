//! What is unsaved is written, what ended long ago is forgotten: a little at a time, so that nobody
//! waits for it.

use super::{Ledger, MOST_UNSAVED, PAUSE};
use crate::decision::Target;
use crate::value::Time;

use super::{Cause, Ending};

/// How often is looked for what is to be forgotten.
const PRUNE_EVERY: i64 = 60 * 1_000_000_000;
/// Decisions, stories and refusals that are forgotten at a time: a few milliseconds.
const PRUNE_AT_ONCE: u32 = 128;
/// Decisions whose time is up that are ended at a time. The kernel let go of them by itself.
pub(super) const EXPIRE_AT_ONCE: usize = 512;
/// Stories that are kept, all decisions together.
const MOST_STORIES: u64 = 50_000;
/// Refusals that are kept.
const MOST_REFUSALS: u64 = 20_000;

impl Ledger {
    /// Ends what is due, retries what could not be written, and forgets what ended long ago. To be
    /// called about once a second, and again at once while [`Ledger::has_more`].
    pub fn expire(&mut self, now: Time) -> Ending {
        let due: Vec<Target> = self.active.due(now).take(EXPIRE_AT_ONCE).collect();
        let ending = self.end(&due, Cause::Expired, now);
        self.expire_others(now);
        self.save_refusals();
        self.prune(now);
        ending
    }

    /// Whether [`Ledger::expire`] left something for the next call.
    #[must_use]
    pub fn has_more(&self, now: Time) -> bool {
        self.active.due(now).next().is_some()
            || self.others_due(now).next().is_some()
            || self.pruned_at.is_none_or(|at| now.since(at).abs() >= PRUNE_EVERY)
    }

    /// Writes what is unsaved, unless a write failed a moment ago.
    pub(super) fn save(&mut self, now: Time) {
        if self.unsaved.is_empty() || self.failed_at.is_some_and(|at| now.since(at).abs() < PAUSE) {
            return;
        }
        match self.disk.write(self.unsaved.values(), now) {
            Ok(()) => {
                let ended = self.unsaved.values().filter(|page| page.ended.is_some()).count();
                self.n_ended += ended as u64;
                self.unsaved.clear();
                self.failed_at = None;
                if self.health.trouble.take().is_some() {
                    tracing::info!("the ledger is on disk again");
                }
            }
            Err(error) => {
                let error = error.to_string();
                if self.health.trouble.is_none() {
                    tracing::error!(%error, "cannot write the ledger; decisions hold in memory");
                }
                self.health.failures += 1;
                self.health.trouble = Some(error);
                self.failed_at = Some(now);
                self.shed();
            }
        }
    }

    /// Drops what began and ended unwritten when there is too much of it. What is left is bounded
    /// by the active decisions, here and on disk.
    fn shed(&mut self) {
        if self.unsaved.len() > MOST_UNSAVED {
            self.unsaved.retain(|_, page| page.ended.is_none() || page.is_on_disk);
        }
    }

    fn prune(&mut self, now: Time) {
        if self.pruned_at.is_some_and(|at| now.since(at).abs() < PRUNE_EVERY) {
            return;
        }
        match self.forget(now) {
            // As long as there is much to forget, it goes on at the next call.
            Ok(count) if count >= PRUNE_AT_ONCE as usize => self.pruned_at = None,
            Ok(_) => self.pruned_at = Some(now),
            Err(error) => {
                tracing::warn!(%error, "cannot forget ended decisions");
                self.pruned_at = Some(now);
            }
        }
    }

    /// Forgets a little of each kind; gives the greatest number of one kind that was forgotten.
    fn forget(&mut self, now: Time) -> rusqlite::Result<usize> {
        let too_old = now.plus(-self.options.keep_ended);
        let mut ended = self.disk.prune(too_old, PRUNE_AT_ONCE)?;
        self.n_ended = self.n_ended.saturating_sub(ended as u64);
        let too_many = self.n_ended.saturating_sub(self.options.most_ended);
        if too_many > 0 && ended == 0 {
            // Those that ended at the same moment go together with the one that is asked for.
            let step = too_many.min(u64::from(PRUNE_AT_ONCE));
            if let Some(last) = self.disk.nth_end(step - 1)? {
                ended = self.disk.prune(last.plus(1), PRUNE_AT_ONCE)?;
            }
            self.n_ended = self.n_ended.saturating_sub(ended as u64);
        }
        let stories = self.disk.prune_stories(MOST_STORIES, PRUNE_AT_ONCE)?;
        let refusals = self.disk.prune_refusals(MOST_REFUSALS, PRUNE_AT_ONCE)?;
        let alerts = self.prune_alerts(too_old, PRUNE_AT_ONCE)?;
        Ok(ended.max(stories).max(refusals).max(alerts))
    }
}
