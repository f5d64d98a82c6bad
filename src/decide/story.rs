//! What led to a decision, for those who ask later: the lines that counted, the bucket, the
//! profile, and what made the ban longer, wider or shorter than the profile said.
//!
//! It is written beside the decision as JSON that the ledger does not look into, bounded in lines
//! and bytes. Hostile: lines are an attacker's; whoever shows them escapes them.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::event::Alert;

/// Lines that are kept, the newest.
const MOST_LINES: usize = 10;
/// Bytes that are kept of a line or a sentence.
const LONGEST: usize = 512;

/// What led to a decision, or to its being refused.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Story {
    /// The scenario's name.
    pub scenario: String,
    /// The machine that reported it; empty where it was seen here.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub machine: String,
    /// One sentence about what happened.
    pub message: String,
    /// The profile that answered; empty where none did.
    pub profile: String,
    /// The bucket that overflowed.
    pub bucket: Bucket,
    /// How many events were poured into it.
    pub events: i64,
    /// The first of them, RFC 3339.
    pub first_at: String,
    /// The overflow, RFC 3339.
    pub last_at: String,
    /// The last lines that counted, oldest first.
    pub lines: Vec<StoryLine>,
    /// What made the ban longer than the profile says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub escalation: Option<Escalated>,
    /// What made it wider than the one address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<Widened>,
    /// What made it shorter than the profile says, or an observation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limited: Option<Limited>,
}

/// A leaky bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Bucket {
    /// How many events it holds; 0 for a trigger, -1 for no limit.
    pub capacity: i64,
    /// How many seconds one event takes to leak away.
    pub leak_seconds: f64,
}

/// A line that counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StoryLine {
    /// When it arrived, RFC 3339.
    pub at: String,
    /// What it says; hostile.
    pub text: String,
    /// Whether it was longer.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
}

/// How earlier offences made a ban longer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Escalated {
    /// What the profile says.
    pub base_seconds: u64,
    /// Earlier offences that counted.
    pub offences: u64,
    /// What each multiplies by.
    pub factor: f64,
    /// What came of it.
    pub seconds: u64,
}

/// Why a ban is wider than an address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Widened {
    /// The prefix.
    pub net: String,
    /// Why.
    pub why: String,
}

/// Why a ban is shorter than the profile says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limited {
    /// By what: the source's name, or that anybody could have written the lines.
    pub by: String,
    /// The most that is allowed; 0 is to observe only.
    pub seconds: u64,
}

impl Story {
    /// What an alert says, answered by this profile.
    #[must_use]
    pub fn of(alert: &Alert, profile: Option<&str>) -> Self {
        let newest = alert.events.len().saturating_sub(MOST_LINES);
        let lines = alert.events.get(newest..).unwrap_or_default().iter();
        let lines = lines.filter_map(|event| {
            let (line, is_longer) = event.line();
            let (text, at) = match event.received_at() {
                Some(at) => (Cow::Borrowed(line), at.rfc3339()),
                // Other machines tell what the line said, not the line.
                None => (Cow::Owned(fields(event.meta())), cut(event.timestamp()).0),
            };
            let (text, is_cut) = cut(&text);
            (!text.is_empty()).then_some(StoryLine { at, text, cut: is_longer || is_cut })
        });
        Self {
            scenario: cut(&alert.scenario).0,
            machine: cut(alert.machine.as_deref().unwrap_or_default()).0,
            message: cut(&alert.message).0,
            profile: cut(profile.unwrap_or_default()).0,
            bucket: Bucket {
                capacity: alert.capacity,
                leak_seconds: alert.leakspeed as f64 / 1_000_000_000.0,
            },
            events: alert.events_count,
            first_at: alert.start_at.rfc3339(),
            last_at: alert.stop_at.rfc3339(),
            lines: lines.collect(),
            ..Self::default()
        }
    }

    /// Whether a machine passed on what somebody there asked for: neither a bucket nor a profile
    /// led to it.
    #[must_use]
    pub fn is_by_hand(&self) -> bool {
        !self.machine.is_empty() && self.profile.is_empty() && self.bucket == Bucket::default()
    }

    /// As the ledger keeps it.
    #[must_use]
    pub fn text(&self) -> Box<str> {
        serde_json::to_string(self).expect("a story is plain data").into()
    }

