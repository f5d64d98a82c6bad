//! A ban of ours as a local API takes it: an alert with one decision.
//!
//! Must hold: what is sent is bounded, whatever an attacker wrote into the log. Pure.

use ipnet::IpNet;
use serde::Serialize;

use crate::decision::scope_and_value;
use crate::value::{Time, duration_text};

/// What is kept of a text, in bytes; of events, and of what is said of each.
const LONGEST: usize = 512;
const MOST_EVENTS: usize = 5;
const MOST_META: usize = 24;

/// A ban of ours.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert {
    /// Who is banned.
    pub net: IpNet,
    /// Until when.
    pub until: Time,
    /// Whether it is only observed.
    pub is_simulated: bool,
    /// The scenario's name.
    pub scenario: String,
    /// One sentence about what happened.
    pub message: String,
    /// What the bucket holds.
    pub capacity: i64,
    /// In nanoseconds.
    pub leakspeed: i64,
    /// How many events were poured.
    pub events_count: i64,
    /// The first event.
    pub start_at: Time,
    /// The overflow.
    pub stop_at: Time,
    /// The last events: when, RFC 3339, and what is known of each.
    pub events: Vec<(String, Vec<(String, String)>)>,
    /// The number and the name of the network that the source is in; empty when unknown.
    pub network: [String; 2],
    /// The ISO code of its country; empty when unknown.
    pub country: String,
}

#[derive(Serialize)]
struct Shown<'a> {
    capacity: i32,
    decisions: [Decision<'a>; 1],
    events: Vec<Event<'a>>,
    events_count: i32,
    kind: &'static str,
    labels: [&'static str; 0],
    leakspeed: String,
    message: &'a str,
    remediation: bool,
    scenario: &'a str,
    scenario_hash: &'static str,
    scenario_version: &'static str,
    simulated: bool,
    source: Source<'a>,
    start_at: String,
    stop_at: String,
}

#[derive(Serialize)]
struct Decision<'a> {
    duration: String,
    origin: &'static str,
    scenario: &'a str,
    scope: &'a str,
    simulated: bool,
    #[serde(rename = "type")]
    kind: &'static str,
    value: &'a str,
}

#[derive(Serialize)]
struct Event<'a> {
    meta: Vec<Meta<'a>>,
    timestamp: &'a str,
}

#[derive(Serialize)]
struct Meta<'a> {
    key: &'a str,
    value: &'a str,
}

#[derive(Serialize)]
struct Source<'a> {
    as_name: &'a str,
    as_number: &'a str,
    cn: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    ip: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    range: &'a str,
    scope: &'a str,
    value: &'a str,
}

impl Alert {
    /// The same with no more of anything than is sent.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        for text in [&mut self.scenario, &mut self.message, &mut self.country] {
            cut(text);
        }
        self.network.iter_mut().for_each(cut);
        self.events.drain(..self.events.len().saturating_sub(MOST_EVENTS));
        for (at, meta) in &mut self.events {
            cut(at);
            meta.truncate(MOST_META);
            for (key, value) in meta {
                cut(key);
                cut(value);
            }
        }
        self
    }

    /// As it is sent at `now`; `None` when its time is up.
    #[must_use]
    pub fn json(&self, now: Time) -> Option<serde_json::Value> {
        // Whole seconds: some clients of the other side read no others.
        let left = self.until.since(now) / 1_000_000_000 * 1_000_000_000;
        if left <= 0 {
            return None;
        }
        let (scope, value) = scope_and_value(self.net);
        let is_host = self.net.prefix_len() == self.net.max_prefix_len();
        let clamped = |n: i64| i32::try_from(n).unwrap_or(i32::MAX);
        let shown = Shown {
            capacity: clamped(self.capacity),
            decisions: [Decision {
                duration: duration_text(left),
                origin: "crowdsec",
                scenario: &self.scenario,
                scope,
                simulated: self.is_simulated,
                kind: "ban",
                value: &value,
            }],
            events: self
                .events
                .iter()
                .map(|(timestamp, meta)| Event {
                    meta: meta.iter().map(|(key, value)| Meta { key, value }).collect(),
                    timestamp,
                })
                .collect(),
            events_count: clamped(self.events_count),
            kind: "crowdsec",
            labels: [],
            leakspeed: duration_text(self.leakspeed),
            message: &self.message,
            remediation: true,
            scenario: &self.scenario,
            scenario_hash: "",
            scenario_version: "",
            simulated: self.is_simulated,
            source: Source {
                as_name: &self.network[1],
                as_number: &self.network[0],
                cn: &self.country,
                ip: if is_host { &value } else { "" },
                range: if is_host { "" } else { &value },
                scope,
                value: &value,
            },
            start_at: self.start_at.rfc3339(),
            stop_at: self.stop_at.rfc3339(),
        };
        Some(serde_json::to_value(&shown).expect("texts and numbers"))
    }
}

