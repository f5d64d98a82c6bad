//! Conversations with the API, word for word: a file each in `golden/`, which says what happens and
//! what is asked (`>`), and what is answered (`<` for status and headers, `|` for the body). The
//! clock stands still but for `wait`. `WEIR_UPDATE_GOLDEN=1` writes the answers anew; whatever they
//! are then, they must have the shapes that clients need.
//!
//! What happens, a line each, with lengths in seconds: `ban PREFIX LENGTH REASON`, `observe ..`,
//! `list ..`, `by-hand ..`, `unban PREFIX`, `other TYPE SCOPE VALUE LENGTH REASON`, `end NUMBER`,
//! `wait LENGTH`, `friend PREFIX ORIGIN COMMENT`, `alert SCENARIO ADDRESS LENGTH` for one that a machine
//! pushed and that banned. What machines order is answered as in the tests of alerts. In what is asked, `KEY` is a bouncer's key and
//! `TOKEN` that of a machine that has logged in; what the API gives as a token is shown as `TOKEN`.

use std::cell::Cell;
use std::fmt::Write as _;
use std::path::PathBuf;

use super::*;
use crate::decision::{Entry, EntryOrigin, Other};
use crate::ledger::{NewOther, StoredAlert};

/// Headers that clients look at.
const TELLING: [&str; 5] =
    ["content-type", "transfer-encoding", "location", "www-authenticate", "retry-after"];

thread_local! {
    static NOW: Cell<Time> = const { Cell::new(Time::from_seconds(1_700_000_000)) };
}

/// What happens in a conversation.
struct Stage {
    world: World,
    friends: Vec<Entry>,
}

impl Stage {
    fn new() -> Self {
        NOW.set(now());
        let (mut world, _) = alerts::world();
        world.api.clock = || NOW.get();
        world.api.friends.are(Allowlist::default(), now());
        Self { world, friends: Vec::new() }
    }

    fn record(&mut self, net: &str, action: Action, origin: Origin, length: &str, reason: &[&str]) {
        let until = NOW.get().plus(seconds(length));
        let record = Record { action, origin, until, reason: reason.join(" "), ..record(net, 0) };
        self.world.ledger.record(vec![record], NOW.get());
    }

    fn push(&mut self, scenario: &str, address: &str, length: &str) {
        let ledger = &mut self.world.ledger;
        let id = ledger.next_number();
        let until = NOW.get().plus(seconds(length));
        let reason = scenario.to_owned();
        let ban = Record { until, reason, ..record(address, 0) };
        let (decision, _) = ledger.record(vec![ban], NOW.get()).kept[0];
        let body = alerts::alert(scenario).replace("203.0.113.7", address);
        let stored = StoredAlert {
            id,
            machine: "web".to_owned(),
            created_at: NOW.get(),
            start_at: NOW.get().plus(-12_000_000_000),
            stop_at: NOW.get(),
            scenario: scenario.to_owned(),
            scope: "Ip".to_owned(),
            value: address.to_owned(),
            kind: "crowdsec".to_owned(),
            simulated: false,
            body,
        };
        ledger.keep_alerts(&[(stored, vec![decision])]).unwrap();
    }

    /// That of a machine that logged in at the beginning, and again when it needs to.
    fn token(&self) -> String {
        let header = self.world.token();
        header.trim().rsplit(' ').next().unwrap().to_owned()
    }

