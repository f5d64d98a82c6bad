//! Lists of whom to ban: imported once, or followed as they change.
//!
//! Entries that are friends are refused; a prefix that holds friends is banned without them. What a
//! followed list drops goes back to whatever else was asked for of the same target. What an operator
//! took back stays free for as long as the list goes on naming it.

use ipnet::IpNet;

use super::judge::reason;
use super::{Judge, Observe};
use crate::decision::{Action, Decision, Entry, Family, Origin, Refusal, Target, without};
use crate::ledger::{Cause, Change, Kept, Record};
use crate::value::Time;

/// Somebody on a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Whom to ban.
    pub net: IpNet,
    /// Until when.
    pub until: Time,
    /// The list's name, or with what the list says of this one.
    pub reason: String,
}

/// What became of a part of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Decisions that began.
    pub begun: usize,
    /// Decisions that last longer now, or are bans now.
    pub extended: usize,
    /// Those that lasted long enough already.
    pub held: usize,
    /// Those that an operator had freed since the list named them.
    pub freed: usize,
    /// Those that found no room in the ledger: some is left for what scenarios find.
    pub no_room: usize,
    /// What was not allowed.
    pub refused: Vec<Refusal>,
    /// Prefixes that are banned but for the friends in them.
    pub left_out: Vec<(IpNet, Vec<Entry>)>,
    /// What the kernel is to be told, in this order.
    pub changes: Vec<Change>,
}

/// What became of what a list does not name any more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Decisions that ended.
    pub ended: usize,
    /// Decisions that went back to what somebody else had asked for.
    pub left: usize,
    /// Where to go on; `None` when all was looked at.
    pub next: Option<IpNet>,
    /// What the kernel is to be told, in this order.
    pub changes: Vec<Change>,
}

/// The greatest number of prefixes that are left of one without its friends.
const MOST_PIECES: usize = 256;
/// Decisions that are looked at for one that its list dropped, and those that are ended, at once: a
/// few milliseconds.
pub(super) const LOOKED_AT: usize = 20_000;
pub(super) const DROPPED: usize = 256;

impl Judge {
    /// What would stand against these, and what would be left out.
    #[must_use]
    pub fn would_import(&self, listed: &[Listed], now: Time) -> Taken {
        let mut taken = Taken::default();
        self.admit_listed(listed.iter().map(|one| (one.net, ())), &mut taken, now);
        taken
    }

    /// Bans whom a list names, in one transaction.
    pub fn import(&mut self, listed: Vec<Listed>, now: Time) -> Taken {
        let mut taken = Taken::default();
        let nets = listed.into_iter().map(|one| (one.net, (one.until, one.reason)));
        let admitted = self.admit_listed(nets, &mut taken, now);
        let records = admitted.into_iter().map(|(target, (until, reason))| (target, until, reason));
        self.write_followed(Origin::List, records.collect(), &mut taken, now);
        taken
    }

    /// Bans whom a followed list names, until these times, in one transaction. Of entries that are
    /// not new to the list, those stay free that an operator freed meanwhile.
    pub fn follow(
        &mut self,
        list: &str,
        nets: &[(IpNet, Time)],
        are_new: bool,
        now: Time,
    ) -> Taken {
        let mut taken = Taken::default();
        let admitted = self.admit_listed(nets.iter().copied(), &mut taken, now);
        let mut records = Vec::with_capacity(admitted.len());
        for (target, until) in admitted {
            let is_held = self.ledger.get(target).is_some_and(|held| held.until > now);
            if !is_held && !are_new && self.was_freed(target) {
                taken.freed += 1;
                // What is left of a prefix around whoever was freed goes on.
                let pieces = self.ledger.inside(target.net()).filter(|held| is_of(held, list));
                records.extend(pieces.map(|piece| (piece.target, until, list.to_owned())));
            } else {
                records.push((target, until, list.to_owned()));
            }
        }
        self.write_followed(Origin::List, records, &mut taken, now);
        taken
    }

    /// Lets go of decisions of a list on what it does not name any more, as `is_named` tells; some
    /// of those behind `after`.
    pub fn drop_unnamed(
        &mut self,
        list: &str,
        is_named: impl Fn(IpNet) -> bool,
        after: Option<IpNet>,
        now: Time,
    ) -> Dropped {
        let mut targets = Vec::new();
        let mut next = None;
        for (number, held) in self.ledger.active_after(after, now).enumerate() {
            if number >= LOOKED_AT || targets.len() >= DROPPED {
                break;
            }
            next = Some(held.target.net());
            if is_of(held, list) && !is_named(held.target.net()) {
                targets.push(held.target);
            }
        }
        let is_last = self.ledger.active_after(next, now).next().is_none();
        if targets.is_empty() {
            return Dropped { next: next.filter(|_| !is_last), ..Dropped::default() };
        }
        let withdrawn = self.list_leaves(list, &targets, now);
        self.statistics.end(Cause::Removed.name(), withdrawn.ended.len());
        Dropped {
            ended: withdrawn.ended.len(),
            left: withdrawn.left,
            next: next.filter(|_| !is_last),
            changes: withdrawn.changes,
        }
    }

