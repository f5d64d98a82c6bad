//! Requests and replies as they are written.

use super::*;

#[track_caller]
fn check(request: &Request, json: &str) {
    assert_eq!(serde_json::to_string(request).unwrap(), json);
    assert_eq!(serde_json::from_str::<Request>(json).unwrap(), *request);
}

#[test]
fn requests_are_written_as_documented() {
    let targets = || vec!["203.0.113.7".to_owned()];
    check(
        &Request::Ban {
            targets: targets(),
            for_seconds: Some(60),
            reason: "x".to_owned(),
            force: false,
        },
        r#"{"request":"ban","targets":["203.0.113.7"],"for_seconds":60,"reason":"x"}"#,
    );
    check(
        &Request::Unban(Unbanning { targets: targets(), ..Unbanning::default() }),
        r#"{"request":"unban","targets":["203.0.113.7"],"all":false}"#,
    );
    check(&Request::List(Listing::default()), r#"{"request":"list","after":0}"#);
    check(&Request::Status, r#"{"request":"status"}"#);
    check(&Request::Unmatched(Recent::default()), r#"{"request":"unmatched","uncounted":false}"#);
    check(
        &Request::Coverage(Covering { examples: true }),
        r#"{"request":"coverage","examples":true}"#,
    );
    check(
        &Request::Tables(Tabling { tables: vec!["buckets".to_owned()] }),
        r#"{"request":"tables","tables":["buckets"]}"#,
    );
    check(&Request::Reload, r#"{"request":"reload"}"#);
    check(&Request::Flush { undo: true }, r#"{"request":"flush","undo":true}"#);
    check(&Request::Version, r#"{"request":"version"}"#);
}

#[test]
fn what_is_optional_may_be_left_out_and_nothing_else_may_be_there() {
    let read = |json| serde_json::from_str::<Request>(json);
    let ban =
        Request::Ban { targets: vec![], for_seconds: None, reason: String::new(), force: false };
    assert_eq!(read(r#"{"request":"ban","targets":[]}"#).unwrap(), ban);
    let listing = Listing { limit: Some(3), ..Listing::default() };
    assert_eq!(read(r#"{"request":"list","limit":3}"#).unwrap(), Request::List(listing));
    for wrong in [
        r#"{"request":"ban","targets":[],"four_seconds":1}"#,
        r#"{"request":"list","limits":3}"#,
        r#"{"request":"ban"}"#,
        r#"{"request":"hug"}"#,
        r#"{"targets":[]}"#,
        "[]",
    ] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_kind_of_failure_from_the_future_is_another_one() {
    let json = r#"{"reply":"failed","kind":"eclipse","message":"too dark"}"#;
    let reply: Reply = serde_json::from_str(json).unwrap();
    assert_eq!(reply, Reply::failed(FailureKind::Other, "too dark"));
}
