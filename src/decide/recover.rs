//! Bans that only the kernel still knows: after the ledger was lost, nobody goes free for it.

use ipnet::IpNet;

use super::Judge;
use crate::decision::{Action, Origin};
use crate::ledger::{Change, Record};
use crate::value::Time;

/// Why there is such a ban, for those who look at the list.
const REASON: &str = "kept from the kernel: the ledger was damaged";

impl Judge {
    /// Makes decisions of what the kernel drops and the ledger does not know; what has no end there
    /// gets the usual one. Friends are passed over. Says how many there were, and what the kernel is
    /// to be told.
    pub fn recover(
        &mut self,
        held: impl IntoIterator<Item = (IpNet, Option<Time>)>,
        now: Time,
    ) -> (usize, Vec<Change>) {
        let mut records = Vec::new();
        for (net, until) in held {
            let Ok(target) = self.policy.allowlist.admit(net) else { continue };
            let until = until.unwrap_or_else(|| now.plus(self.policy.duration));
            if self.ledger.get(target).is_some() || until <= now {
                continue;
            }
            records.push(Record {
                target,
                action: Action::Ban,
                origin: Origin::Manual,
                reason: REASON.to_owned(),
                until,
                events: 0,
                story: None,
            });
        }
        let count = records.len();
        (count, self.write(records, now).1)
    }
}

#[cfg(test)]
mod tests {
    use crate::decide::judge::tests::{Court, at, friends, hours, net, policy};
    use crate::decide::{Observe, Policy};

    #[test]
    fn what_the_kernel_knows_is_decided_again() {
        let mut court = Court::new(Policy {
            allowlist: friends(&["198.51.100.0/24"]),
            observe: Observe::Nothing,
            ..policy()
        });
        court.judge.ban(&[net("203.0.113.1")], Some(hours(1)), "known", at(1));
        let held = [
            ("203.0.113.1", Some(at(9_000))),
            ("203.0.113.2", Some(at(9_000))),
            ("2001:db8::/48", None),
            ("198.51.100.7", Some(at(9_000))),
            ("203.0.113.3", Some(at(1))),
        ];
        let held = held.map(|(text, until)| (net(text), until));
        let (count, changes) = court.judge.recover(held, at(2));
        assert_eq!((count, changes.len()), (2, 1));
        let active: Vec<_> = court
            .judge
            .ledger()
            .active(at(2))
            .map(|d| (d.target.to_string(), d.reason.starts_with("kept"), d.until.seconds()))
            .collect();
        assert_eq!(
            active,
            [
                ("203.0.113.1".to_owned(), false, 3_601),
                ("203.0.113.2".to_owned(), true, 9_000),
                ("2001:db8::/48".to_owned(), true, 2 + 4 * 3_600),
            ]
        );
        assert_eq!(court.judge.recover(held, at(3)).0, 0, "what is known is known");
    }
}
