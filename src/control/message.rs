//! What is asked of a running daemon, and what it answers: one JSON object a line.
//!
//! Instants are RFC 3339 in UTC, spans whole seconds. Fields are only ever added, so that a command
//! understands a daemon that is a little older or newer.

use serde::{Deserialize, Serialize};

use super::{Recent, Status, Unmatched};
use crate::decision::{Decision, Entry, Refusal};
use crate::value::Time;

/// The longest request in bytes, its line feed included.
pub const LONGEST_REQUEST: usize = 1 << 18;

/// The greatest number of targets in one request and of decisions in one answer; there is a way to
/// ask for the next ones.
pub const PAGE: usize = 2_000;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// Ban addresses and prefixes.
    Ban {
        /// Whom.
        targets: Vec<String>,
        /// For how long; the configured duration when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        for_seconds: Option<u64>,
        /// Why.
        #[serde(default)]
        reason: String,
    },
    /// End decisions.
    Unban {
        /// Whose; exactly these.
        #[serde(default)]
        targets: Vec<String>,
        /// Everybody's.
        #[serde(default)]
        all: bool,
    },
    /// Name decisions, by number.
    List(Listing),
    /// Tell how the daemon is.
    Status,
    /// Name recent lines that the rules made nothing of.
    Unmatched(Recent),
    /// Read the configuration and the rules again.
    Reload,
    /// Tell the version.
    Version,
}

/// Which decisions to name; what is absent does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listing {
    /// Those on this address or prefix, in it, or around it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Those whose reason contains this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// `ban` or `observe`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// `scenario` or `manual`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// Those with a greater number: the last one of the page before.
    #[serde(default)]
    pub after: u64,
    /// At most so many, and never more than [`PAGE`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "kebab-case")]
pub enum Reply {
    /// What became of the bans.
    Banned {
        /// The decisions on the targets, as they are now.
        decisions: Vec<Row>,
        /// What was not allowed.
        refused: Vec<Refused>,
    },
    /// What became of the wish to end decisions.
    Unbanned {
        /// How many ended.
        count: usize,
        /// Those that ended, at most a page of them.
        decisions: Vec<Row>,
        /// Targets that had none.
        missing: Vec<String>,
        /// Those on wider and narrower prefixes that still hold.
        still: Vec<Still>,
    },
    /// The decisions.
    Listed {
        /// By number, at most a page of them.
        decisions: Vec<Row>,
        /// How many there are from here on.
        total: usize,
    },
    /// How the daemon is.
    Status(Box<Status>),
    /// The lines that the rules made nothing of.
    Unmatched {
        /// By program, those with most lines first.
        programs: Vec<Unmatched>,
    },
    /// The configuration and the rules are new.
    Reloaded {
        /// What is worth knowing, a line each.
        notes: Vec<String>,
    },
    /// The version.
    Version {
        /// Of the running daemon.
        version: String,
    },
    /// It was not done.
    Failed(Failure),
}

/// A decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Its number.
    pub id: u64,
    /// An address or a prefix.
    pub target: String,
    /// `ipv4` or `ipv6`.
    pub family: String,
    /// `ban` or `observe`.
    pub action: String,
    /// `scenario` or `manual`.
    pub origin: String,
    /// The scenario's name, or the operator's words.
    pub reason: String,
    /// When it began.
    pub created_at: String,
    /// When it ends.
    pub until: String,
    /// How long it still lasts, rounded up.
    pub remaining_seconds: u64,
    /// How many events made it.
    pub events: u64,
}

/// A ban that was not allowed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Who was to be banned.
    pub target: String,
    /// Why not, in a sentence.
    pub message: String,
    /// The allowlist entry that stands against it, if that is why.
    #[serde(default)]
    pub entry: Option<Friend>,
}

/// An entry of the allowlist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Friend {
    /// The address or prefix.
    pub net: String,
    /// `default`, `settings` or `host`.
    pub origin: String,
    /// Why, for people.
    pub comment: String,
}

