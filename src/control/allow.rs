//! Answers about friends: who is never banned, by whose word, until when.

use super::answer::{Answer, net, plain, rows};
use super::message::{Friend, NotByHand, PAGE, Reply};
use crate::decide::{Befriended, Judge, Subject};
use crate::decision::{NetError, parse_host, parse_net};
use crate::value::Time;

pub(super) fn allow(
    judge: &mut Judge,
    targets: &[String],
    for_seconds: Option<u64>,
    comment: &str,
    now: Time,
) -> Result<Answer, String> {
    let subjects = subjects(targets)?;
    if for_seconds == Some(0) {
        return Err("expected a span of at least one second, found 0".to_owned());
    }
    let until = for_seconds.map(|seconds| {
        now.plus(i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1_000_000_000))
    });
    Ok(told(judge.befriend(&subjects, &plain(comment), until, now)?, now))
}

pub(super) fn disallow(judge: &mut Judge, targets: &[String], now: Time) -> Result<Answer, String> {
    Ok(told(judge.unfriend(&subjects(targets)?, now), now))
}

pub(super) fn friends(judge: &Judge, target: Option<&str>, now: Time) -> Result<Answer, String> {
    let list = &judge.policy().allowlist;
    let friends: Vec<Friend> = match target {
        Some(target) => {
            let net = net(target)?;
            let guard = judge.guard_of(net, now);
            list.find_all(net).map(Friend::from).chain(guard.as_ref().map(Friend::from)).collect()
        }
        None => list.entries().iter().map(Friend::from).collect(),
    };
    let names = judge.names_to_look_up().iter().map(|named| named.name.clone()).collect();
    Ok(Answer { reply: Reply::Friends { friends, names }, changes: Vec::new() })
}

fn told(done: Befriended, now: Time) -> Answer {
    let missing = done.missing.iter().map(|(subject, entry)| NotByHand {
        target: subject.to_string(),
        entry: entry.as_ref().map(Friend::from),
    });
    let named = done.unbanned.len().min(PAGE);
    let reply = Reply::Allowed {
        targets: done.subjects.iter().map(ToString::to_string).collect(),
        missing: missing.collect(),
        unbanned: rows(done.unbanned.get(..named).unwrap_or_default(), now),
        unsaved: done.unsaved,
    };
    Answer { reply, changes: done.changes }
}

fn subjects(targets: &[String]) -> Result<Vec<Subject>, String> {
    if targets.is_empty() || targets.len() > PAGE {
        return Err(format!("expected 1 to {PAGE} targets, found {}", targets.len()));
    }
    targets.iter().map(|target| subject(target)).collect()
}

fn subject(text: &str) -> Result<Subject, String> {
    match parse_net(text) {
        Ok(net) if net.prefix_len() == 0 => {
            Err(format!("`{net}` makes everybody a friend: nobody could be banned"))
        }
        Ok(net) => Ok(Subject::Net(net)),
        Err(NetError::Neither { .. }) => {
            parse_host(text).map(Subject::Name).map_err(|error| error.to_string())
        }
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let found = match subject(text) {
            Ok(Subject::Net(net)) => format!("net {net}"),
            Ok(Subject::Name(name)) => format!("name {name}"),
            Err(why) => why,
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn friends_are_addresses_prefixes_or_names() {
        check("203.0.113.7", "net 203.0.113.7/32");
        check("::ffff:203.0.113.7", "net 203.0.113.7/32");
        check("2001:db8::1/48", "net 2001:db8::/48");
        check("Home.Example.org.", "name home.example.org");
        check("::/0", "`::/0` makes everybody a friend: nobody could be banned");
        check(
            "203.0.113.300",
            "`203.0.113.300` is neither an address, nor a prefix, nor a host name such as `home.example.org`",
        );
        check("10.0.0.0/40", "`10.0.0.0/40` has no valid prefix length: expected /0 to /32");
    }
}