    /// Whether the last decision on this target was taken back by an operator.
    fn was_freed(&self, target: Target) -> bool {
        let last = self.ledger.ended_of(target.net(), 1).unwrap_or_default();
        last.first().is_some_and(|ended| matches!(ended.cause, Cause::Unbanned | Cause::Split))
    }

    /// Makes targets of what a list names. Of a prefix that holds friends or guarded ones the rest is
    /// taken.
    pub(super) fn admit_listed<T: Clone>(
        &self,
        nets: impl Iterator<Item = (IpNet, T)>,
        taken: &mut Taken,
        now: Time,
    ) -> Vec<(Target, T)> {
        let mut admitted = Vec::new();
        for (net, with) in nets {
            match self.admit_rest(net, now) {
                Ok((targets, friends)) => {
                    if !friends.is_empty() {
                        taken.left_out.push((net, friends));
                    }
                    admitted.extend(targets.into_iter().map(|target| (target, with.clone())));
                }
                Err(refusal) => taken.refused.push(refusal),
            }
        }
        admitted
    }

    fn admit_rest(&self, net: IpNet, now: Time) -> Result<(Vec<Target>, Vec<Entry>), Refusal> {
        let (mut targets, mut friends) = (Vec::new(), Vec::new());
        let mut first = None;
        let mut rest = vec![net];
        while let Some(net) = rest.pop() {
            match self.admit(net, now) {
                Ok(target) => targets.push(target),
                Err(refusal) => {
                    if let Refusal::Allowlisted { net, entry } = &refusal {
                        // Nothing is left of what lies in a friend's prefix.
                        rest.extend(without(*net, entry.net));
                        friends.push(entry.clone());
                    }
                    first.get_or_insert(refusal);
                }
            }
            if rest.len() + targets.len() > MOST_PIECES {
                targets.clear();
                break;
            }
        }
        match first {
            Some(refusal) if targets.is_empty() => Err(refusal),
            _ => Ok((targets, friends)),
        }
    }

    /// Whether those who are followed ban, or are only tried out.
    pub(super) fn followed_action(&self) -> Action {
        let is_observed = self.policy.observe == Observe::Everything;
        if is_observed { Action::Observe } else { Action::Ban }
    }

    pub(super) fn write_followed(
        &mut self,
        origin: Origin,
        mut listed: Vec<(Target, Time, String)>,
        taken: &mut Taken,
        now: Time,
    ) {
        for refusal in &taken.refused {
            self.statistics.refuse(reason(refusal));
        }
        if !self.ledger.has_room(listed.len()) {
            let before = listed.len();
            listed.retain(|(target, ..)| self.ledger.get(*target).is_some());
            taken.no_room += before - listed.len();
        }
        let action = self.followed_action();
        let families: Vec<Family> = listed.iter().map(|(target, ..)| target.family()).collect();
        let records = listed.into_iter().map(|(target, until, reason)| Record {
            target,
            action,
            origin,
            reason,
            until,
            events: 0,
            story: None,
        });
        let recorded = self.ledger.record(records.collect(), now);
        let mut begun = [(Family::V4, 0), (Family::V6, 0)];
        for ((_, kept), family) in recorded.kept.iter().zip(families) {
            match kept {
                Kept::Begun => {
                    taken.begun += 1;
                    begun.iter_mut().filter(|(of, _)| *of == family).for_each(|(_, n)| *n += 1);
                }
                Kept::Extended => taken.extended += 1,
                Kept::Held => taken.held += 1,
            }
        }
        for (family, count) in begun {
            self.statistics.followed(origin, family, action, count);
        }
        self.statistics.extended += taken.extended as u64;
        self.statistics.held += taken.held as u64;
        taken.changes.extend(recorded.changes);
    }
}

