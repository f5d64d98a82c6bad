//! A decision as bouncers read it. Pure.
//!
//! A bouncer that cannot read one entry may lose the whole answer, so each has all that any of
//! them asks for: origin, type, scope, value, scenario, and a duration in whole seconds.

use std::borrow::Cow;

use serde::Serialize;

use crate::decision::{Origin, RemoteReason, scope_and_value};
use crate::ledger::{Followed, Subject};
use crate::value::{Time, duration_text};

/// In nanoseconds.
pub(super) const SECOND: i64 = 1_000_000_000;

#[derive(Serialize)]
struct Shown<'a> {
    duration: String,
    id: u64,
    origin: &'a str,
    scenario: &'a str,
    scope: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    uuid: Option<String>,
    value: Cow<'a, str>,
}

/// Whether a decision in force at `now` is worth telling: one that is nearly over would become an
/// element without an end in some bouncers.
pub(super) fn is_worth_telling(decision: &Followed, now: Time) -> bool {
    decision.until.since(now) >= SECOND
}

/// What is told of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// For how long it still holds.
    InForce,
    /// Since when it does not.
    Over,
}

/// Writes a decision as it is at `now`.
pub(super) fn write(
    out: &mut Vec<u8>,
    decision: &Followed,
    told: Told,
    with_uuid: bool,
    now: Time,
) {
    let left = match told {
        Told::InForce => decision.until.since(now),
        // However it ended.
        Told::Over => decision.ended_at.unwrap_or(now).min(decision.until).since(now).min(0),
    };
    let shown = Shown {
        duration: duration_text(whole_seconds(left)),
        id: decision.id,
        origin: origin(decision),
        scenario: scenario(decision),
        scope: scope(decision),
        kind: kind(decision),
        uuid: with_uuid.then(|| uuid(decision.created_at, decision.id)),
        value: value(decision),
    };
    serde_json::to_writer(out, &shown).expect("memory takes what is written, and keys are text");
}

/// A decision as it stands in an alert.
#[derive(Serialize)]
pub(super) struct Nested<'a> {
    duration: String,
    id: u64,
    origin: &'a str,
    scenario: &'a str,
    scope: &'a str,
    simulated: bool,
    #[serde(rename = "type")]
    kind: &'a str,
    uuid: String,
    value: Cow<'a, str>,
}

/// A decision of an alert, as it is at `now`; `simulated` where the whole alert is.
pub(super) fn nested(decision: &Followed, simulated: bool, now: Time) -> Nested<'_> {
    let end = decision.ended_at.map_or(decision.until, |ended| ended.min(decision.until));
    Nested {
        duration: duration_text(whole_seconds(end.since(now))),
        id: decision.id,
        origin: origin(decision),
        scenario: scenario(decision),
        scope: scope(decision),
        simulated: simulated || decision.is_observed(),
        kind: kind(decision),
        uuid: uuid(decision.created_at, decision.id),
        value: value(decision),
    }
}

/// Rounded to the nearest.
fn whole_seconds(nanos: i64) -> i64 {
    let half = if nanos < 0 { -SECOND / 2 } else { SECOND / 2 };
    nanos.saturating_add(half) / SECOND * SECOND
}

/// Who asked for a decision, in the words that bouncers are told to filter by.
pub(super) fn origin(decision: &Followed) -> &str {
    origin_of(decision.origin, &decision.reason)
}

/// See [`origin`].
pub(super) fn origin_of(origin: Origin, reason: &str) -> &str {
    match origin {
        Origin::Scenario => "crowdsec",
        Origin::Manual => "cscli",
        Origin::List => "lists",
        Origin::Remote => RemoteReason::read(reason).map_or("lists", |said| said.origin),
    }
}

/// Why, in the words of whoever decided it.
pub(super) fn scenario(decision: &Followed) -> &str {
    said(decision).map_or(&decision.reason, |said| said.scenario)
}

/// What the other host said of a decision that is carried out for it.
fn said(decision: &Followed) -> Option<RemoteReason<'_>> {
    let is_remote = decision.origin == Origin::Remote;
    RemoteReason::read(&decision.reason).filter(|_| is_remote)
}

/// What is to be done. What is only observed would be a ban.
pub(super) fn kind(decision: &Followed) -> &str {
    match &decision.subject {
        Subject::Net(..) => "ban",
        Subject::Other(other) => other.kind(),
    }
}

/// What the value is: one address, several, or no address at all.
pub(super) fn scope(decision: &Followed) -> &str {
    match &decision.subject {
        Subject::Net(net, _) => scope_and_value(*net).0,
        Subject::Other(other) => other.scope(),
    }
}

/// The address, the prefix, or what else it is about.
pub(super) fn value(decision: &Followed) -> Cow<'_, str> {
    match &decision.subject {
        Subject::Net(net, _) => Cow::Owned(scope_and_value(*net).1),
        Subject::Other(other) => Cow::Borrowed(other.value()),
    }
}

