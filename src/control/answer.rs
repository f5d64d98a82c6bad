//! The judge's answers: requests become calls of [`Judge`], decisions become rows.

use ipnet::IpNet;

use super::message::{FailureKind, Listing, PAGE, Refused, Reply, Request, Row};
use super::{allow, brake, canary, import, others, unban, why};
use crate::decide::{Judge, Query, is_of_guard};
use crate::decision::{Action, Decision, Refusal, parse_net};
use crate::ledger::Change;
use crate::value::Time;

/// An answer, and what the kernel is to be told before it is given.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// What to say.
    pub reply: Reply,
    /// What to do, in this order.
    pub changes: Vec<Change>,
}

/// The longest reason that is kept, in characters.
const LONGEST_REASON: usize = 200;

/// Answers a request for which [`Request::is_for_judge`] holds; the others fail.
#[must_use]
pub fn answer(judge: &mut Judge, request: &Request, now: Time) -> Answer {
    let answered = match request {
        Request::Ban { targets, for_seconds, reason, force } => {
            ban(judge, targets, *for_seconds, reason, *force, now)
        }
        Request::Unban(asked) => unban::unban(judge, asked, now),
        Request::List(listing) => list(judge, listing, now),
        Request::ListOthers(asked) => others::list(judge, asked, now),
        Request::Allow { targets, for_seconds, comment } => {
            allow::allow(judge, targets, *for_seconds, comment, now)
        }
        Request::Brake(asked) => brake::brake(judge, *asked, now),
        Request::Disallow { targets } => allow::disallow(judge, targets, now),
        Request::Friends { target } => allow::friends(judge, target.as_deref(), now),
        Request::Import(asked) => import::import(judge, asked, now),
        Request::Export(asked) => import::export(judge, asked, now),
        Request::Why { target } => why::why(judge, target, now),
        Request::RemoveCanary { target } => canary::remove(judge, target, now),
        Request::Status
        | Request::Reload
        | Request::Flush { .. }
        | Request::Unmatched(_)
        | Request::Coverage(_)
        | Request::Canary(_)
        | Request::Bouncers(_)
        | Request::Machines(_)
        | Request::Tables(_)
        | Request::Version => Err("the judge does not know that".to_owned()),
    };
    answered.unwrap_or_else(|message| Answer {
        reply: Reply::failed(FailureKind::Usage, message),
        changes: Vec::new(),
    })
}

fn ban(
    judge: &mut Judge,
    targets: &[String],
    for_seconds: Option<u64>,
    reason: &str,
    force: bool,
    now: Time,
) -> Result<Answer, String> {
    let nets = nets(targets)?;
    if nets.is_empty() {
        return Err("expected whom to ban, found nobody".to_owned());
    }
    if for_seconds == Some(0) {
        return Err("expected a ban of at least one second, found 0".to_owned());
    }
    let duration = for_seconds
        .map(|seconds| i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1_000_000_000));
    let banned = judge.ban_guarded(&nets, duration, &plain(reason), force, now);
    let reply = Reply::Banned {
        decisions: rows(&banned.decisions, now),
        refused: banned.refused.iter().map(refused).collect(),
    };
    Ok(Answer { reply, changes: banned.changes })
}

/// A refusal, with the way around it where there is one.
fn refused(refusal: &Refusal) -> Refused {
    let mut refused = Refused::from(refusal);
    if is_of_guard(refusal) {
        refused.message.push_str("; `weir ban --force` bans nevertheless");
    }
    refused
}

fn list(judge: &Judge, listing: &Listing, now: Time) -> Result<Answer, String> {
    let word = |word: &str, words: &str| format!("expected {words}, found `{}`", plain(word));
    let query = Query {
        net: listing.target.as_deref().map(net).transpose()?,
        action: match &listing.action {
            None => None,
            Some(name) => {
                Some(Action::named(name).ok_or_else(|| word(name, "`ban` or `observe`"))?)
            }
        },
        origin: listing.origin.as_deref().map(unban::origin).transpose()?,
        reason: listing.reason.clone(),
        after: listing.after,
        before: listing.before,
        newest: listing.newest,
    };
    let limit = listing.limit.unwrap_or(PAGE).min(PAGE);
    let (decisions, total) = judge.list(&query, limit, now);
    let row = |decision: &Decision| {
        let limited = judge.limited(decision.target.net()).map(str::to_owned);
        Row { limited, ..Row::of(decision, now) }
    };
    let decisions = decisions.into_iter().map(row).collect();
    let others = judge.ledger().n_others();
    Ok(Answer { reply: Reply::Listed { decisions, total, others }, changes: Vec::new() })
}

