//! The brake, as operators ask for it.

use serde::{Deserialize, Serialize};

use super::answer::{Answer, rows};
use super::message::{PAGE, Reply, Row};
use crate::decide::Judge;
use crate::value::Time;

/// What is asked of the brake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Braking {
    /// Whether it is to be released.
    #[serde(default)]
    pub release: bool,
    /// Whether those are banned then whom it kept from being.
    #[serde(default)]
    pub carry_out: bool,
}

/// How the brake is, or was when it was released.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Braked {
    /// Since when it is on, RFC 3339; none when it is not.
    pub since: Option<String>,
    /// Why.
    pub why: String,
    /// How many decisions it kept from being carried out.
    pub observed: usize,
    /// Whether it was released.
    pub released: bool,
    /// How many bans were carried out then.
    pub count: usize,
    /// Those, at most a page of them.
    pub banned: Vec<Row>,
}

pub(super) fn brake(judge: &mut Judge, asked: Braking, now: Time) -> Result<Answer, String> {
    if asked.carry_out && !asked.release {
        return Err("expected `release` together with `carry_out`".to_owned());
    }
    let (was, banned, changes) = match asked.release {
        false => (judge.brake(), Vec::new(), Vec::new()),
        true => {
            let released = judge.release(asked.carry_out, now);
            (released.was, released.banned, released.changes)
        }
    };
    let pulled = was.pulled;
    let since = pulled.as_ref().map(|pulled| Time::from_seconds(pulled.at.seconds()).rfc3339());
    let reply = Reply::Brake(Box::new(Braked {
        since,
        why: pulled.map(|pulled| pulled.why).unwrap_or_default(),
        observed: was.observed,
        released: asked.release,
        count: banned.len(),
        banned: rows(banned.get(..banned.len().min(PAGE)).unwrap_or_default(), now),
    }));
    Ok(Answer { reply, changes })
}
