//! Which alerts a request asks for. Pure.
//!
//! What is not known is refused: whoever deletes alerts by a misspelt filter would lose them all.

use std::borrow::Cow;

use super::shown::{Facts, facts};
use crate::decision::{parse_net, usual_scope};
use crate::lapi::decision::{kind, origin};
use crate::lapi::query::{About, Pairs, Wrong, about, number, truth};
use crate::ledger::{AlertsWanted, FollowedAlert};
use crate::value::{Time, parse_duration_with_days};

/// Alerts that are told unless more are asked for.
const USUAL: usize = 100;

/// Which alerts are wanted.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::lapi) struct AlertFilter {
    scope: Option<String>,
    value: Option<String>,
    scenario: Option<String>,
    about: Option<About>,
    since: Option<Time>,
    until: Option<Time>,
    created_before: Option<Time>,
    decision_type: Option<String>,
    origin: Option<String>,
    kind: Option<String>,
    without_lists: bool,
    without_simulated: bool,
    active: Option<bool>,
    /// `None` for all.
    pub(in crate::lapi) limit: Option<usize>,
    pub(in crate::lapi) ascending: bool,
    pub(in crate::lapi) with_decisions: bool,
    now: Time,
}

impl AlertFilter {
    /// Reads it out of a query that is asked at `now`.
    pub(in crate::lapi) fn of(pairs: &Pairs, now: Time) -> Result<Self, Wrong> {
        const KNOWN: [&str; 18] = [
            "scope",
            "value",
            "scenario",
            "ip",
            "range",
            "contains",
            "since",
            "until",
            "created_before",
            "decision_type",
            "origin",
            "include_capi",
            "has_active_decision",
            "kind",
            "simulated",
            "limit",
            "sort",
            "with_decisions",
        ];
        pairs.only(&KNOWN)?;
        let text = |name| pairs.get(name).map(str::to_owned);
        let ago = |name| -> Result<Option<Time>, Wrong> {
            let Some(value) = pairs.get(name) else { return Ok(None) };
            let wrong = || Wrong::Duration { name, value: value.to_owned() };
            let nanos = parse_duration_with_days(value).ok_or_else(wrong)?;
            Ok(Some(now.plus(nanos.saturating_neg())))
        };
        let is = |name, usual| pairs.get(name).map_or(Ok(usual), |value| truth(name, value));
        Ok(Self {
            scope: pairs.get("scope").map(|scope| usual_scope(scope).to_owned()),
            value: text("value"),
            scenario: text("scenario"),
            about: about(pairs)?,
            since: ago("since")?,
            until: ago("until")?,
            created_before: ago("created_before")?,
            decision_type: text("decision_type"),
            origin: text("origin"),
            kind: text("kind"),
            without_lists: !is("include_capi", true)?,
            without_simulated: pairs.get("simulated") == Some("false"),
            active: match pairs.get("has_active_decision") {
                Some(value) => Some(truth("has_active_decision", value)?),
                None => None,
            },
            limit: Some(number(pairs, "limit")?.unwrap_or(USUAL)).filter(|limit| *limit > 0),
            ascending: pairs.get("sort").is_some_and(|order| order.eq_ignore_ascii_case("asc")),
            with_decisions: is("with_decisions", true)?,
            now,
        })
    }

    /// What of it the ledger looks at.
    pub(super) fn wanted(&self) -> AlertsWanted {
        AlertsWanted {
            active: self.active.map(|active| (active, self.now)),
            without_lists: self.without_lists,
            around: match self.about {
                Some(About::Around(net)) => Some(net),
                _ => None,
            },
            // Nothing is made before it begins.
            created_since: self.since,
            created_until: self.created_before,
        }
    }

    /// Whether an alert that the ledger gave is wanted.
    pub(super) fn takes(&self, alert: &FollowedAlert) -> bool {
        let facts = facts(alert);
        let is = |wanted: &Option<String>, found: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted == found)
        };
        let any =
            |test: &dyn Fn(&crate::ledger::Followed) -> bool| alert.decisions.iter().any(test);
        is(&self.scope, &facts.scope)
            && is(&self.value, &facts.value)
            && is(&self.kind, facts.kind)
            && self.scenario.as_ref().is_none_or(|wanted| {
                facts.scenario == wanted || any(&|decision| decision.reason == *wanted)
            })
            && self.since.is_none_or(|since| facts.start_at() >= since)
            && self.until.is_none_or(|until| facts.start_at() <= until)
            && !(self.without_simulated && facts.simulated)
            && self
                .decision_type
                .as_ref()
                .is_none_or(|wanted| any(&|decision| kind(decision) == wanted))
            && self.origin.as_ref().is_none_or(|wanted| any(&|decision| origin(decision) == wanted))
            && self.about.is_none_or(|about| is_about(about, &facts, alert))
    }
}

/// Whether an alert blames what is asked about, or a decision of it is about that.
fn is_about(about: About, facts: &Facts<'_>, alert: &FollowedAlert) -> bool {
    let fits = |net: ipnet::IpNet| match about {
        About::Around(wanted) => net.contains(&wanted),
        About::Inside(wanted) => wanted.contains(&net),
    };
    let is_address = matches!(&*facts.scope, "Ip" | "Range");
    let blamed = |value: &Cow<'_, str>| parse_net(value).ok();
    is_address && blamed(&facts.value).is_some_and(fits)
        || alert.decisions.iter().filter_map(crate::ledger::Followed::net).any(fits)
}

#[cfg(test)]
mod tests;
