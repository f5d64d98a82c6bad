//! The API through a socket, against the shapes that its clients know.

mod access;
mod alerts;

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::decision::{Action, Allowlist, Origin, parse_net};
use crate::lapi::{Admission, PasswordHash, Secret};
use crate::ledger::{Cause, Ledger, Options, Record};

const KEY: &str = "0123456789";

fn now() -> Time {
    Time::from_seconds(1_700_000_000)
}

/// What is kept of `password`; few rounds, so that tests are quick.
fn password() -> PasswordHash {
    let text =
        "pbkdf2-sha256$1000$AAAAAAAAAAAAAAAAAAAAAA$dGBRjrF0HXvnspFIKLlwEavbAfLm6U/5VEkKXHS+VVQ";
    PasswordHash::kept(text.to_owned()).unwrap()
}

/// A machine that may push and one that waits; others may register themselves from documentation.
fn accounts() -> Accounts {
    let mut machines = Machines::default();
    machines.add("web", password(), now()).unwrap();
    machines.register("guest", password(), now()).unwrap();
    let admission = Admission {
        register_from: vec![parse_net("192.0.2.0/24").unwrap()],
        bouncer_units: vec!["bouncers".to_owned()],
        machine_units: vec!["machines".to_owned()],
    };
    Accounts::new(Arc::new(Mutex::new(machines)), Secret::new().unwrap(), admission).unwrap()
}

/// A ledger, and an API that reads it.
struct World {
    ledger: Ledger,
    api: Api,
    /// What the handshake told.
    certificate: Option<Arc<Certificate>>,
    _folder: tempfile::TempDir,
}

fn record(net: &str, seconds: i64) -> Record {
    Record {
        target: Allowlist::default().admit(parse_net(net).unwrap()).unwrap(),
        action: Action::Ban,
        origin: Origin::Scenario,
        reason: "weir/ssh-bf".to_owned(),
        until: now().plus(seconds * 1_000_000_000),
        events: 6,
        story: None,
    }
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        let ledger =
            Ledger::open(&path, Options::default(), &Allowlist::default(), now()).unwrap().0;
        let mut bouncers = Bouncers::default();
        bouncers.add("edge", KeyHash::of(KEY), now()).unwrap();
        let api = Api::new(
            Feed::open(&path).unwrap(),
            Arc::new(Mutex::new(bouncers)),
            accounts(),
            now,
            metrics::Lapi::default(),
        );
        Self { ledger, api, certificate: None, _folder: folder }
    }

    fn ban(&mut self, net: &str, seconds: i64) {
        self.ledger.record(vec![record(net, seconds)], now());
    }

    fn unban(&mut self, net: &str) {
        self.ledger.end(&[record(net, 0).target], Cause::Unbanned, now());
    }

    /// What is answered to a request, header and body.
    fn raw(&self, request: &str) -> String {
        self.raw_from("192.0.2.1", request.as_bytes())
    }

    /// The same to somebody at this address.
    fn raw_from(&self, from: &str, request: &[u8]) -> String {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let peer = Peer::at(from.parse().unwrap());
            let mut router = self.api.clone().router().layer(Extension(peer));
            if let Some(certificate) = &self.certificate {
                router = router.layer(Extension(Arc::clone(certificate)));
            }
            let asking = async {
                let mut stream = TcpStream::connect(address).await.unwrap();
                stream.write_all(request).await.unwrap();
                let mut answer = Vec::new();
                let read = stream.read_to_end(&mut answer);
                tokio::time::timeout(Duration::from_secs(10), read).await.unwrap().unwrap();
                String::from_utf8(answer).unwrap()
            };
            let serving = async { axum::serve(listener, router).await };
            tokio::select! {
                answer = asking => answer,
                served = serving => panic!("{served:?}"),
            }
        })
    }

    /// Status and body of what is answered to HTTP/1.0, which has no chunks.
    fn ask(&self, method: &str, path: &str, more: &str) -> (u16, String) {
        let answer = self.raw(&format!("{method} {path} HTTP/1.0\r\nHost: x\r\n{more}\r\n"));
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, body.to_owned())
    }

    /// The same with a body.
    fn send(&self, method: &str, path: &str, more: &str, body: &str) -> (u16, String) {
        let length = body.len();
        self.ask(method, path, &format!("{more}Content-Length: {length}\r\n\r\n{body}"))
    }

    fn get(&self, path: &str) -> (u16, String) {
        self.ask("GET", path, &format!("x-api-key: {KEY}\r\nuser-agent: fw/1.0\r\n"))
    }
}

