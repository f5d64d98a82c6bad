use super::*;

/// What a log processor sends, with fields changed or, as null, taken away.
fn alert(changes: serde_json::Value) -> serde_json::Value {
    let mut alert = serde_json::json!({
        "capacity": 5, "decisions": null,
        "events": [{"meta": [{"key": "log_type", "value": "ssh_failed-auth"}],
                    "timestamp": "2024-01-27T11:02:49Z"}],
        "events_count": 6, "kind": "crowdsec", "labels": null, "leakspeed": "10s",
        "message": "Ip 203.0.113.7 performed 'weir/ssh-bf'", "remediation": true,
        "scenario": "weir/ssh-bf", "scenario_hash": "", "scenario_version": "0.3",
        "simulated": false,
        "source": {"as_name": "A", "as_number": "64500", "cn": "FR", "ip": "203.0.113.7",
                   "latitude": 48.8, "longitude": 2, "range": "203.0.113.0/24",
                   "scope": "ip", "value": "203.0.113.7"},
        "start_at": "2024-01-27T11:02:49Z", "stop_at": "2024-01-27T11:03:01Z",
    });
    for (name, value) in changes.as_object().unwrap() {
        alert[name.as_str()] = value.clone();
    }
    alert
}

fn decision(changes: serde_json::Value) -> serde_json::Value {
    let mut decision = serde_json::json!({
        "duration": "4h", "origin": "cscli", "scenario": "by hand", "scope": "Ip",
        "type": "ban", "value": "203.0.113.7",
    });
    for (name, value) in changes.as_object().unwrap() {
        decision[name.as_str()] = value.clone();
    }
    decision
}

fn take(alerts: &[serde_json::Value]) -> Result<Vec<Pushed>, Unfit> {
    read(serde_json::Value::from(alerts.to_vec()).to_string().as_bytes())
}

#[test]
fn what_a_log_processor_sends_is_taken() {
    let [taken] = take(&[alert(serde_json::json!({}))]).unwrap().try_into().unwrap();
    assert_eq!((&*taken.scenario, taken.events_count, taken.capacity), ("weir/ssh-bf", 6, 5));
    assert_eq!(taken.source.scope, "Ip");
    assert_eq!(taken.source.as_number, "64500");
    assert_eq!(taken.stop_at, Time::from_rfc3339("2024-01-27T11:03:01Z"));
    assert_eq!(taken.events[0].meta[0].value, "ssh_failed-auth");
    assert!(taken.remediation && !taken.simulated && taken.decisions.is_empty());
}

#[test]
fn what_an_operator_asks_for_is_taken() {
    let asked = serde_json::json!({
        "decisions": [decision(serde_json::json!({})),
                      decision(serde_json::json!({"duration": "7d", "scope": "range",
                                                  "value": "203.0.113.0/24"}))],
        "start_at": "yesterday",
    });
    let [taken] = take(&[alert(asked)]).unwrap().try_into().unwrap();
    assert_eq!(taken.start_at, None);
    let hour = 3_600_000_000_000;
    assert_eq!(taken.decisions[0].duration, 4 * hour);
    assert_eq!((&*taken.decisions[1].scope, taken.decisions[1].duration), ("Range", 168 * hour));
}

#[test]
fn nothing_is_a_list_without_alerts() {
    assert_eq!(read(b"[]"), Ok(Vec::new()));
    assert_eq!(read(b"null"), Ok(Vec::new()));
}

#[track_caller]
fn undecodable(body: &str) {
    assert!(matches!(read(body.as_bytes()), Err(Unfit::Undecodable(_))), "{body}");
}

#[test]
fn what_is_no_list_of_alerts_is_undecodable() {
    undecodable("");
    undecodable("{}");
    undecodable("[");
    undecodable("[] []");
    undecodable("[7]");
    undecodable(r#"[{"scenario": 7}]"#);
    undecodable(
        &serde_json::json!([alert(serde_json::json!({"capacity": 1_u64 << 31}))]).to_string(),
    );
    undecodable(&serde_json::json!([alert(serde_json::json!({"events": {}}))]).to_string());
}

#[track_caller]
fn unfit(alerts: &[serde_json::Value], number: usize, expected: &str) {
    match take(alerts) {
        Err(Unfit::Alert { number: found, why }) => {
            assert_eq!(found, number);
            assert!(why.contains(expected), "{why}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_missing_is_said() {
    let good = alert(serde_json::json!({}));
    for field in [
        "scenario",
        "scenario_hash",
        "scenario_version",
        "message",
        "events_count",
        "start_at",
        "stop_at",
        "capacity",
        "leakspeed",
        "simulated",
        "events",
        "source",
    ] {
        let without = alert(serde_json::json!({ field: null }));
        unfit(&[good.clone(), without], 2, &format!("expected `{field}`, found nothing"));
    }
    unfit(&[alert(serde_json::json!({"source": {"scope": "Ip"}}))], 1, "source.value");
    unfit(&[serde_json::json!({})], 1, "found nothing");
    for field in ["type", "scope", "value", "duration", "origin", "scenario"] {
        let asked = decision(serde_json::json!({ field: null }));
        let found = format!("{field} of a decision");
        unfit(&[alert(serde_json::json!({"decisions": [asked]}))], 1, &found);
    }
    let asked = decision(serde_json::json!({"duration": "soon\u{1b}"}));
    let found = "such as `4h` or `7d`, found `soon\\u{1b}`";
    unfit(&[alert(serde_json::json!({"decisions": [asked]}))], 1, found);
}

#[test]
fn what_is_too_much_ends_somewhere() {
    let long = "é".repeat(5_000);
    let event = serde_json::json!({
        "timestamp": long,
        "meta": vec![serde_json::json!({"key": long, "value": long}); 500],
    });
    let much = serde_json::json!({
        "scenario": long, "message": long, "labels": vec![long.clone(); 500],
        "events": vec![event; 50],
        "meta": vec![serde_json::json!({"key": "k", "value": long}); 500],
    });
    let [taken] = take(&[alert(much)]).unwrap().try_into().unwrap();
    assert_eq!((taken.scenario.len(), taken.message.len()), (254, 1024));
    assert!(taken.labels.len() <= MOST_ENTRIES);
    assert!(serde_json::to_string(&taken).unwrap().len() < 80_000);

    let event = |n: usize| serde_json::json!({"timestamp": n.to_string(), "meta": null});
    let events: Vec<_> = (0..1_000).map(event).collect();
    let [taken] =
        take(&[alert(serde_json::json!({"events": events}))]).unwrap().try_into().unwrap();
    let kept: Vec<&str> = taken.events.iter().map(|event| &*event.timestamp).collect();
    assert_eq!((kept.len(), kept[0], kept[99]), (MOST_EVENTS, "900", "999"));

    let nothing = vec![serde_json::json!({}); MOST_DECISIONS + 7];
    unfit(&[alert(serde_json::json!({"decisions": nothing}))], 1, "at most 50000 decisions");
    let half = vec![decision(serde_json::json!({})); MOST_DECISIONS / 2 + 1];
    let half = alert(serde_json::json!({"decisions": half}));
    unfit(&[half.clone(), half], 2, "at most 50000 decisions");
    let small = alert(serde_json::json!({"events": []}));
    unfit(&vec![small; MOST_ALERTS + 1], MOST_ALERTS + 1, "at most 5000 alerts");
}
