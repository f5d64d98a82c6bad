//! What only bouncers carry out, under the same rule as bans: nothing is decided about friends.

use ipnet::IpNet;

use super::judge::reason;
use super::unban::MOST_AT_ONCE;
use super::{Judge, Whose};
use crate::decision::{Other, Refusal};
use crate::ledger::{Cause, Error, NewOther, StoredOther};
use crate::value::Time;

impl Judge {
    /// Begins such decisions, those about friends left out, and gives the number of each, in their
    /// order.
    ///
    /// # Errors
    /// Those of [`crate::ledger::Ledger::begin_others`]; nothing has changed then.
    pub fn begin_others(
        &mut self,
        news: Vec<NewOther>,
        now: Time,
    ) -> Result<Vec<Result<u64, Refusal>>, Error> {
        let (mut admitted, mut outcomes) = (Vec::new(), Vec::new());
        for new in news {
            let net = new.other.net();
            let refusal = net.and_then(|net| self.admit(net, now).err());
            outcomes.push(refusal.map_or(Ok(0), Err));
            if let Some(Ok(_)) = outcomes.last() {
                admitted.push(new);
            }
        }
        let mut numbers = self.ledger.begin_others(admitted, now)?.into_iter();
        for outcome in &mut outcomes {
            match outcome {
                Ok(number) => *number = numbers.next().unwrap_or_default(),
                Err(refusal) => {
                    self.statistics.refuse(reason(refusal));
                    tracing::info!(%refusal, "no decision for bouncers");
                }
            }
        }
        Ok(outcomes)
    }

    /// Those that an operator means, as many as end at once, and how many there are besides.
    ///
    /// # Errors
    /// [`Error::Read`] when the disk cannot be read.
    pub fn others_of(&self, whose: &Whose, now: Time) -> Result<(Vec<StoredOther>, usize), Error> {
        let all = self.ledger.others(now);
        let is_one_of = |nets: &[IpNet], inside: bool, other: &Other| {
            let is = |net: IpNet| {
                nets.iter().any(|asked| *asked == net || (inside && asked.contains(&net)))
            };
            other.net().is_some_and(is)
        };
        let fitting: Vec<u64> = match whose {
            Whose::These { nets, inside } => {
                all.filter(|(_, other)| is_one_of(nets, *inside, other)).map(|(id, _)| id).collect()
            }
            Whose::Numbered(numbers) => {
                all.map(|(id, _)| id).filter(|id| numbers.contains(id)).collect()
            }
            Whose::Fitting(_) => all.map(|(id, _)| id).collect(),
        };
        let mut found = Vec::new();
        let mut remaining = 0;
        for page in fitting.chunks(MOST_AT_ONCE) {
            let stored = self.ledger.stored_others(page)?.into_iter().filter(|stored| {
                let NewOther { origin, reason, .. } = &stored.new;
                match whose {
                    Whose::Fitting(fitting) => fitting.fits_all(*origin, reason, stored.created_at),
                    _ => true,
                }
            });
            for stored in stored {
                if found.len() < MOST_AT_ONCE {
                    found.push(stored);
                } else {
                    remaining += 1;
                }
            }
        }
        Ok((found, remaining))
    }

    /// Ends those of these numbers, as an operator or a machine asks.
    ///
    /// # Errors
    /// [`Error::Read`] when the disk does not take it; nothing has changed then.
    pub fn end_others(&mut self, numbers: &[u64], now: Time) -> Result<usize, Error> {
        let ended = self.ledger.end_others(numbers, Cause::Unbanned, now)?;
        tell_ended(&ended, Cause::Unbanned);
        Ok(ended.len())
    }

    /// Ends those about new friends.
    pub(super) fn leave_out_others(&mut self, fresh: &[IpNet], now: Time) {
        let touches = |net: IpNet| fresh.iter().any(|f| f.contains(&net) || net.contains(f));
        let against = self.ledger.others(now).filter(|(_, other)| other.net().is_some_and(touches));
        let numbers: Vec<u64> = against.map(|(id, _)| id).collect();
        match self.ledger.end_others(&numbers, Cause::Allowlisted, now) {
            Ok(ended) => tell_ended(&ended, Cause::Allowlisted),
            Err(error) => {
                tracing::warn!(%error, "decisions for bouncers about new friends go on until the next start");
            }
        }
    }
}