    /// What the ledger kept; `None` when it is not understood: another version's.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

/// What an event says, where its line is not known.
fn fields(meta: &[(String, String)]) -> String {
    let mut text = String::new();
    for (key, value) in meta {
        let gap = if text.is_empty() { "" } else { " " };
        text.push_str(&format!("{gap}{key}={value}"));
        if text.len() > LONGEST {
            break;
        }
    }
    text
}

fn cut(text: &str) -> (String, bool) {
    let end = text.floor_char_boundary(LONGEST.min(text.len()));
    (text.get(..end).unwrap_or_default().to_owned(), end < text.len())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::event::{AlertEvent, Event, Kind, Mode, Snapshot};
    use crate::value::{Arena, Names, Time};

    fn event(line: &str, second: i64) -> AlertEvent {
        let (arena, names) = (Arena::new(), Names::new());
        let event = Event::new(&arena, &names, Kind::Log, Mode::Live, Time::from_seconds(second));
        event.raw.set(arena.alloc_str(line));
        let mut copier = crate::event::Copier::default();
        copier.begin(event, false);
        let snapshot: Snapshot = copier.finish(event);
        AlertEvent::of(Arc::new(snapshot), Arc::new(names))
    }

    fn alert(events: Vec<AlertEvent>) -> Alert {
        Alert {
            scenario: "ssh-bf".into(),
            message: "Ip 203.0.113.7 performed 'ssh-bf'".to_owned(),
            capacity: 5,
            leakspeed: 10_500_000_000,
            events_count: 6,
            start_at: Time::from_seconds(0),
            stop_at: Time::from_seconds(9),
            events,
            meta: Vec::new(),
            simulated: false,
            remediation: true,
            spoofable: 0,
            machine: None,
        }
    }

    #[test]
    fn a_story_has_the_newest_lines_and_is_read_as_it_was_written() {
        let events = (0..30).map(|n| event(&format!("line {n} \u{1b}[31m"), n)).collect();
        let mut story = Story::of(&alert(events), Some("default_ip"));
        story.escalation =
            Some(Escalated { base_seconds: 60, offences: 2, factor: 2.0, seconds: 240 });
        let texts: Vec<&str> = story.lines.iter().map(|line| &*line.text).collect();
        assert_eq!(texts.len(), MOST_LINES);
        assert_eq!((texts[0], texts[9]), ("line 20 \u{1b}[31m", "line 29 \u{1b}[31m"));
        assert_eq!(story.lines[9].at, "1970-01-01T00:00:29Z");
        assert_eq!(story.bucket, Bucket { capacity: 5, leak_seconds: 10.5 });
        let text = story.text();
        assert!(!text.chars().any(char::is_control), "{text}");
        assert_eq!(Story::read(&text), Some(story));
        assert_eq!(Story::read("{}"), Some(Story::default()));
        assert_eq!(Story::read("7"), None);
    }

    #[test]
    fn what_a_machine_reports_has_its_name_and_what_its_events_say() {
        let meta = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let told = vec![meta("log_type", "ssh_failed-auth"), meta("source_ip", "203.0.113.7")];
        let event = AlertEvent::new(told, "2026-11-24T10:00:00Z".to_owned());
        let machine = Some("edge-1".into());
        let story = Story::of(&Alert { machine, ..alert(vec![event]) }, None);
        assert_eq!(story.machine, "edge-1");
        assert_eq!(story.lines[0].at, "2026-11-24T10:00:00Z");
        assert_eq!(story.lines[0].text, "log_type=ssh_failed-auth source_ip=203.0.113.7");
        assert_eq!(Story::read(&story.text()), Some(story));
        assert!(!Story::of(&alert(Vec::new()), None).text().contains("machine"));
    }

    #[test]
    fn long_lines_are_cut() {
        let long = format!("{}é{}", "x".repeat(511), "y".repeat(100));
        let story = Story::of(&alert(vec![event(&long, 1), event("short", 2)]), None);
        let lines: Vec<_> = story.lines.iter().map(|line| (line.text.len(), line.cut)).collect();
        assert_eq!(lines, [(511, true), (5, false)]);
        let all = (0..100).map(|n| event(&"\u{1}".repeat(5000), n)).collect();
        assert!(Story::of(&alert(all), None).text().len() < 40_000);
    }
}