pub(super) fn nets(targets: &[String]) -> Result<Vec<IpNet>, String> {
    if targets.len() > PAGE {
        return Err(format!("expected at most {PAGE} targets at once, found {}", targets.len()));
    }
    targets.iter().map(|target| net(target)).collect()
}

pub(super) fn net(text: &str) -> Result<IpNet, String> {
    parse_net(text).map_err(|error| error.to_string())
}

pub(super) fn rows(decisions: &[Decision], now: Time) -> Vec<Row> {
    decisions.iter().map(|decision| Row::of(decision, now)).collect()
}

/// A single address without its length.
pub(super) fn shown(net: IpNet) -> String {
    if net.prefix_len() == net.max_prefix_len() { net.addr().to_string() } else { net.to_string() }
}

/// What an operator wrote, on one line and of bounded length: it is shown to others later.
pub(super) fn plain(text: &str) -> String {
    let one_line = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    one_line.take(LONGEST_REASON).collect::<String>().trim().to_owned()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::decide::{Measures, Observe, Policy, Profiles};
    use crate::decision::{Allowlist, defaults};
    use crate::ledger::{Ledger, Options};

    pub(in crate::control) struct Court {
        pub(in crate::control) judge: Judge,
        _folder: tempfile::TempDir,
    }

    impl Court {
        pub(in crate::control) fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("ledger.db");
            let policy = Policy {
                allowlist: Allowlist::new(defaults(&[], false)),
                profiles: Profiles::standard(1),
                observe: Observe::Nothing,
                duration: 60_000_000_000,
                measures: Measures::default(),
            };
            let ledger =
                Ledger::open(&path, Options::default(), &policy.allowlist, at(0)).unwrap().0;
            Self { judge: Judge::new(policy, ledger), _folder: folder }
        }

        /// Asks in JSON, as the socket does, and gives the answer in JSON and the changes.
        pub(in crate::control) fn ask(&mut self, request: &str, now: i64) -> (String, usize) {
            let request = serde_json::from_str(request).unwrap();
            let answer = answer(&mut self.judge, &request, at(now));
            (serde_json::to_string(&answer.reply).unwrap(), answer.changes.len())
        }
    }

    pub(in crate::control) fn at(seconds: i64) -> Time {
        Time::from_seconds(1_700_000_000 + seconds)
    }

    #[track_caller]
    pub(in crate::control) fn check(
        court: &mut Court,
        request: &str,
        now: i64,
        reply: &str,
        changes: usize,
    ) {
        assert_eq!(court.ask(request, now), (reply.to_owned(), changes));
    }

    #[test]
    fn a_ban_is_listed_until_it_is_taken_back() {
        let mut court = Court::new();
        let row = |remaining: u32| {
            format!(
                r#"{{"id":1,"target":"203.0.113.7","family":"ipv4","action":"ban","origin":"manual","reason":"two lines","created_at":"2023-11-14T22:13:21Z","until":"2023-11-14T22:14:21Z","remaining_seconds":{remaining},"events":0}}"#
            )
        };
        check(
            &mut court,
            r#"{"request":"ban","targets":["203.0.113.7"],"reason":"two\nlines"}"#,
            1,
            &format!(r#"{{"reply":"banned","decisions":[{}],"refused":[]}}"#, row(60)),
            1,
        );
        check(
            &mut court,
            r#"{"request":"list","target":"203.0.113.0/24","action":"ban","origin":"manual"}"#,
            11,
            &format!(r#"{{"reply":"listed","decisions":[{}],"total":1}}"#, row(50)),
            0,
        );
        check(
            &mut court,
            r#"{"request":"unban","targets":["203.0.113.0/24"]}"#,
            21,
            &format!(
                r#"{{"reply":"unbanned","count":0,"decisions":[],"split":[],"missing":["203.0.113.0/24"],"still":[{{"target":"203.0.113.0/24","decision":{}}}],"remaining":0}}"#,
                row(40)
            ),
            0,
        );
        check(
            &mut court,
            r#"{"request":"unban","targets":["203.0.113.7"]}"#,
            31,
            &format!(
                r#"{{"reply":"unbanned","count":1,"decisions":[{}],"split":[],"missing":[],"still":[],"remaining":0}}"#,
                row(30)
            ),
            1,
        );
        check(
            &mut court,
            r#"{"request":"unban","all":true}"#,
            41,
            r#"{"reply":"unbanned","count":0,"decisions":[],"split":[],"missing":[],"still":[],"remaining":0}"#,
            0,
        );
    }

    #[test]
    fn a_refusal_names_the_friend() {
        check(
            &mut Court::new(),
            r#"{"request":"ban","targets":["192.168.1.9"]}"#,
            0,
            r#"{"reply":"banned","decisions":[],"refused":[{"target":"192.168.1.9/32","message":"`192.168.1.9` is on the allowlist: `192.168.0.0/16` (default: private)","entry":{"net":"192.168.0.0/16","origin":"default","comment":"private"}}]}"#,
            0,
        );
    }

    #[test]
    fn a_wrong_request_changes_nothing() {
        let mut court = Court::new();
        let mut wrong = |request: &str, message: &str| {
            let reply = format!(r#"{{"reply":"failed","kind":"usage","message":"{message}"}}"#);
            check(&mut court, request, 0, &reply, 0);
        };
        wrong(
            r#"{"request":"ban","targets":["203.0.113.7","203.0.113.0/33"]}"#,
            "`203.0.113.0/33` has no valid prefix length: expected /0 to /32",
        );
        wrong(r#"{"request":"ban","targets":[]}"#, "expected whom to ban, found nobody");
        wrong(
            r#"{"request":"ban","targets":["203.0.113.7"],"for_seconds":0}"#,
            "expected a ban of at least one second, found 0",
        );
        wrong(r#"{"request":"unban"}"#, "expected whom to unban, found nobody");
        wrong(
            r#"{"request":"unban","all":true,"targets":["203.0.113.7"]}"#,
            "expected targets, or what decisions must fit, found both",
        );
        wrong(r#"{"request":"list","action":"hug"}"#, "expected `ban` or `observe`, found `hug`");
        wrong(r#"{"request":"status"}"#, "the judge does not know that");
        assert_eq!(court.judge.ledger().active(at(0)).count(), 0);
    }

    #[test]
    fn a_page_is_never_longer_than_a_page() {
        let mut court = Court::new();
        let nets: Vec<IpNet> = (0..3_000_u32)
            .map(|n| IpNet::from(std::net::IpAddr::from(std::net::Ipv4Addr::from(0x0B00_0000 + n))))
            .collect();
        court.judge.ban(&nets, None, "", at(0));
        let mut page = |after, limit| {
            let request = Request::List(Listing { after, limit, ..Listing::default() });
            match answer(&mut court.judge, &request, at(1)).reply {
                Reply::Listed { decisions, total, .. } => (decisions.len(), total),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(page(0, Some(usize::MAX)), (PAGE, 3_000));
        assert_eq!(page(2_000, None), (1_000, 1_000));
        assert_eq!(page(0, Some(0)), (0, 3_000));
        let mut newest = |before| {
            let listing = Listing { before, newest: true, limit: Some(2), ..Listing::default() };
            match answer(&mut court.judge, &Request::List(listing), at(1)).reply {
                Reply::Listed { decisions, total, .. } => {
                    (decisions.iter().map(|row| row.id).collect::<Vec<_>>(), total)
                }
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(newest(None), (vec![3_000, 2_999], 3_000));
        assert_eq!(newest(Some(2_999)), (vec![2_998, 2_997], 2_998));
        assert_eq!(newest(Some(2)), (vec![1], 1));
    }
}
