//! The brake: when far too many are banned at once, or those who behave, scenarios ban nobody any
//! more until an operator has looked. Pure.
//!
//! A rule that is wrong, or a log whose format has changed, can take a whole clientele for
//! attackers within a minute. Two signs tell that from an attack: more bans than any attack makes,
//! and bans of those who logged in a little while ago.

use std::collections::{BTreeSet, VecDeque};

use ipnet::IpNet;

use crate::value::Time;

/// When the brake is pulled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BrakeRules {
    /// By more new bans than this within [`BrakeRules::per`].
    pub bans: usize,
    /// The window, in nanoseconds.
    pub per: i64,
    /// By this part of well-behaved ones among them, above 0 and up to 1.
    pub well_behaved: f64,
}

/// Fewer bans than this say nothing about a part.
const LEAST: usize = 10;

/// What the window holds at most, whatever the rules say.
const MOST: usize = 1 << 20;

/// The brake's state.
#[derive(Debug, Default)]
pub(super) struct Brake {
    /// New bans in the window: when, of whom, and whether they behave well.
    window: VecDeque<(i64, IpNet, bool)>,
    /// Who is in the window: somebody who is guarded is to be banned again and again.
    known: BTreeSet<IpNet>,
    n_well_behaved: usize,
    pulled: Option<Pulled>,
}

/// That the brake is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pulled {
    /// Since when.
    pub at: Time,
    /// Why, in a few words.
    pub why: String,
}

impl Brake {
    /// A brake as it was before a restart.
    #[must_use]
    pub(super) fn as_it_was(pulled: Option<Pulled>) -> Self {
        Self { pulled, ..Self::default() }
    }

    /// Whether it is on, and why.
    #[must_use]
    pub(super) fn pulled(&self) -> Option<&Pulled> {
        self.pulled.as_ref()
    }

    /// `who` is to be banned and is not yet. The answer is true when the brake is pulled by it.
    pub(super) fn note(
        &mut self,
        rules: &BrakeRules,
        who: IpNet,
        is_well_behaved: bool,
        now: Time,
    ) -> bool {
        if self.pulled.is_some() {
            return false;
        }
        let first = now.nanos.saturating_sub(rules.per);
        // Also when the clock was set back.
        while self.window.front().is_some_and(|(at, ..)| *at <= first || *at > now.nanos) {
            self.forget_first();
        }
        if self.window.len() >= MOST {
            self.forget_first();
        }
        if !self.known.insert(who) {
            return false;
        }
        self.window.push_back((now.nanos, who, is_well_behaved));
        self.n_well_behaved += usize::from(is_well_behaved);
        let total = self.window.len();
        let why = if total > rules.bans {
            format!("more than {} new bans in {}", rules.bans, span(rules.per))
        } else if total >= LEAST && part(self.n_well_behaved, total) >= rules.well_behaved {
            format!(
                "{} of {total} new bans in {} were of addresses that logged in lately",
                self.n_well_behaved,
                span(rules.per)
            )
        } else {
            return false;
        };
        self.pulled = Some(Pulled { at: now, why });
        true
    }

    /// Goes on; gives how it was.
    pub(super) fn release(&mut self) -> Option<Pulled> {
        self.window.clear();
        self.known.clear();
        self.n_well_behaved = 0;
        self.pulled.take()
    }

    fn forget_first(&mut self) {
        if let Some((_, who, is_well_behaved)) = self.window.pop_front() {
            self.known.remove(&who);
            self.n_well_behaved -= usize::from(is_well_behaved);
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "at most 2^20")]
fn part(some: usize, all: usize) -> f64 {
    some as f64 / all.max(1) as f64
}

/// A span in words, by its greatest even unit.
fn span(nanos: i64) -> String {
    let seconds = nanos / 1_000_000_000;
    match seconds {
        1.. if seconds % 3600 == 0 => format!("{}h", seconds / 3600),
        1.. if seconds % 60 == 0 => format!("{}m", seconds / 60),
        _ => format!("{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: i64 = 1_000_000_000;

    fn rules() -> BrakeRules {
        BrakeRules { bans: 20, per: 60 * SECOND, well_behaved: 0.2 }
    }

    fn who(n: i64) -> IpNet {
        IpNet::from(std::net::IpAddr::from((i128::from(n) + (1 << 64)).to_be_bytes()))
    }

    /// Bans at these seconds, of the well-behaved where so said; when the brake is pulled, and why.
    #[track_caller]
    fn check(bans: impl Iterator<Item = (i64, bool)>, expected: Option<(i64, &str)>) {
        let mut brake = Brake::default();
        for (n, (at, is_well_behaved)) in (0..).zip(bans) {
            brake.note(&rules(), who(n), is_well_behaved, Time::from_seconds(at));
        }
        let found = brake.pulled().map(|pulled| (pulled.at.seconds(), pulled.why.as_str()));
        assert_eq!(found, expected);
    }

    #[test]
    fn too_many_bans_pull_it() {
        check((0..20).map(|at| (at, false)), None);
        check((0..21).map(|at| (at, false)), Some((20, "more than 20 new bans in 1m")));
        check((0..200).map(|at| (at * 3, false)), None);
        check((0..200).map(|at| (at * 2, false)), Some((40, "more than 20 new bans in 1m")));
    }

    #[test]
    fn bans_of_the_well_behaved_pull_it() {
        check((0..9).map(|at| (at, true)), None);
        let why = "10 of 10 new bans in 1m were of addresses that logged in lately";
        check((0..12).map(|at| (at, true)), Some((9, why)));
        check((0..19).map(|at| (at, at % 6 == 5)), None);
        let why = "2 of 10 new bans in 1m were of addresses that logged in lately";
        check((0..19).map(|at| (at, at % 5 == 4)), Some((9, why)));
    }

    #[test]
    fn nobody_counts_twice() {
        let mut brake = Brake::default();
        let same = (0..200).any(|at| brake.note(&rules(), who(7), true, Time::from_seconds(at)));
        assert!(!same, "{:?}", brake.pulled());
    }

    #[test]
    fn once_released_it_counts_anew() {
        let mut brake = Brake::default();
        let pull = |brake: &mut Brake, count: i64| {
            (0..count).any(|at| brake.note(&rules(), who(at), false, Time::from_seconds(at)))
        };
        assert!(pull(&mut brake, 30));
        assert!(!brake.note(&rules(), who(31), true, Time::from_seconds(31)), "it is on already");
        assert_eq!(brake.release().map(|pulled| pulled.at.seconds()), Some(20));
        assert_eq!(brake.release(), None);
        assert!(!pull(&mut brake, 20));
        assert!(pull(&mut brake, 30));
    }

    proptest! {
        /// Against counting the whole past at each ban.
        #[test]
        fn equals_counting_all(steps in proptest::collection::vec((0_i64..9, any::<bool>()), 1..80)) {
            let mut brake = Brake::default();
            let (mut past, mut now) = (Vec::new(), 0);
            for (n, (pause, is_well_behaved)) in (0..).zip(steps) {
                now += pause;
                past.push((now, is_well_behaved));
                let recent: Vec<_> = past.iter().filter(|(at, _)| *at > now - 60).collect();
                let well = recent.iter().filter(|(_, well)| *well).count();
                let expected = recent.len() > 20 || (recent.len() >= 10 && well * 5 >= recent.len());
                let found = brake.note(&rules(), who(n), is_well_behaved, Time::from_seconds(now));
                prop_assert_eq!(found, expected);
                if found {
                    break;
                }
            }
        }
    }
}