/// Of the kind that programs make as they like (version 8 of RFC 9562): when it was decided, and
/// its number.
pub(super) fn uuid(created_at: Time, id: u64) -> String {
    let at = created_at.nanos.unsigned_abs();
    let (high, mid, low) = (at >> 32 & 0xffff_ffff, at >> 16 & 0xffff, at >> 4 & 0xfff);
    format!("{high:08x}-{mid:04x}-8{low:03x}-8000-{:012x}", id & 0xffff_ffff_ffff)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::{Action, Other, parse_net};

    fn decision(net: &str) -> Followed {
        Followed {
            id: 7,
            subject: Subject::Net(parse_net(net).unwrap(), Action::Ban),
            origin: Origin::Scenario,
            reason: "weir/ssh-bf".to_owned(),
            created_at: Time::from_seconds(1_700_000_000),
            until: Time::from_seconds(1_700_014_400),
            ended_at: None,
            version: 0,
        }
    }

    fn uuid_of(decision: &Followed) -> String {
        uuid(decision.created_at, decision.id)
    }

    #[track_caller]
    fn check(decision: &Followed, now: i64, with_uuid: bool, expected: &str) {
        let mut out = Vec::new();
        write(&mut out, decision, Told::InForce, with_uuid, Time::from_nanos(now));
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    const START: i64 = 1_700_000_000 * SECOND;

    #[test]
    fn entries_have_all_that_bouncers_ask_for() {
        check(
            &decision("192.0.2.7"),
            START + SECOND,
            false,
            r#"{"duration":"3h59m59s","id":7,"origin":"crowdsec","scenario":"weir/ssh-bf","scope":"Ip","type":"ban","value":"192.0.2.7"}"#,
        );
        check(
            &Followed { origin: Origin::List, reason: "drop \"it\"".to_owned(), ..decision("2001:db8::/48") },
            START + SECOND * 4 / 3,
            true,
            r#"{"duration":"3h59m59s","id":7,"origin":"lists","scenario":"drop \"it\"","scope":"Range","type":"ban","uuid":"1797b4f6-0000-8000-8000-000000000007","value":"2001:db8::/48"}"#
                .replace("1797b4f6-0000-8000", &uuid_of(&decision("::1"))[..18])
                .as_str(),
        );
        let subject = Subject::Net(parse_net("192.0.2.7").unwrap(), Action::Observe);
        let observed = Followed { subject, ..decision("192.0.2.7") };
        check(
            &observed,
            START,
            false,
            r#"{"duration":"4h0m0s","id":7,"origin":"crowdsec","scenario":"weir/ssh-bf","scope":"Ip","type":"ban","value":"192.0.2.7"}"#,
        );
    }

    #[test]
    fn what_only_bouncers_carry_out_is_told_in_its_own_words() {
        let told = |kind, scope, value| {
            let subject = Subject::Other(Other::new(kind, scope, value).unwrap());
            let mut out = Vec::new();
            let other = Followed { subject, origin: Origin::Manual, ..decision("::1") };
            write(&mut out, &other, Told::InForce, false, Time::from_nanos(START));
            String::from_utf8(out).unwrap()
        };
        assert_eq!(
            told("captcha", "ip", "192.0.2.7"),
            r#"{"duration":"4h0m0s","id":7,"origin":"cscli","scenario":"weir/ssh-bf","scope":"Ip","type":"captcha","value":"192.0.2.7"}"#
        );
        assert!(
            told("ban", "user \"x\"", "50%/a")
                .ends_with(r#""scope":"user \"x\"","type":"ban","value":"50%/a"}"#)
        );
    }

    #[test]
    fn what_is_over_has_less_than_no_time_left() {
        let span = |ended: i64, now: i64| {
            let ended_at = Some(Time::from_nanos(START + ended));
            let mut out = Vec::new();
            let ended = Followed { ended_at, ..decision("192.0.2.7") };
            write(&mut out, &ended, Told::Over, false, Time::from_nanos(START + now));
            let shown: serde_json::Value = serde_json::from_slice(&out).unwrap();
            shown["duration"].as_str().unwrap().to_owned()
        };
        assert_eq!(span(0, 90 * SECOND), "-1m30s");
        assert_eq!(span(0, SECOND / 3), "0s");
        assert_eq!(span(SECOND, 0), "0s", "a clock that went back");
        assert_eq!(span(20_000 * SECOND, 14_401 * SECOND), "-1s", "it was ended late");
    }

    #[test]
    fn uuids_are_well_formed_and_differ() {
        let one = uuid_of(&decision("192.0.2.7"));
        assert_eq!(one.len(), 36);
        assert_eq!(one.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
        assert_ne!(one, uuid_of(&Followed { id: 8, ..decision("192.0.2.7") }));
    }
}
