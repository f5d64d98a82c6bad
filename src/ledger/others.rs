//! Decisions that only bouncers carry out: other measures than a ban, and bans of what is no
//! address ([`Other`]). They stand in the same table as bans, with numbers and versions out of the
//! same counts, so that whoever follows the ledger hears of both; no [`super::Change`] is ever made
//! of them.
//!
//! In memory is what finds them; all else of them is on disk alone. What the disk does not take has
//! not happened, and whoever asked for it is told: unlike a ban, nothing here enforces it meanwhile.
//!
//! Invariant: one is in force for each [`Other`], and no more than [`MOST_OTHERS`] in all.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use ipnet::IpNet;

use super::disk::Deed;
use super::keep::EXPIRE_AT_ONCE;
use super::{Cause, Error, Ledger};
use crate::decision::{Origin, Other};
use crate::value::Time;

/// The greatest number that is in force; beyond it those make room that end first.
pub const MOST_OTHERS: usize = 50_000;

/// One that is to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewOther {
    /// What, and about whom.
    pub other: Other,
    /// Who asks for it.
    pub origin: Origin,
    /// The scenario's name, or the operator's words; bounded by whoever brings it.
    pub reason: String,
    /// When it ends.
    pub until: Time,
}

/// One as it stands on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredOther {
    /// The decision's number.
    pub id: u64,
    /// When it was first decided.
    pub created_at: Time,
    /// What was asked for.
    pub new: NewOther,
}

/// Those in force, found by what they are, by number and by end.
#[derive(Debug, Default)]
pub(super) struct Others {
    by_id: BTreeMap<u64, (Other, Time)>,
    by_other: HashMap<Other, u64>,
    by_end: BTreeSet<(Time, u64)>,
}

impl Others {
    /// Puts one in the place of whatever there was of its kind or number.
    fn put(&mut self, id: u64, other: Other, until: Time) {
        self.take(id);
        if let Some(before) = self.by_other.insert(other.clone(), id) {
            self.take(before);
            self.by_other.insert(other.clone(), id);
        }
        self.by_end.insert((until, id));
        self.by_id.insert(id, (other, until));
    }

    fn take(&mut self, id: u64) -> Option<Other> {
        let (other, until) = self.by_id.remove(&id)?;
        self.by_end.remove(&(until, id));
        self.by_other.remove(&other);
        Some(other)
    }
}

impl Ledger {
    /// Begins such decisions, all in one transaction, and gives the number of each, in their order.
    ///
    /// Of the same type, scope and value one is in force at a time, as of bans: asked for again it
    /// keeps its number, and lasts until the later of the ends, for the reason of whoever asked for
    /// that. Whether an address may be decided on at all is settled before: the ledger asks no
    /// allowlist here.
    ///
    /// # Errors
    /// [`Error::Read`] when the disk does not take it, [`Error::TooMany`] when there are too many
    /// at once; nothing has changed then.
    pub fn begin_others(&mut self, news: Vec<NewOther>, now: Time) -> Result<Vec<u64>, Error> {
        if news.len() > MOST_OTHERS {
            return Err(Error::TooMany { found: news.len(), most: MOST_OTHERS });
        }
        let mut next_id = self.next_id;
        let mut staged: HashMap<Other, (u64, Time)> = HashMap::new();
        let (mut deeds, mut numbers) = (Vec::new(), Vec::new());
        let mut n_begun = 0;
        for new in news {
            let held = staged.get(&new.other).copied().or_else(|| self.standing(&new.other));
            let (id, until) = match held {
                Some((id, until)) if until > now && until >= new.until => (id, until),
                Some((id, until)) if until > now => {
                    let stored = StoredOther { id, created_at: now, new: new.clone() };
                    deeds.push(Deed::Extend(stored));
                    (id, new.until)
                }
                held => {
                    // Its time was up, only nobody looked yet.
                    deeds.extend(held.map(|(id, _)| Deed::End(id, Cause::Expired)));
                    let (id, until) = (next_id, new.until);
                    next_id += 1;
                    n_begun += usize::from(held.is_none());
                    let stored = StoredOther { id, created_at: now, new: new.clone() };
                    deeds.push(Deed::Begin(stored));
                    (id, until)
                }
            };
            staged.insert(new.other, (id, until));
            numbers.push(id);
        }
        let too_many = (self.others.by_id.len() + n_begun).saturating_sub(MOST_OTHERS);
        let kept: HashSet<u64> = staged.values().map(|(id, _)| *id).collect();
        let first_to_end = self.others.by_end.iter().map(|(_, id)| *id);
        let evicted: Vec<u64> =
            first_to_end.filter(|id| !kept.contains(id)).take(too_many).collect();
        deeds.extend(evicted.iter().map(|id| Deed::End(*id, Cause::Evicted)));
        self.write_others(&deeds, now)?;
        self.next_id = next_id;
        self.health.evicted += evicted.len() as u64;
        for (other, (id, until)) in staged {
            self.others.put(id, other, until);
        }
        Ok(numbers)
    }

