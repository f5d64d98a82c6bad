//! The whole story of an address: what holds for it now, what led to it, what was before.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::OtherRow;
use super::answer::{Answer, net, shown};
use super::message::{Friend, Reply, Row};
use crate::decide::{Judge, Story};
use crate::decision::Decision;
use crate::ledger::{Ended, Refused, Step, Told};
use crate::value::Time;

/// All that is known of an address or a prefix.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Why {
    /// An address or a prefix.
    pub target: String,
    /// The decisions that hold for it: its own, then those on prefixes around it, the narrowest
    /// first.
    pub decisions: Vec<Account>,
    /// Decisions on what lies in it: the first of them.
    pub inside: Vec<Row>,
    /// How many there are.
    pub n_inside: usize,
    /// What only bouncers carry out for it, for what lies in it and for what holds it: the first of
    /// them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<OtherRow>,
    /// Entries of the allowlist that hold it, the narrowest first, then those in it; then who logged
    /// in or is connected, which guards it.
    pub friends: Vec<Friend>,
    /// Bans of it, or of prefixes around it, that were refused, the latest first.
    pub refusals: Vec<RefusedBan>,
    /// Decisions that ended, the latest first.
    pub past: Vec<PastDecision>,
    /// What backends hold for it, or for its first address; `None` when nobody was asked.
    pub kernel: Option<Vec<InKernel>>,
}

/// A decision that holds, and how it came to be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Account {
    /// As it is.
    pub decision: Row,
    /// The first and the latest steps, oldest first; a list leaves none.
    #[serde(default)]
    pub steps: Vec<StepRow>,
    /// What led to some of them, oldest first.
    #[serde(default)]
    pub stories: Vec<ToldRow>,
}

/// A step in the life of a decision.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StepRow {
    /// When.
    pub at: String,
    /// `begun`, `extended`, `held`, `piece`, `listed` or `left`.
    pub what: String,
    /// What was asked for.
    pub action: String,
    /// By whom.
    pub origin: String,
    /// Why.
    pub reason: String,
    /// Until when.
    pub until: String,
    /// How many events made it.
    pub events: u64,
}

/// What led to a step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ToldRow {
    /// When.
    pub at: String,
    /// The step.
    pub what: String,
    /// What led to it.
    pub story: Story,
}

/// A decision that ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PastDecision {
    /// Its number.
    pub id: u64,
    /// An address or a prefix.
    pub target: String,
    /// `ban` or `observe`.
    pub action: String,
    /// Who asked for it.
    pub origin: String,
    /// Why.
    pub reason: String,
    /// When it began.
    pub created_at: String,
    /// When it ended.
    pub ended_at: String,
    /// Why it ended.
    pub cause: String,
    /// How many events made it.
    pub events: u64,
    /// What led to it, oldest first.
    pub stories: Vec<ToldRow>,
}

/// A ban that was refused.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RefusedBan {
    /// Who was to be banned.
    pub target: String,
    /// When.
    pub at: String,
    /// Why not, in a word.
    pub reason: String,
    /// The scenario that asked for it.
    pub scenario: String,
    /// What led to it.
    pub story: Option<Story>,
}

/// What a backend holds for an address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct InKernel {
    /// The backend.
    pub backend: String,
    /// Its elements that hold the address.
    pub elements: Vec<ElementRow>,
    /// Why that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// An element of a backend.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ElementRow {
    /// An address, or the first and last of several.
    pub element: String,
    /// How long it still lasts, rounded up; `None` is for good.
    pub remaining_seconds: Option<u64>,
    /// Packets dropped for it, where that is counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packets: Option<u64>,
    /// Bytes of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

impl Why {
    /// Whether nothing is known of it.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.decisions.is_empty()
            && self.n_inside == 0
            && self.others.is_empty()
            && self.friends.is_empty()
            && self.refusals.is_empty()
            && self.past.is_empty()
    }
}

/// How much is named: one screen, and a bounded time.
const STEPS: u32 = 32;
const INSIDE: usize = 10;
const PAST: usize = 10;
const PAST_OF_EACH: u32 = 10;
const TOLD: usize = 3;
const REFUSALS: usize = 10;
const FRIENDS: usize = 10;

