//! The end of decisions before their time: whose, and what became of them.

use serde::{Deserialize, Serialize};

use super::OtherRow;
use super::answer::{Answer, nets, plain, rows, shown};
use super::message::{PAGE, Reply, Row};
use crate::decide::{Fitting, Judge, Unbanned, Whose};
use crate::decision::Origin;
use crate::value::Time;

/// Whose decisions are to end: those on targets, or those that fit all that is said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unbanning {
    /// Whom to free. Out of wider prefixes they are cut.
    #[serde(default)]
    pub targets: Vec<String>,
    /// Those of these numbers, bans or not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<u64>,
    /// Everybody.
    #[serde(default)]
    pub all: bool,
    /// Whether narrower decisions inside the targets end, too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub inside: bool,
    /// Those of this scenario.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scenario: Option<String>,
    /// Those that began in so many seconds before now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since_seconds: Option<u64>,
    /// `scenario`, `manual` or `list`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// Say what would become of them, and change nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
}

/// What became, or would become, of decisions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Freed {
    /// How many ended as a whole.
    pub count: usize,
    /// Those that ended, at most a page of them.
    pub decisions: Vec<Row>,
    /// Those that ended and that only bouncers carried out, at most a page of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<OtherRow>,
    /// Those that ended because a hole was cut into them.
    pub split: Vec<Cut>,
    /// Targets that are in none, and numbers that none has.
    pub missing: Vec<String>,
    /// Those on narrower prefixes that still hold.
    pub still: Vec<Still>,
    /// How many are left; asking again ends more.
    pub remaining: usize,
}

/// A decision with a hole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// As it was.
    pub decision: Row,
    /// What is left of it, banned as long and for the same reason.
    pub left: Vec<String>,
}

/// A decision that still holds for a part of what was to be free.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Still {
    /// What was to be free.
    pub target: String,
    /// What holds.
    pub decision: Row,
}

pub(super) fn unban(judge: &mut Judge, asked: &Unbanning, now: Time) -> Result<Answer, String> {
    let whose = whose(asked, now)?;
    let (others, more_others) = judge.others_of(&whose, now).map_err(|error| error.to_string())?;
    if !asked.dry_run {
        // First what may fail: bans end whatever the disk does.
        let numbers: Vec<u64> = others.iter().map(|other| other.id).collect();
        judge.end_others(&numbers, now).map_err(|error| error.to_string())?;
    }
    let mut unbanned = match asked.dry_run {
        true => judge.would_unban(&whose, now),
        false => judge.unban(&whose, now),
    }
    .map_err(|error| error.to_string())?;
    let changes = std::mem::take(&mut unbanned.changes);
    let is_about = |net: &ipnet::IpNet| others.iter().any(|one| one.new.other.net() == Some(*net));
    unbanned.missing.retain(|net| !is_about(net));
    let mut freed = freed(&unbanned, now);
    freed.remaining += more_others;
    let held = unbanned.decisions.iter().map(|decision| decision.id);
    let held: Vec<u64> = held.chain(others.iter().map(|other| other.id)).collect();
    let unknown = asked.ids.iter().filter(|id| !held.contains(id));
    freed.missing.extend(unknown.map(ToString::to_string));
    freed.others = others.iter().map(|other| OtherRow::of(other, now)).collect();
    Ok(Answer { reply: Reply::Unbanned(Box::new(freed)), changes })
}

fn whose(asked: &Unbanning, now: Time) -> Result<Whose, String> {
    let nets = nets(&asked.targets)?;
    let fitting = Fitting {
        scenario: asked.scenario.clone(),
        since: asked.since_seconds.map(|seconds| {
            let nanos = i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1_000_000_000);
            now.plus(-nanos)
        }),
        origin: asked.origin.as_deref().map(origin).transpose()?,
    };
    let is_fitting = asked.all || fitting != Fitting::default();
    if !asked.ids.is_empty() {
        if asked.ids.len() > PAGE {
            return Err(format!("expected at most {PAGE} numbers, found {}", asked.ids.len()));
        }
        if !nets.is_empty() || is_fitting || asked.inside {
            return Err("expected numbers, or whom to unban, found both".to_owned());
        }
        return Ok(Whose::Numbered(asked.ids.clone()));
    }
    match (nets.is_empty(), is_fitting) {
        (false, false) => Ok(Whose::These { nets, inside: asked.inside }),
        (true, true) if asked.inside => Err("expected targets beside `inside`".to_owned()),
        (true, true) => Ok(Whose::Fitting(fitting)),
        (false, true) => Err("expected targets, or what decisions must fit, found both".to_owned()),
        (true, false) => Err("expected whom to unban, found nobody".to_owned()),
    }
}

pub(super) fn origin(name: &str) -> Result<Origin, String> {
    Origin::named(name)
        .ok_or_else(|| format!("expected `scenario`, `manual` or `list`, found `{}`", plain(name)))
}

fn freed(unbanned: &Unbanned, now: Time) -> Freed {
    let named = unbanned.decisions.len().min(PAGE);
    let cut = |(decision, left): &(_, Vec<_>)| Cut {
        decision: Row::of(decision, now),
        left: left.iter().map(|net| shown(*net)).collect(),
    };
    let still = unbanned.still.iter().take(PAGE);
    Freed {
        count: unbanned.decisions.len(),
        decisions: rows(unbanned.decisions.get(..named).unwrap_or_default(), now),
        others: Vec::new(),
        split: unbanned.split.iter().map(cut).collect(),
        missing: unbanned.missing.iter().map(|net| shown(*net)).collect(),
        still: still
            .map(|(net, decision)| Still { target: shown(*net), decision: Row::of(decision, now) })
            .collect(),
        remaining: unbanned.remaining,
    }
}