fn tell_ended(ended: &[(u64, Other)], cause: Cause) {
    const TOLD: usize = 32;
    for (id, other) in ended.iter().take(TOLD) {
        let (kind, scope, value) = (other.kind(), other.scope(), other.value());
        tracing::info!(kind, scope, value, id, cause = cause.name(), "not for bouncers any more");
    }
    if let Some(more) = ended.len().checked_sub(TOLD).filter(|more| *more > 0) {
        tracing::info!(more, cause = cause.name(), "not for bouncers any more");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::judge::tests::{Court, at, friends, net, policy};
    use crate::decide::{Fitting, Policy, Subject};
    use crate::decision::Origin;

    fn new(kind: &str, scope: &str, value: &str, origin: Origin) -> NewOther {
        let other = Other::new(kind, scope, value).unwrap();
        NewOther { other, origin, reason: "weir/http-crawl".to_owned(), until: at(900) }
    }

    fn all() -> Vec<NewOther> {
        vec![
            new("captcha", "ip", "203.0.113.7", Origin::Scenario),
            new("captcha", "ip", "198.51.100.7", Origin::Scenario),
            new("captcha", "range", "203.0.113.0/24", Origin::Scenario),
            new("ban", "country", "FR", Origin::Manual),
        ]
    }

    fn court() -> Court {
        let allowlist = friends(&["198.51.100.0/24"]);
        let mut court = Court::new(Policy { allowlist, ..policy() });
        let begun = court.judge.begin_others(all(), at(1)).unwrap();
        let numbers: Vec<Option<u64>> = begun.into_iter().map(Result::ok).collect();
        assert_eq!(numbers, [Some(1), None, Some(2), Some(3)], "friends are left out");
        court
    }

    #[track_caller]
    fn check(whose: &Whose, expected: &[u64]) {
        let (found, remaining) = court().judge.others_of(whose, at(2)).unwrap();
        assert_eq!(found.iter().map(|one| one.id).collect::<Vec<_>>(), expected, "{whose:?}");
        assert_eq!(remaining, 0);
    }

    #[test]
    fn operators_mean_addresses_numbers_or_what_fits() {
        let these = |nets: &[&str], inside| {
            let nets = nets.iter().map(|text| net(text)).collect();
            Whose::These { nets, inside }
        };
        check(&these(&["203.0.113.7"], false), &[1]);
        check(&these(&["203.0.113.0/24"], false), &[2]);
        check(&these(&["203.0.113.0/24"], true), &[1, 2]);
        check(&these(&["203.0.113.8"], true), &[]);
        check(&Whose::Numbered(vec![3, 9]), &[3]);
        check(&Whose::Fitting(Fitting::default()), &[1, 2, 3]);
        let origin = Some(Origin::Manual);
        check(&Whose::Fitting(Fitting { origin, ..Fitting::default() }), &[3]);
        let scenario = Some("http-crawl".to_owned());
        check(&Whose::Fitting(Fitting { scenario, ..Fitting::default() }), &[1, 2]);
        let since = Some(at(2));
        check(&Whose::Fitting(Fitting { since, ..Fitting::default() }), &[]);
    }

    #[test]
    fn a_new_friend_is_left_alone() {
        let mut court = court();
        let friend = Subject::Net(net("203.0.113.9"));
        court.judge.befriend(&[friend], "", None, at(2)).unwrap();
        let left: Vec<u64> = court.judge.ledger().others(at(2)).map(|(id, _)| id).collect();
        assert_eq!(left, [1, 3], "the range around it is over");
        assert_eq!(court.judge.end_others(&[3, 2], at(3)).unwrap(), 1);
        assert_eq!(court.judge.ledger().others(at(3)).count(), 1);
    }
}