pub(super) fn why(judge: &Judge, target: &str, now: Time) -> Result<Answer, String> {
    let net = net(target)?;
    let why = tell(judge, net, now).map_err(|error| error.to_string())?;
    Ok(Answer { reply: Reply::Why(Box::new(why)), changes: Vec::new() })
}

fn tell(judge: &Judge, net: IpNet, now: Time) -> Result<Why, crate::ledger::Error> {
    let ledger = judge.ledger();
    let holds = |held: &&Decision| held.until > now;
    let own = ledger.inside(net).next().filter(|held| held.target.net() == net);
    let mut decisions = Vec::new();
    for held in own.into_iter().chain(ledger.around(net)).filter(holds) {
        let steps = ledger.history(held.target.net(), STEPS)?;
        let steps = steps.iter().filter(|step| step.decision == held.id).map(StepRow::of);
        let steps = steps.collect();
        let stories = told(&ledger.stories(held.id)?);
        decisions.push(Account { decision: Row::of(held, now), steps, stories });
    }
    let mut inside = Vec::new();
    let mut n_inside = 0;
    for held in ledger.inside(net).filter(holds).filter(|held| held.target.net() != net) {
        n_inside += 1;
        if inside.len() < INSIDE {
            inside.push(Row::of(held, now));
        }
    }
    let (mut ended, mut refused) = (Vec::new(), Vec::new());
    for length in (0..=net.prefix_len()).rev() {
        let Ok(wider) = IpNet::new(net.addr(), length) else { continue };
        ended.extend(ledger.ended_of(wider.trunc(), PAST_OF_EACH)?);
        refused.extend(ledger.refusals(wider.trunc(), PAST_OF_EACH)?);
    }
    ended.sort_by_key(|ended| std::cmp::Reverse((ended.ended_at, ended.id)));
    refused.sort_by_key(|refused| std::cmp::Reverse(refused.at));
    let mut past = Vec::new();
    for (number, ended) in ended.iter().take(PAST).enumerate() {
        let stories = if number < TOLD { ledger.stories(ended.id)? } else { Vec::new() };
        past.push(PastDecision::of(ended, told(&stories)));
    }
    let others = ledger.others_on(net, true, now).map(|(id, _)| id).take(INSIDE);
    let others = ledger.stored_others(&others.collect::<Vec<_>>())?;
    let guard = judge.guard_of(net, now);
    let friends = judge.policy().allowlist.find_all(net).take(FRIENDS);
    Ok(Why {
        target: shown(net),
        decisions,
        inside,
        n_inside,
        others: others.iter().map(|other| OtherRow::of(other, now)).collect(),
        friends: friends.map(Friend::from).chain(guard.as_ref().map(Friend::from)).collect(),
        refusals: refused.iter().take(REFUSALS).map(RefusedBan::of).collect(),
        past,
        kernel: None,
    })
}

fn told(stories: &[Told]) -> Vec<ToldRow> {
    let row = |told: &Told| {
        let story = Story::read(&told.story)?;
        Some(ToldRow { at: second(told.at), what: told.what.clone(), story })
    };
    stories.iter().filter_map(row).collect()
}

/// An instant without its fraction.
fn second(at: Time) -> String {
    Time::from_seconds(at.seconds()).rfc3339()
}

impl StepRow {
    fn of(step: &Step) -> Self {
        Self {
            at: second(step.at),
            what: step.what.clone(),
            action: step.action.name().to_owned(),
            origin: step.origin.name().to_owned(),
            reason: step.reason.clone(),
            until: second(step.until),
            events: step.events,
        }
    }
}

impl PastDecision {
    fn of(ended: &Ended, stories: Vec<ToldRow>) -> Self {
        Self {
            id: ended.id,
            target: shown(ended.net),
            action: ended.action.name().to_owned(),
            origin: ended.origin.name().to_owned(),
            reason: ended.reason.clone(),
            created_at: second(ended.created_at),
            ended_at: second(ended.ended_at),
            cause: ended.cause.name().to_owned(),
            events: ended.events,
            stories,
        }
    }
}

impl RefusedBan {
    fn of(refused: &Refused) -> Self {
        Self {
            target: shown(refused.net),
            at: second(refused.at),
            reason: refused.reason.clone(),
            scenario: refused.scenario.clone(),
            story: refused.story.as_deref().and_then(Story::read),
        }
    }
}