    fn happen(&mut self, line: &str) {
        let ledger = &mut self.world.ledger;
        match *line.split(' ').collect::<Vec<_>>() {
            ["ban", net, length, ref reason @ ..] => {
                self.record(net, Action::Ban, Origin::Scenario, length, reason);
            }
            ["observe", net, length, ref reason @ ..] => {
                self.record(net, Action::Observe, Origin::Scenario, length, reason);
            }
            ["list", net, length, ref reason @ ..] => {
                self.record(net, Action::Ban, Origin::List, length, reason);
            }
            ["by-hand", net, length, ref reason @ ..] => {
                self.record(net, Action::Ban, Origin::Manual, length, reason);
            }
            ["unban", net] => {
                ledger.end(&[record(net, 0).target], Cause::Unbanned, NOW.get());
            }
            ["other", kind, scope, value, length, ref reason @ ..] => {
                let other = Other::new(kind, scope, value).unwrap();
                let until = NOW.get().plus(seconds(length));
                let origin = Origin::Manual;
                let new = NewOther { other, origin, reason: reason.join(" "), until };
                ledger.begin_others(vec![new], NOW.get()).unwrap();
            }
            ["end", number] => {
                let numbers = [number.parse().unwrap()];
                ledger.end_others(&numbers, Cause::Unbanned, NOW.get()).unwrap();
            }
            ["alert", scenario, address, length] => self.push(scenario, address, length),
            ["wait", length] => {
                NOW.set(NOW.get().plus(seconds(length)));
                ledger.expire(NOW.get());
            }
            ["friend", net, origin, ref comment @ ..] => {
                let all = [EntryOrigin::Settings, EntryOrigin::Operator];
                let origin = all.into_iter().find(|one| one.name() == origin).unwrap();
                let (net, comment) = (parse_net(net).unwrap(), comment.join(" "));
                let until =
                    (origin == EntryOrigin::Operator).then(|| NOW.get().plus(seconds("60")));
                self.friends.push(Entry { net, origin, comment, until });
                self.world.api.friends.are(Allowlist::new(self.friends.clone()), NOW.get());
            }
            _ => panic!("nobody knows what `{line}` is"),
        }
    }

