use super::super::super::query::Pairs;
use super::*;
use crate::decision::{Action, Allowlist, Origin, parse_net};
use crate::ledger::{Ledger, Options, Record, StoredAlert};

fn at(seconds: i64) -> Time {
    Time::from_seconds(seconds)
}

struct World {
    ledger: Ledger,
    feed: Feed,
    _folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        let ledger =
            Ledger::open(&path, Options::default(), &Allowlist::default(), at(0)).unwrap().0;
        Self { ledger, feed: Feed::open(&path).unwrap(), _folder: folder }
    }

    fn ban(&mut self, nets: impl Iterator<Item = String>, origin: Origin) {
        let record = |net: String| Record {
            target: Allowlist::default().admit(parse_net(&net).unwrap()).unwrap(),
            action: Action::Ban,
            origin,
            reason: "weir/ssh-bf".to_owned(),
            until: at(3_600),
            events: 6,
            story: None,
        };
        self.ledger.record(nets.map(record).collect(), at(10));
    }

    fn push(&mut self, value: &str) {
        let alert = StoredAlert {
            id: self.ledger.next_number(),
            machine: "edge".to_owned(),
            created_at: at(10),
            start_at: at(1),
            stop_at: at(2),
            scenario: "http-probing".to_owned(),
            scope: "Ip".to_owned(),
            value: value.to_owned(),
            kind: String::new(),
            simulated: false,
            body: "{}".to_owned(),
        };
        self.ledger.keep_alerts(&[(alert, Vec::new())]).unwrap();
    }

    fn listing(query: &str) -> AlertListing {
        let filter = AlertFilter::of(&Pairs::of(query), at(20)).unwrap();
        AlertListing::begin(filter, at(20))
    }

    /// The whole answer, and in how many pieces it came.
    fn answer(&self, query: &str) -> (String, usize) {
        let mut listing = Self::listing(query);
        let (mut body, mut count) = (Vec::new(), 0);
        while let Some(piece) = listing.next(&self.feed).unwrap() {
            body.extend(piece);
            count += 1;
        }
        (String::from_utf8(body).unwrap(), count)
    }

    #[track_caller]
    fn check(&self, query: &str, expected: &[u64]) {
        let body: serde_json::Value = serde_json::from_str(&self.answer(query).0).unwrap();
        let alerts = body.as_array().cloned().unwrap_or_default();
        let numbers: Vec<u64> = alerts.iter().map(|one| one["id"].as_u64().unwrap()).collect();
        assert_eq!(numbers, expected, "{query}");
        let mut listing = Self::listing(query);
        let mut numbers = Vec::new();
        loop {
            let some = listing.numbers(&self.feed).unwrap();
            if some.is_empty() {
                break;
            }
            numbers.extend(some);
        }
        assert_eq!(numbers, expected, "{query}");
    }
}

#[test]
fn nothing_is_null_and_the_rest_a_list_from_the_newest_on() {
    let mut world = World::new();
    assert_eq!(world.answer(""), ("null".to_owned(), 1));
    world.ban(["203.0.113.1", "203.0.113.2"].map(str::to_owned).into_iter(), Origin::Scenario);
    world.push("203.0.113.1");
    world.ban(["198.51.100.0/24"].map(str::to_owned).into_iter(), Origin::List);
    world.check("", &[4, 3, 2, 1]);
    world.check("sort=ASC", &[1, 2, 3, 4]);
    world.check("limit=2", &[4, 3]);
    world.check("include_capi=false&limit=2", &[3, 2]);
    world.check("value=203.0.113.1&limit=1&sort=ASC", &[1]);
    world.check("ip=203.0.113.1", &[3, 1]);
    world.check("has_active_decision=true", &[4, 2, 1]);
    world.check("has_active_decision=false", &[3]);
    world.check("scenario=nothing", &[]);
    assert_eq!(world.answer("scenario=nothing").0, "null");
}

#[test]
fn a_long_list_is_one_and_comes_in_pieces() {
    let mut world = World::new();
    let nets = (0..1_000_u32).map(|n| format!("11.0.{}.{}", n >> 8, n & 255));
    world.ban(nets, Origin::Scenario);
    let (body, count) = world.answer("limit=0");
    let alerts: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!((alerts.as_array().unwrap().len(), count), (1_000, 5 + 1));
    let (body, _) = world.answer("limit=0&value=11.0.0.7");
    let alerts: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(alerts[0]["id"], 8);
    let (body, _) = world.answer("limit=450");
    let alerts: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(alerts.as_array().unwrap().len(), 450);
}

/// What a page costs beside 100,000 decisions, unoptimised.
#[test]
#[ignore = "it measures"]
fn measured() {
    let mut world = World::new();
    for part in 0..10_u32 {
        let nets = (0..10_000_u32).map(|n| {
            let n = part * 10_000 + n;
            format!("11.{}.{}.{}", n >> 16, n >> 8 & 255, n & 255)
        });
        let origin = if part == 0 { Origin::Scenario } else { Origin::List };
        world.ban(nets, origin);
    }
    for query in [
        "has_active_decision=true&include_capi=true&limit=100",
        "has_active_decision=true&include_capi=false&limit=100",
        "include_capi=false&limit=50",
        "ip=11.0.0.7&limit=100",
        "range=11.0.0.0/24&contains=false&limit=100",
        "scenario=nothing&limit=100",
        "limit=0",
    ] {
        let begun = crate::system::clock::instant();
        let (body, pieces) = world.answer(query);
        let bytes = body.len();
        println!("{query}: {:?}, {bytes} bytes, {pieces} pieces", begun.elapsed());
    }
}
