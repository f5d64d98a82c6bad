//! What the worker that parsed an event tells the owner of the buckets.

use std::num::NonZeroU64;
use std::sync::Arc;

use super::key::BucketKey;
use super::scenario::ScenarioId;
use crate::event::{Piece, Snapshot};
use crate::value::Time;

/// An event for one bucket, with everything that follows from the event alone.
///
/// It is moved from place to place more often than anything else, so it is kept small.
#[derive(Clone, Debug)]
pub struct Pour {
    /// The scenario that takes it.
    pub scenario: ScenarioId,
    /// Its bucket.
    pub key: BucketKey,
    /// The group value that the bucket stands for, a piece of the event.
    pub(super) group: Piece,
    /// What the scenario makes of the event.
    pub verdict: Verdict,
    /// The same for other scenarios with the same name and filter, which may own the bucket.
    pub(super) others: Others,
    /// The event.
    pub event: Arc<Snapshot>,
}

/// What a scenario makes of an event that passed its filter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The hash of the value that is to be new to the bucket.
    pub distinct: Option<NonZeroU64>,
    /// Whether the event cancels the bucket.
    pub cancels: bool,
}

/// What those scenarios make of an event that share its bucket with the one that takes it. Hardly
/// any scenario has such, so one word must do.
#[derive(Clone, Debug, Default)]
pub(super) struct Others(Option<Box<Shared>>);

#[derive(Clone, Debug)]
struct Shared(Box<[(ScenarioId, Verdict)]>);

impl FromIterator<(ScenarioId, Verdict)> for Others {
    fn from_iter<I: IntoIterator<Item = (ScenarioId, Verdict)>>(others: I) -> Self {
        let mut others = others.into_iter().peekable();
        Self(others.peek().is_some().then(|| Box::new(Shared(others.collect()))))
    }
}

impl Others {
    fn iter(&self) -> impl Iterator<Item = (ScenarioId, Verdict)> {
        self.0.iter().flat_map(|shared| shared.0.iter().copied())
    }
}

/// What became of the scenarios when others took their place ([`Detector::replace`]).
///
/// [`Detector::replace`]: super::Detector::replace
#[derive(Clone, Debug, Default)]
pub struct Kept(pub(super) Box<[Option<ScenarioId>]>);

impl Kept {
    /// The new number of a scenario; `None` when it changed or is gone.
    pub(super) fn get(&self, old: ScenarioId) -> Option<ScenarioId> {
        self.0.get(old.index()).copied().flatten()
    }

    /// Takes a pour that was made by the old scenarios over to the new ones. It is of no use, and
    /// the answer no, when its scenario is not among them unchanged: its bucket is gone too.
    #[must_use]
    pub fn renumber(&self, pour: &mut Pour) -> bool {
        let Some(new) = self.get(pour.scenario) else { return false };
        let others = pour.others.iter();
        let others = others.filter_map(|(old, verdict)| Some((self.get(old)?, verdict)));
        (pour.scenario, pour.others) = (new, others.collect());
        true
    }
}

impl Pour {
    /// The group value that the bucket stands for.
    #[must_use]
    #[inline]
    pub fn group(&self) -> &str {
        self.event.piece(self.group)
    }

    /// When the line arrived; live buckets go by it.
    #[must_use]
    #[inline]
    pub fn at(&self) -> Time {
        self.event.received_at
    }

    /// When the log says it happened; replayed buckets go by it.
    #[inline]
    pub(super) fn written_at(&self) -> Option<Time> {
        self.event.written_at
    }

    /// What `owner` makes of the event.
    #[inline]
    pub(super) fn verdict_of(&self, owner: ScenarioId) -> Verdict {
        if owner == self.scenario {
            return self.verdict;
        }
        let other = self.others.iter().find(|(other, _)| *other == owner);
        other.map_or(Verdict::default(), |(_, verdict)| verdict)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pour_is_small() {
        assert!(size_of::<Pour>() <= 64, "{}", size_of::<Pour>());
    }
}
