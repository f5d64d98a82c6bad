//! What only bouncers carry out, for operators: shown beside the bans, and never among them, because
//! who reads a list of bans reads addresses.

use serde::{Deserialize, Serialize};

use super::answer::{Answer, net};
use super::message::{PAGE, Reply};
use crate::decide::Judge;
use crate::ledger::{NewOther, StoredOther};
use crate::value::Time;

/// Which of them to name; what is absent does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListingOthers {
    /// Those on this address or prefix, in it, or around it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Those whose reason contains this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Those with a greater number: where the page before says that the next one begins.
    #[serde(default)]
    pub after: u64,
}

/// One of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OtherRow {
    /// Its number.
    pub id: u64,
    /// What bouncers are to do, such as `captcha`; hostile.
    #[serde(rename = "type")]
    pub kind: String,
    /// What the value is, such as `Ip` or `Country`; hostile.
    pub scope: String,
    /// Whom it is about; hostile.
    pub value: String,
    /// `scenario`, `manual` or `list`.
    pub origin: String,
    /// The scenario's name, or the operator's words.
    pub reason: String,
    /// When it began.
    pub created_at: String,
    /// When it ends.
    pub until: String,
    /// How long it still lasts, rounded up.
    pub remaining_seconds: u64,
}

impl OtherRow {
    /// It as it is at `now`.
    #[must_use]
    pub fn of(stored: &StoredOther, now: Time) -> Self {
        const SECOND: u64 = 1_000_000_000;
        let NewOther { other, origin, reason, until } = &stored.new;
        let shown = |at: Time| Time::from_seconds(at.seconds()).rfc3339();
        Self {
            id: stored.id,
            kind: other.kind().to_owned(),
            scope: other.scope().to_owned(),
            value: other.value().to_owned(),
            origin: origin.name().to_owned(),
            reason: reason.clone(),
            created_at: shown(stored.created_at),
            until: shown(*until),
            remaining_seconds: u64::try_from(until.since(now)).unwrap_or(0).div_ceil(SECOND),
        }
    }
}

pub(super) fn list(judge: &Judge, asked: &ListingOthers, now: Time) -> Result<Answer, String> {
    let wanted = asked.target.as_deref().map(net).transpose()?;
    let ledger = judge.ledger();
    let touches = |held: ipnet::IpNet| {
        wanted.is_none_or(|wanted| wanted.contains(&held) || held.contains(&wanted))
    };
    let fitting = ledger
        .others(now)
        .filter(|(id, other)| *id > asked.after && other.net().map_or(wanted.is_none(), touches));
    let mut numbers: Vec<u64> = fitting.map(|(id, _)| id).take(PAGE + 1).collect();
    let has_more = numbers.len() > PAGE;
    numbers.truncate(PAGE);
    let next = numbers.last().copied().filter(|_| has_more);
    let mut found = ledger.stored_others(&numbers).map_err(|error| error.to_string())?;
    let reason = asked.reason.as_deref().unwrap_or_default();
    found.retain(|stored| stored.new.reason.contains(reason));
    let others = found.iter().map(|stored| OtherRow::of(stored, now)).collect();
    Ok(Answer { reply: Reply::Others { others, next }, changes: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::answer::tests::{Court, at, check};
    use crate::decision::{Origin, Other};

    fn court() -> Court {
        let mut court = Court::new();
        let new = |kind, scope, value| NewOther {
            other: Other::new(kind, scope, value).unwrap(),
            origin: Origin::Manual,
            reason: "by hand".to_owned(),
            until: at(100),
        };
        let news = vec![new("captcha", "ip", "203.0.113.7"), new("ban", "country", "FR")];
        court.judge.begin_others(news, at(0)).unwrap();
        court.judge.ban(&["203.0.113.7/32".parse().unwrap()], None, "", at(0));
        court
    }

    const CAPTCHA: &str = r#"{"id":1,"type":"captcha","scope":"Ip","value":"203.0.113.7","origin":"manual","reason":"by hand","created_at":"2023-11-14T22:13:20Z","until":"2023-11-14T22:15:00Z","remaining_seconds":90}"#;

    #[test]
    fn they_are_listed_by_themselves() {
        let mut court = court();
        let country = CAPTCHA
            .replace("captcha", "ban")
            .replace("203.0.113.7", "FR")
            .replace("Ip", "Country")
            .replace("\"id\":1", "\"id\":2");
        let mut listed = |request: &str, rows: &[&str]| {
            let reply =
                format!(r#"{{"reply":"others","others":[{}],"next":null}}"#, rows.join(","));
            check(&mut court, request, 10, &reply, 0);
        };
        listed(r#"{"request":"list-others"}"#, &[CAPTCHA, &country]);
        listed(r#"{"request":"list-others","after":1}"#, &[&country]);
        listed(r#"{"request":"list-others","target":"203.0.113.0/24"}"#, &[CAPTCHA]);
        listed(r#"{"request":"list-others","target":"203.0.113.8"}"#, &[]);
        listed(r#"{"request":"list-others","reason":"http"}"#, &[]);
        let (reply, _) = court.ask(r#"{"request":"list"}"#, 10);
        assert!(reply.ends_with(r#""total":1,"others":2}"#), "{reply}");
        let (reply, _) = court.ask(r#"{"request":"why","target":"203.0.113.7"}"#, 10);
        assert!(reply.contains(&format!(r#""others":[{CAPTCHA}]"#)), "{reply}");
        let (reply, _) = court.ask(r#"{"request":"export"}"#, 10);
        assert_eq!(reply.matches("\"id\"").count(), 1, "{reply}");
    }

    /// How many bans and others end, and what is missing.
    #[track_caller]
    fn ends(court: &mut Court, more: &str, expected: (usize, usize, &[&str])) {
        let (reply, _) = court.ask(&format!(r#"{{"request":"unban",{more}}}"#), 10);
        let reply: serde_json::Value = serde_json::from_str(&reply).unwrap();
        let len = |name: &str| reply[name].as_array().map_or(0, Vec::len);
        let missing: Vec<_> = reply["missing"].as_array().unwrap().iter().collect();
        let found = (len("decisions"), len("others"), &missing[..]);
        assert_eq!((found.0, found.1), (expected.0, expected.1), "{more}: {reply}");
        assert_eq!(missing, expected.2, "{more}");
    }

    #[test]
    fn they_end_with_the_bans_of_the_same_address_or_by_number() {
        ends(&mut court(), r#""targets":["203.0.113.7"]"#, (1, 1, &[]));
        ends(&mut court(), r#""targets":["203.0.113.0/24"],"inside":true"#, (1, 1, &[]));
        ends(&mut court(), r#""all":true"#, (1, 2, &[]));
        ends(&mut court(), r#""origin":"scenario""#, (0, 0, &[]));
        let mut court = court();
        ends(&mut court, r#""ids":[2,3],"dry_run":true"#, (1, 1, &[]));
        ends(&mut court, r#""ids":[2,3,9]"#, (1, 1, &["9"]));
        ends(&mut court, r#""targets":["203.0.113.7"]"#, (0, 1, &[]));
        ends(&mut court, r#""targets":["203.0.113.7"]"#, (0, 0, &["203.0.113.7"]));
    }

    #[test]
    fn numbers_are_asked_for_alone() {
        let wrong = r#"{"reply":"failed","kind":"usage","message":"expected numbers, or whom to unban, found both"}"#;
        for more in [r#""all":true"#, r#""targets":["203.0.113.7"]"#, r#""inside":true"#] {
            check(&mut court(), &format!(r#"{{"request":"unban","ids":[1],{more}}}"#), 1, wrong, 0);
        }
    }
}