fn cut(text: &mut String) {
    text.truncate(text.floor_char_boundary(LONGEST.min(text.len())));
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::decision::parse_net;

    pub(in crate::remote) fn alert(net: &str) -> Alert {
        Alert {
            net: parse_net(net).unwrap(),
            until: Time::from_seconds(14_500),
            is_simulated: false,
            scenario: "weir/ssh-bf".to_owned(),
            message: "Ip 192.0.2.7 performed 'weir/ssh-bf'".to_owned(),
            capacity: 5,
            leakspeed: 10_000_000_000,
            events_count: 6,
            start_at: Time::from_seconds(90),
            stop_at: Time::from_seconds(100),
            events: vec![(
                "1970-01-01T00:01:30Z".to_owned(),
                vec![("log_type".to_owned(), "ssh_failed-auth".to_owned())],
            )],
            network: ["64496".to_owned(), "Example".to_owned()],
            country: "FR".to_owned(),
        }
    }

    #[test]
    fn an_alert_has_all_that_is_asked_for() {
        let json = alert("192.0.2.7").json(Time::from_nanos(100_300_000_000)).unwrap();
        let expected = serde_json::json!({
            "capacity": 5,
            "decisions": [{
                "duration": "3h59m59s", "origin": "crowdsec", "scenario": "weir/ssh-bf",
                "scope": "Ip", "simulated": false, "type": "ban", "value": "192.0.2.7",
            }],
            "events": [{
                "meta": [{"key": "log_type", "value": "ssh_failed-auth"}],
                "timestamp": "1970-01-01T00:01:30Z",
            }],
            "events_count": 6, "kind": "crowdsec", "labels": [], "leakspeed": "10s",
            "message": "Ip 192.0.2.7 performed 'weir/ssh-bf'", "remediation": true,
            "scenario": "weir/ssh-bf", "scenario_hash": "", "scenario_version": "",
            "simulated": false,
            "source": {
                "as_name": "Example", "as_number": "64496", "cn": "FR", "ip": "192.0.2.7",
                "scope": "Ip", "value": "192.0.2.7",
            },
            "start_at": "1970-01-01T00:01:30Z", "stop_at": "1970-01-01T00:01:40Z",
        });
        assert_eq!(json, expected);
        let range = alert("192.0.2.0/24").json(Time::from_seconds(100)).unwrap();
        assert_eq!(range["source"]["range"], "192.0.2.0/24");
        assert_eq!(range["decisions"][0]["scope"], "Range");
        assert_eq!(alert("192.0.2.7").json(Time::from_seconds(14_500)), None, "it is over");
    }

    #[test]
    fn whatever_the_log_says_little_is_sent() {
        let event = ("x".repeat(9999), vec![("k".repeat(9999), "é".repeat(9999)); 999]);
        let alert = Alert {
            message: "m".repeat(1 << 20),
            events: vec![event; 99],
            capacity: -1,
            events_count: i64::MAX,
            ..alert("192.0.2.7")
        };
        let json = alert.bounded().json(Time::from_seconds(100)).unwrap();
        assert!(json.to_string().len() < 200_000);
        assert_eq!((&json["capacity"], &json["events_count"]), (&(-1).into(), &i32::MAX.into()));
    }
}