/// Whether the decision is one of this list.
fn is_of(decision: &Decision, list: &str) -> bool {
    decision.origin == Origin::List && decision.reason == list
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::unban::tests::{Court, at, net};
    use crate::decide::{Policy, Whose};
    use crate::decision::{Allowlist, EntryOrigin};

    fn listed(text: &str) -> Listed {
        Listed { net: net(text), until: at(1000), reason: "bad".to_owned() }
    }

    fn friends(court: &mut Court, nets: &[&str]) {
        let entry = |text: &&str| Entry {
            net: net(text),
            origin: EntryOrigin::Settings,
            comment: String::new(),
            until: None,
        };
        let allowlist = Allowlist::new(nets.iter().map(entry).collect());
        let policy = Policy { allowlist, ..court.judge.policy().clone() };
        court.judge.adopt(policy, at(0));
    }

    #[test]
    fn friends_on_a_list_are_refused_or_left_out() {
        let mut court = Court::new();
        friends(&mut court, &["203.0.113.7", "198.51.100.0/24"]);
        let all = ["203.0.113.6/31", "198.51.100.9", "192.0.2.1", "192.0.2.1", "203.0.113.7"];
        let all: Vec<Listed> = all.iter().map(|text| listed(text)).collect();
        let would = court.judge.would_import(&all, at(1));
        assert_eq!((would.refused.len(), would.left_out.len(), would.begun), (2, 1, 0));
        let taken = court.judge.import(all, at(1));
        assert_eq!((taken.begun, taken.extended, taken.held), (2, 0, 1));
        assert_eq!((taken.refused.len(), taken.left_out[0].0), (2, net("203.0.113.6/31")));
        assert_eq!(court.banned(), ["192.0.2.1", "203.0.113.6"]);
        let decisions = &court.judge.statistics().decisions;
        let counted: Vec<_> = decisions.iter().map(|(by, n)| (&*by.scenario, *n)).collect();
        assert_eq!(counted, [("list", 2)]);
    }

    #[test]
    fn a_followed_list_drops_what_it_does_not_name() {
        let mut court = Court::new();
        let nets = [(net("203.0.113.0/30"), at(1000)), (net("192.0.2.1"), at(1000))];
        court.judge.follow("bad", &nets, true, at(1));
        court
            .judge
            .import(vec![Listed { reason: "other".to_owned(), ..listed("192.0.2.9") }], at(1));
        court.ban(&["192.0.2.8"]);
        let dropped = court.judge.drop_unnamed("bad", |net| net == nets[0].0, None, at(2));
        assert_eq!((dropped.ended, dropped.left, dropped.next), (1, 0, None));
        assert_eq!(court.banned(), ["192.0.2.8", "192.0.2.9", "203.0.113.0/30"]);
    }

    #[test]
    fn what_an_operator_frees_stays_free_while_the_list_names_it() {
        let mut court = Court::new();
        let nets = [(net("203.0.113.0/30"), at(1000)), (net("192.0.2.1"), at(1000))];
        court.judge.follow("bad", &nets, true, at(1));
        let freed = vec![net("203.0.113.1"), net("192.0.2.1")];
        court.judge.unban(&Whose::These { nets: freed, inside: false }, at(2)).unwrap();
        assert_eq!(court.banned(), ["203.0.113.0", "203.0.113.2/31"]);
        let later = [(nets[0].0, at(2000)), (nets[1].0, at(2000))];
        let taken = court.judge.follow("bad", &later, false, at(3));
        assert_eq!((taken.begun, taken.extended, taken.freed), (0, 2, 2));
        assert_eq!(court.banned(), ["203.0.113.0", "203.0.113.2/31"]);
        let piece = court.judge.ledger().inside(net("203.0.113.0")).next().unwrap();
        assert_eq!(piece.until, at(2000), "what is left goes on");
        // Pieces are named by what they are a part of.
        let is_named = |piece: IpNet| later.iter().any(|(net, _)| net.contains(&piece));
        assert_eq!(court.judge.drop_unnamed("bad", is_named, None, at(4)).ended, 0);
        // Named anew, it is banned anew.
        assert_eq!(court.judge.follow("bad", &later, true, at(5)).begun, 2);
    }

    #[test]
    fn dropping_goes_on_where_it_was() {
        let mut court = Court::new();
        let nets: Vec<_> = (0..600_u32)
            .map(|n| (net(&format!("11.0.{}.{}", n / 200, n % 200)), at(1000)))
            .collect();
        court.judge.follow("bad", &nets, true, at(1));
        let mut rounds = Vec::new();
        let mut after = None;
        loop {
            let dropped = court.judge.drop_unnamed("bad", |_| false, after, at(2));
            rounds.push(dropped.ended);
            after = dropped.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(rounds, [256, 256, 88]);
    }
}