#[test]
fn without_a_good_key_nothing_is_told() {
    let mut world = World::new();
    world.ban("203.0.113.7", 60);
    let forbidden = (403, r#"{"message":"access forbidden"}"#.to_owned());
    for path in ["/v1/decisions", "/v1/decisions/stream?startup=true"] {
        assert_eq!(world.ask("GET", path, ""), forbidden);
        assert_eq!(world.ask("GET", path, "X-Api-Key: wrong\r\n"), forbidden);
        assert_eq!(world.ask("GET", path, "X-Api-Key: \r\n"), forbidden);
        assert_eq!(world.ask("HEAD", path, "X-Api-Key: wrong\r\n"), (403, String::new()));
        assert_eq!(world.ask("HEAD", path, &format!("X-Api-Key: {KEY}\r\n")), (200, String::new()));
    }
    assert_eq!(world.ask("POST", "/v1/usage-metrics", "Content-Length: 2\r\n\r\n{}").0, 403);
    let bouncers = world.api.bouncers();
    assert_eq!(bouncers.iter().next().unwrap().address, None, "the question alone is no use");
}

#[test]
fn paths_and_methods_are_as_clients_know_them() {
    let world = World::new();
    assert_eq!(world.get("/health"), (200, r#"{"status":"up"}"#.to_owned()));
    for (method, path, status) in [
        ("HEAD", "/health", 405),
        ("POST", "/v1/decisions", 405),
        ("DELETE", "/v1/decisions/stream", 405),
        ("GET", "/v1/usage-metrics", 405),
        ("GET", "/v1/nothing", 404),
        ("GET", "//v1/decisions", 404),
        ("GET", "/", 404),
    ] {
        assert_eq!(world.ask(method, path, ""), (status, String::new()), "{method} {path}");
    }
    let moved = world.raw("GET /v1/decisions/ HTTP/1.0\r\n\r\n");
    assert!(moved.starts_with("HTTP/1.0 301"), "{moved}");
    assert!(moved.contains("location: /v1/decisions\r\n"), "{moved}");
}

#[test]
fn a_question_for_one_address_is_null_or_its_decisions() {
    let mut world = World::new();
    assert_eq!(world.get("/v1/decisions?ip=203.0.113.7"), (200, "null".to_owned()));
    world.ban("203.0.113.0/24", 3600);
    let entry = r#"[{"duration":"1h0m0s","id":1,"origin":"crowdsec","scenario":"weir/ssh-bf","scope":"Range","type":"ban","value":"203.0.113.0/24"}]"#;
    assert_eq!(world.get("/v1/decisions?ip=203.0.113.7"), (200, entry.to_owned()));
    let (status, body) = world.get("/v1/decisions?ip=nobody");
    assert_eq!(status, 500);
    assert!(body.starts_with(r#"{"message":"expected an address"#), "{body}");
    let head = world.raw(&format!(
        "GET /v1/decisions?ip=192.0.2.9 HTTP/1.1\r\nHost: x\r\nx-api-key: {KEY}\r\nConnection: close\r\n\r\n"
    ));
    assert!(head.contains("content-type: application/json; charset=utf-8\r\n"), "{head}");
}

/// What is told of a bouncer's next question depends on what it was told before.
#[test]
fn a_stream_tells_what_changed() {
    let mut world = World::new();
    let values = |(status, body): (u16, String)| {
        assert_eq!(status, 200, "{body}");
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        ["new", "deleted"].map(|list| {
            let entries = body[list].as_array().unwrap();
            entries.iter().map(|e| e["value"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        })
    };
    let none: Vec<String> = Vec::new();
    world.ban("203.0.113.7", 60);
    let first = values(world.get("/v1/decisions/stream?startup=true"));
    assert_eq!(first, [vec!["203.0.113.7".to_owned()], none.clone()]);
    assert_eq!(values(world.get("/v1/decisions/stream?")), [none.clone(), none.clone()]);
    world.ban("2001:db8::/48", 60);
    world.unban("203.0.113.7");
    let changed = [vec!["2001:db8::/48".to_owned()], vec!["203.0.113.7".to_owned()]];
    assert_eq!(values(world.get("/v1/decisions/stream?startup=false")), changed);
    // Once more, in case the answer was lost; then not again.
    assert_eq!(values(world.get("/v1/decisions/stream")), changed);
    assert_eq!(values(world.get("/v1/decisions/stream")), [none.clone(), none.clone()]);
    // Another address with the same key begins for itself.
    let met = world.api.bouncers().meet(&KeyHash::of(KEY), [192, 0, 2, 2].into(), "", now());
    assert_eq!(met.as_deref(), Some("edge@192.0.2.2"));
    assert_eq!(world.api.bouncers().told("edge@192.0.2.2", now()), -1);
}

#[test]
fn a_stream_is_of_json_and_ends() {
    let mut world = World::new();
    world.ban("203.0.113.7", 60);
    let answer = world.raw(&format!(
        "GET /v1/decisions/stream?startup=true HTTP/1.1\r\nHost: x\r\nX-API-KEY: {KEY}\r\nConnection: close\r\n\r\n"
    ));
    assert!(answer.contains("content-type: application/json\r\n"), "{answer}");
    assert!(answer.contains("transfer-encoding: chunked"), "{answer}");
    assert!(answer.ends_with("0\r\n\r\n"), "{answer}");
}

#[test]
fn usage_is_taken() {
    let world = World::new();
    let body = r#"{"remediation_components":[{"version":"1","utc_startup_timestamp":1}]}"#;
    let more = format!("X-Api-Key: {KEY}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    assert_eq!(world.ask("POST", "/v1/usage-metrics", &more), (201, String::new()));
}

#[test]
fn whoever_reads_slowly_holds_up_nobody_else() {
    let world = World::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let soon = Duration::from_millis(50);
        let mut held = Vec::new();
        for _ in 0..MOST_ANSWERS {
            held.push(world.api.seat("slow").await);
        }
        assert!(tokio::time::timeout(soon, world.api.seat("slow")).await.is_err());
        assert!(tokio::time::timeout(soon, world.api.seat("other")).await.is_ok());
        held.pop();
        assert!(tokio::time::timeout(soon, world.api.seat("slow")).await.is_ok());
    });
    assert_eq!(world.api.seats.lock().unwrap().len(), 1, "those that nobody holds go");
}

mod golden;
