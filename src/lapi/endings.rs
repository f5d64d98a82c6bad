//! Which decisions a machine wants ended. Pure.
//!
//! What is not known is refused, since nothing at all means every decision.

use super::decision::{origin_of, uuid};
use super::query::{About, Pairs, Wrong, about};
use crate::decision::{Decision, Origin, Other, scope_and_value, usual_scope};
use crate::value::Time;

/// Which decisions are to end; what is `None` does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fit {
    id: Option<u64>,
    scope: Option<String>,
    value: Option<String>,
    kind: Option<String>,
    origin: Option<String>,
    scenario: Option<String>,
    about: Option<About>,
    uuids: Vec<String>,
}

impl Fit {
    /// The one of this number.
    pub(super) fn numbered(id: u64) -> Self {
        Self { id: Some(id), ..Self::default() }
    }

    /// Reads it out of a query.
    pub(super) fn of(pairs: &Pairs) -> Result<Self, Wrong> {
        const KNOWN: [&str; 9] =
            ["scopes", "origin", "value", "type", "ip", "range", "contains", "scenario", "uuid"];
        pairs.only(&KNOWN)?;
        let text = |name| pairs.get(name).map(str::to_owned);
        Ok(Self {
            id: None,
            scope: pairs.get("scopes").map(|scope| usual_scope(scope).to_owned()),
            value: text("value"),
            kind: text("type"),
            origin: text("origin"),
            scenario: text("scenario"),
            about: about(pairs)?,
            uuids: pairs.all("uuid").map(str::to_owned).collect(),
        })
    }

    /// The same of a query as it is written.
    ///
    /// # Errors
    /// What is wrong with it.
    #[cfg(test)]
    pub(crate) fn of_query(query: &str) -> Result<Self, String> {
        Self::of(&Pairs::of(query)).map_err(|wrong| wrong.to_string())
    }

    /// Whether a decision on an address or a prefix is to end.
    #[must_use]
    pub fn fits(&self, decision: &Decision) -> bool {
        let net = decision.target.net();
        self.is_about(Some(net))
            && self.kind.as_ref().is_none_or(|kind| kind == "ban")
            && self.fits_story(decision.id, decision.origin, &decision.reason, decision.created_at)
            && (self.scope.is_none() && self.value.is_none() || {
                let (scope, value) = scope_and_value(net);
                self.scope.as_ref().is_none_or(|wanted| wanted == scope)
                    && self.value.as_ref().is_none_or(|wanted| *wanted == value)
            })
    }

    /// Whether one that only bouncers carry out is to end, as far as what it says goes.
    #[must_use]
    pub fn fits_other(&self, id: u64, other: &Other) -> bool {
        self.id.is_none_or(|wanted| wanted == id)
            && self.is_about(other.net())
            && self.kind.as_ref().is_none_or(|kind| kind == other.kind())
            && self.scope.as_ref().is_none_or(|scope| scope == other.scope())
            && self.value.as_ref().is_none_or(|value| value == other.value())
    }

    /// Whether [`Fit::fits_story`] has to be asked as well.
    #[must_use]
    pub fn asks_for_story(&self) -> bool {
        self.origin.is_some() || self.scenario.is_some() || !self.uuids.is_empty()
    }

    /// Whether who asked for it, why and when is as it must be.
    #[must_use]
    pub fn fits_story(&self, id: u64, origin: Origin, reason: &str, created_at: Time) -> bool {
        self.id.is_none_or(|wanted| wanted == id)
            && self.origin.as_ref().is_none_or(|wanted| wanted == origin_of(origin, reason))
            && self.scenario.as_ref().is_none_or(|wanted| wanted == reason)
            && (self.uuids.is_empty()
                || self.uuids.iter().any(|wanted| *wanted == uuid(created_at, id)))
    }

    fn is_about(&self, net: Option<ipnet::IpNet>) -> bool {
        match (self.about, net) {
            (None, _) => true,
            (Some(About::Around(wanted)), Some(net)) => net.contains(&wanted),
            (Some(About::Inside(wanted)), Some(net)) => wanted.contains(&net),
            (Some(_), None) => false,
        }
    }
}

#[cfg(test)]
mod tests;
