//! Alerts through a socket, with somebody behind it who decides as the test says.

use std::io::Write as _;

use super::super::alerts::LONGEST;
use super::*;
use crate::lapi::endings::Fit;
use crate::lapi::orders::{EndedSome, Order, Orders};

/// What was ordered, in a word each.
type Log = Arc<Mutex<Vec<String>>>;

/// A world in which orders are written down and answered: alerts get the numbers 12, 13 and so on,
/// two decisions and one more end, and each alert below 100 is there.
pub(super) fn world() -> (World, Log) {
    let log = Log::default();
    let heard = Arc::clone(&log);
    let orders = Orders::new(move |order| {
        let said = match order {
            Order::Push { machine, alerts, reply } => {
                let _ = reply.send(Ok((12..).take(alerts.len()).collect()));
                let scenarios: Vec<_> = alerts.iter().map(|one| &*one.scenario).collect();
                format!("push {machine} {}", scenarios.join(" "))
            }
            Order::EndDecisions { fit, reply } => {
                let is_first = heard.lock().unwrap().is_empty();
                let count = if is_first { 2 } else { 1 };
                let _ = reply.send(Ok(EndedSome { count, has_more: is_first }));
                format!("end {}", if fit == Fit::default() { "all" } else { "some" })
            }
            Order::DeleteAlerts { alerts, reply } => {
                let _ = reply.send(Ok(alerts.iter().filter(|id| **id < 100).count()));
                format!("delete {alerts:?}")
            }
        };
        heard.lock().unwrap().push(said);
        true
    });
    let mut world = World::new();
    world.api = world.api.with_orders(orders, &[parse_net("198.51.100.0/24").unwrap()]);
    (world, log)
}

/// Status and body of what a machine at this address is answered.
fn ask_from(
    world: &World,
    from: &str,
    method: &str,
    path: &str,
    more: &str,
    body: &[u8],
) -> (u16, String) {
    let token = world.api.accounts.secret.give("web", now(), now()).token;
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.0\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\
         Content-Length: {length}\r\n{more}\r\n"
    );
    let answer = world.raw_from(from, &[head.as_bytes(), body].concat());
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

fn ask(world: &World, method: &str, path: &str) -> (u16, String) {
    ask_from(world, "192.0.2.1", method, path, "", b"")
}

fn push(world: &World, more: &str, body: &[u8]) -> (u16, String) {
    ask_from(world, "192.0.2.1", "POST", "/v1/alerts", more, body)
}

pub(super) fn alert(scenario: &str) -> String {
    let alert = serde_json::json!({
        "capacity": 5, "events": [], "events_count": 6, "leakspeed": "10s", "message": "m",
        "scenario": scenario, "scenario_hash": "", "scenario_version": "", "simulated": false,
        "source": {"scope": "Ip", "value": "203.0.113.7"},
        "start_at": "2024-01-27T11:02:49Z", "stop_at": "2024-01-27T11:03:01Z",
    });
    alert.to_string()
}

#[track_caller]
fn check(world: &World, method: &str, path: &str, status: u16, body: &str) {
    assert_eq!(ask(world, method, path), (status, body.to_owned()), "{method} {path}");
}

#[test]
fn without_a_token_nothing_is_done() {
    let (world, log) = world();
    for (method, path) in [
        ("POST", "/v1/alerts"),
        ("GET", "/v1/alerts"),
        ("HEAD", "/v1/alerts"),
        ("DELETE", "/v1/alerts"),
        ("GET", "/v1/alerts/1"),
        ("DELETE", "/v1/alerts/1"),
        ("DELETE", "/v1/decisions"),
        ("DELETE", "/v1/decisions/1"),
    ] {
        assert_eq!(world.ask(method, path, "").0, 401, "{method} {path}");
        let with_key = world.ask(method, path, "X-Api-Key: 0123456789\r\n");
        assert_eq!(with_key.0, 401, "{method} {path}: a bouncer's key opens it");
    }
    for (method, path) in
        [("PUT", "/v1/alerts"), ("POST", "/v1/alerts/1"), ("GET", "/v1/decisions/1")]
    {
        assert_eq!(world.ask(method, path, "").0, 405, "{method} {path}");
    }
    assert!(log.lock().unwrap().is_empty());
}

