use super::*;
use crate::decision::{Action, parse_net};
use crate::ledger::Subject;

fn at(seconds: i64) -> Time {
    Time::from_seconds(1_700_000_000 + seconds)
}

fn decision(origin: Origin, action: Action) -> Followed {
    Followed {
        id: 7,
        subject: Subject::Net(parse_net("203.0.113.7").unwrap(), action),
        origin,
        reason: "weir/ssh-bf".to_owned(),
        created_at: at(0),
        until: at(14_400),
        ended_at: None,
        version: 0,
    }
}

fn show(alert: &FollowedAlert, with_decisions: bool, now: i64) -> serde_json::Value {
    let mut out = Vec::new();
    write(&mut out, alert, with_decisions, at(now));
    serde_json::from_slice(&out).unwrap()
}

fn own(decision: Followed, story: &str) -> FollowedAlert {
    let origin = AlertOrigin::Own { events: 6, story: Some(story.to_owned()) };
    FollowedAlert { origin, decisions: vec![decision] }
}

#[test]
fn a_pushed_alert_is_shown_as_it_came() {
    let stored = StoredAlert {
        id: 12,
        machine: "edge-1".to_owned(),
        created_at: at(5),
        start_at: at(-20),
        stop_at: at(1),
        scenario: "crowdsecurity/ssh-bf".to_owned(),
        scope: "Ip".to_owned(),
        value: "203.0.113.7".to_owned(),
        kind: String::new(),
        simulated: false,
        body: serde_json::json!({
            "scenario_hash": "h", "scenario_version": "0.3", "message": "m", "events_count": 6,
            "capacity": 5, "leakspeed": "10s", "remediation": true,
            "source": {"scope": "Ip", "value": "203.0.113.7", "cn": "FR"},
            "events": [{"timestamp": "2024-01-27T11:02:49Z",
                        "meta": [{"key": "service", "value": "ssh"}]},
                       {"timestamp": "then", "meta": []}],
            "meta": [], "labels": [],
        })
        .to_string(),
    };
    let decisions = vec![decision(Origin::Scenario, Action::Ban)];
    let alert = FollowedAlert { origin: AlertOrigin::Pushed(stored), decisions };
    let shown = show(&alert, true, 3_601);
    let uuid = shown["uuid"].as_str().unwrap().to_owned();
    let nested = shown["decisions"][0]["uuid"].as_str().unwrap().to_owned();
    assert!(uuid != nested && uuid.len() == 36);
    let expected = serde_json::json!({
        "capacity": 5,
        "created_at": "2023-11-14T22:13:25Z",
        "decisions": [{
            "duration": "2h59m59s", "id": 7, "origin": "crowdsec", "scenario": "weir/ssh-bf",
            "scope": "Ip", "simulated": false, "type": "ban", "uuid": nested,
            "value": "203.0.113.7",
        }],
        "events": [
            {"timestamp": "2024-01-27 11:02:49 +0000 UTC",
             "meta": [{"key": "service", "value": "ssh"}]},
            {"timestamp": "then", "meta": []},
        ],
        "events_count": 6,
        "id": 12,
        "kind": "crowdsec",
        "labels": null,
        "leakspeed": "10s",
        "machine_id": "edge-1",
        "message": "m",
        "meta": [],
        "remediation": true,
        "scenario": "crowdsecurity/ssh-bf",
        "scenario_hash": "h",
        "scenario_version": "0.3",
        "simulated": false,
        "source": {"scope": "Ip", "value": "203.0.113.7", "cn": "FR"},
        "start_at": "2023-11-14T22:13:00Z",
        "stop_at": "2023-11-14T22:13:21Z",
        "uuid": uuid,
    });
    assert_eq!(shown, expected);
    assert!(show(&alert, false, 0).get("decisions").is_none());
}

#[test]
fn a_decision_of_ours_is_an_alert_with_its_lines() {
    let story = serde_json::json!({
        "scenario": "weir/ssh-bf", "message": "Ip 203.0.113.7 performed 'weir/ssh-bf'",
        "profile": "default_ip", "bucket": {"capacity": 5, "leak_seconds": 10.5},
        "events": 6, "first_at": "2023-11-14T22:12:20Z", "last_at": "2023-11-14T22:13:19.5Z",
        "lines": [{"at": "2023-11-14T22:12:20Z", "text": "sshd: \u{1b}[31m"}], "new_field": 1,
    });
    let alert = own(decision(Origin::Scenario, Action::Ban), &story.to_string());
    let shown = show(&alert, true, 0);
    let source = serde_json::json!({"scope": "Ip", "value": "203.0.113.7", "ip": "203.0.113.7"});
    assert_eq!(shown["source"], source);
    assert_eq!(shown["machine_id"], "weir");
    assert_eq!(shown["leakspeed"], "10.5s");
    assert_eq!(shown["start_at"], "2023-11-14T22:12:20Z");
    assert_eq!(shown["stop_at"], "2023-11-14T22:13:19Z");
    assert_eq!(shown["message"], "Ip 203.0.113.7 performed 'weir/ssh-bf'");
    let event = serde_json::json!({
        "timestamp": "2023-11-14 22:12:20 +0000 UTC",
        "meta": [{"key": "line", "value": "sshd: \u{1b}[31m"}],
    });
    assert_eq!(shown["events"], serde_json::json!([event]));
    assert_eq!((&shown["id"], &shown["events_count"]), (&7.into(), &6.into()));
}

#[track_caller]
fn check(origin: Origin, action: Action, kind: &str, message: &str, simulated: bool) {
    let shown = show(&own(decision(origin, action), "not JSON"), true, 0);
    assert_eq!(shown["kind"], kind);
    assert_eq!(shown["message"], message);
    assert_eq!(shown["simulated"], simulated);
    assert_eq!(shown["decisions"][0]["simulated"], simulated);
    assert_eq!(shown["start_at"], "2023-11-14T22:13:20Z");
    assert_eq!(shown["leakspeed"], "0");
}

#[test]
fn one_without_a_story_says_what_is_known() {
    check(Origin::Scenario, Action::Ban, "crowdsec", "Ip 203.0.113.7: weir/ssh-bf", false);
    check(Origin::Manual, Action::Ban, "cscli", "weir/ssh-bf", false);
    check(Origin::List, Action::Observe, "capi", "on the list weir/ssh-bf", true);
}

#[test]
fn what_is_over_has_no_time_left() {
    let left = |ended_at: Option<i64>, now: i64| {
        let ended_at = ended_at.map(at);
        let over = Followed { ended_at, ..decision(Origin::Scenario, Action::Ban) };
        show(&own(over, ""), true, now)["decisions"][0]["duration"].as_str().unwrap().to_owned()
    };
    assert_eq!(left(None, 14_460), "-1m0s");
    assert_eq!(left(Some(60), 150), "-1m30s");
    assert_eq!(left(Some(20_000), 14_401), "-1s");
}
