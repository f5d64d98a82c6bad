//! Lists that go in and out, page by page, so that nobody waits long for a page.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::answer::{Answer, net, plain, shown};
use super::message::{Friend, PAGE, Refused, Reply, Row};
use super::unban;
use crate::decide::{Judge, Listed, Taken};
use crate::value::Time;

/// Some of a list's entries.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Import {
    /// The list's name.
    pub list: String,
    /// For how long entries are banned that do not say; the configured duration when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_seconds: Option<u64>,
    /// Whom to ban.
    pub entries: Vec<ImportEntry>,
    /// Say what would be refused, and change nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
}

/// Somebody on a list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportEntry {
    /// An address or a prefix.
    pub target: String,
    /// For how long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_seconds: Option<u64>,
    /// What the list says of this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What became of a page of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Imported {
    /// How many decisions began.
    pub begun: usize,
    /// How many last longer now.
    pub extended: usize,
    /// How many lasted long enough already.
    pub held: usize,
    /// How many found no room in the ledger.
    pub no_room: usize,
    /// Who was not banned, and why.
    pub refused: Vec<Refused>,
    /// Prefixes that are banned but for the friends in them.
    pub left_out: Vec<LeftOut>,
}

/// A prefix that is banned but for the friends in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// The prefix.
    pub target: String,
    /// The friends.
    pub friends: Vec<Friend>,
}

/// Which decisions to name, in the order of their targets; what is absent does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Export {
    /// Those behind this target: where the page before ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// `scenario`, `manual` or `list`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// Those whose reason contains this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Friends that are named of one prefix.
const MOST_FRIENDS: usize = 10;
/// Decisions that are looked at for one page of an export.
const LOOKED_AT: usize = 10_000;

pub(super) fn import(judge: &mut Judge, asked: &Import, now: Time) -> Result<Answer, String> {
    let list = plain(&asked.list);
    if list.is_empty() {
        return Err("expected a name for the list, found none".to_owned());
    }
    if asked.entries.is_empty() || asked.entries.len() > PAGE {
        return Err(format!("expected 1 to {PAGE} entries, found {}", asked.entries.len()));
    }
    let default = asked.for_seconds.map_or(judge.policy().duration, nanos);
    let listed = |entry: &ImportEntry| {
        let duration = entry.for_seconds.map_or(default, nanos);
        if duration <= 0 {
            return Err("expected a ban of at least one second, found 0".to_owned());
        }
        let reason = match &entry.reason {
            Some(reason) => plain(&format!("{list}: {reason}")),
            None => list.clone(),
        };
        Ok(Listed { net: net(&entry.target)?, until: now.plus(duration), reason })
    };
    let listed = asked.entries.iter().map(listed).collect::<Result<Vec<_>, String>>()?;
    let mut taken = match asked.dry_run {
        true => judge.would_import(&listed, now),
        false => judge.import(listed, now),
    };
    let changes = std::mem::take(&mut taken.changes);
    Ok(Answer { reply: Reply::Imported(Box::new(imported(&taken))), changes })
}

fn nanos(seconds: u64) -> i64 {
    i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1_000_000_000)
}

fn imported(taken: &Taken) -> Imported {
    let left_out = |(net, friends): &(IpNet, Vec<_>)| LeftOut {
        target: shown(*net),
        friends: friends.iter().take(MOST_FRIENDS).map(Friend::from).collect(),
    };
    Imported {
        begun: taken.begun,
        extended: taken.extended,
        held: taken.held,
        no_room: taken.no_room,
        refused: taken.refused.iter().map(Refused::from).collect(),
        left_out: taken.left_out.iter().map(left_out).collect(),
    }
}

pub(super) fn export(judge: &Judge, asked: &Export, now: Time) -> Result<Answer, String> {
    let after = asked.after.as_deref().map(net).transpose()?;
    let origin = asked.origin.as_deref().map(unban::origin).transpose()?;
    let mut decisions = Vec::new();
    let mut next = None;
    let mut all = judge.ledger().active_after(after, now).peekable();
    for held in all.by_ref().take(LOOKED_AT) {
        next = Some(held.target.to_string());
        let fits = origin.is_none_or(|origin| origin == held.origin)
            && asked.reason.as_ref().is_none_or(|text| held.reason.contains(text.as_str()));
        if fits {
            decisions.push(Row::of(held, now));
        }
        if decisions.len() >= PAGE {
            break;
        }
    }
    let next = next.filter(|_| all.peek().is_some());
    Ok(Answer { reply: Reply::Exported { decisions, next }, changes: Vec::new() })
}