/// A decision that still holds for what was to be free.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Still {
    /// What was to be free.
    pub target: String,
    /// What holds.
    pub decision: Row,
}

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// What kind of reason it is.
    pub kind: FailureKind,
    /// The reason: lower case, no full stop.
    pub message: String,
    /// What belongs to it and has lines of its own, such as the mistakes in a configuration.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

/// A kind of reason, and with it the exit code of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// The request was wrong (64).
    Usage,
    /// The daemon is busy or on its way out (69).
    Unavailable,
    /// The asker may not do this (77).
    Permission,
    /// The configuration or a rule is wrong (78).
    Configuration,
    /// Anything else (1); what a newer daemon says is this, too.
    #[serde(other)]
    Other,
}

impl Request {
    /// Whether it changes anything.
    #[must_use]
    pub const fn is_change(&self) -> bool {
        match self {
            Request::Ban { .. } | Request::Unban { .. } | Request::Reload => true,
            Request::List(_) | Request::Status | Request::Unmatched(_) | Request::Version => false,
        }
    }

    /// Whether the answer shows what the log says, which not everybody may read.
    #[must_use]
    pub const fn shows_lines(&self) -> bool {
        matches!(self, Request::Unmatched(_))
    }

    /// Whether the judge answers it, rather than the daemon.
    #[must_use]
    pub const fn is_for_judge(&self) -> bool {
        matches!(self, Request::Ban { .. } | Request::Unban { .. } | Request::List(_))
    }
}

impl Reply {
    /// It was not done, for this reason.
    #[must_use]
    pub fn failed(kind: FailureKind, message: impl Into<String>) -> Self {
        Reply::Failed(Failure { kind, message: message.into(), detail: String::new() })
    }
}

impl Row {
    /// The decision as it is at `now`.
    #[must_use]
    pub fn of(decision: &Decision, now: Time) -> Self {
        const SECOND: u64 = 1_000_000_000;
        let remaining = u64::try_from(decision.until.since(now)).unwrap_or(0);
        Self {
            id: decision.id,
            target: decision.target.to_string(),
            family: decision.target.family().name().to_owned(),
            action: decision.action.name().to_owned(),
            origin: decision.origin.name().to_owned(),
            reason: decision.reason.clone(),
            created_at: Time::from_seconds(decision.created_at.seconds()).rfc3339(),
            until: Time::from_seconds(decision.until.seconds()).rfc3339(),
            remaining_seconds: remaining.div_ceil(SECOND),
            events: decision.events,
        }
    }
}

impl From<&Refusal> for Refused {
    fn from(refusal: &Refusal) -> Self {
        let (net, entry) = match refusal {
            Refusal::Allowlisted { net, entry } => (net, Some(entry.into())),
            Refusal::TooWide { net, .. } => (net, None),
        };
        Self { target: net.to_string(), message: refusal.to_string(), entry }
    }
}

impl From<&Entry> for Friend {
    fn from(entry: &Entry) -> Self {
        Self {
            net: entry.net.to_string(),
            origin: entry.origin.name().to_owned(),
            comment: entry.comment.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
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
            &Request::Ban { targets: targets(), for_seconds: Some(60), reason: "x".to_owned() },
            r#"{"request":"ban","targets":["203.0.113.7"],"for_seconds":60,"reason":"x"}"#,
        );
        check(
            &Request::Unban { targets: targets(), all: false },
            r#"{"request":"unban","targets":["203.0.113.7"],"all":false}"#,
        );
        check(&Request::List(Listing::default()), r#"{"request":"list","after":0}"#);
        check(&Request::Status, r#"{"request":"status"}"#);
        check(
            &Request::Unmatched(Recent::default()),
            r#"{"request":"unmatched","uncounted":false}"#,
        );
        check(&Request::Reload, r#"{"request":"reload"}"#);
        check(&Request::Version, r#"{"request":"version"}"#);
    }

    #[test]
    fn what_is_optional_may_be_left_out_and_nothing_else_may_be_there() {
        let read = |json| serde_json::from_str::<Request>(json);
        let ban = Request::Ban { targets: vec![], for_seconds: None, reason: String::new() };
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
}