    /// The answer to a request, as conversations have it.
    fn ask(&self, asked: &[&str]) -> String {
        let (head, body) = match asked.iter().position(|line| line.is_empty()) {
            Some(blank) => (&asked[..blank], asked[blank + 1..].join("\n")),
            None => (asked, String::new()),
        };
        let (first, headers) = head.split_first().unwrap();
        let mut request = format!("{first} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n");
        for header in headers {
            let (name, value) = header.split_once(':').unwrap();
            let value = value.replace("KEY", KEY).replace("TOKEN", &self.token());
            request.push_str(&format!("{name}:{value}\r\n"));
        }
        if !body.is_empty() {
            request.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        let answer = self.world.raw(&format!("{request}\r\n{body}"));
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap();
        let mut told: Vec<String> =
            lines.map(|line| line.to_owned()).filter(|line| is_telling(line)).collect();
        told.sort();
        let is_chunked = told.iter().any(|line| line == "transfer-encoding: chunked");
        let body = if is_chunked { joined(body) } else { body.to_owned() };
        check_shape(first, &body);
        let body = masked(&body);
        let mut text = format!("< {status}\n");
        for line in told {
            writeln!(text, "< {line}").unwrap();
        }
        if !body.is_empty() {
            // A line feed at the end would show as an empty line.
            for line in body.split('\n') {
                writeln!(text, "| {line}").unwrap();
            }
        }
        text
    }
}

fn seconds(text: &str) -> i64 {
    (text.parse::<f64>().unwrap() * 1e9) as i64
}

fn is_telling(header: &str) -> bool {
    header.split_once(": ").is_some_and(|(name, _)| TELLING.contains(&name))
}

/// Without what is drawn by lot.
fn masked(body: &str) -> String {
    const BEFORE: &str = "\"token\":\"";
    match body.split_once(BEFORE).and_then(|(before, rest)| Some((before, rest.split_once('"')?))) {
        Some((before, (_, rest))) => format!("{before}{BEFORE}TOKEN\"{rest}"),
        None => body.to_owned(),
    }
}

/// A body out of its chunks.
fn joined(mut chunks: &str) -> String {
    let mut body = String::new();
    while let Some((length, rest)) = chunks.split_once("\r\n") {
        let length = usize::from_str_radix(length, 16).unwrap();
        body.push_str(&rest[..length]);
        chunks = rest[length..].strip_prefix("\r\n").unwrap();
    }
    assert!(chunks.is_empty(), "{chunks}");
    body
}

/// What clients cannot do without, however the answer is otherwise.
#[track_caller]
fn check_shape(asked: &str, body: &str) {
    if body.is_empty() {
        return;
    }
    let told: serde_json::Value = serde_json::from_str(body).expect("every body is JSON");
    if asked.starts_with("GET /v1/alerts") {
        check_alerts(&told);
    }
    if asked.starts_with("DELETE") && told["message"].is_null() {
        let count = told["nbDeleted"].as_str().expect("a number as text");
        count.parse::<u64>().expect("a number as text");
    }
    let lists = if asked.starts_with("GET /v1/decisions/stream") && told["message"].is_null() {
        assert_eq!(told.as_object().unwrap().len(), 2, "`new` and `deleted`, whatever is in them");
        [&told["new"], &told["deleted"]]
    } else if asked.starts_with("GET /v1/decisions") && told["message"].is_null() {
        assert!(told.is_null() || !told.as_array().unwrap().is_empty(), "`null`, not `[]`");
        [&told, &serde_json::Value::Null]
    } else {
        return;
    };
    for (is_over, list) in [false, true].into_iter().zip(lists) {
        for entry in list.as_array().map(Vec::as_slice).unwrap_or_default() {
            for name in ["origin", "type", "scope", "value", "duration", "scenario"] {
                assert!(entry[name].is_string(), "`{name}` in {entry}");
            }
            assert!(entry["simulated"].is_null(), "bouncers are not told: {entry}");
            let duration = entry["duration"].as_str().unwrap();
            let left = crate::value::parse_duration(duration).expect("a duration as Go has it");
            assert_eq!(left % 1_000_000_000, 0, "whole seconds in {entry}");
            match (is_over, asked.contains("/stream")) {
                (true, _) => assert!(left <= 0, "{entry}"),
                (false, true) => assert!(left >= 1_000_000_000, "{entry}"),
                (false, false) => assert!(left >= 0, "{entry}"),
            }
            if matches!(entry["scope"].as_str(), Some("Ip" | "Range")) {
                parse_net(entry["value"].as_str().unwrap()).expect("an address or a prefix");
            }
        }
    }
}

/// What `cscli` cannot do without in one alert, in several, or in none.
#[track_caller]
fn check_alerts(told: &serde_json::Value) {
    assert!(told.as_array().is_none_or(|all| !all.is_empty()), "`null`, not `[]`");
    let one = std::slice::from_ref(told);
    let all = told.as_array().map_or(one, Vec::as_slice);
    for alert in all.iter().filter(|one| one["message"].is_string() && !one["id"].is_null()) {
        for name in [
            "created_at",
            "kind",
            "leakspeed",
            "machine_id",
            "message",
            "scenario",
            "scenario_hash",
            "scenario_version",
            "start_at",
            "stop_at",
        ] {
            assert!(alert[name].is_string(), "`{name}` in {alert}");
        }
        for name in ["capacity", "events_count", "id"] {
            assert!(alert[name].is_i64(), "`{name}` in {alert}");
        }
        assert!(alert["simulated"].is_boolean() && alert["events"].is_array(), "{alert}");
        assert!(alert["source"]["scope"].is_string() && alert["source"]["value"].is_string());
        for decision in alert["decisions"].as_array().map(Vec::as_slice).unwrap_or_default() {
            for name in ["origin", "type", "scope", "value", "duration", "scenario"] {
                assert!(decision[name].is_string(), "`{name}` in {decision}");
            }
            assert!(decision["simulated"].is_boolean(), "{decision}");
        }
    }
}

/// A conversation with the answers that are given now.
fn held(text: &str) -> String {
    let mut stage = Stage::new();
    let mut lines = text.lines().peekable();
    let mut now_held = String::new();
    while let Some(line) = lines.next() {
        if line.starts_with(['<', '|']) {
            continue;
        }
        writeln!(now_held, "{line}").unwrap();
        let asked = |line: &'_ str| line.starts_with('>');
        if asked(line) {
            let mut request = vec![line];
            while let Some(line) = lines.next_if(|line| asked(line)) {
                writeln!(now_held, "{line}").unwrap();
                request.push(line);
            }
            let request: Vec<&str> =
                request.iter().map(|line| line[1..].strip_prefix(' ').unwrap_or("")).collect();
            now_held.push_str(&stage.ask(&request));
        } else if !line.is_empty() && !line.starts_with('#') {
            stage.happen(line);
        }
    }
    now_held
}

#[test]
fn answers_are_word_for_word_as_they_were() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/lapi/server/tests/golden");
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() > 5, "{paths:?}");
    for path in paths {
        let was = std::fs::read_to_string(&path).unwrap();
        let is = held(&was);
        if std::env::var_os("WEIR_UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, is).unwrap();
            continue;
        }
        for (number, (is, was)) in is.lines().zip(was.lines()).enumerate() {
            assert_eq!(is, was, "{}, line {}", path.display(), number + 1);
        }
        assert_eq!(is, was, "{}", path.display());
    }
}
