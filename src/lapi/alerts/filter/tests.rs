use super::*;
use crate::decision::{Action, Origin, Other};
use crate::ledger::{AlertOrigin, Followed, StoredAlert, Subject};

fn at(seconds: i64) -> Time {
    Time::from_seconds(1_700_000_000 + seconds)
}

fn decision(id: u64, subject: Subject, origin: Origin, reason: &str) -> Followed {
    Followed {
        id,
        subject,
        origin,
        reason: reason.to_owned(),
        created_at: at(0),
        until: at(60),
        ended_at: None,
        version: 0,
    }
}

fn ban(net: &str, action: Action) -> Subject {
    Subject::Net(parse_net(net).unwrap(), action)
}

fn pushed(id: u64, scope: &str, value: &str, decisions: Vec<Followed>) -> FollowedAlert {
    let stored = StoredAlert {
        id,
        machine: "edge".to_owned(),
        created_at: at(0),
        start_at: at(-100),
        stop_at: at(-10),
        scenario: "crowdsecurity/http-probing".to_owned(),
        scope: scope.to_owned(),
        value: value.to_owned(),
        kind: String::new(),
        simulated: false,
        body: "{}".to_owned(),
    };
    FollowedAlert { origin: AlertOrigin::Pushed(stored), decisions }
}

fn own(decision: Followed) -> FollowedAlert {
    let story = Some(r#"{"first_at":"2023-11-14T22:12:20Z"}"#.to_owned());
    FollowedAlert { origin: AlertOrigin::Own { events: 6, story }, decisions: vec![decision] }
}

/// The numbers of those that a query wants, of a few that the ledger may give.
#[track_caller]
fn check(query: &str, expected: &[u64]) {
    let filter = AlertFilter::of(&Pairs::of(query), at(0)).unwrap();
    let host = ban("203.0.113.7", Action::Ban);
    let captcha = Subject::Other(Other::new("captcha", "Country", "FR").unwrap());
    let all = [
        own(decision(1, host.clone(), Origin::Scenario, "weir/ssh-bf")),
        own(decision(2, ban("198.51.100.0/24", Action::Observe), Origin::Manual, "by hand")),
        own(decision(3, ban("2001:db8::7", Action::Ban), Origin::List, "drop")),
        pushed(4, "Ip", "203.0.113.7", vec![decision(1, host, Origin::Scenario, "weir/ssh-bf")]),
        pushed(5, "Country", "FR", vec![decision(9, captcha, Origin::Manual, "x")]),
        pushed(6, "Ip", "192.0.2.1", Vec::new()),
    ];
    let taken = all.iter().filter(|alert| filter.takes(alert)).map(FollowedAlert::id);
    assert_eq!(taken.collect::<Vec<_>>(), expected, "{query}");
}

#[test]
fn queries_choose_alerts() {
    check("", &[1, 2, 3, 4, 5, 6]);
    check("scope=ip", &[1, 3, 4, 6]);
    check("scope=Range", &[2]);
    check("value=203.0.113.7", &[1, 4]);
    check("scope=country&value=FR", &[5]);
    check("ip=203.0.113.7", &[1, 4]);
    check("ip=192.0.2.1", &[6]);
    check("ip=198.51.100.9", &[2]);
    check("range=198.51.0.0/16", &[]);
    check("range=198.51.0.0/16&contains=false", &[2]);
    check("range=::/0&contains=false", &[3]);
    check("scenario=weir/ssh-bf", &[1, 4]);
    check("scenario=crowdsecurity/http-probing", &[4, 5, 6]);
    check("decision_type=captcha", &[5]);
    check("decision_type=ban", &[1, 2, 3, 4]);
    check("origin=crowdsec", &[1, 4]);
    check("origin=cscli", &[2, 5]);
    check("kind=crowdsec", &[1, 4, 5, 6]);
    check("kind=cscli", &[2]);
    check("simulated=false", &[1, 3, 4, 5, 6]);
    check("simulated=true", &[1, 2, 3, 4, 5, 6]);
    // Own ones began 60 s ago, by their stories, and pushed ones 100 s.
    check("since=90s", &[1, 2, 3]);
    check("until=90s", &[4, 5, 6]);
    check("since=1d&until=1s", &[1, 2, 3, 4, 5, 6]);
}

#[test]
fn the_ledger_is_asked_for_what_it_can_tell() {
    let wanted = |query| AlertFilter::of(&Pairs::of(query), at(0)).unwrap().wanted();
    assert_eq!(wanted("simulated=true"), AlertsWanted::default());
    let all = wanted("has_active_decision=true&include_capi=false&ip=192.0.2.1&since=4h");
    let expected = AlertsWanted {
        active: Some((true, at(0))),
        without_lists: true,
        around: parse_net("192.0.2.1").ok(),
        created_since: Some(at(-14_400)),
        created_until: None,
    };
    assert_eq!(all, expected);
    assert_eq!(wanted("has_active_decision=0").active, Some((false, at(0))));
    assert_eq!(wanted("created_before=1h").created_until, Some(at(-3_600)));
    assert_eq!(wanted("range=192.0.2.0/24&contains=false").around, None);
}

#[test]
fn limits_and_order_are_as_they_are_known() {
    let of = |query| AlertFilter::of(&Pairs::of(query), at(0)).unwrap();
    let limits = ["", "limit=0", "limit=7"].map(|query| of(query).limit);
    assert_eq!(limits, [Some(100), None, Some(7)]);
    let orders = ["", "sort=ASC", "sort=DESC", "sort=asc"].map(|query| of(query).ascending);
    assert_eq!(orders, [false, true, false, true]);
    assert!(of("").with_decisions && !of("with_decisions=false").with_decisions);
}

#[track_caller]
fn refused(query: &str, expected: &str) {
    let refused = AlertFilter::of(&Pairs::of(query), at(0)).unwrap_err();
    assert!(refused.to_string().contains(expected), "{refused}");
}

#[test]
fn what_is_not_understood_is_refused() {
    refused("scopes=ip", "'scopes' doesn't exist: invalid filter");
    refused("since=yesterday", "as `since`, found `yesterday`");
    refused("has_active_decision=maybe", "as `has_active_decision`, found `maybe`");
    refused("limit=-1", "expected a number as `limit`");
    refused("ip=nobody", "as `ip`, found `nobody`");
    refused("ip=192.0.2.1;x", "pairs behind the `?`");
}
