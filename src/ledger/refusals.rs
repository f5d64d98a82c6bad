//! Bans that were refused: who, when, why. Operators ask for them; nothing else depends on them.
//!
//! They are written once a second, together, and a second has room for so many: an attack that is
//! refused thousands of times costs the disk what a single one does.

use std::net::IpAddr;

use ipnet::IpNet;

use super::history::Refused;
use super::{Error, Ledger};
use crate::decision::parse_net;

/// Refusals that wait to be written; those beyond it are counted and not written.
const MOST_WAITING: usize = 64;

impl Ledger {
    /// Notes that a ban was refused. Of one target and reason one is written at a time.
    pub fn refuse(&mut self, refused: Refused) {
        let is_there = |known: &Refused| known.net == refused.net && known.reason == refused.reason;
        if self.refusals.len() >= MOST_WAITING || self.refusals.iter().any(is_there) {
            self.health.unwritten_refusals += 1;
            return;
        }
        self.refusals.push(refused);
    }

    /// The last `limit` refusals of exactly `net`, the latest first.
    ///
    /// # Errors
    /// [`Error::Read`] when the disk cannot be read.
    pub fn refusals(&self, net: IpNet, limit: u32) -> Result<Vec<Refused>, Error> {
        let waiting = self.refusals.iter().rev().filter(|refused| refused.net == net);
        let mut found: Vec<Refused> = waiting.cloned().collect();
        found.extend(self.disk.refusals(&net.to_string(), limit)?);
        found.truncate(limit as usize);
        Ok(found)
    }

    /// Forgets the decisions on exactly `net` that ended and had this reason, and bans of it that
    /// were refused to this scenario.
    ///
    /// # Errors
    /// [`Error::Read`] when the disk cannot be written.
    pub fn forget_tests(&mut self, net: IpNet, scenario: &str) -> Result<(), Error> {
        self.refusals.retain(|refused| refused.net != net || refused.scenario != scenario);
        let forgotten = self.disk.forget_tests(&net.to_string(), scenario)?;
        self.n_ended = self.n_ended.saturating_sub(forgotten as u64);
        Ok(())
    }

    /// Writes those that wait.
    pub(super) fn save_refusals(&mut self) {
        if self.refusals.is_empty() {
            return;
        }
        let waiting = std::mem::take(&mut self.refusals);
        if let Err(error) = self.disk.save_refusals(&waiting) {
            self.health.unwritten_refusals += waiting.len() as u64;
            tracing::debug!(%error, "cannot write refusals into the ledger");
        }
    }
}

/// The prefix in a row.
pub(super) fn net_of(text: &str) -> rusqlite::Result<IpNet> {
    match parse_net(text) {
        Ok(net) => Ok(net),
        // Nobody is banned by it: a row that cannot be read is one of nobody.
        Err(_) => Ok(IpNet::from(IpAddr::from([0, 0, 0, 0]))),
    }
}