#[test]
fn alerts_are_pushed_and_their_numbers_are_text() {
    let (world, log) = world();
    assert_eq!(push(&world, "", b"[]"), (201, "[]".to_owned()));
    let two = format!("[{},{}]", alert("a"), alert("b"));
    let taken = (201, r#"["12","13"]"#.to_owned());
    assert_eq!(push(&world, "", two.as_bytes()), taken);
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all(two.as_bytes()).unwrap();
    assert_eq!(push(&world, "Content-Encoding: gzip\r\n", &packed.finish().unwrap()), taken);
    assert_eq!(*log.lock().unwrap(), ["push web a b", "push web a b"]);
}

#[test]
fn what_cannot_be_taken_is_said() {
    let (world, log) = world();
    let refused = |(status, body): (u16, String), expected: u16, words: &str| {
        assert_eq!(status, expected, "{body}");
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert!(body["message"].as_str().unwrap().contains(words), "{body}");
    };
    refused(push(&world, "", b"{}"), 400, "expected a list of alerts");
    refused(push(&world, "", b"[{}]"), 500, "alert 1: expected `");
    refused(push(&world, "Content-Encoding: gzip\r\n", b"[]"), 400, "gzip");
    refused(push(&world, "Content-Encoding: br\r\n", b"[]"), 400, "gzip");
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    bomb.write_all(&vec![b' '; LONGEST + 1]).unwrap();
    let bomb = bomb.finish().unwrap();
    refused(push(&world, "Content-Encoding: gzip\r\n", &bomb), 400, "more than 50 MiB");
    assert!(log.lock().unwrap().is_empty());
    // Nobody takes orders.
    let idle = World::new();
    let body = format!("[{}]", alert("a"));
    refused(push(&idle, "", body.as_bytes()), 503, "try again");
}

#[test]
fn decisions_end_by_number_and_by_filter() {
    let (mut world, log) = world();
    world.ban("203.0.113.7", 60);
    let gone = |count: &str| format!(r#"{{"nbDeleted":"{count}"}}"#);
    check(&world, "DELETE", "/v1/decisions", 200, &gone("3"));
    check(&world, "DELETE", "/v1/decisions?ip=203.0.113.7", 200, &gone("1"));
    check(&world, "DELETE", "/v1/decisions/1", 200, &gone("1"));
    assert_eq!(*log.lock().unwrap(), ["end all", "end all", "end some", "end some"]);
    let said = |message: &str| format!(r#"{{"message":"{message}"}}"#);
    let path = "/v1/decisions/x";
    check(&world, "DELETE", path, 400, &said("decision_id must be valid integer"));
    let none = said("decision with id '9' doesn't exist: unable to delete");
    check(&world, "DELETE", "/v1/decisions/9", 500, &none);
    let unknown = said("'scope' doesn't exist: invalid filter");
    check(&world, "DELETE", "/v1/decisions?scope=Ip", 500, &unknown);
    assert_eq!(log.lock().unwrap().len(), 4);
}

#[test]
fn alerts_are_searched_and_shown() {
    let (mut world, _) = world();
    check(&world, "GET", "/v1/alerts?include_capi=false&limit=50", 200, "null");
    world.ban("203.0.113.7", 3_600);
    let (status, all) = ask(&world, "GET", "/v1/alerts?has_active_decision=true");
    let (_, one) = ask(&world, "GET", "/v1/alerts/1");
    assert_eq!((status, all), (200, format!("[{one}]")));
    let one: serde_json::Value = serde_json::from_str(&one).unwrap();
    assert_eq!(one["decisions"][0]["duration"], "1h0m0s");
    assert_eq!(one["created_at"], "2023-11-14T22:13:20Z");
    check(&world, "HEAD", "/v1/alerts", 200, "");
    check(&world, "HEAD", "/v1/alerts/1", 200, "");
    let said = |message: &str| format!(r#"{{"message":"{message}"}}"#);
    check(&world, "GET", "/v1/alerts/x", 400, &said("alert_id must be valid integer"));
    check(&world, "GET", "/v1/alerts/9", 404, &said("object not found"));
    check(&world, "GET", "/v1/alerts?moon=1", 500, &said("'moon' doesn't exist: invalid filter"));
}

#[test]
fn only_those_who_are_trusted_delete_alerts() {
    let (mut world, log) = world();
    let from =
        |address: &str| format!(r#"{{"message":"access forbidden from this IP ({address})"}}"#);
    for path in ["/v1/alerts", "/v1/alerts/1"] {
        check(&world, "DELETE", path, 403, &from("192.0.2.1"));
    }
    let delete =
        |world: &World, from: &str, path: &str| ask_from(world, from, "DELETE", path, "", b"");
    let forbidden = delete(&world, "::ffff:192.0.2.7", "/v1/alerts/1");
    assert_eq!(forbidden, (403, from("192.0.2.7")));
    let here = |world: &World, path: &str| delete(world, "127.0.0.1", path);
    let gone = |count: &str| (200, format!(r#"{{"nbDeleted":"{count}"}}"#));
    assert_eq!(here(&world, "/v1/alerts/1"), gone("1"));
    assert_eq!(delete(&world, "198.51.100.7", "/v1/alerts/2"), gone("1"));
    let none = r#"{"message":"alert with id '100' doesn't exist: unable to delete"}"#;
    assert_eq!(here(&world, "/v1/alerts/100"), (500, none.to_owned()));
    assert_eq!(here(&world, "/v1/alerts?limit=0"), gone("0"));
    world.ban("203.0.113.7", 60);
    world.ban("203.0.113.8", 60);
    assert_eq!(here(&world, "/v1/alerts?limit=1"), gone("2"));
    let unknown = r#"{"message":"'machine' doesn't exist: invalid filter"}"#;
    assert_eq!(here(&world, "/v1/alerts?machine=x"), (500, unknown.to_owned()));
    let expected = ["delete [1]", "delete [2]", "delete [100]", "delete [2, 1]"];
    assert_eq!(*log.lock().unwrap(), expected);
}