    /// Ends those of these numbers that are in force, in one transaction, and gives them; other
    /// numbers are passed over.
    ///
    /// # Errors
    /// [`Error::Read`] when the disk does not take it; nothing has changed then.
    pub fn end_others(
        &mut self,
        numbers: &[u64],
        cause: Cause,
        now: Time,
    ) -> Result<Vec<(u64, Other)>, Error> {
        let standing: BTreeSet<u64> =
            numbers.iter().copied().filter(|id| self.others.by_id.contains_key(id)).collect();
        let ended = standing.iter().map(|id| (*id, self.others.by_id[id].0.clone())).collect();
        let deeds: Vec<Deed> = standing.into_iter().map(|id| Deed::End(id, cause)).collect();
        self.write_others(&deeds, now)?;
        Ok(ended)
    }

    /// Those that hold at `now`, by number.
    pub fn others(&self, now: Time) -> impl Iterator<Item = (u64, &Other)> {
        let holds = move |(_, (_, until)): &(&u64, &(Other, Time))| *until > now;
        self.others.by_id.iter().filter(holds).map(|(id, (other, _))| (*id, other))
    }

    /// How many there are, those among them whose time is up and that nobody looked at yet.
    #[must_use]
    pub fn n_others(&self) -> usize {
        self.others.by_id.len()
    }

    /// Those of them that are about addresses in `net`, or, where `also_around`, about prefixes that
    /// hold it.
    pub fn others_on(
        &self,
        net: IpNet,
        also_around: bool,
        now: Time,
    ) -> impl Iterator<Item = (u64, &Other)> {
        self.others(now).filter(move |(_, other)| {
            let held = other.net();
            held.is_some_and(|held| net.contains(&held) || (also_around && held.contains(&net)))
        })
    }

    /// All that is known of those of these numbers that are in force.
    ///
    /// # Errors
    /// [`Error::Read`] when the disk cannot be read.
    pub fn stored_others(&self, numbers: &[u64]) -> Result<Vec<StoredOther>, Error> {
        Ok(self.disk.others(numbers)?)
    }

    /// Ends those whose time is up, a part of them at a time. What the disk does not take is tried
    /// again at the next tick: to those who ask they are over by their end.
    pub(super) fn expire_others(&mut self, now: Time) {
        let due: Vec<Deed> = self
            .others_due(now)
            .take(EXPIRE_AT_ONCE)
            .map(|id| Deed::End(id, Cause::Expired))
            .collect();
        if let Err(error) = self.write_others(&due, now) {
            tracing::debug!(%error, "cannot write the ends of decisions for bouncers");
        }
    }

    pub(super) fn others_due(&self, now: Time) -> impl Iterator<Item = u64> {
        self.others.by_end.iter().take_while(move |(until, _)| *until <= now).map(|(_, id)| *id)
    }

    /// Takes over what was read of the disk. What `admits` does not let through ends.
    pub(super) fn take_in_others(
        &mut self,
        found: Vec<StoredOther>,
        is_new_file: bool,
        admits: impl Fn(IpNet) -> bool,
        now: Time,
    ) -> Vec<Other> {
        let mut refused = Vec::new();
        let mut deeds = Vec::new();
        for stored in found {
            let is_refused = stored.new.other.net().is_some_and(|net| !admits(net));
            let (id, other, until) = (stored.id, stored.new.other.clone(), stored.new.until);
            if !is_refused {
                self.others.put(id, other, until);
                deeds.extend(is_new_file.then_some(Deed::Begin(stored)));
                continue;
            }
            refused.push(other);
            deeds.extend((!is_new_file).then_some(Deed::End(id, Cause::Allowlisted)));
        }
        if let Err(error) = self.write_others(&deeds, now) {
            tracing::warn!(%error, "cannot write down decisions for bouncers");
        }
        refused
    }

    /// The number and the end of the one in force.
    fn standing(&self, other: &Other) -> Option<(u64, Time)> {
        let id = *self.others.by_other.get(other)?;
        Some((id, self.others.by_id.get(&id)?.1))
    }

    /// Writes it all in one transaction, and lets go of what ended.
    fn write_others(&mut self, deeds: &[Deed], now: Time) -> Result<(), Error> {
        if deeds.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.disk.write_others(deeds, now) {
            self.health.failures += 1;
            return Err(error.into());
        }
        for deed in deeds {
            if let Deed::End(id, _) = deed {
                self.others.take(*id);
                self.n_ended += 1;
            }
        }
        Ok(())
    }
}
